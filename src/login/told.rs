//! What a sign-in leaves behind for `portcullis why` and the console: its steps.

use super::Login;
use crate::config::{self, Protocol};
use crate::explain::Report;
use crate::provider::VerifiedClaims;
use crate::telemetry::trail::{Ending, Stage};
use crate::web::{Context, Problem};
use serde_json::Value;

/// Claims and groups beyond these are on the test page.
const MOST_ROWS: usize = 60;
/// As much of a value as says which one it is.
const MOST_CHARS: usize = 80;

impl Login {
    /// One step.
    pub(super) fn tell(&self, context: &Context, stage: Stage, detail: impl Into<String>) {
        self.parts
            .trail
            .note(&context.origin(), [(stage, detail.into())]);
    }

    /// That the provider vouches for these claims, and what the rules make of them.
    pub(super) fn tell_claims(
        &self,
        context: &Context,
        config: &config::Provider,
        claims: &VerifiedClaims,
    ) {
        let checked = match config.protocol {
            Protocol::Oidc => {
                "the answer belongs to this browser's question; the code was redeemed; signature, issuer, audience, times and nonce of the ID token hold"
            }
            Protocol::OAuth2 => {
                "the answer belongs to this browser's question; the code was redeemed; userinfo said who it is"
            }
        };
        let report = Report::of(&self.config, config, claims);
        let subject = format!(
            "issuer {}, subject {}",
            cut(claims.issuer()),
            cut(claims.subject())
        );
        let mut steps = vec![
            (Stage::Provider, checked.to_owned()),
            (Stage::Claim, subject),
        ];
        steps.extend(report.claims.iter().take(MOST_ROWS).map(|row| {
            let from = row.source.unwrap_or("claim");
            let used = match row.used_for.as_slice() {
                [] => String::new(),
                used => format!("; used for {}", used.join(", ")),
            };
            let text = format!("{} ({from}) = {}{used}", row.name, cut(&row.value));
            (Stage::Claim, text)
        }));
        for fact in report
            .examined
            .facts
            .iter()
            .filter(|it| !it.tried.is_empty())
        {
            let ways: Vec<String> = fact
                .tried
                .iter()
                .map(|tried| {
                    let mut way = format!("{} found {}", tried.mapping, value(&tried.found));
                    for step in &tried.steps {
                        way += &format!(", {} left {}", step.step, value(&step.value));
                    }
                    if let Some(problem) = &tried.problem {
                        way += &format!(" ({problem})");
                    }
                    way
                })
                .collect();
            let text = format!(
                "{} = {}: {}",
                fact.name,
                value(&fact.value),
                ways.join("; ")
            );
            steps.push((Stage::Mapping, text));
        }
        steps.extend(report.examined.groups.iter().take(MOST_ROWS).map(|fate| {
            let from = fate.from.as_deref().map_or("(default)".to_owned(), cut);
            let to = match fate.to.as_slice() {
                [] => "nothing".to_owned(),
                to => to.join(", "),
            };
            (Stage::Group, format!("{from} becomes {to}: {}", fate.why))
        }));
        steps.extend(report.person.iter().map(|person| {
            let text = format!("the rules make this person \"{}\"", person.username);
            (Stage::Rule, text)
        }));
        steps.extend(report.problems.iter().map(|problem| {
            let text = format!("{}: {} {}", problem.code, problem.what, problem.advice);
            (Stage::Rule, text.trim_end().to_owned())
        }));
        self.parts.trail.note(&context.origin(), steps);
    }

    /// That somebody is signed in.
    pub(super) fn tell_success(&self, context: &Context, provider: &str, username: &str) {
        let ending = Ending {
            provider: Some(provider),
            username: Some(username),
            outcome: "ok",
        };
        let last = Some((Stage::Session, "a session began under a new identifier"));
        self.parts.trail.end(&context.origin(), ending, last);
    }

    /// That somebody was refused, and why.
    pub(super) fn tell_refusal(
        &self,
        context: &Context,
        provider: Option<&str>,
        username: Option<&str>,
        problem: &Problem,
    ) {
        let ending = Ending {
            provider,
            username,
            outcome: problem.code,
        };
        let detail = problem.detail.as_deref().unwrap_or(problem.code);
        let last = Some((Stage::Refusal, detail));
        self.parts.trail.end(&context.origin(), ending, last);
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => cut(&value.to_string()),
    }
}

/// The beginning of a text, harmless to a terminal.
fn cut(text: &str) -> String {
    let text = crate::mapping::visible(text);
    match text.char_indices().nth(MOST_CHARS) {
        None => text,
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
    }
}
