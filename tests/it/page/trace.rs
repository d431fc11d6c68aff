//! The evidence that is kept of actions, and the values that must not be in it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use expect_test::expect;
use regatta_core::evidence::{Incident, TraceMode};
use regatta_core::flow::StepLocation;
use regatta_core::mask::Mask;
use regatta_core::session::{Identity, Platform};
use regatta_core::workflow::block::Block;
use serde_json::Value;

use super::rig::Rig;
use crate::support::chrome::Chrome;

async fn rig(body: &str, trace: TraceMode) -> Rig {
    Rig::with(Chrome::shared(), body, Platform::Desktop, Block::default(), trace).await
}

fn mask() -> Mask {
    let mut identity = Identity::default();
    identity.set("email", "ann@practice.test");
    identity.set("name", "Ann Lee");
    Mask::for_identity(&identity)
}

/// Names and contents.
fn unpack(zip: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let files = 0..archive.len();
    let read = |index| {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    files.map(read).collect()
}

fn lines(files: &[(String, Vec<u8>)], name: &str) -> Vec<Value> {
    let (_, content) = files.iter().find(|(file, _)| file == name).unwrap();
    let text = std::str::from_utf8(content).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_trace_of_everything_shows_each_action_and_no_value() {
    let body = r##"<h1>Hello <b>ann@</b>Ann Lee</h1><a href="/x?m=ann%40practice.test&n=Ann%20Lee">me</a>
        <input id=i><input id=w type=password value=hunter2><input id=half value="ann@pract">
        <x-a id=x></x-a><iframe srcdoc="<p>inner Ann Lee</p><input value='ann@practice.test'>"></iframe>
        <script>
            x.attachShadow({ mode: 'open' }).innerHTML = '<input value="ann@practice.test">';
            console.warn('mail to ann@practice.test');
            const headers = { 'X-Mail': 'ann@practice.test', Authorization: 'Basic c2VjcmV0' };
            fetch('/echo?mail=ann@practice.test&n=Ann%20Lee', { headers, method: 'POST', body: 'Ann Lee' })
                .then(answer => document.title = 'sent');
        </script>"##;
    let mut rig = rig(body, TraceMode::Always).await;
    rig.play(r#"{"type":"waitForExpression","expression":"document.title == 'sent'"}"#).await;
    rig.page.begin_trace("sign up Ann Lee");
    rig.play(r#"{"type":"navigate","url":"{site}/"}"#).await;
    let played = rig
        .play(
            r##"{"type":"waitForExpression","expression":"document.title == 'sent'"},
            {"type":"change","selectors":["#i"],"value":"ann@practice.test"},
            {"type":"click","selectors":["#nothing","#w"],"offsetX":3,"offsetY":4}"##,
        )
        .await;
    let folder = tempfile::tempdir().unwrap();
    let kept = rig.page.keep_trace(folder.path(), &mask()).await.unwrap();
    rig.page.close().await;
    assert_eq!(played, "1 waitForExpression: ok\n2 change: ok [gate]\n3 click: ok [gate]\n");
    let files = unpack(&kept);

    let mut reported = String::new();
    let (mut named, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for line in lines(&files, "trace.trace") {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        match line["type"].as_str().unwrap() {
            "context-options" => {
                reported.push_str(&format!("{} {}\n", line["version"], text(&line["title"])))
            }
            "before" => {
                named.insert(text(&line["beforeSnapshot"]));
                reported.push_str(&format!("{} {}\n", text(&line["title"]), line["params"]));
            }
            "after" => {
                assert!(line["error"].is_null() && line["endTime"].as_f64() > Some(0.0), "{line}");
                named.insert(text(&line["afterSnapshot"]));
            }
            "frame-snapshot" => {
                // The viewer drops what stands before the line that names it.
                let name = text(&line["snapshot"]["snapshotName"]);
                assert!(named.contains(&name), "{name} comes before its action");
                shown.insert(name);
            }
            "log" => reported.push_str(&format!("  {}\n", text(&line["message"]))),
            "console" => {
                reported.push_str(&format!("{}: {}\n", text(&line["messageType"]), text(&line["text"])))
            }
            _ => {}
        }
    }
    assert_eq!(named, shown);
    let reported = reported.replace(&rig.site, "{site}");
    let reported = reported.lines().filter(|line| !line.contains("mouse")).collect::<Vec<_>>().join("\n");
    expect![[r##"
        8 sign up ‹identity.name›
        1 navigate {site}/ {"url":"{site}/"}
        1 waitForExpression document.title == 'sent' {"expression":"document.title == 'sent'"}
        2 change #i {"selectors":["#i"],"value":"‹identity.email›"}
          looked for #i
        3 click #nothing {"selectors":["#nothing","#w"]}
          looked for #nothing
          or #w
        warning: mail to ‹identity.email›"##]]
    .assert_eq(&reported);

    let network: Vec<_> = lines(&files, "trace.network")
        .into_iter()
        .map(|line| {
            let entry = &line["snapshot"];
            let (request, response) = (&entry["request"], &entry["response"]);
            format!("{} {} {}", request["method"], request["url"], response["status"])
        })
        .collect();
    let network = network.join("\n").replace(&rig.site, "{site}");
    expect![[r#"
        "GET" "{site}/" 200
        "POST" "{site}/echo?mail=‹identity.email›&n=‹identity.name›" 200"#]]
    .assert_eq(&network);

    // Not as it is, nor encoded, nor half typed; nor any password, nor who may sign in.
    for (name, content) in &files {
        if name.starts_with("resources/") {
            assert!(content.starts_with(&[0xff, 0xd8]), "{name} is no JPEG");
            continue;
        }
        let text = String::from_utf8(content.clone()).unwrap();
        for value in ["ann@practice", "ann%40", "ann@pract", "Ann Lee", "Ann%20Lee", "hunter2", "c2VjcmV0"] {
            assert!(!text.contains(value), "{name} holds {value}");
        }
        if name == "trace.trace" {
            assert!(text.contains("inner ‹identity.name›") && text.contains("__playwright_shadow_root_"));
        }
    }
    let pictures = files.iter().filter(|(name, _)| name.starts_with("resources/")).count();
    assert_eq!(pictures, 8, "one before and one after each action");
}

#[tokio::test]
async fn the_index_says_what_failed_and_marks_where_and_runs_nothing() {
    let body = r##"<style>body { margin: 0 } button { position: absolute; top: 100px; width: 100px; height: 50px }</style>
        <button style="left: 0">Go</button><button style="left: 200px">Go</button>
        <script>console.log('</pre><script>alert(1)<' + '/script><img src=http://a.example/x>')</script>"##;
    let mut rig = rig(body, TraceMode::OnFailure).await;
    rig.page.begin_trace("store_signup, attempt 2");
    let step = r##"{"type":"click","selectors":["button"],"offsetX":3,"offsetY":3,"timeout":300}"##;
    assert!(rig.play(step).await.contains("Ambiguous"), "two buttons match");
    let folder = tempfile::tempdir().unwrap();
    let incident = Incident {
        title: "store_signup, attempt 2".into(),
        place: Some(StepLocation {
            file: "flows/store.json".into(),
            line: 31,
            step: "4".into(),
            action: "click".into(),
        }),
        message: "2 elements match <button> of ann@practice.test".into(),
        hint: Some("they are button \"Go\", button \"Go\"".into()),
    };
    let kept = rig.page.evidence(folder.path(), &incident, &mask()).await;
    rig.page.close().await;
    assert_eq!(kept.len(), 5);
    let index = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    for wanted in [
        "<h1>2 elements match &lt;button&gt; of ‹identity.email›</h1>",
        "flows&#x2f;store.json:31, step 4 (click)",
        "they are button &quot;Go&quot;",
        "<code>button</code>",
        "&lt;script&gt;alert(1)",
        "src=\"data:image/png;base64,iVBORw0KGgo",
        "<td>GET</td>",
    ] {
        assert!(index.contains(wanted), "{wanted} is not in {index}");
    }
    assert_eq!(index.matches("<div class=\"box\" style=\"left:").count(), 2, "{index}");
    assert!(!index.contains("<script") && !index.contains("=\"http"), "{index}");
    let files = unpack(&folder.path().join("trace.zip"));
    let error = lines(&files, "trace.trace").into_iter().find(|line| line["error"].is_object()).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().starts_with("2 elements match"), "{error}");
    // The page as it stood, once.
    let pictures: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("resources/")).collect();
    assert!(pictures.len() == 1 && pictures[0].1.starts_with(b"\x89PNG"));
}

/// A step in a frame of another site: the tab is shown with all its frames, and the marks lie where the
/// frame lies in it.
#[tokio::test]
async fn frames_of_other_sites_are_seen_and_marks_lie_where_they_lie() {
    let mut rig = rig("<h1>around</h1>", TraceMode::OnFailure).await;
    let frame = r#"<iframe style='position: absolute; left: 300px; top: 200px; border: 7px solid; padding: 3px' src='{elsewhere}/frame?name=within'></iframe>"#;
    let framed = format!(
        r#"{{"type":"waitForExpression","expression":"(document.body.innerHTML += `{frame}`, true)"}}"#
    );
    let viewport = r#"{"type":"setViewport","width":1000,"height":800,"deviceScaleFactor":1,"isMobile":false,"hasTouch":false,"isLandscape":true}"#;
    rig.play(&format!("{viewport},{framed}")).await;
    rig.page.begin_trace("a frame");
    let step = r##"{"type":"click","selectors":["input, button"],"offsetX":3,"offsetY":3,"frame":[0],"timeout":300}"##;
    let played = rig.play(step).await;
    assert!(played.contains("Ambiguous"), "{played}");
    let folder = tempfile::tempdir().unwrap();
    rig.page.evidence(folder.path(), &Incident::default(), &mask()).await;
    rig.page.close().await;
    let files = unpack(&folder.path().join("trace.zip"));
    let trace = lines(&files, "trace.trace");
    let snapshots: Vec<_> = trace.iter().filter(|line| line["type"] == "frame-snapshot").collect();
    let urls: Vec<_> = snapshots.iter().map(|line| line["snapshot"]["frameUrl"].as_str().unwrap()).collect();
    assert!(urls.len() == 2 && urls[1].ends_with("/frame?name=within"), "{urls:?}");
    let (outer, inner) = (snapshots[0].to_string(), snapshots[1].to_string());
    assert!(
        outer.contains("around") && outer.contains("__playwright_src__") && inner.contains("\"BUTTON\""),
        "{outer} {inner}"
    );
    let index = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    let marks = regex::Regex::new(r#"class="box" style="left: ?([\d.]+)%; ?top: ?([\d.]+)%"#).unwrap();
    let marks: Vec<(f64, f64)> =
        marks.captures_iter(&index).map(|m| (m[1].parse().unwrap(), m[2].parse().unwrap())).collect();
    assert_eq!(marks.first(), Some(&(31.0, 26.25)), "{index}");
    assert_eq!(marks.len(), 2, "{index}");
}

#[tokio::test]
async fn a_trace_is_kept_only_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut off = rig("<p>x</p>", TraceMode::Off).await;
    let kept = off.page.evidence(folder.path(), &Incident::default(), &Mask::default()).await;
    assert!(kept.iter().any(|path| path.ends_with("index.html")));
    assert!(!kept.iter().any(|path| path.ends_with("trace.zip")));
    off.page.close().await;
    let mut on_failure = rig("<p>x</p>", TraceMode::OnFailure).await;
    let good = folder.path().join("good");
    assert_eq!(on_failure.page.keep_trace(&good, &Mask::default()).await, None);
    assert!(!good.exists());
    on_failure.page.close().await;
}

/// A field that refuses the blur: in the page, in a shadow root, in a frame.
#[tokio::test]
async fn no_picture_is_taken_in_which_a_field_can_be_read() {
    let field = "<input style='filter: none !important' value=secret>";
    let bodies = [
        (field.to_owned(), 0),
        // The step's own frame has no field, but the picture shows the whole tab.
        (format!("{field}<iframe srcdoc=\"<p>x</p>\"></iframe>"), 0),
        (
            format!(
                "<x-a id=x></x-a><script>x.attachShadow({{mode: 'open'}}).innerHTML = \"{field}\"</script>"
            ),
            0,
        ),
        (format!("<iframe srcdoc=\"{field}\"></iframe>"), 0),
        ("<input value=secret><iframe src=\"{outside}/\"></iframe>".to_owned(), 1),
        ("<iframe style=\"display:none\" srcdoc=\"<input value=secret>\"></iframe>".to_owned(), 1),
    ];
    for (body, pictures) in bodies {
        let mut rig = rig(&body, TraceMode::Off).await;
        let folder = tempfile::tempdir().unwrap();
        if body.contains("<iframe srcdoc=\"<p>") {
            let waited =
                rig.play(r##"{"type":"waitForElement","selectors":["#no"],"frame":[0],"timeout":1}"##).await;
            assert!(waited.contains("TimedOut") || waited.contains("NotMet"), "{waited}");
        }
        let kept = rig.page.evidence(folder.path(), &Incident::default(), &Mask::default()).await;
        let taken = kept.iter().filter(|path| path.ends_with("screenshot.png")).count();
        assert_eq!(taken, pictures, "{body}");
        let index = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
        let says_why = index.contains("There is no picture: the page prevents blurring");
        assert_eq!(says_why, pictures == 0, "{body}");
        // Nothing of the blur is left.
        let left = rig
            .play(r#"{"type":"waitForExpression","expression":"document.adoptedStyleSheets.length == 0 && ![...document.querySelectorAll('iframe')].some(el => el.style.filter)","timeout":2000}"#)
            .await;
        assert_eq!(left, "1 waitForExpression: ok\n");
        rig.page.close().await;
    }
}
