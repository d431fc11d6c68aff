//! Key events, and the keystrokes that write a text.

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams,
};
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join};
use serde_json::Value;

use crate::attempt::StepAttempt;
use crate::connection::CdpError;
use regatta_core::flow::keyboard::{self, Key};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPhase {
    Down,
    Repeat,
    Up,
}

/// Input that is sent to the browser at once, and that one document confirms.
#[derive(Debug, Clone)]
pub enum Keystroke {
    Key { key: Key, modifiers: i64 },
    Insert(String),
}

impl StepAttempt<'_> {
    /// Queues the commands of a stroke now.
    pub fn send_stroke(&self, stroke: &Keystroke) -> BoxFuture<'static, Result<(), CdpError>> {
        match stroke {
            Keystroke::Key { key, modifiers } => {
                let down = self.key_event(key, *modifiers, KeyPhase::Down);
                let up = self.key_event(key, *modifiers, KeyPhase::Up);
                async move { try_join(down, up).await.map(|_| ()) }.boxed()
            }
            Keystroke::Insert(text) => {
                let inserted = self.page.tab_session().send(InsertTextParams::new(text.clone()));
                async move { inserted.await.map(|_| ()) }.boxed()
            }
        }
    }

    pub fn key_event(
        &self,
        key: &Key,
        modifiers: i64,
        press: KeyPhase,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<> {
        let key = key.clone().with_modifiers(modifiers);
        let down = press != KeyPhase::Up;
        let kind = match (down, &key.text) {
            (true, Some(_)) => DispatchKeyEventType::KeyDown,
            (true, None) => DispatchKeyEventType::RawKeyDown,
            (false, _) => DispatchKeyEventType::KeyUp,
        };
        let mut event = DispatchKeyEventParams::new(kind);
        event.modifiers = Some(modifiers);
        event.auto_repeat = (press == KeyPhase::Repeat).then_some(true);
        event.text = key.text.clone().filter(|_| down);
        event.unmodified_text = event.text.clone();
        event.commands = key.command(modifiers).filter(|_| down).map(|command| vec![command.to_owned()]);
        event.code = Some(key.code);
        event.key = Some(key.key);
        event.windows_virtual_key_code = Some(key.vk);
        event.location = Some(key.location);
        event.is_keypad = Some(key.location == 3);
        self.page.tab_session().send_as(event)
    }
}

/// A key for each character. What no key writes is put in as it is, and so are line breaks: to write one must
/// not press Enter, which many pages take for "send".
pub fn strokes(text: &str) -> Vec<Keystroke> {
    let stroke = |c: char| match keyboard::key_for_char(c) {
        Some((key, modifiers)) => Keystroke::Key { key, modifiers },
        None => Keystroke::Insert(c.into()),
    };
    text.chars().map(stroke).collect()
}
