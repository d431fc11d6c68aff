//! Shows a flow to its author while it is played: one line a step, with its time.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::event_words;
use super::words::span;
use regatta_core::event::play::{ActionName, ActionOutcome, PlayEvent, PlayEventKind};

/// Redraws of the line that moves.
const TICK: Duration = Duration::from_millis(100);

/// The most characters of a subject: a selector or an expression may have any length.
const SUBJECT: usize = 60;

pub struct PlayConsole {
    json: bool,
    lines: RefCell<PlayLines>,
    terminal: bool,
    /// The step under way, on a terminal.
    bar: RefCell<Option<ProgressBar>>,
}

#[derive(Default)]
struct PlayLines {
    color: bool,
    /// The results of the current step, for its line.
    notes: Vec<String>,
}

impl PlayConsole {
    pub fn new(json: bool, terminal: bool, color: bool) -> Self {
        let lines = RefCell::new(PlayLines { color, notes: Vec::new() });
        Self { json, lines, terminal, bar: RefCell::default() }
    }

    pub fn show(&self, event: &PlayEvent) {
        if self.json {
            crate::report::say!("{}", serde_json::to_string(event).unwrap_or_default());
            return;
        }
        match &event.kind {
            PlayEventKind::ActionStarted { action } if self.terminal => {
                let bar = ProgressBar::new_spinner().with_style(moving()).with_message(head(action));
                bar.enable_steady_tick(TICK);
                self.bar.replace(Some(bar));
            }
            PlayEventKind::ActionFinished { .. } => self.finish(),
            _ => {}
        }
        if let Some(line) = self.lines.borrow_mut().line(&event.kind) {
            self.print(&line);
        }
    }

    /// A remark of the program itself.
    pub fn note(&self, text: &str) {
        if !self.json {
            self.print(text);
        }
    }

    /// Ends drawing.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(|| crate::report::say!("{line}")),
            None => crate::report::say!("{line}"),
        }
    }
}

impl PlayLines {
    fn line(&mut self, kind: &PlayEventKind) -> Option<String> {
        Some(match kind {
            PlayEventKind::PlayStarted { flow, title, steps } => {
                let steps = if *steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
                format!("{flow}: {title}, {steps}")
            }
            PlayEventKind::PaceWaiting { origin } => event_words::pace_waiting(origin),
            PlayEventKind::PaceWaited { origin, ms } => event_words::pace_waited(origin, *ms),
            PlayEventKind::PacerWaiting { call } => event_words::pacer_waiting(call),
            PlayEventKind::PacerWaited { call, ms } => event_words::pacer_waited(call, *ms),
            PlayEventKind::KernelDownloading { message, ms } => event_words::kernel_downloading(message, *ms),
            PlayEventKind::BrowserStarted { provider, reused, ms, .. } => {
                event_words::browser_started(provider, *reused, *ms)
            }
            PlayEventKind::ActionStarted { .. } => {
                self.notes.clear();
                return None;
            }
            PlayEventKind::TotpWaiting { ms, .. } => event_words::totp_waiting(*ms),
            PlayEventKind::Captured { field, characters, .. } => {
                self.notes.push(format!("identity.{field}: {characters} characters, not shown"));
                return None;
            }
            PlayEventKind::Screenshot { path, .. } => {
                self.notes.push(path.clone());
                return None;
            }
            PlayEventKind::ActionFinished { action, outcome, ms, .. } => {
                let notes = std::mem::take(&mut self.notes);
                let said = match outcome {
                    ActionOutcome::Done if notes.is_empty() => short(action.subject.as_deref()),
                    ActionOutcome::Done => notes.join("; "),
                    ActionOutcome::Holds => format!("{} is present", short(action.subject.as_deref())),
                    ActionOutcome::HoldsNot => {
                        format!("{} is absent: its steps are skipped", short(action.subject.as_deref()))
                    }
                    ActionOutcome::PassedOver => {
                        format!("{} is skipped: the recording began there", short(action.subject.as_deref()))
                    }
                    ActionOutcome::Failed => {
                        format!("{} {}", self.red("failed"), short(action.subject.as_deref()))
                    }
                    ActionOutcome::NeedsAttention => self.red("needs a person"),
                };
                format!("{} {:>8}  {said}", head(action), span(*ms)).trim_end().to_owned()
            }
            PlayEventKind::Downloaded { path, bytes } => {
                format!("downloaded {path}, {}", indicatif::HumanBytes(*bytes))
            }
            PlayEventKind::Trace { path } => format!("trace in {path}"),
            // The error that follows names it.
            PlayEventKind::Evidence { .. } | PlayEventKind::BrowserStopped { .. } => return None,
            PlayEventKind::PlayFinished { ms, network, .. } => format!(
                "{} in all, {} requests, {} received",
                span(*ms),
                network.requests,
                indicatif::HumanBytes(network.bytes_received)
            ),
        })
    }

    fn red(&self, text: &str) -> String {
        if self.color { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn head(action: &ActionName) -> String {
    format!("{:>5}  {:<20}", action.step, action.action)
}

/// One line of it, and not the whole of a long one.
fn short(subject: Option<&str>) -> String {
    let words: Vec<_> = subject.unwrap_or_default().split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SUBJECT {
        return line;
    }
    line.chars().take(SUBJECT - 1).chain(['…']).collect()
}

/// The template is a constant, and a test draws it.
fn moving() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use regatta_core::event::NetworkTotals;
    use regatta_core::outcome::RunOutcome;

    #[test]
    fn a_line_a_step_with_its_span() {
        let action = |step: &str, action: &str, subject: &str| ActionName {
            step: step.to_owned(),
            line: 1,
            action: action.to_owned(),
            subject: Some(subject.to_owned()).filter(|subject| !subject.is_empty()),
        };
        let finished =
            |action, outcome, ms| PlayEventKind::ActionFinished { action, outcome, ms, message: None };
        let events = [
            PlayEventKind::PlayStarted { flow: "flows/a.json".into(), title: "Sign up".into(), steps: 7 },
            PlayEventKind::BrowserStarted {
                provider: "chromium".into(),
                reused: false,
                version: None,
                ms: 1440,
            },
            PlayEventKind::ActionStarted { action: action("1", "navigate", "{{ variables.site }}/signup") },
            finished(action("1", "navigate", "{{ variables.site }}/signup"), ActionOutcome::Done, 120),
            finished(action("2", "regatta.when", "#cookies"), ActionOutcome::Holds, 2),
            finished(action("2.1", "click", "aria/Accept"), ActionOutcome::Done, 21),
            finished(action("3", "regatta.when", "#offer"), ActionOutcome::HoldsNot, 1),
            PlayEventKind::Captured { step: "4".into(), field: "code".into(), characters: 6 },
            finished(action("4", "regatta.capture", "#code"), ActionOutcome::Done, 3),
            PlayEventKind::Screenshot { step: "5".into(), path: "artifacts/.play/r/after.png".into() },
            finished(action("5", "regatta.screenshot", "after"), ActionOutcome::Done, 80),
            finished(action("6", "close", ""), ActionOutcome::Done, 1),
            finished(
                action("7", "waitForExpression", &"long  \n words ".repeat(9)),
                ActionOutcome::Failed,
                10_004,
            ),
            finished(action("8", "regatta.handoff", "m"), ActionOutcome::NeedsAttention, 0),
            PlayEventKind::PlayFinished {
                outcome: RunOutcome::StepFailed,
                exit_code: 1,
                message: None,
                ms: 12_345,
                network: NetworkTotals { requests: 9, bytes_received: 2048, ..NetworkTotals::default() },
            },
        ];
        let mut lines = PlayLines::default();
        let lines: Vec<_> = events.iter().filter_map(|event| lines.line(event)).collect();
        expect![[r#"
            flows/a.json: Sign up, 7 steps
            browser started (chromium, 1.4 s)
                1  navigate               120 ms  {{ variables.site }}/signup
                2  regatta.when             2 ms  #cookies is present
              2.1  click                   21 ms  aria/Accept
                3  regatta.when             1 ms  #offer is absent: its steps are skipped
                4  regatta.capture          3 ms  identity.code: 6 characters, not shown
                5  regatta.screenshot      80 ms  artifacts/.play/r/after.png
                6  close                    1 ms
                7  waitForExpression      10.0 s  failed long words long words long words long words long words long…
                8  regatta.handoff          0 ms  needs a person
            12.3 s in all, 9 requests, 2.00 KiB received"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_template_is_valid() {
        ProgressStyle::with_template("{wide_msg} {elapsed}").unwrap();
    }
}
