//! The examples that people copy do what they are said to do.

use super::trial;
use crate::config::{self, Config};
use crate::mapping::{Rules, examine};
use serde_json::{Map, Value};
use std::path::Path;

fn config(text: &str) -> Config {
    let secret = |name: &str| match name {
        "PORTCULLIS_SESSION_KEY" => Some("0123456789abcdef".repeat(8)),
        _ => Some("secret".to_owned()),
    };
    let loaded = config::parse(text, "p.toml", Path::new("."), &secret);
    loaded
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
        .config
}

/// Below this, `[providers.claims]` goes on.
const CLAIMS: &str = "[server]\npublic_url = \"https://git.example.com\"\n\
    [upstream]\nurl = \"http://bitbucket:7990\"\n\
    [session]\nstore = \"memory\"\nkeys = [{ env = \"PORTCULLIS_SESSION_KEY\" }]\n\
    [[providers]]\nid = \"idp\"\nissuer = \"https://idp.example.com\"\n\
    client_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\n";

#[test]
fn every_step_in_the_document_makes_what_stands_beside_it() {
    let document = include_str!("../../docs/configuration.md");
    let (_, table) = document.split_once("| step | takes | makes |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| !line.is_empty());
    let mut seen = 0;
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let cell = |index: usize| cells[index].trim_matches('`');
        let json = |index: usize| serde_json::from_str::<Value>(cell(index)).unwrap();
        let config = config(&format!(
            "{CLAIMS}groups = {{ claim = \"it\", steps = [{}] }}",
            cell(0)
        ));
        let claims = Map::from_iter([("it".to_owned(), json(1))]);
        let examined = examine(&claims, Rules::of(&config, &config.providers[0]));
        let groups = examined.facts.iter().find(|fact| fact.name == "groups");
        let taken = &groups.unwrap().tried[0].steps[0];
        assert_eq!(taken.value, json(2), "{row}");
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}

#[test]
fn the_tests_in_the_example_pass() {
    let config = config(include_str!("../../config/groups.toml"));
    let provider = &config.providers[0];
    assert!(!provider.tests.is_empty());
    for test in &provider.tests {
        assert_eq!(
            trial(&config, provider, test),
            [""; 0],
            "line {}",
            test.line
        );
    }
}
