//! Profiles that AdsPower knows: all of them, or those that people name by group, tag, number or name.

use std::collections::HashSet;

use futures::future::BoxFuture;

use super::{ReadError, Rows, Source};
use crate::providers::adspower::{AdsPower, ProfileChoice};
use regatta_core::source::profile_reference::ProfileReference;
use regatta_core::source::row::{ProfileRow, RowProblem};
use regatta_core::source::spec::Selection;

pub struct AdsPowerSource {
    adspower: AdsPower,
    selection: Selection,
}

impl AdsPowerSource {
    pub const fn new(adspower: AdsPower, selection: Selection) -> Self {
        Self { adspower, selection }
    }

    /// `None` where profiles are named one by one.
    async fn choice(&self) -> Result<Option<ProfileChoice>, ReadError> {
        Ok(match &self.selection {
            Selection::All => Some(ProfileChoice::default()),
            Selection::Group(name) => {
                let group = self.adspower.group(name).await?;
                let group = group.ok_or_else(|| ReadError::NoGroup(name.clone()))?;
                Some(ProfileChoice { group: Some(group), ..ProfileChoice::default() })
            }
            Selection::Tags(names) => {
                let known = self.adspower.tags().await?;
                let id = |name: &String| {
                    let found = known.iter().find(|(_, known)| known == name);
                    found.map(|(id, _)| id.clone()).ok_or_else(|| ReadError::NoTag {
                        name: name.clone(),
                        known: known.iter().map(|(_, name)| name.clone()).collect(),
                    })
                };
                let tags = names.iter().map(id).collect::<Result<_, _>>()?;
                Some(ProfileChoice { tags, ..ProfileChoice::default() })
            }
            Selection::Numbers(_) | Selection::Name(_) => None,
        })
    }

    /// A page is on its way to the fleet while the next is asked for.
    async fn read_pages(&self, choice: &ProfileChoice, rows: &mut Rows) -> Result<(), ReadError> {
        let mut before = Vec::new();
        // Between two pages a profile may be made, and moves another one to the next page.
        let mut seen = HashSet::new();
        for page in 1.. {
            let profiles = self.adspower.page_of_profiles(choice, page).await?;
            let profiles: Vec<_> =
                profiles.into_iter().map(|profile| profile.map(|profile| profile.id)).collect();
            // A short page may only mean that pages are shorter than asked for; the same one again
            // that it does not page.
            if profiles.is_empty() || profiles == before {
                break;
            }
            for (number, profile) in (1..).zip(&profiles) {
                if profile.as_ref().is_ok_and(|id| !seen.insert(id.clone())) {
                    continue;
                }
                let row = profile.clone().map(ProfileRow::from).map_err(RowProblem::from);
                rows.take(|| format!("item {number} of page {page} of AdsPower's list"), row).await?;
            }
            rows.flush().await?;
            before = profiles;
        }
        Ok(())
    }

    /// All of them are found before the first is handed out: a number typed wrong starts nothing.
    async fn read_named(&self, rows: &mut Rows) -> Result<(), ReadError> {
        let references: Vec<ProfileReference> = match &self.selection {
            Selection::Numbers(numbers) => numbers.iter().cloned().map(ProfileReference::Number).collect(),
            Selection::Name(name) => vec![ProfileReference::Name(name.clone())],
            _ => Vec::new(),
        };
        let mut resolved = self.adspower.resolve(&references).await?;
        let ids = references.iter().filter_map(|reference| resolved.remove(reference));
        for id in ids.collect::<Result<Vec<_>, _>>()? {
            rows.push(id.into()).await?;
        }
        rows.flush().await
    }
}

impl Source for AdsPowerSource {
    fn name(&self) -> &str {
        "AdsPower"
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            match self.choice().await? {
                Some(choice) => self.read_pages(&choice, rows).await,
                None => self.read_named(rows).await,
            }
        })
    }
}
