//! The site's memory: an append-only file of JSON lines, on disk before a response reports it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use super::ledger::{LedgerState, Record};

pub struct Journal {
    file: File,
}

impl Journal {
    /// Replays what is there. A last line without its end was never answered for and is cut off.
    pub fn open(path: &Path) -> io::Result<(Journal, LedgerState)> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut state = LedgerState::default();
        let mut whole = 0;
        let mut reader = BufReader::new(&file);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
            let record: Record = serde_json::from_str(&line)
                .map_err(|error| io::Error::other(format!("{}: byte {whole}: {error}", path.display())))?;
            state.apply(record);
            whole += line.len() as u64;
            line.clear();
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok((Journal { file }, state))
    }

    /// Durable when it returns.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_torn_last_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let issued = |secret: &str| Record::SecretIssued {
            address: "p1@practice.test".to_owned(),
            secret: secret.to_owned(),
        };
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&issued("ONE")).unwrap();
        let mut torn = fs::read_to_string(&path).unwrap();
        torn.push_str(r#"{"type":"secret_iss"#);
        fs::write(&path, torn).unwrap();

        let (mut journal, state) = Journal::open(&path).unwrap();
        assert_eq!(state.secret("p1@practice.test"), Some("ONE"));
        journal.append(&issued("TWO")).unwrap();
        let (_, state) = Journal::open(&path).unwrap();
        assert_eq!(state.secret("p1@practice.test"), Some("TWO"));
    }
}
