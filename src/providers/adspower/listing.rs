//! The profiles AdsPower knows, a page at a time: there may be tens of thousands, at one call a second.

use std::collections::HashMap;

use super::answer;
use super::request::{ApiCall, ListFilter};
use super::{ANSWERS_WITHIN, AdsPower, ApiVersion, MOST_PAGES, PAGE};
use crate::providers::{ListedProfile, ProviderError};
use crate::store::provider_labels::ProfileLabel;
use regatta_core::id::{InvalidProfileId, ProfileId};
use regatta_core::source::profile_reference::{ProfileReference, ReferenceProblem};

/// More references than these are found in the list of all profiles with fewer calls.
const MOST_QUESTIONS: usize = 20;

/// The profiles that references mean.
pub type ResolvedReferences = HashMap<ProfileReference, Result<ProfileId, ReferenceProblem>>;

/// Profiles by their groups and tags, both by id.
#[derive(Debug, Clone, Default)]
pub struct ProfileChoice {
    pub group: Option<String>,
    /// Any of these.
    pub tags: Vec<String>,
}

impl AdsPower {
    /// Returns a page of those that are chosen. Pages count from 1; what comes after the last is empty. An
    /// item whose id cannot be used is an error in its place.
    pub async fn page_of_profiles(
        &self,
        choice: &ProfileChoice,
        page: usize,
    ) -> Result<Vec<Result<ListedProfile, InvalidProfileId>>, ProviderError> {
        let filter =
            ListFilter { group: choice.group.as_deref(), tags: &choice.tags, ..ListFilter::default() };
        self.page(filter, page).await
    }

    async fn page(
        &self,
        filter: ListFilter<'_>,
        page: usize,
    ) -> Result<Vec<Result<ListedProfile, InvalidProfileId>>, ProviderError> {
        let answered = self.call(&ApiCall::list(filter, page, PAGE), ANSWERS_WITHIN).await;
        let items = answer::profiles(&answered.map_err(|failure| self.error_of_all(failure))?);
        let labels = items.iter().flatten().map(|item| {
            (item.id.clone(), ProfileLabel { number: item.number.clone(), name: item.name.clone() })
        });
        // They are shown, and decide nothing.
        if let Err(error) = self.labels.add(labels) {
            tracing::warn!(%error, "numbers and names of profiles are not remembered");
        }
        Ok(items)
    }

    /// All pages, as long as they bring something new: a short page may only mean that pages are shorter
    /// than asked for, and the same one again that it does not page.
    pub(super) async fn all_pages(
        &self,
        filter: ListFilter<'_>,
    ) -> Result<Vec<ListedProfile>, ProviderError> {
        let mut listed: Vec<ListedProfile> = Vec::new();
        for page in 1..=MOST_PAGES {
            let before = listed.len();
            for item in self.page(filter, page).await?.into_iter().flatten() {
                if !listed.iter().any(|known| known.id == item.id) {
                    listed.push(item);
                }
            }
            if listed.len() == before {
                break;
            }
        }
        Ok(listed)
    }

    /// The id of the group with exactly this name: AdsPower finds names by likeness.
    pub async fn group(&self, name: &str) -> Result<Option<String>, ProviderError> {
        for page in 1..=MOST_PAGES {
            let answered = self.call(&ApiCall::groups(name, page, PAGE), ANSWERS_WITHIN).await;
            let groups = answer::groups(&answered.map_err(|failure| self.error_of_all(failure))?);
            if groups.is_empty() {
                break;
            }
            if let Some((id, _)) = groups.into_iter().find(|(_, known)| known == name) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Ids and names of all tags.
    pub async fn tags(&self) -> Result<Vec<(String, String)>, ProviderError> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for page in 1..=MOST_PAGES {
            let answered = self.call(&ApiCall::tags(page, PAGE), ANSWERS_WITHIN).await;
            let found = answer::tags(&answered.map_err(|failure| self.error_of_all(failure))?);
            let before = tags.len();
            tags.extend(found.into_iter().filter(|tag| !tags.contains(tag)).collect::<Vec<_>>());
            if tags.len() == before {
                break;
            }
        }
        Ok(tags)
    }

    /// Looks numbers and names up. What AdsPower finds by likeness counts where it is the same.
    pub async fn resolve(
        &self,
        references: &[ProfileReference],
    ) -> Result<ResolvedReferences, ProviderError> {
        let found = self.candidates(references).await?;
        let resolve = |reference: &ProfileReference| {
            let mut ids: Vec<ProfileId> =
                found.iter().filter(|item| is_meant(reference, item)).map(|item| item.id.clone()).collect();
            match (ids.pop(), ids.is_empty()) {
                (None, _) => Err(ReferenceProblem::Unknown(reference.clone())),
                (Some(id), true) => Ok(id),
                (Some(id), false) => {
                    ids.push(id);
                    Err(ReferenceProblem::Ambiguous { reference: reference.clone(), ids })
                }
            }
        };
        Ok(references.iter().map(|reference| (reference.clone(), resolve(reference))).collect())
    }

    /// Profiles among which all that are meant are.
    async fn candidates(&self, references: &[ProfileReference]) -> Result<Vec<ListedProfile>, ProviderError> {
        let (mut numbers, mut names) = (Vec::new(), Vec::new());
        for reference in references {
            match reference {
                ProfileReference::Number(number) => numbers.push(number.clone()),
                ProfileReference::Name(name) => names.push(name),
            }
        }
        // The first version looks up one number at a time, and no name.
        let at_once = if self.settings.api == ApiVersion::V1 { 1 } else { PAGE };
        let questions = numbers.len().div_ceil(at_once) + names.len();
        let is_asked_for_all = questions > MOST_QUESTIONS || (at_once == 1 && !names.is_empty());
        if is_asked_for_all {
            return self.all_pages(ListFilter::default()).await;
        }
        let mut found = Vec::new();
        for numbers in numbers.chunks(at_once) {
            found.extend(self.all_pages(ListFilter { numbers, ..ListFilter::default() }).await?);
        }
        for name in names {
            found.extend(self.all_pages(ListFilter { name: Some(name), ..ListFilter::default() }).await?);
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }
}

fn is_meant(reference: &ProfileReference, item: &ListedProfile) -> bool {
    match reference {
        ProfileReference::Number(number) => item.number.as_deref() == Some(number.trim_start_matches('0')),
        ProfileReference::Name(name) => item.name.as_deref().map(str::trim) == Some(name),
    }
}
