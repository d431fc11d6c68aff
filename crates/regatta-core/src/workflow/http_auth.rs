//! The credentials of HTTP authentication: `[[http_auth]]` of a workflow.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::workflow::Located;

/// As a workflow writes it: `origin` and `user` are templates, `password_field` names an identity field.
#[derive(Debug, Clone)]
pub struct HttpAuth {
    pub origin: Located<String>,
    pub user: Located<String>,
    pub password_field: Located<String>,
}

/// For one profile, with the origin rendered. The user is still a template, since a step may prepare its
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub origin: String,
    pub user: String,
    pub password_field: String,
}

/// The credentials that a server receives.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `http://127.0.0.1:8800`.
    pub origin: String,
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpAuthWire {
    #[schemars(with = "String")]
    pub origin: toml::Spanned<String>,
    #[schemars(with = "String")]
    pub user: toml::Spanned<String>,
    #[schemars(with = "String")]
    pub password_field: toml::Spanned<String>,
}
