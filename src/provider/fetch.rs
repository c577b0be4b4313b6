//! Outgoing calls: bounded in time and size, no redirects, no proxies of the environment.

use super::certificates::Certificates;
use super::error::Error;
use super::json;
use super::said::{Call, Said};
use crate::clock::Timestamp;
use crate::web::trust;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, LINK, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::tls::TlsInfo;
use serde_json::{Map, Value};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// How we name ourselves. GitHub refuses callers without a name.
const OUR_NAME: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// What one call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Name resolution, TCP and TLS.
    pub(super) connect: Duration,
    /// Everything, the body included.
    pub(super) total: Duration,
    /// Bytes of the body.
    pub(super) body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(10),
            body: 1024 * 1024,
        }
    }
}

/// The client for one provider's endpoints.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    limits: Limits,
    /// What its connections showed.
    certificates: Certificates,
}

/// A complete answer that is not a redirect.
pub(super) struct Answer {
    call: Call,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    pub(super) fn new(
        ca_file: Option<&Path>,
        limits: Limits,
        certificates: Certificates,
    ) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(ca_file)?)
            // Each answer comes with the certificate of its connection.
            .tls_info(true)
            .redirect(reqwest::redirect::Policy::none())
            // A code works once: a call that may have arrived is not repeated.
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            // Long enough for the calls of one sign-in, too short to meet a connection that the
            // provider has just closed.
            .pool_idle_timeout(Duration::from_secs(3))
            .build()
            .map_err(Error::HttpClient)?;
        Ok(Self {
            client,
            limits,
            certificates,
        })
    }

    /// When the provider's certificates end.
    pub(super) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// How long one call may take; several that make up one answer may take as long together.
    pub(super) fn patience(&self) -> Duration {
        self.limits.total
    }

    pub(super) async fn get(&self, call: Call, url: &Url) -> Result<Answer, Error> {
        let request = self.client.get(url.clone());
        self.send(call, url, request.header(ACCEPT, "application/json"))
            .await
    }

    /// With the access token in the header (RFC 6750 §2.1).
    pub(super) async fn get_as_bearer(
        &self,
        call: Call,
        url: &Url,
        bearer: &HeaderValue,
    ) -> Result<Answer, Error> {
        let request = self
            .client
            .get(url.clone())
            .header(ACCEPT, "application/json, application/jwt;q=0.9")
            .header(AUTHORIZATION, bearer);
        self.send(call, url, request).await
    }

    /// A question in JSON, with the access token in the header.
    pub(super) async fn post_json_as_bearer(
        &self,
        call: Call,
        url: &Url,
        bearer: &HeaderValue,
        body: &Value,
    ) -> Result<Answer, Error> {
        let request = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        self.send(call, url, request).await
    }

    pub(super) async fn post_form(
        &self,
        call: Call,
        url: &Url,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> Result<Answer, Error> {
        let mut request = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        self.send(call, url, request).await
    }

    async fn send(
        &self,
        call: Call,
        url: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, Error> {
        let failed = |error: reqwest::Error| {
            let origin = url.origin().ascii_serialization();
            if error.is_timeout() {
                Error::Timeout { call, origin }
            } else {
                Error::Unreachable {
                    call,
                    origin,
                    source: error.without_url(),
                }
            }
        };
        let too_large = || Error::TooLarge {
            call,
            limit: self.limits.body,
        };
        let mut response = request
            .header(USER_AGENT, OUR_NAME)
            .send()
            .await
            .map_err(failed)?;
        let connection = response.extensions().get::<TlsInfo>();
        if let Some(leaf) = connection.and_then(TlsInfo::peer_certificate) {
            self.certificates.note(url, leaf);
        }
        let status = response.status();
        if status.is_redirection() {
            return Err(Error::Redirected { call, status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            // Counted as it comes: Content-Length is only what they say.
            if body.len().saturating_add(chunk.len()) > self.limits.body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            call,
            status,
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}

impl Answer {
    /// The body of a successful answer.
    pub(super) fn into_success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.failure())
        }
    }

    /// This answer as the error that an unsuccessful status is.
    pub(super) fn failure(&self) -> Error {
        let mut said = self
            .json()
            .map_or_else(|_| Said::default(), |value| Said::from_json(&value));
        if said.code().is_none()
            && let Some(challenge) = self.header(&WWW_AUTHENTICATE)
        {
            // Cognito says what is wrong only here.
            said = Said::new(
                challenge_parameter(challenge, "error"),
                challenge_parameter(challenge, "error_description"),
            );
        }
        if said == Said::default() {
            said = Said::new(self.word(), None);
        }
        Error::Status {
            call: self.call,
            status: self.status,
            said,
        }
    }

    /// Whether the status says that all went well.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body as JSON, whatever its type is called.
    pub(super) fn json(&self) -> Result<Value, Error> {
        let call = self.call;
        json::parse(&self.body).map_err(|invalid| match invalid {
            json::Invalid::Syntax(source) => Error::NotJson { call, source },
            json::Invalid::Duplicate(name) => Error::DuplicateMember { call, name },
        })
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Error> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(Error::NotObject { call: self.call }),
        }
    }

    /// The body as text, if its type is a JWT's.
    pub(super) fn jwt(&self) -> Option<&str> {
        let kind = self.header(&CONTENT_TYPE)?.split(';').next()?.trim();
        if !kind.eq_ignore_ascii_case("application/jwt") {
            return None;
        }
        // What is not even text is no token; the token's own parser says so.
        Some(std::str::from_utf8(&self.body).unwrap_or_default().trim())
    }

    /// When the provider thinks that it answered.
    pub(super) fn date(&self) -> Option<Timestamp> {
        let date = httpdate::parse_http_date(self.header(&DATE)?).ok()?;
        let since = date.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_secs(since.as_secs()))
    }

    /// A body that is one word: Salesforce says `Bad_OAuth_Token` and the like.
    fn word(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok()?.trim();
        let plain = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        (text.len() <= 40 && text.bytes().all(plain)).then_some(text)
    }

    /// The target of `next` in `Link` (RFC 8288 §3), as it stands there.
    pub(super) fn next_page(&self) -> Option<String> {
        self.headers.get_all(LINK).iter().find_map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let mut rest = value.as_ref();
            while let Some((_, link)) = rest.split_once('<') {
                let (target, after) = link.split_once('>')?;
                let parameters = after.split('<').next().unwrap_or_default();
                if parameters.split([';', ',']).any(is_next) {
                    return Some(target.to_owned());
                }
                rest = after;
            }
            None
        })
    }

    fn header(&self, name: &http::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whether a parameter of a link says that it is the next page: `rel` may hold several words.
fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case("next"))
    })
}

/// A quoted parameter of a `WWW-Authenticate` value; enough for an excerpt.
fn challenge_parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

/// TLS with the given authorities, or the machine's.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    trust::client(ca_file).map_err(|error| match error {
        trust::Error::File { path, source } => Error::CaFile { path, source },
        trust::Error::Certificate { path, source } => Error::CaCertificate { path, source },
        trust::Error::Empty { path } => Error::CaFileEmpty { path },
        trust::Error::Tls(source) => Error::Tls(source),
    })
}
