//! Servers of one's own: authentik, Authelia, Dex, Zitadel, FusionAuth.

use super::{Arrives, Vendor, openid};
use crate::support::provider::Key;
use serde_json::{Value, json};

/// What most of them publish, with the endpoints below `base`.
pub(super) fn document(issuer: &str, base: &str, paths: [&str; 4]) -> Value {
    let [authorize, token, userinfo, keys] = paths;
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}{authorize}"),
        "token_endpoint": format!("{base}{token}"),
        "userinfo_endpoint": format!("{base}{userinfo}"),
        "jwks_uri": format!("{base}{keys}"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    })
}

pub(super) fn ana(groups: &'static str) -> Arrives {
    Arrives(
        "ana",
        Some("ana@example.com"),
        Some("Ana Example"),
        Some(groups),
    )
}

/// A slash at the end of the issuer, and no address is verified.
fn authentik() -> Vendor {
    let mut document = document(
        "ORIGIN/application/o/portcullis/",
        "ORIGIN/application/o",
        ["/authorize/", "/token/", "/userinfo/", "/portcullis/jwks/"],
    );
    document["id_token_signing_alg_values_supported"] = json!(["RS256", "HS256"]);
    document["end_session_endpoint"] = json!("ORIGIN/application/o/portcullis/end-session/");
    let person = json!({
        "sub": "3c1f2e5d8a9b4c7d6e5f3c1f2e5d8a9b4c7d6e5f3c1f2e5d8a9b4c7d6e5f3c1f",
        "email": "ana@example.com",
        "email_verified": false,
        "name": "Ana Example",
        "given_name": "Ana Example",
        "preferred_username": "ana",
        "nickname": "ana",
        "groups": ["authentik Admins", "developers"],
        "acr": "goauthentik.io/providers/oauth2/default",
        "uid": "ana-uid",
    });
    Vendor {
        preset: "authentik",
        issuer: "ORIGIN/application/o/portcullis/",
        discovery_at: "/application/o/portcullis/.well-known/openid-configuration",
        document,
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    }
}

#[tokio::test]
async fn authentik_s_addresses_are_told_only_when_they_are_verified() {
    let groups = Some("authentik Admins,developers");
    let unverified = Arrives("ana", None, Some("Ana Example"), groups);
    authentik().stage().await.arrives(unverified).await;
    let trusting = "[users]\nrequire_verified_email = false\n";
    let stage = authentik().with_toml(trusting).stage().await;
    stage.arrives(ana("authentik Admins,developers")).await;
}

/// Without a signing key it signs with the client secret.
#[tokio::test]
async fn a_token_signed_with_the_secret_needs_leave() {
    for (toml, refused) in [("", true), ("signing_algs = [\"HS256\"]\n", false)] {
        let stage = authentik().with_toml(toml).stage().await;
        stage.provider.script(|script| {
            let secret = script.client_secret.clone();
            script.rotate(Key::secret("HS256", secret.as_bytes()));
        });
        if refused {
            stage.refuses("algorithm_not_allowed").await;
        } else {
            let groups = Some("authentik Admins,developers");
            stage
                .arrives(Arrives("ana", None, Some("Ana Example"), groups))
                .await;
        }
    }
}

/// The ID token is thin.
fn authelia() -> Vendor {
    Vendor {
        preset: "authelia",
        document: document(
            "ORIGIN",
            "ORIGIN",
            [
                "/api/oidc/authorization",
                "/api/oidc/token",
                "/api/oidc/userinfo",
                "/jwks.json",
            ],
        ),
        id_token: json!({
            "sub": "8bd2a7e3-0000-4000-8000-000000000000",
            "amr": ["pwd", "mfa"],
            "azp": "portcullis-client",
            "aud": ["portcullis-client"],
        }),
        userinfo: json!({
            "sub": "8bd2a7e3-0000-4000-8000-000000000000",
            "email": "ana@example.com",
            "email_verified": true,
            "alt_emails": [],
            "groups": ["developers"],
            "name": "Ana Example",
            "preferred_username": "ana",
            "updated_at": 1_700_000_000,
        }),
        ..openid()
    }
}

#[tokio::test]
async fn authelia_says_who_it_is_in_userinfo_alone() {
    let stage = authelia().stage().await;
    stage.arrives(ana("developers")).await;
    // Without it there is nobody.
    stage.provider.script(|script| {
        let down = crate::support::provider::Canned::json(503, &json!({}));
        script.answers.insert("/userinfo", down);
    });
    stage.refuses("answer_status").await;
}

/// The subject is an opaque text, and not every connector knows a username.
fn dex() -> Vendor {
    let person = json!({
        "sub": "CiQwOGE4Njg0Yi1kYjg4LTRiNzMtOTBhOS0zY2QxNjYxZjU0NjYSBWxvY2Fs",
        "email": "ana@example.com",
        "email_verified": true,
        "groups": ["example:developers"],
        "name": "Ana Example",
    });
    let mut id_token = person.clone();
    id_token["federated_claims"] = json!({ "connector_id": "ldap", "user_id": "ana" });
    Vendor {
        preset: "dex",
        issuer: "ORIGIN/dex",
        discovery_at: "/dex/.well-known/openid-configuration",
        document: document(
            "ORIGIN/dex",
            "ORIGIN/dex",
            ["/auth", "/token", "/userinfo", "/keys"],
        ),
        id_token,
        userinfo: person,
        ..openid()
    }
}

#[tokio::test]
async fn dex_with_a_username_or_an_address() {
    let email = "ana@example.com";
    let groups = Some("example:developers");
    let by_address = Arrives(email, Some(email), Some("Ana Example"), groups);
    dex().stage().await.arrives(by_address).await;
    let named = dex().with_id_token(&json!({ "preferred_username": "ana" }));
    named.stage().await.arrives(ana("example:developers")).await;
    let unverified = json!({ "email_verified": false });
    let stage = dex().with_id_token(&unverified).with_userinfo(&unverified);
    stage.stage().await.refuses("unverified_email").await;
}

/// Roles are the keys of an object, and tokens are for the whole project.
fn zitadel() -> Vendor {
    let person = json!({
        "sub": "163840776835432705",
        "name": "Ana Example",
        "given_name": "Ana",
        "family_name": "Example",
        "preferred_username": "ana",
        "email": "ana@example.com",
        "email_verified": true,
        "locale": null,
        "updated_at": 1_700_000_000,
        "urn:zitadel:iam:org:project:roles": {
            "developers": { "163840776801878273": "example.zitadel.cloud" },
            "reviewers": { "163840776801878273": "example.zitadel.cloud" },
        },
    });
    let mut document = document(
        "ORIGIN",
        "ORIGIN",
        [
            "/oauth/v2/authorize",
            "/oauth/v2/token",
            "/oidc/v1/userinfo",
            "/oauth/v2/keys",
        ],
    );
    document["end_session_endpoint"] = json!("ORIGIN/oidc/v1/end_session");
    Vendor {
        preset: "zitadel",
        document,
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    }
    .with_id_token(&json!({
        "aud": ["163840776835432345@example", "portcullis-client", "163840776835432001"],
        "azp": "portcullis-client",
        "client_id": "portcullis-client",
    }))
}

#[tokio::test]
async fn zitadel_with_roles_as_keys() {
    let stage = zitadel().stage().await;
    stage.arrives(ana("developers,reviewers")).await;
    assert!(
        stage
            .asked("scope")
            .unwrap()
            .ends_with(" urn:zitadel:iam:org:project:roles")
    );
}

#[tokio::test]
async fn zitadel_s_token_for_others_of_the_project_is_refused() {
    let other = json!({ "azp": "163840776835432345@example" });
    let stage = zitadel().with_id_token(&other).stage().await;
    stage.refuses("authorized_party_mismatch").await;
    let without = json!({ "aud": ["163840776835432345@example", "163840776835432001"] });
    let stage = zitadel().with_id_token(&without).stage().await;
    stage.refuses("audience_mismatch").await;
}

fn fusionauth() -> Vendor {
    let person = json!({
        "sub": "858a4b01-62c8-4c2f-bfa7-6d018833bea7",
        "applicationId": "portcullis-client",
        "authenticationType": "PASSWORD",
        "email": "ana@example.com",
        "email_verified": true,
        "preferred_username": "ana",
        "name": "Ana Example",
        "roles": ["developers"],
        "tid": "30663132-6464-6665-3032-326466613934",
        "scope": "openid profile email",
    });
    let mut document = document(
        "ORIGIN/tenant",
        "ORIGIN",
        [
            "/oauth2/authorize",
            "/oauth2/token",
            "/oauth2/userinfo",
            "/.well-known/jwks.json",
        ],
    );
    document["end_session_endpoint"] = json!("ORIGIN/oauth2/logout");
    document["backchannel_logout_supported"] = json!(true);
    Vendor {
        preset: "fusionauth",
        // The issuer is what its tenant is configured with, and need not be where it is.
        issuer: "ORIGIN/tenant",
        toml: "discovery_url = \"ORIGIN/30663132/.well-known/openid-configuration\"\n",
        discovery_at: "/30663132/.well-known/openid-configuration",
        document,
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    }
}

#[tokio::test]
async fn fusionauth_with_roles() {
    fusionauth().stage().await.arrives(ana("developers")).await;
}

#[tokio::test]
async fn fusionauth_s_default_issuer_is_not_the_configured_one() {
    let default = json!({ "iss": "acme.com" });
    let stage = fusionauth().with_id_token(&default).stage().await;
    stage.refuses("issuer_mismatch").await;
}
