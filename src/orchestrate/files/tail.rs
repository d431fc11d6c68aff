//! The end of one event file, as it grows.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use crate::domain::event::Event;

/// Reads whole lines only: the last one of a dead run may be cut.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    pub const fn at_start(path: PathBuf) -> Self {
        Self { path, offset: 0 }
    }

    /// What the file holds now is not read.
    pub fn at_end(path: PathBuf) -> Self {
        let offset = fs::metadata(&path).map_or(0, |file| file.len());
        Self { path, offset }
    }

    /// Events since the last call. A line that is no event is passed over; a file that cannot be read
    /// has nothing new.
    pub fn read(&mut self) -> Vec<Event> {
        let mut bytes = Vec::new();
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.offset))?;
            file.read_to_end(&mut bytes)
        };
        if read().is_err() {
            return Vec::new();
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        self.offset += whole as u64;
        bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}
