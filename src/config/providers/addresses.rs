//! Where a provider is: its issuer, its discovery document and its endpoints.

use crate::config::address::{is_loopback, web_address};
use crate::config::presets::Preset;
use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{Read, Section};
use crate::config::values::{Chosen, all};
use crate::config::{Endpoints, Origin, Protocol, Userinfo};
use url::Url;

/// The addresses of a provider, which depend on each other.
pub(super) struct Addresses {
    pub(super) issuer: String,
    pub(super) discovery_url: Option<Url>,
    pub(super) endpoints: Endpoints,
    pub(super) userinfo: Userinfo,
}

pub(super) fn read(section: &Section<'_>, preset: &Preset, insecure_http: bool) -> Read<Addresses> {
    let given = |name, default: Option<&str>| {
        let written = section.parse_if(name, |text| endpoint(text, insecure_http))?;
        Ok(written.or_else(|| default.and_then(|text| Url::parse(text).ok())))
    };
    let authorization = given("authorization_endpoint", preset.authorization_endpoint);
    let token = given("token_endpoint", preset.token_endpoint);
    let userinfo = given("userinfo_endpoint", preset.userinfo_endpoint);
    let jwks_uri = given("jwks_uri", None);
    let end_session = given("end_session_endpoint", None);
    let discovery_url = given("discovery_url", None);
    let issuer = section.parse_if("issuer", |text| issuer(text, preset, insecure_http));
    let fetch = section.find::<Chosen<Userinfo>>("userinfo");

    let endpoints = Endpoints {
        authorization: authorization?,
        token: token?,
        userinfo: userinfo?,
        jwks_uri: jwks_uri?,
        end_session: end_session?,
    };
    let (discovery_url, issuer) = (discovery_url?, issuer?);
    let fetch = fetch?.map_or(preset.userinfo, |Chosen(fetch)| fetch);
    match preset.protocol {
        Protocol::Oidc => oidc(section, endpoints, discovery_url, issuer, fetch),
        Protocol::OAuth2 => oauth2(section, endpoints, issuer, fetch),
    }
}

fn oidc(
    section: &Section<'_>,
    endpoints: Endpoints,
    discovery_url: Option<Url>,
    issuer: Option<String>,
    userinfo: Userinfo,
) -> Read<Addresses> {
    let issuer = issuer.ok_or_else(|| section.missing("issuer"))?;
    if userinfo == Userinfo::Off {
        section.useless("userinfo_endpoint", "userinfo is \"off\"")?;
    }
    let by_hand = endpoints.authorization.is_some()
        && endpoints.token.is_some()
        && endpoints.jwks_uri.is_some();
    let discovery_url = if by_hand {
        section.useless(
            "discovery_url",
            "authorization_endpoint, token_endpoint and jwks_uri are given",
        )?;
        if userinfo == Userinfo::Required && endpoints.userinfo.is_none() {
            return Err(section.missing("userinfo_endpoint"));
        }
        None
    } else {
        // OpenID Connect Discovery §4: a slash at the end of the issuer goes first. The issuer
        // itself keeps it.
        let address = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        discovery_url.or_else(|| Url::parse(&address).ok())
    };
    Ok(Addresses {
        issuer,
        discovery_url,
        endpoints,
        userinfo,
    })
}

fn oauth2(
    section: &Section<'_>,
    endpoints: Endpoints,
    issuer: Option<String>,
    userinfo: Userinfo,
) -> Read<Addresses> {
    let need = |name, there: bool| match there {
        true => Ok(()),
        false => Err(section.missing(name)),
    };
    let needed = [
        need("authorization_endpoint", endpoints.authorization.is_some()),
        need("token_endpoint", endpoints.token.is_some()),
        need("userinfo_endpoint", endpoints.userinfo.is_some()),
    ];
    all(needed)?;
    if userinfo != Userinfo::Required {
        return Err(section.spot_of("userinfo").problem(mistake(
            "plain OAuth 2.0 learns from userinfo alone who it is",
            "remove this line",
        )));
    }
    let origin = endpoints
        .authorization
        .as_ref()
        .map(|url| Origin::of(url).text);
    Ok(Addresses {
        issuer: issuer.or(origin).unwrap_or_default(),
        discovery_url: None,
        endpoints,
        userinfo,
    })
}

fn endpoint(text: &str, insecure_http: bool) -> Result<Url, Mistake> {
    let url = web_address(text)?;
    if url.scheme() == "http" && !is_loopback(&url) && !insecure_http {
        return Err(mistake(
            format!("{} must use https", quoted(text)),
            "write https; or, if nobody can be in between, set insecure_http = true for this provider",
        ));
    }
    Ok(url)
}

fn issuer(text: &str, preset: &Preset, insecure_http: bool) -> Result<String, Mistake> {
    let url = endpoint(text, insecure_http)?;
    if url.query().is_some() {
        return Err(mistake(
            format!("{} has a query", quoted(text)),
            "write the issuer as the discovery document spells it",
        ));
    }
    if text.ends_with("/.well-known/openid-configuration") {
        return Err(mistake(
            format!("{} is the address of the discovery document", quoted(text)),
            "the issuer is what stands before /.well-known/",
        ));
    }
    let host = url.host_str().unwrap_or_default();
    if preset.name == "salesforce" && host.ends_with(".lightning.force.com") {
        // The document is served there, but the issuer in it is another, so every token would fail.
        let domain = host.trim_end_matches(".lightning.force.com");
        return Err(mistake(
            format!(
                "{} is Salesforce's page address, not an issuer",
                quoted(text)
            ),
            format!("write the My Domain address: \"https://{domain}.my.salesforce.com\""),
        ));
    }
    if preset.name == "salesforce" && matches!(host, "login.salesforce.com" | "test.salesforce.com")
    {
        // Tokens name the organization's own address, and this host serves every organization.
        return Err(mistake(
            format!("{} serves every organization", quoted(text)),
            "write your My Domain address, such as \"https://example.my.salesforce.com\"",
        ));
    }
    Ok(text.to_owned())
}
