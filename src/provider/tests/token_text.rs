//! The envelope of the ID token: how it is written and signed.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

async fn header(edit: impl Fn(&mut Value) + Send + 'static, expected: Result<(), &str>) {
    let world = world(|script| script.id_token_header = Box::new(edit), |_| {}).await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

async fn text(edit: impl Fn(&mut String) + Send + 'static, code: &str) {
    refused(|script| script.id_token = Box::new(edit), code).await;
}

#[tokio::test]
async fn every_allowed_algorithm_works() {
    for algorithm in fake::ALGORITHMS {
        if algorithm.starts_with("HS") {
            continue;
        }
        accepted(|script| script.rotate(Key::new(algorithm, Some("k")))).await;
    }
}

#[tokio::test]
async fn hmac_works_only_when_configured() {
    let with = |algorithm: Algorithm, name: &'static str| async move {
        let world = world(
            |script| {
                let secret = script.client_secret.clone();
                script.signing = Key::secret(name, secret.as_bytes());
            },
            |config| config.signing_algs.push(algorithm),
        )
        .await;
        world.sign_in().await.unwrap();
        assert!(world.fake.requests("/jwks").is_empty() || algorithm != Algorithm::HS256);
    };
    with(Algorithm::HS256, "HS256").await;
    with(Algorithm::HS384, "HS384").await;
    with(Algorithm::HS512, "HS512").await;
    let hmac = |script: &mut Script| {
        script.signing = Key::secret("HS256", script.client_secret.as_bytes());
    };
    refused(hmac, "algorithm_not_allowed").await;
    let only_hmac = |config: &mut config::Provider| {
        config.signing_algs = vec![Algorithm::HS256];
    };
    // Without published keys, then.
    let no_keys = |script: &mut Script| {
        hmac(script);
        script.discovery = Box::new(|document| document["jwks_uri"] = Value::Null);
    };
    accepted_with(no_keys, only_hmac).await;
}

#[tokio::test]
async fn invalid_sig_hs256() {
    let allow = |config: &mut config::Provider| config.signing_algs.push(Algorithm::HS256);
    refused_with(
        |script| script.signing = Key::secret("HS256", &[b'x'; 64]),
        allow,
        "bad_signature",
    )
    .await;
    // The oldest trick: the public key as the secret.
    refused_with(
        |script| {
            let public = script.signing.jwk().to_string();
            script.signing = Key::secret("HS256", public.as_bytes());
        },
        allow,
        "bad_signature",
    )
    .await;
}

#[tokio::test]
async fn a_short_secret_signs_nothing() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        refused_with(
            |script| {
                script.client_secret = "short".to_owned();
                script.signing = Key::secret(algorithm::name(algorithm), b"short");
            },
            |config| {
                config.client_auth = ClientAuth::Basic(Secret::new("short".to_owned()));
                config.signing_algs = vec![algorithm];
            },
            "weak_secret",
        )
        .await;
    }
    // No secret at all is an empty one.
    refused_with(
        |script| {
            script.client_auth = Some("none");
            script.signing = Key::secret("HS256", b"");
        },
        |config| {
            config.client_auth = ClientAuth::None;
            config.signing_algs = vec![Algorithm::HS256];
        },
        "weak_secret",
    )
    .await;
}

#[tokio::test]
async fn idtoken_sig_rs256() {
    accepted(|_| {}).await;
}

#[tokio::test]
async fn idtoken_sig_none() {
    refused(
        |script| script.signing = Key::new("none", None),
        "algorithm_none",
    )
    .await;
    for name in ["None", "NONE", "nOnE"] {
        header(move |h| h["alg"] = name.into(), Err("algorithm_none")).await;
    }
}

#[tokio::test]
async fn invalid_null_alg() {
    header(|h| h["alg"] = Value::Null, Err("algorithm_missing")).await;
    header(|h| h["alg"] = 1.into(), Err("algorithm_missing")).await;
    header(
        |h| {
            h.as_object_mut().unwrap().remove("alg");
        },
        Err("algorithm_missing"),
    )
    .await;
}

#[tokio::test]
async fn invalid_alternate_alg() {
    for name in ["rs256", "RS1", "ES256K", "RSA-OAEP", "dir", ""] {
        header(
            move |h| h["alg"] = name.into(),
            Err("algorithm_not_allowed"),
        )
        .await;
    }
    // Not in the configuration.
    refused_with(
        |script| script.rotate(Key::new("ES256", Some("k"))),
        |config| config.signing_algs = vec![Algorithm::RS256],
        "algorithm_not_allowed",
    )
    .await;
    // In the configuration, but not in the metadata.
    refused(
        |script| {
            script.rotate(Key::new("ES256", Some("k")));
            script.discovery = Box::new(|document| {
                document["id_token_signing_alg_values_supported"] = json!(["RS256", "future"]);
            });
        },
        "algorithm_not_allowed",
    )
    .await;
}

#[tokio::test]
async fn invalid_sig_rs256() {
    invalid_signature("RS256").await;
}

#[tokio::test]
async fn invalid_sig_es256() {
    invalid_signature("ES256").await;
}

#[tokio::test]
async fn an_invalid_signature_is_refused_in_every_family() {
    for algorithm in ["PS256", "ES384", "ES512", "EdDSA"] {
        invalid_signature(algorithm).await;
    }
}

async fn invalid_signature(algorithm: &'static str) {
    // By another key of the same name.
    refused(
        |script| {
            script.rotate(Key::new(algorithm, Some("k")));
            script.signing = Key::other(algorithm, Some("k"));
        },
        "bad_signature",
    )
    .await;
    // Empty, and over something else.
    for edit in [
        (|token: &mut String| token.truncate(token.rfind('.').unwrap() + 1)) as fn(&mut String),
        |token| {
            let parts: Vec<_> = token.split('.').collect();
            let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
            let payload = String::from_utf8(payload)
                .unwrap()
                .replace("248289761001", "admin");
            *token = format!(
                "{}.{}.{}",
                parts[0],
                URL_SAFE_NO_PAD.encode(payload),
                parts[2]
            );
        },
    ] {
        refused(
            |script| {
                script.rotate(Key::new(algorithm, Some("k")));
                script.id_token = Box::new(edit);
            },
            "bad_signature",
        )
        .await;
    }
}

#[tokio::test]
async fn unknown_critical_extensions_are_refused() {
    header(
        |h| {
            h["crit"] = json!(["exp"]);
            h["exp"] = 1.into();
        },
        Err("token_critical"),
    )
    .await;
    header(|h| h["crit"] = json!([]), Err("token_critical")).await;
    header(
        |h| {
            h["crit"] = json!(["b64"]);
            h["b64"] = false.into();
        },
        Err("token_critical"),
    )
    .await;
}

#[tokio::test]
async fn a_token_for_another_purpose_is_refused() {
    for kind in [
        json!("at+jwt"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!(""),
        json!(7),
    ] {
        header(move |h| h["typ"] = kind.clone(), Err("token_type")).await;
    }
    header(|h| h["typ"] = "jwt".into(), Ok(())).await;
    header(
        |h| {
            h.as_object_mut().unwrap().remove("typ");
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn keys_that_the_token_brings_along_are_not_trusted() {
    refused(
        |script| {
            let own = Key::other("RS256", Some("first"));
            let jwk = own.jwk();
            script.signing = own;
            script.id_token_header = Box::new(move |h| {
                h["jwk"] = jwk.clone();
                h["jku"] = "http://127.0.0.1:1/jwks".into();
                h["x5u"] = "http://127.0.0.1:1/x5u".into();
                h["x5c"] = json!(["MIIB"]);
            });
        },
        "bad_signature",
    )
    .await;
}

#[tokio::test]
async fn encrypted_and_nested_tokens_are_refused() {
    text(|t| *t = "a.b.c.d.e".to_owned(), "token_encrypted").await;
    header(|h| h["enc"] = "A256GCM".into(), Err("token_encrypted")).await;
    header(|h| h["cty"] = "JWT".into(), Err("token_nested")).await;
    header(|h| h["cty"] = "application/json".into(), Ok(())).await;
}

#[tokio::test]
async fn a_token_has_three_parts() {
    for wrong in [
        "x",
        "x.y",
        "x.y.z.w",
        "x.y.z.w.v.u",
        "......................",
    ] {
        text(move |t| *t = wrong.to_owned(), "token_parts").await;
    }
    text(|t| t.push('.'), "token_parts").await;
}

#[tokio::test]
async fn the_encoding_is_canonical() {
    text(|t| t.push('='), "token_encoding").await;
    text(|t| t.push(' '), "token_encoding").await;
    text(|t| t.push('\n'), "token_encoding").await;
    text(|t| t.insert(0, ' '), "token_encoding").await;
    text(|t| *t = t.replacen('.', "=.", 1), "token_encoding").await;
    text(|t| t.push('+'), "token_encoding").await;
    // The last character of a 256-byte signature carries four bits too many: setting one of them
    // decodes to the same bytes elsewhere.
    text(
        |t| {
            let last = t.pop().unwrap();
            t.push(char::from(u8::try_from(last).unwrap() + 1));
        },
        "token_encoding",
    )
    .await;
}

#[tokio::test]
async fn duplicate_members_are_refused() {
    refused(
        |script| {
            script.id_token_payload = Box::new(|payload| {
                payload.insert_str(1, "\"sub\":\"admin\",");
            });
        },
        "token_duplicate_member",
    )
    .await;
    refused(
        |script| {
            script
                .person
                .insert("address".to_owned(), json!({"country": "FI"}));
            script.id_token_payload = Box::new(|payload| {
                *payload = payload.replace(r#"{"country":"#, r#"{"country":"SE","country":"#);
            });
        },
        "token_duplicate_member",
    )
    .await;
    text(
        |token| {
            let (_, rest) = token.split_once('.').unwrap();
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","alg":"none"}"#);
            *token = format!("{header}.{rest}");
        },
        "token_duplicate_member",
    )
    .await;
}

#[tokio::test]
async fn a_payload_that_is_no_object_is_refused() {
    for wrong in ["[]", "\"x\"", "null", "", "{", "{}{}", "{\"a\":1}x"] {
        refused(
            |script| script.id_token_payload = Box::new(move |p| *p = wrong.to_owned()),
            "token_not_json",
        )
        .await;
    }
    text(
        |t| *t = format!("{}.e30.", URL_SAFE_NO_PAD.encode("[]")),
        "token_not_json",
    )
    .await;
}

fn parse(text: &str) -> Result<(), Error> {
    UnverifiedToken::parse(Token::Id, text, &[Algorithm::RS256]).map(drop)
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_header_panics(header in "\\PC{0,80}", payload in "\\PC{0,80}") {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let _ = parse(&format!("{}.{}.", encode(&header), encode(&payload)));
    }

    #[test]
    fn no_key_set_panics(kty in "RSA|EC|OKP|oct|x", crv in "P-256|P-384|P-521|Ed25519|x",
                         a in "[A-Za-z0-9_-]{0,100}", b in "[A-Za-z0-9_=-]{0,100}") {
        let jwk = json!({"kty": kty, "crv": crv, "x": a, "y": b, "n": b, "e": a});
        let document = object(json!({"keys": [jwk, a, null, [], 7]}));
        let _ = KeySet::parse(&document, Url::parse("https://idp.example/jwks").unwrap());
    }
}
