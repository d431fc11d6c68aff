//! What new sessions begin with, from the reading of a row until its profile is launched: in a file
//! that has no name, so that a hundred thousand rows take no memory and no secret is left behind,
//! however this process ends. After a crash the source is read again.

use std::fmt;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::source::row::NewSession;

/// Shared by who reads the source and who launches.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Mutex<SpoolFile>>);

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolAt(NonZeroU64);

/// A file without a name, or memory in a simulation.
pub trait SpoolMedium: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> SpoolMedium for T {}

struct SpoolFile {
    file: BufWriter<Box<dyn SpoolMedium>>,
    end: u64,
}

impl fmt::Debug for SpoolFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolFile").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Spool {
    pub fn new(folder: &Path) -> io::Result<Self> {
        Self::over(tempfile::tempfile_in(folder)?)
    }

    /// Over an empty file.
    pub fn over(file: impl SpoolMedium + 'static) -> io::Result<Self> {
        let mut file: BufWriter<Box<dyn SpoolMedium>> = BufWriter::new(Box::new(file));
        // No row lies at 0.
        file.write_all(b"\n")?;
        Ok(Self(Arc::new(Mutex::new(SpoolFile { file, end: 1 }))))
    }

    pub fn keep(&self, new: &NewSession) -> io::Result<SpoolAt> {
        let bytes = serde_json::to_vec(new)?;
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a row of four gigabytes"))?;
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = NonZeroU64::new(inner.end).ok_or_else(|| io::Error::other("no row lies at 0"))?;
        // A read may have moved the position.
        let end = inner.end;
        inner.file.seek(SeekFrom::Start(end))?;
        inner.file.write_all(&length.to_le_bytes())?;
        inner.file.write_all(&bytes)?;
        inner.end += 4 + u64::from(length);
        Ok(SpoolAt(at))
    }

    pub fn read(&self, at: SpoolAt) -> io::Result<NewSession> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.file.flush()?;
        let file = inner.file.get_mut();
        file.seek(SeekFrom::Start(at.0.get()))?;
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_in_any_order_and_no_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path()).unwrap();
        let row = |number: usize| {
            let mut new = NewSession::default();
            new.identity.set("password", &"x".repeat(number));
            new
        };
        let mut places = Vec::new();
        for number in 0..300 {
            places.push(spool.keep(&row(number)).unwrap());
            assert_eq!(spool.read(places[number / 2]).unwrap(), row(number / 2));
        }
        for (number, at) in places.iter().enumerate().rev() {
            assert_eq!(spool.read(*at).unwrap(), row(number));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
