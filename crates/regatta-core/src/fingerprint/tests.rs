//! Fingerprints as short texts, judged and searched.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::flow::{Chain, Locator, Selector};
use crate::session::Identity;

/// `role tag "label" key=value … .class @path %picture ^heading xTWINS /row,texts landmark item`, in any
/// order after the first two.
fn print(text: &str) -> Fingerprint {
    let mut print = Fingerprint { twins: Some(0), ..Fingerprint::default() };
    let (text, label) = match text.split_once('"') {
        Some((before, rest)) => {
            let (label, after) = rest.split_once('"').unwrap();
            (format!("{before} {after}"), label)
        }
        None => (text.to_owned(), ""),
    };
    let mut parts = text.split_whitespace();
    print.role = parts.next().unwrap().trim_start_matches('-').to_owned();
    print.tag = parts.next().unwrap().to_owned();
    if print.role.is_empty() {
        print.text = label.to_owned();
    } else {
        print.name = label.to_owned();
    }
    for part in parts {
        if let Some(class) = part.strip_prefix('.') {
            print.classes.push(class.to_owned());
        } else if let Some(path) = part.strip_prefix('@') {
            print.path = path.to_owned();
        } else if part == "item" {
            print.item = true;
        } else if let Some(picture) = part.strip_prefix('%') {
            print.picture = picture.to_owned();
        } else if let Some(heading) = part.strip_prefix('^') {
            print.heading = heading.to_owned();
        } else if let Some(twins) = part.strip_prefix('x')
            && let Ok(twins) = twins.parse()
        {
            print.twins = Some(twins);
        } else if let Some(row) = part.strip_prefix('/') {
            let texts: Vec<_> = row.split(',').map(str::to_owned).collect();
            print.row = Some(ElementRow { texts, keys: vec![0], many: true, depth: 2 });
        } else if let Some((name, value)) = part.split_once('=') {
            print.attributes.insert(name.to_owned(), value.to_owned());
        } else {
            print.landmark = part.to_owned();
        }
    }
    print
}

fn authored(selectors: &[&str]) -> AuthoredNames {
    let chain = |text: &&str| Chain(vec![Selector::parse(text)]);
    let locator = Locator { alternatives: selectors.iter().map(chain).collect(), digest: String::new() };
    AuthoredNames::from_locator(&locator, |text| Some(text.to_owned()), &Mask::default())
}

/// As the engine does: the others are queried only where they decide.
fn judge(
    authored: &AuthoredNames,
    known: Option<&Fingerprint>,
    seen: &Fingerprint,
    others: &[Fingerprint],
) -> Verdict {
    let question = ElementComparison { authored, by_name: false, known, seen };
    match question.judge(None) {
        Verdict::Ask => question.judge(Some(others)),
        judged => judged,
    }
}

fn check(rows: &[(&str, &str, &str)], expected: Expect) {
    let row = |(why, known, seen): &(&str, &str, &str)| {
        let judged = judge(&AuthoredNames::default(), Some(&print(known)), &print(seen), &[]);
        format!("{judged:?}: {why}\n")
    };
    expected.assert_eq(&rows.iter().map(row).collect::<String>());
}

#[test]
fn one_change_makes_no_other_element() {
    check(
        &[
            ("nothing", "button button \"Save\"", "button button \"Save\""),
            (
                "a generated id that is no longer there",
                "button button \"Save\" id=x",
                "button button \"Save\"",
            ),
            (
                "moved",
                "button button \"Save\" @main:1>form:1>button:1 form",
                "button button \"Save\" @div:3>button:2 dialog",
            ),
            (
                "moved and renamed by its author",
                "button button \"Save\" id=save @form:1>button:1",
                "button button \"Save\" id=store @div:1>button:4",
            ),
            ("a counter", "button button \"Cart (3)\"", "button button \"Cart (12)\""),
            (
                "a label made longer, of one with a key",
                "button button \"Save\" id=save",
                "button button \"Save changes\" id=save",
            ),
            (
                "another word, of one whose key says the old one",
                "button button \"Follow\" id=follow",
                "button button \"Watch\" id=follow",
            ),
            (
                "a link that a script turned into a button",
                "link a \"Log in\" id=login href=/login",
                "button button \"Log in\" id=login",
            ),
            (
                "a plain element that was made a button",
                "- div \"Save\" @form:1>div:1",
                "button button \"Save\" @form:1>button:1",
            ),
            ("other classes", "button button \"Save\" .primary", "button button \"Save\" .btn .big"),
            (
                "a password that is shown",
                "textbox input \"Password\" type=password name=pw",
                "textbox input \"Password\" type=text name=pw",
            ),
            (
                "an icon of the same picture that was given a name",
                "button button %pen @a:1",
                "button button \"Edit\" %pen @b:1",
            ),
            ("the same icon elsewhere", "button button %pen @a:1", "button button %pen @b:1"),
            (
                "the same row, other words in it",
                "button button \"Edit\" x1 /Ann,active",
                "button button \"Edit\" x1 /Ann,away",
            ),
            (
                "a field without a label, of the same key",
                "textbox input name=city @a:1",
                "textbox input name=city @b:1",
            ),
            ("a box of content", "- div .list @main:1>div:1", "- div .list @main:1>div:2"),
        ],
        expect![[r#"
            Same: nothing
            Same: a generated id that is no longer there
            Same: moved
            Same: moved and renamed by its author
            Changed: a counter
            Changed: a label made longer, of one with a key
            Changed: another word, of one whose key says the old one
            Same: a link that a script turned into a button
            Changed: a plain element that was made a button
            Same: other classes
            Same: a password that is shown
            Changed: an icon of the same picture that was given a name
            Same: the same icon elsewhere
            Changed: the same row, other words in it
            Same: a field without a label, of the same key
            Same: a box of content
        "#]],
    );
}

#[test]
fn another_element_is_recognized() {
    check(
        &[
            ("a field where a button was", "button button \"Save\"", "textbox input \"Save\""),
            (
                "a field of the same id and label",
                "button button \"Search\" id=q",
                "searchbox input \"Search\" id=q",
            ),
            ("a button that is a plain element", "button button \"Save\"", "- x-button \"Save\""),
            ("half the words", "button button \"Approve request\"", "button button \"Reject request\""),
            ("a label made longer", "button button \"Save\"", "button button \"Save changes\""),
            (
                "a word of consequence, in spite of its key",
                "button button \"Keep\" id=keep",
                "button button \"Cancel\" id=keep",
            ),
            (
                "a key that may mean anything",
                "button button \"Follow\" id=primary",
                "button button \"Watch\" id=primary",
            ),
            (
                "a key that counts",
                "button button \"Follow\" id=follow-2",
                "button button \"Watch\" id=follow-2",
            ),
            (
                "a field with another label",
                "textbox input \"E-mail\" name=contact",
                "textbox input \"Phone\" name=contact",
            ),
            (
                "old and new",
                "textbox input \"Old password\" name=password",
                "textbox input \"New password\" name=password",
            ),
            ("another row", "button button \"Delete\" x1 /Ann", "button button \"Delete\" x1 /Bob"),
            (
                "another row of the same key",
                "button button \"Delete\" id=del x1 /Ann",
                "button button \"Delete\" id=del /Bob",
            ),
            ("no row any more", "button button \"Delete\" x1 /Ann", "button button \"Delete\""),
            ("another picture", "button button %pen id=tool", "button button %bin id=tool"),
            (
                "one of two that are alike, elsewhere",
                "button button \"Save\" @a:1",
                "button button \"Save\" x1 @b:1",
            ),
            (
                "another heading, a short label",
                "button button \"Save\" ^Profile @a:1",
                "button button \"Save\" ^Newsletter @b:1",
            ),
            ("nothing in it, elsewhere", "button button @a:1", "button button @b:1"),
            ("another link of a list", "link a \"Your code\" item", "link a \"Invoice\" item"),
        ],
        expect![[r#"
            Another(Kind): a field where a button was
            Another(Kind): a field of the same id and label
            Another(Kind): a button that is a plain element
            Another(Label): half the words
            Another(Label): a label made longer
            Another(Label): a word of consequence, in spite of its key
            Another(Label): a key that may mean anything
            Another(Label): a key that counts
            Another(Label): a field with another label
            Another(Label): old and new
            Another(Row): another row
            Another(Row): another row of the same key
            Another(Row): no row any more
            Another(Picture): another picture
            Another(Place): one of two that are alike, elsewhere
            Another(Place): another heading, a short label
            Another(Place): nothing in it, elsewhere
            Another(Label): another link of a list
        "#]],
    );
}

#[test]
fn a_changed_label_is_another_element_where_the_old_one_is_still_there() {
    let known = print("button button \"Save\" id=save");
    let seen = print("button button \"Save changes\" id=save");
    let judged = |others: &[&str]| {
        let others: Vec<_> = others.iter().map(|other| print(other)).collect();
        judge(&AuthoredNames::default(), Some(&known), &seen, &others)
    };
    assert_eq!(judged(&["button button \"Cancel\"", "heading h1 \"Save\""]), Verdict::Changed);
    assert_eq!(
        judged(&["button button \"Cancel\"", "link a \"save\""]),
        Verdict::Another(MismatchReason::Label)
    );
}

#[test]
fn a_label_that_alternates_is_no_reason_to_refuse() {
    let follow = print("button button \"Follow\"");
    let watch = print("button button \"Watching\"").after(&follow);
    assert_eq!(watch.formerly, ["Follow"]);
    let judged = |known: &Fingerprint, seen: &str, others: &[Fingerprint]| {
        judge(&AuthoredNames::default(), Some(known), &print(seen), others)
    };
    assert_eq!(judged(&watch, "button button \"Follow\"", &[]), Verdict::Changed);
    let other = [print("button button \"Watching\"")];
    assert_eq!(judged(&watch, "button button \"Follow\"", &other), Verdict::Another(MismatchReason::Label));
    assert_eq!(judged(&follow, "button button \"Watching\"", &[]), Verdict::Another(MismatchReason::Label));
    assert_eq!(print("button button \"Follow\"").after(&watch).formerly, ["Watching"]);
}

#[test]
fn the_words_of_the_flow_outrank_the_memory() {
    let save = authored(&["aria/Save", "form > button"]);
    let (known, poisoned) = (print("button button \"Save\""), print("button button \"Delete\""));
    let judged = |known: Option<&Fingerprint>, seen: &str| judge(&save, known, &print(seen), &[]);
    assert_eq!(judged(Some(&poisoned), "button button \"Save\""), Verdict::Same);
    for known in [None, Some(&known), Some(&poisoned)] {
        assert_eq!(judged(known, "button button \"Delete\" id=save"), Verdict::Another(MismatchReason::Name));
        assert_eq!(judged(known, "button button \"Save\" id=other"), Verdict::Same);
    }
    assert!(!save.permits(&poisoned) && save.permits(&known));
    // A part of the text is not a whole name.
    let account = authored(&["text/account"]);
    let off = print("button button \"Deactivate account\"");
    assert_eq!(
        judge(&account, Some(&off), &print("button button \"Delete account\""), &[]),
        Verdict::Another(MismatchReason::Name)
    );
    let send = authored(&["text/Send"]);
    assert_eq!(
        judge(&send, None, &print("button button \"Send later\""), &[]),
        Verdict::Another(MismatchReason::Name)
    );
    let start = authored(&["text/Get going"]);
    let now = print("button button \"Get going now\"");
    assert_eq!(judge(&start, None, &now, &[]), Verdict::Same);
    assert_eq!(
        judge(&start, Some(&print("button button \"Get going for free\"")), &now, &[]),
        Verdict::Changed
    );
}

#[track_caller]
fn check_best(known: &str, among: &[&str], expected: Expect) {
    let prints: Vec<_> = among.iter().map(|other| print(other)).collect();
    let (known, named) = (print(known), AuthoredNames::default());
    let best = known.best_match(&prints, &named).map_or("none", |index| among[index]);
    let like = known.most_similar(&prints, &named).map_or("none", |index| among[index]);
    expected.assert_eq(&if best == "none" && like != "none" {
        format!("perhaps {like}")
    } else {
        best.to_owned()
    });
}

#[test]
fn the_best_match_is_clearly_ahead_of_the_next() {
    let save = "button button \"Save\" data-testid=save @form:1>button:1 form";
    // Its test id was renamed.
    check_best(
        save,
        &[
            "button button \"Cancel\" @form:1>button:2 form",
            "button button \"Save\" data-testid=store @form:1>button:1 form",
        ],
        expect![[r#"button button "Save" data-testid=store @form:1>button:1 form"#]],
    );
    check_best(
        save,
        &["button button \"Save changes\" data-testid=save @div:1>button:1 form"],
        expect![[r#"button button "Save changes" data-testid=save @div:1>button:1 form"#]],
    );
    // Two are equally similar.
    check_best(save, &["button button \"Save\" @a:1", "button button \"Save\" @b:1"], expect!["none"]);
    // Only the place agrees.
    check_best(save, &["button button \"Delete\" @form:1>button:1 form"], expect!["none"]);
    check_best(save, &["button button \"Delete\" data-testid=save @form:1>button:1 form"], expect!["none"]);
    check_best(save, &["textbox input \"Save\" data-testid=save @form:1>button:1 form"], expect!["none"]);
    check_best(save, &[], expect!["none"]);
    // A person may check it.
    check_best(
        save,
        &["- x-button \"Save\" @form:1>x-button:1 form"],
        expect![[r#"perhaps - x-button "Save" @form:1>x-button:1 form"#]],
    );
    check_best(
        save,
        &["link a \"Keep it\" @form:1>a:1 form"],
        expect![[r#"perhaps link a "Keep it" @form:1>a:1 form"#]],
    );
    check_best(
        "button button \"Save\" ^Profile",
        &["button button \"Save\" ^Newsletter"],
        expect![[r#"perhaps button button "Save" ^Newsletter"#]],
    );
    // Rows and pictures.
    check_best(
        "button button \"Delete\" x1 /Ann",
        &["button button \"Delete\" x1 /Bob", "button button \"Delete\" x1 /Ann"],
        expect![[r#"button button "Delete" x1 /Ann"#]],
    );
    check_best("button button \"Delete\" x1 /Ann", &["button button \"Delete\" /Bob"], expect!["none"]);
    check_best(
        "button button %pen",
        &["button button %bin", "button button %pen"],
        expect!["button button %pen"],
    );
    check_best("button button %pen x1", &["button button %pen"], expect!["perhaps button button %pen"]);
}

#[test]
fn elements_are_named_as_a_person_would() {
    let long = format!("button button \"{}\"", "word ".repeat(20).trim_end());
    let seen: Vec<_> = [
        "button button \"Save\" id=save",
        "link a \"Home\"",
        "- div \"Text\" data-qa=x",
        "checkbox input",
        &long,
    ]
    .map(|text| print(text).to_string())
    .to_vec();
    expect![[r#"
        button#save "Save"
        link "Home"
        div[data-qa="x"] "Text"
        checkbox
        button "word word word word word word word word…""#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn identity_values_are_masked_even_in_a_text_that_was_cut() {
    let mut identity = Identity::default();
    identity.set("email", "ann@practice.test");
    let mask = Mask::for_identity(&identity);
    let mut known = print("link a id=of-ann@practice.test href=/of/ann@practice.test .ann@practice.test");
    known.name = "Mail of ann@practice.test".to_owned();
    known.text = format!("{} ann@pract", "x".repeat(60));
    known.landmark = "form \"ann@practice.test\"".to_owned();
    let masked = known.masked(&mask);
    let text = serde_json::to_string(&masked).unwrap();
    assert!(!text.contains("ann"), "{text}");
    assert_eq!(masked.name, "Mail of ‹identity.email›");
}

prop_compose! {
    fn any_print()(
        role in prop::sample::select(vec!["", "button", "link", "textbox", "checkbox", "heading"]),
        tag in prop::sample::select(vec!["a", "button", "div", "input"]),
        name in prop::sample::select(vec!["", "Save", "Save all", "Delete", "Cart (3)", "Cart (4)", "Keep"]),
        text in prop::sample::select(vec!["", "Save", "Other"]),
        attributes in prop::collection::btree_map(
            prop::sample::select(vec!["id", "name", "type", "href", "value", "data-testid"]).prop_map(str::to_owned),
            prop::sample::select(vec!["save", "primary", "x-1"]).prop_map(str::to_owned), 0..4),
        classes in prop::collection::vec("[abc]".prop_map(String::from), 0..3),
        path in prop::sample::select(vec!["", "form:1>a:1", "form:1>a:2", "div:1"]),
        landmark in prop::sample::select(vec!["", "form", "nav"]),
        heading in prop::sample::select(vec!["", "Profile", "News"]),
        picture in prop::sample::select(vec!["", "pen", "bin"]),
        twins in prop::option::of(0_u32..2),
        row in prop::option::of(prop::sample::select(vec!["Ann", "Bob"])),
    ) -> Fingerprint {
        let row = row.map(|name| ElementRow { texts: vec![name.to_owned()], keys: vec![0], many: true, depth: 1 });
        Fingerprint {
            role: role.to_owned(), tag: tag.to_owned(), name: name.to_owned(), text: text.to_owned(),
            attributes, classes, path: path.to_owned(), landmark: landmark.to_owned(), heading: heading.to_owned(),
            picture: picture.to_owned(), twins, row, ..Fingerprint::default()
        }
    }
}

/// Whether anything at all distinguishes the two.
fn is_told(print: &Fingerprint) -> bool {
    !print.label().is_empty() || !print.picture.is_empty() || print.twins == Some(0)
}

proptest! {
    #[test]
    fn no_element_differs_from_itself(print in any_print()) {
        prop_assume!(is_told(&print));
        prop_assert_eq!(judge(&AuthoredNames::default(), Some(&print), &print, &[]), Verdict::Same);
        prop_assert!(print.matches_for_reading(&print));
    }

    /// An element with another text is used only with a reason.
    #[test]
    fn what_says_something_of_consequence_is_another(known in any_print(), seen in any_print()) {
        let judged = judge(&AuthoredNames::default(), Some(&known), &seen, &[]);
        let acted = matches!(judged, Verdict::Same | Verdict::Changed);
        if seen.label() == "Delete" && !known.label().is_empty() && known.label() != "Delete" {
            prop_assert!(!acted, "{judged:?}");
            prop_assert_eq!(known.best_match(std::slice::from_ref(&seen), &AuthoredNames::default()), None);
            prop_assert_eq!(known.most_similar(std::slice::from_ref(&seen), &AuthoredNames::default()), None);
        }
        if let (Some(known), Some(seen)) = (&known.row, &seen.row) && known.texts != seen.texts {
            prop_assert!(!acted, "{judged:?}");
        }
        if known.label().is_empty() && seen.label().is_empty() && known.picture != seen.picture {
            prop_assert!(!acted, "{judged:?}");
        }
        if acted && (known.name != seen.name || known.text != seen.text) {
            prop_assert_eq!(judged, Verdict::Changed, "it is not reported");
        }
    }

    /// The flow's own words decide, not the memory.
    #[test]
    fn the_name_in_the_flow_decides(known in any_print(), seen in any_print(), mode in any::<bool>()) {
        let named = authored(if mode { &["aria/Save", "#x"] } else { &["#x", "aria/Keep", "text/Keep"] });
        let judged = judge(&named, Some(&known), &seen, &[]);
        if named.fit(&seen) != NameFit::Whole {
            prop_assert_eq!(judged, Verdict::Another(MismatchReason::Name));
            prop_assert_eq!(known.best_match(std::slice::from_ref(&seen), &named), None);
        } else if !named.permits(&known) {
            prop_assert_eq!(judged, Verdict::Same);
        }
    }

    #[test]
    fn the_order_of_the_candidates_decides_nothing(
        known in any_print(), mut among in prop::collection::vec(any_print(), 0..6),
    ) {
        let named = AuthoredNames::default();
        let best = known.best_match(&among, &named).map(|index| among[index].clone());
        among.reverse();
        prop_assert_eq!(best.clone(), known.best_match(&among, &named).map(|index| among[index].clone()));
        // A second element like the best one is ambiguous.
        if let Some(best) = best {
            prop_assert_eq!(best.kind(), known.kind());
            among.push(best);
            prop_assert_eq!(known.best_match(&among, &named), None);
        }
    }
}

/// Each attempt of a step may send the same mail once more.
#[test]
fn the_flow_may_ask_for_the_first_of_equal_items() {
    let known = print("link a \"Your confirmation code\" @ul>li>a");
    let seen = print("link a \"Your confirmation code\" @ul>li>a x1");
    let judged = |selector: &str, known: &Fingerprint, seen: &Fingerprint| {
        judge(&authored(&[selector]), Some(known), seen, &[])
    };
    assert_eq!(judged("li:first-child [data-sender=\"shop\"]", &known, &seen), Verdict::Same);
    // A position is not a choice of the author.
    let place = Verdict::Another(MismatchReason::Place);
    assert_eq!(judged("li:nth-child(1) > a", &known, &seen), place);
    assert_eq!(judged("a:first-child", &known, &seen), place);
    let (known, seen) =
        (print("button button \"Delete\" @li>button"), print("button button \"Delete\" @li>button x1"));
    assert_eq!(judged("li:first-child button", &known, &seen), place);
}
