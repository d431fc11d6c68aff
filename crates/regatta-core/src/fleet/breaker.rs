//! A circuit breaker on the provider: when it is down, the fleet pauses and asks now and then, instead
//! of using up every profile's attempts.
//!
//! Runs without a browser only raise the question, since it may be the profiles' own fault; the
//! provider's answer decides.

use std::time::Duration;

use super::{JobId, Mono};

/// Profiles in a row; the last attempt of one is reason enough to ask, too.
const SEVERAL: usize = 3;
const PROBE_FIRST: Duration = Duration::from_secs(5);
const PROBE_LAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub struct Breaker {
    /// The latest jobs without a browser, each once; none of another end came between.
    browserless: Vec<JobId>,
    state: BreakerState,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum BreakerState {
    #[default]
    Closed,
    /// Asked, and not known to be down yet.
    Suspected,
    /// Launches wait. `asking`: the answer is awaited.
    Open { probe_at: Mono, pause: Duration, asking: bool },
}

impl Breaker {
    pub fn holds(&self) -> bool {
        self.state != BreakerState::Closed
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, BreakerState::Open { .. })
    }

    /// A run had its browser.
    pub fn served(&mut self) {
        self.browserless.clear();
    }

    /// A run had none; `last`: its profile has no attempt left. Whether the provider is to be asked.
    #[must_use = "the question has to be asked"]
    pub fn refused(&mut self, job: JobId, last: bool) -> bool {
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

    /// Whether the provider is being asked, and not known to be down.
    pub fn is_suspected(&self) -> bool {
        self.state == BreakerState::Suspected
    }

    pub fn probe_at(&self) -> Option<Mono> {
        match self.state {
            BreakerState::Open { probe_at, asking: false, .. } => Some(probe_at),
            _ => None,
        }
    }

    /// Whether the moment to ask again has come.
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

    /// Pauses until a moment that is known. Where that is news, returns the jobs that are to have their
    /// attempt back.
    pub fn pause(&mut self, until: Mono) -> Option<Vec<JobId>> {
        self.open(BreakerState::Open { probe_at: until, pause: PROBE_FIRST, asking: false })
    }

    /// It answers: launches go on. Whether they had waited for it as down.
    pub fn up(&mut self) -> bool {
        let was_open = self.is_open();
        self.state = BreakerState::Closed;
        self.browserless.clear();
        was_open
    }

    /// It is down. The jobs that are to have their attempt back, where that is news.
    pub fn down(&mut self, now: Mono) -> Option<Vec<JobId>> {
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
