//! `regatta play`: one flow alone, on a real Chromium; and our own steps as a run plays them.

mod recordings;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use chromiumoxide::cdp::browser_protocol::target::GetTargetsParams;
use expect_test::{Expect, expect};
use regatta_page::connection::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::page::serve;
use crate::support::chrome::Chrome;
use crate::support::program::{Ended, Folder, Program};

const PAGE: &str = r#"<h1>Join</h1><input id=email><input type=file id=photo style="display:none">
    <div id=cookies><button id=accept onclick="cookies.remove(); document.title = 'accepted'">Accept</button></div>
    <button id=go onclick="code.textContent = 'Your code: 424242'">Go</button><p id=code></p>"#;

const FLOW: &str = r##"{ "title": "Join", "steps": [
  { "type": "navigate", "url": "{{ variables.site }}/" },
  { "type": "customStep", "name": "regatta.when", "parameters": { "exists": [["#cookies"]], "steps": [
    { "type": "click", "selectors": [["#accept"]], "offsetX": 3, "offsetY": 3 },
    { "type": "customStep", "name": "regatta.when", "parameters": { "exists": ["#cookies"], "steps": [
      { "type": "customStep", "name": "regatta.handoff", "parameters": { "message": "still there" } } ] } } ] } },
  { "type": "change", "selectors": ["#email"], "value": "{{ identity.email }}" },
  { "type": "customStep", "name": "regatta.upload", "parameters": { "selectors": ["#photo"], "files": ["../photo.txt"] } },
  { "type": "waitForExpression", "expression": "photo.files[0].text().then(text => text === 'photo' && document.title === 'accepted')" },
  { "type": "click", "selectors": ["#go"], "offsetX": 3, "offsetY": 3 },
  { "type": "customStep", "name": "regatta.capture", "parameters": { "selectors": ["#code"], "from": "text", "pattern": "\\d+", "into": "identity.code" } },
  { "type": "change", "selectors": ["#email"], "value": "{{ identity.code }}" },
  { "type": "waitForExpression", "expression": "email.value === '424242'" },
  { "type": "customStep", "name": "regatta.screenshot", "parameters": { "name": "after {{ identity.code }}" } }
] }"##;

/// A folder with the flow, and a place of its own for what is thrown away.
struct Author {
    folder: Folder,
    site: String,
}

impl Author {
    async fn new() -> Self {
        Self::at(PAGE).await
    }

    async fn at(page: &'static str) -> Self {
        let (site, _) = serve(page).await;
        let folder = Folder::empty();
        folder.write("flows/join.json", FLOW);
        folder.write("photo.txt", "photo");
        fs::create_dir(folder.beside("tmp")).unwrap();
        Self { folder, site }
    }

    fn start(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(self.folder.root()).args(arguments).env("TMPDIR", self.folder.beside("tmp"));
        self.folder.start_command(command)
    }

    /// With the site as a variable. The browser is gone afterwards, and its folder.
    async fn play(&self, arguments: &[&str]) -> Ended {
        let site = format!("site={}", self.site);
        let arguments = [&["play"], arguments, &["--set", site.as_str()]].concat();
        self.ended(self.start(&arguments)).await
    }

    async fn ended(&self, program: Program) -> Ended {
        // The site answers on this thread meanwhile.
        let ended = tokio::task::spawn_blocking(|| program.wait()).await.unwrap();
        self.folder.assert_nothing_left();
        let left: Vec<_> = fs::read_dir(self.folder.beside("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        ended
    }

    /// Exit code and output, with what is another at every run replaced.
    fn rendered(&self, ended: &Ended) -> String {
        let text = format!("exit {}\n{}{}", ended.code.unwrap(), ended.stdout, ended.stderr);
        let text = self.folder.normal(&text).replace(&self.site, "SITE");
        let replaced = [
            (r"(?m)^\d+ ms\b|^\d+\.\d s\b", "TIME"),
            (r" +\d+ ms\b| +\d+\.\d s\b", " TIME"),
            (r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN"),
            (r"\d+ requests, .* received", "TRAFFIC"),
        ];
        let replaced = replaced.into_iter().fold(text, |text, (pattern, name)| {
            regex::Regex::new(pattern).unwrap().replace_all(&text, name).into_owned()
        });
        replaced.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(self.folder.normal(path.to_str().unwrap()));
                }
            }
        }
        let run = regex::Regex::new(r"\d{8}T\d{6}-[0-9a-f]{8}").unwrap();
        let mut found: Vec<_> = found.iter().map(|path| run.replace_all(path, "RUN").into_owned()).collect();
        found.sort();
        found
    }

    async fn check(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.rendered(&self.play(arguments).await));
    }

    fn edit(&self, from: &str, to: &str) {
        assert!(FLOW.contains(from), "{from}");
        self.folder.write("flows/join.json", &FLOW.replacen(from, to, 1));
    }
}

const EMAIL: [&str; 2] = ["--set", "identity.email=ann@practice.test"];

#[tokio::test]
async fn a_flow_is_played_and_nothing_is_left_but_its_picture() {
    let author = Author::new().await;
    author
        .check(
            &[&["flows/join.json"], &EMAIL[..]].concat(),
            expect![[r#"
    exit 0
    flows/join.json: Join, 13 steps
    browser started (chromium, TIME)
        1  navigate TIME  {{ variables.site }}/
        2  regatta.when TIME  #cookies is present
      2.1  click TIME  #accept
      2.2  regatta.when TIME  #cookies is absent: its steps are skipped
        3  change TIME  #email
        4  regatta.upload TIME  #photo
        5  waitForExpression TIME  photo.files[0].text().then(text => text === 'photo' && docu…
        6  click TIME  #go
        7  regatta.capture TIME  identity.code: 6 characters, not shown
        8  change TIME  #email
        9  waitForExpression TIME  email.value === '‹identity.code›'
       10  regatta.screenshot TIME  FOLDER/artifacts/.play/RUN/after__identity_code_.png
    TIME in all, TRAFFIC
"#]],
        )
        .await;
    assert_eq!(
        author.files(),
        [
            "FOLDER/artifacts/.play/RUN/after__identity_code_.png",
            "FOLDER/flows/join.json",
            "FOLDER/photo.txt"
        ]
    );
}

#[tokio::test]
async fn events_are_lines_and_hold_no_value() {
    let author = Author::new().await;
    let ended = author.play(&[&["flows/join.json", "--json"], &EMAIL[..]].concat()).await;
    ended.assert_code(0);
    assert!(!ended.stdout.contains("424242") && !ended.stdout.contains("ann@"), "{}", ended.stdout);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    let rendered = |event: &Value| {
        ["type", "step", "action", "outcome", "field", "characters"]
            .map(|key| event[key].as_str().map_or(event[key].to_string(), str::to_owned))
            .join(" ")
            .replace(" null", "")
    };
    let finished = events.iter().filter(|event| event["type"] != "action_started").map(rendered);
    expect![[r#"
    play_started
    browser_started
    action_finished 1 navigate done
    action_finished 2 regatta.when holds
    action_finished 2.1 click done
    action_finished 2.2 regatta.when holds_not
    action_finished 3 change done
    action_finished 4 regatta.upload done
    action_finished 5 waitForExpression done
    action_finished 6 click done
    captured 7 code 6
    action_finished 7 regatta.capture done
    action_finished 8 change done
    action_finished 9 waitForExpression done
    screenshot 10
    action_finished 10 regatta.screenshot done
    browser_stopped
    play_finished completed
"#]]
    .assert_eq(&finished.map(|line| line + "\n").collect::<String>());
    assert_eq!(events.iter().filter(|event| event["type"] == "action_started").count(), 12);
}

#[tokio::test]
async fn a_failed_step_says_where_and_what_and_what_is_kept() {
    let author = Author::new().await;
    author.edit(
        r##""selectors": [["#accept"]]"##,
        r##""selectors": [["text/{{ identity.email }}"]], "timeout": 200"##,
    );
    author
        .check(
            &[&["flows/join.json"], &EMAIL[..]].concat(),
            expect![[r#"
    exit 1
    flows/join.json: Join, 13 steps
    browser started (chromium, TIME)
        1  navigate TIME  {{ variables.site }}/
        2  regatta.when TIME  #cookies is present
      2.1  click TIME  failed text/{{ identity.email }}
    TIME in all, TRAFFIC
    error: no element matches `text/‹identity.email›` within TIME
      at flows/join.json:4, step 2.1 (click)
      see FOLDER/artifacts/.play/RUN
      hint: the page shows "Join"
"#]],
        )
        .await;
    assert_eq!(
        author.files()[..5].iter().map(|path| path.rsplit('/').next().unwrap()).collect::<Vec<_>>(),
        ["console.txt", "index.html", "page.html", "screenshot.png", "trace.zip"]
    );
}

#[tokio::test]
async fn a_handoff_inside_a_when_needs_a_person() {
    let author = Author::new().await;
    author.edit(r##""exists": ["#cookies"]"##, r##""exists": ["h1"]"##);
    author
        .check(
            &[&["flows/join.json"], &EMAIL[..]].concat(),
            expect![[r#"
    exit 3
    flows/join.json: Join, 13 steps
    browser started (chromium, TIME)
        1  navigate TIME  {{ variables.site }}/
        2  regatta.when TIME  #cookies is present
      2.1  click TIME  #accept
      2.2  regatta.when TIME  h1 is present
    2.2.1  regatta.handoff TIME  needs a person
    TIME in all, TRAFFIC
    error: still there
      see FOLDER/artifacts/.play/RUN
      hint: here a run would end as NEEDS_ATTENTION and wait for a person
"#]],
        )
        .await;
}

#[tokio::test]
async fn what_cannot_be_played_is_told_before_a_browser_starts() {
    let author = Author::new().await;
    let mut rendered = String::new();
    for arguments in [
        &["nothing.json"][..],
        &["flows/join.json"],
        &["flows/join.json", "--allow", "http://a.test/path"],
        &["flows/join.json", "--endpoint", "http://127.0.0.1:1/"],
        &["flows/join.json", "--endpoint", "ws://127.0.0.1:1/", "--profile", "p1"],
    ] {
        rendered += &author.rendered(&author.play(arguments).await);
    }
    rendered += &author.rendered(&author.ended(author.start(&["play", "flows/join.json"])).await);
    author.edit("../photo.txt", "photo.txt");
    rendered += &author.rendered(&author.play(&["flows/join.json"]).await);
    expect![[r##"
    exit 2
    error: cannot read the flow `nothing.json`: No such file or directory (os error 2)
      hint: record one in the Recorder panel of Chrome's DevTools and export it as JSON
    exit 2
    error: the flow flows/join.json uses identity.email
      hint: give it a value: --set identity.email=VALUE; or --profile ID of one that has it
    exit 2
    error: invalid value 'http://a.test/path' for '--allow <ORIGIN>': expected scheme, host and port: https://app.example.test

    For more information, try '--help'.
    exit 2
    error: invalid value 'http://127.0.0.1:1/' for '--endpoint <WS>': expected the browser's address: ws://127.0.0.1:9222/devtools/browser/…

    For more information, try '--help'.
    exit 2
    error: the argument '--endpoint <WS>' cannot be used with '--profile <PROFILE>'

    Usage: regatta play --endpoint <WS> --set <NAME=VALUE> <FLOW>

    For more information, try '--help'.
    exit 2
    error: step 1 (navigate): unknown name `variables.site` in `{{ variables.site }}/`
       ╭─[flows/join.json:2:3]
     1 │ { "title": "Join", "steps": [
     2 │   { "type": "navigate", "url": "{{ variables.site }}/" },
       ·   ───────────────────────────┬───────────────────────────
       ·                              ╰── step 1
     3 │   { "type": "customStep", "name": "regatta.when", "parameters": { "exists": [["#cookies"]], "steps": [
       ╰────
      help: add `site` to [variables] in the workflow; `play` takes --set site=VALUE, too
    exit 2
    error: step 4 (regatta.upload): there is no file `photo.txt`
       ╭─[flows/join.json:8:3]
     7 │   { "type": "change", "selectors": ["#email"], "value": "{{ identity.email }}" },
     8 │   { "type": "customStep", "name": "regatta.upload", "parameters": { "selectors": ["#photo"], "files": ["photo.txt"] } },
       ·   ───────────────────────────────────────────────────────────┬──────────────────────────────────────────────────────────
       ·                                                              ╰── step 4
     9 │   { "type": "waitForExpression", "expression": "photo.files[0].text().then(text => text === 'photo' && document.title === 'accepted')" },
       ╰────
      help: files stand relative to the flow: looked for FOLDER/flows/photo.txt
"##]]
    .assert_eq(&rendered);
    assert_eq!(author.files(), ["FOLDER/flows/join.json", "FOLDER/photo.txt"]);
}

#[tokio::test]
async fn a_file_that_is_missing_when_its_turn_comes_is_told() {
    let author = Author::new().await;
    author.edit("../photo.txt", "{{ identity.email }}.txt");
    let ended = author.play(&[&["flows/join.json"], &EMAIL[..]].concat()).await;
    ended.assert_code(1);
    let rendered = author.rendered(&ended);
    assert!(
        rendered
            .contains("error: the file `FOLDER/flows/‹identity.email›.txt` cannot be uploaded: No such file"),
        "{rendered}"
    );
}

/// Asks for a name and shows what it was given; offers a file.
const ASKING: &str = r#"<button id=ask onclick="rendered.textContent = 'rendered ' + prompt('name?')">Ask</button><p id=rendered></p>
    <a id=file download=notes.txt href="data:text/plain,notes">File</a>"#;

fn asking(given: &str) -> String {
    json!({ "title": "Ask", "steps": [
        { "type": "navigate", "url": "{{ variables.site }}/" },
        { "type": "click", "selectors": ["#ask"], "offsetX": 3, "offsetY": 3 },
        { "type": "waitForElement", "selectors": [format!("text/rendered {given}")], "timeout": 2000 },
        { "type": "click", "selectors": ["#file"], "offsetX": 3, "offsetY": 3 },
    ] })
    .to_string()
}

#[tokio::test]
async fn dialogs_are_answered_as_asked_or_as_the_workflow_says() {
    let author = Author::at(ASKING).await;
    let arguments = |given: &str, more: &[&'static str]| {
        author.folder.write("flows/join.json", &asking(given));
        [&["flows/join.json"], more].concat()
    };
    author.play(&arguments("null", &[])).await.assert_code(0);
    author.play(&arguments("", &["--accept-dialogs"])).await.assert_code(0);
    author.play(&arguments("Bo", &["--accept-dialogs", "Bo"])).await.assert_code(0);
    author.folder.write(
        "workflow.toml",
        "name = \"n\"\nallowed_origins = [\"{{ variables.site }}\"]\ndialogs = { accept = \"Ann\" }\n[variables]\nsite = \"x\"\n[[step]]\nflag = \"a\"\nflow = \"missing.json\"\ndialogs = \"dismiss\"\n",
    );
    author.play(&arguments("Ann", &[])).await.assert_code(0);
    author.play(&arguments("Bo", &["--accept-dialogs", "Bo"])).await.assert_code(0);
    author.play(&arguments("null", &[])).await.assert_code(1);
}

#[tokio::test]
async fn a_played_flow_leaves_its_downloads_and_where_asked_its_trace() {
    let author = Author::at(ASKING).await;
    author.folder.write("flows/join.json", &asking("null"));
    author.play(&["flows/join.json"]).await.assert_code(0);
    let [flow, photo, play] =
        ["flows/join.json", "photo.txt", "artifacts/.play/RUN"].map(|name| format!("FOLDER/{name}"));
    let file = format!("{play}/downloads/notes.txt");
    assert_eq!(author.files(), [file.clone(), flow.clone(), photo.clone()]);
    fs::remove_dir_all(author.folder.root().join("artifacts")).unwrap();
    author.play(&["flows/join.json", "--trace"]).await.assert_code(0);
    assert_eq!(author.files(), [file, format!("{play}/trace.zip"), flow, photo]);
}

#[tokio::test]
async fn origins_are_the_workflows_where_there_is_one() {
    let author = Author::new().await;
    author.edit(r##""selectors": ["#email"]"##, r##""selectors": ["#email", "xpath//input[1]"]"##);
    author.folder.write(
        "workflow.toml",
        "name = \"n\"\nallowed_origins = [\"http://elsewhere.test\"]\n[variables]\nsite = \"x\"\n[[step]]\nflag = \"a\"\nflow = \"missing.json\"\n",
    );
    let arguments = [&["flows/join.json"], &EMAIL[..]].concat();
    let refused = author.play(&arguments).await;
    let rendered = author.rendered(&refused);
    assert!(
        rendered.starts_with("exit 2\nerror: step 1 (navigate): SITE is not in allowed_origins\n"),
        "{rendered}"
    );
    assert!(rendered.contains("or to `play` with --allow"), "{rendered}");
    let allowed = author.play(&[arguments.as_slice(), &["--allow", &author.site]].concat()).await;
    allowed.assert_code(0);
    let cache = author.folder.read(".selector_cache.json");
    assert!(cache.contains(&format!("flows/join.json|3|{}|/", author.site)), "as in a run: {cache}");
}

/// Played as far as its first step.
async fn begun(mut program: Program, output: PathBuf) -> Program {
    tokio::task::spawn_blocking(move || {
        let played = |text: String| text.contains("action_finished").then_some(());
        program.until("the first step", || played(fs::read_to_string(&output).ok()?));
        program
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn ctrl_c_ends_a_pause_and_leaves_nothing_behind() {
    let author = Author::new().await;
    let site = format!("site={}", author.site);
    let arguments = [&["play", "flows/join.json", "--json", "--slow", "1h", "--set", &site], &EMAIL[..]];
    let program = begun(author.start(&arguments.concat()), author.folder.beside("0.out")).await;
    program.signal(Signal::INT);
    let ended = author.ended(program).await;
    ended.assert_code(7);
    assert_eq!(ended.stdout.matches("action_finished").count(), 1, "{}", ended.stdout);
    assert!(
        ended.stdout.contains(r#""type":"play_finished","outcome":"stopped","exit_code":7"#),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "stopped\n");
    assert_eq!(author.files(), ["FOLDER/flows/join.json", "FOLDER/photo.txt"]);
}

#[tokio::test]
async fn what_a_killed_play_left_is_found_and_ended_by_clean_and_by_the_next_play() {
    let author = Author::new().await;
    let site = format!("site={}", author.site);
    let arguments = [&["play", "flows/join.json", "--json", "--slow", "1h", "--set", &site], &EMAIL[..]];
    for (nth, sweeper) in ["clean", "play"].into_iter().enumerate() {
        let output = author.folder.beside(&format!("{}.out", nth * 3));
        let program = begun(author.start(&arguments.concat()), output).await;
        program.signal(Signal::KILL);
        tokio::task::spawn_blocking(|| program.wait()).await.unwrap();
        let left = fs::read_dir(author.folder.beside("tmp")).unwrap().flatten();
        let ours = left.filter(|entry| entry.file_name().to_str().unwrap().starts_with("regatta-play-"));
        assert_eq!(ours.count(), 1, "its folder is left");

        let looked = author.start(&["clean", "--dry-run", "--json"]);
        let looked = tokio::task::spawn_blocking(|| looked.wait()).await.unwrap();
        looked.assert_code(0);
        let rows: Value = serde_json::from_str(&looked.stdout).unwrap();
        let row = (&rows[0]["profile_id"], &rows[0]["kind"], &rows[0]["state"]);
        assert_eq!(row, (&json!("play"), &json!("browser"), &json!("found")), "{rows}");
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        match sweeper {
            // `ended` looks that nothing is left.
            "clean" => assert!(author.ended(author.start(&["clean"])).await.stdout.contains("ended")),
            _ => author.play(&[&["flows/join.json"], &EMAIL[..]].concat()).await.assert_code(0),
        }
    }
}

#[tokio::test]
async fn a_profile_lends_its_browser_and_identity_and_is_left_as_it_was() {
    let author = Author::new().await;
    let document = json!({
        "profile_id": "p1", "status": "NEEDS_ATTENTION", "platform": "desktop",
        "completion_flags": { "joined": false }, "identity": { "email": "ann@practice.test" },
    });
    author.folder.write("state/p1.json", &document.to_string());
    let site = format!("site={}", author.site);
    let arguments = ["play", "flows/join.json", "--json", "--profile", "p1", "--set", &site];
    let slow = [&arguments[..], &["--slow", "1h"]].concat();
    let first = begun(author.start(&slow), author.folder.beside("0.out")).await;
    let second = tokio::task::spawn_blocking({
        let second = author.start(&arguments);
        || second.wait()
    });
    let second = second.await.unwrap();
    second.assert_code(4);
    let busy = format!("error: profile p1 is already being run (process {})", first.pid());
    assert!(second.stderr.starts_with(&busy), "{}", second.stderr);
    first.signal(Signal::TERM);
    author.ended(first).await.assert_code(7);

    author.ended(author.start(&arguments)).await.assert_code(0);
    assert_eq!(author.folder.read("state/p1.json"), document.to_string());
    assert!(author.folder.path("browsers/p1").is_dir(), "it was that profile's browser");
    let run = fs::read_dir(author.folder.path("artifacts/p1")).unwrap().next().unwrap().unwrap();
    assert!(run.path().join("after__identity_code_.png").exists());
}

#[tokio::test]
async fn a_browser_that_runs_already_keeps_its_own_tabs() {
    let author = Author::new().await;
    let mut chrome = Chrome::launch("about:blank");
    let arguments = [&["flows/join.json", "--endpoint", chrome.ws()], &EMAIL[..]].concat();
    author.play(&arguments).await.assert_code(0);
    let connection = Connection::connect(chrome.ws()).await.unwrap();
    let targets = connection.browser().send(GetTargetsParams::default()).await.unwrap().target_infos;
    let pages = targets.iter().filter(|target| target.r#type == "page").map(|target| target.url.as_str());
    assert_eq!(pages.collect::<Vec<_>>(), ["about:blank"]);

    let ws = chrome.ws().to_owned();
    chrome.kill();
    let gone = author.play(&[&["flows/join.json", "--endpoint", &ws], &EMAIL[..]].concat()).await;
    gone.assert_code(5);
    let said = format!("error: no browser answers at {ws}: cannot connect to the browser: ");
    assert!(gone.stderr.starts_with(&said), "{}", gone.stderr);
    assert!(gone.stderr.contains("hint: start one with --remote-debugging-port=9222"), "{}", gone.stderr);
}

/// Our own steps in a run: pictures lie beside the evidence of the attempt, and what is captured inside a
/// `when` is durable with the flag.
#[tokio::test]
async fn a_run_plays_our_own_steps_too() {
    let author = Author::new().await;
    author.edit(r##""exists": ["#cookies"]"##, r##""exists": ["h1"]"##);
    author.folder.write(
        "workflow.toml",
        "name = \"n\"\nallowed_origins = [\"{{ variables.site }}\"]\n[variables]\nsite = \"x\"\n[[step]]\nflag = \"joined\"\nflow = \"flows/when.json\"\nprepare = { email = \"ann@practice.test\" }\n[[step]]\nflag = \"asked\"\nflow = \"flows/join.json\"\n",
    );
    let inner: Value = serde_json::from_str(FLOW).unwrap();
    let when = json!({ "title": "t", "steps": [inner["steps"][0], { "type": "customStep", "name": "regatta.when",
        "parameters": { "exists": ["h1"], "steps": inner["steps"].as_array().unwrap()[1..] } }] });
    author.folder.write("flows/when.json", &when.to_string());
    let site = format!("site={}", author.site);
    let ended = author.ended(author.start(&["run", "p1", "--set", &site])).await;
    ended.assert_code(3);
    let session = author.folder.session("p1").unwrap();
    assert_eq!(
        (&session["identity"]["code"], &session["completion_flags"]["joined"]),
        (&json!("424242"), &json!(true))
    );
    assert_eq!(
        (&session["status"], &session["last_error"]["message"]),
        (&json!("NEEDS_ATTENTION"), &json!("still there"))
    );
    let pictures = author.folder.events_of("p1", "screenshot");
    let run = pictures[0]["run_id"].as_str().unwrap();
    let picture = author.folder.path(&format!("artifacts/p1/{run}-joined-1/after__identity_code_.png"));
    assert_eq!(pictures[0]["path"], picture.to_str().unwrap());
    assert!(picture.exists());
    assert!(author.folder.path(&format!("artifacts/p1/{run}-asked-1/screenshot.png")).exists());
}
