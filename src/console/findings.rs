//! What was found at a provider, in the parts that the page says in its reader's language.

use crate::provider::{Finding, Sentence};
use serde_json::{Map, Value, json};

/// What was looked at, what was found, and what to do about it.
pub(super) fn said(finding: &Finding) -> Vec<Value> {
    let mut said = vec![
        json!({ "part": "what", "key": about(finding.what), "values": {}, "english": finding.what }),
        sentence("detail", &finding.detail),
    ];
    if !finding.remedy.is_empty() {
        said.push(sentence("remedy", &finding.remedy));
    }
    said
}

fn sentence(part: &str, sentence: &Sentence) -> Value {
    let values = sentence.values().iter();
    let values: Map<_, _> = values
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    json!({
        "part": part,
        "key": sentence.key(),
        "values": values,
        "english": sentence.english(),
    })
}

/// The text that says what was looked at. The others are names: of a key, and of Microsoft Graph.
fn about(what: &str) -> Option<&'static str> {
    Some(match what {
        "algorithms" => "finding.about.algorithms",
        "client authentication" => "finding.about.client_auth",
        "clock" => "finding.about.clock",
        "discovery" => "finding.about.discovery",
        "endpoints" => "finding.about.endpoints",
        "issuer" => "finding.about.issuer",
        "keys" => "finding.about.keys",
        "redirect URI" => "finding.about.redirect_uri",
        "token endpoint" => "finding.about.token_endpoint",
        _ => return None,
    })
}
