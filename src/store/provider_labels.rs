//! The numbers and names by which people know a provider's profiles, from its last lists. They are shown
//! beside the ids and decide nothing: if the file is lost, the next list restores it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Layout, StoreError, durable};
use regatta_core::id::ProfileId;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileLabel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The labels of one provider.
pub struct ProviderLabels(PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
struct LabelsDocument {
    profiles: BTreeMap<String, ProfileLabel>,
}

impl ProviderLabels {
    /// `name` is the provider's.
    pub fn new(layout: &Layout, name: &str) -> Self {
        Self(layout.provider_labels(name))
    }

    /// Reads the labels; none where the file cannot be read.
    pub fn read(&self) -> BTreeMap<String, ProfileLabel> {
        let text = fs::read(&self.0).unwrap_or_default();
        serde_json::from_slice::<LabelsDocument>(&text).unwrap_or_default().profiles
    }

    /// Replaces the file where a label is new.
    pub fn add(&self, labels: impl IntoIterator<Item = (ProfileId, ProfileLabel)>) -> Result<(), StoreError> {
        let mut profiles = self.read();
        let mut is_new = false;
        for (id, label) in labels {
            let says_anything = label.number.is_some() || label.name.is_some();
            if says_anything && profiles.get(id.as_str()) != Some(&label) {
                profiles.insert(id.to_string(), label);
                is_new = true;
            }
        }
        if !is_new {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&LabelsDocument { profiles }).expect("texts are always JSON");
        durable::replace(&self.0, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_add_up_and_the_later_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let labels = ProviderLabels::new(&layout, "adspower");
        let label = |number: &str, name: Option<&str>| ProfileLabel {
            number: Some(number.to_owned()),
            name: name.map(str::to_owned),
        };
        let id = |id: &str| id.parse::<ProfileId>().unwrap();
        assert!(labels.read().is_empty());
        labels.add([(id("k1"), label("1", Some("Ann"))), (id("k2"), label("2", None))]).unwrap();
        labels.add([(id("k1"), label("1", Some("Bob"))), (id("k3"), ProfileLabel::default())]).unwrap();
        let read = labels.read();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["k1", "k2"]);
        assert_eq!(read["k1"], label("1", Some("Bob")));
    }
}
