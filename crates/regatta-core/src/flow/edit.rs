//! Edits a flow file as a person would: at one place, the rest unchanged.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::parse::steps_of;

/// Why an alternative could not be written into a flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the flow has no step {0}")]
    NoStep(String),
    #[error("step {0} has no selectors")]
    NoSelectors(String),
}

/// Returns `text` with `chain` as the last alternative of step `number`, in the form of the one before it.
pub fn with_alternative(text: &str, number: &str, chain: &[String]) -> Result<String, EditError> {
    let no_step = || EditError::NoStep(number.to_owned());
    let mut steps = steps_of(text).ok_or_else(no_step)?;
    let mut indices = number.split('.').peekable();
    let array = loop {
        let index: usize = indices.next().and_then(|index| index.parse().ok()).ok_or_else(no_step)?;
        let raw = index.checked_sub(1).and_then(|index| steps.get(index)).ok_or_else(no_step)?;
        let step: RawStep<'_> = serde_json::from_str(raw.get()).map_err(|_| no_step())?;
        let inner = step.parameters.and_then(|raw| serde_json::from_str::<RawStep<'_>>(raw.get()).ok());
        if indices.peek().is_none() {
            let own = step.selectors.or(inner.as_ref().and_then(|inner| inner.selectors.or(inner.exists)));
            break own.ok_or_else(|| EditError::NoSelectors(number.to_owned()))?;
        }
        steps = inner.and_then(|inner| inner.steps).ok_or_else(no_step)?;
    };
    let no_selectors = || EditError::NoSelectors(number.to_owned());
    let alternatives: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(|_| no_selectors())?;
    let last = alternatives.last().ok_or_else(no_selectors)?;
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let (start, end) = (offset(last.get()), offset(last.get()) + last.get().len());
    // The characters between the last alternative and its predecessor also separate the new one.
    let gap = &text[text[..start].rfind(|c: char| !c.is_whitespace()).map_or(0, |at| at + 1)..start];
    let gap = if gap.is_empty() && alternatives.len() > 1 {
        ""
    } else if gap.is_empty() {
        " "
    } else {
        gap
    };
    let new = alternative(last.get(), chain);
    Ok(format!("{},{gap}{new}{}", &text[..end], &text[end..]))
}

/// In the form of the one before: a text, or a list with the same blanks.
fn alternative(model: &str, chain: &[String]) -> String {
    let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let Some(inside) = model.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return match chain {
            [only] => quoted(only),
            several => format!("[{}]", several.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        };
    };
    let before = &inside[..inside.len() - inside.trim_start().len()];
    let after = &inside[inside.trim_end().len()..];
    let between = if before.is_empty() { " " } else { before };
    let parts: Vec<_> = chain.iter().map(quoted).collect();
    format!("[{before}{}{after}]", parts.join(&format!(",{between}")))
}

/// A step, or the parameters of a custom step.
#[derive(Deserialize)]
struct RawStep<'a> {
    #[serde(borrow)]
    selectors: Option<&'a RawValue>,
    #[serde(borrow)]
    exists: Option<&'a RawValue>,
    #[serde(borrow)]
    steps: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::flow;

    #[track_caller]
    fn check(text: &str, number: &str, chain: &[&str], expected: Expect) {
        let chain: Vec<_> = chain.iter().map(|part| (*part).to_owned()).collect();
        let said = match with_alternative(text, number, &chain) {
            Ok(text) => {
                flow::parse("f.json", &text).unwrap();
                text
            }
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&said);
    }

    const RECORDED: &str = "{
  \"title\": \"t\",
  \"steps\": [
    { \"type\": \"navigate\",   \"url\": \"http://x/\" },
    {
      \"type\": \"click\",
      \"selectors\": [
        [
          \"aria/Sign up\"
        ],
        [
          \"#go\"
        ]
      ],
      \"offsetY\": 1,   \"offsetX\": 2.50
    }
  ]
}
";

    #[test]
    fn an_edit_changes_one_place_only() {
        check(
            RECORDED,
            "2",
            &["#card", "[data-testid=\"go\"]"],
            expect![[r##"
            {
              "title": "t",
              "steps": [
                { "type": "navigate",   "url": "http://x/" },
                {
                  "type": "click",
                  "selectors": [
                    [
                      "aria/Sign up"
                    ],
                    [
                      "#go"
                    ],
                    [
                      "#card",
                      "[data-testid=\"go\"]"
                    ]
                  ],
                  "offsetY": 1,   "offsetX": 2.50
                }
              ]
            }
        "##]],
        );
    }

    #[test]
    fn a_new_alternative_has_the_form_of_the_one_before() {
        let flow = |selectors: &str| {
            format!("{{\"title\":\"t\",\"steps\":[{{\"type\":\"hover\",\"selectors\":{selectors}}}]}}")
        };
        let mut seen = String::new();
        for selectors in [
            "[\"a\"]",
            "[\"a\",\"b\"]",
            "[ \"a\", \"b\" ]",
            "[[\"a\"],[\"b\"]]",
            "[[\"a\", \"c\"],\n [\"b\"]]",
            "[\"tricky ] , [\\\"\"]",
        ] {
            for chain in [&["#x"][..], &["#x", "y"]] {
                let chain: Vec<_> = chain.iter().map(|part| (*part).to_owned()).collect();
                let text = with_alternative(&flow(selectors), "1", &chain).unwrap();
                let parsed = flow::parse("f.json", &text).unwrap();
                let last = parsed.steps[0].action.locator().unwrap().alternatives.last().unwrap().to_string();
                assert_eq!(last, chain.join(" >>> "));
                seen += &text[flow("").len() - 3..text.len() - 3].replace('\n', "⏎");
                seen.push('\n');
            }
        }
        expect![[r##"
            ["a", "#x"]
            ["a", ["#x", "y"]]
            ["a","b","#x"]
            ["a","b",["#x", "y"]]
            [ "a", "b", "#x" ]
            [ "a", "b", ["#x", "y"] ]
            [["a"],["b"],["#x"]]
            [["a"],["b"],["#x", "y"]]
            [["a", "c"],⏎ ["b"],⏎ ["#x"]]
            [["a", "c"],⏎ ["b"],⏎ ["#x", "y"]]
            ["tricky ] , [\"", "#x"]
            ["tricky ] , [\"", ["#x", "y"]]
        "##]]
        .assert_eq(&seen);
    }

    #[test]
    fn custom_steps_are_found() {
        let text = r#"{"title":"t","steps":[{"type":"customStep","name":"regatta.when","parameters":{"exists":["a"],"steps":[
            {"type":"close"}, {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["c"],"from":"text","into":"identity.x"}}]}}]}"#;
        check(
            text,
            "1.2",
            &["d"],
            expect![[r#"
            {"title":"t","steps":[{"type":"customStep","name":"regatta.when","parameters":{"exists":["a"],"steps":[
                        {"type":"close"}, {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["c", "d"],"from":"text","into":"identity.x"}}]}}]}"#]],
        );
        check(
            text,
            "1",
            &["d"],
            expect![[r#"
            {"title":"t","steps":[{"type":"customStep","name":"regatta.when","parameters":{"exists":["a", "d"],"steps":[
                        {"type":"close"}, {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["c"],"from":"text","into":"identity.x"}}]}}]}"#]],
        );
        check(text, "1.1", &["d"], expect!["error: step 1.1 has no selectors"]);
        check(text, "1.3", &["d"], expect!["error: the flow has no step 1.3"]);
        check(text, "0", &["d"], expect!["error: the flow has no step 0"]);
        check(text, "x", &["d"], expect!["error: the flow has no step x"]);
    }

    #[test]
    fn a_list_of_steps_is_changed_in_its_place() {
        check(
            "[\n  {\"type\":\"close\"},\n  {\"type\":\"hover\",\"selectors\":[\"a\"]}\n]\n",
            "2",
            &["b"],
            expect![[r#"
                [
                  {"type":"close"},
                  {"type":"hover","selectors":["a", "b"]}
                ]
            "#]],
        );
        check(
            "[{\"title\":\"t\",\"steps\":[{\"type\":\"hover\",\"selectors\":[\"a\"]}]}]",
            "1",
            &["b"],
            expect![[r#"[{"title":"t","steps":[{"type":"hover","selectors":["a", "b"]}]}]"#]],
        );
    }

    proptest! {
        #[test]
        fn any_selector_is_read_back(selector in "[ -~äß\\n\"\\\\]{1,20}", other in "\\PC{1,10}") {
            let chain = [format!("css/{selector}"), format!("text/{other}")];
            let text = with_alternative(RECORDED, "2", &chain).unwrap();
            let parsed = flow::parse("f.json", &text).unwrap();
            let locator = parsed.steps[1].action.locator().unwrap();
            prop_assert_eq!(locator.alternatives.len(), 3);
            prop_assert_eq!(&locator.alternatives[2].0[0].text, &selector);
            prop_assert_eq!(&locator.alternatives[2].0[1].text, &other);
        }
    }
}
