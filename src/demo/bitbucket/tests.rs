//! The stand-in as a gateway sees it.

mod behaviour;
mod groups;
mod permissions;
mod recognition;
mod users;

use super::*;
use crate::demo::provider;
use axum::body::Body;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

const PASSWORD: &str = "correct horse";
/// Of the administrator, `portcullis`.
const ADMIN_PASSWORD: &str = "battery staple";
const ONE: &str = "/rest/api/1.0";
const LATEST: &str = "/rest/api/latest";

struct World {
    bitbucket: Bitbucket,
    http: reqwest::Client,
}

async fn world_with(controls: Option<Controls>) -> World {
    world_of(Setup {
        controls,
        ..Setup::plain(Clock::system())
    })
    .await
}

async fn world_of(setup: Setup) -> World {
    // Only the first call of the process does something.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let administrator = setup.administrator.0.clone();
    let setup = Setup {
        password: Secret::new(PASSWORD.to_owned()),
        administrator: (administrator, Secret::new(ADMIN_PASSWORD.to_owned())),
        ..setup
    };
    World {
        bitbucket: start(setup).await.unwrap(),
        http: reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap(),
    }
}

async fn world() -> World {
    world_with(None).await
}

impl World {
    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.bitbucket.addr())
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.at(path))
    }

    fn as_zoe(&self, path: &str) -> RequestBuilder {
        self.get(path).header(USER_HEADER, "zoe")
    }

    fn people(&self) -> People {
        self.bitbucket.people()
    }

    /// A call by the administrator, below the latest interface.
    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        self.call_of("portcullis", ADMIN_PASSWORD, method, path)
    }

    /// A call by somebody else.
    fn call_of(&self, user: &str, password: &str, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().unwrap();
        self.http
            .request(method, self.at(&format!("{LATEST}{path}")))
            .basic_auth(user, Some(password))
    }

    /// Somebody of Bitbucket's own directory with this password.
    fn add(&self, username: &str, password: &str) {
        let account = Account {
            password: Some(Secret::new(password.to_owned())),
            ..Account::new(username)
        };
        self.people().add_user(account).unwrap();
    }

    /// Somebody with `SYS_ADMIN`, whom the administrator does not reach, called `root`.
    fn add_root(&self) {
        self.add("root", "root's");
        self.people().join("root", "bitbucket-sysadmins").unwrap();
    }
}

#[tokio::test]
async fn a_good_answer_of_the_interface_names_its_charset() {
    let world = world().await;
    let response = send(world.call("GET", "/admin/users")).await;
    let kind = field(&response, "content-type");
    assert_eq!(kind, "application/json;charset=UTF-8");
}

/// That a call is refused with this status, and with this in its exception and its message.
async fn refused(request: RequestBuilder, status: u16, exception: &str, message: &str) {
    let response = send(request).await;
    let url = response.url().clone();
    assert_eq!(response.status(), status, "{url}");
    assert_eq!(field(&response, "content-type"), "application/json");
    let body: Value = response.json().await.unwrap();
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{url}");
    let error = errors[0].as_object().unwrap();
    let fields: Vec<_> = error.keys().map(String::as_str).collect();
    assert_eq!(fields, ["context", "exceptionName", "message"], "{url}");
    let name = error["exceptionName"].as_str().unwrap_or_default();
    assert!(name.ends_with(exception), "{url}: {name}");
    let text = error["message"].as_str().unwrap();
    assert!(text.contains(message), "{url}: {text}");
}

/// That a call succeeds without a word.
async fn done(request: RequestBuilder, status: u16) {
    let response = send(request).await;
    assert_eq!(response.status(), status, "{}", response.url());
    assert_eq!(response.text().await.unwrap(), "");
}

/// The names of a page, of people, groups or strings.
fn names(page: &Value) -> Vec<&str> {
    let values = page["values"].as_array().unwrap().iter();
    values
        .map(|value| value.as_str().or(value["name"].as_str()).unwrap())
        .collect()
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

async fn json(request: RequestBuilder) -> Value {
    send(request).await.json().await.unwrap()
}

fn field<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// The value of its session cookie in an answer.
fn session(response: &Response) -> Option<String> {
    let cookie = field(response, "set-cookie").strip_prefix("BITBUCKETSESSIONID=")?;
    Some(cookie.split(';').next()?.to_owned())
}

#[tokio::test]
async fn the_header_makes_somebody_known_and_every_answer_says_so() {
    let world = world().await;
    let request = world
        .as_zoe("/dashboard")
        .header(NAME_HEADER, "Zoë")
        .header(GROUPS_HEADER, "dev, <b>")
        .header("x-other", "seen");
    let response = send(request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(field(&response, "x-ausername"), "zoe");
    assert_eq!(field(&response, "x-auserid"), "1");
    assert!(!field(&response, "x-arequestid").is_empty());
    let id = session(&response).unwrap();
    assert!(world.bitbucket.has_session(&id));
    let page = response.text().await.unwrap();
    for shown in [
        "Bitbucket believes you are Zoë",
        "x-other",
        "seen",
        "&lt;b&gt;",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    let whoami = send(world.as_zoe("/plugins/servlet/applinks/whoami")).await;
    assert_eq!(whoami.text().await.unwrap(), "zoe");
    let user = json(world.as_zoe("/rest/api/latest/users/ZOE")).await;
    assert_eq!(
        (&user["name"], &user["displayName"]),
        (&"zoe".into(), &"zoe".into())
    );

    let received = world.bitbucket.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[0].headers["x-other"], "seen");
    assert_eq!(received[0].username.as_deref(), Some("zoe"));
    assert!(received[0].peer.ip().is_loopback());
}

#[tokio::test]
async fn a_session_that_the_header_made_is_nothing_without_the_header() {
    let world = world().await;
    let id = session(&send(world.as_zoe("/dashboard")).await).unwrap();
    let cookie = format!("a=b; {SESSION_COOKIE}={id}");
    let same = send(world.as_zoe("/dashboard").header("cookie", &cookie)).await;
    assert_eq!(session(&same), None, "the session goes on");
    let other = world.get("/dashboard").header(USER_HEADER, "ben");
    let other = send(other.header("cookie", &cookie)).await;
    assert_ne!(session(&other), None, "somebody else gets their own");
    let nobody = send(world.get("/dashboard").header("cookie", &cookie)).await;
    assert_eq!(nobody.status(), 303);

    let out = send(
        world
            .get("/j_atl_security_logout")
            .header("cookie", &cookie),
    )
    .await;
    assert_eq!(
        (out.status().as_u16(), field(&out, "location")),
        (303, "/login")
    );
    assert!(field(&out, "set-cookie").contains("Max-Age=0"));
    assert!(!world.bitbucket.has_session(&id));
}

#[tokio::test]
async fn nobody_gets_the_login_page_or_401_in_bitbuckets_shape() {
    let world = world().await;
    let page = send(world.get("/projects/DEMO/repos/hello?at=a%26b")).await;
    assert_eq!(page.status(), 303);
    assert_eq!(
        field(&page, "location"),
        "/login?next=%2Fprojects%2FDEMO%2Frepos%2Fhello%3Fat%3Da%2526b"
    );
    for path in [
        "/rest/api/1.0/projects",
        "/rest/unknown",
        "/rest/api/latest/users/ana",
    ] {
        let response = send(world.get(path)).await;
        assert_eq!(response.status(), 401, "{path}");
        assert!(field(&response, "www-authenticate").starts_with("OAuth realm=\"http%3A%2F%2F"));
        assert_eq!(field(&response, "x-ausername"), "");
        assert_eq!(session(&response), None);
        let body: Value = response.json().await.unwrap();
        let name = &body["errors"][0]["exceptionName"];
        assert_eq!(name, "com.atlassian.bitbucket.AuthorisationException");
    }
    let whoami = send(world.get("/plugins/servlet/applinks/whoami")).await;
    assert_eq!(
        (
            whoami.status().as_u16(),
            whoami.text().await.unwrap().as_str()
        ),
        (200, "")
    );
    assert_eq!(json(world.get("/status")).await["state"], "RUNNING");
    let properties = json(world.get("/rest/api/1.0/application-properties")).await;
    assert!(properties["version"].is_string());
    assert_eq!(send(world.get("/no/such/page")).await.status(), 404);
}

#[tokio::test]
async fn credentials_decide_alone_and_wrong_ones_are_refused_everywhere() {
    let world = world().await;
    let path = "/rest/api/1.0/projects";
    let basic = send(world.get(path).basic_auth("Ana", Some(PASSWORD))).await;
    assert_eq!(
        (basic.status().as_u16(), field(&basic, "x-ausername")),
        (200, "ana")
    );
    assert_eq!(
        session(&basic),
        None,
        "a request with credentials has no session"
    );
    let page: Value = basic.json().await.unwrap();
    assert_eq!(
        (&page["isLastPage"], &page["values"][0]["key"]),
        (&true.into(), &"DEMO".into())
    );

    let bearer = send(world.get(path).bearer_auth(PASSWORD)).await;
    assert_eq!(field(&bearer, "x-ausername"), "ana");
    // A token is no way to a page, and the header does not help where credentials are.
    let page = send(world.as_zoe("/dashboard").bearer_auth(PASSWORD)).await;
    assert_eq!(page.status(), 303);
    for request in [
        world.as_zoe(path).basic_auth("ana", Some("wrong")),
        world.as_zoe("/dashboard").basic_auth("zoe", Some(PASSWORD)),
        world.as_zoe(path).bearer_auth("wrong"),
        world.as_zoe(path).header("authorization", "Basic %%%"),
    ] {
        let response = send(request).await;
        assert_eq!(response.status(), 401);
        assert_eq!(field(&response, "x-ausername"), "");
    }
}

#[tokio::test]
async fn its_own_login_page_signs_in_when_nothing_stands_in_front() {
    let world = world().await;
    let page = send(world.get("/login?next=/live"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("You should never see this page through the gateway"));
    let post = |password: &'static str, next: &'static str| {
        let form = [
            ("j_username", "ana"),
            ("j_password", password),
            ("next", next),
        ];
        send(
            world
                .http
                .post(world.at("/j_atl_security_check"))
                .form(&form),
        )
    };
    assert_eq!(post("wrong", "/live").await.status(), 401);
    assert_eq!(
        field(&post(PASSWORD, "https://a.example/").await, "location"),
        "/"
    );
    let done = post(PASSWORD, "/live").await;
    assert_eq!(
        (done.status().as_u16(), field(&done, "location")),
        (303, "/live")
    );
    let cookie = format!("{SESSION_COOKIE}={}", session(&done).unwrap());
    let live = send(world.get("/live").header("cookie", cookie)).await;
    assert_eq!(
        (live.status().as_u16(), field(&live, "x-ausername")),
        (200, "ana")
    );
}

#[tokio::test]
async fn git_is_asked_for_credentials_and_told_plainly_when_there_is_no_repository() {
    let world = world().await;
    let path = "/scm/demo/hello.git/info/refs?service=git-upload-pack";
    let nobody = send(world.get(path)).await;
    assert_eq!(nobody.status(), 401);
    assert_eq!(
        field(&nobody, "www-authenticate"),
        "Basic realm=\"Atlassian Bitbucket\""
    );
    let known = send(world.get(path).basic_auth("ana", Some(PASSWORD))).await;
    assert_eq!(known.status(), 501);
    assert!(
        known
            .text()
            .await
            .unwrap()
            .contains("no git on this machine")
    );
}

#[tokio::test]
async fn a_request_that_did_not_come_over_loopback_is_not_believed() {
    let world = world().await;
    let router = router(&world.bitbucket.shared);
    let request = |peer: Option<&str>| {
        let mut request = Request::builder()
            .uri("/dashboard")
            .header(USER_HEADER, "admin");
        if let Some(peer) = peer {
            let peer = crate::demo::loopback::Peer(peer.parse().unwrap());
            request = request.extension(peer);
        }
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap());
        async { answer.await.unwrap().status().as_u16() }
    };
    assert_eq!(request(None).await, 403);
    assert_eq!(request(Some("192.0.2.7:1234")).await, 403);
    assert_eq!(request(Some("127.0.0.1:1234")).await, 200);
    assert_eq!(request(Some("[::1]:1234")).await, 200);
}

#[tokio::test]
async fn bodies_of_any_size_are_counted_and_sent() {
    let world = world().await;
    let size = 5_000_001;
    let post = world.http.post(world.at("/rest/demo/1.0/receive"));
    let counted = json(post.header(USER_HEADER, "zoe").body(vec![b'p'; size])).await;
    assert_eq!(counted["bytes"], size);
    let path = format!("/rest/demo/1.0/send?bytes={size}");
    let sent = send(world.as_zoe(&path)).await;
    assert_eq!(sent.content_length(), None, "chunked");
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &sent.bytes().await.unwrap());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(counted["sha256"], hex.as_str());
}

#[tokio::test]
async fn streams_begin_at_once() {
    let world = world().await;
    let mut events = send(world.as_zoe("/events")).await;
    assert_eq!(field(&events, "content-type"), "text/event-stream");
    let first = events.chunk().await.unwrap().unwrap();
    assert_eq!(&first[..], b"id: 1\ndata: event 1 for zoe\n\n");
    let mut page = send(world.as_zoe("/stream")).await;
    let mut seen = String::new();
    while !seen.contains("line 1 of 30") {
        seen.push_str(&String::from_utf8_lossy(
            &page.chunk().await.unwrap().unwrap(),
        ));
    }
    assert!(!seen.contains("</html>"));
}

#[tokio::test]
async fn the_websocket_says_everything_once_more() {
    let world = world().await;
    let mut stream = TcpStream::connect(world.bitbucket.addr()).await.unwrap();
    let upgrade = "GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-User: zoe\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    // The example of RFC 6455 §1.3.
    assert!(
        head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    // A masked text frame with "hi" (RFC 6455 §5.2); the mask is zero, so the bytes stay readable.
    stream
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .await
        .unwrap();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, &[0x81, 2, b'h', b'i']);

    assert_eq!(send(world.as_zoe("/echo")).await.status(), 426);
    assert_eq!(send(world.get("/echo")).await.status(), 303);
}

#[tokio::test]
async fn the_controls_stop_and_start_the_provider_but_not_for_another_site() {
    let provider = provider::start(provider::Setup {
        clients: Vec::new(),
        people: Vec::new(),
        clock: Clock::system(),
    })
    .await
    .unwrap();
    let world = world_with(Some(Controls {
        provider: provider.clone(),
        backdoor_url: "http://127.0.0.1:8080/backdoor".to_owned(),
        configuration: "[server]".to_owned(),
    }))
    .await;
    let press = |action: &'static str, origin: String| {
        let post = world
            .http
            .post(world.at("/demo/provider"))
            .header("origin", origin);
        send(post.form(&[("action", action)]))
    };
    let own = world.at("");
    assert_eq!(
        press("stop", "https://attacker.example".to_owned())
            .await
            .status(),
        403
    );
    assert_eq!(press("stop", "null".to_owned()).await.status(), 403);
    assert!(provider.listener().is_running());
    assert_eq!(press("stop", own.clone()).await.status(), 303);
    assert!(!provider.listener().is_running());
    let page = send(world.as_zoe("/dashboard")).await.text().await.unwrap();
    assert!(page.contains("Start the provider"));
    assert_eq!(press("start", own.clone()).await.status(), 303);
    assert!(provider.listener().is_running());
    assert_eq!(press("other", own).await.status(), 422);
    let page = send(world.as_zoe("/configuration"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("[server]"));
}
