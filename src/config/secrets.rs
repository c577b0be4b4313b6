//! A secret in the file: a string, `{ env = "NAME" }` or `{ file = "PATH" }`.
//!
//! No message of this file ever holds a value; the name of a variable or file, it may.

use super::problems::{Mistake, meant, mistake, quoted};
use super::reader::{Read, Spot};
use super::values::{FromValue, Value};
use crate::secret::Secret;
use std::io::{self, Read as _};
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Larger than any key or password; a file beyond it is the wrong file.
const MAX_BYTES: u64 = 64 * 1024;

const FORMS: &str = "a string, { env = \"NAME\" } or { file = \"PATH\" }";

impl<'r> FromValue<'r> for Secret<String> {
    fn read(value: &Value<'r, '_>) -> Read<Self> {
        let text = match value.toml {
            DeValue::String(text) => text.to_string(),
            DeValue::Table(table) => referred(table, &value.spot)?,
            _ => return Err(value.wrong_type(FORMS)),
        };
        if text.trim().is_empty() {
            return Err(value.spot.problem(mistake(
                "the secret is empty",
                "put a value there, or name where it is: { env = \"NAME\" } or { file = \"PATH\" }",
            )));
        }
        Ok(Secret::new(text))
    }
}

/// The value that a table points to.
fn referred(table: &DeTable<'_>, spot: &Spot<'_>) -> Read<String> {
    let mut entries = table
        .iter()
        .map(|(name, value)| (name.get_ref().as_ref(), value.get_ref()));
    let exactly_one = || {
        mistake(
            "must say exactly one of env and file",
            format!("write {FORMS}"),
        )
    };
    let (Some((name, target)), None) = (entries.next(), entries.next()) else {
        return Err(spot.problem(exactly_one()));
    };
    let read = match (name, target) {
        ("env", DeValue::String(name)) => from_env(name, spot),
        ("file", DeValue::String(path)) => from_file(path, spot),
        ("env" | "file", _) => Err(mistake(
            format!("{name} must be a string"),
            format!("write {FORMS}"),
        )),
        (other, _) => {
            let guess = meant(other, ["env", "file"]);
            let guess = guess.map(|name| format!("; did you mean \"{name}\"?"));
            Err(mistake(
                format!("unknown key {}{}", quoted(other), guess.unwrap_or_default()),
                format!("write {FORMS}"),
            ))
        }
    };
    read.map_err(|mistake| spot.problem(mistake))
}

fn from_env(name: &str, spot: &Spot<'_>) -> Result<String, Mistake> {
    // Something else than a name is perhaps the secret itself, so it isn't repeated.
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.bytes().all(is_name)
    {
        return Err(mistake(
            "env must be the name of an environment variable: letters, digits and _",
            "to write the secret itself into the file, use a plain string",
        ));
    }
    spot.reading().env(name).ok_or_else(|| {
        mistake(
            format!("the environment variable \"{name}\" is not set"),
            "set it for the process that runs the gateway, and for this check",
        )
    })
}

fn from_file(path: &str, spot: &Spot<'_>) -> Result<String, Mistake> {
    if path.is_empty() {
        return Err(mistake(
            "file is empty",
            "name the file that holds the secret",
        ));
    }
    let path = spot.reading().file(path);
    let text = read_text(&path)?;
    warn_if_open(&path, spot);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a small text file that the configuration names.
pub(super) fn read_text(path: &Path) -> Result<String, Mistake> {
    String::from_utf8(read_bytes(path, MAX_BYTES)?)
        .map_err(|_| unreadable(path, &io::ErrorKind::InvalidData.into()))
}

/// Reads a file that the configuration names, of at most `most` bytes.
pub(super) fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>, Mistake> {
    let failed = |error: io::Error| unreadable(path, &error);
    let shown = || quoted(&path.display().to_string());
    // Before it is opened: with a pipe, that would block the start for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(mistake(
            format!("{} is not a regular file", shown()),
            "name a plain file",
        ));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    if read.map_err(failed)? as u64 > most {
        return Err(mistake(
            format!("{} is larger than {most} bytes", shown()),
            "name the right file",
        ));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Mistake {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => {
            "create it, or correct the path; it is relative to the configuration file"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs the gateway read it",
        _ => "name a plain text file",
    };
    let shown = quoted(&path.display().to_string());
    mistake(format!("cannot read {shown}: {}", reason(error)), remedy)
}

/// What went wrong, without the "(os error 2)" that helps nobody.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// Warns about a file with a secret that is not the gateway's alone.
pub(super) fn warn_if_open(path: &Path, spot: &Spot<'_>) {
    if others_may_read(path) {
        let path = path.display();
        spot.warn(format!(
            "\"{path}\" can be read by every user of this machine; chmod o= it"
        ));
    }
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused};

    const KEY: &str = "0123456789abcdef";

    fn secret(value: &str) -> String {
        format!(
            "[[providers]]\nid = \"corp\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = {value}\n"
        )
    }

    #[track_caller]
    fn client_secret(config: &crate::config::Config) -> String {
        match &config.providers[0].client_auth {
            crate::config::ClientAuth::Basic(secret) => secret.expose().clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_comes_from_the_file_the_environment_or_another_file() {
        assert_eq!(client_secret(&accepted(&secret("\"plain\""))), "plain");
        let config = Try::new(&secret("{ env = \"NAME\" }"))
            .env("NAME", "from env")
            .accepted();
        assert_eq!(client_secret(&config), "from env");
        let config = Try::new(&secret("{ file = \"s.txt\" }"))
            .file("s.txt", "from file\r\n\n")
            .accepted();
        assert_eq!(client_secret(&config), "from file");
    }

    #[test]
    fn a_file_of_a_secret_is_watched_and_relative_to_the_configuration() {
        let tried = Try::new(&secret("{ file = \"dir/s.txt\" }")).file("dir/s.txt", KEY);
        let loaded = tried.loaded();
        assert!(
            loaded.files.contains(&tried.path("dir/s.txt")),
            "{:?}",
            loaded.files
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_everyone_may_read_is_warned_about() {
        use std::os::unix::fs::PermissionsExt;
        let tried = Try::new(&secret("{ file = \"s.txt\" }")).file("s.txt", KEY);
        let mode = |mode| {
            std::fs::set_permissions(tried.path("s.txt"), std::fs::Permissions::from_mode(mode))
                .unwrap()
        };
        mode(0o644);
        let warnings = tried.loaded().warnings;
        assert!(
            warnings.iter().any(
                |w| w.starts_with("providers.corp.client_secret: ") && w.contains("every user")
            ),
            "{warnings:?}"
        );
        mode(0o640);
        assert_eq!(tried.loaded().warnings, [""; 0]);
    }

    #[test]
    fn a_secret_is_exactly_one_of_its_forms() {
        for both in ["{}", "{ env = \"A\", file = \"b\" }"] {
            refused(
                &secret(both),
                &["5:17: providers.corp.client_secret: must say exactly one of env and file"],
            );
        }
        refused(
            &secret("{ evn = \"A\" }"),
            &["5:17: providers.corp.client_secret: unknown key \"evn\"; did you mean \"env\"?"],
        );
        refused(
            &secret("{ env = 1 }"),
            &["5:17: providers.corp.client_secret: env must be a string"],
        );
        refused(
            &secret("{ file = \"\" }"),
            &["5:17: providers.corp.client_secret: file is empty"],
        );
        refused(
            &secret("\" \""),
            &["5:17: providers.corp.client_secret: the secret is empty"],
        );
        refused(
            &secret("7"),
            &[
                "5:17: providers.corp.client_secret: must be a string, { env = \"NAME\" } or { file = \"PATH\" }, not a number",
            ],
        );
    }

    #[test]
    fn what_is_not_there_is_named() {
        refused(
            &secret("{ env = \"NAME\" }"),
            &["5:17: providers.corp.client_secret: the environment variable \"NAME\" is not set"],
        );
        let tried = Try::new(&secret("{ file = \"s.txt\" }"));
        let path = tried.path("s.txt");
        tried.refused(&[&format!(
            "5:17: providers.corp.client_secret: cannot read \"{}\": there is no such file",
            path.display()
        )]);
        Try::new(&secret("{ file = \".\" }")).refused_with("is not a regular file");
        Try::new(&secret("{ file = \"s.txt\" }"))
            .file("s.txt", "\n")
            .refused_with("the secret is empty");
        Try::new(&secret("{ file = \"s.txt\" }"))
            .file("s.txt", &"x".repeat(70_000))
            .refused_with("is larger than 65536 bytes");
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_not_repeated() {
        let problems = Try::new(&secret("{ env = \"hunter2!\" }")).problems();
        assert!(
            problems.contains("must be the name of an environment variable"),
            "{problems}"
        );
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}
