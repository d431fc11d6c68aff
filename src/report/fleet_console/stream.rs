//! Standard output as JSON lines, each written as it happens by a thread of its own: a reader that is
//! slow, or gone, holds no fleet up.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;

use regatta_core::fleet::fact::FleetNotice;
use regatta_core::fleet::line::FleetLine;
use regatta_core::fleet::report::FleetReport;

/// Lines that wait for the reader: some four megabytes. What comes on top is left out, and counted.
const MOST_UNREAD: usize = 16 * 1024;

/// Dropping it waits until every line is written, or the reader has gone.
pub struct Stream {
    lines: Option<SyncSender<String>>,
    writer: Option<JoinHandle<()>>,
    left_out: u64,
}

impl Stream {
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, receiver) = sync_channel(MOST_UNREAD);
        let writer = thread::Builder::new().name("json".to_owned()).spawn(move || write(out, receiver))?;
        Ok(Self { lines: Some(lines), writer: Some(writer), left_out: 0 })
    }

    /// Never waits.
    pub fn send_notice(&mut self, notice: &FleetNotice) {
        let Some(line) = FleetLine::from_notice(notice) else { return };
        if self.left_out > 0 && self.send(&FleetLine::left_out(notice.at, self.left_out)) {
            self.left_out = 0;
        }
        if self.left_out > 0 || !self.send(&line) {
            self.left_out += 1;
        }
    }

    /// Writes all that waits and the report.
    pub fn finish(self, report: &FleetReport) {
        let at = Timestamp::now();
        let left_out = (self.left_out > 0).then(|| FleetLine::left_out(at, self.left_out));
        for line in left_out.into_iter().chain([FleetLine::finished(at, report)]) {
            // An error: the reader has gone.
            let _ = self.lines.as_ref().map(|lines| lines.send(text(&line)));
        }
    }

    /// Returns whether the line was queued, or its reader has gone.
    fn send(&self, line: &FleetLine<'_>) -> bool {
        let sent = self.lines.as_ref().map(|lines| lines.try_send(text(line)));
        !matches!(sent, Some(Err(TrySendError::Full(_))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

/// Writes until the channel closes, or the reader has gone.
fn write(mut out: impl Write, lines: Receiver<String>) {
    for line in lines {
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// With its end, so that it is one write. Nothing in a line can fail to be JSON.
fn text(line: &FleetLine<'_>) -> String {
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use expect_test::expect;

    use super::super::tests::{report, story};
    use super::*;

    /// A reader that reads nothing before it is let.
    struct SlowReader {
        /// Says once that it is at it.
        began: Option<Sender<()>>,
        go: Option<Receiver<()>>,
        read: Sender<String>,
    }

    impl Write for SlowReader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(began) = self.began.take() {
                began.send(()).unwrap();
            }
            if let Some(go) = self.go.take() {
                go.recv().unwrap();
            }
            self.read.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_for_everything_that_happens_and_the_report_at_the_end() {
        let (read, lines) = channel();
        let mut stream = Stream::start(SlowReader { began: None, go: None, read }).unwrap();
        story().iter().for_each(|notice| stream.send_notice(notice));
        stream.finish(&report());
        let mut lines: Vec<String> = lines.iter().collect();
        let last = lines.pop().unwrap();
        assert_eq!(serde_json::from_str::<FleetReport>(&last).unwrap(), report());
        assert!(last.starts_with(r#"{"type":"fleet_finished","at":""#), "{last}");
        assert!(lines.iter().chain([&last]).all(|line| line.matches('\n').count() == 1), "{lines:?}");
        // Those of runs are as in the event files.
        for notice in story() {
            if let regatta_core::fleet::fact::FleetFact::RunEvent { event, .. } = notice.fact {
                assert!(lines.contains(&(serde_json::to_string(&event).unwrap() + "\n")), "{lines:#?}");
            }
        }
        let own: String = lines.iter().filter(|line| !line.contains("run_id")).map(String::as_str).collect();
        expect![[r#"
            {"v":1,"at":"2026-01-02T03:04:06Z","type":"fleet_surveyed","profiles":6,"tally":{"completed":1,"need_attention":0,"failed":0,"stopped":0}}
            {"v":1,"at":"2026-01-02T03:04:07Z","type":"run_launched","profile_id":"k18imh7u","slot":1,"attempt":1,"pid":41}
            {"v":1,"at":"2026-01-02T03:04:08Z","type":"run_adopted","profile_id":"b-2","slot":2,"attempt":1,"pid":7}
            {"v":1,"at":"2026-01-02T03:04:16Z","type":"profile_backing_off","profile_id":"b-2","attempt":1,"ms":2200,"cause":"a step failed"}
            {"v":1,"at":"2026-01-02T03:04:18Z","type":"profile_ended","profile_id":"k18imh7u","outcome":"completed","attempts":1,"steps_done":4,"steps":4,"ms":65000,"network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"2026-01-02T03:04:19Z","type":"run_launched","profile_id":"b-2","slot":1,"attempt":2,"pid":42}
            {"v":1,"at":"2026-01-02T03:04:20Z","type":"run_launched","profile_id":"crashes","slot":2,"attempt":1,"pid":43}
            {"v":1,"at":"2026-01-02T03:04:21Z","type":"profile_ended","profile_id":"b-2","outcome":"failed","cause":"step_failed","attempts":3,"steps_done":1,"steps":4,"ms":12340,"last_error":"no element matches any of its 3 selectors within 10 s\nmore of it","evidence":"artifacts/b-2/1","network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"2026-01-02T03:04:22Z","type":"run_crashed","profile_id":"crashes","cause":"the run crashed (signal 9)"}
            {"v":1,"at":"2026-01-02T03:04:23Z","type":"profile_ended","profile_id":"crashes","outcome":"failed","cause":"crashed","attempts":1,"steps_done":0,"steps":4,"ms":90,"network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"2026-01-02T03:04:24Z","type":"profile_ended","profile_id":"c","outcome":"needs_attention","attempts":1,"steps_done":2,"steps":4,"ms":7500000,"last_error":"step `store_signup` is in doubt","network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"2026-01-02T03:04:25Z","type":"fleet_stopping","severity":"drain"}
            {"v":1,"at":"2026-01-02T03:04:27Z","type":"fleet_stopping","severity":"now"}
        "#]].assert_eq(&own);
    }

    #[test]
    fn a_reader_that_is_slow_holds_nobody_up_and_what_it_misses_is_counted() {
        let (began, has_begun) = channel();
        let (go, let_go) = channel();
        let (read, lines) = channel();
        let mut stream = Stream::start(SlowReader { began: Some(began), go: Some(let_go), read }).unwrap();
        let notice = &story()[2];
        stream.send_notice(notice);
        // Its line is out of the queue, which has room for so many more.
        has_begun.recv().unwrap();
        for _ in 0..MOST_UNREAD + 7 {
            stream.send_notice(notice);
        }
        go.send(()).unwrap();
        stream.finish(&report());
        let lines: Vec<String> = lines.iter().collect();
        assert_eq!(lines.len(), 1 + MOST_UNREAD + 2);
        let missed = &lines[lines.len() - 2];
        assert!(missed.ends_with(",\"type\":\"lines_left_out\",\"lines\":7}\n"), "{missed}");
        assert!(lines.last().unwrap().contains("fleet_finished"), "{:?}", lines.last());
    }

    #[test]
    fn a_reader_that_is_gone_holds_nobody_up() {
        struct ClosedReader;
        impl Write for ClosedReader {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut stream = Stream::start(ClosedReader).unwrap();
        let story = story();
        for _ in 0..2 * MOST_UNREAD {
            stream.send_notice(&story[2]);
        }
        stream.finish(&report());
    }
}
