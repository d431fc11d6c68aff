//! Presses and releases the keys of a flow.

use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::json;

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::input::PAUSE;
use crate::input::guard::{KeyInput, StrokeOutcome, focus_stolen_by_frame_error, focus_stolen_error};
use crate::input::keystroke::KeyPhase;
use crate::page::HeldKey;
use crate::script::RemoteResult;
use regatta_core::flow::keyboard;

/// Whether any element from the one that has the focus up to the window listens to keys or to text that is about
/// to be inserted: text inserted by command fires no such events. `getEventListeners` is the console's, and
/// reports only the listeners of its own world. A closed shadow root may listen. `null` where a frame has taken the focus meanwhile. Members are read
/// from the prototypes, since a form gives its field of that name for any of them.
const LISTENS: &str = "(() => {
  const KEYS = ['keydown', 'keypress', 'keyup', 'beforeinput', 'textInput'];
  const listens = target => { const all = getEventListeners(target); return KEYS.some(type => all[type]) };
  const read = (of, name) => of ? Reflect.get(Object.getPrototypeOf(of), name, of) : null;
  let el = read(document, 'activeElement');
  for (let inner = el; inner; inner = read(read(el, 'shadowRoot'), 'activeElement')) el = inner;
  if (el && ['iframe', 'frame'].includes(read(el, 'localName'))) return null;
  if (!el || !['input', 'textarea'].includes(read(el, 'localName')) && !read(el, 'isContentEditable')) return true;
  for (let at = el; at; at = read(at, 'assignedSlot') || read(at, 'parentNode') || read(at, 'host')) if (listens(at)) return true;
  return listens(window);
})()";

impl StepAttempt<'_> {
    /// Sends a key to the element that has the focus, and to none that takes the focus then.
    pub async fn key(&mut self, name: &str, down: bool) -> Result<(), ActionError> {
        let Some(key) = keyboard::key_named(name) else {
            // The name may be a template's value.
            return Err(ActionError::refused("this is not the name of a key"));
        };
        // Pressed again before it was let go: it was held, and the keyboard repeats it.
        let press = match (down, self.page.pressed.iter().any(|pressed| pressed.key == key)) {
            (true, true) => KeyPhase::Repeat,
            (true, false) => KeyPhase::Down,
            (false, _) => KeyPhase::Up,
        };
        let mut is_begun = false;
        loop {
            let (guard, focus) = self.guard_focus(if down { KeyInput::Down } else { KeyInput::Up }).await?;
            // Nothing is typed where keys would go to another origin.
            let checked =
                if key.is_printable() { self.check_focused(&guard.own, &focus.origin) } else { Ok(()) };
            if let Err(error) = checked.and_then(|()| self.touch()) {
                self.unguard(guard);
                return Err(error);
            }
            if !std::mem::replace(&mut is_begun, true) {
                match press {
                    KeyPhase::Down => {
                        let tab = self.page.with_view(|view| view.frame.tab).unwrap_or_default();
                        self.page.pressed.push(HeldKey { key: key.clone(), tab });
                    }
                    KeyPhase::Up => self.page.pressed.retain(|pressed| pressed.key != key),
                    KeyPhase::Repeat => {}
                }
            }
            let loader = self.loader();
            let confirmation = self.confirmation(&guard);
            let sent = self.key_event(&key, self.page.modifiers(), press);
            let outcome = match self.taken(sent, &loader, "key").await {
                Ok(()) => self.stroke_outcome(&guard, confirmation).await,
                Err(error) => {
                    self.unguard(guard);
                    return Err(error);
                }
            };
            self.unguard(guard);
            match outcome {
                StrokeOutcome::Seen | StrokeOutcome::DocumentGone => break,
                // An open list of the browser has taken it.
                StrokeOutcome::Unseen if focus.opens_list => break,
                StrokeOutcome::OtherDocument { origin } => return Err(focus_stolen_by_frame_error(&origin)),
                StrokeOutcome::OtherElement { element, frame } if self.is_over() => {
                    return Err(focus_stolen_error(&element, frame.as_deref()));
                }
                StrokeOutcome::Unseen | StrokeOutcome::FocusInTransit if self.is_over() => {
                    return Err(self.unseen("key"));
                }
                StrokeOutcome::OtherElement { .. }
                | StrokeOutcome::FocusInTransit
                | StrokeOutcome::Unseen => {
                    self.lost = Some("key");
                    tokio::time::sleep(PAUSE.min(self.left())).await;
                }
            }
        }
        self.delivered = true;
        Ok(())
    }

    /// Whether the page listens to the field's keys. A page that does not answer may listen. `None` where the field
    /// has lost the focus.
    pub async fn listens_to_keys(&self) -> Option<bool> {
        let Some(world) = self.page.with_view(|view| view.frame.page_world.clone()).flatten() else {
            return Some(true);
        };
        let mut evaluate = EvaluateParams::new(LISTENS);
        evaluate.unique_context_id = Some(world.unique.clone());
        evaluate.include_command_line_api = Some(true);
        evaluate.return_by_value = Some(true);
        evaluate.silent = Some(true);
        let called = self.page.in_world::<_, RemoteResult>(&world, evaluate, self.deadline()).await;
        match called.ok().flatten() {
            Some(called) if called.result.subtype.as_deref() == Some("null") => None,
            Some(called) => Some(called.result.value != Some(json!(false))),
            None => Some(true),
        }
    }
}
