//! `regatta play FLOW.json`: one flow alone, in a temporary browser, in a
//! profile's, or in one that runs already. What an author uses while writing a flow.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc::UnboundedReceiver;

use super::command_error::CommandError;
use super::complete;
use super::global_args::{BROWSER, OUTPUT, WHAT};
use super::name_value::{NameValue, parse_identity_variable, parse_name};
use super::runtime::block_on;
use super::settings::{Settings, variables};
use super::{hint, load, resolve, signals};
use crate::providers::temporary_browser::{self, TemporaryBrowser, play_profile};
use crate::providers::{ProviderNews, StartOptions};
use crate::report::play_console::PlayConsole;
use crate::run::{
    AttachedBrowser, BrowserHost, FlowPlay, LiveBrowser, Pacing, RunEnd, SelectorStorage, StopWatch,
};
use crate::store::{HeldProfile, Layout};
use regatta_core::error_chain::with_cause;
use regatta_core::event::play::origins;
use regatta_core::evidence::TraceMode;
use regatta_core::flow::Flow;
use regatta_core::flow::validation::ValidationContext;
use regatta_core::id::{ProfileId, RunId};
use regatta_core::origin;
use regatta_core::outcome::RunOutcome;
use regatta_core::session::{Identity, Platform};
use regatta_core::workflow::block::Block;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::parse_duration;
use regatta_core::workflow::plan::{ProfileSettings, check_flow};
use regatta_core::workflow::template::{Names, Scope, TOTP_SECRET_FIELD};
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta play flows/signup.json --headed --slow 1s
  regatta play recording.json --set site=http://127.0.0.1:8800 --set identity.email=a@practice.test
  regatta play flows/signup.json --profile k18imh7u
  regatta play flows/signup.json --endpoint ws://127.0.0.1:9222/devtools/browser/…

Writing a flow: record it in the Recorder panel of Chrome's DevTools, export it as JSON, play it \
here, and put templates ({{ identity.email }}) in the place of what was typed. Each step is printed \
with its time as it happens; a step that fails says what it looked for and leaves a screenshot, the \
page and the console. No session and no flag is written, and what the flow captures is forgotten.

The page may go to the allowed_origins of the folder's workflow, or, where the folder has none, to \
the origins that the flow's own navigate steps name; and to those of --allow.

Exit codes:
  0 played to its end
  1 a step failed
  2 wrong usage, settings or flow
  3 handed off to a person
  4 a run holds the profile
  5 no browser
  7 stopped")]
pub struct PlayArgs {
    /// The flow: a recording, exported as JSON
    #[arg(value_name = "FLOW", add = complete::flow_files())]
    pub flow: PathBuf,
    /// Set a variable, or identity.FIELD; without a value, a field is asked for and not shown
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_name, help_heading = WHAT)]
    pub set: Vec<NameValue>,
    /// Set an identity field to what a variable of the environment holds
    #[arg(long, value_name = "identity.FIELD=VARIABLE", value_parser = parse_identity_variable, help_heading = WHAT)]
    pub set_env: Vec<(String, String)>,
    /// One more origin that the page may go to; may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin, help_heading = WHAT)]
    pub allow: Vec<String>,
    /// Pause between two steps, as in 1s [default: none]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true, help_heading = WHAT)]
    pub slow: Option<Duration>,
    /// Accept the page's own dialogs instead of dismissing them, and answer prompts with TEXT
    #[arg(long, value_name = "TEXT", num_args = 0..=1, help_heading = WHAT)]
    pub accept_dialogs: Option<Option<String>>,
    /// Play in this profile's browser and with its identity [default: a throw-away Chromium]
    #[arg(long, value_name = "PROFILE", conflicts_with = "endpoint", help_heading = BROWSER, add = complete::profiles())]
    pub profile: Option<ProfileId>,
    /// Play in a new tab of a browser that runs already
    #[arg(long, value_name = "WS", value_parser = parse_endpoint, help_heading = BROWSER)]
    pub endpoint: Option<String>,
    /// Join the profile's browser that is already open, also one that a person opened, and leave it open
    #[arg(long, requires = "profile", conflicts_with = "headed", help_heading = BROWSER)]
    pub attach: bool,
    /// Show the browser's window
    #[arg(long, conflicts_with = "endpoint", help_heading = BROWSER)]
    pub headed: bool,
    /// Keep a trace of everything that is played
    #[arg(long, help_heading = OUTPUT)]
    pub trace: bool,
    /// Print events as JSON lines
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// The flow to play, and the profile that it is played for.
struct PlayedFlow {
    flow: Flow,
    /// Where there is none, a name for templates and for the browser that is thrown away.
    profile: ProfileId,
    platform: Platform,
    identity: Identity,
    totp_used: Option<u64>,
    profile_settings: ProfileSettings,
    dialogs: DialogPolicy,
    pause: Duration,
    artifacts: PathBuf,
}

pub fn play(settings: &Settings, args: PlayArgs) -> Result<u8, CommandError> {
    super::log::to_stderr();
    let flow = load::flow(settings, &args.flow)?;
    let run_id = RunId::new(jiff::Timestamp::now(), rand::random());
    // Held until the end: no run of this profile meets us in its browser.
    let held = args.profile.as_ref().map(|profile| hold(settings, profile, &run_id)).transpose()?;
    let played = played(settings, &args, flow, held.as_ref(), &run_id)?;
    let console = PlayConsole::new(args.json, settings.terminal, settings.color);
    let session = held.as_ref().and_then(|held| held.session.as_ref());
    let launch = session.map(load::launch).transpose()?.unwrap_or_default();
    let headless = match held {
        Some(_) => load::headless(settings, args.headed, launch),
        None => !args.headed,
    };
    let start = StartOptions { headless, platform: played.platform };
    let trace = if args.trace { TraceMode::Always } else { settings.trace };
    let allowed_origins = played.profile_settings.allowed_origins.clone();
    let block = played.profile_settings.block.clone();

    let selectors = match settings.workflow.exists() {
        true => SelectorStorage::Cached(settings.layout.clone()),
        false => SelectorStorage::Forgotten,
    };
    let (provider_news, observer) = load::provider_news();
    let end = if let Some(ws) = args.endpoint {
        let platform = played.platform;
        let attached = AttachedBrowser { ws, platform, allowed_origins, block, selectors, trace };
        perform(&played, attached, provider_news, &settings.layout, &console)?
    } else {
        let live = |provider, layout| LiveBrowser {
            provider,
            profile: played.profile.clone(),
            start,
            allowed_origins,
            block,
            selectors,
            trace,
            layout,
            downloads: played.artifacts.join("downloads"),
            join: args.attach,
        };
        if held.is_some() {
            perform(
                &played,
                live(load::provider_of(settings, launch, Some(observer))?, settings.layout.clone()),
                provider_news,
                &settings.layout,
                &console,
            )?
        } else {
            sweep(settings)?;
            let place = TemporaryBrowser::new(&run_id)?;
            let provider = load::chromium(settings, place.layout.clone());
            let end = perform(
                &played,
                live(std::sync::Arc::new(provider), place.layout.clone()),
                provider_news,
                &settings.layout,
                &console,
            )?;
            place.close();
            end
        }
    };
    console.finish();
    match end.outcome {
        RunOutcome::Completed => Ok(0),
        RunOutcome::Stopped => {
            eprintln!("stopped");
            Ok(RunOutcome::Stopped.exit_code())
        }
        _ => Err(end.into()),
    }
}

fn perform<O: BrowserHost>(
    played: &PlayedFlow,
    browser_host: O,
    provider_news: UnboundedReceiver<ProviderNews>,
    layout: &Layout,
    console: &PlayConsole,
) -> Result<RunEnd, CommandError> {
    let (sender, stop) = StopWatch::new();
    let flow_play = FlowPlay {
        flow: &played.flow,
        profile_id: played.profile.clone(),
        platform: played.platform,
        identity: played.identity.clone(),
        totp_used: played.totp_used,
        variables: played.profile_settings.variables.clone(),
        browser_host,
        provider_news,
        provider_hint: hint::of_provider,
        dialogs: played.dialogs.clone(),
        http_auth: played.profile_settings.http_auth.clone(),
        pacing: Pacing::new(layout, &played.profile_settings.pace),
        pause: played.pause,
        artifacts: played.artifacts.clone(),
        stop,
        observe: Box::new(|event| console.show(event)),
    };
    block_on(async {
        let signals = signals::listen()?;
        tokio::select! {
            end = flow_play.play() => Ok(end),
            () = signals::ask_to_stop(signals, sender, |_| console.note("stopping")) => unreachable!("signals are awaited forever"),
        }
    })
}

fn hold(settings: &Settings, profile: &ProfileId, run_id: &RunId) -> Result<HeldProfile, CommandError> {
    settings.layout.create_folders()?;
    Ok(HeldProfile::take(&settings.layout, profile, run_id, jiff::Timestamp::now())?)
}

fn played(
    settings: &Settings,
    args: &PlayArgs,
    flow: Flow,
    held: Option<&HeldProfile>,
    run_id: &RunId,
) -> Result<PlayedFlow, CommandError> {
    let session = held.and_then(|held| held.session.as_ref());
    let platform = session.map_or(settings.platform, |session| session.platform);
    let (profile, artifacts) = match &args.profile {
        Some(profile) => (profile.clone(), settings.layout.artifacts(profile).join(format!("{run_id}-play"))),
        None => (play_profile(), settings.layout.play_artifacts().join(run_id.as_str())),
    };
    let mut identity = session.map(|session| session.identity.clone()).unwrap_or_default();
    let totp_used = session.and_then(|session| session.totp_used.get(TOTP_SECRET_FIELD).copied());
    for (field, value) in resolve::from_environment(&args.set_env)? {
        identity.set(&field, &value);
    }
    let mut assigned = Vec::new();
    for assignment in &args.set {
        match assignment {
            NameValue::Variable(name, value) => assigned.push((name.clone(), value.clone())),
            NameValue::Identity(field, Some(value)) => identity.set(field, value),
            NameValue::Identity(field, None) => identity.set(field, &resolve::ask_for(field)?),
        }
    }
    let of_workflow = load::workflow_setting(settings, &assigned, &flow, &profile, platform)?;
    let mut profile_settings = of_workflow.unwrap_or_else(|| {
        let variables = variables(&assigned);
        let scope = Scope {
            profile_id: &profile,
            platform,
            identity: &identity,
            variables: &variables,
            now: jiff::Timestamp::now(),
        };
        let (allowed_origins, dialogs) = (origins(&flow, &scope), DialogPolicy::Dismiss);
        ProfileSettings {
            allowed_origins,
            variables,
            block: Block::default(),
            dialogs,
            http_auth: Vec::new(),
            pace: Vec::new(),
        }
    });
    profile_settings.allowed_origins.extend(args.allow.iter().cloned());
    let scope = Scope {
        profile_id: &profile,
        platform,
        identity: &identity,
        variables: &profile_settings.variables,
        now: jiff::Timestamp::now(),
    };
    check(&flow, &profile_settings, scope)?;
    let pause = args.slow.unwrap_or_default();
    let dialogs = match &args.accept_dialogs {
        None => profile_settings.dialogs.clone(),
        Some(None) => DialogPolicy::Accept,
        Some(Some(text)) => DialogPolicy::AcceptWith(text.clone()),
    };
    Ok(PlayedFlow {
        flow,
        profile,
        platform,
        identity,
        totp_used,
        profile_settings,
        dialogs,
        pause,
        artifacts,
    })
}

/// Checks what can be checked before a browser starts.
fn check(flow: &Flow, profile_settings: &ProfileSettings, scope: Scope<'_>) -> Result<(), CommandError> {
    let names = Names {
        identity: scope.identity.iter().map(|(name, _)| name.to_owned()).collect(),
        variables: profile_settings.variables.keys().cloned().collect(),
    };
    let around = ValidationContext {
        allowed_origins: &profile_settings.allowed_origins,
        scope: Some(scope),
        step: None,
    };
    let missing = check_flow(flow, names, around)?;
    let Some(first) = missing.first() else { return Ok(()) };
    let all: Vec<_> = missing.iter().map(|field| format!("identity.{field}")).collect();
    Err(CommandError::usage(format!("the flow {} uses {}", flow.file, all.join(", ")))
        .hint(format!("give it a value: --set identity.{first}=VALUE; or --profile ID of one that has it")))
}

/// Removes what a killed `play` left. Where that fails, the flow is played all the same: `clean` says why.
fn sweep(settings: &Settings) -> Result<(), CommandError> {
    block_on(async {
        let chromium = load::chromium_settings(settings);
        for left in temporary_browser::find_left(&chromium).await {
            if let Err(error) = left.end(&chromium).await {
                tracing::warn!("{}", with_cause(&error));
            }
        }
        Ok(())
    })
}

fn parse_origin(text: &str) -> Result<String, String> {
    origin::parse_origin(text)
        .ok_or_else(|| "expected scheme, host and port: https://app.example.test".to_owned())
}

fn parse_endpoint(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "ws" | "wss") && url.has_host() => Ok(text.to_owned()),
        _ => Err("expected the browser's address: ws://127.0.0.1:9222/devtools/browser/…".to_owned()),
    }
}
