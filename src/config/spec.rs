//! What can stand in the file: one description of every key.
//!
//! The reader takes types and defaults from here, the JSON Schema and the tables of
//! `docs/configuration.md` are made from here, so none of them can say something else.

use super::{
    access, admin, backdoor, branding, groups, identity, log, providers, provisioning, server,
    session, sign_in, sign_out, upstream, users,
};

/// A table of the file, such as `[server]`.
#[derive(Debug)]
pub(super) struct Table {
    /// One sentence.
    pub(super) doc: &'static str,
    /// Every key that may stand in it.
    pub(super) keys: &'static [Key],
}

impl Table {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) default: Default,
    /// One sentence, in which the reader knows the key's name and type already.
    pub(super) doc: &'static str,
}

/// Describes a key; a function because the tables read better without field names.
pub(super) const fn key(
    name: &'static str,
    shape: Shape,
    default: Default,
    doc: &'static str,
) -> Key {
    Key {
        name,
        shape,
        default,
        doc,
    }
}

/// Which values a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// Seconds, between the two bounds.
    Seconds(u64, u64),
    /// A number, between the two bounds.
    Count(u64, u64),
    /// A day of the calendar, as a string or a date.
    Day,
    /// One of these strings.
    Choice(fn() -> Vec<&'static str>),
    /// An array of strings.
    Texts,
    /// An array of some of these strings.
    Choices(fn() -> Vec<&'static str>),
    /// A string or several.
    OneOrMore,
    /// Where a fact is found: a string, a table with steps, or several of them.
    Mappings,
    /// What is done to what was found.
    Steps,
    /// A string, `{ env = "NAME" }` or `{ file = "PATH" }`.
    Secret,
    /// An array of secrets.
    Secrets,
    /// A table with free keys and strings as values.
    Map,
    /// A table with free keys, each with a string or several.
    Lists,
    /// A table with anything in it.
    Object,
    /// A table.
    Table(&'static Table),
    /// Any number of tables, written with two brackets.
    Tables(&'static Table),
}

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    /// It may not be absent. The example is TOML, perhaps with a comment that says how to get one.
    Required(&'static str),
    /// This value, in TOML.
    Value(&'static str),
    /// What these words say. The example is TOML.
    Unset(&'static str, &'static str),
}

impl Key {
    /// A value in TOML that shows how to write the key.
    pub(super) const fn example(&self) -> &'static str {
        match self.default {
            Default::Required(example) | Default::Value(example) | Default::Unset(_, example) => {
                example
            }
        }
    }
}

/// A day, a year and so on read better than their seconds in the tables of keys.
pub(super) const MINUTE: u64 = 60;
/// An hour in seconds.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// A day in seconds.
pub(super) const DAY: u64 = 24 * HOUR;
/// A year in seconds.
pub(super) const YEAR: u64 = 365 * DAY;

/// The whole file.
pub(super) static ROOT: Table = Table {
    doc: "The configuration of Portcullis.",
    keys: &[
        section("server", &server::TABLE),
        section("upstream", &upstream::TABLE),
        section("identity", &identity::TABLE),
        section("session", &session::TABLE),
        key(
            "providers",
            Shape::Tables(&providers::TABLE),
            Default::Unset("none", ""),
            "Who signs people in. At least one, unless sign_in.enabled is false.",
        ),
        section("users", &users::TABLE),
        section("groups", &groups::TABLE),
        section("provisioning", &provisioning::TABLE),
        section("sign_in", &sign_in::TABLE),
        section("sign_out", &sign_out::TABLE),
        section("access", &access::TABLE),
        section("backdoor", &backdoor::TABLE),
        section("branding", &branding::TABLE),
        section("admin", &admin::TABLE),
        section("log", &log::TABLE),
    ],
};

const fn section(name: &'static str, table: &'static Table) -> Key {
    key(
        name,
        Shape::Table(table),
        Default::Unset("its defaults", ""),
        table.doc,
    )
}
