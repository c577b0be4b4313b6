//! What `check --online` says about a provider: everything that can be tried without a person.

use super::Provider;
use super::error::Error;
use super::fetch::Answer;
use super::keys::KeySet;
use super::metadata::Metadata;
use super::said::Call;
use super::sentence::Sentence;
use super::{graph, issuer};
use crate::clock::Timestamp;
use crate::config::Fetch;
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
    pub detail: Sentence,
    /// What to do about it; empty when nothing is to be done.
    pub remedy: Sentence,
}

impl Finding {
    fn good(what: &'static str, detail: impl Into<Sentence>) -> Self {
        Self {
            ok: true,
            what,
            detail: detail.into(),
            remedy: Sentence::default(),
        }
    }

    fn bad(what: &'static str, detail: impl Into<Sentence>, remedy: Sentence) -> Self {
        Self {
            ok: false,
            what,
            detail: detail.into(),
            remedy,
        }
    }

    fn error(what: &'static str, error: &Error) -> Self {
        Self::bad(what, crate::telemetry::chain(error), error.advice())
    }
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
        self.probe_scopes(&mut findings);
        if self.config.fetch.contains(&Fetch::GraphGroups) {
            findings.push(self.probe_graph().await);
        }
        findings.extend(date.map(|theirs| clock(self.clock.now(), theirs)));
        findings.push(Finding::good(
            "redirect URI",
            Sentence::new(
                "finding.says.redirect_uri",
                "register exactly \"{uri}\" at the provider",
                [("uri", self.redirect_uri.as_ref())],
            ),
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
                    let given =
                        Sentence::new("finding.says.endpoints", "given in the configuration", []);
                    findings.push(Finding::good("endpoints", given));
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
        findings.push(Finding::good(what, answers(url)));
        match Metadata::from_document(&self.config, &document, url) {
            Ok(metadata) => {
                let issuer = &self.config.issuer;
                findings.push(Finding::good(
                    "issuer",
                    if issuer::is_template(issuer) {
                        Sentence::new(
                            "finding.says.tenants",
                            "\"{issuer}\", as configured: each token names its tenant",
                            [("issuer", issuer)],
                        )
                    } else {
                        Sentence::new(
                            "finding.says.issuer",
                            "\"{issuer}\", as configured",
                            [("issuer", issuer)],
                        )
                    },
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
            Ok(keys) if keys.flaws.is_empty() => {
                let count = keys.len().to_string();
                let usable =
                    Sentence::new("finding.says.keys", "{count} usable", [("count", &count)]);
                Finding::good("keys", usable)
            }
            // Why a key is passed over is said in the log's words.
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
                Sentence::new(
                    "finding.says.client_auth",
                    "\"{used}\" is configured; the provider names {offered}",
                    [
                        ("used", used),
                        ("offered", &super::said::printable(&offered.join(", "))),
                    ],
                ),
                Sentence::new(
                    "finding.remedy.client_auth",
                    "set client_auth to one that the provider names",
                    [],
                ),
            ));
        }
    }

    /// A fetch whose scope is not asked for refuses every sign-in. Without any scopes it is another
    /// kind of application (GitHub's apps have permissions instead), of which nothing is known here.
    fn probe_scopes(&self, findings: &mut Vec<Finding>) {
        let scopes = &self.config.scopes;
        for fetch in &self.config.fetch {
            let (name, enough) = scopes_of(*fetch);
            let asked = scopes.iter().any(|scope| enough.contains(&scope.as_str()));
            if let Some(first) = enough.first()
                && !scopes.is_empty()
                && !asked
            {
                findings.push(Finding::bad(
                    "fetch",
                    Sentence::new(
                        "finding.says.scope",
                        "\"{fetch}\" needs the scope \"{scope}\", which is not asked for",
                        [("fetch", name), ("scope", first)],
                    ),
                    Sentence::new(
                        "finding.remedy.scope",
                        "add \"{scope}\" to scopes",
                        [("scope", first)],
                    ),
                ));
            }
        }
    }

    /// Graph answers nobody without a token, and that is answer enough.
    async fn probe_graph(&self) -> Finding {
        let what = "Microsoft Graph";
        let url = graph::address(&self.config.graph_url);
        match self.http.get(Call::Graph, &url).await {
            Ok(_) => Finding::good(what, answers(&self.config.graph_url)),
            Err(error) => Finding::error(what, &error),
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
                Finding::good("token endpoint", answers(&metadata.token))
            }
            Err(error) => Finding::error("token endpoint", &error),
        });
    }
}

fn answers(url: impl std::fmt::Display) -> Sentence {
    let url = url.to_string();
    Sentence::new("finding.says.answers", "\"{url}\" answers", [("url", &url)])
}

/// The word in `fetch`, and the scopes of which one is enough. Graph's are none: an application has
/// `User.Read` without asking once an administrator has agreed to it.
fn scopes_of(fetch: Fetch) -> (&'static str, &'static [&'static str]) {
    match fetch {
        Fetch::SalesforceIdentity => ("salesforce_identity", &["id", "full", "api"]),
        Fetch::GithubEmails => ("github_emails", &["user:email", "user"]),
        Fetch::GithubOrganizations => (
            "github_organizations",
            &["read:org", "write:org", "admin:org", "user"],
        ),
        Fetch::GithubTeams => (
            "github_teams",
            &["read:org", "write:org", "admin:org", "user", "repo"],
        ),
        Fetch::DiscordGuilds => ("discord_guilds", &["guilds"]),
        Fetch::GraphGroups => ("graph_groups", &[]),
    }
}

fn clock(ours: Timestamp, theirs: Timestamp) -> Finding {
    let what = "clock";
    let (ahead, behind) = (ours.since(theirs), theirs.since(ours));
    let detail = if behind.as_secs() > 0 {
        Sentence::new(
            "finding.says.clock_behind",
            "{seconds} s behind the provider's",
            [("seconds", &behind.as_secs().to_string())],
        )
    } else {
        Sentence::new(
            "finding.says.clock_ahead",
            "{seconds} s ahead of the provider's",
            [("seconds", &ahead.as_secs().to_string())],
        )
    };
    if ahead.max(behind) <= TOLERABLE_CLOCK_DIFFERENCE {
        Finding::good(what, detail)
    } else {
        Finding::bad(
            what,
            detail,
            Sentence::new(
                "finding.remedy.clock",
                "synchronize this machine's clock: tokens are refused beyond 60 s",
                [],
            ),
        )
    }
}
