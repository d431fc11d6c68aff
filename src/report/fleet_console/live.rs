//! Progress on a terminal: one line a slot, below them what launches wait for and the total; problems scroll
//! by above.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::tz::TimeZone;

use super::paint::{Emphasis, Paint};
use super::pauses::Pauses;
use super::plain::{FleetLines, again, describe_wait};
use super::screen::ProgressTarget;
use crate::report::words::bytes;
use regatta_core::event::StepMode;
use regatta_core::fleet::fact::{FleetFact, FleetNotice, WaitReason};
use regatta_core::fleet::{Enforcement, Severity, Slot};
use regatta_core::id::ProfileId;
use regatta_core::view::summary::{Phase, ProfileSummary};

/// The redraw interval.
const TICK: Duration = Duration::from_millis(120);

const SLOT: &str = "{spinner} {prefix} {elapsed:>4} {wide_msg}";
/// Columns for an id; a longer one takes more.
const ID: usize = 8;
/// Returns the reason why launches wait, cut where the terminal ends.
const WAITS: &str = "  {wide_msg}";
const WHOLE: &str = "  [{bar:30}] {pos}/{len} profiles, {rate}, ends in {eta}";
/// Without a rate, until the first profile has ended.
const WHOLE_AT_FIRST: &str = "  [{bar:30}] {pos}/{len} profiles";

pub struct FleetProgress {
    bars: MultiProgress,
    whole: ProgressBar,
    slots: BTreeMap<Slot, SlotLine>,
    /// The reason why launches wait, or that the fleet is stopping; `None` otherwise.
    waits: Option<ProgressBar>,
    pauses: Pauses,
    /// Renders the lines above the progress lines.
    lines: FleetLines,
    paint: Paint,
    ended: u64,
    surveyed: bool,
    /// Something has ended, so there is a rate to show.
    rated: bool,
}

struct SlotLine {
    bar: ProgressBar,
    profile: ProfileId,
    attempt: u32,
    summary: ProfileSummary,
}

impl FleetProgress {
    pub fn new(paint: Paint) -> Self {
        Self::drawing_to(ProgressTarget::target(), paint, TimeZone::system())
    }

    fn drawing_to(target: ProgressDrawTarget, paint: Paint, zone: TimeZone) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let whole = bars.add(ProgressBar::new(0).with_style(style(WHOLE_AT_FIRST)));
        Self {
            bars,
            whole,
            slots: BTreeMap::new(),
            waits: None,
            pauses: Pauses::default(),
            lines: FleetLines::new(true, zone),
            paint,
            ended: 0,
            surveyed: false,
            rated: false,
        }
    }

    pub fn show(&mut self, notice: &FleetNotice) {
        if let Some((tone, line)) = self.lines.line(notice) {
            let _ = self.bars.println(self.paint.whole(tone, &line));
        }
        match &notice.fact {
            FleetFact::FleetSurveyed { profiles, ended } => {
                self.surveyed = true;
                self.whole.set_length(*profiles as u64);
                // Profiles that were skipped took no time: they do not count for the rate.
                self.whole.set_position(ended.ended() as u64);
                self.whole.reset_eta();
                self.whole.enable_steady_tick(TICK);
            }
            FleetFact::RunLaunched { profile, slot, attempt, .. } => {
                self.pauses.end(profile, &self.bars);
                self.open(*slot, profile, *attempt, "launched");
            }
            FleetFact::RunAdopted { profile, slot, attempt, .. } => {
                self.pauses.end(profile, &self.bars);
                self.open(*slot, profile, *attempt, "adopted");
            }
            FleetFact::RunEvent { slot, event } => {
                if let Some(line) = self.slots.get_mut(slot) {
                    line.summary.apply(event);
                    line.bar.set_message(line.text());
                }
            }
            FleetFact::RunCrashed { profile, .. } => {
                if let Some(line) = self.slots.values().find(|line| line.profile == *profile) {
                    line.bar.set_message("crashed, ending its left-overs");
                }
            }
            FleetFact::ProfileBackingOff { profile, delay, .. }
            | FleetFact::ProfileSiteBusy { profile, delay, .. }
            | FleetFact::ProfilePutOff { profile, delay } => {
                self.close(profile);
                self.pauses.begin(profile, *delay, &self.bars, &self.whole);
            }
            FleetFact::LeftOversEnded { profile } => self.close(profile),
            FleetFact::ProfileEnded(report) => {
                self.close(&report.profile_id);
                self.pauses.end(&report.profile_id, &self.bars);
                self.ended += 1;
                // The survey counts profiles that were skipped.
                if self.surveyed {
                    self.whole.set_position(self.ended);
                }
                if report.attempts > 0 && !self.rated {
                    self.rated = true;
                    self.whole.set_style(style(WHOLE));
                }
            }
            FleetFact::RunOverTime { profile, demand, .. } => {
                if let Some(line) = self.slots.values().find(|line| line.profile == *profile) {
                    line.bar.set_message(match demand {
                        Enforcement::StopAfterStep => "over its time limit, asked to stop",
                        Enforcement::StopNow => "over its time limit, asked to stop now",
                        Enforcement::Kill => "over its time limit, killed",
                    });
                }
            }
            FleetFact::LaunchesWaiting(WaitReason::Provider { .. }) => {
                self.wait_for("launches wait for the provider")
            }
            FleetFact::LaunchesWaiting(WaitReason::ProviderQuota { .. }) => {
                self.wait_for("launches wait for the provider (quota)")
            }
            FleetFact::LaunchesWaiting(reason) => {
                self.wait_for(&format!("launches wait: {}", describe_wait(reason)))
            }
            FleetFact::LaunchesResumed => self.wait_no_more(),
            FleetFact::FleetStopping { severity: Severity::Now } => self.wait_for("stopping now"),
            FleetFact::FleetStopping { .. } => self.wait_for("stopping: runs end after their step"),
            FleetFact::ProfileEnqueued { .. } => {}
            // Only dated lines show those.
            FleetFact::Source(_) | FleetFact::FleetFinished { .. } => {}
        }
    }

    /// Removes every progress line.
    pub fn finish(&mut self) {
        for line in self.slots.values() {
            line.bar.finish_and_clear();
        }
        self.wait_no_more();
        self.pauses.clear(&self.bars);
        self.whole.finish_and_clear();
    }

    fn wait_for(&mut self, what: &str) {
        let line = self.waits.get_or_insert_with(|| {
            let line = ProgressBar::new_spinner().with_style(style(WAITS));
            let line = self.bars.insert_before(&self.whole, line);
            // The line does not move, but the terminal may become narrower.
            line.enable_steady_tick(TICK);
            line
        });
        line.set_message(self.paint.whole(Emphasis::Warning, what));
    }

    fn wait_no_more(&mut self) {
        if let Some(line) = self.waits.take() {
            line.finish_and_clear();
            self.bars.remove(&line);
        }
    }

    fn open(&mut self, slot: Slot, profile: &ProfileId, attempt: u32, what: &str) {
        if let Some(stale) = self.slots.remove(&slot) {
            self.bars.remove(&stale.bar);
        }
        let place = self.slots.range(..slot).count();
        let bar = self.bars.insert(place, ProgressBar::new_spinner().with_style(style(SLOT)));
        bar.set_prefix(format!("{:<ID$}", profile.as_str()));
        bar.set_message(format!("{what}{}", again(attempt)));
        bar.enable_steady_tick(TICK);
        let line = SlotLine { bar, profile: profile.clone(), attempt, summary: ProfileSummary::default() };
        self.slots.insert(slot, line);
    }

    fn close(&mut self, profile: &ProfileId) {
        let slot = self.slots.iter().find(|(_, line)| line.profile == *profile).map(|(slot, _)| *slot);
        if let Some(line) = slot.and_then(|slot| self.slots.remove(&slot)) {
            line.bar.finish_and_clear();
            self.bars.remove(&line.bar);
        }
    }
}

impl SlotLine {
    fn text(&self) -> String {
        slot_text(&self.summary, self.attempt)
    }
}

/// Renders `step 2/4 store_signup, click 7/12, try 2, attempt 3, 1.2 MiB`: a step is tried within its run, a
/// run is attempted within the fleet.
pub fn slot_text(summary: &ProfileSummary, attempt: u32) -> String {
    let steps = format!("{}/{} steps done", summary.done, summary.steps);
    let text = match (&summary.current, summary.phase) {
        (Some(step), _) => {
            let doubt = if step.mode == StepMode::Verify { ", asking the site" } else { "" };
            let tried = if step.attempt > 1 { format!(", try {}", step.attempt) } else { String::new() };
            let action = match (&summary.waits_for, &step.action) {
                (Some(what), _) => format!(", waiting: {what}"),
                (None, Some(action)) => format!(", {action}"),
                (None, None) => String::new(),
            };
            format!("step {}/{} {}{doubt}{action}{tried}", step.number, summary.steps, step.flag)
        }
        (None, Phase::NoEvents | Phase::Starting) => match &summary.waits_for {
            Some(what) => format!("{steps}, waiting: {what}"),
            None => format!("{steps}, starting the browser"),
        },
        (None, Phase::Driving) => steps,
        (None, Phase::Ending | Phase::Finished(_)) => format!("{steps}, ending"),
    };
    let received = summary.network.bytes_received;
    let traffic = if received > 0 { format!(", {}", bytes(received)) } else { String::new() };
    text + &again(attempt) + &traffic
}

/// The templates above are constants, and a test draws them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&rate(state.per_sec()));
        })
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
        .progress_chars("=> ")
}

/// Formats a rate of profiles in the unit that has a whole number of them.
fn rate(per_second: f64) -> String {
    let units = [(1.0, "s"), (60.0, "min"), (3600.0, "h")];
    let (seconds, unit) =
        units.into_iter().find(|(seconds, _)| per_second * seconds >= 1.0).unwrap_or(units[2]);
    format!("{:.1}/{unit}", per_second * seconds)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use regatta_core::event::{EVENT_VERSION, Event, EventKind};
    use regatta_core::id::{Flag, RunId};

    #[test]
    fn templates_are_valid() {
        for template in [SLOT, WAITS, WHOLE, WHOLE_AT_FIRST] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn a_rate_has_a_unit_that_a_person_can_read() {
        let rates = [12.34, 1.0, 0.1831, 0.01, 0.0001].map(rate);
        assert_eq!(rates, ["12.3/s", "1.0/s", "11.0/min", "36.0/h", "0.4/h"]);
    }

    #[test]
    fn a_step_that_waits_for_its_site_says_so() {
        let mut summary = ProfileSummary::default();
        let mut run_event = |kind: EventKind| {
            let event = Event {
                v: EVENT_VERSION,
                seq: 1,
                at: jiff::Timestamp::UNIX_EPOCH,
                run_id: RunId::new(jiff::Timestamp::UNIX_EPOCH, 1),
                profile_id: "p1".parse().unwrap(),
                kind,
            };
            summary.apply(&event);
            slot_text(&summary, 1)
        };
        let flag: Flag = "signup".parse().unwrap();
        let started = |attempt| EventKind::StepStarted { flag: flag.clone(), attempt, mode: StepMode::Act };
        let origin = "http://a.test".to_owned();
        let lines = [
            started(1),
            EventKind::PaceWaiting { origin: origin.clone() },
            EventKind::PaceWaited { origin, ms: 9000 },
            EventKind::SiteBusy { flag: flag.clone(), ms: 9000 },
            started(2),
        ]
        .map(&mut run_event);
        expect![[r#"
            step 1/0 signup
            step 1/0 signup, waiting: http://a.test ([[pace]] limit)
            step 1/0 signup
            step 1/0 signup, waiting: the site is busy
            step 1/0 signup, try 2"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn every_slot_has_its_line_in_order_and_the_whole_counts_what_ended() {
        let mut live =
            FleetProgress::drawing_to(ProgressDrawTarget::hidden(), Paint { color: false }, TimeZone::UTC);
        let mut seen = Vec::new();
        for notice in super::super::tests::story() {
            live.show(&notice);
            let slots = live
                .slots
                .iter()
                .map(|(slot, line)| format!("{}: {} {}", slot.index() + 1, line.profile, line.bar.message()));
            let line = format!(
                "{}/{} {}",
                live.whole.position(),
                live.whole.length().unwrap(),
                slots.collect::<Vec<_>>().join(" | ")
            );
            if seen.last() != Some(&line) {
                seen.push(line);
            }
        }
        live.finish();
        expect![[r#"
            0/0 
            1/6 
            1/6 1: k18imh7u launched
            1/6 1: k18imh7u launched | 2: b-2 adopted
            1/6 1: k18imh7u 1/4 steps done, starting the browser | 2: b-2 adopted
            1/6 1: k18imh7u step 2/4 store_signup | 2: b-2 adopted
            1/6 1: k18imh7u step 2/4 store_signup, click 7/12 | 2: b-2 adopted
            1/6 1: k18imh7u step 2/4 store_signup, asking the site, try 2 | 2: b-2 adopted
            1/6 1: k18imh7u 2/4 steps done | 2: b-2 adopted
            1/6 1: k18imh7u 3/4 steps done | 2: b-2 adopted
            1/6 1: k18imh7u 3/4 steps done | 2: b-2 0/0 steps done
            1/6 1: k18imh7u 3/4 steps done
            1/6 1: k18imh7u 3/4 steps done, ending
            2/6 
            2/6 1: b-2 launched, attempt 2
            2/6 1: b-2 launched, attempt 2 | 2: crashes launched
            3/6 2: crashes launched
            3/6 2: crashes crashed, ending its left-overs
            4/6 
            5/6 
            6/6 "#]]
        .assert_eq(&seen.join("\n"));
    }
}
