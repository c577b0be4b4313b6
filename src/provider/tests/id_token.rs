//! The claims of the ID token.

use super::*;
use crate::provider::{id_token as checks, userinfo as envelope};
use proptest::prelude::*;

type Claims = Value;

/// The ID token's claims are as this leaves them.
async fn check(edit: impl Fn(&mut Claims) + Send + 'static, expected: Result<(), &str>) {
    check_with(edit, |_| {}, expected).await;
}

async fn check_with(
    edit: impl Fn(&mut Claims) + Send + 'static,
    configure: impl FnOnce(&mut config::Provider),
    expected: Result<(), &str>,
) {
    let world = world(|script| script.id_token_claims = Box::new(edit), configure).await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
    if expected.is_err() {
        assert!(
            world.fake.requests("/userinfo").is_empty(),
            "nothing is asked on behalf of a bad token"
        );
    }
}

fn remove(claims: &mut Claims, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

fn shift(claims: &mut Claims, name: &str, by: i64) {
    claims[name] = (claims[name].as_i64().unwrap() + by).into();
}

#[tokio::test]
async fn a_correct_token_signs_in() {
    let claims = accepted(|_| {}).await;
    assert_eq!(claims.subject(), "248289761001");
    assert_eq!(claims.claims()["preferred_username"], "ana");
    assert!(claims.id_token().is_some());
    let shown = format!("{claims:?}");
    assert!(!shown.contains("ana@example.com"), "{shown}");
    assert!(!shown.contains(claims.id_token().unwrap().expose()));
}

#[tokio::test]
async fn nonce_invalid() {
    check(|c| c["nonce"] = "another".into(), Err("nonce_mismatch")).await;
    check(|c| c["nonce"] = 7.into(), Err("claim_type")).await;
}

#[tokio::test]
async fn invalid_missing_nonce() {
    check(|c| remove(c, "nonce"), Err("nonce_missing")).await;
    check(|c| c["nonce"] = Value::Null, Err("nonce_missing")).await;
}

#[tokio::test]
async fn missing_iat() {
    check(|c| remove(c, "iat"), Err("claim_missing")).await;
}

#[tokio::test]
async fn missing_sub() {
    check(|c| remove(c, "sub"), Err("subject_missing")).await;
    check(|c| c["sub"] = "".into(), Err("subject_empty")).await;
    check(|c| c["sub"] = 248_289.into(), Err("subject_type")).await;
    check(
        |c| c["sub"] = "x".repeat(256).into(),
        Err("subject_too_long"),
    )
    .await;
}

#[tokio::test]
async fn missing_aud() {
    check(|c| remove(c, "aud"), Err("claim_missing")).await;
    check(|c| c["aud"] = json!([]), Err("audience_mismatch")).await;
    check(|c| c["aud"] = json!({"a": 1}), Err("claim_type")).await;
}

#[tokio::test]
async fn invalid_aud() {
    check(
        |c| c["aud"] = "portcullis-client1".into(),
        Err("audience_mismatch"),
    )
    .await;
    check(|c| c["aud"] = json!(["other"]), Err("audience_mismatch")).await;
    check(
        |c| c["aud"] = json!(["portcullis-client", 7]),
        Err("claim_type"),
    )
    .await;
}

#[tokio::test]
async fn valid_aud_as_array() {
    check(|c| c["aud"] = json!(["portcullis-client"]), Ok(())).await;
}

#[tokio::test]
async fn invalid_secondary_aud() {
    let second = |c: &mut Claims| c["aud"] = json!(["portcullis-client", "project-7"]);
    check(second, Err("audience_untrusted")).await;
    // Zitadel and Salesforce have such, and then they are listed.
    let listed = |config: &mut config::Provider| config.extra_audiences = vec!["project-7".into()];
    check_with(second, listed, Ok(())).await;
    // A listed one alone is not us.
    let alone = |c: &mut Claims| c["aud"] = "project-7".into();
    check_with(alone, listed, Err("audience_mismatch")).await;
}

#[tokio::test]
async fn an_authorized_party_must_be_us() {
    check(
        |c| c["azp"] = "other".into(),
        Err("authorized_party_mismatch"),
    )
    .await;
    check(|c| c["azp"] = 1.into(), Err("claim_type")).await;
    check(|c| c["azp"] = "portcullis-client".into(), Ok(())).await;
}

#[tokio::test]
async fn invalid_iss() {
    let longer = |c: &mut Claims| c["iss"] = format!("{}1", c["iss"].as_str().unwrap()).into();
    check(longer, Err("issuer_mismatch")).await;
    let slash = |c: &mut Claims| c["iss"] = format!("{}/", c["iss"].as_str().unwrap()).into();
    check(slash, Err("issuer_mismatch")).await;
    check(|c| c["iss"] = 1.into(), Err("claim_type")).await;
    // The generic host's token of an organization with its own domain, and Google's old spelling.
    for other in ["https://login.salesforce.com", "accounts.google.com"] {
        check(move |c| c["iss"] = other.into(), Err("issuer_mismatch")).await;
    }
}

#[tokio::test]
async fn invalid_missing_iss() {
    check(|c| remove(c, "iss"), Err("claim_missing")).await;
}

#[tokio::test]
async fn invalid_expired_exp() {
    check(|c| shift(c, "exp", -120 - 70), Err("expired")).await;
    // Within the leeway.
    check(|c| shift(c, "exp", -120 - 30), Ok(())).await;
}

#[tokio::test]
async fn the_leeway_is_sixty_seconds_exactly() {
    for (late, expected) in [(59, Ok(())), (60, Err("expired"))] {
        let world = World::new().await.with_manual_clock();
        let provider = world.provider();
        world.advance(Duration::from_secs(0));
        let start = provider.start(Ask::default()).await.unwrap();
        let response = world.fake.authorize(&start.url);
        // The provider's clock stays behind ours.
        world.clock.advance(Duration::from_secs(120 + late));
        let result = provider.finish(start.attempt, &response).await;
        assert_eq!(result.map(drop).map_err(|error| error.code()), expected);
    }
}

#[tokio::test]
async fn invalid_missing_exp() {
    check(|c| remove(c, "exp"), Err("claim_missing")).await;
    for wrong in [json!("1893456000"), json!(-1), json!([1]), json!(true)] {
        check(move |c| c["exp"] = wrong.clone(), Err("claim_type")).await;
    }
}

#[tokio::test]
async fn a_date_may_have_a_fraction() {
    check(
        |c| {
            c["exp"] = json!(c["exp"].as_f64().unwrap() + 0.5);
            c["iat"] = json!(c["iat"].as_f64().unwrap() + 0.25);
        },
        Ok(()),
    )
    .await;
    check(|c| c["exp"] = json!(1e300), Err("claim_type")).await;
}

#[tokio::test]
async fn a_token_of_the_future_is_refused() {
    check(|c| shift(c, "iat", 75), Err("issued_in_future")).await;
    check(|c| shift(c, "iat", 30), Ok(())).await;
    check(
        |c| {
            c["nbf"] = c["iat"].clone();
            shift(c, "nbf", 75);
        },
        Err("not_yet_valid"),
    )
    .await;
    check(|c| c["nbf"] = c["iat"].clone(), Ok(())).await;
    check(|c| c["nbf"] = "now".into(), Err("claim_type")).await;
}

#[tokio::test]
async fn iat_is_week_in_past() {
    // Some providers repeat the time of the session; `exp` is what counts.
    check(|c| shift(c, "iat", -7 * 24 * 3600), Ok(())).await;
}

#[tokio::test]
async fn invalid_athash() {
    check(
        |c| c["at_hash"] = "77QmUPtjPfzWtF2AnpK9RQ".into(),
        Err("access_token_hash_mismatch"),
    )
    .await;
    check(|c| c["at_hash"] = 1.into(), Err("claim_type")).await;
}

#[tokio::test]
async fn missing_athash() {
    check(|c| remove(c, "at_hash"), Ok(())).await;
    check(|c| c["at_hash"] = Value::Null, Ok(())).await;
}

#[tokio::test]
async fn invalid_chash() {
    check(
        |c| c["c_hash"] = "LDktKdoQak3Pk0cnXxCltA".into(),
        Err("code_hash_mismatch"),
    )
    .await;
}

#[tokio::test]
async fn the_code_hash_is_that_of_the_code_as_it_came() {
    let world = World::new().await;
    let provider = world.provider();
    let start = provider.start(Ask::default()).await.unwrap();
    let response = world.fake.authorize(&start.url);
    let code = response.iter().find(|(name, _)| name == "code").unwrap();
    let hash = world
        .fake
        .script(|script| script.signing.half_hash(&code.1));
    world.fake.script(|script| {
        script.id_token_claims = Box::new(move |c| c["c_hash"] = hash.clone().into());
    });
    provider.finish(start.attempt, &response).await.unwrap();
}

#[tokio::test]
async fn with_max_age_the_sign_in_at_the_provider_must_be_recent() {
    let asked = |config: &mut config::Provider| {
        config.extra_params.insert("max_age".into(), "300".into());
    };
    check_with(|_| {}, asked, Err("claim_missing")).await;
    let at = |ago: i64| {
        move |c: &mut Claims| {
            c["auth_time"] = c["iat"].clone();
            shift(c, "auth_time", -ago);
        }
    };
    check_with(at(400), asked, Err("authentication_too_old")).await;
    check_with(at(100), asked, Ok(())).await;
    // Nobody asked: whatever it says.
    check(|c| c["auth_time"] = "yesterday".into(), Ok(())).await;
}

/// LinkedIn's tokens have none.
#[tokio::test]
async fn a_nonce_may_be_missing_where_the_configuration_says_so_and_never_wrong() {
    let optional = |config: &mut config::Provider| config.nonce = config::Nonce::Optional;
    check_with(|c| remove(c, "nonce"), optional, Ok(())).await;
    check_with(|c| c["nonce"] = Value::Null, optional, Ok(())).await;
    check_with(|_| {}, optional, Ok(())).await;
    for (wrong, code) in [
        (json!("another"), "nonce_mismatch"),
        (json!(""), "nonce_mismatch"),
        (json!(7), "claim_type"),
    ] {
        let edit = move |c: &mut Claims| c["nonce"] = wrong.clone();
        check_with(edit, optional, Err(code)).await;
    }
    // It is sent all the same.
    let world = world(|_| {}, optional).await;
    let start = world.provider().start(Ask::default()).await.unwrap();
    assert!(query(&start.url, "nonce").is_some());
}

#[tokio::test]
async fn the_same_sign_in_does_not_work_twice() {
    let world = World::new().await;
    let provider = world.provider();
    let (one, two) = (
        provider.start(Ask::default()).await.unwrap(),
        provider.start(Ask::default()).await.unwrap(),
    );
    // The code of one flow with the verifier of another (RFC 7636 section 4.6).
    let mut response = world.fake.authorize(&one.url);
    for (name, value) in &mut response {
        if name == "state" {
            *value = two.attempt.state().to_owned();
        }
    }
    let error = provider.finish(two.attempt, &response).await.unwrap_err();
    assert_eq!(error.code(), "code_refused");
    assert_eq!(error.blame(), Blame::Client);
}

/// JSON of any shape, with times and audiences among its scalars.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(Value::from("portcullis-client")),
        Just(Value::from("https://idp.example")),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{0,4}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_claims_panic(values in proptest::collection::vec(any_json(), 14)) {
        let names = [
            "iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "at_hash", "tid", "groups",
            "_claim_names", "hasgroups", "email",
        ];
        let claims: Map<_, _> = names.map(str::to_owned).into_iter().zip(values).collect();
        let (config, start) = static_start();
        let view = checks::Claims { token: Token::Id, claims: &claims };
        let issuer = issuer::accepted(&config, view).unwrap();
        let expected = checks::Expected {
            config: &config,
            issuer: &issuer,
            attempt: &start.attempt,
            code: "code",
            access_token: "token",
            now: Timestamp::from_secs(1_700_000_000),
        };
        for algorithm in [Algorithm::RS256, Algorithm::ES512, Algorithm::EdDSA] {
            prop_assert!(checks::check(&claims, algorithm, &expected).is_err());
        }
        let _ = subject::read(&claims, "sub", subject::Numbers::Allow);
        let _ = envelope::check_envelope(&claims, &config, &issuer, expected.now);
        let _ = graph::is_overage(&claims);
        let mut template = config.clone();
        template.issuer.push_str("/{tenantid}");
        let _ = issuer::accepted(&template, view);
        let mut merged = gathered::Gathered::new(Source::IdToken, claims.clone());
        merged.add(Source::Userinfo, claims);
    }
}

/// A configuration and an attempt, without any server.
fn static_start() -> (config::Provider, Start) {
    let url = |path: &str| {
        Some(
            Url::parse("https://idp.example")
                .unwrap()
                .join(path)
                .unwrap(),
        )
    };
    let config = config::Provider {
        issuer: "https://idp.example".to_owned(),
        discovery_url: None,
        endpoints: Endpoints {
            authorization: url("/authorize"),
            token: url("/token"),
            jwks_uri: url("/jwks"),
            ..Endpoints::default()
        },
        ..config_of(
            "https://idp.example".to_owned(),
            "portcullis-client".to_owned(),
            "s",
        )
    };
    let metadata = Metadata::from_config(&config).unwrap();
    let redirect_uri = Url::parse(REDIRECT_URI).unwrap();
    let start = authorize::start(&config, &metadata, &redirect_uri, Ask::default());
    (config, start)
}
