//! Profiles that a server names: pages of JSON, each an array of ids or of objects, the next one named
//! by a header `Link: <…>; rel="next"`.
//!
//! A page is taken whole or requested again.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::{ACCEPT, HeaderMap, LINK};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::sleep;
use url::Url;

use super::{ReadError, Rows, Source};
use crate::http;
use regatta_core::source::row::{ProfileRow, RowProblem};
use regatta_core::source::spec::without_credentials;

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// The largest page, in bytes: a longer list wants pages.
const LARGEST: usize = 32 << 20;
/// The most attempts at one page, the first included.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);
/// A longer wait is refused.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct HttpSource {
    name: String,
    url: Url,
    token: Option<SecretString>,
    client: Option<Client>,
}

/// Why a page was not fetched.
enum PageFetchError {
    /// It may be tried again, after the time that the server names.
    Retryable {
        problem: String,
        after: Option<Duration>,
        error: ReadError,
    },
    Permanent(ReadError),
}

impl HttpSource {
    /// `token` goes with every request, as a bearer token.
    pub fn new(url: Url, token: Option<SecretString>) -> Self {
        Self { name: without_credentials(&url), url, token, client: None }
    }

    fn client(&mut self) -> Result<Client, ReadError> {
        if self.client.is_none() {
            let built = http::builder().timeout(ANSWERS_WITHIN).build();
            self.client = Some(built.map_err(|error| self.not_reachable(http::problem(error)))?);
        }
        self.client.clone().ok_or_else(|| self.not_reachable("no client".to_owned()))
    }

    fn not_reachable(&self, problem: String) -> ReadError {
        ReadError::NotReachable { name: self.name.clone(), problem }
    }

    /// Once again, and again, where that may help.
    async fn page(
        &self,
        client: &Client,
        url: &Url,
        page: usize,
        rows: &mut Rows,
    ) -> Result<(Vec<u8>, HeaderMap), ReadError> {
        let mut attempt = 1;
        loop {
            let (problem, after, error) = match self.ask(client, url, page).await {
                Ok(answered) => return Ok(answered),
                Err(PageFetchError::Permanent(error)) => return Err(error),
                Err(PageFetchError::Retryable { problem, after, error }) => (problem, after, error),
            };
            let pause = after.unwrap_or_else(|| AGAIN * 2_u32.pow(attempt - 1));
            if attempt == ATTEMPTS || pause > PATIENCE {
                return Err(error);
            }
            rows.flush().await?;
            rows.retrying(problem, pause).await?;
            sleep(pause).await;
            attempt += 1;
        }
    }

    async fn ask(
        &self,
        client: &Client,
        url: &Url,
        page: usize,
    ) -> Result<(Vec<u8>, HeaderMap), PageFetchError> {
        let name = self.name.clone();
        let again =
            |error: ReadError, after| PageFetchError::Retryable { problem: error.to_string(), after, error };
        let mut request = client.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut answer =
            request.send().await.map_err(|error| again(self.not_reachable(http::problem(error)), None))?;
        let after = http::retry_after(answer.headers(), jiff::Timestamp::now());
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let problem = format!("it answers {}", answer.status().as_u16());
                let hint = if self.token.is_some() {
                    "is the token still good, and good for this address?"
                } else {
                    "name the variable that holds the token: token_env below [source] in regatta.toml"
                };
                return Err(PageFetchError::Permanent(ReadError::Credentials { name, problem, hint }));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = after.unwrap_or(AGAIN);
                return Err(again(ReadError::TooManyRequests { name, after: wait }, Some(wait)));
            }
            status if status.is_server_error() => {
                return Err(again(ReadError::Status { name, status: status.as_u16() }, after));
            }
            status => {
                return Err(PageFetchError::Permanent(ReadError::Status { name, status: status.as_u16() }));
            }
        }
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST => {
                    let problem = format!("it is larger than {} MiB", LARGEST >> 20);
                    return Err(PageFetchError::Permanent(ReadError::Page { name, page, problem }));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => {
                    let problem = format!("it ends early: {}", http::problem(error));
                    return Err(again(ReadError::Page { name, page, problem }, None));
                }
            }
        }
        // Checked before any of it is taken.
        match items_of(&body).map(drop) {
            Ok(()) => Ok((body, std::mem::take(answer.headers_mut()))),
            Err(error) if error.is_eof() => {
                let problem = "it ends early".to_owned();
                Err(again(ReadError::Page { name, page, problem }, None))
            }
            Err(error) => {
                let problem = if error.is_data() { "it is no array".to_owned() } else { error.to_string() };
                Err(PageFetchError::Permanent(ReadError::Page { name, page, problem }))
            }
        }
    }

    /// The token stays where it was given for.
    fn next(&self, current: &Url, headers: &HeaderMap, page: usize) -> Result<Option<Url>, ReadError> {
        let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let Some(target) = links.flat_map(links_of).find_map(|(target, is_next)| is_next.then_some(target))
        else {
            return Ok(None);
        };
        let wrong = |problem: String| ReadError::Page { name: self.name.clone(), page, problem };
        let next = current
            .join(&target)
            .map_err(|error| wrong(format!("its next page has no valid address: {error}")))?;
        if next.origin() != current.origin() {
            let origin = next.origin().ascii_serialization();
            return Err(wrong(format!("its next page is at {origin}, another server")));
        }
        Ok(Some(next))
    }
}

impl Source for HttpSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let client = self.client()?;
            let mut url = self.url.clone();
            let mut before = HashSet::new();
            for page in 1.. {
                before.insert(url.clone());
                let (body, headers) = self.page(&client, &url, page, rows).await?;
                // It was checked when it came.
                for (number, item) in (1..).zip(items_of(&body).unwrap_or_default()) {
                    rows.take(|| format!("item {number} of page {page} of {}", self.name), row_of(item))
                        .await?;
                }
                rows.flush().await?;
                match self.next(&url, &headers, page)? {
                    Some(next) if before.contains(&next) => {
                        let problem = "its next page was read before".to_owned();
                        return Err(ReadError::Page { name: self.name.clone(), page, problem });
                    }
                    Some(next) => url = next,
                    None => break,
                }
            }
            Ok(())
        })
    }
}

/// Returns the items of a page, each as its text: one that cannot be read is refused by its number and
/// hides none of those behind it.
fn items_of(body: &[u8]) -> Result<Vec<&RawValue>, serde_json::Error> {
    serde_json::from_slice(body)
}

fn row_of(item: &RawValue) -> Result<ProfileRow, RowProblem> {
    let value: Value =
        serde_json::from_str(item.get()).map_err(|error| RowProblem::Unreadable(error.to_string()))?;
    ProfileRow::from_json(value)
}

/// Targets of a header `Link`, and whether they are the next page.
fn links_of(header: &str) -> Vec<(String, bool)> {
    let mut links = Vec::new();
    let mut rest = header;
    // RFC 8288: `<target>; name="value"; …, <target> …`; a target may hold commas, and so may a value.
    while let Some((target, after)) = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        let mut quoted = false;
        let end = after.find(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, next) = end.map_or((after, ""), |end| after.split_at(end));
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel")
                && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        links.push((target.to_owned(), is_next));
        rest = next;
    }
    links
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = |header: &str| {
            links_of(header).into_iter().find(|(_, is_next)| *is_next).map(|(target, _)| target)
        };
        assert_eq!(next(r#"</p?page=2>; rel="next""#).as_deref(), Some("/p?page=2"));
        assert_eq!(
            next(r#"<https://a.test/p?a=1,2>; rel="prev"; title="x, rel=next", <https://a.test/p?page=3>; title="a,b"; rel="last next""#).as_deref(),
            Some("https://a.test/p?page=3")
        );
        assert_eq!(next("</p>; REL=next").as_deref(), Some("/p"));
        assert_eq!(next(r#"</p>; rel="prefetch""#), None);
        assert_eq!(next(""), None);
    }

    #[test]
    fn every_item_becomes_a_row_or_is_refused() {
        let rows = |body: &str| -> Vec<String> {
            let items = items_of(body.as_bytes()).unwrap();
            items
                .into_iter()
                .map(|item| row_of(item).map_or_else(|why| why.to_string(), |row| row.id.to_string()))
                .collect()
        };
        assert_eq!(
            rows(r#" [ "a" , {"id":"b","variables":{"x":[1,"]"]}},"c" , 7, ["d"]]"#),
            ["a", "b", "c", "expected a profile id or an object", "expected a profile id or an object"]
        );
        let deep = format!(r#"["a1",{}{},"a2",1e999,"\ud800","a3"]"#, "[".repeat(200), "]".repeat(200));
        expect![[r#"
            a1
            it cannot be read: recursion limit exceeded at line 1 column 128
            a2
            it cannot be read: number out of range at line 1 column 5
            it cannot be read: unexpected end of hex escape at line 1 column 8
            a3"#]]
        .assert_eq(&rows(&deep).join("\n"));
        assert!(items_of(b"[]").unwrap().is_empty());
        assert!(items_of(b"[1").unwrap_err().is_eof() && items_of(b"{}").unwrap_err().is_data());
    }
}
