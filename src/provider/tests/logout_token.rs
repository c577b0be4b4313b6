//! Each rule of OpenID Connect Back-Channel Logout 1.0 §2.6 has tokens that break it.

use super::*;

/// The token with these claims, at a new provider.
async fn check(claims: impl Fn(&mut Value), expected: Result<(), &str>) {
    check_with(|_| {}, claims, expected).await;
}

async fn check_with(
    header: impl Fn(&mut Value),
    claims: impl Fn(&mut Value),
    expected: Result<(), &str>,
) {
    let world = World::new().await;
    let token = world.fake.logout_token_with(header, claims);
    says(&world, &token, expected).await;
}

async fn says(world: &World, token: &str, expected: Result<(), &str>) {
    let result = world.provider().logout_token(token).await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

fn remove(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

fn shift(claims: &mut Value, name: &str, by: i64) {
    claims[name] = (claims[name].as_i64().unwrap() + by).into();
}

#[tokio::test]
async fn a_correct_token_says_who_has_gone() {
    let world = World::new().await;
    let provider = world.provider();
    let token = world.fake.logout_token(|claims| {
        claims["sid"] = "s-1".into();
        claims["whatever"] = json!([1, 2]);
    });
    let said = provider.logout_token(&token).await.unwrap();
    assert_eq!(said.issuer, world.fake.issuer());
    assert_eq!(said.subject.as_deref(), Some("248289761001"));
    assert_eq!(said.sid.as_deref(), Some("s-1"));
}

#[tokio::test]
async fn a_person_or_a_session_is_enough_and_neither_is_not() {
    check(|_| {}, Ok(())).await;
    let session_alone = |claims: &mut Value| {
        remove(claims, "sub");
        claims["sid"] = "s-1".into();
    };
    check(session_alone, Ok(())).await;
    check(|c| remove(c, "sub"), Err("logout_of_nobody")).await;
    check(|c| c["sub"] = Value::Null, Err("logout_of_nobody")).await;
    for name in ["sub", "sid"] {
        check(|c| c[name] = "".into(), Err("claim_type")).await;
        check(|c| c[name] = 7.into(), Err("claim_type")).await;
        check(|c| c[name] = "x".repeat(256).into(), Err("claim_type")).await;
    }
}

#[tokio::test]
async fn where_people_are_pinned_by_another_claim_sub_alone_names_nobody() {
    let world = world(|_| {}, |config| config.subject_claim = "oid".to_owned()).await;
    let sub = world.fake.logout_token(|_| {});
    says(&world, &sub, Err("logout_of_nobody")).await;
    let provider = world.provider();
    let oid = world.fake.logout_token(|c| c["oid"] = "o-1".into());
    let said = provider.logout_token(&oid).await.unwrap();
    assert_eq!((said.subject.as_deref(), said.sid), (Some("o-1"), None));
    let sid = world.fake.logout_token(|c| c["sid"] = "s-1".into());
    let said = provider.logout_token(&sid).await.unwrap();
    assert_eq!((said.subject, said.sid.as_deref()), (None, Some("s-1")));
}

#[tokio::test]
async fn the_type_is_that_of_a_logout_token_or_of_none() {
    for good in [json!("logout+jwt"), json!("JWT"), json!("Logout+JWT")] {
        check_with(|h| h["typ"] = good.clone(), |_| {}, Ok(())).await;
    }
    check_with(|h| remove(h, "typ"), |_| {}, Ok(())).await;
    for bad in [json!("at+jwt"), json!("secevent+jwt"), json!(""), json!(7)] {
        check_with(|h| h["typ"] = bad.clone(), |_| {}, Err("token_type")).await;
    }
}

#[tokio::test]
async fn the_signature_must_be_the_providers() {
    let world = World::new().await;
    let good = world.fake.logout_token(|_| {});
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let bad = format!("{signed}.{first}{}", &signature[1..]);
    says(&world, &bad, Err("bad_signature")).await;
    says(&world, &format!("{signed}."), Err("bad_signature")).await;
    // Signed by somebody else under the known key's name.
    let stranger = Key::other("RS256", Some("first"));
    world.fake.script(|script| script.signing = stranger);
    let forged = world.fake.logout_token(|_| {});
    says(&world, &forged, Err("bad_signature")).await;
    world
        .fake
        .script(|script| script.signing = Key::other("RS256", Some("unheard-of")));
    let unknown = world.fake.logout_token(|_| {});
    says(&world, &unknown, Err("unknown_key")).await;
}

#[tokio::test]
async fn a_key_that_was_just_made_is_looked_up() {
    let world = World::new().await;
    let provider = world.provider();
    let before = world.fake.logout_token(|_| {});
    provider.logout_token(&before).await.unwrap();
    world.fake.rotate(Key::other("RS256", Some("second")));
    let after = world.fake.logout_token(|_| {});
    provider.logout_token(&after).await.unwrap();
}

#[tokio::test]
async fn it_is_signed_and_with_an_allowed_algorithm() {
    let world = World::new().await;
    world
        .fake
        .script(|script| script.signing = Key::new("none", None));
    let unsigned = world.fake.logout_token(|_| {});
    says(&world, &unsigned, Err("algorithm_none")).await;
    // The public key as the secret of an HMAC, and the client's own secret, which nobody allowed.
    let secret = world.config.client_id.clone();
    let hmac = Key::secret("HS256", secret.as_bytes());
    world.fake.script(|script| script.signing = hmac);
    let hmac = world.fake.logout_token(|_| {});
    says(&world, &hmac, Err("algorithm_not_allowed")).await;
    let world = super::world(
        |_| {},
        |config| config.signing_algs = vec![Algorithm::ES256],
    )
    .await;
    let rsa = world.fake.logout_token(|_| {});
    says(&world, &rsa, Err("algorithm_not_allowed")).await;
}

#[tokio::test]
async fn the_envelope_is_read_as_strictly_as_an_id_tokens() {
    let world = World::new().await;
    for (text, code) in [
        ("", "token_parts"),
        ("a.b", "token_parts"),
        ("a.b.c.d.e", "token_encrypted"),
        ("a.b.c", "token_encoding"),
        ("e30.e30.", "algorithm_missing"),
        ("bnVsbA.e30.", "token_not_json"),
    ] {
        says(&world, text, Err(code)).await;
    }
    check_with(|h| h["crit"] = json!(["x"]), |_| {}, Err("token_critical")).await;
    check_with(|h| h["cty"] = "JWT".into(), |_| {}, Err("token_nested")).await;
    let good = world.fake.logout_token(|_| {});
    says(&world, &format!("{good} "), Err("token_encoding")).await;
    says(&world, &format!("{good}="), Err("token_encoding")).await;
}

#[tokio::test]
async fn the_issuer_must_be_the_configured_one_or_an_alias() {
    let slash = |c: &mut Value| c["iss"] = format!("{}/", c["iss"].as_str().unwrap()).into();
    check(slash, Err("issuer_mismatch")).await;
    check(|c| remove(c, "iss"), Err("claim_missing")).await;
    check(|c| c["iss"] = 7.into(), Err("claim_type")).await;
    let world = world(
        |_| {},
        |config| config.issuer_aliases = vec!["accounts.example".to_owned()],
    )
    .await;
    let token = world
        .fake
        .logout_token(|c| c["iss"] = "accounts.example".into());
    let said = world.provider().logout_token(&token).await.unwrap();
    assert_eq!(
        said.issuer,
        world.fake.issuer(),
        "sessions have one spelling"
    );
}

#[tokio::test]
async fn the_audience_must_be_us() {
    check(|c| c["aud"] = "other".into(), Err("audience_mismatch")).await;
    check(|c| remove(c, "aud"), Err("claim_missing")).await;
    check(|c| c["aud"] = json!([]), Err("audience_mismatch")).await;
    check(|c| c["aud"] = json!(["portcullis-client"]), Ok(())).await;
    let both = |c: &mut Value| c["aud"] = json!(["portcullis-client", "other"]);
    check(both, Err("audience_untrusted")).await;
    // Issued to somebody else, also where both of us may read it.
    let to_other = |c: &mut Value| c["azp"] = "other".into();
    check(to_other, Err("authorized_party_mismatch")).await;
    check(|c| c["azp"] = "portcullis-client".into(), Ok(())).await;
    check(|c| c["azp"] = 7.into(), Err("claim_type")).await;
}

#[tokio::test]
async fn it_was_issued_just_now() {
    check(|c| remove(c, "iat"), Err("claim_missing")).await;
    check(|c| c["iat"] = "now".into(), Err("claim_type")).await;
    check(|c| shift(c, "iat", 55), Ok(())).await;
    check(|c| shift(c, "iat", 70), Err("issued_in_future")).await;
    check(|c| shift(c, "iat", -600), Ok(())).await;
    check(|c| shift(c, "iat", -670), Err("logout_too_old")).await;
}

#[tokio::test]
async fn it_has_not_expired_where_it_says_when() {
    check(|c| shift(c, "exp", -170), Ok(())).await;
    check(|c| shift(c, "exp", -190), Err("expired")).await;
    check(|c| c["exp"] = "soon".into(), Err("claim_type")).await;
    check(|c| remove(c, "exp"), Ok(())).await;
    check(
        |c| c["nbf"] = json!(9_999_999_999_u64),
        Err("not_yet_valid"),
    )
    .await;
}

#[tokio::test]
async fn the_event_must_be_there_by_its_exact_name() {
    check(|c| remove(c, "events"), Err("claim_missing")).await;
    check(|c| c["events"] = json!([LOGOUT_EVENT]), Err("claim_type")).await;
    check(|c| c["events"] = LOGOUT_EVENT.into(), Err("claim_type")).await;
    check(|c| c["events"] = json!({}), Err("logout_event_missing")).await;
    for name in [
        format!("{LOGOUT_EVENT}/"),
        LOGOUT_EVENT.replace("http:", "https:"),
        LOGOUT_EVENT.to_uppercase(),
    ] {
        let other = |c: &mut Value| c["events"] = json!({ name.clone(): {} });
        check(other, Err("logout_event_missing")).await;
    }
    for value in [json!(null), json!(true), json!([]), json!("")] {
        let odd = |c: &mut Value| c["events"] = json!({ LOGOUT_EVENT: value.clone() });
        check(odd, Err("logout_event_missing")).await;
    }
    let more = json!({ LOGOUT_EVENT: { "x": 1 }, "https://example.com/other": {} });
    check(|c| c["events"] = more.clone(), Ok(())).await;
}

#[tokio::test]
async fn a_nonce_is_forbidden_even_an_empty_one() {
    for nonce in [json!("n"), json!(""), json!(null), json!(0)] {
        check(|c| c["nonce"] = nonce.clone(), Err("logout_nonce")).await;
    }
}

#[tokio::test]
async fn an_id_token_is_no_logout_token_and_the_other_way_round() {
    let world = World::new().await;
    let claims = world.sign_in().await.unwrap();
    let id_token = claims.id_token().unwrap().expose().clone();
    says(&world, &id_token, Err("claim_missing")).await;
    let logout = world.fake.logout_token(|_| {});
    refused(
        move |script| {
            let logout = logout.clone();
            script.id_token = Box::new(move |token| *token = logout.clone());
        },
        "token_type",
    )
    .await;
}

#[tokio::test]
async fn a_name_of_its_own_is_needed() {
    check(|c| remove(c, "jti"), Err("claim_missing")).await;
    check(|c| c["jti"] = "".into(), Err("claim_type")).await;
    check(|c| c["jti"] = 7.into(), Err("claim_type")).await;
}

#[tokio::test]
async fn it_works_once() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    let token = world.fake.logout_token(|_| {});
    let said = provider.logout_token(&token).await.unwrap();
    let again = provider.logout_token(&token).await.unwrap_err();
    assert_eq!(again.code(), "logout_replayed");
    // A refused one does not use its name up.
    let early = world.fake.logout_token(|c| {
        c["jti"] = "j".into();
        shift(c, "iat", 90);
    });
    assert!(provider.logout_token(&early).await.is_err());
    let good = world.fake.logout_token(|c| c["jti"] = "j".into());
    provider.logout_token(&good).await.unwrap();
    // As long as it could be accepted, it is remembered.
    world.advance(Duration::from_secs(659));
    let again = provider.logout_token(&token).await.unwrap_err();
    assert!(["logout_replayed", "expired"].contains(&again.code()));
    provider.take_back(&said);
}

#[tokio::test]
async fn of_many_at_once_one_works() {
    let world = World::new().await;
    let provider = world.provider();
    let token = world.fake.logout_token(|_| {});
    let all = (0..50).map(|_| provider.logout_token(&token));
    let said = futures_util::future::join_all(all).await;
    assert_eq!(said.iter().filter(|it| it.is_ok()).count(), 1);
}

#[tokio::test]
async fn one_that_could_not_take_effect_may_come_again() {
    let world = World::new().await;
    let provider = world.provider();
    let token = world.fake.logout_token(|_| {});
    let said = provider.logout_token(&token).await.unwrap();
    provider.take_back(&said);
    provider.logout_token(&token).await.unwrap();
}

#[tokio::test]
async fn with_several_tenants_the_token_says_which() {
    const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let mut world = World::new().await;
    let issuer = format!("{}/{{tenantid}}/v2.0", world.fake.issuer());
    world.config.issuer = issuer.clone();
    let spelled = issuer.replace("{tenantid}", TENANT);
    world.fake.script(|script| {
        script.discovery = Box::new(move |d| d["issuer"] = issuer.clone().into());
    });
    let good = world.fake.logout_token(|c| {
        c["iss"] = spelled.clone().into();
        c["tid"] = TENANT.into();
    });
    let said = world.provider().logout_token(&good).await;
    assert_eq!(said.map(|said| said.issuer).unwrap(), spelled);
    let without = world
        .fake
        .logout_token(|c| c["iss"] = spelled.clone().into());
    says(&world, &without, Err("claim_missing")).await;
}
