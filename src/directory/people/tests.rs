//! One suite, run against every store.

use super::*;
use tempfile::TempDir;

struct Bench {
    people: Arc<dyn People>,
    store: config::Store,
    _directory: Option<TempDir>,
}

async fn benches() -> [Bench; 2] {
    let directory = tempfile::tempdir().unwrap();
    let file = config::Store::Sqlite(directory.path().join("state.db"));
    [
        bench(config::Store::Memory, None).await,
        bench(file, Some(directory)).await,
    ]
}

async fn bench(store: config::Store, directory: Option<TempDir>) -> Bench {
    Bench {
        people: open(&store).await.unwrap(),
        store,
        _directory: directory,
    }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn group(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

fn entry(username: &str) -> Entry {
    Entry {
        username: name(username),
        display_name: format!("The {username}"),
        email: format!("{username}@example.com"),
        active: true,
    }
}

#[tokio::test]
async fn somebody_is_found_without_case_and_keeps_their_spelling() {
    for Bench { people, .. } in benches().await {
        assert!(people.create(entry("Ana")).await.unwrap());
        assert!(!people.create(entry("aNA")).await.unwrap());
        let found = people.by_username(&name("ANA")).await.unwrap();
        assert_eq!(found, Some(entry("Ana")));
        assert_eq!(people.by_username(&name("anna")).await.unwrap(), None);
        let address = Email::parse("ana@EXAMPLE.com").unwrap();
        assert_eq!(people.by_email(&address).await.unwrap(), [entry("Ana")]);
        let mut second = entry("bob");
        second.email = "ANA@example.com".into();
        assert!(people.create(second).await.unwrap());
        assert_eq!(people.by_email(&address).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_profile_changes_and_the_username_does_not() {
    for Bench { people, .. } in benches().await {
        people.create(entry("Ana")).await.unwrap();
        let changed = Entry {
            username: name("ana"),
            display_name: "Ana Silva".into(),
            email: "silva@example.com".into(),
            active: false,
        };
        people.update(changed.clone()).await.unwrap();
        let found = people.by_username(&name("ana")).await.unwrap().unwrap();
        let username = name("Ana");
        assert_eq!(
            found,
            Entry {
                username,
                ..changed
            }
        );
        let nobody = people.update(entry("bob")).await;
        assert!(matches!(nobody, Err(Error::NobodyOfThatName(_))));
    }
}

#[tokio::test]
async fn memberships_come_and_go() {
    for Bench { people, .. } in benches().await {
        people.create(entry("ana")).await.unwrap();
        assert!(people.create_group(&group("Dev")).await.unwrap());
        assert!(!people.create_group(&group("dev")).await.unwrap());
        assert!(people.create_group(&group("ops")).await.unwrap());
        let asked = [group("DEV"), group("nothing")];
        let existing = people.existing(&asked).await.unwrap();
        assert_eq!(existing, BTreeSet::from([group("Dev")]));
        let both = [group("dev"), group("OPS")];
        people.add(&name("Ana"), &both).await.unwrap();
        people.add(&name("ana"), &both).await.unwrap();
        let groups = people.groups_of(&name("ANA")).await.unwrap();
        assert_eq!(groups, BTreeSet::from([group("Dev"), group("ops")]));
        assert!(people.remove(&name("ana"), &group("DEV")).await.unwrap());
        assert!(!people.remove(&name("ana"), &group("DEV")).await.unwrap());
        let groups = people.groups_of(&name("ana")).await.unwrap();
        assert_eq!(groups, BTreeSet::from([group("ops")]));
    }
}

#[tokio::test]
async fn somebody_is_added_to_all_groups_or_none() {
    for Bench { people, .. } in benches().await {
        people.create_group(&group("dev")).await.unwrap();
        let stranger = people.add(&name("ana"), &[group("dev")]).await;
        assert!(matches!(stranger, Err(Error::NobodyOfThatName(_))));
        people.create(entry("ana")).await.unwrap();
        let added = people
            .add(&name("ana"), &[group("dev"), group("ops")])
            .await;
        assert!(matches!(added, Err(Error::NoSuchGroup(missing)) if missing == group("ops")));
        assert!(people.groups_of(&name("ana")).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn only_other_active_members_count() {
    for Bench { people, .. } in benches().await {
        people.create_group(&group("admins")).await.unwrap();
        let admins = [group("Admins")];
        for username in ["ana", "bob"] {
            people.create(entry(username)).await.unwrap();
        }
        people.add(&name("ana"), &admins).await.unwrap();
        let [admins] = admins;
        assert!(!people.has_others(&admins, &name("ANA")).await.unwrap());
        assert!(people.has_others(&admins, &name("bob")).await.unwrap());
        people
            .add(&name("bob"), std::slice::from_ref(&admins))
            .await
            .unwrap();
        assert!(people.has_others(&admins, &name("ana")).await.unwrap());
        let mut gone = entry("bob");
        gone.active = false;
        people.update(gone).await.unwrap();
        assert!(!people.has_others(&admins, &name("ana")).await.unwrap());
    }
}

#[tokio::test]
async fn people_survive_a_restart_in_sqlite() {
    let [_, bench] = benches().await;
    bench.people.create(entry("ana")).await.unwrap();
    bench.people.create_group(&group("dev")).await.unwrap();
    bench
        .people
        .add(&name("ana"), &[group("dev")])
        .await
        .unwrap();
    let again = open(&bench.store).await.unwrap();
    assert_eq!(again.groups_of(&name("ana")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = config::Store::Sqlite(directory.path().join("not/there.db"));
    assert!(matches!(open(&store).await, Err(Error::Store(_))));
}
