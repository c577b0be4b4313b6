//! Password hashes: argon2id, computed away from the threads that serve.

use super::Error;
use crate::config::BackdoorAccount;
use crate::random;
use crate::secret::Secret;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::OwnedSemaphorePermit;

/// The OWASP Password Storage Cheat Sheet's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = Params::DEFAULT_M_COST;
const PASSES: u32 = Params::DEFAULT_T_COST;
const LANES: u32 = Params::DEFAULT_P_COST;

/// Hashes a password for `backdoor.accounts`, as a PHC string of argon2id with a fresh salt.
///
/// # Errors
///
/// [`Error::EmptyPassword`], and [`Error::Hash`] when the machine cannot, for want of memory.
pub fn hash_password(password: &str) -> Result<String, Error> {
    if password.is_empty() {
        return Err(Error::EmptyPassword);
    }
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Error::Hash(error.into()))?;
    let salt = random::bytes::<16>();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(Error::Hash)
}

/// The hashes, in the order of the accounts.
pub(super) struct Passwords {
    hashes: Vec<PasswordHash>,
    /// What a password for nobody is compared with, so that it takes as long as one for somebody.
    nobody: Option<PasswordHash>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords([secret])")
    }
}

impl Passwords {
    pub(super) fn new(accounts: &[BackdoorAccount]) -> Result<Self, Error> {
        let hashes = accounts
            .iter()
            .map(read)
            .collect::<Result<Vec<PasswordHash>, Error>>()?;
        // The parameters of the most expensive account, with an output that no password has: the
        // same work, and never a match. With fewer, an unknown name would answer faster than that
        // account, whose slowness would then say that it exists. (A cheaper account still answers
        // faster than this; only accounts that are hashed alike cannot be told from nobody.)
        let nobody = hashes.iter().max_by_key(|hash| work(hash)).cloned();
        let nobody = nobody.and_then(|mut hash| {
            hash.hash = Some(Output::new(&random::bytes::<32>()).ok()?);
            Some(hash)
        });
        Ok(Self { hashes, nobody })
    }

    /// Whether this is the account's password. The permit is kept until the work is done, also when
    /// the one who asked has gone away.
    pub(super) async fn verify(
        &self,
        account: Option<usize>,
        password: Secret<String>,
        permit: OwnedSemaphorePermit,
    ) -> bool {
        let known = account.and_then(|account| self.hashes.get(account));
        let exists = known.is_some();
        let Some(hash) = known.or(self.nobody.as_ref()).cloned() else {
            return false;
        };
        let work = tokio::task::spawn_blocking(move || {
            let right = Argon2::default()
                .verify_password(password.expose().as_bytes(), &hash)
                .is_ok();
            drop(permit);
            right
        });
        work.await.unwrap_or(false) && exists
    }
}

/// What a hash costs to compute: memory times passes. Lanes share the memory, and one after the
/// other they take as long as one.
fn work(hash: &PasswordHash) -> u64 {
    Params::try_from(hash).map_or(0, |params| {
        u64::from(params.m_cost()) * u64::from(params.t_cost())
    })
}

fn read(account: &BackdoorAccount) -> Result<PasswordHash, Error> {
    let username = || account.username.clone();
    let hash = PasswordHash::new(account.password_hash.expose()).map_err(|source| {
        Error::PasswordHash {
            username: username(),
            source,
        }
    })?;
    let whole = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.salt.is_some()
        && hash.hash.is_some()
        && Params::try_from(&hash).is_ok();
    if whole {
        Ok(hash)
    } else {
        Err(Error::NotArgon2id {
            username: username(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::identity::Username;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    /// Cheap parameters: tests prove the logic, not the hardness.
    pub(in crate::backdoor) fn cheap_hash(password: &str) -> String {
        hash_of(password, 8, 1)
    }

    fn hash_of(password: &str, memory_kib: u32, passes: u32) -> String {
        let params = Params::new(memory_kib, passes, 1, None).unwrap();
        let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), b"0123456789abcdef")
            .unwrap();
        hash.to_string()
    }

    fn account(name: &str, password: &str) -> BackdoorAccount {
        with_hash(name, &cheap_hash(password))
    }

    fn with_hash(name: &str, hash: &str) -> BackdoorAccount {
        BackdoorAccount {
            username: Username::parse(name).unwrap(),
            password_hash: Secret::new(hash.to_owned()),
            totp_secret: None,
        }
    }

    async fn verify(passwords: &Passwords, account: Option<usize>, password: &str) -> bool {
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        passwords
            .verify(account, Secret::new(password.to_owned()), permit)
            .await
    }

    #[tokio::test]
    async fn each_account_has_its_own_password() {
        let passwords = Passwords::new(&[account("a", "one"), account("b", "two")]).unwrap();
        assert!(verify(&passwords, Some(0), "one").await);
        assert!(verify(&passwords, Some(1), "two").await);
        assert!(!verify(&passwords, Some(0), "two").await);
        assert!(!verify(&passwords, Some(0), "").await);
    }

    #[tokio::test]
    async fn a_password_for_nobody_costs_the_same_work_and_never_fits() {
        let passwords = Passwords::new(&[account("a", "one")]).unwrap();
        let (real, nobody) = (&passwords.hashes[0], passwords.nobody.as_ref().unwrap());
        assert_eq!(real.params, nobody.params);
        assert_eq!(real.algorithm, nobody.algorithm);
        assert_ne!(real.hash, nobody.hash);
        assert_eq!(real.hash.unwrap().len(), nobody.hash.unwrap().len());
        assert!(!verify(&passwords, None, "one").await);
        assert!(!verify(&passwords, Some(7), "one").await);
        let empty = Passwords::new(&[]).unwrap();
        assert!(!verify(&empty, None, "one").await);
    }

    #[test]
    fn a_password_for_nobody_costs_as_much_as_the_most_expensive_account() {
        // Neither the most memory nor the most passes is the most work.
        let mut accounts = [(64, 1), (32, 4), (8, 9)]
            .map(|(memory, passes)| with_hash("a", &hash_of("x", memory, passes)));
        for _ in 0..accounts.len() {
            accounts.rotate_left(1);
            let passwords = Passwords::new(&accounts).unwrap();
            let params = Params::try_from(passwords.nobody.as_ref().unwrap()).unwrap();
            assert_eq!((params.m_cost(), params.t_cost()), (32, 4));
        }
    }

    #[tokio::test]
    async fn a_hash_that_we_made_is_one_that_we_accept() {
        let text = hash_password("correct horse").unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        assert_ne!(text, hash_password("correct horse").unwrap());
        let passwords = Passwords::new(&[with_hash("a", &text)]).unwrap();
        assert!(verify(&passwords, Some(0), "correct horse").await);
        assert!(!verify(&passwords, Some(0), "correct horsf").await);
    }

    #[test]
    fn an_empty_password_is_not_hashed() {
        assert!(matches!(hash_password(""), Err(Error::EmptyPassword)));
    }

    #[test]
    fn a_hash_that_could_never_fit_is_refused_at_the_start() {
        for bad in [
            "",
            "hunter2",
            "$2y$10$abcdefghijklmnopqrstuv",
            "$argon2i$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
            "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=19$m=1,t=0,p=0$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
        ] {
            assert!(Passwords::new(&[with_hash("a", bad)]).is_err(), "{bad}");
        }
    }
}
