//! Paces the calls of all processes of a folder to one provider, or their documents of one site: never two closer than the
//! interval, first come first served, and a `stop` before everything else.
//!
//! The file holds a queue, not a timetable. Slots handed out in advance would come too close as soon
//! as one process wakes late, and slots of killed processes would stay taken. Here the gap is
//! measured at the moment a call is let through ([`Pacer::confirm`], under the lock) and a place in
//! the queue lapses unless its owner asks again within [`ASK_AGAIN`].
//!
//! Budget for `stop`: it overtakes every start, so it waits for one interval however many starts
//! queue, and costs nothing while there are no stops. Of many stops each fourth slot goes to a start, so
//! that neither starves.
//!
//! The clock is the wall clock, the only one that processes share everywhere. Where it is set back,
//! the time of the last call is taken as now; where it is set forward, one gap may be too short.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Layout, Lock, StoreError, durable};

/// The longest time between two questions, so that the places of dead processes lapse.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How late its owner may wake before a place lapses. An owner that wakes later gets it back.
const LATENESS: Duration = Duration::from_millis(500);
/// Stops in a row that may overtake a start.
const STOPS_IN_A_ROW: u8 = 3;

#[derive(Debug, Clone)]
pub struct Pacer {
    path: PathBuf,
    lock: PathBuf,
    interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPriority {
    Normal,
    /// Calls that free resources: throttled stops leak browsers.
    Stop,
}

/// A place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacerTicket {
    number: u64,
    urgency: CallPriority,
    /// When to ask for the first time; not yet a permission.
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "only a confirmed call may be made"]
pub enum PacerDecision {
    /// Call now.
    Confirmed { at: Timestamp },
    /// Ask again after this time.
    WaitMore(Duration),
}

impl Pacer {
    /// `name` is that of the provider or site whose calls share one budget. `interval` is the least time between
    /// two calls.
    pub fn new(layout: &Layout, name: &str, interval: Duration) -> Self {
        Self { path: layout.pacer(name), lock: layout.pacer_lock(name), interval }
    }

    /// Enters the queue. The caller sleeps until `at`, then calls [`Self::confirm`] until the call is confirmed.
    pub fn reserve(&self, urgency: CallPriority) -> Result<PacerTicket, StoreError> {
        self.with_queue(|queue, now| queue.enter(now, self.interval, urgency))
    }

    /// Confirms the call, or returns how long to wait. The caller must ask again in that
    /// time; a ticket that is dropped loses its place when it lapses.
    pub fn confirm(&self, ticket: &PacerTicket) -> Result<PacerDecision, StoreError> {
        self.with_queue(|queue, now| queue.ask(now, self.interval, ticket.number, ticket.urgency))
    }

    /// Waits for a turn. Returns whether it had to wait. Blocks the thread for each question, which takes a
    /// fraction of a millisecond.
    pub async fn turn(&self, urgency: CallPriority) -> Result<bool, StoreError> {
        let ticket = self.reserve(urgency)?;
        let mut waited = false;
        while let PacerDecision::WaitMore(wait) = self.confirm(&ticket)? {
            waited = true;
            tokio::time::sleep(wait).await;
        }
        Ok(waited)
    }

    fn with_queue<T>(&self, work: impl FnOnce(&mut PacerQueue, Timestamp) -> T) -> Result<T, StoreError> {
        let lock = Lock::acquire(&self.lock)?;
        // Read under the lock: the clock of a waiter would be old by the time it gets it.
        let now = Timestamp::now();
        let mut queue = read(&self.path, now)?;
        let answer = work(&mut queue, now);
        let bytes = serde_json::to_vec(&queue).expect("a queue is always a JSON object");
        durable::replace(&self.path, &bytes)?;
        drop(lock);
        Ok(answer)
    }
}

fn read(path: &Path, now: Timestamp) -> Result<PacerQueue, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| PacerQueue::after_unknown_calls(now)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(PacerQueue::default()),
        Err(error) => Err(StoreError::new("read", path, error)),
    }
}

/// The persisted queue. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct PacerQueue {
    /// When the last call was let through.
    last: Option<i64>,
    /// Stops let through since the last call of another kind.
    stops_in_a_row: u8,
    next_number: u64,
    /// By number.
    waiting: Vec<QueuePlace>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct QueuePlace {
    number: u64,
    urgency: CallPriority,
    /// When the place lapses.
    until: i64,
}

impl PacerQueue {
    /// Replaces a file that cannot be read: a call may have been made just now.
    fn after_unknown_calls(now: Timestamp) -> Self {
        Self { last: Some(now.as_microsecond()), ..Self::default() }
    }

    fn enter(&mut self, now: Timestamp, interval: Duration, urgency: CallPriority) -> PacerTicket {
        self.drop_lapsed(now);
        // Not below a number that is still around where the file was lost in between.
        let number =
            self.waiting.iter().map(|place| place.number + 1).max().unwrap_or(0).max(self.next_number);
        self.next_number = number + 1;
        let wait = self.renew(now, interval, number, urgency);
        PacerTicket { number, urgency, at: Timestamp::from_microsecond(micros(now, wait)).unwrap_or(now) }
    }

    fn ask(
        &mut self,
        now: Timestamp,
        interval: Duration,
        number: u64,
        urgency: CallPriority,
    ) -> PacerDecision {
        self.drop_lapsed(now);
        let wait = self.renew(now, interval, number, urgency);
        if !wait.is_zero() {
            return PacerDecision::WaitMore(wait);
        }
        self.waiting.retain(|place| place.number != number);
        self.stops_in_a_row = counted(self.stops_in_a_row, urgency);
        self.last = Some(now.as_microsecond());
        PacerDecision::Confirmed { at: now }
    }

    /// Drops places that lapsed and what a clock that was set back left in the future.
    fn drop_lapsed(&mut self, now: Timestamp) {
        self.last = self.last.map(|last| last.min(now.as_microsecond()));
        let latest = micros(now, ASK_AGAIN + LATENESS);
        self.waiting.retain(|place| place.until >= now.as_microsecond());
        for place in &mut self.waiting {
            place.until = place.until.min(latest);
        }
    }

    /// Renews the place and returns how long to wait; zero means that its turn has come.
    fn renew(&mut self, now: Timestamp, interval: Duration, number: u64, urgency: CallPriority) -> Duration {
        self.waiting.retain(|place| place.number != number);
        let at = self.waiting.partition_point(|place| place.number < number);
        self.waiting.insert(at, QueuePlace { number, urgency, until: 0 });

        let ahead = u32::try_from(self.ahead_of(number)).unwrap_or(u32::MAX);
        let free = self.last.map_or(now.as_microsecond(), |last| {
            last.saturating_add(i64::try_from(interval.as_micros()).unwrap_or(i64::MAX))
        });
        let turn =
            Duration::from_micros(u64::try_from(free.saturating_sub(now.as_microsecond())).unwrap_or(0));
        let wait = match ahead {
            0 => turn.min(ASK_AGAIN),
            // The first caller wakes late: poll soon, its call or its place will be gone.
            _ if turn.is_zero() => (interval / 20).clamp(Duration::from_millis(2), Duration::from_millis(50)),
            _ => turn.saturating_add(interval.saturating_mul(ahead)).min(ASK_AGAIN),
        };
        self.waiting[at].until = micros(now, wait + LATENESS);
        wait
    }

    /// Returns how many waiting callers go before `number`.
    fn ahead_of(&self, number: u64) -> usize {
        let numbers = |urgency| {
            let of = move |place: &&QueuePlace| place.urgency == urgency;
            self.waiting.iter().filter(of).map(|place| place.number).peekable()
        };
        let (mut stops, mut others) = (numbers(CallPriority::Stop), numbers(CallPriority::Normal));
        let mut stops_in_a_row = self.stops_in_a_row;
        let mut ahead = 0;
        loop {
            let others_turn = stops.peek().is_none() || stops_in_a_row >= STOPS_IN_A_ROW;
            let (next, urgency) = match others_turn.then(|| others.next()).flatten() {
                Some(next) => (Some(next), CallPriority::Normal),
                None => (stops.next(), CallPriority::Stop),
            };
            if next.is_none_or(|next| next == number) {
                return ahead;
            }
            stops_in_a_row = counted(stops_in_a_row, urgency);
            ahead += 1;
        }
    }
}

fn counted(stops_in_a_row: u8, urgency: CallPriority) -> u8 {
    match urgency {
        CallPriority::Stop => stops_in_a_row.saturating_add(1),
        CallPriority::Normal => 0,
    }
}

fn micros(now: Timestamp, later: Duration) -> i64 {
    now.as_microsecond().saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    use std::thread;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::store::testing::{child, child_value, folder, now, storm};

    const INTERVAL: Duration = Duration::from_millis(1000);

    fn after(ms: u64) -> Timestamp {
        now() + Duration::from_millis(ms)
    }

    /// Callers in virtual time. Each enters at its moment, asks `late` ms after the time that it was
    /// given, and makes one call; one with `dies` never asks again.
    #[derive(Debug, Clone)]
    struct SimulatedCaller {
        enters: u64,
        urgency: CallPriority,
        late: Vec<u64>,
        dies: bool,
    }

    /// The calls that were admitted: (ms, index of the caller).
    fn simulate(callers: &[SimulatedCaller], interval: Duration) -> Vec<(u64, usize)> {
        let mut queue = PacerQueue::default();
        let mut agenda: BTreeMap<(u64, usize), Option<PacerTicket>> =
            callers.iter().enumerate().map(|(index, caller)| ((caller.enters, index), None)).collect();
        let mut asked = vec![0; callers.len()];
        let mut through = Vec::new();
        while let Some(((ms, index), ticket)) = agenda.pop_first() {
            let (caller, at) = (&callers[index], after(ms));
            // Through the file's format each time.
            queue = serde_json::from_slice(&serde_json::to_vec(&queue).unwrap()).unwrap();
            let (ticket, wait) = match ticket {
                None => {
                    let ticket = queue.enter(at, interval, caller.urgency);
                    let wait = ticket.at.duration_since(at).unsigned_abs();
                    (ticket, wait)
                }
                Some(ticket) => match queue.ask(at, interval, ticket.number, caller.urgency) {
                    PacerDecision::Confirmed { at: said } => {
                        assert_eq!(said, at);
                        through.push((ms, index));
                        continue;
                    }
                    PacerDecision::WaitMore(wait) => {
                        assert!(!wait.is_zero() && wait <= ASK_AGAIN);
                        (ticket, wait)
                    }
                },
            };
            if !caller.dies {
                let late = caller.late[asked[index] % caller.late.len()];
                asked[index] += 1;
                let wake = ms + u64::try_from(wait.as_micros().div_ceil(1000)).unwrap() + late;
                agenda.insert((wake, index), Some(ticket));
            }
        }
        assert!(queue.waiting.is_empty() || callers.iter().any(|caller| caller.dies));
        through
    }

    fn caller(enters: u64, urgency: CallPriority) -> SimulatedCaller {
        SimulatedCaller { enters, urgency, late: vec![0], dies: false }
    }

    fn starts(count: usize) -> Vec<SimulatedCaller> {
        vec![caller(0, CallPriority::Normal); count]
    }

    #[test]
    fn the_first_call_goes_at_once_and_the_others_in_order_one_an_interval() {
        let through = simulate(&starts(6), INTERVAL);
        assert_eq!(through, [(0, 0), (1000, 1), (2000, 2), (3000, 3), (4000, 4), (5000, 5)]);
    }

    #[test]
    fn a_stop_overtakes_every_start() {
        let mut callers = starts(50);
        callers.push(caller(5500, CallPriority::Stop));
        let through = simulate(&callers, INTERVAL);
        assert_eq!(through[5..8], [(5000, 5), (6000, 50), (7000, 6)]);
    }

    #[test]
    fn many_stops_leave_each_fourth_slot_to_the_starts() {
        let mut callers = starts(3);
        callers.extend(vec![caller(10, CallPriority::Stop); 7]);
        let order: String = simulate(&callers, INTERVAL)
            .iter()
            .map(|(_, index)| if *index < 3 { 'n' } else { 's' })
            .collect();
        assert_eq!(order, "nsssnsssns");
    }

    #[test]
    fn the_places_of_dead_callers_lapse() {
        let mut callers = vec![SimulatedCaller { dies: true, ..caller(0, CallPriority::Normal) }; 40];
        callers.push(caller(1, CallPriority::Normal));
        let through = simulate(&callers, INTERVAL);
        assert_eq!(through.len(), 1);
        assert!(through[0].0 <= 2600, "{through:?}");
    }

    #[test]
    fn one_that_slept_too_long_gets_its_place_back() {
        let mut callers = starts(4);
        callers[1].late = vec![1300, 0];
        let through = simulate(&callers, INTERVAL);
        assert_eq!(through.iter().map(|(_, index)| *index).collect::<Vec<_>>(), [0, 2, 1, 3]);
    }

    #[test]
    fn a_clock_that_was_set_back_costs_one_interval() {
        let mut queue = PacerQueue::default();
        let far = after(1_000_000_000);
        let ticket = queue.enter(far, INTERVAL, CallPriority::Normal);
        assert!(matches!(
            queue.ask(far, INTERVAL, ticket.number, CallPriority::Normal),
            PacerDecision::Confirmed { .. }
        ));
        let _dead = queue.enter(far, INTERVAL, CallPriority::Normal);
        let _dead = queue.enter(far, INTERVAL, CallPriority::Stop);

        let mut ms = 0;
        let ticket = queue.enter(after(0), INTERVAL, CallPriority::Normal);
        loop {
            match queue.ask(after(ms), INTERVAL, ticket.number, CallPriority::Normal) {
                PacerDecision::Confirmed { .. } => break,
                PacerDecision::WaitMore(wait) => ms += u64::try_from(wait.as_millis()).unwrap().max(1),
            }
        }
        assert!((1000..=2600).contains(&ms), "{ms}");
    }

    #[test]
    fn a_lost_file_costs_one_interval() {
        let (_folder, layout) = folder();
        let interval = Duration::from_millis(60);
        let pacer = Pacer::new(&layout, "test", interval);
        let ticket = pacer.reserve(CallPriority::Normal).unwrap();
        assert!(matches!(pacer.confirm(&ticket).unwrap(), PacerDecision::Confirmed { .. }));
        for garbage in ["", "{", r#"{"last":"x"}"#, "\0\0\0"] {
            fs::write(layout.pacer("test"), garbage).unwrap();
            let before = Instant::now();
            call(&pacer, CallPriority::Normal);
            assert!(before.elapsed() + Duration::from_millis(1) >= interval, "{garbage:?}");
        }
    }

    #[test]
    fn a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let error = Pacer::new(&layout, "x", INTERVAL).reserve(CallPriority::Stop).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open the lock {}", layout.pacer_lock("x").display()));
    }

    fn arbitrary_caller() -> impl Strategy<Value = SimulatedCaller> {
        let urgency = prop_oneof![3 => Just(CallPriority::Normal), 1 => Just(CallPriority::Stop)];
        let late = prop::collection::vec(prop_oneof![4 => 0_u64..30, 1 => 0_u64..3000], 1..4);
        (0_u64..8000, urgency, late, prop::bool::weighted(0.15))
            .prop_map(|(enters, urgency, late, dies)| SimulatedCaller { enters, urgency, late, dies })
    }

    proptest! {
        #[test]
        fn two_calls_are_never_closer_than_the_interval(
            callers in prop::collection::vec(arbitrary_caller(), 1..40), interval in 50_u64..1500
        ) {
            let through = simulate(&callers, Duration::from_millis(interval));
            prop_assert!(through.windows(2).all(|pair| pair[1].0 - pair[0].0 >= interval), "{:?}", through);
            prop_assert_eq!(through.len(), callers.iter().filter(|caller| !caller.dies).count());
        }

        #[test]
        fn punctual_callers_go_in_order_and_waste_nothing(
            entering in prop::collection::vec((0_u64..6000, prop::bool::weighted(0.2)), 1..30)
        ) {
            let callers: Vec<_> = entering
                .iter()
                .map(|&(at, stop)| caller(at, if stop { CallPriority::Stop } else { CallPriority::Normal }))
                .collect();
            let through = simulate(&callers, INTERVAL);
            for urgency in [CallPriority::Normal, CallPriority::Stop] {
                let order: Vec<_> = through
                    .iter()
                    .filter(|(_, index)| callers[*index].urgency == urgency)
                    .map(|(_, index)| (callers[*index].enters, *index))
                    .collect();
                prop_assert!(order.is_sorted(), "{:?}", order);
            }
            for (index, stop) in callers.iter().enumerate().filter(|(_, c)| c.urgency == CallPriority::Stop) {
                let went = through.iter().find(|(_, i)| *i == index).unwrap().0;
                let stops_before = through
                    .iter()
                    .filter(|(at, i)| *at >= stop.enters && *at < went && callers[*i].urgency == CallPriority::Stop)
                    .count() as u64;
                // One of every four slots may be another's, and one interval is under way.
                let slots = 2 + stops_before + stops_before / 3;
                prop_assert!(went - stop.enters <= slots * 1050, "{} after {} stops", went - stop.enters, stops_before);
            }
            // While a caller waits, a call goes each interval (and a little: who is not first looks
            // again only now and then).
            for pair in through.windows(2) {
                let waited = callers.iter().enumerate().any(|(index, c)| {
                    c.enters <= pair[0].0 && through.iter().any(|(at, i)| *i == index && *at > pair[0].0)
                });
                prop_assert!(!waited || pair[1].0 - pair[0].0 <= 1100, "{:?}", pair);
            }
        }
    }

    fn call(pacer: &Pacer, urgency: CallPriority) -> Timestamp {
        let ticket = pacer.reserve(urgency).unwrap();
        loop {
            match pacer.confirm(&ticket).unwrap() {
                PacerDecision::Confirmed { at } => return at,
                PacerDecision::WaitMore(wait) => thread::sleep(wait),
            }
        }
    }

    #[test]
    fn child_calls() {
        let Some(value) = child_value() else { return };
        let (count, root) = value.split_once(' ').unwrap();
        let pacer = Pacer::new(&Layout::new(root), "test", Duration::from_millis(15));
        for number in 0..count.parse().unwrap() {
            let urgency = if number % 4 == 3 { CallPriority::Stop } else { CallPriority::Normal };
            let at = call(&pacer, urgency);
            println!("called {}", at.as_microsecond());
        }
    }

    #[test]
    fn sixteen_processes_keep_the_pace_though_some_are_killed() {
        let (_folder, layout) = folder();
        let spawn = |count: u32| {
            let value = format!("{count} {}", layout.root().display());
            child("store::pacer::tests::child_calls", &value).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut finishing: Vec<_> = (0..12).map(|_| spawn(5)).collect();
        let mut endless: Vec<_> = (0..4).map(|_| spawn(100_000)).collect();
        let mut calls: Vec<i64> = Vec::new();
        let called = |line: io::Result<String>| line.unwrap().split_once("called ")?.1.parse::<i64>().ok();
        for child in &mut endless {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            calls.extend(lines.by_ref().find_map(called));
            child.kill().unwrap();
            child.wait().unwrap();
            calls.extend(lines.filter_map(called));
        }
        for child in &mut finishing {
            calls.extend(BufReader::new(child.stdout.take().unwrap()).lines().filter_map(called));
            assert!(child.wait().unwrap().success());
        }
        calls.sort_unstable();
        assert!(calls.len() >= 64, "{}", calls.len());
        let gaps: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 15_000), "{gaps:?}");
    }

    #[test]
    fn no_kill_makes_a_call_too_early() {
        let (_folder, layout) = folder();
        let mut calls: Vec<i64> = Vec::new();
        storm(|_, said| {
            let called = |line: &str| line.split_once("called ")?.1.parse::<i64>().ok();
            calls.extend(said.unwrap_or_default().lines().filter_map(called));
            child("store::pacer::tests::child_calls", &format!("1000000 {}", layout.root().display()))
        });
        calls.sort_unstable();
        assert!(calls.len() > 1, "no child called twice");
        let early: Vec<_> =
            calls.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap < 15_000).collect();
        assert!(early.is_empty(), "{} of {} came too early: {early:?}", early.len(), calls.len());
    }
}
