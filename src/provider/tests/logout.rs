//! Signing out at the provider too.

use super::*;

const RETURN_TO: &str = "https://git.example.com/sso/logout?done";

async fn sign_out(world: &World, hint: Option<&str>) -> Option<Url> {
    let hint = hint.map(|text| Secret::new(text.to_owned()));
    world
        .provider()
        .sign_out_url(hint.as_ref(), &Url::parse(RETURN_TO).unwrap())
        .await
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
    let own = Url::parse("https://idp.example/logout?policy=x").unwrap();
    let world = world(|_| {}, |config| config.endpoints.end_session = Some(own)).await;
    let url = sign_out(&world, None).await.unwrap();
    assert_eq!(query(&url, "policy").as_deref(), Some("x"));
}

#[tokio::test]
async fn a_provider_that_offers_none_has_none() {
    let world = world(|_| {}, |config| config.logout = false).await;
    assert_eq!(sign_out(&world, None).await, None);
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["end_session_endpoint"] = Value::Null);
    });
    assert_eq!(sign_out(&world, None).await, None);
}

#[tokio::test]
async fn a_provider_that_is_down_does_not_stop_a_sign_out() {
    let mut world = World::new().await;
    let provider = world.provider();
    world.fake.stop().await;
    let return_to = Url::parse(RETURN_TO).unwrap();
    assert_eq!(provider.sign_out_url(None, &return_to).await, None);
    // With metadata at hand, however old, nobody is asked.
    world.fake.restart().await;
    let provider = world.provider();
    provider.start(Ask::default()).await.unwrap();
    world.fake.stop().await;
    assert!(provider.sign_out_url(None, &return_to).await.is_some());
}

#[tokio::test]
async fn a_sign_out_does_not_wait_long() {
    let world = world(
        |script| {
            script
                .answers
                .insert("/.well-known/openid-configuration", Canned::Silence);
        },
        |_| {},
    )
    .await;
    assert_eq!(sign_out(&world, None).await, None);
}
