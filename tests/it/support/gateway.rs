//! A gateway between a fake provider and a fake Bitbucket.

use super::browser::exact;
use super::provider::FakeProvider;
use super::{Answer, Browser, Upstream};
use bytes::Bytes;
use portcullis::clock::{Clock, Timestamp};
use portcullis::config::{self, Loaded};
use portcullis::demo::bitbucket::{self, Bitbucket};
use portcullis::gateway::{self, Running};
use portcullis::secret::Secret;
use portcullis::telemetry::audit::Event;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The name that browsers know.
pub const PUBLIC: &str = "https://git.example.com";

/// The key of every test: 64 bytes in hexadecimal.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

/// A gateway that runs, and everything around it.
pub struct Setup {
    pub upstream: Upstream,
    pub clock: Clock,
    pub running: Running,
    pub folder: TempDir,
    toml: String,
}

impl Setup {
    /// Without a provider: sign-in only through the backdoor, or switched off.
    pub async fn start(toml: &str) -> Self {
        let upstream = Upstream::start().await;
        Self::start_with(upstream, toml).await
    }

    /// With a fake Bitbucket of the test's own. `UPSTREAM`, `SESSION_KEY` and `FOLDER` in the text are
    /// replaced.
    pub async fn start_with(upstream: Upstream, toml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let toml = toml
            .replace("UPSTREAM", &upstream.url())
            .replace("SESSION_KEY", KEY)
            .replace("FOLDER", &folder.path().display().to_string());
        let clock = Clock::manual(Clock::system().now());
        let running = start(&toml, folder.path(), clock.clone()).await;
        Self {
            upstream,
            clock,
            running,
            folder,
            toml,
        }
    }

    /// Stops this gateway and starts another from the same file.
    pub async fn restart(self) -> Self {
        let Self {
            upstream,
            clock,
            running,
            folder,
            toml,
        } = self;
        running.shutdown().await;
        let running = start(&toml, folder.path(), clock.clone()).await;
        Self {
            upstream,
            clock,
            running,
            folder,
            toml,
        }
    }

    /// Reloads with a change of the file.
    pub async fn reload(&self, from: &str, to: &str) -> Result<Vec<String>, String> {
        assert!(
            self.toml.contains(from),
            "{from:?} is not in the configuration"
        );
        let text = self.toml.replace(from, to);
        let loaded = parse(&text, self.folder.path())?;
        self.running
            .reload(loaded)
            .map_err(|error| error.to_string())
    }

    pub fn browser(&self) -> Browser {
        Browser::new(PUBLIC, self.running.public_addr())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    /// The audit events so far.
    pub fn events(&self) -> Vec<Event> {
        self.running
            .audit()
            .recent()
            .into_iter()
            .map(|entry| entry.event)
            .collect()
    }

    /// The reasons of all refusals so far.
    pub fn refusals(&self) -> Vec<String> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| {
                if let Event::Refusal { reason, .. } = event {
                    Some(reason)
                } else {
                    None
                }
            })
            .collect()
    }

    /// A line of `/metrics` that begins with `name`.
    pub fn metric(&self, name: &str) -> Option<String> {
        let text = self.running.metrics().render();
        text.lines()
            .find(|line| line.starts_with(name))
            .map(ToOwned::to_owned)
    }
}

/// The parts of a configuration that every test needs.
pub fn base() -> String {
    format!(
        r#"
[server]
public_url = "{PUBLIC}"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[upstream]
url = "UPSTREAM"

[session]
store = "memory"
keys = ["SESSION_KEY"]
"#
    )
}

async fn start(toml: &str, folder: &Path, clock: Clock) -> Running {
    let loaded = parse(toml, folder).unwrap_or_else(|problems| panic!("{problems}\n{toml}"));
    gateway::start(loaded, clock)
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
}

fn parse(toml: &str, folder: &Path) -> Result<Loaded, String> {
    config::parse(toml, "test.toml", folder, &|_| None).map_err(|problems| problems.to_string())
}

/// The password of everybody who may use the backdoor in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// A `[backdoor]` with the accounts `ana` and `root`.
pub fn backdoor() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| portcullis::backdoor::hash_password(PASSWORD).unwrap());
    format!(
        r#"
[backdoor]
enabled = true
accounts = [
    {{ username = "ana", password_hash = "{hash}" }},
    {{ username = "root", password_hash = "{hash}" }},
]
"#
    )
}

/// A gateway without a provider, into which one comes by the backdoor: for everything that is not
/// about providers.
pub async fn simple(extra: &str) -> Setup {
    Setup::start(&(base() + &backdoor() + SOME_PROVIDER + extra)).await
}

/// A provider that nobody asks anything.
const SOME_PROVIDER: &str = r#"
[[providers]]
id = "unused"
preset = "oidc"
name = "Unused"
issuer = "https://idp.example.com"
client_id = "portcullis"
client_secret = "0123456789abcdef0123456789abcdef"
"#;

impl Setup {
    /// A browser with a session of `ana`.
    pub async fn ana(&self) -> Browser {
        self.signed_in("ana").await
    }

    /// A browser with a backdoor session.
    pub async fn signed_in(&self, username: &str) -> Browser {
        let mut browser = self.browser();
        let form = [("username", username), ("password", PASSWORD)];
        let answer = browser.submit("/backdoor", &form).await.expect(303);
        assert_eq!(answer.location().path(), "/");
        browser
    }

    /// Sends a request with exactly this target and these fields, and answers what came back.
    pub async fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let at = self.running.public_addr().to_string();
        let url = PUBLIC.parse().unwrap();
        exact(
            &at,
            method.parse().unwrap(),
            &url,
            target,
            &fields,
            Bytes::new(),
        )
        .await
    }
}

impl Setup {
    /// Sends a form whose body comes only after `meanwhile`, when the gateway knows already who sends
    /// it and waits for it. Answers all that came back.
    pub async fn submit_slowly(
        &self,
        browser: &Browser,
        path: &str,
        body: &str,
        meanwhile: impl Future<Output = ()>,
    ) -> String {
        let at = self.running.public_addr();
        let mut client = TcpStream::connect(at).await.unwrap();
        let cookie = browser.cookie_header(&browser.home).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: git.example.com\r\nCookie: {cookie}\r\n\
             Sec-Fetch-Site: same-origin\r\nExpect: 100-continue\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut begun = Vec::new();
        while !begun.ends_with(b"\r\n\r\n") {
            begun.push(client.read_u8().await.unwrap());
        }
        assert!(begun.starts_with(b"HTTP/1.1 100"));
        meanwhile.await;
        client.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A gateway with this provider, called `idp`; `extra` goes to the end, where the provider's
    /// own keys go too.
    pub async fn with_provider(provider: &FakeProvider, extra: &str) -> Self {
        Self::start(&(base() + &provider_table(provider, "idp") + extra)).await
    }

    /// Signs in with the provider `idp`, and answers where that ends.
    pub async fn sign_in(&self, browser: &mut Browser) -> Answer {
        browser.follow("/sso/start/idp").await
    }

    /// Goes to the provider and stops in front of the callback: its address.
    pub async fn to_callback(&self, browser: &mut Browser, start: &str) -> String {
        let to_provider = browser.get(start).await.expect(303).location();
        let back = browser.get(to_provider.as_str()).await;
        back.location().to_string()
    }
}

/// A `[[providers]]` for this provider.
pub fn provider_table(provider: &FakeProvider, id: &str) -> String {
    let (client_id, secret) =
        provider.script(|script| (script.client_id.clone(), script.client_secret.clone()));
    format!(
        r#"
[[providers]]
id = "{id}"
preset = "oidc"
name = "Example"
issuer = "{}"
client_id = "{client_id}"
client_secret = "{secret}"
"#,
        provider.issuer()
    )
}

impl Setup {
    /// The configuration as a command line on this machine has it.
    pub fn config(&self) -> config::Config {
        let mut config = parse(&self.toml, self.folder.path()).unwrap().config;
        config.server.admin_listen = self.running.admin_addr();
        config
    }
}

/// A Bitbucket that knows people, and the tables that make the gateway tell it about them.
pub async fn provisioned(extra: &str) -> (Bitbucket, String) {
    let bitbucket = bitbucket::start(bitbucket::Setup {
        administrator: ("portcullis".to_owned(), Secret::new(PASSWORD.to_owned())),
        ..bitbucket::Setup::plain(Clock::system())
    })
    .await
    .unwrap();
    // Nobody is there but the administrator.
    bitbucket.people().remove_user("ana").unwrap();
    let tables = format!(
        r#"
[provisioning]
target = "bitbucket"
{extra}

[provisioning.bitbucket]
url = "http://{}"
username = "portcullis"
password = "{PASSWORD}"
"#,
        bitbucket.addr()
    );
    (bitbucket, tables)
}
