//! Salesforce's identity address: the `id` of the token answer, a page about the person that holds
//! more than userinfo does.
//!
//! The address comes from a server and the access token goes to it, so it is asked only if
//!
//! - its origin is the configured issuer's, or `https://login.salesforce.com` or
//!   `https://test.salesforce.com`, where the addresses of production and of sandboxes live; and
//! - its path is `/id/ORGANIZATION/USER` of the person whom the tokens are about: that of the
//!   verified `sub`, or made of the claims `organization_id` and `user_id`.
//!
//! If one of the two general hosts redirects, the same path is asked at the issuer's own origin,
//! wherever the redirect points.

use super::error::Error;
use super::fetch::Http;
use super::gathered::Gathered;
use super::pages::permitted;
use super::said::{Call, printable};
use http::HeaderValue;
use serde_json::{Map, Value};
use url::Url;

const GENERAL_HOSTS: [&str; 2] = [
    "https://login.salesforce.com",
    "https://test.salesforce.com",
];

/// An identifier's first 15 characters are the identifier; the other three protect its case.
const ID_LENGTH: usize = 15;

/// What the identity address says about the person.
pub(super) async fn identity(
    http: &Http,
    issuer: &str,
    claimed: Option<&str>,
    bearer: &HeaderValue,
    gathered: &Gathered,
) -> Result<Map<String, Value>, Error> {
    let call = Call::Identity;
    let claimed = claimed.ok_or(Error::IdentityMissing)?;
    let (url, user) =
        address(issuer, claimed, gathered).ok_or_else(|| Error::IdentityElsewhere {
            found: printable(claimed),
        })?;
    let answer = match http.get_as_bearer(call, &url, bearer).await {
        Err(error @ Error::Redirected { .. }) => match at_issuer(issuer, &url) {
            Some(own) => http.get_as_bearer(call, &own, bearer).await?,
            None => return Err(error),
        },
        answer => answer?,
    };
    let mut identity = permitted(answer, "id")?.object()?;
    let short = |id: &str| id.chars().take(ID_LENGTH).collect::<String>();
    match identity.get("user_id").and_then(Value::as_str) {
        Some(found) if short(found) == short(&user) => {}
        _ => return Err(Error::IdentityMismatch),
    }
    // Who it is was settled by tokens, and a page cannot change that.
    for envelope in ["sub", "iss", "aud"] {
        identity.remove(envelope);
    }
    Ok(identity)
}

/// The address and the user's identifier in it, if the address may be asked.
fn address(issuer: &str, claimed: &str, gathered: &Gathered) -> Option<(Url, String)> {
    let url = Url::parse(claimed).ok()?;
    let origin = url.origin().ascii_serialization();
    let ours = Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin());
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain || !(ours || GENERAL_HOSTS.contains(&origin.as_str())) {
        return None;
    }
    let mut path = url.path_segments()?;
    let (id, organization, user) = (path.next()?, path.next()?, path.next()?);
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if path.next().is_some() || id != "id" || !is_id(organization) || !is_id(user) {
        return None;
    }
    let is_subject = gathered
        .text("sub")
        .and_then(|sub| Url::parse(sub).ok())
        .is_some_and(|sub| sub.path() == url.path());
    let is_named = gathered.text("organization_id") == Some(organization)
        && gathered.text("user_id") == Some(user);
    let user = user.to_owned();
    (is_subject || is_named).then_some((url, user))
}

/// The same page at the issuer's own origin, if that is another one.
fn at_issuer(issuer: &str, url: &Url) -> Option<Url> {
    let mut own = Url::parse(issuer).ok()?;
    own.set_path(url.path());
    own.set_query(None);
    (own.origin() != url.origin()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Source;
    use serde_json::json;

    const ISSUER: &str = "https://example.my.salesforce.com";
    const PATH: &str = "/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV";

    #[track_caller]
    fn check(claimed: &str, claims: &Value, allowed: bool) {
        let gathered = Gathered::new(Source::IdToken, claims.as_object().unwrap().clone());
        let found = address(ISSUER, claimed, &gathered);
        assert_eq!(found.is_some(), allowed, "{claimed}: {found:?}");
    }

    #[test]
    fn the_persons_own_page_at_a_known_host_is_asked() {
        let subject = json!({"sub": format!("https://login.salesforce.com{PATH}")});
        for host in [
            ISSUER,
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            "https://login.salesforce.com:443",
        ] {
            check(&format!("{host}{PATH}"), &subject, true);
        }
        let named = json!({
            "sub": "opaque",
            "organization_id": "00D5g00000CzPcjEAF",
            "user_id": "0055g00000GkVvZAAV",
        });
        check(&format!("{ISSUER}{PATH}"), &named, true);
    }

    #[test]
    fn no_other_host_and_no_other_page_gets_the_token() {
        let subject = json!({"sub": format!("https://login.salesforce.com{PATH}")});
        for claimed in [
            format!("https://evil.example{PATH}"),
            format!("http://login.salesforce.com{PATH}"),
            format!("https://login.salesforce.com.evil.example{PATH}"),
            format!("https://login.salesforce.com:8443{PATH}"),
            format!("https://login.salesforce.com@evil.example{PATH}"),
            format!("https://x:y@login.salesforce.com{PATH}"),
            format!("https://other.my.salesforce.com{PATH}"),
            format!("https://login.salesforce.com{PATH}/"),
            format!("https://login.salesforce.com{PATH}?callback=x"),
            format!("https://login.salesforce.com{PATH}#x"),
            "https://login.salesforce.com/id/00D5g00000CzPcjEAF/0055g00000OTHERAAV".to_owned(),
            "https://login.salesforce.com/services/data/00D5g00000CzPcjEAF".to_owned(),
            "/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV".to_owned(),
            String::new(),
        ] {
            check(&claimed, &subject, false);
        }
        // A subject that is a page, but not that one.
        let page = "https://login.salesforce.com/services/oauth2/revoke";
        check(page, &json!({"sub": page}), false);
        check(&format!("{ISSUER}{PATH}"), &json!({}), false);
    }

    #[test]
    fn a_redirect_leads_to_the_issuer_and_nowhere_else() {
        let url = |text: &str| Url::parse(text).unwrap();
        let general = url(&format!("https://login.salesforce.com{PATH}"));
        let own = url(&format!("{ISSUER}{PATH}"));
        assert_eq!(at_issuer(ISSUER, &general), Some(own.clone()));
        assert_eq!(at_issuer(ISSUER, &own), None);
    }
}
