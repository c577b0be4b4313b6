//! Which Bitbucket stands behind the gateway.

use super::{PROBE, Upstream};
use crate::config::Kind;
use http_body_util::{BodyExt, Limited};

/// Bitbucket's answer has a few hundred bytes.
const MAX_ANSWER: usize = 16 * 1024;
/// A version is shorter.
const MAX_VERSION: usize = 64;

impl Upstream {
    /// Bitbucket's version, as it tells everybody; none: it does not say, cannot be asked within a
    /// few seconds, or is no Bitbucket.
    pub async fn version(&self) -> Option<String> {
        if self.kind != Kind::Bitbucket {
            return None;
        }
        let asked = async {
            let path = "/rest/api/latest/application-properties";
            let (response, _lease) = self.inquire(path, None).await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER);
            let body = body.collect().await.ok()?.to_bytes();
            let said: serde_json::Value = serde_json::from_slice(&body).ok()?;
            let version = said.get("version")?.as_str()?;
            let printable = |c: char| !c.is_control();
            let fits = (1..=MAX_VERSION).contains(&version.len()) && version.chars().all(printable);
            fits.then(|| version.to_owned())
        };
        tokio::time::timeout(PROBE, asked).await.ok()?
    }
}
