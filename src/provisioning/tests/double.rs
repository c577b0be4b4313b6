//! Against the demo's double of Bitbucket, which answers as the published description says.

use super::world::sign_in;
use super::*;
use crate::config::Credentials;
use crate::demo::bitbucket::{
    self, Account as Entry, Bitbucket, Directory, Fault, Permission, Setup,
};
use crate::secret::Secret;
use http::StatusCode;

struct Street {
    double: Bitbucket,
    world: World,
}

impl Street {
    async fn new() -> Self {
        let setup = Setup::plain(Clock::system());
        let (username, password) = setup.administrator.clone();
        let double = bitbucket::start(setup).await.unwrap();
        let url = format!("http://{}", double.addr());
        let world = World::new().await.set(|config| {
            config.groups.mode = GroupMode::OnTheFly;
            config.groups.create_missing = true;
            config.groups.keep_existing = false;
            config.groups.default = groups(&["stash-users"]);
            let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
                panic!("not Bitbucket");
            };
            access.url = url.parse().unwrap();
            access.credentials = Credentials::Basic { username, password };
        });
        Self { double, world }
    }

    fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.world = self.world.set(|config| {
            let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
                panic!("not Bitbucket");
            };
            access.credentials = credentials;
        });
        self
    }

    async fn sign_in(&self, who: &Candidate) -> Result<Plan, Error> {
        sign_in(&self.world.provisioner(), who).await
    }

    /// The code of the failure to make "new" with the group "dev".
    async fn failure(&self) -> &'static str {
        let error = self.sign_in(&candidate("new", &["dev"])).await;
        error.unwrap_err().code()
    }
}

#[tokio::test]
async fn somebody_new_can_sign_in_and_has_no_password_that_anybody_saw() {
    let street = Street::new().await;
    let mut who = candidate("new", &["Dev & Co", "bitbucket-admins"]);
    who.person.display_name = DisplayName::parse("Né Wcomer").ok();
    let plan = street.sign_in(&who).await.unwrap();
    assert!(!plan.to_string().contains("warning"), "{plan}");
    let made = street.double.people().user("new").unwrap();
    assert_eq!(made.name, "Né Wcomer");
    assert_eq!(made.email, "new@example.com");
    assert_eq!(made.permission, Some(Permission::Admin));
    assert_eq!(made.groups, ["bitbucket-admins", "Dev & Co", "stash-users"]);
    let calls = street.double.calls();
    let creation = calls.iter().find(|call| call.target.contains("password="));
    let url = url::Url::parse(&format!("http://b{}", creation.unwrap().target)).unwrap();
    let password = url
        .query_pairs()
        .find(|(name, _)| name == "password")
        .unwrap()
        .1;
    assert!(made.has_password);
    assert!(!street.double.people().has_password("new", &password));
    street.double.forget_calls();
    assert!(street.sign_in(&who).await.unwrap().is_empty());
    assert_eq!(street.double.calls().len(), 2);
    assert!(street.double.writes().is_empty());
}

#[tokio::test]
async fn changes_arrive_over_short_pages() {
    let street = Street::new().await;
    street.double.set_page_cap(2);
    let people = street.double.people();
    for n in 0..7 {
        people.add_user(Entry::new(&format!("bea{n}"))).unwrap();
        people.add_group(&format!("group{n}")).unwrap();
    }
    for n in 0..7 {
        people.join("bea6", &format!("group{n}")).unwrap();
    }
    for username in ["ana", "bea6"] {
        people.join(username, "bitbucket-admins").unwrap();
    }
    let mut who = candidate("BEA6", &["group1", "group6"]);
    who.person.display_name = DisplayName::parse("Bea").ok();
    let plan = street.sign_in(&who).await.unwrap();
    // The profile, the default group, six removals.
    let wanted = ["group1", "group6", "stash-users"];
    assert_eq!(people.groups_of("bea6"), wanted, "{plan}");
    assert_eq!(people.user("bea6").unwrap().name, "Bea");
    assert!(street.sign_in(&who).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_last_administrator_beside_the_service_account_stays() {
    let street = Street::new().await;
    let people = street.double.people();
    people.add_group("owners").unwrap();
    people
        .grant_group("owners", Some(Permission::Admin))
        .unwrap();
    people.add_user(Entry::new("bea")).unwrap();
    people.join("bea", "owners").unwrap();
    people.join("portcullis", "owners").unwrap();
    street.sign_in(&candidate("bea", &[])).await.unwrap();
    assert_eq!(people.groups_of("bea"), ["owners", "stash-users"]);
    people.join("ana", "owners").unwrap();
    street.sign_in(&candidate("bea", &[])).await.unwrap();
    assert_eq!(people.groups_of("bea"), ["stash-users"]);
}

#[tokio::test]
async fn somebody_new_who_is_not_seen_at_once_gets_their_groups() {
    let street = Street::new().await;
    street.double.hide_new_users(3);
    street.sign_in(&candidate("new", &["dev"])).await.unwrap();
    assert_eq!(
        street.double.people().groups_of("new"),
        ["dev", "stash-users"]
    );
}

#[tokio::test]
async fn people_of_other_directories_change_only_as_far_as_these_allow() {
    let street = Street::new().await;
    let people = street.double.people();
    for (username, directory) in [
        ("bea", Directory::LocalGroups),
        ("cid", Directory::ReadOnly),
    ] {
        let entry = Entry {
            directory,
            ..Entry::new(username)
        };
        people.add_user(entry).unwrap();
        let plan = street.sign_in(&candidate(username, &["dev"])).await;
        let plan = plan.unwrap().to_string();
        assert!(plan.contains("cannot be written to"), "{plan}");
        assert_eq!(people.user(username).unwrap().name, username);
    }
    assert_eq!(people.groups_of("bea"), ["dev", "stash-users"]);
    assert!(people.groups_of("cid").is_empty());
}

#[tokio::test]
async fn the_licence_the_directory_and_the_service_account_have_limits() {
    let street = Street::new().await;
    street.double.set_licence_limit(Some(2));
    assert_eq!(street.failure().await, "bitbucket_licence");
    street.double.people().remove_user("new").unwrap();
    street.double.set_read_only_directory(true);
    assert_eq!(street.failure().await, "bitbucket_read_only");
    let wrong = Credentials::Basic {
        username: "portcullis".into(),
        password: Secret::new("wrong".into()),
    };
    let street = street.with_credentials(wrong);
    assert_eq!(street.failure().await, "bitbucket_credentials");
    let street = Street::new().await;
    let people = street.double.people();
    let password = Secret::new("pass".to_owned());
    let entry = Entry {
        password: Some(password.clone()),
        ..Entry::new("weak")
    };
    people.add_user(entry).unwrap();
    people.join("weak", "stash-users").unwrap();
    let weak = Credentials::Basic {
        username: "weak".into(),
        password,
    };
    let street = street.with_credentials(weak);
    assert_eq!(street.failure().await, "bitbucket_forbidden");
    assert!(street.double.people().user("new").is_none());
}

#[tokio::test]
async fn every_fault_is_told_and_got_over() {
    for (fault, code) in [
        (Fault::Status(StatusCode::BAD_GATEWAY), "bitbucket_status"),
        (Fault::Garbage, "bitbucket_not_json"),
        (Fault::LoginPage, "bitbucket_not_json"),
        (Fault::Moved("/login".into()), "bitbucket_redirects"),
        (Fault::ProxyNotFound, "bitbucket_address"),
        (Fault::Endless, "bitbucket_answer_too_large"),
        (Fault::Cut, "bitbucket_broke_off"),
    ] {
        let street = Street::new().await;
        street.double.fail_next(1, fault);
        assert_eq!(street.failure().await, code);
        street.sign_in(&candidate("new", &["dev"])).await.unwrap();
    }
    let street = Street::new().await;
    street
        .double
        .fail_next(3, Fault::RateLimited(Duration::ZERO));
    street.sign_in(&candidate("new", &["dev"])).await.unwrap();
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_gone_on_with_at_the_next_sign_in() {
    let street = Street::new().await;
    let lost = Fault::AnswerLost(StatusCode::BAD_GATEWAY);
    street.double.fail_next_at("POST", 1, lost);
    assert_eq!(street.failure().await, "bitbucket_status");
    let plan = street.sign_in(&candidate("new", &["dev"])).await.unwrap();
    assert!(matches!(
        plan.account,
        AccountChange::Keep | AccountChange::Update { .. }
    ));
    let people = street.double.people();
    assert_eq!(people.groups_of("new"), ["dev", "stash-users"]);
}
