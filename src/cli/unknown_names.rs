//! Refuses names that do not exist in this folder, with the nearest that do.

use std::collections::BTreeSet;

use super::command_error::CommandError;
use super::settings::Settings;
use super::source;
use crate::store::session::SessionReader;
use crate::store::{Layout, folder_watcher};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::suggestion::{did_you_mean, nearest};

/// Refuses profiles that neither the folder nor its list of profiles knows.
pub fn refuse_unknown_profiles<'a>(
    settings: &Settings,
    given: impl IntoIterator<Item = &'a ProfileId>,
) -> Result<(), CommandError> {
    let layout = &settings.layout;
    let mut unknown: Vec<&ProfileId> =
        given.into_iter().filter(|profile| !has_files(layout, profile)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    // Only now: the folder and the list may hold very many.
    let known = profiles(settings)?;
    unknown.retain(|profile| !known.contains(*profile));
    match unknown.as_slice() {
        [] => Ok(()),
        [one] => Err(CommandError::usage(format!("there is no profile `{one}` in this folder"))
            .hint(hint(one, &known))),
        many => {
            let names: Vec<_> = many.iter().map(|profile| format!("`{profile}`")).collect();
            let mut failure =
                CommandError::usage(format!("there are no profiles {} in this folder", names.join(", ")));
            for profile in many {
                if let Some(near) = nearest(profile.as_str(), known.iter().map(ProfileId::as_str)) {
                    failure = failure.context(format!("{profile}: did you mean `{near}`?"));
                }
            }
            Err(failure.hint(ELSEWHERE.to_owned()))
        }
    }
}

const ELSEWHERE: &str = "`regatta status` lists the profiles; -C DIR works in another folder";

fn hint(given: &ProfileId, known: &BTreeSet<ProfileId>) -> String {
    match nearest(given.as_str(), known.iter().map(ProfileId::as_str)) {
        Some(near) => format!("did you mean `{near}`? {ELSEWHERE}"),
        None => ELSEWHERE.to_owned(),
    }
}

fn has_files(layout: &Layout, profile: &ProfileId) -> bool {
    [
        layout.session(profile),
        layout.session_lock(profile),
        layout.events(profile),
        layout.log(profile),
        layout.artifacts(profile),
        layout.browser_folder(profile),
    ]
    .iter()
    .any(|path| path.exists())
}

/// Every profile with a file in the folder, and those of its list of profiles.
pub fn profiles(settings: &Settings) -> Result<BTreeSet<ProfileId>, CommandError> {
    let layout = &settings.layout;
    let mut known: BTreeSet<ProfileId> = SessionReader::new(layout)?.profiles().iter().cloned().collect();
    known.extend(layout.profiles_with_lock()?);
    known.extend(layout.profiles_with_browser_folder()?);
    known.extend(folder_watcher::profiles_with_events(layout)?);
    known.extend(source::listed(settings));
    Ok(known)
}

/// Refuses a step that is not among `flags`.
pub fn refuse_unknown_step<'a>(
    flag: &Flag,
    flags: impl IntoIterator<Item = &'a Flag>,
    owner: &str,
) -> Result<(), CommandError> {
    let flags: Vec<&str> = flags.into_iter().map(Flag::as_str).collect();
    if flags.contains(&flag.as_str()) {
        return Ok(());
    }
    Err(CommandError::usage(format!("{owner} has no step `{flag}`")).hint(did_you_mean(
        flag.as_str(),
        "its steps",
        &flags,
    )))
}
