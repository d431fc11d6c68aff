//! `regatta report`: what the folder's profiles did, as files. A fleet writes the same at its end.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};

use super::command_error::CommandError;
use super::complete;
use super::global_args::OUTPUT;
use super::load;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_profiles;
use crate::report::files::{Report, csv, html, junit};
use crate::store::folder_watcher::FolderWatcher;
use crate::store::{Layout, StoreError, durable};
use regatta_core::id::{Flag, InvalidProfileId, ProfileId};
use regatta_core::view::overview::ProfileView;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta report
  regatta report --output artifacts/nightly
  regatta report --stdout csv k18imh7u k19abcde > two.csv

Writes report.html, report.junit.xml, report.csv and report.json. The page is one file that loads \
nothing else. A fleet writes the same at its end, about its own profiles.")]
pub struct ReportArgs {
    /// Report only on these profiles; - reads ids from standard input [default: all]
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profiles: Vec<ProfileArgument>,
    /// Folder to write into [default: report/]
    #[arg(short, long, alias = "out", value_name = "DIR", conflicts_with = "stdout", value_hint = ValueHint::DirPath, help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// Print one of the forms instead of writing files
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = OUTPUT)]
    pub stdout: Option<ReportFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileArgument {
    One(ProfileId),
    InStandardInput,
}

impl FromStr for ProfileArgument {
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

pub fn report(settings: &Settings, args: ReportArgs) -> Result<u8, CommandError> {
    let (name, flags) = workflow(settings);
    let only = (!args.profiles.is_empty()).then(|| named(settings, &args.profiles)).transpose()?;
    let report = gather(&settings.layout, &name, &flags, only.as_ref())?;
    if let Some(format) = args.stdout {
        crate::report::say!("{}", text(&settings.layout, &report, format)?.trim_end());
        return Ok(0);
    }
    let folder = args.output.unwrap_or_else(|| settings.layout.report());
    for path in write(&settings.layout, &report, &folder)? {
        crate::report::say!("{}", path.display());
    }
    Ok(0)
}

fn named(settings: &Settings, profiles: &[ProfileArgument]) -> Result<HashSet<ProfileId>, CommandError> {
    let mut only = HashSet::new();
    for named in profiles {
        match named {
            ProfileArgument::One(profile) => {
                refuse_unknown_profiles(settings, [profile])?;
                only.insert(profile.clone());
            }
            // A fleet names profiles here that never got as far as a file.
            ProfileArgument::InStandardInput => {
                for (number, line) in std::io::stdin().lines().enumerate() {
                    let place = format!("line {} of standard input", number + 1);
                    let line = line.map_err(|error| CommandError::usage(format!("{place}: {error}")))?;
                    if !line.trim().is_empty() {
                        let profile = line.trim().parse();
                        only.insert(
                            profile.map_err(|error| CommandError::usage(format!("{place}: {error}")))?,
                        );
                    }
                }
            }
        }
    }
    Ok(only)
}

/// A process of its own writes it: what it needs for many profiles is gone with it, and was never the
/// orchestrator's.
pub fn written_by(program: &Path, layout: &Layout, profiles: &[&ProfileId]) -> std::io::Result<bool> {
    let mut child = Command::new(program)
        .arg("--folder")
        .arg(layout.root())
        .args(["--color=never", "report", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let ids: String = profiles.iter().map(|profile| format!("{profile}\n")).collect();
        // One that has failed says so itself, and reads no more.
        let _ = input.write_all(ids.as_bytes());
    }
    Ok(child.wait()?.success())
}

/// Its name and steps; of a folder whose workflow cannot be read, what is known without it.
pub fn workflow(settings: &Settings) -> (String, Vec<Flag>) {
    match load::plan(settings, &[]) {
        Ok(plan) => (plan.name.clone(), plan.flags().cloned().collect()),
        Err(_) => ("regatta".to_owned(), Vec::new()),
    }
}

/// Reports every profile of the folder, or `only` these, which are in it though they never ran.
pub fn gather(
    layout: &Layout,
    name: &str,
    flags: &[Flag],
    only: Option<&HashSet<ProfileId>>,
) -> Result<Report, CommandError> {
    let mut watch = FolderWatcher::new(layout.clone(), flags);
    watch.expect(only.into_iter().flatten().cloned());
    watch.poll()?;
    let views: Vec<&ProfileView> =
        watch.views().filter(|view| only.is_none_or(|only| only.contains(&view.id))).collect();
    Ok(Report::of(name, &views, flags, jiff::Timestamp::now()))
}

/// All four forms, each replaced as a whole. Gives their paths, the page's first.
pub fn write(layout: &Layout, report: &Report, folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    std::fs::create_dir_all(folder).map_err(StoreError::at("make the folder", folder))?;
    let formats = [ReportFormat::Html, ReportFormat::Junit, ReportFormat::Csv, ReportFormat::Json];
    let mut paths = Vec::new();
    for format in formats {
        let path = folder.join(match format {
            ReportFormat::Html => "report.html",
            ReportFormat::Junit => "report.junit.xml",
            ReportFormat::Csv => "report.csv",
            ReportFormat::Json => "report.json",
        });
        durable::write(&path, text(layout, report, format)?.as_bytes())?;
        paths.push(path);
    }
    Ok(paths)
}

fn text(layout: &Layout, report: &Report, format: ReportFormat) -> Result<String, CommandError> {
    let failure =
        |error: &dyn std::error::Error| CommandError::usage(format!("cannot write the report: {error}"));
    match format {
        ReportFormat::Html => {
            html(report, |evidence| picture(layout, evidence)).map_err(|error| failure(&error))
        }
        ReportFormat::Junit => junit(report).map_err(|error| failure(&error)),
        ReportFormat::Csv => csv(report).map_err(|error| failure(&error)),
        ReportFormat::Json => Ok(report.json()),
    }
}

/// Of a folder of evidence as an event named it. It may have been moved with the whole folder since.
fn picture(layout: &Layout, evidence: &str) -> Option<Vec<u8>> {
    std::fs::read(layout.evidence(evidence)?.join("screenshot.png")).ok()
}
