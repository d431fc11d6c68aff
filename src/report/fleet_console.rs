//! stopgap
use crate::domain::fleet_notice::{FleetNotice, FleetReport};

pub struct FleetConsole;

impl FleetConsole {
    pub fn new(_: bool, _: bool, _: bool, _: bool) -> Self {
        Self
    }
    pub fn show(&mut self, notice: &FleetNotice) {
        println!("{} {:?}", notice.at, notice.kind);
    }
    pub fn finish(&mut self, report: &FleetReport) {
        println!("{}", serde_json::to_string_pretty(report).unwrap_or_default());
    }
}
