//! `branding.messages`: other words for an error. Whether there is such an error, and such a value in
//! its words, is for the pages to say, which know the texts.

use super::files::tag;
use crate::config::Message;
use crate::config::problems::{mistake, quoted};
use crate::config::reader::{Read, Section, Spot, bare};
use crate::config::values::a_type;
use toml::de::{DeTable, DeValue};

pub(super) fn read(section: &Section<'_>) -> Read<Vec<Message>> {
    let Some(written) = section.written("messages")? else {
        return Ok(Vec::new());
    };
    let DeValue::Table(codes) = written.toml else {
        return Err(written.wrong_type("a table of error codes"));
    };
    let mut messages = Vec::new();
    let mut failed = None;
    for (code, value) in codes {
        let spot = written
            .spot
            .child(&bare(code.get_ref()), value.span().start);
        let table = match value.get_ref() {
            DeValue::Table(table) => table,
            other => {
                failed = Some(not_a_table(&spot, other));
                continue;
            }
        };
        match of_code(&spot, code.get_ref(), table) {
            Ok(found) => messages.extend(found),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(messages), Err)
}

fn of_code(spot: &Spot<'_>, code: &str, table: &DeTable<'_>) -> Read<Vec<Message>> {
    let mut messages = vec![words(spot, code, None, table)?];
    for (name, value) in table {
        let name = name.get_ref();
        if is_word(name) {
            continue;
        }
        let below = spot.child(&bare(name), value.span().start);
        let language = tag(name).map_err(|mut mistaken| {
            mistaken.remedy =
                "a message has a title and a message, and tables named like a language".to_owned();
            below.problem(mistaken)
        })?;
        let DeValue::Table(inner) = value.get_ref() else {
            return Err(not_a_table(&below, value.get_ref()));
        };
        if let Some((odd, value)) = inner.iter().find(|(name, _)| !is_word(name.get_ref())) {
            let odd = below.child(&bare(odd.get_ref()), value.span().start);
            return Err(odd.problem(mistake("unknown key", "it can be title or message")));
        }
        messages.push(words(&below, code, Some(language), inner)?);
    }
    messages.retain(|message| message.title.is_some() || message.message.is_some());
    if messages.is_empty() {
        return Err(spot.problem(mistake(
            "says nothing",
            "write { title = \"…\", message = \"…\" }, or one of the two",
        )));
    }
    Ok(messages)
}

fn is_word(name: &str) -> bool {
    matches!(name, "title" | "message")
}

fn words(
    spot: &Spot<'_>,
    code: &str,
    language: Option<String>,
    table: &DeTable<'_>,
) -> Read<Message> {
    let text = |name: &str| {
        let Some(value) = table.get(name) else {
            return Ok(None);
        };
        let spot = spot.child(name, value.span().start);
        match value.get_ref().as_str() {
            None => Err(spot.problem(mistake(
                format!("must be a string, not {}", a_type(value.get_ref())),
                "write a sentence",
            ))),
            Some(text) if text.trim().is_empty() || text.contains(['<', '>']) => {
                Err(spot.problem(mistake(
                    format!(
                        "{} is empty, or looks like markup, which would be shown as it is",
                        quoted(text)
                    ),
                    "write plain text",
                )))
            }
            Some(text) => Ok(Some(text.to_owned())),
        }
    };
    let (title, message) = (text("title"), text("message"));
    Ok(Message {
        code: code.to_owned(),
        language,
        title: title?,
        message: message?,
    })
}

fn not_a_table(spot: &Spot<'_>, found: &DeValue<'_>) -> crate::config::reader::Reported {
    spot.problem(mistake(
        format!("must be a table, not {}", a_type(found)),
        "write { title = \"…\", message = \"…\" }",
    ))
}
