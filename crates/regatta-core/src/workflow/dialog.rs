//! How dialogs of the page (`alert`, `confirm`, `prompt`) are answered.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A page that asks whether it may be left is always left: staying would block the navigation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DialogPolicy {
    #[default]
    Dismiss,
    Accept,
    /// With this text, where the dialog takes one.
    AcceptWith(String),
}

/// `"dismiss"`, `"accept"` or `{ accept = "text" }`.
impl<'de> Deserialize<'de> for DialogPolicy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DialogPolicyVisitor;
        impl<'de> serde::de::Visitor<'de> for DialogPolicyVisitor {
            type Value = DialogPolicy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"dismiss\", \"accept\" or { accept = \"the text of a prompt\" }")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<DialogPolicy, E> {
                match word {
                    "dismiss" => Ok(DialogPolicy::Dismiss),
                    "accept" => Ok(DialogPolicy::Accept),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<DialogPolicy, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct With {
                    accept: String,
                }
                let with = With::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(DialogPolicy::AcceptWith(with.accept))
            }
        }
        deserializer.deserialize_any(DialogPolicyVisitor)
    }
}

impl JsonSchema for DialogPolicy {
    fn schema_name() -> Cow<'static, str> {
        "DialogPolicy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How a page's own dialogs are answered",
            "oneOf": [
                { "enum": ["dismiss", "accept"] },
                {
                    "type": "object",
                    "properties": { "accept": { "type": "string" } },
                    "required": ["accept"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(toml: &str, expected: Expect) {
        #[derive(Debug, Deserialize)]
        struct Wire {
            dialogs: DialogPolicy,
        }
        let read = toml::from_str::<Wire>(toml);
        expected.assert_eq(&match read {
            Ok(wire) => format!("{:?}", wire.dialogs),
            Err(error) => error.message().to_owned(),
        });
    }

    #[test]
    fn a_policy_is_a_word_or_the_text_of_a_prompt() {
        check("dialogs = \"dismiss\"", expect!["Dismiss"]);
        check("dialogs = \"accept\"", expect!["Accept"]);
        check("dialogs = { accept = \"Ann\" }", expect![[r#"AcceptWith("Ann")"#]]);
        check(
            "dialogs = \"perhaps\"",
            expect![[
                r#"invalid value: string "perhaps", expected "dismiss", "accept" or { accept = "the text of a prompt" }"#
            ]],
        );
        check("dialogs = { decline = \"x\" }", expect!["unknown field `decline`, expected `accept`"]);
    }
}
