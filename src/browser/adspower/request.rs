//! How the two versions of the API are asked.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::ApiVersion;
use crate::domain::id::ProfileId;
use crate::store::Urgency;

const GROUPS: &str = "/api/v1/group/list";

pub struct Call<'a> {
    pub name: &'static str,
    pub urgency: Urgency,
    /// An app that restarts is worth waiting for.
    pub waits_for_restart: bool,
    pub is_list: bool,
    what: What<'a>,
}

enum What<'a> {
    Start { profile: &'a ProfileId, headless: bool, launch_args: &'a [String] },
    Stop { profile: &'a ProfileId },
    Active { profile: &'a ProfileId },
    Status,
    CloudActive { profiles: &'a [ProfileId] },
    LocalActive,
    List { group: Option<&'a str>, page: usize, size: usize },
    Groups { name: &'a str, page: usize, size: usize },
}

impl<'a> Call<'a> {
    pub fn start(profile: &'a ProfileId, headless: bool, launch_args: &'a [String]) -> Self {
        let what = What::Start { profile, headless, launch_args };
        Self { name: "start", urgency: Urgency::Normal, waits_for_restart: true, is_list: false, what }
    }

    pub fn stop(profile: &'a ProfileId) -> Self {
        Self {
            name: "stop",
            urgency: Urgency::Stop,
            waits_for_restart: true,
            is_list: false,
            what: What::Stop { profile },
        }
    }

    pub fn active(profile: &'a ProfileId) -> Self {
        let what = What::Active { profile };
        Self { name: "active", urgency: Urgency::Normal, waits_for_restart: false, is_list: false, what }
    }

    /// Of at most a hundred.
    pub fn cloud_active(profiles: &'a [ProfileId]) -> Self {
        let (urgency, what) = (Urgency::Normal, What::CloudActive { profiles });
        Self { name: "cloud-active", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn local_active() -> Self {
        let (urgency, what) = (Urgency::Normal, What::LocalActive);
        Self { name: "local-active", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn status() -> Self {
        let (urgency, what) = (Urgency::Normal, What::Status);
        Self { name: "status", urgency, waits_for_restart: false, is_list: false, what }
    }

    pub fn list(page: usize, size: usize) -> Self {
        Self::list_of(None, page, size)
    }

    pub fn groups(name: &'a str, page: usize, size: usize) -> Self {
        let what = What::Groups { name, page, size };
        Self { name: "groups", urgency: Urgency::Normal, waits_for_restart: true, is_list: true, what }
    }

    /// Of one group, by its id.
    pub fn list_of(group: Option<&'a str>, page: usize, size: usize) -> Self {
        let what = What::List { group, page, size };
        Self { name: "list", urgency: Urgency::Normal, waits_for_restart: false, is_list: true, what }
    }

    pub fn request(&self, client: &Client, base_url: &str, version: ApiVersion) -> RequestBuilder {
        let (method, path, parameters) = match (version, &self.what) {
            // There is no second version of these.
            (_, What::CloudActive { .. }) => (Method::POST, self.v1_path(), self.v1_parameters()),
            (ApiVersion::V1, _) | (_, What::LocalActive) => {
                (Method::GET, self.v1_path(), self.v1_parameters())
            }
            (ApiVersion::V2, _) => self.v2(),
        };
        let request = client.request(method.clone(), format!("{base_url}{path}"));
        if method == Method::GET { request.query(&parameters) } else { request.json(&parameters) }
    }

    fn v1_path(&self) -> &'static str {
        match self.what {
            What::Start { .. } => "/api/v1/browser/start",
            What::Stop { .. } => "/api/v1/browser/stop",
            What::Active { .. } => "/api/v1/browser/active",
            What::Status => "/status",
            What::CloudActive { .. } => "/api/v1/browser/cloud-active",
            What::LocalActive => "/api/v1/browser/local-active",
            What::List { .. } => "/api/v1/user/list",
            What::Groups { .. } => GROUPS,
        }
    }

    /// All of them strings. `open_tabs` is the wrong way round: 1 means not to open them.
    fn v1_parameters(&self) -> Value {
        match self.what {
            What::Start { profile, headless, launch_args } => json!({
                "user_id": profile,
                "open_tabs": "1",
                "ip_tab": "0",
                "headless": flag(headless),
                "launch_args": json!(launch_args).to_string(),
            }),
            What::Stop { profile } | What::Active { profile } => json!({ "user_id": profile }),
            What::Status | What::LocalActive => json!({}),
            What::CloudActive { profiles } => {
                let ids: Vec<&str> = profiles.iter().map(ProfileId::as_str).collect();
                json!({ "user_ids": ids.join(",") })
            }
            What::List { group: None, page, size } => json!({ "page": page, "page_size": size }),
            What::List { group: Some(group), page, size } => {
                json!({ "group_id": group, "page": page, "page_size": size })
            }
            What::Groups { name, page, size } => {
                json!({ "group_name": name, "page": page, "page_size": size })
            }
        }
    }

    fn v2(&self) -> (Method, &'static str, Value) {
        match self.what {
            What::Start { profile, headless, launch_args } => (
                Method::POST,
                "/api/v2/browser-profile/start",
                json!({
                    "profile_id": profile,
                    "last_opened_tabs": "0",
                    "proxy_detection": "0",
                    "headless": flag(headless),
                    "launch_args": launch_args,
                }),
            ),
            What::Stop { profile } => {
                (Method::POST, "/api/v2/browser-profile/stop", json!({ "profile_id": profile }))
            }
            What::Active { profile } => {
                (Method::GET, "/api/v2/browser-profile/active", json!({ "profile_id": profile }))
            }
            What::Status | What::CloudActive { .. } | What::LocalActive => {
                (Method::GET, self.v1_path(), self.v1_parameters())
            }
            What::List { group, page, size } => {
                let mut body = json!({ "page": page, "limit": size });
                if let Some(group) = group {
                    body["group_id"] = group.into();
                }
                (Method::POST, "/api/v2/browser-profile/list", body)
            }
            // The second version has none of its own.
            What::Groups { .. } => (Method::GET, GROUPS, self.v1_parameters()),
        }
    }
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
        let many = ["k1".parse().unwrap(), "k2".parse().unwrap()];
        let calls = [
            Call::start(&profile, true, &args),
            Call::stop(&profile),
            Call::active(&profile),
            Call::status(),
            Call::list(2, 100),
            Call::cloud_active(&many),
            Call::local_active(),
            Call::list_of(Some("7"), 1, 100),
            Call::groups("North", 1, 100),
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
                GET /api/v1/browser/start?user_id=k18imh7u&open_tabs=1&ip_tab=0&headless=1&launch_args=%5B%22--lang%3Dde%22%5D 
                GET /api/v1/browser/stop?user_id=k18imh7u 
                GET /api/v1/browser/active?user_id=k18imh7u 
                GET /status 
                GET /api/v1/user/list?page=2&page_size=100 
                POST /api/v1/browser/cloud-active {"user_ids":"k1,k2"}
                GET /api/v1/browser/local-active 
                GET /api/v1/user/list?group_id=7&page=1&page_size=100 
                GET /api/v1/group/list?group_name=North&page=1&page_size=100 "#]],
        );
    }

    #[test]
    fn v2_takes_bodies() {
        check(
            ApiVersion::V2,
            expect![[r#"
                POST /api/v2/browser-profile/start {"profile_id":"k18imh7u","last_opened_tabs":"0","proxy_detection":"0","headless":"1","launch_args":["--lang=de"]}
                POST /api/v2/browser-profile/stop {"profile_id":"k18imh7u"}
                GET /api/v2/browser-profile/active?profile_id=k18imh7u 
                GET /status 
                POST /api/v2/browser-profile/list {"page":2,"limit":100}
                POST /api/v1/browser/cloud-active {"user_ids":"k1,k2"}
                GET /api/v1/browser/local-active 
                POST /api/v2/browser-profile/list {"page":1,"limit":100,"group_id":"7"}
                GET /api/v1/group/list?group_name=North&page=1&page_size=100 "#]],
        );
    }
}
