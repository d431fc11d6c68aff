//! Random sequences of visits to a page that is redesigned, put back and redesigned again, with one memory
//! for all of them. In a real browser, not over a model of pages: what goes wrong here goes wrong between
//! the engine, its memory and the page's own script, and many tabs at once are fast enough. Many thousand
//! judgements without a browser are in `domain::fingerprint::tests`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use regatta_core::workflow::Heal;

use super::corpus::{Site, Tab};

const TABS: usize = 12;
const SEQUENCES: usize = 60;
const TIMEOUT: Duration = Duration::from_millis(1500);

/// The parts of a page: things that a person distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageKind {
    Buttons,
    Rows,
    Cards,
    Icons,
    Fields,
    Links,
}

const LABELS: [&str; 6] = ["Save", "Delete", "Approve request", "Reject request", "Cancel", "Pay now"];
const PEOPLE: [&str; 5] = ["Ann Lee", "Bob Ray", "Cyd Moe", "Dee Fox", "Eve Orr"];
const SHAPES: [&str; 5] =
    ["M3 17v4h4L18 10", "M6 7h12l-1 14H7z", "M12 2l3 7h7l-6 4", "M4 4l16 16", "M2 2h9v9z"];
const FIELDS: [&str; 5] = ["Old password", "New password", "E-mail", "Phone", "First name"];
const LINKS: [&str; 5] = ["Pricing", "Log out", "View profile", "Delete profile", "Home"];

/// One thing on one version of the page: which one, and the key that its author has given it there.
#[derive(Debug, Clone)]
struct Thing {
    which: usize,
    key: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Sequence {
    scene: PageKind,
    /// The first is the one that the step was written on.
    versions: Vec<Vec<Thing>>,
    target: usize,
    /// Which kinds of selectors the step has: name, key, place, text.
    selectors: Vec<usize>,
    visits: Vec<(usize, Heal)>,
}

fn version() -> impl Strategy<Value = Vec<Thing>> {
    let keys = vec![None, None, Some("primary"), Some("save"), Some("item-1")];
    (subsequence((0..5).collect::<Vec<usize>>(), 1..=5).prop_shuffle(), subsequence(keys, 5).prop_shuffle())
        .prop_map(|(which, keys)| {
            which.into_iter().zip(keys).map(|(which, key)| Thing { which, key }).collect()
        })
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let scene = select(vec![
        PageKind::Buttons,
        PageKind::Rows,
        PageKind::Cards,
        PageKind::Icons,
        PageKind::Fields,
        PageKind::Links,
    ]);
    let modes = select(vec![Heal::Off, Heal::Suggest, Heal::Auto]);
    let versions = prop::collection::vec(version(), 3);
    let visits = prop::collection::vec((0_usize..3, modes), 3..6);
    let selectors = subsequence(vec![0, 1, 2, 3], 1..=4).prop_shuffle();
    (scene, versions, any::<prop::sample::Index>(), selectors, visits).prop_map(
        |(scene, versions, index, selectors, mut visits)| {
            let target = versions[0][index.index(versions[0].len())].which;
            visits[0].0 = 0;
            Sequence { scene, versions, target, selectors, visits }
        },
    )
}

impl PageKind {
    fn render(self, things: &[Thing]) -> String {
        let one = |thing: &Thing| {
            let Thing { which, key } = *thing;
            let id = key.map(|key| format!(" id={key}")).unwrap_or_default();
            let hit = format!("data-hit={which}{id}");
            match self {
                Self::Buttons => format!("<button {hit}>{}</button>", LABELS[which]),
                Self::Rows => format!(
                    "<tr><td>{}</td><td>active</td><td><button {hit}>Remove</button></td></tr>",
                    PEOPLE[which]
                ),
                Self::Cards => {
                    format!("<div class=card><b>{}</b> <button {hit}>Open</button></div>", PEOPLE[which])
                }
                Self::Icons => format!(
                    "<button {hit}><svg width=20 height=20><path d='{}'/></svg></button>",
                    SHAPES[which]
                ),
                Self::Fields => format!("<label>{} <input {hit}></label>", FIELDS[which]),
                Self::Links => format!("<a href='/of/{which}' {hit}>{}</a> ", LINKS[which]),
            }
        };
        let all: String = things.iter().map(one).collect();
        match self {
            Self::Rows => format!("<table><tbody>{all}</tbody></table>"),
            Self::Links => format!("<nav>{all}</nav>"),
            _ => format!("<form>{all}</form>"),
        }
    }

    fn act(self) -> &'static str {
        if self == Self::Fields { "change" } else { "click" }
    }

    fn label(self, which: usize) -> Option<&'static str> {
        match self {
            Self::Buttons => Some(LABELS[which]),
            Self::Fields => Some(FIELDS[which]),
            Self::Links => Some(LINKS[which]),
            Self::Rows | Self::Cards | Self::Icons => None,
        }
    }
}

impl Sequence {
    /// As a recorder would write them on the first version.
    fn written(&self) -> Vec<String> {
        let first = &self.versions[0];
        let at = first.iter().position(|thing| thing.which == self.target).unwrap();
        let nth = at + 1;
        let label = self.scene.label(self.target);
        let of_kind = |kind: &usize| match kind {
            0 => label.map(|label| format!("aria/{label}")),
            1 => first[at].key.map(|key| format!("#{key}")),
            2 => Some(match self.scene {
                PageKind::Buttons | PageKind::Icons => format!("form > button:nth-of-type({nth})"),
                PageKind::Rows => format!("tr:nth-child({nth}) button"),
                PageKind::Cards => format!("form > div:nth-of-type({nth}) > button"),
                PageKind::Fields => format!("form > label:nth-of-type({nth}) > input"),
                PageKind::Links => format!("nav > a:nth-of-type({nth})"),
            }),
            _ => label.map(|label| format!("text/{label}")),
        };
        let mut written: Vec<_> = self.selectors.iter().filter_map(of_kind).collect();
        if written.is_empty() {
            written.extend(of_kind(&2));
        }
        written
    }
}

#[tokio::test]
async fn no_sequence_of_visits_ever_hits_another_element() {
    let mut runner = TestRunner::deterministic();
    let sequences: Vec<_> =
        (0..SEQUENCES).map(|_| sequence().new_tree(&mut runner).unwrap().current()).collect();
    let site = Site::default();
    let address = site.serve().await;
    let next = AtomicUsize::new(0);
    let tabs = (0..TABS).map(|_| async {
        let mut tab = Tab::open(&site, &address).await;
        let (mut wrong, mut hits, mut visits) = (Vec::new(), 0, 0);
        while let Some(sequence) = sequences.get(next.fetch_add(1, Ordering::SeqCst)) {
            tab.forget();
            let written = sequence.written();
            let mut story = Vec::new();
            for (number, (version, heal)) in sequence.visits.iter().enumerate() {
                let body = sequence.scene.render(&sequence.versions[*version]);
                let timeout = if number == 0 { Duration::from_secs(20) } else { TIMEOUT };
                let (hit, said) = tab.visit(*heal, &body, sequence.scene.act(), &written, timeout).await;
                visits += 1;
                hits += hit.len();
                story.push(format!("{heal:?} {body}\n  {hit:?} {said}"));
                let first_missed = number == 0 && hit.is_empty();
                if first_missed || hit.iter().any(|hit| *hit != sequence.target.to_string()) {
                    wrong.push(format!("{written:?}, {} is meant\n{}", sequence.target, story.join("\n")));
                    break;
                }
            }
        }
        tab.rig.page.close().await;
        (wrong, hits, visits)
    });
    let reported = join_all(tabs).await;
    let wrong: Vec<_> = reported.iter().flat_map(|(wrong, ..)| wrong.clone()).collect();
    let (hits, visits) = reported.iter().fold((0, 0), |(a, b), (_, hits, visits)| (a + hits, b + visits));
    println!("{visits} visits, {hits} of them acted");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Refusing everything would be no art.
    assert!(hits * 3 > visits, "{hits} of {visits} visits acted");
}
