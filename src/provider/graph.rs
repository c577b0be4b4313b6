//! Entra lists at most 200 groups in a token. With more, it leaves the list out and says where it
//! would be had; the address it prints there is often one that no longer answers, so it is not used:
//! Microsoft Graph is asked at the configured address.

use super::error::Error;
use super::fetch::Http;
use super::further::texts;
use super::pages::permitted;
use super::said::Call;
use http::HeaderValue;
use serde_json::{Map, Value, json};
use url::Url;

/// As many as Graph gives at all.
const MOST_GROUPS: usize = 11_000;

/// Whether the list of groups is left out for its length. Entra has said so in several ways:
/// distributed claims (OpenID Connect Core §5.6.2), a flag, and a link.
pub(super) fn is_overage(claims: &Map<String, Value>) -> bool {
    let said = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let source = |name: &str| said("_claim_sources").and_then(|sources| sources.get(name));
    match said("groups") {
        // One group, or the name of the place where all are.
        Some(Value::String(name)) => return source(name).is_some(),
        // Another source gave the list in full.
        Some(Value::Array(list)) if !list.is_empty() => return false,
        _ => {}
    }
    let named = said("_claim_names").and_then(|names| names.get("groups"));
    let flagged = said("hasgroups").is_some_and(|flag| match flag {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        Value::Number(number) => number.as_u64() == Some(1),
        _ => false,
    });
    named.is_some_and(|name| !name.is_null())
        || flagged
        || claims.keys().any(|name| name.starts_with("groups:src"))
        || said("groups.link").is_some()
        || said("http://schemas.microsoft.com/claims/groups.link").is_some()
}

/// The identifiers of all groups that the person is in, directly or through others. The delegated
/// permission `User.Read` is enough for one's own.
pub(super) async fn groups(http: &Http, graph: &Url, bearer: &HeaderValue) -> Result<Value, Error> {
    let call = Call::Graph;
    let body = json!({ "securityEnabledOnly": false });
    let answer = http
        .post_json_as_bearer(call, &address(graph), bearer, &body)
        .await?;
    let answer = permitted(answer, "User.Read")?;
    let object = answer.object()?;
    let entries = match object.get("value") {
        Some(Value::Array(entries)) => entries,
        _ => return Err(Error::NotList { call }),
    };
    if entries.len() > MOST_GROUPS || object.contains_key("@odata.nextLink") {
        return Err(Error::TooManyEntries {
            call,
            limit: MOST_GROUPS,
        });
    }
    // The token says that there are many. An empty list is no answer to that.
    if entries.is_empty() {
        return Err(Error::EntryUnreadable { call });
    }
    texts(
        entries,
        |id| id.as_str().map(str::to_owned),
        || Error::EntryUnreadable { call },
    )
}

pub(super) fn address(graph: &Url) -> Url {
    let mut url = graph.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty()
            .extend(["v1.0", "me", "getMemberObjects"]);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(claims: Value, expected: bool) {
        let found = is_overage(claims.as_object().unwrap());
        assert_eq!(found, expected, "{claims}");
    }

    #[test]
    fn every_way_of_saying_that_there_are_too_many_is_understood() {
        let sources = json!({"src1": {"endpoint": "https://graph.windows.net/x"}});
        check(
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}),
            true,
        );
        check(json!({"_claim_names": {"groups": "src1"}}), true);
        check(json!({"groups": "src1", "_claim_sources": sources}), true);
        check(json!({"groups:src1": "https://graph.windows.net/x"}), true);
        check(json!({"groups": null, "hasgroups": true}), true);
        check(json!({"groups": [], "hasgroups": 1}), true);
        check(json!({"hasgroups": "true"}), true);
        check(
            json!({"http://schemas.microsoft.com/claims/groups.link": "https://x"}),
            true,
        );
    }

    #[test]
    fn groups_that_are_there_or_simply_none_are_no_overage() {
        check(json!({}), false);
        check(json!({"groups": []}), false);
        check(json!({"groups": "developers"}), false);
        check(json!({"hasgroups": false}), false);
        check(json!({"_claim_names": {"address": "src1"}}), false);
        check(json!({"_claim_names": {"groups": null}}), false);
        // Userinfo had them all.
        check(
            json!({"groups": ["dev"], "_claim_names": {"groups": "src1"}}),
            false,
        );
    }

    #[test]
    fn graph_is_where_the_configuration_says() {
        for base in ["https://graph.microsoft.us", "https://graph.microsoft.us/"] {
            let url = address(&Url::parse(base).unwrap());
            assert_eq!(
                url.as_str(),
                "https://graph.microsoft.us/v1.0/me/getMemberObjects"
            );
        }
    }
}
