//! The terminal below the moving lines, for a person who changes its size.
//!
//! indicatif fills every line up with spaces and lets the terminal wrap: for the terminal all of them are
//! one long line, which it tears anew when it becomes narrower, and the drawing after that begins too low.
//! Here each line ends where its text ends, and after a change of the width what is erased is what the lines take
//! then.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

/// Drawings a second, at most.
const RATE: u8 = 20;

#[derive(Debug)]
pub struct ProgressTarget {
    term: Term,
    drawn: Mutex<DrawnLines>,
}

/// A drawing moves up to its first line, clears the old ones, and writes pairs of a line and its filling.
#[derive(Debug, Default)]
struct DrawnLines {
    /// Columns of the terminal at the last drawing, and of each line of it.
    width: usize,
    lines: Vec<usize>,
    /// The drawing under way has moved up.
    has_begun: bool,
    /// The old lines are erased already.
    is_erased: bool,
    /// The row of the cursor has a line.
    is_on_line: bool,
    /// The next text is padding that fills the line.
    fills: bool,
}

impl ProgressTarget {
    /// On standard error; nothing is drawn where that is no terminal.
    pub fn target() -> ProgressDrawTarget {
        let term = Term::buffered_stderr();
        if !term.is_term() {
            return ProgressDrawTarget::hidden();
        }
        let screen = Self { term, drawn: Mutex::default() };
        ProgressDrawTarget::term_like_with_hz(Box::new(screen), RATE)
    }

    fn drawn(&self) -> MutexGuard<'_, DrawnLines> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the rows that the last lines take at width `now`, where they took `rows` at width `before`.
fn rows_now(lines: &[usize], rows: usize, before: usize, now: usize) -> usize {
    let (mut then, mut taken) = (0, 0);
    for line in lines.iter().rev() {
        if then >= rows {
            break;
        }
        then += rows_of(*line, before);
        taken += rows_of(*line, now);
    }
    taken
}

fn rows_of(line: usize, width: usize) -> usize {
    line.div_ceil(width.max(1)).max(1)
}

impl TermLike for ProgressTarget {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, rows: usize) -> io::Result<()> {
        let mut drawn = self.drawn();
        if drawn.is_erased {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut drawn.has_begun, true);
        let (before, now) = (drawn.width, usize::from(self.width()));
        if is_first {
            let lines = std::mem::take(&mut drawn.lines);
            if before != now && !lines.is_empty() {
                drawn.is_erased = true;
                drawn.is_on_line = false;
                let rows = rows_now(&lines, rows + 1, before, now);
                self.term.move_cursor_up(rows.saturating_sub(1))?;
                return self.term.clear_to_end_of_screen();
            }
        }
        self.term.move_cursor_up(rows)
    }

    fn move_cursor_down(&self, rows: usize) -> io::Result<()> {
        if self.drawn().is_erased { Ok(()) } else { self.term.move_cursor_down(rows) }
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.term.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.term.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.term.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut drawn = self.drawn();
        if std::mem::replace(&mut drawn.fills, false) {
            // The rows are clear.
            return Ok(());
        }
        let line = text.trim_end();
        drawn.fills = true;
        drawn.lines.push(measure_text_width(line));
        if std::mem::replace(&mut drawn.is_on_line, true) {
            self.term.write_str("\r\n")?;
        }
        self.term.write_str(line)
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut drawn = self.drawn();
        if drawn.is_erased {
            return Ok(());
        }
        drawn.is_on_line = false;
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.drawn();
        drawn.has_begun = false;
        drawn.is_erased = false;
        drawn.fills = false;
        drawn.width = usize::from(self.width());
        self.term.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_rows_that_the_terminal_makes_of_them() {
        // A printed line of 100 columns, then four others; one wraps at 40.
        let lines = [100, 30, 50, 0, 20];
        assert_eq!(rows_now(&lines, 4, 80, 80), 4);
        assert_eq!(rows_now(&lines, 4, 80, 40), 5);
        assert_eq!(rows_now(&lines, 5, 40, 80), 4, "wider again");
        assert_eq!(rows_now(&lines, 0, 80, 40), 0, "nothing moves yet");
        assert_eq!(rows_now(&[], 3, 80, 40), 0);
    }
}
