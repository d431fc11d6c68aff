//! What was learnt of the selectors, read, accepted and forgotten. Nothing here starts a browser.

use expect_test::expect;
use regatta_core::flow;
use serde_json::{Value, json};

use super::{change, check};
use crate::support::program::Folder;

/// The practice folder, with what runs have learnt of step 5 of the shop's flow.
pub(super) fn folder() -> Folder {
    let folder = Folder::practice();
    learnt(&folder, &digest(&folder));
    folder
}

fn digest(folder: &Folder) -> String {
    let flow = flow::parse("store.json", &folder.read("flows/store.json")).unwrap();
    flow.steps[4].action.locator().unwrap().digest.clone()
}

fn learnt(folder: &Folder, digest: &str) {
    let element = |id: &str| {
        json!({ "tag": "button", "role": "button", "name": "Sign up", "attributes": { "id": id, "type": "submit" },
            "classes": ["primary"], "path": "main:1>form:1>button:1", "landmark": "form" })
    };
    let at = "2026-01-02T03:04:05Z";
    let document = json!({ "version": 2, "entries": {
        "flows/store.json|5|http://127.0.0.1:8800|/store/signup": {
            "digest": digest, "alternative": 1, "at": at, "hits": 7, "element": element("go"),
            "suggestion": { "selector": ["#shop", "#enrol"], "element": element("enrol"), "at": at } },
        "flows/store.json|12|http://127.0.0.1:8800|/mail/:id": { "digest": "0", "alternative": 0, "at": at, "hits": 1 },
        "flows/gone.json|1|http://127.0.0.1:8800|/": { "digest": "0", "alternative": 0, "at": at, "hits": 1 },
    }});
    folder.write(".selector_cache.json", &document.to_string());
}

fn entries(folder: &Folder) -> Value {
    let document: Value = serde_json::from_str(&folder.read(".selector_cache.json")).unwrap();
    document["entries"].clone()
}

#[test]
fn what_is_known_is_listed_and_explained() {
    let folder = folder();
    check(
        &folder,
        &["selectors", "list"],
        expect![[r#"
        exit 0
        flows/gone.json 1  / (the step was edited since)
        flows/store.json 5  /store/signup button#go "Sign up" by `[data-testid="store-sign-up"]`
          suggested: button#enrol "Sign up" by `#shop >>> #enrol`
          accept it: regatta selectors accept flows/store.json 5
        flows/store.json 12  /mail/:id (the step was edited since)"#]],
    );
    check(
        &folder,
        &["selectors", "explain", "flows/store.json", "5"],
        expect![[r#"
        exit 0
        flows/store.json, step 5, on http://127.0.0.1:8800/store/signup
          7 times, the last at 2026-01-02T03:04:05Z
                   `aria/Sign up[role="button"]`
          matched  `[data-testid="store-sign-up"]`
                   `xpath///*[@data-testid="store-sign-up"]`
                   `pierce/[data-testid="store-sign-up"]`
                   `text/Sign up`
          the element was button#go "Sign up"
            tag          button
            role         button
            name         Sign up
            id           go
            type         submit
            classes      primary
            place        main:1>form:1>button:1
            landmark     form
          suggested: button#enrol "Sign up" by `#shop >>> #enrol`
          accept it: regatta selectors accept flows/store.json 5
        Another element is one of another kind, or one that differs in more than it has in common."#]],
    );
    check(
        &folder,
        &["selectors", "explain", "flows/gone.json"],
        expect![[r#"
        exit 0
        flows/gone.json, step 1, on http://127.0.0.1:8800/
          1 times, the last at 2026-01-02T03:04:05Z
          the step was edited since: it is learnt anew at its next run
        Another element is one of another kind, or one that differs in more than it has in common."#]],
    );
    check(
        &folder,
        &["selectors", "explain", "flows/store.json", "12", "--json"],
        expect![[r#"
        exit 0
        [
          {
            "flow": "flows/store.json",
            "step": "12",
            "origin": "http://127.0.0.1:8800",
            "path": "/mail/:id",
            "edited_since": true,
            "selector": null,
            "digest": "0",
            "alternative": 0,
            "at": "2026-01-02T03:04:05Z",
            "hits": 1
          }
        ]"#]],
    );
    check(
        &folder,
        &["selectors", "explain", "flows/store.json", "3"],
        expect![[r#"
        exit 2
        error: nothing is known of step 3 of flows/store.json
          hint: known are steps of flows/gone.json, flows/store.json; see regatta selectors list"#]],
    );
    check(
        &Folder::practice(),
        &["selectors", "list"],
        expect![[r#"
        exit 0
        nothing is known yet: runs learn as they go"#]],
    );
    check(
        &Folder::practice(),
        &["selectors", "explain", "x"],
        expect![[r#"
        exit 2
        error: nothing is known of x
          hint: runs learn as they go"#]],
    );
    let all = folder.run(&["selectors", "list", "--json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(all[1]["selector"], "[data-testid=\"store-sign-up\"]");
    assert_eq!(all[1]["suggestion"]["selector"], json!(["#shop", "#enrol"]));
}

#[test]
fn a_suggestion_is_written_into_the_flow_and_nothing_else_of_it_changes() {
    let folder = folder();
    let before = folder.read("flows/store.json");
    let accept = ["selectors", "accept", "flows/store.json", "5"];
    check(
        &folder,
        &accept,
        expect![[r#"
        exit 0
        flows/store.json, step 5: `#shop >>> #enrol` is its last alternative now"#]],
    );
    let written = "        [\n          \"#shop\",\n          \"#enrol\"\n        ]";
    let after = folder.read("flows/store.json");
    assert_eq!(after.replace(&format!(",\n{written}"), ""), before);
    assert!(after.contains(&format!("\"text/Sign up\"\n        ],\n{written}\n      ]")), "{after}");
    // What was known of the step stays known.
    let entry = &entries(&folder)["flows/store.json|5|http://127.0.0.1:8800|/store/signup"];
    assert_eq!(entry["digest"], digest(&folder));
    assert_eq!((&entry["alternative"], &entry["element"]["attributes"]["id"]), (&json!(5), &json!("enrol")));
    assert_eq!(entry["suggestion"], Value::Null);
    folder.run(&["validate"]).assert_code(0);
    check(
        &folder,
        &accept,
        expect![[r#"
        exit 2
        error: nothing is suggested for step 5 of flows/store.json
          hint: see what is known: regatta selectors explain flows/store.json 5"#]],
    );
}

#[test]
fn what_cannot_be_accepted_is_told() {
    let folder = folder();
    check(
        &folder,
        &["selectors", "accept", "flows/store.json", "4"],
        expect![[r#"
        exit 2
        error: nothing is known of step 4 of flows/store.json
          hint: known are steps of flows/gone.json, flows/store.json; see regatta selectors list"#]],
    );
    change(&folder, "flows/store.json", "aria/Sign up[role", "aria/Join[role");
    check(
        &folder,
        &["selectors", "accept", "flows/store.json", "5"],
        expect![[r#"
        exit 2
        error: nothing is suggested for step 5 of flows/store.json: it was edited since
          hint: see what is known: regatta selectors explain flows/store.json 5"#]],
    );
    check(
        &folder,
        &["selectors", "accept", "flows/gone.json", "1"],
        expect![[r#"
        exit 2
        error: nothing is suggested for step 1 of flows/gone.json: it was edited since
          hint: see what is known: regatta selectors explain flows/gone.json 1"#]],
    );
}

#[test]
fn what_was_learnt_is_forgotten() {
    let folder = folder();
    check(
        &folder,
        &["selectors", "forget", "flows/store.json", "4"],
        expect![[r#"
        exit 2
        error: nothing is known of step 4 of flows/store.json
          hint: known are steps of flows/gone.json, flows/store.json; see regatta selectors list"#]],
    );
    check(
        &folder,
        &["selectors", "forget", "flows/store.json", "5"],
        expect![[r#"
        exit 0
        1 entry forgotten; the next runs learn anew"#]],
    );
    assert_eq!(entries(&folder).as_object().unwrap().len(), 2);
    check(
        &folder,
        &["selectors", "forget", "flows/store.json"],
        expect![[r#"
        exit 0
        1 entry forgotten; the next runs learn anew"#]],
    );
    check(
        &folder,
        &["selectors", "forget", "--all"],
        expect![[r#"
        exit 0
        1 entry forgotten; the next runs learn anew"#]],
    );
    check(
        &folder,
        &["selectors", "forget", "--all"],
        expect![[r#"
        exit 0
        0 entries forgotten; the next runs learn anew"#]],
    );
    assert_eq!(entries(&folder), json!({}));
    check(
        &folder,
        &["selectors", "forget"],
        expect![[r#"
        exit 2
        error: the following required arguments were not provided:
          <FLOW>

        Usage: regatta selectors forget <FLOW> [STEP]

        For more information, try '--help'."#]],
    );
}
