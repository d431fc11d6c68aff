//! A Chrome DevTools Recorder user flow, with Regatta's custom steps.
//!
//! Parsing accepts the whole schema; [`crate::flow::validation`] refuses a step that cannot be played before
//! a browser starts, and none is skipped. The format is defined by the Recorder's own export and by npm
//! `@puppeteer/replay`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Map;

pub use self::edit::{EditError, with_alternative};
pub use self::parse::{LONGEST_RECORDED_TIMEOUT, parse};
pub use self::selector::{Chain, Locator, Selector, SelectorKind};
use crate::diagnostic::{FileDiagnostic, offset_of};

mod edit;
pub mod keyboard;
mod parse;
mod selector;
pub mod validation;

#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The path in the workflow, which names the flow to people.
    pub file: String,
    pub title: String,
    /// The bound of a step that has none of its own.
    pub timeout: Option<Duration>,
    /// The attribute the Recorder preferred for CSS selectors (`data-testid`).
    pub selector_attribute: Option<String>,
    pub steps: Vec<Step>,
    /// The folder of the files that the flow names. Empty until the caller sets it.
    pub folder: PathBuf,
    /// The text as it was read; errors show locations in it.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// `4`, or `4.2` for the second step inside a `regatta.when`; counts from 1.
    pub number: String,
    /// Line in the file, from 1.
    pub line: usize,
    pub timeout: Option<Duration>,
    /// URL of another page or out-of-process iframe; `None` is the main page.
    pub target: Option<String>,
    /// Path of child-frame indexes from the main frame.
    pub frame: Vec<u32>,
    /// Navigations that must follow the action.
    pub navigations: Vec<AssertedNavigation>,
    pub action: Action,
}

/// Where the page must be after the action. `None` asserts nothing; `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedNavigation {
    pub url: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    SetViewport(Viewport),
    EmulateNetworkConditions(NetworkConditions),
    Navigate {
        url: String,
    },
    /// A `navigate` to the first page of a browser or a new tab, on which the recording began. It does
    /// nothing.
    StartPage {
        url: String,
    },
    Click(Click),
    DoubleClick(Click),
    Hover {
        locator: Locator,
    },
    Change {
        locator: Locator,
        value: String,
        /// Further options of a list that takes several.
        further: Vec<String>,
    },
    KeyDown {
        key: String,
    },
    KeyUp {
        key: String,
    },
    /// In the element or the page. CSS pixels from the start; `None` leaves the axis unchanged.
    Scroll {
        locator: Option<Locator>,
        x: Option<f64>,
        y: Option<f64>,
    },
    Close,
    WaitForElement(WaitForElement),
    /// A JavaScript expression that must become truthy.
    WaitForExpression {
        expression: String,
    },
    Capture(Capture),
    When {
        exists: Locator,
        steps: Vec<Step>,
    },
    Upload {
        locator: Locator,
        /// Relative to the flow's folder. Never empty.
        files: Vec<String>,
    },
    /// A person must continue: the run ends as NEEDS_ATTENTION.
    Handoff {
        message: String,
    },
    Screenshot {
        name: String,
    },
    /// HTTP errors that the next step may end in.
    AllowStatus {
        statuses: Vec<u16>,
    },
    /// A custom step of another program.
    Foreign {
        name: String,
    },
}

/// All zeros means offline, as in DevTools.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkConditions {
    /// Bytes a second; negative: unlimited.
    pub download: f64,
    pub upload: f64,
    /// Milliseconds.
    pub latency: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Viewport {
    pub width: u32,
    pub height: u32,
    pub device_scale_factor: f64,
    pub is_mobile: bool,
    pub has_touch: bool,
    pub is_landscape: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Click {
    pub locator: Locator,
    /// CSS pixels from the left top of the element's box; `None` is its centre.
    pub offset: Option<(f64, f64)>,
    pub button: Button,
    pub device: Device,
    /// The time between press and release.
    pub duration: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Button {
    #[default]
    Primary,
    Auxiliary,
    Secondary,
    Back,
    Forward,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    #[default]
    Mouse,
    Pen,
    Touch,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WaitForElement {
    pub locator: Locator,
    pub operator: Operator,
    pub count: u32,
    /// Only visible elements count where true, only invisible ones where false.
    pub visible: bool,
    pub properties: Map<String, serde_json::Value>,
    pub attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Operator {
    #[default]
    AtLeast,
    Exactly,
    AtMost,
}

impl Operator {
    pub fn holds(self, found: usize, asked: u32) -> bool {
        let asked = asked as usize;
        match self {
            Self::AtLeast => found >= asked,
            Self::Exactly => found == asked,
            Self::AtMost => found <= asked,
        }
    }
}

/// Reads a value of the page into an identity field.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    pub locator: Locator,
    pub from: CaptureFrom,
    /// A regular expression; its first group, or the whole match, is the value.
    pub pattern: Option<String>,
    /// The identity field.
    pub into: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureFrom {
    Text,
    Value,
    Attribute(String),
}

/// A location in a flow: `flows/store.json:12, step 4 (click)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepLocation {
    pub file: String,
    pub line: usize,
    pub step: String,
    pub action: String,
}

impl fmt::Display for StepLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}, step {} ({})", self.file, self.line, self.step, self.action)
    }
}

impl Flow {
    /// Returns an error with the step's location in the file.
    pub fn error_at(&self, step: &Step, problem: impl Into<String>) -> FileDiagnostic {
        let start = offset_of(&self.text, step.line, 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        FileDiagnostic::new(&self.file, &self.text, start + indent..start + line.len(), problem)
            .label(format!("step {}", step.number))
    }

    /// Returns the identity fields that every play of the flow captures: those outside a `when`.
    pub fn certain_captures(&self) -> Vec<&str> {
        let captured = self.steps.iter().filter_map(|step| match &step.action {
            Action::Capture(capture) => Some(capture.into.as_str()),
            _ => None,
        });
        captured.collect()
    }

    /// Returns every step, those inside a `when` after the `when` itself.
    pub fn all_steps(&self) -> Vec<&Step> {
        fn walk<'a>(steps: &'a [Step], out: &mut Vec<&'a Step>) {
            for step in steps {
                out.push(step);
                if let Action::When { steps, .. } = &step.action {
                    walk(steps, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.steps, &mut out);
        out
    }
}

impl Step {
    pub fn location(&self, flow: &Flow) -> StepLocation {
        StepLocation {
            file: flow.file.clone(),
            line: self.line,
            step: self.number.clone(),
            action: self.action.name().to_owned(),
        }
    }

    /// Returns the step with every string mapped by `f`. Steps inside a `when` stay unchanged: they are
    /// rendered when they are played, after earlier captures.
    pub fn map_text<E>(&self, f: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            target: self.target.as_deref().map(&mut *f).transpose()?,
            navigations: self
                .navigations
                .iter()
                .map(|asserted| asserted.map_text(f))
                .collect::<Result<_, E>>()?,
            action: self.action.map_text(f)?,
            ..self.clone()
        })
    }
}

impl AssertedNavigation {
    fn map_text<E>(&self, f: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            url: self.url.as_deref().map(&mut *f).transpose()?,
            title: self.title.as_deref().map(&mut *f).transpose()?,
        })
    }
}

impl Action {
    /// Returns the type as the flow file writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::SetViewport(_) => "setViewport",
            Self::EmulateNetworkConditions(_) => "emulateNetworkConditions",
            Self::Navigate { .. } | Self::StartPage { .. } => "navigate",
            Self::Click(_) => "click",
            Self::DoubleClick(_) => "doubleClick",
            Self::Hover { .. } => "hover",
            Self::Change { .. } => "change",
            Self::KeyDown { .. } => "keyDown",
            Self::KeyUp { .. } => "keyUp",
            Self::Scroll { .. } => "scroll",
            Self::Close => "close",
            Self::WaitForElement(_) => "waitForElement",
            Self::WaitForExpression { .. } => "waitForExpression",
            Self::Capture(_) => "regatta.capture",
            Self::When { .. } => "regatta.when",
            Self::Upload { .. } => "regatta.upload",
            Self::Handoff { .. } => "regatta.handoff",
            Self::Screenshot { .. } => "regatta.screenshot",
            Self::AllowStatus { .. } => "regatta.allowStatus",
            Self::Foreign { name } => name,
        }
    }

    /// Returns the subject of the action in a few words, as the flow writes it. Never a value that is typed.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::Navigate { url } | Self::StartPage { url } => Some(url.clone()),
            Self::KeyDown { key } | Self::KeyUp { key } => Some(key.clone()),
            Self::WaitForExpression { expression } => Some(expression.clone()),
            Self::Handoff { message } => Some(message.clone()),
            Self::Screenshot { name } => Some(name.clone()),
            Self::SetViewport(viewport) => Some(format!("{} × {}", viewport.width, viewport.height)),
            _ => self.locator().map(|locator| locator.alternatives[0].to_string()),
        }
    }

    /// Returns the locator of the action, where it has one.
    pub fn locator(&self) -> Option<&Locator> {
        match self {
            Self::Click(click) | Self::DoubleClick(click) => Some(&click.locator),
            Self::Hover { locator } | Self::Change { locator, .. } | Self::Upload { locator, .. } => {
                Some(locator)
            }
            Self::Scroll { locator, .. } => locator.as_ref(),
            Self::WaitForElement(wait) => Some(&wait.locator),
            Self::Capture(capture) => Some(&capture.locator),
            Self::When { exists, .. } => Some(exists),
            _ => None,
        }
    }

    fn map_text<E>(&self, f: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(match self {
            Self::Navigate { url } => Self::Navigate { url: f(url)? },
            Self::Click(click) => Self::Click(click.map_text(f)?),
            Self::DoubleClick(click) => Self::DoubleClick(click.map_text(f)?),
            Self::Hover { locator } => Self::Hover { locator: locator.map_text(f)? },
            Self::Change { locator, value, further } => Self::Change {
                locator: locator.map_text(f)?,
                value: f(value)?,
                further: further.iter().map(|value| f(value)).collect::<Result<_, _>>()?,
            },
            Self::KeyDown { key } => Self::KeyDown { key: f(key)? },
            Self::KeyUp { key } => Self::KeyUp { key: f(key)? },
            Self::Scroll { locator, x, y } => Self::Scroll {
                locator: locator.as_ref().map(|locator| locator.map_text(f)).transpose()?,
                x: *x,
                y: *y,
            },
            Self::WaitForElement(wait) => Self::WaitForElement(WaitForElement {
                locator: wait.locator.map_text(f)?,
                properties: wait
                    .properties
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), map_json(value, f)?)))
                    .collect::<Result<_, E>>()?,
                attributes: wait
                    .attributes
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), f(value)?)))
                    .collect::<Result<_, E>>()?,
                ..wait.clone()
            }),
            Self::WaitForExpression { expression } => Self::WaitForExpression { expression: f(expression)? },
            Self::Capture(capture) => Self::Capture(Capture {
                locator: capture.locator.map_text(f)?,
                pattern: capture.pattern.as_deref().map(&mut *f).transpose()?,
                ..capture.clone()
            }),
            Self::When { exists, steps } => Self::When { exists: exists.map_text(f)?, steps: steps.clone() },
            Self::Upload { locator, files } => Self::Upload {
                locator: locator.map_text(f)?,
                files: files.iter().map(|file| f(file)).collect::<Result<_, E>>()?,
            },
            Self::Handoff { message } => Self::Handoff { message: f(message)? },
            Self::Screenshot { name } => Self::Screenshot { name: f(name)? },
            Self::SetViewport(_)
            | Self::EmulateNetworkConditions(_)
            | Self::Close
            | Self::StartPage { .. }
            | Self::AllowStatus { .. }
            | Self::Foreign { .. } => self.clone(),
        })
    }
}

impl Click {
    fn map_text<E>(&self, f: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self { locator: self.locator.map_text(f)?, ..self.clone() })
    }
}

fn map_json<E>(
    value: &serde_json::Value,
    f: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<serde_json::Value, E> {
    use serde_json::Value;
    Ok(match value {
        Value::String(text) => Value::String(f(text)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| map_json(item, f)).collect::<Result<_, E>>()?)
        }
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| Ok((name.clone(), map_json(value, f)?)))
                .collect::<Result<_, E>>()?,
        ),
        other => other.clone(),
    })
}

/// Returns why a screenshot cannot have this name. The evidence of a failure lies beside it.
pub fn screenshot_name_problem(name: &str) -> Option<&'static str> {
    match name.trim() {
        "" => Some("`name` is empty"),
        "screenshot" => Some("`name` is `screenshot`, as the picture of a failure is called"),
        _ => None,
    }
}
