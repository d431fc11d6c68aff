//! Checks the flows of a plan: templates whose names are known, and steps that can be played.

use std::collections::BTreeSet;

use crate::diagnostic::FileDiagnostic;
use crate::flow::validation::{self, ValidationContext};
use crate::flow::{Action, Flow, Step};
use crate::workflow::template::{self, Names, TemplateError};

pub(super) struct FlowCheck<'a> {
    pub names: &'a mut Names,
    /// Collects the identity fields that nothing sets.
    pub missing: &'a mut BTreeSet<String>,
}

impl FlowCheck<'_> {
    pub fn text(&mut self, text: &str, is_certain: bool) -> Result<(), TemplateError> {
        if !is_certain {
            // Needed only where the condition holds, which the run finds out.
            let mut names = self.names.clone();
            names.identity.extend(template::identity_fields(text));
            return template::check(text, &names);
        }
        let missing = template::identity_fields(text);
        let missing = missing.into_iter().filter(|field| !self.names.identity.contains(field));
        let missing: Vec<_> = missing.collect();
        self.names.identity.extend(missing.iter().cloned());
        self.missing.extend(missing);
        template::check(text, self.names)
    }

    pub fn flow(&mut self, flow: &Flow, context: ValidationContext<'_>) -> Result<(), Box<FileDiagnostic>> {
        validation::check(flow, context)?;
        self.steps(flow, &flow.steps, true)
    }

    /// `is_certain` outside a `when`.
    fn steps(&mut self, flow: &Flow, steps: &[Step], is_certain: bool) -> Result<(), Box<FileDiagnostic>> {
        for step in steps {
            self.step(flow, step, is_certain)?;
            if let Action::When { steps, .. } = &step.action {
                self.steps(flow, steps, false)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, flow: &Flow, step: &Step, is_certain: bool) -> Result<(), Box<FileDiagnostic>> {
        step.map_text(&mut |text| self.text(text, is_certain).map(|()| String::new())).map_err(
            |error: TemplateError| {
                let problem = format!("step {} ({}): {error}", step.number, step.action.name());
                Box::new(flow.error_at(step, problem).help(error.hint()))
            },
        )?;
        if let Action::Capture(capture) = &step.action {
            self.names.identity.insert(capture.into.clone());
        }
        Ok(())
    }
}

/// Checks that a flow can be played alone with these names. Returns the identity fields that it needs besides
/// them.
pub fn check_flow(
    flow: &Flow,
    mut names: Names,
    context: ValidationContext<'_>,
) -> Result<BTreeSet<String>, Box<FileDiagnostic>> {
    let mut missing = BTreeSet::new();
    FlowCheck { names: &mut names, missing: &mut missing }.flow(flow, context)?;
    Ok(missing)
}
