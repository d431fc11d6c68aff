//! How the two versions of the API are asked.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::ApiVersion;
use crate::store::CallPriority;
use regatta_core::id::ProfileId;
use regatta_core::workflow::launch::LaunchSettings;

const GROUPS: &str = "/api/v1/group/list";
const TAGS: &str = "/api/v2/browser-tags/list";
const DOWNLOAD_KERNEL: &str = "/api/v2/browser-profile/download-kernel";

pub struct ApiCall<'a> {
    pub name: &'static str,
    pub urgency: CallPriority,
    /// An app that restarts is worth waiting for.
    pub waits_for_restart: bool,
    pub is_list: bool,
    what: CallKind<'a>,
}

/// Which profiles are listed; what is empty leaves none out.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListFilter<'a> {
    /// By its id.
    pub group: Option<&'a str>,
    /// Any of these, by their ids. Only the second version of the API knows them.
    pub tags: &'a [String],
    /// The first version takes the first one only.
    pub numbers: &'a [String],
    /// By likeness. Only the second version of the API takes it.
    pub name: Option<&'a str>,
}

enum CallKind<'a> {
    Start { profile: &'a ProfileId, headless: bool, launch: &'a LaunchSettings, launch_args: &'a [String] },
    Stop { profile: &'a ProfileId },
    Active { profile: &'a ProfileId },
    Status,
    CloudActive { profiles: &'a [ProfileId] },
    LocalActive,
    List { filter: ListFilter<'a>, page: usize, size: usize },
    Tags { page: usize, size: usize },
    Groups { name: &'a str, page: usize, size: usize },
    DownloadKernel { version: &'a str },
}

impl<'a> ApiCall<'a> {
    pub fn start(
        profile: &'a ProfileId,
        headless: bool,
        launch: &'a LaunchSettings,
        launch_args: &'a [String],
    ) -> Self {
        let what = CallKind::Start { profile, headless, launch, launch_args };
        Self { name: "start", urgency: CallPriority::Normal, waits_for_restart: true, is_list: false, what }
    }

    pub fn stop(profile: &'a ProfileId) -> Self {
        Self {
            name: "stop",
            urgency: CallPriority::Stop,
            waits_for_restart: true,
            is_list: false,
            what: CallKind::Stop { profile },
        }
    }

    pub fn active(profile: &'a ProfileId) -> Self {
        let what = CallKind::Active { profile };
        Self { name: "active", urgency: CallPriority::Normal, waits_for_restart: false, is_list: false, what }
    }

    /// A start follows, for which an application that restarts is worth waiting for.
    pub fn waiting_for_a_restart(self) -> Self {
        Self { waits_for_restart: true, ..self }
    }

    /// Gives the call a stop's priority, since its answer decides whether a stop follows.
    pub fn with_stop_priority(self) -> Self {
        Self { urgency: CallPriority::Stop, waits_for_restart: true, ..self }
    }

    /// Downloads a kernel of Chrome: the other family cannot be driven.
    pub fn download_kernel(version: &'a str) -> Self {
        let what = CallKind::DownloadKernel { version };
        Self {
            name: "download-kernel",
            urgency: CallPriority::Normal,
            waits_for_restart: true,
            is_list: false,
            what,
        }
    }

    /// The profile whose browser this call may open.
    pub fn opens(&self) -> Option<&ProfileId> {
        match self.what {
            CallKind::Start { profile, .. } => Some(profile),
            _ => None,
        }
    }

    /// Whether it is asked by a path that an older application does not have.
    pub fn is_of_second_version(&self, version: ApiVersion) -> bool {
        match &self.what {
            CallKind::DownloadKernel { .. } | CallKind::Tags { .. } => true,
            CallKind::List { filter, .. } if !filter.tags.is_empty() => true,
            CallKind::Start { .. }
            | CallKind::Stop { .. }
            | CallKind::Active { .. }
            | CallKind::List { .. } => version == ApiVersion::V2,
            CallKind::Status
            | CallKind::CloudActive { .. }
            | CallKind::LocalActive
            | CallKind::Groups { .. } => false,
        }
    }

    /// Asks about at most a hundred profiles.
    pub fn cloud_active(profiles: &'a [ProfileId]) -> Self {
        let (urgency, what) = (CallPriority::Normal, CallKind::CloudActive { profiles });
        Self { name: "cloud-active", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn local_active() -> Self {
        let (urgency, what) = (CallPriority::Normal, CallKind::LocalActive);
        Self { name: "local-active", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn status() -> Self {
        let (urgency, what) = (CallPriority::Normal, CallKind::Status);
        Self { name: "status", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn tags(page: usize, size: usize) -> Self {
        let what = CallKind::Tags { page, size };
        Self { name: "tags", urgency: CallPriority::Normal, waits_for_restart: true, is_list: true, what }
    }

    pub fn groups(name: &'a str, page: usize, size: usize) -> Self {
        let what = CallKind::Groups { name, page, size };
        Self { name: "groups", urgency: CallPriority::Normal, waits_for_restart: true, is_list: true, what }
    }

    pub fn list(filter: ListFilter<'a>, page: usize, size: usize) -> Self {
        let what = CallKind::List { filter, page, size };
        Self { name: "list", urgency: CallPriority::Normal, waits_for_restart: false, is_list: true, what }
    }

    pub fn request(&self, client: &Client, base_url: &str, version: ApiVersion) -> RequestBuilder {
        let (method, path, parameters) = match (version, &self.what) {
            // There is no second version of these.
            (_, CallKind::CloudActive { .. }) => (Method::POST, self.v1_path(), self.v1_parameters()),
            // Nor a first one of this.
            (_, CallKind::DownloadKernel { .. } | CallKind::Tags { .. }) => self.v2(),
            (_, CallKind::List { filter, .. }) if !filter.tags.is_empty() => self.v2(),
            (ApiVersion::V1, _) | (_, CallKind::LocalActive) => {
                (Method::GET, self.v1_path(), self.v1_parameters())
            }
            (ApiVersion::V2, _) => self.v2(),
        };
        let request = client.request(method.clone(), format!("{base_url}{path}"));
        if method == Method::GET { request.query(&parameters) } else { request.json(&parameters) }
    }

    fn v1_path(&self) -> &'static str {
        match self.what {
            CallKind::Start { .. } => "/api/v1/browser/start",
            CallKind::Stop { .. } => "/api/v1/browser/stop",
            CallKind::Active { .. } => "/api/v1/browser/active",
            CallKind::Status => "/status",
            CallKind::CloudActive { .. } => "/api/v1/browser/cloud-active",
            CallKind::LocalActive => "/api/v1/browser/local-active",
            CallKind::List { .. } => "/api/v1/user/list",
            CallKind::Groups { .. } => GROUPS,
            CallKind::DownloadKernel { .. } => DOWNLOAD_KERNEL,
            CallKind::Tags { .. } => TAGS,
        }
    }

    /// All of them strings. `open_tabs` is the wrong way round: 1 means not to open them.
    fn v1_parameters(&self) -> Value {
        match self.what {
            CallKind::Start { profile, headless, launch, launch_args } => {
                let mut start = json!({
                    "user_id": profile,
                    "open_tabs": flag(!launch.last_opened_tabs.unwrap_or(false)),
                    "ip_tab": flag(launch.proxy_detection.unwrap_or(false)),
                    "headless": flag(headless),
                });
                let more = [
                    ("clear_cache_after_closing", launch.delete_cache.map(flag).map(str::to_owned)),
                    ("cdp_mask", launch.cdp_mask.map(flag).map(str::to_owned)),
                    ("device_scale", launch.device_scale.map(|scale| scale.as_f64().to_string())),
                    ("launch_args", (!launch_args.is_empty()).then(|| json!(launch_args).to_string())),
                ];
                more.into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .for_each(|(name, value)| start[name] = value.into());
                start
            }
            CallKind::DownloadKernel { version } => kernel(version),
            CallKind::Stop { profile } | CallKind::Active { profile } => json!({ "user_id": profile }),
            CallKind::Status | CallKind::LocalActive => json!({}),
            CallKind::CloudActive { profiles } => {
                let ids: Vec<&str> = profiles.iter().map(ProfileId::as_str).collect();
                json!({ "user_ids": ids.join(",") })
            }
            CallKind::List { filter, page, size } => {
                let mut query = json!({ "page": page, "page_size": size });
                if let Some(group) = filter.group {
                    query["group_id"] = group.into();
                }
                if let Some(number) = filter.numbers.first() {
                    query["serial_number"] = number.as_str().into();
                }
                query
            }
            CallKind::Tags { page, size } => json!({ "page": page, "limit": size }),
            CallKind::Groups { name, page, size } => {
                json!({ "group_name": name, "page": page, "page_size": size })
            }
        }
    }

    fn v2(&self) -> (Method, &'static str, Value) {
        match self.what {
            CallKind::Start { profile, headless, launch, launch_args } => {
                // Tabs of the last time and AdsPower's own page would stand beside ours.
                let mut start = json!({
                    "profile_id": profile,
                    "last_opened_tabs": flag(launch.last_opened_tabs.unwrap_or(false)),
                    "proxy_detection": flag(launch.proxy_detection.unwrap_or(false)),
                    "headless": flag(headless),
                });
                let more = [
                    ("cdp_mask", launch.cdp_mask.map(|on| json!(flag(on)))),
                    ("delete_cache", launch.delete_cache.map(|on| json!(flag(on)))),
                    ("device_scale", launch.device_scale.map(|scale| json!(scale.as_f64().to_string()))),
                    ("launch_args", (!launch_args.is_empty()).then(|| json!(launch_args))),
                ];
                more.into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .for_each(|(name, value)| start[name] = value);
                (Method::POST, "/api/v2/browser-profile/start", start)
            }
            CallKind::DownloadKernel { version } => (Method::POST, DOWNLOAD_KERNEL, kernel(version)),
            CallKind::Stop { profile } => {
                (Method::POST, "/api/v2/browser-profile/stop", json!({ "profile_id": profile }))
            }
            CallKind::Active { profile } => {
                (Method::GET, "/api/v2/browser-profile/active", json!({ "profile_id": profile }))
            }
            CallKind::Status | CallKind::CloudActive { .. } | CallKind::LocalActive => {
                (Method::GET, self.v1_path(), self.v1_parameters())
            }
            CallKind::List { filter, page, size } => {
                let mut body = json!({ "page": page, "limit": size });
                if let Some(group) = filter.group {
                    body["group_id"] = group.into();
                }
                if !filter.tags.is_empty() {
                    body["tag_ids"] = json!(filter.tags);
                    body["tags_filter"] = "include".into();
                }
                if !filter.numbers.is_empty() {
                    body["profile_no"] = json!(filter.numbers);
                }
                if let Some(name) = filter.name {
                    body["name"] = name.into();
                }
                (Method::POST, "/api/v2/browser-profile/list", body)
            }
            CallKind::Tags { .. } => (Method::POST, TAGS, self.v1_parameters()),
            // The second version has none of its own.
            CallKind::Groups { .. } => (Method::GET, GROUPS, self.v1_parameters()),
        }
    }
}

fn kernel(version: &str) -> Value {
    json!({ "kernel_type": "Chrome", "kernel_version": version })
}

fn flag(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(version: ApiVersion, expected: Expect) {
        let client = crate::http::local().build().unwrap();
        let (profile, args) = ("k18imh7u".parse().unwrap(), ["--lang=de".to_owned()]);
        let ids = ["12".to_owned(), "15".to_owned()];
        let none = LaunchSettings::default();
        let launch = LaunchSettings {
            headless: None,
            last_opened_tabs: Some(true),
            proxy_detection: Some(true),
            cdp_mask: Some(false),
            delete_cache: Some(true),
            device_scale: Some(1.5.try_into().unwrap()),
        };
        let many = ["k1".parse().unwrap(), "k2".parse().unwrap()];
        let calls = [
            ApiCall::start(&profile, true, &launch, &args),
            ApiCall::start(&profile, false, &none, &[]),
            ApiCall::stop(&profile),
            ApiCall::active(&profile),
            ApiCall::status(),
            ApiCall::list(ListFilter::default(), 2, 100),
            ApiCall::cloud_active(&many),
            ApiCall::local_active(),
            ApiCall::list(ListFilter { group: Some("7"), ..ListFilter::default() }, 1, 100),
            ApiCall::list(ListFilter { tags: &ids, ..ListFilter::default() }, 1, 100),
            ApiCall::list(ListFilter { numbers: &ids, ..ListFilter::default() }, 1, 100),
            ApiCall::list(ListFilter { name: Some("Ann"), ..ListFilter::default() }, 1, 100),
            ApiCall::groups("North", 1, 100),
            ApiCall::tags(1, 100),
            ApiCall::download_kernel("147"),
        ];
        let lines: Vec<_> = calls
            .iter()
            .map(|call| {
                let request = call.request(&client, "http://127.0.0.1:50325", version).build().unwrap();
                let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
                let body = String::from_utf8_lossy(body);
                format!("{} {} {body}", request.method(), &request.url()[url::Position::BeforePath..])
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn v1_takes_everything_in_the_query() {
        check(
            ApiVersion::V1,
            expect![[r#"
                GET /api/v1/browser/start?user_id=k18imh7u&open_tabs=0&ip_tab=1&headless=1&clear_cache_after_closing=1&cdp_mask=0&device_scale=1.5&launch_args=%5B%22--lang%3Dde%22%5D 
                GET /api/v1/browser/start?user_id=k18imh7u&open_tabs=1&ip_tab=0&headless=0 
                GET /api/v1/browser/stop?user_id=k18imh7u 
                GET /api/v1/browser/active?user_id=k18imh7u 
                GET /status 
                GET /api/v1/user/list?page=2&page_size=100 
                POST /api/v1/browser/cloud-active {"user_ids":"k1,k2"}
                GET /api/v1/browser/local-active 
                GET /api/v1/user/list?page=1&page_size=100&group_id=7 
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"tag_ids":["12","15"],"tags_filter":"include"}
                GET /api/v1/user/list?page=1&page_size=100&serial_number=12 
                GET /api/v1/user/list?page=1&page_size=100 
                GET /api/v1/group/list?group_name=North&page=1&page_size=100 
                POST /api/v2/browser-tags/list {"page":1,"limit":100}
                POST /api/v2/browser-profile/download-kernel {"kernel_type":"Chrome","kernel_version":"147"}"#]],
        );
    }

    #[test]
    fn v2_takes_bodies() {
        check(
            ApiVersion::V2,
            expect![[r#"
                POST /api/v2/browser-profile/start {"profile_id":"k18imh7u","last_opened_tabs":"1","proxy_detection":"1","headless":"1","cdp_mask":"0","delete_cache":"1","device_scale":"1.5","launch_args":["--lang=de"]}
                POST /api/v2/browser-profile/start {"profile_id":"k18imh7u","last_opened_tabs":"0","proxy_detection":"0","headless":"0"}
                POST /api/v2/browser-profile/stop {"profile_id":"k18imh7u"}
                GET /api/v2/browser-profile/active?profile_id=k18imh7u 
                GET /status 
                POST /api/v2/browser-profile/list {"page":2,"limit":100}
                POST /api/v1/browser/cloud-active {"user_ids":"k1,k2"}
                GET /api/v1/browser/local-active 
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"group_id":"7"}
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"tag_ids":["12","15"],"tags_filter":"include"}
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"profile_no":["12","15"]}
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"name":"Ann"}
                GET /api/v1/group/list?group_name=North&page=1&page_size=100 
                POST /api/v2/browser-tags/list {"page":1,"limit":100}
                POST /api/v2/browser-profile/download-kernel {"kernel_type":"Chrome","kernel_version":"147"}"#]],
        );
    }
}
