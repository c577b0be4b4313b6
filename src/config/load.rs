//! From a file, or its text, to a checked [`Config`].

use super::problems::{Problem, Problems, mistake};
use super::reader::{Read, Reading, Section};
use super::secrets::{read_text, reason};
use super::{
    Config, access, admin, backdoor, branding, groups, identity, log, providers, provisioning,
    server, session, sign_in, sign_out, upstream, users,
};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What a file gives.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// What works, and what whoever starts the gateway should know: one line each, the key first.
    pub warnings: Vec<String>,
    /// Every file that was read or is named: the configuration, secrets, certificates. A change of
    /// one of them is a reason to load again.
    pub files: Vec<PathBuf>,
}

/// Loads a file.
///
/// `env` gives the variables of the environment. Nothing is changed, and nothing but the named
/// files is read.
///
/// # Errors
///
/// [`Problems`] with every mistake of the file.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let file_name = path.display().to_string();
    let text = read_text(path).map_err(|mistake| unreadable(&file_name, mistake.what))?;
    // An absolute directory, so that a path stays right when the process changes its own.
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let directory = std::path::absolute(directory)
        .map_err(|error| unreadable(&file_name, format!("cannot be found: {}", reason(&error))))?;
    let mut loaded = parse(&text, &file_name, &directory, env)?;
    loaded.files.insert(0, path.to_path_buf());
    Ok(loaded)
}

/// Checks the text of a file. `file_name` stands in messages; relative paths in the text are
/// relative to `base_dir`.
///
/// # Errors
///
/// [`Problems`] with every mistake of the text.
pub fn parse(
    text: &str,
    file_name: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Problems> {
    // A mark that some editors leave at the start; it isn't TOML.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reading = Reading::new(file_name, text, base_dir, env);
    let config = match DeTable::parse_recoverable(text) {
        (document, errors) if errors.is_empty() => {
            config(&Section::root(&reading, document.get_ref()))
        }
        (_, errors) => Err(syntax(&reading, &errors)),
    };
    let found = reading.into_found();
    match (config, Problems::new(found.problems)) {
        (Ok(config), None) => Ok(Loaded {
            config,
            warnings: found.warnings,
            files: found.files,
        }),
        (_, Some(problems)) => Err(problems),
        (Err(_), None) => Err(unreadable(file_name, "cannot be checked".to_owned())),
    }
}

/// The text is no TOML. What it would mean is not guessed, so these are all the mistakes for now.
fn syntax(reading: &Reading<'_>, errors: &[toml::de::Error]) -> super::reader::Reported {
    let mut lines = Vec::new();
    let mut report = |error: &toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = reading.line(offset);
        // One slip often makes several errors on its line.
        if lines.contains(&line) {
            return None;
        }
        lines.push(line);
        let remedy = match error.message() {
            "duplicate key" => "remove one of the two",
            _ => "a value is \"text\", 30, true, [\"a\", \"b\"] or { key = \"value\" }",
        };
        let what = format!("not TOML: {}", error.message());
        Some(reading.problem(offset, "", mistake(what, remedy)))
    };
    let reported = errors.iter().filter_map(&mut report).last();
    reported.unwrap_or_else(|| reading.problem(0, "", mistake("not TOML", "see https://toml.io")))
}

fn config(root: &Section<'_>) -> Read<Config> {
    // Every table is read before the first `?`, so that one start shows every mistake. A table
    // that others need is passed on as far as it is known.
    let server = server::read(&root.table("server"));
    let known_server = server.as_ref().ok();
    let upstream = upstream::read(&root.table("upstream"), known_server);
    let known_upstream = upstream.as_ref().ok();
    let identity = identity::read(&root.table("identity"), known_upstream);
    let session = session::read(&root.table("session"), known_server);
    let provisioning_table = root.table("provisioning");
    let provisioning = provisioning::read(
        &provisioning_table,
        known_server,
        upstream.as_ref().map_err(|reported| *reported),
    );
    let known_provisioning = provisioning.as_ref().ok();
    let users_table = root.table("users");
    let users = users::read(&users_table, known_provisioning);
    let known_users = users.as_ref().ok();
    let groups = groups::read(&root.table("groups"), known_users, known_provisioning);
    let sign_in_table = root.table("sign_in");
    let enabled = sign_in::enabled(&sign_in_table);
    let providers = providers::read(root, known_users, enabled.ok());
    let sign_in = sign_in::read(&sign_in_table, enabled, providers.as_deref().ok());
    let sign_out = sign_out::read(&root.table("sign_out"), known_server);
    let access = access::read(&root.table("access"), known_server, known_upstream);
    let backdoor = backdoor::read(&root.table("backdoor"), known_server, known_upstream);
    let branding = branding::read(&root.table("branding"));
    let admin_table = root.table("admin");
    let admin = admin::read(&admin_table);
    let log = log::read(&root.table("log"));

    // What only two tables together can say.
    let fitting = match (known_users, &providers) {
        (Some(users), Ok(providers)) => {
            users::with_providers(&users_table, users, known_provisioning, providers)
        }
        _ => Ok(()),
    };
    if let (Some(users), Some(provisioning)) = (known_users, known_provisioning) {
        provisioning::warn(&provisioning_table, provisioning, users);
    }
    if let (Ok(groups), Ok(admin)) = (&groups, &admin) {
        groups::reach(groups, &admin_table, admin);
    }
    fitting?;
    Ok(Config {
        server: server?,
        upstream: upstream?,
        identity: identity?,
        session: session?,
        providers: providers?,
        users: users?,
        groups: groups?,
        provisioning: provisioning?,
        sign_in: sign_in?,
        sign_out: sign_out?,
        access: access?,
        backdoor: backdoor?,
        branding: branding?,
        admin: admin?,
        log: log?,
    })
}

fn unreadable(file: &str, what: String) -> Problems {
    let problem = Problem {
        file: file.to_owned(),
        place: None,
        key: String::new(),
        what,
        remedy: "name the configuration file with --config or PORTCULLIS_CONFIG".to_owned(),
    };
    Problems::one(problem)
}
