//! Profiles that queries name: a real SQLite file and a real Postgres.

use std::path::Path;

use expect_test::expect;
use rustix::process::Signal;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::{fleet, folder, refused, start, taken, write_session};
use crate::support::postgres::{PASSWORD, Postgres, blocking};
use crate::support::program::Folder;

pub fn sqlite(path: &Path, sql: &str) {
    blocking(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await
    })
    .unwrap();
}

/// The tests' folder, with the address of Postgres and the variable of its password.
fn with_postgres(query: &str) -> (Folder, Postgres) {
    let (folder, postgres) = (folder(), Postgres::start());
    let settings =
        format!("[source]\nfrom = \"{}\"\npassword_env = \"DB\"\nquery = \"{query}\"\n", postgres.url());
    folder.write("regatta.toml", &settings);
    (folder, postgres)
}

fn assert_no_password(folder: &Folder, text: &str) {
    assert!(!text.contains(PASSWORD), "{text}");
    for entry in std::fs::read_dir(folder.path("logs")).into_iter().flatten() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn rows_of_a_sqlite_file_become_profiles() {
    let folder = folder();
    sqlite(
        &folder.path("fleet.db"),
        "create table people (name text, mail text, phone integer, shop text, weight real);
         insert into people values ('p1', 'a@practice.test', 1, 'north', 1), ('p2', null, 0, null, 9), ('p/3', null, 0, null, 0), ('p1', null, 0, null, 0);",
    );
    let query = "select name as profile_id, mail as \"identity.email\", case phone when 1 then 'mobile' else 'desktop' end as platform, shop as \"variables.shop\", cast(weight as integer) as priority from people where mail like '%' or 1";
    let ended = fleet(&folder, &[&format!("sqlite:fleet.db?query={query}")]);
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2"]);
    let p1 = folder.session("p1").unwrap();
    assert_eq!(
        (&p1["platform"], &p1["identity"], &p1["variables"]),
        (&json!("mobile"), &json!({ "email": "a@practice.test" }), &json!({ "shop": "north" }))
    );
    assert_eq!(folder.session("p2").unwrap()["identity"], json!({}));
    let said =
        "row 3 of FOLDER/fleet.db is left out: `p/3` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -";
    assert!(folder.normal(&ended.stderr).contains(said), "{}", ended.stderr);
    assert_eq!(ended.report()["refused"], 1);
}

#[test]
fn what_is_wrong_with_a_sqlite_file_or_its_query_is_told() {
    let folder = folder();
    let refused = |source: &str, expected| refused(&folder, &fleet(&folder, &["--source", source]), expected);
    refused(
        "sqlite:no.db?query=select 1",
        expect![[r#"
        error: cannot open the database FOLDER/no.db: No such file or directory (os error 2)
          hint: is this the file you meant? It stands where the shell stands, or in the folder"#]],
    );
    folder.write(
        "text.db",
        "this is not a database, and long enough that it cannot be taken for one, not even in a hurry",
    );
    refused(
        "sqlite:text.db?query=select 1",
        expect![[r#"
        error: FOLDER/text.db: the query fails: file is not a database
          hint: try it with the database's own client; its columns are profile_id, platform, priority, identity.FIELD and variables.NAME"#]],
    );
    sqlite(&folder.path("fleet.db"), "create table people (name text); insert into people values ('p1')");
    refused(
        "sqlite:fleet.db?query=select id from people",
        expect![[r#"
        error: FOLDER/fleet.db: the query fails: no such column: id
          hint: try it with the database's own client; its columns are profile_id, platform, priority, identity.FIELD and variables.NAME"#]],
    );
    refused(
        "sqlite:fleet.db?query=select name from people",
        expect![[r#"
            error: the query of FOLDER/fleet.db: unknown column `name`
              hint: columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out"#]],
    );
    refused(
        "sqlite:fleet.db?query=select name as id, 'x' as \"variables.sohp\" from people",
        expect![[r#"
            error: the query of FOLDER/fleet.db: the workflow declares no variable `sohp`; did you mean `shop`?
              hint: correct the name, or declare the variable below [variables] in the workflow"#]],
    );
    refused(
        "sqlite:fleet.db?query=select 'mobile' as platform",
        expect![[r#"
        error: the query of FOLDER/fleet.db: there is no column `profile_id`
          hint: name the column of the profile's id `profile_id`: in SQL, select name as profile_id"#]],
    );
}

#[test]
fn rows_of_a_postgres_database_become_profiles_whatever_their_types() {
    let (folder, postgres) = with_postgres(
        "select id, form as platform, person as identity, shop as \\\"variables.shop\\\", rank as priority from people order by id",
    );
    postgres.execute(
        "create type form as enum ('mobile', 'desktop');
         create domain shop as varchar(20);
         create table people (id text, form form, person jsonb, shop shop, rank smallint);
         insert into people values ('p1', 'mobile', '{\"email\": \"a@practice.test\", \"age\": 7}', 'north', 2), ('p2', null, null, null, null), ('p?', null, null, null, null);",
    );
    let ended = start(&folder, &[], &[("DB", PASSWORD)]).wait();
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2"]);
    let p1 = folder.session("p1").unwrap();
    assert_eq!(
        (&p1["platform"], &p1["identity"], &p1["variables"]),
        (&json!("mobile"), &json!({ "email": "a@practice.test", "age": 7 }), &json!({ "shop": "north" }))
    );
    let said =
        format!("row 3 of {} is left out: `p?` is not a profile id", postgres.url().replace("fleet@", ""));
    assert!(ended.stderr.contains(&said), "{said}\n{}", ended.stderr);
    assert_no_password(&folder, &ended.stderr);
}

#[test]
fn what_is_wrong_with_postgres_is_told_without_its_password() {
    let (folder, postgres) = with_postgres("select id from people");
    let refused = |password: &str, arguments: &[&str], expected| {
        let ended = start(&folder, arguments, &[("DB", password)]).wait();
        assert_no_password(&folder, &ended.stderr);
        refused(&folder, &ended, expected);
    };
    refused(
        "wrong-word",
        &[],
        expect![[r#"
        error: postgres://HOST/postgres refuses the credentials: password authentication failed for user "fleet"
          hint: name the variable that holds the password: password_env in regatta.toml"#]],
    );
    refused(
        PASSWORD,
        &[],
        expect![[r#"
        error: postgres://HOST/postgres: the query fails: relation "people" does not exist
          hint: try it with the database's own client; its columns are profile_id, platform, priority, identity.FIELD and variables.NAME"#]],
    );
    postgres.execute("create table people (name text); insert into people values ('p1')");
    let other = |query: &str| format!("{}?query={query}", postgres.url());
    refused(
        PASSWORD,
        &[&other("select name from people")],
        expect![[r#"
            error: the query of postgres://HOST/postgres: unknown column `name`
              hint: columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out"#]],
    );
    refused(
        PASSWORD,
        &["postgres://fleet@127.0.0.1:1/app?query=select 1"],
        expect![[r#"
        error: postgres://HOST/app is not reachable: Connection refused (os error 111)
          hint: is it up, and are host and port right?"#]],
    );
}

#[test]
fn who_is_new_joins_a_fleet_that_follows_as_soon_as_postgres_says_so() {
    let (folder, postgres) = with_postgres("select id from people");
    let settings = folder.read("regatta.toml");
    // The clock would take an hour.
    folder.write("regatta.toml", &format!("{settings}listen = \"people\"\nfollow = \"1h\"\n"));
    postgres.execute("create table people (id text); insert into people values ('p1')");
    let mut fleet = start(&folder, &[], &[("DB", PASSWORD)]);
    fleet.until("the first to end", || (folder.session("p1")?["status"] == "FAILED").then_some(()));
    // What `ps` shows of it and of its runs.
    for process in folder.processes() {
        assert!(!process.arguments.iter().any(|argument| argument.contains(PASSWORD)), "{process:?}");
    }
    // A row that cannot be read does not end it.
    postgres.execute("insert into people values ('p?'), ('p2'); notify people");
    fleet.until("the second to end", || (folder.session("p2")?["status"] == "FAILED").then_some(()));
    postgres.execute("insert into people values ('p3'); notify people");
    fleet.until("the third to end", || (folder.session("p3")?["status"] == "FAILED").then_some(()));
    fleet.signal(Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2", "p3"]);
    assert_no_password(&folder, &ended.stderr);
}

#[test]
fn a_followed_source_that_fails_is_told_and_asked_again() {
    let folder = folder();
    sqlite(&folder.path("fleet.db"), "create table people (id text); insert into people values ('p1')");
    let mut fleet = start(&folder, &["--follow=20ms", "sqlite:fleet.db?query=select id from people"], &[]);
    fleet.until("the first to end", || (folder.session("p1")?["status"] == "FAILED").then_some(()));
    sqlite(&folder.path("fleet.db"), "alter table people rename to others");
    fleet.until_said("no such table: people");
    sqlite(&folder.path("fleet.db"), "alter table others rename to people; insert into people values ('p2')");
    fleet.until("the second to end", || (folder.session("p2")?["status"] == "FAILED").then_some(()));
    fleet.signal(Signal::INT);
    assert_eq!(taken(&fleet.wait()), ["p1", "p2"]);
    write_session(&folder, "p1", "COMPLETED", &json!({}));
}
