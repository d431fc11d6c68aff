//! Sets the first values of a step's identity fields, durable before they are typed.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::flow_player::unrendered;
use super::{BrowserHost, FailedStep, Run, RunExit};
use regatta_core::event::EventKind;
use regatta_core::workflow::Preparation;
use regatta_core::workflow::plan::PlanStep;
use regatta_core::workflow::template;
use regatta_page::ActionError;

/// Letters that are not mistaken for one another, digits, and marks that forms accept.
const CLASSES: [&[u8]; 4] =
    [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"!#%+-_=@"];

impl<O: BrowserHost> Run<'_, O> {
    pub(super) fn prepare(&mut self, step: &PlanStep) -> Result<(), RunExit> {
        let mut fields = Vec::new();
        for (field, preparation) in &step.prepare {
            if self.session.session().identity.get(field).is_some() {
                continue;
            }
            let value = match &preparation.value {
                Preparation::Password { length } => password(*length, &mut self.random),
                Preparation::Template(text) => template::render(text, &self.scope()).map_err(|error| {
                    let error = unrendered(&error);
                    let message = format!("prepare.{field}: {}", error.message);
                    let failure = FailedStep {
                        flag: step.flag.clone(),
                        error: ActionError { message, ..error },
                        place: None,
                        evidence: None,
                    };
                    RunExit::from(failure)
                })?,
            };
            self.session.identity(self.events.now()).set(field, &value)?;
            fields.push(field.clone());
        }
        if !fields.is_empty() {
            self.mask_identity();
            self.events.emit(EventKind::StepPrepared { flag: step.flag.clone(), fields });
        }
        Ok(())
    }
}

/// At least one of each class, then any, in random order. `length` is at least the classes' number:
/// the workflow's parser holds it to 8 or more.
fn password(length: usize, random: &mut impl rand::Rng) -> String {
    let all: Vec<u8> = CLASSES.concat();
    let mut letters: Vec<u8> = CLASSES.iter().filter_map(|class| class.choose(random).copied()).collect();
    while letters.len() < length {
        letters.push(all[random.random_range(0..all.len())]);
    }
    letters.shuffle(random);
    letters.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_every_class_and_its_length() {
        for length in [8, 20, 128] {
            let password = password(length, &mut rand::rng());
            assert_eq!(password.len(), length);
            for class in CLASSES {
                assert!(password.bytes().any(|byte| class.contains(&byte)), "{password}");
            }
        }
        assert_ne!(password(20, &mut rand::rng()), password(20, &mut rand::rng()));
    }
}
