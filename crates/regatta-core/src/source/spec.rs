//! Parses `--source` and `[source]`: where profiles come from.
//!
//! A query stands last and is not decoded: `sqlite:fleet.db?query=select id from profiles where name like
//! 'a%'`. Only a query without any space, which no statement is, is percent-decoded.

use std::borrow::Cow;

use thiserror::Error;
use url::Url;

use crate::source::profile_reference::is_number;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    File {
        place: SourceLocation,
        format: Format,
    },
    Sqlite {
        file: String,
        query: Option<String>,
    },
    /// The address without its query.
    Postgres {
        url: Url,
        query: Option<String>,
    },
    Http {
        url: Url,
    },
    AdsPower(Selection),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceLocation {
    StandardInput,
    Path(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One id a line.
    List,
    Csv,
    JsonLines,
}

/// A selection of AdsPower's profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    All,
    Group(String),
    /// Profiles with any of these tags.
    Tags(Vec<String>),
    Numbers(Vec<String>),
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSource {
    #[error("the source names nothing")]
    Empty,
    #[error("the address of the source is not valid: {0}")]
    Address(url::ParseError),
    #[error("`sqlite:` names no file")]
    NoDatabase,
    #[error("the parameter `{0}` of the source is not known")]
    Parameter(String),
    #[error("`adspower:{0}` is no selection of profiles")]
    Selection(String),
}

impl InvalidSource {
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Selection(_) => {
                "write adspower:all, adspower:group=NAME, adspower:tag=NAME,NAME, adspower:no=12,15 or adspower:name=NAME"
            }
            Self::NoDatabase | Self::Parameter(_) => {
                "write sqlite:fleet.db?query=select id from profiles; the query stands last"
            }
            Self::Empty | Self::Address(_) => {
                "a source is a file (.txt, .csv, .jsonl), -, sqlite:FILE?query=…, postgres://…?query=…, http(s)://… or adspower:group=NAME"
            }
        }
    }
}

impl SourceSpec {
    pub fn parse(text: &str) -> Result<Self, InvalidSource> {
        if text.is_empty() {
            return Err(InvalidSource::Empty);
        }
        if let Some(rest) = text.strip_prefix("adspower:") {
            return selection(rest).map(Self::AdsPower);
        }
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let (file, query) = split_query(rest);
            let file = file.strip_prefix("//").unwrap_or(file);
            return match file.split_once('?') {
                Some((_, parameters)) => Err(InvalidSource::Parameter(parameters.to_owned())),
                None if file.is_empty() => Err(InvalidSource::NoDatabase),
                None => Ok(Self::Sqlite { file: file.to_owned(), query }),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let (address, query) = split_query(text);
            let url = Url::parse(address).map_err(InvalidSource::Address)?;
            return Ok(Self::Postgres { url, query });
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Http { url: Url::parse(text).map_err(InvalidSource::Address)? });
        }
        let prefixes = [("list:", Format::List), ("csv:", Format::Csv), ("jsonl:", Format::JsonLines)];
        let named = prefixes.iter().find_map(|(prefix, format)| Some((text.strip_prefix(prefix)?, *format)));
        let (place, format) = named.unwrap_or_else(|| (text, Format::from_file_name(text)));
        let place =
            if place == "-" { SourceLocation::StandardInput } else { SourceLocation::Path(place.to_owned()) };
        Ok(Self::File { place, format })
    }

    /// Whether the address holds a password, which every user of the machine could read on a command line.
    pub fn has_password(&self) -> bool {
        match self {
            Self::Postgres { url, .. } | Self::Http { url } => has_password(url),
            _ => false,
        }
    }
}

impl Format {
    pub fn from_file_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".csv") {
            Self::Csv
        } else if name.ends_with(".jsonl") || name.ends_with(".ndjson") {
            Self::JsonLines
        } else {
            Self::List
        }
    }
}

/// Includes parameters: Postgres takes `?password=`.
pub fn has_password(url: &Url) -> bool {
    url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
}

/// Returns the address without user, password and parameters.
pub fn without_credentials(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only where an address has neither.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

fn selection(text: &str) -> Result<Selection, InvalidSource> {
    match text.split_once('=') {
        None if text == "all" => Ok(Selection::All),
        Some(("group", name)) if !name.is_empty() => Ok(Selection::Group(name.to_owned())),
        Some(("tag", names)) if !items(names).is_empty() => Ok(Selection::Tags(items(names))),
        Some(("no", numbers))
            if !items(numbers).is_empty() && items(numbers).iter().all(|number| is_number(number)) =>
        {
            Ok(Selection::Numbers(items(numbers)))
        }
        Some(("name", name)) if !name.trim().is_empty() => Ok(Selection::Name(name.trim().to_owned())),
        _ => Err(InvalidSource::Selection(text.to_owned())),
    }
}

/// Splits a list at commas.
fn items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn split_query(text: &str) -> (&str, Option<String>) {
    let at = text.find("?query=").or_else(|| text.find("&query="));
    match at {
        Some(at) => (&text[..at], Some(statement(&text[at + "?query=".len()..]).into_owned())),
        None => (text, None),
    }
}

fn statement(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_whitespace) {
        return Cow::Borrowed(text);
    }
    let pair = format!("q={}", text.replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match SourceSpec::parse(text) {
            Ok(SourceSpec::Postgres { url, query }) => {
                format!("Postgres {} {query:?}", without_credentials(&url))
            }
            Ok(SourceSpec::Http { url }) => format!("Http {}", without_credentials(&url)),
            Ok(spec) => format!("{spec:?}"),
            Err(error) => format!("{error}\nhint: {}", error.hint()),
        });
    }

    #[test]
    fn files_are_known_by_their_names() {
        check("profiles.txt", expect![[r#"File { place: Path("profiles.txt"), format: List }"#]]);
        check("a/Fleet.CSV", expect![[r#"File { place: Path("a/Fleet.CSV"), format: Csv }"#]]);
        check("jsonl:-", expect!["File { place: StandardInput, format: JsonLines }"]);
        check("-", expect!["File { place: StandardInput, format: List }"]);
        check("list:odd.csv", expect![[r#"File { place: Path("odd.csv"), format: List }"#]]);
    }

    #[test]
    fn a_query_is_kept_or_decoded() {
        check(
            "sqlite:fleet.db?query=select id from p where n like 'a%20?' and m & 1",
            expect![[
                r#"Sqlite { file: "fleet.db", query: Some("select id from p where n like 'a%20?' and m & 1") }"#
            ]],
        );
        check(
            "postgres://ann:pw@db.test:5433/app?sslmode=require&query=select%20id+from%20p",
            expect![[r#"Postgres postgres://db.test:5433/app Some("select id from p")"#]],
        );
        check("sqlite:///var/fleet.db", expect![[r#"Sqlite { file: "/var/fleet.db", query: None }"#]]);
    }

    #[test]
    fn profiles_of_adspower_are_selected_by_visible_names() {
        check("adspower:tag=Blue, Green", expect![[r#"AdsPower(Tags(["Blue", "Green"]))"#]]);
        check("adspower:no=12,15", expect![[r#"AdsPower(Numbers(["12", "15"]))"#]]);
        check("adspower:name=Ann, of the harbour", expect![[r#"AdsPower(Name("Ann, of the harbour"))"#]]);
    }

    #[test]
    fn an_address_is_shown_without_user_password_and_parameters() {
        check("https://ann:pw@api.test/p?token=x#y", expect!["Http https://api.test/p"]);
        assert!(SourceSpec::parse("https://ann:pw@api.test/").unwrap().has_password());
        assert!(SourceSpec::parse("postgres://api.test/d?password=x").unwrap().has_password());
        assert!(!SourceSpec::parse("postgres://ann@api.test/d").unwrap().has_password());
    }

    #[test]
    fn an_invalid_source_is_an_error() {
        check(
            "",
            expect![[r#"
            the source names nothing
            hint: a source is a file (.txt, .csv, .jsonl), -, sqlite:FILE?query=…, postgres://…?query=…, http(s)://… or adspower:group=NAME"#]],
        );
        check(
            "sqlite:?query=select 1",
            expect![[r#"
            `sqlite:` names no file
            hint: write sqlite:fleet.db?query=select id from profiles; the query stands last"#]],
        );
        check(
            "sqlite:a.db?mode=ro&query=select 1",
            expect![[r#"
            the parameter `mode=ro` of the source is not known
            hint: write sqlite:fleet.db?query=select id from profiles; the query stands last"#]],
        );
        for wrong in ["adspower:tags=x", "adspower:tag=,", "adspower:no=12,x", "adspower:name= "] {
            let problem = SourceSpec::parse(wrong).unwrap_err();
            assert!(matches!(problem, InvalidSource::Selection(_)), "{wrong}");
        }
        check(
            "adspower:no=x",
            expect![[r#"
            `adspower:no=x` is no selection of profiles
            hint: write adspower:all, adspower:group=NAME, adspower:tag=NAME,NAME, adspower:no=12,15 or adspower:name=NAME"#]],
        );
        check(
            "http://",
            expect![[r#"
            the address of the source is not valid: empty host
            hint: a source is a file (.txt, .csv, .jsonl), -, sqlite:FILE?query=…, postgres://…?query=…, http(s)://… or adspower:group=NAME"#]],
        );
    }
}
