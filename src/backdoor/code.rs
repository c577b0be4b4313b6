//! One-time codes (RFC 6238): six digits, 30 seconds, SHA-1, as every authenticator shows them.

use super::Error;
use crate::clock::Timestamp;
use crate::config::BackdoorAccount;
use totp_rs::{Algorithm, Builder, Totp};

/// A code's time step in seconds.
pub(super) const STEP_SECS: u64 = 30;
/// Steps before and after the present one whose codes pass, for clocks that differ a little.
pub(super) const SKEW: u64 = 1;
/// Bytes of the shortest secret. RFC 4226 §4 asks for 16, but 10 is what the first authenticator
/// apps made, and with a wait that doubles nobody gets to try more than a few codes.
const MIN_SECRET: usize = 10;

/// The code secrets, in the order of the accounts.
pub(super) struct Codes(Vec<Option<Totp>>);

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codes([secret])")
    }
}

/// What a typed code is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The account has no secret, or there is no account.
    NotAsked,
    /// The code of this time step, which may have been used already.
    Right(u64),
    /// No code of now.
    Wrong,
}

impl Codes {
    pub(super) fn new(accounts: &[BackdoorAccount]) -> Result<Self, Error> {
        accounts
            .iter()
            .map(|account| {
                let Some(secret) = &account.totp_secret else {
                    return Ok(None);
                };
                totp(secret.expose())
                    .map(Some)
                    .ok_or_else(|| Error::CodeSecret {
                        username: account.username.clone(),
                    })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether any account needs a code.
    pub(super) fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    pub(super) fn check(&self, account: Option<usize>, code: &str, now: Timestamp) -> Check {
        let Some(Some(totp)) = account.and_then(|account| self.0.get(account)) else {
            return Check::NotAsked;
        };
        // People type "123 456" as their authenticator shows it.
        let digits: String = code.chars().filter(|c| *c != ' ').take(16).collect();
        totp.check(&digits, now.as_secs())
            .map_or(Check::Wrong, Check::Right)
    }
}

/// Reads base32 as people copy it: in groups, in lower case, with or without padding.
fn totp(secret: &str) -> Option<Totp> {
    let secret: String = secret
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '='))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let secret = totp_rs::Secret::try_from_base32(secret).ok()?;
    if secret.as_bytes().len() < MIN_SECRET {
        return None;
    }
    // What `build` would check besides the secret's length is constant here.
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW as u16)
        .with_step_duration(STEP_SECS)
        .with_secret(secret)
        .build_noncompliant();
    Some(totp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Username;
    use crate::secret::Secret;

    /// The key of RFC 6238's test vectors, "12345678901234567890", in base32.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn codes(secret: Option<&str>) -> Result<Codes, Error> {
        Codes::new(&[BackdoorAccount {
            username: Username::parse("admin").unwrap(),
            password_hash: Secret::new(String::new()),
            totp_secret: secret.map(|secret| Secret::new(secret.to_owned())),
        }])
    }

    #[track_caller]
    fn check(secret: &str, code: &str, secs: u64, want: Check) {
        let codes = codes(Some(secret)).unwrap();
        let got = codes.check(Some(0), code, Timestamp::from_secs(secs));
        assert_eq!(got, want, "{code} at {secs}");
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238_appendix_b() {
        // The last six digits of the eight that the appendix shows.
        check(RFC, "287082", 59, Check::Right(1));
        check(RFC, "081804", 1_111_111_109, Check::Right(37_037_036));
        check(RFC, "005924", 1_234_567_890, Check::Right(41_152_263));
        check(RFC, "353130", 20_000_000_000, Check::Right(666_666_666));
    }

    #[test]
    fn a_code_passes_one_step_early_or_late_and_not_two() {
        check(RFC, "287082", 30 + 59, Check::Right(1));
        check(RFC, "287082", 0, Check::Right(1));
        check(RFC, "287082", 90, Check::Wrong);
    }

    #[test]
    fn a_secret_and_a_code_may_be_written_in_groups() {
        check(
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "287 082",
            59,
            Check::Right(1),
        );
    }

    #[test]
    fn anything_else_is_wrong() {
        for bad in ["", "28708", "2870822", "٢٨٧٠٨٢", "-87082", "287082\n"] {
            check(RFC, bad, 59, Check::Wrong);
        }
    }

    #[test]
    fn a_secret_that_protects_nothing_is_refused() {
        for bad in ["", "GEZDGNBVGY3TQOI", "not base32!", "0189"] {
            let refused = codes(Some(bad));
            assert!(matches!(refused, Err(Error::CodeSecret { .. })), "{bad:?}");
        }
    }

    #[test]
    fn an_account_without_a_secret_needs_no_code_and_so_no_clock() {
        let codes = codes(None).unwrap();
        let at = Timestamp::from_secs(0);
        assert_eq!(codes.check(Some(0), "", at), Check::NotAsked);
        assert_eq!(codes.check(None, "123456", at), Check::NotAsked);
        assert!(!codes.any());
    }
}
