use super::*;
use crate::config::{self, Claims, Expectation, Mapping, Requirement, Trial};
use crate::identity::Domain;
use serde_json::json;

/// A configuration with one provider, and what the test does to it.
fn config(change: impl FnOnce(&mut Config)) -> Config {
    let text = "[server]\npublic_url = \"https://git.example.com\"\n\
        [upstream]\nurl = \"http://bitbucket:7990\"\n\
        [identity]\nemail_header = \"X-Email\"\nname_header = \"X-Name\"\ngroups_header = \"X-Groups\"\n\
        [session]\nstore = \"memory\"\nkeys = [\"KEY\"]\n\
        [[providers]]\nid = \"idp\"\nissuer = \"https://idp.example.com\"\n\
        client_id = \"c\"\nclient_secret = \"s\"\n"
        .replace("KEY", &"0123456789abcdef".repeat(8));
    let loaded = config::parse(&text, "p.toml", std::path::Path::new("."), &|_| None);
    let mut config = loaded.unwrap().config;
    change(&mut config);
    config
}

fn offline(config: &Config, claims: Value) -> Report {
    Report::offline(config, &config.providers[0], claims.as_object().unwrap())
}

/// There is one problem with this code and this cure, which is TOML.
#[track_caller]
fn check(config: &Config, claims: Value, code: &str, cure: &str) {
    let report = offline(config, claims);
    let [problem] = report.problems.as_slice() else {
        panic!("not one problem: {:#?}", report.problems);
    };
    assert_eq!((problem.code.as_str(), problem.cure.as_str()), (code, cure));
    assert!(!problem.advice.is_empty());
    if let Err(error) = toml::from_str::<toml::Table>(cure) {
        panic!("{cure}: {error}");
    }
    assert!(report.to_text().contains(code));
}

const HERE: &str = "# in the [[providers]] table with id = \"idp\"\n";

fn here(lines: &str) -> String {
    format!("{HERE}{lines}")
}

#[test]
fn a_report_shows_who_it_is_and_the_exact_header() {
    let config = config(|_| ());
    let claims = json!({
        "preferred_username": "Ana", "email": "ana@example.com", "email_verified": true,
        "name": "Ana Müller", "groups": ["dev", "ops"], "address": {"country": "PT"},
    });
    let report = offline(&config, claims);
    let person = report.person.as_ref().unwrap();
    assert_eq!(person.username, "ana");
    let pairs: Vec<(&str, &str)> = person
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("x-forwarded-user", "ana"),
            ("x-email", "ana@example.com"),
            ("x-name", "Ana Müller"),
            ("x-groups", "dev,ops")
        ]
    );
    let row = |name: &str| report.claims.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("email").used_for, ["email"]);
    assert_eq!(row("address.country").value, "\"PT\"");
    assert_eq!(
        (row("address").kind, row("address").source),
        ("object", None)
    );
    assert!(report.problems.is_empty());
    let text = report.to_text();
    for part in [
        "x-forwarded-user: ana",
        "username = \"ana\"",
        "address.country",
        "Problems\n  none",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn verified_claims_have_a_source_and_a_pin() {
    let config = config(|_| ());
    let claims = VerifiedClaims::for_tests(
        "https://idp.example.com",
        "1",
        json!({"preferred_username": "ana"}),
    );
    let report = Report::of(&config, &config.providers[0], &claims);
    assert_eq!(report.subject.as_deref(), Some("1"));
    assert_eq!(report.claims[0].source, Some("ID token"));
    assert_eq!(report.claims[0].used_for, ["username"]);
}

#[test]
fn no_claim_talks_to_the_terminal() {
    let config = config(|_| ());
    let evil = "\u{1b}[2J\u{9b}31m\u{202e}x\r\n\u{7f}";
    let claims = json!({
        "preferred_username": evil, evil: evil, "name": evil, "email": evil,
        "groups": [evil, {evil: evil}], "o": {evil: {evil: evil}},
    });
    let report = offline(&config, claims.clone());
    let text = report.to_text();
    let talks = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(talks), "{text:?}");
    for row in &report.claims {
        assert!(!row.name.contains(talks) && !row.value.contains(talks));
    }
    let claims = VerifiedClaims::for_tests(evil, evil, claims);
    assert!(
        !Report::of(&config, &config.providers[0], &claims)
            .to_text()
            .contains(talks)
    );
}

#[test]
fn a_missing_username_is_looked_for_among_the_claims() {
    let config = config(|_| ());
    let claims = json!({"sub": "1", "login": "ana", "country": "pt"});
    let cure = here("[providers.claims]\nusername = \"login\"");
    check(&config, claims, "no_username", &cure);
    let claims = json!({"sub": "1", "profile.x": {"login": "ana"}});
    let cure = here("[providers.claims]\nusername = \"/profile.x/login\"");
    check(&config, claims, "no_username", &cure);
    let claims = json!({"sub": "1", "email": "ana@example.com"});
    let cure = here(
        "[providers.claims]\nusername = { claim = \"email\", steps = [{ local_part = [\"example.com\"] }] }",
    );
    check(&config, claims, "no_username", &cure);
    check(&config, json!({"sub": "1"}), "no_username", "");
}

#[test]
fn no_cure_makes_usernames_of_a_domain_that_may_not_sign_in() {
    let config = config(|config| {
        config.users.allowed_domains = vec![Domain::parse("example.com").unwrap()];
    });
    let report = offline(
        &config,
        json!({"sub": "1", "email": "ana@elsewhere.example"}),
    );
    let cures: Vec<_> = report
        .problems
        .iter()
        .map(|it| (it.code.as_str(), it.cure.as_str()))
        .collect();
    let domain = "[users]\nallowed_domains = [\"example.com\", \"elsewhere.example\"]";
    assert_eq!(cures, [("domain_not_allowed", domain), ("no_username", "")]);
}

#[test]
fn a_username_that_breaks_a_rule_is_tidied() {
    let config = config(|_| ());
    let name = |text: &str| json!({ "preferred_username": text });
    let cure = here(
        "[providers.claims]\nusername = { claim = \"preferred_username\", steps = [{ last_segment = \"\\\\\" }] }",
    );
    check(&config, name("CORP\\ana"), "invalid_username", &cure);
    let cure = here(
        "[providers.claims]\nusername = { claim = \"preferred_username\", steps = [\"trim\"] }",
    );
    check(&config, name(" ana "), "invalid_username", &cure);
    check(&config, name("an a"), "invalid_username", "");
    let claims = json!({"preferred_username": {"x": 1}, "login": "ana"});
    let cure = here("[providers.claims]\nusername = \"login\"");
    check(&config, claims, "username_type", &cure);
    let claims = json!({"preferred_username": ["a", "b"], "login": "ana"});
    check(&config, claims, "ambiguous_username", &cure);
}

#[test]
fn a_domain_joins_those_that_are_allowed() {
    let config =
        config(|config| config.users.allowed_domains = vec![Domain::parse("example.com").unwrap()]);
    let claims = json!({"preferred_username": "ana", "email": "ana@other.example"});
    check(
        &config,
        claims,
        "domain_not_allowed",
        "[users]\nallowed_domains = [\"example.com\", \"other.example\"]",
    );
    let claims = json!({"preferred_username": "ana", "mail": "ana@example.com"});
    let cure = here("[providers.claims]\nemail = \"mail\"");
    check(&config, claims, "no_email", &cure);
    let claims = json!({"preferred_username": "ana", "email": "Ana <a@example.com>"});
    check(&config, claims, "invalid_email", "");
    let claims = json!({"preferred_username": "ana", "email": 1});
    check(&config, claims, "email_type", "");
}

#[test]
fn an_unverified_address_gets_the_safe_advice_first() {
    let domains = vec![Domain::parse("example.com").unwrap()];
    let config = config(|config| config.users.allowed_domains = domains);
    let claims =
        json!({"preferred_username": "ana", "email": "ana@example.com", "email_verified": false});
    let report = offline(&config, claims);
    let problem = &report.problems[0];
    assert!(problem.advice.starts_with("Safe:"));
    assert!(problem.cure.starts_with("# INSECURE"));
    assert!(
        problem
            .cure
            .ends_with("[users]\nrequire_verified_email = false")
    );
}

#[test]
fn an_unconfirmed_address_is_confirmed_by_another_claim_if_there_is_one() {
    let config = config(|config| {
        config.users.allowed_domains = vec![Domain::parse("example.com").unwrap()];
        config.providers[0].email_trust = config::EmailTrust::Verified;
    });
    let claims = json!({"preferred_username": "ana", "email": "ana@example.com", "xms_edov": "1"});
    let cure = here("[providers.claims]\nemail_verified = \"xms_edov\"");
    check(&config, claims, "unverified_email", &cure);
    let claims = json!({"preferred_username": "ana", "email": "ana@example.com"});
    let cure =
        here("# INSECURE where people choose their own address\nemail_trust = \"unless_denied\"");
    check(&config, claims, "unverified_email", &cure);
}

#[test]
fn a_requirement_takes_one_more_value_and_never_a_list() {
    let config = config(|config| {
        config.providers[0].require = vec![Requirement {
            claim: "https://slack.com/team_id".to_owned(),
            any_of: vec!["T1".to_owned()],
        }];
    });
    let claims = json!({"preferred_username": "ana", "https://slack.com/team_id": "T2"});
    let cure = here("[providers.require]\n\"https://slack.com/team_id\" = [\"T1\", \"T2\"]");
    check(&config, claims, "required_claim", &cure);
    let claims = json!({"preferred_username": "ana", "https://slack.com/team_id": ["T2", "T3"]});
    check(&config, claims, "required_claim", "");
    check(
        &config,
        json!({"preferred_username": "ana"}),
        "required_claim",
        "",
    );
}

#[test]
fn too_many_groups_are_cured_by_a_filter_and_an_inactive_account_by_nothing() {
    let config = config(|_| ());
    let groups: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let claims = json!({"preferred_username": "ana", "groups": groups});
    let cure = here(
        "[providers.claims]\ngroups = { claim = \"groups\", steps = [{ allow = [\"bitbucket-*\"] }] }",
    );
    check(&config, claims, "too_many_groups", &cure);
    let claims = json!({"preferred_username": "ana", "active": false});
    check(&config, claims, "inactive_account", "");
}

#[test]
fn a_map_that_gives_no_group_is_told_where_one_is_asked_for() {
    let config = config(|config| {
        config.groups.require_mapped_group_to_create = true;
        config.provisioning.target = config::ProvisioningTarget::Directory;
    });
    check(
        &config,
        json!({"preferred_username": "ana", "groups": ["x"]}),
        "no_mapped_group",
        "[groups]\nrequire_mapped_group_to_create = false",
    );
}

/// What a test with this expectation says about these claims.
#[track_caller]
fn check_trial(claims: Value, expect: Expectation, want: &[&str]) {
    let config = config(|config| {
        config.providers[0].claims = Claims {
            username: vec![Mapping::plain("login")],
            ..config.providers[0].claims.clone()
        };
    });
    let one = Trial {
        line: 1,
        claims: claims.as_object().unwrap().clone(),
        expect,
    };
    assert_eq!(trial(&config, &config.providers[0], &one), want);
}

#[test]
fn a_test_compares_what_it_expects_and_nothing_else() {
    let claims = || json!({"login": "ana.silva", "name": "Ana", "groups": ["b", "a"]});
    let text = |text: &str| Some(text.to_owned());
    check_trial(claims(), Expectation::default(), &[]);
    let good = Expectation {
        username: text("ana.silva"),
        groups: Some(vec!["a".to_owned(), "b".to_owned()]),
        ..Expectation::default()
    };
    check_trial(claims(), good, &[]);
    let bad = Expectation {
        username: text("ana"),
        email: text("ana@example.com"),
        display_name: text("Ana"),
        groups: Some(vec!["a".to_owned()]),
        refused: None,
    };
    check_trial(
        claims(),
        bad,
        &[
            "username: expected \"ana\", got \"ana.silva\"",
            "email: expected \"ana@example.com\", got none",
            "groups: expected [\"a\"], got [\"a\", \"b\"]",
        ],
    );
}

#[test]
fn a_test_can_expect_a_refusal() {
    let refused = |code: &str| Expectation {
        refused: Some(code.to_owned()),
        ..Expectation::default()
    };
    check_trial(json!({}), refused("no_username"), &[]);
    check_trial(
        json!({}),
        refused("inactive_account"),
        &[
            "refused: expected \"inactive_account\", got \"no_username\": there is no username in the claims \"login\"",
        ],
    );
    check_trial(
        json!({"login": "ana"}),
        refused("no_username"),
        &["refused: expected \"no_username\", and \"ana\" may sign in"],
    );
    check_trial(
        json!({}),
        Expectation::default(),
        &[
            "expected somebody, got the refusal \"no_username\": there is no username in the claims \"login\"",
        ],
    );
}

#[test]
fn a_megabyte_of_claims_makes_no_page_of_many_megabytes() {
    let config = config(|config| {
        let claims = &mut config.providers[0].claims;
        let steps = vec![config::Step::Trim; 40];
        let from = config::Reference::Claim("groups".to_owned());
        claims.groups = vec![Mapping { from, steps }];
    });
    let group = "x".repeat(1000);
    let groups: Vec<String> = (0..500).map(|n| format!("{n}{group}")).collect();
    let report = offline(
        &config,
        json!({"preferred_username": "ana", "groups": groups}),
    );
    assert_eq!(report.person.as_ref().unwrap().username, "ana");
    let facts = serde_json::to_string(&report.examined.facts).unwrap();
    assert!(facts.len() < 200_000, "{}", facts.len());
}

#[test]
fn a_subject_cannot_turn_the_command_around_that_an_administrator_copies() {
    let subject = crate::directory::Subject {
        issuer: "https://idp.example.com".to_owned(),
        subject: "a'; rm -rf /\u{202e}b".to_owned(),
    };
    let name = |text: &str| crate::identity::Username::parse(text).unwrap();
    let error = crate::directory::Error::Renamed {
        pinned: name("ana"),
        claimed: name("bea"),
    };
    let finding = Finding::of_pin(&error, "idp", &subject, &name("bea"));
    let want =
        r"--subject 'a'\''; rm -rf /\u{202e}b' --issuer https://idp.example.com --username bea";
    assert!(finding.advice.contains(want), "{}", finding.advice);
}
