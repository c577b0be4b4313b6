//! `[session]`

use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Required, Value};
use super::spec::Shape::{Flag, Seconds, Secrets, Text};
use super::spec::{DAY, Table, YEAR, key};
use super::{Server, Session, Store, keys};
use crate::secret::Secret;
use std::time::Duration;

pub(super) static TABLE: Table = Table {
    doc: "How long people stay signed in, and where that is kept.",
    keys: &[
        key(
            "store",
            Text,
            Value(r#""sqlite:portcullis.db""#),
            "Where sessions and identities are kept: \"memory\", or \"sqlite:\" and the path of a file.",
        ),
        key(
            "keys",
            Secrets,
            Required(r#"[{ env = "PORTCULLIS_SESSION_KEY" }] # portcullis generate-key"#),
            "Keys of the session cookie: 64 bytes in hex, as generate-key prints. The first signs, all verify.",
        ),
        key(
            "cookie_name",
            Text,
            Value(r#""""#),
            "Name of the session cookie. Empty: __Host-portcullis on https, portcullis on http.",
        ),
        key(
            "idle_timeout_secs",
            Seconds(60, 10 * YEAR),
            Value("28800"),
            "A session without a request ends after this.",
        ),
        key(
            "max_age_secs",
            Seconds(60, 10 * YEAR),
            Value("604800"),
            "A session ends after this, however busy it is.",
        ),
        key(
            "remember_me",
            Flag,
            Value("true"),
            "Whether people may ask to be remembered: their cookie outlives the browser.",
        ),
        key(
            "remember_me_max_age_secs",
            Seconds(60, 10 * YEAR),
            Value("2592000"),
            "A remembered session ends after this. It replaces both limits above.",
        ),
        key(
            "refresh_secs",
            Seconds(10, DAY),
            Value("300"),
            "Where there is a refresh token: the least time between two looks at what the provider says. A shorter lifetime of its access tokens is rounded up to this.",
        ),
        key(
            "stale_secs",
            Seconds(0, YEAR),
            Value("3600"),
            "How long a session goes on after such a look was due while the provider cannot be asked. 0: it ends at once.",
        ),
    ],
};

pub(super) fn read(section: &Section<'_>, server: Option<&Server>) -> Read<Session> {
    let store = store(section);
    let keys = section
        .get::<Vec<At<'_, Secret<String>>>>("keys")
        .and_then(|written| session_keys(section, written));
    let cookie_name = cookie_name(section, server);
    let idle_timeout = section.get("idle_timeout_secs");
    let max_age = section.get("max_age_secs");
    let remember_me = section.get::<bool>("remember_me");
    let remember_me_max_age = section.get("remember_me_max_age_secs");
    let refresh = section.get("refresh_secs");
    let stale = section.get("stale_secs");

    let limits = match (idle_timeout, max_age, remember_me, remember_me_max_age) {
        (Ok(idle), Ok(max), Ok(remember), Ok(remembered)) => {
            limits(section, idle, max, remember.then_some(remembered))
        }
        _ => Ok(()),
    };
    limits?;
    Ok(Session {
        store: store?,
        keys: keys?,
        cookie_name: cookie_name?,
        idle_timeout: idle_timeout?,
        max_age: max_age?,
        remember_me: remember_me?,
        remember_me_max_age: remember_me_max_age?,
        refresh: refresh?,
        stale: stale?,
    })
}

fn store(section: &Section<'_>) -> Read<Store> {
    let written = section.get::<At<'_, String>>("store")?;
    let text = written.value.as_str();
    if text == "memory" {
        written
            .spot
            .warn("\"memory\" forgets every session and identity when the process ends");
        return Ok(Store::Memory);
    }
    let remedy = "\"memory\", or \"sqlite:\" and a path, such as \"sqlite:portcullis.db\"";
    match text.strip_prefix("sqlite:") {
        Some("" | ":memory:") => Err(mistake(format!("{} names no file", quoted(text)), remedy)),
        // The driver would take a name like this for an address with parameters.
        Some(path) if path.starts_with("file:") || path.starts_with("//") => Err(mistake(
            format!("{} is an address, not a path", quoted(text)),
            remedy,
        )),
        Some(path) => Ok(Store::Sqlite(written.spot.reading().path(path))),
        None => Err(mistake(
            // An address of a database may hold a password.
            match text.split_once(':') {
                Some((scheme, _)) => format!("unknown store {}", quoted(&format!("{scheme}:…"))),
                None => format!("unknown store {}", quoted(text)),
            },
            remedy,
        )),
    }
    .map_err(|mistake| written.spot.problem(mistake))
}

fn session_keys(
    section: &Section<'_>,
    written: Vec<At<'_, Secret<String>>>,
) -> Read<Vec<Secret<[u8; 64]>>> {
    if written.is_empty() {
        return Err(section.spot_of("keys").problem(mistake(
            "has no key",
            "make one with: portcullis generate-key > session.key, and write keys = [{ file = \"session.key\" }]",
        )));
    }
    let mut keys: Vec<Secret<[u8; 64]>> = Vec::with_capacity(written.len());
    let mut failed = None;
    for key in &written {
        let checked = key.check(|hex| {
            let key = Secret::new(keys::session_key(hex.expose())?);
            match keys.contains(&key) {
                true => Err(mistake(
                    "the same key stands there twice",
                    "remove one of the two",
                )),
                false => Ok(key),
            }
        });
        match checked {
            Ok(key) => keys.push(key),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(keys), Err)
}

/// Cookies of Bitbucket and of Crowd.
const TAKEN: &[&str] = &[
    "bitbucketsessionid",
    "jsessionid",
    "_atl_bitbucket_remember_me",
    "atl.xsrf.token",
    "crowd.token_key",
];

fn cookie_name(section: &Section<'_>, server: Option<&Server>) -> Read<String> {
    let written = section.get::<At<'_, String>>("cookie_name")?;
    let https = server.is_none_or(|server| server.public_url.https);
    if written.value.is_empty() {
        return Ok(match https {
            true => "__Host-portcullis".to_owned(),
            false => "portcullis".to_owned(),
        });
    }
    written.check(|name| check_cookie_name(name, https))?;
    if https && !written.value.starts_with("__Host-") {
        written.spot.warn(format!(
            "{} does not begin with \"__Host-\", so a sibling domain can set this cookie",
            quoted(&written.value)
        ));
    }
    Ok(written.value)
}

fn check_cookie_name(name: &str, https: bool) -> Result<(), Mistake> {
    // RFC 6265 §4.1.1: a token of RFC 9110 §5.6.2.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.bytes().all(token) {
        return Err(mistake(
            format!("{} is not a cookie name", quoted(name)),
            "letters, digits, - and _, such as \"__Host-portcullis\"",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if TAKEN.contains(&lower.as_str()) {
        return Err(mistake(
            format!("{} is a cookie of Bitbucket", quoted(name)),
            "choose another name, or leave it empty",
        ));
    }
    for prefix in ["__Host-", "__Secure-"] {
        // Browsers compare these without case (RFC 6265bis §4.1.3).
        let Some(written) = name
            .get(..prefix.len())
            .filter(|p| p.eq_ignore_ascii_case(prefix))
        else {
            continue;
        };
        if !https {
            return Err(mistake(
                format!(
                    "{} needs https: browsers refuse the cookie otherwise",
                    quoted(name)
                ),
                "choose a name without this prefix, or an https server.public_url",
            ));
        }
        if written != prefix {
            return Err(mistake(
                format!("{} is not the spelling that browsers know", quoted(name)),
                format!("write {prefix}"),
            ));
        }
    }
    Ok(())
}

fn limits(
    section: &Section<'_>,
    idle: Duration,
    max: Duration,
    remembered: Option<Duration>,
) -> Read<()> {
    let mut result = Ok(());
    if idle > max {
        result = Err(section.spot_of("idle_timeout_secs").problem(mistake(
            format!(
                "{} is longer than session.max_age_secs {}",
                idle.as_secs(),
                max.as_secs()
            ),
            "a session that always ends earlier never becomes that idle; lower it",
        )));
    }
    if let Some(remembered) = remembered.filter(|remembered| *remembered < max) {
        result = Err(section.spot_of("remember_me_max_age_secs").problem(mistake(
            format!(
                "{} is shorter than session.max_age_secs {}",
                remembered.as_secs(),
                max.as_secs()
            ),
            "a remembered session has to last at least as long as another; raise it, or set remember_me = false",
        )));
    }
    result
}

#[cfg(test)]
mod tests {
    use crate::config::Store;
    use crate::config::testing::{Try, accepted, refused, warned};

    const KEYS: &str = "[session]\nkeys = [{ env = \"KEY\" }]\n";

    #[track_caller]
    fn with(line: &str, expected: &[&str]) {
        refused(&format!("{KEYS}{line}"), expected);
    }

    #[test]
    fn every_key_but_the_keys_has_a_default() {
        let tried = Try::new(KEYS);
        let session = tried.accepted().session;
        assert_eq!(session.store, Store::Sqlite(tried.path("portcullis.db")));
        assert_eq!(session.cookie_name, "__Host-portcullis");
        let seconds = [
            session.idle_timeout,
            session.max_age,
            session.remember_me_max_age,
        ]
        .map(|t| t.as_secs());
        assert_eq!(seconds, [28_800, 604_800, 2_592_000]);
        assert!(session.remember_me);
        assert_eq!(session.refresh.as_secs(), 300);
        assert_eq!(session.stale.as_secs(), 3600);
        assert_eq!(session.keys.len(), 1);
    }

    #[test]
    fn a_store_is_memory_or_a_file() {
        let tried = Try::new(&format!("{KEYS}store = \"sqlite:/var/lib/p.db\""));
        assert_eq!(
            tried.accepted().session.store,
            Store::Sqlite("/var/lib/p.db".into())
        );
        warned(
            &format!("{KEYS}store = \"memory\""),
            &["session.store: \"memory\" forgets every session and identity when the process ends"],
        );
        with(
            "store = \"postgres://ana:hunter2@db/x\"",
            &["3:9: session.store: unknown store \"postgres:…\""],
        );
        with(
            "store = \"redis\"",
            &["3:9: session.store: unknown store \"redis\""],
        );
        with(
            "store = \"sqlite:\"",
            &["3:9: session.store: \"sqlite:\" names no file"],
        );
        with(
            "store = \"sqlite::memory:\"",
            &["3:9: session.store: \"sqlite::memory:\" names no file"],
        );
        with(
            "store = \"sqlite://x.db\"",
            &["3:9: session.store: \"sqlite://x.db\" is an address, not a path"],
        );
    }

    #[test]
    fn a_key_is_64_bytes_in_hex() {
        refused("[session]", &["1:1: session.keys: is missing"]);
        refused("[session]\nkeys = []", &["2:8: session.keys: has no key"]);
        refused(
            "[session]\nkeys = \"abc\"",
            &["2:8: session.keys: must be an array, not a string"],
        );
        refused(
            "[session]\nkeys = [\"abcd\"]",
            &["2:9: session.keys[0]: the key has 4 hexadecimal digits instead of 128"],
        );
        refused(
            "[session]\nkeys = [{ env = \"KEY\" }, \"xyz\", { env = \"KEY\" }]",
            &[
                "2:26: session.keys[1]: the key is not hexadecimal",
                "2:33: session.keys[2]: the same key stands there twice",
            ],
        );
    }

    #[test]
    fn a_cookie_name_is_one_that_browsers_keep() {
        with(
            "cookie_name = \"a b\"",
            &["3:15: session.cookie_name: \"a b\" is not a cookie name"],
        );
        with(
            "cookie_name = \"a=b\"",
            &["3:15: session.cookie_name: \"a=b\" is not a cookie name"],
        );
        with(
            "cookie_name = \"JSESSIONID\"",
            &["3:15: session.cookie_name: \"JSESSIONID\" is a cookie of Bitbucket"],
        );
        with(
            "cookie_name = \"__host-x\"",
            &["3:15: session.cookie_name: \"__host-x\" is not the spelling that browsers know"],
        );
        let http = "[server]\npublic_url = \"http://127.0.0.1:8080\"\n";
        refused(
            &format!("{http}{KEYS}cookie_name = \"__Host-x\""),
            &[
                "5:15: session.cookie_name: \"__Host-x\" needs https: browsers refuse the cookie otherwise",
            ],
        );
        assert_eq!(
            accepted(&format!("{http}{KEYS}")).session.cookie_name,
            "portcullis"
        );
        warned(
            &format!("{KEYS}cookie_name = \"sso\""),
            &[
                "session.cookie_name: \"sso\" does not begin with \"__Host-\", so a sibling domain can set this cookie",
            ],
        );
        warned(&format!("{KEYS}cookie_name = \"__Host-sso\""), &[]);
    }

    #[test]
    fn the_limits_of_a_session_agree() {
        with(
            "idle_timeout_secs = 700000",
            &["3:21: session.idle_timeout_secs: 700000 is longer than session.max_age_secs 604800"],
        );
        with(
            "max_age_secs = 5000000",
            &[
                "1:1: session.remember_me_max_age_secs: 2592000 is shorter than session.max_age_secs 5000000",
            ],
        );
        accepted(&format!(
            "{KEYS}max_age_secs = 5000000\nremember_me = false"
        ));
        with(
            "idle_timeout_secs = 0",
            &["3:21: session.idle_timeout_secs: 0 is not between 60 and 315360000"],
        );
        with(
            "remember_me = \"yes\"",
            &["3:15: session.remember_me: must be true or false, not a string"],
        );
    }
}
