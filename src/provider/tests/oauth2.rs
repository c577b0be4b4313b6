//! Plain OAuth 2.0 providers: GitHub and its like.

use super::*;

/// A provider without ID tokens, whose person is this.
pub(super) async fn plain(person: Value) -> World {
    let mut world = World::new().await;
    configure_oauth2(&world.fake, &mut world.config);
    world.fake.script(|script| {
        script.person = object(person);
        script.token_answer = Box::new(|a| {
            a.as_object_mut().unwrap().remove("id_token");
        });
    });
    world
}

pub(super) async fn github(person: Value, emails: Value) -> World {
    let mut world = plain(person).await;
    world.config.fetch = vec![config::Fetch::GithubEmails];
    world.config.client_auth = match &world.config.client_auth {
        ClientAuth::Basic(secret) => ClientAuth::Post(secret.clone()),
        other => other.clone(),
    };
    world.fake.script(|script| {
        script.emails = emails;
        script.token_answer = Box::new(|a| {
            *a = json!({
                "access_token": a["access_token"],
                "token_type": "bearer",
                "scope": "read:user,user:email",
            });
        });
    });
    world
}

pub(super) fn octocat() -> Value {
    json!({
        "login": "octocat", "id": 583_231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User",
        "site_admin": false, "name": "The Octocat", "company": "@github", "email": null,
        "public_repos": 8, "created_at": "2011-01-25T18:44:36Z", "plan": {"name": "free"},
    })
}

#[tokio::test]
async fn a_numeric_id_becomes_its_digits() {
    let claims = plain(octocat()).await.sign_in().await.unwrap();
    assert_eq!(claims.subject(), "583231");
    assert_eq!(claims.claims()["login"], "octocat");
    assert!(claims.id_token().is_none());
}

#[tokio::test]
async fn there_is_no_nonce_but_there_is_pkce_and_state() {
    let world = plain(octocat()).await;
    let start = world.provider().start(Ask::default()).await.unwrap();
    assert_eq!(query(&start.url, "nonce"), None);
    assert!(query(&start.url, "code_challenge").is_some());
    assert!(query(&start.url, "state").is_some());
}

#[tokio::test]
async fn an_id_token_that_comes_along_is_not_looked_at() {
    let world = plain(octocat()).await;
    world.fake.script(|script| {
        script.token_answer = Box::new(|a| a["id_token"] = "nonsense".into());
    });
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.subject(), "583231");
    assert!(claims.id_token().is_none());
    // Tumblr's.
    world.fake.script(|script| {
        script.token_answer = Box::new(|a| a["id_token"] = false.into());
    });
    world.sign_in().await.unwrap();
}

#[tokio::test]
async fn a_person_without_an_identifier_is_refused() {
    for (id, code) in [
        (json!(null), "subject_missing"),
        (json!(""), "subject_empty"),
        (json!(1.5), "subject_type"),
        (json!({"a": 1}), "subject_type"),
    ] {
        let error = plain(json!({"login": "x", "id": id})).await.sign_in().await;
        assert_eq!(error.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn userinfo_must_answer() {
    for (canned, code) in [
        (
            Canned::json(401, &json!({"message": "Bad credentials"})),
            "answer_status",
        ),
        (
            Canned::json(200, &json!({"ok": false, "error": "invalid_auth"})),
            "answer_status",
        ),
        (Canned::json(200, &json!([])), "answer_not_object"),
        (
            Canned::Body(200, "application/jwt", b"a.b.c".into()),
            "answer_not_json",
        ),
    ] {
        let world = plain(octocat()).await;
        world.fake.script(|script| {
            script.answers.insert("/userinfo", canned);
        });
        // Whatever the configuration says: there is nothing else to know the person by.
        let mut world = world;
        world.config.userinfo = Userinfo::Off;
        assert_eq!(world.sign_in().await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_nested_identifier_is_found() {
    let mut world = plain(json!({"data": {"id": "2244994945", "username": "x"}})).await;
    world.config.subject_claim = "data.id".to_owned();
    assert_eq!(world.sign_in().await.unwrap().subject(), "2244994945");
}

#[tokio::test]
async fn github_tells_a_private_address_in_a_second_call() {
    let emails = json!([
        {"email": "old@example.com", "primary": false, "verified": true, "visibility": null},
        {"email": "octocat@example.com", "primary": true, "verified": true, "visibility": "private"},
    ]);
    let world = github(octocat(), emails).await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["email"], "octocat@example.com");
    assert_eq!(claims.claims()["email_verified"], true);
    let request = world.fake.last_request("/userinfo/emails");
    assert!(request.headers.contains_key("user-agent"));
    assert_eq!(claims.sources()["email"], Source::Emails);
    assert_eq!(claims.sources()["email_verified"], Source::Emails);
}

#[tokio::test]
async fn github_addresses_that_prove_nothing_are_not_used() {
    for emails in [
        json!([{"email": "a@example.com", "primary": true, "verified": false}]),
        json!([{"email": "a@example.com", "primary": false, "verified": true}]),
        json!([{"email": 7, "primary": true, "verified": true}]),
        json!([]),
        json!({"message": "Not Found"}),
        json!(null),
    ] {
        let claims = github(octocat(), emails).await.sign_in().await.unwrap();
        assert!(!claims.claims().contains_key("email"));
        assert!(!claims.claims().contains_key("email_verified"));
    }
    let world = github(octocat(), json!([])).await;
    world.fake.script(|script| {
        let refusal = Canned::json(404, &json!({"message": "Not Found"}));
        script.answers.insert("/userinfo/emails", refusal);
    });
    world.sign_in().await.unwrap();
}

#[tokio::test]
async fn a_public_github_address_does_not_stand_for_the_verified_one() {
    let mut person = octocat();
    person["email"] = "admin@example.com".into();
    let emails = json!([{"email": "octocat@example.com", "primary": true, "verified": true}]);
    let world = github(person.clone(), emails).await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["email"], "octocat@example.com");
    let claims = github(person, json!([])).await.sign_in().await.unwrap();
    assert!(!claims.claims().contains_key("email"));
}

#[tokio::test]
async fn github_refuses_with_status_200() {
    let world = github(octocat(), json!([])).await;
    for error in [
        "bad_verification_code",
        "incorrect_client_credentials",
        "redirect_uri_mismatch",
    ] {
        world.fake.script(|script| {
            let body = json!({"error": error, "error_description": "…", "error_uri": "https://x"});
            script.answers.insert("/token", Canned::json(200, &body));
        });
        let found = world.sign_in().await.unwrap_err();
        assert_eq!(found.code(), "token_refused");
        assert!(found.to_string().contains(error), "{found}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_missing_is_named() {
    let mut world = plain(octocat()).await;
    world.config.endpoints.userinfo = None;
    let error = world.sign_in().await.unwrap_err();
    assert!(crate::telemetry::chain(&error).contains("userinfo_endpoint"));
}
