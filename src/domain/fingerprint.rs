//! What an element was like when it was the right one: enough to tell that a selector has come to
//! match another one, and to find it again where no selector matches.
//!
//! Made in the page (`browser/page/injected/likeness.js`), compared here. Holds nothing that was typed: the
//! content of fields never gets into one, and identity values are masked before anything is compared.
//!
//! The rules, and why. One thing that has changed proves nothing: labels alternate, ids are
//! generated, elements move. So every facet is evidence for or against, and an element is another one
//! only where nothing outweighs what speaks against it. Kinds do not mix: a button is no field. What
//! stands in a list may be another row every day, so of its links and texts only likeness counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::mask::Mask;

/// Names and texts are kept up to this many characters. The page sends more: a value that is cut
/// could not be masked.
const LONGEST: usize = 80;

/// A candidate must have this much of all the evidence there could be, in percent,
const THRESHOLD: i32 = 50;
/// and be this much ahead of the next.
const MARGIN: i32 = 25;

/// Attributes in which authors name an element for tests.
const TEST_IDS: [&str; 6] = ["data-testid", "data-test-id", "data-test", "data-qa", "data-cy", "data-pw"];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprint {
    pub tag: String,
    /// As ARIA names it, by the element itself or by its tag; empty for a plain element.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// An approximation of the accessible name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// `id`, `name`, `type`, test ids, the path of `href` and the like; none that looks generated.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// `main:1>form:1>button:2`, the nearest eight.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The nearest part of the page that has a role of its own: `form "Sign up"`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub landmark: String,
    /// In a list or a table of content.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub item: bool,
}

/// A selector that was found by likeness, and what it led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Likeness {
    /// A chain, each part with its prefix, as flows write it.
    pub selector: Vec<String>,
    pub element: Fingerprint,
}

/// Whether an element is the one that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// Only its label has changed. It is another one where the known label is still on the page,
    /// on an element of its own: see [`Fingerprint::is_elsewhere`].
    Relabelled,
    Different,
}

/// What an element can be used for. Different kinds are different elements, whatever else agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Press,
    Field,
    Toggle,
    File,
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    /// Neither has one, or there was none to know.
    Absent,
    Equal,
    Similar,
    Different,
    /// There was one and now there is none.
    Lost,
}

/// Points for and against. Keys are apart: where something is searched because its selectors no
/// longer match, they are what has changed.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    favour: i32,
    against: i32,
    keys_against: i32,
    /// Something that tells this element from others agrees.
    distinct: bool,
    /// A key agrees.
    key: bool,
}

impl Evidence {
    fn agree(&mut self, points: i32) {
        self.favour += points;
        self.distinct |= points >= 2;
    }

    fn key(&mut self, known: Option<&String>, seen: Option<&String>, points: i32, against: i32) {
        match (known, seen) {
            (Some(known), Some(seen)) if known == seen => {
                self.agree(points);
                self.key = true;
            }
            (Some(_), Some(_)) => self.keys_against += against,
            _ => {}
        }
    }
}

impl Fingerprint {
    /// Identity values as the names of their fields, and the texts cut.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let short = |text: String| mask.apply_to_start(&text).chars().take(LONGEST).collect();
        let whole = |text: String| mask.apply(&text);
        Self {
            name: short(self.name),
            text: short(self.text),
            attributes: self.attributes.into_iter().map(|(name, value)| (name, short(value))).collect(),
            classes: self.classes.into_iter().map(whole).collect(),
            landmark: short(self.landmark),
            ..self
        }
    }

    /// Whether `seen`, which a selector of `self` matches now, is still this element.
    pub fn judge(&self, seen: &Self) -> Verdict {
        if !self.kind().may_become(seen.kind()) {
            return Verdict::Different;
        }
        let evidence = self.weigh(seen);
        if evidence.favour - evidence.against - evidence.keys_against <= 0 {
            return Verdict::Different;
        }
        let relabelled = matches!(self.compare_label(seen), Label::Different | Label::Lost);
        if relabelled && !evidence.key && !(self.item && seen.item) {
            return Verdict::Relabelled;
        }
        Verdict::Same
    }

    /// Whether one of these has the label of `self`, and is of its kind.
    pub fn is_elsewhere(&self, among: &[Self]) -> bool {
        !self.label().is_empty()
            && among
                .iter()
                .any(|other| other.kind() == self.kind() && words(other.label()) == words(self.label()))
    }

    /// The one of `among` that is this element, where one is clearly more like it than all others.
    pub fn best(&self, among: &[Self]) -> Option<usize> {
        let most = self.weigh(self).favour;
        let share = |seen: &Self| {
            let evidence = self.weigh(seen);
            (evidence.favour - evidence.against) * 100 / most.max(1)
        };
        let mut shares: Vec<_> = among
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.kind() == self.kind())
            .map(|(index, seen)| (share(seen), index))
            .collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        let (share, index) = *shares.first()?;
        let next = shares.get(1).map_or(0, |(share, _)| (*share).max(0));
        let distinct = self.weigh(&among[index]).distinct;
        (distinct && share >= THRESHOLD && share - next >= MARGIN).then_some(index)
    }

    fn weigh(&self, seen: &Self) -> Evidence {
        let mut evidence = Evidence::default();
        let attribute = |name: &str| (self.attributes.get(name), seen.attributes.get(name));
        // Of a link or a text in a list neither key nor label says that it is another one.
        let content = self.item && seen.item && self.role != "button" && self.takes_no_value();

        if self.tag == seen.tag {
            evidence.favour += 1;
        } else {
            evidence.against += 1;
        }
        if self.role != seen.role {
            evidence.against += 2;
        } else if !self.role.is_empty() {
            evidence.favour += 1;
        }
        for name in TEST_IDS {
            let (known, seen) = attribute(name);
            evidence.key(known, seen, 4, 4);
        }
        let (known, other) = attribute("id");
        evidence.key(known, other, 3, 2);
        let (known, other) = attribute("name");
        evidence.key(known, other, 3, 3);
        let (known, other) = attribute("href");
        evidence.key(known, other, 3, 2);
        match self.compare_label(seen) {
            Label::Equal => evidence.agree(4),
            Label::Similar => evidence.agree(2),
            // A text may say anything.
            Label::Different | Label::Lost if self.name.is_empty() => {}
            // What a field is called is not its state; what a button is called may be.
            Label::Different if !self.takes_no_value() => evidence.against += 5,
            Label::Different => evidence.against += 3,
            Label::Lost => evidence.against += 2,
            Label::Absent => {}
        }
        if !self.takes_no_value() {
            if let (Some(known), Some(seen)) = attribute("type")
                && known != seen
            {
                evidence.against += 2;
            }
            match attribute("value") {
                (Some(known), Some(seen)) if known == seen => evidence.agree(2),
                (Some(_), Some(_)) => evidence.against += 3,
                _ => {}
            }
        }
        match overlap(&self.classes, &seen.classes) {
            Some(0) => evidence.against += 1,
            Some(shared) if shared >= 50 => evidence.favour += 1,
            _ => {}
        }
        if !self.path.is_empty() && self.path == seen.path {
            evidence.favour += 2;
        } else if !self.path.is_empty() && tags(&self.path).eq(tags(&seen.path)) {
            evidence.favour += 1;
        }
        if !self.landmark.is_empty() && self.landmark == seen.landmark {
            evidence.favour += 1;
        }
        if content {
            (evidence.against, evidence.keys_against) = (0, 0);
        }
        evidence
    }

    fn compare_label(&self, seen: &Self) -> Label {
        let (known, seen) = (words(self.label()), words(seen.label()));
        if known.is_empty() {
            return Label::Absent;
        }
        if seen.is_empty() {
            return Label::Lost;
        }
        if known == seen {
            return Label::Equal;
        }
        let shared = known.iter().filter(|word| seen.contains(word)).count();
        let whole = shared == known.len() || shared == seen.len();
        if whole || shared * 2 >= known.len().max(seen.len()) || known.concat() == seen.concat() {
            return Label::Similar;
        }
        Label::Different
    }

    /// What a person would call it.
    fn label(&self) -> &str {
        if self.name.is_empty() { &self.text } else { &self.name }
    }

    fn takes_no_value(&self) -> bool {
        matches!(self.kind(), Kind::Press | Kind::Plain)
    }

    /// Roles of elements of its kind; where it is a plain one, of all that are not.
    pub fn roles(&self) -> (Vec<&'static str>, Which) {
        let kind = self.kind();
        if kind == Kind::Plain {
            return (ROLES.iter().flat_map(|(_, roles)| roles.iter().copied()).collect(), Which::None);
        }
        let of_kind = ROLES.iter().filter(|(other, _)| *other == kind);
        (of_kind.flat_map(|(_, roles)| roles.iter().copied()).collect(), Which::Any)
    }

    fn kind(&self) -> Kind {
        let of = ROLES.iter().find(|(_, roles)| roles.contains(&self.role.as_str()));
        of.map_or(Kind::Plain, |(kind, _)| *kind)
    }
}

/// How a list of roles is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Any,
    None,
}

const ROLES: [(Kind, &[&str]); 4] = [
    (
        Kind::Press,
        &["button", "link", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "option", "treeitem"],
    ),
    (Kind::Field, &["textbox", "searchbox", "combobox", "listbox", "spinbutton", "slider"]),
    (Kind::Toggle, &["checkbox", "radio", "switch"]),
    (Kind::File, &["file"]),
];

impl Kind {
    /// A plain element that is made a proper button stays what it was.
    fn may_become(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Plain, Self::Press) | (Self::Press, Self::Plain))
    }
}

/// `button#save "Save"`
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.role.is_empty() || self.role == self.tag;
        f.write_str(if plain { &self.tag } else { &self.role })?;
        let key = TEST_IDS.iter().find_map(|name| Some((*name, self.attributes.get(*name)?)));
        match (self.attributes.get("id"), key) {
            (Some(id), _) => write!(f, "#{id}")?,
            (None, Some((name, value))) => write!(f, "[{name}=\"{value}\"]")?,
            (None, None) => {}
        }
        let label = self.label();
        if !label.is_empty() {
            let cut = label.chars().count() > 40;
            let shown: String = label.chars().take(if cut { 39 } else { 40 }).collect();
            write!(f, " \"{shown}{}\"", if cut { "…" } else { "" })?;
        }
        Ok(())
    }
}

/// In small letters, without marks; any number is as good as another ("Cart (3)").
fn words(text: &str) -> Vec<String> {
    let number = |word: &str| word.chars().all(char::is_numeric);
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| if number(word) { "0".to_owned() } else { word.to_lowercase() })
        .collect()
}

/// How many of all classes both have, in percent; `None` where one has none.
fn overlap(known: &[String], seen: &[String]) -> Option<usize> {
    if known.is_empty() || seen.is_empty() {
        return None;
    }
    let shared = known.iter().filter(|class| seen.contains(class)).count();
    Some(shared * 100 / (known.len() + seen.len() - shared).max(1))
}

fn tags(path: &str) -> impl Iterator<Item = &str> {
    path.split('>').map(|step| step.split(':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::session::Identity;

    /// `role tag "label" key=value … .class @path landmark item`, in any order after the first two.
    fn print(text: &str) -> Fingerprint {
        let mut print = Fingerprint::default();
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
            } else if let Some((name, value)) = part.split_once('=') {
                print.attributes.insert(name.to_owned(), value.to_owned());
            } else {
                print.landmark = part.to_owned();
            }
        }
        print
    }

    fn judged(rows: &[(&str, &str, &str)]) -> String {
        let row = |(why, known, seen): &(&str, &str, &str)| {
            format!("{:?}: {why}\n", print(known).judge(&print(seen)))
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn one_change_is_no_other_element() {
        expect![[r#"
            Same: nothing
            Same: a generated id that is no longer there
            Same: moved
            Same: moved and renamed by its author
            Same: the test id was renamed
            Same: a counter
            Same: a label that was made longer
            Same: a label that alternates, of a button with a key
            Relabelled: a label that alternates, of one without
            Same: a link that a script turned into a button
            Same: a plain element that was made a button
            Same: other classes
            Same: a password that is shown
            Same: the first of a list is another one
            Same: a row's button has another label
            Same: a text that has changed
            Same: icons have no name
            Same: an icon that was given a name
        "#]]
        .assert_eq(&judged(&[
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
            (
                "the test id was renamed",
                "button button \"Save\" data-testid=a @form:1>button:1",
                "button button \"Save\" data-testid=b @form:1>button:1",
            ),
            ("a counter", "button button \"Cart (3)\"", "button button \"Cart (12)\""),
            ("a label that was made longer", "button button \"Close\"", "button button \"Close dialog\""),
            (
                "a label that alternates, of a button with a key",
                "button button \"Follow\" id=follow @div:1>button:1",
                "button button \"Leave\" id=follow @p:1>button:1",
            ),
            (
                "a label that alternates, of one without",
                "button button \"Follow\" @div:1>button:1",
                "button button \"Leave\" @div:1>button:1",
            ),
            (
                "a link that a script turned into a button",
                "link a \"Log in\" id=login href=/login",
                "button button \"Log in\" id=login",
            ),
            (
                "a plain element that was made a button",
                "- div \"Save\" id=save @form:1>div:1",
                "button button \"Save\" id=save @form:1>button:1",
            ),
            ("other classes", "button button \"Save\" .primary", "button button \"Save\" .btn .big"),
            (
                "a password that is shown",
                "textbox input \"Password\" type=password name=pw",
                "textbox input \"Password\" type=text name=pw",
            ),
            (
                "the first of a list is another one",
                "link a \"Your code\" href=/mail/a data-testid=m-a @ul:1>li:1>a:1 item",
                "link a \"Invoice\" href=/mail/b data-testid=m-b @ul:1>li:1>a:1 item",
            ),
            (
                "a row's button has another label",
                "button button \"Pause\" @tr:1>td:3>button:1 item",
                "button button \"Resume\" @tr:1>td:3>button:1 item",
            ),
            ("a text that has changed", "- p \"One message\" id=n", "- p \"No messages\" id=n"),
            ("icons have no name", "button button @div:1>button:1", "button button @div:1>button:1"),
            ("an icon that was given a name", "button button @a:1", "button button \"Close\" @b:1"),
        ]));
    }

    #[test]
    fn another_element_is_told() {
        expect![[r#"
            Different: a field where a button was
            Different: a field where a button was, of the same id and name
            Different: a checkbox where a link was
            Different: label and test id
            Different: label and name
            Different: label and place
            Different: label and address
            Different: a field with another label
            Different: a field with another label at the same place
            Different: another radio button of the group
            Different: a row has a field where it had a link
        "#]]
        .assert_eq(&judged(&[
            ("a field where a button was", "button button \"Save\"", "textbox input \"Save\""),
            (
                "a field where a button was, of the same id and name",
                "button button \"Search\" id=q",
                "searchbox input \"Search\" id=q",
            ),
            ("a checkbox where a link was", "link a \"Terms\"", "checkbox input \"Terms\""),
            (
                "label and test id",
                "button button \"Save\" data-testid=save @form:1>button:1 form",
                "button button \"Delete account\" data-testid=delete @form:1>button:1 form",
            ),
            (
                "label and name",
                "textbox input \"E-mail\" name=email type=email @form:1>input:1 form",
                "textbox input \"Phone\" name=phone type=tel @form:1>input:1 form",
            ),
            (
                "label and place",
                "button button \"Save\" @form:1>button:1",
                "button button \"Delete\" @div:1>button:4",
            ),
            (
                "label and address",
                "link a \"Pricing\" href=/pricing @nav:1>a:2",
                "link a \"Log out\" href=/logout @nav:1>a:2",
            ),
            ("a field with another label", "textbox input \"E-mail\"", "textbox input \"Phone\""),
            (
                "a field with another label at the same place",
                "textbox input \"E-mail\" @form:1>input:1",
                "textbox input \"Phone\" @form:1>input:1",
            ),
            (
                "another radio button of the group",
                "radio input \"Yes\" name=agree value=yes type=radio @form:1>input:1",
                "radio input \"No\" name=agree value=no type=radio @form:1>input:2",
            ),
            (
                "a row has a field where it had a link",
                "link a \"A\" @ul:1>li:1>a:1 item",
                "textbox input \"A\" @ul:1>li:1>input:1 item",
            ),
        ]));
    }

    #[test]
    fn a_label_that_is_elsewhere_is_on_another_element() {
        let known = print("button button \"Save\" @form:1>button:1");
        let elsewhere = |others: &[&str]| {
            known.is_elsewhere(&others.iter().map(|other| print(other)).collect::<Vec<_>>())
        };
        assert!(elsewhere(&["button button \"Other\"", "button button \"save\""]));
        assert!(!elsewhere(&["heading h1 \"Save\"", "button button \"Save all\""]));
        assert!(!print("button button").is_elsewhere(&[print("button button")]));
    }

    #[track_caller]
    fn check_best(known: &str, among: &[&str], expected: Expect) {
        let found = print(known).best(&among.iter().map(|other| print(other)).collect::<Vec<_>>());
        expected.assert_eq(found.map_or("none", |index| among[index]));
    }

    #[test]
    fn the_best_is_clearly_more_like_it_than_the_next() {
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
        // It was given another label, and moved.
        check_best(
            save,
            &[
                "button button \"Keep\" data-testid=save @div:1>button:1 form",
                "button button \"Cancel\" @form:1>button:2 form",
            ],
            expect!["none"],
        );
        check_best(
            save,
            &["button button \"Save changes\" data-testid=save @div:1>button:1 form"],
            expect![[r#"button button "Save changes" data-testid=save @div:1>button:1 form"#]],
        );
        // Two are as good.
        check_best(save, &["button button \"Save\" @a:1", "button button \"Save\" @b:1"], expect!["none"]);
        // At its place, and nothing else.
        check_best(save, &["button button \"Delete\" @form:1>button:1 form"], expect!["none"]);
        check_best(save, &["textbox input \"Save\" data-testid=save @form:1>button:1 form"], expect!["none"]);
        check_best(save, &[], expect!["none"]);
        // A row is as good as the next.
        check_best(
            "link a @ul:1>li:1>a:1 item",
            &["link a @ul:1>li:1>a:1 item", "link a @ul:1>li:2>a:1 item"],
            expect!["none"],
        );
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
    fn identity_values_are_masked_also_where_a_text_was_cut() {
        let mut identity = Identity::default();
        identity.set("email", "ann@practice.test");
        let mask = Mask::of(&identity);
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
            name in prop::sample::select(vec!["", "Save", "Save all", "Delete", "Cart 3"]),
            text in prop::sample::select(vec!["", "Save", "Other"]),
            attributes in prop::collection::btree_map(
                prop::sample::select(vec!["id", "name", "type", "href", "value", "data-testid"]).prop_map(str::to_owned),
                "[ab]".prop_map(String::from), 0..4),
            classes in prop::collection::vec("[abc]".prop_map(String::from), 0..3),
            path in prop::sample::select(vec!["", "form:1>a:1", "form:1>a:2", "div:1"]),
            landmark in prop::sample::select(vec!["", "form", "nav"]),
            item in any::<bool>(),
        ) -> Fingerprint {
            Fingerprint {
                role: role.to_owned(), tag: tag.to_owned(), name: name.to_owned(), text: text.to_owned(),
                attributes, classes, path: path.to_owned(), landmark: landmark.to_owned(), item,
            }
        }
    }

    proptest! {
        #[test]
        fn no_element_differs_from_itself(print in any_print()) {
            prop_assert_eq!(print.judge(&print), Verdict::Same);
        }

        #[test]
        fn neither_place_nor_text_nor_a_lost_key_alone_makes_another(
            print in any_print(), path in "[a-z]{1,3}:[1-9]", text in "[a-z ]{0,9}", key in 0_usize..9,
        ) {
            let moved = Fingerprint { path, landmark: "elsewhere".to_owned(), ..print.clone() };
            prop_assert_eq!(print.judge(&moved), Verdict::Same);
            let mut without = print.clone();
            if let Some(name) = print.attributes.keys().nth(key) {
                without.attributes.remove(name);
            }
            prop_assert_eq!(print.judge(&without), Verdict::Same);
            let rewritten = Fingerprint { text, ..print.clone() };
            prop_assert_ne!(print.judge(&rewritten), Verdict::Different);
        }

        #[test]
        fn the_order_of_the_candidates_decides_nothing(
            known in any_print(), mut among in prop::collection::vec(any_print(), 0..6),
        ) {
            let best = known.best(&among).map(|index| among[index].clone());
            among.reverse();
            prop_assert_eq!(best.clone(), known.best(&among).map(|index| among[index].clone()));
            // A second one like the best is one too many.
            if let Some(best) = best {
                prop_assert_eq!(best.kind(), known.kind());
                among.push(best);
                prop_assert_eq!(known.best(&among), None);
            }
        }
    }
}
