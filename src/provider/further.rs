//! The calls beyond token and userinfo (`fetch` in the configuration).
//!
//! What an administrator asks for decides who gets in and into which groups, so a list that cannot
//! be had refuses the sign-in: "no groups" and "unknown" are different things. The one exception is
//! an e-mail address, whose absence is refused later by whatever needs it.

use super::error::Error;
use super::gathered::Gathered;
use super::metadata::Metadata;
use super::token::{self, Tokens};
use super::{Provider, Source, discord, github, graph, salesforce};
use crate::config::{self, Fetch, Reference};
use crate::telemetry::metrics::Phase;
use http::HeaderValue;
use serde_json::Value;

impl Provider {
    /// Learns the rest about the person.
    pub(super) async fn gather_further(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        gathered: &mut Gathered,
    ) -> Result<(), Error> {
        if self.config.fetch.is_empty() {
            return check_overage(&self.config, gathered);
        }
        let bearer = token::bearer(&tokens.access)?;
        for fetch in &self.config.fetch {
            let call = self.gather(*fetch, metadata, tokens, &bearer, gathered);
            self.timed(Phase::ProviderUserinfo, call).await?;
        }
        check_overage(&self.config, gathered)
    }

    async fn gather(
        &self,
        fetch: Fetch,
        metadata: &Metadata,
        tokens: &Tokens,
        bearer: &HeaderValue,
        gathered: &mut Gathered,
    ) -> Result<(), Error> {
        let http = &self.http;
        // GitHub's and Discord's lists lie beside the profile.
        let profile = || {
            metadata.userinfo.as_ref().ok_or(Error::EndpointMissing {
                name: "userinfo_endpoint",
            })
        };
        match fetch {
            Fetch::SalesforceIdentity => {
                let address = tokens.identity.as_deref();
                let identity =
                    salesforce::identity(http, &self.config.issuer, address, bearer, gathered)
                        .await?;
                gathered.add(Source::Identity, identity);
            }
            Fetch::GithubEmails => github::add_email(http, profile()?, bearer, gathered).await,
            Fetch::GithubOrganizations => {
                let names = github::organizations(http, profile()?, bearer).await?;
                gathered.set(Source::Organizations, "organizations", names);
            }
            Fetch::GithubTeams => {
                let names = github::teams(http, profile()?, bearer).await?;
                gathered.set(Source::Teams, "teams", names);
            }
            Fetch::DiscordGuilds => {
                let ids = discord::guilds(http, profile()?, bearer).await?;
                gathered.set(Source::Guilds, "guilds", ids);
            }
            Fetch::GraphGroups if graph::is_overage(gathered.claims()) => {
                let ids = graph::groups(http, &self.config.graph_url, bearer).await?;
                gathered.set(Source::Graph, "groups", ids);
            }
            Fetch::GraphGroups => {}
        }
        Ok(())
    }
}

/// A person with more groups than fit must not pass for one with none.
fn check_overage(config: &config::Provider, gathered: &Gathered) -> Result<(), Error> {
    if graph::is_overage(gathered.claims()) && needs_groups(config) {
        return Err(Error::GroupsOverage);
    }
    Ok(())
}

/// Whether anything would read the claim that is missing: application roles, say, come in full.
fn needs_groups(config: &config::Provider) -> bool {
    let is_groups = |path: &str, separator| {
        path.split(separator)
            .next()
            .is_some_and(|first| first == "groups")
    };
    let mapped = config.claims.groups.iter().any(|mapping| {
        match &mapping.from {
            Reference::Claim(path) => is_groups(path, '.'),
            Reference::Pointer(path) => is_groups(path.trim_start_matches('/'), '/'),
            // What an expression reads is not looked into; one that never says the word does not.
            expression @ Reference::JmesPath(_) => expression.to_string().contains("groups"),
        }
    });
    let required = |requirement: &config::Requirement| is_groups(&requirement.claim, '.');
    mapped || config.require.iter().any(required)
}

/// The text of each entry of a list. An entry that has none makes the list unreadable: a group that
/// is passed over is a group that is missing.
pub(super) fn texts(
    entries: &[Value],
    text: impl Fn(&Value) -> Option<String>,
    unreadable: impl Fn() -> Error,
) -> Result<Value, Error> {
    entries
        .iter()
        .map(|entry| {
            let text = text(entry).filter(|text| !text.is_empty());
            text.map(Value::String).ok_or_else(&unreadable)
        })
        .collect()
}
