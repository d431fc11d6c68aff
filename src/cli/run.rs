//! `regatta run ID`: one profile, one process.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;

use clap::Args;

use super::browser_args::BrowserArgs;
use super::command_error::CommandError;
use super::complete;
use super::global_args::{BROWSER, GlobalArgs, OUTPUT, WHAT};
use super::runtime::runtime;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_step;
use super::{hint, load, signals};
use crate::providers::StartOptions;
use crate::report::otlp;
use crate::report::run_console::RunConsole;
use crate::run::{
    EventEmitter, LiveBrowser, Pacing, Run, RunEnd, RunOptions, SelectorStorage, StopSeverity, StopWatch,
};
use crate::store::event_log::EventLog;
use crate::store::session::read;
use crate::store::{Layout, OpenSession, SessionError, lock};
use regatta_core::id::{Flag, ProfileId, RunId};
use regatta_core::outcome::RunOutcome;
use regatta_core::session::{Session, Status};
use regatta_core::view::summary::ProfileSummary;
use regatta_core::workflow::InDoubt;
use regatta_core::workflow::plan::Plan;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta run k18imh7u
  regatta run k18imh7u --headed --step store_signup --keep-browser
  regatta run k18imh7u --dry-run
  regatta run k18imh7u --set site=http://127.0.0.1:8800

A failed step leaves a screenshot, the page and the console under artifacts/, and the error names them. \
Run the same command again to go on: steps that are done are not done twice.

Exit codes:
  0 completed
  1 a step failed
  2 wrong usage, settings or workflow
  3 needs a person
  4 another run holds the profile
  5 no browser
  6 session document damaged
  7 stopped")]
pub struct RunArgs {
    /// The profile's id, as its provider names it
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profile: ProfileId,
    /// Run only this step [default: every open step]
    #[arg(long, value_name = "FLAG", conflicts_with = "until", help_heading = WHAT, add = complete::flags())]
    pub step: Option<Flag>,
    /// Stop after this step
    #[arg(long, value_name = "FLAG", help_heading = WHAT, add = complete::flags())]
    pub until: Option<Flag>,
    /// Ask the site again about a step that waits for your answer, then go on
    #[arg(long, conflicts_with = "dry_run", help_heading = WHAT)]
    pub verify: bool,
    /// Say what the run would do, and do nothing
    #[arg(long, help_heading = WHAT)]
    pub dry_run: bool,
    #[command(flatten)]
    pub browser: BrowserArgs,
    /// Leave the browser open at the end
    #[arg(long, help_heading = BROWSER)]
    pub keep_browser: bool,
    /// Join the browser of the profile that is already open, also one that a person opened, and leave it open
    #[arg(long, conflicts_with_all = ["keep_browser", "headed"], help_heading = BROWSER)]
    pub attach: bool,
    /// Print events as JSON lines
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

pub fn run(global: &GlobalArgs, args: RunArgs) -> Result<u8, CommandError> {
    drive(global, args, false)
}

/// Asks the site whether the step happened that waits for a person's answer, and nothing more.
pub fn verify(global: &GlobalArgs, profile: &ProfileId) -> Result<u8, CommandError> {
    let args = RunArgs {
        profile: profile.clone(),
        step: None,
        until: None,
        verify: true,
        attach: false,
        dry_run: false,
        keep_browser: false,
        json: false,
        browser: BrowserArgs::default(),
    };
    drive(global, args, true)
}

fn drive(global: &GlobalArgs, args: RunArgs, verify_only: bool) -> Result<u8, CommandError> {
    if args.dry_run {
        super::log::to_stderr();
        let settings = Settings::resolve(global)?;
        let plan = plan(&settings, &args)?;
        return dry_run(&settings, &plan, &args);
    }
    // Before anything that takes time: a fleet that stops may ask a run that it has just launched, and
    // who is asked ends with exit code 7, not of the signal.
    let runtime = runtime()?;
    let signals = runtime.block_on(async { signals::listen() })?;
    let settings = &Settings::resolve(global)?;
    super::log::to_stderr();
    let plan = plan(settings, &args)?;
    check(settings, &plan, &args.profile)?;
    load::create_folders(settings)?;
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    let fresh = || Session::new(args.profile.clone(), settings.platform, plan.flags());
    let session = OpenSession::open(&settings.layout, &args.profile, &run_id, now, fresh)?;
    if session.session().status == Status::NeedsAttention {
        if !args.verify {
            return Err(waits_for_a_person(&args.profile, session.session()));
        }
        refuse_unverifiable(&plan, session.session())?;
    }
    let platform = session.session().platform;
    let profile_settings = plan.settings_for(&args.profile, platform)?;
    refuse_step_beside_doubt(&args, session.session())?;

    refuse_to_join_beside_doubt(&args, session.session())?;

    let (provider_news, observer) = load::provider_news();
    let launch = load::launch(session.session())?;
    let provider = load::provider_of(settings, launch, Some(observer))?;
    let artifacts = settings.layout.artifacts(&args.profile);
    let browser_host = LiveBrowser {
        provider,
        profile: args.profile.clone(),
        start: StartOptions { headless: load::headless(settings, args.browser.headed, launch), platform },
        allowed_origins: profile_settings.allowed_origins.clone(),
        block: profile_settings.block.clone(),
        trace: settings.trace,
        layout: settings.layout.clone(),
        selectors: SelectorStorage::Cached(settings.layout.clone()),
        downloads: artifacts.join(format!("{run_id}-downloads")),
        join: args.attach,
    };
    let pacing = Pacing::new(&settings.layout, &profile_settings.pace);
    let log = EventLog::open(&settings.layout, &args.profile, &run_id)?;
    let flags: Vec<Flag> = plan.flags().cloned().collect();
    let done = session.session().completion_flags.clone();
    let console = RunConsole::new(
        &args.profile,
        &flags,
        |flag| done.is_set(flag),
        args.json,
        settings.terminal,
        settings.color,
    );
    let summary = RefCell::new(ProfileSummary::default());
    let (sender, stop) = StopWatch::new();
    let end = runtime.block_on(async {
        let run = Run {
            session,
            plan: &plan,
            profile_settings,
            run_id,
            pid: std::process::id(),
            random: rand::make_rng(),
            browser_host,
            provider_news,
            provider_hint: hint::of_provider,
            events: EventEmitter::new(log, Arc::new(jiff::Timestamp::now), |event| {
                summary.borrow_mut().apply(event);
                console.show(event);
            }),
            stop,
            pacing,
            options: RunOptions {
                only: args.step,
                until: args.until,
                keep_browser: args.keep_browser,
                verify_only,
            },
            artifacts,
        };
        let on_request = |severity| match severity {
            StopSeverity::Now => console.note("stopping now"),
            _ => console.note("stopping after this step; once more to stop now"),
        };
        // Handles stop requests that arrived before the run started.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            () = signals::ask_to_stop(signals, sender, on_request) => unreachable!("signals are awaited forever"),
            end = run.drive() => end,
        }
    });
    console.finish();
    if settings.otlp || args.browser.otlp {
        runtime.block_on(trace(&plan, &args.profile, &summary.take()));
    }
    conclude(&args.profile, end)
}

/// With the steps that the arguments name looked for in it.
fn plan(settings: &Settings, args: &RunArgs) -> Result<Plan, CommandError> {
    let plan = load::plan(settings, &args.browser.set)?;
    let plan = match read(&settings.layout, &args.profile) {
        Ok(Some(session)) => {
            let names = session.variables.keys().map(String::as_str);
            if let Err(undeclared) = plan.variables().check(names) {
                // A workflow may have dropped it since: no reason to refuse the profile for good.
                tracing::warn!(
                    "the session of {} sets the variable `{}`, which the workflow does not declare{}",
                    args.profile,
                    undeclared.name,
                    undeclared.suggestion()
                );
            }
            plan.with_own_variables(&session.variables)
        }
        // Opening the session reports what is wrong with the document.
        _ => plan,
    };
    for flag in args.step.iter().chain(&args.until) {
        refuse_unknown_step(flag, plan.flags(), "the workflow")?;
    }
    Ok(plan)
}

/// A trace that cannot be delivered does not change how the run ended.
async fn trace(plan: &Plan, profile: &ProfileId, summary: &ProfileSummary) {
    let Some(run) = summary.history.runs.last() else { return };
    if let Err(problem) = otlp::export(run, profile, &plan.name).await {
        tracing::warn!("the trace of this run is lost: {problem}");
    }
}

/// Whether the plan can be played for the profile as it stands, before anything is written for it. What
/// the profile lacks is found by the run itself.
fn check(settings: &Settings, plan: &Plan, profile: &ProfileId) -> Result<Session, CommandError> {
    let session = match read(&settings.layout, profile) {
        Ok(Some(session)) => session,
        // Opening the session moves a damaged document aside and reports it.
        Ok(None) | Err(SessionError::Damaged { moved_to: None, .. }) => {
            Session::new(profile.clone(), settings.platform, plan.flags())
        }
        Err(error) => return Err(error.into()),
    };
    plan.settings_for(profile, session.platform)?;
    plan.check(session.platform, Some(&session))?;
    Ok(session)
}

fn conclude(profile: &ProfileId, end: RunEnd) -> Result<u8, CommandError> {
    match end.outcome {
        RunOutcome::Completed => Ok(0),
        RunOutcome::Stopped => {
            writeln!(std::io::stderr(), "stopped; go on with: regatta run {profile}").ok();
            Ok(RunOutcome::Stopped.exit_code())
        }
        _ => Err(end.into()),
    }
}

fn waits_for_a_person(profile: &ProfileId, session: &Session) -> CommandError {
    let why = session.last_error.as_ref().map_or("a step is in doubt", |error| error.message.as_str());
    CommandError::new(RunOutcome::NeedsAttention, format!("`{profile}` needs a person: {why}"))
        .hint(format!("look, then answer: regatta resolve {profile} --done | --again"))
}

/// A run would move the document aside and end; this only says so.
fn refuse_damaged(layout: &Layout, profile: &ProfileId) -> Result<(), CommandError> {
    match read(layout, profile) {
        Err(error @ SessionError::Damaged { moved_to: None, .. }) => Err(CommandError::from(error)
            .context("a run would move it aside and end with this error, without doing a step")),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Refuses a doubt that no verify flow can resolve: only a person can.
fn refuse_unverifiable(plan: &Plan, session: &Session) -> Result<(), CommandError> {
    let doubted = session.in_flight.as_ref().map(|in_flight| &in_flight.flag);
    let is_verifiable = doubted
        .and_then(|flag| plan.step(flag))
        .is_some_and(|step| step.in_doubt == InDoubt::Verify && step.verify_for(session.platform).is_some());
    if is_verifiable {
        return Ok(());
    }
    let why = match doubted {
        Some(flag) => format!("step `{flag}` has no verify flow that could ask the site"),
        None => "no step is in doubt, so there is nothing to ask the site".to_owned(),
    };
    Err(waits_for_a_person(&session.profile_id, session).more(why))
}

fn refuse_step_beside_doubt(args: &RunArgs, session: &Session) -> Result<(), CommandError> {
    let doubted = session.in_flight.as_ref().map(|in_flight| &in_flight.flag);
    match (&args.step, doubted) {
        (Some(step), Some(doubted)) if step != doubted => Err(CommandError::usage(format!(
            "step `{doubted}` may or may not have happened; it comes before `{step}`"
        ))
        .hint(format!("run it first: regatta run {} --step {doubted}", args.profile))),
        _ => Ok(()),
    }
}

/// A tab of the attempt that was cut off may still be at work in the open browser, where it cannot be distinguished
/// from a person's own and is not closed. A "no" of the site would then prove nothing.
fn refuse_to_join_beside_doubt(args: &RunArgs, session: &Session) -> Result<(), CommandError> {
    match &session.in_flight {
        Some(in_flight) if args.attach => Err(CommandError::usage(format!(
            "step `{}` may or may not have happened, and a tab of the open browser may still be doing it",
            in_flight.flag
        ))
        .hint(format!(
            "close the browser, then run without --attach; or look, and answer: regatta resolve {} --done | --again",
            args.profile
        ))),
        _ => Ok(()),
    }
}

/// Ends as the run would, as far as that is known without a browser.
fn dry_run(settings: &Settings, plan: &Plan, args: &RunArgs) -> Result<u8, CommandError> {
    let profile = &args.profile;
    refuse_damaged(&settings.layout, profile)?;
    let session = check(settings, plan, profile)?;
    let lock = settings.layout.session_lock(profile);
    if lock::is_held(&lock)? {
        return Err(SessionError::Busy { profile: profile.clone(), holder: lock::holder(&lock) }.into());
    }
    if session.status == Status::NeedsAttention {
        return Err(waits_for_a_person(profile, &session));
    }
    refuse_step_beside_doubt(args, &session)?;
    let doubted = session.in_flight.as_ref().and_then(|in_flight| plan.step(&in_flight.flag));
    let asked = doubted.filter(|step| !session.completion_flags.is_set(&step.flag)).and_then(|step| {
        let problem = step.unanswerable_doubt(session.platform)?;
        Some(format!("step `{}`: {problem}", step.flag))
    });
    if let Some(message) = plan.orphaned_doubt(&session).map(|(_, message)| message).or(asked) {
        return Err(CommandError::new(RunOutcome::NeedsAttention, message).hint(format!(
            "look, then: regatta run {profile}, and answer: regatta resolve {profile} --done | --again"
        )));
    }
    let last = args.until.as_ref().and_then(|until| plan.steps.iter().position(|step| step.flag == *until));
    let chosen = |flag: &Flag| {
        let place = plan.steps.iter().position(|step| step.flag == *flag);
        args.step.as_ref().is_none_or(|only| only == flag) && last.is_none_or(|last| place <= Some(last))
    };
    let missing = plan.check(session.platform, Some(&session))?;
    if let Some((field, flag)) = missing.iter().find(|(_, flag)| chosen(flag)) {
        let message =
            format!("step `{flag}` needs `identity.{field}`, which `{}` does not have", args.profile);
        return Err(CommandError::new(RunOutcome::NeedsAttention, message).hint(format!(
            "a run asks for it; then: regatta resolve {} --again --set identity.{field}",
            args.profile
        )));
    }
    let mut beyond = false;
    for step in &plan.steps {
        let in_doubt = session.in_flight.as_ref().is_some_and(|in_flight| in_flight.flag == step.flag);
        let only_other = args.step.as_ref().is_some_and(|only| *only != step.flag);
        let would = if session.completion_flags.is_set(&step.flag) {
            "done before"
        } else if beyond || only_other {
            "would be left open"
        } else if in_doubt {
            "in doubt: would be looked into first"
        } else {
            "would run"
        };
        crate::report::say!("{:<24} {would:<36} {}", step.flag, step.flow_for(session.platform).file);
        beyond |= args.until.as_ref() == Some(&step.flag);
    }
    Ok(0)
}
