//! Who somebody is in Bitbucket.

use super::*;
use crate::directory::people::{self, Entry};

/// Whom the candidate is found as: the username, and whether there is an account; or the code of the
/// refusal.
#[track_caller]
fn check(found: Result<Found, Error>, want: Result<(&str, bool), &str>) {
    let found = found
        .map(|found| (found.username().to_string(), found.account().is_some()))
        .map_err(|error| {
            assert!(error.is_refusal(), "{error}");
            error.code()
        });
    let found = found.as_ref().map(|(name, there)| (name.as_str(), *there));
    assert_eq!(found.map_err(|code| *code), want);
}

#[tokio::test]
async fn equality_decides_and_not_the_search() {
    for world in World::both().await {
        for username in ["Banana", "anab", "xana", "Ana", "ana.silva"] {
            world.person(username, &[]).await;
        }
        // Found by the search on every page, and nowhere the person.
        world.fake.town().page = 2;
        let provisioner = world.provisioner();
        let found = provisioner.find(&candidate("ana", &[])).await;
        check(found, Ok(("Ana", true)));
        check(
            provisioner.find(&candidate("an", &[])).await,
            Ok(("an", false)),
        );
    }
}

fn by_email(config: &mut Config) {
    config.users.match_by = MatchBy::Email;
}

/// Somebody whom the provider knows by address, and perhaps a username.
fn with_address(address: &str, claimed: Option<&str>) -> Candidate {
    let mut who = candidate(address, &[]);
    who.person.email = Email::parse(address).ok();
    who.claimed_username = claimed.map(name);
    who
}

#[tokio::test]
async fn an_address_finds_its_owner_in_the_targets_spelling() {
    for world in World::both().await {
        for username in ["ana", "Bob", "xana"] {
            world.person(username, &[]).await;
        }
        world.fake.town().page = 1;
        let world = world.set(by_email);
        let provisioner = world.provisioner();
        let find = async |address, claimed| provisioner.find(&with_address(address, claimed)).await;
        check(find("BOB@example.com", Some("x")).await, Ok(("Bob", true)));
        check(find("ana@example.com", None).await, Ok(("ana", true)));
        // Nobody yet: the username of the claims, or else the address.
        let new = find("new@example.com", Some("neo")).await;
        check(new, Ok(("neo", false)));
        let new = find("new@example.com", None).await;
        check(new, Ok(("new@example.com", false)));
        // The claimed name belongs to somebody with another address.
        let taken = find("new@example.com", Some("ANA")).await;
        check(taken, Err("username_taken_in_bitbucket"));
        let mut nowhere = with_address("new@example.com", None);
        nowhere.person.email = None;
        let found = provisioner.find(&nowhere).await;
        check(found, Err("no_email_for_bitbucket"));
    }
}

#[tokio::test]
async fn two_people_with_one_address_are_nobody() {
    for world in World::both().await {
        world.person("ana", &[]).await;
        world.person("ANA.old", &[]).await;
        let mut second = Entry {
            username: name("ANA.old"),
            display_name: "Ana".into(),
            email: "Ana@Example.com".into(),
            active: true,
        };
        world.people.update(second.clone()).await.unwrap();
        world.fake.town().users[1]["emailAddress"] = "Ana@Example.com".into();
        world.fake.town().page = 1;
        let world = world.set(by_email);
        let who = with_address("ana@example.com", None);
        let found = world.provisioner().find(&who).await;
        check(found, Err("ambiguous_in_bitbucket"));
        world.counted("refused", 1);
        // The same one on two pages is one.
        second.email = String::new();
        world.people.update(second).await.unwrap();
        let twice = world.fake.town().users[0].clone();
        world.fake.town().users[1] = twice;
        let found = world.provisioner().find(&who).await;
        check(found, Ok(("ana", true)));
    }
}

#[tokio::test]
async fn an_inactive_account_is_refused() {
    for world in World::both().await {
        world.person("ana", &[]).await;
        world.fake.town().users[0]["active"] = false.into();
        let ana = world.people.by_username(&name("ana")).await.unwrap();
        let gone = Entry {
            active: false,
            ..ana.unwrap()
        };
        world.people.update(gone).await.unwrap();
        let found = world.provisioner().find(&candidate("ana", &[])).await;
        check(found, Err("inactive_in_bitbucket"));
    }
}

#[tokio::test]
async fn a_service_user_is_nobody() {
    let world = World::new().await;
    world.person("ana", &[]).await;
    world.fake.town().users[0]["type"] = "SERVICE".into();
    let found = world.provisioner().find(&candidate("ana", &[])).await;
    check(found, Ok(("ana", false)));
}

/// The account is an administrator, and nobody has pinned it: it never signs in.
#[tokio::test]
async fn nobody_becomes_the_account_that_the_gateway_administers_with() {
    let world = World::new().await;
    world.person("svc", &["administrators"]).await;
    for spelling in ["svc", "SVC"] {
        let found = world.provisioner().find(&candidate(spelling, &[])).await;
        check(found, Err("service_account"));
    }
    let shown = world.provisioner().preview(&candidate("svc", &[])).await;
    assert_eq!(shown.unwrap_err().code(), "service_account");
    let world = world.set(by_email);
    let who = with_address("svc@example.com", None);
    let found = world.provisioner().find(&who).await;
    check(found, Err("service_account"));
}

#[tokio::test]
async fn a_name_that_no_header_carries_is_refused() {
    let world = World::new().await.set(by_email);
    world.fake.user("an\u{e4}");
    world.fake.town().users[0]["emailAddress"] = "ana@example.com".into();
    let who = with_address("ana@example.com", None);
    let found = world.provisioner().find(&who).await;
    check(found, Err("unusable_name_in_bitbucket"));
}

#[tokio::test]
async fn whoever_may_not_be_made_is_refused_before_anything_is_written() {
    for (set, code) in [
        (
            Box::new(|config: &mut Config| config.users.create = false) as Box<dyn Fn(&mut Config)>,
            "unknown_in_bitbucket",
        ),
        (
            Box::new(|config: &mut Config| config.groups.require_mapped_group_to_create = true),
            "no_mapped_group",
        ),
    ] {
        for world in World::both().await {
            let world = world.set(&set);
            let found = world.provisioner().find(&candidate("ana", &[])).await;
            check(found, Err(code));
            assert!(world.fake.writes().is_empty());
        }
    }
}

#[tokio::test]
async fn a_directory_that_fails_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut world = World::directory().await;
    world.people = people::open(&config::Store::Sqlite(path.clone()))
        .await
        .unwrap();
    let provisioner = world.provisioner();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("DROP TABLE people").unwrap();
    let error = provisioner.find(&candidate("ana", &[])).await.unwrap_err();
    assert_eq!(error.code(), "directory");
    assert!(!error.is_refusal());
    world.counted("failed", 1);
}
