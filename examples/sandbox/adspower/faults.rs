//! The refusals a client must survive, switched on for tests: `POST /emulator/faults` with
//! `{"kind":"daily_quota","profile":"p1","times":2}`; without `profile` any start strikes, without
//! `times` every one. `{"kind":"registry_lost"}` forgets at once which browsers run.

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::envelope::{failure, start_failed, success};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: Kind,
    pub profile: Option<String>,
    pub times: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    UsedElsewhere,
    KernelUpdating,
    KernelMissing,
    DailyQuota,
    PaidPlan,
    StartFailed,
    /// Says yes and names no port; the next start fills it.
    NotReady,
    RegistryLost,
}

/// Those that strike starts, in the order they were switched on.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// What a start of the profile is answered instead; counts it.
    pub fn strike(&mut self, profile: &str) -> Option<Kind> {
        let of_it = |fault: &&mut Fault| fault.profile.as_deref().is_none_or(|name| name == profile);
        let fault = self.0.iter_mut().filter(|fault| fault.times != Some(0)).find(of_it)?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.kind)
    }
}

/// As the real one words it.
pub fn answer(kind: Kind, profile: &str) -> Response {
    match kind {
        Kind::UsedElsewhere => {
            failure(&format!("[{profile}] is being used by [someone@mail.test] and is not allowed to open"))
        }
        Kind::KernelUpdating => failure("SunBrowser 136 is updating, waiting for download."),
        Kind::KernelMissing => failure("SunBrowser 147 is not ready,please to download!"),
        Kind::DailyQuota => failure("Exceeding open daily limit, recovery after 7 hours"),
        Kind::PaidPlan => failure("This feature is only available in paid subscriptions"),
        Kind::StartFailed => start_failed(),
        Kind::NotReady | Kind::RegistryLost => success(json!({
            "ws": { "puppeteer": "", "selenium": "" },
            "debug_port": "",
            "webdriver": "",
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_profile_and_as_often_as_it_was_said() {
        let mut faults = Faults::default();
        faults.add(Fault { kind: Kind::PaidPlan, profile: Some("p1".to_owned()), times: None });
        faults.add(Fault { kind: Kind::DailyQuota, profile: None, times: Some(1) });
        let struck: Vec<_> = ["p2", "p2", "p1", "p1"].into_iter().map(|name| faults.strike(name)).collect();
        assert_eq!(struck, [Some(Kind::DailyQuota), None, Some(Kind::PaidPlan), Some(Kind::PaidPlan)]);
    }
}
