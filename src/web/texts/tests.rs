use super::*;
use http::StatusCode;
use regex::Regex;
use std::path::Path;

fn texts() -> Texts {
    Texts::built_in().unwrap()
}

fn sources(directory: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, ending, found);
        } else if path.extension().is_some_and(|it| it == ending) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

/// Every file of the crate with this ending, except for the demo, which speaks to developers.
fn all(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&source, ending, &mut found);
    found.retain(|(path, _)| !path.contains("/demo/"));
    found
}

#[track_caller]
fn none(missing: &BTreeSet<String>, what: &str) {
    let list = missing
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(missing.is_empty(), "{what}:\n{list}");
}

#[test]
fn every_code_and_key_that_code_uses_has_words() {
    let english = texts().english;
    let told = Regex::new(r#"told\(\s*[^"()]*(?:\([^()]*\))?[^"()]*"([a-z0-9_]+)""#).unwrap();
    let key =
        Regex::new(r#""((?:action|cause|finding|page)\.[a-z0-9_]+(?:\.[a-z0-9_]+)*)""#).unwrap();
    let mut missing = BTreeSet::new();
    for (path, text) in all("rs") {
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        if path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/config/") {
            continue;
        }
        let codes = told.captures_iter(text).map(|found| found[1].to_owned());
        let titles = codes
            .flat_map(|code| ["title", "message"].map(|what| format!("problem.{code}.{what}")));
        let keys = key.captures_iter(text).map(|found| found[1].to_owned());
        for key in titles.chain(keys) {
            if !english.contains_key(&key) {
                missing.insert(format!("{key} ({path})"));
            }
        }
    }
    none(&missing, "en.toml lacks");
}

#[test]
fn every_key_that_templates_use_has_words() {
    let english = texts().english;
    let key = Regex::new(r#"\bt\(\s*["']([a-z0-9_.]+)["']"#).unwrap();
    let mut missing = BTreeSet::new();
    for (path, text) in all("html") {
        for found in key.captures_iter(&text) {
            if !english.contains_key(&found[1]) {
                missing.insert(format!("{} ({path})", &found[1]));
            }
        }
    }
    none(&missing, "en.toml lacks");
}

#[test]
fn every_built_in_language_says_everything() {
    let texts = texts();
    let mut missing = BTreeSet::new();
    for language in &texts.offered {
        for key in texts.english.keys() {
            if !language.texts.contains_key(key) {
                missing.insert(format!("{}.toml: {key}", language.tag));
            }
        }
    }
    none(&missing, "missing translations");
}

#[test]
fn the_codes_that_differ_in_nothing_but_the_code_are_not_shown_as_words() {
    let texts = texts();
    for code in texts.codes() {
        let problem = Problem {
            code: "x",
            words: Box::leak(code.to_owned().into_boxed_str()),
            ..Problem::told(StatusCode::OK, "x")
        };
        for tag in texts.tags() {
            let told = texts.tell(tag, &problem);
            assert!(told.title != "x" && told.message != "x", "{code}");
            assert!(
                told.message.ends_with(['.', '。']),
                "{tag}: {}",
                told.message
            );
        }
    }
}

#[test]
fn values_stand_where_their_names_do_and_are_not_read_again() {
    let texts = texts();
    let problem = Problem::told(StatusCode::OK, "username_changed")
        .with("username", "{pinned}")
        .with("pinned", "{username} {");
    let told = texts.tell("en", &problem);
    assert!(
        told.message.contains("as \"{pinned}\", but"),
        "{}",
        told.message
    );
    assert!(
        told.message.contains("as \"{username} {\"."),
        "{}",
        told.message
    );
}

#[test]
fn every_language_has_its_own_word_for_the_product() {
    let problem =
        Problem::told(StatusCode::OK, "upstream_closed").with("product", "the application");
    let title = |tag: &str| texts().tell(tag, &problem).title;
    assert_eq!(title("en"), "The application broke off");
    assert_eq!(title("de"), "Die Anwendung hat abgebrochen");
    let plain = Problem::told(StatusCode::OK, "upstream_closed");
    assert_eq!(
        texts().tell("de", &plain).title,
        "Bitbucket hat abgebrochen"
    );
    let generic = texts().for_product("the application");
    assert_eq!(
        generic.tell("de", &plain).title,
        "Die Anwendung hat abgebrochen"
    );
}

#[test]
fn a_suspect_follows_the_words_and_a_way_forward_may_have_its_own_value() {
    let problem = Problem::told(StatusCode::OK, "sign_in_loop")
        .with("provider", "P")
        .cause("cause.clock")
        .action_with("action.sign_in_with", "provider", "Q", "/q")
        .action("action.sign_in_with", "/p");
    let told = texts().tell("en", &problem);
    assert_eq!(told.causes.len(), 4);
    assert_eq!(
        told.actions,
        [
            ("Sign in with Q".to_owned(), "/q".to_owned()),
            ("Sign in with P".to_owned(), "/p".to_owned())
        ]
    );
}

#[track_caller]
fn refused(text: &str, want: &str) {
    let more = [("nl", "nl.toml".to_owned(), text)];
    let error = Texts::new(&more, &[], &mut Vec::new()).unwrap_err();
    assert!(error[0].to_string().contains(want), "{error:?}");
}

#[test]
fn a_language_of_a_file_is_checked_like_a_built_in_one() {
    refused(
        "[action]\nsing_out = \"x\"",
        "\"action.sing_out\" is no text",
    );
    refused("[action]\nsign_out = \"<b>x</b>\"", "without < and >");
    refused("[action]\nsign_out = \"\"", "must be a text");
    refused("[action]\nsign_out = 7", "must be a text");
    refused("[action]\nsign_out = \"{name}\"", "has no value {name}");
    refused("[action\n", "nl.toml: TOML parse error at line 1");
}

#[test]
fn every_mistake_of_the_texts_is_told_at_once() {
    let more = [
        ("nl", "nl.toml".to_owned(), "[action]\nx = \"x\"\ny = \"y\""),
        ("da", "da.toml".to_owned(), "action"),
    ];
    let offered = ["nl", "da", "xx", "yy"].map(str::to_owned);
    let errors = Texts::new(&more, &offered, &mut Vec::new()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(TextError::to_string).collect();
    let wanted = ["action.x", "action.y", "da.toml", "\"xx\"", "\"yy\""];
    assert_eq!(errors.len(), wanted.len(), "{errors:?}");
    for (error, wanted) in errors.iter().zip(wanted) {
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn what_a_language_lacks_is_english_with_a_warning() {
    let more = [(
        "nl",
        "nl.toml".to_owned(),
        "[action]\nsign_out = \"Afmelden\"",
    )];
    let mut warnings = Vec::new();
    let offered = ["nl".to_owned(), "en".to_owned()];
    let texts = Texts::new(&more, &offered, &mut warnings).unwrap();
    assert_eq!(texts.tags(), ["nl", "en"]);
    assert_eq!(
        texts.say("nl", "action.sign_out", &|_| None).unwrap(),
        "Afmelden"
    );
    assert_eq!(texts.say("nl", "action.stay", &|_| None).unwrap(), "Stay");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("action.stay"), "{warnings:?}");
}

#[test]
fn a_built_in_language_can_be_amended_and_an_unknown_one_not_offered() {
    let more = [(
        "de",
        "de.toml".to_owned(),
        "[action]\nsign_out = \"Tschüss\"",
    )];
    let texts = Texts::new(&more, &[], &mut Vec::new()).unwrap();
    assert_eq!(
        texts.say("de", "action.sign_out", &|_| None).unwrap(),
        "Tschüss"
    );
    let error = Texts::new(&[], &["xx".to_owned()], &mut Vec::new()).unwrap_err();
    assert!(error[0].to_string().contains("there is no \"xx\""));
}

#[test]
fn braces_that_name_nothing_are_braces() {
    for text in ["{", "}", "{}", "{A}", "a {b c} d", "{{", "{ü}"] {
        assert_eq!(names(text).count(), 0, "{text}");
        let back: String = pieces(text)
            .map(|piece| match piece {
                Piece::Plain(text) | Piece::Value(text) => text,
            })
            .collect();
        assert_eq!(back, text);
    }
    assert_eq!(names("{{a}{b_c}}").collect::<Vec<_>>(), ["a", "b_c"]);
}

/// The English sentences of code that pages say too: as code has them, and as `en.toml` does.
#[test]
fn what_terminals_and_pages_say_is_the_same_in_english() {
    let english = texts().english;
    let said = Regex::new(r#"Sentence::new\(\s*"(finding\.[a-z_.]+)",\s*"((?:[^"\\]|\\.)*)""#);
    let said = said.unwrap();
    let mut different = BTreeSet::new();
    let mut count = 0;
    for (path, text) in all("rs") {
        for found in said.captures_iter(&text) {
            count += 1;
            let words = found[2].replace("\\\"", "\"");
            if english.get(&found[1]) != Some(&words) {
                different.insert(format!("{}: {words} ({path})", &found[1]));
            }
        }
    }
    assert!(count > 20, "{count}");
    none(&different, "en.toml says it another way");
}

/// Every call of `t` with a key of its own in a template: the key, and what follows it.
fn calls(template: &str) -> Vec<(String, String)> {
    let call = Regex::new(r#"\bt\(\s*["']([a-z0-9_.]+)["']((?:[^()]|\([^()]*\))*)\)"#).unwrap();
    call.captures_iter(template)
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect()
}

#[test]
fn templates_give_a_text_every_value_that_it_names() {
    let english = texts().english;
    let product = product_values();
    let mut missing = BTreeSet::new();
    for (path, text) in all("html") {
        for (key, given) in calls(&text) {
            let text = english.get(&key).map_or("", String::as_str);
            for name in names(text).filter(|name| !product.contains(*name)) {
                if !given.contains(&format!("{name}=")) {
                    missing.insert(format!("{key}: {name} ({path})"));
                }
            }
        }
    }
    none(&missing, "values that a template does not give");
}

#[test]
fn every_text_of_a_page_is_said_somewhere() {
    let mut said: String = all("html").into_iter().map(|(_, text)| text).collect();
    said.extend(all("rs").into_iter().map(|(_, text)| text));
    let english = texts().english;
    let own = ["page.", "action.", "cause.", "finding."];
    let unused = english.keys().filter(|key| {
        own.iter().any(|prefix| key.starts_with(prefix)) && !said.contains(&format!("\"{key}\""))
    });
    none(&unused.cloned().collect(), "texts that nothing says");
}

/// What a template says by itself: text between tags, words in attributes that are read to people,
/// and words that an expression chooses. What stands in `code` is no word but a name or a command.
fn own_words(template: &str) -> BTreeSet<String> {
    let is_word = |text: &str| text.chars().any(char::is_alphabetic);
    // Attributes for a tag of `layout.html`.
    let shape = Regex::new(r"(?s)\{% block shape %\}.*?\{% endblock %\}").unwrap();
    let template = &shape.replace_all(template, "");
    let mut found = BTreeSet::new();
    let literal = Regex::new(r#""[^"]*"|'[^']*'"#).unwrap();
    let key = Regex::new(r#"\bt\(\s*(?:"[^"]*"|'[^']*')"#).unwrap();
    let expression = Regex::new(r"(?s)\{\{(.*?)\}\}").unwrap();
    // A key of the configuration, as a text's value.
    let setting = Regex::new(r#"^["'][a-z0-9]+(?:_[a-z0-9]+)+["']$"#).unwrap();
    for spoken in expression.captures_iter(template) {
        let without_keys = key.replace_all(&spoken[1], "t(");
        let literals = literal.find_iter(&without_keys);
        found.extend(
            literals
                .map(|it| it.as_str().to_owned())
                .filter(|it| is_word(it) && !setting.is_match(it)),
        );
    }
    let statement = Regex::new(r"(?s)\{%(.*?)%\}").unwrap();
    let a_code = Regex::new(r#"^["'][a-z0-9_./-]*["']$"#).unwrap();
    for done in statement.captures_iter(template) {
        let literals = literal.find_iter(&done[1]);
        found.extend(
            literals
                .map(|it| it.as_str().to_owned())
                .filter(|it| !a_code.is_match(it)),
        );
    }
    let markup = Regex::new(r"(?s)\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}").unwrap();
    let plain = markup.replace_all(template, "");
    let tag = Regex::new(r#"(?s)<!?/?[a-zA-Z](?:[^<>"]|"[^"]*")*>"#).unwrap();
    let read = r#"(?s)\s(?:alt|title|placeholder|label|aria-label|aria-description|aria-roledescription|aria-valuetext)="([^"]*)""#;
    let read = Regex::new(read).unwrap();
    let button =
        Regex::new(r#"(?s)<input[^>]*type="(?:submit|button|reset)"[^>]*value="[^"]+"#).unwrap();
    for tag in tag.find_iter(&plain) {
        let values = read.captures_iter(tag.as_str()).map(|it| it[1].to_owned());
        found.extend(values.filter(|it| is_word(it)));
        if button.is_match(tag.as_str()) {
            found.insert(tag.as_str().to_owned());
        }
    }
    let code = Regex::new(r"(?s)<code>.*?</code>").unwrap();
    let plain = code.replace_all(&plain, "");
    let text = tag.replace_all(&plain, "\n");
    found.extend(
        text.lines()
            .map(|it| it.trim().to_owned())
            .filter(|it| is_word(it)),
    );
    found
}

#[test]
fn no_template_holds_words_of_its_own() {
    let mut found = BTreeSet::new();
    let templates = all("html");
    assert!(templates.len() >= 20, "{}", templates.len());
    for (path, text) in templates {
        let words = own_words(&text).into_iter();
        found.extend(words.map(|words| format!("{words} ({path})")));
    }
    none(&found, "words outside of t(...)");
}

#[test]
fn words_are_found_wherever_a_template_may_hold_them() {
    #[track_caller]
    fn check(template: &str, words: &[&str]) {
        let found = own_words(template);
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), words);
    }
    check("<p>Hello</p>", &["Hello"]);
    check("<p>{{ name }}, こんにちは</p>", &[", こんにちは"]);
    check("{% if a == \"one\" %}yes{% endif %}", &["yes"]);
    check("<a aria-label=\"Next {{ n }}\">{{ n }}</a>", &["Next "]);
    check("<img src=\"logo\" alt=\"Logo\">", &["Logo"]);
    check("{{ client or \"not known\" }}", &["\"not known\""]);
    check("{{ t(\"a.b\", c=d or 'Nobody') }}", &["'Nobody'"]);
    check("{% set word = \"Not known\" %}", &["\"Not known\""]);
    check(
        "<input type=\"submit\" value=\"Go\">",
        &["<input type=\"submit\" value=\"Go\">"],
    );
    check(
        "{# a remark #}<b>{{ t(\"a.b\") }}</b>: 1, <code>ls -l</code>",
        &[],
    );
    check("{{ t(\"a.b\", key=\"a_setting\") }}", &[]);
    check(
        "<input type=\"hidden\" value=\"all\">{{ xs|join(\", \") }}",
        &[],
    );
}
