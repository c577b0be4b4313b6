//! What an administrator can do about an error.

use super::error::Error;
use super::issuer;
use super::said::Call;

impl Error {
    /// What to do about it, for whoever keeps the configuration: which key to set, and to what.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::DiscoveryIssuerMismatch { found, .. } if issuer::is_template(found) => format!(
                "the address is that of several tenants: set issuer = \"{found}\" and name the \
                 tenants in [providers.require] tid, or use your own tenant's address"
            ),
            Self::DiscoveryIssuerMismatch { found, .. } => format!(
                "if that is the provider you mean, set issuer = \"{found}\"; every character \
                 counts, a slash at the end too"
            ),
            Self::DiscoveryIssuerMissing { .. } => {
                "check that discovery_url names an OpenID Connect discovery document".to_owned()
            }
            Self::Unreachable { .. } => "check name resolution, firewall and, for a provider with \
                                         certificates of its own, ca_file"
                .to_owned(),
            Self::Timeout { .. } => "check that this machine may reach the provider".to_owned(),
            Self::Status {
                call: Call::Discovery | Call::Keys,
                ..
            } => "check issuer, or discovery_url if it is set".to_owned(),
            Self::Redirected { .. } => {
                "configure the address that it redirects to, not the one that redirects".to_owned()
            }
            // The key has the name that discovery gives it.
            Self::EndpointMissing { name } => format!("set {name} in the configuration"),
            Self::EndpointInsecure { .. } => {
                "have the provider offer https; in a closed test network, set insecure_http = true"
                    .to_owned()
            }
            Self::NoCommonAlgorithm { .. } => {
                "add one of the provider's algorithms to signing_algs".to_owned()
            }
            Self::IssuerMismatch { found, .. } => format!(
                "if that is the same provider under another name, set issuer_aliases = \
                 [\"{found}\"]"
            ),
            Self::NonceMissing => {
                "if the provider never sends it back, set nonce = \"optional\"".to_owned()
            }
            Self::FetchRefused { call, scope, .. } => format!(
                "add \"{scope}\" to scopes (and allow it where the application is registered), or \
                 take {} out of fetch",
                fetch_name(*call)
            ),
            Self::IdentityMissing | Self::IdentityElsewhere { .. } | Self::IdentityMismatch => {
                "add \"id\" to scopes and set issuer to the organization's My Domain address, or \
                 take \"salesforce_identity\" out of fetch: userinfo holds the same facts"
                    .to_owned()
            }
            Self::GroupsOverage => "set fetch = [\"graph_groups\"], which asks Microsoft Graph \
                                    with the permission User.Read; or let the application send \
                                    only the groups assigned to it"
                .to_owned(),
            Self::SubjectUnusable { .. } => {
                "set subject_claim to a claim that tells people apart, such as \"oid\"".to_owned()
            }
            _ => "report this to whoever runs the provider".to_owned(),
        }
    }
}

/// The word in `fetch` that makes this call.
fn fetch_name(call: Call) -> &'static str {
    match call {
        Call::Identity => "\"salesforce_identity\"",
        Call::Emails => "\"github_emails\"",
        Call::Organizations => "\"github_organizations\"",
        Call::Teams => "\"github_teams\"",
        Call::Guilds => "\"discord_guilds\"",
        _ => "\"graph_groups\"",
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
