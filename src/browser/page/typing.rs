//! Keys: those of a flow, and those that write the text of a field that listens to them.

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join, try_join_all};
use serde_json::{Value, json};

use super::attempt::Attempt;
use super::error::ActionError;
use super::keys::{self, Key};
use super::script::Called;
use crate::browser::cdp::CdpError;

/// Whether anything on the way of a key event, from the element that has the focus up to the window,
/// listens to keys. `getEventListeners` is the console's, and tells only of the world that asks. What
/// cannot be looked into may listen: a closed shadow root, a frame.
const HEARD: &str = "(() => {
  const KEYS = ['keydown', 'keypress', 'keyup'];
  const listens = target => { const all = getEventListeners(target); return KEYS.some(type => all[type]) };
  let el = document.activeElement;
  while (el && el.shadowRoot && el.shadowRoot.activeElement) el = el.shadowRoot.activeElement;
  if (!el || !['input', 'textarea'].includes(el.localName) && !el.isContentEditable) return true;
  for (let at = el; at; at = at.assignedSlot || at.parentNode || at.host) if (listens(at)) return true;
  return listens(window);
})()";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Down,
    Repeat,
    Up,
}

impl Attempt<'_> {
    pub async fn key(&mut self, name: &str, down: bool) -> Result<(), ActionError> {
        let Some(key) = keys::find(name) else {
            // The name may be a template's value.
            return Err(ActionError::refused("this is not the name of a key"));
        };
        if key.is_printable() {
            self.check_focus().await?;
        }
        self.touch()?;
        // Pressed again before it was let go: it was held, and the keyboard repeats it.
        let stroke = match (down, self.page.pressed.contains(&key)) {
            (true, true) => Stroke::Repeat,
            (true, false) => {
                self.page.pressed.push(key.clone());
                Stroke::Down
            }
            (false, _) => {
                self.page.pressed.retain(|pressed| *pressed != key);
                Stroke::Up
            }
        };
        let loader = self.loader();
        let sent = self.key_event(&key, self.page.modifiers(), stroke);
        self.taken(sent, &loader, "key").await
    }

    /// Asked in the page's own world, whose listeners they are. A page that gives no answer may listen.
    pub async fn keys_are_heard(&self) -> bool {
        let Some(world) = self.page.look(|view| view.frame.page_world.clone()).flatten() else { return true };
        let mut evaluate = EvaluateParams::new(HEARD);
        evaluate.unique_context_id = Some(world.unique.clone());
        evaluate.include_command_line_api = Some(true);
        evaluate.return_by_value = Some(true);
        evaluate.silent = Some(true);
        let called = self.page.in_world::<_, Called>(&world, evaluate, self.deadline).await;
        called.ok().flatten().is_none_or(|called| called.result.value != Some(json!(false)))
    }

    /// A key for each character, sent together. What no key writes is put in as it is, and so are line
    /// breaks: to write one must not press Enter, which many pages take for "send".
    pub fn type_out(&self, text: &str) -> BoxFuture<'static, Result<Vec<()>, CdpError>> {
        let strokes = text.chars().map(|c| match keys::typing(c) {
            Some((key, modifiers)) => self.stroke(&key, modifiers),
            None => {
                let inserted = self.page.tab_session().send(InsertTextParams::new(c));
                async move { inserted.await.map(|_| ()) }.boxed()
            }
        });
        try_join_all(strokes.collect::<Vec<_>>()).boxed()
    }

    pub fn stroke(&self, key: &Key, modifiers: i64) -> BoxFuture<'static, Result<(), CdpError>> {
        let down = self.key_event(key, modifiers, Stroke::Down);
        let up = self.key_event(key, modifiers, Stroke::Up);
        async move { try_join(down, up).await.map(|_| ()) }.boxed()
    }

    fn key_event(
        &self,
        key: &Key,
        modifiers: i64,
        stroke: Stroke,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<> {
        let key = key.clone().with_modifiers(modifiers);
        let down = stroke != Stroke::Up;
        let kind = match (down, &key.text) {
            (true, Some(_)) => DispatchKeyEventType::KeyDown,
            (true, None) => DispatchKeyEventType::RawKeyDown,
            (false, _) => DispatchKeyEventType::KeyUp,
        };
        let mut event = DispatchKeyEventParams::new(kind);
        event.modifiers = Some(modifiers);
        event.auto_repeat = (stroke == Stroke::Repeat).then_some(true);
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
