//! Holds `config/*.toml` and `docs/configuration.md` to the descriptions of the keys.
//!
//! `config/portcullis.toml` and the tables of the document are what this file makes of the
//! descriptions. When a test here fails, it leaves the right text in the directory for temporary
//! files and says where.

use super::keys::generate_assertion_key;
use super::presets::{Discovery, Issuer, Preset, PresetStep};
use super::problems::one_of;
use super::spec::{Default, Key, ROOT, Shape, Table};
use super::steps::FORMS;
use super::testing::KEY;
use super::values::Choice;
use super::{Loaded, Problems, Protocol, ProvisioningTarget, parse};
use std::path::Path;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Sm6xaqHu9CC2OJXEexV8QZZcvx5WRZe5XrXzvoH4mAI";

const HEAD: &str = "\
# Portcullis: every key of the configuration, with its default.
#
# A key without a default carries an example; where it may be absent, its line is a comment.
# A secret is a string, { env = \"NAME\" } or { file = \"PATH\" }. Paths are relative to this file.
# A start needs no more than minimal.toml has; `portcullis check --config FILE` says what is wrong.
";

/// Lines of the file that show something more useful than the default.
const SHOWN: &[(&str, &str)] = &[
    ("providers.preset", "\"salesforce\""),
    ("providers.issuer", "\"https://example.my.salesforce.com\""),
    ("providers.client_secret", "{ env = \"SALESFORCE_SECRET\" }"),
];

/// Every table with its dotted path and whether it stands in two brackets.
fn tables() -> Vec<(String, &'static Table, bool)> {
    fn collect(path: &str, table: &'static Table, found: &mut Vec<(String, &'static Table, bool)>) {
        for key in table.keys {
            let path = match path {
                "" => key.name.to_owned(),
                parent => format!("{parent}.{}", key.name),
            };
            if let Shape::Table(inner) | Shape::Tables(inner) = key.shape {
                found.push((path.clone(), inner, matches!(key.shape, Shape::Tables(_))));
                collect(&path, inner, found);
            }
        }
    }
    let mut found = Vec::new();
    collect("", &ROOT, &mut found);
    found
}

/// Whether a table is shown in one line, with its key.
fn is_inline(key: &Key) -> bool {
    !matches!(key.shape, Shape::Table(_) | Shape::Tables(_)) || !key.example().is_empty()
}

fn reference_toml() -> String {
    let mut text = HEAD.to_owned();
    for (path, table, array) in tables() {
        // Shown in the line of their key.
        if ["server.tls", "providers.tests.expect"].contains(&path.as_str()) {
            continue;
        }
        // Nobody needs a rule or an account, or credentials without a target.
        let off = if (array && path.contains('.')) || path == "provisioning.bitbucket" {
            "# "
        } else {
            ""
        };
        let (open, close) = if array { ("[[", "]]") } else { ("[", "]") };
        text += &format!("\n{}{off}{open}{path}{close}\n", wrapped(table.doc));
        for key in table.keys.iter().filter(|key| is_inline(key)) {
            text += &toml_key(&path, key, off);
        }
    }
    text
}

fn toml_key(table: &str, key: &Key, off: &str) -> String {
    let name = key.name;
    let shown = SHOWN
        .iter()
        .find(|(path, _)| *path == format!("{table}.{name}"));
    let default = match key.default {
        Default::Required(_) => " Required.".to_owned(),
        Default::Value(default) if shown.is_some() => format!(" Default: {default}."),
        Default::Value(_) => String::new(),
        Default::Unset(words, _) => format!(" Default: {words}."),
    };
    let choices = match key.shape {
        Shape::Choice(names) if names().len() > 1 => format!(" One of {}.", one_of(&names())),
        _ => String::new(),
    };
    let line = match (shown, key.default) {
        (Some((_, shown)), _) => format!("{off}{name} = {shown}"),
        (None, Default::Unset(_, example)) => format!("# {name} = {example}"),
        (None, _) => format!("{off}{name} = {}", key.example()),
    };
    let comment = wrapped(&format!("{}{choices}{default}", key.doc));
    format!("{comment}{line}\n")
}

/// A comment in lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

fn reference_markdown(path: &str, table: &Table, array: bool) -> String {
    let (open, close) = if array { ("[[", "]]") } else { ("[", "]") };
    let mut text = format!(
        "## `{open}{path}{close}`\n\n{}\n\n| key | type | default | what |\n| --- | --- | --- | --- |\n",
        table.doc
    );
    for key in table.keys {
        let shape = match key.shape {
            Shape::Text => "string".to_owned(),
            Shape::Flag => "true or false".to_owned(),
            Shape::Seconds(min, max) => format!("seconds, {min} to {max}"),
            Shape::Count(min, max) => format!("number, {min} to {max}"),
            Shape::Day => "day, such as `\"2027-03-31\"`".to_owned(),
            Shape::Choice(names) => one_of(&names()),
            Shape::Texts => "array of strings".to_owned(),
            Shape::Choices(names) => format!("array of {}", one_of(&names())),
            Shape::OneOrMore => "string or array of strings".to_owned(),
            Shape::Mappings => "[mapping](#mappings) or array of them".to_owned(),
            Shape::Steps => "array of [steps](#steps)".to_owned(),
            Shape::Secret => "secret".to_owned(),
            Shape::Secrets => "array of secrets".to_owned(),
            Shape::Map => "table of strings".to_owned(),
            Shape::Lists => "table of strings or arrays of strings".to_owned(),
            Shape::Object => "table of anything".to_owned(),
            Shape::Table(_) => "table".to_owned(),
            Shape::Tables(_) => "tables".to_owned(),
        };
        let default = match key.default {
            Default::Required(example) => format!("**required**, e.g. `{example}`"),
            Default::Value(default) => format!("`{default}`"),
            Default::Unset(words, _) => words.to_owned(),
        };
        text += &format!("| `{}` | {shape} | {default} | {} |\n", key.name, key.doc);
    }
    text
}

fn steps_markdown() -> String {
    let head = "| step | takes | makes | what |\n| --- | --- | --- | --- |\n".to_owned();
    FORMS.iter().fold(head, |text, form| {
        text + &format!(
            "| `{}` | `{}` | `{}` | {} |\n",
            form.example, form.from, form.to, form.doc
        )
    })
}

fn presets_markdown() -> String {
    let mut text = "| preset | protocol | `issuer` | `client_auth` | `scopes` | username | groups |\n| --- | --- | --- | --- | --- | --- | --- |\n".to_owned();
    for (name, preset) in <&'static Preset as Choice>::NAMES {
        let method = super::presets::Method::NAMES
            .iter()
            .find(|(_, m)| *m == preset.client_auth);
        let claims = &preset.claims;
        let groups = claims.groups.iter().map(|&claim| {
            let steps = claims.steps.iter().filter(|(name, _)| *name == claim);
            let steps = steps.flat_map(|(_, steps)| steps.iter().map(preset_step));
            steps.fold(format!("`{claim}`"), |text, step| format!("{text} {step}"))
        });
        let separator = match claims.groups_separator {
            "" => String::new(),
            separator => format!(", split at `{separator}`"),
        };
        text += &format!(
            "| `{name}` | {} | {} | `{}` | {} | {} | {}{separator} |\n",
            match preset.protocol {
                Protocol::Oidc => "OpenID Connect",
                Protocol::OAuth2 => "OAuth 2.0",
            },
            match (preset.issuer, preset.discovery) {
                (Issuer::Fixed(issuer), Discovery::BelowIssuer) => format!("`{issuer}`"),
                (Issuer::Fixed(issuer), _) => format!("`{issuer}`, and `discovery_url`"),
                (Issuer::Like(issuer), Discovery::BelowIssuer) =>
                    format!("required, like `{issuer}`"),
                (Issuer::Like(issuer), _) =>
                    format!("required, like `{issuer}`, and `discovery_url`"),
                (Issuer::Origin, _) => "not needed".to_owned(),
            },
            method.unwrap().0,
            listed(
                preset_scopes(preset)
                    .iter()
                    .map(|scope| format!("`{scope}`"))
            ),
            listed(claims.username.iter().map(|claim| format!("`{claim}`"))),
            listed(groups),
        );
    }
    text
}

/// The scopes that a file without `scopes` and `claims` gets.
fn preset_scopes(preset: &Preset) -> Vec<&'static str> {
    let wanted = preset.fetch_for.iter();
    let wanted = wanted.filter(|(claim, _)| preset.claims.groups.contains(claim));
    let fetch = preset.fetch.iter().chain(wanted.map(|(_, fetch)| fetch));
    let mut scopes = preset.scopes.to_vec();
    for fetch in fetch {
        if !scopes.contains(&fetch.scope()) {
            scopes.push(fetch.scope());
        }
    }
    scopes
}

fn preset_step(step: &PresetStep) -> String {
    match step {
        PresetStep::Keys => "(its `keys`)".to_owned(),
        PresetStep::Pick(member) => format!("(the `{member}` of each)"),
        PresetStep::StripPrefix(prefix) => format!("(without the `{prefix}` in front)"),
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    match words.collect::<Vec<_>>() {
        words if words.is_empty() => "none".to_owned(),
        words => words.join(", "),
    }
}

/// Every key with a text that sets this key alone.
pub(super) fn each_key(value: &str) -> Vec<(String, String)> {
    fn collect(
        table: &Table,
        path: &str,
        wrap: &dyn Fn(&str) -> String,
        value: &str,
        found: &mut Vec<(String, String)>,
    ) {
        for key in table.keys {
            let path = match path {
                "" => key.name.to_owned(),
                parent => format!("{parent}.{}", key.name),
            };
            let wrap_key = |inner: &str| match table.keys.as_ptr() == ROOT.keys.as_ptr() {
                true => format!("{} = {inner}", key.name),
                false => wrap(&format!("{{ {} = {inner} }}", key.name)),
            };
            match key.shape {
                Shape::Table(inner) => collect(inner, &path, &wrap_key, value, found),
                Shape::Tables(inner) => {
                    collect(
                        inner,
                        &format!("{path}[0]"),
                        &|inner| wrap_key(&format!("[{inner}]")),
                        value,
                        found,
                    );
                }
                _ => found.push((path, wrap_key(value))),
            }
        }
    }
    let mut found = Vec::new();
    collect(&ROOT, "", &str::to_owned, value, &mut found);
    found
}

fn example(text: &str, dir: &Path) -> Result<Loaded, Problems> {
    parse(text, "p.toml", dir, &|name| match name {
        "PORTCULLIS_SESSION_KEY" => Some(KEY.to_owned()),
        "PORTCULLIS_BACKDOOR_HASH" => Some(HASH.to_owned()),
        "PORTCULLIS_BACKDOOR_TOTP" => Some("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned()),
        name if name.ends_with("_SECRET") => Some("a secret".to_owned()),
        _ => None,
    })
}

#[track_caller]
fn is_file(path: &str, is: &str, should: &str) {
    if is != should {
        let right = std::env::temp_dir().join(path.replace('/', "-"));
        std::fs::write(&right, should).unwrap();
        panic!(
            "{path} is not what the descriptions say; the right text is in {}",
            right.display()
        );
    }
}

#[test]
fn the_reference_file_shows_every_key() {
    let text = reference_toml();
    is_file(
        "config/portcullis.toml",
        include_str!("../../config/portcullis.toml"),
        &text,
    );
    let loaded =
        example(&text, Path::new("/nonexistent")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.providers[0].id, "salesforce");
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn the_commented_lines_of_the_reference_file_load() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (
        include_str!("testing/cert.pem"),
        include_str!("testing/key.pem"),
    );
    for (name, content) in [
        ("cert.pem", cert),
        ("key.pem", key),
        ("upstream-ca.pem", cert),
        ("provider-ca.pem", cert),
        ("client-cert.pem", cert),
        ("assertion.pem", &generate_assertion_key()),
        ("logo.svg", "<svg/>"),
        ("custom.css", ""),
        ("languages/nl.toml", ""),
        ("templates/login.html", ""),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    // The same name in two tables: the upstream's certificate is of this key, and a provider
    // takes any.
    std::fs::write(dir.path().join("client-key.pem"), key).unwrap();
    let is_key = |line: &str| {
        line.starts_with('[')
            || line
                .split_once(" = ")
                .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let text: String = reference_toml()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_key(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        // What excludes something else that is shown.
        .filter(|line| {
            let excluded = [
                "client_secret = ",
                "client_secret_expires_on = ",
                "discovery_url = ",
                "team_id = ",
                "token = ",
            ];
            !excluded.iter().any(|key| line.starts_with(key))
        })
        .collect::<String>()
        .replace(
            "\"http://bitbucket:7990\"\n# Whether",
            "\"https://bitbucket\"\n# Whether",
        )
        .replace(
            "assertion_header = \"\"",
            "assertion_header = \"X-Assertion\"",
        )
        .replace(
            "assertion_keys = []",
            "assertion_keys = [{ file = \"assertion.pem\" }]",
        )
        .replace("mode = \"off\"", "mode = \"manual\"")
        .replace("target = \"none\"", "target = \"bitbucket\"")
        .replace(
            "url = \"http://bitbucket:7990\"\n# A service",
            "url = \"https://bitbucket\"\n# A service",
        );
    let config = example(&text, dir.path())
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
        .config;
    assert!(config.server.tls.is_some() && config.upstream.client_tls.is_some());
    assert!(config.identity.assertion.is_some() && config.backdoor.accounts.len() == 1);
    assert_eq!(config.access.rules.len(), 1);
    assert_eq!(config.groups.map.len(), 1);
    assert_eq!(config.providers[0].tests.len(), 1);
    assert_ne!(config.provisioning.target, ProvisioningTarget::None);
}

#[test]
fn the_document_shows_every_key() {
    let document = include_str!("../../docs/configuration.md");
    let start = document.find("## `[server]`").unwrap_or(document.len());
    let (prose, _) = document.split_at(start);
    let tables: Vec<_> = tables()
        .iter()
        .map(|(path, table, array)| reference_markdown(path, table, *array))
        .collect();
    is_file(
        "docs/configuration.md",
        document,
        &format!("{prose}{}", tables.join("\n")),
    );
    for (what, table) in [("presets", presets_markdown()), ("steps", steps_markdown())] {
        assert!(
            prose.contains(&table),
            "the table of {what} should be\n{table}"
        );
    }
}

/// The examples of the steps are TOML that is read, and their values are JSON.
#[test]
fn every_step_is_shown_as_it_is_written() {
    for form in FORMS {
        let text = format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\ngroups = {{ claim = \"groups\", steps = [{}] }}",
            form.example
        );
        let steps = &super::testing::accepted(&text).providers[0].claims.groups[0].steps;
        assert_eq!(steps.len(), 1, "{}", form.name);
        for value in [form.from, form.to] {
            let parsed = serde_json::from_str::<serde_json::Value>(value);
            assert!(parsed.is_ok(), "{value}");
        }
    }
}

#[test]
fn every_key_is_read() {
    for (key, text) in each_key("1979-05-27") {
        // The one key that takes it.
        if key == "providers[0].client_secret_expires_on" {
            continue;
        }
        let problems = example(&text, Path::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        let wrong = problems.lines().any(|line| {
            line.contains(&format!(" {key}: must be ")) && line.ends_with(", not a date")
        });
        assert!(wrong, "{text} gave\n{problems}");
    }
}

#[track_caller]
fn example_loads(text: &str) -> super::Config {
    let loaded =
        example(text, Path::new("/nonexistent")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings, [""; 0]);
    loaded.config
}

#[test]
fn the_examples_load() {
    let config = example_loads(include_str!("../../config/minimal.toml"));
    assert_eq!(config.providers[0].preset, "oidc");
    let config = example_loads(include_str!("../../config/salesforce.toml"));
    assert_eq!(config.providers[0].preset, "salesforce");
    assert!(config.backdoor.enabled);
    let config = example_loads(include_str!("../../config/keycloak.toml"));
    assert_eq!(config.providers[0].preset, "keycloak");
    let config = example_loads(include_str!("../../config/github.toml"));
    assert_eq!(config.providers[0].preset, "github");
    let config = example_loads(include_str!("../../config/groups.toml"));
    assert_eq!(config.groups.map.len(), 3);
    assert_eq!(config.providers[0].tests.len(), 2);
    let config = example_loads(include_str!("../../config/provisioning.toml"));
    assert!(
        matches!(&config.provisioning.target, ProvisioningTarget::Bitbucket(access)
        if access.url.path() == "/bitbucket")
    );
}

/// Every file of the directory is one that a test loads.
#[test]
fn no_example_is_forgotten() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "github.toml",
            "groups.toml",
            "keycloak.toml",
            "minimal.toml",
            "portcullis.toml",
            "provisioning.toml",
            "salesforce.toml"
        ]
    );
}
