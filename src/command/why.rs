//! `why`: what happened in a request, step by step.

use super::Error;
use crate::admin::{self, Order, Reply};
use crate::clock::Clock;
use crate::config::Config;
use crate::mapping::{visible, visible_json};
use crate::telemetry::trail::Story;
use serde_json::Value;

/// Asks the running gateway about a request, and tells what it remembers, as text or JSON.
///
/// # Errors
///
/// If no gateway runs with this configuration, or it remembers nothing of this request.
pub async fn why(
    config: &Config,
    request_id: &str,
    json: bool,
    clock: &Clock,
) -> Result<String, Error> {
    let order = Order::Why {
        request_id: request_id.to_owned(),
    };
    let story = match admin::send(config, &order, clock).await? {
        Reply::Why { story } => story,
        other => return Err(Error::Refused(format!("the gateway answered {other:?}"))),
    };
    if story.attempt.is_none() && story.events.is_empty() {
        return Err(Error::NothingKnown {
            request_id: visible(request_id),
        });
    }
    Ok(match json {
        true => visible_json(&serde_json::to_string_pretty(&story)?),
        false => text(&story),
    })
}

/// For a terminal. Claims are the provider's text: nothing in them moves a cursor.
fn text(story: &Story) -> String {
    let mut lines = Vec::new();
    if let Some(attempt) = &story.attempt {
        let or_unknown =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".to_owned());
        let client = attempt.client.map(|client| client.to_string());
        lines.push(format!("Sign-in {}", attempt.request_id));
        for (name, value) in [
            ("time", attempt.time.clone()),
            ("from", or_unknown(&client)),
            ("provider", or_unknown(&attempt.provider)),
            ("username", or_unknown(&attempt.username)),
            (
                "outcome",
                attempt
                    .outcome
                    .clone()
                    .unwrap_or_else(|| "not over".to_owned()),
            ),
        ] {
            lines.push(format!("  {name:<9} {value}"));
        }
        lines.push(String::new());
        lines.push("Steps".to_owned());
        for step in &attempt.steps {
            lines.push(format!("  {:<12}  {}", step.stage.name(), step.detail));
        }
        if attempt.cut {
            lines.push("  (there was more, which was left out)".to_owned());
        }
    }
    if !story.events.is_empty() {
        lines.push(String::new());
        lines.push("Audit".to_owned());
    }
    for entry in &story.events {
        lines.push(format!("  {}", entry.time));
        let Ok(Value::Object(fields)) = serde_json::to_value(&entry.event) else {
            continue;
        };
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            lines.push(format!("    {name}: {value}"));
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| visible(line)).collect();
    lines.join("\n").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::telemetry::Trail;
    use crate::telemetry::audit::{Entry, Event, Origin};
    use crate::telemetry::trail::{Ending, Stage};

    #[test]
    fn a_story_is_lines_that_no_claim_disturbs() {
        let trail = Trail::new(Clock::manual(Timestamp::from_secs(0)));
        let origin = Origin {
            request_id: Some("r1".to_owned()),
            client: Some([192, 0, 2, 7].into()),
        };
        trail.note(
            &origin,
            [(Stage::Claim, "sub = \"\u{1b}[2J\nx\"".to_owned())],
        );
        let ending = Ending {
            provider: Some("idp"),
            username: None,
            outcome: "no_username",
        };
        trail.end(&origin, ending, Some((Stage::Refusal, "nobody")));
        let event = Event::Refusal {
            reason: "no_username".to_owned(),
            detail: "nobody".to_owned(),
            provider: Some("idp".to_owned()),
            username: None,
        };
        let story = Story {
            attempt: trail.find("r1"),
            events: vec![Entry {
                time: "then".to_owned(),
                request_id: None,
                client: None,
                event,
            }],
        };
        let want = "\
Sign-in r1
  time      1970-01-01T00:00:00.000Z
  from      192.0.2.7
  provider  idp
  username  not known
  outcome   no_username

Steps
  claim         sub = \"\\u{1b}[2J\\u{a}x\"
  refused       nobody

Audit
  then
    detail: nobody
    event: refusal
    provider: idp
    reason: no_username";
        assert_eq!(text(&story), want);
    }
}
