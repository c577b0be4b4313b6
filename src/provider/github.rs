//! GitHub tells a person's addresses, organizations and teams in calls of their own, beside the
//! profile (`…/user`), on github.com and on an Enterprise server alike.
//!
//! An organization that restricts OAuth apps, and has not approved this one, is not in the lists;
//! GitHub does not say so.

use super::Source;
use super::error::Error;
use super::fetch::Http;
use super::further::texts;
use super::gathered::Gathered;
use super::pages::List;
use super::said::Call;
use crate::telemetry::chain;
use http::HeaderValue;
use serde_json::{Map, Value};
use url::Url;

/// Puts the primary address, if GitHub says that it is verified, in place of the profile's, which is
/// `null` unless its owner publishes it, and says nothing of being verified. Without the scope
/// `user:email` GitHub refuses, and then there is no address: whoever needs one refuses later and
/// says so.
pub(super) async fn add_email(
    http: &Http,
    profile: &Url,
    bearer: &HeaderValue,
    gathered: &mut Gathered,
) {
    gathered.remove("email");
    gathered.remove("email_verified");
    let url = beside(profile, "emails");
    let list = List {
        call: Call::Emails,
        url: &url,
        scope: "user:email",
    };
    match list.fetch(http, bearer).await {
        Ok(entries) => {
            if let Some(address) = primary(&entries) {
                let mut claims = Map::new();
                claims.insert("email".to_owned(), address.into());
                claims.insert("email_verified".to_owned(), true.into());
                gathered.add(Source::Emails, claims);
            }
        }
        Err(error) => tracing::warn!(
            error = chain(&error),
            "github does not tell the person's e-mail addresses"
        ),
    }
}

fn primary(entries: &[Value]) -> Option<&str> {
    let is = |entry: &Value, what| entry.get(what) == Some(&Value::Bool(true));
    entries
        .iter()
        .find(|entry| is(entry, "primary") && is(entry, "verified"))?
        .get("email")?
        .as_str()
}

/// The names of the organizations that the person belongs to.
pub(super) async fn organizations(
    http: &Http,
    profile: &Url,
    bearer: &HeaderValue,
) -> Result<Value, Error> {
    let call = Call::Organizations;
    let entries = list(call, http, &beside(profile, "orgs"), bearer).await?;
    texts(&entries, login, || Error::EntryUnreadable { call })
}

/// The person's teams, each as `organization/team`, by the names that stand in addresses.
pub(super) async fn teams(
    http: &Http,
    profile: &Url,
    bearer: &HeaderValue,
) -> Result<Value, Error> {
    let call = Call::Teams;
    let entries = list(call, http, &beside(profile, "teams"), bearer).await?;
    let name = |team: &Value| {
        let organization = login(team.get("organization")?)?;
        let slug = team.get("slug")?.as_str()?;
        Some(format!("{organization}/{slug}"))
    };
    texts(&entries, name, || Error::EntryUnreadable { call })
}

async fn list(
    call: Call,
    http: &Http,
    url: &Url,
    bearer: &HeaderValue,
) -> Result<Vec<Value>, Error> {
    let list = List {
        call,
        url,
        scope: "read:org",
    };
    list.fetch(http, bearer).await
}

fn login(organization: &Value) -> Option<String> {
    organization.get("login")?.as_str().map(str::to_owned)
}

fn beside(profile: &Url, name: &str) -> Url {
    let mut url = profile.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(name);
    }
    url.set_query(Some("per_page=100"));
    url
}
