mod grouping;
mod properties;
mod stepping;
mod trusting;

use super::*;
use crate::config::{Claims, Groups, Provider, UsernameCase, Users};
use crate::identity::Domain;
use proptest::prelude::*;
use serde_json::json;

fn names(names: &[&str]) -> Vec<config::Mapping> {
    names
        .iter()
        .map(|name| config::Mapping::plain(name))
        .collect()
}

fn rules() -> Claims {
    Claims {
        username: names(&["preferred_username", "login"]),
        email: names(&["email", "emails"]),
        email_verified: names(&["email_verified"]),
        display_name: names(&["name"]),
        first_name: names(&["given_name"]),
        last_name: names(&["family_name"]),
        groups: names(&["custom_attributes.groups", "groups"]),
        groups_separator: Some(";".to_owned()),
    }
}

/// Any provider, with these claims.
fn provider(claims: Claims) -> Provider {
    let text = "[server]\npublic_url = \"https://git.example.com\"\n\
        [upstream]\nurl = \"http://bitbucket:7990\"\n\
        [session]\nstore = \"memory\"\nkeys = [\"KEY\"]\n\
        [[providers]]\nid = \"test\"\nissuer = \"https://idp.example.com\"\n\
        client_id = \"c\"\nclient_secret = \"s\"\n"
        .replace("KEY", &"0123456789abcdef".repeat(8));
    let loaded = config::parse(&text, "p.toml", std::path::Path::new("."), &|_| None);
    let mut provider = loaded.unwrap().config.providers.remove(0);
    provider.claims = claims;
    provider
}

fn examined(claims: &Value, provider: &Provider, users: &Users, groups: &Groups) -> Examined {
    let rules = Rules {
        provider,
        users,
        groups,
    };
    examine(claims.as_object().unwrap(), rules)
}

/// The candidate, or the first refusal.
fn decided(examined: Examined) -> Result<Candidate, Refused> {
    match examined.candidate {
        Some(candidate) => Ok(candidate),
        None => Err(examined.refusals.into_iter().next().unwrap()),
    }
}

fn users() -> Users {
    Users {
        match_by: MatchBy::Username,
        username_case: UsernameCase::Lower,
        require_verified_email: true,
        allowed_domains: Vec::new(),
        create: true,
        update_profile: true,
        link_by_verified_email: false,
        link_providers: Vec::new(),
    }
}

fn by_email() -> Users {
    Users {
        match_by: MatchBy::Email,
        ..users()
    }
}

fn domains(domains: &[&str]) -> Users {
    Users {
        allowed_domains: domains.iter().map(|d| Domain::parse(d).unwrap()).collect(),
        ..users()
    }
}

fn map(claims: &Value, rules: &Claims, users: &Users) -> Result<Person, Refused> {
    let provider = provider(rules.clone());
    decided(examined(claims, &provider, users, &Groups::default())).map(|it| it.person)
}

/// Who these claims are, or the beginning of why not.
#[track_caller]
fn check(claims: Value, users: &Users, want: Result<&str, &str>) {
    match (map(&claims, &rules(), users), want) {
        (Ok(person), Ok(name)) => assert_eq!(person.username.as_str(), name, "{claims}"),
        (Err(refused), Err(code)) => assert_eq!(refused.code(), code, "{claims}: {refused}"),
        (got, want) => panic!("{claims} became {got:?}, not {want:?}"),
    }
}

#[track_caller]
fn check_groups(claims: Value, rules: &Claims, want: &[&str]) {
    let person = map(&claims, rules, &users()).unwrap();
    let groups: Vec<_> = person.groups.iter().map(GroupName::as_str).collect();
    assert_eq!(groups, want, "{claims}");
}

#[test]
fn usual_claims_become_a_person() {
    let claims = json!({
        "sub": "https://login.salesforce.com/id/00D/005",
        "preferred_username": "Ana.Silva@Example.com",
        "email": "ana.silva@Example.COM",
        "email_verified": true,
        "name": " Ana Silva ",
        "phone_number": null,
        "custom_attributes": {"groups": "dev; bitbucket-admins;;dev"},
    });
    let person = map(&claims, &rules(), &users()).unwrap();
    assert_eq!(person.username.as_str(), "ana.silva@example.com");
    assert_eq!(person.email.unwrap().as_str(), "ana.silva@example.com");
    assert_eq!(person.display_name.unwrap().as_str(), "Ana Silva");
    let groups: Vec<_> = person.groups.iter().map(GroupName::as_str).collect();
    assert_eq!(groups, ["dev", "bitbucket-admins"]);
}

#[test]
fn a_username_is_text_an_exact_integer_or_a_list_of_one_text() {
    let name = |value: Value| json!({ "preferred_username": value });
    check(name(json!("ana")), &users(), Ok("ana"));
    check(name(json!(583231)), &users(), Ok("583231"));
    check(name(json!(u64::MAX)), &users(), Ok("18446744073709551615"));
    check(name(json!(["ana"])), &users(), Ok("ana"));
    for wrong in [
        json!(true),
        json!({"x": "ana"}),
        json!(1.5),
        json!(1e300),
        json!(2.0),
        json!([1]),
        json!([null]),
        json!([["ana"]]),
    ] {
        check(name(wrong), &users(), Err("username_type"));
    }
    check(
        name(json!(["ana", "bob"])),
        &users(),
        Err("ambiguous_username"),
    );
    check(
        name(json!(["ana", "ana"])),
        &users(),
        Err("ambiguous_username"),
    );
    check(
        name(json!(["ana", null])),
        &users(),
        Err("ambiguous_username"),
    );
}

#[test]
fn a_username_that_bitbucket_or_a_header_cannot_carry_is_refused() {
    for bad in [
        " ",
        " ana",
        "ana ",
        "an a",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\u{7f}b",
        "a/b",
        "a\\b",
        "a%2fb",
        "a;b",
        "a,b",
        "\"ana\"",
        "ána",
        "\u{202e}ana",
        "\u{FF41}na",
        ".",
        "..",
    ] {
        check(
            json!({"preferred_username": bad}),
            &users(),
            Err("invalid_username"),
        );
        check(
            json!({"preferred_username": [bad]}),
            &users(),
            Err("invalid_username"),
        );
    }
    let long = "a".repeat(256);
    check(
        json!({"preferred_username": long}),
        &users(),
        Err("invalid_username"),
    );
    check(
        json!({"preferred_username": "a".repeat(255)}),
        &users(),
        Ok(&long[1..]),
    );
}

#[test]
fn the_first_claim_that_is_there_wins() {
    for absent in [json!(null), json!(""), json!([])] {
        check(
            json!({"preferred_username": absent, "login": "ana"}),
            &users(),
            Ok("ana"),
        );
        check(
            json!({"preferred_username": absent}),
            &users(),
            Err("no_username"),
        );
    }
    check(json!({}), &users(), Err("no_username"));
    check(
        json!({"preferred_username": "ana", "login": "bob"}),
        &users(),
        Ok("ana"),
    );
    // One that is there and wrong is not passed over: who is meant would then depend on a typo.
    check(
        json!({"preferred_username": {"x": 1}, "login": "ana"}),
        &users(),
        Err("username_type"),
    );
    check(
        json!({"preferred_username": "a b", "login": "ana"}),
        &users(),
        Err("invalid_username"),
    );
}

#[test]
fn a_literal_name_wins_over_a_path() {
    let rules = Claims {
        username: names(&["user.name", "https://ns.example/login"]),
        ..rules()
    };
    let got = |claims: Value| map(&claims, &rules, &users()).map(|p| p.username.to_string());
    let path = json!({"user": {"name": "path"}});
    assert_eq!(got(path).unwrap(), "path");
    let both = json!({"user": {"name": "path"}, "user.name": "literal"});
    assert_eq!(got(both).unwrap(), "literal");
    let empty = json!({"user": {"name": "path"}, "user.name": null});
    assert_eq!(got(empty).unwrap(), "path");
    let url = json!({"https://ns.example/login": "url", "user": "x"});
    assert_eq!(got(url).unwrap(), "url");
    for nothing in [
        json!({"user": ["name"]}),
        json!({"user": null}),
        json!({"user": {"name": {}}, "name": "x"}),
    ] {
        assert!(got(nothing).is_err());
    }
}

#[test]
fn the_case_of_usernames_is_a_rule() {
    let keep = Users {
        username_case: UsernameCase::Keep,
        ..users()
    };
    check(json!({"preferred_username": "Ana"}), &keep, Ok("Ana"));
    check(json!({"preferred_username": "Ana"}), &users(), Ok("ana"));
    let email = json!({"email": "Ana@Example.com"});
    check(
        email.clone(),
        &Users {
            match_by: MatchBy::Email,
            ..keep
        },
        Ok("Ana@example.com"),
    );
    check(email, &by_email(), Ok("ana@example.com"));
}

#[test]
fn the_email_can_be_the_username() {
    let users = by_email();
    let other = json!({"preferred_username": "other", "email": "ana@example.com"});
    check(other, &users, Ok("ana@example.com"));
    check(
        json!({"emails": ["ana@example.com", "b@c.example"]}),
        &users,
        Ok("ana@example.com"),
    );
    check(
        json!({"preferred_username": "ana"}),
        &users,
        Err("no_email"),
    );
    check(json!({"email": "ana"}), &users, Err("invalid_email"));
    check(
        json!({"email": "a@b.example, c@d.example"}),
        &users,
        Err("invalid_email"),
    );
    check(json!({"email": 1}), &users, Err("email_type"));
    check(
        json!({"emails": [null, "ana@example.com"]}),
        &users,
        Err("email_type"),
    );
    check(
        json!({"emails": {"x": "ana@example.com"}}),
        &users,
        Err("email_type"),
    );
    // An address that is valid as one and no username.
    check(
        json!({"email": "ana/x@example.com"}),
        &users,
        Err("invalid_username"),
    );
}

#[test]
fn an_unverified_email_refuses_where_it_decides_something() {
    let claims = |verified: Value| json!({"preferred_username": "ana", "email": "ana@example.com", "email_verified": verified});
    let deciding = [
        (by_email(), "ana@example.com"),
        (domains(&["example.com"]), "ana"),
    ];
    for verified in [
        json!(true),
        json!("true"),
        json!(1),
        json!("1"),
        json!(null),
    ] {
        for (users, name) in &deciding {
            check(claims(verified.clone()), users, Ok(name));
        }
        let person = map(&claims(verified), &rules(), &users()).unwrap();
        assert!(person.email.is_some());
    }
    for unverified in [
        json!(false),
        json!("false"),
        json!(0),
        json!("0"),
        json!(""),
        json!("True"),
        json!("yes"),
        json!(2),
        json!(1.5),
        json!([true]),
        json!({"value": true}),
    ] {
        for (users, name) in &deciding {
            check(claims(unverified.clone()), users, Err("unverified_email"));
            let lenient = Users {
                require_verified_email: false,
                ..users.clone()
            };
            check(claims(unverified.clone()), &lenient, Ok(name));
        }
        // Where it decides nothing, the person may come in, without the doubtful address.
        let person = map(&claims(unverified), &rules(), &users()).unwrap();
        assert_eq!(person.email, None);
    }
}

#[test]
fn nobody_becomes_somebody_else_by_an_address_that_was_never_verified() {
    let by_claim = |claim: &str| Claims {
        username: names(&["preferred_username", claim]),
        email: names(&["email", "mail"]),
        ..rules()
    };
    for claim in ["email", "mail"] {
        for verified in [true, false] {
            let claims = json!({claim: "admin@example.com", "email_verified": verified});
            let person = map(&claims, &by_claim(claim), &users());
            match person {
                Ok(person) => assert!(verified && person.username.as_str() == "admin@example.com"),
                Err(refused) => assert!(!verified && refused.code() == "unverified_email"),
            }
        }
    }
    // Another claim decides: the address does not matter.
    let claims =
        json!({"preferred_username": "ana", "email": "a@example.com", "email_verified": false});
    let person = map(&claims, &by_claim("email"), &users()).unwrap();
    assert_eq!(person.username.as_str(), "ana");
}

#[test]
fn allowed_domains_read_a_mailbox() {
    let users = domains(&["example.com", "example.org"]);
    let claims = |email: &str| json!({"preferred_username": "ana", "email": email});
    check(claims("ana@example.com"), &users, Ok("ana"));
    check(claims("ana@EXAMPLE.org"), &users, Ok("ana"));
    for other in [
        "ana@evil-example.com",
        "ana@sub.example.com",
        "ana@example.com.evil.example",
    ] {
        check(claims(other), &users, Err("domain_not_allowed"));
    }
    for hostile in [
        "ana@evil.example@example.com",
        "\"ana@evil.example\"@example.com",
        "ana@evil.example, x@example.com",
        "<ana@evil.example>x@example.com",
        "example.com",
        "@example.com",
        "ana@evil.example\n@example.com",
        "ana@ex\u{430}mple.com",
    ] {
        check(claims(hostile), &users, Err("invalid_email"));
    }
    check(
        json!({"preferred_username": "ana"}),
        &users,
        Err("no_email"),
    );
}

#[test]
fn an_unusable_email_that_decides_nothing_is_dropped() {
    for email in [
        json!("ana"),
        json!(1),
        json!({}),
        json!([1]),
        json!("a@b@c"),
    ] {
        let claims = json!({"preferred_username": "ana", "email": email});
        assert_eq!(map(&claims, &rules(), &users()).unwrap().email, None);
    }
}

#[test]
fn a_display_name_is_whole_or_in_parts_or_none() {
    for (claims, want) in [
        (
            json!({"name": "Ana Silva", "given_name": "X"}),
            Some("Ana Silva"),
        ),
        (
            json!({"given_name": " Ana ", "family_name": "Silva"}),
            Some("Ana Silva"),
        ),
        (json!({"given_name": "Ana"}), Some("Ana")),
        (json!({"name": " ", "family_name": "Silva"}), Some("Silva")),
        (
            json!({"name": "Ana\u{0}", "family_name": "Silva"}),
            Some("Silva"),
        ),
        (json!({"name": "名前"}), Some("名前")),
        (json!({"name": ["Ana"]}), None),
        (json!({"name": "Ana\nX-Admin: 1"}), None),
        (json!({"name": "a".repeat(256)}), None),
        (json!({}), None),
    ] {
        let mut claims = claims;
        claims["login"] = json!("ana");
        let person = map(&claims, &rules(), &users()).unwrap();
        let name = person.display_name.as_ref().map(|name| name.as_str());
        assert_eq!(name, want, "{claims}");
    }
}

#[test]
fn groups_come_as_a_list_or_as_text() {
    let of = |groups: Value| json!({"login": "ana", "groups": groups});
    check_groups(of(json!(["dev", "ops", "dev"])), &rules(), &["dev", "ops"]);
    check_groups(of(json!("dev; ops ;;")), &rules(), &["dev", "ops"]);
    check_groups(of(json!(["dev; ops"])), &rules(), &["dev; ops"]);
    let whole = Claims {
        groups_separator: None,
        ..rules()
    };
    check_groups(of(json!("dev; ops")), &whole, &["dev; ops"]);
    let empty = Claims {
        groups_separator: Some(String::new()),
        ..rules()
    };
    check_groups(of(json!("dev; ops")), &empty, &["dev; ops"]);
    for none in [
        json!(null),
        json!(""),
        json!([]),
        json!(1),
        json!(true),
        json!({"dev": 1}),
    ] {
        check_groups(of(none), &rules(), &[]);
    }
}

#[test]
fn what_cannot_be_a_groups_name_is_not_one() {
    let groups = json!(["dev", 1, null, {"name": "admins"}, ["admins"], "", " admins", "a,b",
        "admins\n", "admins\u{200b}", "x".repeat(256)]);
    check_groups(
        json!({"login": "ana", "groups": groups}),
        &rules(),
        &["dev"],
    );
    let dn = json!({"login": "ana", "groups": "CN=admins,OU=x; dev"});
    check_groups(dn, &rules(), &["dev"]);
}

#[test]
fn an_empty_list_of_groups_hides_further_claims() {
    let claims = json!({"login": "ana", "custom_attributes": {"groups": []}, "groups": ["dev"]});
    check_groups(claims, &rules(), &[]);
    let claims = json!({"login": "ana", "custom_attributes": {"groups": null}, "groups": ["dev"]});
    check_groups(claims, &rules(), &["dev"]);
}

#[test]
fn too_many_groups_are_refused() {
    let groups = |count: usize| (0..count).map(|n| format!("g{n}")).collect::<Vec<_>>();
    check(
        json!({"login": "ana", "groups": groups(1000)}),
        &users(),
        Ok("ana"),
    );
    check(
        json!({"login": "ana", "groups": groups(1001)}),
        &users(),
        Err("too_many_groups"),
    );
    let same = vec!["dev"; 5000];
    check(json!({"login": "ana", "groups": same}), &users(), Ok("ana"));
}

#[test]
fn a_refusal_names_the_claim_and_the_rule() {
    let text =
        |claims: Value, users: &Users| map(&claims, &rules(), users).unwrap_err().to_string();
    assert_eq!(
        text(json!({}), &users()),
        "there is no username in the claims \"preferred_username\", \"login\""
    );
    assert_eq!(
        text(json!({"login": "a\nb"}), &users()),
        "the username in the claim \"login\" contains the character U+000A"
    );
    assert_eq!(
        text(json!({"login": {"secret": 1}}), &users()),
        "the claim \"login\" holds an object instead of a username"
    );
    assert_eq!(
        text(json!({"login": "ana"}), &domains(&["example.com"])),
        "there is no e-mail address in the claims \"email\", \"emails\", and \
         users.allowed_domains needs one"
    );
    assert_eq!(
        text(
            json!({"email": "a@evil.example"}),
            &domains(&["example.com"])
        ),
        "the e-mail address in the claim \"email\" is in the domain \"evil.example\", which is \
         not in users.allowed_domains"
    );
    assert_eq!(
        text(
            json!({"email": "a@b.example", "email_verified": false}),
            &by_email()
        ),
        "the e-mail address in the claim \"email\" is not verified (\"email_verified\"), and \
         users.require_verified_email asks for that"
    );
}

/// Any JSON, with a liking for what the rules look at.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}",
        "[a-zA-Z.@;, \r\n\u{0}\u{202e}]{0,24}",
        "[a-z]{1,5}@(example\\.com|evil\\.example)",
        "(dev;){0,40}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(claim(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn claim() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "preferred_username",
            "login",
            "email",
            "emails",
            "email_verified",
            "name",
            "given_name",
            "family_name",
            "groups",
            "custom_attributes",
            "custom_attributes.groups",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn no_claims_break_the_rules(
        claims in prop::collection::btree_map(claim(), value(), 0..10),
        email_decides in any::<bool>(),
        with_domains in any::<bool>(),
        separator in prop::option::of("[;, ]{0,2}"),
    ) {
        let claims: Map<String, Value> = claims.into_iter().collect();
        let rules = Claims { groups_separator: separator, ..rules() };
        let users = Users {
            match_by: if email_decides { MatchBy::Email } else { MatchBy::Username },
            ..if with_domains { domains(&["example.com"]) } else { users() }
        };
        let claims = Value::Object(claims);
        let Ok(person) = map(&claims, &rules, &users) else {
            return Ok(());
        };
        let username = person.username.as_str();
        prop_assert!(Username::parse(username).is_ok());
        prop_assert!(http::HeaderValue::from_str(username).is_ok());
        prop_assert_eq!(username, username.to_ascii_lowercase());
        if let Some(email) = &person.email {
            prop_assert_eq!(&Email::parse(email.as_str()).unwrap(), email);
            prop_assert!(claims.get("email_verified").is_none_or(|v| *v != json!(false)));
        }
        if email_decides {
            let email = person.email.as_ref().unwrap().as_str().to_ascii_lowercase();
            prop_assert_eq!(username, email);
        }
        if with_domains {
            prop_assert!(person.email.unwrap().as_str().ends_with("@example.com"));
        }
        prop_assert!(person.groups.len() <= 1000);
        for (at, group) in person.groups.iter().enumerate() {
            prop_assert!(GroupName::parse(group.as_str()).is_ok());
            prop_assert!(!person.groups[..at].contains(group));
        }
    }
}

#[test]
fn an_unverified_email_does_not_become_a_username_through_the_username_claim() {
    for reference in ["email", "emails"] {
        let rules = Claims {
            username: names(&[reference]),
            ..rules()
        };
        let claims = |verified: Value| json!({ "email": "root@example.com", "emails": ["root@example.com"], "email_verified": verified });
        let refused = map(&claims(json!(false)), &rules, &users()).unwrap_err();
        assert_eq!(refused.code(), "unverified_email", "{refused}");
        assert!(map(&claims(json!(true)), &rules, &users()).is_ok());
        let lenient = Users {
            require_verified_email: false,
            ..users()
        };
        assert!(map(&claims(json!(false)), &rules, &lenient).is_ok());
    }
}

#[test]
fn an_account_that_is_switched_off_at_the_provider_signs_nobody_in() {
    let claims = |active: Value| json!({ "preferred_username": "ana", "active": active });
    check(claims(json!(false)), &users(), Err("inactive_account"));
    check(claims(json!("false")), &users(), Err("inactive_account"));
    check(claims(json!(true)), &users(), Ok("ana"));
    check(json!({ "preferred_username": "ana" }), &users(), Ok("ana"));
}
