//! What the provider publishes, fetched and kept: its discovery document and its keys.

use super::Provider;
use super::cache::Entry;
use super::error::Error;
use super::keys::KeySet;
use super::metadata::Metadata;
use super::said::Call;
use crate::telemetry::metrics::Phase;
use std::sync::Arc;
use url::Url;

impl Provider {
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        let entry = self.metadata.get(self.fetch_metadata()).await?;
        Ok(entry.value)
    }

    async fn fetch_metadata(&self) -> Result<Metadata, Error> {
        let Some(url) = &self.config.discovery_url else {
            return Metadata::from_config(&self.config);
        };
        let answer = self
            .timed(
                Phase::ProviderDiscovery,
                self.http.get(Call::Discovery, url),
            )
            .await?
            .into_success()?;
        let metadata = Metadata::from_document(&self.config, &answer.object()?, url)?;
        tracing::info!(provider.id = self.config.id, "discovery fetched");
        Ok(metadata)
    }

    /// The keys at this address. Those of an address that metadata no longer names do not count.
    pub(super) async fn keys(&self, url: &Url) -> Result<Entry<KeySet>, Error> {
        let entry = self.keys.get(self.fetch_keys(url)).await?;
        if entry.value.source == *url {
            return Ok(entry);
        }
        match self.keys.renew(&entry, self.fetch_keys(url)).await {
            Some(renewed) if renewed.value.source == *url => Ok(renewed),
            _ => Err(Error::KeysMoved),
        }
    }

    pub(super) async fn fetch_keys(&self, url: &Url) -> Result<KeySet, Error> {
        let answer = self
            .timed(Phase::ProviderDiscovery, self.http.get(Call::Keys, url))
            .await?
            .into_success()?;
        let keys = KeySet::parse(&answer.object()?, url.clone())?;
        tracing::info!(
            provider.id = self.config.id,
            keys.usable = keys.len(),
            keys.passed_over = keys.flaws.len(),
            "keys fetched"
        );
        Ok(keys)
    }
}
