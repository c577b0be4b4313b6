//! What `check --online` says about a provider: everything that can be tried without a person.

use super::Provider;
use super::error::Error;
use super::fetch::Answer;
use super::keys::KeySet;
use super::metadata::Metadata;
use super::said::Call;
use crate::clock::Timestamp;
use std::time::Duration;

/// More than this is worth a word; tokens tolerate 60 s.
const TOLERABLE_CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was looked at, in a few words.
    pub what: &'static str,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty when nothing is to be done.
    pub remedy: String,
}

impl Finding {
    fn good(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            ok: true,
            what,
            detail: detail.into(),
            remedy: String::new(),
        }
    }

    fn bad(what: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            ok: false,
            what,
            detail: detail.into(),
            remedy: remedy.into(),
        }
    }

    fn error(what: &'static str, error: &Error) -> Self {
        Self::bad(what, chain(error), remedy(error))
    }
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Provider {
    /// Tries everything that needs no person: discovery, issuer, keys, clock. Fetches afresh and
    /// leaves the caches as they are.
    pub async fn probe(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut date = None;
        if let Some(metadata) = self.probe_metadata(&mut findings, &mut date).await {
            self.probe_keys(&metadata, &mut findings, &mut date).await;
            self.probe_client_auth(&metadata, &mut findings);
            if date.is_none() {
                self.probe_token_endpoint(&metadata, &mut findings, &mut date)
                    .await;
            }
        }
        findings.extend(date.map(|theirs| clock(self.clock.now(), theirs)));
        findings.push(Finding::good(
            "redirect URI",
            format!("register exactly \"{}\" at the provider", self.redirect_uri),
        ));
        findings
    }

    async fn probe_metadata(
        &self,
        findings: &mut Vec<Finding>,
        date: &mut Option<Timestamp>,
    ) -> Option<Metadata> {
        let Some(url) = &self.config.discovery_url else {
            return match Metadata::from_config(&self.config) {
                Ok(metadata) => {
                    findings.push(Finding::good("endpoints", "given in the configuration"));
                    Some(metadata)
                }
                Err(error) => {
                    findings.push(Finding::error("endpoints", &error));
                    None
                }
            };
        };
        let what = "discovery";
        let document = async {
            let answer = self.http.get(Call::Discovery, url).await?;
            *date = answer.date();
            answer.into_success()?.object()
        };
        let document = match document.await {
            Ok(document) => document,
            Err(error) => {
                findings.push(Finding::error(what, &error));
                return None;
            }
        };
        findings.push(Finding::good(what, format!("\"{url}\" answers")));
        match Metadata::from_document(&self.config, &document, url) {
            Ok(metadata) => {
                findings.push(Finding::good(
                    "issuer",
                    format!("\"{}\", as configured", self.config.issuer),
                ));
                Some(metadata)
            }
            Err(error) => {
                let what = match error {
                    Error::DiscoveryIssuerMissing { .. }
                    | Error::DiscoveryIssuerMismatch { .. } => "issuer",
                    Error::NoCommonAlgorithm { .. } => "algorithms",
                    _ => "endpoints",
                };
                findings.push(Finding::error(what, &error));
                None
            }
        }
    }

    async fn probe_keys(
        &self,
        metadata: &Metadata,
        findings: &mut Vec<Finding>,
        date: &mut Option<Timestamp>,
    ) {
        let Some(url) = &metadata.jwks else { return };
        let keys = async {
            let answer = self.http.get(Call::Keys, url).await?;
            *date = date.or_else(|| answer.date());
            KeySet::parse(&answer.into_success()?.object()?, url.clone())
        };
        findings.push(match keys.await {
            Ok(keys) => {
                let mut detail = format!("{} usable", keys.len());
                for (id, flaw) in &keys.flaws {
                    let id = super::keys::shown(id.as_deref());
                    detail.push_str(&format!("; \"{id}\" is passed over, because {flaw}"));
                }
                Finding::good("keys", detail)
            }
            Err(error) => Finding::error("keys", &error),
        });
    }

    fn probe_client_auth(&self, metadata: &Metadata, findings: &mut Vec<Finding>) {
        let Some(offered) = &metadata.client_auth_methods else {
            return;
        };
        let used = self.proof.name();
        if !offered.is_empty() && !offered.iter().any(|method| method == used) {
            findings.push(Finding::bad(
                "client authentication",
                format!(
                    "\"{used}\" is configured; the provider names {}",
                    super::said::printable(&offered.join(", "))
                ),
                "set client_auth to one that the provider names",
            ));
        }
    }

    /// Without discovery and keys, that the token endpoint answers anything at all is the best
    /// there is to know.
    async fn probe_token_endpoint(
        &self,
        metadata: &Metadata,
        findings: &mut Vec<Finding>,
        date: &mut Option<Timestamp>,
    ) {
        let answer = self.http.get(Call::Token, &metadata.token).await;
        *date = answer.as_ref().ok().and_then(Answer::date);
        findings.push(match answer {
            Ok(_) | Err(Error::Redirected { .. }) => {
                Finding::good("token endpoint", format!("\"{}\" answers", metadata.token))
            }
            Err(error) => Finding::error("token endpoint", &error),
        });
    }
}

fn clock(ours: Timestamp, theirs: Timestamp) -> Finding {
    let what = "clock";
    let (ahead, behind) = (ours.since(theirs), theirs.since(ours));
    let detail = if behind.as_secs() > 0 {
        format!("{} s behind the provider's", behind.as_secs())
    } else {
        format!("{} s ahead of the provider's", ahead.as_secs())
    };
    if ahead.max(behind) <= TOLERABLE_CLOCK_DIFFERENCE {
        Finding::good(what, detail)
    } else {
        Finding::bad(
            what,
            detail,
            "synchronize this machine's clock: tokens are refused beyond 60 s",
        )
    }
}

fn remedy(error: &Error) -> String {
    match error {
        Error::DiscoveryIssuerMismatch { found, .. } => format!(
            "if that is the provider you mean, set issuer = \"{found}\"; every character counts, \
             a slash at the end too"
        ),
        Error::DiscoveryIssuerMissing { .. } => {
            "check that discovery_url names an OpenID Connect discovery document".to_owned()
        }
        Error::Unreachable { .. } => "check name resolution, firewall and, for a provider with \
                                      certificates of its own, ca_file"
            .to_owned(),
        Error::Timeout { .. } => "check that this machine may reach the provider".to_owned(),
        Error::Status { .. } => "check issuer, or discovery_url if it is set".to_owned(),
        Error::Redirected { .. } => {
            "configure the address that it redirects to, not the one that redirects".to_owned()
        }
        // The key has the name that discovery gives it.
        Error::EndpointMissing { name } => format!("set {name} in the configuration"),
        Error::EndpointInsecure { .. } => {
            "have the provider offer https; in a closed test network, set insecure_http = true"
                .to_owned()
        }
        Error::NoCommonAlgorithm { .. } => {
            "add one of the provider's algorithms to signing_algs".to_owned()
        }
        _ => "report this to whoever runs the provider".to_owned(),
    }
}
