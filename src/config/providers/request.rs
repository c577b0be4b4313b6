//! What the authorization request asks for.

use crate::config::presets::{CLIENT_ID, Preset};
use crate::config::problems::{mistake, quoted};
use crate::config::reader::{At, Read, Section};
use crate::config::values::{Map, all, each_once};
use crate::config::{ClientAuth, Fetch, Protocol};
use std::collections::BTreeMap;

/// The scopes: those of the file, or those of the preset and those that `fetch` needs.
pub(super) fn scopes(
    section: &Section<'_>,
    preset: &Preset,
    client_id: &str,
    issuer: &str,
    fetch: &[Fetch],
) -> Read<Vec<String>> {
    let Some(written) = section.find::<Vec<At<'_, String>>>("scopes")? else {
        let known = match preset.scopes_at {
            Some((part, scopes)) if issuer.contains(part) => scopes,
            _ => preset.scopes,
        };
        let mut scopes: Vec<&str> = Vec::with_capacity(known.len() + fetch.len());
        for scope in known
            .iter()
            .copied()
            .chain(fetch.iter().map(|fetch| fetch.scope()))
        {
            let scope = if scope == CLIENT_ID { client_id } else { scope };
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        return Ok(scopes.into_iter().map(str::to_owned).collect());
    };
    let scopes = each_once(written, |scope| {
        // RFC 6749 §3.3.
        let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        match !scope.is_empty() && scope.bytes().all(token) {
            true => Ok(scope.to_owned()),
            false => Err(mistake(
                format!("{} is not a scope", quoted(scope)),
                "one scope a string, without spaces",
            )),
        }
    })?;
    if preset.protocol == Protocol::Oidc && !scopes.iter().any(|scope| scope == "openid") {
        return Err(section.spot_of("scopes").problem(mistake(
            "lacks \"openid\": the provider would send no ID token",
            "add \"openid\", or take preset = \"oauth2\" if this is no OpenID Connect provider",
        )));
    }
    Ok(scopes)
}

pub(super) fn pkce(section: &Section<'_>, auth: Option<&ClientAuth>) -> Read<bool> {
    let pkce = section.get::<bool>("pkce")?;
    if pkce {
        return Ok(true);
    }
    let spot = section.spot_of("pkce");
    if matches!(auth, Some(ClientAuth::None)) {
        // RFC 9700 §2.1.1.
        return Err(spot.problem(mistake(
            "false leaves nothing that proves who redeems the code: client_auth is \"none\"",
            "remove this line, or give the client a secret",
        )));
    }
    spot.warn("false: a stolen authorization code is worth more");
    Ok(false)
}

/// Parameters of the request that the gateway sets itself, or that would change what it checks:
/// RFC 6749, RFC 7636, RFC 9101, RFC 9449, OpenID Connect Core.
const PROTOCOL_PARAMS: &[&str] = &[
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "dpop_jkt",
    "grant_type",
    "id_token_hint",
    "iss",
    "login_hint",
    "nonce",
    "redirect_uri",
    "registration",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

pub(super) fn extra_params(section: &Section<'_>) -> Read<BTreeMap<String, String>> {
    let Some(Map(params)) = section.find("extra_params")? else {
        return Ok(BTreeMap::new());
    };
    let params = all(params.into_iter().map(|(name, value)| {
        value.check(|_| {
            if PROTOCOL_PARAMS.contains(&name.as_str()) {
                return Err(mistake(
                    format!("{} is set by the gateway", quoted(&name)),
                    match name.as_str() {
                        "scope" => "use the key scopes",
                        "response_mode" => "use the key response_mode",
                        _ => "remove it",
                    },
                ));
            }
            if name.is_empty() {
                return Err(mistake("the name is empty", "remove it"));
            }
            Ok(())
        })?;
        Ok((name, value.value))
    }))?;
    Ok(params.into_iter().collect())
}
