//! Export and import of sessions: as documents and as rows of a table.
//!
//! A table has a column for each flag, identity field and variable, and holds the whole document: every other
//! part is JSON in one cell. An identity value or variable that is empty or not a text is JSON as well, and
//! [`JSON_CELLS`] names its column, since a person who writes `0123` means text.
//! Identity values are exported only on request. Their placeholder is refused on import, since a profile
//! without its password is incomplete.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::id::Flag;
use crate::session::{Platform, SESSION_VERSION, Session};
use crate::source::row::{DeclaredVariables, Undeclared};

/// Stands for an identity value that is not revealed.
pub const HIDDEN: &str = "(hidden)";

/// Parts of a document whose fields are columns of their own: `identity.email`.
pub const OBJECTS: [&str; 3] = ["completion_flags", "identity", "variables"];
/// Parts that are one cell each, in JSON.
pub const DOCUMENTS: [&str; 6] =
    ["adspower", "in_flight", "last_error", "superseded", "totp_used", "version"];
/// Begins the name of a part that Regatta does not know; its cell is JSON.
pub const EXTRA: &str = "extra";
/// The column that names the columns with JSON cells, as a JSON array.
pub const JSON_CELLS: &str = "json_cells";
/// Parts that are one cell each, as text.
const TEXTS: [&str; 4] = ["profile_id", "status", "platform", "plan"];

/// Returns the position of a column in a table.
pub fn rank(column: &str) -> usize {
    let part = column.split_once('.').map_or(column, |(part, _)| part);
    let order = ["profile_id", "status", "platform"].into_iter().chain(OBJECTS).chain(DOCUMENTS);
    order.chain(["plan", EXTRA, JSON_CELLS]).position(|name| name == part).unwrap_or(usize::MAX)
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionProblem {
    #[error("expected an object with a `profile_id`")]
    NotAnObject,
    #[error("there is no `profile_id`")]
    NoId,
    #[error("unknown column `{0}`")]
    UnknownColumn(String),
    #[error("`{0}` is not a JSON object")]
    NotAPart(String),
    #[error("`{0}` is neither true nor false")]
    NotABool(String),
    #[error("the cell `{0}` is not JSON")]
    NotJson(String),
    #[error("the workflow declares no variable `{}`{}", .0.name, .0.suggestion())]
    UndeclaredVariable(Undeclared),
    #[error("the values of the identity were left out of this file")]
    Hidden,
    #[error("version {0} is newer than this regatta, which knows {SESSION_VERSION}")]
    Newer(u64),
    #[error("{0}")]
    Invalid(String),
}

impl SessionProblem {
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Hidden => Some("export it again with --reveal, and keep the file to yourself"),
            Self::UnknownColumn(_) => Some(
                "columns are profile_id, status, platform, completion_flags.FLAG, identity.FIELD, variables.NAME, adspower, in_flight, last_error, superseded, totp_used, version, plan, extra.NAME and json_cells",
            ),
            Self::UndeclaredVariable(_) => {
                Some("correct the name, or declare the variable below [variables] in the workflow")
            }
            Self::NotAnObject | Self::NoId => Some("see `regatta sessions export` for the form"),
            _ => None,
        }
    }
}

/// Returns the document, with identity values only where `reveal` is set.
pub fn document(session: &Session, reveal: bool) -> Value {
    let mut document = serde_json::to_value(session).unwrap_or_default();
    if !reveal && let Some(Value::Object(identity)) = document.get_mut("identity") {
        for value in identity.values_mut().filter(|value| !value.is_null()) {
            *value = HIDDEN.into();
        }
    }
    if !reveal && let Some(Value::Array(superseded)) = document.get_mut("superseded") {
        for value in superseded.iter_mut().filter_map(|old| old.get_mut("value")) {
            *value = HIDDEN.into();
        }
    }
    document
}

/// Returns columns and cells in the order of the document.
pub fn cells(session: &Session, reveal: bool) -> Vec<(String, String)> {
    let Value::Object(document) = document(session, reveal) else { return Vec::new() };
    let (mut cells, mut json_cells) = (Vec::new(), Vec::new());
    for (name, value) in document {
        match value {
            Value::Object(fields) if OBJECTS.contains(&name.as_str()) => {
                for (field, value) in fields {
                    let column = format!("{name}.{field}");
                    let text = match value {
                        Value::String(text) if !text.is_empty() => text,
                        Value::Bool(done) if name == "completion_flags" => done.to_string(),
                        other => {
                            json_cells.push(column.clone());
                            other.to_string()
                        }
                    };
                    cells.push((column, text));
                }
            }
            Value::String(text) if TEXTS.contains(&name.as_str()) => cells.push((name, text)),
            value if DOCUMENTS.contains(&name.as_str()) => cells.push((name, value.to_string())),
            value => cells.push((format!("{EXTRA}.{name}"), value.to_string())),
        }
    }
    if !json_cells.is_empty() {
        cells.push((JSON_CELLS.to_owned(), Value::from(json_cells).to_string()));
    }
    cells
}

/// Returns the names of the fields in which two sessions of a profile differ.
pub fn differences(one: &Session, other: &Session) -> Vec<String> {
    let (one, other) = (cells(one, true), cells(other, true));
    let missing = |from: &[(String, String)], cell: &(String, String)| !from.contains(cell);
    let mut names: Vec<String> =
        one.iter().filter(|cell| missing(&other, cell)).map(|cell| cell.0.clone()).collect();
    names.extend(other.iter().filter(|cell| missing(&one, cell)).map(|cell| cell.0.clone()));
    names.retain(|name| name != JSON_CELLS);
    names.sort();
    names.dedup();
    names
}

/// Parses a row of a table; an empty cell is absent.
pub fn from_cells<'a>(
    cells: impl IntoIterator<Item = (&'a str, &'a str)>,
    platform: Platform,
    flags: &[Flag],
) -> Result<Session, SessionProblem> {
    let cells: Vec<(&str, &str)> = cells.into_iter().collect();
    let json_cells: Vec<String> = match cells.iter().find(|(name, _)| *name == JSON_CELLS) {
        Some((name, text)) if !text.is_empty() => {
            serde_json::from_str(text).map_err(|_| SessionProblem::NotJson((*name).to_owned()))?
        }
        _ => Vec::new(),
    };
    let mut document = Map::new();
    for (name, text) in cells {
        let in_object = |objects: &[&str]| {
            name.split_once('.').is_some_and(|(object, field)| objects.contains(&object) && !field.is_empty())
        };
        let is_extra = in_object(&[EXTRA]);
        let known = TEXTS.contains(&name)
            || ["id", "priority", JSON_CELLS].contains(&name)
            || DOCUMENTS.contains(&name)
            || in_object(&OBJECTS)
            || is_extra;
        if !known {
            return Err(SessionProblem::UnknownColumn(name.chars().take(80).collect()));
        }
        if text.is_empty() || ["priority", JSON_CELLS].contains(&name) {
            continue;
        }
        let json =
            |text: &str| serde_json::from_str(text).map_err(|_| SessionProblem::NotJson(name.to_owned()));
        if let (true, Some((_, part))) = (is_extra, name.split_once('.')) {
            document.insert(part.to_owned(), json(text)?);
            continue;
        }
        let value = match name {
            _ if json_cells.iter().any(|json| json == name) => json(text)?,
            _ if name.starts_with("completion_flags.") => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" => Value::Bool(true),
                "false" | "f" | "0" => Value::Bool(false),
                _ => return Err(SessionProblem::NotABool(name.to_owned())),
            },
            _ if DOCUMENTS.contains(&name) => {
                serde_json::from_str(text).map_err(|_| SessionProblem::NotAPart(name.to_owned()))?
            }
            _ => Value::String(text.to_owned()),
        };
        document.insert(name.to_owned(), value);
    }
    from_document(Value::Object(document), platform, flags)
}

/// Parses a document, or an object with columns for keys. Absent parts are as in a new session.
pub fn from_document(value: Value, platform: Platform, flags: &[Flag]) -> Result<Session, SessionProblem> {
    let Value::Object(given) = value else { return Err(SessionProblem::NotAnObject) };
    let mut document = Map::new();
    for name in OBJECTS {
        match given.get(name) {
            Some(Value::Object(fields)) => document.insert(name.to_owned(), Value::Object(fields.clone())),
            Some(Value::Null) | None => document.insert(name.to_owned(), Value::Object(Map::new())),
            // A message of serde would quote the value.
            Some(_) => return Err(SessionProblem::NotAPart(name.to_owned())),
        };
    }
    for (name, value) in given {
        match name.split_once('.') {
            Some((object, field)) if OBJECTS.contains(&object) => {
                if let Some(Value::Object(fields)) = document.get_mut(object) {
                    fields.insert(field.to_owned(), value);
                }
            }
            _ if OBJECTS.contains(&name.as_str()) => {}
            _ => {
                let name = if name == "id" { "profile_id".to_owned() } else { name };
                document.insert(name, value);
            }
        }
    }
    if let Some(version) =
        document.get("version").and_then(Value::as_u64).filter(|v| *v > SESSION_VERSION.into())
    {
        return Err(SessionProblem::Newer(version));
    }
    let mut superseded = document.get("superseded").and_then(Value::as_array).into_iter().flatten();
    if document["identity"].as_object().is_some_and(|identity| identity.values().any(|value| value == HIDDEN))
        || superseded.any(|old| old["value"] == HIDDEN)
    {
        return Err(SessionProblem::Hidden);
    }
    if document.get("profile_id").is_none_or(Value::is_null) {
        return Err(SessionProblem::NoId);
    }
    if let Some(Value::Object(done)) = document.get_mut("completion_flags") {
        for flag in flags {
            done.entry(flag.as_str()).or_insert(Value::Bool(false));
        }
    }
    document.entry("status").or_insert_with(|| "PENDING".into());
    document.entry("platform").or_insert_with(|| platform.as_str().into());
    serde_json::from_value(Value::Object(document))
        .map_err(|error| SessionProblem::Invalid(error.to_string()))
}

/// Checks that the workflow declares every variable of the session.
pub fn check_variables(session: Session, declared: &DeclaredVariables) -> Result<Session, SessionProblem> {
    declared
        .check(session.variables.keys().map(String::as_str))
        .map_err(SessionProblem::UndeclaredVariable)?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn flags() -> Vec<Flag> {
        ["one", "two"].map(|flag| flag.parse().unwrap()).to_vec()
    }

    fn full() -> Session {
        from_document(
            json!({ "profile_id": "p1", "status": "NEEDS_ATTENTION", "platform": "mobile",
                "completion_flags": { "one": true, "two": false },
                "identity": { "email": "a@practice.test", "password": "hunter22", "two_fa_secret": null },
                "variables": { "shop": "north" }, "mine": [1],
                "in_flight": { "flag": "two", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" } }),
            Platform::Desktop,
            &flags(),
        )
        .unwrap()
    }

    #[test]
    fn a_document_survives_export_and_import() {
        let session = full();
        assert_eq!(from_document(document(&session, true), Platform::Desktop, &[]), Ok(session));
    }

    #[test]
    fn a_row_of_a_table_keeps_a_step_in_doubt() {
        let cells = cells(&full(), true);
        let lines: Vec<_> = cells.iter().map(|(name, text)| format!("{name}={text}")).collect();
        expect![[r#"
            profile_id=p1
            status=NEEDS_ATTENTION
            platform=mobile
            completion_flags.one=true
            completion_flags.two=false
            identity.email=a@practice.test
            identity.password=hunter22
            identity.two_fa_secret=null
            variables.shop=north
            in_flight={"flag":"two","attempt":1,"started_at":"2026-01-02T03:04:05Z","run_id":"r"}
            version=1
            extra.mine=[1]
            json_cells=["identity.two_fa_secret"]"#]]
        .assert_eq(&lines.join("\n"));
        let back =
            from_cells(cells.iter().map(|(a, b)| (a.as_str(), b.as_str())), Platform::Desktop, &[]).unwrap();
        assert_eq!(back, full());
    }

    #[test]
    fn a_table_keeps_everything_that_json_keeps() {
        let document = json!({ "profile_id": "p1", "status": "FAILED", "platform": "mobile",
            "completion_flags": { "one": true, "a.b": false },
            "identity": { "pin": "0123", "number": 7, "empty": "", "none": null, "list": [1, "x"], "text": "null", "a.b": "c" },
            "variables": { "n": 1.5, "on": false, "deep": { "a": null } },
            "last_error": { "flag": "one", "message": "no, \"not\"\nnow", "at": "2026-01-02T03:04:05Z", "more": 1 },
            "superseded": [{ "field": "pin", "value": 5, "at": "2026-01-02T03:04:05Z", "run_id": "r" }],
            "totp_used": { "two_fa_secret": 5 }, "plan": "sha256:1", "note": "hers", "tags": { "x": [] }, "version": 1 });
        let session = from_document(document, Platform::Desktop, &[]).unwrap();
        let cells = cells(&session, true);
        let mut cells: Vec<_> = cells.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        // In another order, as a spreadsheet may save it.
        cells.rotate_right(1);
        assert_eq!(from_cells(cells, Platform::Desktop, &[]).unwrap(), session);
    }

    #[test]
    fn a_cell_that_a_person_writes_is_text() {
        let cells = [("id", "p"), ("identity.pin", "0123"), ("identity.n", "7"), ("identity.none", "")];
        let session = from_cells(cells, Platform::Desktop, &[]).unwrap();
        assert_eq!(serde_json::to_value(&session.identity).unwrap(), json!({ "pin": "0123", "n": "7" }));
    }

    #[test]
    fn identity_values_are_hidden_and_their_placeholder_is_refused() {
        let text = document(&full(), false).to_string();
        assert!(!text.contains("hunter22") && !text.contains("a@practice"), "{text}");
        assert!(text.contains(r#""password":"(hidden)","two_fa_secret":null"#), "{text}");
        check(document(&full(), false), expect!["the values of the identity were left out of this file"]);
    }

    #[track_caller]
    fn check(value: Value, expected: Expect) {
        expected.assert_eq(&match from_document(value, Platform::Desktop, &flags()) {
            Ok(session) => serde_json::to_string(&session).unwrap(),
            Err(problem) => problem.to_string(),
        });
    }

    #[test]
    fn absent_parts_of_a_document_are_those_of_a_new_session() {
        check(
            json!({ "id": "p1", "identity.email": "a@practice.test" }),
            expect![[
                r#"{"profile_id":"p1","status":"PENDING","platform":"desktop","completion_flags":{"one":false,"two":false},"identity":{"email":"a@practice.test"},"version":1}"#
            ]],
        );
    }

    #[test]
    fn problems_are_named_and_no_value_is_quoted() {
        check(json!("p1"), expect!["expected an object with a `profile_id`"]);
        check(json!({ "status": "PENDING" }), expect!["there is no `profile_id`"]);
        check(json!({ "id": "p", "identity": "hunter22" }), expect!["`identity` is not a JSON object"]);
        check(
            json!({ "id": "p", "version": 9 }),
            expect!["version 9 is newer than this regatta, which knows 1"],
        );
        check(
            json!({ "id": "p", "status": "DONE" }),
            expect![
                "unknown variant `DONE`, expected one of `PENDING`, `PROCESSING`, `COMPLETED`, `FAILED`, `NEEDS_ATTENTION`"
            ],
        );
        let cells = |name: &'static str, text: &'static str| {
            from_cells([("id", "p"), (name, text)], Platform::Desktop, &[]).unwrap_err().to_string()
        };
        assert_eq!(cells("emial", "x"), "unknown column `emial`");
        assert_eq!(cells("completion_flags.a", "yes"), "`completion_flags.a` is neither true nor false");
        assert_eq!(cells("in_flight", "{"), "`in_flight` is not a JSON object");
        assert_eq!(cells("extra.mine", "{"), "the cell `extra.mine` is not JSON");
    }
}
