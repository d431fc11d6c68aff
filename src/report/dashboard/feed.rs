//! The state that all pages share: a row for each profile, already as JSON, and what is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};
use tokio::sync::broadcast;

use crate::report::fleet_console::describe_wait;
use regatta_core::fleet::fact::FleetFact;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::{
    DisplayStatus, FailureCause, Overview, ProfileView, Timeline, causes, timeline,
};

/// Changes that a page may be behind before it gets the whole again.
const BEHIND: usize = 16;
/// The longest error in a row; the profile's own page has all of it.
const ERROR: usize = 300;

/// The state of the orchestrator, where one runs beside the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrchestratorStatus {
    pub is_running: bool,
    /// The reason why launches wait.
    pub waiting: Option<String>,
    pub is_stopping: bool,
}

impl OrchestratorStatus {
    pub fn observe(&mut self, kind: &FleetFact) {
        match kind {
            FleetFact::LaunchesWaiting(reason) => self.waiting = Some(describe_wait(reason)),
            FleetFact::LaunchesResumed => self.waiting = None,
            FleetFact::FleetSurveyed { .. } => self.is_running = true,
            FleetFact::FleetStopping { .. } => self.is_stopping = true,
            FleetFact::FleetFinished { .. } => *self = Self::default(),
            _ => {}
        }
    }
}

pub struct DashboardFeed {
    name: String,
    order: Vec<Flag>,
    state: Mutex<FeedState>,
    changes: broadcast::Sender<Arc<str>>,
}

#[derive(Default)]
struct FeedState {
    rows: BTreeMap<ProfileId, String>,
    counted: FeedTotals,
    fleet: OrchestratorStatus,
}

#[derive(Default, Serialize)]
struct FeedTotals {
    #[serde(serialize_with = "inner")]
    overview: Arc<Overview>,
    causes: Vec<FailureCause>,
    timeline: Option<Timeline>,
}

impl DashboardFeed {
    /// `order`: the workflow's steps.
    pub fn new(name: &str, order: Vec<Flag>) -> Self {
        let (changes, _) = broadcast::channel(BEHIND);
        Self { name: name.to_owned(), order, state: Mutex::default(), changes }
    }

    /// `all` are the profiles as they are now, `changed` those that are not as they were.
    pub fn publish<'a>(
        &self,
        all: impl Iterator<Item = &'a ProfileView> + Clone,
        changed: &[ProfileId],
        now: jiff::Timestamp,
    ) {
        let counted = FeedTotals {
            overview: Arc::new(Overview::from_views(all.clone(), &self.order)),
            causes: causes(all.clone()),
            timeline: timeline(all.clone(), now),
        };
        let changed: std::collections::HashSet<_> = changed.iter().collect();
        let rows: Vec<_> =
            all.filter(|view| changed.contains(&view.id)).map(|view| (view.id.clone(), row(view))).collect();
        let mut state = self.state();
        state.counted = counted;
        let text = self.text(&state, now, rows.iter().map(|(_, row)| row.as_str()));
        state.rows.extend(rows);
        // No page may be open.
        let _ = self.changes.send(text.into());
    }

    pub fn note(&self, fleet: OrchestratorStatus, now: jiff::Timestamp) {
        let mut state = self.state();
        if state.fleet != fleet {
            state.fleet = fleet;
            let text = self.text(&state, now, std::iter::empty());
            let _ = self.changes.send(text.into());
        }
    }

    pub fn overview(&self) -> Arc<Overview> {
        Arc::clone(&self.state().counted.overview)
    }

    /// The whole, and what changes from then on.
    pub(super) fn watch(&self, now: jiff::Timestamp) -> (String, broadcast::Receiver<Arc<str>>) {
        let state = self.state();
        let changes = self.changes.subscribe();
        (self.text(&state, now, state.rows.values().map(String::as_str)), changes)
    }

    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text<'r>(
        &self,
        state: &FeedState,
        now: jiff::Timestamp,
        rows: impl Iterator<Item = &'r str>,
    ) -> String {
        let json = |value: &dyn erased::Json| value.json();
        let mut text = format!(
            r#"{{"v":1,"name":{},"now":{},"fleet":{},"counted":{},"rows":["#,
            json(&self.name),
            now.as_millisecond(),
            json(&state.fleet),
            json(&state.counted)
        );
        for (at, row) in rows.enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{row}", if at == 0 { "" } else { "," });
        }
        text + "]}"
    }
}

fn inner<S: Serializer>(overview: &Arc<Overview>, serializer: S) -> Result<S::Ok, S::Error> {
    overview.as_ref().serialize(serializer)
}

mod erased {
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned())
        }
    }
}

/// Columns by place, since ten thousand of them travel: see `COLUMNS` in `assets/model.js`.
fn row(view: &ProfileView) -> String {
    let summary = &view.summary;
    let current = summary.current.as_ref().filter(|_| view.status == DisplayStatus::Processing);
    let error = view.trouble().map(|error| {
        let line = error.lines().next().unwrap_or_default();
        line.chars().take(ERROR).collect::<String>()
    });
    let columns = (
        &view.id,
        view.status,
        view.done(),
        view.steps(),
        view.step().filter(|_| view.status != DisplayStatus::Completed),
        error,
        view.run_ms(),
        summary.network.bytes_received,
        summary.last_event_at.map(jiff::Timestamp::as_millisecond),
        current.map(|step| step.attempt),
        current.map(|step| step.since.as_millisecond()),
        summary.history.runs.len(),
    );
    erased::Json::json(&columns)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::testing::folder;
    use regatta_core::fleet::fact::WaitReason;

    fn at() -> jiff::Timestamp {
        "2026-01-02T03:04:20Z".parse().unwrap()
    }

    #[test]
    fn who_connects_gets_the_whole_and_then_what_changes() {
        let board = DashboardFeed::new("onboarding", vec!["a".parse().unwrap()]);
        let mut views = folder();
        let all: Vec<_> = views.iter().map(|view| view.id.clone()).collect();
        board.publish(views.iter(), &all, at());
        let (whole, mut changes) = board.watch(at());
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["rows"].as_array().unwrap().len(), 8);
        assert_eq!(whole["counted"]["overview"]["by_status"]["COMPLETED"], 3);
        assert!(changes.try_recv().is_err(), "nothing has changed since");

        views[6].status = DisplayStatus::Failed;
        let changed = [views[6].id.clone()];
        board.publish(views.iter(), &changed, at());
        let change: Value = serde_json::from_str(&changes.try_recv().unwrap()).unwrap();
        assert_eq!(change["rows"].as_array().unwrap().len(), 1);
        assert_eq!(change["rows"][0][0], "p7");
        assert_eq!(change["rows"][0][1], "FAILED");

        let waiting =
            OrchestratorStatus { waiting: Some("the provider".to_owned()), ..OrchestratorStatus::default() };
        board.note(waiting.clone(), at());
        let change: Value = serde_json::from_str(&changes.try_recv().unwrap()).unwrap();
        assert_eq!(change["fleet"]["waiting"], "the provider");
        board.note(waiting, at());
        assert!(changes.try_recv().is_err(), "an unchanged note is not sent again");
    }

    #[test]
    fn what_launches_wait_for_is_said_until_they_go_on() {
        let mut note = OrchestratorStatus::default();
        note.observe(&FleetFact::LaunchesWaiting(WaitReason::Provider {
            problem: "AdsPower is not reachable\nmore".to_owned(),
        }));
        assert_eq!(note.waiting.as_deref(), Some("the provider does not answer: AdsPower is not reachable"));
        note.observe(&FleetFact::LaunchesWaiting(WaitReason::BrowsersStarting));
        assert_eq!(note.waiting.as_deref(), Some("recent launches are still starting"));
        note.observe(&FleetFact::LaunchesResumed);
        assert_eq!(note, OrchestratorStatus::default());
    }

    #[test]
    fn who_falls_behind_is_told_so_and_ten_thousand_rows_are_small() {
        let board = DashboardFeed::new("onboarding", Vec::new());
        let view = folder().swap_remove(3);
        let views: Vec<_> = (0..10_000)
            .map(|number| ProfileView { id: format!("p{number}").parse().unwrap(), ..view.clone() })
            .collect();
        let all: Vec<_> = views.iter().map(|view| view.id.clone()).collect();
        let (_, mut changes) = board.watch(at());
        for _ in 0..=BEHIND {
            board.publish(views.iter().take(2), &all[..1], at());
        }
        assert!(matches!(changes.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        board.publish(views.iter(), &all, at());
        let (whole, _) = board.watch(at());
        assert!(whole.len() < 2_500_000, "{}", whole.len());
    }
}
