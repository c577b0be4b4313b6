//! Starts the three parts, says what to try, waits, cleans up.

use super::bitbucket::{self, Account, Bitbucket, Controls, Recognition, Repository};
use super::folder::Folder;
use super::loopback::Bound;
use super::provider::{self, Client};
use super::{Error, Values, configuration, people};
use crate::clock::Clock;
use crate::random;
use crate::secret::Secret;
use crate::{config, gateway, telemetry};
use argon2::password_hash::PasswordHasher;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the demo until Ctrl-C or SIGTERM, with the gateway on `port` of 127.0.0.1; 0: any.
///
/// # Errors
///
/// If a part does not start, or nothing can be printed.
pub async fn run(port: u16) -> Result<(), Error> {
    // Before anything is to clean up, so that no signal ends the demo without it.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signal)?;

    let demo = Demo::prepare(port).await?;
    let loaded = load(&demo.settings)?;
    telemetry::log::start(&loaded.config.log);
    let files = loaded.files.clone();
    let gateway = gateway::start(loaded, Clock::system()).await?;
    demo.say_what_to_try()?;
    let never = async || std::future::pending::<()>().await;
    tokio::select! {
        () = gateway::follow(&gateway, &demo.settings, files, &NO_ENVIRONMENT, never) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // The terminal was closed.
        _ = hangup.recv() => {}
    }
    gateway.shutdown().await;
    demo.end().await;
    Ok(())
}

/// The demo's configuration takes nothing from the environment.
const NO_ENVIRONMENT: fn(&str) -> Option<String> = |_| None;

/// The gateway's configuration, from its file like any other.
fn load(settings: &Path) -> Result<config::Loaded, Error> {
    let mut loaded = config::load(settings, &NO_ENVIRONMENT)?;
    // That the demo forgets everything is no news.
    loaded.warnings.clear();
    Ok(loaded)
}

/// Everything but the gateway.
struct Demo {
    values: Values,
    backdoor_password: String,
    /// The configuration file of the gateway.
    settings: PathBuf,
    provider: provider::Provider,
    bitbucket: Bitbucket,
    git: Git,
    /// Last, so that it goes when nobody writes into it any more.
    _folder: Folder,
}

/// The password for the repository, and why it is not served, if it is not.
struct Git {
    password: String,
    missing: Option<String>,
}

/// Who signs in with a password at the stand-in.
const GIT_USER: &str = "ana";
/// Who looks after people and groups at the stand-in.
const ADMINISTRATOR: &str = "portcullis";
/// Who comes in at the backdoor.
const BACKDOOR_USER: &str = "admin";

impl Demo {
    async fn prepare(port: u16) -> Result<Self, Error> {
        // The gateway opens its two ports itself; these are only found, and let go when all the
        // others are taken.
        let gateway = Bound::exactly(port).await?;
        let beside = |offset| gateway.addr().port().checked_add(offset).unwrap_or(0);
        let setup = provider::Setup {
            clients: Vec::new(),
            people: people(),
            clock: Clock::system(),
        };
        let provider = provider::start_on(Bound::preferably(beside(1)).await?, setup)?;
        let admin = Bound::preferably(beside(3)).await?;

        let folder = Folder::create()?;
        // The demo is worth seeing without git, so whatever is wrong with it only costs that part.
        let (repository, missing) = match Repository::create(folder.path()).await {
            Ok(Some(repository)) => (Some(repository), None),
            Ok(None) => (None, Some("there is no git on this machine".to_owned())),
            Err(error) => (None, Some(error.to_string())),
        };
        let password = short_password();
        let git = Git {
            password: password.clone(),
            missing,
        };
        let stand_in = Bound::preferably(beside(2)).await?;
        let (values, backdoor_password) = fresh_values(
            gateway.addr(),
            admin.addr(),
            stand_in.addr(),
            provider.issuer().to_owned(),
        )?;
        let administrator = (
            values.administrator.clone(),
            values.administrator_password.clone(),
        );
        provider.register(Client {
            id: values.client_id.clone(),
            secret: values.client_secret.clone(),
            redirect_uris: vec![format!("http://{}/sso/callback/demo", gateway.addr())],
        });
        let bitbucket = bitbucket::start_on(
            stand_in,
            bitbucket::Setup {
                username: GIT_USER.to_owned(),
                password: Secret::new(password),
                administrator,
                recognition: Recognition::Known,
                repository,
                controls: Some(Controls {
                    provider: provider.clone(),
                    backdoor_url: format!("http://{}/backdoor", gateway.addr()),
                    configuration: configuration(&values.masked()),
                }),
                ..bitbucket::Setup::plain(Clock::system())
            },
        )?;
        // Whoever comes in by the backdoor is somebody there already.
        let people = bitbucket.people();
        people.add_user(Account::new(BACKDOOR_USER))?;
        people.join(BACKDOOR_USER, "stash-users")?;
        people.join(BACKDOOR_USER, "bitbucket-admins")?;
        let settings = folder.write("portcullis.toml", &configuration(&values))?;
        Ok(Self {
            values,
            backdoor_password,
            settings,
            provider,
            bitbucket,
            git,
            _folder: folder,
        })
    }

    fn say_what_to_try(&self) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        let text = self.what_to_try();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(Error::Print)
    }

    fn what_to_try(&self) -> String {
        let gateway = self.values.gateway;
        let admin = self.values.admin;
        let provider = self.provider.issuer();
        let upstream = self.bitbucket.addr();
        let file = self.settings.display();
        let password = &self.git.password;
        let backdoor_password = &self.backdoor_password;
        let credentials = format!("{GIT_USER}:{password}");
        let Values {
            administrator,
            administrator_password,
            ..
        } = &self.values;
        let administrator = format!("{administrator}:{}", administrator_password.expose());
        let (clone, push) = match &self.git.missing {
            None => (
                format!("git clone http://{credentials}@{gateway}/scm/demo/hello.git"),
                "git -C hello -c user.name=Ana -c user.email=ana@example.com commit --allow-empty -m Hello && git -C hello push".to_owned(),
            ),
            Some(why) => {
                let answer = format!("not here: /scm/ answers 501, because {why}");
                (answer.clone(), answer)
            }
        };
        format!(
            "
Portcullis demo. Everything is on 127.0.0.1, and gone when you press Ctrl-C.

  Sign in    http://{gateway}/ as ana, ben, carla (administrator), zoe or dmitri
  Look       at the dashboard: every header that reached Bitbucket, and links to try
  Refused    eve (e-mail not verified), mallory (foreign domain), the second Ana (name taken)
  Clone      {clone}
  Push       {push}
  Script     curl -u {credentials} http://{gateway}/rest/api/1.0/projects
  Test       http://{gateway}/sso/test/demo as carla: who somebody would be, step by step, and nothing changes
  Console    http://{gateway}/sso/admin/ as carla, or as whoever came by the backdoor: everything, and why
  Sessions   http://{gateway}/sso/account as anybody: where they are signed in, and sign out
  People     curl -u {administrator} http://{gateway}/rest/api/1.0/admin/users
  Backdoor   http://{gateway}/backdoor as {BACKDOOR_USER} with the password {backdoor_password}
  Outage     \"Stop the provider\" on the dashboard closes {provider}; sign out, use /backdoor again
  Health     http://{admin}/readyz and /metrics; Bitbucket around the gateway: http://{upstream}/
  Settings   {file} (edit it: it is reloaded)

"
        )
    }

    async fn end(self) {
        self.bitbucket.listener().stop().await;
        self.provider.listener().stop().await;
    }
}

/// Fresh secrets for a demo at these addresses, and the password of its backdoor.
pub(super) fn fresh_values(
    gateway: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    issuer: String,
) -> Result<(Values, String), Error> {
    let password = short_password();
    let hash = argon2::Argon2::default().hash_password(password.as_bytes())?;
    let key: String = random::bytes::<64>()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let values = Values {
        gateway,
        admin,
        issuer,
        client_id: "portcullis".to_owned(),
        client_secret: Secret::new(random::token()),
        upstream,
        session_key: Secret::new(key),
        backdoor_username: BACKDOOR_USER.to_owned(),
        backdoor_hash: Secret::new(hash.to_string()),
        administrator: ADMINISTRATOR.to_owned(),
        administrator_password: Secret::new(short_password()),
    };
    Ok((values, password))
}

/// 80 random bits that can be read aloud: four groups of five hexadecimal digits.
fn short_password() -> String {
    let hex: String = random::bytes::<10>()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let groups: Vec<&str> = [0..5, 5..10, 10..15, 15..20]
        .into_iter()
        .filter_map(|place| hex.get(place))
        .collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;

    #[tokio::test]
    async fn the_gateway_starts_with_what_is_written_and_nothing_is_left_behind() {
        let demo = Demo::prepare(0).await.unwrap();
        let folder = demo.settings.parent().unwrap().to_owned();
        let loaded = load(&demo.settings).unwrap();
        let gateway = gateway::start(loaded.clone(), Clock::system())
            .await
            .unwrap();
        assert_eq!(gateway.public_addr(), demo.values.gateway);
        // A second one on the same port does not start, and says so.
        let second = gateway::start(loaded, Clock::system()).await;
        assert!(matches!(second, Err(gateway::Error::Listener(_))));
        gateway.shutdown().await;
        demo.end().await;
        assert!(folder.is_absolute() && !folder.exists());
    }

    #[tokio::test]
    async fn what_to_try_names_addresses_that_are_there_and_passwords_that_work() {
        let demo = Demo::prepare(0).await.unwrap();
        let text = demo.what_to_try();
        let Values { gateway, admin, .. } = demo.values;
        for expected in [
            format!("http://{gateway}/ as ana"),
            format!("http://{admin}/readyz"),
            format!("with the password {}", demo.backdoor_password),
            format!("curl -u ana:{}", demo.git.password),
            format!(
                "curl -u portcullis:{}",
                demo.values.administrator_password.expose()
            ),
            demo.provider.issuer().to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected}");
        }
        assert!(gateway.ip().is_loopback() && admin.ip().is_loopback());
        let hash = PasswordHash::new(demo.values.backdoor_hash.expose()).unwrap();
        assert_eq!(hash.algorithm.as_str(), "argon2id");
        argon2::Argon2::default()
            .verify_password(demo.backdoor_password.as_bytes(), &hash)
            .unwrap();
        demo.end().await;
    }
}
