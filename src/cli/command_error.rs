//! The one place where an error gets its exit code and its shape on the terminal.

use std::fmt::Write as _;

use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::providers::temporary_browser::TemporaryBrowserError;
use crate::run::RunEnd;
use crate::store::{SessionError, StoreError};
use regatta_core::diagnostic::FileDiagnostic;
use regatta_core::error_chain::with_cause;
use regatta_core::outcome::RunOutcome;

/// How a command ends that has no result.
#[derive(Debug)]
pub struct CommandError {
    pub exit_code: u8,
    message: String,
    /// Lines below the message: where it happened, what was kept.
    context: Vec<String>,
    hint: Option<String>,
    source: Option<Box<FileDiagnostic>>,
}

impl CommandError {
    /// A line below the message.
    #[must_use]
    pub fn more(mut self, line: String) -> Self {
        self.context.push(line);
        self
    }

    pub fn new(outcome: RunOutcome, message: impl Into<String>) -> Self {
        Self {
            exit_code: outcome.exit_code(),
            message: message.into(),
            context: Vec::new(),
            hint: None,
            source: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(RunOutcome::Usage, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// One more line below the message.
    #[must_use]
    pub fn context(mut self, line: impl Into<String>) -> Self {
        self.context.push(line.into());
        self
    }

    /// Message and hint, for a report that shows them in its own way.
    pub fn into_parts(self) -> (String, Option<String>) {
        match self.source {
            Some(source) => (format!("{}: {source}", source.location()), None),
            None => (self.message, self.hint),
        }
    }

    /// As it is printed on standard error.
    pub fn render(&self, color: bool) -> String {
        let (red, bold, reset) = if color { ("\u{1b}[31m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
        let mut out = String::new();
        if let Some(source) = &self.source {
            let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
            let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
            if handler.render_report(&mut out, source.as_ref()).is_ok() {
                return format!(
                    "{red}{bold}error{reset}: {}\n",
                    out.trim_start_matches([' ', '×']).trim_end()
                );
            }
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{red}{bold}error{reset}: {}", self.message);
        for line in &self.context {
            let _ = writeln!(out, "  {line}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  {bold}hint{reset}: {hint}");
        }
        out
    }
}

impl From<Box<FileDiagnostic>> for CommandError {
    fn from(source: Box<FileDiagnostic>) -> Self {
        Self { source: Some(source), ..Self::usage("") }
    }
}

impl From<RunEnd> for CommandError {
    fn from(end: RunEnd) -> Self {
        let message = end.message.unwrap_or_else(|| "the run failed".to_owned());
        let mut failure = Self::new(end.outcome, message).hint(end.hint);
        failure.context.extend(end.place.map(|place| format!("at {place}")));
        failure.context.extend(end.evidence.map(|evidence| format!("see {}", evidence.display())));
        failure
    }
}

impl From<TemporaryBrowserError> for CommandError {
    fn from(error: TemporaryBrowserError) -> Self {
        match error {
            TemporaryBrowserError::Session(error) => error.into(),
            TemporaryBrowserError::Store(error) => error.into(),
            folder @ TemporaryBrowserError::Folder(_) => {
                Self::usage(with_cause(&folder)).hint("TMPDIR names another place".to_owned())
            }
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let outcome = if error.may_pass() { RunOutcome::StepFailed } else { RunOutcome::Usage };
        Self::new(outcome, with_cause(&error)).hint(error.hint().map(str::to_owned))
    }
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        let outcome = match &error {
            SessionError::Busy { .. } => RunOutcome::Busy,
            SessionError::Damaged { .. } | SessionError::Newer { .. } => RunOutcome::Damaged,
            // As in the middle of a run: there may be room again by the next attempt.
            SessionError::Store(error) if error.may_pass() => RunOutcome::StepFailed,
            _ => RunOutcome::Usage,
        };
        Self::new(outcome, with_cause(&error)).hint(error.hint())
    }
}
