//! The result of one check.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct CheckResult {
    pub check: &'static str,
    pub level: CheckLevel,
    pub found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckLevel {
    Good,
    Warning,
    Problem,
}

impl CheckResult {
    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: CheckLevel::Good, found: found.into(), remedy: None }
    }

    pub fn bad(
        check: &'static str,
        level: CheckLevel,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, level, found: found.into(), remedy: Some(remedy.into()) }
    }
}
