//! `regatta resolve ID --done | --again`: a person's answer to NEEDS_ATTENTION.

use clap::Args;

use super::assignment::parse_identity;
use super::failure::Failure;
use super::known::refuse_unknown_profiles;
use super::load;
use super::settings::Settings;
use crate::domain::id::{ProfileId, RunId};
use crate::domain::plan::{Plan, PlanStep};
use crate::domain::session::{Resolution, Session};
use crate::store::session::{OpenSession, read};
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("answer").required(true),
    after_help = "\
Examples:
  regatta resolve k18imh7u --done
  regatta resolve k18imh7u --done --set identity.two_fa_secret     asks for the value
  regatta resolve k18imh7u --again"
)]
pub struct ResolveArgs {
    pub profile: ProfileId,
    /// The step happened: go on after it
    #[arg(long, group = "answer")]
    pub done: bool,
    /// The step did not happen: run it again
    #[arg(long, group = "answer")]
    pub again: bool,
    /// Set an identity field; without a value it is asked for and not shown
    #[arg(long, value_name = "identity.FIELD[=VALUE]", value_parser = parse_identity)]
    pub set: Vec<(String, Option<String>)>,
}

pub fn resolve(settings: &Settings, args: ResolveArgs) -> Result<u8, Failure> {
    let mut session = open_existing(settings, &args.profile)?;
    let Some(flag) = session.session().questioned_step().cloned() else {
        return Err(Failure::usage(format!("no step of `{}` waits for an answer", args.profile))
            .hint(format!("see where it stands: regatta status {}", args.profile)));
    };
    let mut fields = Vec::new();
    for (field, value) in args.set {
        let value = match value {
            Some(value) => value,
            None => ask_for(&field)?,
        };
        fields.push((field, value));
    }
    let answer = if args.done { Resolution::Done } else { Resolution::Again };
    let plan = plan(settings)?;
    let step = plan.as_ref().and_then(|plan| plan.step(&flag));
    if let (true, Some(step)) = (args.done, step) {
        refuse_without_captures(session.session(), step, &fields)?;
    }
    let commits = step.map(|step| step.commits.clone()).unwrap_or_default();
    let given = fields.iter().map(|(field, value)| (field.as_str(), value.as_str()));
    session.resolve(answer, &commits, given, jiff::Timestamp::now())?;
    let said = if args.done { "is done" } else { "will run again" };
    crate::report::say!("{}: step `{flag}` {said}; go on with: regatta run {}", args.profile, args.profile);
    Ok(0)
}

/// The workflow that the profile follows; `None` where the folder has none.
fn plan(settings: &Settings) -> Result<Option<Plan>, Failure> {
    if !settings.workflow.exists() {
        return Ok(None);
    }
    load::plan(settings, &[]).map(Some)
}

/// A step that is done has its values: one that neither the step nor this answer has given would be
/// missed only when it is too late to get it.
fn refuse_without_captures(
    session: &Session,
    step: &PlanStep,
    given: &[(String, String)],
) -> Result<(), Failure> {
    let is_given = |field: &str| given.iter().any(|(name, _)| name == field);
    for field in step.flow_on(session.platform).certain_captures() {
        if is_given(field) {
            continue;
        }
        if session.identity.get(field).is_none() {
            let problem = format!(
                "step `{}` captures `identity.{field}`, and the session has no value of it",
                step.flag
            );
            return Err(Failure::usage(problem)
                .hint(format!("give it: --done --set identity.{field}; or run the step again: --again")));
        }
        let replaced = session.superseded.iter().filter(|old| old.field == field).count();
        if replaced > 0 {
            crate::report::say!(
                "note: identity.{field} was captured more than once; its {replaced} earlier values are kept: regatta sessions export {} --reveal",
                session.profile_id
            );
        }
    }
    Ok(())
}

/// The value of an identity field, which is not shown.
pub fn ask_for(field: &str) -> Result<String, Failure> {
    rpassword::prompt_password(format!("identity.{field}: "))
        .map_err(|error| Failure::usage(format!("cannot ask for identity.{field}: {error}")))
}

/// The session of a profile that has one, under its lock.
pub fn open_existing(settings: &Settings, profile: &ProfileId) -> Result<OpenSession, Failure> {
    let Some(session) = read(&settings.layout, profile)? else {
        refuse_unknown_profiles(settings, [profile])?;
        return Err(Failure::usage(format!("there is no session of `{profile}`"))
            .hint("a profile gets its session with its first run; see `regatta status`".to_owned()));
    };
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    Ok(OpenSession::open(&settings.layout, profile, &run_id, now, || session)?)
}
