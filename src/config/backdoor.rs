//! `[backdoor]`

use super::address::{is_within, network, own_path};
use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Required, Unset, Value};
use super::spec::Shape::{self, Flag, Seconds, Text, Texts};
use super::spec::{DAY, MINUTE, Table, key};
use super::values::{Choice, Chosen, all, choices};
use super::{Backdoor, BackdoorAccount, Server, Upstream};
use crate::identity::Username;
use crate::secret::Secret;
use argon2::password_hash::phc::PasswordHash;

pub(super) static TABLE: Table = Table {
    doc: "The way in when the provider is down.",
    keys: &[
        key(
            "enabled",
            Flag,
            Value("false"),
            "Whether there is an emergency sign-in at all.",
        ),
        key(
            "path",
            Text,
            Value(r#""/backdoor""#),
            "Where it is. No page of the gateway names it.",
        ),
        key(
            "mode",
            Shape::Choice(choices::<Mode>),
            Value(r#""local""#),
            "How a password is checked: against the accounts of this file.",
        ),
        key(
            "allowed_networks",
            Texts,
            Value(r#"["127.0.0.1/32", "::1/128"]"#),
            "From where it can be used, judged after server.trusted_proxies. Everybody else is refused, and so is who comes through a proxy that is not trusted.",
        ),
        key(
            "max_age_secs",
            Seconds(MINUTE, DAY),
            Value("3600"),
            "How long such a session lasts, busy or not.",
        ),
        key(
            "accounts",
            Shape::Tables(&ACCOUNT),
            Unset("none", ""),
            "Who can come in. At least one when enabled.",
        ),
    ],
};

static ACCOUNT: Table = Table {
    doc: "An account of the emergency sign-in.",
    keys: &[
        key(
            "username",
            Text,
            Required(r#""admin""#),
            "Who the person is for Bitbucket.",
        ),
        key(
            "password_hash",
            Shape::Secret,
            Required(r#"{ env = "PORTCULLIS_BACKDOOR_HASH" } # portcullis hash-password"#),
            "An argon2id hash, as hash-password prints.",
        ),
        key(
            "totp_secret",
            Shape::Secret,
            Unset(
                "no code is asked for",
                r#"{ env = "PORTCULLIS_BACKDOOR_TOTP" }"#,
            ),
            "The secret of an authenticator app in base32, at least 16 characters (80 bits).",
        ),
    ],
};

#[derive(Debug, Clone, Copy)]
enum Mode {
    Local,
}

impl Choice for Mode {
    const NAMES: &'static [(&'static str, Self)] = &[("local", Self::Local)];
}

pub(super) fn read(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<Backdoor> {
    let enabled = section.get::<bool>("enabled");
    let path = path(section, server, upstream);
    let mode = section.get::<Chosen<Mode>>("mode");
    let allowed_networks = section.parse_each("allowed_networks", network);
    let max_age = section.get("max_age_secs");
    let accounts = accounts(section);

    let (enabled, accounts, allowed_networks) = (enabled?, accounts?, allowed_networks?);
    if enabled {
        let mut needed = Ok(());
        if accounts.is_empty() {
            needed = Err(section.spot_of("accounts").problem(mistake(
                "is missing: nobody could come in",
                "add [[backdoor.accounts]] with username and password_hash, or set enabled = false",
            )));
        }
        if allowed_networks.is_empty() {
            needed = Err(section.spot_of("allowed_networks").problem(mistake(
                "is empty: nobody could come in",
                "name the networks of the administrators, or set enabled = false",
            )));
        }
        needed?;
        if allowed_networks
            .iter()
            .any(|network| network.prefix_len() == 0)
        {
            section
                .spot_of("allowed_networks")
                .warn("the emergency sign-in is open to every address");
        }
    }
    let Chosen(Mode::Local) = mode?;
    Ok(Backdoor {
        enabled,
        path: path?,
        accounts,
        allowed_networks,
        max_age: max_age?,
    })
}

fn path(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<String> {
    let path = section.parse("path", own_path)?;
    let prefix = server.map(|server| server.prefix.as_str());
    let context_path = upstream.map(|upstream| upstream.context_path.as_str());
    let mistake = match (prefix, context_path) {
        (Some(prefix), _) if is_within(&path, prefix) || is_within(prefix, &path) => mistake(
            format!(
                "{} and server.prefix {} overlap",
                quoted(&path),
                quoted(prefix)
            ),
            "choose two paths of which neither is below the other",
        ),
        (_, Some(context)) if !context.is_empty() && is_within(context, &path) => mistake(
            format!(
                "{} would hide upstream.context_path {}",
                quoted(&path),
                quoted(context)
            ),
            "choose another path",
        ),
        _ => return Ok(path),
    };
    Err(section.spot_of("path").problem(mistake))
}

fn accounts(section: &Section<'_>) -> Read<Vec<BackdoorAccount>> {
    let tables = section.tables("accounts")?;
    let accounts = all(tables.iter().map(account))?;
    let mut result = Ok(());
    for (index, (account, table)) in accounts.iter().zip(&tables).enumerate() {
        let same = |other: &BackdoorAccount| {
            // As Bitbucket compares.
            other
                .username
                .as_str()
                .eq_ignore_ascii_case(account.username.as_str())
        };
        if accounts.iter().take(index).any(same) {
            result = Err(table.spot_of("username").problem(mistake(
                format!(
                    "{} has an account already",
                    quoted(account.username.as_str())
                ),
                "remove one of the two",
            )));
        }
    }
    result.map(|()| accounts)
}

fn account(section: &Section<'_>) -> Read<BackdoorAccount> {
    let username = section.parse("username", |name| {
        Username::parse(name).map_err(|invalid| {
            mistake(
                format!("{} {invalid}", quoted(name)),
                "write the username that the person has in Bitbucket",
            )
        })
    });
    let password_hash = section
        .get::<At<'_, Secret<String>>>("password_hash")
        .and_then(|hash| {
            hash.check(|hash| argon2id(hash.expose()))
                .map(|()| hash.value)
        });
    let totp_secret = section
        .find::<At<'_, Secret<String>>>("totp_secret")
        .and_then(|secret| {
            secret
                .map(|secret| secret.check(|secret| base32(secret.expose())))
                .transpose()
        });
    Ok(BackdoorAccount {
        username: username?,
        password_hash: password_hash?,
        totp_secret: totp_secret?,
    })
}

/// An argon2id hash (RFC 9106) as a PHC string that the sign-in can check in reasonable time.
fn argon2id(hash: &str) -> Result<(), Mistake> {
    const REMEDY: &str = "make one with: portcullis hash-password";
    /// 1 GiB, in the unit of the parameter `m`.
    const MAX_MEMORY: u32 = 1024 * 1024;
    let wrong = |what: &str| Err(mistake(what, REMEDY));
    let bcrypt = ["$2a$", "$2b$", "$2x$", "$2y$"];
    if bcrypt.iter().any(|prefix| hash.starts_with(prefix)) {
        return wrong("the hash is bcrypt; only argon2id is accepted");
    }
    if !hash.starts_with('$') {
        return wrong("the value is not a password hash");
    }
    let Ok(hash) = PasswordHash::new(hash) else {
        return wrong("the hash is damaged, or of an unknown kind; only argon2id is accepted");
    };
    match hash.algorithm.as_str() {
        "argon2id" => {}
        "argon2i" => return wrong("the hash is argon2i; only argon2id is accepted"),
        "argon2d" => return wrong("the hash is argon2d; only argon2id is accepted"),
        _ => return wrong("the hash is of an unknown kind; only argon2id is accepted"),
    }
    if hash.version.is_some_and(|version| version != 19) {
        return wrong("the hash is of an old argon2 version");
    }
    let Ok(params) = argon2::Params::try_from(&hash) else {
        return wrong("the hash has parameters that argon2 does not allow");
    };
    if params.m_cost() > MAX_MEMORY {
        return wrong("the hash needs more than 1 GiB of memory to check");
    }
    if hash
        .salt
        .is_none_or(|salt| salt.len() < argon2::MIN_SALT_LEN)
        || hash.hash.is_none()
    {
        return wrong("the hash is incomplete");
    }
    Ok(())
}

/// A TOTP secret in the form that every reader of base32 takes: upper case, no spaces, no padding.
fn base32(secret: &str) -> Result<Secret<String>, Mistake> {
    // Authenticator apps show it in groups of four, in either case.
    let plain: String = secret
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let plain = Secret::new(plain.trim_end_matches('=').to_owned());
    let bytes = totp_rs::Secret::try_from_base32(plain.expose()).map_err(|_| {
        mistake(
            "the secret is not base32",
            "letters A to Z and digits 2 to 7, as the authenticator app shows it",
        )
    })?;
    // RFC 4226 §4 R6 asks for 128 bits; Google's own apps hand out 80.
    match bytes.as_bytes().len() {
        10.. => Ok(plain),
        _ => Err(mistake(
            "the secret is shorter than 80 bits",
            "take at least 16 characters of base32; 32 are better",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused, warned};

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Sm6xaqHu9CC2OJXEexV8QZZcvx5WRZe5XrXzvoH4mAI";

    fn account(lines: &str) -> String {
        format!("[backdoor]\nenabled = true\n[[backdoor.accounts]]\nusername = \"admin\"\n{lines}")
    }

    #[test]
    fn it_is_off_and_narrow() {
        let backdoor = accepted("").backdoor;
        assert!(!backdoor.enabled);
        assert_eq!(backdoor.path, "/backdoor");
        assert_eq!(backdoor.max_age.as_secs(), 3600);
        assert_eq!(
            backdoor.allowed_networks,
            ["127.0.0.1/32".parse().unwrap(), "::1/128".parse().unwrap()]
        );
    }

    #[test]
    fn an_account_has_a_hash_and_perhaps_a_code() {
        let text =
            account("password_hash = { env = \"HASH\" }\ntotp_secret = \"jbsw y3dp ehpk 3pxp\"");
        let accounts = Try::new(&text)
            .env("HASH", HASH)
            .accepted()
            .backdoor
            .accounts;
        assert_eq!(accounts[0].username.as_str(), "admin");
        assert_eq!(accounts[0].password_hash.expose(), HASH);
        assert_eq!(
            accounts[0].totp_secret.as_ref().unwrap().expose(),
            "JBSWY3DPEHPK3PXP"
        );
    }

    #[test]
    fn when_on_it_needs_accounts_and_networks() {
        refused(
            "[backdoor]\nenabled = true\nallowed_networks = []",
            &[
                "1:1: backdoor.accounts: is missing: nobody could come in",
                "3:20: backdoor.allowed_networks: is empty: nobody could come in",
            ],
        );
        accepted("[backdoor]\nallowed_networks = []");
        let text = account(&format!("password_hash = \"{HASH}\""))
            .replace("true", "true\nallowed_networks = [\"0.0.0.0/0\"]");
        warned(
            &text,
            &["backdoor.allowed_networks: the emergency sign-in is open to every address"],
        );
    }

    #[test]
    fn a_password_is_hashed_with_argon2id() {
        for (hash, what) in [
            (
                HASH.replace("argon2id", "argon2i"),
                "the hash is argon2i; only argon2id is accepted",
            ),
            (
                HASH.replace("argon2id", "argon2d"),
                "the hash is argon2d; only argon2id is accepted",
            ),
            (
                HASH.replace("argon2id", "scrypt"),
                "the hash is of an unknown kind; only argon2id is accepted",
            ),
            (
                "$2b$12$abcdefghijklmnopqrstuuLhHhF8eNp1".to_owned(),
                "the hash is bcrypt; only argon2id is accepted",
            ),
            ("hunter2".to_owned(), "the value is not a password hash"),
            (
                "$argon2id$v=19$m=19456".to_owned(),
                "the hash is incomplete",
            ),
            (
                "$$$".to_owned(),
                "the hash is damaged, or of an unknown kind; only argon2id is accepted",
            ),
            (
                HASH.replace("v=19", "v=16"),
                "the hash is of an old argon2 version",
            ),
            (
                HASH.replace("m=19456", "m=2000000"),
                "the hash needs more than 1 GiB of memory to check",
            ),
            (
                HASH.replace("t=2", "t=0"),
                "the hash has parameters that argon2 does not allow",
            ),
        ] {
            refused(
                &account(&format!("password_hash = \"{hash}\"")),
                &[&format!("5:17: backdoor.accounts[0].password_hash: {what}")],
            );
        }
        refused(
            &account(""),
            &["3:1: backdoor.accounts[0].password_hash: is missing"],
        );
    }

    #[test]
    fn a_refused_hash_says_how_to_make_one() {
        let problems = Try::new(&account("password_hash = \"hunter2\"")).problems();
        assert!(problems.contains("portcullis hash-password"), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }

    #[test]
    fn a_code_has_a_secret_that_nobody_guesses() {
        let with = |secret: &str| {
            account(&format!(
                "password_hash = \"{HASH}\"\ntotp_secret = \"{secret}\""
            ))
        };
        refused(
            &with("JBSWY3DP"),
            &["6:15: backdoor.accounts[0].totp_secret: the secret is shorter than 80 bits"],
        );
        refused(
            &with("0189"),
            &["6:15: backdoor.accounts[0].totp_secret: the secret is not base32"],
        );
        accepted(&with("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP======"));
    }

    #[test]
    fn an_account_is_one_person() {
        let text = account(&format!(
            "password_hash = \"{HASH}\"\n[[backdoor.accounts]]\nusername = \"ADMIN\"\npassword_hash = \"{HASH}\""
        ));
        refused(
            &text,
            &["7:12: backdoor.accounts[1].username: \"ADMIN\" has an account already"],
        );
        refused(
            &account("").replace("admin", "a b"),
            &[
                "3:1: backdoor.accounts[0].password_hash: is missing",
                "4:12: backdoor.accounts[0].username: \"a b\" contains the character U+0020",
            ],
        );
    }

    #[test]
    fn its_path_is_its_own() {
        refused(
            "[backdoor]\npath = \"/sso/backdoor\"",
            &["2:8: backdoor.path: \"/sso/backdoor\" and server.prefix \"/sso\" overlap"],
        );
        refused(
            "[server]\npublic_url = \"https://git.example.com\"\nprefix = \"/backdoor/x\"",
            &["1:1: backdoor.path: \"/backdoor\" and server.prefix \"/backdoor/x\" overlap"],
        );
        refused(
            "[upstream]\nurl = \"http://b\"\ncontext_path = \"/backdoor\"",
            &["1:1: backdoor.path: \"/backdoor\" would hide upstream.context_path \"/backdoor\""],
        );
        refused(
            "[backdoor]\npath = \"/\"",
            &["2:8: backdoor.path: \"/\" would take every address of the upstream"],
        );
        refused(
            "[backdoor]\npath = \"backdoor\"",
            &["2:8: backdoor.path: \"backdoor\" does not begin with \"/\""],
        );
    }

    #[test]
    fn only_local_mode_exists() {
        refused(
            "[backdoor]\nmode = \"bitbucket\"\nallowed_groups = []",
            &[
                "2:8: backdoor.mode: unknown value \"bitbucket\"",
                "3:1: backdoor.allowed_groups: unknown key",
            ],
        );
    }
}
