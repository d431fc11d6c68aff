//! `regatta resolve ID --done | --again | --verify`: a person's answer to NEEDS_ATTENTION, or the site's.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Args;

use super::command_error::CommandError;
use super::complete;
use super::global_args::{GlobalArgs, WHAT};
use super::load;
use super::name_value::{parse_identity, parse_identity_variable};
use super::run;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_profiles;
use crate::store::session::{OpenSession, read};
use regatta_core::id::{Flag, ProfileId, RunId};
use regatta_core::session::{Resolution, Session};
use regatta_core::workflow::plan::{Plan, PlanStep};
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("answer").required(true),
    after_help = "\
Examples:
  regatta resolve k18imh7u --done
  regatta resolve k18imh7u --done --set identity.two_fa_secret          asks for the value
  regatta resolve k18imh7u --done --set identity.two_fa_secret < FILE   reads it from a file
  regatta resolve k18imh7u --done --set-env identity.two_fa_secret=SECRET
  regatta resolve k18imh7u --again
  regatta resolve k18imh7u --verify
  regatta orchestrate --only-status needs_attention --verify           asks about all of them"
)]
pub struct ResolveArgs {
    /// The profile's id
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profile: ProfileId,
    /// The step happened: go on after it
    #[arg(long, group = "answer", help_heading = WHAT)]
    pub done: bool,
    /// The step did not happen: run it again
    #[arg(long, group = "answer", help_heading = WHAT)]
    pub again: bool,
    /// Ask the site again, with the step's verify flow; it opens the profile's browser
    #[arg(long, group = "answer", conflicts_with_all = ["set", "set_env"], help_heading = WHAT)]
    pub verify: bool,
    /// Set an identity field. Without a value it is asked for and not shown; without a terminal it is the
    /// next line of standard input
    #[arg(long, value_name = "identity.FIELD[=VALUE]", value_parser = parse_identity, help_heading = WHAT)]
    pub set: Vec<(String, Option<String>)>,
    /// Set an identity field to what a variable of the environment holds
    #[arg(long, value_name = "identity.FIELD=VARIABLE", value_parser = parse_identity_variable, help_heading = WHAT)]
    pub set_env: Vec<(String, String)>,
}

pub fn resolve(settings: &Settings, global: &GlobalArgs, args: ResolveArgs) -> Result<u8, CommandError> {
    if args.verify {
        return verify(settings, global, &args.profile);
    }
    let (mut session, flag) = open_questioned(settings, &args.profile)?;
    let mut fields = from_environment(&args.set_env)?;
    for (field, value) in args.set {
        let value = match value {
            Some(value) => value,
            None => ask_for(&field)?,
        };
        fields.push((field, value));
    }
    let answer = if args.done { Resolution::Done } else { Resolution::Again };
    for line in give(settings, &mut session, &flag, answer, &fields)? {
        crate::report::say!("{line}");
    }
    Ok(0)
}

/// The site answers for the person.
fn verify(settings: &Settings, global: &GlobalArgs, profile: &ProfileId) -> Result<u8, CommandError> {
    let (session, flag) = open_questioned(settings, profile)?;
    drop(session);
    let code = run::verify(global, profile)?;
    if let Some(session) = read(&settings.layout, profile)?
        && code == 0
    {
        let outcome = if session.completion_flags.is_set(&flag) { "is done" } else { "has not happened" };
        crate::report::say!(
            "{profile}: the site says that step `{flag}` {outcome}; go on with: regatta run {profile}"
        );
    }
    Ok(code)
}

/// The same from `watch`, without values.
pub fn answer(settings: &Settings, profile: &ProfileId, answer: Resolution) -> Result<String, CommandError> {
    let (mut session, flag) = open_questioned(settings, profile)?;
    Ok(give(settings, &mut session, &flag, answer, &[])?.join("; "))
}

fn open_questioned(settings: &Settings, profile: &ProfileId) -> Result<(OpenSession, Flag), CommandError> {
    let session = open_existing(settings, profile)?;
    match session.session().questioned_step().cloned() {
        Some(flag) => Ok((session, flag)),
        None => Err(CommandError::usage(format!("no step of `{profile}` waits for an answer"))
            .hint(format!("see where it stands: regatta status {profile}"))),
    }
}

/// Returns lines that report what was done.
fn give(
    settings: &Settings,
    session: &mut OpenSession,
    flag: &Flag,
    answer: Resolution,
    fields: &[(String, String)],
) -> Result<Vec<String>, CommandError> {
    let plan = plan(settings)?;
    let step = plan.as_ref().and_then(|plan| plan.step(flag));
    let mut said = Vec::new();
    if let (Resolution::Done, Some(step)) = (answer, step) {
        said.extend(refuse_without_captures(session.session(), step, fields)?);
    }
    let profile = session.session().profile_id.clone();
    let commits = step.map(|step| step.commits.clone()).unwrap_or_default();
    let given = fields.iter().map(|(field, value)| (field.as_str(), value.as_str()));
    session.resolve(answer, &commits, given, jiff::Timestamp::now())?;
    let outcome = if answer == Resolution::Done { "is done" } else { "will run again" };
    said.push(format!("{profile}: step `{flag}` {outcome}; go on with: regatta run {profile}"));
    Ok(said)
}

/// The workflow that the profile follows; `None` where the folder has none.
fn plan(settings: &Settings) -> Result<Option<Plan>, CommandError> {
    if !settings.workflow.exists() {
        return Ok(None);
    }
    load::plan(settings, &[]).map(Some)
}

/// A step that is done has its values: one that neither the step nor this answer has given would be
/// missed only when it is too late to get it. Returns notes.
fn refuse_without_captures(
    session: &Session,
    step: &PlanStep,
    given: &[(String, String)],
) -> Result<Vec<String>, CommandError> {
    let mut notes = Vec::new();
    let is_given = |field: &str| given.iter().any(|(name, _)| name == field);
    for field in step.flow_for(session.platform).certain_captures() {
        if is_given(field) {
            continue;
        }
        if session.identity.get(field).is_none() {
            let problem = format!(
                "step `{}` captures `identity.{field}`, and the session has no value of it",
                step.flag
            );
            return Err(CommandError::usage(problem)
                .hint(format!("give it: --done --set identity.{field}; or run the step again: --again")));
        }
        let replaced = session.superseded.iter().filter(|old| old.field == field).count();
        if replaced > 0 {
            notes.push(format!(
                "note: identity.{field} was captured more than once; its {replaced} earlier values are kept: regatta sessions export {} --reveal",
                session.profile_id
            ));
        }
    }
    Ok(notes)
}

/// The value of an identity field: asked for on a terminal, where it is not shown, else the next line of
/// standard input.
pub fn ask_for(field: &str) -> Result<String, CommandError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return rpassword::prompt_password(format!("identity.{field}: "))
            .map_err(|error| no_value(field, &format!("cannot ask for it: {error}")));
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|error| no_value(field, &error.to_string()))?;
    let value = line.trim_end_matches(['\n', '\r']);
    if value.is_empty() {
        return Err(no_value(field, "there is no terminal to ask on, and standard input is empty"));
    }
    Ok(value.to_owned())
}

fn no_value(field: &str, problem: &str) -> CommandError {
    CommandError::usage(format!("--set identity.{field} has no value: {problem}")).hint(format!(
        "give it on standard input, a line for each: … --set identity.{field} < FILE; or name the variable of the environment that holds it: --set-env identity.{field}=VARIABLE"
    ))
}

/// The values that the variables of the environment hold.
pub fn from_environment(given: &[(String, String)]) -> Result<Vec<(String, String)>, CommandError> {
    let read = |(field, variable): &(String, String)| match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok((field.clone(), value)),
        _ => Err(CommandError::usage(format!(
            "--set-env identity.{field}: the variable `{variable}` is not set"
        ))
        .hint(format!("set it where regatta is started: export {variable}=…"))),
    };
    given.iter().map(read).collect()
}

/// The session of a profile that has one, under its lock.
pub fn open_existing(settings: &Settings, profile: &ProfileId) -> Result<OpenSession, CommandError> {
    let Some(session) = read(&settings.layout, profile)? else {
        refuse_unknown_profiles(settings, [profile])?;
        return Err(CommandError::usage(format!("there is no session of `{profile}`"))
            .hint("a profile gets its session with its first run; see `regatta status`".to_owned()));
    };
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    Ok(OpenSession::open(&settings.layout, profile, &run_id, now, || session)?)
}
