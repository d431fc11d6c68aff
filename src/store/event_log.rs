//! The events of a profile: one file, one JSON object a line, appended by its runs and tailed by
//! observers.
//!
//! Invariant: a line is written by one call in append mode, so lines of different processes never
//! mix. A process killed in that call may leave a cut line: the next writer starts a fresh one, and
//! readers skip a line that they cannot read: cut, or of a type that they do not know.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Layout, StoreError};
use regatta_core::event::{EVENT_VERSION, Event, EventKind};
use regatta_core::id::{ProfileId, RunId};

/// The first block of a file that is read from its end: holds the last line, which is usually all that is needed.
const BLOCK: u64 = 2 * 1024;

/// Writes the events of one run.
pub struct EventLog {
    file: Box<dyn io::Write + Send>,
    path: PathBuf,
    run_id: RunId,
    profile_id: ProfileId,
    /// Both ids as every line holds them.
    ids: String,
    seq: u64,
    /// The last line of the file has no end.
    cut: bool,
}

impl EventLog {
    pub fn open(layout: &Layout, profile: &ProfileId, run_id: &RunId) -> Result<Self, StoreError> {
        let path = layout.events(profile);
        let open = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            let cut = ends_cut(&mut file)?;
            Ok((file, cut))
        };
        let (file, cut) = open().map_err(StoreError::at("open the event log", &path))?;
        Ok(Self::over(file, path, cut, profile, run_id))
    }

    /// Writes to an open file, or a substitute. Each write must append all of its bytes at once;
    /// `cut`: the last line has no end. `path` is how errors name it.
    pub fn over(
        file: impl io::Write + Send + 'static,
        path: PathBuf,
        cut: bool,
        profile: &ProfileId,
        run_id: &RunId,
    ) -> Self {
        let file = Box::new(file);
        let in_json = |text: &str| serde_json::Value::from(text).to_string();
        let ids =
            format!(r#""run_id":{},"profile_id":{}"#, in_json(run_id.as_str()), in_json(profile.as_str()));
        Self { file, path, run_id: run_id.clone(), profile_id: profile.clone(), ids, seq: 0, cut }
    }

    /// Appends one event and returns it with its number. Not synced: events are telemetry; the session holds
    /// what must survive a power cut.
    pub fn append(&mut self, at: Timestamp, kind: EventKind) -> Result<Event, StoreError> {
        self.seq += 1;
        let event = Event {
            v: EVENT_VERSION,
            seq: self.seq,
            at,
            run_id: self.run_id.clone(),
            profile_id: self.profile_id.clone(),
            kind,
        };
        let mut line = Vec::with_capacity(512);
        if self.cut {
            line.push(b'\n');
        }
        // As serde writes an `Event`, in a third of the time, since it flattens by way of a map: the
        // object of the kind goes on where the common fields end. Nothing of it can fail to serialise,
        // nor a Vec to take it.
        let (v, seq, ids) = (EVENT_VERSION, self.seq, &self.ids);
        let _ = write!(line, r#"{{"v":{v},"seq":{seq},"at":"{at}",{ids}"#);
        let kind = line.len();
        serde_json::to_writer(&mut line, &event.kind).expect("the kind of an event is a JSON object");
        line[kind] = b',';
        line.push(b'\n');
        let written = self.file.write_all(&line);
        // A full disk may have taken a part of it.
        self.cut = written.is_err();
        written.map_err(StoreError::at("append to", &self.path))?;
        Ok(event)
    }
}

/// Follows an event log. Keeps no file open, so that thousands can be followed.
#[derive(Debug)]
pub struct EventReader<F = PathBuf> {
    file: F,
    /// Start of the first line that was not read yet.
    offset: u64,
}

/// A file that grows while it is read: one on disk, by its path, or one of a simulation.
pub trait FollowedFile {
    /// In bytes; 0 where there is no file yet.
    fn length(&self) -> io::Result<u64>;

    /// Reads the bytes from `start` to `end`.
    fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>>;

    /// Returns how errors name the file.
    fn path(&self) -> &Path;
}

impl FollowedFile for PathBuf {
    fn length(&self) -> io::Result<u64> {
        match fs::metadata(self) {
            Ok(file) => Ok(file.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = File::open(self)?;
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn path(&self) -> &Path {
        self
    }
}

impl EventReader {
    /// Reads the whole file, then what is appended.
    pub fn from_start(path: impl Into<PathBuf>) -> Self {
        Self::over(path.into(), 0)
    }

    /// Reads only what is appended from now on.
    pub fn from_end(path: impl Into<PathBuf>) -> Self {
        Self::over_end(path.into())
    }

    /// Reads from `offset`, a result of [`Self::offset`].
    pub fn from_offset(path: impl Into<PathBuf>, offset: u64) -> Self {
        Self::over(path.into(), offset)
    }
}

impl<F: FollowedFile> EventReader<F> {
    /// Reads from `offset` on.
    pub const fn over(file: F, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Only what comes from now on.
    pub fn over_end(file: F) -> Self {
        let offset = file.length().unwrap_or(0);
        Self { file, offset }
    }

    /// In bytes, where the first line begins that was not read yet.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the events of the whole lines written since the last call; none while there is no file.
    /// A file that became shorter was replaced and is read from its start.
    pub fn poll(&mut self) -> Result<Vec<Event>, StoreError> {
        let read = self.read_new();
        read.map_err(StoreError::at("read", self.file.path()))
    }

    fn read_new(&mut self) -> io::Result<Vec<Event>> {
        let length = self.file.length()?;
        if length < self.offset {
            self.offset = 0;
        }
        if length == self.offset {
            return Ok(Vec::new());
        }
        let (events, whole) = whole_lines(&self.file.read(self.offset, length)?);
        self.offset += whole as u64;
        Ok(events)
    }
}

/// Returns the events in the complete lines, and the length of those lines in bytes.
pub fn whole_lines(bytes: &[u8]) -> (Vec<Event>, usize) {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (bytes[..whole].split(|&byte| byte == b'\n').filter_map(parse).collect(), whole)
}

/// The events of the last run of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRunEvents {
    pub run_id: RunId,
    /// In the order they were written; the first is `run_started` unless it is lost.
    pub events: Vec<Event>,
}

impl LastRunEvents {
    /// The last `run_finished`; `None` while the run lives, and for ever when it crashed.
    pub fn finished(&self) -> Option<&Event> {
        self.events.iter().rev().find(|event| matches!(event.kind, EventKind::RunFinished { .. }))
    }
}

/// The events of the run that wrote the last one. Reads from the end, so the cost is that run's
/// length and not the file's.
pub fn last_run(path: &Path) -> Result<Option<LastRunEvents>, StoreError> {
    let error = StoreError::at("read", path);
    let read = || -> io::Result<Option<LastRunEvents>> {
        let Some(lines) = ReverseLines::open(path)? else { return Ok(None) };
        let mut run: Option<LastRunEvents> = None;
        for line in lines {
            let Some(event) = parse(&line?) else { continue };
            let run =
                run.get_or_insert_with(|| LastRunEvents { run_id: event.run_id.clone(), events: Vec::new() });
            if event.run_id == run.run_id {
                let first = matches!(event.kind, EventKind::RunStarted { .. });
                run.events.push(event);
                if first {
                    break;
                }
            }
        }
        if let Some(run) = &mut run {
            run.events.reverse();
        }
        Ok(run)
    };
    read().map_err(error)
}

/// The last events of a file that are wanted, of whichever runs, in the order they were written. Reads
/// from the end.
pub fn tail(path: &Path, most: usize, wanted: impl Fn(&EventKind) -> bool) -> Result<Vec<Event>, StoreError> {
    let read = || -> io::Result<Vec<Event>> {
        let Some(lines) = ReverseLines::open(path)? else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        for line in lines {
            events.extend(parse(&line?).filter(|event| wanted(&event.kind)));
            if events.len() >= most {
                break;
            }
        }
        events.reverse();
        Ok(events)
    };
    read().map_err(StoreError::at("read", path))
}

/// The `run_finished` of the last run, where it ended normally: mostly the last line, so this is
/// the way to ask it of ten thousand profiles.
pub fn last_finished(path: &Path) -> Result<Option<Event>, StoreError> {
    let error = StoreError::at("read", path);
    let read = || -> io::Result<Option<Event>> {
        let Some(lines) = ReverseLines::open(path)? else { return Ok(None) };
        let mut last: Option<RunId> = None;
        for line in lines {
            let Some(event) = parse(&line?) else { continue };
            let last = last.get_or_insert_with(|| event.run_id.clone());
            match event.kind {
                _ if event.run_id != *last => {}
                EventKind::RunFinished { .. } => return Ok(Some(event)),
                EventKind::RunStarted { .. } => break,
                _ => {}
            }
        }
        Ok(None)
    };
    read().map_err(error)
}

fn parse(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line).ok()
}

fn ends_cut(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The lines of a file, the last one first, what follows the last line end included.
struct ReverseLines {
    file: File,
    length: u64,
    /// Where the part that was not read yet ends.
    unread: u64,
    lines: VecDeque<Vec<u8>>,
    /// The end of the line that began in the unread part.
    rest: Vec<u8>,
}

impl ReverseLines {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        Ok(Some(Self { file, length, unread: length, lines: VecDeque::new(), rest: Vec::new() }))
    }

    fn read_block(&mut self) -> io::Result<()> {
        // Each block doubles what was read, so that the work stays linear even in one long line.
        let block = BLOCK.max(self.length - self.unread).min(self.unread);
        self.unread -= block;
        let mut bytes = Vec::with_capacity(usize::try_from(block).unwrap_or(0) + self.rest.len());
        self.file.seek(SeekFrom::Start(self.unread))?;
        (&self.file).take(block).read_to_end(&mut bytes)?;
        bytes.append(&mut self.rest);
        let mut lines = bytes.split(|&byte| byte == b'\n');
        // The first piece may have begun before the block.
        let first = lines.next().unwrap_or_default().to_vec();
        self.lines.extend(lines.rev().map(<[u8]>::to_vec));
        if self.unread == 0 {
            self.lines.push_back(first);
        } else {
            self.rest = first;
        }
        Ok(())
    }
}

impl Iterator for ReverseLines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.lines.is_empty() && self.unread > 0 {
            if let Err(error) = self.read_block() {
                self.unread = 0;
                return Some(Err(error));
            }
        }
        self.lines.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::store::testing::{folder, now, profile};
    use regatta_core::outcome::RunOutcome;

    fn run(number: u32) -> RunId {
        RunId::new(now(), number)
    }

    fn started() -> EventKind {
        EventKind::RunStarted { pid: 1, plan: "sha256:1".into(), steps: 2, done: 0, browser: None }
    }

    fn stopped(ms: u64) -> EventKind {
        EventKind::BrowserStopped { ms }
    }

    fn finished() -> EventKind {
        EventKind::RunFinished {
            outcome: RunOutcome::Completed,
            exit_code: 0,
            message: None,
            permanent: false,
            cause: None,
            retry_after_ms: None,
            ms: 9,
        }
    }

    fn append(path: &Path, text: &str) {
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn seqs(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn a_line_is_the_event_as_serde_writes_it() {
        let (_folder, layout) = folder();
        let mut log = EventLog::open(&layout, &profile(), &run(1)).unwrap();
        // A kind without fields, one of strings, one of objects.
        let network = regatta_core::event::NetworkTotals::default();
        let (flag, outcome) = ("one".parse().unwrap(), regatta_core::event::StepOutcome::Done);
        let step = EventKind::StepFinished { flag, outcome, ms: 1, network };
        let events: Vec<Event> = [started(), EventKind::UsedElsewhere, step]
            .map(|kind| log.append("2026-01-02T03:04:05.678901234Z".parse().unwrap(), kind).unwrap())
            .to_vec();
        let written = fs::read_to_string(layout.events(&profile())).unwrap();
        let expected: Vec<_> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        assert_eq!(written.lines().collect::<Vec<_>>(), expected);
        assert_eq!(whole_lines(written.as_bytes()).0, events);
    }

    #[test]
    fn a_reader_sees_every_whole_line_once() {
        let (_folder, layout) = folder();
        let path = layout.events(&profile());
        let mut reader = EventReader::from_start(&path);
        assert!(reader.poll().unwrap().is_empty(), "there is no file yet");

        let mut log = EventLog::open(&layout, &profile(), &run(1)).unwrap();
        let first = log.append(now(), started()).unwrap();
        assert_eq!(reader.poll().unwrap(), [first]);
        assert!(reader.poll().unwrap().is_empty());

        // A line under way, of a type of tomorrow, then one of ours.
        append(&path, r#"{"v":1,"seq":2,"at":"2026-01-02T03:04:05Z","run_id":"r","profile_id":"p1","#);
        assert!(reader.poll().unwrap().is_empty());
        append(&path, "\"type\":\"tea_made\"}\n");
        log.append(now(), stopped(1)).unwrap();
        assert_eq!(seqs(&reader.poll().unwrap()), [2]);

        let mut late = EventReader::from_end(&path);
        log.append(now(), finished()).unwrap();
        assert_eq!(seqs(&late.poll().unwrap()), [3]);
        assert_eq!(late.path(), path);
    }

    #[test]
    fn a_cut_line_costs_only_itself() {
        let (_folder, layout) = folder();
        let path = layout.events(&profile());
        EventLog::open(&layout, &profile(), &run(1)).unwrap().append(now(), started()).unwrap();
        append(&path, r#"{"v":1,"seq":2,"at":"20"#);
        let mut tail = EventReader::from_end(&path);

        let mut log = EventLog::open(&layout, &profile(), &run(2)).unwrap();
        log.append(now(), started()).unwrap();
        log.append(now(), stopped(1)).unwrap();
        assert_eq!(seqs(&tail.poll().unwrap()), [1, 2]);
        assert_eq!(seqs(&EventReader::from_start(&path).poll().unwrap()), [1, 1, 2]);
        let text = fs::read_to_string(&path).unwrap().replace("0000000", "0");
        expect![[r#"
            {"v":1,"seq":1,"at":"2026-01-02T03:04:05Z","run_id":"20260102T030405-01","profile_id":"p1","type":"run_started","pid":1,"plan":"sha256:1","steps":2,"done":0}
            {"v":1,"seq":2,"at":"20
            {"v":1,"seq":1,"at":"2026-01-02T03:04:05Z","run_id":"20260102T030405-02","profile_id":"p1","type":"run_started","pid":1,"plan":"sha256:1","steps":2,"done":0}
            {"v":1,"seq":2,"at":"2026-01-02T03:04:05Z","run_id":"20260102T030405-02","profile_id":"p1","type":"browser_stopped","ms":1}
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_file_that_became_shorter_is_read_anew() {
        let (_folder, layout) = folder();
        let path = layout.events(&profile());
        let mut log = EventLog::open(&layout, &profile(), &run(1)).unwrap();
        log.append(now(), started()).unwrap();
        log.append(now(), stopped(1)).unwrap();
        let mut reader = EventReader::from_start(&path);
        assert_eq!(reader.poll().unwrap().len(), 2);
        File::create(&path).unwrap();
        log.append(now(), stopped(2)).unwrap();
        assert_eq!(seqs(&reader.poll().unwrap()), [3]);
        fs::remove_file(&path).unwrap();
        assert!(reader.poll().unwrap().is_empty());
    }

    #[test]
    fn the_last_run_is_found_from_the_end() {
        let (_folder, layout) = folder();
        let path = layout.events(&profile());
        assert_eq!(last_run(&path).unwrap(), None);
        assert_eq!(last_finished(&path).unwrap(), None);

        let mut first = EventLog::open(&layout, &profile(), &run(1)).unwrap();
        first.append(now(), started()).unwrap();
        first.append(now(), finished()).unwrap();
        assert_eq!(seqs(&last_run(&path).unwrap().unwrap().events), [1, 2]);
        assert_eq!(last_finished(&path).unwrap().unwrap().seq, 2);

        let mut second = EventLog::open(&layout, &profile(), &run(2)).unwrap();
        second.append(now(), started()).unwrap();
        for ms in 0..600 {
            second.append(now(), stopped(ms)).unwrap();
        }
        append(&path, "{\"cut");
        assert!(fs::metadata(&path).unwrap().len() > 3 * BLOCK);
        let last = last_run(&path).unwrap().unwrap();
        assert_eq!((last.run_id.clone(), last.events.len()), (run(2), 601));
        assert!(last.events.is_sorted_by_key(|event| event.seq));
        assert_eq!((last.finished(), last_finished(&path).unwrap()), (None, None), "it crashed or lives");
    }

    #[test]
    fn what_cannot_be_opened_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let error = EventLog::open(&layout, &profile(), &run(1)).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("cannot open the event log {}", layout.events(&profile()).display())
        );
        fs::create_dir_all(layout.events(&profile())).unwrap();
        let error = EventReader::from_start(layout.events(&profile())).poll().unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}", layout.events(&profile()).display()));
        last_run(&layout.events(&profile())).unwrap_err();
    }

    proptest! {
        #[test]
        fn lines_backwards_are_the_lines(
            lines in prop::collection::vec(
                prop_oneof![
                    "[a-z]{0,9}",
                    (16_000_usize..40_000).prop_map(|length| "x".repeat(length)),
                ],
                0..8,
            ),
            end in any::<bool>()
        ) {
            let file = tempfile::NamedTempFile::new().unwrap();
            let text = lines.join("\n") + if end { "\n" } else { "" };
            fs::write(file.path(), &text).unwrap();
            let read = ReverseLines::open(file.path()).unwrap().unwrap();
            let mut read: Vec<_> = read.map(|line| String::from_utf8(line.unwrap()).unwrap()).collect();
            read.reverse();
            let expected: Vec<_> = if text.is_empty() { vec![] } else { text.split('\n').collect() };
            prop_assert_eq!(read, expected);
        }
    }
}
