//! Groups: every switch, and every reason.

use super::*;
use crate::config::{AssignDefault, GroupMode, Pattern};

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn groups(mode: GroupMode) -> Groups {
    Groups {
        mode,
        default: vec![group("stash-users")],
        exclude: vec![Pattern::new("Secret-*")],
        map: vec![
            (
                group("developers"),
                vec!["dev".into(), "CN=dev,OU=x".into()],
            ),
            (group("everybody"), vec!["dev".into(), "ops".into()]),
            (group("secret-ops"), vec!["ops".into()]),
        ],
        ..Groups::default()
    }
}

fn with(names: Value, groups: &Groups) -> (Candidate, Vec<GroupFate>) {
    let claims = json!({"login": "ana", "groups": names});
    let examined = examined(&claims, &provider(rules()), &users(), groups);
    (examined.candidate.unwrap(), examined.groups)
}

/// The person's groups, and those for Bitbucket without the default ones.
#[track_caller]
fn check(names: Value, groups: &Groups, all: &[&str], mapped: &[&str]) -> Vec<GroupFate> {
    let (candidate, fates) = with(names, groups);
    let texts = |groups: &[GroupName]| groups.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&candidate.person.groups), all);
    assert_eq!(texts(&candidate.mapped_groups), mapped);
    fates
}

fn fate<'a>(fates: &'a [GroupFate], from: &str) -> (&'a [String], &'a str) {
    let fate = fates.iter().find(|fate| fate.from.as_deref() == Some(from));
    let fate = fate.unwrap_or_else(|| panic!("no fate of {from:?} in {fates:?}"));
    (&fate.to, &fate.why)
}

#[test]
fn off_leaves_the_providers_names_to_the_gateway_alone() {
    let names = json!(["dev", "secret-x", "a,b"]);
    let fates = check(names, &groups(GroupMode::Off), &["dev", "stash-users"], &[]);
    assert!(fate(&fates, "dev").1.contains("groups.mode is \"off\""));
    assert!(fate(&fates, "secret-x").1.contains("\"Secret-*\""));
    assert!(fate(&fates, "a,b").1.contains("the character \",\""));
    assert_eq!(fates.last().unwrap().from, None);
}

#[test]
fn the_map_goes_from_several_to_one_and_from_one_to_several() {
    let manual = groups(GroupMode::Manual);
    let all = ["developers", "everybody", "stash-users"];
    let fates = check(json!(["dev", "ops", "else"]), &manual, &all, &all[..2]);
    assert_eq!(fate(&fates, "dev").0, ["developers", "everybody"]);
    let (to, why) = fate(&fates, "ops");
    assert_eq!(to, ["everybody"]);
    assert!(
        why.contains("groups.exclude takes \"secret-ops\" out"),
        "{why}"
    );
    assert_eq!(
        fate(&fates, "else"),
        (&[][..], "groups.map does not name it")
    );
    // What is no name here may be one there.
    let all = ["developers", "stash-users"];
    check(json!(["CN=dev,OU=x"]), &manual, &all, &all[..1]);
}

#[test]
fn the_map_knows_names_byte_for_byte() {
    for other in ["Dev", "dev ", "dev\u{200b}", "DEV"] {
        check(
            json!([other]),
            &groups(GroupMode::Manual),
            &["stash-users"],
            &[],
        );
    }
}

#[test]
fn on_the_fly_keeps_names_and_the_first_of_two_spellings() {
    let fly = groups(GroupMode::OnTheFly);
    let names = json!(["Dev", "dev", "STASH-users", "Köln", "KÖLN"]);
    let all = ["Dev", "STASH-users", "Köln"];
    let fates = check(names, &fly, &all, &all);
    let (to, why) = fate(&fates, "dev");
    assert_eq!(to, ["Dev"]);
    assert!(why.contains("the same as \"Dev\""), "{why}");
    assert!(fates.last().unwrap().why.contains("there already"));
}

#[test]
fn a_group_cannot_pose_as_another_by_a_letter_that_folds() {
    let fates = check(
        json!(["\u{212a}ernel"]),
        &groups(GroupMode::OnTheFly),
        &["stash-users"],
        &[],
    );
    assert!(fate(&fates, "\u{212a}ernel").1.contains("U+212A"));
}

#[test]
fn default_groups_go_to_all_or_new_or_nobody() {
    for (assign, all, fates) in [
        (AssignDefault::All, &["stash-users"][..], 1),
        (AssignDefault::New, &[], 1),
        (AssignDefault::None, &[], 0),
    ] {
        let groups = Groups {
            assign_default_to: assign,
            ..groups(GroupMode::Manual)
        };
        assert_eq!(check(json!([]), &groups, all, &[]).len(), fates);
    }
    let excluded = Groups {
        exclude: vec![Pattern::new("STASH*")],
        ..groups(GroupMode::Manual)
    };
    let fates = check(json!([]), &excluded, &[], &[]);
    assert!(fates[0].to.is_empty() && fates[0].why.contains("groups.exclude"));
}

#[test]
fn what_is_no_text_is_told_by_its_kind_and_not_by_its_value() {
    let off = groups(GroupMode::Off);
    let fates = check(
        json!(["dev", {"name": "x"}, 7]),
        &off,
        &["dev", "stash-users"],
        &[],
    );
    assert_eq!(fate(&fates, "(an object)").0.len(), 0);
    assert_eq!(fate(&fates, "(a number)").0.len(), 0);
}

#[test]
fn the_provider_groups_are_the_providers_own() {
    let (candidate, _) = with(json!(["a,b", "dev", "dev"]), &groups(GroupMode::Manual));
    assert_eq!(candidate.provider_groups, ["a,b", "dev"]);
}
