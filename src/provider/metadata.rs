//! What a provider says about itself (OpenID Connect Discovery §3, RFC 8414), read leniently where
//! nothing depends on it, and strictly where something does.

use super::algorithm;
use super::error::Error;
use super::said::printable;
use crate::config::{self, Algorithm, LogoutStyle, Protocol, Userinfo};
use serde_json::{Map, Value};
use url::{Host, Url};

/// A provider's endpoints and promises: those configured, and those discovered where none are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) jwks: Option<Url>,
    pub(super) end_session: Option<EndSession>,
    /// Every authorization response carries `iss` (RFC 9207 §3).
    pub(super) promises_response_issuer: bool,
    /// What may sign the ID token: allowed by the configuration and offered by the provider.
    pub(super) id_token_algorithms: Vec<Algorithm>,
    /// What may sign userinfo.
    pub(super) userinfo_algorithms: Vec<Algorithm>,
    /// How clients may authenticate, if the provider says so.
    pub(super) client_auth_methods: Option<Vec<String>>,
}

impl Metadata {
    /// The metadata of a provider without discovery.
    pub(super) fn from_config(config: &config::Provider) -> Result<Self, Error> {
        Self::build(config, &Map::new(), None)
    }

    /// The metadata in a discovery document. The issuer must be the configured one, byte for byte
    /// (OpenID Connect Discovery §4.3).
    pub(super) fn from_document(
        config: &config::Provider,
        document: &Map<String, Value>,
        fetched_from: &Url,
    ) -> Result<Self, Error> {
        let expected = config.issuer.clone();
        match document.get("issuer").and_then(Value::as_str) {
            None => return Err(Error::DiscoveryIssuerMissing { expected }),
            Some(found) if found != expected => {
                return Err(Error::DiscoveryIssuerMismatch {
                    expected,
                    found: printable(found),
                });
            }
            Some(_) => {}
        }
        Self::build(config, document, Some(fetched_from))
    }

    fn build(
        config: &config::Provider,
        document: &Map<String, Value>,
        base: Option<&Url>,
    ) -> Result<Self, Error> {
        // An endpoint that is given by hand was checked with the configuration.
        let endpoint = |name: &'static str, given: &Option<Url>| match given {
            Some(url) => Ok(Some(url.clone())),
            None => discovered(name, document, base, config.insecure_http),
        };
        let needed = |name, given| endpoint(name, given)?.ok_or(Error::EndpointMissing { name });
        let given = &config.endpoints;
        let oidc = config.protocol == Protocol::Oidc;

        let algorithms = |name| {
            let offered = strings(document, name);
            match &offered {
                Some(offered) if !offered.is_empty() => config
                    .signing_algs
                    .iter()
                    .copied()
                    .filter(|allowed| {
                        offered
                            .iter()
                            .any(|name| algorithm::from_name(name) == Some(*allowed))
                    })
                    .collect(),
                _ => config.signing_algs.clone(),
            }
        };
        let id_token_algorithms: Vec<_> = algorithms("id_token_signing_alg_values_supported");
        if oidc && id_token_algorithms.is_empty() {
            let offered = strings(document, "id_token_signing_alg_values_supported");
            return Err(Error::NoCommonAlgorithm {
                offered: printable(&offered.unwrap_or_default().join(", ")),
            });
        }
        Ok(Self {
            authorization: needed("authorization_endpoint", &given.authorization)?,
            token: needed("token_endpoint", &given.token)?,
            userinfo: match (oidc, config.userinfo) {
                (true, Userinfo::Off) => None,
                (true, Userinfo::Optional) => endpoint("userinfo_endpoint", &given.userinfo)?,
                (true, Userinfo::Required) | (false, _) => {
                    Some(needed("userinfo_endpoint", &given.userinfo)?)
                }
            },
            // HMAC needs no published keys.
            jwks: if oidc && !id_token_algorithms.iter().copied().all(algorithm::is_hmac) {
                Some(needed("jwks_uri", &given.jwks_uri)?)
            } else {
                None
            },
            end_session: if oidc && config.logout {
                let named = endpoint("end_session_endpoint", &given.end_session)?;
                let authorization = needed("authorization_endpoint", &given.authorization)?;
                EndSession::of(config.logout_style, named, &authorization)
            } else {
                None
            },
            promises_response_issuer: document
                .get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            userinfo_algorithms: algorithms("userinfo_signing_alg_values_supported"),
            id_token_algorithms,
            client_auth_methods: strings(document, "token_endpoint_auth_methods_supported"),
        })
    }
}

/// Where and in which words the provider is told of a sign-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EndSession {
    /// OpenID Connect RP-Initiated Logout 1.0.
    Oidc(Url),
    /// Amazon Cognito's.
    Cognito(Url),
    /// Auth0's older one.
    Auth0(Url),
}

impl EndSession {
    /// `named` is the address in the file or the discovery document. Cognito's and Auth0's own are
    /// beside their authorization endpoint.
    fn of(style: LogoutStyle, named: Option<Url>, authorization: &Url) -> Option<Self> {
        let beside = |path| authorization.join(path).ok();
        match (style, named) {
            (LogoutStyle::None, _) => None,
            (LogoutStyle::Oidc, named) => named.map(Self::Oidc),
            (LogoutStyle::Cognito, named) => named.or_else(|| beside("/logout")).map(Self::Cognito),
            (LogoutStyle::Auth0, Some(named)) if named.path() != AUTH0_LOGOUT => {
                Some(Self::Oidc(named))
            }
            (LogoutStyle::Auth0, named) => named.or_else(|| beside(AUTH0_LOGOUT)).map(Self::Auth0),
        }
    }
}

const AUTH0_LOGOUT: &str = "/v2/logout";

/// The strings of a list; what else is in it is passed over.
fn strings(document: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = document.get(name)?.as_array()?;
    Some(
        list.iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
    )
}

/// An endpoint of the document. Absent, `null` and empty are the same: Entra and others write all
/// three. A path is completed from the document's own address: Oracle's documents have such.
fn discovered(
    name: &'static str,
    document: &Map<String, Value>,
    base: Option<&Url>,
    insecure_http: bool,
) -> Result<Option<Url>, Error> {
    let value = match document.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(value) => value,
    };
    let shown = || value.as_str().map_or_else(String::new, printable);
    let invalid = || Error::EndpointInvalid {
        name,
        value: shown(),
    };
    let text = value.as_str().ok_or_else(invalid)?;
    let url = match base {
        Some(base) if text.starts_with('/') && !text.starts_with("//") => base.join(text),
        _ => Url::parse(text),
    }
    .map_err(|_| invalid())?;
    // A fragment is forbidden (RFC 6749 §3.1), and a password in an address ends in logs.
    let plain = url.host().is_some()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !plain || !matches!(url.scheme(), "http" | "https") {
        return Err(invalid());
    }
    if url.scheme() == "http" && !insecure_http && !is_loopback(&url) {
        return Err(Error::EndpointInsecure {
            name,
            value: shown(),
        });
    }
    Ok(Some(url))
}

/// Whether the address cannot leave this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
