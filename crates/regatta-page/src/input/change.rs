//! Setting values of fields.

use std::time::Duration;

use serde_json::{Value, json};

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::input::ADDING;
use crate::input::click::{PointerPurpose, PressOutcome};
use crate::input::keystroke::{Keystroke, strokes};
use crate::script::methods::{
    CheckedReply, EditReply, FindReply, InsertReply, PasteReply, SetReply, TypedReply,
};
use regatta_core::flow::keyboard::{self, CONTROL, META};
use regatta_core::flow::{Button, Click, Device, Locator};

/// A page that controls a checkbox itself may put its state right a moment after the click.
const STATE: Duration = Duration::from_secs(1);

/// Held with the key that selects all.
const SELECTING: i64 = if cfg!(target_os = "macos") { META } else { CONTROL };

/// More characters than that are pasted, not typed, by a person too.
const LONGEST: usize = 500;

impl StepAttempt<'_> {
    /// Sets a value. `further`: more options of a list that takes several.
    pub async fn change(
        &mut self,
        locator: &Locator,
        value: &str,
        further: &[String],
    ) -> Result<(), ActionError> {
        // A list keeps what it has where a person would hold one of these keys.
        let extends_selection = self.page.extends_selection || self.page.modifiers() & ADDING != 0;
        let needs = json!({
            "visible": true, "enabled": true, "editable": true, "view": true, "value": value,
            "further": further,
        });
        loop {
            let found = self.find(locator, &needs).await?;
            self.check_origin(&found.point().origin)?;
            match found.sort.as_str() {
                "checkbox" | "radio" => return self.tick(locator, &found, value).await,
                "text" => {
                    if !self.type_over(locator, value).await? {
                        continue;
                    }
                }
                _ => {
                    self.touch()?;
                    match self
                        .call::<SetReply>(
                            &json!({ "value": value, "further": further, "adds": extends_selection }),
                        )
                        .await?
                    {
                        Some(reply) if reply.ok => {}
                        Some(reply) => return Err(self.failed(locator, reply.reason)),
                        None => continue,
                    }
                }
            }
            self.remember(locator, &found);
            return Ok(());
        }
    }

    /// Types a text over the field's own. False where nothing was typed and the field has to be found again: its
    /// document went away, or a frame took the focus.
    async fn type_over(&mut self, locator: &Locator, value: &str) -> Result<bool, ActionError> {
        let world = self.page.world(self.deadline()).await.map_err(|error| self.wait_failed(error))?;
        self.touch()?;
        // Sent together, answered in turn: listeners are checked when the field has the focus.
        let edit = self.page.call::<EditReply>(&world, &Value::Null, &[], self.deadline());
        let (ready, listens) = futures::join!(edit, self.listens_to_keys());
        let Some(listens) = listens.or_else(|| self.is_over().then_some(true)) else {
            // Something took the focus in between: this document is asked again, as a whole.
            return Ok(false);
        };
        let Some(ready) = ready.map_err(|error| self.wait_failed(error))? else { return Ok(false) };
        if !ready.ok {
            return Err(self.failed(locator, ready.reason));
        }
        if value.is_empty() && ready.empty {
            return Ok(true);
        }
        let room = usize::try_from(ready.room).unwrap_or(0);
        let passes_on = room > 0 && value.encode_utf16().count() > room;
        if !listens && !passes_on {
            match self.call::<InsertReply>(&json!({ "text": value })).await? {
                None => return Ok(false),
                // The browser does not edit such a document by command.
                Some(reply) if reply.unsupported => {}
                Some(reply) if reply.ok => {
                    self.delivered = true;
                    // Text alone submits nothing.
                    self.page.tasks_pending = false;
                    return Ok(true);
                }
                Some(reply) => return Err(self.failed(locator, reply.reason)),
            }
        }
        let key = |name, modifiers| Keystroke::Key {
            key: keyboard::key_named(name).expect("a key of the table"),
            modifiers,
        };
        // To select the text of the field itself leaves that of such an editor.
        let selects = ready.keyed.then(|| key("a", SELECTING));
        let erases = || selects.iter().cloned().chain([key("Backspace", 0)]).collect::<Vec<_>>();
        let strokes = if value.is_empty() {
            erases()
        } else if value.chars().count() <= LONGEST {
            selects.iter().cloned().chain(strokes(value)).collect()
        } else {
            selects.iter().cloned().chain([Keystroke::Insert(value.to_owned())]).collect()
        };
        let mut guard = match self.guard_field().await? {
            None => return Ok(false),
            Some(Err(refused)) => return Err(self.failed(locator, refused.reason)),
            Some(Ok(guard)) => guard,
        };
        let own = guard.own.clone();
        // Of an editor, several lines: what it has goes by a key, so that it knows of it.
        let pastes = ready.rich && value.contains('\n');
        if pastes && !ready.empty {
            let sent = self.send_strokes(&mut guard, &erases(), false).await;
            if let Err(error) = sent {
                self.unguard(guard);
                return Err(error);
            }
        }
        if pastes {
            let pasted =
                self.page.call::<PasteReply>(&own, &json!({ "text": value }), &[], self.deadline()).await;
            match pasted {
                Ok(Some(reply)) if !reply.ok => {}
                pasted => {
                    self.unguard(guard);
                    pasted.map_err(|error| self.wait_failed(error))?;
                    self.delivered = true;
                    return Ok(true);
                }
            }
        }
        let sent = self.send_strokes(&mut guard, &strokes, passes_on).await;
        self.unguard(guard);
        sent?;
        let typed = self.page.call::<TypedReply>(&own, &json!({ "text": value }), &[], self.deadline()).await;
        match typed.map_err(|error| self.wait_failed(error))? {
            Some(reply) if !reply.ok => Err(self.failed(locator, reply.reason)),
            // The document may have gone away over the text.
            Some(_) | None => Ok(true),
        }
    }

    async fn tick(&mut self, locator: &Locator, found: &FindReply, value: &str) -> Result<(), ActionError> {
        let wanted = match value {
            "true" | "on" | "1" => true,
            "false" | "off" | "0" => false,
            _ => {
                return Err(ActionError::refused(format!(
                    "a {} takes true, false, on, off, 1 or 0",
                    if found.sort == "radio" { "radio button" } else { "checkbox" }
                )));
            }
        };
        if found.point().checked == wanted {
            self.remember(locator, found);
            return Ok(());
        }
        if found.sort == "radio" && !wanted {
            return Err(ActionError::refused("a radio button is cleared only by choosing another one"));
        }
        let needs = json!({ "visible": true, "enabled": true, "hit": true });
        let click = Click {
            locator: locator.clone(),
            offset: None,
            button: Button::Primary,
            device: Device::Mouse,
            duration: None,
        };
        let found = loop {
            let aimed = self.aim(locator, &needs, Device::Mouse, PointerPurpose::Press).await?;
            // The state may have changed during the wait for the click.
            if aimed.point.checked == wanted {
                self.remember(locator, &aimed.found);
                return Ok(());
            }
            self.touch()?;
            match self.press(&aimed, &click, 1).await? {
                PressOutcome::Reached => break aimed.found,
                missed => self.check_missed(missed).await?,
            }
        };
        let ms = STATE.min(self.left()).as_millis();
        match self
            .call::<CheckedReply>(&json!({ "wanted": wanted, "ms": u64::try_from(ms).unwrap_or(0) }))
            .await?
        {
            Some(reply) if !reply.ok => Err(self.failed(locator, reply.reason)),
            Some(_) | None => {
                self.remember(locator, &found);
                Ok(())
            }
        }
    }
}
