//! The steps of a mapping: how each is written, and from that to a checked [`Step`].

use super::problems::{Mistake, meant, mistake, one_of, quoted};
use super::reader::{At, Read, Section, Spot};
use super::spec::Default::{Unset, Value as Standard};
use super::spec::Shape::{self, Count, Map as Strings, OneOrMore as Several, Text};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, Map, OneOrMore, Value, choices, each_once};
use super::{Keep, Pattern, Rewrite, Step};
use crate::identity::Domain;
use std::collections::BTreeMap;

/// The longest expression, pattern or separator.
pub(super) const LONGEST: usize = 512;
/// The most separators, domains or patterns in one step.
const MOST: usize = 64;
/// The most entries of one table.
const MOST_ENTRIES: usize = 1000;

/// One kind of step.
pub(super) struct Form {
    /// What it is called: the word itself, or the key that makes it this step.
    pub(super) name: &'static str,
    /// Further keys.
    pub(super) with: &'static [&'static str],
    /// How it is written, in TOML.
    pub(super) example: &'static str,
    /// A value that the example is good for, in JSON.
    pub(super) from: &'static str,
    /// What the example makes of it, in JSON.
    pub(super) to: &'static str,
    /// One or two sentences.
    pub(super) doc: &'static str,
    how: How,
}

enum How {
    /// A word that stands alone.
    Word(fn() -> Step),
    /// A table with the keys of the form.
    Keys(fn(&Section<'_>) -> Read<Step>),
}

impl Form {
    /// Whether it is a string rather than a table.
    pub(super) const fn is_word(&self) -> bool {
        matches!(self.how, How::Word(_))
    }

    /// Its keys, if it is a table.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let name = (!self.is_word()).then_some(self.name);
        name.into_iter().chain(self.with.iter().copied())
    }
}

/// Every kind of step.
pub(super) static FORMS: &[Form] = &[
    Form {
        name: "trim",
        with: &[],
        example: r#""trim""#,
        from: r#"" dev ""#,
        to: r#""dev""#,
        doc: "White space at both ends goes.",
        how: How::Word(|| Step::Trim),
    },
    Form {
        name: "lower",
        with: &[],
        example: r#""lower""#,
        from: r#""Dev""#,
        to: r#""dev""#,
        doc: "Lower case.",
        how: How::Word(|| Step::Lower),
    },
    Form {
        name: "upper",
        with: &[],
        example: r#""upper""#,
        from: r#""Dev""#,
        to: r#""DEV""#,
        doc: "Upper case.",
        how: How::Word(|| Step::Upper),
    },
    Form {
        name: "json",
        with: &[],
        example: r#""json""#,
        from: r#""[\"dev\",\"ops\"]""#,
        to: r#"["dev","ops"]"#,
        doc: "A text that begins with `[` or `{` is read as JSON.",
        how: How::Word(|| Step::Json),
    },
    Form {
        name: "keys",
        with: &[],
        example: r#""keys""#,
        from: r#"{"dev":true,"ops":false}"#,
        to: r#"["dev"]"#,
        doc: "The names of an object; of one with true and false as values, those that are true.",
        how: How::Word(|| Step::Keys),
    },
    Form {
        name: "split",
        with: &[],
        example: r#"{ split = ";" }"#,
        from: r#""dev; ops""#,
        to: r#"["dev","ops"]"#,
        doc: "Splits at this text, or at any of several. Pieces are trimmed, and empty ones go.",
        how: How::Keys(|section| texts(section, "split", separator).map(Step::Split)),
    },
    Form {
        name: "pick",
        with: &[],
        example: r#"{ pick = "name" }"#,
        from: r#"[{"id":7,"name":"dev"}]"#,
        to: r#"["dev"]"#,
        doc: "A member of an object, or of every object of a list.",
        how: How::Keys(|section| text(section, "pick").map(Step::Pick)),
    },
    Form {
        name: "strip_prefix",
        with: &[],
        example: r#"{ strip_prefix = "/" }"#,
        from: r#""/dev""#,
        to: r#""dev""#,
        doc: "The beginning goes, where it is there.",
        how: How::Keys(|section| text(section, "strip_prefix").map(Step::StripPrefix)),
    },
    Form {
        name: "last_segment",
        with: &[],
        example: r#"{ last_segment = "/" }"#,
        from: r#""/engineering/dev""#,
        to: r#""dev""#,
        doc: "What stands after the last one.",
        how: How::Keys(|section| text(section, "last_segment").map(Step::LastSegment)),
    },
    Form {
        name: "regex",
        with: &["replace"],
        example: r#"{ regex = "cn=([^,]+),.*", replace = "$1" }"#,
        from: r#""cn=dev,ou=groups""#,
        to: r#""dev""#,
        doc: "The expression must match the whole text; a text that it does not match is dropped. `replace` knows `$1` and `${name}`; without it the text stays as it is.",
        how: How::Keys(regex),
    },
    Form {
        name: "local_part",
        with: &[],
        example: r#"{ local_part = ["example.com"] }"#,
        from: r#""ana@example.com""#,
        to: r#""ana""#,
        doc: "What stands before the `@` of an address in one of these domains; other texts are dropped.",
        how: How::Keys(|section| texts(section, "local_part", domain).map(Step::LocalPart)),
    },
    Form {
        name: "table",
        with: &["other"],
        example: r#"{ table = { eng = "developers" }, other = "keep" }"#,
        from: r#"["eng","ops"]"#,
        to: r#"["developers","ops"]"#,
        doc: "One text for another. What is not in the table is dropped, unless `other` is `\"keep\"`.",
        how: How::Keys(table),
    },
    Form {
        name: "allow",
        with: &["deny"],
        example: r#"{ allow = ["bitbucket-*"], deny = ["*-test"] }"#,
        from: r#"["bitbucket-dev","bitbucket-test","wiki"]"#,
        to: r#"["bitbucket-dev"]"#,
        doc: "Which texts stay: those that a pattern of `allow` fits and none of `deny`. `*` is any text, `?` one character; upper and lower case are the same. Either may be absent.",
        how: How::Keys(filter),
    },
    Form {
        name: "limit",
        with: &[],
        example: "{ limit = 2 }",
        from: r#"["dev","ops","web"]"#,
        to: r#"["dev","ops"]"#,
        doc: "The first so many of a list.",
        how: How::Keys(|section| section.get("limit").map(Step::Limit)),
    },
];

/// Every key that can stand in a step. Which of them go together is in [`FORMS`].
pub(super) static STEP: Table = Table {
    doc: "What is done to a value.",
    keys: &[
        key("split", Several, NONE_TEXT, "Where a text is split."),
        key("pick", Text, Unset("none", r#""name""#), "The member."),
        key("strip_prefix", Text, NONE_TEXT, "The beginning."),
        key("last_segment", Text, NONE_TEXT, "The separator."),
        key(
            "regex",
            Text,
            Unset("none", r#""cn=([^,]+),.*""#),
            "The expression.",
        ),
        key(
            "replace",
            Text,
            Unset("the whole text", r#""$1""#),
            "What a match becomes.",
        ),
        key(
            "local_part",
            Several,
            Unset("none", r#"["example.com"]"#),
            "The domains.",
        ),
        key(
            "table",
            Strings,
            Unset("none", r#"{ eng = "developers" }"#),
            "From, to.",
        ),
        key(
            "other",
            Shape::Choice(choices::<Keep>),
            Standard(r#""drop""#),
            "What happens to a text that the table does not have.",
        ),
        key(
            "allow",
            Several,
            Unset("all", r#"["bitbucket-*"]"#),
            "One of these must fit.",
        ),
        key(
            "deny",
            Several,
            Unset("none", r#"["*-test"]"#),
            "None of these may fit.",
        ),
        key(
            "limit",
            Count(1, 10_000),
            Unset("none", "50"),
            "How many stay.",
        ),
    ],
};

const NONE_TEXT: super::spec::Default = Unset("none", r#""/""#);

impl Choice for Keep {
    const NAMES: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("drop", Self::Drop)];
}

/// One step.
pub(super) fn read<'r>(value: &Value<'r, 'r>) -> Read<Step> {
    const NEED: &str = "a step such as \"trim\" or { split = \";\" }";
    if value.toml.as_str().is_some() {
        let name = value.text(NEED)?;
        return word(&name).map_err(|mistake| value.spot.problem(mistake));
    }
    if let Some(mistake) = value.toml.as_table().and_then(|table| {
        // `{ trim = true }`: better than a list of every key that there is.
        let is_word = |name: &str| {
            FORMS
                .iter()
                .find(|form| form.is_word() && form.name == name)
        };
        let found = table.keys().find_map(|name| is_word(name.get_ref()))?;
        let what = format!("\"{}\" is a step that stands alone", found.name);
        Some(mistake(what, format!("write {}", found.example)))
    }) {
        return Err(value.spot.problem(mistake));
    }
    let section = value.section(&STEP, NEED)?;
    section.known()?;
    let mut said = FORMS
        .iter()
        .filter(|form| form.keys().any(|name| section.says(name)));
    let how = match (said.next(), said.next()) {
        (Some(form), None) => &form.how,
        (Some(one), Some(other)) => {
            return Err(value.spot.problem(mistake(
                format!("\"{}\" and \"{}\" are two steps", one.name, other.name),
                format!(
                    "write them one after the other, such as {}, {}",
                    one.example, other.example
                ),
            )));
        }
        (None, _) => {
            return Err(value.spot.problem(mistake(
                "is empty",
                format!("the steps are {}", one_of(&names())),
            )));
        }
    };
    match how {
        How::Keys(read) => read(&section),
        How::Word(step) => Ok(step()),
    }
}

/// A step that is written as a string.
fn word(name: &str) -> Result<Step, Mistake> {
    match FORMS.iter().find(|form| form.name == name) {
        Some(Form {
            how: How::Word(step),
            ..
        }) => Ok(step()),
        Some(form) => Err(mistake(
            format!("\"{name}\" does not say enough"),
            format!("write it as a table: {}", form.example),
        )),
        None => {
            let guess = meant(name, names());
            let guess = guess.map(|name| format!("; did you mean \"{name}\"?"));
            Err(mistake(
                format!("unknown step {}{}", quoted(name), guess.unwrap_or_default()),
                format!("the steps are {}", one_of(&names())),
            ))
        }
    }
}

/// What steps are called.
pub(super) fn names() -> Vec<&'static str> {
    FORMS.iter().map(|form| form.name).collect()
}

fn text(section: &Section<'_>, name: &'static str) -> Read<String> {
    section.parse(name, separator)
}

/// One text or several, each once and none of them endless.
fn texts<T: PartialEq>(
    section: &Section<'_>,
    name: &'static str,
    check: impl Fn(&str) -> Result<T, Mistake>,
) -> Read<Vec<T>> {
    let OneOrMore(items) = section.get(name)?;
    let spot = section.spot_of(name);
    if items.is_empty() {
        let remedy = match name {
            "local_part" => {
                "name the domains whose addresses are yours; anybody can have \"admin\" in another"
            }
            _ => "name at least one, or remove it",
        };
        return Err(spot.problem(mistake("is empty", remedy)));
    }
    at_most(MOST, items.len(), &spot)?;
    each_once(items, check)
}

/// Nothing in a configuration makes a sign-in slow.
pub(super) fn at_most(most: usize, found: usize, spot: &Spot<'_>) -> Read<()> {
    if found <= most {
        return Ok(());
    }
    Err(spot.problem(mistake(
        format!("has {found} entries, and the limit is {most}"),
        "choose the values at the provider, or with an expression that is shorter",
    )))
}

/// Refuses what is empty or endless.
pub(super) fn sized(text: &str) -> Result<(), Mistake> {
    if text.is_empty() {
        return Err(mistake("is empty", "write at least one character"));
    }
    match text.chars().nth(LONGEST) {
        None => Ok(()),
        Some(_) => Err(mistake(
            format!("is longer than {LONGEST} characters"),
            "a shorter one is easier to understand, too; several mappings are tried in order",
        )),
    }
}

fn separator(text: &str) -> Result<String, Mistake> {
    sized(text).map(|()| text.to_owned())
}

fn domain(text: &str) -> Result<Domain, Mistake> {
    Domain::parse(text).map_err(|invalid| {
        mistake(
            format!("{} {invalid}", quoted(text)),
            "write what stands after the \"@\", such as \"example.com\"; no wildcards",
        )
    })
}

fn regex(section: &Section<'_>) -> Read<Step> {
    let pattern = section.get::<At<'_, String>>("regex");
    let replace = section.parse_if("replace", |text| match text {
        // A text of which nothing stays is dropped; that is what `deny` says more clearly.
        "" => Err(mistake(
            "is empty",
            "to drop texts, write { deny = [\"…\"] }",
        )),
        text => sized(text).map(|()| text.to_owned()),
    });
    let pattern = pattern?;
    pattern.check(|text| sized(text))?;
    let replace = replace?.unwrap_or_else(|| "$0".to_owned());
    let rewrite = pattern.check(|text| {
        Rewrite::parse(text, &replace).map_err(|reason| {
            mistake(
                format!("{} is no regular expression: {reason}", quoted(text)),
                "the syntax is that of https://docs.rs/regex; a literal string ('…') needs no \
                 doubled backslashes",
            )
        })
    })?;
    if let Some(group) = rewrite.unknown_group() {
        return Err(section.spot_of("replace").problem(mistake(
            format!("the expression has no group {}", quoted(group)),
            "groups are $1, $2 and so on, or ${name}; write ${1} before a letter, a digit or _, and \
             $$ for a dollar sign",
        )));
    }
    Ok(Step::Regex(rewrite))
}

fn table(section: &Section<'_>) -> Read<Step> {
    let map = section.get::<Map<'_>>("table");
    let other = section.get::<Chosen<Keep>>("other");
    let (Map(entries), Chosen(other)) = (map?, other?);
    let spot = section.spot_of("table");
    if entries.is_empty() {
        return Err(spot.problem(mistake("is empty", "add an entry: { from = \"to\" }")));
    }
    at_most(MOST_ENTRIES, entries.len(), &spot)?;
    let mut map = BTreeMap::new();
    let mut failed = Ok(());
    for (from, to) in entries {
        match to.check(|text| sized(text)) {
            Ok(()) => drop(map.insert(from, to.value)),
            Err(reported) => failed = Err(reported),
        }
    }
    failed.map(|()| Step::Table { map, other })
}

fn filter(section: &Section<'_>) -> Read<Step> {
    let patterns = |name| match section.says(name) {
        true => texts(section, name, pattern),
        false => Ok(Vec::new()),
    };
    let (allow, deny) = (patterns("allow"), patterns("deny"));
    Ok(Step::Filter {
        allow: allow?,
        deny: deny?,
    })
}

/// A name with `*` and `?`.
pub(super) fn pattern(text: &str) -> Result<Pattern, Mistake> {
    sized(text).map(|()| Pattern::new(text))
}

/// Whether a table that should be a mapping has the keys of a step.
pub(super) fn misplaced(name: &str) -> Option<&'static Form> {
    FORMS
        .iter()
        .find(|form| form.name == name || form.with.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{accepted, refused};

    fn text(step: &str) -> String {
        format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\ngroups = [\"x\", {{ claim = \"a\", steps = [\"trim\",\n{step}] }}]"
        )
    }

    /// The step begins at 8:1; keys in the answers are below it.
    #[track_caller]
    fn with(step: &str, expected: &[(&str, &str, &str)]) {
        let lines: Vec<_> = expected
            .iter()
            .map(|(place, key, what)| {
                format!("{place}: providers.a.claims.groups[1].steps[1]{key}: {what}")
            })
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        refused(&text(step), &lines);
    }

    #[track_caller]
    fn takes(step: &str) -> Step {
        accepted(&text(step)).providers[0].claims.groups[1].steps[1].clone()
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn every_step_is_read() {
        assert_eq!(takes("\"trim\""), Step::Trim);
        assert_eq!(takes("\"lower\""), Step::Lower);
        assert_eq!(takes("\"upper\""), Step::Upper);
        assert_eq!(takes("\"json\""), Step::Json);
        assert_eq!(takes("\"keys\""), Step::Keys);
        assert_eq!(takes("{ split = \";\" }"), Step::Split(texts(&[";"])));
        assert_eq!(
            takes("{ split = [\";\", \", \"] }"),
            Step::Split(texts(&[";", ", "]))
        );
        assert_eq!(takes("{ pick = \"name\" }"), Step::Pick("name".into()));
        assert_eq!(
            takes("{ strip_prefix = \"/\" }"),
            Step::StripPrefix("/".into())
        );
        assert_eq!(
            takes("{ last_segment = \"/\" }"),
            Step::LastSegment("/".into())
        );
        assert_eq!(
            takes("{ regex = 'a(\\d+)', replace = \"$1\" }"),
            Step::Regex(Rewrite::parse("a(\\d+)", "$1").unwrap())
        );
        assert_eq!(
            takes("{ regex = \"a.*\" }"),
            Step::Regex(Rewrite::parse("a.*", "$0").unwrap())
        );
        let domain = Domain::parse("example.com").unwrap();
        assert_eq!(
            takes("{ local_part = \"Example.com\" }"),
            Step::LocalPart(vec![domain])
        );
        let map = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(
            takes("{ table = { a = \"b\" } }"),
            Step::Table {
                map: map.clone(),
                other: Keep::Drop
            }
        );
        assert_eq!(
            takes("{ table = { a = \"b\" }, other = \"keep\" }"),
            Step::Table {
                map,
                other: Keep::Keep
            }
        );
        assert_eq!(
            takes("{ allow = [\"b-*\"], deny = \"*-t\" }"),
            Step::Filter {
                allow: vec![Pattern::new("b-*")],
                deny: vec![Pattern::new("*-t")]
            }
        );
        assert_eq!(
            takes("{ deny = [\"*-t\"] }"),
            Step::Filter {
                allow: Vec::new(),
                deny: vec![Pattern::new("*-t")]
            }
        );
        assert_eq!(takes("{ limit = 50 }"), Step::Limit(50));
    }

    #[test]
    fn a_step_that_nobody_knows_is_shown_where_it_stands() {
        with(
            "\"trimm\"",
            &[("8:1", "", "unknown step \"trimm\"; did you mean \"trim\"?")],
        );
        with(
            "{ splitt = \";\" }",
            &[("8:3", ".splitt", "unknown key; did you mean \"split\"?")],
        );
        with(
            "\"strip-prefx\"",
            &[(
                "8:1",
                "",
                "unknown step \"strip-prefx\"; did you mean \"strip_prefix\"?",
            )],
        );
        with("\"split\"", &[("8:1", "", "\"split\" does not say enough")]);
        with(
            "\"local_part\"",
            &[("8:1", "", "\"local_part\" does not say enough")],
        );
        with(
            "{ trim = true }",
            &[("8:1", "", "\"trim\" is a step that stands alone")],
        );
        with(
            "7",
            &[(
                "8:1",
                "",
                "must be a step such as \"trim\" or { split = \";\" }, not a number",
            )],
        );
        with("{}", &[("8:1", "", "is empty")]);
    }

    #[test]
    fn one_table_is_one_step() {
        with(
            "{ split = \";\", pick = \"name\" }",
            &[("8:1", "", "\"split\" and \"pick\" are two steps")],
        );
        with("{ replace = \"$1\" }", &[("8:1", ".regex", "is missing")]);
        with("{ other = \"keep\" }", &[("8:1", ".table", "is missing")]);
    }

    #[test]
    fn a_step_that_would_do_nothing_or_anything_is_refused() {
        with(
            "{ local_part = [] }",
            &[("8:16", ".local_part", "is empty")],
        );
        with(
            "{ local_part = [\"@example.com\", \"*\"] }",
            &[
                (
                    "8:17",
                    ".local_part[0]",
                    "\"@example.com\" is not a domain name",
                ),
                ("8:33", ".local_part[1]", "\"*\" is not a domain name"),
            ],
        );
        with("{ split = \"\" }", &[("8:11", ".split", "is empty")]);
        with(
            "{ split = [\";\", \";\"] }",
            &[("8:17", ".split[1]", "\";\" stands there twice")],
        );
        with("{ pick = \"\" }", &[("8:10", ".pick", "is empty")]);
        with("{ allow = [] }", &[("8:11", ".allow", "is empty")]);
        with("{ deny = [\"\"] }", &[("8:11", ".deny[0]", "is empty")]);
        with("{ table = {} }", &[("8:11", ".table", "is empty")]);
        with(
            "{ table = { a = \"\", b = 1 } }",
            &[("8:25", ".table.b", "must be a string, not a number")],
        );
        with(
            "{ table = { a = \"\" } }",
            &[("8:17", ".table.a", "is empty")],
        );
        with(
            "{ table = { a = \"b\" }, other = \"kep\" }",
            &[(
                "8:32",
                ".other",
                "unknown value \"kep\"; did you mean \"keep\"?",
            )],
        );
        with(
            "{ limit = 0 }",
            &[("8:11", ".limit", "0 is not between 1 and 10000")],
        );
    }

    #[test]
    fn a_regular_expression_is_one() {
        with(
            "{ regex = \"(\", replace = \"x\" }",
            &[(
                "8:11",
                ".regex",
                "\"(\" is no regular expression: unclosed group",
            )],
        );
        with(
            "{ regex = \"a)|(b\" }",
            &[(
                "8:11",
                ".regex",
                "\"a)|(b\" is no regular expression: unopened group",
            )],
        );
        with(
            "{ regex = \"(?<n>a)b\", replace = \"$1x\" }",
            &[("8:33", ".replace", "the expression has no group \"1x\"")],
        );
        with(
            "{ regex = \"a\", replace = \"\" }",
            &[("8:26", ".replace", "is empty")],
        );
        let long = "x".repeat(LONGEST + 1);
        with(
            &format!("{{ regex = \"{long}\" }}"),
            &[("8:11", ".regex", "is longer than 512 characters")],
        );
    }

    #[test]
    fn nothing_is_endless() {
        let many: Vec<_> = (0..=MOST).map(|n| format!("\"{n}\"")).collect();
        let list = many.join(", ");
        with(
            &format!("{{ split = [{list}] }}"),
            &[("8:11", ".split", "has 65 entries, and the limit is 64")],
        );
        let entries: Vec<_> = (0..=MOST_ENTRIES).map(|n| format!("{n} = \"x\"")).collect();
        with(
            &format!("{{ table = {{ {} }} }}", entries.join(", ")),
            &[("8:11", ".table", "has 1001 entries, and the limit is 1000")],
        );
    }
}
