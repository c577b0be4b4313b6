//! One suite, run against Bitbucket and the built-in directory.

use super::world::sign_in;
use super::*;

#[tokio::test]
async fn somebody_new_is_made_with_their_groups_and_then_nothing_changes() {
    for world in World::both().await {
        world.group_names(&["Dev", "stash-users", "other"]).await;
        let world = world.set(|config| {
            config.groups.mode = GroupMode::OnTheFly;
            config.groups.default = groups(&["stash-users"]);
        });
        let provisioner = world.provisioner();
        let mut who = candidate("ana", &["dev", "missing"]);
        who.person.display_name = DisplayName::parse("Ana Silva").ok();
        let found = provisioner.find(&who).await.unwrap();
        assert_eq!(found.username(), &name("ana"));
        assert!(found.account().is_none());
        // Finding writes nothing.
        assert_eq!(world.profile("ana").await, None);
        let plan = provisioner.apply(found, &who).await.unwrap();
        assert_eq!(plan.changes().len(), 3, "{plan}");
        let want = ["ana", "Ana Silva", "ana@example.com"].map(str::to_owned);
        assert_eq!(world.profile("ana").await, Some(want));
        assert_eq!(world.groups_of("ana").await, ["Dev", "stash-users"]);
        world.counted("created", 1);
        let before = world.fake.asked().len();
        let plan = sign_in(&provisioner, &who).await.unwrap();
        assert!(plan.is_empty(), "{plan}");
        world.counted("unchanged", 1);
        if !world.is_directory() {
            // The person, their groups, and the group that is missing.
            assert_eq!(world.fake.asked().len() - before, 3);
        }
    }
}

#[tokio::test]
async fn changes_at_the_provider_arrive_at_the_next_sign_in() {
    for world in World::both().await {
        world.person("Ana", &["dev", "kept"]).await;
        world.person("bob", &["admins"]).await;
        world.group_names(&["ops"]).await;
        let world = world.set(|config| {
            config.groups.mode = GroupMode::OnTheFly;
            config.groups.keep_existing = false;
            config.groups.create_missing = true;
            config.groups.exclude = vec![Pattern::new("kept")];
        });
        let provisioner = world.provisioner();
        let mut who = candidate("ana", &["Ops", "new"]);
        who.person.display_name = DisplayName::parse("Ana Silva").ok();
        who.person.email = Email::parse("silva@example.com").ok();
        let plan = sign_in(&provisioner, &who).await.unwrap();
        assert_eq!(plan.changes().len(), 5, "{plan}");
        let want = ["Ana", "Ana Silva", "silva@example.com"].map(str::to_owned);
        assert_eq!(world.profile("Ana").await, Some(want));
        assert_eq!(world.groups_of("Ana").await, ["kept", "new", "ops"]);
        assert_eq!(world.groups_of("bob").await, ["admins"]);
        world.counted("updated", 1);
        let plan = sign_in(&provisioner, &who).await.unwrap();
        assert!(plan.is_empty(), "{plan}");
    }
}

#[tokio::test]
async fn a_preview_changes_nothing() {
    for world in World::both().await {
        world.person("ana", &["dev"]).await;
        let world = world.set(|config| {
            config.groups.mode = GroupMode::OnTheFly;
            config.groups.create_missing = true;
            config.groups.keep_existing = false;
        });
        let provisioner = world.provisioner();
        let shown = provisioner.preview(&candidate("ana", &["ops"])).await;
        let shown = shown.unwrap();
        assert_eq!(shown.plan.changes().len(), 3);
        assert!(
            shown
                .to_string()
                .starts_with("\"ana\" is there: name \"The ana\"")
        );
        let shown = provisioner.preview(&candidate("new", &[])).await.unwrap();
        assert!(
            shown
                .to_string()
                .starts_with("\"new\" is not there yet\n1 change\n")
        );
        assert!(shown.account.is_none());
        assert!(world.fake.writes().is_empty());
        assert_eq!(world.groups_of("ana").await, ["dev"]);
        assert_eq!(world.profile("new").await, None);
        // Nobody signed in.
        assert!(!world.metrics.render().contains("provisioning_total{"));
    }
}

#[tokio::test]
async fn the_last_administrator_is_not_removed() {
    for world in World::both().await {
        world.person("ana", &["admins"]).await;
        world.person("bob", &["admins"]).await;
        let world = world.set(|config| {
            config.groups.mode = GroupMode::OnTheFly;
            config.groups.keep_existing = false;
        });
        let provisioner = world.provisioner();
        // Both lose the group at the provider, and sign in at the same moment.
        let (ana, bob) = (candidate("ana", &[]), candidate("bob", &[]));
        let both = tokio::join!(sign_in(&provisioner, &ana), sign_in(&provisioner, &bob));
        let changes = both.0.unwrap().changes().len() + both.1.unwrap().changes().len();
        assert_eq!(changes, 1);
        let left = world.groups_of("ana").await.len() + world.groups_of("bob").await.len();
        assert_eq!(left, 1);
    }
}

#[tokio::test]
async fn two_first_sign_ins_of_one_person_make_one_account() {
    for world in World::both().await {
        world.group_names(&["dev"]).await;
        let world = world.set(|config| config.groups.mode = GroupMode::OnTheFly);
        let provisioner = world.provisioner();
        let who = candidate("ana", &["dev"]);
        let mut shouted = who.clone();
        shouted.person.username = name("ANA");
        let (one, two) = tokio::join!(sign_in(&provisioner, &who), sign_in(&provisioner, &shouted));
        assert_eq!(
            one.unwrap().changes().len() + two.unwrap().changes().len(),
            2
        );
        world.counted("created", 1);
        world.counted("unchanged", 1);
        assert_eq!(provisioner.inner.turns.len(), 0);
    }
}

#[tokio::test]
async fn refusals_are_counted_as_such() {
    for world in World::both().await {
        let world = world.set(|config| config.users.create = false);
        let error = world.provisioner().find(&candidate("ana", &[])).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), "unknown_in_bitbucket");
        let place = world.provisioner().inner.target.place().name();
        assert!(error.to_string().contains(place), "{error}");
        world.counted("refused", 1);
    }
}
