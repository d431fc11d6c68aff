//! The values of settings that neither the command line nor `regatta.toml` gives.

use std::time::Duration;

/// Runs at once. The help of `orchestrate` names this value, as it does the next two.
pub const MAX_RUNS: u16 = 5;
/// Attempts of a run after the first.
pub const RETRIES: u32 = 2;
/// The time between two launches.
pub const STAGGER: Duration = Duration::from_millis(500);
/// The share of the stagger that chance adds or takes.
pub const STAGGER_JITTER: f64 = 1.0 / 3.0;
/// The shortest time without an event after which a run counts as stalled. A slow provider, or the wait
/// for its rate limit, must not reach it.
pub const STALL: Duration = Duration::from_secs(300);
/// The bound of stopping the browser of a crashed run.
pub const BROWSER_STOP: Duration = Duration::from_secs(20);

/// From the start of a local Chromium until it listens.
pub const CHROMIUM_START: Duration = Duration::from_secs(30);

/// The address of AdsPower's Local API as it is installed.
pub const ADSPOWER_URL: &str = "http://127.0.0.1:50325";
/// AdsPower counts calls as they arrive and allows one a second. A call may be on its way longer than the
/// one after it: the margin is for that.
pub const ADSPOWER_CALLS_PER_SECOND: f64 = 0.8;
/// From the first `start` call on; the wait for the rate limit does not count.
pub const ADSPOWER_START: Duration = Duration::from_secs(120);
/// The application takes tens of seconds to restart.
pub const ADSPOWER_RESTART: Duration = Duration::from_secs(30);
/// From the answer to `stop` until the browser no longer listens.
pub const ADSPOWER_STOP: Duration = Duration::from_secs(10);
/// The download of a browser kernel.
pub const ADSPOWER_KERNEL: Duration = Duration::from_secs(1200);
