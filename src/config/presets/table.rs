//! The table: every preset, to be held against its vendor's documentation.
//!
//! Where a comment says "not verified", nobody has held the entry against a live tenant yet: it is
//! what the vendor's manual or other clients say.
//!
//! A username is never taken from what several people may have alike, such as a nickname, and never
//! falls back to an identifier that says nothing: a refusal that names the missing claim is better.

use super::{Asking, CLIENT_ID, Discovery, Issuer, Method, Preset, PresetClaims, PresetStep};
use crate::config::values::Choice;
use crate::config::{EmailTrust, Fetch, LogoutStyle, Nonce, Protocol, ResponseMode, Userinfo};

impl Choice for &'static Preset {
    const NAMES: &'static [(&'static str, Self)] = &[
        (SALESFORCE.name, &SALESFORCE),
        (ENTRA.name, &ENTRA),
        (ENTRA_MULTI.name, &ENTRA_MULTI),
        (AZURE_B2C.name, &AZURE_B2C),
        (ENTRA_EXTERNAL_ID.name, &ENTRA_EXTERNAL_ID),
        (GOOGLE.name, &GOOGLE),
        (OKTA.name, &OKTA),
        (AUTH0.name, &AUTH0),
        (KEYCLOAK.name, &KEYCLOAK),
        (COGNITO.name, &COGNITO),
        (ONELOGIN.name, &ONELOGIN),
        (PINGFEDERATE.name, &PINGFEDERATE),
        (PINGONE.name, &PINGONE),
        (ADFS.name, &ADFS),
        (GITLAB.name, &GITLAB),
        (GITHUB.name, &GITHUB),
        (GITHUB_ENTERPRISE.name, &GITHUB_ENTERPRISE),
        (BITBUCKET_CLOUD.name, &BITBUCKET_CLOUD),
        (SLACK.name, &SLACK),
        (DISCORD.name, &DISCORD),
        (LINKEDIN.name, &LINKEDIN),
        (APPLE.name, &APPLE),
        (AUTHENTIK.name, &AUTHENTIK),
        (AUTHELIA.name, &AUTHELIA),
        (DEX.name, &DEX),
        (ZITADEL.name, &ZITADEL),
        (FUSIONAUTH.name, &FUSIONAUTH),
        (ORACLE_IDCS.name, &ORACLE_IDCS),
        (IBM_VERIFY.name, &IBM_VERIFY),
        (MINIORANGE.name, &MINIORANGE),
        (OIDC.name, &OIDC),
        (OAUTH2.name, &OAUTH2),
    ];
}

/// The claims of OpenID Connect Core §5.1, and the usual one for groups.
const STANDARD_CLAIMS: PresetClaims = PresetClaims {
    username: &["preferred_username"],
    email: &["email"],
    email_verified: &["email_verified"],
    display_name: &["name"],
    first_name: &["given_name"],
    last_name: &["family_name"],
    groups: &["groups"],
    groups_separator: "",
    steps: &[],
};

/// The scopes of OpenID Connect Core §5.4 that say who somebody is.
const STANDARD_SCOPES: &[&str] = &["openid", "profile", "email"];

/// OpenID Connect Core §11.
const OFFLINE_ACCESS: Asking = Asking {
    scopes: &["offline_access"],
    params: &[],
    unasked: true,
};

/// A refresh token comes unasked, or nothing asks for one: the scope of the others is unknown there,
/// or makes a session that outlives the person's own (Keycloak's offline sessions).
const UNASKED: Asking = Asking {
    scopes: &[],
    ..OFFLINE_ACCESS
};

/// Any OpenID Connect provider, found by discovery.
const OIDC: Preset = Preset {
    name: "oidc",
    label: None,
    icon: None,
    protocol: Protocol::Oidc,
    issuer: Issuer::Like("https://idp.example.com"),
    issuer_aliases: &[],
    discovery: Discovery::BelowIssuer,
    authorization_endpoint: None,
    token_endpoint: None,
    userinfo_endpoint: None,
    client_auth: Method::Basic,
    scopes: STANDARD_SCOPES,
    scopes_at: None,
    nonce: Nonce::Required,
    response_mode: ResponseMode::Query,
    extra_audiences: &[],
    userinfo: Userinfo::Optional,
    subject_claim: "sub",
    fetch: &[],
    fetch_for: &[],
    email_trust: EmailTrust::UnlessDenied,
    anybody: None,
    logout_style: LogoutStyle::Oidc,
    logout_returns: true,
    refresh: OFFLINE_ACCESS,
    claims: STANDARD_CLAIMS,
};

/// Plain OAuth 2.0: no ID token, the userinfo address says who it is.
const OAUTH2: Preset = Preset {
    name: "oauth2",
    protocol: Protocol::OAuth2,
    issuer: Issuer::Origin,
    scopes: &[],
    userinfo: Userinfo::Required,
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["login", "username", "preferred_username"],
        display_name: &["name", "display_name"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Salesforce: production, sandbox or Experience site, with its My Domain or site address as the
/// issuer.
const SALESFORCE: Preset = Preset {
    name: "salesforce",
    label: Some("Salesforce"),
    icon: Some("cloud"),
    issuer: Issuer::Like("https://example.my.salesforce.com"),
    client_auth: Method::Post,
    // Custom attributes and `active` are in the ID token only when the app says so, and in userinfo
    // always.
    userinfo: Userinfo::Required,
    // The logout address ignores `post_logout_redirect_uri`.
    logout_returns: false,
    refresh: Asking {
        scopes: &["refresh_token"],
        ..UNASKED
    },
    claims: PresetClaims {
        // There is no claim for groups; this is the custom attribute that the guide sets up, and
        // custom attributes are always one string.
        groups: &["custom_attributes.groups"],
        groups_separator: ";",
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Microsoft Entra ID, one tenant. In a national cloud the host is another.
const ENTRA: Preset = Preset {
    name: "entra",
    label: Some("Microsoft"),
    icon: Some("grid"),
    issuer: Issuer::Like("https://login.microsoftonline.com/TENANT-ID/v2.0"),
    client_auth: Method::Post,
    // It says no more than the ID token, and nothing of groups.
    userinfo: Userinfo::Off,
    // `sub` changes with the client identifier; `oid` is the same in the whole tenant, and needs the
    // scope `profile`.
    subject_claim: "oid",
    // Microsoft says that `email` must not be used for authorization: administrators and guests'
    // home tenants write what they like. The optional claim `xms_edov` vouches for it.
    email_trust: EmailTrust::Verified,
    claims: PresetClaims {
        username: &["preferred_username", "upn"],
        email_verified: &["email_verified", "xms_edov"],
        // Of groups, identifiers; of app roles, their values.
        groups: &["groups", "roles"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Microsoft Entra ID, several tenants: `[providers.require]` says which.
const ENTRA_MULTI: Preset = Preset {
    name: "entra_multi",
    issuer: Issuer::Fixed("https://login.microsoftonline.com/{tenantid}/v2.0"),
    claims: PresetClaims {
        // Each tenant gives the app's roles itself. Groups are another tenant's identifiers.
        groups: &["roles"],
        ..ENTRA.claims
    },
    ..ENTRA
};

/// Azure AD B2C. The policy stands in the discovery address and not in the issuer.
const AZURE_B2C: Preset = Preset {
    name: "azure_b2c",
    label: Some("Microsoft"),
    icon: Some("grid"),
    issuer: Issuer::Like("https://TENANT.b2clogin.com/TENANT-ID/v2.0/"),
    discovery: Discovery::Elsewhere(
        "https://TENANT.b2clogin.com/TENANT.onmicrosoft.com/POLICY/v2.0/.well-known/openid-configuration",
    ),
    client_auth: Method::Post,
    // Without a scope of an API the token answer has no access token; the client itself counts as
    // one (not verified against a live tenant).
    scopes: &["openid", CLIENT_ID],
    userinfo: Userinfo::Off,
    // Old policies write the same sentence into everybody's `sub`.
    subject_claim: "oid",
    // No policy says whether an address was verified, unless it is written to.
    email_trust: EmailTrust::Verified,
    claims: PresetClaims {
        username: &["oid"],
        email: &["/emails/0", "email", "signInNames.emailAddress"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Microsoft Entra External ID (not verified against a live tenant).
const ENTRA_EXTERNAL_ID: Preset = Preset {
    name: "entra_external_id",
    issuer: Issuer::Like("https://TENANT-ID.ciamlogin.com/TENANT-ID/v2.0"),
    ..ENTRA
};

/// Google, with Workspace domains in `[providers.require]`.
const GOOGLE: Preset = Preset {
    name: "google",
    label: Some("Google"),
    icon: Some("google"),
    issuer: Issuer::Fixed("https://accounts.google.com"),
    // Older ID tokens leave the scheme out.
    issuer_aliases: &["accounts.google.com"],
    client_auth: Method::Post,
    anybody: Some("[providers.require] hd = \"example.com\" lets in your Workspace domain alone"),
    // It has no address for that.
    logout_style: LogoutStyle::None,
    // Without consent there is one at the very first sign-in only. It refuses `offline_access`.
    refresh: Asking {
        params: &[("access_type", "offline"), ("prompt", "consent")],
        ..UNASKED
    },
    claims: PresetClaims {
        username: &["email"],
        // Groups are in the Directory API only, for a service account.
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Okta: the organization's own server, or a custom one.
const OKTA: Preset = Preset {
    name: "okta",
    label: Some("Okta"),
    icon: Some("okta"),
    issuer: Issuer::Like("https://example.okta.com"),
    scopes: &["openid", "profile", "email", "groups"],
    // A custom server refuses a scope that it does not have, and has no `groups` of itself.
    scopes_at: Some(("/oauth2/", STANDARD_SCOPES)),
    // The ID token of a sign-in that also gets an access token lacks the profile.
    userinfo: Userinfo::Required,
    ..OIDC
};

/// Auth0, with the slash at the end of its issuers.
const AUTH0: Preset = Preset {
    name: "auth0",
    label: Some("Auth0"),
    icon: Some("auth0"),
    issuer: Issuer::Like("https://example.eu.auth0.com/"),
    client_auth: Method::Post,
    // Tenants made before the end of 2023 do not name the address of OpenID Connect's.
    logout_style: LogoutStyle::Auth0,
    claims: PresetClaims {
        // `nickname` is what stands before the @ of whatever address, so others may have the same.
        username: &["preferred_username", "username", "email"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Keycloak with the address of its realm as the issuer.
const KEYCLOAK: Preset = Preset {
    name: "keycloak",
    label: Some("Keycloak"),
    icon: Some("keycloak"),
    issuer: Issuer::Like("https://keycloak.example.com/realms/example"),
    refresh: UNASKED,
    claims: PresetClaims {
        groups: &["groups", "realm_access.roles"],
        // "Full group path" is on by default: `/developers`, `/developers/backend`.
        steps: &[("groups", &[PresetStep::StripPrefix("/")])],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Amazon Cognito. Its issuer and its endpoints are on different hosts.
const COGNITO: Preset = Preset {
    name: "cognito",
    label: Some("Amazon Cognito"),
    issuer: Issuer::Like("https://cognito-idp.REGION.amazonaws.com/USER-POOL-ID"),
    logout_style: LogoutStyle::Cognito,
    // `offline_access` is refused there.
    refresh: UNASKED,
    claims: PresetClaims {
        // In the ID token, and in userinfo.
        username: &["cognito:username", "username"],
        groups: &["cognito:groups"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// OneLogin. How it sends a single group is not verified against a live tenant.
const ONELOGIN: Preset = Preset {
    name: "onelogin",
    label: Some("OneLogin"),
    issuer: Issuer::Like("https://example.onelogin.com/oidc/2"),
    scopes: &["openid", "profile", "email", "groups"],
    // The second version does not know `offline_access`.
    refresh: UNASKED,
    ..OIDC
};

/// PingFederate. What its tokens hold is configured there.
const PINGFEDERATE: Preset = Preset {
    name: "pingfederate",
    label: Some("PingFederate"),
    issuer: Issuer::Like("https://sso.example.com"),
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["preferred_username", "sub"],
        email: &["email", "mail"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// PingOne. That the profile is in userinfo alone is not verified against a live tenant.
const PINGONE: Preset = Preset {
    name: "pingone",
    label: Some("PingOne"),
    issuer: Issuer::Like("https://auth.pingone.eu/ENVIRONMENT-ID/as"),
    userinfo: Userinfo::Required,
    ..OIDC
};

/// Active Directory Federation Services, 2016 and later.
const ADFS: Preset = Preset {
    name: "adfs",
    label: Some("ADFS"),
    issuer: Issuer::Like("https://adfs.example.com/adfs"),
    client_auth: Method::Post,
    // Without `allatclaims` the rules' claims stay out of the ID token.
    scopes: &["openid", "profile", "email", "allatclaims"],
    // It accepts only tokens for itself, and says nothing but `sub`.
    userinfo: Userinfo::Off,
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["upn", "unique_name"],
        email: &["email", "upn"],
        display_name: &["name", "unique_name"],
        groups: &["group", "groups", "role"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// GitLab: gitlab.com, or one's own with its address as the issuer.
const GITLAB: Preset = Preset {
    name: "gitlab",
    label: Some("GitLab"),
    icon: Some("gitlab"),
    issuer: Issuer::Fixed("https://gitlab.com"),
    // The ID token has hardly more than `sub` and the address.
    userinfo: Userinfo::Required,
    anybody: Some("[providers.require] groups_direct = \"example\" lets in your group alone"),
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["preferred_username", "nickname"],
        groups: &["groups_direct", "groups"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// github.com.
const GITHUB: Preset = Preset {
    name: "github",
    label: Some("GitHub"),
    icon: Some("github"),
    authorization_endpoint: Some("https://github.com/login/oauth/authorize"),
    token_endpoint: Some("https://github.com/login/oauth/access_token"),
    userinfo_endpoint: Some("https://api.github.com/user"),
    client_auth: Method::Post,
    scopes: &["read:user", "user:email"],
    // `login` can be renamed and taken by somebody else; `id` cannot.
    subject_claim: "id",
    fetch: &[Fetch::GithubEmails],
    fetch_for: &[
        ("organizations", Fetch::GithubOrganizations),
        ("teams", Fetch::GithubTeams),
    ],
    anybody: Some(
        "[providers.require] organizations = \"example\" lets in your organization alone",
    ),
    claims: PresetClaims {
        username: &["login"],
        display_name: &["name", "login"],
        first_name: &[],
        last_name: &[],
        groups: &["teams"],
        ..STANDARD_CLAIMS
    },
    ..OAUTH2
};

/// GitHub Enterprise Server with its address as the issuer.
const GITHUB_ENTERPRISE: Preset = Preset {
    name: "github_enterprise",
    issuer: Issuer::Like("https://github.example.com"),
    authorization_endpoint: Some("/login/oauth/authorize"),
    token_endpoint: Some("/login/oauth/access_token"),
    userinfo_endpoint: Some("/api/v3/user"),
    anybody: None,
    ..GITHUB
};

/// Bitbucket Cloud, with an OAuth consumer of a workspace (not verified with a live one).
const BITBUCKET_CLOUD: Preset = Preset {
    name: "bitbucket_cloud",
    label: Some("Bitbucket Cloud"),
    icon: Some("bitbucket"),
    authorization_endpoint: Some("https://bitbucket.org/site/oauth2/authorize"),
    token_endpoint: Some("https://bitbucket.org/site/oauth2/access_token"),
    userinfo_endpoint: Some("https://api.bitbucket.org/2.0/user"),
    scopes: &["account"],
    subject_claim: "uuid",
    anybody: Some("[providers.require] uuid = [\"{…}\"] lets in the people whom it names"),
    claims: PresetClaims {
        // `nickname` is not unique there.
        username: &["username"],
        // Addresses are at another address, which is not asked.
        email: &[],
        email_verified: &[],
        display_name: &["display_name"],
        first_name: &[],
        last_name: &[],
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OAUTH2
};

/// Slack, with workspaces in `[providers.require]`.
const SLACK: Preset = Preset {
    name: "slack",
    label: Some("Slack"),
    issuer: Issuer::Fixed("https://slack.com"),
    anybody: Some(
        "[providers.require] \"https://slack.com/team_id\" = \"T…\" lets in your workspace alone",
    ),
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["email"],
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Discord, as plain OAuth 2.0.
const DISCORD: Preset = Preset {
    name: "discord",
    label: Some("Discord"),
    icon: Some("discord"),
    authorization_endpoint: Some("https://discord.com/oauth2/authorize"),
    token_endpoint: Some("https://discord.com/api/oauth2/token"),
    userinfo_endpoint: Some("https://discord.com/api/users/@me"),
    client_auth: Method::Post,
    scopes: &["identify", "email"],
    subject_claim: "id",
    fetch_for: &[("guilds", Fetch::DiscordGuilds)],
    anybody: Some("[providers.require] guilds = \"…\" lets in the members of your server alone"),
    claims: PresetClaims {
        username: &["username"],
        email_verified: &["verified"],
        display_name: &["global_name", "username"],
        first_name: &[],
        last_name: &[],
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OAUTH2
};

/// LinkedIn.
const LINKEDIN: Preset = Preset {
    name: "linkedin",
    label: Some("LinkedIn"),
    issuer: Issuer::Fixed("https://www.linkedin.com/oauth"),
    // The only way that it accepts, though its discovery document names none.
    client_auth: Method::Post,
    // Its ID tokens have none.
    nonce: Nonce::Optional,
    anybody: Some("users.allowed_domains lets in addresses of your domains alone"),
    refresh: UNASKED,
    claims: PresetClaims {
        username: &["email"],
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Sign in with Apple.
const APPLE: Preset = Preset {
    name: "apple",
    label: Some("Apple"),
    icon: Some("apple"),
    issuer: Issuer::Fixed("https://appleid.apple.com"),
    client_auth: Method::AppleJwt,
    scopes: &["openid", "name", "email"],
    // Compulsory with the scopes `name` and `email`.
    response_mode: ResponseMode::FormPost,
    userinfo: Userinfo::Off,
    anybody: Some("users.allowed_domains lets in addresses of your domains alone"),
    // It wants to be asked once a day at most, and then only says whether the account is there.
    refresh: Asking {
        unasked: false,
        ..UNASKED
    },
    claims: PresetClaims {
        username: &["email"],
        // The name comes in the form of the first sign-in only, and nobody signs it.
        groups: &[],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// authentik, one issuer for each of its providers, with the slash at the end.
const AUTHENTIK: Preset = Preset {
    name: "authentik",
    label: Some("authentik"),
    icon: Some("authentik"),
    issuer: Issuer::Like("https://authentik.example.com/application/o/portcullis/"),
    ..OIDC
};

/// Authelia.
const AUTHELIA: Preset = Preset {
    name: "authelia",
    label: Some("Authelia"),
    icon: Some("authelia"),
    issuer: Issuer::Like("https://auth.example.com"),
    scopes: &["openid", "profile", "email", "groups"],
    // The ID token has hardly more than `sub` unless a claims policy says so.
    userinfo: Userinfo::Required,
    ..OIDC
};

/// Dex.
const DEX: Preset = Preset {
    name: "dex",
    label: Some("Dex"),
    issuer: Issuer::Like("https://dex.example.com/dex"),
    scopes: &["openid", "profile", "email", "groups"],
    claims: PresetClaims {
        // Not every connector knows a username.
        username: &["preferred_username", "email"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Zitadel.
const ZITADEL: Preset = Preset {
    name: "zitadel",
    label: Some("Zitadel"),
    issuer: Issuer::Like("https://example.zitadel.cloud"),
    scopes: &[
        "openid",
        "profile",
        "email",
        "urn:zitadel:iam:org:project:roles",
    ],
    // Its ID tokens are for every client of the project and for the project, by numbers that nobody
    // knows beforehand. `azp` still has to be us.
    extra_audiences: &["*"],
    claims: PresetClaims {
        // Each role with the organizations that gave it.
        groups: &["urn:zitadel:iam:org:project:roles"],
        steps: &[("urn:zitadel:iam:org:project:roles", &[PresetStep::Keys])],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// FusionAuth, with the issuer that its tenant is configured with.
const FUSIONAUTH: Preset = Preset {
    name: "fusionauth",
    label: Some("FusionAuth"),
    icon: Some("fusionauth"),
    issuer: Issuer::Like("https://fusionauth.example.com"),
    claims: PresetClaims {
        username: &["preferred_username", "email"],
        groups: &["roles"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// Oracle Identity Cloud Service, or an identity domain of Oracle Cloud: one issuer for everybody,
/// and a discovery document for each tenant. What userinfo holds is not verified against a live one.
const ORACLE_IDCS: Preset = Preset {
    name: "oracle_idcs",
    label: Some("Oracle"),
    issuer: Issuer::Fixed("https://identity.oraclecloud.com/"),
    discovery: Discovery::Elsewhere(
        "https://idcs-EXAMPLE.identity.oraclecloud.com/.well-known/openid-configuration",
    ),
    scopes: &["openid", "profile", "email", "groups", "get_groups"],
    claims: PresetClaims {
        // The login name; often an address.
        username: &["sub"],
        display_name: &["user_displayname", "name"],
        // Objects with name and identifier.
        steps: &[("groups", &[PresetStep::Pick("name")])],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// IBM Security Verify, the newer of its two servers. The claim for groups is not verified against a
/// live tenant.
const IBM_VERIFY: Preset = Preset {
    name: "ibm_verify",
    label: Some("IBM Verify"),
    issuer: Issuer::Like("https://example.verify.ibm.com/oauth2"),
    claims: PresetClaims {
        groups: &["groupIds"],
        ..STANDARD_CLAIMS
    },
    ..OIDC
};

/// miniOrange as a provider: its cloud, or one's own server with its address as the issuer. It is
/// spoken to as plain OAuth 2.0, because a discovery document is not documented; the claims are not
/// verified against a live tenant.
const MINIORANGE: Preset = Preset {
    name: "miniorange",
    label: Some("miniOrange"),
    issuer: Issuer::Fixed("https://login.xecurify.com"),
    authorization_endpoint: Some("/moas/idp/openidsso"),
    token_endpoint: Some("/moas/rest/oauth/token"),
    userinfo_endpoint: Some("/moas/rest/oauth/getuserinfo"),
    client_auth: Method::Post,
    scopes: STANDARD_SCOPES,
    claims: PresetClaims {
        username: &["preferred_username", "username", "email"],
        first_name: &["given_name", "first_name"],
        last_name: &["family_name", "last_name"],
        groups: &["groups", "role"],
        ..STANDARD_CLAIMS
    },
    ..OAUTH2
};
