//! Names of steps in other runners, and the steps that do the same here.

const WAIT: &str = "no step waits for a fixed time: wait for what the time was meant for, with `waitForElement` or `waitForExpression` and a `timeout`";
const NAVIGATION: &str =
    "write `assertedEvents` with a navigation on the step that sets it off: that step then waits for it";
const ASSERTION: &str = "assert it with `waitForElement` (`count`, `visible`, `attributes`, `properties`) or `waitForExpression`; a navigation's `url` and `title` with `assertedEvents`";
const SCREENSHOT: &str = "write a customStep `regatta.screenshot` with \"parameters\": {\"name\": \"…\"}";
const UPLOAD: &str =
    "write a customStep `regatta.upload` with \"parameters\": {\"selectors\": […], \"files\": [\"…\"]}";
const CHANGE: &str =
    "write a `change` with \"selectors\" and \"value\"; it also selects options and checks boxes";
const KEYS: &str = "write a `keyDown` and a `keyUp` for each key; text belongs in a `change`";
const EXPRESSION: &str =
    "write a `waitForExpression`: its expression is evaluated in the page until it is truthy";
const NAVIGATE: &str = "write a `navigate` with \"url\"";
const RELOAD: &str = "write a `navigate` to the address of the page";
const CLICK: &str =
    "write a `click`; \"deviceType\": \"touch\" taps, \"button\": \"secondary\" opens the context menu";
const SCROLL: &str =
    "write a `scroll` with \"selectors\" or \"x\" and \"y\"; a `click` scrolls to its element anyway";
const CONDITION: &str =
    "write a customStep `regatta.when` with \"parameters\": {\"exists\": […], \"steps\": […]}";
const CAPTURE: &str =
    "write a customStep `regatta.capture`, which reads a value of the page into an identity field";
const DIALOG: &str = "remove it: `dialogs` of the workflow says how dialogs of the page are answered";
const VIEWPORT: &str = "write a `setViewport`";
const HANDOFF: &str = "write a customStep `regatta.handoff` where a person has to go on";
const REMARK: &str = "remove it: it does nothing on the page";

/// The last part of the name in lower case, and what to write instead.
const ANSWERS: &[(&[&str], &str)] = &[
    (&["waitfortimeout", "wait", "waitfor", "waittime", "sleep", "pause", "delay", "timeout"], WAIT),
    (&["waitfornavigation", "waitforurl", "waitforload", "waitforloadstate", "waituntil"], NAVIGATION),
    (
        &[
            "assert",
            "expect",
            "verify",
            "check",
            "assertion",
            "asserttext",
            "assertelement",
            "asserttitle",
            "asserturl",
        ],
        ASSERTION,
    ),
    (&["waitforselector", "waitforelement", "waitfortext", "waitforvisible", "exists"], ASSERTION),
    (&["screenshot", "takescreenshot", "capturescreenshot"], SCREENSHOT),
    (&["upload", "uploadfile", "setinputfiles", "attachfile", "selectfile"], UPLOAD),
    (
        &["fill", "type", "input", "entertext", "settext", "select", "selectoption", "uncheck", "clear"],
        CHANGE,
    ),
    (&["press", "key", "keypress", "sendkeys", "keyboard", "presskey"], KEYS),
    (
        &["evaluate", "script", "executescript", "runscript", "exec", "eval", "javascript", "function"],
        EXPRESSION,
    ),
    (&["goto", "open", "visit", "url", "navigation"], NAVIGATE),
    (&["reload", "refresh"], RELOAD),
    (&["tap", "rightclick", "dblclick", "press"], CLICK),
    (&["scrollto", "scrollintoview", "scrollby", "swipe"], SCROLL),
    (&["if", "when", "condition", "conditional", "optional"], CONDITION),
    (&["store", "extract", "gettext", "getvalue", "save", "capture", "read"], CAPTURE),
    (&["dialog", "acceptdialog", "dismissdialog", "alert", "handledialog"], DIALOG),
    (&["resize", "setwindowsize", "viewport", "emulate"], VIEWPORT),
    (&["debugger", "breakpoint", "captcha", "manual"], HANDOFF),
    (&["log", "comment", "note", "console", "mark", "snapshot", "timespan"], REMARK),
];

/// Returns what to write instead of a step that another runner calls `name`.
pub fn replacement_for(name: &str) -> Option<&'static str> {
    let last = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
    let plain: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    ANSWERS.iter().find(|(names, _)| names.contains(&plain.as_str())).map(|(_, answer)| *answer)
}
