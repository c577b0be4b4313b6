//! `fetch`: what is asked about a person besides, and where.

use crate::config::address::{is_loopback, web_address};
use crate::config::presets::Preset;
use crate::config::problems::{mistake, quoted};
use crate::config::reader::{At, Read, Section};
use crate::config::values::{Chosen, all};
use crate::config::{Claims, Fetch, Protocol, Reference, Requirement};
use url::Url;

/// The calls: those of the file, or those of the preset and those that other keys make necessary.
pub(super) fn read(
    section: &Section<'_>,
    preset: &Preset,
    require: &[Requirement],
    claims: Option<&Claims>,
) -> Read<Vec<Fetch>> {
    let required = |claim: &str| {
        let mut names = require.iter().map(|requirement| requirement.claim.as_str());
        names.any(|name| name.split('.').next() == Some(claim))
    };
    let Some(written) = section.find::<Vec<At<'_, Chosen<Fetch>>>>("fetch")? else {
        let grouped = |claim| claims.is_some_and(|claims| gives_groups(claims, claim));
        let wanted = preset.fetch_for.iter();
        let wanted = wanted.filter(|(claim, _)| required(claim) || grouped(claim));
        let wanted = wanted.map(|(_, fetch)| *fetch);
        return Ok(preset.fetch.iter().copied().chain(wanted).collect());
    };
    let mut fetches: Vec<Fetch> = Vec::with_capacity(written.len());
    all(written.iter().map(|fetch| {
        fetch.check(|Chosen(fetch)| {
            let name = fetch.name();
            if fetches.contains(fetch) {
                let what = format!("{} stands there twice", quoted(name));
                return Err(mistake(what, "remove one of the two"));
            }
            if fetch.protocol() != preset.protocol {
                let other = match preset.protocol {
                    Protocol::Oidc => "OpenID Connect",
                    Protocol::OAuth2 => "plain OAuth 2.0",
                };
                let what = format!("{} is no call of a provider of {other}", quoted(name));
                return Err(mistake(what, "remove it"));
            }
            fetches.push(*fetch);
            Ok(())
        })
    }))?;
    let forgotten = preset.fetch_for.iter();
    let mut forgotten =
        forgotten.filter(|(claim, fetch)| required(claim) && !fetches.contains(fetch));
    if let Some((claim, fetch)) = forgotten.next() {
        return Err(section.spot_of("fetch").problem(mistake(
            format!(
                "lacks {}, without which nobody has the claim {} that [providers.require] asks for",
                quoted(fetch.name()),
                quoted(claim)
            ),
            "add it, or remove the line: the calls that are needed are made then",
        )));
    }
    Ok(fetches)
}

/// Whether the groups are looked for in this claim.
fn gives_groups(claims: &Claims, claim: &str) -> bool {
    claims.groups.iter().any(|mapping| match &mapping.from {
        Reference::Claim(path) => path == claim || path.split('.').next() == Some(claim),
        Reference::Pointer(pointer) => pointer.split('/').nth(1) == Some(claim),
        // Once too often costs a call, and not at all costs the groups.
        Reference::JmesPath(expression) => expression.as_str().contains(claim),
    })
}

/// Where Microsoft Graph is.
pub(super) fn graph_url(section: &Section<'_>, fetch: Option<&[Fetch]>) -> Read<Url> {
    let written = section.parse_if("graph_url", |text| {
        let url = web_address(text)?;
        // Somebody's access token goes there, whatever `insecure_http` says of the provider.
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(mistake(
                format!("{} must use https", quoted(text)),
                "write https",
            ));
        }
        if url.query().is_some() {
            return Err(mistake(
                format!("{} has a query", quoted(text)),
                "remove everything from the \"?\" on",
            ));
        }
        Ok(url)
    })?;
    if fetch.is_some_and(|fetch| !fetch.contains(&Fetch::GraphGroups)) {
        section.useless("graph_url", "fetch does not name \"graph_groups\"")?;
    }
    Ok(written.unwrap_or_else(crate::config::graph_url))
}
