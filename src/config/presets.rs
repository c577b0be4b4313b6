//! What is known about providers before anyone has configured them: the form of a preset, and how
//! its data becomes configuration. The presets themselves are one table, in `table`.
//!
//! A preset only fills in keys that the file leaves out. Whatever a provider's discovery document
//! says is not repeated here.

mod table;

use super::values::Choice;
use super::{
    EmailTrust, Fetch, LogoutStyle, Mapping, Nonce, Protocol, ResponseMode, Step, Userinfo,
};

/// A provider as everybody knows it.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// On the button; none: the provider's id.
    pub(super) label: Option<&'static str>,
    /// The built-in picture on the button.
    pub(super) icon: Option<&'static str>,
    pub(super) protocol: Protocol,
    pub(super) issuer: Issuer,
    /// Further spellings of the issuer in its tokens.
    pub(super) issuer_aliases: &'static [&'static str],
    pub(super) discovery: Discovery,
    /// An address, or a path below the issuer.
    pub(super) authorization_endpoint: Option<&'static str>,
    /// An address, or a path below the issuer.
    pub(super) token_endpoint: Option<&'static str>,
    /// An address, or a path below the issuer.
    pub(super) userinfo_endpoint: Option<&'static str>,
    pub(super) client_auth: Method,
    /// What is asked for; [`CLIENT_ID`] stands for the client identifier. What `fetch` needs
    /// besides is added.
    pub(super) scopes: &'static [&'static str],
    /// Other scopes for issuers that hold this text.
    pub(super) scopes_at: Option<(&'static str, &'static [&'static str])>,
    pub(super) nonce: Nonce,
    pub(super) response_mode: ResponseMode,
    /// Further audiences of its ID tokens; `"*"`: any.
    pub(super) extra_audiences: &'static [&'static str],
    pub(super) userinfo: Userinfo,
    pub(super) subject_claim: &'static str,
    /// Calls that are always made.
    pub(super) fetch: &'static [Fetch],
    /// Calls that are made when the claim is required, or holds the groups.
    pub(super) fetch_for: &'static [(&'static str, Fetch)],
    pub(super) email_trust: EmailTrust,
    /// Anybody on earth can have an account there: how to let in one's own people only.
    pub(super) anybody: Option<&'static str>,
    /// In which words it is told of a sign-out.
    pub(super) logout_style: LogoutStyle,
    /// Whether its logout comes back.
    pub(super) logout_returns: bool,
    pub(super) refresh: Asking,
    pub(super) claims: PresetClaims,
}

/// Stands for the client identifier in the scopes of a preset.
pub(super) const CLIENT_ID: &str = "{client_id}";

impl Preset {
    /// What its issuers look like, as far as there is a rule.
    pub(super) const fn issuer_example(&self) -> Option<&'static str> {
        match self.issuer {
            Issuer::Fixed(text) | Issuer::Like(text) => Some(text),
            Issuer::Origin => None,
        }
    }

    /// Whether endpoints are paths below the issuer.
    pub(super) fn is_below_issuer(&self) -> bool {
        self.authorization_endpoint
            .is_some_and(|text| text.starts_with('/'))
    }
}

/// How a refresh token is asked for, and whether one that comes unasked is used.
#[derive(Debug)]
pub(super) struct Asking {
    /// Scopes, asked for only with `refresh = true`.
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the authorization request, likewise.
    pub(super) params: &'static [(&'static str, &'static str)],
    /// Whether one that comes unasked is used.
    pub(super) unasked: bool,
}

/// The issuer, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Issuer {
    /// The same for everybody, unless the file says otherwise.
    Fixed(&'static str),
    /// One's own, and what one looks like. Where the example ends with a slash, all do.
    Like(&'static str),
    /// Plain OAuth 2.0: the authorization endpoint's origin, unless the file says otherwise.
    Origin,
}

/// Where the discovery document is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Discovery {
    /// Where OpenID Connect Discovery §4 says: below the issuer.
    BelowIssuer,
    /// Somewhere that the file has to say, and what one looks like.
    Elsewhere(&'static str),
}

/// Where a provider puts each fact: claims by name, dotted path or JSON pointer, tried in order.
#[derive(Debug)]
pub(super) struct PresetClaims {
    pub(super) username: &'static [&'static str],
    pub(super) email: &'static [&'static str],
    pub(super) email_verified: &'static [&'static str],
    pub(super) display_name: &'static [&'static str],
    pub(super) first_name: &'static [&'static str],
    pub(super) last_name: &'static [&'static str],
    pub(super) groups: &'static [&'static str],
    pub(super) groups_separator: &'static str,
    /// What is done to what some of these claims hold.
    pub(super) steps: &'static [(&'static str, &'static [PresetStep])],
}

impl PresetClaims {
    /// One of these claims as the configuration has it, with its steps.
    pub(super) fn mapping(&self, claim: &str) -> Mapping {
        let steps = self.steps.iter().filter(|(name, _)| *name == claim);
        Mapping {
            steps: steps
                .flat_map(|(_, steps)| steps.iter().map(|step| step.step()))
                .collect(),
            ..Mapping::plain(claim)
        }
    }
}

/// [`Step`] as data: those that a preset needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum PresetStep {
    /// `"keys"`
    Keys,
    /// `{ pick = "…" }`
    Pick(&'static str),
    /// `{ strip_prefix = "…" }`
    StripPrefix(&'static str),
}

impl PresetStep {
    fn step(self) -> Step {
        match self {
            Self::Keys => Step::Keys,
            Self::Pick(member) => Step::Pick(member.to_owned()),
            Self::StripPrefix(prefix) => Step::StripPrefix(prefix.to_owned()),
        }
    }
}

/// How the gateway proves who it is: [`super::ClientAuth`] without the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Basic,
    Post,
    PrivateKeyJwt,
    AppleJwt,
    None,
}

impl Choice for Method {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("client_secret_basic", Self::Basic),
        ("client_secret_post", Self::Post),
        ("private_key_jwt", Self::PrivateKeyJwt),
        ("apple_jwt", Self::AppleJwt),
        ("none", Self::None),
    ];
}

impl Choice for Fetch {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("salesforce_identity", Self::SalesforceIdentity),
        ("github_emails", Self::GithubEmails),
        ("github_organizations", Self::GithubOrganizations),
        ("github_teams", Self::GithubTeams),
        ("discord_guilds", Self::DiscordGuilds),
        ("graph_groups", Self::GraphGroups),
    ];
}

impl Fetch {
    /// Its name in the file.
    pub(super) fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, fetch)| *fetch == self);
        known.map_or("", |(name, _)| name)
    }

    /// The scope without which the provider refuses the call.
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::SalesforceIdentity => "id",
            Self::GithubEmails => "user:email",
            Self::GithubOrganizations | Self::GithubTeams => "read:org",
            Self::DiscordGuilds => "guilds",
            Self::GraphGroups => "User.Read",
        }
    }

    /// Which providers know the call.
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::SalesforceIdentity | Self::GraphGroups => Protocol::Oidc,
            _ => Protocol::OAuth2,
        }
    }
}
