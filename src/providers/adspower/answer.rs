//! AdsPower's answers: HTTP 200 nearly always, with a code, a message and perhaps data. The code
//! says whether it went well, only the message says why not, so refusals are distinguished by
//! its words. They were collected from its documentation and from other programs.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::providers::{ListedProfile, ProviderError};
use regatta_core::id::{InvalidProfileId, ProfileId};

#[derive(Debug, PartialEq)]
pub enum ApiAnswer {
    /// The data; null where there is none.
    Success(Value),
    Refusal(ApiRefusal),
}

#[derive(Debug, PartialEq, Eq)]
pub struct ApiRefusal {
    pub call: &'static str,
    pub kind: RefusalKind,
    code: i64,
    /// Without addresses.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    Throttled,
    Unauthorized,
    NoPermission,
    NotOpen,
    UsedElsewhere,
    KernelDownloading,
    KernelMissing,
    DailyQuota,
    OpenLimit,
    PaidPlan,
    ProxyFailed,
    UnknownProfile,
    StartFailed,
    Other,
}

/// The browser program of a profile: `SunBrowser` is a Chrome, `FlowerBrowser` a Firefox.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernel {
    family: String,
    /// Its major version, where the message names one.
    pub version: Option<String>,
}

impl Kernel {
    pub fn is_firefox(&self) -> bool {
        ["flower", "firefox"].iter().any(|name| self.family.starts_with(name))
    }
}

impl ApiAnswer {
    /// `None` where the body is not AdsPower's.
    pub fn parse(call: &'static str, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            code: Value,
            #[serde(default)]
            msg: Value,
            #[serde(default)]
            data: Value,
        }
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let code = number(&envelope.code)?;
        if code == 0 {
            return Some(Self::Success(envelope.data));
        }
        let message = envelope.msg.as_str().unwrap_or_default();
        let kind = kind_of(code, message);
        Some(Self::Refusal(ApiRefusal { call, kind, code, message: without_addresses(message) }))
    }
}

impl ApiRefusal {
    /// As HTTP says it.
    pub fn throttled(call: &'static str) -> Self {
        Self { call, kind: RefusalKind::Throttled, code: 429, message: "HTTP 429".to_owned() }
    }

    pub fn unauthorized(call: &'static str, message: String) -> Self {
        Self { call, kind: RefusalKind::Unauthorized, code: 401, message }
    }

    /// The kernel that the profile lacks, where the refusal is about that.
    pub fn kernel(&self) -> Option<Kernel> {
        if !matches!(self.kind, RefusalKind::KernelDownloading | RefusalKind::KernelMissing) {
            return None;
        }
        let lower = self.message.to_ascii_lowercase();
        let mut words = lower.split_whitespace().skip_while(|word| !word.ends_with("browser"));
        let family = words.next().unwrap_or_default().to_owned();
        let version: String =
            words.next().unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        Some(Kernel { family, version: Some(version).filter(|version| !version.is_empty()) })
    }

    pub fn is_downloading(&self) -> bool {
        self.kind == RefusalKind::KernelDownloading
    }

    /// `profile` is the one the call was about, `key_env` the variable that the settings name for the key.
    pub fn into_error(self, profile: Option<&ProfileId>, key_env: Option<&str>) -> ProviderError {
        let Self { call, kind, code, message } = self;
        match (kind, profile.cloned()) {
            (RefusalKind::Unauthorized, _) => {
                ProviderError::KeyRefused { message, key_env: key_env.map(str::to_owned) }
            }
            (RefusalKind::NoPermission, _) => ProviderError::NoPermission { message },
            (RefusalKind::ProxyFailed, Some(profile)) => ProviderError::ProxyFailed { profile, message },
            (RefusalKind::OpenLimit, _) => ProviderError::OpenLimit { message },
            (RefusalKind::UnknownProfile, Some(profile)) => ProviderError::UnknownProfile { profile },
            (RefusalKind::UsedElsewhere, Some(profile)) => ProviderError::OpenElsewhere { profile },
            (RefusalKind::Throttled, _) => ProviderError::Throttled { call, times: 1 },
            (RefusalKind::KernelDownloading, _) => {
                ProviderError::KernelMissing { downloading: true, message }
            }
            (RefusalKind::KernelMissing, _) => ProviderError::KernelMissing { downloading: false, message },
            (RefusalKind::DailyQuota, _) => {
                let recovery = recovery(&message);
                ProviderError::DailyQuota { message, recovery }
            }
            (RefusalKind::PaidPlan, _) => ProviderError::NoApiInPlan { message },
            (RefusalKind::StartFailed, _) => ProviderError::StartFailed { message },
            _ => ProviderError::Refused { call, code, message },
        }
    }
}

/// Where the browser is driven; `None` while it is not ready: AdsPower then leaves the fields empty.
pub fn browser_address(data: &Value) -> Option<String> {
    let ws = data["ws"]["puppeteer"].as_str()?;
    let url = Url::parse(ws).ok()?;
    let ready = url.scheme() == "ws"
        && url.port().is_some_and(|port| port != 0)
        && url.path().strip_prefix("/devtools/browser/").is_some_and(|uuid| !uuid.is_empty());
    ready.then(|| ws.to_owned())
}

/// Whether a browser listens and is offered to other clients alone: kernels of the Firefox family have no
/// DevTools.
pub fn names_a_port_only(data: &Value) -> bool {
    let names_devtools = data["ws"]["puppeteer"].as_str().is_some_and(|ws| !ws.is_empty());
    !names_devtools && number(&data["debug_port"]).is_some_and(|port| port != 0)
}

/// Reads only the fields that are needed: items hold passwords of accounts and proxies.
/// An item whose id cannot be used is an error, so that no profile is lost without a word.
pub fn profiles(data: &Value) -> Vec<Result<ListedProfile, InvalidProfileId>> {
    let text =
        |item: &Value, key: &str| item[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let items = data["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    let listed = |item: &Value| {
        let id = text(item, "user_id").or_else(|| text(item, "profile_id")).unwrap_or_default().parse()?;
        let number = ["profile_no", "serial_number"].iter().find_map(|key| number(&item[key]));
        let number = number.map(|number| number.to_string());
        Ok(ListedProfile { id, number, name: text(item, "name"), group: text(item, "group_name") })
    };
    items.iter().map(listed).collect()
}

/// Returns the open profiles of an answer about many. Its items may name accounts, which are not read.
/// AdsPower's documents show a list of the open ones; clients of it also read one of all, each with its
/// status.
pub fn open_profiles(data: &Value) -> HashSet<ProfileId> {
    let items = data.as_array().or_else(|| data["list"].as_array()).map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter(|item| item["status"].as_str().is_none_or(|status| status == "Active"))
        .filter_map(|item| item["user_id"].as_str().or_else(|| item["profile_id"].as_str())?.parse().ok())
        .collect()
}

/// The browsers that are open on this machine, each with its address where it is named.
pub fn open_browsers(data: &Value) -> HashMap<ProfileId, Option<String>> {
    let items = data["list"].as_array().or_else(|| data.as_array()).map(Vec::as_slice).unwrap_or_default();
    let one = |item: &Value| {
        let id = item["user_id"].as_str().or_else(|| item["profile_id"].as_str())?.parse().ok()?;
        Some((id, browser_address(item)))
    };
    items.iter().filter_map(one).collect()
}

/// Ids and names of groups.
pub fn groups(data: &Value) -> Vec<(String, String)> {
    named(data, "group_id", "group_name")
}

/// Ids and names of tags.
pub fn tags(data: &Value) -> Vec<(String, String)> {
    named(data, "id", "name")
}

fn named(data: &Value, id: &str, name: &str) -> Vec<(String, String)> {
    let items = data["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |item: &Value| {
        let id_of = item[id].as_str().map(str::to_owned);
        let id_of = id_of.or_else(|| number(&item[id]).map(|id| id.to_string()))?;
        Some((id_of, item[name].as_str()?.to_owned()))
    };
    items.iter().filter_map(one).collect()
}

/// Numbers travel as strings, or not.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn kind_of(code: i64, message: &str) -> RefusalKind {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().all(|word| message.contains(word));
    let says_any = |choices: &[&str]| choices.iter().any(|words| message.contains(words));
    if says(&["too many request"]) {
        RefusalKind::Throttled
    } else if says_any(&["api key", "api-key", "apikey", "unauthorized", "not authorized"]) {
        RefusalKind::Unauthorized
    } else if code == 9110 || says_any(&["no permission", "permission denied"]) {
        RefusalKind::NoPermission
    } else if says(&["not open"]) {
        RefusalKind::NotOpen
    } else if says(&["being used by"]) {
        RefusalKind::UsedElsewhere
    } else if says(&["is updating"]) || says(&["waiting for download"]) {
        RefusalKind::KernelDownloading
    } else if says(&["not ready", "download"]) {
        RefusalKind::KernelMissing
    } else if says(&["daily limit"]) {
        RefusalKind::DailyQuota
    } else if says(&["limit"]) && says_any(&["open", "browser"]) {
        RefusalKind::OpenLimit
    } else if says(&["paid subscription"]) {
        RefusalKind::PaidPlan
    } else if says(&["proxy"]) {
        RefusalKind::ProxyFailed
    } else if code == 9108 || says(&["not exist"]) {
        RefusalKind::UnknownProfile
    } else if code == 100_001 || says(&["failed to start"]) {
        RefusalKind::StartFailed
    } else {
        RefusalKind::Other
    }
}

/// `… recovery after 7 hours`
fn recovery(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let mut words = lower.split_once("recovery after")?.1.split_whitespace();
    let (number, unit) = (words.next()?.parse::<u32>().ok()?, words.next()?);
    let seconds = match unit.trim_end_matches(['s', '.']) {
        "hour" => 3600,
        "minute" | "min" => 60,
        _ => return None,
    };
    Some(Duration::from_secs(seconds) * number)
}

/// A message may name the account that uses a profile.
fn without_addresses(message: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "[](){}<>,;:'\"`".contains(c);
    message
        .split_inclusive(is_edge)
        .map(|piece| {
            let (word, edge) = match piece.char_indices().next_back() {
                Some((at, c)) if is_edge(c) => piece.split_at(at),
                _ => (piece, ""),
            };
            format!("{}{edge}", if word.contains('@') { "…" } else { word })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: Expect) {
        let Some(ApiAnswer::Refusal(refusal)) = ApiAnswer::parse("start", body.to_string().as_bytes()) else {
            panic!("{body} is a refusal");
        };
        let error = refusal.into_error(Some(&"k1abcde".parse().unwrap()), Some("ADSPOWER_API_KEY"));
        let retryable = if error.retryable() { "may be retried" } else { "not to be retried" };
        expected.assert_eq(&format!("{error}\n{retryable}"));
    }

    fn refused(message: &str) -> Value {
        json!({ "code": -1, "data": {}, "msg": message })
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        check(
            &refused("[k1abcde] is being used by [user@mail] and is not allowed to open"),
            expect![[r#"
                profile k1abcde is open elsewhere: AdsPower does not allow to open it twice
                not to be retried"#]],
        );
        check(
            &refused("SunBrowser 136 is updating, waiting for download."),
            expect![[r#"
                AdsPower has no browser kernel for this profile yet: SunBrowser 136 is updating, waiting for download.
                may be retried"#]],
        );
        check(
            &refused("SunBrowser 147 is not ready,please to download!"),
            expect![[r#"
                AdsPower has no browser kernel for this profile yet: SunBrowser 147 is not ready,please to download!
                not to be retried"#]],
        );
        check(
            &refused("Exceeding open daily limit, recovery after 7 hours"),
            expect![[r#"
                AdsPower's daily quota of opened profiles is used up: Exceeding open daily limit, recovery after 7 hours
                not to be retried"#]],
        );
        check(
            &refused("This feature is only available in paid subscriptions"),
            expect![[r#"
                AdsPower's plan has no API: This feature is only available in paid subscriptions
                not to be retried"#]],
        );
        for unknown in ["user_id does not exist", "Profile does not exist"] {
            check(
                &refused(unknown),
                expect![[r#"
                    AdsPower knows no profile k1abcde
                    not to be retried"#]],
            );
        }
        check(
            &json!({ "code": 100_001, "msg": "Failed to start browser", "debugUrl": "", "useTime": 5 }),
            expect![[r#"
                AdsPower could not start the browser: Failed to start browser
                may be retried"#]],
        );
        check(
            &json!({ "code": "-1", "msg": "no: ann@mail.test, (bob@mail.test)" }),
            expect![[r#"
                AdsPower refused `start` (code -1): no: …, (…)
                not to be retried"#]],
        );
    }

    #[test]
    fn causes_that_only_an_operator_can_mend_are_told_apart() {
        check(
            &refused("Please config the api key in Security Verification"),
            expect![[r#"
                AdsPower refuses the API key: Please config the api key in Security Verification
                not to be retried"#]],
        );
        check(
            &json!({ "code": 9110, "msg": "the account may not do this" }),
            expect![[r#"
            the API key has no permission for this call: the account may not do this
            not to be retried"#]],
        );
        check(
            &json!({ "code": 9108, "msg": "wrong ids" }),
            expect![[r#"
            AdsPower knows no profile k1abcde
            not to be retried"#]],
        );
        check(
            &refused("Exceeding open limit"),
            expect![[r#"
            AdsPower has as many browsers open as the plan allows: Exceeding open limit
            may be retried"#]],
        );
        check(
            &refused("Check Proxy Fail"),
            expect![[r#"
                the proxy of profile k1abcde does not work: Check Proxy Fail
                may be retried"#]],
        );
    }

    #[test]
    fn a_missing_kernel_is_named() {
        let kernel = |message: &str| {
            let body = refused(message).to_string();
            let Some(ApiAnswer::Refusal(refusal)) = ApiAnswer::parse("start", body.as_bytes()) else {
                panic!()
            };
            let downloading = refusal.is_downloading();
            refusal
                .kernel()
                .map(|kernel| (kernel.is_firefox(), kernel.version.unwrap_or_default(), downloading))
        };
        let chrome = |version: &str, downloading| Some((false, version.to_owned(), downloading));
        assert_eq!(kernel("SunBrowser 136 is updating, waiting for download."), chrome("136", true));
        assert_eq!(kernel("SunBrowser 147 is not ready,please to download!"), chrome("147", false));
        assert_eq!(kernel("The kernel is not ready,please to download!"), chrome("", false));
        let firefox = kernel("FlowerBrowser 130 is not ready,please to download!");
        assert_eq!(firefox, Some((true, "130".to_owned(), false)));
        assert_eq!(kernel("user_id does not exist"), None);
    }

    #[test]
    fn the_quota_says_when_it_is_renewed() {
        let after =
            |text: &str| recovery(&format!("Exceeding open daily limit, {text}")).map(|time| time.as_secs());
        assert_eq!(after("recovery after 7 hours"), Some(7 * 3600));
        assert_eq!(after("recovery after 1 hour"), Some(3600));
        assert_eq!(after("recovery after 40 minutes"), Some(40 * 60));
        assert_eq!(after("recovery after midnight"), None);
        assert_eq!(after("try again later"), None);
    }

    #[test]
    fn stop_of_a_closed_browser_is_known_by_its_words() {
        let body = refused("User_id is not open").to_string();
        let Some(ApiAnswer::Refusal(refusal)) = ApiAnswer::parse("stop", body.as_bytes()) else { panic!() };
        assert_eq!(refusal.kind, RefusalKind::NotOpen);
    }

    #[test]
    fn success_is_code_zero_whatever_the_message() {
        for body in [r#"{"code":0}"#, r#"{"code":"0","msg":"Success","data":null}"#] {
            assert_eq!(
                ApiAnswer::parse("start", body.as_bytes()),
                Some(ApiAnswer::Success(Value::Null)),
                "{body}"
            );
        }
        for body in ["", "<html>", "[]", r#"{"msg":"success"}"#, r#"{"code":"ok"}"#] {
            assert_eq!(ApiAnswer::parse("start", body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_browser_is_ready_once_its_address_is_whole() {
        let address =
            |ws: &str| browser_address(&json!({ "ws": { "puppeteer": ws }, "debug_port": "43703" }));
        assert_eq!(
            address("ws://127.0.0.1:43703/devtools/browser/a-b").as_deref(),
            Some("ws://127.0.0.1:43703/devtools/browser/a-b")
        );
        for not_ready in ["", "ws://127.0.0.1:/devtools/browser/", "ws://127.0.0.1:0/devtools/browser/a"] {
            assert_eq!(address(not_ready), None, "{not_ready:?}");
        }
        assert_eq!(browser_address(&Value::Null), None);
    }

    #[test]
    fn what_is_open_is_told_in_two_ways() {
        let open = |data: &Value| {
            let mut open: Vec<_> = open_profiles(data).into_iter().map(|id| id.to_string()).collect();
            open.sort();
            open
        };
        let documented = json!([{ "user_id": "k1", "account": "ann@mail.test" }, { "user_id": "k2" }]);
        assert_eq!(open(&documented), ["k1", "k2"]);
        let with_status = json!({ "list": [
            { "user_id": "k1", "status": "Active" },
            { "user_id": "k2", "status": "Inactive" },
            { "user_id": "k3", "ws": {} },
        ] });
        assert_eq!(open(&with_status), ["k1", "k3"]);
        assert!(open(&json!([])).is_empty() && open(&Value::Null).is_empty());
    }

    #[test]
    fn of_an_item_only_names_are_taken() {
        let data = json!({ "list": [
            { "user_id": "k1", "name": "Ann", "group_name": "g", "password": "secret" },
            { "profile_id": "k2", "name": "" },
            { "user_id": "not an id" },
            { "name": "Bob" },
        ] });
        let (listed, refused): (Vec<_>, Vec<_>) = profiles(&data).into_iter().partition(Result::is_ok);
        let listed: Vec<_> = listed.into_iter().flatten().collect();
        let refused: Vec<_> =
            refused.into_iter().filter_map(Result::err).map(|why| why.to_string()).collect();
        assert_eq!(
            refused,
            ["not an id", ""]
                .map(|id| format!("`{id}` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"))
        );
        assert_eq!(listed.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["k1", "k2"]);
        assert_eq!((listed[0].name.as_deref(), listed[0].group.as_deref()), (Some("Ann"), Some("g")));
        assert_eq!((listed[1].name.as_deref(), listed[1].group.as_deref()), (None, None));
        assert!(profiles(&Value::Null).is_empty());
    }
}
