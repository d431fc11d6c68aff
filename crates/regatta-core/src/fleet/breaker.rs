//! A circuit breaker for the provider. While the provider is down, launches wait and the provider is probed,
//! so that no profile loses its attempts.
//!
//! Runs without a browser only raise a suspicion, since their profiles may be at fault. The probe decides.

use std::time::Duration;

use super::{JobId, Mono};

/// Profiles in a row without a browser that raise a suspicion. So does one profile in its last attempt.
const SEVERAL: usize = 3;
const PROBE_FIRST: Duration = Duration::from_secs(5);
const PROBE_LAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub struct Breaker {
    /// The latest jobs without a browser, each once, since a run had one.
    browserless: Vec<JobId>,
    state: BreakerState,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum BreakerState {
    #[default]
    Closed,
    /// The provider is being probed and not known to be down.
    Suspected,
    /// Launches wait. `asking` while a probe is not yet answered.
    Open { probe_at: Mono, pause: Duration, asking: bool },
}

impl Breaker {
    pub fn holds(&self) -> bool {
        self.state != BreakerState::Closed
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, BreakerState::Open { .. })
    }

    /// Records that a run had its browser.
    pub fn record_browser(&mut self) {
        self.browserless.clear();
    }

    /// Records a run without a browser; `last` where its profile has no attempt left. Returns whether to
    /// probe.
    #[must_use = "the question has to be asked"]
    pub fn record_refusal(&mut self, job: JobId, last: bool) -> bool {
        if !self.browserless.contains(&job) {
            self.browserless.push(job);
        }
        let several = self.browserless.len() >= SEVERAL;
        let suspected = self.state == BreakerState::Closed && (several || last);
        if suspected {
            self.state = BreakerState::Suspected;
        }
        suspected
    }

    /// Whether the provider is being probed and not known to be down.
    pub fn is_suspected(&self) -> bool {
        self.state == BreakerState::Suspected
    }

    pub fn probe_at(&self) -> Option<Mono> {
        match self.state {
            BreakerState::Open { probe_at, asking: false, .. } => Some(probe_at),
            _ => None,
        }
    }

    /// Whether the next probe is due.
    #[must_use = "the question has to be asked"]
    pub fn is_due(&mut self, now: Mono) -> bool {
        match &mut self.state {
            BreakerState::Open { probe_at, asking, .. } if !*asking && *probe_at <= now => {
                *asking = true;
                true
            }
            _ => false,
        }
    }

    /// Pauses until a known time. Returns the jobs that get their attempt back, or `None` where the breaker
    /// was open already.
    pub fn pause(&mut self, until: Mono) -> Option<Vec<JobId>> {
        self.open(BreakerState::Open { probe_at: until, pause: PROBE_FIRST, asking: false })
    }

    /// Closes the breaker. Returns whether it was open.
    pub fn close(&mut self) -> bool {
        let was_open = self.is_open();
        self.state = BreakerState::Closed;
        self.browserless.clear();
        was_open
    }

    /// Opens the breaker. Returns the jobs that get their attempt back, or `None` where it was open already.
    pub fn record_outage(&mut self, now: Mono) -> Option<Vec<JobId>> {
        let pause = match self.state {
            BreakerState::Open { pause, .. } => (pause * 2).min(PROBE_LAST),
            BreakerState::Closed | BreakerState::Suspected => PROBE_FIRST,
        };
        self.open(BreakerState::Open { probe_at: now.after(pause), pause, asking: false })
    }

    fn open(&mut self, state: BreakerState) -> Option<Vec<JobId>> {
        let news = (!self.is_open()).then(|| std::mem::take(&mut self.browserless));
        self.state = state;
        news
    }
}
