//! A run that is asked to stop before it has done anything.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;

use crate::support::program::Folder;

/// The workflow is a pipe: the run waits there until the test has written it.
#[test]
fn a_request_to_stop_that_comes_before_the_workflow_is_read_is_heard() {
    for signals in 1..=2 {
        let folder = Folder::practice();
        let (text, path) = (folder.read("workflow.toml"), folder.path("workflow.toml"));
        fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let mut run = folder.start(&["run", "p1"]);
        // It cannot be opened for writing before it is opened for reading.
        let flags = OFlags::NONBLOCK.bits() as i32;
        let writer = || OpenOptions::new().write(true).custom_flags(flags).open(&path).ok();
        let mut pipe = run.until("a reader", writer);
        (0..signals).for_each(|_| run.signal(Signal::TERM));
        pipe.write_all(text.as_bytes()).unwrap();
        drop(pipe);
        let ended = run.wait();
        ended.assert_code(7);
        assert!(ended.stderr.contains("stopped; go on with: regatta run p1"), "{}", ended.stderr);
        let reported: Vec<_> = folder.events("p1").iter().map(|event| event["type"].to_string()).collect();
        assert_eq!(reported, ["\"run_started\"", "\"run_finished\""], "no browser was started");
        assert_eq!(folder.session("p1").unwrap()["status"], "PENDING");
    }
}
