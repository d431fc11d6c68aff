//! Profiles that a server names.

use expect_test::expect;
use serde_json::{Value, json};

use super::{fleet, folder, refused, start, taken};
use crate::support::server::{Server, answer};

const TOKEN: &str = "word-of-the-server";

#[test]
fn pages_are_followed_and_a_token_goes_with_each() {
    let folder = folder();
    let server = Server::start(|asked| match asked.uri.path_and_query().unwrap().as_str() {
        "/people" => answer(
            200,
            &[("link", r#"</people?page=2>; rel="next", </x>; rel="last""#)],
            r#"["p1", {"profile_id": "p2", "platform": "mobile", "identity": {"email": "b@practice.test"}}]"#,
        ),
        "/people?page=2" => answer(
            200,
            &[("link", r#"</people>; rel="prev""#)],
            r#"[{"id": "p3", "variables.shop": "north"}, {"name": "p4"}, "p1", {"id": "p5", "variables": {"shp": "north"}}]"#,
        ),
        other => panic!("{other}"),
    });
    folder.write(
        "regatta.toml",
        &format!("[source]\nfrom = \"{}\"\ntoken_env = \"TOKEN\"\n", server.url("/people")),
    );
    let ended = start(&folder, &[], &[("TOKEN", TOKEN)]).wait();
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2", "p3"]);
    assert_eq!(folder.session("p2").unwrap()["platform"], "mobile");
    assert_eq!(folder.session("p3").unwrap()["variables"], json!({ "shop": "north" }));
    let said = format!("item 2 of page 2 of {} is left out: unknown column `name`", server.url("/people"));
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    let said = format!(
        "item 4 of page 2 of {} is left out: the workflow declares no variable `shp`; did you mean `shop`?",
        server.url("/people")
    );
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
    assert!(!ended.stderr.contains(TOKEN), "{}", ended.stderr);
}

/// Deeper than the parser goes: the rest of the page was lost, and the fleet said nothing.
#[test]
fn an_item_that_cannot_be_read_is_refused_and_hides_no_other() {
    let folder = folder();
    let page = format!(r#"["a1",{}{},"a2","a3"]"#, "[".repeat(200), "]".repeat(200));
    let server = Server::start(move |_| answer(200, &[], page.clone()));
    let ended = fleet(&folder, &[&server.url("/people")]);
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["a1", "a2", "a3"]);
    let said = format!("item 2 of page 1 of {} is left out: it cannot be read", server.url("/people"));
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}

#[test]
fn a_server_that_wants_to_be_left_alone_and_half_a_page_are_asked_again() {
    let folder = folder();
    let half = || answer(200, &[], r#"["p1", "p2"#);
    let server = Server::answering(vec![
        answer(429, &[("retry-after", "1")], ""),
        half(),
        answer(200, &[], r#"["p1", "p2"]"#),
    ]);
    let ended = fleet(&folder, &[&server.url("/people")]);
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2"]);
    assert_eq!(server.asked().len(), 3);
    for said in ["the source is asked again in 1 s: ", "left alone for 1 s (429)", "it ends early"] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn what_a_server_should_not_answer_is_told() {
    let folder = folder();
    let refused = |answers: Value, expected| {
        let server = Server::start(move |_| {
            let headers: Vec<_> = answers["link"].as_str().map(|link| ("link", link)).into_iter().collect();
            let retry: Vec<_> =
                answers["retry"].as_str().map(|after| ("retry-after", after)).into_iter().collect();
            let status = answers["status"].as_u64().unwrap_or(200);
            answer(
                u16::try_from(status).unwrap(),
                &[headers, retry].concat(),
                answers["body"].as_str().unwrap_or_default().to_owned(),
            )
        });
        let url = server.url("/people?key=word-of-the-address");
        let ended = fleet(&folder, &["--source", &url]);
        assert!(!ended.stderr.contains("word-of"), "{}", ended.stderr);
        refused(&folder, &ended, expected);
    };
    refused(
        json!({ "status": 401 }),
        expect![[r#"
        error: http://HOST/people refuses the credentials: it answers 401
          hint: name the variable that holds the token: token_env below [source] in regatta.toml"#]],
    );
    refused(
        json!({ "status": 404 }),
        expect![[r#"
        error: http://HOST/people answers 404
          hint: check the path of the address"#]],
    );
    refused(
        json!({ "status": 429, "retry": "3600" }),
        expect![[r#"
        error: http://HOST/people asks to be left alone for 3600 s (429), again and again
          hint: ask it less often, with a longer --follow"#]],
    );
    refused(
        json!({ "body": "{\"people\": []}" }),
        expect![[r#"
        error: page 1 of http://HOST/people is not what is expected: it is no array
          hint: it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel="next"`"#]],
    );
    refused(
        json!({ "body": "<html>" }),
        expect![[r#"
        error: page 1 of http://HOST/people is not what is expected: expected value at line 1 column 1
          hint: it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel="next"`"#]],
    );
    refused(
        json!({ "body": "[]", "link": "<http://127.0.0.1:1/people>; rel=next" }),
        expect![[r#"
        error: page 1 of http://HOST/people is not what is expected: its next page is at http://HOST, another server
          hint: it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel="next"`"#]],
    );
    refused(
        json!({ "body": "[]", "link": "</people>; rel=next" }),
        expect![[r#"
        error: page 2 of http://HOST/people is not what is expected: its next page was read before
          hint: it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel="next"`"#]],
    );
}

#[test]
fn half_a_page_for_ever_starts_nothing_of_it_and_a_server_that_is_away_is_told() {
    let folder = folder();
    let server = Server::start(|_| answer(200, &[], r#"["p1", "p2"#));
    let ended = fleet(&folder, &[&server.url("/people")]);
    refused(
        &folder,
        &with_last_error(ended),
        expect![[r#"
        error: page 1 of http://HOST/people is not what is expected: it ends early
          hint: it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel="next"`"#]],
    );
    let ended = fleet(&folder, &["http://127.0.0.1:1/people"]);
    refused(
        &folder,
        &with_last_error(ended),
        expect![[r#"
        error: http://HOST/people is not reachable: Connection refused (os error 111)
          hint: is it up, and are host and port right?"#]],
    );
    assert!(folder.session("p1").is_none());
}

/// Without what was said of the attempts before.
fn with_last_error(mut ended: crate::support::program::Ended) -> crate::support::program::Ended {
    let at = ended.stderr.find("error: ").unwrap_or_default();
    assert_eq!(ended.stderr[..at].matches("the source is asked again").count(), 4, "{}", ended.stderr);
    ended.stderr.drain(..at);
    ended
}
