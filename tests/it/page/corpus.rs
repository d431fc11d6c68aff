//! Pages before and after a redesign (`pairs/*.toml`), played in a real browser. The page reports to the server
//! which element an input has reached, and that alone decides: no wrong element is ever hit.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use futures::future::join_all;
use regatta_core::session::Platform;
use regatta_core::workflow::Heal;
use serde::Deserialize;

use super::rig::{Counter, Rig};
use crate::support::chrome::Chrome;

/// Tabs that play at the same time. Most of a refusal is waiting.
const TABS: usize = 24;

/// What a step has on the second page. `auto` keeps a fifth of it for what is found by likeness.
fn timeout(heal: Heal) -> Duration {
    Duration::from_millis(if heal == Heal::Auto { 2000 } else { 800 })
}

const FILES: [(&str, &str); 7] = [
    ("button", include_str!("pairs/button.toml")),
    ("link", include_str!("pairs/link.toml")),
    ("field", include_str!("pairs/field.toml")),
    ("row", include_str!("pairs/row.toml")),
    ("menu", include_str!("pairs/menu.toml")),
    ("icon", include_str!("pairs/icon.toml")),
    ("dialog", include_str!("pairs/dialog.toml")),
];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    #[serde(skip)]
    kind: &'static str,
    name: String,
    language: String,
    #[serde(default = "click")]
    act: String,
    selectors: Vec<String>,
    before: String,
    after: String,
    meant: Option<String>,
    /// Only the memory distinguishes them.
    #[serde(default)]
    by_memory: bool,
}

fn click() -> String {
    "click".to_owned()
}

fn pairs() -> Vec<Pair> {
    #[derive(Deserialize)]
    struct File {
        pair: Vec<Pair>,
    }
    let of_file = |(kind, text): &(&'static str, &str)| {
        let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{kind}.toml: {error}"));
        file.pair.into_iter().map(|pair| Pair { kind, ..pair }).collect::<Vec<_>>()
    };
    FILES.iter().flat_map(of_file).collect()
}

/// The pages of all plays, and what was hit on each.
#[derive(Clone, Default)]
pub struct Site {
    pages: Arc<Mutex<HashMap<u32, String>>>,
    hits: Arc<Mutex<HashMap<u32, Vec<String>>>>,
    next: Arc<AtomicU32>,
}

#[derive(Deserialize)]
struct Number {
    n: u32,
    #[serde(default)]
    what: String,
}

/// An answer is waited for, so that what was hit is known when the input has been answered.
const TELLS: &str = r"
    const reported = new Set();
    for (const type of ['click', 'input']) addEventListener(type, event => {
        if (type === 'click' && !event.target.closest?.('label, input')) event.preventDefault();
        const hit = event.composedPath().find(node => node.dataset?.hit)?.dataset.hit;
        if (!hit || reported.has(hit)) return;
        reported.add(hit);
        const request = new XMLHttpRequest();
        request.open('POST', '/hit' + location.search + '&what=' + encodeURIComponent(hit), false);
        request.send();
    }, true);
    addEventListener('submit', event => event.preventDefault(), true);";

impl Site {
    pub async fn serve(&self) -> String {
        let app = Router::new()
            .route("/page", get(page))
            .route("/hit", post(hit))
            .fallback(|| async {
                let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'/>";
                ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response()
            })
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    /// A page of its own at an address that is remembered as any other of them.
    pub fn publish(&self, body: &str) -> u32 {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        self.pages.lock().unwrap().insert(n, body.to_owned());
        n
    }

    pub fn hits(&self, n: u32) -> Vec<String> {
        self.hits.lock().unwrap().get(&n).cloned().unwrap_or_default()
    }
}

async fn page(State(site): State<Site>, Query(query): Query<Number>) -> Html<String> {
    let body = site.pages.lock().unwrap()[&query.n].clone();
    Html(format!(
        "<!doctype html><title>Page</title><link rel=icon href=\"data:,\"><script>{TELLS}</script><body>{body}"
    ))
}

async fn hit(State(site): State<Site>, Query(query): Query<Number>) {
    site.hits.lock().unwrap().entry(query.n).or_default().push(query.what);
}

/// A tab, played on again and again.
pub struct Tab {
    pub rig: Rig,
    site: Site,
}

impl Tab {
    pub async fn open(site: &Site, address: &str) -> Self {
        let rig = Rig::at(Chrome::shared(), address.to_owned(), Platform::Desktop).await;
        Self { rig, site: site.clone() }
    }

    /// One visit: the page is opened and the step played. What was hit, and what was said.
    pub async fn visit(
        &mut self,
        heal: Heal,
        body: &str,
        act: &str,
        selectors: &[String],
        timeout: Duration,
    ) -> (Vec<String>, String) {
        let n = self.site.publish(body);
        let selectors = serde_json::to_string(selectors).unwrap();
        let step = match act {
            "change" | "tick" | "select" => {
                let value = match act {
                    "change" => "12",
                    "tick" => "true",
                    _ => "A",
                };
                format!(r#"{{"type":"change","selectors":{selectors},"value":"{value}"}}"#)
            }
            _ => format!(r#"{{"type":"click","selectors":{selectors},"offsetX":3,"offsetY":3}}"#),
        };
        self.rig.page.begin_flow(heal);
        let opened = self.rig.play(&format!(r#"{{"type":"navigate","url":"{{site}}/page?n={n}"}}"#)).await;
        assert_eq!(opened, "1 navigate: ok\n");
        let flow = self.rig.flow(&step);
        let played = self.rig.page.perform("f.json", &flow.steps[0], timeout, &mut Counter::default()).await;
        let said = match played {
            Ok(_) => {
                self.rig.page.keep_healed();
                "ok".to_owned()
            }
            Err(error) => format!("{:?}: {} ({})", error.kind, error.message, error.hint.unwrap_or_default()),
        };
        let healed = self.rig.healed();
        (self.site.hits(n), format!("{said} {}", healed.trim_end()))
    }

    pub fn forget(&mut self) {
        self.rig.memory.0.lock().unwrap().clear();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The pair is no good: the first page is not played as it says.
    Broken,
    Wrong,
    Right,
    RefusedRightly,
    RefusedNeedlessly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Mode(Heal),
    /// With nothing remembered, where the flow's own selectors say what the element is called.
    First,
}

const ROWS: [(Row, &str); 4] = [
    (Row::Mode(Heal::Off), "off"),
    (Row::Mode(Heal::Suggest), "suggest"),
    (Row::Mode(Heal::Auto), "auto"),
    (Row::First, "nothing remembered"),
];

struct Played {
    row: Row,
    pair: Pair,
    came: Came,
    said: String,
}

/// The first page once, and the second for each row of the table with what was remembered of the first.
async fn play(tab: &mut Tab, pair: &Pair) -> Vec<Played> {
    tab.forget();
    let patient = Duration::from_secs(20);
    let (hits, said) = tab.visit(Heal::Off, &pair.before, &pair.act, &pair.selectors, patient).await;
    let learned = tab.rig.memory.0.lock().unwrap().clone();
    let is_meant = |hit: &String| pair.meant.as_ref().is_none_or(|meant| meant == hit);
    if hits.len() != 1 || !is_meant(&hits[0]) {
        let said = format!("on the first page: {hits:?} {said}");
        return vec![Played { row: ROWS[0].0, pair: pair.clone(), came: Came::Broken, said }];
    }
    let mut played = Vec::new();
    for (row, _) in ROWS {
        let (heal, learned) = match row {
            Row::Mode(heal) => (heal, learned.clone()),
            Row::First if says_what(pair) => (Heal::Suggest, HashMap::new()),
            Row::First => continue,
        };
        // A refusal for want of time is the machine's: where the element was found and could not be acted on in
        // time, or a tab behind others drew no frame, the page is given more.
        for times in [1, 6, 20] {
            tab.rig.memory.0.lock().unwrap().clone_from(&learned);
            let allowed = timeout(heal) * times;
            let (hits, said) = tab.visit(heal, &pair.after, &pair.act, &pair.selectors, allowed).await;
            let came = match (hits.as_slice(), &pair.meant) {
                ([], None) => Came::RefusedRightly,
                ([], Some(_)) => Came::RefusedNeedlessly,
                ([hit], Some(meant)) if hit == meant => Came::Right,
                _ => Came::Wrong,
            };
            let is_late =
                ["Acted:", "drew no frame", "did not answer"].iter().any(|late| said.contains(late));
            if times == 20 || !hits.is_empty() || !is_late {
                played.push(Played { row, pair: pair.clone(), came, said: format!("{hits:?} {said}") });
                break;
            }
        }
    }
    played
}

fn says_what(pair: &Pair) -> bool {
    !pair.by_memory
        && pair
            .selectors
            .iter()
            .any(|selector| selector.starts_with("aria/") || selector.starts_with("text/"))
}

fn table(played: &[Played]) -> String {
    let mut out = String::from(
        "| | pairs | wrong | right | refused rightly | refused needlessly |\n|---|---|---|---|---|---|\n",
    );
    for (row, name) in ROWS {
        let of_row: Vec<_> = played.iter().filter(|played| played.row == row).collect();
        let count = |came| of_row.iter().filter(|played| played.came == came).count();
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} |",
            of_row.len(),
            count(Came::Wrong),
            count(Came::Right),
            count(Came::RefusedRightly),
            count(Came::RefusedNeedlessly)
        );
    }
    out
}

#[tokio::test]
async fn no_pair_of_the_corpus_is_acted_on_wrongly() {
    let pairs = pairs();
    let site = Site::default();
    let address = site.serve().await;
    let next = AtomicUsize::new(0);
    let tabs = (0..TABS).map(|_| async {
        let mut tab = Tab::open(&site, &address).await;
        let mut played = Vec::new();
        while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::SeqCst)) {
            played.extend(play(&mut tab, pair).await);
        }
        tab.rig.page.close().await;
        played
    });
    let played: Vec<_> = join_all(tabs).await.into_iter().flatten().collect();
    let mut story = String::new();
    for Played { row, pair, came, said } in &played {
        if matches!(came, Came::Broken | Came::Wrong | Came::RefusedNeedlessly) {
            let _ = writeln!(story, "{came:?} {row:?} {}: {} {said}", pair.kind, pair.name);
        }
    }
    let mut lines: Vec<_> = story.lines().collect();
    lines.sort_unstable();
    let table = table(&played);
    let languages: std::collections::BTreeSet<_> = pairs.iter().map(|pair| &pair.language).collect();
    assert!(languages.len() >= 5, "{languages:?}");
    println!("{}\n\n{table}", lines.join("\n"));
    assert!(pairs.len() >= 120, "{} pairs", pairs.len());
    assert!(!played.iter().any(|played| played.came == Came::Broken), "a pair is no good:\n{story}");
    assert!(!played.iter().any(|played| played.came == Came::Wrong), "a wrong element was hit:\n{story}");
    let reported = include_str!("../../../docs/guide/healing.md");
    assert!(reported.contains(&table), "docs/guide/healing.md has another table than\n{table}\n{story}");
}
