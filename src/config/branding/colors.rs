//! Colours that can be read: WCAG 2.2, success criteria 1.4.3 and 1.4.11.

use crate::config::problems::{mistake, one_of, quoted};
use crate::config::reader::{At, Read};
use crate::config::values::Map;
use std::fmt;

/// Text on its ground.
const TEXT: f64 = 4.5;
/// Edges of fields on their ground.
const EDGE: f64 = 3.0;

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(u8, u8, u8);

impl Color {
    /// Reads `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        // `from_str_radix` takes a sign.
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(r, g, b))
    }

    /// The contrast of two colours, 1 to 21, as WCAG 2.2 defines it.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// A sixth of the way to another colour.
    fn towards(self, other: Self) -> Self {
        let part = |from: u8, to: u8| {
            let mixed = (u16::from(from) * 5 + u16::from(to)) / 6;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self(
            part(self.0, other.0),
            part(self.1, other.1),
            part(self.2, other.2),
        )
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// What the configuration changes of a theme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette {
    action: Option<Color>,
    action_hover: Option<Color>,
    text: Option<Color>,
    ground: Option<Color>,
}

impl Palette {
    /// The names of the style sheet's variables, and their colours.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Color)> {
        [
            ("action", self.action),
            ("action-hover", self.action_hover),
            ("text", self.text),
            ("ground", self.ground),
        ]
        .into_iter()
        .filter_map(|(name, color)| Some((name, color?)))
    }
}

/// A theme as the style sheet has it, for what the configuration leaves alone.
#[derive(Debug)]
struct Theme {
    name: &'static str,
    ground: Color,
    sheet: Color,
    text: Color,
    quiet: Color,
    line: Color,
    action: Color,
    on_action: Color,
    alert: Color,
    /// Where a button goes while the pointer is over it, so that its text stays readable.
    strong: Color,
}

const LIGHT: Theme = Theme {
    name: "light",
    ground: Color(0xf4, 0xf5, 0xf7),
    sheet: Color(0xff, 0xff, 0xff),
    text: Color(0x17, 0x2b, 0x4d),
    quiet: Color(0x50, 0x5f, 0x79),
    line: Color(0x7a, 0x86, 0x9a),
    action: Color(0x00, 0x52, 0xcc),
    on_action: Color(0xff, 0xff, 0xff),
    alert: Color(0xae, 0x2a, 0x19),
    strong: Color(0, 0, 0),
};

const DARK: Theme = Theme {
    name: "dark",
    ground: Color(0x16, 0x1a, 0x1d),
    sheet: Color(0x22, 0x27, 0x2b),
    text: Color(0xde, 0xe4, 0xea),
    quiet: Color(0x9f, 0xad, 0xbc),
    line: Color(0x86, 0x96, 0xa7),
    action: Color(0x57, 0x9d, 0xff),
    on_action: Color(0x16, 0x1a, 0x1d),
    alert: Color(0xfd, 0x98, 0x91),
    strong: Color(0xff, 0xff, 0xff),
};

const NAMES: [&str; 6] = [
    "action",
    "action_dark",
    "text",
    "text_dark",
    "ground",
    "ground_dark",
];

/// The two palettes, light and dark.
pub(super) fn read(written: Read<Option<Map<'_>>>) -> Read<(Palette, Palette)> {
    let Some(Map(entries)) = written? else {
        return Ok(Default::default());
    };
    let (mut light, mut dark) = (Palette::default(), Palette::default());
    let mut failed = None;
    for (name, value) in &entries {
        let Some(color) = Color::parse(&value.value) else {
            failed = Some(value.spot.problem(mistake(
                format!("{} is not a colour", quoted(&value.value)),
                "write it as #rrggbb, such as #0052cc",
            )));
            continue;
        };
        let (palette, bare) = match name.strip_suffix("_dark") {
            Some(bare) => (&mut dark, bare),
            None => (&mut light, name.as_str()),
        };
        match bare {
            "action" => palette.action = Some(color),
            "text" => palette.text = Some(color),
            "ground" => palette.ground = Some(color),
            _ => {
                failed = Some(value.spot.problem(mistake(
                    "unknown colour",
                    format!("it can be {}", one_of(&NAMES)),
                )));
            }
        }
    }
    if let Some(reported) = failed {
        return Err(reported);
    }
    light.action_hover = light.action.map(|it| it.towards(LIGHT.strong));
    dark.action_hover = dark.action.map(|it| it.towards(DARK.strong));
    readable(&LIGHT, &light, &entries)?;
    readable(&DARK, &dark, &entries)?;
    Ok((light, dark))
}

/// Whether everything on a page can be read in these colours.
fn readable(theme: &Theme, own: &Palette, entries: &[(String, At<'_, String>)]) -> Read<()> {
    let ground = own.ground.unwrap_or(theme.ground);
    let text = own.text.unwrap_or(theme.text);
    let action = own.action.unwrap_or(theme.action);
    let sheet = theme.sheet;
    // Which key to blame, what is on what, and how much it takes.
    let pairs = [
        (
            "action",
            "action",
            action,
            "the text on it",
            theme.on_action,
            TEXT,
        ),
        ("action", "action", action, "the page", sheet, TEXT),
        ("text", "text", text, "the page", sheet, TEXT),
        ("text", "text", text, "ground", ground, TEXT),
        (
            "ground",
            "the quiet text",
            theme.quiet,
            "ground",
            ground,
            TEXT,
        ),
        ("ground", "an error", theme.alert, "ground", ground, TEXT),
        (
            "ground",
            "the edge of a field",
            theme.line,
            "ground",
            ground,
            EDGE,
        ),
    ];
    let mut failed = None;
    for (key, what, front, on, back, least) in pairs {
        let ratio = front.contrast(back);
        if ratio >= least {
            continue;
        }
        let suffix = if theme.name == "dark" { "_dark" } else { "" };
        let named = |key: &str| {
            let name = format!("{key}{suffix}");
            entries.iter().find(|(known, _)| *known == name)
        };
        // The text may be what does not fit a ground of the configuration.
        let Some((_, value)) = named(key).or_else(|| named("ground")) else {
            continue;
        };
        failed = Some(value.spot.problem(mistake(
            format!(
                "in the {} theme, the contrast between {what} ({front}) and {on} ({back}) is {:.2}:1, and has to be {least}:1",
                theme.name,
                // Never rounded up to what it has to be.
                (ratio * 100.0).floor() / 100.0,
            ),
            "choose a colour that differs more in lightness",
        )));
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_what_wcag_says() {
        let (black, white) = (Color(0, 0, 0), Color(255, 255, 255));
        assert!((black.contrast(white) - 21.0).abs() < 1e-9);
        assert!((white.contrast(white) - 1.0).abs() < 1e-9);
        // The grey that just suffices on white.
        let grey = Color::parse("#767676").unwrap();
        assert!((4.5..4.6).contains(&grey.contrast(white)));
    }

    #[test]
    fn a_colour_is_six_digits() {
        assert_eq!(Color::parse("#0052cC"), Some(Color(0, 0x52, 0xcc)));
        for bad in [
            "",
            "#",
            "0052cc",
            "#05c",
            "#0052ccff",
            "#+052cc",
            "#0052cg",
            "#äää",
            "red",
        ] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_style_sheet_has_these_themes_and_they_can_be_read() {
        let css = include_str!("../../web/templates/style.css");
        let (light, dark) = css
            .split_once("@media (prefers-color-scheme: dark)")
            .unwrap();
        for (theme, css) in [(&LIGHT, light), (&DARK, dark)] {
            for (name, color) in [
                ("ground", theme.ground),
                ("sheet", theme.sheet),
                ("text", theme.text),
                ("quiet", theme.quiet),
                ("line", theme.line),
                ("action", theme.action),
                ("on-action", theme.on_action),
                ("alert", theme.alert),
            ] {
                let rule = format!("--{name}: {color};");
                assert!(css.contains(&rule), "{}: {rule}", theme.name);
            }
            for text in [theme.text, theme.quiet, theme.action, theme.alert] {
                for ground in [theme.sheet, theme.ground] {
                    assert!(
                        text.contrast(ground) >= TEXT,
                        "{}: {text} on {ground}",
                        theme.name
                    );
                }
            }
            assert!(theme.line.contrast(theme.ground) >= EDGE);
            assert!(theme.on_action.contrast(theme.action) >= TEXT);
        }
    }
}
