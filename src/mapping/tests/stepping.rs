//! Each step, and each shape in which providers send things.

use super::super::steps::run;
use super::*;
use crate::config::{JmesPath, Keep, Mapping, Pattern, Reference, Rewrite, Step};

#[track_caller]
fn check(value: Value, steps: &[Step], want: Value) {
    let mut taken = Vec::new();
    assert_eq!(run(value.clone(), steps, &mut taken), Ok(want), "{value}");
    assert_eq!(taken.len(), steps.len());
}

fn regex(pattern: &str, replace: &str) -> Step {
    Step::Regex(Rewrite::parse(pattern, replace).unwrap())
}

fn filter(allow: &[&str], deny: &[&str]) -> Step {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect();
    Step::Filter {
        allow: patterns(allow),
        deny: patterns(deny),
    }
}

fn local_part() -> Step {
    Step::LocalPart(vec![Domain::parse("example.com").unwrap()])
}

fn table(other: Keep) -> Step {
    Step::Table {
        map: [("a".to_owned(), "b".to_owned())].into(),
        other,
    }
}

#[test]
fn steps_on_text_work_on_every_text_of_a_list() {
    check(json!(" a "), &[Step::Trim], json!("a"));
    check(json!([" a ", "b", " "]), &[Step::Trim], json!(["a", "b"]));
    check(json!("ÄB"), &[Step::Lower], json!("äb"));
    check(json!("äb"), &[Step::Upper], json!("ÄB"));
    check(
        json!(["/a", "b"]),
        &[Step::StripPrefix("/".into())],
        json!(["a", "b"]),
    );
    check(
        json!("/x/y/a"),
        &[Step::LastSegment("/".into())],
        json!("a"),
    );
    check(json!("a"), &[Step::LastSegment("/".into())], json!("a"));
    check(json!(["a", "c"]), &[table(Keep::Keep)], json!(["b", "c"]));
    check(json!(["a", "c"]), &[table(Keep::Drop)], json!(["b"]));
    check(
        json!(["bitbucket-dev", "x", "bitbucket-test"]),
        &[filter(&["bitbucket-*"], &["*-TEST"])],
        json!(["bitbucket-dev"]),
    );
    check(json!(["a", "b", "c"]), &[Step::Limit(2)], json!(["a", "b"]));
}

#[test]
fn a_list_comes_in_many_shapes() {
    let at = |at: &[&str]| Step::Split(at.iter().map(|it| (*it).to_owned()).collect());
    check(json!("a; b,,c"), &[at(&[";", ","])], json!(["a", "b", "c"]));
    check(json!(["a;b", "c"]), &[at(&[";"])], json!(["a", "b", "c"]));
    check(json!(r#"["a","b"]"#), &[Step::Json], json!(["a", "b"]));
    check(json!([r#"["a","b"]"#]), &[Step::Json], json!(["a", "b"]));
    check(json!("[dev] team"), &[Step::Json], json!("[dev] team"));
    check(
        json!({"dev": {"x": 1}, "ops": {}, "none": null}),
        &[Step::Keys],
        json!(["dev", "ops"]),
    );
    check(
        json!({"dev": true, "ops": false}),
        &[Step::Keys],
        json!(["dev"]),
    );
    check(
        json!([{"name": "dev", "id": 1}, {"id": 2}, "x"]),
        &[Step::Pick("name".into())],
        json!(["dev"]),
    );
    check(
        json!([{"roles": ["a", "b"]}, {"roles": ["c"]}]),
        &[Step::Pick("roles".into())],
        json!(["a", "b", "c"]),
    );
    check(
        json!({"name": "dev"}),
        &[Step::Pick("name".into())],
        json!("dev"),
    );
}

#[test]
fn numbers_are_text_only_when_they_are_exact() {
    check(json!(42), &[regex("(.*)", "gh-$1")], json!("gh-42"));
    check(json!(4.5), &[regex("(.*)", "gh-$1")], json!(null));
    check(json!(1e300), &[Step::Trim], json!(1e300));
}

#[test]
fn what_is_no_text_never_passes_a_step_that_decides() {
    for step in [
        regex(".*", "$0"),
        local_part(),
        table(Keep::Drop),
        filter(&[], &["x"]),
    ] {
        for value in [json!(true), json!({"a": "b"}), json!(1.5)] {
            check(value.clone(), std::slice::from_ref(&step), json!(null));
            check(json!([value]), std::slice::from_ref(&step), json!([]));
        }
        check(json!([["a@example.com"]]), &[step], json!([]));
    }
}

#[test]
fn a_local_part_is_one_of_an_address_in_the_named_domains() {
    check(json!("ana@example.com"), &[local_part()], json!("ana"));
    for other in [
        "admin@evil.example",
        "admin@example.com.evil.example",
        "admin@sub.example.com",
        "admin@evil.example@example.com",
        "\"admin@evil.example\"@example.com",
        "admin",
        "@example.com",
    ] {
        check(json!(other), &[local_part()], json!(null));
    }
}

#[test]
fn no_case_makes_ascii_of_something_else() {
    check(json!("\u{212a}ARL"), &[Step::Lower], json!("\u{212a}arl"));
    check(json!("İ"), &[Step::Lower], json!("İ"));
    check(json!("ſı"), &[Step::Upper], json!("ſı"));
    check(json!("ß"), &[Step::Upper], json!("ß"));
}

#[test]
fn steps_cannot_make_much_of_little() {
    let double = regex("(.*)", "$1$1");
    let mut taken = Vec::new();
    let grown = run(json!("x".repeat(1024)), &vec![double; 30], &mut taken);
    assert!(grown.is_err() || grown.unwrap().is_null());
    let many = vec!["x".repeat(1000); 1000];
    let grown = run(json!(many), &[regex(".*", "$0$0$0")], &mut taken);
    assert!(grown.is_err());
}

fn claimed(from: Reference, steps: Vec<Step>, claims: Value) -> Result<String, String> {
    let claims_rules = Claims {
        username: vec![Mapping { from, steps }],
        ..rules()
    };
    map(&claims, &claims_rules, &users())
        .map(|person| person.username.to_string())
        .map_err(|refused| refused.code().to_owned())
}

#[test]
fn a_pointer_is_followed_as_rfc_6901_says() {
    let claims = json!({"a/b": {"m~n": ["x", "ana"]}, "": "root"});
    let at = |pointer: &str| {
        claimed(
            Reference::Pointer(pointer.to_owned()),
            Vec::new(),
            claims.clone(),
        )
    };
    assert_eq!(at("/a~1b/m~0n/1").unwrap(), "ana");
    assert_eq!(at("/").unwrap(), "root");
    assert_eq!(at("/a~1b/m~0n/2").unwrap_err(), "no_username");
    assert_eq!(at("/a").unwrap_err(), "no_username");
}

#[test]
fn an_expression_finds_what_no_path_can() {
    let of = |text: &str| Reference::JmesPath(JmesPath::parse(text).unwrap());
    let claims =
        json!({"accounts": [{"kind": "x", "name": "bob"}, {"kind": "git", "name": "ana"}]});
    let found = claimed(
        of("accounts[?kind == 'git'].name | [0]"),
        Vec::new(),
        claims.clone(),
    );
    assert_eq!(found.unwrap(), "ana");
    let joined = claimed(of("join('.', accounts[].name)"), Vec::new(), claims.clone());
    assert_eq!(joined.unwrap(), "bob.ana");
    // What the library calls an error is no claim.
    let wrong = claimed(of("join('.', accounts)"), Vec::new(), claims.clone());
    assert_eq!(wrong.unwrap_err(), "no_username");
    let expression = claimed(of("&accounts"), Vec::new(), claims);
    assert_eq!(expression.unwrap_err(), "no_username");
}

#[test]
fn a_number_stays_exact_through_an_expression() {
    let from = Reference::JmesPath(JmesPath::parse("id").unwrap());
    let found = claimed(from, Vec::new(), json!({"id": 9007199254740993_u64}));
    assert_eq!(found.unwrap(), "9007199254740993");
}

#[test]
fn a_result_of_steps_keeps_the_rules_of_a_username() {
    let from = || Reference::Claim("login".to_owned());
    for (replacement, want) in [
        ("a\nb", "invalid_username"),
        ("a b", "invalid_username"),
        ("", "no_username"),
    ] {
        let got = claimed(
            from(),
            vec![regex(".*", replacement)],
            json!({"login": "x"}),
        );
        assert_eq!(got.unwrap_err(), want, "{replacement:?}");
    }
}

#[test]
fn each_mapping_is_told_step_by_step() {
    let claims_rules = Claims {
        username: vec![
            Mapping::plain("nobody"),
            Mapping {
                from: Reference::Claim("login".to_owned()),
                steps: vec![Step::Trim, Step::LastSegment("\\".to_owned())],
            },
        ],
        ..rules()
    };
    let provider = provider(claims_rules);
    let claims = json!({"login": " CORP\\Ana "});
    let examined = examined(&claims, &provider, &users(), &Groups::default());
    let fact = &examined.facts[0];
    assert_eq!((fact.name, &fact.value), ("username", &json!("ana")));
    assert_eq!(
        fact.tried[0].problem.as_deref(),
        Some("there is no such claim")
    );
    let tried = &fact.tried[1];
    assert_eq!(
        tried.mapping,
        r#"{ claim = "login", steps = ["trim", { last_segment = "\\" }] }"#
    );
    assert_eq!(
        (tried.claim.as_deref(), &tried.found),
        (Some("login"), &json!(" CORP\\Ana "))
    );
    let left: Vec<&Value> = tried.steps.iter().map(|step| &step.value).collect();
    assert_eq!(left, [&json!("CORP\\Ana"), &json!("Ana")]);
    assert_eq!(tried.problem, None);
}

#[test]
fn every_step_is_written_as_in_the_configuration() {
    use super::super::written::step;
    for (one, want) in [
        (Step::Json, r#""json""#),
        (
            Step::Split(vec![";".into(), ",".into()]),
            r#"{ split = [";", ","] }"#,
        ),
        (
            regex(r"cn=([^,]+)\\.*", "$1"),
            r#"{ regex = "cn=([^,]+)\\\\.*", replace = "$1" }"#,
        ),
        (local_part(), r#"{ local_part = ["example.com"] }"#),
        (
            table(Keep::Keep),
            r#"{ table = { a = "b" }, other = "keep" }"#,
        ),
        (
            filter(&["a*"], &["b"]),
            r#"{ allow = ["a*"], deny = ["b"] }"#,
        ),
        (Step::Limit(5), "{ limit = 5 }"),
    ] {
        assert_eq!(step(&one), want);
        let file = format!("step = {want}");
        assert!(toml::from_str::<toml::Table>(&file).is_ok(), "{file}");
    }
}

#[test]
fn a_list_without_end_is_not_kept_once_for_every_step() {
    let list = json!(vec!["a"; 250_000]);
    let steps = vec![Step::Trim; 64];
    let mut taken = Vec::new();
    let left = run(list.clone(), &steps, &mut taken).unwrap();
    assert_eq!(left, list);
    let noted = |step: &StepTaken| step.value.as_array().unwrap().len();
    assert_eq!(taken.iter().map(noted).max(), Some(1001));
}
