//! The file as a whole: many mistakes at once, and no text that does harm.

use super::testing::{KEY, Try, accepted, refused};
use super::{load, parse};
use proptest::prelude::*;
use std::path::Path;

#[test]
fn five_mistakes_are_shown_at_once() {
    let text = r#"[server]
public_url = "https://git.example.com/bitbucket"
listn = "0.0.0.0:8080"

[upstream]
url = "http://bitbucket:7990"
kind = "bitbuckit"
idle_timeout_secs = "300"

[session]
store = "sqlite:portcullis.db"

[[providers]]
id = "salesforce"
preset = "salesforce"
issuer = "https://example.lightning.force.com"
client_id = "3MVG9"
client_secret = { env = "SALESFORCE_SECRET" }
"#;
    let env = |name: &str| (name == "SALESFORCE_SECRET").then(|| "hunter2".to_owned());
    let problems = parse(text, "portcullis.toml", Path::new("."), &env).unwrap_err();
    assert_eq!(
        problems.to_string(),
        r#"portcullis.toml:2:14: server.public_url: "https://git.example.com/bitbucket" has a path or query
    only scheme, host and port: https://git.example.com
portcullis.toml:3:1: server.listn: unknown key; did you mean "listen"?
    the keys of [server] are public_url, listen, admin_listen, prefix, trusted_proxies, tls, head_timeout_secs, drain_timeout_secs, max_connections
portcullis.toml:7:8: upstream.kind: unknown value "bitbuckit"; did you mean "bitbucket"?
    it can be "bitbucket" or "generic"
portcullis.toml:8:21: upstream.idle_timeout_secs: must be a number of seconds, not a string
    for example: idle_timeout_secs = 300
portcullis.toml:10:1: session.keys: is missing
    add to [session]: keys = [{ env = "PORTCULLIS_SESSION_KEY" }] # portcullis generate-key
portcullis.toml:16:10: providers.salesforce.issuer: "https://example.lightning.force.com" is Salesforce's page address, not an issuer
    write the My Domain address: "https://example.my.salesforce.com"#
            .to_owned()
            + "\""
    );
    assert_eq!(problems.len(), 6);
}

#[test]
fn a_misspelt_key_is_not_also_missing() {
    refused(
        "[server]\npublic_ulr = \"https://git.example.com\"",
        &["2:1: server.public_ulr: unknown key; did you mean \"public_url\"?"],
    );
    let text = format!(
        "[upsteam]\nurl = \"http://b\"\n[server]\npublic_url = \"https://g\"\n[session]\nkeys = [\"{KEY}\"]\n[sign_in]\nenabled = false"
    );
    let problems = parse(&text, "p.toml", Path::new("."), &|_| None).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(
        problems
            .to_string()
            .starts_with("p.toml:1:2: upsteam: unknown key; did you mean \"upstream\"?")
    );
}

#[test]
fn a_misspelt_key_does_not_hide_mistakes_in_the_right_one() {
    let text = format!(
        "[server]\npublic_url = \"https://g\"\n[upstream]\nurl = \"http://b\"\n[session]\nkeys = [\"{KEY}\"]\n\
         [[providers]]\nid = \"Sales Force\"\npreset = \"salesforc\"\n[provider.claims]\nusername = 1"
    );
    let problems = parse(&text, "p.toml", Path::new("."), &|_| None).unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["providers[0].id", "providers[0].preset", "provider"]);
}

#[test]
fn an_empty_file_is_told_what_it_needs() {
    let problems = parse("", "p.toml", Path::new("."), &|_| None).unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "server.public_url",
            "upstream.url",
            "session.keys",
            "providers"
        ]
    );
    assert!(
        problems
            .to_string()
            .contains("add to [upstream]: url = \"http://bitbucket:7990\"")
    );
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    Try::new("[upstream]\nurl = \"http://b\"\nadmin_listen = \"127.0.0.1:1\"")
        .refused_with("\"admin_listen\" is a key of [server]; move it there");
    refused("listen = \"0.0.0.0:80\"", &["1:1: listen: unknown key"]);
    refused("\"odd key\" = 1", &["1:1: \"odd key\": unknown key"]);
}

#[test]
fn a_table_of_a_behaviour_that_does_not_exist_is_unknown() {
    refused("[console]\nx = 1", &["1:2: console: unknown key"]);
}

#[test]
fn what_should_be_a_table_is_one() {
    refused("users = true", &["1:9: users: must be a table, not true"]);
    refused(
        "[[users]]\nmatch_by = \"email\"",
        &["1:1: users: must be a table, not an array"],
    );
}

#[test]
fn what_is_no_toml_is_shown_with_its_place() {
    refused(
        "[server\npublic_url = \"x\"",
        &["1:8: : not TOML: unclosed table, expected `]`"],
    );
    refused(
        "[users]\nmatch_by = email\n\n[log]\nlevel = \"info",
        &[
            "2:12: : not TOML: string values must be quoted, expected literal string",
            "5:14: : not TOML: invalid basic string, expected `\"`",
        ],
    );
    refused(
        "[log]\nlevel = \"info\"\nlevel = \"warn\"",
        &["3:1: : not TOML: duplicate key"],
    );
}

#[test]
fn a_file_is_loaded_with_its_relatives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    let text = "\u{feff}[server]\npublic_url = \"https://git.example.com\"\n[upstream]\nurl = \"http://b\"\n[session]\nkeys = [{ file = \"session.key\" }]\n[sign_in]\nenabled = false";
    std::fs::write(&path, text).unwrap();
    std::fs::write(dir.path().join("session.key"), format!("{KEY}\n")).unwrap();
    let loaded = load(&path, &|_| None).unwrap();
    assert_eq!(loaded.files, [path, dir.path().join("session.key")]);
    assert_eq!(
        loaded.config.session.store,
        super::Store::Sqlite(dir.path().join("portcullis.db"))
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = load(Path::new("/nonexistent/p.toml"), &|_| None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        problems,
        "/nonexistent/p.toml: cannot read \"/nonexistent/p.toml\": there is no such file\n    name the configuration file with --config or PORTCULLIS_CONFIG"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(
        load(&path, &|_| None)
            .unwrap_err()
            .to_string()
            .contains("it is not UTF-8 text")
    );
}

#[test]
fn no_message_and_no_dump_holds_a_secret() {
    let text = format!(
        "[session]\nkeys = [\"{KEY}\"]\n[[providers]]\nid = \"a\"\nissuer = \"https://i\"\nclient_id = \"c\"\nclient_secret = \"hunter2\""
    );
    let dump = format!("{:?}", accepted(&text));
    assert!(!dump.contains("hunter2") && !dump.contains(&KEY[..16]));
    let broken = text
        .replace(KEY, "hunter3")
        .replace("\"hunter2\"", "[\"hunter2\"]")
        + "\nprivate_key = \"hunter4\"";
    let problems = Try::new(&broken).problems();
    assert!(!problems.contains("hunter"), "{problems}");
}

/// Pieces from which a text comes out that gets further than the TOML parser.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "[server]",
        "[upstream]",
        "[session]",
        "[[providers]]",
        "[providers.claims]",
        "[[providers.tests]]",
        "[groups]",
        "[groups.map]",
        "[provisioning.bitbucket]",
        "[[access.rules]]",
        "[backdoor]",
        "[[backdoor.accounts]]",
        "public_url",
        "url",
        "keys",
        "id",
        "path",
        "store",
        "tls",
        "username",
        "groups",
        "claim",
        "jmespath",
        "steps",
        "regex",
        "table",
        "claims",
        "expect",
        "\"(\"",
        "\"trim\"",
        "password_hash",
        "totp_secret",
        "prefix",
        "extra_params",
        "trusted_proxies",
        "redirect_to",
        "level",
        " = ",
        "\n",
        "\n",
        "[",
        "]",
        "{ file = \"\" }",
        "{ env = \"A\" }",
        "{",
        "}",
        "\"",
        "\"https://[::1]:0/\"",
        "\"sqlite:\"",
        "\"\"",
        "\"$argon2id$v=19$m=1\"",
        "\"/\"",
        "1",
        "-1",
        "0x10",
        "1e9",
        "true",
        "1979-05-27",
        "é",
        "\u{202e}",
        "\0",
        ",",
    ];
    prop_oneof![
        4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_text_panics(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        if let Err(problems) = parse(&text, "p.toml", Path::new("/nonexistent"), &|_| Some("x".to_owned())) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn no_value_panics(value in any::<String>()) {
        let value = toml::Value::String(value).to_string();
        for (_, text) in super::reference::each_key(&value) {
            // Whatever it says, it comes back.
            let _ = parse(&text, "p.toml", Path::new("/nonexistent"), &|_| None);
        }
    }

    #[test]
    fn no_mapping_panics(value in any::<String>(), expression in "[a-b.|&!?*@,:`'\"(){}\\[\\]0-9$<>=-]{0,24}") {
        for value in [value, expression] {
            let value = toml::Value::String(value).to_string();
            let claims = format!(
                "username = {{ jmespath = {value} }}\nemail = {{ claim = {value} }}\nfirst_name = {{ claim = \"a\", steps = [{{ regex = {value} }}] }}\n\
                 groups = {{ claim = \"a\", steps = [{value}, {{ split = {value} }}, {{ regex = \"(a)(?<b>c)\", replace = {value} }}, {{ table = {{ a = {value} }} }}, {{ allow = [{value}] }}] }}"
            );
            let text = format!("[[providers]]\nid = \"a\"\n[providers.claims]\n{claims}");
            if let Err(problems) = parse(&text, "p.toml", Path::new("/nonexistent"), &|_| None) {
                prop_assert!(problems.iter().all(|problem| !problem.what.contains('\n')));
            }
        }
    }
}
