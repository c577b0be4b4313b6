//! Which keys count, and when they are fetched again.

use super::*;

/// The key set is this, and the token is signed with the key.
async fn check(signing: Key, published: Vec<Value>, expected: Result<(), &str>) {
    let world = world(
        |script| {
            script.signing = signing;
            script.published = published;
        },
        |_| {},
    )
    .await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

fn with(mut jwk: Value, members: Value) -> Value {
    let object = jwk.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    jwk
}

#[tokio::test]
async fn kid_absent_single_jwks() {
    let key = Key::new("RS256", None);
    check(key.clone(), vec![key.jwk()], Ok(())).await;
    // The key has a name, and the token does not say it.
    let named = with(key.jwk(), json!({"kid": "x"}));
    check(key, vec![named], Ok(())).await;
    // The token says a name, and the key has none.
    let key = Key::new("RS256", Some("x"));
    check(
        key.clone(),
        vec![with(key.jwk(), json!({"kid": null}))],
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn kid_absent_multiple_jwks() {
    let key = Key::new("RS256", None);
    let others = [
        Key::other("RS256", Some("a")),
        Key::new("ES256", Some("b")),
        Key::new("EdDSA", Some("c")),
    ];
    let mut published: Vec<_> = others.iter().map(Key::jwk).collect();
    published.push(with(key.jwk(), json!({"kid": "d"})));
    check(key.clone(), published.clone(), Ok(())).await;
    published.pop();
    check(key, published, Err("bad_signature")).await;
}

#[tokio::test]
async fn keys_for_something_else_are_passed_over() {
    let key = Key::new("RS256", Some("k"));
    for members in [
        json!({"use": "enc"}),
        json!({"use": null, "key_ops": ["encrypt"]}),
        json!({"alg": "RSA-OAEP"}),
    ] {
        let wrong = with(key.jwk(), members);
        // Alone there is nothing left; beside another one its name is unknown.
        check(key.clone(), vec![wrong.clone()], Err("no_usable_key")).await;
        let other = Key::new("ES256", Some("other")).jwk();
        check(key.clone(), vec![wrong, other], Err("unknown_key")).await;
    }
    for members in [
        json!({"use": null}),
        json!({"alg": null}),
        json!({"key_ops": ["verify"]}),
        json!({"x5c": ["MIIB"], "x5t": 7, "nbf": 1}),
    ] {
        check(key.clone(), vec![with(key.jwk(), members)], Ok(())).await;
    }
}

#[tokio::test]
async fn bad_keys_do_not_spoil_good_ones() {
    let key = Key::new("ES256", Some("k"));
    let published = vec![
        json!(null),
        json!("key"),
        json!({}),
        json!({"kty": "RSA", "kid": "k1"}),
        json!({"kty": "RSA", "n": "!!", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed448", "x": "AA"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44"}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        key.jwk(),
    ];
    check(key, published, Ok(())).await;
}

#[tokio::test]
async fn a_point_off_the_curve_is_no_key() {
    let key = Key::new("ES256", Some("k"));
    let mut jwk = key.jwk();
    jwk["y"] = jwk["x"].clone();
    check(key, vec![jwk], Err("no_usable_key")).await;
}

#[tokio::test]
async fn a_weak_rsa_key_is_refused() {
    use base64::Engine;
    let key = Key::new("RS256", Some("weak"));
    let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([0xff; 128]);
    let weak = with(key.jwk(), json!({"n": n}));
    check(key.clone(), vec![weak.clone()], Err("no_usable_key")).await;
    let other = Key::new("ES256", Some("other")).jwk();
    check(key, vec![weak, other], Err("weak_key")).await;
}

#[tokio::test]
async fn the_named_key_must_be_of_the_right_kind() {
    let key = Key::new("RS256", Some("k"));
    let other = Key::new("ES256", Some("k")).jwk();
    check(key.clone(), vec![other], Err("key_mismatch")).await;
    // A key that is for one algorithm does not verify another.
    check(
        key.as_algorithm("PS256"),
        vec![key.jwk()],
        Err("key_mismatch"),
    )
    .await;
    let p384 = Key::new("ES384", Some("k"));
    let header = |script: &mut Script| {
        script.rotate(p384);
        script.id_token_header = Box::new(|h| h["alg"] = "ES256".into());
    };
    refused(header, "key_mismatch").await;
}

#[tokio::test]
async fn leading_zeros_and_padding_of_keys_do_not_matter() {
    use base64::Engine;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    let key = Key::new("RS256", Some("k"));
    let n = URL_SAFE_NO_PAD.decode(key.jwk()["n"].as_str().unwrap());
    let longer = [vec![0], n.unwrap()].concat();
    let jwk = with(
        key.jwk(),
        json!({"n": URL_SAFE.encode(longer), "e": "AQAB=".replace('=', "")}),
    );
    check(key, vec![jwk], Ok(())).await;
}

#[tokio::test]
async fn a_key_set_without_keys_is_refused() {
    for body in [json!({}), json!({"keys": {}}), json!({"keys": null})] {
        refused(
            |script| {
                script.answers.insert("/jwks", Canned::json(200, &body));
            },
            "keys_missing",
        )
        .await;
    }
    refused(|script| script.published.clear(), "no_usable_key").await;
    refused(
        |script| {
            script
                .answers
                .insert("/jwks", Canned::json(200, &json!([])));
        },
        "answer_not_object",
    )
    .await;
}

#[tokio::test]
async fn signing_key_rotation() {
    let world = World::new().await;
    let provider = world.provider();
    sign_in(&provider, &world.fake).await.unwrap();
    world.fake.rotate(Key::other("RS256", Some("second")));
    sign_in(&provider, &world.fake).await.unwrap();
    sign_in(&provider, &world.fake).await.unwrap();
    assert_eq!(world.fake.requests("/jwks").len(), 2);
    assert_eq!(
        world
            .fake
            .requests("/.well-known/openid-configuration")
            .len(),
        1
    );
}

#[tokio::test]
async fn signing_key_rotation_just_before_signing() {
    let world = World::new().await;
    let provider = world.provider();
    sign_in(&provider, &world.fake).await.unwrap();
    // The redirect has happened with the old key; the token is signed with the new one.
    let start = provider.start(Ask::default()).await.unwrap();
    let response = world.fake.authorize(&start.url);
    world.fake.rotate(Key::other("RS256", Some("second")));
    provider.finish(start.attempt, &response).await.unwrap();
}

#[tokio::test]
async fn a_new_key_under_the_old_name_is_found_too() {
    let world = World::new().await;
    let provider = world.provider();
    sign_in(&provider, &world.fake).await.unwrap();
    world.fake.rotate(Key::other("RS256", Some("first")));
    sign_in(&provider, &world.fake).await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_and_then_none_for_a_while() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    world.advance(Duration::ZERO);
    sign_in(&provider, &world.fake).await.unwrap();
    world
        .fake
        .script(|script| script.signing = Key::other("RS256", Some("unpublished")));
    for _ in 0..5 {
        let error = sign_in(&provider, &world.fake).await.unwrap_err();
        assert_eq!(error.code(), "unknown_key");
    }
    assert_eq!(world.fake.requests("/jwks").len(), 2);
    world.advance(Duration::from_secs(10));
    sign_in(&provider, &world.fake).await.unwrap_err();
    assert_eq!(world.fake.requests("/jwks").len(), 3);
}

#[tokio::test]
async fn many_sign_ins_at_a_rotation_cause_one_fetch() {
    let world = World::new().await;
    let provider = world.provider();
    sign_in(&provider, &world.fake).await.unwrap();
    world.fake.rotate(Key::other("RS256", Some("second")));
    let all =
        futures_util::future::join_all((0..10).map(|_| sign_in(&provider, &world.fake))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(world.fake.requests("/jwks").len(), 2);
}

#[tokio::test]
async fn old_keys_serve_while_new_ones_cannot_be_had() {
    for broken in [
        Canned::Body(500, "text/plain", b"oops".to_vec()),
        Canned::json(200, &json!({"keys": []})),
        Canned::json(200, &json!({"keys": [{"kty": "RSA"}]})),
        Canned::Body(200, "application/json", b"{\"keys\": [".to_vec()),
    ] {
        let world = World::new().await.with_manual_clock();
        let provider = world.provider();
        world.advance(Duration::ZERO);
        sign_in(&provider, &world.fake).await.unwrap();
        world.fake.script(|script| {
            script.answers.insert("/jwks", broken);
        });
        // Old enough to be fetched again, and that fails.
        world.advance(Duration::from_secs(2 * 3600));
        sign_in(&provider, &world.fake).await.unwrap();
        assert_eq!(world.fake.requests("/jwks").len(), 2);
        let status = provider.status();
        assert!(status.last_success.unwrap() < status.last_error.unwrap().0);
    }
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    world.advance(Duration::ZERO);
    sign_in(&provider, &world.fake).await.unwrap();
    world
        .fake
        .script(|script| script.published = vec![Key::other("RS256", Some("second")).jwk()]);
    world.advance(Duration::from_secs(3600));
    let error = sign_in(&provider, &world.fake).await.unwrap_err();
    assert_eq!(error.code(), "unknown_key");
}

#[tokio::test]
async fn keys_of_an_address_that_metadata_no_longer_names_do_not_count() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    world.advance(Duration::ZERO);
    sign_in(&provider, &world.fake).await.unwrap();
    let second = Key::other("RS256", Some("second"));
    let moved = Canned::json(200, &json!({"keys": [second.jwk()]}));
    world.fake.script(|script| {
        script.discovery = Box::new(|document| document["jwks_uri"] = "/keys/v2".into());
    });
    // Keys are still fresh: only the metadata is old.
    let keys_just_fetched = Duration::from_secs(24 * 3600 - 1800);
    world.advance(keys_just_fetched);
    sign_in(&provider, &world.fake).await.unwrap();
    world.advance(Duration::from_secs(1800));
    let error = sign_in(&provider, &world.fake).await.unwrap_err();
    assert_eq!(error.code(), "keys_moved");
    world.fake.script(|script| {
        script.signing = second;
        script.answers.insert("/keys/v2", moved);
    });
    world.advance(Duration::from_secs(60));
    sign_in(&provider, &world.fake).await.unwrap();
}

#[tokio::test]
async fn discovery_jwks_uri_keys() {
    let world = World::new().await;
    world.sign_in().await.unwrap();
    assert_eq!(world.fake.requests("/jwks").len(), 1);
}
