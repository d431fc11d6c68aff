//! Shows one run: the list of its steps with progress on a terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::event_words;
use super::words::span;
use regatta_core::duration::in_words;
use regatta_core::event::{Event, EventKind, HealHow, StepMode, StepOutcome};
use regatta_core::id::{Flag, ProfileId};

/// Redraws of a live line.
const TICK: Duration = Duration::from_millis(100);

pub struct RunConsole {
    view: RunView,
}

enum RunView {
    Json,
    Lines(RefCell<RunLines>),
    Progress(RunProgress),
}

impl RunConsole {
    /// `done`: whether a step was completed before this run.
    pub fn new(
        profile: &ProfileId,
        flags: &[Flag],
        done: impl Fn(&Flag) -> bool,
        json: bool,
        terminal: bool,
        color: bool,
    ) -> Self {
        let view = if json {
            RunView::Json
        } else if terminal {
            RunView::Progress(RunProgress::new(profile, flags, done, color))
        } else {
            RunView::Lines(RefCell::new(RunLines::default()))
        };
        Self { view }
    }

    pub fn show(&self, event: &Event) {
        match &self.view {
            RunView::Json => crate::report::say!("{}", serde_json::to_string(event).unwrap_or_default()),
            RunView::Lines(plain) => {
                if let Some(text) = plain.borrow_mut().line(&event.kind) {
                    crate::report::say!("{} {text}", event.at.strftime("%H:%M:%S"));
                }
            }
            RunView::Progress(live) => live.show(&event.kind),
        }
    }

    /// A remark of the program itself.
    pub fn note(&self, text: &str) {
        match &self.view {
            RunView::Json => {}
            RunView::Lines(_) => crate::report::say!("{text}"),
            RunView::Progress(live) => {
                live.bars.println(text).ok();
            }
        }
    }

    /// Ends drawing.
    pub fn finish(&self) {
        if let RunView::Progress(live) = &self.view {
            live.finish();
        }
    }
}

#[derive(Default)]
struct RunLines {
    mode: Option<StepMode>,
}

impl RunLines {
    fn line(&mut self, kind: &EventKind) -> Option<String> {
        Some(match kind {
            EventKind::RunStarted { steps, done, .. } => {
                format!("run started, {done} of {steps} steps already done")
            }
            EventKind::PacerWaiting { call } => event_words::pacer_waiting(call),
            EventKind::PacerWaited { call, ms } => event_words::pacer_waited(call, *ms),
            EventKind::KernelDownloading { message, ms } => event_words::kernel_downloading(message, *ms),
            // The end of the run reports it.
            EventKind::UsedElsewhere | EventKind::ProviderRefused { .. } => return None,
            EventKind::ProviderPaused { ms } => {
                format!("the provider opens no more browsers for {}", in_words(Duration::from_millis(*ms)))
            }
            EventKind::BrowserStarted { provider, reused, ms, .. } => {
                event_words::browser_started(provider, *reused, *ms)
            }
            EventKind::StepPrepared { flag, fields } => format!("{flag}: prepared {}", fields.join(", ")),
            EventKind::StepStarted { flag, attempt, mode } => {
                self.mode = Some(*mode);
                match mode {
                    StepMode::Act => format!("{flag}: started (attempt {attempt})"),
                    StepMode::Verify => format!("{flag}: in doubt, asking the site (attempt {attempt})"),
                }
            }
            // Up to a hundred a second: only the progress line and `--json` show them.
            EventKind::ActionStarted { .. } => return None,
            EventKind::ActionFailed { flag, step, action, flow, message, .. } => {
                // A verify flow that fails is an answer, not a fault of the step.
                let what = if self.mode == Some(StepMode::Verify) { "not verified: " } else { "" };
                format!("{flag}: {what}{message} ({flow}, step {step} {action})")
            }
            EventKind::Healed { .. } => healed_line(kind)?,
            EventKind::Captured { flag, fields } => format!("{flag}: captured {}", fields.join(", ")),
            EventKind::TotpWaiting { flag, ms, .. } => format!("{flag}: {}", event_words::totp_waiting(*ms)),
            EventKind::PaceWaiting { origin } => event_words::pace_waiting(origin),
            EventKind::PaceWaited { origin, ms } => event_words::pace_waited(origin, *ms),
            EventKind::SiteBusy { flag, ms } => {
                format!("{flag}: the site is busy, retrying in {}", span(*ms))
            }
            EventKind::Downloaded { flag, path, bytes } => {
                format!("{flag}: downloaded {path} ({bytes} bytes)")
            }
            EventKind::StepFinished { flag, outcome, ms, .. } => {
                format!("{flag}: {} ({})", outcome_word(*outcome), span(*ms))
            }
            EventKind::Evidence { flag, path } => format!("{flag}: evidence in {path}"),
            EventKind::Screenshot { flag, path } => format!("{flag}: picture in {path}"),
            EventKind::AttentionNeeded { message, .. } => format!("needs a person: {message}"),
            EventKind::BrowserStopped { ms } => format!("browser stopped ({})", span(*ms)),
            EventKind::RunFinished { outcome, exit_code, ms, .. } => {
                let outcome = serde_json::to_value(outcome).ok()?;
                format!(
                    "run finished: {} (exit {exit_code}, {})",
                    outcome.as_str()?.replace('_', " "),
                    span(*ms)
                )
            }
        })
    }
}

struct RunProgress {
    bars: MultiProgress,
    steps: HashMap<Flag, ProgressBar>,
    browser: ProgressBar,
    marks: StepMarks,
    width: usize,
    /// The remark beside the action of the current step.
    note: RefCell<String>,
}

#[derive(Clone, Copy)]
struct StepMarks {
    color: bool,
}

impl StepMarks {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn done(self) -> String {
        self.paint("32", "✓")
    }

    fn failed(self) -> String {
        self.paint("31", "✗")
    }

    fn open(self) -> String {
        self.paint("2", "·")
    }

    fn attention(self) -> String {
        self.paint("33", "?")
    }
}

impl RunProgress {
    fn new(profile: &ProfileId, flags: &[Flag], done: impl Fn(&Flag) -> bool, color: bool) -> Self {
        let marks = StepMarks { color };
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let line = |prefix: String, message: String| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(still()));
            bar.set_prefix(prefix);
            bar.set_message(message);
            bar.tick();
            bar
        };
        let width = flags.iter().map(|flag| flag.as_str().chars().count()).max().unwrap_or(0).max(12);
        let browser = line(marks.open(), format!("{:<width$}  {profile}", "browser"));
        let steps = flags
            .iter()
            .map(|flag| {
                let (mark, note) =
                    if done(flag) { (marks.done(), "already done") } else { (marks.open(), "") };
                (flag.clone(), line(mark, format!("{flag:<width$}  {note}")))
            })
            .collect();
        Self { bars, steps, browser, marks, width, note: RefCell::default() }
    }

    fn show(&self, kind: &EventKind) {
        let width = self.width;
        match kind {
            EventKind::BrowserStarted { provider, reused, ms, .. } => {
                let how = if *reused { "taken over" } else { "started" };
                rest(
                    &self.browser,
                    self.marks.done(),
                    format!("{:<width$}  {how} in {} ({provider})", "browser", span(*ms)),
                );
            }
            EventKind::StepStarted { flag, attempt, mode } => self.on(flag, |bar| {
                let note = match (mode, attempt) {
                    (StepMode::Verify, _) => "in doubt, asking the site".to_owned(),
                    (StepMode::Act, 1) => String::new(),
                    (StepMode::Act, attempt) => format!("attempt {attempt}"),
                };
                bar.set_style(moving());
                bar.reset_elapsed();
                bar.enable_steady_tick(TICK);
                bar.set_message(format!("{flag:<width$}  {note}"));
                self.note.replace(if note.is_empty() { note } else { note + ", " });
            }),
            EventKind::ActionStarted { flag, action, number, of, .. } => self.on(flag, |bar| {
                let note = self.note.borrow();
                bar.set_message(format!("{flag:<width$}  {note}{action} {number}/{of}"));
            }),
            EventKind::Healed { .. } => {
                self.bars.println(healed_line(kind).unwrap_or_default()).ok();
            }
            EventKind::TotpWaiting { flag, ms, .. } => self.on(flag, |bar| {
                bar.set_message(format!("{flag:<width$}  {}", event_words::totp_waiting(*ms)));
            }),
            EventKind::SiteBusy { flag, ms } => self.on(flag, |bar| {
                bar.set_message(format!("{flag:<width$}  the site is busy, retrying in {}", span(*ms)));
            }),
            EventKind::ActionFailed { flag, message, .. } => self.on(flag, |bar| {
                bar.set_message(format!("{flag:<width$}  {message}"));
            }),
            EventKind::StepFinished { flag, outcome, ms, network } => self.on(flag, |bar| {
                let mark = match outcome {
                    StepOutcome::Done | StepOutcome::Verified => self.marks.done(),
                    StepOutcome::Failed => self.marks.failed(),
                    StepOutcome::NeedsAttention => self.marks.attention(),
                    StepOutcome::Stopped => self.marks.open(),
                };
                let traffic = format!(
                    "{} requests, {}",
                    network.requests,
                    indicatif::HumanBytes(network.bytes_received)
                );
                let text =
                    format!("{flag:<width$}  {:<9} {:>7}  {traffic}", outcome_word(*outcome), span(*ms));
                rest(bar, mark, text);
            }),
            _ => {}
        }
    }

    fn on(&self, flag: &Flag, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.steps.get(flag) {
            act(bar);
        }
    }

    fn finish(&self) {
        for bar in self.steps.values().chain([&self.browser]) {
            bar.disable_steady_tick();
            bar.set_style(still());
            bar.abandon();
        }
    }
}

/// Freezes a line.
fn rest(bar: &ProgressBar, mark: String, text: String) {
    bar.disable_steady_tick();
    bar.set_style(still());
    bar.set_prefix(mark);
    bar.set_message(text);
    bar.tick();
}

fn still() -> ProgressStyle {
    style("{prefix} {wide_msg}")
}

fn moving() -> ProgressStyle {
    style("{spinner} {wide_msg} {elapsed}").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

/// The templates above are constants, and a test draws them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// `None` for other events.
fn healed_line(kind: &EventKind) -> Option<String> {
    let EventKind::Healed { flag, flow, step, how, selector, known, found } = kind else { return None };
    let what = match how {
        HealHow::Suggested => "perhaps meant",
        HealHow::Acted => "going on with",
        HealHow::Remembered => "going on as before with",
        HealHow::Changed => {
            return Some(format!(
                "{flag}: `{selector}` leads to {found}, which was {known} ({flow}, step {step})"
            ));
        }
    };
    Some(format!("{flag}: no selector matches {known}; {what} {found}, `{selector}` ({flow}, step {step})"))
}

const fn outcome_word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::Verified => "verified",
        StepOutcome::Failed => "failed",
        StepOutcome::NeedsAttention => "attention",
        StepOutcome::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use regatta_core::event::NetworkTotals;
    use regatta_core::outcome::RunOutcome;

    #[test]
    fn templates_are_valid() {
        for template in ["{prefix} {wide_msg}", "{spinner} {wide_msg} {elapsed}"] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn plain_lines_tell_the_story() {
        let flag: Flag = "store_signup".parse().unwrap();
        let events = [
            EventKind::RunStarted { pid: 1, plan: "sha256:0".into(), steps: 4, done: 1, browser: None },
            EventKind::BrowserStarted { provider: "chromium".into(), reused: false, version: None, ms: 640 },
            EventKind::StepStarted { flag: flag.clone(), attempt: 1, mode: StepMode::Act },
            EventKind::ActionFailed {
                flag: flag.clone(),
                attempt: 1,
                flow: "flows/store.json".into(),
                step: "4".into(),
                action: "click".into(),
                message: "the button is disabled".into(),
            },
            EventKind::StepStarted { flag: flag.clone(), attempt: 1, mode: StepMode::Verify },
            EventKind::Healed {
                flag: flag.clone(),
                flow: "flows/store.json".into(),
                step: "4".into(),
                how: HealHow::Acted,
                selector: "#join".into(),
                known: "button#sign-up \"Sign up\"".into(),
                found: "button#join \"Sign up\"".into(),
            },
            EventKind::Healed {
                flag: flag.clone(),
                flow: "flows/store.json".into(),
                step: "5".into(),
                how: HealHow::Changed,
                selector: "#save".into(),
                known: "button#save \"Save\"".into(),
                found: "button#save \"Save changes\"".into(),
            },
            EventKind::StepFinished {
                flag,
                outcome: StepOutcome::Verified,
                ms: 2340,
                network: NetworkTotals::default(),
            },
            EventKind::RunFinished {
                outcome: RunOutcome::StepFailed,
                exit_code: 1,
                message: None,
                permanent: false,
                cause: None,
                retry_after_ms: None,
                ms: 9000,
            },
        ];
        let mut plain = RunLines::default();
        let lines: Vec<_> = events.iter().filter_map(|event| plain.line(event)).collect();
        expect![[r#"
            run started, 1 of 4 steps already done
            browser started (chromium, 640 ms)
            store_signup: started (attempt 1)
            store_signup: the button is disabled (flows/store.json, step 4 click)
            store_signup: in doubt, asking the site (attempt 1)
            store_signup: no selector matches button#sign-up "Sign up"; going on with button#join "Sign up", `#join` (flows/store.json, step 4)
            store_signup: `#save` leads to button#save "Save changes", which was button#save "Save" (flows/store.json, step 5)
            store_signup: verified (2.3 s)
            run finished: step failed (exit 1, 9.0 s)"#]]
        .assert_eq(&lines.join("\n"));
    }
}
