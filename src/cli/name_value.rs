//! `NAME=VALUE` of the command line.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameValue {
    Variable(String, String),
    /// Without a value it is asked for.
    Identity(String, Option<String>),
}

pub fn parse_assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub fn parse_identity(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    match name.strip_prefix("identity.") {
        Some(field) if !field.is_empty() => Ok((field.to_owned(), value)),
        _ => Err("expected identity.FIELD or identity.FIELD=VALUE".to_owned()),
    }
}

pub fn parse_identity_variable(text: &str) -> Result<(String, String), String> {
    match parse_identity(text) {
        Ok((field, Some(variable))) if !variable.is_empty() => Ok((field, variable)),
        _ => Err("expected identity.FIELD=VARIABLE".to_owned()),
    }
}

pub fn parse_name(text: &str) -> Result<NameValue, String> {
    if text.starts_with("identity.") {
        return parse_identity(text).map(|(field, value)| NameValue::Identity(field, value));
    }
    parse_assignment(text).map(|(name, value)| NameValue::Variable(name, value))
}
