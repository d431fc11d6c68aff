//! Starts and stops the browser of a profile.

use futures::future::BoxFuture;

use crate::domain::id::ProfileId;

#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct ProviderError;

pub trait Provider: Send + Sync {
    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>>;
}
