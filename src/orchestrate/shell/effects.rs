//! What the fleet wants done: to runs, and to be found out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::super::spool::SpoolAt;
use super::super::world::{EndedRunGroup as _, FleetWorld};
use super::{EffectResult, ProviderRefusal, Shell};
use crate::providers::leftovers::EndError;
use crate::store::SessionError;
use regatta_core::error_chain::with_cause;
use regatta_core::fleet::fact::FleetFact;
use regatta_core::fleet::{FleetEffect, FleetInput, JobId, Mono, Slot};
use regatta_core::id::ProfileId;

/// For the provider to say that it is there.
const PROBE: Duration = Duration::from_secs(15);
/// For the provider to say which profiles are open: the question waits for its turn behind the starts.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum RunSignal {
    Terminate,
    Kill,
}

impl<W: FleetWorld> Shell<'_, W> {
    pub async fn apply(&mut self, effect: FleetEffect) -> Option<FleetInput> {
        match effect {
            FleetEffect::Spawn { job, slot, attempt } => return Some(self.spawn(job, slot, attempt)),
            FleetEffect::Watch { job, slot, attempt } => self.watch(job, slot, attempt).await,
            FleetEffect::CleanUp { job } => self.clean_up(job),
            FleetEffect::Terminate { job } => self.signal(job, RunSignal::Terminate).await,
            FleetEffect::Kill { job } => self.signal(job, RunSignal::Kill).await,
            FleetEffect::Measure => {
                let world = self.world.clone();
                self.answers.push(Box::pin(async move {
                    EffectResult::Input(FleetInput::MachineMeasured(world.measure().await))
                }));
            }
            FleetEffect::Probe => {
                let (provider, hint) = (Arc::clone(&self.provider), self.options.provider_hint);
                self.answers.push(Box::pin(async move {
                    EffectResult::Probed(match timeout(PROBE, provider.probe()).await {
                        Ok(Err(error)) if let Some(refusal) = ProviderRefusal::of(&error, hint) => {
                            return EffectResult::Refused(
                                FleetInput::ProviderProbed { problem: None },
                                refusal,
                            );
                        }
                        Ok(answered) => answered.map_err(|error| with_cause(&error)),
                        Err(_) => Err(format!("{} does not answer within {PROBE:?}", provider.name())),
                    })
                }));
            }
            FleetEffect::CheckElsewhere { jobs } => self.look_elsewhere(jobs),
            FleetEffect::WakeAt(Mono(at)) => self.alarm = self.started.checked_add(at),
            FleetEffect::Report(fact) => self.report_fact(fact),
            FleetEffect::End { job, outcome, attempts } => self.end(job, outcome, attempts),
            FleetEffect::RejectInput(refusal) => debug!(%refusal, "refused"),
            FleetEffect::Finish { outcome } => {
                info!(?outcome, "finished");
                self.emit(FleetFact::FleetFinished { outcome, tally: self.fleet.tally() });
                self.outcome = Some(outcome);
            }
        }
        None
    }

    /// A provider that cannot say holds nothing up: the run of a profile that is in use finds out.
    fn look_elsewhere(&self, jobs: Vec<JobId>) {
        let (provider, hint) = (Arc::clone(&self.provider), self.options.provider_hint);
        let profiles: Vec<ProfileId> = jobs.iter().map(|job| self.fleet.profile(*job).clone()).collect();
        self.answers.push(Box::pin(async move {
            let open = match timeout(LOOK, provider.open_elsewhere(&profiles)).await {
                Ok(Ok(open)) => open,
                Ok(Err(error)) if let Some(refusal) = ProviderRefusal::of(&error, hint) => {
                    return EffectResult::Refused(FleetInput::ElsewhereChecked { open: Vec::new() }, refusal);
                }
                Ok(Err(error)) => {
                    warn!(
                        error = with_cause(&error),
                        "cannot ask which profiles are open outside of Regatta"
                    );
                    Vec::new()
                }
                Err(_) => {
                    warn!("{} does not say within {LOOK:?} which profiles are open", provider.name());
                    Vec::new()
                }
            };
            let open = jobs.iter().zip(&profiles).filter(|(_, profile)| open.contains(profile));
            EffectResult::Input(FleetInput::ElsewhereChecked { open: open.map(|(job, _)| *job).collect() })
        }));
    }

    fn spawn(&mut self, job: JobId, slot: Slot, attempt: u32) -> FleetInput {
        let now = self.now();
        let profile = self.fleet.profile(job).clone();
        let record = &mut self.records[job];
        record.begun.get_or_insert(now);
        record.cause = None;
        if let Some(new) = self.records.new_session(job).take()
            && let Err(problem) = self.begin_session(&profile, new)
        {
            warn!(%profile, problem, "cannot begin a session");
            *self.records.new_session(job) = Some(new);
            self.records[job].cause = Some(problem);
            return FleetInput::SpawnFailed { job };
        }
        self.files.follow_child(job, &profile);
        match self.children.spawn(job, &profile) {
            Ok(pid) => {
                info!(%profile, pid, attempt, "launched");
                self.emit(FleetFact::RunLaunched { profile, slot, attempt, pid });
                FleetInput::ChildSpawned { job }
            }
            Err(error) => {
                warn!(%profile, %error, "cannot start a process");
                self.files.forget(job);
                self.records[job].cause = Some(format!("cannot start a process: {error}"));
                FleetInput::SpawnFailed { job }
            }
        }
    }

    /// Makes the initial session of a profile that never ran durable, before its run starts. A session that was
    /// written meanwhile wins.
    fn begin_session(&self, profile: &ProfileId, new: SpoolAt) -> Result<(), String> {
        let new =
            self.spool.read(new).map_err(|error| format!("cannot read the profile's row again: {error}"))?;
        let fresh = || new.into_session(profile.clone(), self.platform, &self.options.flags);
        match self.world.begin_session(profile, fresh) {
            // Held or damaged: its run finds out, and says so.
            Ok(())
            | Err(SessionError::Busy { .. } | SessionError::Damaged { .. } | SessionError::Newer { .. }) => {
                Ok(())
            }
            Err(error) => Err(with_cause(&error)),
        }
    }

    async fn watch(&mut self, job: JobId, slot: Slot, attempt: u32) {
        let now = self.now();
        let profile = self.fleet.profile(job).clone();
        self.records[job].begun.get_or_insert(now);
        let pid = self.world.lock_holder(&profile).await.map(|holder| holder.pid);
        info!(%profile, pid, "adopted a living run");
        self.files.follow_adopted(job, &profile).await;
        self.emit(FleetFact::RunAdopted { profile, slot, attempt, pid });
    }

    fn clean_up(&mut self, job: JobId) {
        let profile = self.fleet.profile(job).clone();
        let cause = self.records[job].cause.clone().unwrap_or_default();
        warn!(%profile, cause, "cleaning up");
        self.emit(FleetFact::RunCrashed { profile: profile.clone(), cause });
        let died = self.records[job].died.take();
        let group = match self.children.end_group(job) {
            None => died.and_then(|(holder, seen)| self.children.end_adopted_group(&holder, seen)),
            group => group,
        };
        let (provider, bound) = (Arc::clone(&self.provider), self.options.browser_stop_bound);
        let world = self.world.clone();
        self.answers.push(Box::pin(async move {
            if let Some(group) = group
                && !group.gone().await
            {
                warn!(%profile, "processes of the crashed run do not end");
            }
            let done = EffectResult::Input(FleetInput::CleanedUp { job });
            match world.end_leftovers(provider.as_ref(), &profile, bound).await {
                Ok(()) | Err(EndError::Running) => {}
                Err(error) => warn!(%profile, %error, "cannot end what the crashed run left"),
            }
            done
        }));
    }

    async fn signal(&mut self, job: JobId, how: RunSignal) {
        let profile = self.fleet.profile(job);
        let done = match (self.children.lives(job), how) {
            (true, RunSignal::Terminate) => self.children.terminate(job),
            (true, RunSignal::Kill) => self.children.kill(job),
            (false, _) => {
                // Who holds the lock now, not who held it once: a lock that fell names a stranger.
                let is_held = self.world.is_held(profile).await.unwrap_or(false);
                let holder = if is_held { self.world.lock_holder(profile).await } else { None };
                match (holder, how) {
                    (Some(holder), RunSignal::Terminate) => self.children.terminate_adopted(&holder),
                    (Some(holder), RunSignal::Kill) => self.children.kill_adopted(&holder),
                    (None, _) => Ok(()),
                }
            }
        };
        match done {
            Ok(()) => info!(%profile, ?how, "signalled"),
            Err(error) => warn!(%profile, ?how, %error, "cannot signal"),
        }
    }
}
