//! What an administrator can do about an error.

use super::error::Error;
use super::issuer;
use super::said::Call;
use super::sentence::Sentence;

impl Error {
    /// What to do about it, in English: which key to set, and to what.
    #[must_use]
    pub fn remedy(&self) -> String {
        self.advice().to_string()
    }

    /// What to do about it, for whoever keeps the configuration: which key to set, and to what.
    #[must_use]
    pub fn advice(&self) -> Sentence {
        match self {
            Self::DiscoveryIssuerMismatch { found, .. } if issuer::is_template(found) => {
                Sentence::new(
                    "finding.remedy.tenants",
                    "the address is that of several tenants: set issuer = \"{issuer}\" and name the tenants in [providers.require] tid, or use your own tenant's address",
                    [("issuer", found)],
                )
            }
            Self::DiscoveryIssuerMismatch { found, .. } => Sentence::new(
                "finding.remedy.issuer",
                "if that is the provider you mean, set issuer = \"{issuer}\"; every character counts, a slash at the end too",
                [("issuer", found)],
            ),
            Self::DiscoveryIssuerMissing { .. } => Sentence::new(
                "finding.remedy.discovery",
                "check that discovery_url names an OpenID Connect discovery document",
                [],
            ),
            Self::Unreachable { .. } => Sentence::new(
                "finding.remedy.unreachable",
                "check name resolution, firewall and, for a provider with certificates of its own, ca_file",
                [],
            ),
            Self::Timeout { .. } => Sentence::new(
                "finding.remedy.timeout",
                "check that this machine may reach the provider",
                [],
            ),
            Self::Status {
                call: Call::Discovery | Call::Keys,
                ..
            } => Sentence::new(
                "finding.remedy.status",
                "check issuer, or discovery_url if it is set",
                [],
            ),
            Self::Redirected { .. } => Sentence::new(
                "finding.remedy.redirected",
                "configure the address that it redirects to, not the one that redirects",
                [],
            ),
            // The key has the name that discovery gives it.
            Self::EndpointMissing { name } => Sentence::new(
                "finding.remedy.endpoint_missing",
                "set {name} in the configuration",
                [("name", name)],
            ),
            Self::EndpointInsecure { .. } => Sentence::new(
                "finding.remedy.endpoint_insecure",
                "have the provider offer https; in a closed test network, set insecure_http = true",
                [],
            ),
            Self::NoCommonAlgorithm { .. } => Sentence::new(
                "finding.remedy.algorithms",
                "add one of the provider's algorithms to signing_algs",
                [],
            ),
            Self::IssuerMismatch { found, .. } => Sentence::new(
                "finding.remedy.issuer_alias",
                "if that is the same provider under another name, set issuer_aliases = [\"{issuer}\"]",
                [("issuer", found)],
            ),
            Self::NonceMissing => Sentence::new(
                "finding.remedy.nonce",
                "if the provider never sends it back, set nonce = \"optional\"",
                [],
            ),
            Self::FetchRefused { call, scope, .. } => Sentence::new(
                "finding.remedy.fetch",
                "add \"{scope}\" to scopes (and allow it where the application is registered), or take \"{fetch}\" out of fetch",
                [("scope", scope), ("fetch", fetch_name(*call))],
            ),
            Self::IdentityMissing | Self::IdentityElsewhere { .. } | Self::IdentityMismatch => {
                Sentence::new(
                    "finding.remedy.identity",
                    "add \"id\" to scopes and set issuer to the organization's My Domain address, or take \"salesforce_identity\" out of fetch: userinfo holds the same facts",
                    [],
                )
            }
            Self::GroupsOverage => Sentence::new(
                "finding.remedy.overage",
                "set fetch = [\"graph_groups\"], which asks Microsoft Graph with the permission User.Read; or let the application send only the groups assigned to it",
                [],
            ),
            Self::SubjectUnusable { .. } => Sentence::new(
                "finding.remedy.subject",
                "set subject_claim to a claim that tells people apart, such as \"oid\"",
                [],
            ),
            _ => Sentence::new(
                "finding.remedy.report",
                "report this to whoever runs the provider",
                [],
            ),
        }
    }
}

/// The word in `fetch` that makes this call.
fn fetch_name(call: Call) -> &'static str {
    match call {
        Call::Identity => "salesforce_identity",
        Call::Emails => "github_emails",
        Call::Organizations => "github_organizations",
        Call::Teams => "github_teams",
        Call::Guilds => "discord_guilds",
        _ => "graph_groups",
    }
}

impl Error {
    /// Whether the session has to end when this comes of looking again: the provider refuses the
    /// person (`invalid_grant` and the like), or speaks of somebody else. Anything else, a wrong
    /// client secret too, may be over in a minute.
    #[must_use]
    pub const fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::RenewalRefused { .. }
                | Self::ClaimChanged { .. }
                | Self::AnotherPerson
                | Self::UserinfoSubjectMismatch
                | Self::IdentityMismatch
        )
    }
}
