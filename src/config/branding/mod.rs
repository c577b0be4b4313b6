//! `[branding]`

mod colors;
mod files;
mod messages;

pub use colors::{Color, Palette};

use super::Branding;
use super::problems::{mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::{Unset, Value};
use super::spec::Shape::{Map, Object, Text, Texts};
use super::spec::{Table, key};
use super::values::Map as Strings;

/// Longer titles break the page on a phone.
const MAX_LINE: usize = 200;
/// A footer may be a few sentences.
const MAX_FOOTER: usize = 1000;

pub(super) static TABLE: Table = Table {
    doc: "How the gateway's own pages look and what they say. docs/branding.md shows it all.",
    keys: &[
        key(
            "title",
            Text,
            Unset("each language's own words", r#""Sign in to Bitbucket""#),
            "The heading of the sign-in page.",
        ),
        key(
            "button_text",
            Text,
            Unset("each language's own words", r#""Sign in with {provider}""#),
            "What stands on the button of a provider; {provider} is its name.",
        ),
        key(
            "footer",
            Text,
            Unset("none", r#""Example Ltd. Questions: it@example.com""#),
            "A line below every page.",
        ),
        key(
            "logo_file",
            Text,
            Unset("none", r#""logo.svg""#),
            "An SVG or PNG image of at most 256 kB, shown above every page.",
        ),
        key(
            "css_file",
            Text,
            Unset("none", r#""custom.css""#),
            "A style sheet of at most 64 kB that comes after the gateway's own and wins.",
        ),
        key(
            "colors",
            Map,
            Unset(
                "the gateway's own",
                r##"{ action = "#0052cc", action_dark = "#579dff" }"##,
            ),
            "Colours as #rrggbb: action (buttons and links), text, ground, and each with _dark for the dark theme. Text keeps a contrast of at least 4.5:1.",
        ),
        key(
            "languages",
            Texts,
            Value("[]"),
            "The languages of the pages, the one for everybody else first. Empty: every one that there is, and English first.",
        ),
        key(
            "languages_dir",
            Text,
            Unset("none", r#""languages""#),
            "A directory of further languages, such as nl.toml, or of other texts for a built-in one. What a file lacks is said in English.",
        ),
        key(
            "messages",
            Object,
            Unset(
                "each language's own words",
                r#"{ unverified_email = { title = "Verify your address", message = "…" } }"#,
            ),
            "Other words for an error, by its code: title, message, or both, and tables named like a language for that language alone.",
        ),
        key(
            "templates_dir",
            Text,
            Unset("none", r#""templates""#),
            "A directory of whole pages that replace the built-in ones of the same name. portcullis templates export writes those.",
        ),
    ],
};

pub(super) fn read(section: &Section<'_>) -> Read<Branding> {
    let line = |text: &str, most: usize| {
        if text.trim().is_empty() || text.len() > most {
            return Err(mistake(
                format!("{} is empty or longer than {most} bytes", quoted(text)),
                "write a short text, or remove this line",
            ));
        }
        if text.contains(['<', '>']) {
            return Err(mistake(
                format!(
                    "{} looks like markup, which would be shown as it is",
                    quoted(text)
                ),
                "write plain text; templates_dir takes whole pages",
            ));
        }
        Ok(text.to_owned())
    };
    let title = section.parse_if("title", |text| line(text, MAX_LINE));
    let button_text = section.parse_if("button_text", |text| line(text, MAX_LINE));
    let footer = section.parse_if("footer", |text| line(text, MAX_FOOTER));
    let logo = files::logo(section);
    let css = files::css(section);
    let palettes = colors::read(section.find::<Strings<'_>>("colors"));
    let languages = section.parse_each("languages", files::tag);
    let translations = files::languages(section);
    let messages = messages::read(section);
    let templates = files::templates(section);
    let (light, dark) = palettes?;
    let (templates, style) = templates?;
    Ok(Branding {
        title: title?,
        button_text: button_text?,
        footer: footer?,
        logo: logo?,
        css: css?,
        light,
        dark,
        languages: languages?,
        translations: translations?,
        messages: messages?,
        templates,
        style,
    })
}

#[cfg(test)]
mod tests;
