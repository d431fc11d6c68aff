//! The calls that list: profiles, groups and tags, a page at a time.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::calls::{Parameters, Shared, parameter, parse, text};
use super::envelope::list;
use super::profiles::{EmulatedProfile, GROUPS, TAGS};

const LARGEST_PAGE: usize = 100;
const LARGEST_PAGE_OF_TAGS: usize = 200;

pub async fn profiles_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    let filter = Filter {
        group: parameter(&parameters, "group_id"),
        ids: one(&parameters, "user_id"),
        numbers: one(&parameters, "serial_number"),
        ..Filter::default()
    };
    let page = Page::of_query(&parameters, 1);
    let found =
        emulator.profiles.iter().filter(|profile| filter.matches(profile)).map(EmulatedProfile::v1_item);
    page.answer(found)
}

pub async fn profiles_v2(State(emulator): Shared, body: Bytes) -> Response {
    let body = parse(&body);
    let filter = Filter {
        group: text(&body, "group_id"),
        ids: many(&body, "profile_id"),
        numbers: many(&body, "profile_no"),
        name: text(&body, "name"),
        excludes_name: text(&body, "name_filter") == "exclude",
        tags: many(&body, "tag_ids"),
        excludes_tags: text(&body, "tags_filter") == "exclude",
    };
    let page = Page::of(&text(&body, "page"), &text(&body, "limit"), 1, LARGEST_PAGE);
    let found =
        emulator.profiles.iter().filter(|profile| filter.matches(profile)).map(EmulatedProfile::v2_item);
    page.answer(found)
}

/// An empty `group_name` is what a client sends that wants all groups. A name matches by likeness.
pub async fn groups(Query(parameters): Parameters) -> Response {
    let name = parameter(&parameters, "group_name");
    let found = GROUPS
        .into_iter()
        .filter(|(_, group_name)| is_like(group_name, &name))
        .map(|(id, group_name)| json!({ "group_id": id, "group_name": group_name, "remark": "" }));
    Page::of_query(&parameters, 10).answer(found)
}

pub async fn tags(body: Bytes) -> Response {
    let body = parse(&body);
    let ids = many(&body, "ids");
    let found = TAGS
        .into_iter()
        .filter(|(id, _)| ids.is_empty() || ids.iter().any(|wanted| wanted == id))
        .map(|(id, name)| json!({ "id": id, "name": name, "color": "blue" }));
    Page::of(&text(&body, "page"), &text(&body, "limit"), 50, LARGEST_PAGE_OF_TAGS).answer(found)
}

/// An empty field matches every profile.
#[derive(Default)]
struct Filter {
    group: String,
    ids: Vec<String>,
    numbers: Vec<String>,
    name: String,
    excludes_name: bool,
    tags: Vec<String>,
    excludes_tags: bool,
}

impl Filter {
    fn matches(&self, profile: &EmulatedProfile) -> bool {
        let number = profile.number.to_string();
        let has_tag = profile.tags().any(|tag| self.tags.iter().any(|wanted| wanted == tag));
        (self.group.is_empty() || profile.group().0 == self.group)
            && (self.ids.is_empty() || self.ids.contains(&profile.id))
            && (self.numbers.is_empty() || self.numbers.contains(&number))
            && (self.name.is_empty() || is_like(&profile.name, &self.name) != self.excludes_name)
            && (self.tags.is_empty() || has_tag != self.excludes_tags)
    }
}

fn is_like(name: &str, wanted: &str) -> bool {
    name.to_lowercase().contains(&wanted.to_lowercase())
}

fn one(parameters: &HashMap<String, String>, name: &str) -> Vec<String> {
    Some(parameter(parameters, name)).filter(|value| !value.is_empty()).into_iter().collect()
}

/// Numbers travel as strings, or not.
fn many(body: &Value, key: &str) -> Vec<String> {
    let items = body[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = items.iter().filter_map(|item| match item {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    texts.collect()
}

/// The real answer to a size above the largest is unknown. The emulator answers with a shorter page, which a
/// client must handle.
struct Page {
    number: usize,
    size: usize,
}

impl Page {
    fn of(number: &str, size: &str, usual: usize, largest: usize) -> Self {
        Self {
            number: number.parse().unwrap_or(1).max(1),
            size: size.parse().unwrap_or(usual).clamp(1, largest),
        }
    }

    fn of_query(parameters: &HashMap<String, String>, usual: usize) -> Self {
        Self::of(&parameter(parameters, "page"), &parameter(parameters, "page_size"), usual, LARGEST_PAGE)
    }

    fn answer(&self, items: impl Iterator<Item = Value>) -> Response {
        let items: Vec<Value> =
            items.skip((self.number - 1).saturating_mul(self.size)).take(self.size).collect();
        list(json!({ "list": items, "page": self.number, "page_size": self.size }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::profiles::numbered;
    use super::*;

    #[track_caller]
    fn check(filter: &Filter, expected: &[&str]) {
        let profiles = numbered(6, Path::new("/nowhere"));
        let found: Vec<_> =
            profiles.iter().filter(|profile| filter.matches(profile)).map(|profile| &*profile.id).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_filter_holds_and_an_empty_one_holds_nothing_back() {
        check(&Filter::default(), &["p1", "p2", "p3", "p4", "p5", "p6"]);
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        check(&Filter { numbers: texts(&["4", "9"]), ..Filter::default() }, &["p4"]);
        check(&Filter { name: "practice 2".to_owned(), ..Filter::default() }, &["p2"]);
        check(&Filter { ids: texts(&["p5"]), group: "2".to_owned(), ..Filter::default() }, &["p5"]);
        let tags = texts(&["11", "12"]);
        check(&Filter { tags: tags.clone(), ..Filter::default() }, &["p1", "p3", "p5", "p6"]);
        check(&Filter { tags, excludes_tags: true, ..Filter::default() }, &["p2", "p4"]);
    }
}
