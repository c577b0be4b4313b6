//! The files that `[branding]` names: read when the configuration is, and watched.

use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{At, Read, Section, Spot};
use crate::config::secrets::{read_bytes, reason};
use crate::config::{Logo, Source};
use std::path::{Path, PathBuf};

/// A logo; larger ones make the sign-in page slow.
const MAX_LOGO: u64 = 256 * 1024;
/// A style sheet, a template, a language.
const MAX_TEXT: u64 = 64 * 1024;
/// Files in a directory of templates or languages.
const MAX_FILES: usize = 100;
/// What a directory of templates may hold. Named here so that a new one is noticed at once.
const TEMPLATES: [&str; 8] = [
    "layout.html",
    "login.html",
    "error.html",
    "sign-out.html",
    "signed-out.html",
    "account.html",
    "backdoor.html",
    "test.html",
];

/// `logo_file`, by what is in it: a name proves nothing.
pub(super) fn logo(section: &Section<'_>) -> Read<Option<Logo>> {
    let Some(written) = section.find::<At<'_, String>>("logo_file")? else {
        return Ok(None);
    };
    let path = written.spot.reading().file(&written.value);
    written
        .check(|_| {
            let bytes = read_bytes(&path, MAX_LOGO)?;
            let media_type = media_type(&bytes).ok_or_else(|| {
                mistake(
                    format!(
                        "{} is neither PNG nor SVG",
                        quoted(&path.display().to_string())
                    ),
                    "name an image of one of these kinds",
                )
            })?;
            Ok(Logo { media_type, bytes })
        })
        .map(Some)
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // An HTML page may hold `<svg` too.
    let begins = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"];
    let is_svg = begins.iter().any(|begin| text.starts_with(begin)) && text.contains("<svg");
    is_svg.then_some("image/svg+xml")
}

/// `css_file`
pub(super) fn css(section: &Section<'_>) -> Read<Option<String>> {
    let Some(written) = section.find::<At<'_, String>>("css_file")? else {
        return Ok(None);
    };
    let path = written.spot.reading().file(&written.value);
    let text = written.check(|_| text(&path))?;
    if text.contains("@import") || text.contains("//") {
        written.spot.warn(
            "speaks of another address: pages load nothing from elsewhere, so it has no effect",
        );
    }
    Ok(Some(text))
}

/// `templates_dir`: its pages, and a style sheet that replaces the built-in one.
pub(super) fn templates(section: &Section<'_>) -> Read<(Vec<Source>, Option<String>)> {
    let (mut pages, mut style) = (Vec::new(), None);
    let Some(written) = section.find::<At<'_, String>>("templates_dir")? else {
        return Ok((pages, style));
    };
    let directory = written.spot.reading().path(&written.value);
    for name in TEMPLATES.iter().chain(&["style.css"]) {
        watch(&written.spot, &directory.join(name));
    }
    for (name, path) in files(&written, &directory)? {
        watch(&written.spot, &path);
        if name == "style.css" {
            style = Some(written.check(|_| text(&path))?);
        } else if name.ends_with(".html") {
            let text = written.check(|_| text(&path))?;
            pages.push(Source { name, path, text });
        }
    }
    if pages.is_empty() && style.is_none() {
        return Err(written.spot.problem(mistake(
            format!("{} holds no template", quoted(&written.value)),
            "portcullis templates export writes the built-in ones there",
        )));
    }
    Ok((pages, style))
}

/// `languages_dir`: a file for each language.
pub(super) fn languages(section: &Section<'_>) -> Read<Vec<Source>> {
    let Some(written) = section.find::<At<'_, String>>("languages_dir")? else {
        return Ok(Vec::new());
    };
    let directory = written.spot.reading().path(&written.value);
    let mut languages = Vec::new();
    for (name, path) in files(&written, &directory)? {
        let Some(stem) = name.strip_suffix(".toml") else {
            continue;
        };
        watch(&written.spot, &path);
        let (name, text) = written.check(|_| Ok((tag(stem)?, text(&path)?)))?;
        languages.push(Source { name, path, text });
    }
    if languages.is_empty() {
        return Err(written.spot.problem(mistake(
            format!("{} holds no language", quoted(&written.value)),
            "a language's file is named like nl.toml",
        )));
    }
    Ok(languages)
}

/// A language's tag: letters, and further parts after hyphens (RFC 5646 in short).
pub(super) fn tag(text: &str) -> Result<String, Mistake> {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let fits = (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && text.len() <= 35
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if fits {
        return Ok(text.to_owned());
    }
    Err(mistake(
        format!("{} is not the tag of a language", quoted(text)),
        "write it like \"de\" or \"pt-BR\"",
    ))
}

/// The files of a directory by name, in order.
fn files(written: &At<'_, String>, directory: &Path) -> Read<Vec<(String, PathBuf)>> {
    written.check(|shown| {
        let failed = |error: std::io::Error| {
            mistake(
                format!("cannot read {}: {}", quoted(shown), reason(&error)),
                "name a directory; it is relative to the configuration file",
            )
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // What editors and mounted secrets leave there.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            files.push((name, entry.path()));
            if files.len() > MAX_FILES {
                return Err(mistake(
                    format!("{} holds more than {MAX_FILES} files", quoted(shown)),
                    "name the right directory",
                ));
            }
        }
        files.sort();
        Ok(files)
    })
}

fn text(path: &Path) -> Result<String, Mistake> {
    String::from_utf8(read_bytes(path, MAX_TEXT)?).map_err(|_| {
        mistake(
            format!("{} is not UTF-8 text", quoted(&path.display().to_string())),
            "save it as UTF-8",
        )
    })
}

fn watch(spot: &Spot<'_>, path: &Path) {
    spot.reading().file(&path.display().to_string());
}
