//! The last day as bars: sign-ins above the line, refusals below it, so that no colour has to say
//! which is which.

use super::moment;
use crate::telemetry::hours::Hour;
use serde_json::{Value, json};

/// The width of an hour, in units of the drawing.
const WIDTH: u32 = 20;
/// The height of either half.
const HEIGHT: u32 = 60;

/// What the template draws, and the numbers for its table.
pub(super) fn chart(day: &[Hour]) -> Value {
    let most = day.iter().map(|hour| hour.sign_ins.max(hour.refusals));
    let most = most.max().unwrap_or_default();
    // Something that happened can be seen, however much happened in another hour.
    let height = |count: u32| match u64::from(count) * u64::from(HEIGHT) {
        0 => 0,
        scaled => (scaled / u64::from(most.max(1))).max(2),
    };
    let mut x = 0;
    let mut bars = Vec::new();
    for hour in day {
        let up = height(hour.sign_ins);
        bars.push(json!({
            "x": x + 3,
            "width": WIDTH - 6,
            "up": up,
            "top": u64::from(HEIGHT) - up,
            "down": height(hour.refusals),
            "sign_ins": hour.sign_ins,
            "refusals": hour.refusals,
            "begins": moment(hour.begins).chars().skip(11).take(5).collect::<String>(),
        }));
        x += WIDTH;
    }
    let sum = |count: fn(&Hour) -> u32| day.iter().map(|hour| u64::from(count(hour))).sum::<u64>();
    json!({
        "bars": bars,
        "width": x,
        "half": HEIGHT,
        "height": 2 * HEIGHT,
        "most": most,
        "sign_ins": sum(|hour| hour.sign_ins),
        "refusals": sum(|hour| hour.refusals),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn bars_fit_and_small_ones_are_seen() {
        let hour = |hour: u64, sign_ins, refusals| Hour {
            begins: Timestamp::from_secs(hour * 3600),
            sign_ins,
            refusals,
        };
        let drawn = chart(&[hour(0, 0, 0), hour(23, 1, u32::MAX)]);
        assert_eq!(drawn["bars"][0]["up"], 0);
        assert_eq!(drawn["bars"][1]["up"], 2);
        assert_eq!(drawn["bars"][1]["down"], HEIGHT);
        assert_eq!(drawn["bars"][1]["begins"], "23:00");
        assert_eq!(drawn["width"], 40);
        assert_eq!(chart(&[])["most"], 0);
    }
}
