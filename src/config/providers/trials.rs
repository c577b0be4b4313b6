//! `[[providers.tests]]`: an administrator's own examples of who claims become.

use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{Read, Section};
use crate::config::spec::Default::{Required, Unset};
use crate::config::spec::Shape::{self, Object, Text, Texts};
use crate::config::spec::{Table, key};
use crate::config::values::{Value, all};
use crate::config::{Expectation, Trial};
use crate::identity::{DisplayName, Email, GroupName, Invalid, Username};
use serde_json::{Map, Number, Value as Json};
use toml::de::{DeInteger, DeTable, DeValue};

pub(super) static TABLE: Table = Table {
    doc: "Claims, and who they must become. `portcullis check` tries them.",
    keys: &[
        key(
            "claims",
            Object,
            Required(r#"{ preferred_username = "ana", groups = ["dev"] }"#),
            "What the provider would say. Dates become text.",
        ),
        key(
            "expect",
            Shape::Table(&EXPECT),
            Required(r#"{ username = "ana", groups = ["bitbucket-developers"] }"#),
            "What must come out.",
        ),
    ],
};

static EXPECT: Table = Table {
    doc: "What must come out of the claims. Only what is there is compared.",
    keys: &[
        key("username", Text, Unset("any", r#""ana""#), "The username."),
        key(
            "email",
            Text,
            Unset("any", r#""ana@example.com""#),
            "The e-mail address.",
        ),
        key(
            "display_name",
            Text,
            Unset("any", r#""Ana Lima""#),
            "The full name.",
        ),
        key(
            "groups",
            Texts,
            Unset("any", r#"["bitbucket-developers"]"#),
            "The groups after the map, in any order, and no others.",
        ),
        key(
            "refused",
            Text,
            Unset("a sign-in", r#""domain_not_allowed""#),
            "The code of the refusal, instead of all others.",
        ),
    ],
};

pub(super) fn read(section: &Section<'_>) -> Read<Vec<Trial>> {
    all(section.tables("tests")?.iter().map(trial))
}

fn trial(section: &Section<'_>) -> Read<Trial> {
    let claims = match section.written("claims") {
        Ok(Some(value)) => claims(&value),
        Ok(None) => Err(section.missing("claims")),
        Err(reported) => Err(reported),
    };
    let expect = match section.says("expect") {
        true => expectation(&section.table("expect")),
        false => Err(section.missing("expect")),
    };
    Ok(Trial {
        line: section.spot().line(),
        claims: claims?,
        expect: expect?,
    })
}

fn expectation(section: &Section<'_>) -> Read<Expectation> {
    let username = section.parse_if("username", |text| {
        fact(text, Username::parse(text), "username")
    });
    let email = section.parse_if("email", |text| {
        fact(text, Email::parse(text), "e-mail address")
    });
    let display_name = section.parse_if("display_name", |text| {
        fact(text, DisplayName::parse(text), "display name")
    });
    let groups = match section.says("groups") {
        true => section
            .parse_each("groups", |text| fact(text, GroupName::parse(text), "group"))
            .map(Some),
        false => Ok(None),
    };
    let refused = section.parse_if("refused", code);
    section.known()?;
    let expect = Expectation {
        username: username?,
        email: email?,
        display_name: display_name?,
        groups: groups?,
        refused: refused?,
    };
    if expect == Expectation::default() {
        // Something that is no table at all was reported above.
        return Err(section.spot().problem(mistake(
            "expects nothing",
            "write who comes out, such as { username = \"ana\" }, or { refused = \"no_username\" }",
        )));
    }
    if expect.refused.is_some() {
        let why = "refused is set, and nobody comes out of a refusal";
        let others = ["username", "email", "display_name", "groups"];
        all(others.map(|name| section.useless(name, why)))?;
    }
    Ok(expect)
}

/// What could come out of a sign-in at all; as text, because it is compared as text.
fn fact<T>(text: &str, parsed: Result<T, Invalid>, what: &str) -> Result<String, Mistake> {
    match parsed {
        Ok(_) => Ok(text.to_owned()),
        Err(invalid) => Err(mistake(
            format!("{} {invalid}: nobody could have this {what}", quoted(text)),
            "expect what a sign-in comes to; for none, name the code in refused",
        )),
    }
}

fn code(text: &str) -> Result<String, Mistake> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    match (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(mistake(
            format!("{} is not the code of a refusal", quoted(text)),
            "a code is one word such as \"domain_not_allowed\"; check and explain print it",
        )),
    }
}

/// TOML as the JSON that a provider sends.
fn claims(value: &Value<'_, '_>) -> Read<Map<String, Json>> {
    match value.toml {
        DeValue::Table(table) => object(table).map_err(|mistake| value.spot.problem(mistake)),
        _ => Err(value.wrong_type("a table of claims")),
    }
}

fn object(table: &DeTable<'_>) -> Result<Map<String, Json>, Mistake> {
    table
        .iter()
        .map(|(name, value)| Ok((name.get_ref().to_string(), json(value.get_ref())?)))
        .collect()
}

fn json(value: &DeValue<'_>) -> Result<Json, Mistake> {
    match value {
        DeValue::String(text) => Ok(Json::String(text.to_string())),
        DeValue::Integer(number) => integer(number).map(Json::Number),
        DeValue::Float(number) => {
            let parsed = number.as_str().parse().ok().and_then(Number::from_f64);
            parsed.map(Json::Number).ok_or_else(|| {
                mistake(
                    format!("{number} is no number in JSON"),
                    "no provider can send it; write a finite number, or text in quotes",
                )
            })
        }
        DeValue::Boolean(flag) => Ok(Json::Bool(*flag)),
        DeValue::Datetime(date) => Ok(Json::String(date.to_string())),
        DeValue::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| json(item.get_ref())).collect();
            items.map(Json::Array)
        }
        DeValue::Table(table) => object(table).map(Json::Object),
    }
}

fn integer(number: &DeInteger<'_>) -> Result<Number, Mistake> {
    let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
    let signed = parsed.and_then(|number| i64::try_from(number).ok());
    let unsigned = parsed.and_then(|number| u64::try_from(number).ok());
    let number_in_json = signed.map(Number::from).or(unsigned.map(Number::from));
    number_in_json.ok_or_else(|| {
        mistake(
            format!("{number} is too large"),
            "write it as text in quotes",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Trial;
    use crate::config::testing::{accepted, refused};
    use serde_json::{Value, json};

    const PROVIDER: &str = "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";

    /// Below the provider, whose lines are five, and the table's head, which is the sixth.
    fn text(lines: &str) -> String {
        format!("{PROVIDER}[[providers.tests]]\n{lines}")
    }

    #[track_caller]
    fn with(lines: &str, expected: &[&str]) {
        refused(&text(lines), expected);
    }

    #[track_caller]
    fn takes(lines: &str) -> Vec<Trial> {
        accepted(&text(lines)).providers.swap_remove(0).tests
    }

    #[test]
    fn a_test_has_claims_and_who_they_become() {
        let trials = takes(
            "claims = { preferred_username = \"Ana\", email = \"ana@example.com\", realm_access.roles = [\"dev\"] }\nexpect = { username = \"ana\", email = \"ana@example.com\", display_name = \"Ana\", groups = [] }\n[[providers.tests]]\nclaims = {}\nexpect = { refused = \"no_username\" }",
        );
        assert_eq!((trials[0].line, trials[1].line), (6, 9));
        assert_eq!(
            trials[0].claims.get("realm_access"),
            Some(&json!({ "roles": ["dev"] }))
        );
        let expect = &trials[0].expect;
        assert_eq!(expect.username.as_deref(), Some("ana"));
        assert_eq!(expect.display_name.as_deref(), Some("Ana"));
        assert_eq!(expect.groups.as_deref(), Some(&[] as &[String]));
        assert_eq!(expect.refused, None);
        assert_eq!(trials[1].expect.refused.as_deref(), Some("no_username"));
        assert_eq!(trials[1].expect.groups, None);
    }

    #[test]
    fn claims_are_what_json_can_say() {
        let trials = takes(
            "expect = { username = \"ana\" }\n[providers.tests.claims]\nid = 0x10\nbig = 18446744073709551615\nnegative = -9223372036854775808\nhalf = 0.5\nactive = true\nsince = 1979-05-27T07:32:00Z\nday = 1979-05-27\nline = \"a\\nb\"\nlist = [1, \"a\", [false], { b = 1.5 }]\n\"https://slack.com/team_id\" = \"T1\"",
        );
        let claims = Value::Object(trials[0].claims.clone());
        assert_eq!(
            claims,
            json!({
                "id": 16,
                "big": 18_446_744_073_709_551_615_u64,
                "negative": i64::MIN,
                "half": 0.5,
                "active": true,
                "since": "1979-05-27T07:32:00Z",
                "day": "1979-05-27",
                "line": "a\nb",
                "list": [1, "a", [false], { "b": 1.5 }],
                "https://slack.com/team_id": "T1",
            })
        );
        let expect = "expect = { username = \"ana\" }\n";
        with(
            &format!("{expect}claims = {{ a = [1, inf] }}"),
            &["8:10: providers.a.tests[0].claims: inf is no number in JSON"],
        );
        with(
            &format!("{expect}claims = {{ a = 99999999999999999999 }}"),
            &["8:10: providers.a.tests[0].claims: 99999999999999999999 is too large"],
        );
        with(
            &format!("{expect}claims = \"claims.json\""),
            &["8:10: providers.a.tests[0].claims: must be a table of claims, not a string"],
        );
    }

    #[test]
    fn a_test_is_complete() {
        with(
            "",
            &[
                "6:1: providers.a.tests[0].claims: is missing",
                "6:1: providers.a.tests[0].expect: is missing",
            ],
        );
        with(
            "claims = {}\nexpect = {}",
            &["8:10: providers.a.tests[0].expect: expects nothing"],
        );
        with(
            "claims = {}\nexpect = \"ana\"",
            &["8:10: providers.a.tests[0].expect: must be a table, not a string"],
        );
        with(
            "claims = {}\nexpects = { user = \"ana\" }",
            &["8:1: providers.a.tests[0].expects: unknown key; did you mean \"expect\"?"],
        );
        with(
            "claims = {}\nexpect = { user_name = \"ana\" }",
            &[
                "8:12: providers.a.tests[0].expect.user_name: unknown key; did you mean \"username\"?",
            ],
        );
        refused(
            &format!("{PROVIDER}[providers.tests]\nclaims = {{}}"),
            &["6:1: providers.a.tests: must be an array of tables, not a table"],
        );
    }

    #[test]
    fn what_nobody_could_have_is_not_expected() {
        with(
            "claims = {}\nexpect = { username = \"a b\", email = \"ana\", display_name = \" \", groups = [\"a,b\", \"c\", \"c\"] }",
            &[
                "8:23: providers.a.tests[0].expect.username: \"a b\" contains the character U+0020: nobody could have this username",
                "8:38: providers.a.tests[0].expect.email: \"ana\" is not one e-mail address: nobody could have this e-mail address",
                "8:60: providers.a.tests[0].expect.display_name: \" \" is empty: nobody could have this display name",
                "8:75: providers.a.tests[0].expect.groups[0]: \"a,b\" contains the character \",\": nobody could have this group",
                "8:87: providers.a.tests[0].expect.groups[2]: \"c\" stands there twice",
            ],
        );
    }

    #[test]
    fn nobody_comes_out_of_a_refusal() {
        with(
            "claims = {}\nexpect = { refused = \"no_email\", groups = [] }",
            &[
                "8:43: providers.a.tests[0].expect.groups: has no effect: refused is set, and nobody comes out of a refusal",
            ],
        );
        for code in ["", "No email", "no-email"] {
            with(
                &format!("claims = {{}}\nexpect = {{ refused = \"{code}\" }}"),
                &[&format!(
                    "8:22: providers.a.tests[0].expect.refused: \"{code}\" is not the code of a refusal"
                )],
            );
        }
    }
}
