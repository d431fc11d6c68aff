//! The profiles AdsPower knows, a page at a time: there may be tens of thousands, at one call a second.

use super::answer;
use super::request::Call;
use super::{ANSWERS_WITHIN, AdsPower, MOST_PAGES, PAGE};
use crate::browser::provider::{ListedProfile, ProviderError};
use crate::domain::id::InvalidProfileId;

impl AdsPower {
    /// Returns a page of a group by its id, or of all. Pages count from 1; what comes after the last is
    /// empty. An item whose id cannot be used is an error in its place.
    pub async fn page_of_profiles(
        &self,
        group: Option<&str>,
        page: usize,
    ) -> Result<Vec<Result<ListedProfile, InvalidProfileId>>, ProviderError> {
        let answered = self.call(&Call::list_of(group, page, PAGE), ANSWERS_WITHIN).await;
        Ok(answer::profiles(&answered.map_err(|failure| self.error_of_all(failure))?))
    }

    /// The id of the group with exactly this name.
    pub async fn group(&self, name: &str) -> Result<Option<String>, ProviderError> {
        for page in 1..=MOST_PAGES {
            let answered = self.call(&Call::groups(name, page, PAGE), ANSWERS_WITHIN).await;
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
}
