use crate::config::testing::{Try, accepted, refused};

#[test]
fn nothing_is_changed_by_default() {
    assert_eq!(accepted("").branding, crate::config::Branding::default());
}

#[test]
fn words_are_plain_and_short() {
    let branding = accepted(
        "[branding]\ntitle = \"Welcome\"\nbutton_text = \"With {provider}\"\nfooter = \"x\"",
    )
    .branding;
    assert_eq!(branding.title.as_deref(), Some("Welcome"));
    assert_eq!(branding.button_text.as_deref(), Some("With {provider}"));
    assert_eq!(branding.footer.as_deref(), Some("x"));
    refused(
        "[branding]\ntitle = \" \"\nfooter = \"<b>x</b>\"",
        &[
            "2:9: branding.title: \" \" is empty or longer than 200 bytes",
            "3:10: branding.footer: \"<b>x</b>\" looks like markup, which would be shown as it is",
        ],
    );
}

#[test]
fn a_logo_is_png_or_svg() {
    let logo = |content: &str| Try::new("[branding]\nlogo_file = \"logo\"").file("logo", content);
    let svg = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let found = logo(svg).accepted().branding.logo.unwrap();
    assert_eq!(
        (found.media_type, found.bytes.len()),
        ("image/svg+xml", svg.len())
    );
    for bad in [
        "<html><svg/></html>",
        "GIF89a",
        "",
        "<?xml version=\"1.0\"?><x/>",
    ] {
        assert!(
            logo(bad).problems().contains("is neither PNG nor SVG"),
            "{bad}"
        );
    }
    let large = logo(&format!("<svg>{}</svg>", " ".repeat(256 * 1024)));
    assert!(large.problems().contains("is larger than 262144 bytes"));
    let missing = Try::new("[branding]\nlogo_file = \"none.png\"");
    assert!(missing.problems().contains("there is no such file"));
}

#[test]
fn a_style_sheet_is_read_and_watched() {
    let tried = Try::new("[branding]\ncss_file = \"a.css\"").file("a.css", "h1 { color: red }");
    let loaded = tried.loaded();
    assert_eq!(
        loaded.config.branding.css.as_deref(),
        Some("h1 { color: red }")
    );
    assert!(loaded.files.contains(&tried.path("a.css")));
    let elsewhere = Try::new("[branding]\ncss_file = \"a.css\"")
        .file("a.css", "@import url(https://example.com/a.css);");
    assert!(
        elsewhere
            .loaded()
            .warnings
            .iter()
            .any(|it| it.starts_with("branding.css_file: "))
    );
}

#[test]
fn colours_that_cannot_be_read_are_refused_with_their_contrast() {
    let colors = |text: &str| format!("[branding]\ncolors = {{ {text} }}");
    let branding = accepted(&colors("action = \"#0a5d2e\", action_dark = \"#7ddba3\"")).branding;
    assert_eq!(
        branding.light.named().next().unwrap().1.to_string(),
        "#0a5d2e"
    );
    assert_eq!(branding.dark.named().count(), 2);
    let problems = Try::new(&colors("action = \"#ffcc00\"")).problems();
    assert!(
        problems.contains("in the light theme, the contrast between action (#ffcc00) and the text on it (#ffffff) is 1.51:1, and has to be 4.5:1"),
        "{problems}"
    );
    // What is dark enough for the light theme is too dark for the other.
    let problems = Try::new(&colors("action_dark = \"#0a5d2e\"")).problems();
    assert!(problems.contains("in the dark theme"), "{problems}");
    let problems = Try::new(&colors("ground = \"#555555\"")).problems();
    assert!(
        problems.contains("branding.colors.ground: in the light theme"),
        "{problems}"
    );
    let problems = Try::new(&colors("actoin = \"#0a5d2e\", text = \"blue\"")).problems();
    assert!(problems.contains("unknown colour") && problems.contains("\"blue\" is not a colour"));
}

#[test]
fn languages_have_tags_and_their_files_are_named_by_them() {
    let tried = Try::new("[branding]\nlanguages = [\"nl\", \"en\"]\nlanguages_dir = \"l\"")
        .file("l/nl.toml", "[action]")
        .file("l/README", "x");
    let loaded = tried.loaded();
    assert_eq!(loaded.config.branding.languages, ["nl", "en"]);
    assert_eq!(loaded.config.branding.translations[0].name, "nl");
    assert!(loaded.files.contains(&tried.path("l/nl.toml")));
    refused(
        "[branding]\nlanguages = [\"DE\", \"../x\"]",
        &[
            "2:14: branding.languages[0]: \"DE\" is not the tag of a language",
            "2:20: branding.languages[1]: \"../x\" is not the tag of a language",
        ],
    );
    let odd = Try::new("[branding]\nlanguages_dir = \"l\"").file("l/Dutch.toml", "");
    assert!(
        odd.problems()
            .contains("\"Dutch\" is not the tag of a language")
    );
    let empty = Try::new("[branding]\nlanguages_dir = \"l\"").file("l/x", "");
    assert!(empty.problems().contains("holds no language"));
}

#[test]
fn templates_are_read_and_a_new_one_is_noticed() {
    let tried = Try::new("[branding]\ntemplates_dir = \"t\"")
        .file("t/login.html", "x")
        .file("t/style.css", "y")
        .file("t/.login.html.swp", "z");
    let loaded = tried.loaded();
    assert_eq!(loaded.config.branding.templates.len(), 1);
    assert_eq!(loaded.config.branding.style.as_deref(), Some("y"));
    for page in ["t/error.html", "t/account.html"] {
        assert!(loaded.files.contains(&tried.path(page)), "{page}");
    }
    let missing = Try::new("[branding]\ntemplates_dir = \"t\"");
    assert!(missing.problems().contains("cannot read \"t\""));
}

#[cfg(unix)]
#[test]
fn a_pipe_among_the_templates_stops_nothing_for_ever() {
    let tried = Try::new("[branding]\ntemplates_dir = \"t\"").file("t/login.html", "x");
    let mut make = std::process::Command::new("mkfifo");
    assert!(
        make.arg(tried.path("t/_x.html"))
            .status()
            .unwrap()
            .success()
    );
    tried.refused_with("is not a regular file");
    let tried = Try::new("[branding]\nlogo_file = \"t/logo\"").file("t/x", "");
    let mut make = std::process::Command::new("mkfifo");
    assert!(make.arg(tried.path("t/logo")).status().unwrap().success());
    tried.refused_with("is not a regular file");
}

#[test]
fn a_message_is_by_code_and_perhaps_by_language() {
    let messages =
        accepted("[branding.messages]\nno_email = { title = \"A\", de = { message = \"B\" } }")
            .branding
            .messages;
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (
            messages[0].title.as_deref(),
            messages[0].language.as_deref()
        ),
        (Some("A"), None)
    );
    assert_eq!(messages[1].language.as_deref(), Some("de"));
    refused(
        "[branding.messages]\nno_email = \"x\"",
        &["2:12: branding.messages.no_email: must be a table, not a string"],
    );
    refused(
        "[branding.messages.no_email]\ntitel = \"x\"",
        &["2:9: branding.messages.no_email.titel: \"titel\" is not the tag of a language"],
    );
    refused(
        "[branding.messages.no_email]\ntitle = \"<b>\"",
        &[
            "2:9: branding.messages.no_email.title: \"<b>\" is empty, or looks like markup, which would be shown as it is",
        ],
    );
    refused(
        "[branding.messages]\nno_email = {}",
        &["2:12: branding.messages.no_email: says nothing"],
    );
}
