//! Profiles for tests of reports: the samples that the views' own tests use.

use regatta_core::event::Event;
use regatta_core::view::overview::{DisplayStatus, ProfileView};

#[path = "../../crates/regatta-core/src/view/overview/samples.rs"]
mod samples;

pub(crate) use samples::{completed, failed, folder};
