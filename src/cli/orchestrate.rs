//! `regatta orchestrate`: a fleet, one isolated `run` process per profile.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::browser_args::{BrowserArgs, run_arguments};
use super::command_error::CommandError;
use super::complete;
use super::dashboard::{Dashboard, LISTEN, PageArgs};
use super::global_args::{GlobalArgs, HOW_LONG, HOW_MANY, OUTPUT, ProviderName, WHICH};
use super::quantity::{Bytes, MaxRuns, parse_attempts, parse_listen, parse_load, parse_profiles, parse_seed};
use super::runtime::block_on;
use super::settings::Settings;
use super::status_name::StatusName;
use super::{hint, load, outcomes, retention, source};
use crate::defaults;
use crate::orchestrate::profile_actions::RunCommand;
use crate::orchestrate::{Intake, OrchestrateError, OrchestrateOptions, orchestrate as drive_fleet};
use crate::report::dashboard::OrchestratorStatus;
use crate::report::fleet_console::FleetConsole;
use crate::report::notify::Notifier;
use crate::store::Layout;
use regatta_core::duration::in_words;
use regatta_core::error_chain::with_cause;
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::report::FleetReport;
use regatta_core::fleet::{Admission, TimeLimits};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::outcome::FleetOutcome;
use regatta_core::session::Platform;
use regatta_core::source::row::DeclaredVariables;
use regatta_core::workflow::parse_duration;
use regatta_core::workflow::plan::Plan;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta orchestrate profiles.txt
  regatta orchestrate --max 10 --stagger 2s profiles.txt
  regatta orchestrate --max auto --run-timeout 20m profiles.txt
  regatta orchestrate --json profiles.txt | jq -c 'select(.type==\"profile_ended\")'
  cut -d, -f1 export.csv | regatta orchestrate -
  regatta orchestrate --limit 100 --only-status FAILED,INTERRUPTED fleet.csv
  regatta orchestrate --follow=30s --source 'sqlite:fleet.db?query=select id from profiles'

A source is a list (one profile id a line; # starts a comment), a table (.csv), JSON lines (.jsonl), \
- for standard input (csv:- and jsonl:- for the others), sqlite:FILE?query=SQL, \
postgres://USER@HOST/DATABASE?query=SQL, http(s)://… (a JSON array), adspower:all, \
adspower:group=NAME, adspower:tag=NAME,NAME, adspower:no=12,15 or adspower:name=NAME; the last two may stand \
in a list, too, in the place of an id. Its columns are profile_id (or id), platform, priority (higher ones \
first), identity.FIELD, variables.NAME and adspower.SETTING: what the session of a new profile begins with. \
A session that is there already wins. Passwords and tokens are named in regatta.toml, never here.

Ctrl-C once: launch nothing more, and let runs stop after their current step. Twice: end them now. \
Start it again to go on.

With --json standard output has a JSON object a line: the events of the runs, as in their files, what \
the fleet does, and as the last one the report, of type fleet_finished. Words go to standard error.

A run over its time is asked to stop after its step, 10 s later to stop now, and 10 s later killed. \
Launches wait while the machine has less room than these options ask for, or the provider is down. \
Defaults stand below [fleet] in regatta.toml.

Exit codes:
  0 all completed
  1 some failed
  2 wrong usage
  3 none failed, some need a person
  4 another orchestrator holds the folder
  7 stopped")]
pub struct OrchestrateArgs {
    /// Where profiles come from, as --source [default: `from` below [source] in regatta.toml, else profiles.txt]
    #[arg(value_name = "SOURCE", add = complete::sources())]
    pub profiles: Option<String>,
    #[command(flatten)]
    pub intake: IntakeArgs,
    /// Ask the site again about steps that wait for a person's answer, and go on where it answers
    #[arg(long, help_heading = WHICH)]
    pub verify: bool,
    /// Runs at once; auto: as many as the machine carries [default: 5]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = HOW_MANY)]
    pub max: Option<MaxRuns>,
    /// Time between two launches, give or take a third [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true, help_heading = HOW_MANY)]
    pub stagger: Option<Duration>,
    /// Launch only while this much memory is free, as in 1GiB [default: no limit]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, help_heading = HOW_MANY)]
    pub min_free_memory: Option<Bytes>,
    /// Launch only while the load per processor is lower, as in 1.5 [default: no limit]
    #[arg(long, value_name = "LOAD", value_parser = parse_load, allow_negative_numbers = true, help_heading = HOW_MANY)]
    pub max_load: Option<f64>,
    /// Time for one run, as in 20m; after it the run is stopped and tried again [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true, help_heading = HOW_LONG)]
    pub run_timeout: Option<Duration>,
    /// Time without an event; after it the run is stopped and tried again [default: twice the longest
    /// step's timeout, at least 5m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true, help_heading = HOW_LONG)]
    pub stall: Option<Duration>,
    /// Times that a failed run is started again [default: 2]
    #[arg(long, value_name = "N", value_parser = parse_attempts, allow_negative_numbers = true, help_heading = HOW_LONG)]
    pub retries: Option<u32>,
    #[command(flatten)]
    pub browser: BrowserArgs,
    /// Where outcomes go [default: `to` below [outcomes] in regatta.toml, else nowhere]
    #[arg(long, value_name = "URL", help_heading = OUTPUT)]
    pub outcomes: Option<String>,
    /// Print one JSON object a line as it happens; the last one is the closing report
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Print only failures and the closing table
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Serve the dashboard while the fleet runs, at 127.0.0.1:7700 or at ADDRESS
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = LISTEN, value_parser = parse_listen, help_heading = OUTPUT)]
    pub dashboard: Option<SocketAddr>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Debug, Args)]
pub struct IntakeArgs {
    /// The same as the argument SOURCE
    #[arg(long, value_name = "SOURCE", conflicts_with = "profiles", help_heading = WHICH, add = complete::sources())]
    pub source: Option<String>,
    /// Read the source again every 30s, or every TIME, and take new profiles until Ctrl-C
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30s", value_parser = parse_duration, help_heading = WHICH)]
    pub follow: Option<Duration>,
    /// Take at most N profiles that have something to do [default: all]
    #[arg(long, value_name = "N", value_parser = parse_profiles, allow_negative_numbers = true, help_heading = WHICH)]
    pub limit: Option<usize>,
    /// Take them in random order; the same SEED gives the same order
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, value_parser = parse_seed, help_heading = WHICH)]
    pub shuffle: Option<Option<u64>>,
    /// Take only profiles with this status, as in failed,interrupted
    #[arg(long, value_name = "STATUS", value_delimiter = ',', help_heading = WHICH, add = complete::statuses())]
    pub only_status: Vec<StatusName>,
}

/// The longest that the calls around the stop of a browser may take, with their turns.
const ADSPOWER_STOP_CALLS: Duration = Duration::from_secs(10);

pub fn orchestrate(
    settings: &Settings,
    global: &GlobalArgs,
    args: OrchestrateArgs,
) -> Result<u8, CommandError> {
    // Reports what would make every run fail before any of them starts.
    let plan = load::plan(settings, &args.browser.set)?;
    let any_profile: ProfileId =
        "profile".parse().map_err(|error| CommandError::usage(format!("{error}")))?;
    for platform in [Platform::Desktop, Platform::Mobile] {
        plan.settings_for(&any_profile, platform)?;
        plan.check(platform, None)?;
    }
    let limits = limits(settings, &args, &plan)?;
    let intake = intake(settings, &args, &plan.variables())?;
    let outcomes = outcomes::sink(settings, args.outcomes.as_deref())?;
    load::create_folders(settings)?;
    let provider = load::provider(settings, None)?;
    let program = std::env::current_exe()
        .map_err(|error| CommandError::usage(format!("cannot find this program's own file: {error}")))?;
    let _log = super::log::to_folder(settings.layout.orchestrator_log_folder());
    let mut options = OrchestrateOptions::new(
        settings.layout.clone(),
        program.clone(),
        with_verify(run_arguments(global, &args.browser), args.verify),
        plan.flags().cloned().collect(),
    );
    let max = args.max.unwrap_or(settings.fleet.max);
    options.max = match max {
        MaxRuns::Of(max) => max.into(),
        // The machine holds them back, not a number.
        MaxRuns::Auto => u32::MAX,
    };
    options.admission = Admission {
        min_free_memory: args.min_free_memory.map(|Bytes(bytes)| bytes).or(settings.fleet.min_free_memory),
        max_load: args.max_load.or(settings.fleet.max_load),
        auto: max == MaxRuns::Auto,
    };
    options.provider_hint = hint::of_provider;
    options.limits = limits;
    options.outcomes = outcomes;
    options.stagger = args.stagger.unwrap_or(settings.fleet.stagger);
    options.retries = args.retries.unwrap_or(settings.fleet.retries);
    options.busy_retries = settings.fleet.busy_retries;
    options.seed = rand::random();
    if settings.provider == ProviderName::Adspower {
        // The stop's own bound, and the calls around it.
        let stop = settings.adspower.stop_timeout() * 2 + ADSPOWER_STOP_CALLS;
        options.browser_stop_bound = options.browser_stop_bound.max(stop);
    }
    // Standard output is for a program where it is JSON.
    let mut console = FleetConsole::new(
        settings.terminal && !args.json,
        settings.color && !args.json,
        args.quiet,
        args.json,
    )
    .map_err(|error| CommandError::usage(format!("cannot start what prints the events: {error}")))?;
    let page = match args.dashboard {
        Some(listen) => {
            let runs = RunCommand::new(&options.program, &options.run_arguments);
            let page = Dashboard::start(settings, listen, &args.page, runs, &name_and_steps(&plan))?;
            // Anything but a terminal may be a log, where no token belongs.
            let is_seen = std::io::stderr().is_terminal();
            eprintln!("dashboard: {}", if is_seen { page.address() } else { page.address_to_read() });
            Some(page)
        }
        None => None,
    };
    let mut status = OrchestratorStatus::default();
    let notifier = match settings.webhook.clone() {
        Some(webhook) => Some(
            Notifier::start(webhook)
                .map_err(|error| CommandError::usage(format!("cannot start the webhook: {error}")))?,
        ),
        None => None,
    };
    let driven = block_on(async {
        let mut observe = |notice: FleetNotice| {
            console.show(&notice);
            if let Some(notifier) = &notifier {
                notifier.observe(&notice);
            }
            if let Some(page) = &page {
                status.observe(&notice.fact);
                page.note(&status);
                if let FleetFact::ProfileEnqueued { profile } = notice.fact {
                    page.expect(profile);
                }
            }
        };
        Ok(drive_fleet(options, intake, provider, &mut observe).await)
    })?;
    match driven {
        Ok(report) => {
            console.finish(&report);
            conclude(&settings.layout, &program, &report, notifier, args.json);
            retention::after_fleet(settings);
            Ok(report.exit_code)
        }
        Err(OrchestrateError::Intake { problem, report }) => {
            let started = !report.profiles.is_empty();
            if started {
                console.finish(&report);
                conclude(&settings.layout, &program, &report, notifier, args.json);
            }
            Err(source::failure(&problem, started))
        }
        Err(OrchestrateError::ProviderRefuses { message, hint, report }) => {
            console.finish(&report);
            conclude(&settings.layout, &program, &report, notifier, args.json);
            Err(CommandError::usage(message).hint(hint))
        }
        Err(error) => Err(failure(error)),
    }
}

/// Its name and steps, as the page shows them.
fn name_and_steps(plan: &Plan) -> (String, Vec<Flag>) {
    (plan.name.clone(), plan.flags().cloned().collect())
}

/// Writes the report files and finishes the webhook. The fleet is over by then: a problem here is a
/// warning and does not change the exit code.
fn conclude(layout: &Layout, program: &Path, report: &FleetReport, notifier: Option<Notifier>, json: bool) {
    let fleet: Vec<_> = report.profiles.iter().map(|profile| &profile.profile_id).collect();
    match super::report::written_by(program, layout, &fleet) {
        Ok(true) if !json => crate::report::say!("report: {}", layout.report().join("report.html").display()),
        // One that was not written has said why.
        Ok(_) => {}
        Err(error) => eprintln!("warning: the report was not written: {error}"),
    }
    for problem in notifier.map(|notifier| notifier.finish(report)).unwrap_or_default() {
        eprintln!("warning: {problem}");
    }
}

fn intake(
    settings: &Settings,
    args: &OrchestrateArgs,
    declared: &DeclaredVariables,
) -> Result<Intake, CommandError> {
    let options = &args.intake;
    let given = options.source.as_deref().or(args.profiles.as_deref());
    Ok(Intake {
        source: source::open(settings, given, declared)?,
        follow: options.follow.or(settings.source.follow),
        limit: options.limit,
        shuffle: options.shuffle.map(|seed| seed.unwrap_or_else(rand::random)),
        only: options.only_status.iter().map(|status| status.0).collect(),
        verify: args.verify,
        platform: settings.platform,
        declared: declared.clone(),
    })
}

fn limits(settings: &Settings, args: &OrchestrateArgs, plan: &Plan) -> Result<TimeLimits, CommandError> {
    let longest = plan.steps.iter().max_by_key(|step| step.timeout);
    let given = args.stall.or(settings.fleet.stall);
    if let (Some(stall), Some(step)) = (given, longest)
        && stall <= step.timeout
    {
        let (flag, timeout) = (&step.flag, step.timeout);
        return Err(CommandError::usage(format!(
            "a stall of {} would end runs that work: step `{flag}` may say nothing for {}",
            in_words(stall),
            in_words(timeout)
        ))
        .hint(format!(
            "make it longer than the step's `timeout`: --stall {}s",
            (timeout * 2).as_secs_f64().ceil()
        )));
    }
    let stall = given
        .unwrap_or_else(|| longest.map_or(defaults::STALL, |step| defaults::STALL.max(step.timeout * 2)));
    let run = args.run_timeout.or(settings.fleet.run_timeout);
    Ok(TimeLimits { run, stall: Some(stall), ..TimeLimits::default() })
}

fn with_verify(mut arguments: Vec<OsString>, verify: bool) -> Vec<OsString> {
    arguments.extend(verify.then(|| "--verify".into()));
    arguments
}

fn failure(error: OrchestrateError) -> CommandError {
    let mut failure = CommandError::usage(with_cause(&error));
    match &error {
        OrchestrateError::Busy { .. } => {
            failure.exit_code = FleetOutcome::Busy.exit_code();
            failure.hint("wait for it, or stop it; `regatta status` shows what it does".to_owned())
        }
        OrchestrateError::Outbox { .. } => failure
            .hint("move it away to begin with a new one; what it holds is then not delivered".to_owned()),
        OrchestrateError::Store(error) => failure.hint(error.hint().map(str::to_owned)),
        _ => failure,
    }
}
