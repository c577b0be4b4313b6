//! What runs out: the days on which client secrets end, as far as the file names them.

use super::{Config, Provider};
use crate::clock::Timestamp;

/// What ends in fewer days is pointed at, here and in the console.
pub const SOON_DAYS: i64 = 30;

/// Seconds of a day.
const DAY: i64 = 24 * 3600;

impl Provider {
    /// When the client secret ends, in seconds since 1970, if the file says so: as the day begins in
    /// UTC.
    #[must_use]
    pub fn secret_ends(&self) -> Option<i64> {
        let day = self.client_secret_expires_on?;
        Some(day.midnight().assume_utc().unix_timestamp())
    }

    /// The days until that one, by the calendar of UTC; below zero: it is past.
    #[must_use]
    pub fn secret_days_left(&self, now: Timestamp) -> Option<i64> {
        let today = i64::try_from(now.as_secs()).unwrap_or(i64::MAX) / DAY;
        Some(self.secret_ends()?.div_euclid(DAY).saturating_sub(today))
    }
}

impl Config {
    /// What has run out by now or does so soon: one line each, the key first, as in
    /// [`Loaded::warnings`](super::Loaded::warnings).
    #[must_use]
    pub fn running_out(&self, now: Timestamp) -> Vec<String> {
        let lines = self.providers.iter().filter_map(|provider| {
            let day = provider.client_secret_expires_on?;
            let left = provider.secret_days_left(now)?;
            let what = match left {
                ..0 => format!(
                    "{day} is past: nobody can sign in once the provider refuses the secret; \
                     register a new one there, and write its day here"
                ),
                0..SOON_DAYS => format!(
                    "{day} is near, days left: {left}; register a new secret at the provider \
                     before it, and write its day here"
                ),
                _ => return None,
            };
            let id = &provider.id;
            Some(format!("providers.{id}.client_secret_expires_on: {what}"))
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::accepted;

    /// 2027-03-31 00:00 UTC.
    const END: u64 = 1_806_451_200;

    fn config(day: &str) -> Config {
        accepted(&format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n{day}"
        ))
    }

    /// At so many seconds, so many days are left, and this is said.
    #[track_caller]
    fn check(secs: u64, left: i64, said: Option<&str>) {
        let (config, now) = (
            config("client_secret_expires_on = 2027-03-31"),
            Timestamp::from_secs(secs),
        );
        assert_eq!(config.providers[0].secret_days_left(now), Some(left));
        match (config.running_out(now).as_slice(), said) {
            ([], None) => {}
            ([line], Some(said)) => {
                let key = "providers.a.client_secret_expires_on: 2027-03-31 is ";
                assert!(line.starts_with(&format!("{key}{said}")), "{line}");
            }
            (lines, _) => panic!("{lines:?}"),
        }
    }

    #[test]
    fn a_secret_is_pointed_at_in_its_last_month_and_when_it_has_ended() {
        const DAY: u64 = 86_400;
        check(END - 30 * DAY, 30, None);
        check(END - 30 * DAY + DAY - 1, 30, None);
        check(END - 29 * DAY, 29, Some("near, days left: 29; register"));
        check(END - 1, 1, Some("near, days left: 1;"));
        check(END, 0, Some("near, days left: 0;"));
        check(END + DAY - 1, 0, Some("near, days left: 0;"));
        check(END + DAY, -1, Some("past: "));
        check(0, 20_908, None);
    }

    #[test]
    fn what_the_file_does_not_say_is_not_guessed() {
        let config = config("");
        assert_eq!(config.providers[0].secret_ends(), None);
        let late = Timestamp::from_secs(END * 10);
        assert_eq!(config.running_out(late), [""; 0]);
    }
}
