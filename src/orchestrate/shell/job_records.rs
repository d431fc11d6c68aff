//! Keeps what the closing report says of each job.

use std::ops::{Index, IndexMut};

use super::super::files::ProfileProgress;
use super::super::spool::SpoolAt;
use super::super::uptime::Uptime;
use crate::store::LockHolder;
use regatta_core::event::NetworkTotals;
use regatta_core::fleet::report::ProfileReport;
use regatta_core::fleet::{JobId, Mono};

/// One record a job. Most jobs only wait: a record begins when there is something to keep.
#[derive(Debug, Default)]
pub struct JobRecords {
    begun: Vec<Option<Box<JobRecord>>>,
    /// The reports of jobs that have ended.
    ended: Vec<Option<Box<ProfileReport>>>,
    /// Where the initial data of the session is, for as long as there is none.
    new: Vec<Option<SpoolAt>>,
    empty: JobRecord,
}

impl JobRecords {
    pub fn open(&mut self, record: Option<Box<JobRecord>>, new: Option<SpoolAt>) {
        self.begun.push(record);
        self.ended.push(None);
        self.new.push(new);
    }

    pub fn close(&mut self, job: JobId, report: ProfileReport) {
        self.begun[job.index()] = None;
        self.ended[job.index()] = Some(Box::new(report));
    }

    /// Returns where the initial session data of a profile that never ran is.
    pub fn new_session(&mut self, job: JobId) -> &mut Option<SpoolAt> {
        &mut self.new[job.index()]
    }

    pub fn into_reports(self) -> Vec<ProfileReport> {
        self.ended.into_iter().flatten().map(|report| *report).collect()
    }
}

impl Index<JobId> for JobRecords {
    type Output = JobRecord;

    fn index(&self, job: JobId) -> &JobRecord {
        self.begun[job.index()].as_deref().unwrap_or(&self.empty)
    }
}

impl IndexMut<JobId> for JobRecords {
    fn index_mut(&mut self, job: JobId) -> &mut JobRecord {
        self.begun[job.index()].get_or_insert_default()
    }
}

/// The facts about a job that the closing report shows.
#[derive(Debug, Default)]
pub struct JobRecord {
    pub known: ProfileProgress,
    pub network: NetworkTotals,
    pub begun: Option<Mono>,
    /// Of the latest attempt, where the run itself could not say it.
    pub cause: Option<String>,
    /// Why the living run is being ended.
    pub over_time: Option<String>,
    /// The adopted run whose lock fell last.
    pub died: Option<(LockHolder, Uptime)>,
}

impl JobRecord {
    pub fn error(&self) -> Option<String> {
        self.cause.clone().or_else(|| self.known.last_error.clone())
    }
}
