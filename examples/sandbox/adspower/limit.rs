//! How many calls AdsPower lets through.
//!
//! The vendor's documents say a number of calls a second over everything, and one a second for each
//! of the list calls on every plan. How it counts is not known; here a window slides over the
//! calls let through, and a refused call does not count.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// A client that keeps exactly to its second must not be refused for a scheduler's jitter.
const WINDOW: Duration = Duration::from_millis(950);

const ONE_A_SECOND: [&str; 4] =
    ["/api/v1/user/list", "/api/v2/browser-profile/list", "/api/v1/group/list", "/api/v2/browser-tags/list"];

pub struct Limit {
    /// 0 is no limit at all.
    calls_per_second: usize,
    recent: VecDeque<Instant>,
    lists: HashMap<&'static str, Instant>,
}

impl Limit {
    pub fn new(calls_per_second: usize) -> Self {
        Limit { calls_per_second, recent: VecDeque::new(), lists: HashMap::new() }
    }

    pub fn admits(&mut self, now: Instant, path: &str) -> bool {
        if self.calls_per_second == 0 {
            return true;
        }
        let is_over = |then: Instant| now.duration_since(then) >= WINDOW;
        while self.recent.front().is_some_and(|then| is_over(*then)) {
            self.recent.pop_front();
        }
        let list = ONE_A_SECOND.into_iter().find(|list| *list == path);
        let list_is_due = list.and_then(|list| self.lists.get(list)).is_none_or(|then| is_over(*then));
        if self.recent.len() >= self.calls_per_second || !list_is_due {
            return false;
        }
        self.recent.push_back(now);
        if let Some(list) = list {
            self.lists.insert(list, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(calls_per_second: usize, calls: &[(u64, &str)], expected: &[bool]) {
        let start = Instant::now();
        let mut limit = Limit::new(calls_per_second);
        let admitted: Vec<bool> = calls
            .iter()
            .map(|(at_ms, path)| limit.admits(start + Duration::from_millis(*at_ms), path))
            .collect();
        assert_eq!(admitted, expected);
    }

    #[test]
    fn calls_are_counted_over_all_paths() {
        let calls = [(0, "/a"), (500, "/b"), (1000, "/b"), (1001, "/a")];
        check(1, &calls, &[true, false, true, false]);
        check(2, &calls, &[true, true, true, false]);
    }

    #[test]
    fn a_list_is_due_once_a_second() {
        let list = "/api/v1/group/list";
        let calls = [(0, list), (10, list), (20, "/a"), (1000, list)];
        check(5, &calls, &[true, false, true, true]);
        check(0, &calls, &[true, true, true, true]);
    }
}
