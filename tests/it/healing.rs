//! A site that renames its button under a workflow: what runs make of it, and what a person does next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::Value;

use crate::support::program::{Ended, Folder};

#[derive(Clone, Default)]
struct Site {
    renamed: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    relabelled: Arc<AtomicBool>,
    accepted: Arc<AtomicU32>,
}

impl Site {
    /// On a thread of its own: the program is waited for meanwhile.
    fn serve(&self) -> String {
        let app = Router::new().route("/", get(page)).route("/done", post(done)).with_state(self.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await
            })
        });
        format!("http://{address}")
    }
}

async fn page(State(site): State<Site>) -> Html<String> {
    let id = if site.renamed.load(Ordering::SeqCst) { "enrol" } else { "join" };
    let label = if site.relabelled.load(Ordering::SeqCst) { "Sign up now" } else { "Sign up" };
    Html(format!(
        "<!doctype html><title>Join</title><link rel=icon href=\"data:,\"><h1>Join</h1>
        <form method=post action=/done><label>Name <input name=name></label>
        <button id={id}>{label}</button></form>"
    ))
}

async fn done(State(site): State<Site>) -> Html<&'static str> {
    site.accepted.fetch_add(1, Ordering::SeqCst);
    let broken = site.broken.load(Ordering::SeqCst);
    Html(if broken {
        "<!doctype html><title>Oh</title>"
    } else {
        "<!doctype html><title>Done</title><h1 id=welcome>Welcome</h1>"
    })
}

fn folder(site: &str, heal: &str) -> Folder {
    let folder = Folder::empty();
    folder.write(
        "workflow.toml",
        &format!(
            "name = \"w\"\nallowed_origins = [\"{site}\"]\n{heal}\n[[step]]\nflag = \"joined\"\nflow = \"join.json\"\nattempts = 1\nin_doubt = \"repeat\"\n"
        ),
    );
    folder.write(
        "join.json",
        &format!(
            r##"{{"title":"Join","timeout":10000,"steps":[
    {{"type":"navigate","url":"{site}/"}},
    {{"type":"change","selectors":["[name=name]"],"value":"{{{{ profile_id }}}}"}},
    {{"type":"click","selectors":["#join"],"offsetX":3,"offsetY":3}},
    {{"type":"waitForElement","selectors":["#welcome"]}}
]}}"##
        ),
    );
    folder
}

fn run(folder: &Folder, profile: &str) -> Ended {
    folder.run(&["run", profile])
}

fn heals(folder: &Folder, profile: &str) -> Vec<String> {
    let events = folder.events_of(profile, "healed");
    events
        .iter()
        .map(|event| format!("{} {}", event["how"].as_str().unwrap(), event["selector"].as_str().unwrap()))
        .collect()
}

fn cache(folder: &Folder) -> Value {
    serde_json::from_str(&folder.read(".selector_cache.json")).unwrap()
}

#[test]
fn a_suggestion_is_accepted_and_the_next_run_goes_through() {
    let site = Site::default();
    let folder = folder(&site.serve(), "");
    run(&folder, "profile-1").assert_code(0);
    site.renamed.store(true, Ordering::SeqCst);
    let failed = run(&folder, "profile-2");
    failed.assert_code(1);
    assert!(failed.stderr.contains("no element matches `#join` within 10 s"), "{failed:#?}");
    assert!(
        failed.stderr.contains("button#enrol \"Sign up\" is like the button#join \"Sign up\" of before: `aria/Sign up[role=\"button\"]` would match it; `regatta selectors accept join.json 3` writes that into the flow"),
        "{failed:#?}"
    );
    assert!(
        failed.stdout.contains("no selector matches button#join \"Sign up\"; perhaps meant button#enrol"),
        "{failed:#?}"
    );
    assert_eq!(heals(&folder, "profile-2"), ["suggested aria/Sign up[role=\"button\"]"]);
    assert_eq!(site.accepted.load(Ordering::SeqCst), 1);
    folder.run(&["selectors", "accept", "join.json", "3"]).assert_code(0);
    assert!(folder.read("join.json").contains(r##"["#join", "aria/Sign up[role=\"button\"]"]"##));
    run(&folder, "profile-2").assert_code(0);
    assert_eq!(site.accepted.load(Ordering::SeqCst), 2);
    assert!(
        !folder.read(".selector_cache.json").contains("profile-"),
        "a value of the profile is in the cache"
    );
}

#[test]
fn what_was_healed_is_remembered_only_where_the_step_reached_its_end() {
    let site = Site::default();
    let folder = folder(&site.serve(), "heal = \"auto\"");
    run(&folder, "profile-1").assert_code(0);
    site.renamed.store(true, Ordering::SeqCst);
    site.broken.store(true, Ordering::SeqCst);
    run(&folder, "profile-2").assert_code(1);
    assert_eq!(heals(&folder, "profile-2"), ["acted aria/Sign up[role=\"button\"]"]);
    assert!(!cache(&folder).to_string().contains("healed"), "{}", cache(&folder));
    site.broken.store(false, Ordering::SeqCst);
    let healed = run(&folder, "profile-3");
    healed.assert_code(0);
    assert!(
        healed.stdout.contains(
            "going on with button#enrol \"Sign up\", `aria/Sign up[role=\"button\"]` (join.json, step 3)"
        ),
        "{healed:#?}"
    );
    assert!(cache(&folder).to_string().contains("healed"), "{}", cache(&folder));
    run(&folder, "profile-4").assert_code(0);
    assert_eq!(heals(&folder, "profile-4"), ["remembered aria/Sign up[role=\"button\"]"]);
    assert_eq!(site.accepted.load(Ordering::SeqCst), 4);
}

#[test]
fn a_relabelled_button_is_told_in_the_run() {
    let site = Site::default();
    let folder = folder(&site.serve(), "heal = \"off\"");
    run(&folder, "profile-1").assert_code(0);
    site.relabelled.store(true, Ordering::SeqCst);
    let reported = run(&folder, "profile-2");
    reported.assert_code(0);
    assert!(
        reported.stdout.contains("joined: `#join` leads to button#join \"Sign up now\", which was button#join \"Sign up\" (join.json, step 3)"),
        "{reported:#?}"
    );
    assert_eq!(heals(&folder, "profile-2"), ["changed #join"]);
    run(&folder, "profile-3").assert_code(0);
    assert!(heals(&folder, "profile-3").is_empty());
    assert_eq!(site.accepted.load(Ordering::SeqCst), 3);
}
