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
pub struct Fault {
    pub kind: Kind,
    pub profile: Option<String>,
    pub times: Option<u64>,
    /// Of what takes time.
    pub ms: Option<u64>,
}

impl Fault {
    pub fn lasts(&self) -> Duration {
        Duration::from_millis(self.ms.unwrap_or(2000))
    }

    fn strikes(&self, profile: &str) -> bool {
        !matches!(self.kind, Kind::OldApplication)
            && self.times != Some(0)
            && self.profile.as_deref().is_none_or(|name| name == profile)
    }

    /// Whether it is over once it has happened, and is for no start.
    pub fn is_at_once(&self) -> bool {
        matches!(self.kind, Kind::RegistryLost | Kind::AppRestarts)
    }
}

impl FromStr for Fault {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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
    /// Nobody listens for `ms`.
    AppRestarts,
    /// It answers 404 to every call of the second version.
    OldApplication,
}

/// Those that strike starts, in the order they were switched on.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// What becomes of a start of the profile; counts it.
    pub fn strike(&mut self, profile: &str) -> Option<Fault> {
        let fault = self.0.iter_mut().find(|fault| fault.strikes(profile))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.clone())
    }

    pub fn is_too_old(&self) -> bool {
        self.0.iter().any(|fault| fault.kind == Kind::OldApplication)
    }

    pub fn download_kernel(&mut self) {
        for fault in self.0.iter_mut().filter(|fault| fault.kind == Kind::KernelMissing) {
            (fault.kind, fault.times) = (Kind::KernelUpdating, Some(2));
        }
    }

    /// Whether somebody else has the profile open.
    pub fn is_used_elsewhere(&self, profile: &str) -> bool {
        self.0.iter().any(|fault| fault.kind == Kind::UsedElsewhere && fault.strikes(profile))
    }
}

/// As the real one words it.
pub fn answer(kind: Kind, profile: &str, unknown: &str) -> Response {
    match kind {
        Kind::UnknownProfile => failure(unknown),
        Kind::Throttled => failure("Too many request per second, please check"),
        Kind::UsedElsewhere => {
            failure(&format!("[{profile}] is being used by [someone@mail.test] and is not allowed to open"))
        }
        Kind::KernelUpdating => failure("SunBrowser 136 is updating, waiting for download."),
        Kind::KernelMissing => failure("SunBrowser 147 is not ready,please to download!"),
        Kind::FirefoxKernel => failure("FlowerBrowser 130 is not ready,please to download!"),
        Kind::ProxyFailed => failure("Check Proxy Fail"),
        // The real wording is not known: only the code may be relied upon.
        Kind::NoPermission => refusal(9110, "No permission"),
        Kind::NoDevtools => success(json!({
            "ws": { "puppeteer": "", "selenium": "127.0.0.1:43703" },
            "debug_port": "43703",
            "webdriver": "",
        })),
        Kind::DailyQuota => failure("Exceeding open daily limit, recovery after 7 hours"),
        Kind::PaidPlan => failure("This feature is only available in paid subscriptions"),
        Kind::StartFailed => start_failed(),
        Kind::NotReady | Kind::SlowStart | Kind::RegistryLost | Kind::AppRestarts | Kind::OldApplication => {
            success(json!({
                "ws": { "puppeteer": "", "selenium": "" },
                "debug_port": "",
                "webdriver": "",
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_profile_and_as_often_as_it_was_said() {
        let mut faults = Faults::default();
        faults.add(r#"{"kind":"paid_plan","profile":"p1"}"#.parse().unwrap());
        faults.add(r#"{"kind":"daily_quota","times":1}"#.parse().unwrap());
        let struck: Vec<_> = ["p2", "p2", "p1", "p1"]
            .into_iter()
            .map(|name| faults.strike(name).map(|fault| fault.kind))
            .collect();
        assert_eq!(struck, [Some(Kind::DailyQuota), None, Some(Kind::PaidPlan), Some(Kind::PaidPlan)]);
    }

    #[test]
    fn a_kernel_that_is_missing_comes_once_its_download_is_asked_for() {
        let mut faults = Faults::default();
        faults.add(r#"{"kind":"kernel_missing","profile":"p1"}"#.parse().unwrap());
        let struck = |faults: &mut Faults| faults.strike("p1").map(|fault| fault.kind);
        assert_eq!(struck(&mut faults), Some(Kind::KernelMissing));
        faults.download_kernel();
        let later = [(); 3].map(|()| struck(&mut faults));
        assert_eq!(later, [Some(Kind::KernelUpdating), Some(Kind::KernelUpdating), None]);
    }

    #[test]
    fn who_uses_a_profile_elsewhere_may_let_go() {
        let mut faults = Faults::default();
        faults.add(r#"{"kind":"used_elsewhere","profile":"p1","times":1}"#.parse().unwrap());
        assert!(faults.is_used_elsewhere("p1") && !faults.is_used_elsewhere("p2"));
        faults.strike("p1");
        assert!(!faults.is_used_elsewhere("p1"));
    }
}
