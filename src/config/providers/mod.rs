//! `[[providers]]`

mod addresses;
mod claims;
mod client_auth;
mod fetch;
mod refresh;
mod request;
mod require;
mod table;
mod tokens;
mod trials;

#[cfg(test)]
mod tests;

pub(super) use table::TABLE;

use super::presets::Preset;
use super::problems::{Mistake, mistake, quoted};
use super::reader::{Read, Section};
use super::values::{Chosen, all};
use super::{EmailTrust, LogoutStyle, Protocol, Provider, ResponseMode, Users, icon, keys};

pub(super) fn read(
    root: &Section<'_>,
    users: Option<&Users>,
    sign_in: Option<bool>,
) -> Read<Vec<Provider>> {
    let tables = root.tables("providers")?;
    if tables.is_empty() && sign_in == Some(true) {
        return Err(root.spot_of("providers").problem(mistake(
            "is missing: nobody could sign in",
            "add [[providers]] with id, preset, issuer, client_id and client_secret, or set \
             sign_in.enabled = false",
        )));
    }
    let mut ids = Vec::with_capacity(tables.len());
    all(tables.iter().map(|table| provider(table, &mut ids, users)))
}

fn provider(section: &Section<'_>, ids: &mut Vec<String>, users: Option<&Users>) -> Read<Provider> {
    let id = section.parse("id", |text| id(text, ids));
    if let Ok(id) = &id {
        ids.push(id.clone());
    }
    // What else is right depends on the preset.
    let Chosen(preset) = section.get::<Chosen<&'static Preset>>("preset")?;
    let name = section.parse_if("name", label);
    let icon = icon::read(section, "icon", preset.icon);
    let client_id = section.parse("client_id", client_id);
    let client_auth = client_auth::read(section, preset);
    let expires_on = client_auth::expires_on(section, client_auth.as_ref().ok());
    let insecure_http = section.get::<bool>("insecure_http");
    let addresses = addresses::read(section, preset, *insecure_http.as_ref().unwrap_or(&false));
    let pkce = request::pkce(section, client_auth.as_ref().ok());
    let extra_params = request::extra_params(section);
    let response_mode = section.find::<Chosen<ResponseMode>>("response_mode");
    let signing_algs = tokens::signing_algs(section, client_auth.as_ref().ok());
    let extra_audiences = tokens::extra_audiences(section, preset, client_id.as_deref().ok());
    let nonce = tokens::nonce(section, preset, pkce.as_ref().ok().copied());
    let email_trust = section.find::<Chosen<EmailTrust>>("email_trust");
    let subject_claim = section.parse_if("subject_claim", |text| match text {
        "" => Err(mistake("is empty", "name the claim, usually \"sub\"")),
        text => Ok(text.to_owned()),
    });
    let logout = logout(section);
    let logout_style = section.find::<Chosen<LogoutStyle>>("logout_style");
    let refresh = section.find::<bool>("refresh");
    let ca_file = keys::certificates(section, "ca_file");
    let claims = claims::read(&section.table("claims"), &preset.claims, users);
    let require = require::read(section);
    let known_claims = claims.as_ref().ok();
    let fetch = fetch::read(
        section,
        preset,
        require.as_deref().unwrap_or(&[]),
        known_claims,
    );
    let graph_url = fetch::graph_url(section, fetch.as_deref().ok());
    let scopes = request::scopes(
        section,
        preset,
        client_id.as_deref().unwrap_or_default(),
        addresses.as_ref().map_or("", |addresses| &addresses.issuer),
        fetch.as_deref().unwrap_or_default(),
    );
    let limited = match (&addresses, &require) {
        (Ok(addresses), Ok(require)) => {
            require::warn(section, preset, &addresses.issuer, require, users);
            require::check(section, preset, &addresses.issuer, require)
        }
        _ => Ok(()),
    };
    let trials = trials::read(section);
    let useful = oidc_only(section, preset);

    let insecure_http = insecure_http?;
    if insecure_http {
        section
            .spot_of("insecure_http")
            .warn("true: whoever is between the gateway and this provider can become anybody");
    }
    useful?;
    limited?;
    let addresses = addresses?;
    let id = id?;
    let (mut scopes, mut extra_params) = (scopes?, extra_params?);
    let refresh = refresh::ask(preset, refresh?, &mut scopes, &mut extra_params);
    Ok(Provider {
        preset: preset.name,
        name: name?.unwrap_or_else(|| preset.label.unwrap_or(&id).to_owned()),
        id,
        icon: icon?,
        protocol: preset.protocol,
        issuer: addresses.issuer,
        discovery_url: addresses.discovery_url,
        endpoints: addresses.endpoints,
        userinfo: addresses.userinfo,
        client_id: client_id?,
        client_auth: client_auth?,
        client_secret_expires_on: expires_on?,
        scopes,
        pkce: pkce?,
        extra_params,
        ca_file: ca_file?,
        logout: logout?,
        logout_style: logout_style?.map_or(preset.logout_style, |Chosen(style)| style),
        logout_returns: preset.logout_returns,
        refresh,
        signing_algs: signing_algs?,
        response_mode: response_mode?.map_or(preset.response_mode, |Chosen(mode)| mode),
        extra_audiences: extra_audiences?,
        subject_claim: subject_claim?.unwrap_or_else(|| preset.subject_claim.to_owned()),
        insecure_http,
        claims: claims?,
        issuer_aliases: addresses.issuer_aliases,
        nonce: nonce?,
        fetch: fetch?,
        graph_url: graph_url?,
        email_trust: email_trust?.map_or(preset.email_trust, |Chosen(trust)| trust),
        require: require?,
        tests: trials?,
    })
}

fn id(text: &str, taken: &[String]) -> Result<String, Mistake> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !(1..=32).contains(&text.len()) || !text.bytes().all(plain) {
        return Err(mistake(
            format!("{} cannot be in an address", quoted(text)),
            "1 to 32 of the letters a-z, digits, - and _",
        ));
    }
    if taken.iter().any(|id| id == text) {
        return Err(mistake(
            format!("{} is also the id of another provider", quoted(text)),
            "give each provider an id of its own",
        ));
    }
    Ok(text.to_owned())
}

fn label(text: &str) -> Result<String, Mistake> {
    match text.trim() {
        "" => Err(mistake("is empty", "remove the line for the preset's name")),
        _ if text.chars().nth(64).is_some() => Err(mistake(
            "is longer than 64 characters",
            "a button needs a short name",
        )),
        _ => Ok(text.to_owned()),
    }
}

fn client_id(text: &str) -> Result<String, Mistake> {
    // RFC 6749 appendix A.1: visible ASCII and the space.
    match text {
        "" => Err(mistake(
            "is empty",
            "write the client identifier that the provider shows for the registered application",
        )),
        _ if text.trim() != text || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
            Err(mistake(
                format!("{} is not a client identifier", quoted(text)),
                "copy it again; there is white space at an end, or a character beyond ASCII",
            ))
        }
        text => Ok(text.to_owned()),
    }
}

fn logout(section: &Section<'_>) -> Read<bool> {
    let logout = section.get::<bool>("logout")?;
    if !logout {
        let names = ["end_session_endpoint", "logout_style"];
        all(names.map(|name| section.useless(name, "logout is false")))?;
    }
    Ok(logout)
}

/// Keys that mean nothing without an ID token.
fn oidc_only(section: &Section<'_>, preset: &Preset) -> Read<()> {
    if preset.protocol == Protocol::Oidc {
        return Ok(());
    }
    let names = [
        "discovery_url",
        "jwks_uri",
        "signing_algs",
        "extra_audiences",
        "issuer_aliases",
        "nonce",
        "logout_style",
    ];
    let why = "plain OAuth 2.0 has no ID token and no discovery";
    all(names.map(|name| section.useless(name, why))).map(drop)
}
