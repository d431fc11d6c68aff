//! The raw arguments, and the help that teaches them. Resolved once, in [`super::settings`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::failure::Failure;
use super::quantity::{Bytes, MaxRuns, parse_load};
use crate::domain::id::{Flag, InvalidProfileId, ProfileId};
use crate::domain::overview::Shown;
use crate::domain::plan::origin;
use crate::domain::workflow::{InvalidDuration, parse_duration};

/// Drive many browser profiles through the same ordered steps, and lose nothing when anything dies.
#[derive(Debug, Parser)]
#[command(
    name = "regatta",
    version,
    propagate_version = true,
    after_help = "\
Start here:
  regatta init onboarding          a commented folder that runs
  regatta doctor                   is everything there that a run needs?
  regatta play flows/signup.json   one flow by itself, while you write it
  regatta run k18imh7u --headed    one profile, to watch and debug
  regatta orchestrate --max 5 profiles.txt

Exit codes of `run`:
  0 completed   1 a step failed   2 wrong usage, settings or workflow   3 needs a person
  4 another run holds the profile   5 no browser   6 session document damaged   7 stopped"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// The operator's folder: settings, workflow, flows, state, logs
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".", global = true)]
    pub folder: PathBuf,
    /// Who starts the browsers; overrides regatta.toml
    #[arg(long, value_enum, global = true)]
    pub provider: Option<ProviderName>,
    /// Where AdsPower's Local API answers; overrides regatta.toml
    #[arg(long, value_name = "URL", env = "REGATTA_ADSPOWER_URL", global = true)]
    pub adspower_url: Option<String>,
    /// Colours: auto means on a terminal without NO_COLOR
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true)]
    pub color: ColorChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    /// A local Chromium, one user-data folder per profile
    Chromium,
    /// AdsPower's Local API
    Adspower,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive one profile through its open steps
    Run(RunArgs),
    /// Play one flow by itself, while you write it
    Play(PlayArgs),
    /// Drive a fleet: one isolated `run` process per profile
    Orchestrate(OrchestrateArgs),
    /// Show where every profile stands
    Status(StatusArgs),
    /// Show what a profile's runs wrote
    Logs(LogsArgs),
    /// Watch the folder full-screen, with keys to act
    Watch(WatchArgs),
    /// Serve a page that shows the folder live, on this machine
    Dashboard(DashboardArgs),
    /// Write what the profiles did as a page, JUnit XML, CSV and JSON
    Report(ReportArgs),
    /// Make a commented folder that runs
    Init(InitArgs),
    /// Check settings, workflow and flows without starting anything
    Validate(ValidateArgs),
    /// Forget that steps were done, so that they run again
    Reset(ResetArgs),
    /// Answer for a profile that needs a person
    Resolve(ResolveArgs),
    /// End what dead runs of this folder left running
    Clean(CleanArgs),
    /// Look for everything a run needs, each finding with its remedy
    Doctor(DoctorArgs),
    /// Show, accept and forget what runs have learnt of the selectors
    Selectors(SelectorsArgs),
    /// Move sessions in and out of the folder
    Sessions(SessionsArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
}

#[derive(Debug, Clone, Args)]
pub struct BrowserArgs {
    /// Show the browser's window
    #[arg(long)]
    pub headed: bool,
    /// Set a variable of the workflow; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_assignment)]
    pub set: Vec<(String, String)>,
    /// Send a trace of each run over OTLP; a set OTEL_EXPORTER_OTLP_ENDPOINT does the same
    #[arg(long)]
    pub otlp: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta run k18imh7u
  regatta run k18imh7u --headed --step store_signup --keep-browser
  regatta run k18imh7u --dry-run
  regatta run k18imh7u --set site=http://127.0.0.1:8800

A failed step leaves screenshot, page and console under artifacts/ and names them. Run the
same command again to go on: steps that are done are not done twice.")]
pub struct RunArgs {
    /// The profile's id, as its provider names it
    pub profile: ProfileId,
    /// Run only this step
    #[arg(long, value_name = "FLAG", conflicts_with = "until")]
    pub step: Option<Flag>,
    /// Stop after this step
    #[arg(long, value_name = "FLAG")]
    pub until: Option<Flag>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Leave the browser open at the end
    #[arg(long)]
    pub keep_browser: bool,
    /// Print events as JSON lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub browser: BrowserArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta play flows/signup.json --headed --slow 1s
  regatta play recording.json --set site=http://127.0.0.1:8800 --set identity.email=a@practice.test
  regatta play flows/signup.json --profile k18imh7u
  regatta play flows/signup.json --endpoint ws://127.0.0.1:9222/devtools/browser/…

Writing a flow: record it in the Recorder panel of Chrome's DevTools, export it as JSON, play it
here, and put templates ({{ identity.email }}) in the place of what was typed. Each step is printed
with its time as it happens; a step that fails says what it looked for and leaves screenshot, page
and console. Nothing is written down: no session, no flag, and what a flow captures is forgotten.

The page may go to the allowed_origins of the folder's workflow, or, where the folder has none, to
the origins that the flow's own navigate steps name; and to those of --allow.

Exit codes: as `run`: 0 played to its end   1 a step failed   2 wrong usage, settings or flow
            3 handed off to a person   4 a run holds the profile   5 no browser   7 stopped")]
pub struct PlayArgs {
    /// The flow: a recording, exported as JSON
    pub flow: PathBuf,
    /// Play in this profile's browser and with its identity, instead of a throw-away Chromium
    #[arg(long, value_name = "ID", conflicts_with = "endpoint")]
    pub profile: Option<ProfileId>,
    /// Play in a new tab of a browser that runs already
    #[arg(long, value_name = "WS", value_parser = parse_endpoint)]
    pub endpoint: Option<String>,
    /// Set a variable, or identity.FIELD; without a value a field is asked for and not shown
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_name)]
    pub set: Vec<Assignment>,
    /// One more origin that the page may go to; may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    pub allow: Vec<String>,
    /// Show the browser's window
    #[arg(long, conflicts_with = "endpoint")]
    pub headed: bool,
    /// Pause between two steps
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub slow: Option<Duration>,
    /// Accept the page's own dialogs instead of dismissing them; a TEXT is what a prompt gets
    #[arg(long, value_name = "TEXT", num_args = 0..=1)]
    pub accept_dialogs: Option<Option<String>>,
    /// Keep a trace of everything that is played
    #[arg(long)]
    pub trace: bool,
    /// Print events as JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    Variable(String, String),
    /// Without a value it is asked for.
    Identity(String, Option<String>),
}

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

A source is a list (one profile id a line; # starts a comment), a table (.csv), JSON lines (.jsonl),
- for standard input (csv:- and jsonl:- for the others), sqlite:FILE?query=SQL,
postgres://USER@HOST/DATABASE?query=SQL, http(s)://… (a JSON array), adspower:all or
adspower:group=NAME. Its columns are profile_id (or id), platform, priority (higher ones first),
identity.FIELD and variables.NAME: what the session of a new profile begins with. A session that
is there already wins. Passwords and tokens are named in regatta.toml, never here.

Ctrl-C once: launch nothing more and
let runs stop after their current step. Twice: end them now. Start it again to go on.

With --json standard output has a JSON object a line: what runs tell, as in their event files, what
the fleet does, and the report as the last one, of type fleet_finished. Words go to standard error.

A run over its time is asked to stop after its step, 10 s later told to stop now, 10 s later
killed. --stall is twice the longest step's timeout and at least 5m, unless it is given.
Launches wait while the machine is short of what is asked for, or the provider is down.

Exit codes: 0 all completed   1 some failed   2 wrong usage   3 none failed, some need a person
            4 another orchestrator holds the folder   7 stopped")]
pub struct OrchestrateArgs {
    /// The same as --source; profiles.txt where nothing names one
    #[arg(value_name = "SOURCE")]
    pub profiles: Option<String>,
    #[command(flatten)]
    pub intake: IntakeArgs,
    /// Where outcomes go, in the place of [outcomes] `to` in regatta.toml
    #[arg(long, value_name = "URL")]
    pub outcomes: Option<String>,
    /// How many runs at once; `auto`: as many as the machine carries
    #[arg(long, value_name = "N")]
    pub max: Option<MaxRuns>,
    /// Launch only while so much memory stays free, as in 1GiB
    #[arg(long, value_name = "SIZE")]
    pub min_free_memory: Option<Bytes>,
    /// Launch only while the load for each processor is lower
    #[arg(long, value_name = "LOAD", value_parser = parse_load)]
    pub max_load: Option<f64>,
    /// How long one run may take; then it is stopped, and tried again
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub run_timeout: Option<Duration>,
    /// How long a run may say nothing; then it is stopped, and tried again
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub stall: Option<Duration>,
    /// Between two launches, give or take a third
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub stagger: Option<Duration>,
    /// How often a failed run is started again
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Serve the dashboard as long as the fleet runs
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = LISTEN)]
    pub dashboard: Option<SocketAddr>,
    #[command(flatten)]
    pub page: PageArgs,
    /// Print one JSON object a line as it happens, the closing report as the last one
    #[arg(long)]
    pub json: bool,
    /// Print only failures and the closing table
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub browser: BrowserArgs,
}

#[derive(Debug, Args)]
pub struct IntakeArgs {
    /// Where profiles come from; overrides [source] of regatta.toml
    #[arg(long, value_name = "SOURCE", conflicts_with = "profiles")]
    pub source: Option<String>,
    /// Read the source again so often (30s), and take what is new until Ctrl-C
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30s", value_parser = parse_time)]
    pub follow: Option<Duration>,
    /// Take at most so many profiles that have something to do
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Take them in an order of chance; the same SEED gives the same order
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub shuffle: Option<Option<u64>>,
    /// Take only profiles that stand so, as `status` shows them
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub only_status: Vec<StatusName>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta status
  regatta status k18imh7u --json
  regatta status --watch
  regatta status --status failed,needs_attention --sort error
  regatta status --step store_signup

INTERRUPTED is a profile whose run died: run it again to go on.")]
pub struct StatusArgs {
    /// Only these profiles
    pub profiles: Vec<ProfileId>,
    /// One JSON document
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,
    /// Only profiles with this status, as it is shown; several with commas between them
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<StatusName>,
    /// Only profiles that stand at this step
    #[arg(long, value_name = "FLAG")]
    pub step: Option<Flag>,
    #[arg(long, value_enum, value_name = "COLUMN", default_value_t = SortBy::Profile)]
    pub sort: SortBy,
    /// Show again every second, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    Profile,
    Status,
    Steps,
    Error,
}

/// In any case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusName(pub Shown);

impl FromStr for StatusName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Shown::ALL.into_iter().find(|shown| shown.as_str().eq_ignore_ascii_case(text));
        found.map(Self).ok_or_else(|| {
            let names = Shown::ALL.map(Shown::as_str).join(", ");
            format!("no profile is ever `{text}`: {names}")
        })
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta logs k18imh7u -n 20
  regatta logs k18imh7u --follow
  regatta logs k18imh7u --events | tail -1")]
pub struct LogsArgs {
    pub profile: ProfileId,
    /// Go on showing what is written
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
    /// The events (JSON lines) instead of the text
    #[arg(long)]
    pub events: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta watch

The list has what runs and what needs somebody first; the chosen profile stands beside or below it
with its steps, times, last error and log. Keys are named on the last line; what changes something
asks once more.")]
pub struct WatchArgs {
    #[command(flatten)]
    pub browser: BrowserArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta dashboard
  regatta dashboard --listen 127.0.0.1:0
  ssh -L 7700:127.0.0.1:7700 HOST      then open the address here

Shows fleets and lone runs alike, and what was done where nothing runs. /metrics is for
Prometheus, /healthz for whoever asks whether it lives. Who opens the printed address with its
token may start, stop and reset profiles; REGATTA_DASHBOARD_TOKEN sets the token, which is then
not printed. Ctrl-C ends the page and nothing else.")]
pub struct DashboardArgs {
    #[command(flatten)]
    pub page: PageArgs,
    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub browser: BrowserArgs,
}

/// Where the dashboard listens unless it is told.
pub const LISTEN: &str = "127.0.0.1:7700";

#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// A name by which others reach the page, needed to listen elsewhere than on this machine; may be repeated
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta report
  regatta report --out artifacts/nightly
  regatta report --stdout csv k18imh7u k19abcde > two.csv

Writes report.html, report.junit.xml, report.csv and report.json into report/. The page is one
file that asks nobody for anything. A fleet writes the same at its end, of its own profiles.")]
pub struct ReportArgs {
    /// Only these profiles; `-` reads their ids from standard input
    #[arg(value_name = "PROFILE")]
    pub profiles: Vec<Named>,
    /// The folder to write into, instead of report/
    #[arg(short, long, value_name = "DIR", conflicts_with = "stdout")]
    pub out: Option<PathBuf>,
    /// Print one of them instead
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub stdout: Option<ReportFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    One(ProfileId),
    InStandardInput,
}

impl FromStr for Named {
    type Err = InvalidProfileId;

    fn from_str(text: &str) -> Result<Self, InvalidProfileId> {
        if text == "-" { Ok(Self::InStandardInput) } else { text.parse().map(Self::One) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Junit,
    Csv,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta init onboarding
  regatta -C onboarding run profile-1 --headed")]
pub struct InitArgs {
    /// The folder to make
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta validate
  regatta -C onboarding validate --set site=http://127.0.0.1:8800")]
pub struct ValidateArgs {
    /// Set a variable of the workflow; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_assignment)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta reset k18imh7u --step store_signup
  regatta reset k18imh7u

Identity fields are kept.")]
pub struct ResetArgs {
    pub profile: ProfileId,
    /// Only this step
    #[arg(long, value_name = "FLAG")]
    pub step: Option<Flag>,
}

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

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta clean --dry-run
  regatta clean
  regatta clean k18imh7u --json

Ended are browsers that runs of this folder opened, one kept open with --keep-browser too, and
processes that carry the mark of a run. Profiles that are being run are left alone, and so is
everything else. A fleet and the next run of a profile do the same by themselves.

Exit codes: 0 nothing is left   1 something does not end")]
pub struct CleanArgs {
    /// Only these profiles
    pub profiles: Vec<ProfileId>,
    /// Show what would be ended, and touch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta sessions export --reveal -o fleet.json
  regatta -C elsewhere sessions import fleet.json
  regatta sessions import people.csv --dry-run

JSON carries whole documents. A table (.csv) has the columns profile_id, status, platform,
completion_flags.FLAG, identity.FIELD, variables.NAME, in_flight and last_error; on the way in only
profile_id is needed.")]
pub struct SessionsArgs {
    #[command(subcommand)]
    pub command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Make sessions from a file; one that is there already is kept
    Import(SessionsImportArgs),
    /// Print sessions, or write them into a file
    Export(SessionsExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all are there as the file says   1 some were there and differ   2 the file is wrong")]
pub struct SessionsImportArgs {
    /// .csv, .json or .jsonl
    pub file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct SessionsExportArgs {
    /// Only these profiles
    pub profiles: Vec<ProfileId>,
    /// Show the values of identities; without it they cannot be imported again
    #[arg(long)]
    pub reveal: bool,
    /// The form; by the name of the file where there is one, else json
    #[arg(long, value_enum)]
    pub format: Option<TableFormat>,
    /// Into a file that only its owner can read
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    Csv,
    Json,
    Jsonl,
}

impl TableFormat {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let extension =
            path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
        Self::from_str(&extension, true)
            .map_err(|_| Failure::usage(format!("`{}` is neither .csv nor .json nor .jsonl", path.display())))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta doctor
  regatta doctor --json

Exit codes: 0 nothing stands in the way of a run   1 something does")]
pub struct DoctorArgs {
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors list
  regatta selectors explain flows/store.json 5
  regatta selectors accept flows/store.json 5      writes the suggestion into the flow
  regatta selectors forget flows/store.json 5      the page is right: learn it anew

Runs remember which selector of a step matched, and what the element was like. A selector that
comes to match another element is not acted on. Where none matches, the element that is clearly
most like the one of before is suggested, or acted on where the workflow says heal = \"auto\".")]
pub struct SelectorsArgs {
    #[command(subcommand)]
    pub command: SelectorsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SelectorsCommand {
    /// A line for each step and page
    List(SelectorsListArgs),
    /// All that is known of a step, and why an element would be another one
    Explain(SelectorsExplainArgs),
    /// Write the suggestion for a step into its flow, as its last alternative
    Accept(SelectorsAcceptArgs),
    /// Learn a step, a flow or everything anew
    Forget(SelectorsForgetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors list
  regatta selectors list --json | jq '.[] | select(.suggestion)'")]
pub struct SelectorsListArgs {
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors explain flows/store.json 5
  regatta selectors explain flows/store.json --json")]
pub struct SelectorsExplainArgs {
    /// The flow, as the workflow names it
    pub flow: String,
    /// The step's number, as errors name it: 4, or 4.2 inside a `regatta.when`
    pub step: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors accept flows/store.json 5

The flow file keeps its formatting: one alternative is added to the step's `selectors`.")]
pub struct SelectorsAcceptArgs {
    /// The flow, as the workflow names it
    pub flow: String,
    /// The step's number, as errors name it
    pub step: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors forget flows/store.json 5
  regatta selectors forget flows/store.json
  regatta selectors forget --all")]
pub struct SelectorsForgetArgs {
    /// The flow, as the workflow names it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub flow: Option<String>,
    /// Only this step
    pub step: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish")]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

fn parse_assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn parse_identity(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    match name.strip_prefix("identity.") {
        Some(field) if !field.is_empty() => Ok((field.to_owned(), value)),
        _ => Err("expected identity.FIELD or identity.FIELD=VALUE".to_owned()),
    }
}

fn parse_name(text: &str) -> Result<Assignment, String> {
    if text.starts_with("identity.") {
        return parse_identity(text).map(|(field, value)| Assignment::Identity(field, value));
    }
    parse_assignment(text).map(|(name, value)| Assignment::Variable(name, value))
}

fn parse_origin(text: &str) -> Result<String, String> {
    origin(text).ok_or_else(|| "expected scheme, host and port: https://app.example.test".to_owned())
}

fn parse_endpoint(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "ws" | "wss") && url.has_host() => Ok(text.to_owned()),
        _ => Err("expected the browser's address: ws://127.0.0.1:9222/devtools/browser/…".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<Duration, InvalidDuration> {
    parse_duration(text)
}
