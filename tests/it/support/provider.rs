//! An identity provider on loopback that does as it is told, for tests of the provider room and of
//! the whole gateway.
//!
//! It knows nothing of the crate under test. Untouched, it is a correct and strict OpenID provider
//! (PKCE, client authentication, one-time codes); [`FakeProvider::script`] makes it misbehave.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a failure here is a failed test, and each program of tests uses its own part"
)]

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{digest, hmac, rsa};
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use url::{Url, form_urlencoded};

/// Names and values, in order.
pub(crate) type Params = Vec<(String, String)>;
/// A change of something that is about to be sent.
pub(crate) type Edit<T> = Box<dyn Fn(&mut T) + Send>;

/// What the provider does. Every field can be changed at any time with [`FakeProvider::script`].
pub(crate) struct Script {
    /// The registered client.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: String,
    /// How it must authenticate; `None`: in any way that is right.
    pub(crate) client_auth: Option<&'static str>,
    /// The key with which it signs assertions, for `private_key_jwt`.
    pub(crate) client_key: Option<Key>,
    /// The client secret is a token signed with this key by this team, as Apple wants it.
    pub(crate) apple_team: Option<(Key, &'static str)>,
    /// Who signs in next. The claims go into the ID token and into userinfo.
    pub(crate) person: Map<String, Value>,
    /// The authorization endpoint answers with this error.
    pub(crate) deny: Option<(&'static str, &'static str)>,
    /// Signs ID tokens and signed userinfo.
    pub(crate) signing: Key,
    /// What the key set shows.
    pub(crate) published: Vec<Value>,
    /// Userinfo comes as a signed JWT.
    pub(crate) signed_userinfo: bool,
    /// What `…/userinfo/emails` answers.
    pub(crate) emails: Value,
    /// Lists in pages by path, e.g. `/userinfo/orgs`: each page names the next one in `Link`, and
    /// wants an access token of this provider.
    pub(crate) pages: BTreeMap<&'static str, Vec<Value>>,
    /// Seconds since 1970 for `iat` and `exp`; `None`: now.
    pub(crate) now_secs: Option<u64>,
    /// Changes the discovery document.
    pub(crate) discovery: Edit<Value>,
    /// Changes the authorization response.
    pub(crate) response: Edit<Params>,
    /// Changes the token answer.
    pub(crate) token_answer: Edit<Value>,
    /// Changes the ID token's header.
    pub(crate) id_token_header: Edit<Value>,
    /// Changes the ID token's claims.
    pub(crate) id_token_claims: Edit<Value>,
    /// Changes the text of the ID token's payload before it is signed.
    pub(crate) id_token_payload: Edit<String>,
    /// Changes the finished ID token.
    pub(crate) id_token: Edit<String>,
    /// Changes userinfo's claims.
    pub(crate) userinfo: Edit<Value>,
    /// Changes the finished userinfo token.
    pub(crate) userinfo_token: Edit<String>,
    /// Gives refresh tokens.
    pub(crate) refresh: bool,
    /// Each refresh token works once, and a second use withdraws the whole grant (RFC 9700).
    pub(crate) rotates: bool,
    /// Refuses every refresh with this error.
    pub(crate) refuse_refresh: Option<&'static str>,
    /// Leaves the ID token out of the answers to refreshes.
    pub(crate) no_renewed_id_token: bool,
    /// Seconds in `expires_in`.
    pub(crate) expires_in: Option<u64>,
    /// Everything but discovery and keys answers 503.
    pub(crate) outage: bool,
    /// Changes the ID token's claims in the answers to refreshes.
    pub(crate) renewed_claims: Edit<Value>,
    /// Whole answers by path, e.g. `/token`, instead of the usual ones.
    pub(crate) answers: BTreeMap<&'static str, Canned>,
    /// Runs once the ID token is signed: the moment between signing and checking.
    pub(crate) after_signing: Edit<Script>,
}

/// A whole answer.
#[derive(Clone)]
pub(crate) enum Canned {
    /// This status, content type and body.
    Body(u16, &'static str, Vec<u8>),
    /// This status with one header field and no body.
    Header(u16, &'static str, String),
    /// JSON with one header field.
    JsonAnd(Value, &'static str, String),
    /// No answer, ever.
    Silence,
    /// A body without end.
    Endless,
}

impl Canned {
    /// JSON with this status.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::Body(status, "application/json", value.to_string().into_bytes())
    }
}

/// A request that reached the provider.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// The method.
    pub(crate) method: http::Method,
    /// The path below the provider's base.
    pub(crate) path: String,
    /// The query.
    pub(crate) query: Params,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The form.
    pub(crate) form: Params,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    /// A field of the form, or else of the query.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        param(&self.form, name).or_else(|| param(&self.query, name))
    }
}

fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

/// What a code is worth, and later its refresh token.
#[derive(Clone)]
struct Grant {
    redirect_uri: String,
    challenge: Option<String>,
    nonce: Option<String>,
    person: Map<String, Value>,
    auth_time: u64,
}

/// The refresh tokens of one sign-in: the last one works.
struct Family {
    grant: Grant,
    tokens: Vec<String>,
}

struct Inner {
    origin: String,
    base: String,
    script: Mutex<Script>,
    requests: Mutex<Vec<Recorded>>,
    codes: Mutex<HashMap<String, Grant>>,
    families: Mutex<Vec<Family>>,
    access_tokens: Mutex<HashMap<String, Map<String, Value>>>,
    routes: Mutex<HashMap<String, &'static str>>,
    tls: Option<TlsAcceptor>,
}

/// The running provider. Stops when dropped.
pub(crate) struct FakeProvider {
    inner: Arc<Inner>,
    address: SocketAddr,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl FakeProvider {
    /// A provider whose issuer is its origin.
    pub(crate) async fn start() -> Self {
        Self::start_at("").await
    }

    /// A provider whose issuer has a path, e.g. `/realms/demo`, or only a slash.
    pub(crate) async fn start_at(base: &str) -> Self {
        Self::launch(base, None).await
    }

    /// A provider with TLS, with the certificate of `tests/data/tls`.
    pub(crate) async fn start_tls() -> Self {
        let chain = include_bytes!("../../data/tls/server.pem");
        Self::start_tls_with(chain, include_bytes!("../../data/tls/server.key")).await
    }

    /// A provider with TLS, with a certificate of the test's own, in PEM as is its key.
    pub(crate) async fn start_tls_with(chain: &[u8], key: &[u8]) -> Self {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::launch("", Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn launch(base: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let inner = Arc::new(Inner {
            origin: format!("{scheme}://{address}"),
            base: base.to_owned(),
            script: Mutex::new(Script::default()),
            requests: Mutex::default(),
            codes: Mutex::default(),
            families: Mutex::default(),
            access_tokens: Mutex::default(),
            routes: Mutex::default(),
            tls,
        });
        let server = Some(serve(listener, &inner));
        Self {
            inner,
            address,
            server,
        }
    }

    /// The issuer, as discovery says it.
    pub(crate) fn issuer(&self) -> String {
        self.inner.issuer()
    }

    /// The address of one of its endpoints, e.g. `/token`.
    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&self.inner.url(path)).unwrap()
    }

    /// Changes what it does.
    pub(crate) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.inner.script())
    }

    /// Signs with this key from now on, and publishes only it.
    pub(crate) fn rotate(&self, key: Key) {
        self.script(|script| script.rotate(key));
    }

    /// Every request that reached this path.
    pub(crate) fn requests(&self, path: &str) -> Vec<Recorded> {
        let requests = self.inner.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    /// The last request that reached this path.
    #[track_caller]
    pub(crate) fn last_request(&self, path: &str) -> Recorded {
        self.requests(path)
            .pop()
            .unwrap_or_else(|| panic!("nothing reached {path}"))
    }

    /// Does what a browser does at the authorization endpoint: returns what it would bring back to
    /// the redirect URI.
    pub(crate) fn authorize(&self, url: &Url) -> Params {
        let query: Params = url.query_pairs().into_owned().collect();
        self.inner.authorize(&query).1
    }

    /// Goes away: the port is closed, connections are cut.
    pub(crate) async fn stop(&mut self) {
        if let Some((stop, server)) = self.server.take() {
            drop(stop);
            server.await.unwrap();
        }
    }

    /// The access tokens that it gave out.
    pub(crate) fn issued(&self) -> Vec<String> {
        let tokens = self.inner.access_tokens.lock().unwrap();
        tokens.keys().cloned().collect()
    }

    /// Comes back on the same port, with the same keys and codes.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = Some(serve(listener, &self.inner));
    }
}

/// Serves until the sender is dropped.
fn serve(listener: TcpListener, inner: &Arc<Inner>) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, mut stopped) = oneshot::channel::<()>();
    let inner = Arc::clone(inner);
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                accepted = listener.accept() => {
                    let (stream, _) = accepted.unwrap();
                    connections.spawn(serve_connection(stream, Arc::clone(&inner)));
                }
            }
        }
        drop(listener);
        connections.shutdown().await;
    });
    (stop, server)
}

async fn serve_connection(stream: TcpStream, inner: Arc<Inner>) {
    let tls = inner.tls.clone();
    let service = hyper::service::service_fn(move |request: Request<_>| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, Infallible>(inner.answer(request.map(Body::new)).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // A client that goes away is none of our business.
    let _ = match tls {
        None => server.serve_connection(TokioIo::new(stream), service).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => return,
        },
    };
}

impl Default for Script {
    fn default() -> Self {
        let signing = Key::new("RS256", Some("first"));
        Self {
            client_id: "portcullis-client".to_owned(),
            client_secret: "a secret of sixty-four characters, or nearly, for HMACs: 0123456"
                .to_owned(),
            client_auth: None,
            client_key: None,
            apple_team: None,
            person: ana(),
            deny: None,
            published: vec![signing.jwk()],
            signing,
            signed_userinfo: false,
            emails: json!([]),
            pages: BTreeMap::new(),
            now_secs: None,
            discovery: Box::new(|_| {}),
            response: Box::new(|_| {}),
            token_answer: Box::new(|_| {}),
            id_token_header: Box::new(|_| {}),
            id_token_claims: Box::new(|_| {}),
            id_token_payload: Box::new(|_| {}),
            id_token: Box::new(|_| {}),
            userinfo: Box::new(|_| {}),
            userinfo_token: Box::new(|_| {}),
            refresh: false,
            rotates: true,
            refuse_refresh: None,
            no_renewed_id_token: false,
            expires_in: Some(3600),
            outage: false,
            renewed_claims: Box::new(|_| {}),
            answers: BTreeMap::new(),
            after_signing: Box::new(|_| {}),
        }
    }
}

impl Script {
    /// Signs with this key from now on, and publishes only it.
    pub(crate) fn rotate(&mut self, key: Key) {
        self.published = vec![key.jwk()];
        self.signing = key;
    }

    fn now(&self) -> u64 {
        self.now_secs.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        })
    }
}

/// The person who signs in unless a test says otherwise.
pub(crate) fn ana() -> Map<String, Value> {
    let claims = json!({
        "sub": "248289761001",
        "preferred_username": "ana",
        "name": "Ana Example",
        "given_name": "Ana",
        "family_name": "Example",
        "email": "ana@example.com",
        "email_verified": true,
        "groups": ["developers"],
    });
    claims.as_object().unwrap().clone()
}

impl Inner {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    fn issuer(&self) -> String {
        format!("{}{}", self.origin, self.base)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base.trim_end_matches('/'))
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let whole = head.uri.path();
        let routed = self.routes.lock().unwrap().get(whole).copied();
        let path = routed
            .or_else(|| whole.strip_prefix(self.base.trim_end_matches('/')))
            .unwrap_or(whole)
            .to_owned();
        let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
        let decode = |bytes| form_urlencoded::parse(bytes).into_owned().collect();
        let request = Recorded {
            method: head.method,
            path: path.clone(),
            query: decode(head.uri.query().unwrap_or_default().as_bytes()),
            headers: head.headers,
            form: decode(&body),
            body: body.to_vec(),
        };
        self.requests.lock().unwrap().push(request.clone());
        let canned = self.script().answers.get(path.as_str()).cloned();
        let published = ["/.well-known/openid-configuration", "/jwks"].contains(&path.as_str());
        if self.script().outage && !published {
            return respond(503, "text/plain", b"out of order".to_vec());
        }
        match canned {
            Some(Canned::Silence) => std::future::pending().await,
            Some(Canned::Endless) => {
                let piece = || Ok::<_, Infallible>(vec![b' '; 64 * 1024]);
                let body = futures_util::stream::repeat_with(piece);
                return Body::from_stream(body).into_response();
            }
            Some(Canned::Body(status, kind, body)) => {
                return respond(status, kind, body);
            }
            Some(Canned::Header(status, name, value)) => {
                return http::Response::builder()
                    .status(status)
                    .header(name, value)
                    .body(Body::empty())
                    .unwrap();
            }
            Some(Canned::JsonAnd(value, name, field)) => {
                let field = HeaderValue::from_str(&field).unwrap();
                let name = HeaderName::from_static(name);
                return ([(name, field)], respond_json(200, &value)).into_response();
            }
            None => {}
        }
        if let Some(pages) = self.script().pages.get(path.as_str()).cloned() {
            return self.page(&request, &pages);
        }
        match path.as_str() {
            "/.well-known/openid-configuration" => {
                let mut document = self.discovery();
                (self.script().discovery)(&mut document);
                respond_json(200, &document)
            }
            "/jwks" => respond_json(200, &json!({ "keys": self.script().published })),
            "/authorize" => {
                let (redirect_uri, params) = self.authorize(&request.query);
                if param(&request.query, "response_mode") == Some("form_post") {
                    form_post(&redirect_uri, &params)
                } else {
                    redirect(&redirect_uri, &params)
                }
            }
            "/token" => match self.token(&request) {
                Ok(answer) => respond_json(200, &answer),
                Err(error) => respond_json(
                    400,
                    &json!({ "error": error, "error_description": "because of the test" }),
                ),
            },
            "/userinfo" => self.userinfo(&request),
            "/userinfo/emails" => respond_json(200, &self.script().emails),
            "/end_session" => match param(&request.query, "post_logout_redirect_uri") {
                Some(uri) => {
                    let state = param(&request.query, "state").unwrap_or_default();
                    redirect(uri, &vec![("state".to_owned(), state.to_owned())])
                }
                None => respond(200, "text/plain", b"signed out".to_vec()),
            },
            _ => respond(404, "text/plain", b"no such page".to_vec()),
        }
    }

    fn discovery(&self) -> Value {
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": self.url("/authorize"),
            "token_endpoint": self.url("/token"),
            "userinfo_endpoint": self.url("/userinfo"),
            "jwks_uri": self.url("/jwks"),
            "end_session_endpoint": self.url("/end_session"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ALGORITHMS,
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
            ],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    /// The redirect URI, and what goes there.
    fn authorize(&self, query: &Params) -> (String, Params) {
        let find = |name| param(query, name).map(str::to_owned);
        let script = self.script();
        let redirect_uri = find("redirect_uri").expect("a redirect_uri");
        assert_eq!(find("response_type").as_deref(), Some("code"));
        assert_eq!(find("client_id").as_ref(), Some(&script.client_id));
        let mut params = match script.deny {
            Some((error, description)) => vec![
                ("error".to_owned(), error.to_owned()),
                ("error_description".to_owned(), description.to_owned()),
            ],
            None => {
                // Salesforce's codes end like this: they must be decoded exactly once.
                let code = format!("{}+/%3D==", random());
                let grant = Grant {
                    redirect_uri: redirect_uri.clone(),
                    challenge: find("code_challenge"),
                    nonce: find("nonce"),
                    person: script.person.clone(),
                    auth_time: script.now(),
                };
                self.codes.lock().unwrap().insert(code.clone(), grant);
                vec![("code".to_owned(), code)]
            }
        };
        if let Some(state) = find("state") {
            params.push(("state".to_owned(), state));
        }
        params.push(("iss".to_owned(), self.issuer()));
        (script.response)(&mut params);
        (redirect_uri, params)
    }

    fn token(&self, request: &Recorded) -> Result<Value, &'static str> {
        let mut script = self.script();
        self.check_client(&script, request)?;
        match request.param("grant_type") {
            Some("authorization_code") => {}
            Some("refresh_token") => return self.refresh(&script, request),
            _ => return Err("unsupported_grant_type"),
        }
        let code = request.param("code").ok_or("invalid_request")?;
        let grant = self.codes.lock().unwrap().remove(code);
        let grant = grant.ok_or("invalid_grant")?;
        if request.param("redirect_uri") != Some(&grant.redirect_uri) {
            return Err("invalid_grant");
        }
        let proven = request.param("code_verifier").map(|verifier| {
            assert!((43..=128).contains(&verifier.len()), "RFC 7636 section 4.1");
            let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
            URL_SAFE_NO_PAD.encode(digest.as_ref())
        });
        if proven != grant.challenge {
            return Err("invalid_grant");
        }
        let access_token = self.access_token(&grant.person);
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "id_token": self.id_token(&script, &grant, &access_token),
        });
        if let Some(seconds) = script.expires_in {
            answer["expires_in"] = seconds.into();
        }
        if script.refresh {
            let token = random();
            answer["refresh_token"] = token.as_str().into();
            let tokens = vec![token];
            self.families.lock().unwrap().push(Family { grant, tokens });
        }
        (script.token_answer)(&mut answer);
        let after = std::mem::replace(&mut script.after_signing, Box::new(|_| {}));
        after(&mut script);
        Ok(answer)
    }

    fn access_token(&self, person: &Map<String, Value>) -> String {
        let token = random();
        let mut known = self.access_tokens.lock().unwrap();
        known.insert(token.clone(), person.clone());
        token
    }

    /// RFC 6749 section 6. What it says about the person is what it knows now.
    fn refresh(&self, script: &Script, request: &Recorded) -> Result<Value, &'static str> {
        if let Some(error) = script.refuse_refresh {
            return Err(error);
        }
        let token = request.param("refresh_token").ok_or("invalid_request")?;
        let mut families = self.families.lock().unwrap();
        let at = families
            .iter()
            .position(|family| family.tokens.iter().any(|known| known == token))
            .ok_or("invalid_grant")?;
        if families[at].tokens.last().unwrap() != token {
            // Somebody has a copy, and nobody knows who.
            families.remove(at);
            return Err("invalid_grant");
        }
        let person = &script.person;
        let access_token = self.access_token(person);
        let grant = Grant {
            person: person.clone(),
            nonce: None,
            ..families[at].grant.clone()
        };
        let mut answer = json!({ "access_token": access_token, "token_type": "Bearer" });
        if let Some(seconds) = script.expires_in {
            answer["expires_in"] = seconds.into();
        }
        if script.rotates {
            let next = random();
            answer["refresh_token"] = next.as_str().into();
            families[at].tokens.push(next);
        }
        if !script.no_renewed_id_token {
            let mut claims = self.id_token_claims(script, &grant, &access_token);
            claims.as_object_mut().unwrap().remove("nonce");
            (script.renewed_claims)(&mut claims);
            let header = script.signing.header().to_string();
            answer["id_token"] = script.signing.token(&header, &claims.to_string()).into();
        }
        (script.token_answer)(&mut answer);
        Ok(answer)
    }

    fn id_token_claims(&self, script: &Script, grant: &Grant, access_token: &str) -> Value {
        let now = script.now();
        let mut claims = json!({
            "iss": self.issuer(),
            "aud": script.client_id,
            "iat": now,
            "exp": now + 120,
            "nonce": grant.nonce,
            "at_hash": script.signing.half_hash(access_token),
        });
        if script.refresh {
            claims["auth_time"] = grant.auth_time.into();
        }
        claims.as_object_mut().unwrap().extend(grant.person.clone());
        claims
    }

    fn id_token(&self, script: &Script, grant: &Grant, access_token: &str) -> String {
        let mut header = script.signing.header();
        (script.id_token_header)(&mut header);
        let mut claims = self.id_token_claims(script, grant, access_token);
        (script.id_token_claims)(&mut claims);
        let mut payload = claims.to_string();
        (script.id_token_payload)(&mut payload);
        let mut token = script.signing.token(&header.to_string(), &payload);
        (script.id_token)(&mut token);
        token
    }

    /// The person whose access token the request brings.
    fn owner(&self, request: &Recorded) -> Option<Map<String, Value>> {
        let value = request.headers.get(header::AUTHORIZATION)?;
        let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
        self.access_tokens.lock().unwrap().get(token).cloned()
    }

    /// One page of a list, as GitHub serves them.
    fn page(&self, request: &Recorded, pages: &[Value]) -> Response {
        if self.owner(request).is_none() {
            return respond_json(401, &json!({ "message": "Requires authentication" }));
        }
        let number = request
            .param("page")
            .map_or(1, |page| page.parse().unwrap());
        let page = pages.get(number - 1).cloned().unwrap_or_else(|| json!([]));
        let mut response = respond_json(200, &page);
        if number < pages.len() {
            let url = self.url(&request.path);
            let links = format!(
                "<{url}?page={}>; rel=\"last\", <{url}?page={}>; rel=\"next\"",
                pages.len(),
                number + 1
            );
            let links = HeaderValue::from_str(&links).unwrap();
            response.headers_mut().insert(header::LINK, links);
        }
        response
    }

    fn userinfo(&self, request: &Recorded) -> Response {
        let Some(person) = self.owner(request) else {
            return http::Response::builder()
                .status(401)
                .header("www-authenticate", "Bearer error=\"invalid_token\"")
                .body(Body::empty())
                .unwrap();
        };
        let script = self.script();
        let mut claims = Value::Object(person);
        if !script.signed_userinfo {
            (script.userinfo)(&mut claims);
            return respond_json(200, &claims);
        }
        claims["iss"] = self.issuer().into();
        claims["aud"] = script.client_id.clone().into();
        (script.userinfo)(&mut claims);
        let header = script.signing.header().to_string();
        let mut token = script.signing.token(&header, &claims.to_string());
        (script.userinfo_token)(&mut token);
        respond(200, "application/jwt; charset=utf-8", token.into_bytes())
    }

    /// RFC 6749 section 2.3 and RFC 7523 section 3. One way at a time, and the right one.
    fn check_client(&self, script: &Script, request: &Recorded) -> Result<(), &'static str> {
        let basic = request
            .headers
            .get(header::AUTHORIZATION)
            .map(|value| basic_credentials(value.to_str().unwrap()));
        let (method, id, proven) = if let Some((id, secret)) = basic {
            assert_eq!(request.param("client_secret"), None, "one way at a time");
            ("client_secret_basic", id, secret == script.client_secret)
        } else {
            let id = request
                .param("client_id")
                .ok_or("invalid_client")?
                .to_owned();
            if let Some(assertion) = request.param("client_assertion") {
                (
                    "private_key_jwt",
                    id,
                    self.check_assertion(script, assertion),
                )
            } else if let Some(secret) = request.param("client_secret") {
                let proven = match &script.apple_team {
                    Some((key, team)) => apple_secret(script, key, team, secret),
                    None => secret == script.client_secret,
                };
                ("client_secret_post", id, proven)
            } else {
                ("none", id, script.client_auth == Some("none"))
            }
        };
        let wanted = script.client_auth.unwrap_or(method);
        if proven && id == script.client_id && method == wanted {
            Ok(())
        } else {
            Err("invalid_client")
        }
    }

    /// Checked with a library that the crate under test does not use for this.
    fn check_assertion(&self, script: &Script, assertion: &str) -> bool {
        let key = script.client_key.as_ref().expect("a client key");
        let algorithm: jsonwebtoken::Algorithm = key.algorithm.parse().unwrap();
        let jwk = serde_json::from_value(key.jwk()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(algorithm);
        rules.set_audience(&[self.url("/token")]);
        rules.set_issuer(&[&script.client_id]);
        rules.sub = Some(script.client_id.clone());
        rules.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        rules.validate_exp = script.now_secs.is_none();
        jsonwebtoken::decode::<Value>(
            assertion,
            &jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap(),
            &rules,
        )
        .is_ok_and(|token| token.claims["jti"].is_string() && token.header.kid == key.id)
    }
}

/// Checked with the same library.
fn apple_secret(script: &Script, key: &Key, team: &str, secret: &str) -> bool {
    let jwk = serde_json::from_value(key.jwk()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&["https://appleid.apple.com"]);
    rules.set_issuer(&[team]);
    rules.sub = Some(script.client_id.clone());
    rules.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    rules.validate_exp = script.now_secs.is_none();
    jsonwebtoken::decode::<Value>(
        secret,
        &jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap(),
        &rules,
    )
    .is_ok_and(|token| token.header.kid == key.id)
}

fn basic_credentials(value: &str) -> (String, String) {
    let text = STANDARD
        .decode(value.strip_prefix("Basic ").expect("Basic"))
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    let (id, secret) = text.split_once(':').unwrap();
    let decode = |half: &str| {
        let pair = format!("x={half}");
        let (_, value) = form_urlencoded::parse(pair.as_bytes()).next().unwrap();
        value.into_owned()
    };
    (decode(id), decode(secret))
}

fn respond(status: u16, kind: &'static str, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

fn respond_json(status: u16, value: &Value) -> Response {
    respond(status, "application/json", value.to_string().into_bytes())
}

fn redirect(uri: &str, params: &Params) -> Response {
    let mut url = Url::parse(uri).unwrap();
    url.query_pairs_mut().extend_pairs(params);
    (StatusCode::SEE_OTHER, [(header::LOCATION, url.to_string())]).into_response()
}

/// OAuth 2.0 Form Post Response Mode, for a browser without scripts: a button.
fn form_post(uri: &str, params: &Params) -> Response {
    let escape = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
    let fields: String = params
        .iter()
        .map(|(name, value)| {
            let value = escape(value);
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .collect();
    let page = format!(
        "<form method=\"post\" action=\"{}\">{fields}<button>Continue</button></form>",
        escape(uri)
    );
    respond(200, "text/html; charset=utf-8", page.into_bytes())
}

fn random() -> String {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Every algorithm that a [`Key`] can sign with.
pub(crate) const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "HS256", "HS384", "HS512",
];

/// Making an RSA key takes a while, so there are two of them for all tests.
static RSA_KEYS: [LazyLock<Arc<RsaKeyPair>>; 2] = [
    LazyLock::new(|| Arc::new(RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap())),
    LazyLock::new(|| Arc::new(RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap())),
];

/// A key that signs tokens.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its `kid`, if it has one.
    pub(crate) id: Option<String>,
    /// Its `alg`.
    pub(crate) algorithm: &'static str,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Rsa(Arc<RsaKeyPair>),
    Ec(Arc<EcdsaKeyPair>),
    Ed(Arc<Ed25519KeyPair>),
    Secret(Vec<u8>),
    None,
}

impl Key {
    /// A key for the algorithm; RSA keys are always the same one.
    pub(crate) fn new(algorithm: &'static str, id: Option<&str>) -> Self {
        Self::numbered(algorithm, id, 0)
    }

    /// Another key for the algorithm.
    pub(crate) fn other(algorithm: &'static str, id: Option<&str>) -> Self {
        Self::numbered(algorithm, id, 1)
    }

    fn numbered(algorithm: &'static str, id: Option<&str>, number: usize) -> Self {
        let ec = |kind| Material::Ec(Arc::new(EcdsaKeyPair::generate(kind).unwrap()));
        let material = match algorithm {
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
                Material::Rsa(Arc::clone(&RSA_KEYS[number]))
            }
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => Material::Ed(Arc::new(Ed25519KeyPair::generate().unwrap())),
            "none" => Material::None,
            _ => panic!("no key for {algorithm}"),
        };
        Self {
            id: id.map(str::to_owned),
            algorithm,
            material,
        }
    }

    /// An HMAC key.
    pub(crate) fn secret(algorithm: &'static str, secret: &[u8]) -> Self {
        Self {
            id: None,
            algorithm,
            material: Material::Secret(secret.to_vec()),
        }
    }

    /// The same key under another algorithm.
    pub(crate) fn as_algorithm(&self, algorithm: &'static str) -> Self {
        Self {
            algorithm,
            ..self.clone()
        }
    }

    /// The private key in PEM (PKCS#8).
    pub(crate) fn pem(&self) -> String {
        use aws_lc_rs::encoding::AsDer;
        let der = match &self.material {
            Material::Rsa(pair) => {
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
                der.as_ref().to_vec()
            }
            Material::Ec(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Material::Ed(pair) => pair.to_pkcs8().unwrap().as_ref().to_vec(),
            Material::Secret(_) | Material::None => panic!("no PEM for {}", self.algorithm),
        };
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der)
        )
    }

    /// The public key as the key set shows it.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = match &self.material {
            Material::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": text(public.modulus().big_endian_without_leading_zero()),
                    "e": text(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Material::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match point.len() {
                    64 => "P-256",
                    96 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Material::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Material::Secret(_) | Material::None => json!({ "kty": "oct" }),
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.into();
        if let Some(id) = &self.id {
            jwk["kid"] = id.as_str().into();
        }
        jwk
    }

    fn header(&self) -> Value {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT" });
        if let Some(id) = &self.id {
            header["kid"] = id.as_str().into();
        }
        header
    }

    /// A token with this header and payload, whatever they say.
    pub(crate) fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Rsa(pair) => {
                let encoding: &dyn signature::RsaEncoding = match self.algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Material::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Material::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Material::Secret(secret) => {
                let kind = match self.algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(kind, secret), message)
                    .as_ref()
                    .to_vec()
            }
            Material::None => Vec::new(),
        }
    }

    /// `at_hash` and `c_hash` (OpenID Connect Core section 3.1.3.6).
    pub(crate) fn half_hash(&self, text: &str) -> String {
        let kind = match self.algorithm {
            "EdDSA" => &digest::SHA512,
            name if name.ends_with("384") => &digest::SHA384,
            name if name.ends_with("512") => &digest::SHA512,
            _ => &digest::SHA256,
        };
        let digest = digest::digest(kind, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&digest.as_ref()[..digest.as_ref().len() / 2])
    }
}

/// The event of OpenID Connect Back-Channel Logout 1.0 section 2.4.
pub(crate) const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A provider that says when somebody has signed out.
impl FakeProvider {
    /// A logout token about ana, correct but for these changes of header and claims.
    pub(crate) fn logout_token_with(
        &self,
        header: impl FnOnce(&mut Value),
        claims: impl FnOnce(&mut Value),
    ) -> String {
        self.script(|script| {
            let mut head = script.signing.header();
            head["typ"] = "logout+jwt".into();
            header(&mut head);
            let now = script.now();
            let mut said = json!({
                "iss": self.issuer(),
                "aud": script.client_id,
                "iat": now,
                "exp": now + 120,
                "jti": random(),
                "events": { LOGOUT_EVENT: {} },
                "sub": script.person["sub"],
            });
            claims(&mut said);
            script.signing.token(&head.to_string(), &said.to_string())
        })
    }

    /// A logout token about ana, correct but for these changes of the claims.
    pub(crate) fn logout_token(&self, claims: impl FnOnce(&mut Value)) -> String {
        self.logout_token_with(|_| {}, claims)
    }
}

/// A provider whose endpoints are where a vendor has them.
impl FakeProvider {
    /// Its origin.
    pub(crate) fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// Serves what is at `own`, e.g. `/token`, at this path of the origin too.
    pub(crate) fn route(&self, path: &str, own: &'static str) {
        let mut routes = self.inner.routes.lock().unwrap();
        routes.insert(path.to_owned(), own);
    }
}
