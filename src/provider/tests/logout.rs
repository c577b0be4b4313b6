//! Signing out at the provider too.

use super::*;

const RETURN_TO: &str = "https://git.example.com/sso/logout?done";

async fn farewell(world: &World, hint: Option<&str>) -> Farewell {
    let hint = hint.map(|text| Secret::new(text.to_owned()));
    world
        .provider()
        .sign_out(hint.as_ref(), &Url::parse(RETURN_TO).unwrap())
        .await
}

async fn sign_out(world: &World, hint: Option<&str>) -> Option<Url> {
    match farewell(world, hint).await {
        Farewell::At(url) => Some(url),
        Farewell::Local | Farewell::Unreachable(_) => None,
    }
}

#[tokio::test]
async fn rp_init_logout() {
    let world = World::new().await;
    let url = sign_out(&world, Some("a.b.c")).await.unwrap();
    assert_eq!(url.path(), "/end_session");
    for (name, value) in [
        ("id_token_hint", "a.b.c"),
        ("client_id", "portcullis-client"),
        ("post_logout_redirect_uri", RETURN_TO),
    ] {
        assert_eq!(query(&url, name).as_deref(), Some(value), "{name}");
    }
    let again = sign_out(&world, Some("a.b.c")).await.unwrap();
    assert_ne!(
        query(&url, "state").unwrap(),
        query(&again, "state").unwrap()
    );
}

#[tokio::test]
async fn without_a_hint_the_client_says_who_asks() {
    let world = World::new().await;
    let url = sign_out(&world, None).await.unwrap();
    assert_eq!(query(&url, "id_token_hint"), None);
    assert!(query(&url, "client_id").is_some());
}

#[tokio::test]
async fn a_hint_that_would_break_the_address_is_left_out() {
    let world = World::new().await;
    let url = sign_out(&world, Some(&"x".repeat(4097))).await.unwrap();
    assert_eq!(query(&url, "id_token_hint"), None);
    let url = sign_out(&world, Some(&"x".repeat(4096))).await.unwrap();
    assert!(query(&url, "id_token_hint").is_some());
}

#[tokio::test]
async fn salesforce_is_given_no_return_address() {
    let world = world(|_| {}, |config| config.logout_returns = false).await;
    let url = sign_out(&world, Some("a.b.c")).await.unwrap();
    assert_eq!(query(&url, "post_logout_redirect_uri"), None);
    assert_eq!(query(&url, "state"), None);
    assert!(query(&url, "id_token_hint").is_some());
}

#[tokio::test]
async fn an_endpoint_keeps_its_own_query() {
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| {
            let own = format!("{}?policy=x", d["end_session_endpoint"].as_str().unwrap());
            d["end_session_endpoint"] = own.into();
        });
    });
    let url = sign_out(&world, None).await.unwrap();
    assert_eq!(query(&url, "policy").as_deref(), Some("x"));
}

/// The address, with the parameters in their order.
async fn styled(style: LogoutStyle, named: Option<&str>, want: &str) {
    let world = world(|_| {}, |config| config.logout_style = style).await;
    let named = named.map(|path| world.fake.url(path).to_string());
    world.fake.script(|script| {
        script.discovery = Box::new(move |d| d["end_session_endpoint"] = json!(named));
    });
    let url = sign_out(&world, Some("a.b.c")).await;
    let shown = url.map(|url| url.as_str().replace(world.fake.origin(), ""));
    assert_eq!(shown.as_deref().unwrap_or(""), want, "{style:?}");
}

#[tokio::test]
async fn each_provider_is_told_in_its_own_words() {
    let back = "https%3A%2F%2Fgit.example.com%2Fsso%2Flogout%3Fdone";
    let cognito = format!("/logout?client_id=portcullis-client&logout_uri={back}");
    styled(LogoutStyle::Cognito, None, &cognito).await;
    let elsewhere = format!("/pool/logout?client_id=portcullis-client&logout_uri={back}");
    styled(LogoutStyle::Cognito, Some("/pool/logout"), &elsewhere).await;
    let auth0 = format!("/v2/logout?client_id=portcullis-client&returnTo={back}");
    styled(LogoutStyle::Auth0, None, &auth0).await;
    styled(LogoutStyle::Auth0, Some("/v2/logout"), &auth0).await;
    styled(LogoutStyle::None, Some("/end_session"), "").await;
    styled(LogoutStyle::Oidc, None, "").await;
}

#[tokio::test]
async fn auth0_speaks_openid_connect_where_it_says_so() {
    let world = world(|_| {}, |config| config.logout_style = LogoutStyle::Auth0).await;
    let url = sign_out(&world, Some("a.b.c")).await.unwrap();
    assert_eq!(query(&url, "id_token_hint").as_deref(), Some("a.b.c"));
}

#[tokio::test]
async fn a_provider_that_offers_none_has_none() {
    let world = world(|_| {}, |config| config.logout = false).await;
    assert_eq!(farewell(&world, None).await, Farewell::Local);
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["end_session_endpoint"] = Value::Null);
    });
    assert_eq!(farewell(&world, None).await, Farewell::Local);
}

#[tokio::test]
async fn a_provider_that_is_down_does_not_stop_a_sign_out() {
    let mut world = World::new().await;
    let provider = world.provider();
    world.fake.stop().await;
    let return_to = Url::parse(RETURN_TO).unwrap();
    let unknown = provider.sign_out(None, &return_to).await;
    assert_eq!(unknown, Farewell::Unreachable(None));
    // With metadata at hand, it is known where the browser would have gone.
    world.fake.restart().await;
    let provider = world.provider();
    provider.start(Ask::default()).await.unwrap();
    world.fake.stop().await;
    let Farewell::Unreachable(Some(url)) = provider.sign_out(None, &return_to).await else {
        panic!("nobody is there");
    };
    assert_eq!(url.path(), "/end_session");
    // A proxy in front of nothing is nobody too.
    world.fake.restart().await;
    world.fake.script(|script| script.outage = true);
    let refused = provider.sign_out(None, &return_to).await;
    assert!(matches!(refused, Farewell::Unreachable(Some(_))));
}

#[tokio::test]
async fn whatever_the_address_answers_without_a_person_it_is_there() {
    for status in [200, 302, 400, 405, 500] {
        let world = World::new().await;
        world.fake.script(|script| {
            let answer = Canned::Header(status, "location", "/elsewhere".to_owned());
            script.answers.insert("/end_session", answer);
        });
        assert!(sign_out(&world, None).await.is_some(), "{status}");
        let asked = world.fake.last_request("/end_session");
        assert!(
            asked.query.is_empty(),
            "nobody is signed out by the question"
        );
    }
}

#[tokio::test]
async fn a_sign_out_does_not_wait_long() {
    for path in ["/.well-known/openid-configuration", "/end_session"] {
        let world = World::new().await;
        world.fake.script(|script| {
            script.answers.insert(path, Canned::Silence);
        });
        let farewell = farewell(&world, None).await;
        assert!(matches!(farewell, Farewell::Unreachable(_)), "{path}");
    }
}
