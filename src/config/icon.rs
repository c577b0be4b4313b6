//! The picture on a provider's button: one of ours by name, or a file of the administrator's.

use super::problems::{Mistake, meant, mistake, quoted};
use super::reader::{At, Read, Section};
use super::secrets::reason;
use super::{Icon, Picture};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

/// Larger than any picture of a button has to be.
const MAX_BYTES: u64 = 64 * 1024;
/// The PNG signature (PNG Specification §5.2).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What is built in. The marks of products are those of Simple Icons (CC0 1.0), whose owners have
/// not asked to leave them out; `building`, `cloud`, `grid` and `key` are plain pictures of our own.
const BUILT_IN: [(&str, &str); 17] = [
    ("apple", include_str!("icons/apple.svg")),
    ("auth0", include_str!("icons/auth0.svg")),
    ("authelia", include_str!("icons/authelia.svg")),
    ("authentik", include_str!("icons/authentik.svg")),
    ("bitbucket", include_str!("icons/bitbucket.svg")),
    ("building", include_str!("icons/building.svg")),
    ("cloud", include_str!("icons/cloud.svg")),
    ("discord", include_str!("icons/discord.svg")),
    ("fusionauth", include_str!("icons/fusionauth.svg")),
    ("github", include_str!("icons/github.svg")),
    ("gitlab", include_str!("icons/gitlab.svg")),
    ("google", include_str!("icons/google.svg")),
    ("grid", include_str!("icons/grid.svg")),
    ("key", include_str!("icons/key.svg")),
    ("keycloak", include_str!("icons/keycloak.svg")),
    ("okta", include_str!("icons/okta.svg")),
    ("openid", include_str!("icons/openid.svg")),
];

/// A picture that is built in.
pub(super) fn built_in(name: &str) -> Option<Icon> {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Some(Icon {
        picture: Picture::Svg,
        bytes: Arc::from(text.as_bytes()),
    })
}

/// The key `name` of a provider; without it, the preset's picture.
pub(super) fn read(
    section: &Section<'_>,
    name: &'static str,
    preset: Option<&'static str>,
) -> Read<Option<Icon>> {
    let Some(written) = section.find::<At<'_, String>>(name)? else {
        return Ok(preset.and_then(built_in));
    };
    match written.value.as_str() {
        // Off, where the preset has one.
        "" => Ok(None),
        text if text.contains(['.', '/', '\\']) => {
            let path = written.spot.reading().file(text);
            written.check(|_| from_file(&path)).map(Some)
        }
        text => built_in(text)
            .ok_or_else(|| written.spot.problem(unknown(text)))
            .map(Some),
    }
}

fn unknown(text: &str) -> Mistake {
    let names = BUILT_IN.map(|(name, _)| name);
    let guess = meant(text, names).map(|name| format!("; did you mean \"{name}\"?"));
    mistake(
        format!(
            "{} is no built-in icon{}",
            quoted(text),
            guess.unwrap_or_default()
        ),
        format!(
            "one of {}, or the path of a file that ends in .svg or .png",
            names.join(", ")
        ),
    )
}

/// What it is goes by its content: a browser is told so, and must not guess (`nosniff`).
fn from_file(path: &Path) -> Result<Icon, Mistake> {
    let shown = quoted(&path.display().to_string());
    let failed = |error: io::Error| {
        mistake(
            format!("cannot read {shown}: {}", reason(&error)),
            "correct the path; it is relative to the configuration file",
        )
    };
    // Before it is opened: with a pipe, that would block the start for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(mistake(
            format!("{shown} is not a regular file"),
            "name an SVG or PNG file",
        ));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(mistake(
            format!("{shown} is larger than {MAX_BYTES} bytes"),
            "a button needs a picture of about 48 by 48 pixels",
        ));
    }
    let picture = match bytes.as_slice() {
        bytes if bytes.starts_with(PNG) => Picture::Png,
        bytes if std::str::from_utf8(bytes).is_ok_and(is_svg) => Picture::Svg,
        _ => {
            return Err(mistake(
                format!("{shown} is neither SVG nor PNG"),
                "convert the picture to one of the two",
            ));
        }
    };
    Ok(Icon {
        picture,
        bytes: Arc::from(bytes),
    })
}

/// Whether the first element is `svg`: behind a mark, a declaration, comments and a document type.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!") => ">",
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else {
            return false;
        };
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '>'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Try;

    const PROVIDER: &str = "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";

    fn with(line: &str) -> Try {
        Try::new(&format!("{PROVIDER}{line}"))
    }

    #[track_caller]
    fn check(line: &str, picture: Option<Picture>) {
        let config = with(line)
            .file(
                "a.svg",
                "<?xml version=\"1.0\"?>\n<!-- x -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            )
            .file("a.png", "")
            .accepted();
        let icon = config.providers[0].icon.as_ref();
        assert_eq!(icon.map(|icon| icon.picture), picture, "{line}");
    }

    #[test]
    fn an_icon_is_a_name_or_a_file_or_nothing() {
        check("", None);
        check("icon = \"\"", None);
        check("icon = \"github\"", Some(Picture::Svg));
        check("icon = \"a.svg\"", Some(Picture::Svg));
        let png = with("icon = \"b.png\"");
        std::fs::write(png.path("b.png"), PNG).unwrap();
        let loaded = png.loaded();
        let icon = loaded.config.providers[0].icon.clone().unwrap();
        assert_eq!((icon.picture, &*icon.bytes), (Picture::Png, PNG));
        assert!(loaded.files.contains(&png.path("b.png")), "not watched");
    }

    #[test]
    fn a_preset_has_its_icon_and_an_empty_line_takes_it_away() {
        let salesforce = PROVIDER.replace("issuer", "preset = \"salesforce\"\nissuer");
        let icon = |line: &str| {
            let config = Try::new(&format!("{salesforce}{line}")).accepted();
            config.providers[0].icon.clone()
        };
        assert_eq!(icon(""), built_in("cloud"));
        assert_eq!(icon("icon = \"\""), None);
    }

    #[test]
    fn an_icon_is_nothing_else() {
        with("icon = \"gitbub\"").refused(&[
            "6:8: providers.a.icon: \"gitbub\" is no built-in icon; did you mean \"github\"?",
        ]);
        with("icon = \"no.svg\"").refused_with("there is no such file");
        with("icon = \"./\"").refused_with("is not a regular file");
        for content in [
            "<html><svg></svg></html>",
            "<svgx/>",
            "GIF89a",
            "",
            "<!-- <svg>",
        ] {
            with("icon = \"a.svg\"")
                .file("a.svg", content)
                .refused_with("is neither SVG nor PNG");
        }
        with("icon = \"a.svg\"")
            .file("a.svg", &format!("<svg>{}</svg>", "x".repeat(64 * 1024)))
            .refused_with("is larger than 65536 bytes");
    }

    #[test]
    fn every_built_in_icon_is_one_that_draws_and_does_nothing_else() {
        for (name, text) in BUILT_IN {
            assert!(is_svg(text), "{name}");
            for bad in ["script", "href", "style", "on", "url("] {
                assert!(!text.contains(bad), "{bad} in {name}");
            }
        }
    }
}
