//! What `check --online` finds.

use super::*;

async fn findings(world: &World) -> Vec<Finding> {
    world.provider().probe().await
}

/// There is a bad finding about this, with this in the detail and this in the remedy.
#[track_caller]
fn bad(findings: &[Finding], what: &str, detail: &str, remedy: &str) {
    let found = findings.iter().find(|finding| finding.what == what);
    let found = found.unwrap_or_else(|| panic!("nothing about {what}: {findings:#?}"));
    assert!(!found.ok, "{found:?}");
    assert!(found.detail.english().contains(detail), "{found:?}");
    assert!(found.remedy.english().contains(remedy), "{found:?}");
}

#[tokio::test]
async fn a_good_provider_has_nothing_to_be_done() {
    let world = World::new().await;
    let findings = findings(&world).await;
    assert!(
        findings.iter().all(|f| f.ok && f.remedy.is_empty()),
        "{findings:#?}"
    );
    let about: Vec<_> = findings.iter().map(|f| f.what).collect();
    assert_eq!(
        about,
        ["discovery", "issuer", "keys", "clock", "redirect URI"]
    );
    assert!(findings[2].detail.english().starts_with("1 usable"));
    assert!(findings[4].detail.english().contains(REDIRECT_URI));
    assert!(world.fake.requests("/token").is_empty());
}

#[tokio::test]
async fn a_wrong_issuer_is_told_with_the_right_one() {
    let mut world = World::new().await;
    let right = world.config.issuer.clone();
    world.config.issuer.push('/');
    let findings = findings(&world).await;
    bad(
        &findings,
        "issuer",
        &right,
        &format!("set issuer = \"{right}\""),
    );
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_with_the_reason() {
    let mut world = World::new().await;
    world.fake.stop().await;
    let findings = findings(&world).await;
    bad(&findings, "discovery", "onnection refused", "firewall");
    assert!(
        findings.iter().any(|f| f.what == "redirect URI"),
        "what can be said is said"
    );
}

#[tokio::test]
async fn a_certificate_problem_is_told() {
    let mut world = World::of(FakeProvider::start_tls().await);
    world.config.ca_file = None;
    bad(
        &findings(&world).await,
        "discovery",
        "UnknownIssuer",
        "ca_file",
    );
}

#[tokio::test]
async fn a_wrong_address_is_told() {
    let mut world = World::new().await;
    world.config.discovery_url = Some(world.fake.url("/nowhere"));
    bad(&findings(&world).await, "discovery", "404", "discovery_url");
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_in_seconds() {
    let mut world = World::new().await;
    for (ours, words) in [
        (
            Clock::system().now().plus(Duration::from_secs(100)),
            "s ahead",
        ),
        (
            Clock::system().now().minus(Duration::from_secs(100)),
            "s behind",
        ),
    ] {
        world.clock = Clock::manual(ours);
        bad(&findings(&world).await, "clock", words, "synchronize");
    }
}

#[tokio::test]
async fn keys_are_counted_and_explained() {
    let world = World::new().await;
    world.fake.script(|script| {
        script
            .published
            .push(json!({"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"}));
    });
    let found = findings(&world).await;
    let keys = found.iter().find(|f| f.what == "keys").unwrap();
    assert_eq!(
        keys.detail.english(),
        "1 usable; \"old\" is passed over, because it has only 17 bits"
    );
    world.fake.script(|script| script.published.clear());
    bad(
        &findings(&world).await,
        "keys",
        "0 keys",
        "runs the provider",
    );
}

#[tokio::test]
async fn an_authentication_method_that_is_not_offered_is_told() {
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| {
            d["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        });
    });
    bad(
        &findings(&world).await,
        "client authentication",
        "client_secret_post",
        "client_auth",
    );
}

#[tokio::test]
async fn algorithms_and_endpoints_are_told() {
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| {
            d["id_token_signing_alg_values_supported"] = json!(["HS256"]);
        });
    });
    bad(
        &findings(&world).await,
        "algorithms",
        "HS256",
        "signing_algs",
    );
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["token_endpoint"] = "http://idp.example".into());
    });
    bad(
        &findings(&world).await,
        "endpoints",
        "https",
        "insecure_http",
    );
}

#[tokio::test]
async fn without_discovery_the_token_endpoint_is_tried() {
    let mut world = World::new().await;
    configure_oauth2(&world.fake, &mut world.config);
    let found = findings(&world).await;
    let about: Vec<_> = found.iter().map(|f| (f.ok, f.what)).collect();
    assert_eq!(
        about,
        [
            (true, "endpoints"),
            (true, "token endpoint"),
            (true, "clock"),
            (true, "redirect URI")
        ]
    );
    world.fake.stop().await;
    bad(
        &findings(&world).await,
        "token endpoint",
        "reached",
        "firewall",
    );
}

#[tokio::test]
async fn a_scope_that_a_fetch_needs_is_told() {
    use config::Fetch;
    let mut world = World::new().await;
    world.config.fetch = vec![Fetch::GithubEmails, Fetch::GithubTeams];
    world.config.scopes = vec!["user:email".to_owned()];
    let found = findings(&world).await;
    bad(
        &found,
        "fetch",
        "\"github_teams\" needs the scope \"read:org\"",
        "add \"read:org\" to scopes",
    );
    assert_eq!(found.iter().filter(|f| f.what == "fetch").count(), 1);
    world.config.scopes.push("read:org".to_owned());
    assert!(findings(&world).await.iter().all(|f| f.ok));
    // An application without scopes has permissions of another kind.
    world.config.scopes.clear();
    assert!(findings(&world).await.iter().all(|f| f.ok));
}

#[tokio::test]
async fn graph_is_reached_or_not() {
    let mut world = World::new().await;
    world.config.fetch = vec![config::Fetch::GraphGroups];
    world.config.graph_url = world.fake.url("/graph");
    let found = findings(&world).await;
    assert!(
        found.iter().any(|f| f.ok && f.what == "Microsoft Graph"),
        "{found:#?}"
    );
    let mut gone = FakeProvider::start().await;
    world.config.graph_url = gone.url("/");
    gone.stop().await;
    bad(
        &findings(&world).await,
        "Microsoft Graph",
        "onnection refused",
        "firewall",
    );
}

#[tokio::test]
async fn an_address_of_several_tenants_is_told() {
    let mut world = World::new().await;
    let template = format!("{}/{{tenantid}}/v2.0", world.fake.issuer());
    let printed = template.clone();
    world.fake.script(|script| {
        script.discovery = Box::new(move |d| d["issuer"] = printed.clone().into());
    });
    bad(
        &findings(&world).await,
        "issuer",
        "{tenantid}",
        "[providers.require] tid",
    );
    world.config.issuer = template;
    let found = findings(&world).await;
    let issuer = found.iter().find(|f| f.what == "issuer").unwrap();
    assert!(
        issuer.ok && issuer.detail.english().contains("tenant"),
        "{issuer:?}"
    );
}
