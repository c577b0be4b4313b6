//! Values that stand in texts.

use std::time::Duration;

/// A value for a text: what `{name}` in it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The same in every language.
    Text(String),
    /// In each language's words.
    Length(Length),
}

/// A length of time as people say it: a number and a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    count: u128,
    unit: &'static str,
}

impl Length {
    /// Rounded down to minutes, hours or days: "30 days", "12 hours", "5 minutes".
    #[must_use]
    pub const fn lasting(length: Duration) -> Self {
        let minutes = length.as_secs() / 60;
        let (count, unit) = match minutes {
            0 => (1, "minute"),
            1..60 => (minutes, "minute"),
            60..2_880 => (minutes / 60, "hour"),
            _ => (minutes / 1_440, "day"),
        };
        Self {
            count: count as u128,
            unit,
        }
    }

    /// Rounded up to seconds or minutes: whoever waits that long has waited enough.
    #[must_use]
    pub const fn waiting(length: Duration) -> Self {
        let seconds = length.as_millis().div_ceil(1000);
        let (count, unit) = match seconds {
            0..=90 => (seconds, "second"),
            _ => (seconds.div_ceil(60), "minute"),
        };
        Self { count, unit }
    }

    /// A limit of the configuration: whole seconds, or milliseconds below one.
    #[must_use]
    pub const fn exactly(length: Duration) -> Self {
        let (count, unit) = match length.as_secs() {
            0 => (length.as_millis(), "millisecond"),
            seconds => (seconds as u128, "second"),
        };
        Self { count, unit }
    }

    /// How many.
    pub(super) const fn count(self) -> u128 {
        self.count
    }

    /// The text's key. Languages with more plural forms than these two say it so that it fits all.
    pub(super) fn key(self) -> String {
        let form = if self.count == 1 { "one" } else { "other" };
        format!("length.{}.{form}", self.unit)
    }

    /// Reads back what a template was given.
    pub(super) fn of(value: &minijinja::Value) -> Option<Self> {
        let unit = value.get_attr("unit").ok()?;
        let unit = unit.as_str()?;
        let unit = ["millisecond", "second", "minute", "hour", "day"]
            .into_iter()
            .find(|known| *known == unit)?;
        let count = value.get_attr("count").ok()?.try_into().ok()?;
        Some(Self { count, unit })
    }
}

impl From<Length> for minijinja::Value {
    fn from(length: Length) -> Self {
        minijinja::context! { count => length.count, unit => length.unit }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Word {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<u64> for Word {
    fn from(number: u64) -> Self {
        Self::Text(number.to_string())
    }
}

impl From<Length> for Word {
    fn from(length: Length) -> Self {
        Self::Length(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(length: Length, count: u128, key: &str) {
        assert_eq!((length.count(), &*length.key()), (count, key));
        assert_eq!(Length::of(&length.into()), Some(length));
    }

    #[test]
    fn what_lasts_is_rounded_down() {
        let lasting = |secs| Length::lasting(Duration::from_secs(secs));
        check(lasting(2_592_000), 30, "length.day.other");
        check(lasting(86_400), 24, "length.hour.other");
        check(lasting(3_600), 1, "length.hour.one");
        check(lasting(90), 1, "length.minute.one");
        check(lasting(0), 1, "length.minute.one");
    }

    #[test]
    fn a_wait_is_never_too_short() {
        let waiting = |millis| Length::waiting(Duration::from_millis(millis));
        check(waiting(1), 1, "length.second.one");
        check(waiting(1_001), 2, "length.second.other");
        check(waiting(90_000), 90, "length.second.other");
        check(waiting(90_001), 2, "length.minute.other");
        check(waiting(900_000), 15, "length.minute.other");
    }

    #[test]
    fn a_limit_is_said_as_it_is() {
        check(
            Length::exactly(Duration::from_millis(250)),
            250,
            "length.millisecond.other",
        );
        check(
            Length::exactly(Duration::from_secs(1)),
            1,
            "length.second.one",
        );
        check(
            Length::exactly(Duration::from_secs(120)),
            120,
            "length.second.other",
        );
    }
}
