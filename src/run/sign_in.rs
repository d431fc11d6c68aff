//! The user and password of `[[http_auth]]`, where the profile has them.

use regatta_core::workflow::http_auth::{Credential, SignIn};
use regatta_core::workflow::template::{self, Scope};

pub(super) fn credentials(known: &[SignIn], scope: &Scope<'_>) -> Vec<Credential> {
    let of = |sign_in: &SignIn| {
        let user = template::render(&sign_in.user, scope).ok()?;
        let password = scope.identity.get(&sign_in.password_field)?;
        Some(Credential { origin: sign_in.origin.clone(), user, password })
    };
    known.iter().filter_map(of).collect()
}
