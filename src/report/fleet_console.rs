//! Shows a fleet: progress lines on a terminal, dated lines elsewhere, and a table at the end.
//!
//! With `--json` standard output is for a program, one object a line; the dated lines go to standard
//! error then.

use std::io::{self, Write as _};

use jiff::tz::TimeZone;

use self::live::FleetProgress;
use self::paint::{Emphasis, Paint};
use self::plain::FleetLines;
use self::stream::Stream;
use self::table::closing_table;
use crate::report::words::span;
use regatta_core::fleet::Tally;
use regatta_core::fleet::fact::FleetNotice;
use regatta_core::fleet::report::FleetReport;

mod live;
mod paint;
mod pauses;
mod plain;
mod screen;
mod stream;
mod table;

pub(super) use self::plain::describe_wait;

pub struct FleetConsole {
    view: FleetView,
    paint: Paint,
    /// Where standard output is for a program.
    stream: Option<Stream>,
}

enum FleetView {
    Lines(FleetLines),
    Progress(FleetProgress),
}

impl FleetConsole {
    /// `terminal`: lines may be drawn over. `quiet`: only what went wrong, and the table. Fails where no
    /// thread can be started for `json`.
    pub fn new(terminal: bool, color: bool, quiet: bool, json: bool) -> io::Result<Self> {
        let paint = Paint { color };
        let view = if terminal && !quiet {
            FleetView::Progress(FleetProgress::new(paint))
        } else {
            FleetView::Lines(FleetLines::new(quiet, TimeZone::system()))
        };
        let stream = if json { Some(Stream::start(io::stdout())?) } else { None };
        Ok(Self { view, paint, stream })
    }

    pub fn show(&mut self, notice: &FleetNotice) {
        if let Some(stream) = &mut self.stream {
            stream.send_notice(notice);
        }
        match &mut self.view {
            FleetView::Progress(live) => live.show(notice),
            FleetView::Lines(plain) => {
                let Some((tone, line)) = plain.line(notice) else { return };
                let line = self.paint.whole(tone, &line);
                // The reader of a pipe may have gone; the fleet goes on.
                let _ = if self.stream.is_some() {
                    writeln!(io::stderr(), "{line}")
                } else {
                    writeln!(io::stdout(), "{line}")
                };
            }
        }
    }

    /// The table, or the last line of the stream; nothing is drawn afterwards.
    pub fn finish(&mut self, report: &FleetReport) {
        if let FleetView::Progress(live) = &mut self.view {
            live.finish();
        }
        match self.stream.take() {
            Some(stream) => stream.finish(report),
            None => {
                let _ = io::stdout().write_all(closing_table(report, self.paint).as_bytes());
            }
        }
    }
}

/// A message of several lines would break lines and table; the profile's own log has all of it.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `3 completed, 1 failed`: what there is none of is not named.
fn counts(tally: Tally, paint: Paint) -> String {
    let named = [
        (tally.completed, "completed", Emphasis::Good),
        (
            tally.need_attention,
            if tally.need_attention == 1 { "needs attention" } else { "need attention" },
            Emphasis::Warning,
        ),
        (tally.failed, "failed", Emphasis::Bad),
        (tally.stopped, "stopped", Emphasis::Dim),
    ];
    let named: Vec<_> = named
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, tone)| paint.whole(tone, &format!("{count} {what}")))
        .collect();
    if named.is_empty() { "none ended yet".to_owned() } else { named.join(", ") }
}

#[cfg(test)]
pub(super) mod tests;
