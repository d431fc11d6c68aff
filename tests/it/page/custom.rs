//! Our own steps: `regatta.when` as the question it asks, `regatta.upload`, `regatta.screenshot`. In the
//! lines of a `when`, `""` stands for yes.

use expect_test::expect;

use super::rig::{Rig, check};

const FORM: &str = r#"<input type=file id=one data-log="input change" style="display:none">
    <input type=file id=many multiple data-log=change><input type=file id=off disabled>
    <label id=label for=one>Photo</label><button id=button onclick="one.click()">Choose</button>
    <input type=file id=folder webkitdirectory><input id=text>
    <iframe id=frame srcdoc=""></iframe>"#;

fn when(selectors: &str) -> String {
    format!(
        r#"{{"type":"customStep","name":"regatta.when","parameters":{{"exists":{selectors},"steps":[{{"type":"close"}}]}},"timeout":1000}}"#
    )
}

fn upload(selector: &str, files: &[&std::path::Path]) -> String {
    let files = serde_json::to_string(files).unwrap();
    format!(
        r#"{{"type":"customStep","name":"regatta.upload","parameters":{{"selectors":["{selector}"],"files":{files}}},"timeout":1000}}"#
    )
}

fn names(id: &str) -> String {
    format!(
        r#"{{"type":"waitForExpression","expression":"document.title = '{id}: ' + [...{id}.files].map(f => f.name + ' ' + f.size)"}},
        {{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["xpath//html/head/title"],"from":"text","into":"identity.x"}}}}"#
    )
}

#[tokio::test]
async fn when_asks_about_what_is_visible_now() {
    let steps = [r##"["#nothing","#p"]"##, r##"["#h"]"##, r#"["aria/Absent"]"#, r#"["aria/Go"]"#].map(when);
    check(
        r#"<p id=p>x</p><p id=h hidden>y</p><button>Go</button><script>setTimeout(() => h.hidden = false, 60000)</script>"#,
        &steps.join(","),
        expect![[r#"
            1 regatta.when: ""
            2 regatta.when: ok
            3 regatta.when: ok
            4 regatta.when: ""
        "#]],
    )
    .await;
}

/// The click leads to a document whose middle comes late: its end is neither there nor missing before.
#[tokio::test]
async fn when_waits_for_the_document_and_for_nothing_else() {
    let slow = |script: &str| {
        format!(
            r#"<a id=go href="?2">Go</a><script>if (location.search) document.write('<script src="{script}"><\/script>')</script><p id=p>x</p>"#
        )
    };
    let go = r##"{"type":"click","selectors":["#go"],"offsetX":3,"offsetY":3}"##;
    let steps = format!("{go},{}", when(r##"["#p"]"##).replace("1000", "20000"));
    check(
        &slow("/late"),
        &steps,
        expect![[r#"
            1 click: ok [gate]
            2 regatta.when: ""
        "#]],
    )
    .await;
    check(
        &slow("/hang"),
        &format!("{go},{}", when(r##"["#p"]"##)),
        expect![[r#"
            1 click: ok [gate]
            2 regatta.when: TimedOut: the page was not parsed to its end within 1 s
        "#]],
    )
    .await;
}

#[tokio::test]
async fn files_are_put_into_a_file_input_though_it_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.txt", "b.txt"].map(|name| folder.path().join(name));
    std::fs::write(&a, "aa").unwrap();
    std::fs::write(&b, "b").unwrap();
    let steps = [
        upload("#one", &[&a]),
        names("one"),
        upload("#label", &[&b]),
        names("one"),
        upload("#many", &[&a, &b]),
        names("many"),
    ];
    check(
        FORM,
        &steps.join(","),
        expect![[r#"
            1 regatta.upload: ok [gate]
            2 waitForExpression: ok
            3 regatta.capture: "one: a.txt 2"
            4 regatta.upload: ok [gate]
            5 waitForExpression: ok
            6 regatta.capture: "one: b.txt 1"
            7 regatta.upload: ok [gate]
            8 waitForExpression: ok
            9 regatta.capture: "many: a.txt 2,b.txt 1"
              input one
              change one
              input one
              change one
              change many
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_takes_no_such_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [a, missing] = ["a.txt", "missing.txt"].map(|name| folder.path().join(name));
    std::fs::write(&a, "aa").unwrap();
    let steps = [
        upload("#one", &[&a, &a]),
        upload("#button", &[&a]),
        upload("#text", &[&a]),
        upload("#folder", &[&a]),
        upload("#off", &[&a]),
        upload("#nothing", &[&a]),
        upload("#one", &[&missing]),
        upload("#one", &[folder.path()]),
        names("one"),
    ];
    let mut rig = Rig::new(FORM).await;
    let played = rig.play(&steps.join(",")).await;
    rig.page.close().await;
    expect![[r#"
        1 regatta.upload: Refused: the field takes one file, not 2
        2 regatta.upload: Refused: button#button takes no files: name the input of type file behind it
        3 regatta.upload: Refused: input#text takes no files: name the input of type file behind it
        4 regatta.upload: Refused: the field takes a folder, not files
        5 regatta.upload: TimedOut: the input#off is disabled
        6 regatta.upload: TimedOut: no element matches `#nothing` within 1 s; the page shows "fixture"
        7 regatta.upload: Refused: the file `FOLDER/missing.txt` cannot be uploaded: No such file or directory (os error 2); files stand relative to the flow that names them
        8 regatta.upload: Refused: the file `FOLDER` cannot be uploaded: it is not a file; files stand relative to the flow that names them
        9 waitForExpression: ok
        10 regatta.capture: "one:"
    "#]]
    .assert_eq(&played.replace(folder.path().to_str().unwrap(), "FOLDER"));
}

#[tokio::test]
async fn nothing_is_uploaded_to_a_page_without_an_allowed_origin() {
    let folder = tempfile::tempdir().unwrap();
    let a = folder.path().join("a.txt");
    std::fs::write(&a, "aa").unwrap();
    let steps = format!(
        r#"{{"type":"navigate","url":"about:blank"}},
        {{"type":"waitForExpression","expression":"document.body.innerHTML = '<input type=file id=one>'"}},{}"#,
        upload("#one", &[&a])
    );
    check(
        "",
        &steps,
        expect![[r#"
            1 navigate: ok
            2 waitForExpression: ok
            3 regatta.upload: Refused: typing into a document without an address (about:blank), which may be of any origin; the document that requested it is not known; navigate to a page of the site
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_picture_is_taken_with_its_fields_blurred() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str| {
        let path = folder.path().join("deep").join(name);
        format!(
            r#"{{"type":"customStep","name":"regatta.screenshot","parameters":{{"name":{path:?}}},"timeout":5000}}"#
        )
    };
    let mut rig = Rig::new(
        r#"<style>* { font: 40px monospace }</style><input id=i><script>
        // Which filter the field has whenever a frame is drawn.
        const look = () => { const { filter } = getComputedStyle(i); if (filter !== 'none') document.title = filter; requestAnimationFrame(look) };
        look()</script>"#,
    )
    .await;
    let steps = [
        picture("empty.png"),
        r##"{"type":"change","selectors":["#i"],"value":"secret"}"##.to_owned(),
        picture("full.png"),
        r#"{"type":"waitForExpression","expression":"document.title.startsWith('blur') && getComputedStyle(i).filter === 'none'"}"#
            .to_owned(),
    ];
    let played = rig.play(&steps.join(",")).await;
    std::fs::write(folder.path().join("file"), "").unwrap();
    let in_a_file = folder.path().join("file/x.png");
    let refused = rig
        .play(&format!(
            r#"{{"type":"customStep","name":"regatta.screenshot","parameters":{{"name":{in_a_file:?}}},"timeout":5000}}"#
        ))
        .await;
    rig.page.close().await;
    expect![[r#"
        1 regatta.screenshot: ok
        2 change: ok [gate]
        3 regatta.screenshot: ok
        4 waitForExpression: ok
    "#]]
    .assert_eq(&played);
    expect![[r#"
        1 regatta.screenshot: Refused: cannot write `FOLDER/file/x.png`: File exists (os error 17)
    "#]]
    .assert_eq(&refused.replace(folder.path().to_str().unwrap(), "FOLDER"));
    for name in ["empty.png", "full.png"] {
        let png = std::fs::read(folder.path().join("deep").join(name)).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n"), "{name}");
    }
}
