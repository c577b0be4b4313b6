//! The rooms of `src/` and who may import whom: the table of the crate's documentation, checked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may import besides the foundations above it.
const FOUNDATION: &[&str] = &[
    "identity",
    "clock",
    "random",
    "secret",
    "config",
    "telemetry",
    "web",
];

/// Who may import what, as the architecture says. Foundations may import the foundations before
/// them; every other room all of them.
const ROOMS: &[(&str, &[&str])] = &[
    ("identity", &[]),
    ("clock", &[]),
    ("random", &[]),
    ("secret", &[]),
    ("config", &["identity", "clock", "random", "secret"]),
    (
        "telemetry",
        &["identity", "clock", "random", "secret", "config"],
    ),
    (
        "web",
        &[
            "identity",
            "clock",
            "random",
            "secret",
            "config",
            "telemetry",
        ],
    ),
    ("state", &[]),
    ("listener", &[]),
    ("sanitize", &[]),
    ("provider", &[]),
    ("directory", &["state"]),
    ("session", &["state"]),
    ("mapping", &["provider"]),
    (
        "provisioning",
        &["mapping", "provider", "directory", "state"],
    ),
    (
        "explain",
        &["provider", "mapping", "provisioning", "directory"],
    ),
    ("policy", &["sanitize", "session"]),
    ("forward", &["policy", "sanitize", "session"]),
    (
        "login",
        &[
            "provider",
            "mapping",
            "provisioning",
            "explain",
            "directory",
            "session",
            "forward",
        ],
    ),
    ("backdoor", &["session", "state"]),
    ("admin", &["session", "directory"]),
    (
        "console",
        &[
            "provider",
            "mapping",
            "provisioning",
            "explain",
            "directory",
            "session",
            "forward",
            "login",
        ],
    ),
    ("gateway", &["*"]),
    ("command", &["*"]),
    ("demo", &["gateway"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The files of `src/` by room: the room's name, the path, the text.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let room = inside.iter().next().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            (room.trim_end_matches(".rs").to_owned(), path, text)
        })
        .collect()
}

/// The rooms that a line names.
fn imports(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| {
            line.match_indices("crate::").map(move |(at, found)| {
                let rest = &line[at + found.len()..];
                let list = rest.strip_prefix('{').unwrap_or(rest);
                let end = if rest.starts_with('{') { '}' } else { ';' };
                list.split(end).next().unwrap_or_default().to_owned()
            })
        })
        .flat_map(|list| {
            let mut depth = 0;
            let names = list.split(|c: char| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0
            });
            names
                .map(|name| {
                    name.trim()
                        .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
                .collect::<Vec<_>>()
        })
        .filter(|name| !name.is_empty())
}

#[test]
fn no_room_imports_upwards() {
    let table: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(allowed) = table.get(room.as_str()) else {
            wrong.push(format!(
                "{}: the room \"{room}\" is not in the table",
                path.display()
            ));
            continue;
        };
        let foundations: &[&str] = if FOUNDATION.contains(&room.as_str()) {
            &[]
        } else {
            FOUNDATION
        };
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in imports(body) {
            let fine = name == room
                || !table.contains_key(name.as_str())
                || allowed.contains(&"*")
                || allowed.contains(&name.as_str())
                || foundations.contains(&name.as_str());
            if !fine {
                wrong.push(format!("{}: {room} imports {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = files()
        .into_iter()
        .filter(|(_, path, text)| !text.starts_with("//!") && !path.ends_with("tests.rs"))
        .map(|(_, path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// A call that belongs to one place, and the places where it may stand.
#[track_caller]
fn only_in(call: &str, places: &[&str]) {
    let strangers: Vec<_> = files()
        .into_iter()
        .filter(|(_, path, text)| {
            let body = text.split("#[cfg(test)]").next().unwrap_or_default();
            let path = path.to_string_lossy().replace('\\', "/");
            body.contains(call)
                && !path.contains("tests")
                && !places.iter().any(|place| path.ends_with(place))
        })
        .map(|(_, path, _)| path.display().to_string())
        .collect();
    assert!(
        strangers.is_empty(),
        "{call} stands in {}",
        strangers.join(", ")
    );
}

#[test]
fn time_environment_and_randomness_come_from_one_place() {
    only_in("SystemTime::now", &["src/clock.rs"]);
    // The demo hands PATH on to git.
    only_in(
        "std::env::var",
        &["src/main.rs", "src/demo/bitbucket/scm.rs"],
    );
    only_in(
        "SystemRandom::new",
        &["src/random.rs", "src/config/testing.rs"],
    );
}
