use expect_test::{Expect, expect};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::report::testing::folder;

const LOG: &str = "03:04:08 run started\n03:04:09 browser started (chromium, 0.9 s)";

fn picture(screen: &mut WatchScreen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let views = folder();
    let views: Vec<_> = views.iter().collect();
    let now = "2026-01-02T03:04:12Z".parse().unwrap();
    terminal.draw(|frame| screen.draw(frame, "onboarding", &views, LOG, now)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let lines = buffer.content().chunks(usize::from(width)).map(|cells| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn press(screen: &mut WatchScreen, keys: &str) -> Option<WatchCommand> {
    let views = folder();
    let views: Vec<_> = views.iter().collect();
    let mut wish = None;
    for key in keys.split_whitespace() {
        let code = match key {
            "down" => KeyCode::Down,
            "up" => KeyCode::Up,
            "end" => KeyCode::End,
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "back" => KeyCode::Backspace,
            letter => KeyCode::Char(letter.chars().next().unwrap()),
        };
        wish = screen.key(KeyEvent::from(code), &views);
    }
    wish
}

#[track_caller]
fn check(keys: &str, width: u16, height: u16, expected: Expect) {
    let mut screen = WatchScreen::default();
    picture(&mut screen, width, height);
    press(&mut screen, keys);
    expected.assert_eq(&picture(&mut screen, width, height));
}

#[test]
fn a_list_on_a_small_terminal() {
    check(
        "",
        80,
        24,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p6       PROCESSING        1/2  b 4.0 s
             p4       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p5       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p8       DAMAGED           0/0  the session document is damaged
             p7       PENDING           0/0
             p1       COMPLETED         2/2
             p2       COMPLETED         2/2
             p3       COMPLETED         2/2













             x stop  ↑↓ choose  / filter  s status  Enter detail  ? keys  q quit"#]],
    );
}

#[test]
fn the_detail_below_it() {
    check(
        "down enter",
        80,
        24,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
             PROFILE  STATUS          STEPS  PROGRESS
             p6       PROCESSING        1/2  b 4.0 s
            ▸p4       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p5       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p8       DAMAGED           0/0  the session document is damaged
             p7       PENDING           0/0
             p1       COMPLETED         2/2
             p2       COMPLETED         2/2
             p3       COMPLETED         2/2
            ┌ p4 ──────────────────────────────────────────────────────────────────────────┐
            │· a  9 ms                                                                     │
            │· b                                                                           │
            │1 run, 9 requests, 2.0 KiB                                                    │
            │f.json, step 4 (click): no element matches any of its 3 selectors within 10 s │
            │see artifacts/p4/1                                                            │
            │                                                                              │
            │                                                                              │
            │03:04:08 run started                                                          │
            │03:04:09 browser started (chromium, 0.9 s)                                    │
            │                                                                              │
            │                                                                              │
            └──────────────────────────────────────────────────────────────────────────────┘
             r run  ↑↓ choose  / filter  s status  Enter detail  z reset  ? keys  q quit"#]],
    );
}

#[test]
fn list_and_detail_on_a_large_terminal() {
    check(
        "down",
        160,
        50,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
             PROFILE  STATUS          STEPS  PROGRESS                                                    ┌ p4 ─────────────────────────────────────────────────────────────┐
             p6       PROCESSING        1/2  b 4.0 s                                                     │· a  9 ms                                                        │
            ▸p4       FAILED            0/2  f.json, step 4 (click): no element matches any of its 3 sel…│· b                                                              │
             p5       FAILED            0/2  f.json, step 4 (click): no element matches any of its 3 sel…│1 run, 9 requests, 2.0 KiB                                       │
             p8       DAMAGED           0/0  the session document is damaged                             │f.json, step 4 (click): no element matches any of its 3 selectors│
             p7       PENDING           0/0                                                              │within 10 s                                                      │
             p1       COMPLETED         2/2                                                              │see artifacts/p4/1                                               │
             p2       COMPLETED         2/2                                                              │                                                                 │
             p3       COMPLETED         2/2                                                              │03:04:08 run started                                             │
                                                                                                         │03:04:09 browser started (chromium, 0.9 s)                       │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         └─────────────────────────────────────────────────────────────────┘
             r run  ↑↓ choose  / filter  s status  Enter detail  z reset  ? keys  q quit"#]],
    );
}

#[test]
fn what_is_typed_filters_and_an_escape_shows_all() {
    check(
        "/ s e l e c t o r",
        80,
        8,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed  (2 shown)
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p4       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p5       FAILED            0/2  f.json, step 4 (click): no element matches any…



             /selector▏"#]],
    );
    check(
        "/ x x x esc",
        80,
        4,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p6       PROCESSING        1/2  b 4.0 s
             p4       FAILED            0/2  f.json, step 4 (click): no element matches any…"#]],
    );
}

#[test]
fn an_act_is_asked_for_once_more() {
    let mut screen = WatchScreen::default();
    picture(&mut screen, 80, 24);
    let p4: ProfileId = "p4".parse().unwrap();
    assert_eq!(press(&mut screen, "down r"), None);
    assert!(picture(&mut screen, 80, 24).contains("Start a run of p4? y/n"));
    assert_eq!(press(&mut screen, "y"), Some(WatchCommand::Act(ProfileAction::Retry, p4.clone())));
    assert_eq!(press(&mut screen, "r n"), None, "no is no");
    assert_eq!(press(&mut screen, "y"), None, "nothing is asked any more");
    assert_eq!(press(&mut screen, "z y"), Some(WatchCommand::Act(ProfileAction::Reset, p4)));
    assert_eq!(press(&mut screen, "q"), Some(WatchCommand::Quit));
}

#[test]
fn a_key_that_does_not_fit_says_why_and_asks_nothing() {
    let mut screen = WatchScreen::default();
    picture(&mut screen, 80, 24);
    let mut said = Vec::new();
    // The one that runs, then one that failed, then one that is done.
    for keys in ["r", "v", "z", "down x", "v", "end r", "x"] {
        assert_eq!(press(&mut screen, keys), None);
        let foot = picture(&mut screen, 80, 24).lines().last().unwrap().to_owned();
        assert_eq!(press(&mut screen, "y"), None, "{keys}: {foot}");
        said.push(foot.trim().to_owned());
    }
    expect![[r#"
        p6 is being run; x asks its run to stop
        p6 is being run; x asks its run to stop
        p6 is being run; x asks its run to stop
        p4 is not being run
        p4 needs no answer
        p3 is completed; z runs its steps again
        p3 is not being run"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn a_person_answers_for_a_step_in_doubt() {
    let mut views = folder();
    views[3].status = DisplayStatus::NeedsAttention;
    let id = views[3].id.clone();
    let views: Vec<_> = views.iter().collect();
    let mut screen = WatchScreen::default();
    let draw = |screen: &mut WatchScreen| {
        let mut terminal = Terminal::new(TestBackend::new(80, 6)).unwrap();
        terminal.draw(|frame| screen.draw(frame, "n", &views, "", jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let cells = terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol);
        cells.skip(5 * 80).collect::<String>().trim().to_owned()
    };
    draw(&mut screen);
    let press = |screen: &mut WatchScreen, code| screen.key(KeyEvent::from(code), &views);
    press(&mut screen, KeyCode::Down);
    let mut said = vec![draw(&mut screen)];
    for (letter, answer) in [('d', Some(Resolution::Done)), ('a', Some(Resolution::Again)), ('y', None)] {
        assert_eq!(press(&mut screen, KeyCode::Char('v')), None);
        said.push(draw(&mut screen));
        let wish = answer.map(|answer| WatchCommand::Resolve(answer, id.clone()));
        assert_eq!(press(&mut screen, KeyCode::Char(letter)), wish);
    }
    said.dedup();
    expect![[r#"
         v answer  ↑↓ choose  / filter  s status  Enter detail  z reset  ? keys  q quit
         p4: did a happen?  d: it is done  a: run it again  Esc: leave it"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn all_keys_are_shown_and_the_last_line_fits() {
    check(
        "?",
        80,
        24,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
            ┌ Keys ────────────────────────────────────────────────────────────────────────┐
            │ ↑ ↓  k j   choose the profile above or below                                 │
            │ PgUp PgDn  ten profiles up or down                                           │
            │ Home End   the first or last profile                                         │
            │ Enter      show or hide the detail below the list                            │
            │ /          filter by id, step or error                                       │
            │ s          show one status after another, then all                           │
            │ Esc        close the detail, or show all again                               │
            │ r          start a run of the profile                                        │
            │ x          ask its run to stop after its step                                │
            │ v          answer for a profile that needs a person                          │
            │ z          forget that its steps were done                                   │
            │ ?          show these keys                                                   │
            │ q          quit; runs go on                                                  │
            │ Ctrl-C     the same                                                          │
            │                                                                              │
            │                                                                              │
            │                                                                              │
            │                                                                              │
            │                                                                              │
            │                                                                              │
            └──────────────────────────────────────────────────────────────────────────────┘
             x stop  ↑↓ choose  / filter  s status  Enter detail  ? keys  q quit"#]],
    );
    check(
        "? y",
        80,
        6,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 completed
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p6       PROCESSING        1/2  b 4.0 s
             p4       FAILED            0/2  f.json, step 4 (click): no element matches any…
             p5       FAILED            0/2  f.json, step 4 (click): no element matches any…
             x stop  ↑↓ choose  / filter  s status  Enter detail  ? keys  q quit"#]],
    );
    for width in 20..130 {
        let mut screen = WatchScreen::default();
        let shown = picture(&mut screen, width, 6);
        let foot = shown.lines().last().unwrap();
        assert!(foot.ends_with("? keys  q quit"), "{width}: {foot}");
        assert!(foot.chars().count() <= usize::from(width), "{width}: {foot}");
    }
    check(
        "/ p enter",
        60,
        5,
        expect![[r#"
             onboarding  1 running 1 pending 2 failed 1 damaged 3 comple
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p6       PROCESSING        1/2  b 4.0 s
             p4       FAILED            0/2  f.json, step 4 (click): no…
             only p  Esc all  x stop  ↑↓ choose  ? keys  q quit"#]],
    );
}

#[test]
fn ten_thousand_rows_cost_what_is_seen() {
    let view = folder().swap_remove(0);
    let views: Vec<_> = (0..10_000)
        .map(|number| ProfileView { id: format!("p{number:05}").parse().unwrap(), ..view.clone() })
        .collect();
    let views: Vec<_> = views.iter().collect();
    let mut screen = WatchScreen::default();
    screen.key(KeyEvent::from(KeyCode::Down), &views);
    screen.key(KeyEvent::from(KeyCode::End), &views);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| screen.draw(frame, "n", &views, "", jiff::Timestamp::UNIX_EPOCH)).unwrap();
    let text: String =
        terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect();
    assert!(text.contains("▸p09999") && text.contains("p09979") && !text.contains("p09978"), "{text}");
}
