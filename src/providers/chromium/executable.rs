//! Chooses the Chromium program of a run, and finds it.
//!
//! Chromium comes as two programs. The headless shell has no window and costs a third of the processor
//! time; the full browser is the one that people use. Precedence, for both: the command line, the
//! settings, the environment, `PATH`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::providers::ProviderError;

const SHELL_NAMES: [&str; 2] = ["chromium-headless-shell", "chrome-headless-shell"];
const FULL_NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Places of the full browser outside `PATH`.
#[cfg(target_os = "macos")]
const PLACES: &[&str] = &[
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
#[cfg(windows)]
const PLACES: &[&str] = &[
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files\Chromium\Application\chrome.exe",
];
#[cfg(not(any(target_os = "macos", windows)))]
const PLACES: &[&str] = &[];

/// Which of the two programs a headless run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BrowserChoice {
    /// The headless shell where there is one, else the full browser.
    #[default]
    Auto,
    HeadlessShell,
    /// The full browser, with `--headless` where no window is wanted.
    Chromium,
}

/// Where the two programs are looked for. A name without a folder is looked for in `search_path`.
#[derive(Debug, Clone, Default)]
pub struct ChromiumPrograms {
    pub choice: BrowserChoice,
    /// `headless_shell` of the settings.
    pub headless_shell: Option<PathBuf>,
    /// `executable` of the settings: whichever program it is, it is meant.
    pub executable: Option<PathBuf>,
    /// The variable `CHROME_HEADLESS_SHELL`.
    pub headless_shell_variable: Option<PathBuf>,
    /// The variable `CHROME`: whichever program it is, it is meant.
    pub chrome_variable: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
}

impl ChromiumPrograms {
    /// Returns the program of a run with or without a window.
    pub fn find(&self, headless: bool) -> Result<PathBuf, ProviderError> {
        let takes_shell = headless && self.choice != BrowserChoice::Chromium;
        let named = if takes_shell {
            [&self.headless_shell, &self.executable, &self.headless_shell_variable, &self.chrome_variable]
                .into_iter()
                .find_map(Option::as_deref)
        } else {
            self.executable.as_deref().or(self.chrome_variable.as_deref())
        };
        if let Some(named) = named {
            let found = self.look_for(named).ok_or_else(|| ProviderError::NoExecutable {
                named: Some(named.to_owned()),
                headless_shell: false,
            })?;
            return match !headless && is_headless_shell(&found) {
                true => Err(ProviderError::NoWindow { executable: found }),
                false => Ok(found),
            };
        }
        let shells = SHELL_NAMES.iter().filter(|_| takes_shell);
        let full = FULL_NAMES.iter().chain(PLACES).filter(|_| self.takes_full(headless));
        shells
            .chain(full)
            .find_map(|name| self.look_for(Path::new(name)))
            .ok_or(ProviderError::NoExecutable { named: None, headless_shell: !self.takes_full(headless) })
    }

    fn takes_full(&self, headless: bool) -> bool {
        !headless || self.choice != BrowserChoice::HeadlessShell
    }

    fn look_for(&self, name: &Path) -> Option<PathBuf> {
        let current = std::env::current_dir().unwrap_or_default();
        which::which_in(name, self.search_path.as_deref(), current).ok()
    }
}

/// By its name, which Debian and Chrome for Testing both keep.
pub fn is_headless_shell(executable: &Path) -> bool {
    let name = executable.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    name.replace('_', "-").ends_with("headless-shell")
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "").unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    /// The programs of a headless run and of one with a window.
    fn found(folder: &tempfile::TempDir, programs: ChromiumPrograms) -> [String; 2] {
        let programs = ChromiumPrograms { search_path: Some(folder.path().into()), ..programs };
        [true, false].map(|headless| match programs.find(headless) {
            Ok(path) => path.strip_prefix(folder.path()).unwrap_or(&path).display().to_string(),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "FOLDER"),
        })
    }

    #[test]
    fn a_headless_run_takes_the_shell_and_a_window_takes_the_full_browser() {
        let both = folder(&["chromium-headless-shell", "google-chrome", "chromium"]);
        let of = |choice| found(&both, ChromiumPrograms { choice, ..ChromiumPrograms::default() });
        assert_eq!(of(BrowserChoice::Auto), ["chromium-headless-shell", "chromium"]);
        assert_eq!(of(BrowserChoice::HeadlessShell), ["chromium-headless-shell", "chromium"]);
        assert_eq!(of(BrowserChoice::Chromium), ["chromium", "chromium"]);
        let full = folder(&["google-chrome"]);
        assert_eq!(found(&full, ChromiumPrograms::default()), ["google-chrome", "google-chrome"]);
    }

    #[test]
    fn the_settings_come_before_the_environment_and_that_before_the_path() {
        let all = folder(&["chromium-headless-shell", "chromium", "set", "set-shell", "chrome", "shell"]);
        let named = |name: &str| Some(PathBuf::from(name));
        let everything = ChromiumPrograms {
            headless_shell: named("set-shell"),
            executable: named("set"),
            headless_shell_variable: named("shell"),
            chrome_variable: named("chrome"),
            ..ChromiumPrograms::default()
        };
        assert_eq!(found(&all, everything.clone()), ["set-shell", "set"]);
        let without_shell = ChromiumPrograms { headless_shell: None, ..everything };
        assert_eq!(found(&all, without_shell.clone()), ["set", "set"]);
        let environment = ChromiumPrograms { executable: None, ..without_shell };
        assert_eq!(found(&all, environment.clone()), ["shell", "chrome"]);
        let chrome = ChromiumPrograms { headless_shell_variable: None, ..environment };
        assert_eq!(found(&all, chrome.clone()), ["chrome", "chrome"]);
        assert_eq!(
            found(&all, ChromiumPrograms { chrome_variable: None, ..chrome }),
            ["chromium-headless-shell", "chromium"]
        );
    }

    #[test]
    fn a_program_that_is_not_there_or_cannot_do_it_is_named() {
        let check = |programs: ChromiumPrograms, headless: bool, expected: Expect| {
            let error = programs.find(headless).unwrap_err();
            expected.assert_eq(&error.to_string());
            assert!(!error.retryable());
        };
        let empty = folder(&["chrome-headless-shell"]);
        let nothing =
            || ChromiumPrograms { search_path: Some("/nonexistent".into()), ..ChromiumPrograms::default() };
        check(
            nothing(),
            true,
            expect![[r#"
                no Chromium found"#]],
        );
        check(
            ChromiumPrograms { choice: BrowserChoice::HeadlessShell, ..nothing() },
            true,
            expect![[r#"
                no headless shell found"#]],
        );
        check(
            ChromiumPrograms { chrome_variable: Some("/no/chrome".into()), ..nothing() },
            true,
            expect![[r#"
                no Chromium found at /no/chrome"#]],
        );
        let shell = empty.path().join("chrome-headless-shell");
        let error =
            ChromiumPrograms { chrome_variable: Some(shell.clone()), ..nothing() }.find(false).unwrap_err();
        assert_eq!(error.to_string(), format!("{} has no window", shell.display()));
    }
}
