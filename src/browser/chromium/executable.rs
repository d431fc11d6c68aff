//! Where an installed Chromium or Chrome is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::browser::provider::ProviderError;

const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Places outside `PATH`.
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

/// What the settings name (a path, or a name in `PATH`), or the first of the usual names and places.
/// `search_path` is the value of `PATH`.
pub fn find_executable(named: Option<&Path>, search_path: Option<&OsStr>) -> Result<PathBuf, ProviderError> {
    let current = std::env::current_dir().unwrap_or_default();
    let find = |name: &Path| which::which_in(name, search_path, &current).ok();
    if let Some(named) = named {
        return find(named).ok_or_else(|| ProviderError::NoExecutable { named: Some(named.to_owned()) });
    }
    NAMES
        .iter()
        .chain(PLACES)
        .find_map(|name| find(Path::new(name)))
        .ok_or(ProviderError::NoExecutable { named: None })
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::expect;

    use super::*;

    #[test]
    fn the_setting_comes_first_then_the_usual_names_in_the_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["google-chrome", "chromium", "mine"] {
            fs::write(folder.path().join(name), "").unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = Some(folder.path().as_os_str());
        let place = |name: &str| folder.path().join(name);
        assert_eq!(find_executable(Some(&place("mine")), None).unwrap(), place("mine"));
        assert_eq!(find_executable(Some(Path::new("mine")), path).unwrap(), place("mine"));
        assert_eq!(find_executable(None, path).unwrap(), place("chromium"));

        fs::set_permissions(place("chromium"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find_executable(None, path).unwrap(), place("google-chrome"));
    }

    #[test]
    fn nothing_found_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let check = |named: Option<&str>, expected: expect_test::Expect| {
            let path = Some(empty.path().as_os_str());
            let error = find_executable(named.map(Path::new), path).unwrap_err();
            expected.assert_eq(&format!("{error}\nhint: {}", error.hint().unwrap()));
            assert!(!error.retryable());
        };
        check(
            None,
            expect![[r#"
                no Chromium found
                hint: install Chromium (apt-get install chromium) or Chrome, or name its executable: CHROME=/path/to/chrome"#]],
        );
        check(
            Some("/no/chrome"),
            expect![[r#"
                no Chromium found at /no/chrome
                hint: name an executable file, or leave it out to use an installed Chromium or Chrome"#]],
        );
    }
}
