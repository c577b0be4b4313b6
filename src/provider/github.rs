//! GitHub keeps an e-mail address private unless its owner publishes it: `email` in the profile is
//! `null`, and a second call tells the addresses.

use super::fetch::Http;
use super::said::Call;
use http::HeaderValue;
use serde_json::{Map, Value};
use url::Url;

/// Adds the primary address, if GitHub says that it is verified. Without the scope `user:email`
/// GitHub refuses, and then there is no address: whoever needs one refuses later and says so.
pub(super) async fn add_email(
    http: &Http,
    userinfo_endpoint: &Url,
    bearer: &HeaderValue,
    claims: &mut Map<String, Value>,
) {
    if claims.get("email").is_some_and(|email| !email.is_null()) {
        return;
    }
    let mut url = userinfo_endpoint.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("emails");
    }
    let answer = http.get_as_bearer(Call::Emails, &url, bearer).await;
    match answer.and_then(|answer| answer.into_success()?.json()) {
        Ok(list) => {
            if let Some(address) = primary(&list) {
                claims.insert("email".to_owned(), address.into());
                claims.insert("email_verified".to_owned(), true.into());
            }
        }
        Err(error) => {
            tracing::warn!(%error, "github does not tell the person's e-mail addresses");
        }
    }
}

fn primary(list: &Value) -> Option<&str> {
    let is = |entry: &Value, what| entry.get(what) == Some(&Value::Bool(true));
    list.as_array()?
        .iter()
        .find(|entry| is(entry, "primary") && is(entry, "verified"))?
        .get("email")?
        .as_str()
}
