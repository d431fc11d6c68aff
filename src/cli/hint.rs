//! What a person can do about an error. Errors below the command line hold kinds and facts; commands,
//! settings and packages are named here alone.

use crate::orchestrate::source::ReadError;
use crate::providers::ProviderError;

/// Returns what to do about an error of a provider.
pub fn of_provider(error: &ProviderError) -> Option<String> {
    let hint = match error {
        ProviderError::NoWindow { .. } => {
            "it is the headless shell: leave out --headed, or name the full browser with CHROME=/path or `executable` in regatta.toml"
        }
        ProviderError::NoExecutable { headless_shell: true, .. } => {
            "install it (apt-get install chromium-headless-shell), name it with CHROME_HEADLESS_SHELL=/path, or take the full browser: browser = \"chromium\" in regatta.toml"
        }
        ProviderError::NoExecutable { named: Some(_), .. } => {
            "name an executable file, or leave it out to use an installed Chromium or Chrome"
        }
        ProviderError::NoExecutable { named: None, .. } => {
            "install Chromium (apt-get install chromium-headless-shell, or chromium for windows too) or Chrome, or name its executable: CHROME=/path/to/chrome"
        }
        ProviderError::Spawn { .. } => "is this a browser, and may this user run it?",
        ProviderError::EndedEarly { .. } => "start it by hand with the same arguments to see more",
        ProviderError::NotReady { .. } => {
            "a slow machine needs a longer start timeout, or fewer runs at once"
        }
        ProviderError::FolderInUse { folder, .. } => {
            return Some(format!(
                "close that browser; where it is gone or runs on another machine that is no more, delete {}",
                folder.join("SingletonLock").display()
            ));
        }
        ProviderError::BrowserDoesNotEnd { .. } | ProviderError::ProcessDoesNotEnd { .. } => {
            "end it by hand; until then its profile cannot run"
        }
        ProviderError::Undrivable { .. } => "run again: the browser is stopped and started afresh",
        ProviderError::NoEndpoint { .. } => {
            "start one with --remote-debugging-port=9222; http://127.0.0.1:9222/json/version names its `webSocketDebuggerUrl`"
        }
        ProviderError::ProcessesUnreadable { .. } => {
            "without it a living browser cannot be distinguished from a dead one; is /proc mounted?"
        }
        ProviderError::Unreachable { .. } => {
            "start AdsPower and check the address of its Local API (settings of the app, or its file `local_api`)"
        }
        ProviderError::TimedOut { .. } => {
            "AdsPower is busy or hangs: check its window, or run fewer profiles at once"
        }
        ProviderError::Throttled { .. } => {
            "lower the calls per second: another program may use the same API, or the plan allows fewer"
        }
        ProviderError::UnexpectedReply { .. } => {
            "another program may listen there: check the address of the Local API"
        }
        ProviderError::UnknownProfile { .. } => {
            "check the id in the list of profiles; it is not the profile's number or name"
        }
        ProviderError::OpenElsewhere { .. } => "close it on the other device or in the other account",
        ProviderError::OpenHere { profile } => {
            return Some(format!(
                "close it in AdsPower; or join it, and leave it open at the end: regatta run {profile} --attach"
            ));
        }
        ProviderError::NothingToJoin { .. } => "leave out --attach: the run then opens the browser itself",
        ProviderError::KeyRefused { key_env: Some(name), .. } => {
            return Some(format!(
                "compare the variable `{name}`, which `key_env` in regatta.toml names, with the key in AdsPower's settings of the Local API"
            ));
        }
        ProviderError::KeyRefused { key_env: None, .. } => {
            "AdsPower's security verification is on: put its API key into an environment variable and name that in regatta.toml, [adspower] key_env = \"ADSPOWER_API_KEY\""
        }
        ProviderError::UnknownCall { call: "tags", .. } => {
            "an older AdsPower has no tags in its API: update it, or choose profiles by a group"
        }
        ProviderError::UnknownCall { .. } => {
            "an older AdsPower has no second version of the API: update it, or write api = \"v1\" below [adspower] in regatta.toml"
        }
        ProviderError::FirefoxKernel { .. } => {
            "choose a Chrome kernel (SunBrowser) for this profile in AdsPower"
        }
        ProviderError::NoDevTools { .. } => {
            "only Chrome kernels (SunBrowser) can be driven; update AdsPower, or choose another kernel for this profile"
        }
        ProviderError::ProxyFailed { .. } => {
            "check the proxy of this profile in AdsPower, which says more when the profile is opened by hand"
        }
        ProviderError::NoPermission { .. } => {
            "give the account of this key the permission for this profile and the Local API in AdsPower"
        }
        ProviderError::OpenLimit { .. } => {
            "close other browsers, run fewer profiles at once (--max), or change the plan"
        }
        ProviderError::KernelMissing { downloading: true, .. } => "wait until AdsPower has downloaded it",
        ProviderError::KernelMissing { downloading: false, .. } => {
            "download this kernel in AdsPower's settings"
        }
        ProviderError::DailyQuota { .. } => "wait until the quota is renewed, or change the plan",
        ProviderError::NoApiInPlan { .. } => "the Local API needs a paid plan of AdsPower",
        ProviderError::StartFailed { .. } => "open this profile by hand in AdsPower once to see why",
        ProviderError::Refused { .. } => "open this profile by hand in AdsPower once to see why",
        ProviderError::Store(error) => return error.hint().map(str::to_owned),
    };
    Some(hint.to_owned())
}

/// Returns what to do about a source of profiles that cannot be read.
pub fn of_source(error: &ReadError) -> Option<String> {
    match error {
        ReadError::AdsPower(error) => of_provider(error),
        error => error.hint(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_kind_of_error_has_its_remedy() {
        let profile = || "k1abcde".parse().unwrap();
        let detail = String::new;
        let errors = [
            ProviderError::NoExecutable { named: None, headless_shell: false },
            ProviderError::NoExecutable { named: None, headless_shell: true },
            ProviderError::NoExecutable { named: Some("/no/chrome".into()), headless_shell: false },
            ProviderError::FolderInUse { folder: "/w/browsers/p1".into(), holder: detail() },
            ProviderError::OpenElsewhere { profile: profile() },
            ProviderError::OpenHere { profile: profile() },
            ProviderError::KeyRefused { message: detail(), key_env: Some("ADSPOWER_API_KEY".to_owned()) },
            ProviderError::KeyRefused { message: detail(), key_env: None },
            ProviderError::UnknownCall { url: detail(), call: "tags" },
            ProviderError::UnknownCall { url: detail(), call: "start" },
            ProviderError::KernelMissing { downloading: true, message: detail() },
            ProviderError::KernelMissing { downloading: false, message: detail() },
            ProviderError::DailyQuota { message: detail(), recovery: None },
            ProviderError::UnknownProfile { profile: profile() },
        ];
        let hints: Vec<_> = errors.iter().filter_map(of_provider).collect();
        expect![[r#"
            install Chromium (apt-get install chromium-headless-shell, or chromium for windows too) or Chrome, or name its executable: CHROME=/path/to/chrome
            install it (apt-get install chromium-headless-shell), name it with CHROME_HEADLESS_SHELL=/path, or take the full browser: browser = "chromium" in regatta.toml
            name an executable file, or leave it out to use an installed Chromium or Chrome
            close that browser; where it is gone or runs on another machine that is no more, delete /w/browsers/p1/SingletonLock
            close it on the other device or in the other account
            close it in AdsPower; or join it, and leave it open at the end: regatta run k1abcde --attach
            compare the variable `ADSPOWER_API_KEY`, which `key_env` in regatta.toml names, with the key in AdsPower's settings of the Local API
            AdsPower's security verification is on: put its API key into an environment variable and name that in regatta.toml, [adspower] key_env = "ADSPOWER_API_KEY"
            an older AdsPower has no tags in its API: update it, or choose profiles by a group
            an older AdsPower has no second version of the API: update it, or write api = "v1" below [adspower] in regatta.toml
            wait until AdsPower has downloaded it
            download this kernel in AdsPower's settings
            wait until the quota is renewed, or change the plan
            check the id in the list of profiles; it is not the profile's number or name"#]].assert_eq(&hints.join("\n"));
    }
}
