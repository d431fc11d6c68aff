//! The workflow: the ordered steps of every profile, as its author wrote them.
//!
//! [`crate::workflow::plan`] joins it with the flows that it names.

pub mod block;
pub mod dialog;
pub mod http_auth;
pub mod launch;
pub mod pace;
pub mod plan;
pub mod template;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::id::Flag;
use super::session::{Commit, Platform};
use crate::diagnostic::FileDiagnostic;
use crate::workflow::dialog::DialogPolicy;
use crate::workflow::http_auth::{HttpAuth, HttpAuthWire};
use crate::workflow::pace::{PER_MINUTE, Pace, PaceWire};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_ATTEMPTS: u32 = 3;
/// The default time that a site may take to act on what it has received.
const DEFAULT_SETTLE: Duration = Duration::from_secs(2);
const PASSWORD_LENGTHS: std::ops::RangeInclusive<u64> = 8..=128;

#[derive(Debug, Clone)]
pub struct Workflow {
    pub name: String,
    /// Templates that render to origins: `http://127.0.0.1:8800`.
    pub allowed_origins: Vec<Located<String>>,
    /// In the order of the file: a variable may use earlier ones.
    pub variables: Map<String, Value>,
    /// Templates of what pages must not load: see [`crate::workflow::block`].
    pub block: Vec<Located<String>>,
    /// For steps that name none, and for a flow that is played alone.
    pub dialogs: DialogPolicy,
    pub http_auth: Vec<HttpAuth>,
    pub pace: Vec<Pace>,
    pub steps: Vec<WorkflowStep>,
}

#[derive(Debug, Clone)]
pub struct WorkflowStep {
    pub flag: Flag,
    pub flow: PerPlatform<Located<String>>,
    pub verify: Option<PerPlatform<Located<String>>>,
    /// Identity fields that are set before the step acts, where the session has none. In the order of the
    /// file.
    pub prepare: Vec<(String, Located<Preparation>)>,
    /// Prepared fields that move into place when the flag is set. In the order of the file.
    pub commits: Vec<Commit>,
    /// The bound of one attempt.
    pub timeout: Duration,
    pub attempts: u32,
    pub in_doubt: InDoubt,
    /// A verify flow's "no" counts only this long after the last moment something could have acted.
    pub settle: Duration,
    /// How dialogs of the page are answered while this step is played.
    pub dialogs: DialogPolicy,
    pub heal: Heal,
}

/// A value and its byte offsets in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub at: Range<usize>,
}

/// One value for all platforms, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerPlatform<T> {
    Both(T),
    Split { mobile: T, desktop: T },
}

impl<T> PerPlatform<T> {
    pub fn for_platform(&self, platform: Platform) -> &T {
        match (self, platform) {
            (Self::Both(one), _) => one,
            (Self::Split { mobile, .. }, Platform::Mobile) => mobile,
            (Self::Split { desktop, .. }, Platform::Desktop) => desktop,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (first, second) = match self {
            Self::Both(one) => (one, None),
            Self::Split { mobile, desktop } => (mobile, Some(desktop)),
        };
        std::iter::once(first).chain(second)
    }

    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<PerPlatform<U>, E> {
        Ok(match self {
            Self::Both(one) => PerPlatform::Both(f(one)?),
            Self::Split { mobile, desktop } => {
                PerPlatform::Split { mobile: f(mobile)?, desktop: f(desktop)? }
            }
        })
    }
}

/// How an identity field gets its first value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    Template(String),
    Password { length: usize },
}

/// How a step that may or may not have happened is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// Ask the site with the verify flow.
    Verify,
    /// Run it again, which does no harm.
    Repeat,
    /// Ask a person.
    Ask,
}

/// How far an action may go where none of its selectors matches, and one element is clearly like the one they
/// used to match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Heal {
    /// Fail without a search.
    Off,
    /// Fail and name the element.
    #[default]
    Suggest,
    /// Use the element.
    Auto,
}

/// `file` is the name of the workflow in errors.
pub fn parse(file: &str, text: &str) -> Result<Workflow, Box<FileDiagnostic>> {
    let error = |at: Range<usize>, problem: String| FileDiagnostic::new(file, text, at, problem);
    let wire: WorkflowWire = toml::from_str(text).map_err(|toml| toml_error(file, text, &toml))?;
    if wire.allowed_origins.get_ref().is_empty() {
        return Err(Box::new(error(wire.allowed_origins.span(), "`allowed_origins` is empty".into()).help(
            "name the origins runs may visit and type on: allowed_origins = [\"https://app.example.test\"]",
        )));
    }
    if wire.step.is_empty() {
        return Err(Box::new(
            error(0..1, "the workflow has no [[step]]".into())
                .help("add one: [[step]] with `flag = \"signed_up\"` and `flow = \"flows/sign-up.json\"`"),
        ));
    }
    let mut steps: Vec<WorkflowStep> = Vec::new();
    for step in wire.step {
        let step = workflow_step(step.into_inner(), &wire.dialogs, wire.heal, &error)?;
        if let Some(flag) = steps.iter().map(|earlier| &earlier.flag).find(|flag| **flag == step.flag.value) {
            return Err(Box::new(
                error(step.flag.at, format!("two steps have the flag `{flag}`"))
                    .help("a flag names one step: it is the key of its completion in every session"),
            ));
        }
        steps.push(step.rest);
    }
    Ok(Workflow {
        name: wire.name,
        allowed_origins: wire.allowed_origins.into_inner().into_iter().map(written).collect(),
        variables: wire.variables,
        block: wire.network.block.into_iter().map(written).collect(),
        dialogs: wire.dialogs,
        http_auth: wire.http_auth.into_iter().map(http_auth).collect(),
        pace: wire.pace.into_iter().map(|wire| pace(wire, &error)).collect::<Result<_, _>>()?,
        steps,
    })
}

/// Returns the JSON Schema of a workflow, for editors.
pub fn schema() -> Schema {
    schema_for!(WorkflowWire)
}

/// Converts a TOML error of a workflow or of the settings to one with its location.
pub fn toml_error(file: &str, text: &str, error: &toml::de::Error) -> Box<FileDiagnostic> {
    Box::new(FileDiagnostic::new(file, text, error.span().unwrap_or(0..1), error.message().trim()))
}

/// Parses `60s`, `1m 30s` or `500ms`: a positive duration in jiff's friendly format.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| InvalidDuration(text.to_owned()))
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write \"60s\", \"1m 30s\" or \"500ms\"")]
pub struct InvalidDuration(String);

struct ParsedStep {
    flag: Located<Flag>,
    rest: WorkflowStep,
}

fn workflow_step(
    wire: WorkflowStepWire,
    dialogs: &DialogPolicy,
    heal: Heal,
    error: &impl Fn(Range<usize>, String) -> FileDiagnostic,
) -> Result<ParsedStep, Box<FileDiagnostic>> {
    let flag_at = wire.flag.span();
    let flag: Flag =
        wire.flag.into_inner().parse().map_err(|problem: super::id::InvalidFlag| {
            Box::new(error(flag_at.clone(), problem.to_string()))
        })?;
    let duration = |field: Option<Spanned<String>>, default: Duration| match field {
        None => Ok(default),
        Some(text) => parse_duration(text.get_ref())
            .map_err(|problem| Box::new(error(text.span(), format!("step `{flag}`: {problem}")))),
    };
    let timeout = duration(wire.timeout, DEFAULT_TIMEOUT)?;
    let settle = duration(wire.settle, DEFAULT_SETTLE)?;
    let attempts = match wire.attempts {
        None => DEFAULT_ATTEMPTS,
        Some(attempts) if (1..=100).contains(attempts.get_ref()) => *attempts.get_ref(),
        Some(attempts) => {
            return Err(Box::new(error(
                attempts.span(),
                format!("step `{flag}`: `attempts` must be 1 to 100"),
            )));
        }
    };
    let verify = wire.verify.map(FlowNames::into_per_platform);
    let in_doubt = match (&wire.in_doubt, &verify) {
        (None, Some(_)) => InDoubt::Verify,
        (None, None) => InDoubt::Ask,
        (Some(chosen), verify) => {
            if *chosen.get_ref() == InDoubt::Verify && verify.is_none() {
                return Err(Box::new(
                    error(
                        chosen.span(),
                        format!("step `{flag}`: `in_doubt = \"verify\"` without a verify flow"),
                    )
                    .help("add `verify = \"flows/….verify.json\"`, or choose \"repeat\" or \"ask\""),
                ));
            }
            *chosen.get_ref()
        }
    };
    let prepare = wire
        .prepare
        .unwrap_or_default()
        .into_iter()
        .map(|(field, value)| {
            let at = value.span();
            let value = preparation(value.into_inner()).map_err(|problem| {
                Box::new(error(at.clone(), format!("step `{flag}`: prepare.{field}: {problem}")).help(
                    "expected a template (\"{{ profile_id }}@example.test\") or { generate = \"password\", length = 20 }",
                ))
            })?;
            Ok((field, Located { value, at }))
        })
        .collect::<Result<Vec<_>, Box<FileDiagnostic>>>()?;
    let commits = commits(&flag, wire.commit.unwrap_or_default(), &prepare, error)?;
    Ok(ParsedStep {
        flag: Located { value: flag.clone(), at: flag_at },
        rest: WorkflowStep {
            flag,
            flow: wire.flow.into_per_platform(),
            verify,
            prepare,
            commits,
            timeout,
            attempts,
            in_doubt,
            settle,
            dialogs: wire.dialogs.unwrap_or_else(|| dialogs.clone()),
            heal: wire.heal.unwrap_or(heal),
        },
    })
}

/// `commit = { password = "new_password" }`: the step itself prepares each source.
fn commits(
    flag: &Flag,
    wire: indexmap::IndexMap<String, Spanned<String>>,
    prepare: &[(String, Located<Preparation>)],
    error: &impl Fn(Range<usize>, String) -> FileDiagnostic,
) -> Result<Vec<Commit>, Box<FileDiagnostic>> {
    let commit = |(into, from): (String, Spanned<String>)| {
        let (at, from) = (from.span(), from.into_inner());
        if from == into || !prepare.iter().any(|(field, _)| *field == from) {
            return Err(Box::new(
                error(at, format!("step `{flag}`: commit.{into}: `{from}` is no field that the step prepares"))
                    .help(format!("prepare it: prepare = {{ new_{into} = {{ generate = \"password\" }} }}, commit = {{ {into} = \"new_{into}\" }}")),
            ));
        }
        Ok(Commit { into, from })
    };
    wire.into_iter().map(commit).collect()
}

fn preparation(value: Value) -> Result<Preparation, String> {
    let table = match value {
        Value::String(template) => return Ok(Preparation::Template(template)),
        Value::Object(table) => table,
        other => return Err(format!("`{other}` is neither a text nor a table")),
    };
    if let Some(unknown) = table.keys().find(|key| !matches!(key.as_str(), "generate" | "length")) {
        return Err(format!("unknown key `{unknown}`"));
    }
    match table.get("generate").and_then(Value::as_str) {
        Some("password") => {}
        Some(other) => return Err(format!("cannot generate `{other}`; known: \"password\"")),
        None => return Err("`generate` is missing".to_owned()),
    }
    let length = table.get("length").map_or(Some(20), Value::as_u64);
    match length.filter(|length| PASSWORD_LENGTHS.contains(length)) {
        Some(length) => Ok(Preparation::Password { length: length as usize }),
        None => Err(format!("`length` must be {} to {}", PASSWORD_LENGTHS.start(), PASSWORD_LENGTHS.end())),
    }
}

fn http_auth(HttpAuthWire { origin, user, password_field }: HttpAuthWire) -> HttpAuth {
    HttpAuth { origin: written(origin), user: written(user), password_field: written(password_field) }
}

fn pace(
    PaceWire { origin, per_minute }: PaceWire,
    error: &impl Fn(Range<usize>, String) -> FileDiagnostic,
) -> Result<Pace, Box<FileDiagnostic>> {
    let (at, per_minute) = (per_minute.span(), per_minute.into_inner());
    if !PER_MINUTE.contains(&per_minute) {
        let (least, most) = (PER_MINUTE.start(), PER_MINUTE.end());
        let problem = format!("pace: `per_minute` must be {least} to {most}");
        return Err(Box::new(
            error(at, problem).help("how many documents a minute the site may be asked for"),
        ));
    }
    Ok(Pace { origin: written(origin), per_minute })
}

fn written<T>(spanned: Spanned<T>) -> Located<T> {
    Located { at: spanned.span(), value: spanned.into_inner() }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WorkflowWire {
    name: String,
    #[schemars(with = "Vec<String>")]
    allowed_origins: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    heal: Heal,
    #[serde(default)]
    variables: Map<String, Value>,
    /// For steps that name none.
    #[serde(default)]
    dialogs: DialogPolicy,
    #[serde(default)]
    network: NetworkWire,
    #[serde(default)]
    http_auth: Vec<HttpAuthWire>,
    #[serde(default)]
    pace: Vec<PaceWire>,
    #[serde(default)]
    #[schemars(with = "Vec<WorkflowStepWire>")]
    step: Vec<Spanned<WorkflowStepWire>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct NetworkWire {
    #[schemars(with = "Vec<String>")]
    block: Vec<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WorkflowStepWire {
    #[schemars(with = "String")]
    flag: Spanned<String>,
    flow: FlowNames,
    verify: Option<FlowNames>,
    #[schemars(with = "Option<std::collections::BTreeMap<String, PreparationSchema>>")]
    prepare: Option<indexmap::IndexMap<String, Spanned<Value>>>,
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    commit: Option<indexmap::IndexMap<String, Spanned<String>>>,
    #[schemars(with = "Option<String>")]
    timeout: Option<Spanned<String>>,
    #[schemars(with = "Option<u32>")]
    attempts: Option<Spanned<u32>>,
    #[schemars(with = "Option<InDoubt>")]
    in_doubt: Option<Spanned<InDoubt>>,
    #[schemars(with = "Option<String>")]
    settle: Option<Spanned<String>>,
    dialogs: Option<DialogPolicy>,
    heal: Option<Heal>,
}

/// `"flows/a.json"` or `{ mobile = "…", desktop = "…" }`. An untagged enum would lose the spans.
struct FlowNames(PerPlatform<Located<String>>);

impl FlowNames {
    fn into_per_platform(self) -> PerPlatform<Located<String>> {
        self.0
    }
}

impl<'de> Deserialize<'de> for FlowNames {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Spanned::<FlowNamesInner>::deserialize(deserializer)?;
        let at = whole.span();
        Ok(Self(match whole.into_inner() {
            FlowNamesInner::One(value) => PerPlatform::Both(Located { value, at }),
            FlowNamesInner::Split(mobile, desktop) => {
                PerPlatform::Split { mobile: written(mobile), desktop: written(desktop) }
            }
        }))
    }
}

impl JsonSchema for FlowNames {
    fn schema_name() -> Cow<'static, str> {
        "FlowNames".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The path of a flow, or one for each platform",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "mobile": { "type": "string" }, "desktop": { "type": "string" } },
                    "required": ["mobile", "desktop"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// The schema of a value of `prepare`, which is parsed from any value for better errors.
struct PreparationSchema;

impl JsonSchema for PreparationSchema {
    fn schema_name() -> Cow<'static, str> {
        "Preparation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A template, or a value that is generated",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "generate": { "const": "password" },
                        "length": {
                            "type": "integer",
                            "minimum": PASSWORD_LENGTHS.start(),
                            "maximum": PASSWORD_LENGTHS.end()
                        }
                    },
                    "required": ["generate"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

enum FlowNamesInner {
    One(String),
    Split(Spanned<String>, Spanned<String>),
}

impl<'de> Deserialize<'de> for FlowNamesInner {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlowNamesVisitor;
        impl<'de> serde::de::Visitor<'de> for FlowNamesVisitor {
            type Value = FlowNamesInner;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a flow, or { mobile = \"…\", desktop = \"…\" }")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Self::Value, E> {
                Ok(FlowNamesInner::One(path.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Split {
                    mobile: Spanned<String>,
                    desktop: Spanned<String>,
                }
                let split = Split::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(FlowNamesInner::Split(split.mobile, split.desktop))
            }
        }
        deserializer.deserialize_any(FlowNamesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use miette::Diagnostic;

    use super::*;

    const GOOD: &str = r#"
name = "onboarding"
allowed_origins = ["{{ variables.site }}"]
[variables]
site = "http://127.0.0.1:8800"

[[step]]
flag = "mailbox_created"
flow = { mobile = "m.json", desktop = "d.json" }
verify = "v.json"
prepare = { email = "{{ profile_id }}@practice.test", password = { generate = "password", length = 24 } }
timeout = "1m 30s"

[[step]]
flag = "2fa_enabled"
flow = "two.json"
attempts = 1
"#;

    fn check_error(text: &str, expected: Expect) {
        let error = parse("workflow.toml", text).unwrap_err();
        let help = Diagnostic::help(&*error).map(|help| format!("\n{help}")).unwrap_or_default();
        expected.assert_eq(&format!("{}: {error}{help}", error.location()));
    }

    #[test]
    fn a_workflow_parses_with_its_defaults() {
        let workflow = parse("workflow.toml", GOOD).unwrap();
        let [first, second] = &workflow.steps[..] else { panic!() };
        assert_eq!(first.flow.for_platform(Platform::Mobile).value, "m.json");
        assert_eq!(first.flow.for_platform(Platform::Desktop).value, "d.json");
        assert_eq!((first.timeout, first.attempts), (Duration::from_secs(90), 3));
        assert_eq!((first.in_doubt, second.in_doubt), (InDoubt::Verify, InDoubt::Ask));
        let fields: Vec<_> = first.prepare.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["email", "password"]);
        assert_eq!(first.prepare[1].1.value, Preparation::Password { length: 24 });
        assert_eq!(&GOOD[second.flow.for_platform(Platform::Mobile).at.clone()], "\"two.json\"");
        assert_eq!((first.heal, second.heal), (Heal::Suggest, Heal::Suggest));
    }

    #[test]
    fn healing_is_chosen_for_all_steps_and_for_one() {
        let text =
            GOOD.replace("name =", "heal = \"auto\"\nname =").replace("attempts = 1", "heal = \"off\"");
        let workflow = parse("workflow.toml", &text).unwrap();
        assert_eq!(workflow.steps.iter().map(|step| step.heal).collect::<Vec<_>>(), [Heal::Auto, Heal::Off]);
    }

    #[test]
    fn errors_name_the_location_and_the_expected_form() {
        let with = |from: &str, to: &str| GOOD.replace(from, to);
        check_error(
            "name = ",
            expect![[r#"
            workflow.toml:1:8: string values must be quoted, expected literal string"#]],
        );
        check_error(
            &with("attempts = 1", "atempts = 1"),
            expect![[r#"
            workflow.toml:17:1: unknown field `atempts`, expected one of `flag`, `flow`, `verify`, `prepare`, `commit`, `timeout`, `attempts`, `in_doubt`, `settle`, `dialogs`, `heal`"#]],
        );
        check_error(
            &with("attempts = 1", "attempts = 0"),
            expect![[r#"
            workflow.toml:17:12: step `2fa_enabled`: `attempts` must be 1 to 100"#]],
        );
        check_error(
            &with("attempts = 1", "in_doubt = \"verify\""),
            expect![[r#"
            workflow.toml:17:12: step `2fa_enabled`: `in_doubt = "verify"` without a verify flow
            add `verify = "flows/….verify.json"`, or choose "repeat" or "ask""#]],
        );
        check_error(
            &with("attempts = 1", "heal = \"always\""),
            expect![[r#"
            workflow.toml:17:8: unknown variant `always`, expected one of `off`, `suggest`, `auto`"#]],
        );
        check_error(
            &with("2fa_enabled", "mailbox_created"),
            expect![[r#"
            workflow.toml:15:8: two steps have the flag `mailbox_created`
            a flag names one step: it is the key of its completion in every session"#]],
        );
        check_error(
            &with("1m 30s", "soon"),
            expect![[r#"
            workflow.toml:12:11: step `mailbox_created`: `soon` is not a duration: write "60s", "1m 30s" or "500ms""#]],
        );
        check_error(
            &with("length = 24", "length = 4"),
            expect![[r#"
            workflow.toml:11:66: step `mailbox_created`: prepare.password: `length` must be 8 to 128
            expected a template ("{{ profile_id }}@example.test") or { generate = "password", length = 20 }"#]],
        );
        check_error(
            &with("\"password\"", "\"name\""),
            expect![[r#"
            workflow.toml:11:66: step `mailbox_created`: prepare.password: cannot generate `name`; known: "password"
            expected a template ("{{ profile_id }}@example.test") or { generate = "password", length = 20 }"#]],
        );
        check_error(
            &with("flow = \"two.json\"", "flow = 3"),
            expect![[r#"
            workflow.toml:16:8: invalid type: integer `3`, expected the path of a flow, or { mobile = "…", desktop = "…" }"#]],
        );
        check_error(
            &with(", desktop = \"d.json\"", ""),
            expect![[r#"
            workflow.toml:9:8: missing field `desktop`"#]],
        );
        check_error(
            &with("[\"{{ variables.site }}\"]", "[]"),
            expect![[r#"
            workflow.toml:3:19: `allowed_origins` is empty
            name the origins runs may visit and type on: allowed_origins = ["https://app.example.test"]"#]],
        );
        check_error(
            "name = \"x\"\nallowed_origins = [\"http://a\"]",
            expect![[r#"
            workflow.toml:1:1: the workflow has no [[step]]
            add one: [[step]] with `flag = "signed_up"` and `flow = "flows/sign-up.json"`"#]],
        );
    }
}
