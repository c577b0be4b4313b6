//! What the tests of this room share: a text becomes a whole file, is loaded, and says what it did.

use super::{Config, Loaded, parse};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// 64 bytes in hex.
pub(super) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

/// A text that is tried, with the tables that every file needs added below unless it has them.
pub(super) struct Try {
    text: String,
    provider: bool,
    env: BTreeMap<String, String>,
    dir: TempDir,
}

impl Try {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            provider: true,
            env: BTreeMap::from([("KEY".to_owned(), KEY.to_owned())]),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Another text in the same directory.
    pub(super) fn rewritten(mut self, text: &str) -> Self {
        self.text = text.to_owned();
        self
    }

    pub(super) fn without_provider(mut self) -> Self {
        self.provider = false;
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn file(self, name: &str, content: &str) -> Self {
        use std::io::Write as _;
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .unwrap()
            .write_all(content.as_bytes())
            .unwrap();
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn load(&self) -> Result<Loaded, super::Problems> {
        let mut text = self.text.clone();
        for (table, lines) in [
            ("[server]", "public_url = \"https://git.example.com\""),
            ("[upstream]", "url = \"http://bitbucket:7990\""),
            ("[session]", "keys = [{ env = \"KEY\" }]"),
            (
                "[[providers]]",
                "id = \"test\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"",
            ),
        ] {
            let wanted = self.provider || table != "[[providers]]";
            if wanted && !text.lines().any(|line| line.trim() == table) {
                text.push_str(&format!("\n{table}\n{lines}"));
            }
        }
        parse(&text, "p.toml", self.dir.path(), &|name| {
            self.env.get(name).cloned()
        })
    }

    #[track_caller]
    pub(super) fn loaded(&self) -> Loaded {
        match self.load() {
            Ok(loaded) => loaded,
            Err(problems) => panic!("refused:\n{problems}"),
        }
    }

    #[track_caller]
    pub(super) fn accepted(&self) -> Config {
        self.loaded().config
    }

    /// All problems as they are printed.
    #[track_caller]
    pub(super) fn problems(&self) -> String {
        match self.load() {
            Ok(_) => panic!("accepted"),
            Err(problems) => problems.to_string(),
        }
    }

    /// The problems are exactly these: `line:column: key: what`, in the order of the file. A
    /// place of `1:1` also fits a table that the test did not write.
    #[track_caller]
    pub(super) fn refused(&self, expected: &[&str]) {
        let problems = match self.load() {
            Ok(_) => panic!("accepted instead of {expected:#?}"),
            Err(problems) => problems,
        };
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| {
                assert!(!problem.remedy.is_empty(), "{} has no remedy", problem.key);
                let (line, column) = problem.place.unwrap();
                format!("{line}:{column}: {}: {}", problem.key, problem.what)
            })
            .collect();
        assert_eq!(lines, expected, "\n{problems}");
    }

    /// There is one problem, and its message holds this.
    #[track_caller]
    pub(super) fn refused_with(&self, part: &str) {
        let problems = self.problems();
        assert!(problems.contains(part), "{problems}");
        assert_eq!(problems.lines().count(), 2, "{problems}");
    }
}

#[track_caller]
pub(super) fn accepted(text: &str) -> Config {
    Try::new(text).accepted()
}

#[track_caller]
pub(super) fn refused(text: &str, expected: &[&str]) {
    Try::new(text).refused(expected);
}

#[track_caller]
pub(super) fn warned(text: &str, expected: &[&str]) {
    assert_eq!(Try::new(text).loaded().warnings, expected);
}

/// Private keys.
pub(super) mod pem {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn armour(label: &str, der: &[u8]) -> String {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn rsa_der() -> Vec<u8> {
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key)
            .unwrap()
            .as_ref()
            .to_vec()
    }

    pub(in crate::config) fn rsa() -> String {
        armour("PRIVATE KEY", &rsa_der())
    }

    /// The same in PKCS#1, which is what stands in PKCS#8 after 26 bytes of header.
    pub(in crate::config) fn rsa_pkcs1() -> String {
        armour("RSA PRIVATE KEY", &rsa_der()[26..])
    }

    pub(in crate::config) fn p384() -> String {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
        armour("PRIVATE KEY", key.unwrap().as_ref())
    }

    pub(in crate::config) fn ed25519() -> String {
        let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new());
        armour("PRIVATE KEY", key.unwrap().as_ref())
    }

    pub(in crate::config) fn sec1() -> String {
        armour("EC PRIVATE KEY", b"what is inside does not matter")
    }
}
