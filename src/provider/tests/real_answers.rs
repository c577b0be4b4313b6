//! What real providers send, in the shapes that were seen: each of these must work.

use super::*;

/// The fake's own envelope (issuer, audience, times, nonce) around these claims, and this userinfo.
async fn person(id_token: Value, userinfo: Value) -> VerifiedClaims {
    accepted(|script| {
        script.person = object(id_token);
        script.userinfo = Box::new(move |u| *u = userinfo.clone());
    })
    .await
}

fn salesforce_id_token() -> Value {
    json!({
        "sub": "https://login.salesforce.com/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV",
        "updated_at": "2024-03-20T09:20:20Z",
        "preferred_username": "ana@example.com.sandbox",
        "nickname": "User17100432134567890",
        "name": "Ana Example",
        "email": "ana@example.com",
        "email_verified": true,
        "given_name": "Ana",
        "family_name": "Example",
        "zoneinfo": "Europe/Helsinki",
        "phone_number": null,
        "locale": "fi_FI_EURO",
        "address": {"country": "FI"},
        "profile": "https://example.my.salesforce.com/0055g00000GkVvZAAV",
        "picture": "https://example.file.force.com/profilephoto/005/F",
    })
}

fn salesforce_userinfo() -> Value {
    json!({
        "sub": "https://login.salesforce.com/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV",
        "user_id": "0055g00000GkVvZAAV",
        "organization_id": "00D5g00000CzPcjEAF",
        "preferred_username": "ana@example.com.sandbox",
        "name": "Ana Example",
        "email": "ana@example.com",
        "email_verified": true,
        "photos": {"picture": "https://x", "thumbnail": "https://y"},
        "phone_number": null,
        "phone_number_verified": false,
        "address": {},
        "is_salesforce_integration_user": false,
        "urls": {"rest": "https://example.my.salesforce.com/services/data/v{version}/"},
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "fi_FI_EURO",
        "utcOffset": 7_200_000,
        "updated_at": "2024-03-20T09:20:20+0000",
        "is_app_installed": true,
        "custom_attributes": {"groups": "dev;ops"},
        "custom_permissions": {"git": true},
    })
}

#[tokio::test]
async fn salesforce() {
    let world = World::new().await;
    let issuer = world.fake.issuer();
    world.fake.script(|script| {
        script.person = object(salesforce_id_token());
        script.id_token_claims = Box::new(|c| {
            c.as_object_mut().unwrap().remove("at_hash");
        });
        script.userinfo = Box::new(|u| *u = salesforce_userinfo());
        script.token_answer = Box::new(|a| {
            *a = json!({
                "access_token": a["access_token"],
                "id_token": a["id_token"],
                "signature": "kiHIIb4GNSnsVTBd+hoiCFQAvPS4DtClbUKkcQK7WlY=",
                "scope": "openid profile email",
                "instance_url": "https://example.my.salesforce.com",
                "id": "https://login.salesforce.com/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV",
                "token_type": "Bearer",
                "issued_at": "1710926420000",
                "sfdc_community_url": "https://example.my.site.com",
                "sfdc_community_id": "0DB000000000001",
            });
        });
        script.response = Box::new(|p| {
            p.retain(|(name, _)| name != "iss");
            p.push(("sfdc_community_id".to_owned(), "0DB".to_owned()));
        });
        script.discovery = Box::new(move |d| {
            // As login.salesforce.com publishes it: no PKCE, no end session, no iss.
            *d = json!({
                "issuer": d["issuer"],
                "authorization_endpoint": d["authorization_endpoint"],
                "token_endpoint": d["token_endpoint"],
                "userinfo_endpoint": d["userinfo_endpoint"],
                "jwks_uri": d["jwks_uri"],
                "revocation_endpoint": format!("{issuer}/services/oauth2/revoke"),
                "introspection_endpoint": format!("{issuer}/services/oauth2/introspect"),
                "registration_endpoint": format!("{issuer}/services/oauth2/register"),
                "scopes_supported": ["openid", "id", "profile", "email", "api", "full"],
                "response_types_supported": ["code", "token", "token id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "display_values_supported": ["page", "popup", "touch"],
                "token_endpoint_auth_methods_supported":
                    ["client_secret_post", "client_secret_basic", "private_key_jwt"],
                "claims_supported": ["active", "address", "email", "urls"],
            });
        });
    });
    let claims = world.sign_in().await.unwrap();
    // The host in sub is not the issuer's, and means nothing.
    assert!(
        claims
            .subject()
            .starts_with("https://login.salesforce.com/id/")
    );
    assert_eq!(claims.issuer(), world.fake.issuer());
    assert_eq!(claims.claims()["custom_attributes"]["groups"], "dev;ops");
    assert_eq!(claims.claims()["updated_at"], "2024-03-20T09:20:20Z");
}

#[tokio::test]
async fn keycloak() {
    let world = World::of(FakeProvider::start_at("/realms/demo").await);
    world.fake.script(|script| {
        script.id_token_claims = Box::new(|c| {
            c["azp"] = "portcullis-client".into();
            c["typ"] = "ID".into();
            c["acr"] = "1".into();
            c["auth_time"] = c["iat"].clone();
            c["jti"] = "6b1f".into();
            c["sid"] = "e1d2".into();
            c["session_state"] = "e1d2".into();
            c["groups"] = json!(["/developers", "/parent/child"]);
            c["realm_access"] = json!({"roles": ["offline_access"]});
            c["resource_access"] = json!({"git.example.com": {"roles": ["admin"]}});
        });
        script.response = Box::new(|p| p.push(("session_state".into(), "e1d2".into())));
        script.token_answer = Box::new(|a| {
            a["not-before-policy"] = 0.into();
            a["session_state"] = "e1d2".into();
            a["refresh_expires_in"] = 0.into();
        });
        // Keycloak publishes its encryption key beside the other.
        let mut encryption = Key::other("RS256", Some("enc")).jwk();
        encryption["use"] = "enc".into();
        encryption["alg"] = "RSA-OAEP".into();
        script.published.insert(0, encryption);
    });
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["groups"][1], "/parent/child");
}

#[tokio::test]
async fn linkedin_cognito_and_other_odd_shapes() {
    let claims = person(
        json!({"sub": "782bbtaQ", "email_verified": "true", "name": "Ana"}),
        json!({
            "sub": "782bbtaQ",
            "locale": {"country": "US", "language": "en"},
            "picture": {"data": {"url": "https://x", "is_silhouette": false}},
            "address": "Main Street 1",
            "email": "ana@example.com",
            "email_verified": "true",
            "cognito:groups": ["dev"],
            "identities": [{"userId": "1", "primary": "true"}],
            "https://ns.example/groups": ["a"],
            "pi.sri": "session",
            "updated_at": "2024-03-20T09:20:20.000+0000",
            "zoneinfo": "",
            "birthdate": null,
            "phone_number_verified": 1,
            "amr": "[\"pwd\"]",
            "xms_edov": "1",
            "urn:zitadel:iam:org:project:roles": {"admin": {"1": "x.example"}},
        }),
    )
    .await;
    let claims = claims.claims();
    assert_eq!(claims["email_verified"], "true");
    assert_eq!(claims["cognito:groups"][0], "dev");
    assert_eq!(claims["locale"]["country"], "US");
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let claims = person(
        json!({"sub": "1", "employee": 9_007_199_254_740_993_u64, "updated_at": 1_311_280_970}),
        json!({"sub": "1", "score": 1.5, "negative": -3}),
    )
    .await;
    assert_eq!(claims.claims()["employee"].to_string(), "9007199254740993");
    assert_eq!(claims.claims()["negative"].to_string(), "-3");
}

#[tokio::test]
async fn auth0_and_dex_subjects_are_taken_as_they_are() {
    for subject in [
        "auth0|507f1f77bcf86cd799439011",
        "google-oauth2|103547991597142817347",
        "CiQwOGE4Njg0Yi1kYjg4LTRiNzMtOTBhOS0zY2QxNjYxZjU0NjYSBWxvY2Fs",
        "248289",
        "CN=Ana, OU=Users, DC=example",
    ] {
        let claims = person(json!({"sub": subject}), json!({"sub": subject})).await;
        assert_eq!(claims.subject(), subject);
    }
}

#[tokio::test]
async fn the_old_policies_of_b2c_do_not_make_everybody_one_person() {
    refused(
        |script| {
            let everybody = "Not supported currently. Use oid claim.";
            script.person.insert("sub".to_owned(), everybody.into());
        },
        "subject_unusable",
    )
    .await;
}

const EVERYBODY: &str = "Not supported currently. Use oid claim.";

/// A policy of B2C's that has nothing to say in `sub`, and userinfo with this `oid`.
async fn b2c(subject_claim: &str, token: Value, userinfo: Option<Value>) -> Result<String, String> {
    let world = world(
        |script| {
            script.person = object(json!({"sub": EVERYBODY, "tfp": "B2C_1_signin"}));
            script.id_token_claims = Box::new(move |c| c["oid"] = token.clone());
            let told = userinfo.clone();
            script.userinfo = Box::new(move |u| {
                if let Some(oid) = &told {
                    u["oid"] = oid.clone();
                }
                u["emails"] = json!(["ana@example.com"]);
            });
        },
        |config| {
            config.subject_claim = subject_claim.to_owned();
            if userinfo.is_none() {
                config.userinfo = Userinfo::Off;
            }
        },
    )
    .await;
    let claims = world.sign_in().await;
    claims
        .map(|claims| claims.subject().to_owned())
        .map_err(|error| error.code().to_owned())
}

#[tokio::test]
async fn the_old_policies_of_b2c_work_with_another_claim() {
    let ana = || json!("0d1e-ana");
    assert_eq!(b2c("oid", ana(), None).await.unwrap(), "0d1e-ana");
    let both = b2c("oid", ana(), Some(ana())).await;
    assert_eq!(both.unwrap(), "0d1e-ana");
}

#[tokio::test]
async fn a_subject_that_everybody_has_does_not_make_userinfo_everybodys() {
    let eve = Some(json!("0d1e-eve"));
    for (token, userinfo, code) in [
        (json!("0d1e-ana"), eve.clone(), "userinfo_subject_mismatch"),
        (
            json!("0d1e-ana"),
            Some(json!(7)),
            "userinfo_subject_missing",
        ),
        (json!(null), eve, "subject_missing"),
        (json!(EVERYBODY), Some(json!(EVERYBODY)), "subject_unusable"),
    ] {
        let found = b2c("oid", token, userinfo).await;
        assert_eq!(found.unwrap_err(), code);
    }
}

#[tokio::test]
async fn slack_wraps_its_answers() {
    let ok = |script: &mut Script| {
        script.token_answer = Box::new(|a| {
            a["ok"] = true.into();
            a.as_object_mut().unwrap().remove("expires_in");
        });
        script.userinfo = Box::new(|u| {
            u["ok"] = true.into();
            u["https://slack.com/team_id"] = "T0R7GR".into();
        });
    };
    let claims = accepted(ok).await;
    assert_eq!(claims.claims()["https://slack.com/team_id"], "T0R7GR");
    // A refusal with status 200 is none of the person's facts.
    let refusal = |script: &mut Script| {
        ok(script);
        script.userinfo = Box::new(|u| *u = json!({"ok": false, "error": "invalid_auth"}));
    };
    let claims = accepted(refusal).await;
    assert!(!claims.claims().contains_key("error"));
    refused_with(
        refusal,
        |config| config.userinfo = Userinfo::Required,
        "answer_status",
    )
    .await;
}

#[tokio::test]
async fn linkedin_has_no_nonce_and_takes_the_secret_in_the_form() {
    let claims = accepted_with(
        |script| {
            script.client_auth = Some("client_secret_post");
            script.person = object(json!({
                "sub": "782bbtaQ", "name": "Ana Example", "email": "ana@example.com",
                "email_verified": "true", "locale": "en_US",
            }));
            script.id_token_claims = Box::new(|c| {
                c.as_object_mut().unwrap().remove("nonce");
            });
            script.userinfo = Box::new(|u| {
                u["locale"] = json!({"country": "US", "language": "en"});
                u["email_verified"] = true.into();
            });
            script.token_answer = Box::new(|a| {
                a["scope"] = "email,openid,profile".into();
                a["expires_in"] = 5_183_999.into();
            });
            script.discovery = Box::new(|d| {
                let d = d.as_object_mut().unwrap();
                d.remove("token_endpoint_auth_methods_supported");
            });
        },
        |config| {
            config.nonce = config::Nonce::Optional;
            if let ClientAuth::Basic(secret) = config.client_auth.clone() {
                config.client_auth = ClientAuth::Post(secret);
            }
        },
    )
    .await;
    assert_eq!(claims.claims()["locale"], "en_US");
    assert_eq!(claims.claims()["email_verified"], "true");
}

#[tokio::test]
async fn zitadel_names_its_project_as_a_second_audience() {
    accepted_with(
        |script| {
            script.id_token_claims = Box::new(|c| {
                c["aud"] = json!(["portcullis-client", "217493847564"]);
                c["azp"] = "portcullis-client".into();
            });
        },
        |config| config.extra_audiences = vec!["217493847564".to_owned()],
    )
    .await;
}

#[tokio::test]
async fn rauthy_and_kanidm_sign_with_their_own_defaults() {
    accepted(|script| script.rotate(Key::new("EdDSA", Some("rauthy")))).await;
    accepted(|script| script.rotate(Key::new("ES256", Some("kanidm")))).await;
    // RFC 9864 names the curve.
    accepted(|script| {
        script.rotate(Key::new("EdDSA", Some("new")));
        script.published[0]["alg"] = "Ed25519".into();
        script.id_token_header = Box::new(|h| h["alg"] = "Ed25519".into());
    })
    .await;
}

#[tokio::test]
async fn three_hundred_groups_fit() {
    let groups: Vec<_> = (0..300)
        .map(|n| format!("CN=group-{n:03},OU=Groups,DC=corp,DC=example,DC=com"))
        .collect();
    let mut claims = ana();
    claims.insert("groups".to_owned(), json!(groups));
    let claims = person(Value::Object(claims.clone()), Value::Object(claims)).await;
    assert_eq!(claims.claims()["groups"].as_array().unwrap().len(), 300);
}
