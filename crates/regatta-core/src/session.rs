//! The durable document of one profile and its transitions.
//!
//! A transition changes memory only; `store::session` makes each one durable before it counts.
//! Invariants: a run never clears a completed flag; `in_flight` names at most one step; a value that a run
//! replaces is kept; unknown fields survive anywhere.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::id::{Flag, ProfileId, RunId};

pub use self::superseded::{KEPT_VALUES, Superseded};

mod superseded;
pub mod table;

/// The version this program writes. A document without one is version 1.
pub const SESSION_VERSION: u32 = 1;

/// The first six fields are the published format: a document of only those is valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    pub profile_id: ProfileId,
    pub status: Status,
    pub platform: Platform,
    #[schemars(with = "BTreeMap<String, bool>")]
    pub completion_flags: Flags,
    pub identity: Identity,
    /// Variables of this profile; they replace the workflow's.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// How AdsPower opens this profile, where that differs from the folder's settings: see
    /// [`LaunchSettings`](crate::workflow::launch::LaunchSettings).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub adspower: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// Superseded values, newest first: see [`KEPT_VALUES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// By the identity field of a two-factor secret: the last window whose code was used, counted in
    /// periods of 30 s since 1970 (RFC 6238). Absent once the secret changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub totp_used: BTreeMap<String, u64>,
    /// The digest of the plan that the session last ran under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(default = "version_one")]
    pub version: u32,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// The stored statuses. `INTERRUPTED` is not stored: it is how `PROCESSING` without a lock holder is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Identity(Map<String, Value>);

impl Identity {
    /// Returns the field as text; `None` where it is absent, null, empty, an object or a list.
    pub fn get(&self, field: &str) -> Option<String> {
        self.0.get(field).and_then(text_of)
    }

    pub fn set(&mut self, field: &str, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    pub fn put(&mut self, field: &str, value: Value) {
        self.0.insert(field.to_owned(), value);
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.0.shift_remove(field)
    }

    /// Fields with a value, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = (&str, std::borrow::Cow<'_, str>)> {
        self.0.iter().filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => std::borrow::Cow::Borrowed(text.as_str()),
                other => std::borrow::Cow::Owned(text_of(other)?),
            };
            Some((name.as_str(), text))
        })
    }

    /// The names of all fields, those without a value included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The step that may have effects outside. Durable before the attempt's first click or keystroke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    pub flag: Flag,
    pub attempt: u32,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: jiff::Timestamp,
    pub run_id: RunId,
    /// The identity fields that attempts of this step, or its verify flow, have captured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<String>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastError {
    /// `None` where no step was to blame, for example without a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    pub message: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: jiff::Timestamp,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl LastError {
    pub fn new(flag: Option<Flag>, message: String, at: jiff::Timestamp) -> Self {
        Self { flag, message, at, unknown: Map::new() }
    }
}

/// An identity field whose value moves into another one when the flag of its step is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The field that is replaced, such as `password`.
    pub into: String,
    /// The field that is emptied, such as `new_password`.
    pub from: String,
}

/// The run that changes a session, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub at: jiff::Timestamp,
    pub run_id: &'a RunId,
}

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
    /// Returns the session of a profile that has not run yet.
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
            adspower: Map::new(),
            in_flight: None,
            last_error: None,
            superseded: Vec::new(),
            totp_used: BTreeMap::new(),
            plan: None,
            version: SESSION_VERSION,
            unknown: Map::new(),
        }
    }

    /// Begins a run. Flags of the workflow that the document lacks are added as open; flags that the workflow
    /// lacks stay.
    pub fn begin_run<'a>(&mut self, plan: &str, flags: impl IntoIterator<Item = &'a Flag>) {
        let mut work_left = self.in_flight.is_some();
        for flag in flags {
            if !self.completion_flags.contains(flag) {
                self.completion_flags.put(flag, false);
            }
            work_left |= !self.completion_flags.is_set(flag);
        }
        // A completed session stays unchanged: nothing is written, and its run waits for no disk.
        self.status = if work_left { Status::Processing } else { Status::Completed };
        self.plan = Some(plan.to_owned());
    }

    /// Sets an identity field and keeps the value that it replaces. An equal value changes nothing.
    pub fn replace(&mut self, field: &str, value: &str, change: Change<'_>) {
        if self.identity.get(field).as_deref() == Some(value) {
            return;
        }
        if let Some(old) = self.identity.0.get(field).filter(|old| !old.is_null()).cloned() {
            let old = Superseded::new(field.to_owned(), old, change.at, change.run_id.clone());
            self.superseded.insert(0, old);
            self.drop_oldest();
        }
        self.identity.set(field, value);
        self.totp_used.remove(field);
    }

    /// Records a value that a flow of the step has read. The site may never show it again.
    pub fn record_capture(
        &mut self,
        flag: &Flag,
        field: &str,
        value: &str,
        change: Change<'_>,
    ) -> Result<(), IllegalTransition> {
        self.refuse_other_in_flight(flag)?;
        self.replace(field, value, change);
        if let Some(in_flight) = &mut self.in_flight
            && !in_flight.captured.iter().any(|captured| captured == field)
        {
            in_flight.captured.push(field.to_owned());
        }
        Ok(())
    }

    /// Whether a step in doubt has replaced more values of the field than are kept. A person must check them
    /// before one is dropped.
    pub fn has_too_many_values(&self, field: &str) -> bool {
        self.superseded.iter().filter(|old| old.field == field).count() > KEPT_VALUES
    }

    /// Records that the code of `window` is about to be typed; `field` holds its secret.
    pub fn use_totp(&mut self, field: &str, window: u64) {
        self.totp_used.insert(field.to_owned(), window);
    }

    /// Drops the oldest superseded values, unless a step is in doubt.
    fn drop_oldest(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        self.superseded.retain(|old| {
            let kept = kept.entry(old.field.clone()).or_default();
            *kept += 1;
            *kept <= KEPT_VALUES
        });
    }

    /// Begins an attempt that is about to touch the page; `captured` fields are durable already. The step may
    /// be in flight from an earlier attempt.
    pub fn begin_step(
        &mut self,
        flag: &Flag,
        attempt: u32,
        captured: &[String],
        change: Change<'_>,
    ) -> Result<(), IllegalTransition> {
        if self.completion_flags.is_set(flag) {
            return Err(IllegalTransition::AlreadyCompleted(flag.clone()));
        }
        self.refuse_other_in_flight(flag)?;
        self.in_flight = Some(InFlight {
            flag: flag.clone(),
            attempt,
            started_at: change.at,
            run_id: change.run_id.clone(),
            captured: captured.to_vec(),
            unknown: Map::new(),
        });
        Ok(())
    }

    /// Completes the step: the flag is set and prepared values move into place, in one change.
    pub fn complete_step(
        &mut self,
        flag: &Flag,
        commits: &[Commit],
        change: Change<'_>,
    ) -> Result<(), IllegalTransition> {
        self.refuse_other_in_flight(flag)?;
        self.completion_flags.put(flag, true);
        self.commit(commits, change);
        self.last_error = None;
        self.clear_in_flight();
        Ok(())
    }

    fn commit(&mut self, commits: &[Commit], change: Change<'_>) {
        for Commit { into, from } in commits {
            // A person may have resolved the step before anything was prepared for it.
            let Some(value) = self.identity.get(from) else { continue };
            self.replace(into, &value, change);
            self.identity.take(from);
            self.totp_used.remove(from);
        }
    }

    fn refuse_other_in_flight(&self, flag: &Flag) -> Result<(), IllegalTransition> {
        match &self.in_flight {
            Some(other) if other.flag != *flag => {
                Err(IllegalTransition::OtherInFlight(flag.clone(), other.flag.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Records that the step in flight did not happen.
    pub fn clear_in_flight(&mut self) {
        self.in_flight = None;
        self.drop_oldest();
    }

    pub fn complete_run(&mut self) {
        self.status = Status::Completed;
        self.last_error = None;
    }

    /// Ends a run that was stopped with steps still open.
    pub fn pause(&mut self) {
        self.status = Status::Pending;
    }

    /// Fails the run. A step in doubt stays in doubt: `in_flight` is kept.
    pub fn fail(&mut self, error: LastError) {
        self.status = Status::Failed;
        self.last_error = Some(error);
    }

    pub fn need_attention(&mut self, error: LastError) {
        self.status = Status::NeedsAttention;
        self.last_error = Some(error);
    }

    /// Returns the step that a person is asked about.
    pub fn questioned_step(&self) -> Option<&Flag> {
        let in_flight = self.in_flight.as_ref().map(|step| &step.flag);
        let failed = || {
            let waiting = self.status == Status::NeedsAttention;
            self.last_error.as_ref().filter(|_| waiting).and_then(|error| error.flag.as_ref())
        };
        in_flight.or_else(failed)
    }

    /// Applies a person's answer; the profile may run again afterwards. `commits` are those of the step in
    /// question.
    pub fn resolve(
        &mut self,
        answer: Resolution,
        commits: &[Commit],
        change: Change<'_>,
    ) -> Result<Flag, IllegalTransition> {
        let flag = self.questioned_step().cloned().ok_or(IllegalTransition::NothingToResolve)?;
        if answer == Resolution::Done {
            self.completion_flags.put(&flag, true);
            self.commit(commits, change);
        }
        self.reopen();
        Ok(flag)
    }

    /// Clears the completion of one step or of every step. Identity fields stay.
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
        self.clear_in_flight();
        self.last_error = None;
        self.status = Status::Pending;
    }
}

pub(super) fn text_of(value: &Value) -> Option<String> {
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

    /// A change by `run`, one second after the one before it.
    fn changed<T>(run: u32, make: impl FnOnce(Change<'_>) -> T) -> T {
        let at = now() + jiff::SignedDuration::from_secs(run.into());
        make(Change { at, run_id: &RunId::new(now(), run) })
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
    fn other_names_and_unknown_fields_survive_every_transition() {
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
        changed(1, |change| session.record_capture(&flag("Öffnen"), "secret", "s", change)).unwrap();
        changed(1, |change| session.complete_step(&flag("Öffnen"), &[], change)).unwrap();
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
    fn illegal_transitions_are_typed_errors() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        assert_eq!(
            changed(1, |change| session.begin_step(&flag("mailbox_created"), 1, &[], change)),
            Err(IllegalTransition::AlreadyCompleted(flag("mailbox_created")))
        );
        changed(1, |change| session.begin_step(&flag("store_signup"), 1, &[], change)).unwrap();
        for refused in [
            changed(1, |change| session.complete_step(&flag("2fa_enabled"), &[], change)),
            changed(1, |change| session.record_capture(&flag("2fa_enabled"), "code", "1", change)),
        ] {
            assert_eq!(
                refused.unwrap_err().to_string(),
                "step `2fa_enabled` cannot move while step `store_signup` is in flight"
            );
        }
        changed(1, |change| session.begin_step(&flag("store_signup"), 2, &[], change)).unwrap();
        assert_eq!(session.in_flight.as_ref().unwrap().attempt, 2);
    }

    #[test]
    fn a_person_resolves_the_step_in_doubt() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        let resolve = |session: &mut Session, answer| {
            let commits = [Commit { into: "password".into(), from: "new_password".into() }];
            changed(1, |change| session.resolve(answer, &commits, change))
        };
        assert_eq!(resolve(&mut session, Resolution::Done), Err(IllegalTransition::NothingToResolve));
        session.identity.set("new_password", "next");
        changed(1, |change| session.begin_step(&flag("store_signup"), 1, &[], change)).unwrap();
        session.need_attention(LastError::new(Some(flag("store_signup")), "in doubt".into(), now()));
        let mut again = session.clone();
        assert_eq!(resolve(&mut again, Resolution::Again), Ok(flag("store_signup")));
        assert_eq!(again.identity.get("password").as_deref(), Some("pwd"));
        resolve(&mut session, Resolution::Done).unwrap();
        assert_eq!(session.identity.get("password").as_deref(), Some("next"));
        assert!(session.completion_flags.is_set(&flag("store_signup")));
        assert_eq!((session.status, session.in_flight, session.last_error), (Status::Pending, None, None));
    }

    #[test]
    fn a_value_that_is_replaced_is_kept_with_its_time_and_its_run() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        let step = flag("store_signup");
        session.use_totp("two_fa_secret", 7);
        for (run, value) in [(1, "K1"), (2, "K1"), (3, "K2")] {
            changed(run, |change| session.record_capture(&step, "two_fa_secret", value, change)).unwrap();
        }
        assert_eq!(session.totp_used, BTreeMap::new(), "the windows of another secret say nothing");
        session.identity.set("new_password", "next");
        let commits = [Commit { into: "password".into(), from: "new_password".into() }];
        changed(4, |change| session.complete_step(&step, &commits, change)).unwrap();
        let document = serde_json::to_value(&session).unwrap();
        expect![[r#"
            {
              "identity": {
                "email": "user@example.test",
                "password": "next",
                "two_fa_secret": "K2"
              },
              "superseded": [
                {
                  "field": "password",
                  "value": "pwd",
                  "at": "2026-01-02T03:04:09Z",
                  "run_id": "20260102T030405-00000004"
                },
                {
                  "field": "two_fa_secret",
                  "value": "K1",
                  "at": "2026-01-02T03:04:08Z",
                  "run_id": "20260102T030405-00000003"
                }
              ]
            }"#]]
        .assert_eq(
            &serde_json::to_string_pretty(&serde_json::json!({
                "identity": document["identity"], "superseded": document["superseded"],
            }))
            .unwrap(),
        );
        assert!(!format!("{session:?}").contains("pwd"));
        assert_eq!(serde_json::from_value::<Session>(document).unwrap(), session);
    }

    #[test]
    fn ten_values_of_a_field_are_kept_and_all_while_in_doubt() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        let step = flag("store_signup");
        let capture = |session: &mut Session, value: u32| {
            changed(value, |change| session.record_capture(&step, "key", &format!("K{value}"), change))
                .unwrap();
        };
        let kept = |session: &Session| {
            let values = session.superseded.iter().map(|old| old.value.as_str().unwrap().to_owned());
            values.collect::<Vec<_>>()
        };
        (0..=12).for_each(|value| capture(&mut session, value));
        assert_eq!(kept(&session)[..], (2..12).rev().map(|value| format!("K{value}")).collect::<Vec<_>>());
        assert!(!session.has_too_many_values("key"));
        changed(13, |change| session.begin_step(&step, 1, &["key".to_owned()], change)).unwrap();
        capture(&mut session, 13);
        assert_eq!((kept(&session).len(), session.has_too_many_values("key")), (11, true));
        session.clear_in_flight();
        assert_eq!((kept(&session).len(), kept(&session)[0].as_str()), (10, "K12"));
    }

    #[test]
    fn a_step_in_flight_names_its_captured_fields() {
        let mut session: Session = serde_json::from_str(PUBLISHED).unwrap();
        let step = flag("store_signup");
        changed(1, |change| session.record_capture(&step, "a", "1", change)).unwrap();
        changed(1, |change| session.begin_step(&step, 1, &["a".to_owned()], change)).unwrap();
        for value in ["1", "2"] {
            changed(1, |change| session.record_capture(&step, "b", value, change)).unwrap();
        }
        assert_eq!(session.in_flight.unwrap().captured, ["a", "b"]);
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
    fn an_invalid_session_is_an_error_with_its_reason() {
        let error = |text: &str| serde_json::from_str::<Session>(text).unwrap_err().to_string();
        assert!(error(&PUBLISHED.replace("true", "1")).contains("completion flag `mailbox_created` is 1"));
        assert!(error(&PUBLISHED.replace("PROCESSING", "BUSY")).contains("unknown variant `BUSY`"));
        assert!(error(&PUBLISHED.replace("k18imh7u", "../x")).contains("is not a profile id"));
        assert!(!format!("{:?}", serde_json::from_str::<Session>(PUBLISHED).unwrap()).contains("pwd"));
    }
}
