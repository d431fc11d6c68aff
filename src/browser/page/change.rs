//! Setting values of fields, and single keys.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams,
};
use serde_json::{Value, json};

use super::attempt::Attempt;
use super::error::ActionError;
use super::keys::{self, Key};
use super::script::Reply;
use crate::browser::cdp::CdpError;
use crate::domain::flow::{Button, Click, Device, Locator};

/// A page that controls a checkbox itself may put its state right a moment after the click.
const STATE: Duration = Duration::from_secs(1);

impl Attempt<'_> {
    pub async fn change(&mut self, locator: &Locator, value: &str) -> Result<(), ActionError> {
        let needs =
            json!({ "visible": true, "enabled": true, "editable": true, "view": true, "value": value });
        loop {
            let found = self.find(locator, &needs).await?;
            self.check_origin(&found.origin)?;
            match found.sort.as_str() {
                "checkbox" | "radio" => return self.tick(locator, &found, value).await,
                "text" => {
                    if !self.type_over(locator, value).await? {
                        continue;
                    }
                }
                _ => {
                    self.touch()?;
                    match self.call("set", &json!({ "value": value })).await? {
                        Some(reply) if reply.ok => {}
                        Some(reply) => return Err(self.unmet(locator, reply)),
                        None => continue,
                    }
                }
            }
            self.remember(locator, &found);
            return Ok(());
        }
    }

    /// False where the document went away before anything was typed.
    async fn type_over(&mut self, locator: &Locator, value: &str) -> Result<bool, ActionError> {
        self.touch()?;
        let Some(ready) = self.call("edit", &Value::Null).await? else { return Ok(false) };
        if !ready.ok {
            return Err(self.unmet(locator, ready));
        }
        let loader = self.loader();
        if !value.is_empty() {
            let typed = self.page.tab_session().send(InsertTextParams::new(value));
            self.taken(typed, &loader, "typing").await?;
            // Text alone submits nothing.
            self.page.stirred = false;
        } else if !ready.empty {
            let key = keys::find("Backspace").expect("a key of the table");
            let down = self.key_event(&key, true);
            let up = self.key_event(&key, false);
            self.taken(futures::future::try_join(down, up), &loader, "key").await?;
        }
        Ok(true)
    }

    async fn tick(&mut self, locator: &Locator, found: &Reply, value: &str) -> Result<(), ActionError> {
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
        if found.checked == wanted {
            self.remember(locator, found);
            return Ok(());
        }
        if found.sort == "radio" && !wanted {
            return Err(ActionError::refused("a radio button is cleared only by choosing another one"));
        }
        let found = self
            .aim(locator, &json!({ "visible": true, "enabled": true, "hit": true }), Device::Mouse)
            .await?;
        // The wait for the click may have seen the state change by itself.
        if found.checked == wanted {
            self.remember(locator, &found);
            return Ok(());
        }
        self.touch()?;
        let click = Click {
            locator: locator.clone(),
            offset_x: 0.0,
            offset_y: 0.0,
            button: Button::Primary,
            device: Device::Mouse,
            duration: None,
        };
        self.press(&found, &click, 1).await?;
        let ms = STATE.min(self.left()).as_millis();
        match self.call("checked", &json!({ "wanted": wanted, "ms": u64::try_from(ms).unwrap_or(0) })).await?
        {
            Some(reply) if !reply.ok => Err(self.unmet(locator, reply)),
            Some(_) | None => {
                self.remember(locator, &found);
                Ok(())
            }
        }
    }

    pub async fn key(&mut self, name: &str, down: bool) -> Result<(), ActionError> {
        let Some(key) = keys::find(name) else {
            // The name may be a template's value.
            return Err(ActionError::refused("this is not the name of a key"));
        };
        if key.is_printable() {
            self.check_focus().await?;
        }
        self.touch()?;
        if down {
            self.page.modifiers |= key.modifier();
        } else {
            self.page.modifiers &= !key.modifier();
        }
        let loader = self.loader();
        let sent = self.key_event(&key, down);
        self.taken(sent, &loader, "key").await
    }

    fn key_event(
        &self,
        key: &Key,
        down: bool,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<> {
        let modifiers = self.page.modifiers;
        let key = key.clone().with_modifiers(modifiers);
        let kind = match (down, &key.text) {
            (true, Some(_)) => DispatchKeyEventType::KeyDown,
            (true, None) => DispatchKeyEventType::RawKeyDown,
            (false, _) => DispatchKeyEventType::KeyUp,
        };
        let mut event = DispatchKeyEventParams::new(kind);
        event.modifiers = Some(modifiers);
        event.text = key.text.clone().filter(|_| down);
        event.unmodified_text = event.text.clone();
        event.code = Some(key.code);
        event.key = Some(key.key);
        event.windows_virtual_key_code = Some(key.vk);
        event.location = Some(key.location);
        event.is_keypad = Some(key.location == 3);
        self.page.tab_session().send_as(event)
    }

    pub async fn scroll(
        &mut self,
        locator: Option<&Locator>,
        x: Option<f64>,
        y: Option<f64>,
    ) -> Result<(), ActionError> {
        loop {
            let found = match locator {
                Some(locator) => Some((locator, self.find(locator, &json!({})).await?)),
                None => None,
            };
            let query = json!({ "x": x, "y": y, "page": locator.is_none() });
            if self.call("scroll", &query).await?.is_some() {
                if let Some((locator, found)) = found {
                    self.remember(locator, &found);
                }
                return Ok(());
            }
        }
    }
}
