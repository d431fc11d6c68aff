//! References to profiles by the number or the name that a provider shows.

use std::fmt;

use thiserror::Error;

use crate::id::ProfileId;

const PREFIX: &str = "adspower:";

/// `adspower:no=12` or `adspower:name=Ann`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProfileReference {
    Number(String),
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceProblem {
    #[error("AdsPower has no profile {0}")]
    Unknown(ProfileReference),
    #[error("AdsPower has {} profiles {reference}: {}", ids.len(), listed(ids))]
    Ambiguous { reference: ProfileReference, ids: Vec<ProfileId> },
    /// The reference was added while the list was being followed.
    #[error("`{0}` was not looked up in AdsPower, because it was not in the list at the start")]
    Late(String),
    #[error("`{0}` is neither an AdsPower number nor a name")]
    Invalid(String),
}

impl ReferenceProblem {
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "compare it with AdsPower's list of profiles; names are compared whole",
            Self::Ambiguous { .. } => "name the one you mean by its id, or by its number: adspower:no=12",
            Self::Late(_) => "start again, or write its id",
            Self::Invalid(_) => "write adspower:no=12 or adspower:name=NAME",
        }
    }
}

impl ProfileReference {
    /// Returns `None` where the text is an id.
    pub fn parse(text: &str) -> Option<Result<Self, ReferenceProblem>> {
        let rest = text.strip_prefix(PREFIX)?;
        let invalid = || ReferenceProblem::Invalid(text.chars().take(80).collect());
        Some(match rest.split_once('=') {
            Some(("no", number)) if is_number(number.trim()) => Ok(Self::Number(number.trim().to_owned())),
            Some(("name", name)) if !name.trim().is_empty() => Ok(Self::Name(name.trim().to_owned())),
            _ => Err(invalid()),
        })
    }
}

pub fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for ProfileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "with the number {number}"),
            Self::Name(name) => write!(f, "named `{name}`"),
        }
    }
}

fn listed(ids: &[ProfileId]) -> String {
    const MOST: usize = 10;
    let shown: Vec<&str> = ids.iter().take(MOST).map(ProfileId::as_str).collect();
    let more = if ids.len() > MOST { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_distinguished_from_an_id() {
        assert_eq!(ProfileReference::parse("k18imh7u"), None);
        assert_eq!(
            ProfileReference::parse("adspower:no=12"),
            Some(Ok(ProfileReference::Number("12".to_owned())))
        );
        assert_eq!(
            ProfileReference::parse("adspower:name= Ann, of the harbour "),
            Some(Ok(ProfileReference::Name("Ann, of the harbour".to_owned())))
        );
        for wrong in ["adspower:no=", "adspower:no=x", "adspower:name= ", "adspower:all"] {
            assert_eq!(
                ProfileReference::parse(wrong),
                Some(Err(ReferenceProblem::Invalid(wrong.to_owned()))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_ambiguous_name_lists_the_ids() {
        let ids = ["k1", "k2"].map(|id| id.parse().unwrap()).to_vec();
        let problem =
            ReferenceProblem::Ambiguous { reference: ProfileReference::Name("Ann".to_owned()), ids };
        assert_eq!(problem.to_string(), "AdsPower has 2 profiles named `Ann`: k1, k2");
    }
}
