//! The provider as an application sees it.

use super::*;
use crate::demo::people;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::RequestBuilder;
use reqwest::redirect::Policy;
use serde_json::Value;
use std::collections::HashMap;

const CALLBACK: &str = "http://127.0.0.1:8080/sso/callback/demo";
const VERIFIER: &str = "a-verifier-of-43-characters-0123456789abcdef";

struct World {
    provider: Provider,
    clock: Clock,
    http: reqwest::Client,
}

async fn world() -> World {
    // Only the first call of the process does something.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let setup = Setup {
        clients: vec![Client {
            id: "portcullis".to_owned(),
            secret: Secret::new("s:e c+ret".to_owned()),
            redirect_uris: vec![CALLBACK.to_owned()],
        }],
        people: people(),
        clock: clock.clone(),
    };
    World {
        provider: start(setup).await.unwrap(),
        clock,
        http: reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap(),
    }
}

fn challenge() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// A good request, with these parameters instead or besides; an empty value removes one.
fn request(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = challenge();
    let good = [
        ("client_id", "portcullis"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email groups"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let unchanged = good
        .iter()
        .filter(|(name, _)| !changes.iter().any(|(key, _)| key == name));
    let all = unchanged.chain(changes.iter().filter(|(_, value)| !value.is_empty()));
    all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn location(response: &reqwest::Response) -> HashMap<String, String> {
    assert_eq!(response.status(), 303);
    let url = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    url.query_pairs().into_owned().collect()
}

impl World {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.provider.issuer())
    }

    fn get<K: AsRef<str>, V: AsRef<str>>(&self, path: &str, query: &[(K, V)]) -> RequestBuilder {
        let url = Url::parse_with_params(&self.at(path), query).unwrap();
        self.http.get(url)
    }

    async fn choose(&self, subject: &str, changes: &[(&str, &str)]) -> reqwest::Response {
        let mut form = request(changes);
        form.push(("person".to_owned(), subject.to_owned()));
        self.http
            .post(self.at("/authorize"))
            .form(&form)
            .send()
            .await
            .unwrap()
    }

    async fn code(&self) -> String {
        location(&self.choose("u-1001", &[]).await)["code"].clone()
    }

    async fn redeem(&self, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
        let good = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("client_id", "portcullis"),
            ("client_secret", "s:e c+ret"),
        ];
        let unchanged = good
            .iter()
            .filter(|(name, _)| !changes.iter().any(|(k, _)| k == name));
        let form: Vec<_> = unchanged
            .chain(changes)
            .filter(|(_, v)| !v.is_empty())
            .collect();
        let sent = self
            .http
            .post(self.at("/token"))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.headers()["cache-control"], "no-store");
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    async fn claims(&self, id_token: &str) -> Value {
        let keys: Value = self.json("/jwks").await;
        let key = &keys["keys"][0];
        let key =
            DecodingKey::from_ec_components(key["x"].as_str().unwrap(), key["y"].as_str().unwrap())
                .unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&["portcullis"]);
        rules.set_issuer(&[self.provider.issuer()]);
        rules.validate_exp = false; // The clock stands still elsewhere.
        jsonwebtoken::decode(id_token, &key, &rules).unwrap().claims
    }

    async fn json(&self, path: &str) -> Value {
        self.http
            .get(self.at(path))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_sign_in_ends_with_the_chosen_persons_claims() {
    let world = world().await;
    let page = world.get("/authorize", &request(&[])).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:8080;"),
        "{policy}"
    );
    let html = page.text().await.unwrap();
    assert!(html.contains("value=\"u-1001\"") && html.contains("value=\"st&amp;te\""));

    let back = location(&world.choose("u-1001", &[]).await);
    assert_eq!(back["state"], "st&te");
    assert_eq!(back["iss"], world.provider.issuer());
    let (status, tokens) = world.redeem(&back["code"], &[]).await;
    assert_eq!(status, 200, "{tokens}");
    let claims = world.claims(tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["sub"], "u-1001");
    assert_eq!(claims["nonce"], "n0nce");
    assert_eq!(claims["preferred_username"], "ana");
    assert_eq!(claims["groups"][1], "dev");
    assert_eq!(claims["iat"], 1_800_000_000);

    let userinfo = |token: String| {
        let get = world.http.get(world.at("/userinfo"));
        async move { get.bearer_auth(token).send().await.unwrap() }
    };
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let info: Value = userinfo(access.clone()).await.json().await.unwrap();
    assert_eq!(
        (&info["sub"], &info["email_verified"]),
        (&json!("u-1001"), &json!(true))
    );
    world.clock.advance(TOKEN_LIFETIME);
    assert_eq!(userinfo(access).await.status(), 401);
    assert_eq!(userinfo("guess".to_owned()).await.status(), 401);
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_told() {
    let world = world().await;
    let back = location(&world.choose("u-1001", &[("scope", "openid")]).await);
    let (_, tokens) = world.redeem(&back["code"], &[]).await;
    let claims = world.claims(tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["sub"], "u-1001");
    assert!(claims.get("email").is_none() && claims.get("groups").is_none());
}

#[tokio::test]
async fn a_code_works_once_and_for_a_minute() {
    let world = world().await;
    let code = world.code().await;
    assert_eq!(world.redeem(&code, &[]).await.0, 200);
    let (status, again) = world.redeem(&code, &[]).await;
    assert_eq!((status, &again["error"]), (400, &json!("invalid_grant")));

    let late = world.code().await;
    world.clock.advance(CODE_LIFETIME);
    assert_eq!(world.redeem(&late, &[]).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_is_refused_to_whoever_cannot_prove_that_it_is_theirs() {
    let world = world().await;
    let other = Client {
        id: "other".to_owned(),
        secret: Secret::new("other".to_owned()),
        redirect_uris: vec![CALLBACK.to_owned()],
    };
    world.provider.register(other);
    let wrong_verifier = "another-verifier-of-43-characters-0123456789";
    for (change, error) in [
        (&[("code_verifier", wrong_verifier)][..], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_grant"),
        (
            &[("redirect_uri", "http://127.0.0.1:8080/")],
            "invalid_grant",
        ),
        (
            &[("client_id", "other"), ("client_secret", "other")],
            "invalid_grant",
        ),
        (&[("client_secret", "wrong")], "invalid_client"),
        (&[("client_secret", "")], "invalid_client"),
        (&[("client_id", "nobody")], "invalid_client"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("code", "")], "invalid_request"),
    ] {
        let code = world.code().await;
        let (status, answer) = world.redeem(&code, change).await;
        assert_eq!(answer["error"], error, "{change:?}");
        assert_eq!(status, if error == "invalid_client" { 401 } else { 400 });
    }
}

#[tokio::test]
async fn basic_authentication_decodes_both_halves() {
    let world = world().await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &world.code().await),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let post = || world.http.post(world.at("/token")).form(&form);
    let twice = post()
        .basic_auth("portcullis", Some("s%3Ae+c%2Bret"))
        .form(&[("client_secret", "s:e c+ret")])
        .send();
    assert_eq!(twice.await.unwrap().status(), 400);
    let raw = post()
        .basic_auth("portcullis", Some("s:e c+ret"))
        .send()
        .await
        .unwrap();
    assert_eq!(raw.status(), 401);
    assert!(raw.headers().contains_key("www-authenticate"));
    let encoded = post()
        .basic_auth("portcullis", Some("s%3Ae+c%2Bret"))
        .send();
    assert_eq!(encoded.await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_untrusted_request_is_answered_here_and_never_redirected() {
    let world = world().await;
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "http://127.0.0.1:8080/sso/callback/demo/"),
        ("redirect_uri", "https://attacker.example/"),
        ("redirect_uri", ""),
    ] {
        let response = world.choose("u-1001", &[change]).await;
        assert_eq!(response.status(), 400, "{change:?}");
        assert!(!response.headers().contains_key("location"));
    }
    let mut twice = request(&[]);
    twice.push(("redirect_uri".to_owned(), CALLBACK.to_owned()));
    let get = world.get("/authorize", &twice);
    assert_eq!(get.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_application_learns_why_its_request_was_refused() {
    let world = world().await;
    for (change, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "profile"), "invalid_scope"),
        (("request", "e30.e30."), "request_not_supported"),
        (
            ("request_uri", "https://a.example"),
            "request_uri_not_supported",
        ),
        (("deny", "1"), "access_denied"),
    ] {
        let back = location(&world.choose("u-1001", &[change]).await);
        assert_eq!(back["error"], error, "{change:?}");
        assert_eq!(back["state"], "st&te");
        assert_eq!(back["iss"], world.provider.issuer());
        assert!(!back.contains_key("code"));
    }
}

#[tokio::test]
async fn form_post_answers_with_a_form_that_needs_no_script() {
    let world = world().await;
    let page = world
        .choose("u-1001", &[("response_mode", "form_post")])
        .await;
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    let action = CALLBACK.replace('/', "&#x2f;");
    assert!(html.contains(&format!("action=\"{action}\"")), "{html}");
    assert!(html.contains("name=\"code\"") && html.contains("name=\"iss\""));
    assert!(html.contains("<button"));
}

#[tokio::test]
async fn a_browser_is_remembered_until_it_signs_out() {
    let world = world().await;
    let silent = |cookie: String| {
        let query = request(&[("prompt", "none")]);
        let get = world.get("/authorize", &query);
        async move { location(&get.header("cookie", cookie).send().await.unwrap()) }
    };
    assert_eq!(silent(String::new()).await["error"], "login_required");

    let chosen = world.choose("u-1001", &[]).await;
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("Path=/authorize;") && cookie.contains("HttpOnly"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let code = silent(cookie.clone()).await["code"].clone();
    let (_, tokens) = world.redeem(&code, &[]).await;

    let query = [
        ("id_token_hint", tokens["id_token"].as_str().unwrap()),
        (
            "post_logout_redirect_uri",
            "http://127.0.0.1:8080/sso/signed-out",
        ),
        ("state", "bye"),
    ];
    let end = world.get("/end-session", &query);
    let end = end.send().await.unwrap();
    assert_eq!(end.status(), 303);
    assert_eq!(
        end.headers()["location"],
        "http://127.0.0.1:8080/sso/signed-out?state=bye"
    );
    assert_eq!(silent(cookie).await["error"], "login_required");
}

#[tokio::test]
async fn a_sign_out_without_a_hint_asks_and_goes_nowhere_unregistered() {
    let world = world().await;
    let form = |confirm: &'static str, uri: &'static str| {
        let pairs = [
            ("client_id", "portcullis"),
            ("post_logout_redirect_uri", uri),
            ("confirm", confirm),
        ];
        world
            .http
            .post(world.at("/end-session"))
            .form(&pairs)
            .send()
    };
    let asked = form("", "http://127.0.0.1:8080/").await.unwrap();
    assert!(asked.text().await.unwrap().contains("<button"));
    assert_eq!(
        form("1", "http://127.0.0.1:8080/").await.unwrap().status(),
        303
    );
    assert_eq!(
        form("1", "https://attacker.example/")
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn discovery_describes_what_is_there_and_a_new_key_replaces_the_old() {
    let world = world().await;
    let metadata = world.json("/.well-known/openid-configuration").await;
    assert_eq!(metadata["issuer"], world.provider.issuer());
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(metadata["jwks_uri"], world.at("/jwks"));
    let before = world.json("/jwks").await;
    assert!(before["keys"][0].get("d").is_none());
    world.provider.rotate_key().unwrap();
    let after = world.json("/jwks").await;
    assert_ne!(before["keys"][0]["kid"], after["keys"][0]["kid"]);
    let (_, tokens) = world.redeem(&world.code().await, &[]).await;
    world.claims(tokens["id_token"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_stopped_provider_refuses_connections() {
    let world = world().await;
    world.provider.listener().stop().await;
    let error = world.http.get(world.at("/jwks")).send().await.unwrap_err();
    assert!(error.is_connect());
}
