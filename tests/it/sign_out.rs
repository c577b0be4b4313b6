//! Signing out ends all three sessions, and nothing signs in again by itself.

use crate::support::gateway::{base, provider_table, simple};
use crate::support::provider::FakeProvider;
use crate::support::{Browser, Setup};
use bytes::Bytes;
use http::Method;

async fn is_known(browser: &mut Browser) -> bool {
    browser.get("/sso/me").await.status == 200
}

#[tokio::test]
async fn signing_out_ends_the_session_here_in_bitbucket_and_at_the_provider() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    ana.set_cookie("BITBUCKETSESSIONID", "abc");
    let stolen = ana.cookie("__Host-portcullis").unwrap();
    ana.get("/sso/logout").await.expect(200).says("<form");
    assert!(is_known(&mut ana).await, "a GET must not sign out");
    setup.upstream.forget();
    let answer = ana.submit("/sso/logout", &[]).await.expect(303);
    let to = answer.location();
    assert!(
        to.as_str()
            .starts_with(&format!("{}/end_session", provider.issuer())),
        "{to}"
    );
    let query: Vec<_> = to
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert!(
        query.contains(&"id_token_hint".to_owned())
            && query.contains(&"post_logout_redirect_uri".to_owned()),
        "{query:?}"
    );
    // Bitbucket was told, with its own cookie and without ours.
    let told = setup.upstream.last();
    assert!(
        told.target.starts_with("/j_atl_security_logout"),
        "{}",
        told.target
    );
    assert_eq!(
        told.one("cookie").as_deref(),
        Some("BITBUCKETSESSIONID=abc")
    );
    let removed: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .filter(|c| c.contains("Max-Age=0"))
        .collect();
    assert!(
        removed.iter().any(|c| c.starts_with("__Host-portcullis=")),
        "{removed:?}"
    );
    assert!(
        removed.iter().any(|c| c.starts_with("BITBUCKETSESSIONID=")),
        "{removed:?}"
    );
    let end = ana.follow(to.as_str()).await.expect(200);
    assert_eq!(end.url.path(), "/sso/signed-out");
    assert!(!is_known(&mut ana).await);
    let mut thief = setup.browser();
    thief.set_cookie("__Host-portcullis", &stolen);
    assert!(!is_known(&mut thief).await);
}

#[tokio::test]
async fn the_signed_out_page_does_not_sign_in_again() {
    let setup = simple("").await;
    let page = setup
        .browser()
        .get("/sso/signed-out")
        .await
        .expect(200)
        .says("/sso/login");
    assert!(page.header("refresh").is_none() && !page.text().contains("http-equiv"));
}

#[tokio::test]
async fn who_comes_back_late_from_the_providers_sign_out_is_not_signed_in_again() {
    let provider = FakeProvider::start().await;
    let extra = "[sign_out]\nredirect_to = \"/\"\n";
    let setup = Setup::with_provider(&provider, extra).await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    ana.submit("/sso/logout", &[]).await.expect(303);
    // More than a minute at a question of the provider's.
    ana.drop_cookie("portcullis-left");
    let page = ana.follow("/sso/signed-out").await.expect(200);
    assert_eq!(page.url.path(), "/sso/login");
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn a_sign_out_while_the_provider_is_down_ends_the_local_session() {
    let mut provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    provider.stop().await;
    ana.submit("/sso/logout", &[]).await;
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_out() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/sso/logout").unwrap();
    for fields in [
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site"), ("origin", "null")],
    ] {
        let answer = ana.send(Method::POST, &url, &fields, Bytes::new()).await;
        assert!(
            answer.status.is_client_error() || answer.status == 200,
            "{}",
            answer.status
        );
        assert!(is_known(&mut ana).await, "{fields:?}");
    }
    // Nor by a picture of Bitbucket's own sign-out address.
    let url = ana.home.join("/j_atl_security_logout").unwrap();
    let picture = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-dest", "image"),
    ];
    ana.send(Method::GET, &url, &picture, Bytes::new()).await;
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn bitbuckets_own_sign_out_link_is_the_gateways() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/j_atl_security_logout").unwrap();
    let click = [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("accept", "text/html"),
    ];
    let answer = ana
        .send(Method::GET, &url, &click, Bytes::new())
        .await
        .expect(303);
    assert_eq!(answer.location().path(), "/sso/signed-out");
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn provider_logout_can_be_switched_off_and_the_end_chosen() {
    let provider = FakeProvider::start().await;
    let toml = base()
        + &provider_table(&provider, "idp")
        + "[sign_out]\nprovider_logout = false\nredirect_to = \"https://intranet.example.com/\"\n";
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    let answer = ana.submit("/sso/logout", &[]).await.expect(303);
    assert_eq!(answer.location().as_str(), "https://intranet.example.com/");
}
