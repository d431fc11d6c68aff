//! Recordings that other programs have written or changed, played as they are.

use expect_test::expect;

use super::Author;

/// A list of steps with a byte order mark, floats and no offsets, which began on a new tab.
#[tokio::test]
async fn a_recording_is_played_as_it_comes() {
    let author = Author::at(
        r#"<button id=go style="width:100px;height:40px;border:0" onclick="at.textContent = event.offsetX + ',' + event.offsetY">Go</button>
        <p id=at></p>"#,
    )
    .await;
    author.folder.write(
        "recording.json",
        "\u{feff}[
  {\"type\": \"setViewport\", \"width\": 1280.0, \"height\": 720.0, \"deviceScaleFactor\": 1, \"isMobile\": false, \"hasTouch\": false, \"isLandscape\": false},
  {\"type\": \"navigate\", \"url\": \"chrome://new-tab-page/\", \"assertedEvents\": [{\"type\": \"navigation\", \"url\": \"chrome://new-tab-page/\", \"title\": \"New Tab\"}]},
  {\"type\": \"navigate\", \"url\": \"{{ variables.site }}/\", \"timeout\": 45000},
  {\"type\": \"click\", \"selectors\": [[\"#go\"]]},
  {\"type\": \"waitForElement\", \"selectors\": [\"#at\"], \"count\": 1.0, \"properties\": {\"textContent\": \"50,20\"}}
]",
    );
    author
        .check(
            &["recording.json"],
            expect![[r#"
                exit 0
                recording.json: recording, 5 steps
                browser started (chromium, TIME)
                    1  setViewport TIME  1280 × 720
                    2  navigate TIME  chrome://new-tab-page/ is skipped: the recording began there
                    3  navigate TIME  {{ variables.site }}/
                    4  click TIME  #go
                    5  waitForElement TIME  #at
                TIME in all, TRAFFIC
            "#]],
        )
        .await;
}

#[tokio::test]
async fn an_address_that_the_folders_workflow_does_not_allow_is_refused_before_a_browser_starts() {
    let author = Author::at("").await;
    author.folder.write(
        "workflow.toml",
        "name = \"w\"\nallowed_origins = [\"http://shop.test\"]\n[variables]\nsite = \"\"\n[[step]]\nflag = \"a\"\nflow = \"join.json\"\n",
    );
    author.folder.write(
        "recording.json",
        "{\"title\": \"Join\", \"steps\": [\n{\"type\": \"navigate\", \"url\": \"http://other.test/\"}]}",
    );
    author.check(&["recording.json"], expect![[r#"
        exit 2
        error: step 1 (navigate): http://other.test is not in allowed_origins
           ╭─[recording.json:2:1]
         1 │ {"title": "Join", "steps": [
         2 │ {"type": "navigate", "url": "http://other.test/"}]}
           · ─────────────────────────┬─────────────────────────
           ·                          ╰── step 1
           ╰────
          help: only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow
    "#]]).await;
}
