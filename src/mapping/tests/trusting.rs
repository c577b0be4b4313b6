//! When an address may decide something, what a provider must say, and that nothing is left out.

use super::*;
use crate::config::{EmailTrust, JmesPath, Mapping, Reference, Requirement, Step};

fn local_part(claim: &str) -> Mapping {
    Mapping {
        from: Reference::Claim(claim.to_owned()),
        steps: vec![Step::LocalPart(vec![Domain::parse("example.com").unwrap()])],
    }
}

fn jmespath(text: &str) -> Mapping {
    Mapping {
        from: Reference::JmesPath(JmesPath::parse(text).unwrap()),
        steps: Vec::new(),
    }
}

fn with_username(mapping: Mapping) -> Provider {
    provider(Claims {
        username: vec![mapping],
        ..rules()
    })
}

fn codes(claims: &Value, provider: &Provider, users: &Users) -> Vec<&'static str> {
    let examined = examined(claims, provider, users, &Groups::default());
    assert_eq!(examined.candidate.is_some(), examined.refusals.is_empty());
    examined.refusals.iter().map(Refused::code).collect()
}

#[test]
fn a_username_made_of_an_address_needs_one_that_may_be_trusted() {
    let mappings = [
        local_part("email"),
        local_part("upn"),
        jmespath("email"),
        jmespath("not_null(nobody, emails[0])"),
        jmespath("values(@)[?type(@) == 'string'] | [?contains(@, 'example.com')] | [0]"),
        Mapping::plain("emails.0"),
        Mapping::plain("/emails/0"),
        Mapping::plain("profile.email"),
        Mapping {
            from: Reference::Claim("profile".to_owned()),
            steps: vec![Step::Pick("email".to_owned())],
        },
    ];
    for mapping in mappings {
        let provider = with_username(mapping.clone());
        let claims = |verified: bool| {
            json!({"email": "ana@example.com", "emails": ["ana@example.com"], "emails.0": "ana@example.com",
                "profile": {"email": "ana@example.com"}, "upn": "ana@example.com", "email_verified": verified})
        };
        assert_eq!(
            codes(&claims(true), &provider, &users()),
            [""; 0],
            "{mapping:?}"
        );
        assert_eq!(
            codes(&claims(false), &provider, &users()),
            ["unverified_email"],
            "{mapping:?}"
        );
    }
}

#[test]
fn a_name_beside_the_address_is_no_address() {
    let provider = provider(Claims {
        username: vec![Mapping {
            from: Reference::Claim("contact".to_owned()),
            steps: vec![Step::Pick("login".to_owned())],
        }],
        email: vec![jmespath("contact.mail")],
        ..rules()
    });
    let claims =
        json!({"contact": {"login": "ana", "mail": "a@example.com"}, "email_verified": false});
    assert_eq!(codes(&claims, &provider, &users()), [""; 0]);
}

#[test]
fn where_verified_is_asked_for_silence_is_no() {
    let mut strict = with_username(local_part("email"));
    strict.email_trust = EmailTrust::Verified;
    let claims = |verified: Value| json!({"email": "ana@example.com", "email_verified": verified});
    for verified in [json!(true), json!("true"), json!(1), json!("1")] {
        assert_eq!(codes(&claims(verified), &strict, &users()), [""; 0]);
    }
    for not in [json!(null), json!(false), json!("yes"), json!([true])] {
        assert_eq!(codes(&claims(not), &strict, &users()), ["unverified_email"]);
    }
    let lenient = Users {
        require_verified_email: false,
        ..users()
    };
    assert_eq!(codes(&claims(json!(null)), &strict, &lenient), [""; 0]);
    // Where it decides nothing, the address is only not denied.
    let mut strict = provider(rules());
    strict.email_trust = EmailTrust::Verified;
    let claims = json!({"login": "ana", "email": "ana@example.com"});
    let candidate = examined(&claims, &strict, &users(), &Groups::default())
        .candidate
        .unwrap();
    assert!(candidate.person.email.is_some() && candidate.verified_email.is_none());
    assert_eq!(
        codes(&claims, &strict, &domains(&["example.com"])),
        ["unverified_email"]
    );
}

#[test]
fn only_an_explicit_yes_makes_a_verified_address() {
    let provider = provider(Claims {
        email_verified: names(&["xms_edov"]),
        ..rules()
    });
    let verified = |said: Value| {
        let claims = json!({"login": "ana", "email": "ana@example.com", "xms_edov": said, "email_verified": true});
        let examined = examined(&claims, &provider, &users(), &Groups::default());
        examined.candidate.unwrap().verified_email.is_some()
    };
    assert!(verified(json!("1")) && verified(json!(true)));
    assert!(!verified(json!(null)) && !verified(json!(0)) && !verified(json!("TRUE")));
}

#[test]
fn a_yes_that_the_steps_drop_is_no() {
    let table = Step::Table {
        map: [("sure".to_owned(), "true".to_owned())].into(),
        other: config::Keep::Drop,
    };
    let provider = provider(Claims {
        email_verified: vec![Mapping {
            from: Reference::Claim("state".to_owned()),
            steps: vec![table],
        }],
        ..rules()
    });
    let claims = |state: &str| json!({"login": "ana", "email": "ana@example.com", "state": state});
    let users = domains(&["example.com"]);
    assert_eq!(codes(&claims("sure"), &provider, &users), [""; 0]);
    assert_eq!(
        codes(&claims("pending"), &provider, &users),
        ["unverified_email"]
    );
}

#[test]
fn groups_made_of_an_address_are_only_as_good_as_the_address() {
    let provider = provider(Claims {
        groups: vec![local_part("email"), Mapping::plain("groups")],
        ..rules()
    });
    let groups = |verified: bool| {
        let claims = json!({"login": "ana", "email": "admins@example.com", "email_verified": verified, "groups": ["dev"]});
        let examined = examined(&claims, &provider, &users(), &Groups::default());
        examined.candidate.unwrap().provider_groups
    };
    assert_eq!(groups(true), ["admins"]);
    assert_eq!(groups(false), ["dev"]);
}

#[test]
fn with_match_by_email_the_username_claim_waits_for_whoever_is_made() {
    let claimed = |claims: Value| {
        let examined = examined(&claims, &provider(rules()), &by_email(), &Groups::default());
        let candidate = examined.candidate.unwrap();
        assert_eq!(candidate.person.username.as_str(), "ana@example.com");
        candidate.claimed_username.map(|it| it.to_string())
    };
    let email = "ana@example.com";
    assert_eq!(
        claimed(json!({"email": email, "login": "Ana"})).as_deref(),
        Some("ana")
    );
    assert_eq!(claimed(json!({"email": email})), None);
    assert_eq!(claimed(json!({"email": email, "login": "a b"})), None);
    assert_eq!(claimed(json!({"email": email, "login": {"x": 1}})), None);
}

#[track_caller]
fn check_required(claims: Value, any_of: &[&str], holds: bool) {
    let mut provider = provider(rules());
    provider.require = vec![Requirement {
        claim: "org.id".to_owned(),
        any_of: any_of.iter().map(|it| (*it).to_owned()).collect(),
    }];
    let mut claims = claims;
    claims["login"] = json!("ana");
    let want: &[&str] = if holds { &[] } else { &["required_claim"] };
    assert_eq!(codes(&claims, &provider, &users()), want, "{claims}");
}

#[test]
fn a_required_claim_holds_one_of_the_values_byte_for_byte() {
    for (value, holds) in [
        (json!("a"), true),
        (json!("b"), true),
        (json!(["x", "a"]), true),
        (json!(7), true),
        (json!(true), true),
        (json!("A"), false),
        (json!("a "), false),
        (json!("ab"), false),
        (json!(["A", null, ["a"], {"a": "a"}]), false),
        (json!({"a": "a"}), false),
        (json!(null), false),
        (json!(""), false),
        (json!([]), false),
        (json!(7.0), false),
    ] {
        let any_of = ["a", "b", "7", "true"];
        check_required(json!({"org": {"id": value}}), &any_of, holds);
        check_required(json!({"org.id": value, "org": {}}), &any_of, holds);
    }
    check_required(json!({}), &["a"], false);
    // The literal name is there, so the path is not asked.
    check_required(json!({"org.id": "x", "org": {"id": "a"}}), &["a"], false);
}

#[test]
fn a_required_claim_is_refused_without_what_it_holds() {
    let mut provider = provider(rules());
    provider.require = vec![Requirement {
        claim: "hd".to_owned(),
        any_of: vec!["example.com".to_owned(), "example.org".to_owned()],
    }];
    let claims = json!({"login": "ana", "hd": "private.example"});
    let examined = examined(&claims, &provider, &users(), &Groups::default());
    assert_eq!(
        examined.refusals[0].to_string(),
        "providers.require asks the claim \"hd\" for \"example.com\" or \"example.org\", and it \
         holds something else"
    );
}

#[test]
fn every_rule_that_refuses_is_told_in_order_and_once() {
    let mut provider = provider(Claims {
        username: names(&["email"]),
        ..rules()
    });
    provider.require = vec![Requirement {
        claim: "hd".to_owned(),
        any_of: vec!["example.com".to_owned()],
    }];
    let claims = json!({"active": false, "email": "a/b@evil.example", "email_verified": false,
        "groups": (0..1001).map(|n| n.to_string()).collect::<Vec<_>>()});
    assert_eq!(
        codes(&claims, &provider, &domains(&["example.com"])),
        [
            "inactive_account",
            "required_claim",
            "unverified_email",
            "domain_not_allowed",
            "invalid_username",
            "too_many_groups"
        ]
    );
    let claims = json!({"email": "ab@evil.example", "hd": "example.com"});
    assert_eq!(
        codes(&claims, &provider, &domains(&["example.com"])),
        ["domain_not_allowed"]
    );
}

#[test]
fn whichever_names_are_there_make_the_others() {
    let names = |claims: Value| {
        let mut claims = claims;
        claims["login"] = json!("ana");
        let examined = examined(&claims, &provider(rules()), &users(), &Groups::default());
        let value = |name: &str| {
            let fact = examined
                .facts
                .iter()
                .find(|fact| fact.name == name)
                .unwrap();
            fact.value.as_str().unwrap_or("-").to_owned()
        };
        [
            value("display_name"),
            value("first_name"),
            value("last_name"),
        ]
        .join("|")
    };
    assert_eq!(
        names(json!({"name": "Ana Maria Silva"})),
        "Ana Maria Silva|Ana Maria|Silva"
    );
    assert_eq!(
        names(json!({"given_name": "Ana", "family_name": "Silva"})),
        "Ana Silva|Ana|Silva"
    );
    assert_eq!(names(json!({"name": "Ana"})), "Ana|Ana|-");
    assert_eq!(
        names(json!({"name": "Ana Silva", "given_name": "A"})),
        "Ana Silva|A|-"
    );
    assert_eq!(names(json!({})), "-|-|-");
}

/// `mail` is a field that everybody fills in; `email_verified` speaks of `email` (OpenID Connect Core
/// §5.1).
#[test]
fn a_verified_address_of_ones_own_does_not_vouch_for_somebody_elses() {
    let claims = |email: &str| json!({"login": "eve", "email": email, "email_verified": true, "mail": "ana@example.com", "upn": "ana@example.com"});
    let typed = |username| {
        let mut provider = provider(Claims {
            username: vec![username],
            email: names(&["mail", "email"]),
            ..rules()
        });
        provider.email_trust = EmailTrust::Verified;
        provider
    };
    for (provider, users) in [
        (typed(Mapping::plain("login")), by_email()),
        (typed(Mapping::plain("login")), domains(&["example.com"])),
        (typed(Mapping::plain("mail")), users()),
        (typed(local_part("upn")), users()),
    ] {
        assert_eq!(
            codes(&claims("eve@evil.example"), &provider, &users),
            ["unverified_email"]
        );
        assert_eq!(codes(&claims(""), &provider, &users), ["unverified_email"]);
        assert_eq!(
            codes(&claims("Ana@example.com"), &provider, &users),
            [""; 0]
        );
    }
    // Nor does it make an address by which people are linked.
    let provider = provider(Claims {
        email: names(&["mail"]),
        ..rules()
    });
    let linked = |email: &str| {
        let examined = examined(&claims(email), &provider, &users(), &Groups::default());
        examined.candidate.unwrap().verified_email.is_some()
    };
    assert!(!linked("eve@evil.example"));
    assert!(linked("ana@example.com"));
}
