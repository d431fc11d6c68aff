//! `regatta watch`: the folder as a full-screen view, with keys to act.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::browser_args::{BrowserArgs, run_arguments};
use super::command_error::CommandError;
use super::global_args::GlobalArgs;
use super::load;
use super::profile_actions::perform;
use super::report;
use super::resolve;
use super::settings::Settings;
use crate::orchestrate::profile_actions::RunCommand;
use crate::report::watch_screen::{WatchCommand, WatchScreen};
use crate::store::folder_watcher::FolderWatcher;
use crate::store::log_file::last_lines;
use regatta_core::view::overview::ProfileView;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta watch
  regatta watch --headed            runs that are started with a key show their window

The list begins with what runs and what needs a person; the chosen profile stands beside or below it \
with its steps, times, last error and log. The key ? shows all keys; a key that changes something asks \
first.")]
pub struct WatchArgs {
    #[command(flatten)]
    pub browser: BrowserArgs,
}

/// Between two pictures while nothing is pressed: what is under way shows its time.
const PICTURE: Duration = Duration::from_millis(500);
const LOG_LINES: usize = 100;

pub fn watch(settings: &Settings, global: &GlobalArgs, args: WatchArgs) -> Result<u8, CommandError> {
    load::check_assignments(settings, &args.browser.set)?;
    if !settings.terminal || !std::io::stdin().is_terminal() {
        return Err(CommandError::usage("`watch` draws on a terminal, and this is none")
            .hint("regatta status --watch, or regatta dashboard".to_owned()));
    }
    let program = std::env::current_exe()
        .map_err(|error| CommandError::usage(format!("cannot find this program's own file: {error}")))?;
    let arguments: Vec<OsString> = run_arguments(global, &args.browser);
    let runs = RunCommand::new(&program, &arguments);
    let (name, steps) = report::workflow(settings);
    let mut watch = FolderWatcher::new(settings.layout.clone(), &steps);
    watch.poll()?;
    let mut screen = WatchScreen::new(settings.color);
    let mut terminal = ratatui::try_init()
        .map_err(|error| CommandError::usage(format!("cannot draw on this terminal: {error}")))?;
    let ended = drive(&mut terminal, &mut screen, &mut watch, &name, settings, &runs);
    ratatui::restore();
    ended.map(|()| 0)
}

fn drive(
    terminal: &mut ratatui::DefaultTerminal,
    screen: &mut WatchScreen,
    watch: &mut FolderWatcher,
    name: &str,
    settings: &Settings,
    runs: &RunCommand,
) -> Result<(), CommandError> {
    let layout = &settings.layout;
    let broken =
        |error: std::io::Error| CommandError::usage(format!("cannot draw on this terminal: {error}"));
    let mut looked = Instant::now();
    loop {
        if looked.elapsed() >= watch.rest() {
            watch.poll()?;
            looked = Instant::now();
        }
        let views: Vec<&ProfileView> = watch.views().collect();
        let log = screen.selected().map(|profile| last_lines(&layout.log(profile), LOG_LINES));
        let log = log.and_then(Result::ok).unwrap_or_default();
        let now = jiff::Timestamp::now();
        terminal.draw(|frame| screen.draw(frame, name, &views, &log, now)).map_err(broken)?;
        if !event::poll(PICTURE.min(watch.rest())).map_err(broken)? {
            continue;
        }
        // A changed size is drawn by the next turn.
        let Event::Key(key) = event::read().map_err(broken)? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match screen.key(key, &views) {
            Some(WatchCommand::Quit) => return Ok(()),
            Some(WatchCommand::Act(action, profile)) => {
                screen.say(in_a_line(perform(action, layout, runs, &profile)))
            }
            Some(WatchCommand::Resolve(answer, profile)) => {
                screen.say(in_a_line(resolve::answer(settings, &profile, answer)));
                // Its effect is shown before the next key.
                watch.poll()?;
            }
            None => {}
        }
    }
}

fn in_a_line(done: Result<String, CommandError>) -> String {
    done.unwrap_or_else(|failure| {
        let (message, hint) = failure.into_parts();
        hint.map_or(message.clone(), |hint| format!("{message}; {hint}"))
    })
}
