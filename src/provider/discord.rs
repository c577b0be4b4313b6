//! Discord tells the servers ("guilds") that a person is on in a call of its own.

use super::error::Error;
use super::fetch::Http;
use super::further::texts;
use super::pages::List;
use super::said::Call;
use http::HeaderValue;
use serde_json::Value;
use url::Url;

/// The identifiers of the guilds, as text: names are neither unique nor lasting.
pub(super) async fn guilds(
    http: &Http,
    profile: &Url,
    bearer: &HeaderValue,
) -> Result<Value, Error> {
    let call = Call::Guilds;
    let url = address(profile);
    let list = List {
        call,
        url: &url,
        scope: "guilds",
    };
    let entries = list.fetch(http, bearer).await?;
    let id = |guild: &Value| guild.get("id")?.as_str().map(str::to_owned);
    texts(&entries, id, || Error::EntryUnreadable { call })
}

/// Beside the profile `…/users/@me`; for a userinfo address of another shape, at Discord's own place
/// on the same host. One page holds as many guilds as a person can be on.
fn address(profile: &Url) -> Url {
    let mut url = profile.clone();
    if !url.path().ends_with("/users/@me") {
        url.set_path("/api/users/@me");
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.push("guilds");
    }
    url.set_query(Some("limit=200"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guilds_are_found_from_either_profile() {
        for (profile, expected) in [
            (
                "https://discord.com/api/v10/users/@me",
                "https://discord.com/api/v10/users/@me/guilds?limit=200",
            ),
            (
                "https://discord.com/api/oauth2/userinfo?x=1",
                "https://discord.com/api/users/@me/guilds?limit=200",
            ),
        ] {
            let profile = Url::parse(profile).unwrap();
            assert_eq!(address(&profile).as_str(), expected);
        }
    }
}
