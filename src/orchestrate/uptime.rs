//! The clock by which the system counts the starts of processes.

/// Hundredths of a second since the machine started, as the kernel counts the start of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime(u64);

impl Uptime {
    pub const fn from_hundredths(hundredths: u64) -> Self {
        Self(hundredths)
    }

    pub const fn hundredths(self) -> u64 {
        self.0
    }

    /// `None` where the system does not say.
    #[cfg(target_os = "linux")]
    pub fn now() -> Option<Self> {
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let (whole, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
        Some(Self(whole.parse::<u64>().ok()? * 100 + hundredths.parse::<u64>().ok()?))
    }

    /// `None` where the system does not say.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Option<Self> {
        None
    }
}
