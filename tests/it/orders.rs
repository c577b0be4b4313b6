//! The administrator's commands against a running gateway, its state file, and Bitbucket.

use crate::support::gateway::{base, provider_table, provisioned};
use crate::support::provider::FakeProvider;
use crate::support::{Setup, Upstream};
use portcullis::command::{self, IdentitiesAction, Plea};
use portcullis::config::Config;
use portcullis::identity::Username;
use portcullis::telemetry::audit::Event;
use serde_json::json;

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

async fn setup(extra: &str) -> (FakeProvider, Setup) {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, extra).await;
    (provider, setup)
}

fn list(username: Option<&str>, json: bool) -> IdentitiesAction {
    IdentitiesAction::List {
        username: username.map(name),
        json,
    }
}

fn relink(subject: &str, username: &str) -> IdentitiesAction {
    IdentitiesAction::Relink {
        provider: "idp".to_owned(),
        issuer: None,
        subject: subject.to_owned(),
        username: name(username),
    }
}

#[tokio::test]
async fn an_administrator_sees_relinks_and_forgets_pins() {
    let (provider, setup) = setup("").await;
    let config = setup.config();
    let run = async |action| {
        command::identities(&config, action, &setup.clock)
            .await
            .unwrap()
    };
    assert_eq!(run(list(None, false)).await, "nobody has signed in yet");
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let nobody = run(list(Some("bea"), false)).await;
    assert_eq!(nobody, "nobody has signed in as \"bea\" yet");
    let table = run(list(None, false)).await;
    assert!(
        table.contains("ana") && table.contains("248289761001"),
        "{table}"
    );
    let listed: serde_json::Value =
        serde_json::from_str(&run(list(Some("ANA"), true)).await).unwrap();
    assert_eq!(listed[0]["provider"], "idp");
    assert_eq!(listed[0]["facts"]["person"]["username"], "ana");

    // Another subject with her name stays outside until the administrator links it.
    provider.script(|script| script.person.insert("sub".into(), json!("new")));
    setup.sign_in(&mut setup.browser()).await.expect(403);
    run(relink("new", "ana")).await;
    setup.sign_in(&mut setup.browser()).await.expect(200);

    // Renamed at the provider.
    provider.script(|script| {
        script
            .person
            .insert("preferred_username".into(), json!("bea"))
    });
    setup.sign_in(&mut setup.browser()).await.expect(403);
    let said = run(relink("new", "bea")).await;
    assert!(said.contains("\"ana\" before"), "{said}");
    setup.sign_in(&mut setup.browser()).await.expect(200);

    // Forgotten.
    provider.script(|script| script.person.insert("sub".into(), json!("third")));
    setup.sign_in(&mut setup.browser()).await.expect(403);
    let said = run(IdentitiesAction::ForgetUsername(name("bea"))).await;
    assert!(said.starts_with("forgot 1"), "{said}");
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let orders = setup.events().into_iter();
    let orders: Vec<_> = orders
        .filter_map(|event| match event {
            Event::Order { order, .. } => Some(order),
            _ => None,
        })
        .collect();
    assert_eq!(orders, ["relink", "relink", "forget"]);
}

#[tokio::test]
async fn somebody_without_the_configuration_orders_nothing() {
    let (_provider, setup) = setup("").await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let mut config = setup.config();
    config.session.keys = vec![portcullis::secret::Secret::new([9; 64])];
    let refused = command::identities(&config, list(None, false), &setup.clock).await;
    assert!(refused.unwrap_err().to_string().contains("not signed"));
    let at = format!("http://{}/orders", setup.running.admin_addr());
    let answer = crate::support::browser::raw(
        &setup.running.admin_addr().to_string(),
        http::Method::POST,
        &at.parse().unwrap(),
        &[],
        bytes::Bytes::from_static(br#"{"order":"identities","username":null}"#),
    )
    .await;
    answer.expect(403);
    // The public listener knows nothing of it.
    let public = setup.request("POST", "/orders", &[]).await;
    assert_ne!(public.status, 200);
}

/// A configuration whose gateway does not run, with a state file.
fn stopped(config: &Config) -> Config {
    let mut config = config.clone();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.server.admin_listen = closed.local_addr().unwrap();
    config
}

#[tokio::test]
async fn without_a_running_gateway_the_state_file_is_asked() {
    let provider = FakeProvider::start().await;
    let toml = base().replace("\"memory\"", "\"sqlite:FOLDER/state.db\"")
        + &provider_table(&provider, "idp");
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let config = stopped(&setup.config());
    let table = command::identities(&config, list(None, false), &setup.clock).await;
    assert!(table.unwrap().contains("ana"));
    let done = command::identities(&config, relink("x", "ana"), &setup.clock).await;
    assert!(done.unwrap().starts_with("linked"));
    let test = command::test_url(&config, "idp", &setup.clock).await;
    assert!(test.unwrap_err().to_string().contains("no gateway answers"));
}

#[tokio::test]
async fn without_gateway_and_file_there_is_nobody_to_ask() {
    let (_provider, setup) = setup("").await;
    let config = stopped(&setup.config());
    let nobody = command::identities(&config, list(None, false), &setup.clock).await;
    assert!(nobody.unwrap_err().to_string().contains("no state file"));
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let (bitbucket, target) = provisioned("").await;
    let groups = "[groups]\nmode = \"on_the_fly\"\ncreate_missing = true\n";
    let (_provider, setup) = setup(&(groups.to_owned() + &target)).await;
    let plea = |user: &str| Plea {
        user: name(user),
        claims: None,
    };
    let config = setup.config();
    let unknown = command::provision(&config, plea("ana"), &setup.clock).await;
    assert!(unknown.unwrap_err().to_string().contains("--claims"));

    // From a file of claims.
    let file = setup.folder.path().join("claims.json");
    let claims =
        json!({"preferred_username": "ana", "email": "ana@example.com", "groups": ["dev"]});
    std::fs::write(&file, claims.to_string()).unwrap();
    let with_claims = Plea {
        user: name("ana"),
        claims: Some(("idp".to_owned(), file)),
    };
    let plan = command::provision(&config, with_claims, &setup.clock)
        .await
        .unwrap();
    assert!(
        plan.contains("create \"ana\"") && plan.contains("add to \"dev\""),
        "{plan}"
    );
    assert!(bitbucket.writes().is_empty());

    // From the last sign-in, under other rules.
    setup.sign_in(&mut setup.browser()).await.expect(200);
    bitbucket.forget_calls();
    let mut config = config;
    config.groups.default = vec![portcullis::identity::GroupName::parse("stash-users").unwrap()];
    let plan = command::provision(&config, plea("ana"), &setup.clock)
        .await
        .unwrap();
    assert!(plan.contains("stash-users"), "{plan}");
    assert!(bitbucket.writes().is_empty());
}

#[tokio::test]
async fn claims_are_explained_without_a_gateway() {
    let (_provider, setup) = setup("[users]\nallowed_domains = [\"example.com\"]\n").await;
    let config = setup.config();
    let file = setup.folder.path().join("claims.json");
    let explain = |claims: serde_json::Value| {
        std::fs::write(&file, claims.to_string()).unwrap();
        command::explain(&config, "idp", &file, false).unwrap()
    };
    let (text, fine) = explain(json!({"preferred_username": "ana", "email": "ana@example.com"}));
    assert!(fine && text.contains("ana@example.com"), "{text}");
    let (text, fine) = explain(json!({"preferred_username": "ana", "email": "ana@evil.example"}));
    assert!(!fine && text.contains("domain_not_allowed"), "{text}");
    std::fs::write(&file, "[1]").unwrap();
    let wrong = command::explain(&config, "idp", &file, false);
    assert!(wrong.unwrap_err().to_string().contains("one JSON object"));
    assert!(command::explain(&config, "x", &file, false).is_err());
}
