//! Reads the ends of text files that runs append to.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// The most that is read of a file for its last lines.
const MOST_TAIL: u64 = 64 * 1024;

/// Returns the last `lines` whole lines, of the last 64 KiB at most.
pub fn last_lines(path: &Path, lines: usize) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    let from = length.saturating_sub(MOST_TAIL);
    let text = read_from(path, from, MOST_TAIL)?;
    let mut kept: Vec<&str> = text.lines().rev().take(lines).collect();
    if from > 0 && kept.len() < lines {
        // The first line in the window is cut.
        kept.pop();
    }
    kept.reverse();
    Ok(kept.join("\n"))
}

/// Returns at most `most` bytes from `offset` on, as text.
pub fn read_from(path: &Path, offset: u64, most: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the offset at which the last `lines` lines of `reader` begin. Reads all of it.
pub fn offset_of_last_lines(reader: &mut impl BufRead, lines: usize) -> io::Result<u64> {
    let mut starts = VecDeque::new();
    let mut at = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(starts.front().copied().unwrap_or(at));
        }
        if starts.len() == lines {
            starts.pop_front();
        }
        if lines > 0 {
            starts.push_back(at);
        }
        at += read as u64;
    }
}
