//! `[provisioning]`

use super::address::{is_loopback, plain_path, web_address};
use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Reported, Section};
use super::spec::Default::{Unset, Value};
use super::spec::Shape::{self, Seconds, Text};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, choices};
use super::{
    BitbucketAccess, Credentials, Kind, MatchBy, OnError, Origin, Provisioning, ProvisioningTarget,
    Server, Upstream, Users, keys,
};
use crate::secret::Secret;
use url::Url;

pub(super) static TABLE: Table = Table {
    doc: "Where people are made known when they sign in.",
    keys: &[
        key(
            "target",
            Shape::Choice(choices::<Target>),
            Value(r#""none""#),
            "Nowhere, in Bitbucket by its REST interface, or in the built-in directory.",
        ),
        key(
            "on_error",
            Shape::Choice(choices::<OnError>),
            Value(r#""deny""#),
            "What a failure does to the sign-in: refuse it, or let it go on. A decision against a person refuses either way.",
        ),
        key(
            "timeout_secs",
            Seconds(1, 30),
            Value("5"),
            "How long a person waits for all of it.",
        ),
        key(
            "bitbucket",
            Shape::Table(&BITBUCKET),
            Unset("none", ""),
            "Required with target bitbucket.",
        ),
    ],
};

static BITBUCKET: Table = Table {
    doc: "How the gateway reaches Bitbucket's administration: with a username and password, or with a token.",
    keys: &[
        key(
            "url",
            Text,
            Unset(
                "upstream.url and upstream.context_path",
                r#""http://bitbucket:7990""#,
            ),
            "Bitbucket's base address, context path included.",
        ),
        key(
            "username",
            Text,
            Unset("none", r#""portcullis""#),
            "A service account of Bitbucket that is an administrator there.",
        ),
        key(
            "password",
            Shape::Secret,
            Unset("none", r#"{ env = "PORTCULLIS_BITBUCKET_SECRET" }"#),
            "Its password.",
        ),
        key(
            "token",
            Shape::Secret,
            Unset("none", r#"{ env = "PORTCULLIS_BITBUCKET_SECRET" }"#),
            "An OAuth 2.0 access token of such an account, instead of both. Bitbucket's administration refuses HTTP access tokens.",
        ),
        key(
            "ca_file",
            Text,
            Unset(
                "upstream.ca_file, where the address is the upstream's",
                r#""upstream-ca.pem""#,
            ),
            "Certificates in PEM to trust instead of the machine's authorities.",
        ),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    None,
    Bitbucket,
    Directory,
}

impl Choice for Target {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("bitbucket", Self::Bitbucket),
        ("directory", Self::Directory),
    ];
}

impl Choice for OnError {
    const NAMES: &'static [(&'static str, Self)] = &[("deny", Self::Deny), ("allow", Self::Allow)];
}

pub(super) fn read(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Read<&Upstream>,
) -> Read<Provisioning> {
    let target = section.get::<Chosen<Target>>("target");
    let on_error = section.get::<Chosen<OnError>>("on_error");
    let timeout = section.get("timeout_secs");
    let access = section
        .says("bitbucket")
        .then(|| access(&section.table("bitbucket"), server, upstream));

    let (Chosen(target), Chosen(on_error), timeout) = (target?, on_error?, timeout?);
    let target = match target {
        Target::Bitbucket => match access {
            Some(access) => ProvisioningTarget::Bitbucket(access?),
            None => return Err(no_access(section)),
        },
        other => {
            access.transpose()?;
            let name = match other {
                Target::Directory => "directory",
                _ => "none",
            };
            section.useless("bitbucket", &format!("target is \"{name}\""))?;
            match other {
                Target::Directory => ProvisioningTarget::Directory,
                _ => ProvisioningTarget::None,
            }
        }
    };
    let provisioning = Provisioning {
        target,
        on_error,
        timeout,
    };
    if provisioning.target == ProvisioningTarget::None {
        let default = Provisioning::default();
        let why = "target is \"none\"";
        let mut useful = Ok(());
        if on_error != default.on_error {
            useful = section.useless("on_error", why);
        }
        if timeout != default.timeout {
            useful = section.useless("timeout_secs", why).and(useful);
        }
        useful?;
    }
    Ok(provisioning)
}

fn no_access(section: &Section<'_>) -> Reported {
    let missing = || {
        section.spot_of("bitbucket").problem(mistake(
            "is missing: target is \"bitbucket\"",
            "add [provisioning.bitbucket] with username and password of an administrator, or with \
             token",
        ))
    };
    section.misspelt("bitbucket").unwrap_or_else(missing)
}

/// What a failure that is let through does to rules elsewhere.
pub(super) fn warn(section: &Section<'_>, provisioning: &Provisioning, users: &Users) {
    if provisioning.on_error != OnError::Allow {
        return;
    }
    let spot = section.spot_of("on_error");
    if !users.create {
        spot.warn("allow lets people in unasked while they cannot be looked up, although users.create is false");
    }
    if users.match_by == MatchBy::Email {
        spot.warn("while Bitbucket cannot be asked, allow lets in only people who have signed in before, under the name of then");
    }
}

fn access(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Read<&Upstream>,
) -> Read<BitbucketAccess> {
    let written = section.parse_if("url", |text| base(text, server));
    let credentials = credentials(section);
    let ca_file = keys::certificates(section, "ca_file");

    let (written, mut ca_file) = (written?, ca_file?);
    let url = match (&written, upstream) {
        (Some(url), _) => url.clone(),
        (None, Err(reported)) => return Err(reported),
        (None, Ok(upstream)) if upstream.kind == Kind::Generic => {
            return Err(section.spot_of("url").problem(mistake(
                "is missing: upstream.kind is \"generic\", so the upstream is no Bitbucket",
                "name Bitbucket's base address",
            )));
        }
        (None, Ok(upstream)) => {
            let mut url = upstream.url.url.clone();
            url.set_path(&upstream.context_path);
            url
        }
    };
    let of_upstream = upstream.is_ok_and(|upstream| Origin::of(&url) == upstream.url);
    if url.scheme() == "http" {
        section.useless("ca_file", "the address is http")?;
        if !of_upstream && !is_loopback(&url) {
            section
                .spot_of("url")
                .warn("http: whoever is between the gateway and this address reads an administrator's credentials");
        }
    } else if of_upstream && ca_file.is_none() {
        ca_file = upstream.ok().and_then(|upstream| upstream.ca_file.clone());
    }
    Ok(BitbucketAccess {
        url,
        credentials: credentials?,
        ca_file,
    })
}

/// A base address, to which paths are appended.
fn base(text: &str, server: Option<&Server>) -> Result<Url, Mistake> {
    let mut url = web_address(text)?;
    if url.query().is_some() {
        return Err(mistake(
            format!("{} has a query", quoted(text)),
            "write Bitbucket's base address, context path included",
        ));
    }
    if server.is_some_and(|server| server.public_url == Origin::of(&url)) {
        return Err(mistake(
            format!(
                "{} is server.public_url: the gateway would call itself",
                quoted(text)
            ),
            "name the address at which Bitbucket itself listens",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.is_empty() {
        plain_path(&path)?;
    }
    if path.split('/').any(|segment| segment == "rest") {
        return Err(mistake(
            format!("{} goes into the REST interface", quoted(text)),
            "end it with the context path; the gateway adds /rest itself",
        ));
    }
    url.set_path(&path);
    Ok(url)
}

fn credentials(section: &Section<'_>) -> Read<Credentials> {
    let username = section.parse_if("username", |text| match text {
        "" => Err(mistake("is empty", "write the name of the service account")),
        // RFC 7617 §2: everything after the first colon is the password.
        text if text.contains(':') => Err(mistake(
            format!("{} contains a \":\"", quoted(text)),
            "choose another account; Basic authentication cannot carry this name",
        )),
        text => Ok(text.to_owned()),
    });
    let password = section.find::<At<'_, Secret<String>>>("password");
    let token = section.find::<At<'_, Secret<String>>>("token");
    let (username, password, token) = (username?, password?, token?);
    if let Some(password) = &password {
        // RFC 7617 §2: no control characters.
        password.check(|secret| match secret.expose().contains(char::is_control) {
            false => Ok(()),
            true => Err(mistake(
                "the password contains a control character",
                "remove it; a file may end with one line end",
            )),
        })?;
    }
    if let Some(token) = &token {
        // RFC 6750 §2.1.
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        token.check(|secret| match secret.expose().bytes().all(fits) {
            true => Ok(()),
            false => Err(mistake(
                "the token contains a character that no token has",
                "copy it again; it is letters, digits and -._~+/=",
            )),
        })?;
    }
    match (username, password, token) {
        (Some(username), Some(password), None) => Ok(Credentials::Basic {
            username,
            password: password.value,
        }),
        (None, None, Some(token)) => Ok(Credentials::Bearer(token.value)),
        (Some(_), None, None) => Err(section.missing("password")),
        (None, Some(_), None) => Err(section.missing("username")),
        (None, None, None) => Err(section.spot().problem(mistake(
            "says neither username and password nor token",
            "add the credentials of an administrator of Bitbucket",
        ))),
        (_, _, Some(token)) => Err(token.spot.problem(mistake(
            "stands beside a username or password",
            "keep the token, or the username and password",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused, warned};
    use crate::config::{BitbucketAccess, Credentials, OnError, Provisioning, ProvisioningTarget};
    use std::time::Duration;

    const BITBUCKET: &str = "[provisioning]\ntarget = \"bitbucket\"\n[provisioning.bitbucket]\n";

    /// With the target and the table's head, which take three lines.
    #[track_caller]
    fn with(lines: &str, expected: &[&str]) {
        refused(&format!("{BITBUCKET}{lines}"), expected);
    }

    #[track_caller]
    fn access(tried: &Try) -> BitbucketAccess {
        match tried.accepted().provisioning.target {
            ProvisioningTarget::Bitbucket(access) => access,
            other => panic!("{other:?}"),
        }
    }

    fn bitbucket(lines: &str) -> Try {
        Try::new(&format!("{BITBUCKET}{lines}"))
    }

    #[test]
    fn an_empty_file_has_the_defaults_of_the_type() {
        assert_eq!(accepted("").provisioning, Provisioning::default());
        assert_eq!(
            accepted("[provisioning]").provisioning,
            Provisioning::default()
        );
    }

    #[test]
    fn bitbucket_is_where_the_upstream_is() {
        let access = access(&bitbucket(
            "username = \"robot\"\npassword = \"hunter2\"\n[upstream]\nurl = \"http://bitbucket:7990\"\ncontext_path = \"/bitbucket\"",
        ));
        assert_eq!(access.url.as_str(), "http://bitbucket:7990/bitbucket");
        assert!(
            matches!(&access.credentials, Credentials::Basic { username, password }
                if username == "robot" && password.expose() == "hunter2")
        );
        assert_eq!(access.ca_file, None);
    }

    #[test]
    fn bitbucket_can_be_reached_elsewhere() {
        let access = access(
            &bitbucket("url = \"https://admin.example.com/git/\"\ntoken = { env = \"TOKEN\" }")
                .env("TOKEN", "abc.DEF="),
        );
        assert_eq!(access.url.as_str(), "https://admin.example.com/git");
        assert!(matches!(&access.credentials, Credentials::Bearer(token)
            if token.expose() == "abc.DEF="));
    }

    #[test]
    fn the_authorities_are_the_upstream_s_at_its_own_address_alone() {
        let cert = include_str!("testing/cert.pem");
        let upstream =
            "token = \"t\"\n[upstream]\nurl = \"https://bitbucket\"\nca_file = \"ca.pem\"";
        let tried = bitbucket(upstream).file("ca.pem", cert);
        assert_eq!(access(&tried).ca_file, Some(tried.path("ca.pem")));
        let tried = bitbucket(&format!("url = \"https://other\"\n{upstream}")).file("ca.pem", cert);
        assert_eq!(access(&tried).ca_file, None);
        let tried = bitbucket(&format!(
            "url = \"https://other\"\nca_file = \"ca.pem\"\n{}",
            upstream.replace("\nca_file = \"ca.pem\"", "")
        ))
        .file("ca.pem", cert);
        assert_eq!(access(&tried).ca_file, Some(tried.path("ca.pem")));
    }

    #[test]
    fn the_target_needs_its_table_and_no_other_does() {
        refused(
            "[provisioning]\ntarget = \"bitbucket\"",
            &["1:1: provisioning.bitbucket: is missing: target is \"bitbucket\""],
        );
        refused(
            "[provisioning]\ntarget = \"bitbucket\"\n[provisioning.bitbuckit]\ntoken = \"t\"",
            &["3:15: provisioning.bitbuckit: unknown key; did you mean \"bitbucket\"?"],
        );
        refused(
            "[provisioning]\n[provisioning.bitbucket]\ntoken = \"t\"",
            &["2:1: provisioning.bitbucket: has no effect: target is \"none\""],
        );
        refused(
            "[provisioning]\ntarget = \"directory\"\nbitbucket = { token = \"t\" }",
            &["3:13: provisioning.bitbucket: has no effect: target is \"directory\""],
        );
        refused(
            "[provisioning]\ntarget = \"crowd\"\nbitbucket = 1",
            &[
                "2:10: provisioning.target: unknown value \"crowd\"",
                "3:13: provisioning.bitbucket: must be a table, not a number",
            ],
        );
        let directory = accepted(
            "[provisioning]\ntarget = \"directory\"\non_error = \"allow\"\ntimeout_secs = 30",
        )
        .provisioning;
        assert_eq!(directory.target, ProvisioningTarget::Directory);
        assert_eq!(directory.on_error, OnError::Allow);
        assert_eq!(directory.timeout, Duration::from_secs(30));
    }

    #[test]
    fn nothing_is_said_about_what_does_not_happen() {
        refused(
            "[provisioning]\non_error = \"allow\"\ntimeout_secs = 6",
            &[
                "2:12: provisioning.on_error: has no effect: target is \"none\"",
                "3:16: provisioning.timeout_secs: has no effect: target is \"none\"",
            ],
        );
        refused(
            "[provisioning]\ntarget = \"directory\"\ntimeout_secs = 31",
            &["3:16: provisioning.timeout_secs: 31 is not between 1 and 30"],
        );
        accepted("[provisioning]\ntarget = \"none\"\non_error = \"deny\"\ntimeout_secs = 5");
    }

    #[test]
    fn credentials_are_one_of_two_kinds() {
        with(
            "",
            &["3:1: provisioning.bitbucket: says neither username and password nor token"],
        );
        with(
            "username = \"robot\"",
            &["3:1: provisioning.bitbucket.password: is missing"],
        );
        with(
            "password = \"hunter2\"",
            &["3:1: provisioning.bitbucket.username: is missing"],
        );
        with(
            "username = \"robot\"\ntoken = \"t\"",
            &["5:9: provisioning.bitbucket.token: stands beside a username or password"],
        );
        with(
            "username = \"\"\npassword = \"hunter2\"",
            &["4:12: provisioning.bitbucket.username: is empty"],
        );
        with(
            "username = \"a:b\"\npassword = \"hunter2\"",
            &["4:12: provisioning.bitbucket.username: \"a:b\" contains a \":\""],
        );
        with(
            "pasword = \"hunter2\"\nusername = \"robot\"",
            &["4:1: provisioning.bitbucket.pasword: unknown key; did you mean \"password\"?"],
        );
    }

    #[test]
    fn a_secret_that_no_header_can_carry_is_refused_and_not_repeated() {
        for lines in [
            "token = \"hunter two\"",
            "username = \"robot\"\npassword = \"hunter\\ntwo\"",
        ] {
            let problems = bitbucket(lines).problems();
            assert!(problems.contains("contains a c"), "{problems}");
            assert!(!problems.contains("hunter"), "{problems}");
        }
    }

    #[test]
    fn an_address_is_bitbucket_s_base() {
        for (url, what) in [
            ("bitbucket", "\"bitbucket\" is not an address"),
            ("https://b/?x=1", "\"https://b/?x=1\" has a query"),
            ("https://b/a/b%2f", "\"/a/b%2f\" is not a plain path"),
            (
                "https://b/rest/api/1.0",
                "\"https://b/rest/api/1.0\" goes into the REST interface",
            ),
            (
                "https://git.example.com/",
                "\"https://git.example.com/\" is server.public_url: the gateway would call itself",
            ),
        ] {
            with(
                &format!("url = \"{url}\"\ntoken = \"t\""),
                &[&format!("4:7: provisioning.bitbucket.url: {what}")],
            );
        }
        bitbucket("token = \"t\"\nca_file = \"ca.pem\"")
            .file("ca.pem", include_str!("testing/cert.pem"))
            .refused(&["5:11: provisioning.bitbucket.ca_file: has no effect: the address is http"]);
        with(
            "token = \"t\"\n[upstream]\nurl = \"http://app\"\nkind = \"generic\"",
            &[
                "3:1: provisioning.bitbucket.url: is missing: upstream.kind is \"generic\", so the upstream is no Bitbucket",
            ],
        );
    }

    #[test]
    fn credentials_in_the_clear_are_warned_about() {
        warned(&format!("{BITBUCKET}token = \"t\""), &[]);
        warned(
            &format!("{BITBUCKET}url = \"http://127.0.0.1:7990\"\ntoken = \"t\""),
            &[],
        );
        warned(
            &format!("{BITBUCKET}url = \"http://other:7990\"\ntoken = \"t\""),
            &[
                "provisioning.bitbucket.url: http: whoever is between the gateway and this address reads an administrator's credentials",
            ],
        );
    }

    #[test]
    fn letting_people_in_unasked_is_warned_about() {
        let allow = "[provisioning]\ntarget = \"directory\"\non_error = \"allow\"\n";
        warned(allow, &[]);
        warned(
            &format!("{allow}[users]\ncreate = false\nmatch_by = \"email\""),
            &[
                "provisioning.on_error: allow lets people in unasked while they cannot be looked up, although users.create is false",
                "provisioning.on_error: while Bitbucket cannot be asked, allow lets in only people who have signed in before, under the name of then",
            ],
        );
    }
}
