//! How the gateway proves to a provider who it is: `client_auth` and what it needs.

use crate::config::presets::{Method, Preset};
use crate::config::problems::mistake;
use crate::config::reader::{At, Read, Section};
use crate::config::values::Chosen;
use crate::config::{Algorithm, ClientAuth, keys};
use crate::secret::Secret;
use time::Date;

pub(super) fn read(section: &Section<'_>, preset: &Preset) -> Read<ClientAuth> {
    let method = section.find::<Chosen<Method>>("client_auth");
    let secret = section.find::<At<'_, Secret<String>>>("client_secret");
    let key = section.find::<At<'_, Secret<String>>>("private_key");
    let key_id = section.find::<At<'_, String>>("private_key_id");
    let team_id = section.find::<At<'_, String>>("team_id");
    let (method, secret, key, key_id, team_id) = (method?, secret?, key?, key_id?, team_id?);

    let method = match method {
        Some(Chosen(method)) => method,
        None if preset.client_auth == Method::AppleJwt && secret.is_none() => Method::AppleJwt,
        // The file says what it has; that is enough.
        None if key.is_some() && secret.is_none() => Method::PrivateKeyJwt,
        None => preset.client_auth,
    };
    if method != Method::AppleJwt {
        section.useless("team_id", "only client_auth = \"apple_jwt\" uses it")?;
    }
    match method {
        Method::PrivateKeyJwt => {
            section.useless("client_secret", "client_auth is \"private_key_jwt\"")?;
            let key = key.ok_or_else(|| section.missing("private_key"))?;
            let algorithm = key.check(|pem| keys::algorithm_of(pem.expose()))?;
            return Ok(ClientAuth::PrivateKeyJwt {
                key: key.value,
                key_id: key_id.map(|id| id.value).filter(|id| !id.is_empty()),
                algorithm,
            });
        }
        Method::AppleJwt => {
            section.useless("client_secret", "client_auth is \"apple_jwt\"")?;
            return apple(section, key, key_id, team_id);
        }
        Method::Basic | Method::Post | Method::None => {}
    }
    let why = "only client_auth = \"private_key_jwt\" or \"apple_jwt\" uses it";
    let key = section.useless("private_key", why);
    section.useless("private_key_id", why).and(key)?;
    if method == Method::None {
        section.useless("client_secret", "client_auth is \"none\"")?;
        return Ok(ClientAuth::None);
    }
    let secret = secret
        .ok_or_else(|| section.missing("client_secret"))?
        .value;
    Ok(match method {
        Method::Post => ClientAuth::Post(secret),
        _ => ClientAuth::Basic(secret),
    })
}

/// The day on which the secret ends; keys and what is signed with them have none.
pub(super) fn expires_on(section: &Section<'_>, auth: Option<&ClientAuth>) -> Read<Option<Date>> {
    let day = section.find::<Date>("client_secret_expires_on")?;
    match auth {
        None | Some(ClientAuth::Basic(_) | ClientAuth::Post(_)) => Ok(day),
        Some(_) => {
            section.useless("client_secret_expires_on", "there is no client_secret")?;
            Ok(None)
        }
    }
}

/// Apple takes a JWT in place of the secret, and wants to know which key signed it for which team.
fn apple(
    section: &Section<'_>,
    key: Option<At<'_, Secret<String>>>,
    key_id: Option<At<'_, String>>,
    team_id: Option<At<'_, String>>,
) -> Read<ClientAuth> {
    let there = |id: Option<At<'_, String>>, name, example| {
        let id = id.map(|id| id.value).filter(|id| !id.is_empty());
        id.ok_or_else(|| section.missing_such_as(name, example))
    };
    let key = key.ok_or_else(|| {
        section.missing_such_as("private_key", "{ file = \"AuthKey_ABC123DEFG.p8\" }")
    });
    let key = key.and_then(|key| {
        key.check(|pem| match keys::algorithm_of(pem.expose())? {
            Algorithm::ES256 => Ok(()),
            _ => Err(mistake(
                "the key is not one of Apple's",
                "give the .p8 file that Apple made: a P-256 key in PEM",
            )),
        })?;
        Ok(key.value)
    });
    let key_id = there(key_id, "private_key_id", "\"ABC123DEFG\"");
    let team_id = there(team_id, "team_id", "\"DEF123GHIJ\"");
    Ok(ClientAuth::AppleJwt {
        key: key?,
        key_id: key_id?,
        team_id: team_id?,
    })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, pem, refused};
    use crate::config::{Algorithm, ClientAuth};
    use time::{Date, Month};

    fn text(lines: &str) -> String {
        format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\n{lines}"
        )
    }

    #[track_caller]
    fn with(lines: &str, expected: &[&str]) {
        refused(&text(lines), expected);
    }

    #[test]
    fn a_secret_goes_where_the_provider_wants_it() {
        let auth = |lines: &str| accepted(&text(lines)).providers[0].client_auth.clone();
        assert!(matches!(
            auth("client_secret = \"s\""),
            ClientAuth::Basic(_)
        ));
        assert!(matches!(
            auth("client_secret = \"s\"\npreset = \"salesforce\""),
            ClientAuth::Post(_)
        ));
        assert!(matches!(
            auth("client_secret = \"s\"\nclient_auth = \"client_secret_post\""),
            ClientAuth::Post(_)
        ));
        assert_eq!(auth("client_auth = \"none\""), ClientAuth::None);
    }

    #[test]
    fn a_private_key_decides_the_algorithm() {
        for (pem, want) in [
            (pem::rsa(), Algorithm::RS256),
            (pem::rsa_pkcs1(), Algorithm::RS256),
            (crate::config::generate_assertion_key(), Algorithm::ES256),
            (pem::p384(), Algorithm::ES384),
            (pem::ed25519(), Algorithm::EdDSA),
        ] {
            let config = Try::new(&text(
                "private_key = { file = \"k.pem\" }\nprivate_key_id = \"k1\"",
            ))
            .file("k.pem", &pem)
            .accepted();
            let ClientAuth::PrivateKeyJwt {
                key_id, algorithm, ..
            } = &config.providers[0].client_auth
            else {
                panic!("not private_key_jwt");
            };
            assert_eq!((key_id.as_deref(), *algorithm), (Some("k1"), want));
        }
    }

    #[test]
    fn a_proof_that_is_missing_or_unused_is_refused() {
        with("", &["1:1: providers.a.client_secret: is missing"]);
        with(
            "client_auth = \"private_key_jwt\"",
            &["1:1: providers.a.private_key: is missing"],
        );
        with(
            "client_auth = \"private_key_jwt\"\nclient_secret = \"s\"",
            &["6:17: providers.a.client_secret: has no effect: client_auth is \"private_key_jwt\""],
        );
        with(
            "client_auth = \"none\"\nclient_secret = \"s\"",
            &["6:17: providers.a.client_secret: has no effect: client_auth is \"none\""],
        );
        with(
            "client_secret = \"s\"\nprivate_key = \"x\"\nprivate_key_id = \"y\"",
            &[
                "6:15: providers.a.private_key: has no effect: only client_auth = \"private_key_jwt\" or \"apple_jwt\" uses it",
                "7:18: providers.a.private_key_id: has no effect: only client_auth = \"private_key_jwt\" or \"apple_jwt\" uses it",
            ],
        );
        with(
            "private_key = \"hunter2\"",
            &["5:15: providers.a.private_key: the secret is not a private key in PEM"],
        );
        with(
            "client_auth = \"private_key\"",
            &[
                "5:15: providers.a.client_auth: unknown value \"private_key\"; did you mean \"private_key_jwt\"?",
            ],
        );
        Try::new(&text("private_key = { file = \"k.pem\" }"))
            .file("k.pem", &pem::sec1())
            .refused_with("openssl pkcs8");
    }

    /// Lines of a test begin at 5.
    fn apple(lines: &str) -> String {
        format!(
            "[[providers]]\nid = \"a\"\npreset = \"apple\"\nclient_id = \"c\"\n{lines}\n[users]\nallowed_domains = [\"example.com\"]"
        )
    }

    #[test]
    fn apple_gets_a_token_that_its_key_signs() {
        let key = crate::config::generate_assertion_key();
        let lines = "private_key = { file = \"k.p8\" }\nprivate_key_id = \"ABC123DEFG\"\nteam_id = \"DEF123GHIJ\"";
        for text in [
            apple(lines),
            text(&format!("client_auth = \"apple_jwt\"\n{lines}")),
        ] {
            let config = Try::new(&text).file("k.p8", &key).accepted();
            let ClientAuth::AppleJwt {
                key_id, team_id, ..
            } = &config.providers[0].client_auth
            else {
                panic!("not apple_jwt");
            };
            assert_eq!(
                (key_id.as_str(), team_id.as_str()),
                ("ABC123DEFG", "DEF123GHIJ")
            );
        }
        let rsa = Try::new(&apple(lines)).file("k.p8", &pem::rsa());
        rsa.refused(&["5:15: providers.a.private_key: the key is not one of Apple's"]);
        refused(
            &apple(""),
            &[
                "1:1: providers.a.private_key: is missing",
                "1:1: providers.a.private_key_id: is missing",
                "1:1: providers.a.team_id: is missing",
            ],
        );
        refused(
            &apple("client_auth = \"apple_jwt\"\nclient_secret = \"s\""),
            &["6:17: providers.a.client_secret: has no effect: client_auth is \"apple_jwt\""],
        );
        with(
            "client_secret = \"s\"\nteam_id = \"DEF123GHIJ\"",
            &["6:11: providers.a.team_id: has no effect: only client_auth = \"apple_jwt\" uses it"],
        );
    }

    #[test]
    fn the_day_on_which_a_secret_ends_is_a_day() {
        let day = |value: &str| {
            let lines = format!("client_secret = \"s\"\nclient_secret_expires_on = {value}");
            accepted(&text(&lines)).providers[0].client_secret_expires_on
        };
        let march = Date::from_calendar_date(2027, Month::March, 31).unwrap();
        assert_eq!(day("\"2027-03-31\""), Some(march));
        assert_eq!(day("2027-03-31"), Some(march));
        let none = accepted(&text("client_secret = \"s\"")).providers[0].client_secret_expires_on;
        assert_eq!(none, None);
    }

    #[track_caller]
    fn check_no_day(value: &str, what: &str) {
        let lines = format!("client_secret = \"s\"\nclient_secret_expires_on = {value}");
        with(
            &lines,
            &[&format!(
                "6:28: providers.a.client_secret_expires_on: {what}"
            )],
        );
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for value in [
            "31.03.2027",
            "2027-3-31",
            "2027-02-29",
            "2027-03-31T00:00:00Z",
            "",
        ] {
            let what = format!("\"{value}\" is not a day");
            check_no_day(&format!("\"{value}\""), &what);
        }
        check_no_day("12:00:00", "\"12:00:00\" is not a day");
        check_no_day(
            "2027-03-31T12:00:00Z",
            "\"2027-03-31T12:00:00Z\" is not a day",
        );
        check_no_day("2027", "must be a day, not a number");
        Try::new(&text(
            "client_secret = \"s\"\nclient_secret_expires_on = \"soon\"",
        ))
        .refused_with("write year, month and day: client_secret_expires_on = \"2027-03-31\"");
    }

    #[test]
    fn without_a_secret_no_day_is_of_use() {
        with(
            "client_auth = \"none\"\nclient_secret_expires_on = \"2027-03-31\"",
            &[
                "6:28: providers.a.client_secret_expires_on: has no effect: there is no client_secret",
            ],
        );
        let key = crate::config::generate_assertion_key();
        Try::new(&text(
            "private_key = { file = \"k.pem\" }\nclient_secret_expires_on = \"2027-03-31\"",
        ))
        .file("k.pem", &key)
        .refused(&[
            "6:28: providers.a.client_secret_expires_on: has no effect: there is no client_secret",
        ]);
    }
}
