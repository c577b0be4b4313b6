//! `[log]`

use super::problems::{Mistake, mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::{self, Text};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, choices};
use super::{Log, LogFormat};
use std::str::FromStr;
use tracing_subscriber::filter::Targets;

pub(super) static TABLE: Table = Table {
    doc: "What the gateway logs, and how.",
    keys: &[
        key(
            "format",
            Shape::Choice(choices::<LogFormat>),
            Value(r#""text""#),
            "Lines for people, or one JSON object a line.",
        ),
        key(
            "level",
            Text,
            Value(r#""info""#),
            "error, warn, info, debug or trace; or by part, such as info,portcullis::provider=debug.",
        ),
    ],
};

impl Choice for LogFormat {
    const NAMES: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

pub(super) fn read(section: &Section<'_>) -> Read<Log> {
    let format = section.get::<Chosen<LogFormat>>("format");
    let level = section.parse("level", level);
    Ok(Log {
        format: format?.0,
        level: level?,
    })
}

fn level(text: &str) -> Result<String, Mistake> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    // The filter itself takes a word that is no level for the name of a part.
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let known = text
        .split(',')
        .all(|part| part.contains('=') || is_level(part.trim()));
    if !known || Targets::from_str(text).is_err() {
        return Err(mistake(
            format!("{} is not a level", quoted(text)),
            "error, warn, info, debug or trace; or by part, such as \"info,portcullis=debug\"",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::LogFormat;
    use crate::config::testing::{accepted, refused};

    #[test]
    fn a_level_is_a_level_or_a_filter() {
        let log = accepted("[log]\nlevel = \"info,portcullis=debug\"\nformat = \"json\"").log;
        assert_eq!(
            (log.level.as_str(), log.format),
            ("info,portcullis=debug", LogFormat::Json)
        );
        assert_eq!(accepted("").log.level, "info");
        for bad in ["", "loud", "info,loud", "portcullis=loud", "=x="] {
            refused(
                &format!("[log]\nlevel = \"{bad}\""),
                &[&format!("2:9: log.level: \"{bad}\" is not a level")],
            );
        }
        refused(
            "[log]\nformat = \"jsn\"",
            &["2:10: log.format: unknown value \"jsn\"; did you mean \"json\"?"],
        );
    }
}
