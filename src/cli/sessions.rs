//! `regatta sessions`: moves a fleet in and out of the folder.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use indexmap::IndexSet;
use serde_json::Value;

use super::command_error::CommandError;
use super::complete;
use super::global_args::{OUTPUT, WHAT};
use super::load;
use super::settings::Settings;
use super::source::found;
use super::unknown_names::refuse_unknown_profiles;
use crate::report::say;
use crate::store::session::SessionReader;
use crate::store::{OpenSession, SessionError, durable};
use regatta_core::id::{Flag, ProfileId, RunId};
use regatta_core::outcome::RunOutcome;
use regatta_core::session::Session;
use regatta_core::session::table::{
    SessionProblem, cells, check_variables, differences, document, from_cells, from_document, rank,
};
use regatta_core::text_file::TextFile;
use regatta_core::workflow::plan::Plan;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta sessions export --reveal -o fleet.json
  regatta -C elsewhere sessions import fleet.json
  regatta sessions import people.csv --dry-run

JSON carries whole documents. A table (.csv) has the columns profile_id, status, platform, \
completion_flags.FLAG, identity.FIELD, variables.NAME, extra.NAME for fields of your own, and one for \
each other part. It holds all that JSON holds; on the way in only profile_id is needed.")]
pub struct SessionsArgs {
    #[command(subcommand)]
    pub command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Make sessions from a file; those that exist are kept
    Import(SessionsImportArgs),
    /// Print sessions, or write them into a file
    Export(SessionsExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta sessions import people.csv --dry-run
  regatta -C elsewhere sessions import fleet.json

Exit codes:
  0 all sessions are as the file says
  1 some existed and differ
  2 the file is wrong")]
pub struct SessionsImportArgs {
    /// File to read: .csv, .json or .jsonl
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Say what the import would do, and do nothing
    #[arg(long, help_heading = WHAT)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta sessions export --reveal -o fleet.json
  regatta sessions export k18imh7u --format csv

Exit codes:
  0 all were exported
  1 some documents could not be read, and were left out")]
pub struct SessionsExportArgs {
    /// Export only these profiles [default: all]
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profiles: Vec<ProfileId>,
    /// Show the values of identities; without it they cannot be imported again
    #[arg(long, help_heading = WHAT)]
    pub reveal: bool,
    /// Form of the output [default: by the name of the file, else json]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: Option<TableFormat>,
    /// Write into this file, which only its owner can read [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
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
    pub fn of(path: &Path) -> Result<Self, CommandError> {
        let extension =
            path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
        Self::from_str(&extension, true).map_err(|_| {
            CommandError::usage(format!("`{}` is neither .csv nor .json nor .jsonl", path.display()))
        })
    }
}

/// The most problems that are listed; the rest are counted.
const LISTED: usize = 20;

pub fn sessions(settings: &Settings, args: SessionsArgs) -> Result<u8, CommandError> {
    match args.command {
        SessionsCommand::Import(args) => import(settings, &args),
        SessionsCommand::Export(args) => export(settings, &args),
    }
}

fn export(settings: &Settings, args: &SessionsExportArgs) -> Result<u8, CommandError> {
    let format = match (&args.format, &args.output) {
        (Some(format), _) => *format,
        (None, Some(path)) => TableFormat::of(path)?,
        (None, None) => TableFormat::Json,
    };
    refuse_unknown_profiles(settings, &args.profiles)?;
    let reader = SessionReader::new(&settings.layout)?;
    let profiles = if args.profiles.is_empty() { reader.profiles() } else { &args.profiles };
    let mut sessions = Vec::with_capacity(profiles.len());
    let mut left_out = Vec::new();
    for profile in profiles {
        match reader.read(profile) {
            Ok(Some(session)) => sessions.push(session),
            Ok(None) => {
                return Err(CommandError::usage(format!("profile {profile} has no session"))
                    .hint("a profile gets one with its first run; `regatta status` shows them".to_owned()));
            }
            // One document that cannot be read is no reason to keep the others back.
            Err(error @ (SessionError::Damaged { .. } | SessionError::Newer { .. })) => left_out.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = match format {
        TableFormat::Json => {
            let documents: Vec<_> = sessions.iter().map(|session| document(session, args.reveal)).collect();
            serde_json::to_string_pretty(&documents).unwrap_or_default() + "\n"
        }
        TableFormat::Jsonl => {
            sessions.iter().map(|session| format!("{}\n", document(session, args.reveal))).collect()
        }
        TableFormat::Csv => table(&sessions, args.reveal)?,
    };
    match &args.output {
        // Readable by its owner only: it may hold passwords.
        Some(path) => durable::write(path, bytes.as_bytes())?,
        // The reader may have gone (`| head`).
        None => std::io::stdout().write_all(bytes.as_bytes()).unwrap_or_default(),
    }
    if left_out.is_empty() { Ok(0) } else { Err(incomplete(sessions.len(), &left_out)) }
}

/// Names every document that was left out, with its own remedy.
fn incomplete(exported: usize, left_out: &[SessionError]) -> CommandError {
    let plural = if left_out.len() == 1 { "" } else { "s" };
    let message =
        format!("{} session{plural} could not be read and left out; {exported} exported", left_out.len());
    let mut failure = CommandError::new(RunOutcome::StepFailed, message);
    for error in left_out {
        failure = failure.context(error.to_string());
        if let Some(hint) = error.hint() {
            failure = failure.context(format!("  {hint}"));
        }
    }
    failure
}

fn table(sessions: &[Session], reveal: bool) -> Result<String, CommandError> {
    let mut columns: IndexSet<String> = ["profile_id", "status", "platform"].map(str::to_owned).into();
    let mut rows: Vec<HashMap<String, String>> = Vec::with_capacity(sessions.len());
    for session in sessions {
        let cells = cells(session, reveal);
        columns.extend(
            cells
                .iter()
                .map(|(name, _)| name)
                .filter(|name| !columns.contains(*name))
                .cloned()
                .collect::<Vec<_>>(),
        );
        rows.push(cells.into_iter().collect());
    }
    columns.sort_by_key(|name| rank(name));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        writer.write_record(&columns)?;
        for row in &rows {
            writer.write_record(columns.iter().map(|name| row.get(name).map_or("", String::as_str)))?;
        }
        Ok(())
    };
    write().map_err(|error| CommandError::usage(format!("cannot write the table: {error}")))?;
    let bytes = writer
        .into_inner()
        .map_err(|error| CommandError::usage(format!("cannot write the table: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Checks the whole file before anything is written.
fn import(settings: &Settings, args: &SessionsImportArgs) -> Result<u8, CommandError> {
    let plan = load::plan(settings, &[])?;
    let path = found(settings, &args.file);
    let sessions = read(settings, &path, &plan)?;
    load::create_folders(settings)?;
    let reader = SessionReader::new(&settings.layout)?;
    let (mut made, mut same, mut kept) = (0, 0, 0);
    for session in sessions {
        let profile = session.profile_id.clone();
        let there = match reader.read(&profile) {
            Ok(None) if args.dry_run => Ok(None),
            Ok(None) => make(settings, &profile, &session),
            there => there,
        };
        match there {
            Ok(None) => made += 1,
            Ok(Some(there)) => match differences(&there, &session) {
                names if names.is_empty() => same += 1,
                names => {
                    kept += 1;
                    say!("{profile}: has a session that differs in {}; it is kept", names.join(", "));
                }
            },
            Err(error) => {
                kept += 1;
                say!("{profile}: {error}");
            }
        }
    }
    let would = if args.dry_run { " would be" } else { "" };
    say!("{made}{would} made, {same} there already, {kept} kept as they were");
    Ok(u8::from(kept > 0))
}

/// Under the session's lock. One that came into being meanwhile is given back instead.
fn make(
    settings: &Settings,
    profile: &ProfileId,
    session: &Session,
) -> Result<Option<Session>, SessionError> {
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    let mut is_new = false;
    let open = OpenSession::open(&settings.layout, profile, &run_id, now, || {
        is_new = true;
        session.clone()
    })?;
    Ok((!is_new).then(|| open.session().clone()))
}

fn read(settings: &Settings, path: &Path, plan: &Plan) -> Result<Vec<Session>, CommandError> {
    let flags: &[Flag] = &plan.flags().cloned().collect::<Vec<_>>();
    let format = TableFormat::of(path)?;
    let unreadable = |error: String| {
        CommandError::usage(format!("cannot read the sessions from `{}`: {error}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let file = TextFile::decode(&path.display().to_string(), bytes)?;
    let text = file.text.as_str();
    let platform = settings.platform;
    let mut read: Vec<(usize, Result<Session, SessionProblem>)> = Vec::new();
    let mut what = "line";
    match format {
        TableFormat::Json => {
            what = "document";
            let documents = match serde_json::from_str(text) {
                Ok(Value::Array(documents)) => documents,
                Ok(document) => vec![document],
                Err(error) => return Err(unreadable(error.to_string())),
            };
            let documents = documents.into_iter().map(|document| from_document(document, platform, flags));
            read.extend((1..).zip(documents));
        }
        TableFormat::Jsonl => {
            for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
                let document = serde_json::from_str(line)
                    .map_err(|error| unreadable(format!("line {number}: {error}")))?;
                read.push((number, from_document(document, platform, flags)));
            }
        }
        TableFormat::Csv => {
            let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
            let header = reader.headers().map_err(|error| unreadable(error.to_string()))?.clone();
            for record in reader.records() {
                let record = record.map_err(|error| unreadable(error.to_string()))?;
                let number =
                    record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
                read.push((number, from_cells(header.iter().zip(&record), platform, flags)));
            }
        }
    }
    let declared = plan.variables();
    let read = read
        .into_iter()
        .map(|(number, session)| (number, session.and_then(|session| check_variables(session, &declared))));
    checked(&path.display().to_string(), what, read)
}

fn checked(
    name: &str,
    what: &str,
    read: impl IntoIterator<Item = (usize, Result<Session, SessionProblem>)>,
) -> Result<Vec<Session>, CommandError> {
    let mut first = HashMap::new();
    let (mut sessions, mut problems, mut hint) = (Vec::new(), Vec::new(), None);
    for (number, session) in read {
        match session {
            Ok(session) => match first.insert(session.profile_id.clone(), number) {
                Some(before) => problems.push(format!(
                    "{name}, {what} {number}: profile {} is in {what} {before} already",
                    session.profile_id
                )),
                None => sessions.push(session),
            },
            Err(problem) => {
                hint = hint.or(problem.hint());
                problems.push(format!("{name}, {what} {number}: {problem}"));
            }
        }
    }
    if problems.is_empty() {
        return Ok(sessions);
    }
    let plural = if problems.len() == 1 { "" } else { "s" };
    let message = format!("{} wrong {what}{plural}; nothing was imported", problems.len());
    let mut failure = CommandError::usage(message).hint(hint.map(str::to_owned));
    for problem in problems.iter().take(LISTED) {
        failure = failure.context(problem.clone());
    }
    if problems.len() > LISTED {
        failure = failure.context(format!("and {} more", problems.len() - LISTED));
    }
    Err(failure)
}
