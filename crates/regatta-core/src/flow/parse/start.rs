//! The first page of a browser or a new tab. A recording that began there begins with a navigation to it.

use url::Url;

use crate::flow::{Action, Step};

/// Marks the `navigate` steps that only show where the recording began.
pub fn pass_over(mut steps: Vec<Step>) -> Vec<Step> {
    let prepares = |step: &Step| {
        matches!(
            step.action,
            Action::SetViewport(_) | Action::EmulateNetworkConditions(_) | Action::Navigate { .. }
        )
    };
    // A blank page that later steps act on is meant.
    let is_left = |steps: &[Step]| {
        let next = steps.iter().find(|step| {
            !matches!(step.action, Action::SetViewport(_) | Action::EmulateNetworkConditions(_))
        });
        matches!(next.map(|step| &step.action), Some(Action::Navigate { .. }))
    };
    for index in 0..steps.len() {
        if !prepares(&steps[index]) {
            break;
        }
        let Action::Navigate { url } = &steps[index].action else { continue };
        let is_start = is_page_of_browser(url) || url == "about:blank" && is_left(&steps[index + 1..]);
        if !is_start || steps[index].target.is_some() || !steps[index].frame.is_empty() {
            break;
        }
        steps[index].action = Action::StartPage { url: url.clone() };
        // They assert the page that is skipped.
        steps[index].navigations.clear();
    }
    steps
}

/// The first page and the new tab, as the browsers built on Chromium name them.
fn is_page_of_browser(url: &str) -> bool {
    const SCHEMES: [&str; 7] = ["chrome", "edge", "brave", "opera", "vivaldi", "chrome-search", "about"];
    const PAGES: [&str; 9] = [
        "newtab",
        "new-tab-page",
        "new-tab-page-third-party",
        "local-ntp",
        "startpage",
        "startpageshared",
        "start-page",
        "welcome",
        "home",
    ];
    let Ok(url) = Url::parse(url) else { return false };
    let page = url.host_str().unwrap_or(url.path());
    SCHEMES.contains(&url.scheme()) && PAGES.contains(&page)
}
