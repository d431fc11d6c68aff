//! Decides which profiles run next. Performs no I/O: `regatta::orchestrate` performs the effects.
//!
//! Invariants:
//! - at most `max` runs live at once, adopted runs included; a run that is being cleaned up lives until none
//!   of its processes is left;
//! - at most one run of a profile;
//! - every enqueued profile reaches exactly one outcome, and the fleet finishes exactly once;
//! - the severity of stopping only rises, and nothing is spawned once it has;
//! - the same inputs at the same times with the same seed give the same effects.
//!
//! An input costs at most O(log n), except a stop request and the list of profiles that are open elsewhere:
//! each visits every job once.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::id::ProfileId;
use super::outcome::{FleetOutcome, RunOutcome};
use super::retry::{Backoff, ChancePurpose, chance};

use self::admission::AdmissionControl;
use self::breaker::Breaker;
use self::elsewhere::OpenElsewhere;
use self::fact::{FleetFact, WaitReason};
use self::job::Slots;
use self::limits::{DeadlineQueue, RunClock};
use self::queue::LaunchQueue;
use self::site_busy::{SiteAllowance, SiteBusyState};

mod admission;
mod breaker;
mod elsewhere;
pub mod fact;
mod job;
mod launch;
mod limits;
pub mod line;
mod messages;
mod provider;
mod queue;
pub mod report;
mod site_busy;
pub mod source_notice;

pub use self::admission::{Admission, MachineLoad, RUN_MEMORY};
pub use self::job::{JobFailure, JobId, JobOutcome, JobState, Slot, Tally};
pub use self::limits::{Enforcement, TimeLimit, TimeLimits};
pub use self::messages::{ChildExit, FleetEffect, FleetInput, FleetInputError, ProfileStatus, Severity};

/// The time since the orchestrator started. Monotonic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

impl Mono {
    fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetConfig {
    /// The most runs that live at once; 0 counts as 1.
    pub max: u32,
    /// The least time between two launches, and the share of it that jitter adds or subtracts.
    pub stagger: Duration,
    pub stagger_jitter: f64,
    /// Attempts after the first.
    pub retries: u32,
    /// How often a profile with a busy site is queued again. This uses no attempt.
    pub busy_retries: u32,
    pub backoff: Backoff,
    /// How long runs may take to stop before they are killed. `None` means no limit: a slow step is not cut
    /// off.
    pub drain_limit: Option<Duration>,
    pub seed: u64,
    pub limits: TimeLimits,
    pub admission: Admission,
    /// How many profiles one call asks the provider about, to learn which are open on another device. 0 where
    /// the provider cannot be asked.
    pub asked_at_once: usize,
}

/// The scheduler of one fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    config: FleetConfig,
    jobs: Vec<Job>,
    /// Every profile that was enqueued.
    by_profile: HashMap<ProfileId, JobId>,
    /// Jobs that were never launched, by priority and then in order of arrival. Jobs whose back-off has
    /// passed go first, so that begun profiles finish before new ones begin.
    queue: LaunchQueue,
    backing_off: BTreeSet<(Mono, JobId)>,
    slots: Slots,
    severity: Severity,
    surveyed: bool,
    /// It was asked to stop before every profile was known.
    cut_short: bool,
    closed: bool,
    finished: bool,
    launches: u64,
    next_launch: Mono,
    /// When draining turns into killing.
    drain_until: Option<Mono>,
    /// The time of the latest `WakeAt` that was not yet answered.
    alarm: Option<Mono>,
    tally: Tally,
    deadlines: DeadlineQueue,
    admission: AdmissionControl,
    breaker: Breaker,
    elsewhere: OpenElsewhere,
    site: SiteAllowance,
    /// Jobs that found no browser and have no attempt left. The probe of the provider decides whether they
    /// failed.
    awaiting_probe: Vec<JobId>,
    /// Whether the latest report says that launches wait.
    waiting: bool,
}

#[derive(Debug, Clone)]
struct Job {
    profile: ProfileId,
    state: JobState,
    priority: i32,
    /// Attempts begun, an adopted run included.
    attempts: u32,
    /// How often the job was put off for being open elsewhere.
    put_off: u32,
    clock: RunClock,
    /// How the child that crashed last ended.
    died_of: Option<ChildExit>,
    /// The current run has reported that another run would end in the same way.
    failed_for_good: bool,
    site_busy: SiteBusyState,
}

/// How an attempt ended.
enum AttemptEnd {
    Finished(RunOutcome),
    Crashed,
    NotSpawned,
}

impl Fleet {
    pub fn new(config: FleetConfig) -> Self {
        Self {
            config: FleetConfig { max: config.max.max(1), ..config },
            jobs: Vec::new(),
            by_profile: HashMap::new(),
            queue: LaunchQueue::default(),
            backing_off: BTreeSet::new(),
            slots: Slots::default(),
            severity: Severity::None,
            surveyed: false,
            cut_short: false,
            closed: false,
            finished: false,
            launches: 0,
            next_launch: Mono::default(),
            drain_until: None,
            alarm: None,
            tally: Tally::default(),
            deadlines: DeadlineQueue::default(),
            admission: AdmissionControl::new(config.admission),
            breaker: Breaker::default(),
            elsewhere: OpenElsewhere::new(config.asked_at_once),
            site: SiteAllowance::new(config.max.max(1)),
            awaiting_probe: Vec::new(),
            waiting: false,
        }
    }

    /// Panics on a job of another fleet.
    pub fn profile(&self, job: JobId) -> &ProfileId {
        &self.jobs[job.index()].profile
    }

    /// Returns `None` for a profile that was not enqueued.
    pub fn job(&self, profile: &ProfileId) -> Option<JobId> {
        self.by_profile.get(profile).copied()
    }

    pub fn state(&self, job: JobId) -> JobState {
        self.jobs[job.index()].state
    }

    /// Whether the profile was enqueued.
    pub fn contains(&self, profile: &ProfileId) -> bool {
        self.by_profile.contains_key(profile)
    }

    /// Jobs in order of arrival.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> + use<> {
        (0..index(self.jobs.len())).map(JobId)
    }

    pub const fn severity(&self) -> Severity {
        self.severity
    }

    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// The number of runs that live now, adopted and crashed ones included.
    pub const fn live_runs(&self) -> usize {
        self.slots.taken as usize
    }

    /// Handles one input in any state and returns the effects. `now` never decreases.
    pub fn handle(&mut self, now: Mono, input: FleetInput) -> Vec<FleetEffect> {
        let mut effects = Vec::new();
        if let Err(refusal) = self.apply(now, input, &mut effects) {
            effects.push(FleetEffect::RejectInput(refusal));
            return effects;
        }
        self.launch(now, &mut effects);
        self.finish(&mut effects);
        self.set_alarm(now, &mut effects);
        effects
    }

    fn apply(
        &mut self,
        now: Mono,
        input: FleetInput,
        effects: &mut Vec<FleetEffect>,
    ) -> Result<(), FleetInputError> {
        match input {
            FleetInput::ProfileEnqueued { profile, standing: status, priority } => {
                self.enqueue(now, profile, status, priority, effects)?
            }
            FleetInput::SurveyEnded => self.surveyed = true,
            FleetInput::IntakeClosed => self.closed = true,
            FleetInput::ChildSpawned { job } => match self.known_state(job)? {
                JobState::Starting { slot } => {
                    self.set(job, JobState::Running { slot });
                    self.start_clock(now, job);
                    self.stop(job, effects);
                }
                state => return Err(FleetInputError::WrongState { job, state, input: "been spawned" }),
            },
            FleetInput::SpawnFailed { job } => match self.known_state(job)? {
                JobState::Starting { slot } => {
                    self.slots.release(slot);
                    self.finish_attempt(now, job, AttemptEnd::NotSpawned, effects);
                }
                state => return Err(FleetInputError::WrongState { job, state, input: "failed to spawn" }),
            },
            FleetInput::ChildExited { job, exit } => match (self.known_state(job)?, exit.outcome()) {
                (JobState::Running { slot }, None) => {
                    self.jobs[job.index()].died_of = Some(exit);
                    self.set(job, JobState::CleaningUp { slot });
                    effects.push(FleetEffect::CleanUp { job });
                }
                (JobState::Running { slot }, Some(RunOutcome::Busy)) => self.adopt(now, job, slot, effects),
                (JobState::Running { slot }, Some(outcome)) => {
                    self.slots.release(slot);
                    self.finish_attempt(now, job, AttemptEnd::Finished(outcome), effects);
                }
                (state, _) => return Err(FleetInputError::WrongState { job, state, input: "exited" }),
            },
            FleetInput::AdoptedEnded { job, outcome } => match (self.known_state(job)?, outcome) {
                (JobState::Adopted { slot }, None) => {
                    self.set(job, JobState::CleaningUp { slot });
                    effects.push(FleetEffect::CleanUp { job });
                }
                (JobState::Adopted { slot }, Some(outcome)) => {
                    self.slots.release(slot);
                    self.finish_attempt(now, job, AttemptEnd::Finished(outcome), effects);
                }
                (state, _) => {
                    return Err(FleetInputError::WrongState { job, state, input: "released its lock" });
                }
            },
            FleetInput::CleanedUp { job } => match self.known_state(job)? {
                JobState::CleaningUp { slot } => {
                    self.slots.release(slot);
                    match (self.jobs[job.index()].attempts, self.severity) {
                        (1.., _) => self.finish_attempt(now, job, AttemptEnd::Crashed, effects),
                        // The left-overs were those of a run before this fleet.
                        (0, Severity::None) => {
                            self.set(job, JobState::Queued);
                            self.queue.push_front(self.jobs[job.index()].priority, job);
                            effects.push(FleetEffect::Report(FleetFact::LeftOversEnded {
                                profile: self.profile(job).clone(),
                            }));
                        }
                        (0, Severity::Drain | Severity::Now) => self.end(job, JobOutcome::Stopped, effects),
                    }
                }
                state => return Err(FleetInputError::WrongState { job, state, input: "been cleaned up" }),
            },
            FleetInput::ChildReported { job } => match self.known_state(job)? {
                JobState::Running { .. } | JobState::Adopted { .. } => {
                    self.jobs[job.index()].clock.observe_event(now)
                }
                state => return Err(FleetInputError::WrongState { job, state, input: "emitted an event" }),
            },
            FleetInput::UsedElsewhere { job } => match self.known_state(job)? {
                JobState::Running { .. } | JobState::Adopted { .. } => self.elsewhere.record_refusal(job),
                state => {
                    return Err(FleetInputError::WrongState {
                        job,
                        state,
                        input: "been refused its profile",
                    });
                }
            },
            FleetInput::RunFailedForGood { job } => match self.known_state(job)? {
                JobState::Running { .. } | JobState::Adopted { .. } => {
                    self.jobs[job.index()].failed_for_good = true;
                }
                state => return Err(FleetInputError::WrongState { job, state, input: "failed for good" }),
            },
            FleetInput::SiteFoundBusy { job, retry_after } => match self.known_state(job)? {
                JobState::Running { .. } | JobState::Adopted { .. } => {
                    self.jobs[job.index()].site_busy.found = Some(retry_after);
                }
                state => {
                    return Err(FleetInputError::WrongState { job, state, input: "found its site busy" });
                }
            },
            FleetInput::ElsewhereChecked { open } => self.put_off_all(now, &open, effects),
            FleetInput::MachineMeasured(measured) => self.admission.record(now, measured),
            FleetInput::ProviderProbed { problem } => self.provider_answered(now, problem, effects),
            FleetInput::ProviderPaused { pause } => {
                let launches = !self.finished && self.severity == Severity::None;
                let refused = if launches { self.breaker.pause(now.after(pause)) } else { None };
                if let Some(refused) = refused {
                    self.awaiting_probe.clear();
                    self.excuse_all(&refused);
                    let reason = WaitReason::ProviderQuota { pause };
                    effects.push(FleetEffect::Report(FleetFact::LaunchesWaiting(reason)));
                }
            }
            FleetInput::StopRequested => self.raise(now, effects),
            FleetInput::TimeReached => {
                self.alarm = None;
                self.enforce_limits(now, effects);
                if self.severity == Severity::None && !self.finished && self.breaker.is_due(now) {
                    effects.push(FleetEffect::Probe);
                }
                if self.drain_until.is_some_and(|until| until <= now) {
                    self.raise(now, effects);
                }
            }
        }
        Ok(())
    }

    fn enqueue(
        &mut self,
        now: Mono,
        profile: ProfileId,
        status: ProfileStatus,
        priority: i32,
        effects: &mut Vec<FleetEffect>,
    ) -> Result<(), FleetInputError> {
        if self.closed {
            return Err(FleetInputError::IntakeClosed(profile));
        }
        if self.contains(&profile) {
            return Err(FleetInputError::Duplicate(profile));
        }
        let job = JobId(index(self.jobs.len()));
        self.by_profile.insert(profile.clone(), job);
        self.jobs.push(Job {
            profile,
            state: JobState::Queued,
            priority,
            attempts: 0,
            put_off: 0,
            clock: RunClock::default(),
            died_of: None,
            failed_for_good: false,
            site_busy: SiteBusyState::default(),
        });
        match status {
            ProfileStatus::Completed => self.end(job, JobOutcome::Completed, effects),
            ProfileStatus::NeedsAttention => self.end(job, JobOutcome::NeedsAttention, effects),
            ProfileStatus::Damaged => self.end(job, JobOutcome::Failed(JobFailure::Damaged), effects),
            ProfileStatus::Held => {
                let slot = self.slots.acquire();
                self.jobs[job.index()].attempts = 1;
                self.adopt(now, job, slot, effects);
            }
            // The left-overs take a slot until they are cleaned up.
            ProfileStatus::LeftBehind => {
                let slot = self.slots.acquire();
                self.set(job, JobState::CleaningUp { slot });
                effects.push(FleetEffect::CleanUp { job });
            }
            ProfileStatus::Open if self.severity > Severity::None => {
                self.end(job, JobOutcome::Stopped, effects);
            }
            ProfileStatus::Open => self.queue.push_back(priority, job),
        }
        Ok(())
    }

    /// Another process runs the profile: its run takes the slot, and stops with the fleet.
    fn adopt(&mut self, now: Mono, job: JobId, slot: Slot, effects: &mut Vec<FleetEffect>) {
        self.set(job, JobState::Adopted { slot });
        self.start_clock(now, job);
        effects.push(FleetEffect::Watch { job, slot, attempt: self.jobs[job.index()].attempts });
        self.stop(job, effects);
    }

    fn start_clock(&mut self, now: Mono, job: JobId) {
        let clock = &mut self.jobs[job.index()].clock;
        *clock = RunClock::began(now);
        self.deadlines.watch(&self.config.limits, job, clock);
    }

    /// Enforces the limits of runs that are over their time, one stage at a time.
    fn enforce_limits(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) {
        while let Some(job) = self.deadlines.pop_due(now) {
            if !matches!(self.state(job), JobState::Running { .. } | JobState::Adopted { .. }) {
                continue;
            }
            let clock = &mut self.jobs[job.index()].clock;
            let Some((limit, demand)) = self.deadlines.escalate(&self.config.limits, now, job, clock) else {
                continue;
            };
            let profile = self.profile(job).clone();
            effects.push(FleetEffect::Report(FleetFact::RunOverTime { profile, limit, demand }));
            effects.push(match demand {
                Enforcement::StopAfterStep | Enforcement::StopNow => FleetEffect::Terminate { job },
                Enforcement::Kill => FleetEffect::Kill { job },
            });
        }
    }

    /// Ends the attempt; its slot is free already.
    fn finish_attempt(&mut self, now: Mono, job: JobId, attempt: AttemptEnd, effects: &mut Vec<FleetEffect>) {
        let refused = self.elsewhere.was_refused(job);
        if refused && matches!(attempt, AttemptEnd::Finished(RunOutcome::NoBrowser)) {
            self.excuse(job);
            return match self.severity {
                Severity::None => self.put_off(now, job, effects),
                Severity::Drain | Severity::Now => self.end(job, JobOutcome::Stopped, effects),
            };
        }
        let for_good = std::mem::take(&mut self.jobs[job.index()].failed_for_good);
        // A problem of the profile or the settings says nothing about the provider.
        if !for_good {
            self.judge_provider(job, &attempt, effects);
        }
        let busy = self.jobs[job.index()].site_busy.found.take();
        if let (Some(retry_after), AttemptEnd::Finished(RunOutcome::StepFailed)) = (busy, &attempt) {
            return self.requeue_for_busy_site(now, job, retry_after, effects);
        }
        let over = self.jobs[job.index()].clock.over();
        let failure = match attempt {
            AttemptEnd::Finished(RunOutcome::Completed) => {
                self.site.grow();
                return self.end(job, JobOutcome::Completed, effects);
            }
            AttemptEnd::Finished(RunOutcome::NeedsAttention) => {
                return self.end(job, JobOutcome::NeedsAttention, effects);
            }
            AttemptEnd::Finished(RunOutcome::StepFailed) => JobFailure::StepFailed,
            AttemptEnd::Finished(RunOutcome::Usage) => JobFailure::Usage,
            AttemptEnd::Finished(RunOutcome::NoBrowser) => JobFailure::NoBrowser,
            AttemptEnd::Finished(RunOutcome::Damaged) => JobFailure::Damaged,
            // An adopted run cannot have found the profile busy. If it reports so, a fresh run decides.
            AttemptEnd::Finished(RunOutcome::Stopped | RunOutcome::Busy) => JobFailure::Interrupted,
            AttemptEnd::Crashed => JobFailure::Crashed,
            AttemptEnd::NotSpawned => JobFailure::NotSpawned,
        };
        // A time limit ended the run, not the fleet's stop.
        let failure = match (failure, over) {
            (JobFailure::Interrupted | JobFailure::Crashed, Some(limit)) if self.severity < Severity::Now => {
                limit.failure()
            }
            _ => failure,
        };
        // Under `Now`, runs are killed; under `Drain`, they are interrupted. Neither uses an attempt.
        let died_of = self.jobs[job.index()].died_of.take();
        let stopped_by_us = match failure {
            JobFailure::Interrupted => self.severity > Severity::None,
            // The signal arrived before the run had installed its handler.
            JobFailure::Crashed if died_of == Some(ChildExit::ASKED) => self.severity > Severity::None,
            JobFailure::Crashed => self.severity == Severity::Now,
            _ => false,
        };
        let attempts = self.jobs[job.index()].attempts;
        let attempts_left = failure.may_be_retried() && !for_good && attempts <= self.config.retries;
        match self.severity {
            // The probe will show whether the provider or the profile is at fault.
            Severity::None
                if failure == JobFailure::NoBrowser && !for_good && self.breaker.is_suspected() =>
            {
                if !attempts_left {
                    self.awaiting_probe.push(job);
                }
                self.back_off(now, job, failure, effects);
            }
            _ if stopped_by_us => self.end(job, JobOutcome::Stopped, effects),
            _ if !attempts_left => self.end(job, JobOutcome::Failed(failure), effects),
            Severity::Drain | Severity::Now => self.end(job, JobOutcome::Stopped, effects),
            Severity::None => self.back_off(now, job, failure, effects),
        }
    }

    fn back_off(&mut self, now: Mono, job: JobId, failure: JobFailure, effects: &mut Vec<FleetEffect>) {
        let attempt = self.jobs[job.index()].attempts;
        let chance = chance(self.config.seed, ChancePurpose::Retry { job: job.0, attempt });
        let delay = self.config.backoff.delay(attempt, chance);
        let until = now.after(delay);
        self.set(job, JobState::BackingOff { until });
        self.backing_off.insert((until, job));
        let (profile, cause) = (self.profile(job).clone(), failure.to_string());
        effects.push(FleetEffect::Report(FleetFact::ProfileBackingOff { profile, attempt, delay, cause }));
    }

    fn raise(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) {
        let raised = self.severity.raised();
        if raised == self.severity || self.finished {
            return;
        }
        self.severity = raised;
        self.cut_short |= !self.surveyed;
        self.drain_until = match raised {
            Severity::Drain => self.config.drain_limit.map(|limit| now.after(limit)),
            Severity::None | Severity::Now => None,
        };
        effects.push(FleetEffect::Report(FleetFact::FleetStopping { severity: raised }));
        self.queue.clear();
        self.backing_off.clear();
        self.elsewhere.clear();
        for job in self.jobs() {
            match self.state(job) {
                JobState::Queued | JobState::BackingOff { .. } | JobState::PutOff { .. } => {
                    self.end(job, JobOutcome::Stopped, effects);
                }
                JobState::Running { .. } | JobState::Adopted { .. } => self.stop(job, effects),
                // A child that is starting is stopped once it runs; a crashed run is being cleaned up.
                JobState::Starting { .. } | JobState::CleaningUp { .. } | JobState::Ended(_) => {}
            }
        }
    }

    /// Applies the current severity to one living run.
    fn stop(&self, job: JobId, effects: &mut Vec<FleetEffect>) {
        match self.severity {
            Severity::None => {}
            // A run over its time was asked to stop already; a second signal would mean "now".
            Severity::Drain if self.jobs[job.index()].clock.over().is_some() => {}
            Severity::Drain => effects.push(FleetEffect::Terminate { job }),
            Severity::Now => effects.push(FleetEffect::Kill { job }),
        }
    }

    fn end(&mut self, job: JobId, outcome: JobOutcome, effects: &mut Vec<FleetEffect>) {
        self.set(job, JobState::Ended(outcome));
        self.tally.count(outcome);
        let attempts = self.jobs[job.index()].attempts;
        effects.push(FleetEffect::End { job, outcome, attempts });
    }

    fn finish(&mut self, effects: &mut Vec<FleetEffect>) {
        if self.finished || !self.closed || self.tally.ended() < self.jobs.len() {
            return;
        }
        self.finished = true;
        let outcome = match self.tally {
            Tally { stopped: 1.., .. } => FleetOutcome::Stopped,
            // The profiles that were never read have no outcome, so nothing is said to be complete.
            _ if self.cut_short => FleetOutcome::Stopped,
            Tally { failed: 1.., .. } => FleetOutcome::SomeFailed,
            Tally { need_attention: 1.., .. } => FleetOutcome::SomeNeedAttention,
            _ => FleetOutcome::Completed,
        };
        effects.push(FleetEffect::Finish { outcome });
    }

    /// Sets the alarm for the first thing that waits only for time. A full fleet needs none: it waits for an
    /// exit.
    fn set_alarm(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) {
        let launch_at = || {
            let open = self.severity == Severity::None && self.surveyed;
            if !open || self.slots.taken >= self.site.runs() {
                return None;
            }
            if self.breaker.holds() {
                return None;
            }
            let ready = if self.queue.is_empty() {
                let begun = self.backing_off.first().map(|(until, _)| *until);
                begun.into_iter().chain(self.elsewhere.first().map(|(until, _)| until)).min()?
            } else {
                now
            };
            let ready = ready.max(self.next_launch);
            // A launch that is due and was not made waits for room.
            if ready > now {
                Some(ready)
            } else {
                self.admission.next_measurement().filter(|again| *again > now)
            }
        };
        let open = self.severity == Severity::None;
        let probe_at = self.breaker.probe_at().filter(|_| open);
        let times = [self.drain_until.or_else(launch_at), self.deadlines.next(), probe_at];
        let Some(wake) = times.into_iter().flatten().min().filter(|_| !self.finished) else { return };
        if self.alarm != Some(wake) {
            self.alarm = Some(wake);
            effects.push(FleetEffect::WakeAt(wake));
        }
    }

    fn known_state(&self, job: JobId) -> Result<JobState, FleetInputError> {
        self.jobs.get(job.index()).map(|job| job.state).ok_or(FleetInputError::UnknownJob(job))
    }

    fn set(&mut self, job: JobId, state: JobState) {
        self.jobs[job.index()].state = state;
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a list of four billion profiles does not fit in memory")
}

#[cfg(test)]
mod tests;
