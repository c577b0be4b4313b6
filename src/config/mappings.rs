//! Where a fact is found in claims: from what is written to a checked [`Mapping`].

use super::problems::{Mistake, mistake, quoted};
use super::reader::{Read, Section, bare};
use super::spec::Default::{Unset, Value as Standard};
use super::spec::Shape::{Steps, Text};
use super::spec::{Table, key};
use super::steps::{self, at_most, sized};
use super::values::{Value, all};
use super::{JmesPath, Mapping, Reference};
use toml::de::DeValue;

/// The most mappings for one fact, and the most steps of one mapping.
pub(super) const MOST: usize = 16;

/// A mapping that is written as a table.
pub(super) static TABLE: Table = Table {
    doc: "Where a value is found, and what is done to it.",
    keys: &[
        key(
            "claim",
            Text,
            Unset("none", r#""groups""#),
            "A claim's name, a dotted path, or a JSON pointer.",
        ),
        key(
            "jmespath",
            Text,
            Unset("none", r#""roles[?active].name""#),
            "An expression over all claims, instead of claim.",
        ),
        key(
            "steps",
            Steps,
            Standard("[]"),
            "What is done to the value, in order.",
        ),
    ],
};

const NEED: &str =
    "a string, a table such as { claim = \"…\", steps = [\"trim\"] }, or an array of these";

/// The mappings of a fact; none: the file says nothing about it.
pub(super) fn read(section: &Section<'_>, name: &'static str) -> Read<Option<Vec<Mapping>>> {
    let Some(value) = section.written(name)? else {
        return Ok(None);
    };
    if !matches!(value.toml, DeValue::Array(_)) {
        return mapping(&value).map(|mapping| Some(vec![mapping]));
    }
    let items = value.items(NEED)?;
    at_most(MOST, items.len(), &value.spot)?;
    let mut seen: Vec<Mapping> = Vec::with_capacity(items.len());
    let mut failed = None;
    for item in &items {
        match mapping(item) {
            Ok(mapping) if seen.contains(&mapping) => {
                let what = match item.toml.as_str() {
                    Some(text) => format!("{} stands there twice", quoted(text)),
                    None => "this mapping stands there twice".to_owned(),
                };
                let twice = mistake(what, "remove one of the two");
                failed = Some(item.spot.problem(twice));
            }
            Ok(mapping) => seen.push(mapping),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(Some(seen)), Err)
}

fn mapping<'r>(value: &Value<'r, 'r>) -> Read<Mapping> {
    let name = value.key.name;
    match value.toml {
        DeValue::String(_) => {
            let text = value.text(NEED)?;
            let from = reference(&text, name).map_err(|mistake| value.spot.problem(mistake))?;
            Ok(Mapping {
                from,
                steps: Vec::new(),
            })
        }
        DeValue::Table(_) => table(value),
        _ => Err(value.wrong_type(NEED)),
    }
}

fn table<'r>(value: &Value<'r, 'r>) -> Read<Mapping> {
    // A step beside `claim` is the likeliest slip, and "unknown key" would not say what to do.
    for name in value
        .toml
        .as_table()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        if TABLE.key(name.get_ref()).is_none()
            && let Some(form) = steps::misplaced(name.get_ref())
        {
            let spot = value.spot.child(&bare(name.get_ref()), name.span().start);
            return Err(spot.problem(mistake(
                "is a step",
                format!("put it into the steps: steps = [{}]", form.example),
            )));
        }
    }
    let section = value.section(&TABLE, NEED)?;
    let steps = read_steps(&section);
    let claim = section.parse_if("claim", |text| reference(text, value.key.name));
    let expression = section.parse_if("jmespath", expression);
    section.known()?;
    let (claim, expression) = (claim?, expression?);
    let from = match (claim, expression) {
        (Some(claim), None) => claim,
        (None, Some(expression)) => Reference::JmesPath(expression),
        (claim, _) => {
            let what = match claim {
                Some(_) => "says both claim and jmespath",
                None => "says neither claim nor jmespath",
            };
            return Err(value.spot.problem(mistake(
                what,
                "write one of them: { claim = \"groups\" } or { jmespath = \"roles[].name\" }",
            )));
        }
    };
    Ok(Mapping {
        from,
        steps: steps?,
    })
}

fn read_steps(section: &Section<'_>) -> Read<Vec<super::Step>> {
    let Some(value) = section.written("steps")? else {
        return Ok(Vec::new());
    };
    let items = value.items("an array of steps")?;
    at_most(MOST, items.len(), &value.spot)?;
    all(items.iter().map(steps::read))
}

/// A claim's name, a dotted path, or a JSON pointer.
fn reference(text: &str, name: &str) -> Result<Reference, Mistake> {
    if text.is_empty() {
        return Err(mistake(
            "the name of the claim is empty",
            format!("write {name} = [] for no claim at all, or remove the line for the preset's"),
        ));
    }
    sized(text)?;
    let reference = Reference::parse(text);
    // RFC 6901 §3: "~" is only the beginning of an escape.
    let escaped = |rest: &str| rest.starts_with(['0', '1']);
    if matches!(reference, Reference::Pointer(_)) && !text.split('~').skip(1).all(escaped) {
        return Err(mistake(
            format!("{} is no JSON pointer", quoted(text)),
            "in a pointer, \"~0\" stands for \"~\" and \"~1\" for \"/\" in a name",
        ));
    }
    Ok(reference)
}

fn expression(text: &str) -> Result<JmesPath, Mistake> {
    sized(text)?;
    JmesPath::parse(text).map_err(|reason| {
        mistake(
            format!("{} is no JMESPath expression: {reason}", quoted(text)),
            "the language is that of https://jmespath.org; a name with other characters than \
             letters, digits and _ needs double quotes",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Step;
    use crate::config::testing::{accepted, refused};

    fn text(groups: &str) -> String {
        format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\ngroups = {groups}"
        )
    }

    /// The value begins at 7:10; keys in the answers are below `providers.a.claims.groups`.
    #[track_caller]
    fn with(groups: &str, expected: &[(&str, &str, &str)]) {
        let lines: Vec<_> = expected
            .iter()
            .map(|(place, key, what)| format!("{place}: providers.a.claims.groups{key}: {what}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        refused(&text(groups), &lines);
    }

    #[track_caller]
    fn takes(groups: &str) -> Vec<Mapping> {
        accepted(&text(groups)).providers[0].claims.groups.clone()
    }

    #[test]
    fn a_mapping_is_a_string_a_table_or_several() {
        assert_eq!(takes("\"a.b\""), ["a.b"]);
        assert_eq!(takes("\"/a~1b/0\""), ["/a~1b/0"]);
        assert!(matches!(&takes("\"/a\"")[0].from, Reference::Pointer(_)));
        assert_eq!(takes("{ claim = \"a\" }"), ["a"]);
        assert_eq!(takes("{ claim = \"a\", steps = [] }"), ["a"]);
        let both = takes("[\"a\", { jmespath = \"roles[].name\", steps = [\"trim\"] }, \"b\"]");
        assert_eq!(both.len(), 3);
        assert!(matches!(&both[1].from, Reference::JmesPath(it) if it.as_str() == "roles[].name"));
        assert_eq!(both[1].steps, [Step::Trim]);
        assert!(takes("[]").is_empty());
    }

    #[test]
    fn a_table_can_span_lines_and_stand_on_its_own() {
        let claims = accepted(&format!(
            "{}\n[providers.claims.username]\nclaim = \"upn\"\nsteps = [\n  \"trim\",\n  \"lower\",\n]",
            text("\"a\"")
        ));
        let username = &claims.providers[0].claims.username[0];
        assert_eq!(username.steps, [Step::Trim, Step::Lower]);
        let text = format!(
            "{}\n[[providers.claims.username]]\nclaim = \"upn\"\n[[providers.claims.username]]\nclaim = \"sub\"",
            text("\"a\"")
        );
        assert_eq!(accepted(&text).providers[0].claims.username, ["upn", "sub"]);
    }

    #[test]
    fn a_table_says_where_in_one_way() {
        with("{}", &[("7:10", "", "says neither claim nor jmespath")]);
        with(
            "{ steps = [\"trim\"] }",
            &[("7:10", "", "says neither claim nor jmespath")],
        );
        with(
            "[\"x\", { claim = \"a\", jmespath = \"b\" }]",
            &[("7:16", "[1]", "says both claim and jmespath")],
        );
        with(
            "{ claim = \"a\", step = [\"trim\"] }",
            &[("7:25", ".step", "unknown key; did you mean \"steps\"?")],
        );
        with(
            "{ claim = \"a\", split = \";\" }",
            &[("7:25", ".split", "is a step")],
        );
        with(
            "{ claim = [\"a\"] }",
            &[("7:20", ".claim", "must be a string, not an array")],
        );
        with(
            "{ claim = \"\" }",
            &[("7:20", ".claim", "the name of the claim is empty")],
        );
    }

    #[test]
    fn a_wrong_reference_is_shown_where_it_stands() {
        with("\"/a~2b\"", &[("7:10", "", "\"/a~2b\" is no JSON pointer")]);
        with(
            "[\"a\", [\"b\"]]",
            &[(
                "7:16",
                "[1]",
                "must be a string, a table such as { claim = \"…\", steps = [\"trim\"] }, or an array of these, not an array",
            )],
        );
        with(
            "[{ claim = \"a\" }, \"a\", { claim = \"b\", steps = [\"trim\"] }, { claim = \"b\", steps = [\"trim\"] }]",
            &[
                ("7:28", "[1]", "\"a\" stands there twice"),
                ("7:68", "[3]", "this mapping stands there twice"),
            ],
        );
        let long = "x".repeat(513);
        with(
            &format!("\"{long}\""),
            &[("7:10", "", "is longer than 512 characters")],
        );
        let many: Vec<_> = (0..17).map(|n| format!("\"c{n}\"")).collect();
        with(
            &format!("[{}]", many.join(", ")),
            &[("7:10", "", "has 17 entries, and the limit is 16")],
        );
    }

    #[test]
    fn a_wrong_expression_is_shown_with_the_reason() {
        with(
            "{ jmespath = \"lenght(a)\" }",
            &[(
                "7:23",
                ".jmespath",
                "\"lenght(a)\" is no JMESPath expression: there is no function \"lenght\"",
            )],
        );
        let problems = crate::config::testing::Try::new(&text("{ jmespath = \"a[\" }")).problems();
        assert!(
            problems.starts_with("p.toml:7:23: providers.a.claims.groups.jmespath: \"a[\" is no JMESPath expression: "),
            "{problems}"
        );
        assert_eq!(problems.lines().count(), 2, "{problems}");
        with("{ jmespath = \"\" }", &[("7:23", ".jmespath", "is empty")]);
    }

    #[test]
    fn steps_are_an_array_of_at_most_sixteen() {
        with(
            "{ claim = \"a\", steps = \"trim\" }",
            &[("7:33", ".steps", "must be an array of steps, not a string")],
        );
        let many = vec!["\"trim\""; 17].join(", ");
        with(
            &format!("{{ claim = \"a\", steps = [{many}] }}"),
            &[("7:33", ".steps", "has 17 entries, and the limit is 16")],
        );
    }
}
