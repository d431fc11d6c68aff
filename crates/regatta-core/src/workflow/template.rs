//! Templates: strings in workflows and flows, rendered over the data of a profile.
//!
//! A text without `{{` and `{%` is not a template, so CSS and XPath never need escaping.

use std::collections::BTreeSet;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde_json::Map;
use thiserror::Error;

use crate::id::ProfileId;
use crate::session::{Identity, Platform};

/// The names that every template may use besides `identity.*` and `variables.*`.
const PLAIN_NAMES: [&str; 3] = ["profile_id", "platform", "totp"];

/// The identity field with the secret of `totp`.
pub const TOTP_SECRET_FIELD: &str = "two_fa_secret";

/// The seconds for which a two-factor code is valid (RFC 6238).
pub const TOTP_PERIOD: u64 = 30;

/// The data over which a template is rendered.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub profile_id: &'a ProfileId,
    pub platform: Platform,
    pub identity: &'a Identity,
    pub variables: &'a Map<String, serde_json::Value>,
    /// The time of the code that `totp` renders.
    pub now: jiff::Timestamp,
}

/// The names that are known when a template is rendered; for the check before a browser starts.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub identity: BTreeSet<String>,
    pub variables: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("unknown name `{name}` in `{text}`")]
    UnknownName { name: String, text: String, hint: String },
    #[error("`{text}` is not a template: {problem}")]
    Malformed { text: String, problem: String },
    #[error("`identity.{TOTP_SECRET_FIELD}` is not a base32 secret")]
    Secret,
}

impl TemplateError {
    pub fn hint(&self) -> &str {
        match self {
            Self::UnknownName { hint, .. } => hint,
            Self::Malformed { .. } => "write `{{ name }}`; see https://docs.rs/minijinja for the syntax",
            Self::Secret => "it must be letters A to Z and digits 2 to 7",
        }
    }

    /// Returns the identity field that the profile lacks, or whose value is unusable.
    pub fn identity_field(&self) -> Option<&str> {
        match self {
            Self::UnknownName { name, .. } => identity_field(name),
            Self::Secret => Some(TOTP_SECRET_FIELD),
            Self::Malformed { .. } => None,
        }
    }
}

/// Whether `text` is a template.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

pub fn render(text: &str, scope: &Scope<'_>) -> Result<String, TemplateError> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| malformed(text, &error))?;
    let names = template.undeclared_variables(false);
    let mut context: Vec<(&str, Value)> = vec![
        ("profile_id", scope.profile_id.as_str().into()),
        ("platform", scope.platform.as_str().into()),
        ("identity", identity_value(scope)),
        ("variables", Serde(scope.variables).into()),
    ];
    if names.contains("totp") {
        context.push(("totp", totp(scope)?.into()));
    }
    template.render(Value::from_pairs(context)).map_err(|error| match error.kind() {
        ErrorKind::UndefinedError => unknown_name(text, first_missing(&template, scope)),
        _ => malformed(text, &error),
    })
}

/// Checks that `text` renders once `names` are known. Needs no values.
pub fn check(text: &str, names: &Names) -> Result<(), TemplateError> {
    if !is_template(text) {
        return Ok(());
    }
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| malformed(text, &error))?;
    let mut used: Vec<_> = template.undeclared_variables(true).into_iter().collect();
    used.sort();
    for name in used {
        let known = match name.split_once('.') {
            Some(("identity", field)) => names.identity.contains(first_segment(field)),
            Some(("variables", variable)) => names.variables.contains(first_segment(variable)),
            None if name == "totp" => names.identity.contains(TOTP_SECRET_FIELD),
            _ => name == "identity" || name == "variables" || PLAIN_NAMES.contains(&name.as_str()),
        };
        if !known {
            return Err(unknown_name(text, name));
        }
    }
    Ok(())
}

/// Returns the identity fields that `text` uses, `two_fa_secret` for `totp` included.
pub fn identity_fields(text: &str) -> BTreeSet<String> {
    let environment = environment();
    let Some(template) = is_template(text).then(|| environment.template_from_str(text).ok()).flatten() else {
        return BTreeSet::new();
    };
    let names = template.undeclared_variables(true);
    names.iter().filter_map(|name| identity_field(name)).map(str::to_owned).collect()
}

/// Returns the variables that a template uses; none where it cannot be parsed.
pub fn variables(text: &str) -> BTreeSet<String> {
    let environment = environment();
    let Some(template) = is_template(text).then(|| environment.template_from_str(text).ok()).flatten() else {
        return BTreeSet::new();
    };
    let names = template.undeclared_variables(true);
    let variable = |name: &String| name.strip_prefix("variables.").map(first_segment).map(str::to_owned);
    names.iter().filter_map(variable).collect()
}

/// Returns the identity field of a name: `email` of `identity.email`, the secret of `totp`.
fn identity_field(name: &str) -> Option<&str> {
    match name.split_once('.') {
        Some(("identity", field)) => Some(first_segment(field)),
        None if name == "totp" => Some(TOTP_SECRET_FIELD),
        _ => None,
    }
}

/// Whether `text` uses the current two-factor code.
pub fn uses_totp(text: &str) -> bool {
    is_template(text)
        && environment()
            .template_from_str(text)
            .is_ok_and(|template| template.undeclared_variables(false).contains("totp"))
}

/// Returns the window of a time: the number of [`TOTP_PERIOD`]s since 1970. Each has one code.
pub fn totp_window(now: jiff::Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or_default() / TOTP_PERIOD
}

/// Returns the six-digit code of `secret` (base32; spaces, dashes and case are ignored) at `now`: RFC 6238
/// with SHA-1 and a step of 30 s, as in the QR codes of sites.
pub fn totp_code(secret: &str, now: jiff::Timestamp) -> Result<String, TemplateError> {
    let plain: String = secret
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '='))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let secret = totp_rs::Secret::try_from_base32(&plain).map_err(|_| TemplateError::Secret)?;
    let seconds = u64::try_from(now.as_second()).map_err(|_| TemplateError::Secret)?;
    // Many sites issue secrets of 80 bits, shorter than the RFC asks for.
    let totp = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
    Ok(totp.generate(seconds).to_string())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment
}

fn identity_value(scope: &Scope<'_>) -> Value {
    Value::from_pairs(scope.identity.iter().map(|(name, value)| (name.to_owned(), value.into_owned())))
}

fn totp(scope: &Scope<'_>) -> Result<String, TemplateError> {
    let secret =
        scope.identity.get(TOTP_SECRET_FIELD).ok_or_else(|| unknown_name("{{ totp }}", "totp".to_owned()))?;
    totp_code(&secret, scope.now)
}

fn first_missing(template: &minijinja::Template<'_, '_>, scope: &Scope<'_>) -> String {
    let mut used: Vec<_> = template.undeclared_variables(true).into_iter().collect();
    used.sort();
    let missing = |name: &String| match name.split_once('.') {
        Some(("identity", field)) => scope.identity.get(first_segment(field)).is_none(),
        Some(("variables", variable)) => !scope.variables.contains_key(first_segment(variable)),
        _ => !PLAIN_NAMES.contains(&name.as_str()),
    };
    used.iter().find(|name| missing(name)).cloned().unwrap_or_else(|| used.join(", "))
}

fn first_segment(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

fn unknown_name(text: &str, name: String) -> TemplateError {
    let hint = match name.split_once('.') {
        Some(("identity", field)) => format!(
            "the session has no `identity.{field}` here: prepare it, capture it in an earlier step, or put it into the session document"
        ),
        Some(("variables", variable)) => {
            format!(
                "add `{variable}` to [variables] in the workflow; `play` takes --set {variable}=VALUE, too"
            )
        }
        None if name == "totp" => format!(
            "`totp` needs `identity.{TOTP_SECRET_FIELD}`: capture it in an earlier step, or put it into the session document"
        ),
        _ => "known names: profile_id, platform, totp, identity.FIELD, variables.NAME".to_owned(),
    };
    TemplateError::UnknownName { name, text: text.to_owned(), hint }
}

fn malformed(text: &str, error: &minijinja::Error) -> TemplateError {
    let problem = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    TemplateError::Malformed { text: text.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_over<T>(then: impl FnOnce(&Scope<'_>) -> T) -> T {
        let mut identity = Identity::default();
        identity.set("email", "a@practice.test");
        identity.set(TOTP_SECRET_FIELD, "GEZD GNBV gy3t-qojq GEZDGNBVGY3TQOJQ");
        identity.set("code", "123");
        let variables = serde_json::from_str(r#"{"site":"http://127.0.0.1:1"}"#).unwrap();
        then(&Scope {
            profile_id: &"p1".parse().unwrap(),
            platform: Platform::Mobile,
            identity: &identity,
            variables: &variables,
            now: jiff::Timestamp::from_second(59).unwrap(),
        })
    }

    #[track_caller]
    fn check_render(text: &str, expected: &str) {
        let rendered = scope_over(|scope| render(text, scope));
        assert_eq!(rendered.unwrap_or_else(|error| format!("{error}; {}", error.hint())), expected);
    }

    #[test]
    fn names_of_a_profile_render() {
        check_render("{{ variables.site }}/x?{{ profile_id }}", "http://127.0.0.1:1/x?p1");
        check_render(
            "{{ platform }} {{ identity.email }} {{ identity.code }}\n",
            "mobile a@practice.test 123\n",
        );
        check_render("text/{#} div:has(> a) <b>&", "text/{#} div:has(> a) <b>&");
    }

    #[test]
    fn totp_is_the_code_of_rfc_6238() {
        // Appendix B of the RFC gives 94287082 at 59 s; six digits are its last six.
        check_render("{{ totp }}", "287082");
    }

    #[test]
    fn unknown_names_and_bad_syntax_are_errors() {
        check_render(
            "{{ identity.phone }}",
            "unknown name `identity.phone` in `{{ identity.phone }}`; the session has no `identity.phone` here: prepare it, capture it in an earlier step, or put it into the session document",
        );
        check_render(
            "{{ variables.host }}",
            "unknown name `variables.host` in `{{ variables.host }}`; add `host` to [variables] in the workflow; `play` takes --set host=VALUE, too",
        );
        check_render(
            "{{ nam }}",
            "unknown name `nam` in `{{ nam }}`; known names: profile_id, platform, totp, identity.FIELD, variables.NAME",
        );
        check_render(
            "{{ a",
            "`{{ a` is not a template: unexpected end of input, expected end of variable block; write `{{ name }}`; see https://docs.rs/minijinja for the syntax",
        );
    }

    #[test]
    fn the_check_needs_names_only() {
        let names = Names { identity: ["email".to_owned()].into(), variables: ["site".to_owned()].into() };
        for good in ["{{ identity.email }}", "{{ variables.site }}{{ profile_id }}", "plain {"] {
            check(good, &names).unwrap();
        }
        for bad in ["{{ identity.x }}", "{{ totp }}", "{{ variables.x }}", "{{ x }}", "{{"] {
            check(bad, &names).unwrap_err();
        }
        assert_eq!(
            identity_fields("{{ identity.a }}{{ totp }}"),
            ["a".to_owned(), TOTP_SECRET_FIELD.to_owned()].into()
        );
    }
}
