//! One call: bounded in time and size, without redirects, proxies of the environment, or cookies.

use super::answer::Answer;
use super::{Limits, TRIES};
use crate::clock::{Clock, Timestamp};
use crate::config::{BitbucketAccess, Credentials};
use crate::provisioning::error::{Call, Error};
use crate::web::trust;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

const OUR_NAME: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
/// Without it Bitbucket takes a write for a forged one.
const XSRF: (&str, &str) = ("X-Atlassian-Token", "no-check");

/// A call that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) call: Call,
    method: Method,
    path: &'static str,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Ask {
    /// `path` is below `/rest/api/latest`.
    pub(super) fn new(call: Call, method: Method, path: &'static str) -> Self {
        Self {
            call,
            method,
            path,
            query: Vec::new(),
            body: None,
        }
    }

    pub(super) fn get(call: Call, path: &'static str) -> Self {
        Self::new(call, Method::GET, path)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// The texts that an answer may repeat: names and addresses.
    fn values(&self) -> Vec<&str> {
        let mut values: Vec<_> = self.query.iter().map(|(_, value)| value.as_str()).collect();
        for value in self
            .body
            .iter()
            .filter_map(Value::as_object)
            .flat_map(Map::values)
        {
            let texts = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            values.extend(texts.iter().filter_map(Value::as_str));
        }
        values
    }

    pub(super) fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// The client of one Bitbucket.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
    /// Who we are, once Bitbucket has said so.
    own_name: OnceLock<String>,
    /// Who we say that we are.
    called: Option<String>,
    limits: Limits,
    clock: Clock,
    /// Nobody tries to connect before this, in milliseconds since 1970.
    rests_until: AtomicU64,
}

impl Http {
    pub(super) fn new(
        access: &BitbucketAccess,
        limits: Limits,
        clock: Clock,
    ) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::client(access.ca_file.as_deref())?)
            // They would take the credentials elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(limits.connect)
            // Long enough for the calls of one sign-in, too short to meet a connection that Bitbucket
            // has just closed.
            .pool_idle_timeout(Duration::from_secs(5))
            .build()
            .map_err(Error::HttpClient)?;
        Ok(Self {
            client,
            base: access.url.clone(),
            authorization: authorization(&access.credentials)?,
            own_name: OnceLock::new(),
            called: match &access.credentials {
                Credentials::Basic { username, .. } => Some(username.to_string()),
                Credentials::Bearer(_) => None,
            },
            limits,
            clock,
            rests_until: AtomicU64::new(0),
        })
    }

    /// Makes the call, again when Bitbucket says that it is too much at once, and gives back what was
    /// answered to it if that is a success.
    pub(super) async fn send(&self, ask: &Ask, until: Instant) -> Result<Answer, Error> {
        let call = ask.call;
        let mut step = self.limits.step;
        for _ in 0..TRIES {
            let (answer, headers) = self.once(ask, until).await?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return answer.into_success(call, &ask.values());
            }
            let pause = self.retry_after(&headers).unwrap_or(step);
            step = step.saturating_mul(2);
            // To wait and then have no time left would be waiting for nothing.
            if pause >= until.saturating_duration_since(Instant::now()) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Err(Error::TooManyRequests { call })
    }

    async fn once(&self, ask: &Ask, until: Instant) -> Result<(Answer, HeaderMap), Error> {
        self.rested()?;
        let call = ask.call;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout { call });
        }
        let mut request = self
            .client
            .request(ask.method.clone(), self.url(ask))
            .timeout(left.min(self.limits.call))
            .header(USER_AGENT, OUR_NAME)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, &self.authorization)
            .header(XSRF.0, XSRF.1);
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        } else if ask.method != Method::GET {
            // As its usual clients do: a write without a type could be taken for a form.
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut response = request.send().await.map_err(|e| self.failed(call, e))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(call, e))? {
            // Counted as it comes: Content-Length is only what they say.
            if body.len().saturating_add(chunk.len()) > self.limits.body {
                let limit = self.limits.body;
                return Err(Error::TooLarge { call, limit });
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        let answer = Answer::new(response.status(), &headers, body);
        if let Some(user) = answer
            .user
            .as_ref()
            .filter(|_| self.own_name.get().is_none())
        {
            // Of two that say it at once, one is enough.
            let _ = self.own_name.set(user.clone());
        }
        Ok((answer, headers))
    }

    /// The name of the service account: as Bitbucket says it (`X-AUSERNAME`), once something was
    /// answered, or else the configuration.
    pub(super) fn own_name(&self) -> Option<&str> {
        let own_name = self.own_name.get().or(self.called.as_ref());
        own_name.map(String::as_str)
    }

    fn url(&self, ask: &Ask) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/rest/api/latest{}", ask.path));
        url.set_query(None);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        url
    }

    fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    fn failed(&self, call: Call, error: reqwest::Error) -> Error {
        // Such an error holds the address, and with it a password, when somebody was to be made.
        let source = error.without_url();
        if source.is_connect() {
            let rests_until = self.clock.now().plus(self.limits.rest).as_millis();
            self.rests_until.store(rests_until, Ordering::Relaxed);
            let origin = self.origin();
            Error::Unreachable { origin, source }
        } else if source.is_timeout() {
            Error::Timeout { call }
        } else {
            Error::Broken { call, source }
        }
    }

    /// Whether nobody has just failed to connect: people do not queue for a Bitbucket that is down.
    fn rested(&self) -> Result<(), Error> {
        let rests_until = Timestamp::from_millis(self.rests_until.load(Ordering::Relaxed));
        let retry_in = rests_until.since(self.clock.now());
        if retry_in.is_zero() {
            return Ok(());
        }
        let origin = self.origin();
        Err(Error::CoolingDown { origin, retry_in })
    }

    /// RFC 9110 §10.2.3: seconds, or a date.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(secs) = value.parse() {
            return Some(Duration::from_secs(secs));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        let since = date.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_secs(since.as_secs()).since(self.clock.now()))
    }
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(match credentials {
        Credentials::Basic { username, password } => {
            let both = Zeroizing::new(format!("{username}:{}", password.expose()));
            format!("Basic {}", STANDARD.encode(both.as_bytes()))
        }
        Credentials::Bearer(token) => format!("Bearer {}", token.expose()),
    });
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}
