//! One profile of a source: its id, and the data of a new session.
//!
//! Columns have the same names in every source: `profile_id` (or `id`), `platform`, `priority`,
//! `identity.FIELD`, `variables.NAME`, `adspower.SETTING`; the last three may also be whole objects. Any
//! other column is an error, and so is a variable that the workflow does not declare: a misspelt name would
//! be lost silently.
//! No problem quotes the value of an identity field or of a variable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::id::{Flag, InvalidProfileId, ProfileId};
use crate::session::{Identity, Platform, Session};
use crate::source::profile_reference::ReferenceProblem;
use crate::suggestion::nearest;
use crate::workflow::launch::{self, InvalidLaunchSetting, LaunchSettings};

#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    pub id: ProfileId,
    /// Higher priorities are launched first.
    pub priority: i32,
    pub new: NewSession,
}

/// The data of a new session, used where the profile has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewSession {
    pub platform: Option<Platform>,
    pub identity: Identity,
    pub variables: Map<String, Value>,
    /// Launch settings: see [`LaunchSettings`].
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub adspower: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowProblem {
    #[error("there is no column `profile_id`")]
    NoIdColumn,
    #[error("`profile_id` is empty")]
    NoId,
    #[error(transparent)]
    InvalidId(#[from] InvalidProfileId),
    #[error("unknown column `{0}`")]
    UnknownColumn(String),
    #[error("the workflow declares no variable `{}`{}", .0.name, .0.suggestion())]
    UndeclaredVariable(Undeclared),
    #[error("column `{0}` is there twice")]
    Twice(String),
    #[error("`platform` is `{0}`: expected mobile or desktop")]
    Platform(String),
    #[error("`priority` is `{0}`: expected a whole number; higher ones go first")]
    Priority(String),
    #[error("`{0}` is not a JSON object")]
    NotAnObject(String),
    #[error("column `adspower`: {0}")]
    Launch(#[from] InvalidLaunchSetting),
    #[error(transparent)]
    Reference(#[from] ReferenceProblem),
    #[error("expected a profile id or an object")]
    NotARow,
    /// With the message of the parser, which quotes no value.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl RowProblem {
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoIdColumn | Self::NoId => {
                Some("name the column of the profile's id `profile_id`: in SQL, select name as profile_id")
            }
            Self::UnknownColumn(_) => Some(
                "columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out",
            ),
            Self::Reference(problem) => Some(problem.hint()),
            Self::UndeclaredVariable(_) => {
                Some("correct the name, or declare the variable below [variables] in the workflow")
            }
            _ => None,
        }
    }
}

/// A variable that the workflow does not declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeclared {
    pub name: String,
    /// The declared variable that is probably meant.
    pub nearest: Option<String>,
}

impl Undeclared {
    pub fn suggestion(&self) -> String {
        self.nearest.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    }
}

/// The names of the workflow's variables. No other can be set.
#[derive(Debug, Clone, Default)]
pub struct DeclaredVariables(Arc<[String]>);

impl DeclaredVariables {
    pub fn check<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Undeclared> {
        match names.into_iter().find(|name| !self.0.iter().any(|declared| declared == name)) {
            None => Ok(()),
            Some(name) => Err(Undeclared {
                nearest: nearest(name, self.iter()).map(str::to_owned),
                name: name.chars().take(80).collect(),
            }),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'a> FromIterator<&'a str> for DeclaredVariables {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }
}

impl From<ProfileId> for ProfileRow {
    fn from(id: ProfileId) -> Self {
        Self { id, priority: 0, new: NewSession::default() }
    }
}

impl ProfileRow {
    /// Parses columns and their values; a null is absent.
    pub fn from_columns<'a>(columns: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Self, RowProblem> {
        let mut id = None;
        let mut priority = 0;
        let mut new = NewSession::default();
        let mut has_id_column = false;
        for (name, value) in columns {
            let column = Column::parse(name)?;
            has_id_column |= column == Column::Id;
            if value.is_null() {
                continue;
            }
            match column {
                Column::Id if id.is_some() => return Err(RowProblem::Twice(name.to_owned())),
                Column::Id => id = Some(text(&value).unwrap_or_default().trim().parse()?),
                Column::Platform => new.platform = Some(platform(&value)?),
                Column::Priority => priority = number(&value)?,
                Column::Identity(Some(field)) => new.identity.put(field, value),
                Column::Variables(Some(variable)) => {
                    new.variables.insert(variable.to_owned(), value);
                }
                Column::Identity(None) => {
                    object(name, value)?
                        .into_iter()
                        .for_each(|(field, value)| new.identity.put(&field, value));
                }
                Column::Variables(None) => new.variables.extend(object(name, value)?),
                Column::AdsPower(Some(setting)) => {
                    new.adspower.insert(setting.to_owned(), value);
                }
                Column::AdsPower(None) => new.adspower.extend(object(name, value)?),
            }
        }
        LaunchSettings::from_fields(&new.adspower)?;
        let missing = if has_id_column { RowProblem::NoId } else { RowProblem::NoIdColumn };
        Ok(Self { id: id.ok_or(missing)?, priority, new })
    }

    /// Checks that the workflow declares every variable of the row.
    pub fn check_variables(self, declared: &DeclaredVariables) -> Result<Self, RowProblem> {
        declared
            .check(self.new.variables.keys().map(String::as_str))
            .map_err(RowProblem::UndeclaredVariable)?;
        Ok(self)
    }

    /// Parses JSON: an id alone, or an object of columns.
    pub fn from_json(value: Value) -> Result<Self, RowProblem> {
        match value {
            Value::String(id) => Ok(id.parse::<ProfileId>()?.into()),
            Value::Object(columns) => {
                Self::from_columns(columns.iter().map(|(name, value)| (name.as_str(), value.clone())))
            }
            _ => Err(RowProblem::NotARow),
        }
    }
}

impl NewSession {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the session of a profile that never ran. `platform` is the default.
    pub fn into_session<'a>(
        self,
        profile: ProfileId,
        platform: Platform,
        flags: impl IntoIterator<Item = &'a Flag>,
    ) -> Session {
        let mut session = Session::new(profile, self.platform.unwrap_or(platform), flags);
        session.identity = self.identity;
        session.variables = self.variables;
        session.adspower = self.adspower;
        session
    }

    /// Returns the names of the fields in which an existing session differs. The session wins.
    pub fn conflicts(&self, session: &Session) -> Vec<String> {
        let platform = self.platform.is_some_and(|platform| platform != session.platform);
        let mut names: Vec<_> = platform.then(|| "platform".to_owned()).into_iter().collect();
        let other = |name: &&str| self.identity.get(name) != session.identity.get(name);
        names.extend(self.identity.names().filter(other).map(|name| format!("identity.{name}")));
        let other = |(name, value): &(&String, &Value)| session.variables.get(*name) != Some(value);
        names.extend(self.variables.iter().filter(other).map(|(name, _)| format!("variables.{name}")));
        let other = |(name, value): &(&String, &Value)| session.adspower.get(*name) != Some(value);
        names.extend(self.adspower.iter().filter(other).map(|(name, _)| format!("adspower.{name}")));
        names
    }
}

/// The columns that name the profile.
pub const ID_COLUMNS: [&str; 2] = ["profile_id", "id"];

/// Checks the columns before any row is read.
pub fn check_columns<'a>(
    names: impl IntoIterator<Item = &'a str>,
    declared: &DeclaredVariables,
) -> Result<(), RowProblem> {
    let mut seen = Vec::new();
    for name in names {
        let column = Column::parse(name)?;
        if let Column::Variables(Some(variable)) = column {
            declared.check([variable]).map_err(RowProblem::UndeclaredVariable)?;
        }
        if seen.contains(&column) {
            return Err(RowProblem::Twice(name.to_owned()));
        }
        seen.push(column);
    }
    if seen.contains(&Column::Id) { Ok(()) } else { Err(RowProblem::NoIdColumn) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column<'a> {
    Id,
    Platform,
    Priority,
    /// One field, or the whole object.
    Identity(Option<&'a str>),
    Variables(Option<&'a str>),
    AdsPower(Option<&'a str>),
}

impl<'a> Column<'a> {
    fn parse(name: &'a str) -> Result<Self, RowProblem> {
        match name {
            "profile_id" | "id" => return Ok(Self::Id),
            "platform" => return Ok(Self::Platform),
            "priority" => return Ok(Self::Priority),
            "identity" => return Ok(Self::Identity(None)),
            "variables" => return Ok(Self::Variables(None)),
            "adspower" => return Ok(Self::AdsPower(None)),
            _ => {}
        }
        match name.split_once('.') {
            Some(("identity", field)) if !field.is_empty() => Ok(Self::Identity(Some(field))),
            Some(("variables", variable)) if !variable.is_empty() => Ok(Self::Variables(Some(variable))),
            Some(("adspower", setting)) if launch::NAMES.contains(&setting) => {
                Ok(Self::AdsPower(Some(setting)))
            }
            _ => Err(RowProblem::UnknownColumn(name.chars().take(80).collect())),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn platform(value: &Value) -> Result<Platform, RowProblem> {
    match value.as_str().map(str::trim) {
        Some("mobile") => Ok(Platform::Mobile),
        Some("desktop") => Ok(Platform::Desktop),
        _ => Err(RowProblem::Platform(shown(value))),
    }
}

fn number(value: &Value) -> Result<i32, RowProblem> {
    let number = text(value).and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| RowProblem::Priority(shown(value)))
}

/// A database returns objects as text.
fn object(name: &str, value: Value) -> Result<Map<String, Value>, RowProblem> {
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
        other => other,
    };
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(RowProblem::NotAnObject(name.to_owned())),
    }
}

fn shown(value: &Value) -> String {
    let text = text(value).unwrap_or_else(|| value.to_string());
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(row: Value, expected: Expect) {
        expected.assert_eq(&match ProfileRow::from_json(row) {
            Ok(ProfileRow { id, priority, new }) => {
                format!("{id} {priority} {}", serde_json::to_string(&new).unwrap())
            }
            Err(problem) => problem.to_string(),
        });
    }

    #[test]
    fn an_id_alone_is_a_row() {
        check(json!("p1"), expect![[r#"p1 0 {"platform":null,"identity":{},"variables":{}}"#]]);
        check(json!({ "id": 17 }), expect![[r#"17 0 {"platform":null,"identity":{},"variables":{}}"#]]);
    }

    #[test]
    fn columns_become_parts_of_the_session() {
        check(
            json!({ "profile_id": "p1", "platform": "mobile", "priority": "-3", "identity.email": "a@practice.test",
                "identity.age": 7, "variables.shop": "north", "variables": { "n": 1 }, "identity": "{\"nick\":\"ann\"}",
                "identity.none": null }),
            expect![[
                r#"p1 -3 {"platform":"mobile","identity":{"email":"a@practice.test","age":7,"nick":"ann"},"variables":{"shop":"north","n":1}}"#
            ]],
        );
    }

    #[test]
    fn launch_settings_are_columns_too() {
        check(
            json!({ "id": "p1", "adspower.headless": "0", "adspower": { "device_scale": 1.5 } }),
            expect![[
                r#"p1 0 {"platform":null,"identity":{},"variables":{},"adspower":{"headless":"0","device_scale":1.5}}"#
            ]],
        );
        check(json!({ "id": "p1", "adspower.headles": "0" }), expect!["unknown column `adspower.headles`"]);
        check(
            json!({ "id": "p1", "adspower.cdp_mask": "maybe" }),
            expect!["column `adspower`: `cdp_mask` is a switch: expected true, false, 1 or 0"],
        );
    }

    #[test]
    fn problems_are_named_and_no_value_is_quoted() {
        check(json!({ "name": "p1" }), expect!["unknown column `name`"]);
        check(json!({ "platform": "mobile" }), expect!["there is no column `profile_id`"]);
        check(json!({ "id": null }), expect!["`profile_id` is empty"]);
        check(json!({ "id": "a/b" }), expect!["`a/b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"]);
        check(json!({ "id": "a", "profile_id": "b" }), expect!["column `profile_id` is there twice"]);
        check(
            json!({ "id": "a", "platform": "tablet" }),
            expect!["`platform` is `tablet`: expected mobile or desktop"],
        );
        check(
            json!({ "id": "a", "priority": 1.5 }),
            expect!["`priority` is `1.5`: expected a whole number; higher ones go first"],
        );
        check(json!({ "id": "a", "identity": "hunter2" }), expect!["`identity` is not a JSON object"]);
        check(json!({ "id": "a", "identity.": "x" }), expect!["unknown column `identity.`"]);
        check(json!(["a"]), expect!["expected a profile id or an object"]);
    }

    #[test]
    fn columns_are_checked_before_any_row() {
        let declared = ["site", "shop"].into_iter().collect();
        let check = |names: &[&str]| {
            check_columns(names.iter().copied(), &declared).map_err(|problem| problem.to_string())
        };
        assert_eq!(check(&["platform", "id", "variables.shop"]), Ok(()));
        assert_eq!(check(&["platform"]), Err("there is no column `profile_id`".to_owned()));
        assert_eq!(check(&["id", "profile_id"]), Err("column `profile_id` is there twice".to_owned()));
        assert_eq!(check(&["id", "emial"]), Err("unknown column `emial`".to_owned()));
        let undeclared = "the workflow declares no variable `shp`; did you mean `shop`?";
        assert_eq!(check(&["id", "variables.shp"]), Err(undeclared.to_owned()));
        let row =
            ProfileRow::from_json(json!({ "id": "p", "variables": { "site": "x", "shp": 1 } })).unwrap();
        assert_eq!(row.check_variables(&declared).unwrap_err().to_string(), undeclared);
    }

    #[test]
    fn conflicts_with_a_session_are_names_only() {
        let row = ProfileRow::from_json(
            json!({ "id": "p", "platform": "mobile", "identity.email": "new@practice.test",
            "identity.nick": "ann", "variables.shop": "north", "variables.n": 1 }),
        );
        let new = row.unwrap().new;
        let mut session = NewSession::default().into_session("p".parse().unwrap(), Platform::Desktop, &[]);
        session.identity.set("nick", "ann");
        session.variables.insert("n".to_owned(), json!(1));
        assert_eq!(new.conflicts(&session), ["platform", "identity.email", "variables.shop"]);
        assert!(
            new.clone().into_session("p".parse().unwrap(), Platform::Desktop, &[]).platform
                == Platform::Mobile
        );
    }
}
