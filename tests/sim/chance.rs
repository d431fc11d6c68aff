//! The only source of randomness of a simulated world, and the faults that strike it.

use std::collections::BTreeMap;

/// `SplitMix64`: small, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn per_mille(&mut self, rate: u64) -> bool {
        self.below(1000) < rate
    }
}

/// Everything that can go wrong. A new fault needs its rate here and the place where it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No process can be started.
    Unspawnable,
    /// A run exits at once, with any exit code that it could truthfully have.
    OddExit,
    /// A run dies at a random point.
    Death,
    OrchestratorDeath,
    /// A process freezes: it neither ends nor receives signals.
    Frozen,
    /// A run ignores SIGTERM.
    Deaf,
    DiskFull,
    EventLost,
    EventCut,
    /// A reader of the events does not see the last of them yet.
    EventsLate,
    ProviderDown,
    ProviderThrottled,
    ProviderSlow,
    /// A browser opens and does not respond.
    NoPort,
    /// The browser of a run cannot be stopped.
    CloseFails,
    /// The click never reaches the page.
    Unreached,
    /// Accepted, and the answer is lost.
    AnswerLost,
    /// Neither accepted nor answered.
    Swallowed,
    /// Accepted only a moment later.
    AcceptedLate,
    /// The site answers 429, and does nothing.
    Busy,
    /// The site acts, and answers 503.
    BusyAfter,
    BrowserGone,
    PageCrashed,
    PageHangs,
    /// The site gives no clear answer to the verification.
    Unclear,
    /// The dead run's browser still performs its last input.
    ActsOn,
}

impl Fault {
    pub const ALL: [Self; 26] = [
        Self::Unspawnable,
        Self::OddExit,
        Self::Death,
        Self::OrchestratorDeath,
        Self::Frozen,
        Self::Deaf,
        Self::DiskFull,
        Self::EventLost,
        Self::EventCut,
        Self::EventsLate,
        Self::ProviderDown,
        Self::ProviderThrottled,
        Self::ProviderSlow,
        Self::NoPort,
        Self::CloseFails,
        Self::Unreached,
        Self::AnswerLost,
        Self::Swallowed,
        Self::AcceptedLate,
        Self::Busy,
        Self::BusyAfter,
        Self::BrowserGone,
        Self::PageCrashed,
        Self::PageHangs,
        Self::Unclear,
        Self::ActsOn,
    ];

    /// The rate in a thousand occasions.
    const fn rate(self) -> u64 {
        match self {
            Self::Death => 150,
            Self::OrchestratorDeath => 500,
            Self::ActsOn => 500,
            Self::Deaf | Self::EventsLate | Self::Unclear => 50,
            Self::Unspawnable | Self::ProviderDown | Self::ProviderThrottled | Self::ProviderSlow => 15,
            Self::OddExit
            | Self::NoPort
            | Self::CloseFails
            | Self::AnswerLost
            | Self::Swallowed
            | Self::AcceptedLate
            | Self::Busy
            | Self::BusyAfter => 20,
            Self::Unreached | Self::BrowserGone | Self::PageCrashed | Self::PageHangs => 10,
            Self::DiskFull | Self::EventLost | Self::EventCut | Self::Frozen => 3,
        }
    }
}

/// When faults strike: by chance, or once each as a case demands.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub by_chance: bool,
    /// Passes over this many occasions, then strikes once.
    pub scripted: BTreeMap<Fault, u64>,
    /// How often each fault has struck.
    pub struck: BTreeMap<Fault, u64>,
}

impl Faults {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn by_chance() -> Self {
        Self { by_chance: true, ..Self::default() }
    }

    pub fn once(fault: Fault) -> Self {
        Self { scripted: BTreeMap::from([(fault, 0)]), ..Self::default() }
    }

    pub fn strikes(&mut self, fault: Fault, chance: &mut Chance) -> bool {
        let strikes = match self.scripted.get_mut(&fault) {
            Some(0) => {
                self.scripted.remove(&fault);
                true
            }
            Some(occasions) => {
                *occasions -= 1;
                false
            }
            None => self.by_chance && chance.per_mille(fault.rate()),
        };
        if strikes {
            *self.struck.entry(fault).or_default() += 1;
        }
        strikes
    }
}
