//! Where a provider is: its issuer, its discovery document and its endpoints.

use crate::config::address::{is_loopback, web_address};
use crate::config::presets::{Discovery, Issuer, Preset};
use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{Read, Section};
use crate::config::values::{Chosen, all};
use crate::config::{Endpoints, Origin, Protocol, Userinfo};
use url::Url;

/// What stands for the tenant in the issuer of Microsoft's discovery document for several.
pub(super) const TENANT: &str = "{tenantid}";

/// The addresses of a provider, which depend on each other.
pub(super) struct Addresses {
    pub(super) issuer: String,
    pub(super) issuer_aliases: Vec<String>,
    pub(super) discovery_url: Option<Url>,
    pub(super) endpoints: Endpoints,
    pub(super) userinfo: Userinfo,
}

pub(super) fn read(section: &Section<'_>, preset: &Preset, insecure_http: bool) -> Read<Addresses> {
    let written = section.parse_if("issuer", |text| issuer(text, preset, insecure_http));
    let known = match (&written, preset.issuer) {
        (Ok(Some(issuer)), _) => Some(issuer.as_str()),
        // Plain OAuth 2.0 at an address of one's own is not the vendor's.
        (Ok(None), Issuer::Fixed(_))
            if preset.protocol == Protocol::OAuth2 && section.says("authorization_endpoint") =>
        {
            None
        }
        (Ok(None), Issuer::Fixed(issuer)) => Some(issuer),
        _ => None,
    };
    let given = |name, default: Option<&str>| {
        let written = section.parse_if(name, |text| endpoint(text, insecure_http))?;
        Ok(written.or_else(|| below(default?, known)))
    };
    let authorization = given("authorization_endpoint", preset.authorization_endpoint);
    let token = given("token_endpoint", preset.token_endpoint);
    let userinfo = given("userinfo_endpoint", preset.userinfo_endpoint);
    let jwks_uri = given("jwks_uri", None);
    let end_session = given("end_session_endpoint", None);
    let discovery_url = given("discovery_url", None);
    let fetch = section.find::<Chosen<Userinfo>>("userinfo");
    let issuer_aliases = issuer_aliases(section, preset, known);

    let endpoints = Endpoints {
        authorization: authorization?,
        token: token?,
        userinfo: userinfo?,
        jwks_uri: jwks_uri?,
        end_session: end_session?,
    };
    let issuer = known.map(str::to_owned);
    written?;
    let addresses = Addresses {
        issuer: issuer.unwrap_or_default(),
        issuer_aliases: issuer_aliases?,
        discovery_url: discovery_url?,
        endpoints,
        userinfo: fetch?.map_or(preset.userinfo, |Chosen(fetch)| fetch),
    };
    match preset.protocol {
        Protocol::Oidc => oidc(section, preset, addresses),
        Protocol::OAuth2 => oauth2(section, preset, addresses),
    }
}

fn oidc(section: &Section<'_>, preset: &Preset, addresses: Addresses) -> Read<Addresses> {
    let Addresses {
        issuer,
        endpoints,
        userinfo,
        discovery_url,
        ..
    } = &addresses;
    if issuer.is_empty() {
        return Err(missing_issuer(section, preset));
    }
    if *userinfo == Userinfo::Off {
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
        if *userinfo == Userinfo::Required && endpoints.userinfo.is_none() {
            return Err(section.missing("userinfo_endpoint"));
        }
        None
    } else {
        match (discovery_url, preset.discovery) {
            (Some(url), _) => Some(url.clone()),
            (None, Discovery::BelowIssuer) => discovery_below(issuer),
            (None, Discovery::Elsewhere(example)) => {
                let example = format!("\"{example}\"");
                return Err(section.missing_such_as("discovery_url", &example));
            }
        }
    };
    Ok(Addresses {
        discovery_url,
        ..addresses
    })
}

/// OpenID Connect Discovery §4: a slash at the end of the issuer goes first. The issuer itself keeps
/// it. Microsoft's document for several tenants is that of `organizations`.
fn discovery_below(issuer: &str) -> Option<Url> {
    let issuer = issuer.replace(TENANT, "organizations");
    let issuer = issuer.trim_end_matches('/');
    Url::parse(&format!("{issuer}/.well-known/openid-configuration")).ok()
}

fn oauth2(section: &Section<'_>, preset: &Preset, addresses: Addresses) -> Read<Addresses> {
    let endpoints = &addresses.endpoints;
    let known = [
        ("authorization_endpoint", endpoints.authorization.is_some()),
        ("token_endpoint", endpoints.token.is_some()),
        ("userinfo_endpoint", endpoints.userinfo.is_some()),
    ];
    let unknown = known.iter().filter(|(_, there)| !there);
    if preset.is_below_issuer() && addresses.issuer.is_empty() && unknown.clone().count() > 0 {
        return Err(missing_issuer(section, preset));
    }
    all(unknown.map(|(name, _)| Err::<(), _>(section.missing(name))))?;
    if addresses.issuer.contains(TENANT) {
        return Err(section.spot_of("issuer").problem(mistake(
            format!("plain OAuth 2.0 has no token that could name the {TENANT}"),
            "write the provider's address, or remove this line",
        )));
    }
    if addresses.userinfo != Userinfo::Required {
        return Err(section.spot_of("userinfo").problem(mistake(
            "plain OAuth 2.0 learns from userinfo alone who it is",
            "remove this line",
        )));
    }
    let origin = || {
        let authorization = endpoints.authorization.as_ref();
        authorization.map(|url| Origin::of(url).text)
    };
    let issuer = match addresses.issuer.as_str() {
        "" => origin().unwrap_or_default(),
        issuer => issuer.to_owned(),
    };
    Ok(Addresses {
        issuer,
        ..addresses
    })
}

fn missing_issuer(section: &Section<'_>, preset: &Preset) -> crate::config::reader::Reported {
    let example = preset.issuer_example().unwrap_or("https://idp.example.com");
    section.missing_such_as("issuer", &format!("\"{example}\""))
}

/// A preset's endpoint: an address, or a path below the issuer.
fn below(endpoint: &str, issuer: Option<&str>) -> Option<Url> {
    match endpoint.starts_with('/') {
        true => Url::parse(&format!("{}{endpoint}", issuer?.trim_end_matches('/'))).ok(),
        false => Url::parse(endpoint).ok(),
    }
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
    if text.replacen(TENANT, "", 1).contains(['{', '}']) {
        return Err(mistake(
            format!("{} has braces", quoted(text)),
            format!("only {TENANT} can stand in braces, and once"),
        ));
    }
    // Compared byte for byte with what tokens say, so a slash is not added in silence.
    let slash = |example: &str| example.ends_with('/');
    if preset.issuer_example().is_some_and(slash) && !slash(text) {
        return Err(mistake(
            format!(
                "{} lacks the slash at the end that these issuers have",
                quoted(text)
            ),
            format!("write {}", quoted(&format!("{text}/"))),
        ));
    }
    if preset.name == "salesforce"
        && let Some(domain) = url
            .host_str()
            .and_then(|host| host.strip_suffix(".lightning.force.com"))
    {
        // The document is served there, but the issuer in it is another, so every token would fail.
        return Err(mistake(
            format!(
                "{} is Salesforce's page address, not an issuer",
                quoted(text)
            ),
            format!("write the My Domain address: \"https://{domain}.my.salesforce.com\""),
        ));
    }
    Ok(text.to_owned())
}

fn issuer_aliases(
    section: &Section<'_>,
    preset: &Preset,
    issuer: Option<&str>,
) -> Read<Vec<String>> {
    if !section.says("issuer_aliases") {
        // What is known of the vendor's own issuer says nothing about another.
        let own = matches!(preset.issuer, Issuer::Fixed(fixed) if issuer == Some(fixed));
        let aliases = if own { preset.issuer_aliases } else { &[] };
        return Ok(aliases.iter().map(|&alias| alias.to_owned()).collect());
    }
    section.parse_each("issuer_aliases", |text| match text {
        text if Some(text) == issuer => Err(mistake(
            format!("{} is the issuer itself", quoted(text)),
            "remove it",
        )),
        text if text.is_empty()
            || text.contains(|c: char| c.is_whitespace() || "{}".contains(c)) =>
        {
            Err(mistake(
                format!("{} is not an issuer", quoted(text)),
                "write it byte for byte as the tokens spell it",
            ))
        }
        text => Ok(text.to_owned()),
    })
}
