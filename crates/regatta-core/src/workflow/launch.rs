//! Launch settings of a browser, where the provider keeps settings for each profile. Absent settings are left
//! to the provider.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// Named as in AdsPower.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaunchSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headless: Option<bool>,
    /// Whether the tabs of the last session are opened again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_opened_tabs: Option<bool>,
    /// Whether the proxy is checked first, on a page of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_detection: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdp_mask: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_cache: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_scale: Option<DeviceScale>,
}

/// Invariant: 0.1 to 10, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct DeviceScale(u16);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidLaunchSetting {
    #[error("there is no launch setting `{0}`: expected {names}", names = NAMES.join(", "))]
    Unknown(String),
    #[error("`{0}` is a switch: expected true, false, 1 or 0")]
    Switch(&'static str),
    #[error("`device_scale` is a number from 0.1 to 10")]
    Scale,
}

pub const NAMES: [&str; 6] =
    ["headless", "last_opened_tabs", "proxy_detection", "cdp_mask", "delete_cache", "device_scale"];

impl LaunchSettings {
    /// Fills absent settings from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            headless: self.headless.or(other.headless),
            last_opened_tabs: self.last_opened_tabs.or(other.last_opened_tabs),
            proxy_detection: self.proxy_detection.or(other.proxy_detection),
            cdp_mask: self.cdp_mask.or(other.cdp_mask),
            delete_cache: self.delete_cache.or(other.delete_cache),
            device_scale: self.device_scale.or(other.device_scale),
        }
    }

    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, InvalidLaunchSetting> {
        let mut settings = Self::default();
        fields.iter().try_for_each(|(name, value)| settings.set(name, value))?;
        Ok(settings)
    }

    /// Sets one setting by its name, from a table or from JSON.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), InvalidLaunchSetting> {
        let (known, place) = match name {
            "headless" => (NAMES[0], &mut self.headless),
            "last_opened_tabs" => (NAMES[1], &mut self.last_opened_tabs),
            "proxy_detection" => (NAMES[2], &mut self.proxy_detection),
            "cdp_mask" => (NAMES[3], &mut self.cdp_mask),
            "delete_cache" => (NAMES[4], &mut self.delete_cache),
            "device_scale" => {
                self.device_scale = Some(scale(value).ok_or(InvalidLaunchSetting::Scale)?);
                return Ok(());
            }
            _ => return Err(InvalidLaunchSetting::Unknown(name.to_owned())),
        };
        *place = Some(switch(value).ok_or(InvalidLaunchSetting::Switch(known))?);
        Ok(())
    }
}

impl DeviceScale {
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl TryFrom<f64> for DeviceScale {
    type Error = InvalidLaunchSetting;

    fn try_from(scale: f64) -> Result<Self, Self::Error> {
        if (0.1..=10.0).contains(&scale) {
            Ok(Self((scale * 100.0).round() as u16))
        } else {
            Err(InvalidLaunchSetting::Scale)
        }
    }
}

impl From<DeviceScale> for f64 {
    fn from(scale: DeviceScale) -> Self {
        scale.as_f64()
    }
}

/// A table holds only texts, and a database only numbers.
fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(number) => bit(number.as_i64()?),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            number => bit(number.parse().ok()?),
        },
        _ => None,
    }
}

fn bit(number: i64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn scale(value: &Value) -> Option<DeviceScale> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    DeviceScale::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_is_read_as_tables_and_databases_write_it() {
        for (value, expected) in
            [(json!(true), true), (json!("0"), false), (json!(1), true), (json!("False"), false)]
        {
            let mut settings = LaunchSettings::default();
            settings.set("cdp_mask", &value).unwrap();
            assert_eq!(
                settings,
                LaunchSettings { cdp_mask: Some(expected), ..LaunchSettings::default() },
                "{value}"
            );
        }
        let mut settings = LaunchSettings::default();
        settings.set("device_scale", &json!("1.25")).unwrap();
        assert_eq!(serde_json::to_value(settings).unwrap(), json!({ "device_scale": 1.25 }));
    }

    #[test]
    fn an_invalid_setting_is_named() {
        let problem = |name, value| LaunchSettings::default().set(name, &value).unwrap_err().to_string();
        assert_eq!(problem("headless", json!("yes")), "`headless` is a switch: expected true, false, 1 or 0");
        assert_eq!(problem("device_scale", json!("0")), "`device_scale` is a number from 0.1 to 10");
        assert_eq!(
            problem("headles", json!(1)),
            "there is no launch setting `headles`: expected headless, last_opened_tabs, proxy_detection, cdp_mask, delete_cache, device_scale"
        );
    }

    #[test]
    fn the_more_specific_setting_wins() {
        let near = LaunchSettings { headless: Some(false), ..LaunchSettings::default() };
        let far =
            LaunchSettings { headless: Some(true), delete_cache: Some(true), ..LaunchSettings::default() };
        assert_eq!(near.or(far), LaunchSettings { headless: Some(false), ..far });
    }
}
