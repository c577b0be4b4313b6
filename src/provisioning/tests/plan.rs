//! The plan alone: rules one by one, and what holds for all of them.

use super::*;
use crate::provisioning::plan::{Place, plan};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn users() -> Users {
    Users {
        match_by: MatchBy::Username,
        username_case: config::UsernameCase::Lower,
        require_verified_email: true,
        allowed_domains: Vec::new(),
        create: true,
        update_profile: true,
        link_by_verified_email: false,
        link_providers: Vec::new(),
    }
}

fn account(username: &str) -> Account {
    Account {
        username: name(username),
        display_name: format!("The {username}"),
        email: format!("{username}@example.com"),
        active: true,
        mutable_details: true,
        mutable_groups: true,
        directory: Some("LDAP".to_owned()),
    }
}

/// "ana", who is in these groups, in a place where these groups exist besides.
fn known(member_of: &[&str], existing: &[&str]) -> Known {
    Known {
        account: Some(account("ana")),
        member_of: groups(member_of).into_iter().collect(),
        existing: groups(existing).into_iter().collect(),
        ..Known::default()
    }
}

fn rules(mode: GroupMode) -> Groups {
    Groups {
        mode,
        ..Groups::default()
    }
}

/// The plan for "ana", whom the provider calls a member of `named`: every decision.
#[track_caller]
fn check(known: &Known, named: &[&str], groups: &Groups, want: &[&str]) -> Plan {
    let who = candidate("ana", named);
    let plan = plan(&name("ana"), &who, known, &users(), groups).unwrap();
    let mut decisions: Vec<_> = plan.decisions.iter().map(String::as_str).collect();
    decisions.retain(|line| !line.starts_with("leave the profile"));
    assert_eq!(decisions, want);
    plan
}

#[test]
fn groups_of_the_same_name_are_added_in_the_targets_spelling() {
    let known = known(&["ops"], &["Dev"]);
    let mode = rules(GroupMode::OnTheFly);
    let plan = check(
        &known,
        &["dev", "OPS"],
        &mode,
        &[
            "add to \"Dev\": the provider's group of this name",
            "leave \"ops\": the provider's group of this name",
        ],
    );
    assert_eq!(plan.add_to, [group("Dev")]);
    assert_eq!(plan.changes().len(), 1);
}

#[test]
fn the_map_is_named_as_the_reason() {
    let mut rules = rules(GroupMode::Manual);
    rules.map = vec![
        (
            group("dev"),
            vec!["engineering".into(), "x\u{1b}[2J".into()],
        ),
        (group("ops"), vec!["other".into()]),
    ];
    let mut who = candidate("ana", &["DEV"]);
    who.provider_groups = vec![
        "x\u{1b}[2J".into(),
        "engineering".into(),
        "unrelated".into(),
    ];
    let known = known(&[], &["dev"]);
    let plan = plan(&name("ana"), &who, &known, &users(), &rules).unwrap();
    let reasons = r#"the provider's group "engineering", the provider's group "x\u001B[2J""#;
    assert_eq!(plan.changes(), [format!("add to \"dev\": {reasons}")]);
}

#[test]
fn default_groups_go_to_all_to_new_people_or_to_nobody() {
    let default = |to| Groups {
        default: groups(&["stash-users"]),
        assign_default_to: to,
        ..Groups::default()
    };
    let before = known(&[], &["stash-users"]);
    let add = "add to \"stash-users\": a default group";
    check(&before, &[], &default(AssignDefault::All), &[add]);
    let left_out =
        |to: &str| format!("leave out the default groups: groups.assign_default_to is \"{to}\"");
    check(
        &before,
        &[],
        &default(AssignDefault::New),
        &[&left_out("new")],
    );
    check(
        &before,
        &[],
        &default(AssignDefault::None),
        &[&left_out("none")],
    );
    let nobody = Known {
        account: None,
        ..before
    };
    let create = "create \"ana\" with the name \"The ana\" and the e-mail address \
                  \"ana@example.com\": nobody in Bitbucket has the username \"ana\"";
    check(&nobody, &[], &default(AssignDefault::New), &[create, add]);
    let none = default(AssignDefault::None);
    check(&nobody, &[], &none, &[create, &left_out("none")]);
}

#[test]
fn with_the_groups_off_only_default_groups_are_given() {
    let mut off = rules(GroupMode::Off);
    off.default = groups(&["stash-users"]);
    off.keep_existing = false;
    check(
        &known(&["old"], &["dev", "stash-users"]),
        &["dev"],
        &off,
        &[
            "add to \"stash-users\": a default group",
            "leave out the provider's groups: groups.mode is \"off\"",
            "leave \"old\": groups.mode is \"off\"",
        ],
    );
}

#[test]
fn existing_people_are_left_alone_if_the_rules_say_so() {
    let mut rules = rules(GroupMode::OnTheFly);
    rules.update_existing = false;
    rules.keep_existing = false;
    let want = "leave all groups: groups.update_existing is false, and the person is not new";
    check(&known(&["old"], &["dev"]), &["dev"], &rules, &[want]);
}

#[test]
fn a_missing_group_is_made_or_told() {
    let mut rules = rules(GroupMode::OnTheFly);
    check(
        &known(&[], &[]),
        &["dev"],
        &rules,
        &[
            "do not add to \"dev\" (the provider's group of this name): Bitbucket has no such group, \
           and groups.create_missing is false",
        ],
    );
    rules.create_missing = true;
    let plan = check(
        &known(&[], &["ops"]),
        &["dev", "ops"],
        &rules,
        &[
            "create the group \"dev\": Bitbucket has none of that name, and groups.create_missing \
             is true",
            "add to \"dev\": the provider's group of this name",
            "add to \"ops\": the provider's group of this name",
        ],
    );
    assert_eq!(plan.create_groups, [group("dev")]);
    assert_eq!(plan.changes().len(), 3);
}

#[test]
fn a_look_alike_is_not_the_group() {
    // The Kelvin sign, which folds to a "k".
    let named = "bitbuc\u{212a}et-admins";
    let known = known(&[], &["bitbucket-admins"]);
    let plan = check(
        &known,
        &[named],
        &rules(GroupMode::OnTheFly),
        &[
            "do not add to \"bitbuc\u{212a}et-admins\" (the provider's group of this name): \
           Bitbucket has no such group, and groups.create_missing is false",
        ],
    );
    assert!(plan.is_empty());
}

#[test]
fn memberships_end_within_the_rules_only() {
    let removal = |group: &str| {
        format!(
            "remove from \"{group}\": the provider does not name it, and groups.keep_existing is \
             false"
        )
    };
    let excluded = "leave \"Test-1\": groups.exclude names it";
    let default = "leave \"stash-users\": it is a default group";
    let mut rules = Groups {
        default: groups(&["Stash-Users"]),
        assign_default_to: AssignDefault::New,
        keep_existing: false,
        exclude: vec![Pattern::new("test-*")],
        map: vec![(group("DEV"), vec!["engineering".into()])],
        ..rules(GroupMode::Manual)
    };
    let left_out = "leave out the default groups: groups.assign_default_to is \"new\"";
    let before = known(&["Dev", "ops", "stash-users", "Test-1"], &[]);
    let unmapped = "leave \"ops\": groups.map does not name it";
    let want = [&removal("Dev"), left_out, excluded, unmapped, default];
    check(&before, &[], &rules, &want);
    rules.mode = GroupMode::OnTheFly;
    let want = [
        &removal("Dev"),
        &removal("ops"),
        left_out,
        excluded,
        default,
    ];
    check(&before, &[], &rules, &want);
    rules.keep_existing = true;
    let kept = "leave \"Dev\", \"ops\": groups.keep_existing is true";
    check(&before, &[], &rules, &[left_out, excluded, kept, default]);
}

#[test]
fn an_excluded_group_is_never_given() {
    let mut rules = rules(GroupMode::OnTheFly);
    rules.exclude = vec![Pattern::new("*-admins")];
    rules.default = groups(&["x-admins"]);
    let want = "leave out \"Bitbucket-Admins\", \"x-admins\": groups.exclude names it";
    let before = known(&[], &["bitbucket-admins", "x-admins"]);
    check(&before, &["Bitbucket-Admins"], &rules, &[want]);
}

#[test]
fn the_last_administrator_stays() {
    let mut rules = rules(GroupMode::OnTheFly);
    rules.keep_existing = false;
    let mut before = known(&["admins"], &[]);
    before.last_administrator_of = BTreeSet::from([group("Admins")]);
    let plan = check(
        &before,
        &[],
        &rules,
        &[
            "do not remove from \"admins\": the group gives administration, and nobody else who is \
           active is in it",
        ],
    );
    assert!(plan.is_empty());
}

#[test]
fn what_cannot_be_written_is_not_planned() {
    let mut before = known(&["old"], &["dev"]);
    before.account.as_mut().unwrap().mutable_groups = false;
    let mut rules = rules(GroupMode::OnTheFly);
    rules.keep_existing = false;
    let want = "leave all groups: the account lives in \"LDAP\", which cannot be written to";
    check(&before, &["dev"], &rules, &[want]);
}

/// The decision about the profile of "ana" in Bitbucket, given a name and an address.
#[track_caller]
fn profile(known: &Account, users: &Users, who: &Candidate, want: &str) -> AccountChange {
    let known = Known {
        account: Some(known.clone()),
        ..Known::default()
    };
    let plan = plan(&name("ana"), who, &known, users, &Groups::default()).unwrap();
    assert_eq!(plan.decisions, [want]);
    plan.account
}

#[test]
fn name_and_address_follow_the_provider() {
    let mut who = candidate("ana", &[]);
    let same = "leave the profile of \"ana\": what the provider says of it is there already";
    let mut shouted = account("ana");
    shouted.email = "ANA@Example.com".into();
    profile(&shouted, &users(), &who, same);
    who.person.display_name = DisplayName::parse("Ana Silva").ok();
    let change = profile(
        &shouted,
        &users(),
        &who,
        "update \"ana\": the name \"The ana\" becomes \"Ana Silva\"",
    );
    // What does not change is sent as it is.
    let want = AccountChange::Update {
        username: name("ana"),
        display_name: "Ana Silva".into(),
        email: "ANA@Example.com".into(),
    };
    assert_eq!(change, want);
    who.person.email = Email::parse("silva@example.com").ok();
    let differences = "the name \"The ana\" becomes \"Ana Silva\", and the e-mail address \
                       \"ANA@Example.com\" becomes \"silva@example.com\"";
    profile(
        &shouted,
        &users(),
        &who,
        &format!("update \"ana\": {differences}"),
    );
    let kept = format!("leave the profile of \"ana\", in which {differences}");
    let off = Users {
        update_profile: false,
        ..users()
    };
    let why = "users.update_profile is false";
    profile(&shouted, &off, &who, &format!("{kept}: {why}"));
    shouted.mutable_details = false;
    let why = "the account lives in \"LDAP\", which cannot be written to";
    profile(&shouted, &users(), &who, &format!("{kept}: {why}"));
    shouted.directory = None;
    let why = "the account lives in a directory that cannot be written to";
    profile(&shouted, &users(), &who, &format!("{kept}: {why}"));
    who.person.email = None;
    who.person.display_name = None;
    profile(&shouted, &users(), &who, same);
}

/// Nobody yet: the refusal.
#[track_caller]
fn refused(who: &Candidate, users: &Users, groups: &Groups, code: &str) {
    let error = plan(&name("ana"), who, &Known::default(), users, groups).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.is_refusal());
}

#[test]
fn not_everybody_may_be_made() {
    let who = candidate("ana", &["test-1"]);
    let mut asking = rules(GroupMode::OnTheFly);
    asking.require_mapped_group_to_create = true;
    plan(&name("ana"), &who, &Known::default(), &users(), &asking).unwrap();
    asking.exclude = vec![Pattern::new("TEST-*")];
    refused(&who, &users(), &asking, "no_mapped_group");
    asking.mode = GroupMode::Off;
    refused(&who, &users(), &asking, "no_mapped_group");
    let mut nowhere = candidate("ana", &[]);
    nowhere.person.email = None;
    refused(
        &nowhere,
        &users(),
        &Groups::default(),
        "no_email_for_bitbucket",
    );
    let off = Users {
        create: false,
        ..users()
    };
    refused(&who, &off, &Groups::default(), "unknown_in_bitbucket");
    // Whoever is there is not made.
    let there = known(&[], &[]);
    asking.exclude.clear();
    plan(&name("ana"), &nowhere, &there, &off, &asking).unwrap();
}

#[test]
fn somebody_without_a_name_is_called_by_the_username() {
    let mut who = candidate("ana", &[]);
    who.person.display_name = None;
    let plan = plan(
        &name("ana"),
        &who,
        &Known::default(),
        &users(),
        &Groups::default(),
    );
    let AccountChange::Create { display_name, .. } = plan.unwrap().account else {
        panic!("nobody was made");
    };
    assert_eq!(display_name, "ana");
}

#[test]
fn what_others_wrote_cannot_disturb_a_terminal() {
    let mut there = known(&[], &[]);
    let account = there.account.as_mut().unwrap();
    account.display_name = "\u{1b}]0;x\u{7}\u{202e}\" evil\n".into();
    let plan = plan(
        &name("ana"),
        &candidate("ana", &[]),
        &there,
        &users(),
        &Groups::default(),
    );
    assert_eq!(
        plan.unwrap().to_string(),
        "1 change\n  + update \"ana\": the name \
         \"\\u001B]0;x\\u0007\\u202E\\\" evil\\n\" becomes \"The ana\"\n"
    );
}

#[test]
fn long_lists_are_cut() {
    let many: Vec<_> = (10..50).map(|n| format!("g{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let who = candidate("ana", &[]);
    let there = known(&many, &[]);
    let plan = plan(&name("ana"), &who, &there, &users(), &Groups::default()).unwrap();
    let line = plan.decisions.last().unwrap();
    assert!(
        line.ends_with("\"g29\" and 20 more: groups.mode is \"off\""),
        "{line}"
    );
}

// What holds for all rules.

const NAMES: &[&str] = &[
    "dev",
    "DEV",
    "ops",
    "Ops",
    "admins",
    "Admins",
    "test-1",
    "stash-users",
    "\u{c4}rzte",
    "\u{e4}rzte",
    "bitbuc\u{212a}et",
    "bitbucket",
];

fn some_groups() -> impl Strategy<Value = Vec<GroupName>> {
    proptest::collection::vec(proptest::sample::select(NAMES).prop_map(group), 0..6)
}

fn some_rules() -> impl Strategy<Value = Groups> {
    let mode = prop_oneof![
        Just(GroupMode::Off),
        Just(GroupMode::Manual),
        Just(GroupMode::OnTheFly)
    ];
    let assign = prop_oneof![
        Just(AssignDefault::All),
        Just(AssignDefault::New),
        Just(AssignDefault::None)
    ];
    let exclude = proptest::sample::subsequence(vec!["test-*", "?dmins", "stash-users"], 0..3);
    let map = proptest::collection::vec((proptest::sample::select(NAMES), some_groups()), 0..4);
    let flags = proptest::array::uniform4(any::<bool>());
    (mode, assign, some_groups(), exclude, map, flags).prop_map(
        |(mode, assign_default_to, default, exclude, map, flags)| {
            let [update_existing, create_missing, keep_existing, mapped] = flags;
            Groups {
                mode,
                default,
                assign_default_to,
                update_existing,
                create_missing,
                keep_existing,
                exclude: exclude.into_iter().map(Pattern::new).collect(),
                require_mapped_group_to_create: mapped,
                map: map
                    .into_iter()
                    .map(|(to, from)| (group(to), from.into_iter().map(String::from).collect()))
                    .collect(),
            }
        },
    )
}

/// A place with groups, and perhaps an account.
#[derive(Debug, Clone)]
struct Model {
    account: Option<Account>,
    member_of: BTreeMap<String, GroupName>,
    groups: BTreeMap<String, GroupName>,
    /// Keys of groups in which nobody else is, and that give administration.
    last: BTreeSet<String>,
}

impl Model {
    fn known(&self) -> Known {
        let member_of: BTreeSet<_> = self.member_of.values().cloned().collect();
        let last = member_of.iter().filter(|g| self.last.contains(&g.key()));
        Known {
            place: Place::Bitbucket,
            account: self.account.clone(),
            existing: self.groups.values().cloned().collect(),
            last_administrator_of: last.cloned().collect(),
            member_of,
        }
    }

    fn apply(&mut self, plan: &Plan) {
        match &plan.account {
            AccountChange::Keep => {}
            AccountChange::Create {
                username,
                display_name,
                email,
            } => {
                assert!(self.account.is_none());
                let mut made = account(username.as_str());
                made.display_name.clone_from(display_name);
                made.email = email.as_str().to_owned();
                self.account = Some(made);
            }
            AccountChange::Update {
                display_name,
                email,
                ..
            } => {
                let account = self.account.as_mut().unwrap();
                account.display_name.clone_from(display_name);
                account.email.clone_from(email);
            }
        }
        for group in &plan.create_groups {
            assert!(self.groups.insert(group.key(), group.clone()).is_none());
        }
        for group in &plan.add_to {
            assert_eq!(self.groups.get(&group.key()), Some(group));
            assert!(self.member_of.insert(group.key(), group.clone()).is_none());
        }
        for group in &plan.remove_from {
            assert_eq!(self.member_of.remove(&group.key()).as_ref(), Some(group));
        }
    }
}

fn some_model() -> impl Strategy<Value = Model> {
    let there = proptest::option::of((any::<bool>(), any::<bool>(), any::<bool>()));
    (there, some_groups(), some_groups(), some_groups()).prop_map(
        |(there, member_of, others, last)| {
            let keyed = |groups: Vec<GroupName>| groups.into_iter().map(|g| (g.key(), g));
            let member_of: BTreeMap<_, _> = match there {
                Some(_) => keyed(member_of).collect(),
                None => BTreeMap::new(),
            };
            let mut groups: BTreeMap<_, _> = keyed(others).collect();
            groups.extend(member_of.clone());
            Model {
                account: there.map(|(same, details, groups)| Account {
                    display_name: if same { "The ana" } else { "\u{1b}" }.to_owned(),
                    mutable_details: details,
                    mutable_groups: groups,
                    ..account("ana")
                }),
                member_of,
                groups,
                last: last.iter().map(GroupName::key).collect(),
            }
        },
    )
}

fn some_users() -> impl Strategy<Value = Users> {
    (any::<bool>(), any::<bool>()).prop_map(|(create, update_profile)| Users {
        create,
        update_profile,
        ..users()
    })
}

fn some_candidate() -> impl Strategy<Value = Candidate> {
    (some_groups(), some_groups(), any::<bool>(), any::<bool>()).prop_map(
        |(mapped, provider, email, display)| {
            let mut who = candidate("ana", &[]);
            who.mapped_groups = mapped;
            who.provider_groups = provider.into_iter().map(String::from).collect();
            who.person.email = who.person.email.filter(|_| email);
            who.person.display_name = who.person.display_name.filter(|_| display);
            who
        },
    )
}

fn keys(groups: &[GroupName]) -> BTreeSet<String> {
    groups.iter().map(GroupName::key).collect()
}

proptest! {
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(
        mut model in some_model(), who in some_candidate(), users in some_users(),
        rules in some_rules(),
    ) {
        if let Ok(first) = plan(&name("ana"), &who, &model.known(), &users, &rules) {
            model.apply(&first);
            let second = plan(&name("ana"), &who, &model.known(), &users, &rules).unwrap();
            prop_assert!(second.is_empty(), "{second}");
            let text = second.to_string();
            prop_assert!(text.starts_with("nothing has to change\n"), "{text}");
        }
    }

    #[test]
    fn no_plan_leaves_the_rules(
        model in some_model(), who in some_candidate(), users in some_users(),
        rules in some_rules(),
    ) {
        let known = model.known();
        let Ok(plan) = plan(&name("ana"), &who, &known, &users, &rules) else {
            prop_assert!(model.account.is_none());
            return Ok(());
        };
        let (added, removed) = (keys(&plan.add_to), keys(&plan.remove_from));
        let created = keys(&plan.create_groups);
        let (mapped, default) = (keys(&who.mapped_groups), keys(&rules.default));
        prop_assert_eq!(added.len(), plan.add_to.len());
        prop_assert!(added.is_disjoint(&removed));
        prop_assert!(created.is_subset(&added));
        prop_assert!(created.is_empty() || rules.create_missing);
        for group in plan.add_to.iter().chain(&plan.remove_from) {
            prop_assert!(!rules.exclude.iter().any(|pattern| pattern.fits(group.as_str())));
        }
        for key in &added {
            let by_map = rules.mode != GroupMode::Off && mapped.contains(key);
            let by_default =
                rules.assign_default_to != AssignDefault::None && default.contains(key);
            prop_assert!(by_map || by_default);
            prop_assert!(!model.member_of.contains_key(key));
            prop_assert!(created.contains(key) != model.groups.contains_key(key));
        }
        for key in &removed {
            prop_assert!(!rules.keep_existing && rules.mode != GroupMode::Off);
            prop_assert!(model.member_of.contains_key(key));
            prop_assert!(!mapped.contains(key) && !default.contains(key));
            prop_assert!(!model.last.contains(key));
            let in_map = rules.map.iter().any(|(group, _)| group.key() == *key);
            prop_assert!(rules.mode != GroupMode::Manual || in_map);
        }
        if let Some(account) = &model.account {
            let untouched = added.is_empty() && removed.is_empty();
            prop_assert!(untouched || (rules.update_existing && account.mutable_groups));
            let kept = plan.account == AccountChange::Keep;
            prop_assert!(kept || (users.update_profile && account.mutable_details));
        } else {
            let made = matches!(plan.account, AccountChange::Create { .. });
            prop_assert!(made && users.create);
        }
        let text = plan.to_string();
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert_eq!(text.matches("\n  + ").count(), plan.changes().len());
    }

    #[test]
    fn order_does_not_matter(
        model in some_model(), who in some_candidate(), rules in some_rules(),
    ) {
        let known = model.known();
        let first = plan(&name("ana"), &who, &known, &users(), &rules);
        let (mut who, mut rules) = (who, rules);
        who.mapped_groups.reverse();
        who.provider_groups.reverse();
        rules.default.reverse();
        rules.map.reverse();
        rules.exclude.reverse();
        let second = plan(&name("ana"), &who, &known, &users(), &rules);
        prop_assert_eq!(first.ok(), second.ok());
    }
}
