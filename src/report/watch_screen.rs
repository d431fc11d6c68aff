//! The full-screen view of `watch`: a list, one profile of it in detail, its log, and what can be done.
//!
//! A state and a picture of it: keys change the state and may ask for an act, drawing changes nothing but
//! where the list is scrolled to.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::words::{bytes, span};
use crate::report::dashboard::ProfileAction;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::session::Resolution;
use regatta_core::view::overview::{DisplayStatus, ProfileView};

/// Columns from which the detail stands beside the list, not below it.
const WIDE: u16 = 120;

/// Every key, as `?` shows them.
const KEYS: [(&str, &str); 14] = [
    ("↑ ↓  k j", "choose the profile above or below"),
    ("PgUp PgDn", "ten profiles up or down"),
    ("Home End", "the first or last profile"),
    ("Enter", "show or hide the detail below the list"),
    ("/", "filter by id, step or error"),
    ("s", "show one status after another, then all"),
    ("Esc", "close the detail, or show all again"),
    ("r", "start a run of the profile"),
    ("x", "ask its run to stop after its step"),
    ("v", "answer for a profile that needs a person"),
    ("z", "forget that its steps were done"),
    ("?", "show these keys"),
    ("q", "quit; runs go on"),
    ("Ctrl-C", "the same"),
];

#[derive(Debug, Default)]
pub struct WatchScreen {
    filter: String,
    is_typing: bool,
    status: Option<DisplayStatus>,
    selected: Option<ProfileId>,
    /// First row of the list that is seen.
    offset: usize,
    is_open: bool,
    asking: Option<WatchPrompt>,
    shows_keys: bool,
    message: Option<String>,
    color: bool,
}

/// Asked before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WatchPrompt {
    Act(ProfileAction),
    /// Whether the step that waits for a person has happened.
    Happened,
}

/// The action of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchCommand {
    Quit,
    Act(ProfileAction, ProfileId),
    Resolve(Resolution, ProfileId),
}

impl WatchScreen {
    pub fn new(color: bool) -> Self {
        Self { color, ..Self::default() }
    }

    pub fn selected(&self) -> Option<&ProfileId> {
        self.selected.as_ref()
    }

    /// Shows a message until the next key.
    pub fn say(&mut self, message: String) {
        self.message = Some(message);
    }

    pub fn key(&mut self, key: KeyEvent, views: &[&ProfileView]) -> Option<WatchCommand> {
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(WatchCommand::Quit);
        }
        if std::mem::take(&mut self.shows_keys) {
            return None;
        }
        if let Some(question) = self.asking.take() {
            let profile = self.selected.clone()?;
            return match (question, key.code) {
                (WatchPrompt::Act(action), KeyCode::Char('y')) => Some(WatchCommand::Act(action, profile)),
                (WatchPrompt::Happened, KeyCode::Char('d')) => {
                    Some(WatchCommand::Resolve(Resolution::Done, profile))
                }
                (WatchPrompt::Happened, KeyCode::Char('a')) => {
                    Some(WatchCommand::Resolve(Resolution::Again, profile))
                }
                _ => None,
            };
        }
        if self.is_typing {
            match key.code {
                KeyCode::Char(c) => self.filter.push(c),
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Esc => {
                    self.filter.clear();
                    self.is_typing = false;
                }
                KeyCode::Enter | KeyCode::Down => self.is_typing = false,
                _ => {}
            }
            return None;
        }
        match key.code {
            KeyCode::Char('q') => return Some(WatchCommand::Quit),
            KeyCode::Esc if self.is_open => self.is_open = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.status = None;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('s') => self.status = next(self.status),
            KeyCode::Enter => self.is_open = !self.is_open,
            KeyCode::Char('?') => self.shows_keys = true,
            KeyCode::Char(letter @ ('r' | 'x' | 'v' | 'z')) => {
                let chosen = views.iter().find(|view| Some(&view.id) == self.selected.as_ref());
                match chosen.map(|view| question(letter, view)) {
                    Some(Ok(question)) => self.asking = Some(question),
                    Some(Err(why_not)) => self.message = Some(why_not),
                    None => {}
                }
            }
            KeyCode::Down | KeyCode::Char('j') => self.go(views, 1),
            KeyCode::Up | KeyCode::Char('k') => self.go(views, -1),
            KeyCode::PageDown => self.go(views, 10),
            KeyCode::PageUp => self.go(views, -10),
            KeyCode::Home => self.go(views, isize::MIN),
            KeyCode::End => self.go(views, isize::MAX),
            _ => {}
        }
        None
    }

    /// In the order of their ids, profiles that need a person first.
    pub fn shown<'a>(&self, views: &[&'a ProfileView]) -> Vec<&'a ProfileView> {
        let words = self.filter.to_lowercase();
        let fits = |view: &&ProfileView| {
            self.status.is_none_or(|status| view.status == status)
                && (words.is_empty()
                    || view.id.as_str().to_lowercase().contains(&words)
                    || view.step().is_some_and(|step| step.as_str().to_lowercase().contains(&words))
                    || view.trouble().is_some_and(|trouble| trouble.to_lowercase().contains(&words)))
        };
        let mut shown: Vec<_> = views.iter().copied().filter(fits).collect();
        shown.sort_by_key(|view| rank(view.status));
        shown
    }

    fn go(&mut self, views: &[&ProfileView], by: isize) {
        let shown = self.shown(views);
        let place = shown.iter().position(|view| Some(&view.id) == self.selected.as_ref());
        let last = shown.len().saturating_sub(1);
        let to = place.map_or(0, |place| place.saturating_add_signed(by).min(last));
        self.selected = shown.get(to).map(|view| view.id.clone());
    }

    /// `log`: of the chosen profile. `now` is what is under way measured by.
    pub fn draw(
        &mut self,
        frame: &mut Frame<'_>,
        name: &str,
        views: &[&ProfileView],
        log: &str,
        now: jiff::Timestamp,
    ) {
        let shown = self.shown(views);
        if !shown.iter().any(|view| Some(&view.id) == self.selected.as_ref()) {
            self.selected = shown.first().map(|view| view.id.clone());
        }
        let [head, middle, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(1)])
                .areas(frame.area());
        frame.render_widget(self.head(name, views, shown.len()), head);
        let is_wide = frame.area().width >= WIDE;
        let (list, detail) = if is_wide {
            let [list, detail] =
                Layout::horizontal([Constraint::Percentage(58), Constraint::Percentage(42)]).areas(middle);
            (list, Some(detail))
        } else if self.is_open {
            let [list, detail] =
                Layout::vertical([Constraint::Percentage(40), Constraint::Percentage(60)]).areas(middle);
            (list, Some(detail))
        } else {
            (middle, None)
        };
        self.list(frame, list, &shown, now);
        let chosen = shown.iter().find(|view| Some(&view.id) == self.selected.as_ref());
        if let (Some(area), Some(view)) = (detail, chosen) {
            self.detail(frame, area, view, log, now);
        }
        if self.shows_keys {
            self.keys(frame, middle);
        }
        frame.render_widget(self.foot(chosen.copied(), usize::from(foot.width)), foot);
    }

    fn head<'t>(&self, name: &'t str, views: &[&ProfileView], shown: usize) -> Line<'t> {
        let mut counts: BTreeMap<DisplayStatus, usize> = BTreeMap::new();
        views.iter().for_each(|view| *counts.entry(view.status).or_default() += 1);
        let mut spans = vec![Span::styled(format!(" {name} "), Style::new().add_modifier(Modifier::BOLD))];
        for (shown, count) in counts {
            spans.push(Span::raw(" "));
            spans.push(Span::styled(format!("{count} {}", word(shown)), self.tone(shown)));
        }
        if shown != views.len() {
            spans.push(Span::raw(format!("  ({shown} shown)")));
        }
        Line::from(spans)
    }

    fn list(&mut self, frame: &mut Frame<'_>, area: Rect, shown: &[&ProfileView], now: jiff::Timestamp) {
        let width = usize::from(area.width);
        let id = shown.iter().map(|view| view.id.as_str().len()).max().unwrap_or(0).clamp(8, 24);
        let seen = usize::from(area.height.saturating_sub(1));
        let place = shown.iter().position(|view| Some(&view.id) == self.selected.as_ref()).unwrap_or(0);
        self.offset = self.offset.clamp((place + 1).saturating_sub(seen), place).min(shown.len());
        let dim = self.style(Color::DarkGray);
        let mut lines = vec![Line::styled(
            fit(&format!(" {:<id$} {:<15} {:>5}  PROGRESS", "PROFILE", "STATUS", "STEPS"), width),
            dim,
        )];
        for view in shown.iter().skip(self.offset).take(seen) {
            let steps = format!("{}/{}", view.done(), view.steps());
            let mark = if Some(&view.id) == self.selected.as_ref() { '▸' } else { ' ' };
            let before = format!("{mark}{:<id$} ", cut(view.id.as_str(), id));
            let rest = fit(&format!(" {steps:>5}  {}", note(view, now)), width.saturating_sub(id + 17));
            let mut line = Line::from(vec![
                Span::raw(before),
                Span::styled(format!("{:<15}", view.status.as_str()), self.tone(view.status)),
                Span::raw(rest),
            ]);
            if mark == '▸' {
                line = line.patch_style(Style::new().add_modifier(Modifier::REVERSED));
            }
            lines.push(line);
        }
        if shown.is_empty() {
            lines.push(Line::styled(" no profile matches", dim));
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn detail(&self, frame: &mut Frame<'_>, area: Rect, view: &ProfileView, log: &str, now: jiff::Timestamp) {
        let block =
            Block::bordered().title(format!(" {} ", view.id)).border_style(self.style(Color::DarkGray));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (flag, done) in &view.flags {
            let last = view.summary.history.spans().filter(|span| span.flag == *flag).last();
            let time = last.map(|last| {
                let until = last.ended_at.unwrap_or(now);
                let ms = u64::try_from(until.duration_since(last.started_at).as_millis()).unwrap_or(0);
                let tries =
                    if last.attempt > 1 { format!(", attempt {}", last.attempt) } else { String::new() };
                format!("{}{tries}", span(if last.outcome.is_some() { last.ms } else { ms }))
            });
            let under_way = view.status == DisplayStatus::Processing && view.step() == Some(flag);
            let (mark, tone) = match (done, under_way) {
                (true, _) => ('✓', self.style(Color::Green)),
                (_, true) => ('▸', self.style(Color::Cyan)),
                _ => ('·', self.style(Color::DarkGray)),
            };
            lines.push(Line::from(vec![
                Span::styled(format!("{mark} {flag}"), tone),
                Span::raw(format!("  {}", time.unwrap_or_default())),
            ]));
        }
        let network = &view.summary.network;
        lines.push(Line::styled(
            format!(
                "{} run{}, {} requests, {}",
                view.summary.history.runs.len(),
                if view.summary.history.runs.len() == 1 { "" } else { "s" },
                network.requests,
                bytes(network.bytes_received)
            ),
            self.style(Color::DarkGray),
        ));
        if let Some(trouble) = view.trouble() {
            lines.push(Line::styled(trouble.to_owned(), self.style(Color::Red)));
        }
        if let Some(evidence) = view.summary.history.evidence.as_ref().filter(|_| view.status.is_trouble()) {
            lines.push(Line::raw(format!("see {evidence}")));
        }
        let facts = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(inner.height);
        let [above, below] = Layout::vertical([Constraint::Length(facts), Constraint::Min(0)]).areas(inner);
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), above);
        let seen = usize::from(below.height);
        let tail: Vec<&str> = log.lines().collect();
        let tail: Vec<Line<'_>> = tail[tail.len().saturating_sub(seen)..]
            .iter()
            .map(|line| Line::styled((*line).to_owned(), self.style(Color::DarkGray)))
            .collect();
        frame.render_widget(Paragraph::new(tail), below);
    }

    fn keys(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::bordered().title(" Keys ").border_style(self.style(Color::DarkGray));
        let lines: Vec<_> = KEYS.iter().map(|(key, what)| Line::raw(format!(" {key:<10} {what}"))).collect();
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn foot(&self, chosen: Option<&ProfileView>, width: usize) -> Line<'_> {
        let profile = self.selected.as_ref().map(ToString::to_string).unwrap_or_default();
        let text = match (self.asking, self.is_typing, &self.message) {
            (Some(WatchPrompt::Act(ProfileAction::Retry)), ..) => format!(" Start a run of {profile}? y/n"),
            (Some(WatchPrompt::Act(ProfileAction::Stop)), ..) => {
                format!(" Ask the run of {profile} to stop after its step? y/n")
            }
            (Some(WatchPrompt::Act(ProfileAction::Reset)), ..) => {
                format!(" Forget that steps of {profile} were done? y/n")
            }
            (Some(WatchPrompt::Happened), ..) => {
                let step = chosen.and_then(ProfileView::step).map_or("the step", Flag::as_str);
                format!(" {profile}: did {step} happen?  d: it is done  a: run it again  Esc: leave it")
            }
            (None, true, _) => format!(" /{}▏", self.filter),
            (None, false, Some(message)) => format!(" {message}"),
            _ if !self.filter.is_empty() || self.status.is_some() => {
                let status = self.status.map_or(String::new(), |status| format!(" {status}"));
                let only = format!("only{status} {}", self.filter);
                footer(&[&only, "Esc all"], chosen, width)
            }
            _ => footer(&[], chosen, width),
        };
        Line::styled(cut(&text, width), Style::new().add_modifier(Modifier::BOLD))
    }

    fn tone(&self, shown: DisplayStatus) -> Style {
        match shown {
            DisplayStatus::Completed => self.style(Color::Green),
            DisplayStatus::Failed | DisplayStatus::Damaged => self.style(Color::Red),
            DisplayStatus::NeedsAttention | DisplayStatus::Interrupted => self.style(Color::Yellow),
            DisplayStatus::Processing => self.style(Color::Cyan),
            DisplayStatus::Pending => self.style(Color::DarkGray),
        }
    }

    const fn style(&self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}

/// The action of a key on the profile, or why it does not fit.
fn question(key: char, view: &ProfileView) -> Result<WatchPrompt, String> {
    let id = &view.id;
    match (key, view.status) {
        ('x', DisplayStatus::Processing) => Ok(WatchPrompt::Act(ProfileAction::Stop)),
        ('x', _) => Err(format!("{id} is not being run")),
        (_, DisplayStatus::Processing) => Err(format!("{id} is being run; x asks its run to stop")),
        ('v', DisplayStatus::NeedsAttention) => Ok(WatchPrompt::Happened),
        ('v', _) => Err(format!("{id} needs no answer")),
        ('r', DisplayStatus::NeedsAttention) => Err(format!("{id} needs your answer first: v")),
        ('r', DisplayStatus::Completed) => Err(format!("{id} is completed; z runs its steps again")),
        ('r', _) => Ok(WatchPrompt::Act(ProfileAction::Retry)),
        _ => Ok(WatchPrompt::Act(ProfileAction::Reset)),
    }
}

/// The keys that fit the chosen profile, as many as there is room for; those that lead to all others
/// last, and always.
fn footer(before: &[&str], chosen: Option<&ProfileView>, width: usize) -> String {
    const LAST: &str = "  ? keys  q quit";
    let act = chosen.and_then(|view| match view.status {
        DisplayStatus::Processing => Some("x stop"),
        DisplayStatus::NeedsAttention => Some("v answer"),
        DisplayStatus::Completed | DisplayStatus::Damaged => None,
        _ => Some("r run"),
    });
    let reset = chosen.filter(|view| view.status != DisplayStatus::Processing).map(|_| "z reset");
    let rest = ["↑↓ choose", "/ filter", "s status", "Enter detail"];
    let mut text = String::new();
    for item in before.iter().copied().chain(act).chain(rest).chain(reset) {
        let gap = if text.is_empty() { " " } else { "  " };
        if text.chars().count() + gap.len() + item.chars().count() + LAST.len() <= width {
            text += gap;
            text += item;
        }
    }
    text + LAST
}

const fn rank(shown: DisplayStatus) -> u8 {
    match shown {
        DisplayStatus::Processing => 0,
        DisplayStatus::NeedsAttention => 1,
        DisplayStatus::Failed => 2,
        DisplayStatus::Interrupted => 3,
        DisplayStatus::Damaged => 4,
        DisplayStatus::Pending => 5,
        DisplayStatus::Completed => 6,
    }
}

/// Every status in turn, then all of them again.
fn next(status: Option<DisplayStatus>) -> Option<DisplayStatus> {
    let place = status.and_then(|status| DisplayStatus::ALL.iter().position(|shown| *shown == status));
    DisplayStatus::ALL.get(place.map_or(0, |place| place + 1)).copied()
}

const fn word(shown: DisplayStatus) -> &'static str {
    match shown {
        DisplayStatus::Processing => "running",
        DisplayStatus::Pending => "pending",
        DisplayStatus::Interrupted => "interrupted",
        DisplayStatus::NeedsAttention => "need a person",
        DisplayStatus::Failed => "failed",
        DisplayStatus::Damaged => "damaged",
        DisplayStatus::Completed => "completed",
    }
}

fn note(view: &ProfileView, now: jiff::Timestamp) -> String {
    if view.status == DisplayStatus::Processing {
        return view.summary.current.as_ref().map_or_else(
            || match &view.summary.waits_for {
                Some(what) => format!("waiting: {what}"),
                None => "starting the browser".to_owned(),
            },
            |step| {
                let ms = u64::try_from(now.duration_since(step.since).as_millis()).unwrap_or(0);
                let tries =
                    if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
                let action = match (&view.summary.waits_for, &step.action) {
                    (Some(what), _) => format!(", waiting: {what}"),
                    (None, Some(action)) => format!(", {action}"),
                    (None, None) => String::new(),
                };
                format!("{} {}{action}{tries}", step.flag, span(ms))
            },
        );
    }
    view.trouble().map_or_else(String::new, |trouble| trouble.lines().next().unwrap_or_default().to_owned())
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Exactly so wide.
fn fit(text: &str, width: usize) -> String {
    format!("{:<width$}", cut(text, width))
}

#[cfg(test)]
mod tests;
