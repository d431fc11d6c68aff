//! Which element is meant: the flow's own words, the memory, and the error where they agree on one that
//! has changed.

use std::time::Duration;

use expect_test::expect;
use regatta_core::workflow::Heal;

use super::corpus::{Site, Tab};

const SAVE_AND_DELETE: &str =
    "<form><button data-hit=save>Save</button><button data-hit=delete>Delete</button></form>";
const DELETE: &str = "<form><button data-hit=delete>Delete</button></form>";

const PATIENT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(1500);

fn written(selectors: &[&str]) -> Vec<String> {
    selectors.iter().map(|selector| (*selector).to_owned()).collect()
}

async fn tab() -> Tab {
    let site = Site::default();
    let address = site.serve().await;
    Tab::open(&site, &address).await
}

#[tokio::test]
async fn a_poisoned_memory_neither_acts_nor_refuses() {
    let mut tab = tab().await;
    let selectors = written(&["aria/Save", "form > button:nth-of-type(1)", "text/Save"]);
    for heal in [Heal::Off, Heal::Suggest, Heal::Auto] {
        tab.forget();
        assert_eq!(tab.visit(heal, SAVE_AND_DELETE, "click", &selectors, PATIENT).await.0, ["save"]);
        let (hits, said) = tab.visit(heal, DELETE, "click", &selectors, SHORT).await;
        assert!(hits.is_empty(), "{heal:?}: {hits:?} {said}");
        assert!(said.contains("which is not what `aria/Save` of the same step calls for"), "{said}");
        let (hits, said) = tab.visit(heal, SAVE_AND_DELETE, "click", &selectors, PATIENT).await;
        assert_eq!(hits, ["save"], "{heal:?}: {said}");
        // As an older version has learned it.
        for remembered in tab.rig.memory.0.lock().unwrap().values_mut() {
            let element = remembered.recalled.element.as_mut().unwrap();
            element.name = "Delete".to_owned();
            element.attributes.insert("id".to_owned(), "delete".to_owned());
            remembered.recalled.alternative = Some(1);
            remembered.recalled.healed = Some(vec!["aria/Delete".to_owned()]);
        }
        let (hits, said) = tab.visit(heal, SAVE_AND_DELETE, "click", &selectors, PATIENT).await;
        assert_eq!((hits, said.trim()), (vec!["save".to_owned()], "ok"), "{heal:?}");
        for remembered in tab.rig.memory.0.lock().unwrap().values_mut() {
            remembered.recalled.element.as_mut().unwrap().name = "Delete".to_owned();
            remembered.recalled.alternative = Some(1);
            remembered.recalled.healed = Some(vec!["aria/Delete".to_owned()]);
        }
        let (hits, said) = tab.visit(heal, DELETE, "click", &selectors, SHORT).await;
        assert!(hits.is_empty(), "{heal:?}: {hits:?} {said}");
    }
    tab.rig.page.close().await;
}

#[tokio::test]
async fn a_relabelled_element_is_reported() {
    let mut tab = tab().await;
    let mut story = String::new();
    for (selectors, before, after) in [
        (
            ["#save"],
            "<button id=save data-hit=x>Save</button>",
            "<button id=save data-hit=x>Save changes</button>",
        ),
        (
            ["p > button"],
            "<p><button data-hit=x>Cart (1)</button></p>",
            "<p><button data-hit=x>Cart (2)</button></p>",
        ),
        (
            ["li:nth-child(1) > button"],
            "<ul><li>Ann, <i>active</i> <button data-hit=x>Edit</button></li><li>Bob, <i>active</i> <button>Edit</button></li></ul>",
            "<ul><li>Ann, <i>away</i> <button data-hit=x>Edit</button></li><li>Bob, <i>active</i> <button>Edit</button></li></ul>",
        ),
        (
            ["p > button"],
            "<p><button data-hit=x>Save</button></p>",
            "<p><button data-hit=x>Save</button></p>",
        ),
    ] {
        tab.forget();
        let selectors = written(&selectors);
        tab.visit(Heal::Off, before, "click", &selectors, PATIENT).await;
        let (hits, said) = tab.visit(Heal::Off, after, "click", &selectors, PATIENT).await;
        story += &format!("{hits:?} {said}\n");
        // It is known as it is now.
        let (_, said) = tab.visit(Heal::Off, after, "click", &selectors, PATIENT).await;
        assert_eq!(said.trim(), "ok");
    }
    tab.rig.page.close().await;
    expect![[r##"
        ["x"] ok Changed: button#save "Save changes" by `#save`, was button#save "Save"
        ["x"] ok Changed: button "Cart (2)" by `p > button`, was button "Cart (1)"
        ["x"] ok Changed: button "Edit" in "Ann," by `li:nth-child(1) > button`, was button "Edit" in "Ann,"
        ["x"] ok 
    "##]]
    .assert_eq(&story);
}

/// A label that took turns before takes turns again.
#[tokio::test]
async fn a_label_that_was_seen_to_alternate_is_acted_on() {
    let mut tab = tab().await;
    let page = |label: &str| format!("<p><button data-hit=x>{label}</button></p>");
    let both = written(&["aria/Follow", "aria/Watching", "p > button"]);
    let place = written(&["p > button"]);
    // Nothing says that these are one.
    tab.visit(Heal::Off, &page("Follow"), "click", &place, PATIENT).await;
    let (hits, said) = tab.visit(Heal::Off, &page("Watching"), "click", &place, SHORT).await;
    assert!(hits.is_empty(), "{said}");
    tab.forget();
    for label in ["Follow", "Watching", "Follow"] {
        let (hits, said) = tab.visit(Heal::Off, &page(label), "click", &both, PATIENT).await;
        assert_eq!(hits, ["x"], "{said}");
    }
    let known = tab.rig.memory.0.lock().unwrap().values().next().unwrap().recalled.element.clone().unwrap();
    assert_eq!((known.name.as_str(), known.formerly), ("Follow", vec!["Watching".to_owned()]));
    tab.rig.page.close().await;
}
