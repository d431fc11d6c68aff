//! Profiles that AdsPower knows: all of them, or those of a group.

use futures::future::BoxFuture;

use super::{ReadError, Rows, Source};
use crate::browser::adspower::AdsPower;
use crate::domain::row::{ProfileRow, RowProblem};
use crate::domain::source_spec::Selection;

pub struct AdsPowerSource {
    adspower: AdsPower,
    selection: Selection,
}

impl AdsPowerSource {
    pub const fn new(adspower: AdsPower, selection: Selection) -> Self {
        Self { adspower, selection }
    }
}

impl Source for AdsPowerSource {
    fn name(&self) -> &str {
        "AdsPower"
    }

    /// A page is on its way to the fleet while the next is asked for.
    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let group = match &self.selection {
                Selection::All => None,
                Selection::Group(name) => {
                    let group = self.adspower.group(name).await?;
                    Some(group.ok_or_else(|| ReadError::NoGroup(name.clone()))?)
                }
            };
            let mut before = Vec::new();
            for page in 1.. {
                let profiles = self.adspower.page_of_profiles(group.as_deref(), page).await?;
                let profiles: Vec<_> =
                    profiles.into_iter().map(|profile| profile.map(|profile| profile.id)).collect();
                // A short page may only mean that pages are shorter than asked for; the same one again
                // that it does not page.
                if profiles.is_empty() || profiles == before {
                    break;
                }
                for (number, profile) in (1..).zip(&profiles) {
                    let row = profile.clone().map(ProfileRow::from).map_err(RowProblem::from);
                    rows.take(|| format!("item {number} of page {page} of AdsPower's list"), row).await?;
                }
                rows.flush().await?;
                before = profiles;
            }
            Ok(())
        })
    }
}
