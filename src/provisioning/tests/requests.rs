//! What Bitbucket is asked, to the letter.

use super::world::sign_in;
use super::*;
use crate::config::Credentials;
use crate::secret::Secret;
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn on_the_fly(config: &mut Config) {
    config.groups.mode = GroupMode::OnTheFly;
    config.groups.create_missing = true;
    config.groups.keep_existing = false;
}

#[tokio::test]
async fn a_creation_is_this() {
    let world = World::new().await.set(on_the_fly);
    world.group_names(&["stash-users"]).await;
    let mut who = candidate("ana+x", &["a&b c", "stash-users"]);
    who.person.display_name = DisplayName::parse("Ana & Söhne").ok();
    sign_in(&world.provisioner(), &who).await.unwrap();
    assert_eq!(
        world.fake.asked(),
        [
            "GET /admin/users",
            "GET /admin/groups",
            "GET /admin/groups",
            "POST /admin/users",
            "PUT /admin/users/credentials",
            "GET /admin/users",
            "POST /admin/groups",
            "POST /admin/users/add-groups",
            "GET /admin/permissions/groups",
        ]
    );
    let made = world.fake.last("POST /admin/users");
    let mut query = made.query.clone();
    let password = query.remove("password").unwrap();
    let want = [
        ("name", "ana+x"),
        ("displayName", "Ana & Söhne"),
        ("emailAddress", "ana+x@example.com"),
        ("addToDefaultGroup", "false"),
        ("notify", "false"),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(query, want.into());
    assert_eq!(made.body, json!(null));
    assert!(password.len() > 43, "{password}");
    // The password that stood in an address is none any more.
    let replaced = world.fake.last("PUT /admin/users/credentials").body;
    assert_eq!(replaced["name"], "ana+x");
    assert_eq!(replaced["password"], replaced["passwordConfirm"]);
    assert_ne!(replaced["password"], password.as_str());
    assert_eq!(world.fake.last("POST /admin/groups").query["name"], "a&b c");
    let added = world.fake.last("POST /admin/users/add-groups").body;
    assert_eq!(
        added,
        json!({ "user": "ana+x", "groups": ["a&b c", "stash-users"] })
    );
}

#[tokio::test]
async fn a_change_is_this() {
    let world = World::new().await.set(on_the_fly);
    world.person("ana", &["old", "dev"]).await;
    let mut who = candidate("ana", &["dev"]);
    who.person.email = Email::parse("silva@example.com").ok();
    sign_in(&world.provisioner(), &who).await.unwrap();
    assert_eq!(
        world.fake.asked(),
        [
            "GET /admin/users",
            "GET /admin/users/more-members",
            "GET /admin/permissions/groups",
            "PUT /admin/users",
            "POST /admin/users/remove-group",
            "GET /admin/permissions/groups",
            "GET /admin/permissions/users",
        ]
    );
    // `email`, where reading says `emailAddress`, and nothing that it would not know.
    assert_eq!(
        world.fake.last("PUT /admin/users").body,
        json!({ "name": "ana", "displayName": "The ana", "email": "silva@example.com" })
    );
    assert_eq!(
        world.fake.last("POST /admin/users/remove-group").body,
        json!({ "context": "ana", "itemName": "old" })
    );
}

#[tokio::test]
async fn a_profile_without_an_address_is_not_written() {
    let world = World::new().await;
    world.person("ana", &[]).await;
    world.fake.town().users[0]["emailAddress"] = "".into();
    let mut who = candidate("ana", &[]);
    who.person.email = None;
    who.person.display_name = DisplayName::parse("Ana").ok();
    sign_in(&world.provisioner(), &who).await.unwrap();
    assert_eq!(world.fake.asked(), ["GET /admin/users"]);
}

#[tokio::test]
async fn somebody_unchanged_costs_two_reads_or_one() {
    let world = World::new().await;
    world.person("ana", &["dev"]).await;
    let who = candidate("ana", &["dev"]);
    sign_in(&world.provisioner(), &who).await.unwrap();
    assert_eq!(world.fake.asked(), ["GET /admin/users"]);
    let world = world.set(on_the_fly);
    sign_in(&world.provisioner(), &who).await.unwrap();
    assert_eq!(
        world.fake.asked().split_off(1),
        ["GET /admin/users", "GET /admin/users/more-members"]
    );
}

/// The fields of every call.
async fn check(credentials: Credentials, authorization: &str) {
    let world = World::new().await.set(|config| {
        on_the_fly(config);
        let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
            panic!("not Bitbucket");
        };
        access.credentials = credentials;
        access.url.set_path("/bitbucket");
    });
    world.fake.town().context_path = "/bitbucket";
    let shown = format!("{:?}", world.provisioner());
    for secret in ["wörd", "c3Zj", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let who = candidate("ana", &["dev"]);
    sign_in(&world.provisioner(), &who).await.unwrap();
    for seen in &world.fake.town().log {
        let field = |name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(field("authorization"), Some(authorization));
        assert_eq!(field("accept"), Some("application/json"));
        assert_eq!(field("x-atlassian-token"), Some("no-check"));
        assert_eq!(field("cookie"), None);
        let is_write = seen.method != http::Method::GET;
        let kind = is_write.then_some("application/json");
        assert_eq!(field("content-type"), kind, "{}", seen.path);
    }
}

#[tokio::test]
async fn every_call_says_who_asks_and_that_it_is_no_forgery() {
    let basic = Credentials::Basic {
        username: "svc".into(),
        password: Secret::new("pass:wörd".into()),
    };
    check(basic, "Basic c3ZjOnBhc3M6d8O2cmQ=").await;
    let bearer = Credentials::Bearer(Secret::new("t0ken".into()));
    check(bearer, "Bearer t0ken").await;
}

#[tokio::test]
async fn credentials_that_fit_no_header_are_refused() {
    let world = World::new().await.set(|config| {
        let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
            panic!("not Bitbucket");
        };
        access.credentials = Credentials::Bearer(Secret::new("a\nb".into()));
    });
    let (clock, metrics) = (world.clock.clone(), world.metrics.clone());
    let error = Provisioner::new(&world.config, &world.people, clock, metrics).unwrap_err();
    assert_eq!(error.code(), "bitbucket_credentials_unusable");
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_refused_and_no_target_is_no_provisioner() {
    let mut world = World::new().await.set(|config| {
        let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
            panic!("not Bitbucket");
        };
        access.ca_file = Some("/nowhere/ca.pem".into());
    });
    let new = |world: &World| {
        let (clock, metrics) = (world.clock.clone(), world.metrics.clone());
        Provisioner::new(&world.config, &world.people, clock, metrics)
    };
    assert_eq!(new(&world).unwrap_err().code(), "bitbucket_ca_file");
    world.config.provisioning.target = ProvisioningTarget::None;
    assert!(new(&world).unwrap().is_none());
}

#[tokio::test]
async fn many_groups_are_looked_for_at_once_and_few_by_name() {
    let world = World::new().await.set(on_the_fly);
    world.person("ana", &[]).await;
    // Each is a part of the next one's name, so that every search brings others along.
    let few = ["d", "de", "dev", "dev2"];
    world
        .group_names(&["xdevx", "dev2", "dev", "de", "d"])
        .await;
    world.fake.town().page = 2;
    let plan = sign_in(&world.provisioner(), &candidate("ana", &few)).await;
    assert!(plan.unwrap().create_groups.is_empty());
    assert_eq!(world.groups_of("ana").await, few);
    let many = ["d", "de", "dev", "dev2", "a", "b", "c", "e", "xdevx"];
    world.fake.town().log.clear();
    let plan = sign_in(&world.provisioner(), &candidate("ana", &many)).await;
    assert_eq!(plan.unwrap().create_groups, groups(&["a", "b", "c", "e"]));
    assert_eq!(world.groups_of("ana").await.len(), many.len());
    let log = world.fake.town().log.clone();
    assert!(
        log.iter()
            .all(|seen| seen.path != "/admin/groups" || !seen.query.contains_key("filter"))
    );
}

#[tokio::test]
async fn whoever_cannot_sign_in_to_bitbucket_is_told() {
    let world = World::new().await.set(on_the_fly);
    world.group_names(&["stash-users", "dev"]).await;
    let warned = async |who: &str, of: &[&str]| {
        let plan = sign_in(&world.provisioner(), &candidate(who, of)).await;
        let last = plan.unwrap().decisions.pop().unwrap();
        last.starts_with("warning: ") && last.contains("LICENSED_USER")
    };
    assert!(warned("ana", &["dev"]).await);
    assert!(!warned("bob", &["dev", "stash-users"]).await);
    let permission = ("carol".to_owned(), "PROJECT_CREATE".to_owned());
    world.fake.town().user_permissions.extend([permission]);
    assert!(!warned("carol", &[]).await);
    // A part of somebody else's name is nobody.
    assert!(warned("car", &[]).await);
    // Losing the last group that lets somebody in is told, too.
    assert!(warned("bob", &["dev"]).await);
    // Nothing changed, nothing asked.
    let before = world.fake.asked().len();
    assert!(!warned("ana", &["dev"]).await);
    assert_eq!(world.fake.asked().len() - before, 2);
    let shown = world
        .provisioner()
        .preview(&candidate("ana", &["dev"]))
        .await;
    let shown = shown.unwrap().to_string();
    assert!(shown.contains("nothing has to change") && shown.contains("LICENSED_USER"));
}

#[tokio::test]
async fn more_groups_than_can_be_listed_are_looked_for_by_name() {
    let mut world = World::new().await.set(on_the_fly);
    world.limits.entries = 4;
    world.person("ana", &[]).await;
    world.group_names(&["x1", "x2", "x3", "x4", "b", "d"]).await;
    world.fake.town().page = 2;
    let many = ["a", "b", "c", "d", "e"];
    let plan = sign_in(&world.provisioner(), &candidate("ana", &many)).await;
    assert_eq!(plan.unwrap().create_groups, groups(&["a", "c", "e"]));
}

#[tokio::test]
async fn the_service_account_is_no_administrator_who_stays() {
    let world = World::new().await.set(on_the_fly);
    world.person("svc", &["admins"]).await;
    world.person("ana", &["admins"]).await;
    world.person("gone", &["admins"]).await;
    world.fake.town().users[2]["active"] = false.into();
    let plan = sign_in(&world.provisioner(), &candidate("ana", &[])).await;
    assert!(plan.unwrap().is_empty());
    assert_eq!(world.groups_of("ana").await, ["admins"]);
    assert!(world.fake.writes().is_empty());
}

/// Answers every call on `listener` with an empty page, as 127.0.0.1 with this certificate.
async fn serve_tls(listener: TcpListener, made: CertifiedKey<KeyPair>) {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let body = "{\"values\":[],\"isLastPage\":true}";
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn over_tls_only_whom_the_ca_file_names_is_asked() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let files = [
        file("right.pem", made.cert.pem()),
        file("wrong.pem", other.cert.pem()),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve_tls(listener, made));
    let mut found = Vec::new();
    for path in files {
        let world = World::new().await.set(|config| {
            let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
                panic!("not Bitbucket");
            };
            access.url = url.parse().unwrap();
            access.ca_file = Some(path);
        });
        let asked = world.provisioner().find(&candidate("ana", &[])).await;
        found.push(asked.map(|found| found.username().to_string()));
    }
    server.abort();
    assert_eq!(found[0].as_deref().unwrap(), "ana");
    let error = found[1].as_ref().unwrap_err();
    assert_eq!(error.code(), "bitbucket_unreachable");
}
