//! What a shell completes: names from the operator's folder, as it is while the key is pressed.
//!
//! A completer gets the word alone, so the folder is looked for in the line itself. Nothing here fails:
//! where a folder or workflow cannot be read there is nothing to complete.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};

use super::global_args::{ColorChoice, GlobalArgs};
use super::settings::Settings;
use super::{load, unknown_names};
use regatta_core::view::overview::DisplayStatus;

/// The variable by which a shell's script asks this program what fits.
pub const VARIABLE: &str = "REGATTA_COMPLETE";

/// Profiles that are offered: a shell that gets a hundred thousand only asks whether to show them.
const MOST: usize = 1_000;

pub fn profiles() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let known =
            settings().and_then(|settings| unknown_names::profiles(&settings).ok()).unwrap_or_default();
        fitting(word, known.iter().map(|profile| profile.as_str().to_owned()))
    })
}

/// The steps of the workflow.
pub fn flags() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let plan = settings().and_then(|settings| load::plan(&settings, &[]).ok());
        let flags: Vec<_> = plan.iter().flat_map(|plan| plan.flags()).map(ToString::to_string).collect();
        fitting(word, flags)
    })
}

pub fn statuses() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        // Small letters are as good, and a person types them.
        fitting(word, DisplayStatus::ALL.map(|shown| shown.as_str().to_ascii_lowercase()))
    })
}

/// The workflow's variables, to go on with a value.
pub fn variables() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let plan = settings().and_then(|settings| load::plan(&settings, &[]).ok());
        let names = plan.map(|plan| plan.variables());
        fitting(word, names.iter().flat_map(|names| names.iter()).map(|name| format!("{name}=")))
    })
}

/// Lists in the operator's folder and where the shell stands, and the beginnings of other sources.
pub fn sources() -> ArgValueCompleter {
    const BEGINNINGS: [&str; 6] =
        ["-", "adspower:all", "adspower:group=", "sqlite:", "postgres://", "https://"];
    ArgValueCompleter::new(|word: &OsStr| {
        let is_list = |path: &Path| {
            let end = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            ["txt", "csv", "jsonl"].contains(&end)
        };
        let mut found = fitting(word, files_in(&folder()).filter(|path| is_list(path)).filter_map(named));
        let here = PathCompleter::any().filter(move |path| path.is_dir() || is_list(path)).complete(word);
        found.extend(
            here.into_iter()
                .filter(|candidate| {
                    !found
                        .iter()
                        .any(|other: &CompletionCandidate| other.get_value() == candidate.get_value())
                })
                .collect::<Vec<_>>(),
        );
        found.extend(fitting(word, BEGINNINGS.map(str::to_owned)));
        found
    })
}

/// Flows, as the workflow names them.
pub fn flows() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let flows = files_in(&folder().join("flows")).filter_map(named).map(|name| format!("flows/{name}"));
        fitting(word, flows)
    })
}

/// The same, and any file: a flow is often played before the workflow names it.
pub fn flow_files() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let mut found = flows().complete(word);
        let here = PathCompleter::file().complete(word);
        let known: Vec<OsString> = found.iter().map(|candidate| candidate.get_value().to_owned()).collect();
        found.extend(
            here.into_iter().filter(|candidate| !known.iter().any(|known| known == candidate.get_value())),
        );
        found
    })
}

fn fitting(word: &OsStr, names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let Some(word) = word.to_str() else { return Vec::new() };
    let names = names.into_iter().filter(|name| name.starts_with(word)).take(MOST);
    names.enumerate().map(|(place, name)| CompletionCandidate::new(name).display_order(Some(place))).collect()
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter(|path| path.is_file())
}

fn named(path: PathBuf) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

fn settings() -> Option<Settings> {
    let global =
        GlobalArgs { folder: folder(), provider: None, adspower_url: None, color: ColorChoice::Never };
    Settings::resolve(&global).ok()
}

/// The folder that the line names with `-C`, or the one where the shell stands.
fn folder() -> PathBuf {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").collect();
    folder_of(&words).unwrap_or_else(|| PathBuf::from("."))
}

fn folder_of(words: &[OsString]) -> Option<PathBuf> {
    words.iter().enumerate().find_map(|(place, word)| {
        let word = word.to_str()?;
        let inside = word.strip_prefix("--folder=").or_else(|| word.strip_prefix("-C"));
        match inside {
            Some("") => words.get(place + 1).map(PathBuf::from),
            Some(folder) => Some(folder.into()),
            None if word == "--folder" => words.get(place + 1).map(PathBuf::from),
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_found_in_the_line() {
        let found = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            folder_of(&words).map(|folder| folder.display().to_string())
        };
        assert_eq!(found("-- regatta -C a status p"), Some("a".to_owned()));
        assert_eq!(found("-- regatta -Ca status p"), Some("a".to_owned()));
        assert_eq!(found("-- regatta status --folder a p"), Some("a".to_owned()));
        assert_eq!(found("-- regatta status --folder=a p"), Some("a".to_owned()));
        assert_eq!(found("-- regatta status p"), None);
    }
}
