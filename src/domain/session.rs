//! The durable document of one profile, and every move it can make.
//!
//! A move here changes memory only; `store::session` makes each one durable before it counts.
//! Invariants: a completed flag is never lost by a run; `in_flight` names at most one step; unknown
//! fields survive anywhere.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::id::{Flag, ProfileId, RunId};

/// The version this program writes. A document without one is version 1.
pub const SESSION_VERSION: u32 = 1;

/// The first six fields are the published format: a document of only those is valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub profile_id: ProfileId,
    pub status: Status,
    pub platform: Platform,
    pub completion_flags: Flags,
    pub identity: Identity,
    /// Of this profile alone; they replace the workflow's.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// Digest of the workflow the session last ran under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(default = "version_one")]
    pub version: u32,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// What is stored. `INTERRUPTED` is not: it is how `PROCESSING` without a lock holder is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Pending,
    Processing,
    Completed,
    Failed,
    NeedsAttention,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::NeedsAttention => "NEEDS_ATTENTION",
        })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    Mobile,
    #[default]
    Desktop,
}

impl Platform {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Desktop => "desktop",
        }
    }
}

/// Completion flags in the order of the document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags(Vec<(Flag, bool)>);

impl Flags {
    pub fn is_set(&self, flag: &Flag) -> bool {
        self.0.iter().any(|(name, done)| name == flag && *done)
    }

    pub fn contains(&self, flag: &Flag) -> bool {
        self.0.iter().any(|(name, _)| name == flag)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Flag, bool)> {
        self.0.iter().map(|(flag, done)| (flag, *done))
    }

    fn put(&mut self, flag: &Flag, done: bool) {
        match self.0.iter_mut().find(|(name, _)| name == flag) {
            Some(entry) => entry.1 = done,
            None => self.0.push((flag.clone(), done)),
        }
    }
}

impl Serialize for Flags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::<String, Value>::deserialize(deserializer)?;
        map.into_iter()
            .map(|(name, value)| match (name.parse::<Flag>(), value) {
                (Ok(flag), Value::Bool(done)) => Ok((flag, done)),
                (Ok(flag), other) => Err(serde::de::Error::custom(format_args!(
                    "completion flag `{flag}` is {other}, expected true or false"
                ))),
                (Err(error), _) => Err(serde::de::Error::custom(error)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The identity fields of a profile. Values are secrets: `Debug` names the fields only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(Map<String, Value>);

impl Identity {
    /// The field as text; `None` where it is absent, null or empty of meaning (an object, a list).
    pub fn get(&self, field: &str) -> Option<String> {
        self.0.get(field).and_then(text_of)
    }

    pub fn set(&mut self, field: &str, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    pub fn put(&mut self, field: &str, value: Value) {
        self.0.insert(field.to_owned(), value);
    }

    /// Fields that have a value, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = (&str, std::borrow::Cow<'_, str>)> {
        self.0.iter().filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => std::borrow::Cow::Borrowed(text.as_str()),
                other => std::borrow::Cow::Owned(text_of(other)?),
            };
            Some((name.as_str(), text))
        })
    }

    /// Every field name, those without a value included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The step that may be under way outside. Durable before the attempt's first click or keystroke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InFlight {
    pub flag: Flag,
    pub attempt: u32,
    pub started_at: jiff::Timestamp,
    pub run_id: RunId,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    /// `None` where the run failed outside any step (no browser, say).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    pub message: String,
    pub at: jiff::Timestamp,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl LastError {
    pub fn new(flag: Option<Flag>, message: String, at: jiff::Timestamp) -> Self {
        Self { flag, message, at, unknown: Map::new() }
    }
}

/// Values a flow captured: identity field → value.
pub type Captures = BTreeMap<String, String>;

/// A person's answer about a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It happened: set the flag.
    Done,
    /// It did not happen: run it again.
    Again,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IllegalTransition {
    #[error("step `{0}` is already completed")]
    AlreadyCompleted(Flag),
    #[error("step `{0}` cannot move while step `{1}` is in flight")]
    OtherInFlight(Flag, Flag),
    #[error("no step of this profile is waiting for an answer")]
    NothingToResolve,
    #[error("the session has no flag `{0}`")]
    UnknownFlag(Flag),
}

impl Session {
    /// A profile that has not run yet.
    pub fn new<'a>(
        profile_id: ProfileId,
        platform: Platform,
        flags: impl IntoIterator<Item = &'a Flag>,
    ) -> Self {
        Self {
            profile_id,
            status: Status::Pending,
            platform,
            completion_flags: Flags(flags.into_iter().map(|flag| (flag.clone(), false)).collect()),
            identity: Identity::default(),
            variables: Map::new(),
            in_flight: None,
            last_error: None,
            plan: None,
            version: SESSION_VERSION,
            unknown: Map::new(),
        }
    }

    /// A run takes the profile up. Flags of the workflow that the document lacks are added as open;
    /// flags the workflow lacks stay as they are.
    pub fn begin_run<'a>(&mut self, plan: &str, flags: impl IntoIterator<Item = &'a Flag>) {
        let mut work_left = self.in_flight.is_some();
        for flag in flags {
            if !self.completion_flags.contains(flag) {
                self.completion_flags.put(flag, false);
            }
            work_left |= !self.completion_flags.is_set(flag);
        }
        // A finished profile stays as it is: nothing is written, and its run waits for no disk.
        self.status = if work_left { Status::Processing } else { Status::Completed };
        self.plan = Some(plan.to_owned());
    }

    /// An attempt is about to touch the page. The step in flight may be the same one, tried again.
    pub fn begin_step(
        &mut self,
        flag: &Flag,
        attempt: u32,
        run_id: &RunId,
        at: jiff::Timestamp,
    ) -> Result<(), IllegalTransition> {
        if self.completion_flags.is_set(flag) {
            return Err(IllegalTransition::AlreadyCompleted(flag.clone()));
        }
        if let Some(other) = self.in_flight.as_ref().filter(|other| other.flag != *flag) {
            return Err(IllegalTransition::OtherInFlight(flag.clone(), other.flag.clone()));
        }
        self.in_flight = Some(InFlight {
            flag: flag.clone(),
            attempt,
            started_at: at,
            run_id: run_id.clone(),
            unknown: Map::new(),
        });
        Ok(())
    }

    /// The step reached its end: flag and captures together.
    pub fn complete_step(&mut self, flag: &Flag, captures: &Captures) -> Result<(), IllegalTransition> {
        if let Some(other) = self.in_flight.as_ref().filter(|other| other.flag != *flag) {
            return Err(IllegalTransition::OtherInFlight(flag.clone(), other.flag.clone()));
        }
        self.completion_flags.put(flag, true);
        for (field, value) in captures {
            self.identity.set(field, value);
        }
        self.in_flight = None;
        self.last_error = None;
        Ok(())
    }

    /// It is known that the step in flight did not happen.
    pub fn clear_in_flight(&mut self) {
        self.in_flight = None;
    }

    pub fn complete_run(&mut self) {
        self.status = Status::Completed;
        self.last_error = None;
    }

    /// The run ended as asked, with steps still open.
    pub fn pause(&mut self) {
        self.status = Status::Pending;
    }

    /// A step in doubt stays in doubt: `in_flight` is kept.
    pub fn fail(&mut self, error: LastError) {
        self.status = Status::Failed;
        self.last_error = Some(error);
    }

    pub fn need_attention(&mut self, error: LastError) {
        self.status = Status::NeedsAttention;
        self.last_error = Some(error);
    }

    /// The step a person is asked about, if any.
    pub fn questioned_step(&self) -> Option<&Flag> {
        let in_flight = self.in_flight.as_ref().map(|step| &step.flag);
        let failed = || {
            let waiting = self.status == Status::NeedsAttention;
            self.last_error.as_ref().filter(|_| waiting).and_then(|error| error.flag.as_ref())
        };
        in_flight.or_else(failed)
    }

    /// Takes a person's answer; the profile may run again afterwards.
    pub fn resolve(&mut self, answer: Resolution) -> Result<Flag, IllegalTransition> {
        let flag = self.questioned_step().cloned().ok_or(IllegalTransition::NothingToResolve)?;
        if answer == Resolution::Done {
            self.completion_flags.put(&flag, true);
        }
        self.reopen();
        Ok(flag)
    }

    /// Forgets one step's completion, or every step's. Identity fields stay.
    pub fn reset(&mut self, only: Option<&Flag>) -> Result<(), IllegalTransition> {
        if let Some(flag) = only.filter(|flag| !self.completion_flags.contains(flag)) {
            return Err(IllegalTransition::UnknownFlag(flag.clone()));
        }
        for (flag, done) in &mut self.completion_flags.0 {
            if only.is_none_or(|only| only == flag) {
                *done = false;
            }
        }
        self.reopen();
        Ok(())
    }

    fn reopen(&mut self) {
        self.in_flight = None;
        self.last_error = None;
        self.status = Status::Pending;
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn version_one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const PUBLISHED: &str = r#"{
  "profile_id": "k18imh7u",
  "status": "PROCESSING",
  "platform": "mobile",
  "completion_flags": { "mailbox_created": true, "store_signup": false, "dev_registration": false, "2fa_enabled": false },
  "identity": { "email": "user@example.test", "password": "pwd", "two_fa_secret": null }
}"#;

    fn flag(name: &str) -> Flag {
        name.parse().unwrap()
    }

    fn now() -> jiff::Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn run_id() -> RunId {
        RunId::new(now(), 1)
    }

    fn check(session: &Session, expected: Expect) {
        expected.assert_eq(&serde_json::to_string_pretty(session).unwrap());
    }

    #[test]
    fn a_document_of_the_six_published_fields_is_valid() {
        let session: Session = serde_json::from_str(PUBLISHED).unwrap();
        assert_eq!(session.identity.get("two_fa_secret"), None);
        check(
            &session,
            expect![[r#"
            {
              "profile_id": "k18imh7u",
              "status": "PROCESSING",
              "platform": "mobile",
              "completion_flags": {
                "mailbox_created": true,
                "store_signup": false,
                "dev_registration": false,
                "2fa_enabled": false
              },
              "identity": {
                "email": "user@example.test",
                "password": "pwd",
                "two_fa_secret": null
              },
              "version": 1
            }"#]],
        );
    }

    #[test]
    fn other_names_and_unknown_fields_survive_every_move() {
        let text = r#"{"profile_id":"p","status":"FAILED","platform":"desktop",
            "completion_flags":{"Öffnen":false,"b":true},
            "identity":{"nick":"ann","age":7,"tags":["x"]},
            "in_flight":{"flag":"Öffnen","attempt":1,"started_at":"2026-01-02T03:04:05Z","run_id":"r","note":"mine"},
            "colour":{"deep":[1,{"a":null}]}}"#;
        let mut session: Session = serde_json::from_str(text).unwrap();
        check(
            &session,
            expect![[r#"
            {
              "profile_id": "p",
              "status": "FAILED",
              "platform": "desktop",
              "completion_flags": {
                "Öffnen": false,
                "b": true
              },
              "identity": {
                "nick": "ann",
                "age": 7,
                "tags": [
                  "x"
                ]
              },
              "in_flight": {
                "flag": "Öffnen",
                "attempt": 1,
                "started_at": "2026-01-02T03:04:05Z",
                "run_id": "r",
                "note": "mine"
              },
              "version": 1,
              "colour": {
                "deep": [
                  1,
                  {
                    "a": null
                  }
                ]
              }
            }"#]],
        );
        session.begin_run("sha256:1", [&flag("Öffnen"), &flag("c")]);
        session.complete_step(&flag("Öffnen"), &[("secret".to_owned(), "s".to_owned())].into()).unwrap();
        session.complete_run();
        check(
            &session,
            expect![[r#"
            {
              "profile_id": "p",
              "status": "COMPLETED",
              "platform": "desktop",
              "completion_flags": {
                "Öffnen": true,
                "b": true,
                "c": false
              },
              "identity": {
                "nick": "ann",
                "age": 7,
                "tags": [
                  "x"
                ],
                "secret": "s"
              },
              "plan": "sha256:1",
              "version": 1,
              "colour": {
                "deep": [
                  1,
                  {
                    "a": null
                  }
                ]
              }
            }"#]],
        );
    }

    #[test]
    fn illegal_moves_are_typed_errors() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        assert_eq!(
            session.begin_step(&flag("mailbox_created"), 1, &run_id(), now()),
            Err(IllegalTransition::AlreadyCompleted(flag("mailbox_created")))
        );
        session.begin_step(&flag("store_signup"), 1, &run_id(), now()).unwrap();
        assert_eq!(
            session.complete_step(&flag("2fa_enabled"), &Captures::new()).unwrap_err().to_string(),
            "step `2fa_enabled` cannot move while step `store_signup` is in flight"
        );
        session.begin_step(&flag("store_signup"), 2, &run_id(), now()).unwrap();
        assert_eq!(session.in_flight.as_ref().unwrap().attempt, 2);
    }

    #[test]
    fn a_person_answers_about_the_step_in_doubt() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        assert_eq!(session.resolve(Resolution::Done), Err(IllegalTransition::NothingToResolve));
        session.begin_step(&flag("store_signup"), 1, &run_id(), now()).unwrap();
        session.need_attention(LastError::new(Some(flag("store_signup")), "in doubt".into(), now()));
        assert_eq!(session.clone().resolve(Resolution::Again), Ok(flag("store_signup")));
        session.resolve(Resolution::Done).unwrap();
        assert!(session.completion_flags.is_set(&flag("store_signup")));
        assert_eq!((session.status, session.in_flight, session.last_error), (Status::Pending, None, None));
    }

    #[test]
    fn reset_forgets_completion_and_keeps_identity() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        assert_eq!(session.reset(Some(&flag("x"))), Err(IllegalTransition::UnknownFlag(flag("x"))));
        session.reset(None).unwrap();
        assert!(session.completion_flags.iter().all(|(_, done)| !done));
        assert_eq!(session.identity.get("password").as_deref(), Some("pwd"));
    }

    #[test]
    fn what_is_not_a_session_says_why() {
        let error = |text: &str| serde_json::from_str::<Session>(text).unwrap_err().to_string();
        assert!(error(&PUBLISHED.replace("true", "1")).contains("completion flag `mailbox_created` is 1"));
        assert!(error(&PUBLISHED.replace("PROCESSING", "BUSY")).contains("unknown variant `BUSY`"));
        assert!(error(&PUBLISHED.replace("k18imh7u", "../x")).contains("is not a profile id"));
        assert!(!format!("{:?}", serde_json::from_str::<Session>(PUBLISHED).unwrap()).contains("pwd"));
    }
}
