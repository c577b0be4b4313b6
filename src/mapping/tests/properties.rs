//! Whatever the claims are.

use super::*;
use crate::config::{GroupMode, JmesPath, Mapping, Reference, Rewrite, Step};
use crate::web::asserted;
use std::collections::HashSet;

/// Mappings that reach everything and change it in every way.
fn wild() -> Claims {
    let mapping = |from: &str, steps: Vec<Step>| Mapping {
        from: Reference::parse(from),
        steps,
    };
    let expression = |text: &str| Mapping {
        from: Reference::JmesPath(JmesPath::parse(text).unwrap()),
        steps: vec![Step::Keys, Step::Json],
    };
    let rewrite = Step::Regex(Rewrite::parse("(?s)(.*?)@?(.*)", "$2$1").unwrap());
    Claims {
        username: vec![
            mapping("preferred_username", vec![Step::Json, Step::Lower, rewrite]),
            expression("join('', values(@)[])"),
            expression("to_string(@)"),
            mapping(
                "/emails/0",
                vec![Step::Upper, Step::LastSegment(".".into())],
            ),
            Mapping::plain("login"),
        ],
        display_name: vec![mapping("name", vec![Step::Trim, Step::Upper])],
        groups: vec![
            expression("*.* | [][] | [?type(@) == 'string']"),
            expression("sort_by(groups, &name)[].name || reverse(sort(keys(@)))"),
            mapping(
                "groups",
                vec![Step::Pick("name".into()), Step::Split(vec![";".into()])],
            ),
        ],
        ..rules()
    }
}

fn groups() -> impl Strategy<Value = Groups> {
    let mode = prop::sample::select(vec![GroupMode::Off, GroupMode::Manual, GroupMode::OnTheFly]);
    let name = "[a-cA-C]{1,2}";
    let map = prop::collection::vec((name, prop::collection::vec("[a-c]{1,2}", 1..4)), 0..6);
    (mode, map, prop::collection::vec(name, 0..3), "[a-c?*]{1,2}").prop_map(
        |(mode, map, default, exclude)| Groups {
            mode,
            map: map
                .into_iter()
                .map(|(to, from)| (GroupName::parse(to).unwrap(), from))
                .collect(),
            default: default
                .into_iter()
                .map(|name| GroupName::parse(name).unwrap())
                .collect(),
            exclude: vec![config::Pattern::new(&exclude)],
            ..Groups::default()
        },
    )
}

fn identity() -> config::Identity {
    let name = |name: &'static str| Some(http::HeaderName::from_static(name));
    config::Identity {
        user_header: http::HeaderName::from_static("x-user"),
        email_header: name("x-email"),
        name_header: name("x-name"),
        groups_header: name("x-groups"),
        assertion: None,
    }
}

#[test]
fn a_megabyte_of_claims_is_read_to_the_end() {
    let many: Vec<String> = (0..60_000).map(|n| format!("group-{n}")).collect();
    let deep = "[".repeat(120) + &"]".repeat(120);
    let deep: Value = serde_json::from_str(&deep).unwrap();
    let claims = json!({
        "groups": many, "preferred_username": "@".repeat(500_000), "name": deep, "roles": deep,
    });
    for (claims_rules, code) in [(wild(), "username_type"), (rules(), "too_many_groups")] {
        let provider = provider(claims_rules);
        let examined = examined(&claims, &provider, &users(), &Groups::default());
        let codes: Vec<&str> = examined.refusals.iter().map(Refused::code).collect();
        assert!(codes.contains(&code), "{codes:?}");
    }
}

proptest! {
    #[test]
    fn no_claims_break_a_header_a_username_or_a_group(
        claims in prop::collection::btree_map(claim(), value(), 0..10),
        groups in groups(),
        tame in any::<bool>(),
    ) {
        let claims = Value::Object(claims.into_iter().collect());
        let provider = provider(if tame { rules() } else { wild() });
        let examined = examined(&claims, &provider, &users(), &groups);
        prop_assert_eq!(examined.candidate.is_none(), !examined.refusals.is_empty());
        let Some(candidate) = examined.candidate else {
            return Ok(());
        };
        let person = &candidate.person;
        for (name, text) in asserted(&identity(), person) {
            prop_assert!(http::HeaderValue::from_bytes(text.as_bytes()).is_ok(), "{name}: {text:?}");
        }
        prop_assert!(Username::parse(person.username.as_str()).is_ok());
        let mut seen = HashSet::new();
        for group in person.groups.iter() {
            prop_assert!(GroupName::parse(group.as_str()).is_ok());
            prop_assert!(!groups.exclude[0].fits(group.as_str()));
            // Bitbucket compares without case.
            prop_assert!(seen.insert(group.as_str().to_lowercase()));
        }
        for group in &candidate.mapped_groups {
            prop_assert!(person.groups.contains(group));
        }
    }

    #[test]
    fn the_fate_of_groups_depends_on_nothing_else(
        names in prop::collection::vec("[a-cA-C]{1,2}", 0..8),
        groups in groups(),
    ) {
        let claims = json!({"login": "ana", "groups": names});
        let provider = provider(rules());
        let once = examined(&claims, &provider, &users(), &groups);
        let twice = examined(&claims, &provider, &users(), &groups);
        prop_assert_eq!(&once.groups, &twice.groups);
        // What is said to come out, comes out.
        let told: HashSet<&str> = once.groups.iter().flat_map(|fate| &fate.to).map(String::as_str).collect();
        let person = once.candidate.unwrap().person;
        let got: HashSet<&str> = person.groups.iter().map(GroupName::as_str).collect();
        prop_assert_eq!(told, got);
    }

    /// Two people are one to Bitbucket when their names differ in case alone.
    #[test]
    fn no_two_names_become_one_person_unless_they_are_ascii_spellings_of_it(
        one in "[a-cA-CkKsSiI\u{212a}ſıİÅ\u{ff41}]{1,4}",
        other in "[a-cA-CkKsSiI\u{212a}ſıİÅ\u{ff41}]{1,4}",
        step in prop::sample::select(vec![None, Some(Step::Lower), Some(Step::Upper), Some(Step::Trim)]),
    ) {
        let claims_rules = Claims {
            username: vec![Mapping {
                from: Reference::Claim("login".to_owned()),
                steps: step.into_iter().collect(),
            }],
            ..rules()
        };
        let become_ = |login: &str| map(&json!({"login": login}), &claims_rules, &users());
        let (one_is, other_is) = (become_(&one), become_(&other));
        for (text, is) in [(&one, &one_is), (&other, &other_is)] {
            prop_assert_eq!(is.is_ok(), text.is_ascii());
        }
        if let (Ok(one_is), Ok(other_is)) = (one_is, other_is) {
            let same = one_is.username.as_str().eq_ignore_ascii_case(other_is.username.as_str());
            prop_assert_eq!(same, one_is.username == other_is.username);
            prop_assert_eq!(same, one.eq_ignore_ascii_case(&other));
        }
    }
}
