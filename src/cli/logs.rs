//! `regatta logs ID [-f]`

use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::time::Duration;

use clap::Args;

use super::command_error::CommandError;
use super::complete;
use super::quantity::parse_lines;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_profiles;
use crate::store::log_file::offset_of_last_lines;
use regatta_core::id::ProfileId;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta logs k18imh7u -n 20
  regatta logs k18imh7u --follow
  regatta logs k18imh7u --events | tail -1")]
pub struct LogsArgs {
    /// The profile's id
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profile: ProfileId,
    /// Go on and show what is written from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Show only the last N lines [default: all]
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_lines, allow_negative_numbers = true)]
    pub lines: Option<usize>,
    /// Show the events (JSON lines) instead of the text
    #[arg(long)]
    pub events: bool,
}

/// The poll interval of a followed file.
const LOOK: Duration = Duration::from_millis(200);

pub fn logs(settings: &Settings, args: LogsArgs) -> Result<u8, CommandError> {
    refuse_unknown_profiles(settings, [&args.profile])?;
    let path =
        if args.events { settings.layout.events(&args.profile) } else { settings.layout.log(&args.profile) };
    let unreadable = |error: std::io::Error| {
        let failure = CommandError::usage(format!("cannot read `{}`: {error}", path.display()));
        match error.kind() {
            ErrorKind::NotFound => failure.hint(
                "a log is written by runs that `orchestrate` starts; events by every run: add --events"
                    .to_owned(),
            ),
            _ => failure,
        }
    };
    let mut reader = BufReader::new(File::open(&path).map_err(unreadable)?);
    if let Some(lines) = args.lines {
        let start = offset_of_last_lines(&mut reader, lines).map_err(unreadable)?;
        reader.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    }
    let mut out = std::io::stdout().lock();
    loop {
        // A reader that went away (`| head`) ends the command, without an error.
        if std::io::copy(&mut reader, &mut out).and_then(|_| out.flush()).is_err() || !args.follow {
            return Ok(0);
        }
        std::thread::sleep(LOOK);
    }
}
