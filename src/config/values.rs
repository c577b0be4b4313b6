//! From a value of the document to a value of the program.

use super::problems::{Mistake, meant, mistake, one_of, quoted};
use super::reader::{At, Read, Reported, Spot, bare};
use super::spec::{Key, Shape};
use std::time::Duration;
use time::{Date, Month};
use toml::de::DeValue;
use toml::value::Datetime;

/// One value of the document, or a default.
pub(super) struct Value<'r, 'v> {
    pub(super) toml: &'v DeValue<'v>,
    pub(super) spot: Spot<'r>,
    pub(super) key: &'static Key,
    /// Whether it stands in the file; a default's own positions mean nothing there.
    pub(super) written: bool,
}

impl<'r, 'v> Value<'r, 'v> {
    /// Records that something of another type is needed.
    pub(super) fn wrong_type(&self, need: &str) -> Reported {
        self.spot.problem(mistake(
            format!("must be {need}, not {}", a_type(self.toml)),
            format!("for example: {} = {}", self.key.name, self.key.example()),
        ))
    }

    /// The elements of an array.
    pub(super) fn items(&self, need: &str) -> Read<Vec<Value<'r, 'v>>> {
        let DeValue::Array(items) = self.toml else {
            return Err(self.wrong_type(need));
        };
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, item)| Value {
                toml: item.get_ref(),
                spot: self
                    .spot
                    .item(index, self.written.then(|| item.span().start)),
                key: self.key,
                written: self.written,
            })
            .collect())
    }

    pub(super) fn text(&self, need: &str) -> Read<String> {
        let text = self.toml.as_str().ok_or_else(|| self.wrong_type(need))?;
        match text.chars().find(|c| c.is_control()) {
            None => Ok(text.to_owned()),
            Some(c) => Err(self.spot.problem(mistake(
                format!("contains the control character U+{:04X}", u32::from(c)),
                "remove it; \"\\n\", \"\\t\" and the like have no place here",
            ))),
        }
    }

    fn number(&self, need: &str, min: u64, max: u64) -> Read<u64> {
        let DeValue::Integer(number) = self.toml else {
            return Err(self.wrong_type(need));
        };
        i128::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                self.spot.problem(mistake(
                    format!("{number} is not between {min} and {max}"),
                    format!(
                        "the usual value is {} = {}",
                        self.key.name,
                        self.key.example()
                    ),
                ))
            })
    }

    fn choice<T: Choice>(&self) -> Read<T> {
        let names = choices::<T>();
        let need = format!("a string: {}", one_of(&names));
        let text = self.text(&need)?;
        let known = T::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let guess = meant(&text, names.iter().copied());
            let guess = guess.map(|name| format!("; did you mean \"{name}\"?"));
            self.spot.problem(mistake(
                format!(
                    "unknown value {}{}",
                    quoted(&text),
                    guess.unwrap_or_default()
                ),
                format!("it can be {}", one_of(&names)),
            ))
        })
    }
}

/// A type that a value can be read as. It must fit the [`Shape`] in the key's description.
pub(super) trait FromValue<'r>: Sized {
    /// Reads the value or records what is wrong with it.
    fn read(value: &Value<'r, '_>) -> Read<Self>;
}

impl<'r, T: FromValue<'r>> FromValue<'r> for At<'r, T> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        Ok(At {
            value: T::read(value)?,
            spot: value.spot.clone(),
        })
    }
}

impl<'r> FromValue<'r> for String {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        value.text("a string")
    }
}

impl<'r> FromValue<'r> for bool {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let flag = value.toml.as_bool();
        flag.ok_or_else(|| value.wrong_type("true or false"))
    }
}

impl<'r> FromValue<'r> for Duration {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let (min, max) = match value.key.shape {
            Shape::Seconds(min, max) => (min, max),
            _ => (0, u64::MAX),
        };
        let seconds = value.number("a number of seconds", min, max)?;
        Ok(Duration::from_secs(seconds))
    }
}

impl<'r> FromValue<'r> for usize {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let (min, max) = match value.key.shape {
            Shape::Count(min, max) => (min, max),
            _ => (0, u64::MAX),
        };
        let number = value.number("a number", min, max)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }
}

impl<'r> FromValue<'r> for Date {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let written = match value.toml {
            DeValue::String(_) => value.text("a day")?,
            DeValue::Datetime(written) => written.to_string(),
            _ => return Err(value.wrong_type("a day")),
        };
        day(&written).ok_or_else(|| {
            let example = value.key.example();
            value.spot.problem(mistake(
                format!("{} is not a day", quoted(&written)),
                format!("write year, month and day: {} = {example}", value.key.name),
            ))
        })
    }
}

/// A day as TOML writes it, and nothing beside it.
fn day(written: &str) -> Option<Date> {
    let Datetime {
        date: Some(date),
        time: None,
        offset: None,
    } = written.parse().ok()?
    else {
        return None;
    };
    let month = Month::try_from(date.month).ok()?;
    Date::from_calendar_date(i32::from(date.year), month, date.day).ok()
}

impl<'r, T: FromValue<'r>> FromValue<'r> for Vec<T> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        all(value.items("an array")?.iter().map(T::read))
    }
}

/// A string or several.
pub(super) struct OneOrMore<'r>(pub(super) Vec<At<'r, String>>);

impl<'r> FromValue<'r> for OneOrMore<'r> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        match value.toml {
            DeValue::String(_) => At::read(value).map(|one| Self(vec![one])),
            DeValue::Array(_) => Vec::read(value).map(Self),
            _ => Err(value.wrong_type("a string or an array of strings")),
        }
    }
}

/// A table with free keys and strings as values.
pub(super) struct Map<'r>(pub(super) Vec<(String, At<'r, String>)>);

impl<'r> FromValue<'r> for Map<'r> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let DeValue::Table(table) = value.toml else {
            return Err(value.wrong_type("a table of strings"));
        };
        all(table.iter().map(|(name, item)| {
            let item = Value {
                toml: item.get_ref(),
                spot: value.spot.child(&bare(name.get_ref()), item.span().start),
                key: value.key,
                written: value.written,
            };
            Ok((name.get_ref().to_string(), At::read(&item)?))
        }))
        .map(Self)
    }
}

/// A table with free keys, each with a string or several.
pub(super) struct Lists<'r>(pub(super) Vec<(At<'r, String>, Vec<At<'r, String>>)>);

impl<'r> FromValue<'r> for Lists<'r> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let DeValue::Table(table) = value.toml else {
            return Err(value.wrong_type("a table of strings or arrays of strings"));
        };
        all(table.iter().map(|(name, item)| {
            let key = bare(name.get_ref());
            let item = Value {
                toml: item.get_ref(),
                spot: value.spot.child(&key, item.span().start),
                key: value.key,
                written: value.written,
            };
            if let DeValue::Table(_) = item.toml {
                return Err(item.spot.problem(mistake(
                    "must be a string or an array of strings, not a table",
                    "a name with a dot in it needs quotes, or it is read as a table in a table",
                )));
            }
            let OneOrMore(items) = OneOrMore::read(&item)?;
            let name = At {
                value: name.get_ref().to_string(),
                spot: value.spot.child(&key, name.span().start),
            };
            Ok((name, items))
        }))
        .map(Self)
    }
}

/// Values that are written as one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// Every word and what it means.
    const NAMES: &'static [(&'static str, Self)];
}

/// The words of a [`Choice`].
pub(super) fn choices<T: Choice>() -> Vec<&'static str> {
    T::NAMES.iter().map(|(name, _)| *name).collect()
}

/// Reads a [`Choice`]: a wrapper, because a blanket implementation could overlap with strings.
pub(super) struct Chosen<T>(pub(super) T);

impl<'r, T: Choice> FromValue<'r> for Chosen<T> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        value.choice().map(Self)
    }
}

/// Collects every element, so that each has recorded its problem before the whole gives up.
pub(super) fn all<T>(items: impl IntoIterator<Item = Read<T>>) -> Read<Vec<T>> {
    let items: Vec<_> = items.into_iter().collect();
    items.into_iter().collect()
}

/// Checks every element, and that none stands there twice.
pub(super) fn each_once<T: PartialEq>(
    items: Vec<At<'_, String>>,
    check: impl Fn(&str) -> Result<T, Mistake>,
) -> Read<Vec<T>> {
    let mut seen: Vec<T> = Vec::with_capacity(items.len());
    let mut failed = None;
    for item in items {
        match item.check(|text| check(text)) {
            Ok(value) if seen.contains(&value) => {
                failed = Some(item.spot.problem(mistake(
                    format!("{} stands there twice", quoted(&item.value)),
                    "remove one of the two",
                )));
            }
            Ok(value) => seen.push(value),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(seen), Err)
}

/// What a value is, in words.
pub(super) fn a_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
