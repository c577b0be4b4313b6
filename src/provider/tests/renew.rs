//! Looking again with a refresh token (RFC 6749 §6, OpenID Connect Core §12.2).

use super::*;

fn gives(script: &mut Script) {
    script.refresh = true;
}

/// A sign-in, and what its session knows.
struct Session {
    world: World,
    provider: Arc<Provider>,
    claims: VerifiedClaims,
}

impl Session {
    async fn begin(
        script: impl FnOnce(&mut Script),
        configure: impl FnOnce(&mut config::Provider),
    ) -> Self {
        let world = world(
            |it| {
                gives(it);
                script(it);
            },
            configure,
        )
        .await;
        let provider = world.provider();
        let claims = sign_in(&provider, &world.fake).await.unwrap();
        Self {
            world,
            provider,
            claims,
        }
    }

    async fn look_with(&self, renewal: &Renewal) -> Result<VerifiedClaims, Error> {
        let known = Known {
            issuer: self.claims.issuer(),
            subject: self.claims.subject(),
            id_token: self.claims.id_token(),
        };
        let renewed = self.provider.renew(renewal).await?;
        self.provider.look_again(renewed, known).await
    }

    async fn look(&self) -> Result<VerifiedClaims, Error> {
        self.look_with(self.claims.renewal().unwrap()).await
    }
}

/// The ID token of the refresh, with its claims as this leaves them.
async fn check(edit: impl Fn(&mut Value) + Send + 'static, expected: Result<(), &str>) {
    let session = Session::begin(|script| script.renewed_claims = Box::new(edit), |_| {}).await;
    let result = session.look().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

fn remove(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

#[tokio::test]
async fn what_looks_again_is_kept_only_where_that_is_wanted_and_given() {
    let session = Session::begin(|_| {}, |_| {}).await;
    let renewal = session.claims.renewal().unwrap();
    assert_eq!(renewal.expires_in, Some(Duration::from_secs(3600)));
    let off = Session::begin(|_| {}, |config| config.refresh = false).await;
    assert!(off.claims.renewal().is_none());
    let none = accepted(|_| {}).await;
    assert!(none.renewal().is_none());
    let odd = Session::begin(
        |script| script.token_answer = Box::new(|answer| answer["expires_in"] = "600".into()),
        |_| {},
    )
    .await;
    let expires_in = odd.claims.renewal().unwrap().expires_in;
    assert_eq!(expires_in, Some(Duration::from_secs(600)));
    let shown = format!("{:?}", session.claims.renewal());
    assert!(!shown.contains(renewal.token.expose()), "{shown}");
}

#[tokio::test]
async fn the_claims_are_those_that_a_sign_in_would_have_now() {
    let session = Session::begin(|_| {}, |_| {}).await;
    session.world.fake.script(|script| {
        script.person["groups"] = json!(["admins"]);
        script.person["name"] = "Ana Newname".into();
    });
    let claims = session.look().await.unwrap();
    assert_eq!(claims.claims()["groups"], json!(["admins"]));
    assert_eq!(claims.claims()["name"], "Ana Newname");
    assert_eq!(claims.subject(), session.claims.subject());
    assert_eq!(claims.issuer(), session.claims.issuer());
    let asked = session.world.fake.last_request("/token");
    assert_eq!(asked.param("grant_type"), Some("refresh_token"));
    assert_eq!(asked.param("scope"), None);
    assert_eq!(asked.param("redirect_uri"), None);
}

#[tokio::test]
async fn a_rotated_token_takes_the_place_of_the_old_one() {
    let session = Session::begin(|_| {}, |_| {}).await;
    let first = session.claims.renewal().unwrap();
    let second = session.look().await.unwrap();
    let second = second.renewal().unwrap();
    assert_ne!(first.token, second.token);
    session.look_with(second).await.unwrap();
    // A spent one is taken for theft.
    let again = session.look_with(first).await.unwrap_err();
    assert_eq!(again.code(), "renewal_refused");
    assert!(again.ends_session());
}

#[tokio::test]
async fn without_rotation_the_old_one_stays() {
    let session = Session::begin(|script| script.rotates = false, |_| {}).await;
    let first = session.claims.renewal().unwrap();
    let second = session.look().await.unwrap();
    assert_eq!(first.token, second.renewal().unwrap().token);
}

#[tokio::test]
async fn what_was_given_is_known_before_the_rest_can_fail() {
    let session = Session::begin(|_| {}, |_| {}).await;
    let renewal = session.claims.renewal().unwrap();
    let renewed = session.provider.renew(renewal).await.unwrap();
    assert_ne!(renewed.renewal().token, renewal.token);
    session.world.fake.script(|script| script.outage = true);
    let known = Known {
        issuer: session.claims.issuer(),
        subject: session.claims.subject(),
        id_token: session.claims.id_token(),
    };
    // Userinfo that a sign-in could do without has to answer here: groups may stand there.
    let error = session.provider.look_again(renewed, known).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "answer_status");
    assert!(!error.ends_session());
}

#[tokio::test]
async fn an_answer_without_an_id_token_lets_userinfo_speak() {
    let session = Session::begin(|script| script.no_renewed_id_token = true, |_| {}).await;
    session
        .world
        .fake
        .script(|script| script.person["groups"] = json!(["admins"]));
    let claims = session.look().await.unwrap();
    assert_eq!(claims.claims()["groups"], json!(["admins"]));
    assert_eq!(claims.sources()["groups"], Source::Userinfo);
    // What only the old ID token says is still known.
    assert_eq!(claims.sources()["auth_time"], Source::IdToken);
    assert!(claims.id_token().is_none());
}

#[tokio::test]
async fn userinfo_must_be_about_the_same_person() {
    let session = Session::begin(|_| {}, |_| {}).await;
    session.world.fake.script(|script| {
        script.userinfo = Box::new(|claims| claims["sub"] = "somebody-else".into());
    });
    let error = session.look().await.unwrap_err();
    assert_eq!(error.code(), "userinfo_subject_mismatch");
    assert!(error.ends_session());
}

#[tokio::test]
async fn the_id_token_must_be_of_the_same_sign_in() {
    check(|_| {}, Ok(())).await;
    check(|c| c["sub"] = "other".into(), Err("claim_changed")).await;
    check(|c| remove(c, "sub"), Err("claim_changed")).await;
    check(
        |c| c["iss"] = "https://other".into(),
        Err("issuer_mismatch"),
    )
    .await;
    check(|c| c["aud"] = "other".into(), Err("audience_mismatch")).await;
    check(
        |c| c["azp"] = "other".into(),
        Err("authorized_party_mismatch"),
    )
    .await;
    check(|c| c["auth_time"] = 1.into(), Err("claim_changed")).await;
    check(|c| remove(c, "auth_time"), Ok(())).await;
    check(|c| c["nonce"] = "another".into(), Err("claim_changed")).await;
    check(|c| c["exp"] = 1.into(), Err("expired")).await;
    check(
        |c| c["at_hash"] = "x".into(),
        Err("access_token_hash_mismatch"),
    )
    .await;
    let old = |c: &mut Value| c["iat"] = (c["iat"].as_u64().unwrap() - 90).into();
    check(old, Err("claim_changed")).await;
}

#[tokio::test]
async fn plain_oauth_asks_userinfo_again() {
    let session = Session::begin(
        |script| {
            script.person.insert("id".to_owned(), 7.into());
            script.no_renewed_id_token = true;
        },
        |config| {
            config.protocol = Protocol::OAuth2;
            config.subject_claim = "id".to_owned();
        },
    )
    .await;
    session
        .world
        .fake
        .script(|script| script.person["name"] = "Ana Newname".into());
    let claims = session.look().await.unwrap();
    assert_eq!(claims.claims()["name"], "Ana Newname");
    session
        .world
        .fake
        .script(|script| script.person["id"] = 8.into());
    let error = session.look_with(claims.renewal().unwrap()).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "another_person");
    assert!(error.ends_session());
}

#[tokio::test]
async fn a_refusal_ends_the_session_and_an_outage_does_not() {
    for (error, ends) in [
        ("invalid_grant", true),
        ("interaction_required", true),
        ("access_denied", true),
        ("bad_refresh_token", true),
        ("invalid_client", false),
        ("temporarily_unavailable", false),
        ("invalid_scope", false),
        ("rate_limit_exceeded", false),
    ] {
        let session = Session::begin(|_| {}, |_| {}).await;
        session
            .world
            .fake
            .script(|script| script.refuse_refresh = Some(error));
        let found = session.look().await.unwrap_err();
        assert_eq!(found.ends_session(), ends, "{error}: {found:?}");
    }
    let mut session = Session::begin(|_| {}, |_| {}).await;
    session.world.fake.script(|script| script.outage = true);
    assert!(!session.look().await.unwrap_err().ends_session());
    session.world.fake.stop().await;
    assert!(!session.look().await.unwrap_err().ends_session());
}
