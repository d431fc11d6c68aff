//! The methods of the page's script, and the reply of each.
//!
//! The script has the same list, [`SOURCE`](super::SOURCE) in `injected/methods.js`, with the form of each
//! reply beside it. A reply that lacks what is named here is an error, not an empty value.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use regatta_core::fingerprint::Fingerprint;

/// The reply of one method.
pub trait ScriptReply: DeserializeOwned + Send + 'static {
    const METHOD: Method;
}

macro_rules! methods {
    ($($method:ident $name:literal $reply:ident $fields:tt)*) => {
        /// A method of the script.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Method {
            $($method,)*
            /// Returns the handle of the file input that was found.
            Input,
            /// Returns handles of the elements that a chain leads to.
            Roots,
        }

        impl Method {
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$method,)* Self::Input, Self::Roots];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                    Self::Input => "input",
                    Self::Roots => "roots",
                }
            }
        }

        $(
            #[derive(Debug, Clone, Deserialize)]
            pub struct $reply $fields

            impl ScriptReply for $reply {
                const METHOD: Method = Method::$method;
            }
        )*
    };
}

methods! {
    // ---- locating
    Find "find" FindReply {
        pub ok: bool,
        /// The page has changed: ask the accessibility tree and call again.
        #[serde(default)]
        pub again: bool,
        pub reason: Option<FailureReason>,
        #[serde(default)]
        pub alternative: usize,
        /// An alternative that means the same element and does not need the accessibility tree.
        pub cheaper: Option<usize>,
        #[serde(flatten)]
        pub point: Option<ElementPoint>,
        /// The kind of element for `change`.
        #[serde(default)]
        pub sort: String,
        #[serde(default)]
        pub url: String,
        /// The traits of the element.
        pub element: Option<Fingerprint>,
    }
    Revalidate "revalidate" RevalidateReply {
        pub ok: bool,
        /// The element is gone: find it again.
        #[serde(default)]
        pub again: bool,
        pub reason: Option<FailureReason>,
        #[serde(flatten)]
        pub point: Option<ElementPoint>,
    }
    Read "read" ReadReply {
        #[serde(flatten)]
        pub found: FindReply,
        pub value: Option<String>,
    }
    Wait "wait" WaitReply {
        pub ok: bool,
        #[serde(default)]
        pub again: bool,
        pub reason: Option<FailureReason>,
        /// How many visible elements match.
        #[serde(default)]
        pub found: u32,
    }
    Count "count" CountReply {
        /// 1 where any visible element matches.
        pub found: u32,
    }
    Stash "stash" StashReply {}
    Parsed "parsed" ParsedReply {
        /// The document is parsed to its end.
        pub ok: bool,
    }
    Title "title" TitleReply {
        pub ok: bool,
        /// The title that does not match.
        pub value: Option<String>,
    }
    Changed "changed" ChangedReply {}
    Scroll "scroll" ScrollReply {
        /// The place is reached.
        pub ok: bool,
        /// The page has grown meanwhile.
        pub again: bool,
    }

    // ---- the pointer
    Confirm "confirm" ConfirmReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
        /// The pointer has come into the document.
        #[serde(default)]
        pub moved: bool,
    }
    Reached "reached" ReachedReply {
        /// False where the press was kept from the page.
        pub ok: bool,
    }
    Seen "seen" SeenReply {
        /// False where the press was kept from the page.
        pub ok: bool,
        /// The document has seen the press.
        pub seen: bool,
    }
    Pressed "pressed" PressedReply {
        pub ok: bool,
    }
    Unwatch "unwatch" UnwatchReply {}
    FrameConfirm "frameConfirm" FrameConfirmReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
        /// The pointer has come into the document around the frame.
        #[serde(default)]
        pub moved: bool,
    }
    FramePoint "framePoint" FramePointReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
        #[serde(default)]
        pub x: f64,
        #[serde(default)]
        pub y: f64,
        /// The viewport of the document around the frame.
        #[serde(default)]
        pub width: f64,
        #[serde(default)]
        pub height: f64,
        /// The frame is rotated, skewed or in perspective: the browser has to map its point.
        #[serde(default)]
        pub turned: bool,
    }

    // ---- fields and keys
    Edit "edit" EditReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
        #[serde(default)]
        pub empty: bool,
        /// Its text is edited in place: `contenteditable`.
        #[serde(default)]
        pub rich: bool,
        /// It only takes the keys of an editor: only the editor's own keys select its text.
        #[serde(default)]
        pub keyed: bool,
        /// How many characters it has room for; 0 where there is no bound.
        #[serde(default)]
        pub room: u32,
    }
    Insert "insert" InsertReply {
        pub ok: bool,
        /// The browser does not edit this document by command: send keys.
        #[serde(default)]
        pub unsupported: bool,
        pub reason: Option<FailureReason>,
    }
    Paste "paste" PasteReply {
        pub ok: bool,
    }
    Typed "typed" TypedReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
    }
    Set "set" SetReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
    }
    Checked "checked" CheckedReply {
        pub ok: bool,
        pub reason: Option<FailureReason>,
    }
    Guard "guard" GuardReply {
        /// Keys are meant for an element of this document.
        pub ok: bool,
        pub reason: Option<FailureReason>,
        #[serde(default)]
        pub origin: String,
        /// The element has a list or picker of the browser, which takes keys that no document sees.
        #[serde(default)]
        pub opens_list: bool,
    }
    Unguard "unguard" UnguardReply {}
    Stroke "stroke" StrokeReply {
        pub ok: bool,
    }
    Kept "kept" KeptReply {
        /// The element that had the focus when a stroke was kept from the page.
        pub stray: Option<String>,
        /// The origin of that element's document, where it is a frame.
        pub frame: Option<String>,
        /// How many strokes went through.
        pub seen: u32,
        /// The document believes to have the focus.
        pub focused: bool,
        pub origin: String,
    }
    Next "next" NextReply {}
    Refocus "refocus" RefocusReply {
        pub ok: bool,
    }

    // ---- tasks and frames
    Rest "rest" RestReply {}
    Tasks "tasks" TasksReply {}
    Frames "frames" FramesReply {}

    // ---- likeness and hints
    Likes "likes" LikesReply {
        pub elements: Vec<Fingerprint>,
        /// Which of them was found last.
        pub own: Option<usize>,
    }
    Means "means" MeansReply {
        pub selectors: Vec<Vec<String>>,
    }
    Agrees "agrees" AgreesReply {
        pub ok: bool,
    }
    Near "near" NearReply {
        pub selectors: Vec<Vec<String>>,
        /// The error that the page shows.
        pub errors: Vec<String>,
    }
    Instead "instead" InsteadReply {
        pub value: Option<String>,
    }

    // ---- evidence
    Html "html" HtmlReply {
        pub value: String,
    }
}

/// Where an element is, and whether it is checked.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ElementPoint {
    /// The point to click, for `Input` commands.
    pub x: f64,
    pub y: f64,
    /// The document's viewport.
    pub width: f64,
    pub height: f64,
    pub checked: bool,
    /// The document's own origin.
    pub origin: String,
}

/// Why an element was not found or is not ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FailureReason {
    pub code: ReasonCode,
    pub message: String,
    pub alternative: usize,
    pub candidates: Vec<String>,
    /// Heading or title of the page.
    pub shows: String,
    /// The next step for the author.
    pub hint: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasonCode {
    #[default]
    Missing,
    Ambiguous,
    Invalid,
    Invisible,
    Disabled,
    Covered,
    Moving,
    Empty,
    Present,
    Offset,
    Option,
    ReadOnly,
    Refused,
    Unfit,
}

/// The reply of a method that resolves a locator.
pub trait LocatorReply: ScriptReply {
    fn is_ok(&self) -> bool;
    fn is_again(&self) -> bool;
    fn reason(&self) -> Option<&FailureReason>;
    fn reason_mut(&mut self) -> Option<&mut FailureReason>;

    /// The element, for methods that lead to one.
    fn found(&self) -> Option<&FindReply> {
        None
    }

    fn found_mut(&mut self) -> Option<&mut FindReply> {
        None
    }

    /// How many elements match.
    fn count(&self) -> u32 {
        0
    }
}

impl FindReply {
    pub fn point(&self) -> ElementPoint {
        self.point.clone().unwrap_or_default()
    }
}

impl LocatorReply for FindReply {
    fn is_ok(&self) -> bool {
        self.ok
    }

    fn is_again(&self) -> bool {
        self.again
    }

    fn reason(&self) -> Option<&FailureReason> {
        self.reason.as_ref()
    }

    fn reason_mut(&mut self) -> Option<&mut FailureReason> {
        self.reason.as_mut()
    }

    fn found(&self) -> Option<&FindReply> {
        Some(self)
    }

    fn found_mut(&mut self) -> Option<&mut FindReply> {
        Some(self)
    }
}

impl LocatorReply for ReadReply {
    fn is_ok(&self) -> bool {
        self.found.ok
    }

    fn is_again(&self) -> bool {
        self.found.again
    }

    fn reason(&self) -> Option<&FailureReason> {
        self.found.reason.as_ref()
    }

    fn reason_mut(&mut self) -> Option<&mut FailureReason> {
        self.found.reason.as_mut()
    }

    fn found(&self) -> Option<&FindReply> {
        Some(&self.found)
    }

    fn found_mut(&mut self) -> Option<&mut FindReply> {
        Some(&mut self.found)
    }
}

impl LocatorReply for WaitReply {
    fn is_ok(&self) -> bool {
        self.ok
    }

    fn is_again(&self) -> bool {
        self.again
    }

    fn reason(&self) -> Option<&FailureReason> {
        self.reason.as_ref()
    }

    fn reason_mut(&mut self) -> Option<&mut FailureReason> {
        self.reason.as_mut()
    }

    fn count(&self) -> u32 {
        self.found
    }
}

impl LocatorReply for CountReply {
    fn is_ok(&self) -> bool {
        true
    }

    fn is_again(&self) -> bool {
        false
    }

    fn reason(&self) -> Option<&FailureReason> {
        None
    }

    fn reason_mut(&mut self) -> Option<&mut FailureReason> {
        None
    }

    fn count(&self) -> u32 {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    use super::Method;

    #[test]
    fn both_sides_have_the_same_methods() {
        let source = include_str!("injected/methods.js");
        let list = Regex::new(r"(?s)const METHODS = \[(.*?)\];").unwrap();
        let list = &list.captures(source).expect("the script has a list of its methods")[1];
        let name = Regex::new(r"'(\w+)'").unwrap();
        let script: BTreeSet<_> = name.captures_iter(list).map(|found| found[1].to_owned()).collect();
        let rust: BTreeSet<_> = Method::ALL.iter().map(|method| method.name().to_owned()).collect();
        assert_eq!(script, rust, "the script's methods, and those of `Method`");
    }
}
