//! Holds the examples of README.md and `docs/` to what loads, and `docs/providers` to the presets.

use super::generate_assertion_key;
use super::presets::Preset;
use super::testing::{KEY, Try};
use super::values::Choice;
use std::path::{Path, PathBuf};

/// The documents, by their paths below the repository.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = |path: PathBuf| {
        let files = std::fs::read_dir(path).unwrap();
        files.map(|file| file.unwrap().path())
    };
    let mut paths: Vec<_> = folder(root.join("docs"))
        .chain(folder(root.join("docs/providers")))
        .chain([root.join("README.md")])
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// What stands between ```` ```toml ```` and the end of the block, with its line.
fn examples(document: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (line, text) in (1..).zip(document.lines()) {
        match (&mut block, text.trim()) {
            (None, "```toml") => block = Some((line, String::new())),
            (None, _) => {}
            (Some(_), "```") => found.extend(block.take()),
            (Some((_, example)), _) => {
                example.push_str(text);
                example.push('\n');
            }
        }
    }
    assert!(block.is_none());
    found
}

/// What stands in quotes after `key = `, wherever it does.
fn named<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let mark = format!(" {key} = \"");
    let found = |line: &'a str| line.split(&mark).skip(1).collect::<Vec<_>>();
    let spaced = text.lines().flat_map(found);
    let first = format!("{key} = \"");
    let led = text.lines().filter_map(|line| line.strip_prefix(&first));
    let after = spaced.chain(led);
    after.filter_map(|rest| rest.split('"').next()).collect()
}

/// What is in the files that an example names.
fn content(key: &str, file: &str) -> String {
    match (key, file) {
        ("ca_file" | "cert_file", _) => include_str!("testing/cert.pem").to_owned(),
        ("key_file", _) => include_str!("testing/key.pem").to_owned(),
        ("logo_file", _) => r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#.to_owned(),
        ("css_file", _) => "main { border: 0; }".to_owned(),
        (_, "session.key") => KEY.to_owned(),
        (_, file) if file.ends_with(".secret") => "a secret".to_owned(),
        _ => generate_assertion_key(),
    }
}

fn provider(id: &str) -> String {
    let issuer = format!("https://{id}.example.com");
    format!(
        "[[providers]]\nid = \"{id}\"\nissuer = \"{issuer}\"\nclient_id = \"c\"\nclient_secret = \"s\"\n"
    )
}

/// An example as part of a whole file: a fragment of a provider gets the rest of one, and rules for
/// people and groups get somewhere to put them.
fn completed(example: &str) -> String {
    let head = example.lines().find(|line| !line.starts_with('#'));
    let head = head.unwrap_or_default();
    if !head.starts_with('[') {
        return format!("{}[providers.claims]\n{example}", provider("test"));
    }
    if head.starts_with("[providers.") || head.starts_with("[[providers.") {
        return format!("{}{example}", provider("test"));
    }
    let mut text = example.to_owned();
    if ["[users]", "[groups]"].contains(&head) && !text.contains("[provisioning]") {
        text += "[provisioning]\ntarget = \"directory\"\n";
    }
    let linked = example
        .lines()
        .find(|line| line.starts_with("link_providers"));
    let mut ids: Vec<&str> = linked
        .iter()
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect();
    if head.contains("sign_in") {
        ids.extend(named(example, "provider"));
        ids.extend(named(example, "default_provider"));
        ids.sort_unstable();
        ids.dedup();
    }
    for id in ids {
        text += &provider(id);
    }
    text
}

#[test]
fn every_example_of_the_documents_loads() {
    let mut failures = Vec::new();
    let mut providers = 0;
    for (name, document) in documents() {
        for (line, example) in examples(&document) {
            let text = completed(&example).replace("/etc/portcullis/", "");
            let mut attempt = Try::new(&text);
            for name in named(&text, "env") {
                attempt = attempt.env(name, "a secret");
            }
            for key in [
                "file",
                "ca_file",
                "cert_file",
                "key_file",
                "logo_file",
                "css_file",
            ] {
                for file in named(&text, key) {
                    attempt = attempt.file(file, &content(key, file));
                }
            }
            // What is looked for in directories of one's own.
            for (key, file, content) in [
                ("languages_dir", "nl.toml", "[action]\nstay = \"Blijven\"\n"),
                ("templates_dir", "_part.html", "A part."),
            ] {
                for directory in named(&text, key) {
                    attempt = attempt.file(&format!("{directory}/{file}"), content);
                }
            }
            providers += usize::from(example.contains("[[providers]]"));
            if let Err(problems) = attempt.load() {
                failures.push(format!("{name}:{line}\n{problems}\n{text}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(providers > 30, "{providers}");
}

#[test]
fn every_preset_has_a_page_that_configures_it() {
    let documents = documents();
    let text = |path: &str| {
        let found = documents.iter().find(|(name, _)| name == path);
        found.map_or_else(|| panic!("no {path}"), |(_, text)| text.as_str())
    };
    let index = text("docs/providers/README.md");
    for (name, _) in <&'static Preset as Choice>::NAMES {
        let file = format!("{}.md", name.replace('_', "-"));
        let page = text(&format!("docs/providers/{file}"));
        let preset = format!("preset = \"{name}\"");
        let configures = |(_, example): &(usize, String)| example.contains(&preset);
        assert!(examples(page).iter().any(configures), "{file}: no {preset}");
        let row = |line: &str| {
            line.contains(&format!("]({file})")) && line.contains(&format!("`{name}`"))
        };
        assert!(index.lines().any(row), "the table does not list {file}");
    }
    let pages = documents
        .iter()
        .filter(|(name, _)| name.starts_with("docs/providers/"));
    assert_eq!(pages.count(), <&'static Preset as Choice>::NAMES.len() + 1);
}
