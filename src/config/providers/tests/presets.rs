//! What the presets come to.

use super::{issuer, oauth2, oidc, one};
use crate::config::presets::{Discovery, Issuer, Method, Preset};
use crate::config::testing::{Try, refused};
use crate::config::values::Choice;
use crate::config::{
    EmailTrust, Fetch, LogoutStyle, Mapping, Nonce, Protocol, ResponseMode, Step, Userinfo,
};

const ENTRA: &str = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";

/// A provider with this preset and nothing that the preset could know; lines of a test begin at 6.
fn bare(preset: &str, lines: &str) -> String {
    format!(
        "[[providers]]\nid = \"a\"\npreset = \"{preset}\"\nclient_id = \"c\"\nclient_secret = \"s\"\n{lines}"
    )
}

fn at(preset: &str, issuer: &str) -> String {
    bare(preset, &format!("issuer = \"{issuer}\""))
}

fn stepped(claim: &str, step: Step) -> Mapping {
    Mapping {
        steps: vec![step],
        ..Mapping::plain(claim)
    }
}

/// Every preset, filled with its own examples, is a provider.
#[test]
fn the_example_of_every_preset_loads() {
    for (name, preset) in <&'static Preset as Choice>::NAMES {
        assert_eq!(*name, preset.name);
        let mut text = bare(name, "");
        if let Issuer::Like(example) = preset.issuer {
            text += &format!("issuer = \"{example}\"\n");
        }
        if let Discovery::Elsewhere(example) = preset.discovery {
            text += &format!("discovery_url = \"{example}\"\n");
        }
        match *name {
            "oauth2" => text = oauth2(""),
            "apple" => {
                let key = crate::config::generate_assertion_key();
                text = text.replace(
                    "client_secret = \"s\"",
                    &format!(
                        "private_key = \"\"\"\n{key}\"\"\"\nprivate_key_id = \"k\"\nteam_id = \"t\""
                    ),
                );
            }
            "entra_multi" => {
                text += "require = { tid = \"9188040d-6c67-4c5b-b112-36a304b66dad\" }\n";
            }
            _ => {}
        }
        let provider = one(&text);
        assert_eq!(provider.preset, *name);
        assert_eq!(provider.protocol, preset.protocol);
        assert_eq!(
            provider.discovery_url.is_some(),
            preset.protocol == Protocol::Oidc,
            "{name}"
        );
        assert!(!provider.issuer.is_empty(), "{name}");
        assert!(
            provider.scopes.iter().any(|scope| scope == "openid")
                || preset.protocol == Protocol::OAuth2,
            "{name}"
        );
        // A step of a claim that no fact looks at would do nothing.
        for (claim, _) in preset.claims.steps {
            assert!(preset.claims.groups.contains(claim), "{name}: {claim}");
        }
    }
}

#[test]
fn salesforce_is_known() {
    let provider = one(&at("salesforce", "https://example.my.salesforce.com"));
    assert_eq!(provider.name, "Salesforce");
    assert_eq!(provider.claims.username, ["preferred_username"]);
    assert_eq!(provider.claims.groups, ["custom_attributes.groups"]);
    assert_eq!(provider.claims.groups_separator.as_deref(), Some(";"));
    assert_eq!(provider.userinfo, Userinfo::Required);
    assert!(!provider.logout_returns);
    let site = "https://example.my.site.com/customers";
    let provider = one(&at("salesforce", site));
    assert_eq!(provider.issuer, site);
    assert_eq!(
        provider.discovery_url.unwrap().as_str(),
        "https://example.my.site.com/customers/.well-known/openid-configuration"
    );

    issuer(
        "salesforce",
        "https://example.lightning.force.com",
        "\"https://example.lightning.force.com\" is Salesforce's page address, not an issuer",
    );
    Try::new(&at("salesforce", "https://example.lightning.force.com"))
        .refused_with("\"https://example.my.salesforce.com\"");
}

#[test]
fn entra_people_are_who_the_tenant_says() {
    let provider = one(&at("entra", ENTRA));
    assert_eq!(provider.subject_claim, "oid");
    assert_eq!(provider.email_trust, EmailTrust::Verified);
    assert_eq!(provider.userinfo, Userinfo::Off);
    assert_eq!(provider.claims.username, ["preferred_username", "upn"]);
    assert_eq!(
        provider.claims.email_verified,
        ["email_verified", "xms_edov"]
    );
    assert!(provider.fetch.is_empty());
    assert_eq!(
        provider.discovery_url.unwrap().as_str(),
        format!("{ENTRA}/.well-known/openid-configuration")
    );
}

#[test]
fn entra_for_several_tenants_has_one_discovery_document() {
    let tenant = "require = { tid = \"9188040d-6c67-4c5b-b112-36a304b66dad\" }";
    let provider = one(&bare("entra_multi", tenant));
    assert_eq!(
        provider.issuer,
        "https://login.microsoftonline.com/{tenantid}/v2.0"
    );
    assert_eq!(
        provider.discovery_url.unwrap().as_str(),
        "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration"
    );
    let us = format!("issuer = \"https://login.microsoftonline.us/{{tenantid}}/v2.0\"\n{tenant}");
    assert_eq!(
        one(&bare("entra_multi", &us))
            .discovery_url
            .unwrap()
            .host_str(),
        Some("login.microsoftonline.us")
    );
}

#[test]
fn a_policy_stands_in_the_discovery_address() {
    let b2c = at("azure_b2c", "https://t.b2clogin.com/T/v2.0/");
    refused(&b2c, &["1:1: providers.a.discovery_url: is missing"]);
    Try::new(&b2c).refused_with("/POLICY/v2.0/.well-known/openid-configuration");
    let provider = one(&format!(
        "{b2c}\ndiscovery_url = \"https://t.b2clogin.com/d\""
    ));
    assert_eq!(provider.scopes, ["openid", "c"]);
    assert_eq!(
        provider.claims.email,
        ["/emails/0", "email", "signInNames.emailAddress"]
    );
    let own = format!(
        "{b2c}\ndiscovery_url = \"https://t.b2clogin.com/d\"\nscopes = [\"openid\", \"api\"]"
    );
    assert_eq!(one(&own).scopes, ["openid", "api"]);
}

#[test]
fn an_issuer_that_has_a_slash_keeps_it() {
    for (preset, issuer) in [
        ("auth0", "https://example.eu.auth0.com"),
        ("authentik", "https://idp.example.com/application/o/git"),
        ("oracle_idcs", "https://identity.oraclecloud.com"),
    ] {
        refused(
            &at(preset, issuer),
            &[&format!(
                "6:10: providers.a.issuer: \"{issuer}\" lacks the slash at the end that these issuers have"
            )],
        );
    }
}

#[test]
fn a_vendors_issuer_need_not_be_written() {
    let google = one(&bare("google", ""));
    assert_eq!(google.issuer, "https://accounts.google.com");
    assert_eq!(google.issuer_aliases, ["accounts.google.com"]);
    let other = one(&at("google", "https://accounts.example.com"));
    assert_eq!(other.issuer_aliases, [""; 0]);
    assert_eq!(one(&bare("gitlab", "")).issuer, "https://gitlab.com");
    assert_eq!(
        one(&at("gitlab", "https://gitlab.example.com")).issuer,
        "https://gitlab.example.com"
    );
    let linkedin = one(&bare("linkedin", ""));
    assert_eq!(linkedin.nonce, Nonce::Optional);
}

#[test]
fn one_s_own_issuer_is_asked_for_with_an_example() {
    for (preset, example) in [
        ("entra", "https://login.microsoftonline.com/TENANT-ID/v2.0"),
        ("keycloak", "https://keycloak.example.com/realms/example"),
        ("github_enterprise", "https://github.example.com"),
    ] {
        let text = bare(preset, "");
        refused(&text, &["1:1: providers.a.issuer: is missing"]);
        Try::new(&text).refused_with(&format!("issuer = \"{example}\""));
    }
}

#[test]
fn okta_s_custom_servers_have_no_scope_for_groups() {
    let org = one(&at("okta", "https://example.okta.com"));
    assert_eq!(org.scopes, ["openid", "profile", "email", "groups"]);
    let custom = one(&at("okta", "https://example.okta.com/oauth2/default"));
    assert_eq!(custom.scopes, ["openid", "profile", "email"]);
}

#[test]
fn groups_lose_what_their_vendor_wraps_them_in() {
    let keycloak = one(&at("keycloak", "https://example.com/realms/r"));
    let stripped = stepped("groups", Step::StripPrefix("/".into()));
    assert_eq!(keycloak.claims.groups[0], stripped);
    assert_eq!(keycloak.claims.groups[1], "realm_access.roles");
    assert_eq!(keycloak.claims.groups_separator, None);
    let own = format!(
        "{}\nclaims = {{ groups = \"groups\" }}",
        at("keycloak", "https://example.com/realms/r")
    );
    assert_eq!(one(&own).claims.groups, ["groups"], "the file's own words");

    let zitadel = one(&at("zitadel", "https://example.zitadel.cloud"));
    let roles = "urn:zitadel:iam:org:project:roles";
    assert_eq!(zitadel.claims.groups, [stepped(roles, Step::Keys)]);
    assert_eq!(zitadel.extra_audiences, ["*"]);
    let oracle = "discovery_url = \"https://idcs.example.com/d\"";
    let oracle = one(&bare("oracle_idcs", oracle));
    assert_eq!(
        oracle.claims.groups,
        [stepped("groups", Step::Pick("name".into()))]
    );
}

#[test]
fn apple_answers_with_a_form_and_takes_no_secret() {
    let preset = <&'static Preset as Choice>::NAMES
        .iter()
        .find(|(name, _)| *name == "apple")
        .unwrap()
        .1;
    assert_eq!(preset.client_auth, Method::AppleJwt);
    assert_eq!(preset.response_mode, ResponseMode::FormPost);
    let own = one(&oidc("preset = \"google\"\nresponse_mode = \"form_post\""));
    assert_eq!(own.response_mode, ResponseMode::FormPost);
}

#[test]
fn github_is_known() {
    let provider = one(&bare("github", ""));
    assert_eq!(provider.protocol, Protocol::OAuth2);
    assert_eq!(provider.issuer, "https://github.com");
    assert_eq!(provider.discovery_url, None);
    assert_eq!(
        provider.endpoints.userinfo.unwrap().as_str(),
        "https://api.github.com/user"
    );
    assert_eq!(provider.subject_claim, "id");
    assert_eq!(provider.claims.username, ["login"]);
    assert_eq!(provider.fetch, [Fetch::GithubEmails, Fetch::GithubTeams]);
    assert_eq!(provider.scopes, ["read:user", "user:email", "read:org"]);
    let plain = one(&bare("github", "claims = { groups = [] }"));
    assert_eq!(plain.fetch, [Fetch::GithubEmails]);
    assert_eq!(plain.scopes, ["read:user", "user:email"]);
}

#[test]
fn github_enterprise_has_its_endpoints_below_its_address() {
    for address in ["https://github.example.com", "https://github.example.com/"] {
        let provider = one(&at("github_enterprise", address));
        assert_eq!(provider.issuer, address);
        let endpoints = provider.endpoints;
        let text = |url: Option<url::Url>| url.unwrap().to_string();
        assert_eq!(
            text(endpoints.authorization),
            "https://github.example.com/login/oauth/authorize"
        );
        assert_eq!(
            text(endpoints.token),
            "https://github.example.com/login/oauth/access_token"
        );
        assert_eq!(
            text(endpoints.userinfo),
            "https://github.example.com/api/v3/user"
        );
    }
    // By hand works too, and the authorization endpoint's origin is the issuer then.
    for preset in ["github", "github_enterprise", "miniorange"] {
        let text = oauth2("").replace("oauth2", preset);
        assert_eq!(one(&text).issuer, "https://idp.example.com");
    }
}

#[test]
fn miniorange_has_its_endpoints_below_its_address() {
    let cloud = one(&bare("miniorange", ""));
    assert_eq!(
        cloud.endpoints.token.unwrap().as_str(),
        "https://login.xecurify.com/moas/rest/oauth/token"
    );
    let own = one(&at("miniorange", "https://idp.example.com"));
    assert_eq!(
        own.endpoints.userinfo.unwrap().as_str(),
        "https://idp.example.com/moas/rest/oauth/getuserinfo"
    );
}

/// What asks for a refresh token with `refresh = true`, as scopes and parameters.
#[track_caller]
fn asks(preset: &str, issuer: &str, scope: Option<&str>, params: &[(&str, &str)]) {
    let text = at(preset, issuer);
    let (plain, asked) = (one(&text), one(&format!("{text}\nrefresh = true")));
    let more: Vec<_> = asked.scopes.iter().skip(plain.scopes.len()).collect();
    assert_eq!(more, Vec::from_iter(scope), "{preset}");
    let asked: Vec<_> = asked.extra_params.iter().collect();
    let params: Vec<_> = params
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect();
    assert_eq!(
        asked,
        params.iter().map(|(n, v)| (n, v)).collect::<Vec<_>>(),
        "{preset}"
    );
    assert!(plain.extra_params.is_empty() && plain.refresh, "{preset}");
}

#[test]
fn each_preset_knows_what_asks_for_a_refresh_token() {
    let salesforce = "https://example.my.salesforce.com";
    asks("salesforce", salesforce, Some("refresh_token"), &[]);
    asks("entra", ENTRA, Some("offline_access"), &[]);
    let google = [("access_type", "offline"), ("prompt", "consent")];
    asks("google", "https://accounts.google.com", None, &google);
    asks(
        "okta",
        "https://example.okta.com",
        Some("offline_access"),
        &[],
    );
    // Keycloak's would outlive the person's session there.
    let keycloak = "https://keycloak.example.com/realms/example";
    asks("keycloak", keycloak, None, &[]);
}

#[test]
fn each_preset_knows_how_its_provider_signs_out() {
    let style = |preset, issuer| one(&at(preset, issuer)).logout_style;
    let pool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI";
    assert_eq!(style("cognito", pool), LogoutStyle::Cognito);
    let auth0 = "https://example.eu.auth0.com/";
    assert_eq!(style("auth0", auth0), LogoutStyle::Auth0);
    let google = "https://accounts.google.com";
    assert_eq!(style("google", google), LogoutStyle::None);
    assert_eq!(style("entra", ENTRA), LogoutStyle::Oidc);
}
