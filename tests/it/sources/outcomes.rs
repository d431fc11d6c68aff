//! Outcomes on their way back: to a database, to a server, and through every death of the orchestrator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};

use super::database::sqlite;
use super::{BROWSERS, folder, refused, start, with_steps, write_session};
use crate::support::postgres::{PASSWORD, Postgres, blocking};
use crate::support::program::Folder;
use crate::support::sandbox::{SUBMISSIONS, Sandbox};
use crate::support::server::{Server, answer};

/// A profile whose run has nothing left to do but to say so: it needs no browser.
fn write_almost_done(folder: &Folder, profile: &str) {
    let done = SUBMISSIONS.map(|flag| (flag.to_owned(), json!(true)));
    let flags: serde_json::Map<String, Value> = done.into_iter().collect();
    write_session(folder, profile, "PENDING", &json!({ "completion_flags": flags }));
}

fn rows(folder: &Folder, file: &str, sql: &'static str) -> Vec<String> {
    blocking(async {
        let mut connection = SqliteConnectOptions::new().filename(folder.path(file)).connect().await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    })
}

#[test]
fn steps_and_ends_of_runs_go_into_a_database_as_they_happen() {
    let folder = folder();
    let sandbox = Sandbox::start(&folder.beside("sandbox"));
    sqlite(&folder.path("fleet.db"), "create table reported (n integer primary key, line text)");
    folder.write(
        "regatta.toml",
        "[outcomes]\nto = \"sqlite:fleet.db\"\nstatement = \"insert into reported (line) values (:profile_id || ' ' || :status || ' ' || coalesce(:flag, '-') || ' ' || coalesce(:error, '-'))\"\n",
    );
    folder.write("list", "p1\n");
    with_steps(&folder, 2);
    let site = format!("site={}", sandbox.site());
    let ended = folder.start(&["orchestrate", "--set", &site, "list"]).wait_for(BROWSERS);
    ended.assert_code(0);
    let reported = rows(&folder, "fleet.db", "select line from reported order by n");
    expect![[r#"
        p1 PROCESSING mailbox_created -
        p1 PROCESSING store_signup -
        p1 COMPLETED - -"#]]
    .assert_eq(&reported.join("\n"));
    // Another start has nothing new to deliver.
    folder.run(&["orchestrate", "list"]).assert_code(0);
    assert_eq!(rows(&folder, "fleet.db", "select line from reported").len(), 3);
}

#[test]
fn a_postgres_table_is_brought_up_to_date() {
    let (folder, postgres) = (folder(), Postgres::start());
    postgres.execute(
        "create type state as enum ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'NEEDS_ATTENTION');
         create table people (id text primary key, state state, error text, changed timestamptz, seen text);
         insert into people (id) values ('p1'), ('p2')",
    );
    folder.write(
        "regatta.toml",
        &format!(
            "[source]\nfrom = \"{0}\"\npassword_env = \"DB\"\nquery = \"select id from people\"\n[outcomes]\nto = \"{0}\"\npassword_env = \"DB\"\nstatement = \"update people set state = :status::state, error = :error, changed = :at::timestamptz, seen = 'x:y' where id = :profile_id\"\n",
            postgres.url()
        ),
    );
    write_almost_done(&folder, "p1");
    let ended = start(&folder, &[], &[("DB", PASSWORD)]).wait();
    ended.assert_code(1);
    let reported = postgres.texts("select id || ' ' || state || ' ' || coalesce(error, '-') || ' ' || (changed is not null) || seen from people order by id");
    assert_eq!(
        reported,
        ["p1 COMPLETED - truex:y", "p2 FAILED no Chromium found at /no/such/browser truex:y"]
    );
    assert!(!ended.stderr.contains("wait to be delivered"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_delivered_waits_for_the_next_start() {
    let folder = folder();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let server =
        Server::start(move |_| answer(if is_down.load(Ordering::SeqCst) { 503 } else { 204 }, &[], ""));
    folder.write("regatta.toml", "[outcomes]\ntoken_env = \"TOKEN\"\n");
    folder.write("list", "p1\np2\n");
    write_almost_done(&folder, "p1");
    write_almost_done(&folder, "p2");
    let url = server.url("/outcomes?key=word-of-the-address");
    let run = || start(&folder, &["--outcomes", &url, "list"], &[("TOKEN", "word-of-the-server")]).wait();
    let ended = run();
    // It has not held up the fleet, nor made it fail.
    ended.assert_code(0);
    let said = format!("2 outcomes wait to be delivered: {}: it answers 503", server.url("/outcomes"));
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(!ended.stderr.contains("word-of"), "{}", ended.stderr);

    down.store(false, Ordering::SeqCst);
    let before = server.asked().len();
    run().assert_code(0);
    let asked = server.asked();
    let reported: Vec<Value> =
        asked[before..].iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    // In the order in which the two of them ended, side by side.
    let mut short: Vec<_> = reported
        .iter()
        .map(|reported| format!("{} {}", reported["profile_id"], reported["status"]))
        .collect();
    short.sort();
    assert_eq!(short, [r#""p1" "COMPLETED""#, r#""p2" "COMPLETED""#]);
    for (asked, reported) in asked[before..].iter().zip(&reported) {
        assert_eq!(asked.method, "POST");
        assert_eq!(asked.header("idempotency-key"), reported["key"].as_str());
        assert_eq!(asked.header("authorization"), Some("Bearer word-of-the-server"));
        assert_eq!(
            (&reported["v"], &reported["flag"], &reported["error"]),
            (&json!(1), &Value::Null, &Value::Null)
        );
    }
}

#[test]
fn one_outcome_that_is_refused_holds_up_no_other_profile() {
    let folder = folder();
    let server =
        Server::start(|asked| answer(if asked.body.contains("\"p1\"") { 422 } else { 200 }, &[], ""));
    folder.write("list", "p1\np2\np3\n");
    ["p1", "p2", "p3"].iter().for_each(|profile| write_almost_done(&folder, profile));
    let ended = start(&folder, &["--max", "1", "--outcomes", &server.url("/"), "list"], &[]).wait();
    ended.assert_code(0);
    let reported: BTreeSet<_> = server
        .asked()
        .iter()
        .map(|asked| {
            serde_json::from_str::<Value>(&asked.body).unwrap()["profile_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(reported, ["p1", "p2", "p3"].map(str::to_owned).into());
    assert!(ended.stderr.contains("1 outcome waits to be delivered"), "{}", ended.stderr);
    assert!(ended.stderr.contains("it answers 422 to the outcome of p1"), "{}", ended.stderr);
}

/// The orchestrator is killed again and again while outcomes flow; the runs are real and go on.
#[test]
fn an_orchestrator_that_is_killed_while_outcomes_flow_loses_none() {
    const PROFILES: usize = 60;
    let folder = folder();
    // What was received, by key; and every document is answered slowly enough to be cut off.
    let received: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
    let keeps = Arc::clone(&received);
    let server = Server::start(move |asked| {
        let key = asked.header("idempotency-key").unwrap().to_owned();
        keeps.lock().unwrap().entry(key).or_default().push(asked.body.clone());
        answer(200, &[], "")
    });
    let mut list = String::new();
    for number in 0..PROFILES {
        // Some complete, some fail for want of a browser.
        if number % 3 > 0 {
            write_almost_done(&folder, &format!("p{number}"));
        }
        list += &format!("p{number}\n");
    }
    folder.write("list", &list);
    let arguments = ["--max", "4", "--outcomes", &server.url("/"), "list"];
    let count = || received.lock().unwrap().len();
    let mut kills = 0;
    for aim in [3, 9, 16, 26, 37] {
        let mut fleet = start(&folder, &arguments, &[]);
        fleet.until("outcomes", || (count() >= aim).then_some(()));
        fleet.kill();
        kills += 1;
    }
    start(&folder, &arguments, &[]).wait().assert_code(1);
    let received = received.lock().unwrap();
    // What the runs said is what must have arrived.
    let mut said = BTreeMap::new();
    for number in 0..PROFILES {
        for event in folder.events_of(&format!("p{number}"), "run_finished") {
            let key = format!(
                "{}:{}:{}",
                event["profile_id"].as_str().unwrap(),
                event["run_id"].as_str().unwrap(),
                event["seq"]
            );
            said.insert(key, event["outcome"].clone());
        }
    }
    assert!(said.len() >= PROFILES, "{said:?}");
    let missing: Vec<_> = said.keys().filter(|key| !received.contains_key(*key)).collect();
    assert!(missing.is_empty(), "after {kills} kills {missing:?} never arrived");
    let mut last = BTreeMap::new();
    for (key, documents) in received.iter() {
        // A second one is the same as the first: a receiver that keeps keys is safe.
        assert!(documents.iter().all(|document| *document == documents[0]), "{key}: {documents:?}");
        let document: Value = serde_json::from_str(&documents[0]).unwrap();
        last.insert(document["profile_id"].as_str().unwrap().to_owned(), document["status"].clone());
    }
    for number in 0..PROFILES {
        let expected = if number % 3 > 0 { "COMPLETED" } else { "FAILED" };
        assert_eq!(last[&format!("p{number}")], expected);
    }
    let doubles: usize = received.values().map(|documents| documents.len() - 1).sum();
    println!("{} outcomes after {kills} kills, {doubles} of them twice", received.len());
    folder.assert_nothing_left();
}

#[test]
fn what_cannot_take_outcomes_is_told_before_anything_starts() {
    let folder = folder();
    folder.write("list", "p1\n");
    let refused = |arguments: &[&str], settings: &str, expected| {
        folder.write("regatta.toml", settings);
        refused(&folder, &start(&folder, &[arguments, &["list"]].concat(), &[]).wait(), expected);
    };
    refused(
        &["--outcomes", "list.csv"],
        "",
        expect![[r#"
        error: outcomes cannot go there
          hint: write sqlite:FILE, postgres://USER@HOST/DATABASE or http(s)://…; a statement stands in regatta.toml"#]],
    );
    refused(
        &["--outcomes", "https://ann:hunter22@api.test/"],
        "",
        expect![[r#"
        error: the address of --outcomes holds a password, and everybody here can see it (`ps`)
          hint: leave it out and name the variable that holds it, [outcomes] password_env in regatta.toml; or write the address there as `to`"#]],
    );
    refused(
        &["--outcomes", "sqlite:no.db"],
        "",
        expect![[r#"
        error: cannot open the database for outcomes, FOLDER/no.db: No such file or directory (os error 2)"#]],
    );
    sqlite(&folder.path("fleet.db"), "create table t (a)");
    refused(
        &["--outcomes", "sqlite:fleet.db"],
        "",
        expect![[r#"
        error: outcomes go to a database, and no statement says how
          hint: write below [outcomes] in regatta.toml: statement = "update profiles set status = :status where id = :profile_id""#]],
    );
    refused(
        &["--outcomes", "sqlite:fleet.db"],
        "[outcomes]\nstatement = \"update t set a = :state where b = :profile_id\"\n",
        expect![[r#"
        error: the statement for outcomes has an unknown parameter `:state`
          hint: parameters are :profile_id, :status, :flag, :error, :at and :key; all of them are text, so cast others: :at::timestamptz"#]],
    );
    assert!(!folder.path("state").exists(), "nothing was started");
}

#[test]
fn an_outbox_that_cannot_be_read_is_told_and_left_as_it_is() {
    let folder = folder();
    let garbage = "this is no outbox, and long enough that it cannot be taken for one, not even in a hurry";
    folder.write("state/.outbox.db", garbage);
    folder.write("list", "p1\n");
    let ended = start(&folder, &["--outcomes", "http://127.0.0.1:1/", "list"], &[]).wait();
    refused(
        &folder,
        &ended,
        expect![[r#"
        error: cannot open the outbox FOLDER/state/.outbox.db: file is not a database
          hint: move it away to begin with a new one; what it holds is then not delivered"#]],
    );
    assert_eq!(folder.read("state/.outbox.db"), garbage);
    assert!(folder.events("p1").is_empty(), "nothing was started");
}
