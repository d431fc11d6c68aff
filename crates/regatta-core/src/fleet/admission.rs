//! Whether the machine has room for one more run. Only launches wait for room; a living run is never ended
//! for it.
//!
//! A browser takes some seconds to allocate its memory, so each recent launch counts as if it had not been
//! measured yet.

use std::collections::VecDeque;
use std::time::Duration;

use super::Mono;
use super::fact::WaitReason;

/// The memory of one headless browser, as measured: about 400 MiB.
pub const RUN_MEMORY: u64 = 400 << 20;
/// How long a measurement is valid, and the interval of measurements while launches wait.
const FRESH: Duration = Duration::from_secs(1);
/// The time from the launch of a browser until its memory is allocated.
const SETTLES: Duration = Duration::from_secs(10);
/// The most percent of the last ten seconds in which work waited for memory. Beyond it the machine swaps.
const MOST_MEMORY_PRESSURE: f64 = 10.0;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Admission {
    /// Bytes that stay free.
    pub min_free_memory: Option<u64>,
    /// Load average of the last minute per processor.
    pub max_load: Option<f64>,
    /// Run as many as the machine carries, and at least one.
    pub auto: bool,
}

impl Admission {
    const fn is_asked_for(&self) -> bool {
        self.min_free_memory.is_some() || self.max_load.is_some() || self.auto
    }
}

/// The load of the machine. `None` where the system does not report it; an unknown value delays nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MachineLoad {
    /// Bytes that can still be allocated, limits of the control group included.
    pub free_memory: Option<u64>,
    /// Load average of the last minute per processor that this process may use.
    pub load: Option<f64>,
    /// Percent of the last ten seconds in which some work waited for memory.
    pub memory_pressure: Option<f64>,
    pub processors: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LaunchRoom {
    Available,
    Unknown,
    Short(WaitReason),
}

#[derive(Debug, Clone, Default)]
pub struct AdmissionControl {
    admission: Admission,
    measured: Option<(Mono, MachineLoad)>,
    /// A measurement was requested and is not yet answered.
    pub measuring: bool,
    recent: VecDeque<Mono>,
}

impl AdmissionControl {
    pub fn new(admission: Admission) -> Self {
        Self { admission, ..Self::default() }
    }

    pub fn record(&mut self, now: Mono, measured: MachineLoad) {
        self.measuring = false;
        self.measured = Some((now, measured));
    }

    pub fn launched(&mut self, now: Mono) {
        if self.admission.is_asked_for() {
            self.recent.push_back(now);
        }
    }

    /// When to measure again while launches wait.
    pub fn next_measurement(&self) -> Option<Mono> {
        let (at, _) = self.measured.filter(|_| !self.measuring)?;
        Some(at.after(FRESH))
    }

    pub fn check(&mut self, now: Mono, living: usize) -> LaunchRoom {
        if !self.admission.is_asked_for() {
            return LaunchRoom::Available;
        }
        while self.recent.front().is_some_and(|at| at.after(SETTLES) <= now) {
            self.recent.pop_front();
        }
        match self.measured {
            Some((at, measured)) if now < at.after(FRESH) => self.judge(&measured, living),
            _ => LaunchRoom::Unknown,
        }
    }

    fn judge(&self, measured: &MachineLoad, living: usize) -> LaunchRoom {
        let Admission { min_free_memory, max_load, auto } = self.admission;
        // At least one run must live, or a fleet on a small machine would never end.
        if auto && living == 0 && min_free_memory.is_none() && max_load.is_none() {
            return LaunchRoom::Available;
        }
        let recent = self.recent.len() as u64;
        if let Some(free) = measured.free_memory.filter(|_| auto || min_free_memory.is_some()) {
            let wanted = min_free_memory.unwrap_or(RUN_MEMORY).saturating_add(RUN_MEMORY * (recent + 1));
            if free < wanted {
                return LaunchRoom::Short(WaitReason::Memory { free, wanted });
            }
        }
        if let Some(percent) = measured.memory_pressure.filter(|percent| *percent > MOST_MEMORY_PRESSURE) {
            return LaunchRoom::Short(WaitReason::MemoryPressure { percent });
        }
        // An automatic fleet keeps the processors busy without overloading them.
        let most = max_load.or(auto.then_some(2.0));
        if let Some((load, most)) = measured.load.zip(most).filter(|(load, most)| load >= most) {
            return LaunchRoom::Short(WaitReason::Load { load, most });
        }
        // The load average of a minute does not show the last seconds.
        if auto && recent >= u64::from(measured.processors.max(1)) {
            return LaunchRoom::Short(WaitReason::BrowsersStarting);
        }
        LaunchRoom::Available
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const MIB: u64 = 1 << 20;

    #[track_caller]
    fn assert_check(
        admission: Admission,
        launches: usize,
        living: usize,
        measured: MachineLoad,
        expected: Expect,
    ) {
        let mut control = AdmissionControl::new(admission);
        let now = Mono(Duration::from_secs(60));
        (0..launches).for_each(|_| control.launched(now));
        if admission != Admission::default() {
            assert_eq!(control.check(now, living), LaunchRoom::Unknown);
        }
        control.record(now, measured);
        expected.assert_eq(&format!("{:?}", control.check(now, living)));
    }

    #[test]
    fn without_limits_nothing_waits() {
        let full = MachineLoad { free_memory: Some(0), load: Some(99.0), ..MachineLoad::default() };
        assert_check(Admission::default(), 0, 3, full, expect!["Available"]);
    }

    #[test]
    fn a_value_that_the_system_does_not_report_delays_nothing() {
        let all = Admission { min_free_memory: Some(MIB), max_load: Some(1.0), auto: false };
        assert_check(all, 0, 3, MachineLoad::default(), expect!["Available"]);
    }

    #[test]
    fn memory_stays_free_and_the_last_launches_count() {
        let admission = Admission { min_free_memory: Some(1000 * MIB), ..Admission::default() };
        let free = |mib: u64| MachineLoad { free_memory: Some(mib * MIB), ..MachineLoad::default() };
        assert_check(admission, 0, 1, free(1400), expect!["Available"]);
        assert_check(
            admission,
            0,
            0,
            free(1399),
            expect!["Short(Memory { free: 1466957824, wanted: 1468006400 })"],
        );
        assert_check(
            admission,
            2,
            2,
            free(2199),
            expect!["Short(Memory { free: 2305818624, wanted: 2306867200 })"],
        );
        assert_check(admission, 2, 2, free(2200), expect!["Available"]);
    }

    #[test]
    fn load_and_memory_pressure_delay_launches() {
        let admission = Admission { max_load: Some(1.5), ..Admission::default() };
        let load = |load: f64| MachineLoad { load: Some(load), ..MachineLoad::default() };
        assert_check(admission, 0, 1, load(1.49), expect!["Available"]);
        assert_check(admission, 0, 0, load(1.5), expect!["Short(Load { load: 1.5, most: 1.5 })"]);
        let swaps = MachineLoad { memory_pressure: Some(10.5), ..MachineLoad::default() };
        assert_check(admission, 0, 1, swaps, expect!["Short(MemoryPressure { percent: 10.5 })"]);
    }

    #[test]
    fn an_automatic_fleet_grows_step_by_step_and_always_runs_one() {
        let auto = Admission { auto: true, ..Admission::default() };
        let roomy = MachineLoad {
            free_memory: Some(64_000 * MIB),
            load: Some(0.1),
            memory_pressure: Some(0.0),
            processors: 2,
        };
        assert_check(auto, 1, 1, roomy, expect!["Available"]);
        assert_check(auto, 2, 2, roomy, expect!["Short(BrowsersStarting)"]);
        let full = MachineLoad { free_memory: Some(0), ..roomy };
        assert_check(auto, 0, 0, full, expect!["Available"]);
        assert_check(auto, 0, 1, full, expect!["Short(Memory { free: 0, wanted: 838860800 })"]);
    }

    #[test]
    fn a_measurement_is_valid_for_one_second() {
        let mut control = AdmissionControl::new(Admission { auto: true, ..Admission::default() });
        let at = |millis| Mono(Duration::from_millis(millis));
        control.record(at(0), MachineLoad::default());
        assert_eq!(control.check(at(999), 0), LaunchRoom::Available);
        assert_eq!(control.check(at(1000), 0), LaunchRoom::Unknown);
        assert_eq!(control.next_measurement(), Some(at(1000)));
    }
}
