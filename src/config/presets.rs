//! What is known about providers before anyone has configured them: one table.
//!
//! A preset only fills in keys that the file leaves out. Whatever a provider's discovery document
//! says is not repeated here.

use super::values::Choice;
use super::{Protocol, Userinfo};

/// A provider as everybody knows it.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// On the button; none: the provider's id.
    pub(super) label: Option<&'static str>,
    pub(super) protocol: Protocol,
    pub(super) authorization_endpoint: Option<&'static str>,
    pub(super) token_endpoint: Option<&'static str>,
    pub(super) userinfo_endpoint: Option<&'static str>,
    pub(super) client_auth: Method,
    pub(super) scopes: &'static [&'static str],
    pub(super) userinfo: Userinfo,
    pub(super) subject_claim: &'static str,
    pub(super) logout_returns: bool,
    pub(super) claims: PresetClaims,
}

/// Where a provider puts each fact.
#[derive(Debug)]
pub(super) struct PresetClaims {
    pub(super) username: &'static [&'static str],
    pub(super) email: &'static [&'static str],
    pub(super) display_name: &'static [&'static str],
    pub(super) first_name: &'static [&'static str],
    pub(super) last_name: &'static [&'static str],
    pub(super) groups: &'static [&'static str],
    pub(super) groups_separator: &'static str,
}

/// How the gateway proves who it is: [`super::ClientAuth`] without the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Basic,
    Post,
    PrivateKeyJwt,
    None,
}

impl Choice for Method {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("client_secret_basic", Self::Basic),
        ("client_secret_post", Self::Post),
        ("private_key_jwt", Self::PrivateKeyJwt),
        ("none", Self::None),
    ];
}

impl Choice for &'static Preset {
    const NAMES: &'static [(&'static str, Self)] = &[
        (SALESFORCE.name, &SALESFORCE),
        (OIDC.name, &OIDC),
        (OAUTH2.name, &OAUTH2),
        (GITHUB.name, &GITHUB),
        (KEYCLOAK.name, &KEYCLOAK),
    ];
}

/// The claims of OpenID Connect Core §5.1, and the usual one for groups.
const STANDARD_CLAIMS: PresetClaims = PresetClaims {
    username: &["preferred_username"],
    email: &["email"],
    display_name: &["name"],
    first_name: &["given_name"],
    last_name: &["family_name"],
    groups: &["groups"],
    groups_separator: "",
};

/// Any OpenID Connect provider, found by discovery.
const OIDC: Preset = Preset {
    name: "oidc",
    label: None,
    protocol: Protocol::Oidc,
    authorization_endpoint: None,
    token_endpoint: None,
    userinfo_endpoint: None,
    client_auth: Method::Basic,
    scopes: &["openid", "profile", "email"],
    userinfo: Userinfo::Optional,
    subject_claim: "sub",
    logout_returns: true,
    claims: STANDARD_CLAIMS,
};

/// Salesforce with its My Domain or site address as the issuer.
const SALESFORCE: Preset = Preset {
    name: "salesforce",
    label: Some("Salesforce"),
    client_auth: Method::Post,
    // The logout address ignores `post_logout_redirect_uri`.
    logout_returns: false,
    claims: PresetClaims {
        // There is no claim for groups; this is the custom attribute that the guide sets up, and
        // custom attributes are always one string.
        groups: &["custom_attributes.groups"],
        groups_separator: ";",
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Keycloak with the address of its realm as the issuer.
const KEYCLOAK: Preset = Preset {
    name: "keycloak",
    label: Some("Keycloak"),
    claims: PresetClaims {
        groups: &["groups", "realm_access.roles"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Plain OAuth 2.0: no ID token, the userinfo address says who it is.
const OAUTH2: Preset = Preset {
    name: "oauth2",
    protocol: Protocol::OAuth2,
    scopes: &[],
    userinfo: Userinfo::Required,
    claims: PresetClaims {
        username: &["login", "username", "preferred_username"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// github.com; for GitHub Enterprise, give its three endpoints.
const GITHUB: Preset = Preset {
    name: "github",
    label: Some("GitHub"),
    authorization_endpoint: Some("https://github.com/login/oauth/authorize"),
    token_endpoint: Some("https://github.com/login/oauth/access_token"),
    userinfo_endpoint: Some("https://api.github.com/user"),
    client_auth: Method::Post,
    scopes: &["read:user", "user:email"],
    // `login` can be renamed and taken by somebody else; `id` cannot.
    subject_claim: "id",
    claims: PresetClaims {
        username: &["login"],
        first_name: &[],
        last_name: &[],
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OAUTH2
};
