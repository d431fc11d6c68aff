//! The practice site of the invented company Harbour & Pine: webmail, shop, developer portal and
//! account security on one listener. The routes and switches are
//! listed in `examples/sandbox/README.md`.

mod account;
mod developers;
mod faults;
mod journal;
pub mod ledger;
mod mail;
mod office;
mod page;
mod sign_in;
mod store;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::Timestamp;

use crate::switches::{FaultSwitches, Switches};
use journal::Journal;
use ledger::{LedgerState, Record, Submission};
use page::{Look, Unavailable};

pub struct PracticeSite {
    memory: Mutex<SiteMemory>,
    faults: Mutex<FaultSwitches>,
    verbose: bool,
}

/// Under one lock, so that the journal's order is the order in which the state changed.
struct SiteMemory {
    journal: Journal,
    state: LedgerState,
}

impl PracticeSite {
    pub fn open(folder: &Path, switches: Switches, verbose: bool) -> io::Result<PracticeSite> {
        let (journal, state) = Journal::open(&folder.join("site.jsonl"))?;
        Ok(PracticeSite {
            memory: Mutex::new(SiteMemory { journal, state }),
            faults: Mutex::new(FaultSwitches::new(switches)),
            verbose,
        })
    }

    /// The one place where a submission is accepted: durable when it returns, also where the
    /// response is lost. An error replaces the page that would follow.
    pub fn accept(&self, submission: Submission) -> Result<(), Unavailable> {
        let (name, profile) = (submission.name(), submission.profile().to_owned());
        self.record(Record::Accepted { at_ms: now_ms(), submission })?;
        if self.faults().fails_after_accept(name, &profile) {
            return Err(Unavailable);
        }
        Ok(())
    }

    pub fn record(&self, record: Record) -> Result<(), Unavailable> {
        let mut memory = lock(&self.memory);
        if let Err(error) = memory.journal.append(&record) {
            // A submission that is not on disk has not happened.
            eprintln!("sandbox: the journal cannot be written: {error}");
            return Err(Unavailable);
        }
        memory.state.apply(record);
        Ok(())
    }

    pub fn read<T>(&self, read: impl FnOnce(&LedgerState) -> T) -> T {
        read(&lock(&self.memory).state)
    }

    pub fn look(&self) -> Look {
        let (rename, brisk) = {
            let faults = self.faults();
            (faults.switches().rename, faults.switches().brisk)
        };
        Look { rename, brisk, suffix: random_token()[..6].to_owned() }
    }

    pub fn faults(&self) -> MutexGuard<'_, FaultSwitches> {
        lock(&self.faults)
    }
}

pub fn router(site: Arc<PracticeSite>) -> Router {
    let pages = Router::new()
        .merge(mail::routes())
        .merge(store::routes())
        .merge(developers::routes())
        .merge(account::routes())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&site), faults::misbehave));
    // The office is the tester's way in: it never misbehaves. The course has hazards of its own.
    pages.merge(office::routes()).merge(crate::course::routes()).with_state(site)
}

pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// 32 hexadecimal digits.
pub fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A panic in a handler leaves plain data behind, which is as good as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
