//! The command line, raw. Switch options are turned into [`Switches`] here and nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::adspower::EmulatorFault;
use crate::switches::Switches;

/// Practice site and AdsPower Local API emulator, for development only.
///
/// When ready it prints one line of JSON to stdout: {"site":"http://…","adspower":"http://…"};
/// a listener that was not asked for is null.
#[derive(Debug, Parser)]
#[command(name = "sandbox")]
pub struct SandboxArgs {
    /// Serve the practice site here; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub site: Option<SocketAddr>,

    /// Serve the AdsPower emulator here; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", required_unless_present = "site")]
    pub adspower: Option<SocketAddr>,

    /// Folder of the site's journal and the browsers' profiles; made if absent
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// Profiles AdsPower knows, one id a line, # comments
    #[arg(long, value_name = "FILE", conflicts_with = "profile_count")]
    pub profiles: Option<PathBuf>,

    /// Or: know p1 to pN
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub profile_count: usize,

    /// Refuse AdsPower calls that do not carry this key as a bearer token
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,

    /// AdsPower calls allowed within a second; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub calls_per_second: usize,

    /// What the emulator does wrong from the start, as `POST /emulator/faults` takes it; repeatable
    #[arg(long, value_name = "JSON")]
    pub fault: Vec<EmulatorFault>,

    /// The browser; else $CHROME, else the headless shell, chromium, google-chrome and the like from PATH
    #[arg(long, value_name = "PATH")]
    pub chrome: Option<PathBuf>,

    /// Also stop when stdin ends, so that a parent's death takes the sandbox with it
    #[arg(long)]
    pub exit_with_stdin: bool,

    /// Write a line to stderr for every request
    #[arg(long)]
    pub verbose: bool,

    /// Every page of the site waits this long before it does anything
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,

    /// And up to so much longer, at random
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_jitter_ms: u64,

    /// Mail arrives so much later
    #[arg(long, value_name = "MS", default_value_t = Switches::default().mail_delay_ms)]
    mail_delay_ms: u64,

    /// Answer 503 to the first N requests below a path, in total; repeatable
    #[arg(long, value_name = "PREFIX=N", value_parser = name_and_count)]
    fail_first: Vec<(String, u64)>,

    /// Accept the first N of a submission, for each profile, and answer 503; repeatable
    #[arg(long, value_name = "SUBMISSION=N", value_parser = name_and_count)]
    fail_after_accept: Vec<(String, u64)>,

    /// Answer 429 to more than N documents a minute below a path; repeatable
    #[arg(long, value_name = "PREFIX=N", value_parser = name_and_count)]
    limit: Vec<(String, u64)>,

    /// Without saying in `Retry-After` when to come back
    #[arg(long)]
    limit_silently: bool,

    /// Never answer requests below a path; repeatable
    #[arg(long, value_name = "PREFIX")]
    hang: Vec<String>,

    /// But only the first N of them, for each path
    #[arg(long, value_name = "N")]
    hang_first: Option<u64>,

    /// Rename ids, class names and test ids throughout
    #[arg(long)]
    rename: bool,

    /// Pages do at once what they otherwise do late: the site's own delays are not measured
    #[arg(long)]
    brisk: bool,
}

impl SandboxArgs {
    pub fn switches(&self) -> Result<Switches, String> {
        let switches = Switches {
            latency_ms: self.latency_ms,
            latency_jitter_ms: self.latency_jitter_ms,
            mail_delay_ms: self.mail_delay_ms,
            fail_first: BTreeMap::from_iter(self.fail_first.iter().cloned()),
            fail_after_accept: BTreeMap::from_iter(self.fail_after_accept.iter().cloned()),
            limit: BTreeMap::from_iter(self.limit.iter().cloned()),
            limit_silently: self.limit_silently,
            hang: self.hang.clone(),
            hang_first: self.hang_first,
            rename: self.rename,
            brisk: self.brisk,
        };
        switches.check()?;
        Ok(switches)
    }
}

fn name_and_count(text: &str) -> Result<(String, u64), String> {
    let (name, count) = text.rsplit_once('=').ok_or("expected NAME=N")?;
    let count = count.parse().map_err(|_| format!("`{count}` is no number"))?;
    Ok((name.to_owned(), count))
}
