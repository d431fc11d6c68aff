//! The shapes of a flow file. Unknown keys are accepted where DevTools drops them, and refused in the
//! parameters of Regatta's own steps, where they are misspelt.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Map;
use serde_json::value::RawValue;

use super::number::Whole;
use crate::flow::{Button, Chain, Click, Device, Locator, Operator, Selector, Viewport, WaitForElement};

#[derive(Deserialize)]
#[serde(expecting = "a flow")]
pub struct FlowWire<'a> {
    pub title: Option<String>,
    pub timeout: Option<Whole<u64>>,
    #[serde(rename = "selectorAttribute")]
    pub selector_attribute: Option<String>,
    #[serde(borrow)]
    pub steps: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a step")]
pub struct StepWire<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Option<std::borrow::Cow<'a, str>>,
    pub timeout: Option<Whole<u64>>,
    pub target: Option<String>,
    pub frame: Option<Vec<Whole<u32>>>,
    #[serde(rename = "assertedEvents")]
    pub asserted_events: Option<Vec<AssertedEventWire>>,
}

#[derive(Deserialize)]
pub struct AssertedEventWire {
    #[serde(rename = "type")]
    pub kind: String,
    pub url: Option<String>,
    pub title: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a selector or a list of selectors")]
pub enum ChainWire {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewportWire {
    pub width: Whole<u32>,
    pub height: Whole<u32>,
    pub device_scale_factor: f64,
    pub is_mobile: bool,
    pub has_touch: bool,
    pub is_landscape: bool,
}

impl From<ViewportWire> for Viewport {
    fn from(wire: ViewportWire) -> Self {
        Self {
            width: wire.width.0,
            height: wire.height.0,
            device_scale_factor: wire.device_scale_factor,
            is_mobile: wire.is_mobile,
            has_touch: wire.has_touch,
            is_landscape: wire.is_landscape,
        }
    }
}

#[derive(Deserialize)]
pub struct ConditionsWire {
    pub download: f64,
    pub upload: f64,
    pub latency: f64,
}

#[derive(Deserialize)]
pub struct NavigateWire {
    pub url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClickWire {
    pub selectors: Vec<ChainWire>,
    pub offset_x: Option<f64>,
    pub offset_y: Option<f64>,
    #[serde(default)]
    pub button: ButtonWire,
    #[serde(default)]
    pub device_type: DeviceWire,
    pub duration: Option<f64>,
}

impl From<ClickWire> for Click {
    fn from(wire: ClickWire) -> Self {
        Self {
            locator: locator(wire.selectors),
            offset: wire.offset_x.zip(wire.offset_y),
            button: wire.button.into(),
            device: wire.device_type.into(),
            duration: wire
                .duration
                .map(|millis| Duration::from_secs_f64(millis.clamp(0.0, 30_000.0) / 1000.0)),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ButtonWire {
    #[default]
    Primary,
    Auxiliary,
    Secondary,
    Back,
    Forward,
}

impl From<ButtonWire> for Button {
    fn from(wire: ButtonWire) -> Self {
        match wire {
            ButtonWire::Primary => Self::Primary,
            ButtonWire::Auxiliary => Self::Auxiliary,
            ButtonWire::Secondary => Self::Secondary,
            ButtonWire::Back => Self::Back,
            ButtonWire::Forward => Self::Forward,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum DeviceWire {
    #[default]
    Mouse,
    Pen,
    Touch,
}

impl From<DeviceWire> for Device {
    fn from(wire: DeviceWire) -> Self {
        match wire {
            DeviceWire::Mouse => Self::Mouse,
            DeviceWire::Pen => Self::Pen,
            DeviceWire::Touch => Self::Touch,
        }
    }
}

#[derive(Deserialize)]
pub struct LocatorWire {
    pub selectors: Vec<ChainWire>,
}

#[derive(Deserialize)]
pub struct ChangeWire {
    pub selectors: Vec<ChainWire>,
    pub value: ValueWire,
}

/// Regatta's own form, for a list that takes several values.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
pub enum ValueWire {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
pub struct KeyWire {
    pub key: String,
}

#[derive(Deserialize)]
pub struct ScrollWire {
    pub selectors: Option<Vec<ChainWire>>,
    pub x: Option<f64>,
    pub y: Option<f64>,
}

#[derive(Deserialize)]
pub struct WaitForElementWire {
    pub selectors: Vec<ChainWire>,
    pub operator: Option<OperatorWire>,
    pub count: Option<Whole<u32>>,
    pub visible: Option<bool>,
    pub properties: Option<Map<String, serde_json::Value>>,
    pub attributes: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
pub enum OperatorWire {
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "==")]
    Exactly,
    #[serde(rename = "<=")]
    AtMost,
}

impl From<WaitForElementWire> for WaitForElement {
    fn from(wire: WaitForElementWire) -> Self {
        Self {
            locator: locator(wire.selectors),
            operator: match wire.operator {
                None | Some(OperatorWire::AtLeast) => Operator::AtLeast,
                Some(OperatorWire::Exactly) => Operator::Exactly,
                Some(OperatorWire::AtMost) => Operator::AtMost,
            },
            count: wire.count.map_or(1, |count| count.0),
            visible: wire.visible.unwrap_or(true),
            properties: wire.properties.unwrap_or_default(),
            attributes: wire.attributes.unwrap_or_default().into_iter().collect(),
        }
    }
}

#[derive(Deserialize)]
pub struct ExpressionWire {
    pub expression: String,
}

#[derive(Deserialize)]
pub struct CustomWire<'a> {
    pub name: String,
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureWire {
    pub selectors: Vec<ChainWire>,
    pub from: String,
    pub attribute: Option<String>,
    pub pattern: Option<String>,
    pub into: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhenWire<'a> {
    pub exists: Vec<ChainWire>,
    #[serde(borrow)]
    pub steps: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadWire {
    pub selectors: Vec<ChainWire>,
    pub files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoffWire {
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenshotWire {
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowStatusWire {
    pub status: Vec<Whole<u16>>,
}

pub fn locator(selectors: Vec<ChainWire>) -> Locator {
    let chain = |chain: ChainWire| match chain {
        ChainWire::One(text) => Chain(vec![Selector::parse(&text)]),
        ChainWire::Many(texts) => Chain(texts.iter().map(|text| Selector::parse(text)).collect()),
    };
    Locator::new(selectors.into_iter().map(chain).filter(|chain| !chain.0.is_empty()).collect())
}
