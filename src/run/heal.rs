//! The values that pages must not be remembered with, and the events of elements found by likeness.

use serde_json::{Map, Value};

use regatta_core::event::{EventKind, HealHow, StepMode};
use regatta_core::flow::StepLocation;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;
use regatta_page::{ActionError, HealingEvent, HealingKind, Remedy};

/// A verify flow must not guess, so it never acts on an element found by likeness.
pub(super) fn within(mode: StepMode, heal: Heal) -> Heal {
    match (mode, heal) {
        (StepMode::Verify, Heal::Auto) => Heal::Suggest,
        (_, heal) => heal,
    }
}

/// Names the commands for what can be done about an error, in its hint.
pub(super) fn with_remedies(error: ActionError) -> ActionError {
    let commands: Vec<_> = error.remedies.iter().map(command).collect();
    match (commands.is_empty(), &error.hint) {
        (true, _) => error,
        (false, None) => error.hint(commands.join(", or ")),
        (false, Some(hint)) => {
            let hint = format!("{hint}; {}", commands.join(", or "));
            error.hint(hint)
        }
    }
}

fn command(remedy: &Remedy) -> String {
    match remedy {
        Remedy::AcceptSuggestion { flow, step } => {
            format!("`regatta selectors accept {flow} {step}` writes that into the flow")
        }
        Remedy::ForgetElement { flow, step } => {
            format!("`regatta selectors forget {flow} {step}` if the page is right")
        }
        Remedy::CorrectSelectors { flow, step } => {
            format!("correct the selectors of {flow}, step {step}, if the page is right")
        }
    }
}

/// Values of the profile and of variables are in nothing that all runs share.
pub(super) fn secrets(mask: &Mask, profile: &ProfileId, variables: &Map<String, Value>) -> Mask {
    let mut mask = mask.clone();
    mask.add("profile_id", profile.as_str());
    for (name, value) in variables {
        if let Value::String(value) = value {
            mask.add(&format!("variables.{name}"), value);
        }
    }
    mask
}

pub(super) fn event(
    flag: &Flag,
    place: &StepLocation,
    healed: &HealingEvent,
    mask: impl Fn(&str) -> String,
) -> EventKind {
    EventKind::Healed {
        flag: flag.clone(),
        flow: place.file.clone(),
        step: place.step.clone(),
        how: match healed.how {
            HealingKind::Suggested => HealHow::Suggested,
            HealingKind::Acted => HealHow::Acted,
            HealingKind::Remembered => HealHow::Remembered,
            HealingKind::Changed => HealHow::Changed,
        },
        selector: mask(&healed.selector),
        known: mask(&healed.known),
        found: mask(&healed.found),
    }
}
