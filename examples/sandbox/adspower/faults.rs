//! What a client must survive, switched on for tests: at the start with `--fault JSON`, later with
//! `POST /emulator/faults`. `{"kind":"daily_quota","profile":"p1","times":2}` strikes starts; without
//! `profile` those of all, without `times` every one. `registry_lost` and `app_restarts` happen at once.

use std::str::FromStr;
use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::envelope::{failure, refusal, start_failed, success};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatorFault {
    pub kind: FaultKind,
    pub profile: Option<String>,
    pub times: Option<u64>,
    /// Of what takes time.
    pub ms: Option<u64>,
}

impl EmulatorFault {
    pub fn lasts(&self) -> Duration {
        Duration::from_millis(self.ms.unwrap_or(2000))
    }

    fn strikes(&self, profile: &str) -> bool {
        !matches!(self.kind, FaultKind::OldApplication)
            && self.times != Some(0)
            && self.profile.as_deref().is_none_or(|name| name == profile)
    }

    /// Whether it is over once it has happened, and is for no start.
    pub fn is_at_once(&self) -> bool {
        matches!(self.kind, FaultKind::RegistryLost | FaultKind::AppRestarts)
    }
}

impl FromStr for EmulatorFault {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    UsedElsewhere,
    KernelUpdating,
    /// Until its download is asked for; then it is updating for two starts more.
    KernelMissing,
    /// The profile wants a kernel of the other family.
    FirefoxKernel,
    DailyQuota,
    PaidPlan,
    StartFailed,
    /// Says yes and names no port; the next start fills it.
    NotReady,
    /// Says yes and offers the browser to Selenium alone.
    NoDevtools,
    ProxyFailed,
    NoPermission,
    /// The profile was deleted meanwhile.
    UnknownProfile,
    /// Another program uses up the calls.
    Throttled,
    /// The browser comes `ms` later.
    SlowStart,
    /// It no longer knows which browsers run.
    RegistryLost,
    /// The port is closed for `ms`.
    AppRestarts,
    /// It answers 404 to every call of the second version.
    OldApplication,
}

/// Those that strike starts, in the order they were switched on.
#[derive(Debug, Default)]
pub struct EmulatorFaults(Vec<EmulatorFault>);

impl EmulatorFaults {
    pub fn add(&mut self, fault: EmulatorFault) {
        self.0.push(fault);
    }

    /// What becomes of a start of the profile; counts it.
    pub fn strike(&mut self, profile: &str) -> Option<EmulatorFault> {
        let fault = self.0.iter_mut().find(|fault| fault.strikes(profile))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.clone())
    }

    pub fn is_too_old(&self) -> bool {
        self.0.iter().any(|fault| fault.kind == FaultKind::OldApplication)
    }

    pub fn download_kernel(&mut self) {
        for fault in self.0.iter_mut().filter(|fault| fault.kind == FaultKind::KernelMissing) {
            (fault.kind, fault.times) = (FaultKind::KernelUpdating, Some(2));
        }
    }

    /// Whether the profile is open on another device.
    pub fn is_used_elsewhere(&self, profile: &str) -> bool {
        self.0.iter().any(|fault| fault.kind == FaultKind::UsedElsewhere && fault.strikes(profile))
    }
}

/// As the real one words it.
pub fn answer(kind: FaultKind, profile: &str, unknown: &str) -> Response {
    match kind {
        FaultKind::UnknownProfile => failure(unknown),
        FaultKind::Throttled => failure("Too many request per second, please check"),
        FaultKind::UsedElsewhere => {
            failure(&format!("[{profile}] is being used by [someone@mail.test] and is not allowed to open"))
        }
        FaultKind::KernelUpdating => failure("SunBrowser 136 is updating, waiting for download."),
        FaultKind::KernelMissing => failure("SunBrowser 147 is not ready,please to download!"),
        FaultKind::FirefoxKernel => failure("FlowerBrowser 130 is not ready,please to download!"),
        FaultKind::ProxyFailed => failure("Check Proxy Fail"),
        // The real wording is not known: only the code may be relied upon.
        FaultKind::NoPermission => refusal(9110, "No permission"),
        FaultKind::NoDevtools => success(json!({
            "ws": { "puppeteer": "", "selenium": "127.0.0.1:43703" },
            "debug_port": "43703",
            "webdriver": "",
        })),
        FaultKind::DailyQuota => failure("Exceeding open daily limit, recovery after 7 hours"),
        FaultKind::PaidPlan => failure("This feature is only available in paid subscriptions"),
        FaultKind::StartFailed => start_failed(),
        FaultKind::NotReady
        | FaultKind::SlowStart
        | FaultKind::RegistryLost
        | FaultKind::AppRestarts
        | FaultKind::OldApplication => success(json!({
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
        let mut faults = EmulatorFaults::default();
        faults.add(r#"{"kind":"paid_plan","profile":"p1"}"#.parse().unwrap());
        faults.add(r#"{"kind":"daily_quota","times":1}"#.parse().unwrap());
        let struck: Vec<_> = ["p2", "p2", "p1", "p1"]
            .into_iter()
            .map(|name| faults.strike(name).map(|fault| fault.kind))
            .collect();
        assert_eq!(
            struck,
            [Some(FaultKind::DailyQuota), None, Some(FaultKind::PaidPlan), Some(FaultKind::PaidPlan)]
        );
    }

    #[test]
    fn a_kernel_that_is_missing_comes_once_its_download_is_asked_for() {
        let mut faults = EmulatorFaults::default();
        faults.add(r#"{"kind":"kernel_missing","profile":"p1"}"#.parse().unwrap());
        let struck = |faults: &mut EmulatorFaults| faults.strike("p1").map(|fault| fault.kind);
        assert_eq!(struck(&mut faults), Some(FaultKind::KernelMissing));
        faults.download_kernel();
        let later = [(); 3].map(|()| struck(&mut faults));
        assert_eq!(later, [Some(FaultKind::KernelUpdating), Some(FaultKind::KernelUpdating), None]);
    }

    #[test]
    fn who_uses_a_profile_elsewhere_may_let_go() {
        let mut faults = EmulatorFaults::default();
        faults.add(r#"{"kind":"used_elsewhere","profile":"p1","times":1}"#.parse().unwrap());
        assert!(faults.is_used_elsewhere("p1") && !faults.is_used_elsewhere("p2"));
        faults.strike("p1");
        assert!(!faults.is_used_elsewhere("p1"));
    }
}
