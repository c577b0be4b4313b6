//! Who a person becomes in Bitbucket, and what it is told: through the whole gateway, against a
//! double of its REST interface.

use crate::support::gateway::{base, provider_table, provisioned};
use crate::support::provider::{Canned, FakeProvider, ana};
use crate::support::{Answer, Browser, Setup};
use http::StatusCode;
use portcullis::config::{Credentials, ProvisioningTarget};
use portcullis::demo::bitbucket::{Account, Bitbucket, Directory, Fault};
use portcullis::secret::Secret;
use portcullis::telemetry::audit::Event;
use serde_json::{Value, json};

/// A provider, a gateway and a Bitbucket that knows people.
struct World {
    provider: FakeProvider,
    bitbucket: Bitbucket,
    setup: Setup,
}

impl World {
    async fn new(provisioning: &str, tables: &str) -> Self {
        let provider = FakeProvider::start().await;
        let (bitbucket, target) = provisioned(provisioning).await;
        let toml = base() + &provider_table(&provider, "idp") + "\n" + tables + &target;
        Self {
            setup: Setup::start(&toml).await,
            provider,
            bitbucket,
        }
    }

    /// Ana, with these claims instead of her own.
    fn ana_says(&self, claims: Value) {
        self.provider.script(|script| {
            script.person = ana();
            for (name, value) in claims.as_object().unwrap() {
                script.person.insert(name.clone(), value.clone());
            }
        });
    }

    async fn sign_in(&self) -> (Browser, Answer) {
        let mut browser = self.setup.browser();
        let answer = self.setup.sign_in(&mut browser).await;
        (browser, answer)
    }

    /// Signs in and comes out as this person.
    async fn becomes(&self, username: &str) -> Browser {
        let (mut browser, answer) = self.sign_in().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let me = browser.get("/sso/me").await.expect(200).json();
        assert_eq!(me["username"], username);
        browser
    }

    /// Signs in and meets this refusal; nothing is written.
    async fn is_refused(&self, status: u16, code: &str) -> Answer {
        let (mut browser, answer) = self.sign_in().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(
            answer.text().contains(&format!("({code})")),
            "{}",
            answer.text()
        );
        browser.get("/sso/me").await.expect(401);
        assert_eq!(self.setup.refusals().last().map(String::as_str), Some(code));
        answer
    }

    fn groups(&self, username: &str) -> Vec<String> {
        let mut groups = self.bitbucket.people().groups_of(username);
        groups.sort();
        groups
    }

    /// The outcomes of provisioning in the audit log.
    fn outcomes(&self) -> Vec<String> {
        let events = self.setup.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Provisioning { outcome, .. } => Some(outcome),
                _ => None,
            })
            .collect()
    }
}

const ON_THE_FLY: &str =
    "[groups]\nmode = \"on_the_fly\"\ncreate_missing = true\ndefault = [\"stash-users\"]\n";

#[tokio::test]
async fn a_new_colleague_signs_in_once_and_is_in_bitbucket() {
    let world = World::new("", ON_THE_FLY).await;
    world.becomes("ana").await;
    let ana = world.bitbucket.people().user("ana").unwrap();
    assert_eq!(ana.name, "Ana Example");
    assert_eq!(ana.email, "ana@example.com");
    assert!(ana.permission.is_some(), "ana may log in");
    assert_eq!(world.groups("ana"), ["developers", "stash-users"]);
    assert_eq!(world.outcomes(), ["created"]);
    // Nobody knows the password that Bitbucket demanded.
    assert!(!world.bitbucket.people().has_password("ana", ""));
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let world = World::new("", ON_THE_FLY).await;
    world.becomes("ana").await;
    world.bitbucket.forget_calls();
    world.becomes("ana").await;
    let writes = world.bitbucket.writes();
    assert!(writes.is_empty(), "{writes:?}");
    assert!(
        world.bitbucket.calls().len() <= 4,
        "{:?}",
        world.bitbucket.calls()
    );
    assert_eq!(world.outcomes(), ["created"]);
}

#[tokio::test]
async fn what_changes_at_the_provider_reaches_bitbucket_at_the_next_sign_in() {
    let tables = ON_THE_FLY.to_owned() + "keep_existing = false\n";
    let world = World::new("", &tables).await;
    world.becomes("ana").await;
    world.ana_says(json!({"name": "Ana Married", "groups": ["reviewers"]}));
    world.becomes("ana").await;
    assert_eq!(
        world.bitbucket.people().user("ana").unwrap().name,
        "Ana Married"
    );
    assert_eq!(world.groups("ana"), ["reviewers", "stash-users"]);
}

#[tokio::test]
async fn memberships_outside_the_map_are_left_alone() {
    let tables = "[groups]\nmode = \"manual\"\nkeep_existing = false\n[groups.map]\n\"bitbucket-developers\" = [\"developers\"]\n\"bitbucket-testers\" = [\"qa\"]\n";
    let world = World::new("", tables).await;
    let people = world.bitbucket.people();
    for group in ["bitbucket-developers", "bitbucket-testers", "choir"] {
        people.add_group(group).unwrap();
    }
    people.add_user(Account::new("ana")).unwrap();
    people.join("ana", "bitbucket-testers").unwrap();
    people.join("ana", "choir").unwrap();
    world.becomes("ana").await;
    assert_eq!(world.groups("ana"), ["bitbucket-developers", "choir"]);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let tables = "[groups]\nmode = \"on_the_fly\"\nkeep_existing = false\n";
    let world = World::new("", tables).await;
    let people = world.bitbucket.people();
    people.add_user(Account::new("ana")).unwrap();
    people.join("ana", "bitbucket-admins").unwrap();
    world.becomes("ana").await;
    assert_eq!(world.groups("ana"), ["bitbucket-admins"]);
}

#[tokio::test]
async fn somebody_who_outranks_the_service_account_signs_in_all_the_same() {
    let world = World::new("", "").await;
    let people = world.bitbucket.people();
    people.add_user(Account::new("ana")).unwrap();
    people.join("ana", "bitbucket-sysadmins").unwrap();
    world.becomes("ana").await;
    // The service account has ADMIN, and Bitbucket does not let it change a SYS_ADMIN.
    assert_eq!(people.user("ana").unwrap().name, "ana");
}

#[tokio::test]
async fn a_name_without_an_address_is_no_reason_to_lock_somebody_out() {
    let world = World::new("", "").await;
    let mut account = Account::new("ana");
    account.email = String::new();
    world.bitbucket.people().add_user(account).unwrap();
    world.ana_says(json!({"email": null}));
    world.becomes("ana").await;
    // Bitbucket takes no profile without an address.
    assert_eq!(world.bitbucket.people().user("ana").unwrap().name, "ana");
}

#[tokio::test]
async fn people_are_found_by_their_address_and_keep_their_name() {
    let world = World::new("", "[users]\nmatch_by = \"email\"\n").await;
    let mut account = Account::new("souza");
    account.email = "Ana@Example.com".to_owned();
    world.bitbucket.people().add_user(account).unwrap();
    world.becomes("souza").await;
    let seen = world.setup.upstream.last();
    assert_eq!(seen.one("x-forwarded-user").as_deref(), Some("souza"));
    assert!(world.bitbucket.people().user("ana").is_none());
}

#[tokio::test]
async fn an_address_that_only_contains_the_other_is_not_it() {
    let world = World::new("", "[users]\nmatch_by = \"email\"\ncreate = false\n").await;
    let mut account = Account::new("joana");
    account.email = "joana@example.com".to_owned();
    world.bitbucket.people().add_user(account).unwrap();
    world.is_refused(403, "unknown_in_bitbucket").await;
}

#[tokio::test]
async fn an_address_of_two_accounts_is_nobodys() {
    let world = World::new("", "[users]\nmatch_by = \"email\"\n").await;
    for name in ["one", "two"] {
        let mut account = Account::new(name);
        account.email = "ana@example.com".to_owned();
        world.bitbucket.people().add_user(account).unwrap();
    }
    world.is_refused(403, "ambiguous_in_bitbucket").await;
    assert!(world.bitbucket.writes().is_empty());
}

#[tokio::test]
async fn without_creation_a_stranger_is_told_whom_to_ask() {
    let world = World::new("", "[users]\ncreate = false\n").await;
    let page = world.is_refused(403, "unknown_in_bitbucket").await;
    page.says("Ask the administrators of Bitbucket").says("ana");
    assert!(world.bitbucket.writes().is_empty());
    world
        .bitbucket
        .people()
        .add_user(Account::new("ana"))
        .unwrap();
    world.becomes("ana").await;
}

#[tokio::test]
async fn a_person_without_a_mapped_group_is_not_made() {
    let tables = "[groups]\nmode = \"manual\"\nrequire_mapped_group_to_create = true\n[groups.map]\n\"bitbucket-developers\" = [\"engineering\"]\n";
    let world = World::new("", tables).await;
    world.is_refused(403, "no_mapped_group").await;
    assert!(world.bitbucket.people().user("ana").is_none());
    // Somebody whom Bitbucket knows needs none.
    world
        .bitbucket
        .people()
        .add_user(Account::new("ana"))
        .unwrap();
    world.becomes("ana").await;
}

#[tokio::test]
async fn somebody_whose_account_is_switched_off_stays_outside() {
    let world = World::new("", "").await;
    let mut account = Account::new("ana");
    account.active = false;
    world.bitbucket.people().add_user(account).unwrap();
    world.is_refused(403, "inactive_in_bitbucket").await;
}

#[tokio::test]
async fn a_read_only_directory_is_not_written_to() {
    let tables = ON_THE_FLY.to_owned() + "keep_existing = false\n";
    let world = World::new("", &tables).await;
    let mut account = Account::new("ana");
    account.name = "Ana Of LDAP".to_owned();
    account.directory = Directory::ReadOnly;
    world.bitbucket.people().add_user(account).unwrap();
    world.bitbucket.forget_calls();
    world.becomes("ana").await;
    assert_eq!(
        world.bitbucket.people().user("ana").unwrap().name,
        "Ana Of LDAP"
    );
}

#[tokio::test]
async fn a_full_licence_refuses_whoever_on_error_says() {
    for (on_error, admitted) in [("deny", false), ("allow", true)] {
        let world = World::new(&format!("on_error = \"{on_error}\""), ON_THE_FLY).await;
        world.bitbucket.set_licence_limit(Some(1));
        if admitted {
            world.becomes("ana").await;
        } else {
            world.is_refused(403, "bitbucket_licence").await;
        }
        let outcomes = world.outcomes();
        let want = if admitted {
            "failed_and_admitted"
        } else {
            "failed"
        };
        assert_eq!(outcomes, [want]);
    }
}

#[tokio::test]
async fn a_bitbucket_that_fails_refuses_or_admits_and_is_known_either_way() {
    for (on_error, admitted) in [("deny", false), ("allow", true)] {
        let world = World::new(&format!("on_error = \"{on_error}\""), "").await;
        let broken = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
        world.bitbucket.fail_always(Some(broken));
        let (mut browser, answer) = world.sign_in().await;
        if admitted {
            assert_eq!(answer.status, 200);
            browser.get("/sso/me").await.expect(200);
            assert_eq!(world.outcomes(), ["failed_and_admitted"]);
        } else {
            assert_eq!(answer.status, 503);
            browser.get("/sso/me").await.expect(401);
            assert_eq!(world.outcomes(), ["failed"]);
            world.bitbucket.recover();
            world.becomes("ana").await;
        }
        let counted = world
            .setup
            .metric("portcullis_provisioning_total{outcome=\"failed\"}");
        assert!(counted.is_some_and(|line| line.ends_with(" 1")));
    }
}

#[tokio::test]
async fn nobody_is_guessed_while_bitbucket_cannot_say_whose_an_address_is() {
    let world = World::new("on_error = \"allow\"", "[users]\nmatch_by = \"email\"\n").await;
    let mut account = Account::new("souza");
    account.email = "ana@example.com".to_owned();
    world.bitbucket.people().add_user(account).unwrap();
    let broken = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
    world.bitbucket.fail_always(Some(broken.clone()));
    world.is_refused(503, "provisioning_failed").await;
    // Once her name is pinned, the pin knows it.
    world.bitbucket.recover();
    world.becomes("souza").await;
    world.bitbucket.fail_always(Some(broken));
    world.becomes("souza").await;
}

#[tokio::test]
async fn whoever_takes_somebodys_name_changes_nothing_in_bitbucket() {
    let world = World::new("", ON_THE_FLY).await;
    world.becomes("ana").await;
    world.bitbucket.forget_calls();
    world.ana_says(json!({"sub": "another", "name": "Mallory", "groups": ["bitbucket-admins"]}));
    world.is_refused(403, "username_taken").await;
    assert!(world.bitbucket.writes().is_empty());
    assert_eq!(world.groups("ana"), ["developers", "stash-users"]);
}

#[tokio::test]
async fn two_sign_ins_at_once_make_one_person() {
    let world = World::new("", ON_THE_FLY).await;
    let hold = world.bitbucket.hold();
    let sign_ins = futures_util::future::join(world.sign_in(), world.sign_in());
    let release = async {
        tokio::task::yield_now().await;
        drop(hold);
    };
    let (((_, one), (_, two)), ()) = futures_util::future::join(sign_ins, release).await;
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    let creations = world.bitbucket.writes().into_iter();
    let creations = creations
        .filter(|call| call.method == http::Method::POST && call.target.contains("/admin/users?"));
    assert_eq!(creations.count(), 1);
}

#[tokio::test]
async fn excluded_groups_are_never_touched_and_never_asserted() {
    let tables = ON_THE_FLY.to_owned() + "exclude = [\"bitbucket-*\"]\nkeep_existing = false\n";
    let world = World::new("", &tables).await;
    world.ana_says(json!({"groups": ["developers", "bitbucket-sysadmins"]}));
    let people = world.bitbucket.people();
    people.add_user(Account::new("ana")).unwrap();
    people.join("ana", "bitbucket-admins").unwrap();
    let mut browser = world.becomes("ana").await;
    assert_eq!(
        world.groups("ana"),
        ["bitbucket-admins", "developers", "stash-users"]
    );
    let me = browser.get("/sso/me").await.expect(200).json();
    assert_eq!(me["groups"], json!(["developers", "stash-users"]));
}

#[tokio::test]
async fn two_trusted_providers_are_one_person_by_a_verified_address() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    let toml = base()
        + &provider_table(&one, "one")
        + &provider_table(&two, "two")
        + "[users]\nlink_by_verified_email = true\nlink_providers = [\"one\", \"two\"]\n";
    let setup = Setup::start(&toml).await;
    setup.browser().follow("/sso/start/one").await.expect(200);
    two.script(|script| {
        script.person.insert("sub".into(), json!("another"));
        script
            .person
            .insert("email".into(), json!("eve@example.com"));
    });
    let refused = setup.browser().follow("/sso/start/two").await.expect(403);
    assert!(refused.text().contains("username_taken"));
    two.script(|script| {
        script
            .person
            .insert("email".into(), json!("ana@example.com"))
    });
    setup.browser().follow("/sso/start/two").await.expect(200);
}

#[tokio::test]
async fn a_userinfo_that_fails_takes_nobody_out_of_their_groups() {
    let tables = ON_THE_FLY.to_owned() + "keep_existing = false\n";
    let world = World::new("", &tables).await;
    // The ID token has no groups, userinfo has.
    world.provider.script(|script| {
        script.id_token_claims = Box::new(|claims| {
            claims.as_object_mut().unwrap().remove("groups");
        });
    });
    world.becomes("ana").await;
    assert_eq!(world.groups("ana"), ["developers", "stash-users"]);
    world.provider.script(|script| {
        let down = Canned::json(503, &json!({}));
        script.answers.insert("/userinfo", down);
    });
    world.bitbucket.forget_calls();
    world.is_refused(503, "groups_unknown").await;
    assert!(world.bitbucket.writes().is_empty());
    assert_eq!(world.groups("ana"), ["developers", "stash-users"]);
    // What the ID token says is known without userinfo.
    world
        .provider
        .script(|script| script.id_token_claims = Box::new(|_| {}));
    world.becomes("ana").await;
    world.provider.script(|script| {
        script.answers.clear();
    });
    world.becomes("ana").await;
}

/// The credentials of the service account are tried before the first person needs them.
#[tokio::test]
async fn an_online_check_asks_bitbucket_as_the_service_account() {
    let world = World::new("", "").await;
    let mut config = world.setup.config();
    let findings = portcullis::gateway::online(&config).await;
    let found = |what: &str| findings.iter().any(|it| it.ok && it.what.starts_with(what));
    assert!(found("provisioning: http"), "{findings:?}");

    let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
        panic!("no Bitbucket");
    };
    access.credentials = Credentials::Basic {
        username: "portcullis".to_owned(),
        password: Secret::new("wrong".to_owned()),
    };
    let findings = portcullis::gateway::online(&config).await;
    let refused = findings.iter().find(|it| !it.ok && it.remedy.is_some());
    let what = &refused.unwrap().what;
    assert!(
        what.starts_with("provisioning: Bitbucket does not accept"),
        "{what}"
    );
}

#[tokio::test]
async fn nobody_signs_in_as_the_account_that_the_gateway_administers_with() {
    let world = World::new("on_error = \"allow\"", "").await;
    world.ana_says(json!({"preferred_username": "Portcullis"}));
    world.is_refused(403, "service_account").await;
    // Nor when Bitbucket cannot be asked.
    let broken = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
    world.bitbucket.fail_always(Some(broken));
    world.is_refused(403, "service_account").await;
}
