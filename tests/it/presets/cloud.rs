//! Identity as a service: Auth0, Amazon Cognito, OneLogin, IBM Verify.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// A slash at the end of the issuer, claims named by addresses, a date as text.
fn auth0() -> Vendor {
    let person = json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "nickname": "ana",
        "name": "Ana Example",
        "picture": "https://s.gravatar.com/avatar/x.png",
        "updated_at": "2026-03-25T10:01:14.000Z",
        "email": "ana@example.com",
        "email_verified": true,
        "https://example.com/groups": ["developers"],
    });
    Vendor {
        preset: "auth0",
        issuer: "ORIGIN/",
        toml: "[providers.claims]\ngroups = \"https://example.com/groups\"\n",
        client_auth: "client_secret_post",
        document: json!({
            "issuer": "ORIGIN/",
            "authorization_endpoint": "ORIGIN/authorize",
            "token_endpoint": "ORIGIN/oauth/token",
            "device_authorization_endpoint": "ORIGIN/oauth/device/code",
            "userinfo_endpoint": "ORIGIN/userinfo",
            "mfa_challenge_endpoint": "ORIGIN/mfa/challenge",
            "jwks_uri": "ORIGIN/.well-known/jwks.json",
            "registration_endpoint": "ORIGIN/oidc/register",
            "revocation_endpoint": "ORIGIN/oauth/revoke",
            "end_session_endpoint": "ORIGIN/oidc/logout",
            "scopes_supported": ["openid", "profile", "offline_access", "name", "email", "nickname"],
            "response_types_supported": ["code", "token", "id_token", "code token"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
        }),
        token: json!({ "scope": "openid profile email" }),
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    }
}

#[tokio::test]
async fn auth0_has_people_by_their_addresses() {
    let email = "ana@example.com";
    let ana = Arrives(email, Some(email), Some("Ana Example"), Some("developers"));
    auth0().stage().await.arrives(ana).await;
}

/// A nickname is what stands before the @, so it is ana's in any domain.
#[tokio::test]
async fn a_nickname_at_auth0_is_no_username() {
    let nobody = json!({ "email": "ana@evil.example", "email_verified": false });
    let stage = auth0().with_id_token(&nobody).with_userinfo(&nobody);
    stage.stage().await.refuses("unverified_email").await;
}

/// Names with a colon, and truth as text in userinfo. The issuer is on another host than the rest.
fn cognito() -> Vendor {
    Vendor {
        preset: "cognito",
        issuer: "ORIGIN/eu-west-1_EXAMPLE",
        discovery_at: "/eu-west-1_EXAMPLE/.well-known/openid-configuration",
        document: json!({
            "authorization_endpoint": "ORIGIN/oauth2/authorize",
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": "ORIGIN/eu-west-1_EXAMPLE",
            "jwks_uri": "ORIGIN/eu-west-1_EXAMPLE/.well-known/jwks.json",
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
            "token_endpoint": "ORIGIN/oauth2/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "userinfo_endpoint": "ORIGIN/oauth2/userInfo",
        }),
        id_token: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["developers", "reviewers"],
            "cognito:preferred_role": "arn:aws:iam::111122223333:role/my-test-role",
            "cognito:username": "ana",
            "email_verified": true,
            "given_name": "Ana",
            "family_name": "Example",
            "identities": [{ "userId": "amzn1.account.EXAMPLE", "providerName": "LoginWithAmazon" }],
            "origin_jti": "b3f5a1c2",
            "event_id": "64f513be",
            "token_use": "id",
            "auth_time": 1_700_000_000,
            "email": "ana@example.com",
        }),
        userinfo: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "email_verified": "true",
            "email": "ana@example.com",
            "given_name": "Ana",
            "family_name": "Example",
            "username": "ana",
        }),
        ..openid()
    }
}

#[tokio::test]
async fn cognito_with_truth_as_text() {
    let ana = || {
        Arrives(
            "ana",
            Some("ana@example.com"),
            Some("Ana Example"),
            Some("developers,reviewers"),
        )
    };
    cognito().stage().await.arrives(ana()).await;
    // Only userinfo says it.
    let rule = "[users]\nallowed_domains = [\"example.com\"]\n";
    let thin = cognito().with_id_token(&json!({ "email": ABSENT, "email_verified": ABSENT }));
    thin.with_toml(rule).stage().await.arrives(ana()).await;
}

#[tokio::test]
async fn cognito_s_access_token_is_no_id_token() {
    let access = json!({ "aud": ABSENT, "client_id": "portcullis-client", "token_use": "access" });
    let stage = cognito().with_id_token(&access).stage().await;
    stage.refuses("claim_missing").await;
}

fn onelogin() -> Vendor {
    Vendor {
        preset: "onelogin",
        issuer: "ORIGIN/oidc/2",
        discovery_at: "/oidc/2/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/oidc/2",
            "authorization_endpoint": "ORIGIN/oidc/2/auth",
            "token_endpoint": "ORIGIN/oidc/2/token",
            "userinfo_endpoint": "ORIGIN/oidc/2/me",
            "jwks_uri": "ORIGIN/oidc/2/certs",
            "end_session_endpoint": "ORIGIN/oidc/2/logout",
            "scopes_supported": ["openid", "name", "profile", "groups", "email", "params", "phone"],
            "response_types_supported": ["code", "id_token token", "id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "PS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
        }),
        id_token: json!({ "sub": "38715420", "at_hash": ABSENT }),
        userinfo: json!({
            "sub": "38715420",
            "email": "ana@example.com",
            "preferred_username": "ana",
            "name": "Ana Example",
            "updated_at": 1_700_000_000,
            "given_name": "Ana",
            "family_name": "Example",
            "groups": ["developers"],
        }),
        ..openid()
    }
}

#[tokio::test]
async fn onelogin_with_one_group_as_text_or_in_a_list() {
    let ana = || {
        Arrives(
            "ana",
            Some("ana@example.com"),
            Some("Ana Example"),
            Some("developers"),
        )
    };
    onelogin().stage().await.arrives(ana()).await;
    let text = json!({ "groups": "developers" });
    onelogin()
        .with_userinfo(&text)
        .stage()
        .await
        .arrives(ana())
        .await;
}

#[tokio::test]
async fn onelogin_of_another_subdomain_is_refused() {
    let other = json!({ "iss": "https://other.onelogin.com/oidc/2" });
    let stage = onelogin().with_id_token(&other).stage().await;
    stage.refuses("issuer_mismatch").await;
}

fn ibm_verify() -> Vendor {
    let person = json!({
        "sub": "6040007E0P",
        "preferred_username": "ana",
        "name": "Ana Example",
        "given_name": "Ana",
        "family_name": "Example",
        "email": "ana@example.com",
        "email_verified": true,
        "groupIds": ["developers", "reviewers"],
        "realmName": "cloudIdentityRealm",
        "uid": "6040007E0P",
    });
    Vendor {
        preset: "ibm_verify",
        issuer: "ORIGIN/oauth2",
        discovery_at: "/oauth2/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/oauth2",
            "authorization_endpoint": "ORIGIN/oauth2/authorize",
            "token_endpoint": "ORIGIN/oauth2/token",
            "userinfo_endpoint": "ORIGIN/oauth2/userinfo",
            "jwks_uri": "ORIGIN/oauth2/jwks",
            "end_session_endpoint": "ORIGIN/idaas/mtfim/sps/idaas/logout",
            "response_types_supported": ["code", "none", "code id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "scopes_supported": ["openid", "profile", "email", "phone"],
        }),
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    }
}

#[tokio::test]
async fn ibm_verify_with_group_identifiers() {
    let groups = Some("developers,reviewers");
    let ana = Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    ibm_verify().stage().await.arrives(ana).await;
}

/// The older of its two servers has another issuer.
#[tokio::test]
async fn the_other_server_of_ibm_verify_is_another_issuer() {
    let mut vendor = ibm_verify();
    vendor.document["issuer"] = json!("ORIGIN/oidc/endpoint/default");
    vendor
        .stage()
        .await
        .refuses("discovery_issuer_mismatch")
        .await;
}
