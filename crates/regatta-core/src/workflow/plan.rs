//! A workflow joined with its flows: the plan of a run.
//!
//! [`Plan::check`] checks before a browser starts whether all of it can be played for one profile: step
//! types, templates, origins.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::diagnostic::FileDiagnostic;
use crate::flow::Flow;
use crate::flow::validation::ValidationContext;
use crate::id::{Flag, ProfileId};
use crate::origin::parse_origin;
use crate::session::{Commit, Identity, Platform, Session};
use crate::source::row::DeclaredVariables;
use crate::workflow::block::Block;
use crate::workflow::dialog::DialogPolicy;
use crate::workflow::http_auth::{HttpAuth, SignIn};
use crate::workflow::pace::{Pace, PaceLimit};
use crate::workflow::template::{self, Names, Scope, TemplateError};
use crate::workflow::{Heal, InDoubt, Located, PerPlatform, Preparation, Workflow};

use self::check::FlowCheck;
pub use self::check::check_flow;

mod check;

#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    /// `sha256:…` over the texts of the workflow and its flows.
    pub digest: String,
    pub steps: Vec<PlanStep>,
    allowed_origins: Vec<Located<String>>,
    block: Vec<Located<String>>,
    dialogs: DialogPolicy,
    http_auth: Vec<HttpAuth>,
    pace: Vec<Pace>,
    variables: Map<String, Value>,
    /// Variables that the command line has set: nothing else replaces them.
    overridden: BTreeSet<String>,
    /// Variables of one profile, which are not templates.
    own: Map<String, Value>,
    file: String,
    text: String,
}

#[derive(Debug, Clone)]
pub struct PlanStep {
    pub flag: Flag,
    pub flow: PerPlatform<Flow>,
    pub verify: Option<PerPlatform<Flow>>,
    pub prepare: Vec<(String, Located<Preparation>)>,
    pub commits: Vec<Commit>,
    pub timeout: Duration,
    pub attempts: u32,
    pub in_doubt: InDoubt,
    pub settle: Duration,
    pub dialogs: DialogPolicy,
    pub heal: Heal,
}

/// The settings for one profile: the templates of origins and variables are rendered.
#[derive(Debug, Clone)]
pub struct ProfileSettings {
    pub allowed_origins: Vec<String>,
    pub block: Block,
    /// The policy of the workflow; its steps have their own.
    pub dialogs: DialogPolicy,
    pub http_auth: Vec<SignIn>,
    pub pace: Vec<PaceLimit>,
    pub variables: Map<String, Value>,
}

impl Plan {
    /// `flow` reads and parses one flow by its name in the workflow. `overrides` replace variables that the
    /// workflow declares.
    pub fn assemble(
        file: &str,
        text: &str,
        workflow: Workflow,
        overrides: &Map<String, Value>,
        mut flow: impl FnMut(&Located<String>) -> Result<Flow, Box<FileDiagnostic>>,
    ) -> Result<Self, Box<FileDiagnostic>> {
        let mut hasher = Sha256::new();
        hasher.update(text);
        let mut load = |name: Located<String>| {
            let flow = flow(&name)?;
            hasher.update([0]);
            hasher.update(&flow.text);
            Ok::<_, Box<FileDiagnostic>>(flow)
        };
        let steps = workflow
            .steps
            .into_iter()
            .map(|step| {
                Ok(PlanStep {
                    flow: step.flow.try_map(&mut load)?,
                    verify: step.verify.map(|verify| verify.try_map(&mut load)).transpose()?,
                    flag: step.flag,
                    prepare: step.prepare,
                    commits: step.commits,
                    timeout: step.timeout,
                    attempts: step.attempts,
                    in_doubt: step.in_doubt,
                    settle: step.settle,
                    dialogs: step.dialogs,
                    heal: step.heal,
                })
            })
            .collect::<Result<_, Box<FileDiagnostic>>>()?;
        let mut variables = workflow.variables;
        for (name, value) in overrides {
            variables.insert(name.clone(), value.clone());
        }
        Ok(Self {
            name: workflow.name,
            digest: format!("sha256:{}", hex(&hasher.finalize())),
            steps,
            allowed_origins: workflow.allowed_origins,
            block: workflow.block,
            dialogs: workflow.dialogs,
            http_auth: workflow.http_auth,
            pace: workflow.pace,
            variables,
            overridden: overrides.keys().cloned().collect(),
            own: Map::new(),
            file: file.to_owned(),
            text: text.to_owned(),
        })
    }

    /// Replaces variables of the workflow by those of one profile's session. They are data, not templates. A
    /// variable that the command line sets stays.
    #[must_use]
    pub fn with_own_variables(mut self, own: &Map<String, Value>) -> Self {
        let own = own.iter().filter(|(name, _)| !self.overridden.contains(*name));
        self.own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        self
    }

    /// Returns the names of the variables that the workflow declares.
    pub fn variables(&self) -> DeclaredVariables {
        self.variables.keys().map(String::as_str).collect()
    }

    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.steps.iter().map(|step| &step.flag)
    }

    pub fn step(&self, flag: &Flag) -> Option<&PlanStep> {
        self.steps.iter().find(|step| step.flag == *flag)
    }

    /// Returns every flow once, each verify flow after the flow that it verifies.
    pub fn flows(&self) -> Vec<&Flow> {
        let mut flows: Vec<&Flow> = Vec::new();
        for flow in self
            .steps
            .iter()
            .flat_map(|step| step.flow.iter().chain(step.verify.iter().flat_map(PerPlatform::iter)))
        {
            if flows.iter().all(|known| known.file != flow.file) {
                flows.push(flow);
            }
        }
        flows
    }

    /// Returns the steps whose flag is not set.
    pub fn open_steps<'a>(&'a self, session: &'a Session) -> impl Iterator<Item = &'a PlanStep> {
        self.steps.iter().filter(|step| !session.completion_flags.is_set(&step.flag))
    }

    /// Renders variables, origins and blocked resources for one profile. Variables may use `profile_id`,
    /// `platform` and earlier variables.
    pub fn settings_for(
        &self,
        profile_id: &ProfileId,
        platform: Platform,
    ) -> Result<ProfileSettings, Box<FileDiagnostic>> {
        let identity = Identity::default();
        let mut variables = Map::new();
        let render = |text: &str, variables: &Map<String, Value>| {
            let scope = Scope {
                profile_id,
                platform,
                identity: &identity,
                variables,
                now: jiff::Timestamp::UNIX_EPOCH,
            };
            template::render(text, &scope)
        };
        for (name, value) in &self.variables {
            let value = match value {
                _ if self.own.contains_key(name) => self.own[name].clone(),
                Value::String(text) => Value::String(
                    render(text, &variables)
                        .map_err(|error| self.template_error(&format!("variable `{name}`"), 0..1, &error))?,
                ),
                other => other.clone(),
            };
            variables.insert(name.clone(), value);
        }
        for (name, value) in &self.own {
            variables.entry(name).or_insert_with(|| value.clone());
        }
        let allowed_origins: Vec<String> = self
            .allowed_origins
            .iter()
            .map(|written| {
                let text = render(&written.value, &variables)
                    .map_err(|error| self.template_error("`allowed_origins`", written.at.clone(), &error))?;
                parse_origin(&text).ok_or_else(|| {
                    let problem = format!("`{text}` is not an origin");
                    Box::new(
                        FileDiagnostic::new(&self.file, &self.text, written.at.clone(), problem)
                            .help("an origin is scheme, host and port: \"https://app.example.test\""),
                    )
                })
            })
            .collect::<Result<_, Box<FileDiagnostic>>>()?;
        let mut block = Block::default();
        for written in &self.block {
            let text = render(&written.value, &variables)
                .map_err(|error| self.template_error("`block`", written.at.clone(), &error))?;
            block.add(&text).map_err(|invalid| {
                let error =
                    FileDiagnostic::new(&self.file, &self.text, written.at.clone(), invalid.to_string());
                Box::new(error.help(invalid.hint()))
            })?;
        }
        let sign_in = |auth: &HttpAuth| {
            let at = || auth.origin.at.clone();
            let text = render(&auth.origin.value, &variables)
                .map_err(|error| self.template_error("`http_auth.origin`", at(), &error))?;
            let origin =
                parse_origin(&text).filter(|origin| allowed_origins.contains(origin)).ok_or_else(|| {
                    let problem = format!("`{text}` is not among `allowed_origins`");
                    let error = FileDiagnostic::new(&self.file, &self.text, at(), problem);
                    Box::new(error.help("a password is sent to origins that runs may visit, and to no other"))
                })?;
            let (user, password_field) = (auth.user.value.clone(), auth.password_field.value.clone());
            Ok(SignIn { origin, user, password_field })
        };
        let http_auth = self.http_auth.iter().map(sign_in).collect::<Result<_, Box<FileDiagnostic>>>()?;
        let limit = |Pace { origin: written, per_minute }: &Pace| {
            let text = render(&written.value, &variables)
                .map_err(|error| self.template_error("`pace.origin`", written.at.clone(), &error))?;
            let origin =
                parse_origin(&text).filter(|origin| allowed_origins.contains(origin)).ok_or_else(|| {
                    let problem = format!("`{text}` is not among `allowed_origins`");
                    let error = FileDiagnostic::new(&self.file, &self.text, written.at.clone(), problem);
                    Box::new(error.help("runs ask no other origin for anything"))
                })?;
            Ok(PaceLimit { origin, per_minute: *per_minute })
        };
        let pace = self.pace.iter().map(limit).collect::<Result<_, Box<FileDiagnostic>>>()?;
        Ok(ProfileSettings {
            allowed_origins,
            block,
            dialogs: self.dialogs.clone(),
            http_auth,
            pace,
            variables,
        })
    }

    /// Returns why nothing can verify the step in flight: the workflow no longer has it.
    pub fn orphaned_doubt(&self, session: &Session) -> Option<(Flag, String)> {
        let flag = &session.in_flight.as_ref()?.flag;
        if session.completion_flags.is_set(flag) || self.step(flag).is_some() {
            return None;
        }
        let message = format!(
            "step `{flag}` may or may not have happened, and the workflow no longer has it: nothing can find out"
        );
        Some((flag.clone(), message))
    }

    /// Checks that every open step of the session can be played; without a session, every step. Returns the
    /// identity fields that the session lacks and nothing in the workflow sets, each with the first step that
    /// needs it: they are a matter of the profile, not an error of the workflow.
    pub fn check(
        &self,
        platform: Platform,
        session: Option<&Session>,
    ) -> Result<BTreeMap<String, Flag>, Box<FileDiagnostic>> {
        let mut names = Names {
            identity: session
                .map(|session| session.identity.iter().map(|(name, _)| name.to_owned()).collect())
                .unwrap_or_default(),
            variables: self.variables.keys().chain(self.own.keys()).cloned().collect(),
        };
        // Without a session any id serves, since only what all profiles share is checked.
        let any_profile = "profile".parse().expect("letters make an id");
        let settings =
            self.settings_for(session.map_or(&any_profile, |session| &session.profile_id), platform)?;
        let context = ValidationContext {
            allowed_origins: &settings.allowed_origins,
            scope: session.map(|session| Scope {
                profile_id: &session.profile_id,
                platform,
                identity: &session.identity,
                variables: &settings.variables,
                now: jiff::Timestamp::UNIX_EPOCH,
            }),
            step: None,
        };
        let mut missing = BTreeMap::new();
        let open = |step: &&PlanStep| session.is_none_or(|s| !s.completion_flags.is_set(&step.flag));
        for step in self.steps.iter().filter(open) {
            let mut needed = BTreeSet::new();
            let mut check = FlowCheck { names: &mut names, missing: &mut needed };
            for (field, preparation) in &step.prepare {
                if let Preparation::Template(text) = &preparation.value {
                    let place = format!("step `{}`: prepare.{field}", step.flag);
                    check
                        .text(text, true)
                        .map_err(|error| self.template_error(&place, preparation.at.clone(), &error))?;
                }
                check.names.identity.insert(field.clone());
            }
            let context = ValidationContext { step: Some((step.flag.as_str(), step.timeout)), ..context };
            check.flow(step.flow.for_platform(platform), context)?;
            // A captured value is durable at once, so a verify flow may use it.
            if let Some(verify) = &step.verify {
                check.flow(verify.for_platform(platform), context)?;
            }
            for Commit { into, from } in &step.commits {
                // It replaces a value, so an unset name is probably misspelt.
                if check.names.identity.insert(into.clone()) {
                    check.missing.insert(into.clone());
                }
                check.names.identity.remove(from);
            }
            for field in needed {
                missing.entry(field).or_insert_with(|| step.flag.clone());
            }
        }
        // Any step may set the values.
        if let Some(first) = self.steps.iter().find(open) {
            let mut needed = BTreeSet::new();
            let mut check = FlowCheck { names: &mut names, missing: &mut needed };
            for auth in &self.http_auth {
                let field = &auth.password_field;
                for (place, text, at) in [
                    ("`http_auth.user`", auth.user.value.clone(), &auth.user.at),
                    ("`http_auth.password_field`", format!("{{{{ identity.{} }}}}", field.value), &field.at),
                ] {
                    check
                        .text(&text, true)
                        .map_err(|error| self.template_error(place, at.clone(), &error))?;
                }
            }
            for field in needed {
                missing.entry(field).or_insert_with(|| first.flag.clone());
            }
        }
        Ok(missing)
    }

    /// Returns the steps that need a person where a run dies before it has a value: the flow captures the
    /// field and the verify flow does not.
    pub fn unverified_captures(&self) -> Vec<(&PlanStep, &str)> {
        let mut found = Vec::new();
        for step in self.steps.iter().filter(|step| step.in_doubt == InDoubt::Verify) {
            for platform in [Platform::Desktop, Platform::Mobile] {
                let verified = step.verify_for(platform).map(Flow::certain_captures).unwrap_or_default();
                let captured = step.flow_for(platform).certain_captures();
                let lost = captured.into_iter().filter(|field| !verified.contains(field));
                found.extend(lost.map(|field| (step, field)));
            }
        }
        found.dedup_by(|a, b| a.0.flag == b.0.flag && a.1 == b.1);
        found
    }

    fn template_error(&self, place: &str, at: Range<usize>, error: &TemplateError) -> Box<FileDiagnostic> {
        Box::new(
            FileDiagnostic::new(&self.file, &self.text, at, format!("{place}: {error}")).help(error.hint()),
        )
    }
}

impl PlanStep {
    pub fn flow_for(&self, platform: Platform) -> &Flow {
        self.flow.for_platform(platform)
    }

    pub fn verify_for(&self, platform: Platform) -> Option<&Flow> {
        self.verify.as_ref().map(|verify| verify.for_platform(platform))
    }

    /// Returns why only a person can resolve the step once it is in doubt.
    pub fn unanswerable_doubt(&self, platform: Platform) -> Option<&'static str> {
        match self.in_doubt {
            InDoubt::Ask => Some("it may or may not have happened, and only a person can check"),
            InDoubt::Verify if self.verify_for(platform).is_none() => {
                Some("it may or may not have happened, and it has no verify flow")
            }
            InDoubt::Verify | InDoubt::Repeat => None,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use miette::Diagnostic;

    use super::*;
    use crate::{flow, workflow};

    fn plan(prepare: &str, flow_steps: &str) -> Plan {
        let text = format!(
            "name = \"n\"\nallowed_origins = [\"{{{{ variables.site }}}}/\"]\n[variables]\nsite = \"http://127.0.0.1:{{{{ variables.port }}}}\"\n[[step]]\nflag = \"a\"\nflow = \"a.json\"\nprepare = {{ {prepare} }}\n"
        );
        let text = text.replace("[variables]\n", "[variables]\nport = 80\n");
        let flow_text = format!("{{\"title\":\"t\",\"steps\":[\n{flow_steps}]}}");
        let workflow = workflow::parse("workflow.toml", &text).unwrap();
        Plan::assemble("workflow.toml", &text, workflow, &Map::new(), |name| {
            flow::parse(&name.value, &flow_text)
        })
        .unwrap()
    }

    fn check(plan: &Plan, session: Option<&Session>, expected: Expect) {
        let said = match plan.check(Platform::Desktop, session) {
            Ok(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(field, flag)| format!("{field} in {flag}")).collect();
                format!("ok; expects {fields:?}")
            }
            Err(error) => {
                format!("{}: {error}\n{}", error.location(), Diagnostic::help(&*error).unwrap())
            }
        };
        expected.assert_eq(&said);
    }

    fn fresh(plan: &Plan) -> Session {
        Session::new("p1".parse().unwrap(), Platform::Desktop, plan.flags())
    }

    #[test]
    fn origins_and_variables_are_rendered_for_a_profile() {
        let settings = plan("", "").settings_for(&"p1".parse().unwrap(), Platform::Desktop).unwrap();
        assert_eq!(settings.allowed_origins, ["http://127.0.0.1"]);
    }

    #[test]
    fn a_profiles_own_variables_replace_the_workflows_and_are_no_templates() {
        let own = Map::from_iter([
            ("port".to_owned(), 8800.into()),
            ("greeting".to_owned(), "{{ no template }}".into()),
        ]);
        let plan = plan("", "").with_own_variables(&own);
        let settings = plan.settings_for(&"p1".parse().unwrap(), Platform::Desktop).unwrap();
        assert_eq!(settings.allowed_origins, ["http://127.0.0.1:8800"]);
        assert_eq!(settings.variables["greeting"], "{{ no template }}");
    }

    #[test]
    fn a_variable_of_the_command_line_stays() {
        let text = "name = \"n\"\nallowed_origins = [\"http://a.test\"]\n[variables]\nshop = \"north\"\n";
        let mut workflow =
            workflow::parse("w", &format!("{text}[[step]]\nflag = \"a\"\nflow = \"a.json\"\n")).unwrap();
        workflow.steps.clear();
        let set = Map::from_iter([("shop".to_owned(), "south".into())]);
        let plan = Plan::assemble("w", text, workflow, &set, |_| unreachable!()).unwrap();
        let own = Map::from_iter([("shop".to_owned(), "east".into())]);
        let settings =
            plan.with_own_variables(&own).settings_for(&"p1".parse().unwrap(), Platform::Desktop).unwrap();
        assert_eq!(settings.variables["shop"], "south");
    }

    #[test]
    fn a_password_is_sent_to_allowed_origins_only_and_its_field_is_known() {
        let read = |auth: &str| {
            let text = format!(
                "name = \"n\"\nallowed_origins = [\"http://a.test\"]\n[[http_auth]]\n{auth}\n[[step]]\nflag = \"a\"\nflow = \"a.json\"\nprepare = {{ pin = \"1\" }}\n"
            );
            let workflow = workflow::parse("workflow.toml", &text).unwrap();
            let flow = |name: &Located<String>| flow::parse(&name.value, r#"{"title":"t","steps":[]}"#);
            let plan = Plan::assemble("workflow.toml", &text, workflow, &Map::new(), flow).unwrap();
            let settings = plan.settings_for(&"p1".parse().unwrap(), Platform::Desktop);
            match settings.and_then(|settings| {
                plan.check(Platform::Desktop, Some(&fresh(&plan)))
                    .map(|missing| (missing, settings.http_auth))
            }) {
                Ok(known) => format!("{known:?}"),
                Err(error) => format!("{}: {error}", error.location()),
            }
        };
        let checked = [
            "origin = \"http://a.test/\"\nuser = \"{{ profile_id }}\"\npassword_field = \"pin\"",
            "origin = \"http://b.test\"\nuser = \"ann\"\npassword_field = \"pin\"",
            "origin = \"http://a.test\"\nuser = \"{{ identity.name }}\"\npassword_field = \"pin\"",
            "origin = \"http://a.test\"\nuser = \"ann\"\npassword_field = \"pas\"",
        ]
        .map(read);
        expect![[r#"
            ({}, [SignIn { origin: "http://a.test", user: "{{ profile_id }}", password_field: "pin" }])
            workflow.toml:4:10: `http://b.test` is not among `allowed_origins`
            ({"name": Flag("a")}, [SignIn { origin: "http://a.test", user: "{{ identity.name }}", password_field: "pin" }])
            ({"pas": Flag("a")}, [SignIn { origin: "http://a.test", user: "ann", password_field: "pas" }])"#]].assert_eq(&checked.join("\n"));
    }

    #[test]
    fn a_pace_limits_an_allowed_origin_to_a_number_of_documents() {
        let read = |pace: &str| {
            let text = format!(
                "name = \"n\"\nallowed_origins = [\"http://a.test\"]\n[[pace]]\n{pace}\n[[step]]\nflag = \"a\"\nflow = \"a.json\"\n"
            );
            let flow = |name: &Located<String>| flow::parse(&name.value, r#"{"title":"t","steps":[]}"#);
            let settings = workflow::parse("workflow.toml", &text)
                .and_then(|workflow| Plan::assemble("workflow.toml", &text, workflow, &Map::new(), flow))
                .and_then(|plan| plan.settings_for(&"p1".parse().unwrap(), Platform::Desktop));
            match settings {
                Ok(settings) => format!("{:?}", settings.pace),
                Err(error) => format!("{}: {error}", error.location()),
            }
        };
        let read = [
            "origin = \"http://A.test/\"\nper_minute = 30",
            "origin = \"http://b.test\"\nper_minute = 30",
            "origin = \"http://a.test\"\nper_minute = 0",
        ]
        .map(read);
        expect![[r#"
            [PaceLimit { origin: "http://a.test", per_minute: 30 }]
            workflow.toml:4:10: `http://b.test` is not among `allowed_origins`
            workflow.toml:5:14: pace: `per_minute` must be 1 to 6000"#]]
        .assert_eq(&read.join("\n"));
    }

    #[test]
    fn a_blocked_resource_is_a_type_or_a_pattern() {
        let settings = |block: &str| {
            let text = format!(
                "name = \"n\"\nallowed_origins = [\"http://a\"]\n[variables]\ncdn = \"cdn.example\"\n[network]\nblock = [{block}]\n[[step]]\nflag = \"a\"\nflow = \"a.json\"\n"
            );
            let workflow = workflow::parse("workflow.toml", &text).unwrap();
            let flow = |name: &Located<String>| flow::parse(&name.value, r#"{"title":"t","steps":[]}"#);
            let plan = Plan::assemble("workflow.toml", &text, workflow, &Map::new(), flow).unwrap();
            plan.settings_for(&"p1".parse().unwrap(), Platform::Desktop)
        };
        let block = settings(r#""image", "*.{{ variables.cdn }}/x*""#).unwrap().block;
        assert_eq!((block.types.len(), block.urls), (1, vec!["*.cdn.example/x*".to_owned()]));
        let said = ["\"imges\"", "\"font\", \"document\"", "\"{{ variables.cd }}\""].map(|block| {
            let error = settings(block).unwrap_err();
            format!("{}: {error}\n{}\n", error.location(), Diagnostic::help(&*error).unwrap())
        });
        expect![[r#"
            workflow.toml:6:10: `imges` is neither a type of resource nor a pattern
            types are image, font, media, stylesheet, script, xhr, fetch, ping, manifest, texttrack, eventsource; a pattern is found anywhere in a URL and has a `*`: "*.example/path*"
            workflow.toml:6:18: documents cannot be blocked: a page needs its document
            types are image, font, media, stylesheet, script, xhr, fetch, ping, manifest, texttrack, eventsource; a pattern is found anywhere in a URL and has a `*`: "*.example/path*"
            workflow.toml:6:10: `block`: unknown name `variables.cd` in `{{ variables.cd }}`
            add `cd` to [variables] in the workflow; `play` takes --set cd=VALUE, too
        "#]]
        .assert_eq(&said.concat());
    }

    #[test]
    fn the_digest_follows_every_text() {
        let digest = plan("", "").digest;
        assert_eq!(digest, plan("", "").digest);
        assert_ne!(digest, plan("", r#"{"type":"close"}"#).digest);
        assert_ne!(digest, plan("x = \"1\"", "").digest);
    }

    #[test]
    fn a_field_that_only_a_when_uses_is_not_required() {
        let inside = r#"{"type":"customStep","name":"regatta.when","parameters":{"exists":["a"],"steps":[
{"type":"keyDown","key":"{{ totp }}"}]}}"#;
        let conditional = plan("", inside);
        check(&conditional, Some(&fresh(&conditional)), expect!["ok; expects []"]);
        let both = plan("", &format!(r#"{inside},{{"type":"keyDown","key":"{{{{ totp }}}}"}}"#));
        check(&both, Some(&fresh(&both)), expect![[r#"ok; expects ["two_fa_secret in a"]"#]]);
    }

    #[test]
    fn names_become_known_in_the_order_of_the_steps() {
        let plan = plan(
            r#"email = "{{ profile_id }}@x.test", again = "{{ identity.email }}""#,
            r#"{"type":"customStep","name":"regatta.capture","parameters":{"selectors":["a"],"from":"text","into":"identity.code"}},
{"type":"navigate","url":"{{ variables.site }}/{{ identity.again }}/{{ identity.code }}"}"#,
        );
        check(&plan, Some(&fresh(&plan)), expect!["ok; expects []"]);
    }

    #[test]
    fn an_unplayable_step_is_reported_with_its_location() {
        let totp = plan("", "{\"type\":\"keyDown\",\n\"key\":\"{{ totp }}\"}");
        for session in [Some(&fresh(&totp)), None] {
            check(&totp, session, expect![[r#"ok; expects ["two_fa_secret in a"]"#]]);
        }
        let mut with_secret = fresh(&totp);
        with_secret.identity.set("two_fa_secret", "ABC");
        check(&totp, Some(&with_secret), expect!["ok; expects []"]);

        let foreign = plan("", r#"{"type":"customStep","name":"theirs"}"#);
        check(
            &foreign,
            None,
            expect![[r#"
                a.json:2:1: step 1 (theirs): this custom step is another program's and cannot be played
                remove it, or write what it does with the steps of the Recorder and the `regatta.` steps of the guide to flows"#]],
        );
        let inside = plan(
            "",
            "{\"type\":\"customStep\",\"name\":\"regatta.when\",\"parameters\":{\"exists\":[\"a\"],\"steps\":[\n{\"type\":\"customStep\",\"name\":\"theirs\"}]}}",
        );
        check(
            &inside,
            None,
            expect![[r#"
                a.json:3:1: step 1.1 (theirs): this custom step is another program's and cannot be played
                remove it, or write what it does with the steps of the Recorder and the `regatta.` steps of the guide to flows"#]],
        );
        let unknown = plan(r#"email = "{{ identity.nam }}""#, "");
        check(&unknown, Some(&fresh(&unknown)), expect![[r#"ok; expects ["nam in a"]"#]]);
        let variable = plan(r#"email = "{{ variables.nam }}""#, "");
        check(
            &variable,
            Some(&fresh(&variable)),
            expect![[r#"
                workflow.toml:9:21: step `a`: prepare.email: unknown name `variables.nam` in `{{ variables.nam }}`
                add `nam` to [variables] in the workflow; `play` takes --set nam=VALUE, too"#]],
        );
    }
}
