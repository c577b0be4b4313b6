//! `check --online`: what only the network can tell.

use super::gate::{self, redirect_uri, signed_out_uri};
use crate::clock::Clock;
use crate::config::{Config, Credentials, Kind, ProvisioningTarget, Store};
use crate::console;
use crate::directory::people;
use crate::forward::Upstream;
use crate::identity::Username;
use crate::provider::Provider;
use crate::provisioning::Provisioner;
use crate::session::Endings;
use crate::telemetry;
use crate::telemetry::Metrics;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was looked at, and what was found.
    pub what: String,
    /// What to do, if it is not.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self {
            ok: true,
            what: what.into(),
            remedy: None,
        }
    }

    fn bad(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            ok: false,
            what: what.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Renders every page of `[branding]` in every language, and says what is odd and works.
///
/// # Errors
///
/// Every language and message with a mistake; if there is none, every template with one.
pub fn pages(config: &Config) -> Result<Vec<String>, crate::web::Mistakes> {
    let mut warnings = Vec::new();
    gate::pages(config, &mut warnings)?;
    Ok(warnings)
}

/// Reaches every provider and the upstream, from where it is run.
pub async fn online(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for settings in &config.providers {
        let id = &settings.id;
        let redirect_uri = redirect_uri(config, id);
        let name = format!("provider {id}");
        match Provider::new(settings, redirect_uri, Clock::system(), Metrics::new()) {
            Ok(provider) => {
                findings.extend(provider.probe().await.into_iter().map(|found| Finding {
                    ok: found.ok,
                    what: format!("{name}: {}: {}", found.what, found.detail),
                    remedy: (!found.ok).then(|| found.remedy.to_string()),
                }));
                let leaves = config.sign_out.provider_logout && settings.logout;
                if leaves && settings.logout_returns {
                    findings.push(Finding::good(format!(
                        "{name}: sign-out return URI: register exactly \"{}\" at the provider",
                        signed_out_uri(config)
                    )));
                }
            }
            Err(error) => findings.push(Finding::bad(
                format!("{name}: {error}"),
                "correct its ca_file or private_key",
            )),
        }
    }
    findings.push(upstream(config).await);
    findings.extend(provisioning(config).await);
    if config.upstream.kind == Kind::Bitbucket {
        findings.extend(around(config).await);
    }
    findings
}

async fn upstream(config: &Config) -> Finding {
    let url = &config.upstream.url.text;
    let probed = match Upstream::new(config, Endings::default(), Clock::system(), Metrics::new()) {
        Ok(upstream) => upstream.probe().await,
        Err(error) => Err(error),
    };
    match probed {
        Ok(status) if status.is_success() => {
            Finding::good(format!("upstream: {url} answers {status}"))
        }
        Ok(status) => Finding::bad(
            format!("upstream: {url} answers {status} to its status page"),
            "check upstream.url and upstream.context_path, and whether Bitbucket has started",
        ),
        Err(error) => Finding::bad(
            format!("upstream: {url} cannot be reached: {error}"),
            "check upstream.url, the firewall between the gateway and Bitbucket, and whether Bitbucket runs",
        ),
    }
}

/// Asks Bitbucket for the service account itself: an administrator alone may.
async fn provisioning(config: &Config) -> Option<Finding> {
    let ProvisioningTarget::Bitbucket(access) = &config.provisioning.target else {
        return None;
    };
    let name = match &access.credentials {
        Credentials::Basic { username, .. } => username,
        Credentials::Bearer(_) => "portcullis",
    };
    let name = Username::parse(name).ok()?;
    let asked = async {
        let people = people::open(&Store::Memory)
            .await
            .map_err(|e| e.to_string())?;
        Provisioner::new(config, &people, Clock::system(), Metrics::new())
            .map_err(|error| telemetry::chain(&error))?
            .ok_or_else(String::new)?
            .knows(&name)
            .await
            .map_err(|error| telemetry::chain(&error))
    };
    let url = &access.url;
    Some(match asked.await {
        Ok(_) => Finding::good(format!("provisioning: {url} answers, and lists people")),
        Err(reason) => Finding::bad(
            format!("provisioning: {reason}"),
            "check [provisioning.bitbucket] and the service account; the guide to provisioning lists the reasons",
        ),
    })
}

/// How long the answer of a health check may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether Bitbucket can be reached around the gateway.
async fn around(config: &Config) -> Vec<Finding> {
    let knocks = console::around(config).await.into_iter();
    knocks
        .map(|knock| {
            let what = format!("around the gateway: {}:{}", knock.host, knock.port);
            match knock.opened {
                Some(_) if knock.is_loopback() => Finding::good(format!(
                    "{what} answers on loopback, where only this machine reaches it; try it from a user's network too"
                )),
                Some(at) => Finding::bad(
                    format!("{what} accepts connections ({at})"),
                    "close this port for everybody but the gateway: whoever reaches Bitbucket there can send the identity header",
                ),
                None => Finding::good(format!(
                    "{what} does not accept connections from here; try it from a user's network too"
                )),
            }
        })
        .collect()
}

/// Whether `/healthz` at this address answers 200 within a few seconds. Speaks plain HTTP/1.1 to the
/// admin listener, which has no other language.
pub async fn is_healthy(url: &str) -> bool {
    let Ok(url) = url.parse() else { return false };
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = tokio::time::timeout(PATIENCE, client.get(url)).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status() == 200))
}
