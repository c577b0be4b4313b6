//! Reads the document with its positions, and goes on after a mistake.
//!
//! serde stops at the first error; a person who corrects a file wants all of them. So the document
//! is walked by hand: a [`Section`] is one table, its description says which keys there are, and a
//! value comes out with its [`Spot`], to which a later check can still point.

use super::problems::{Mistake, Problem, meant, mistake, place, quoted};
use super::spec::{Default, Key, ROOT, Shape, Table};
use super::values::{FromValue, Value, a_type, all, each_once};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Proof that a problem has been recorded: only [`Spot::problem`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported(());

/// A value, or the problem is recorded already.
pub(super) type Read<T> = Result<T, Reported>;

/// Everything that one reading of a file needs, and what it has found so far.
pub(super) struct Reading<'r> {
    file: &'r str,
    text: &'r str,
    base_dir: &'r Path,
    env: &'r dyn Fn(&str) -> Option<String>,
    found: RefCell<Found>,
}

/// What a reading leaves behind.
#[derive(std::default::Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    pub(super) files: Vec<PathBuf>,
}

impl<'r> Reading<'r> {
    pub(super) fn new(
        file: &'r str,
        text: &'r str,
        base_dir: &'r Path,
        env: &'r dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            file,
            text,
            base_dir,
            env,
            found: RefCell::default(),
        }
    }

    /// The document itself.
    pub(super) fn start(&'r self) -> Spot<'r> {
        Spot {
            key: String::new(),
            offset: 0,
            reading: self,
        }
    }

    /// A variable of the environment. The only way to one.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// The path of a file that the configuration names: relative to the file that names it, and
    /// watched from now on.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        self.found.borrow_mut().files.push(path.clone());
        path
    }

    /// Like [`Reading::file`], for what is not a file to watch.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.base_dir.join(path)
    }

    /// Records a problem at a byte of the document.
    pub(super) fn problem(&self, offset: usize, key: &str, mistake: Mistake) -> Reported {
        self.found.borrow_mut().problems.push(Problem {
            file: self.file.to_owned(),
            place: Some(place(self.text, offset)),
            key: key.to_owned(),
            what: mistake.what,
            remedy: mistake.remedy,
        });
        Reported(())
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        place(self.text, offset).0
    }

    /// What was found.
    pub(super) fn into_found(self) -> Found {
        self.found.into_inner()
    }
}

/// Where something stands: its dotted key and its place in the file.
#[derive(Clone)]
pub(super) struct Spot<'r> {
    pub(super) key: String,
    offset: usize,
    reading: &'r Reading<'r>,
}

impl<'r> Spot<'r> {
    pub(super) fn problem(&self, mistake: Mistake) -> Reported {
        self.reading.problem(self.offset, &self.key, mistake)
    }

    /// Something that works, and that whoever starts the gateway should know.
    pub(super) fn warn(&self, text: impl std::fmt::Display) {
        let warning = format!("{}: {text}", self.key);
        self.reading.found.borrow_mut().warnings.push(warning);
    }

    pub(super) fn reading(&self) -> &'r Reading<'r> {
        self.reading
    }

    /// The line of the file, from 1.
    pub(super) fn line(&self) -> usize {
        self.reading.line(self.offset)
    }

    /// A key of a table.
    pub(super) fn child(&self, name: &str, offset: usize) -> Self {
        let key = match self.key.as_str() {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        };
        Self {
            key,
            offset,
            reading: self.reading,
        }
    }

    /// An element; without a place of its own, it is where the array is.
    pub(super) fn item(&self, index: usize, offset: Option<usize>) -> Self {
        Self {
            key: format!("{}[{index}]", self.key),
            offset: offset.unwrap_or(self.offset),
            reading: self.reading,
        }
    }
}

/// A value together with where it stands.
#[derive(Clone)]
pub(super) struct At<'r, T> {
    pub(super) value: T,
    pub(super) spot: Spot<'r>,
}

impl<T> At<'_, T> {
    /// Checks the value, and records the mistake where the value stands.
    pub(super) fn check<U>(&self, check: impl FnOnce(&T) -> Result<U, Mistake>) -> Read<U> {
        check(&self.value).map_err(|mistake| self.spot.problem(mistake))
    }
}

/// One table of the document.
pub(super) struct Section<'r> {
    spec: &'static Table,
    /// `None`: not there; all defaults.
    table: Option<&'r DeTable<'r>>,
    /// Set when something else than a table stands there: recorded, and no reason to call its
    /// keys missing too.
    broken: Option<Reported>,
    /// Keys that a misspelt one was probably meant to be: not called missing as well.
    misspelt: Vec<(&'static str, Reported)>,
    /// Set when a key stands there that nobody knows.
    unknown: Option<Reported>,
    /// The dotted path as it stands in brackets: a provider's id is no part of it.
    header: String,
    spot: Spot<'r>,
}

impl<'r> Section<'r> {
    /// The whole document.
    pub(super) fn root(reading: &'r Reading<'r>, document: &'r DeTable<'r>) -> Self {
        Self::open(&ROOT, Some(document), reading.start(), String::new())
    }

    fn open(
        spec: &'static Table,
        table: Option<&'r DeTable<'r>>,
        spot: Spot<'r>,
        header: String,
    ) -> Self {
        let mut misspelt = Vec::new();
        let mut unknown = None;
        for (name, _) in table.into_iter().flatten() {
            if spec.key(name.get_ref()).is_some() {
                continue;
            }
            let key = spot.child(&bare(name.get_ref()), name.span().start);
            let (meant, mistake) = unknown_key(name.get_ref(), spec, &spot.key);
            let reported = key.problem(mistake);
            unknown = Some(reported);
            misspelt.extend(meant.map(|meant| (meant, reported)));
        }
        Self {
            spec,
            table,
            broken: None,
            misspelt,
            unknown,
            header,
            spot,
        }
    }

    /// Whether every key is known; for tables of which nothing is understood otherwise.
    pub(super) fn known(&self) -> Read<()> {
        self.unknown.map_or(Ok(()), Err)
    }

    /// Where the table stands.
    pub(super) fn spot(&self) -> &Spot<'r> {
        &self.spot
    }

    /// Whether the file itself says something about this key.
    pub(super) fn says(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// Where a key stands, or where its table does when it is absent.
    pub(super) fn spot_of(&self, name: &'static str) -> Spot<'r> {
        let entry = self.table.and_then(|table| table.get(name));
        let offset = entry.map_or(self.spot.offset, |value| value.span().start);
        self.spot.child(name, offset)
    }

    /// Records that a key is set though it could never take effect.
    ///
    /// # Errors
    ///
    /// When the file sets the key.
    pub(super) fn useless(&self, name: &'static str, because: &str) -> Read<()> {
        if !self.says(name) {
            return Ok(());
        }
        Err(self.spot_of(name).problem(mistake(
            format!("has no effect: {because}"),
            "remove this line, or change the other setting",
        )))
    }

    /// A key that is required or has a default.
    pub(super) fn get<T: FromValue<'r>>(&self, name: &'static str) -> Read<T> {
        match self.find(name)? {
            Some(value) => Ok(value),
            None => Err(self.missing(name)),
        }
    }

    /// A key that may be absent.
    pub(super) fn find<T: FromValue<'r>>(&self, name: &'static str) -> Read<Option<T>> {
        let key = self.key(name)?;
        if let Some(value) = self.written(name)? {
            return T::read(&value).map(Some);
        }
        let Default::Value(default) = key.default else {
            return Ok(None);
        };
        let default = DeValue::parse(default);
        debug_assert!(default.is_ok(), "the default of {name} is TOML");
        let Ok(default) = default else {
            return Ok(None);
        };
        let value = Value {
            toml: default.get_ref(),
            spot: self.spot_of(name),
            key,
            written: false,
        };
        T::read(&value).map(Some)
    }

    /// A key as it stands in the file, whatever it is.
    pub(super) fn written(&self, name: &'static str) -> Read<Option<Value<'r, 'r>>> {
        let key = self.key(name)?;
        let value = self.table.and_then(|table| table.get(name));
        Ok(value.map(|value| Value {
            toml: value.get_ref(),
            spot: self.spot.child(name, value.span().start),
            key,
            written: true,
        }))
    }

    /// A string that `check` turns into something better.
    pub(super) fn parse<T>(
        &self,
        name: &'static str,
        check: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Read<T> {
        self.get::<At<'r, String>>(name)?.check(|text| check(text))
    }

    /// A string that may be absent, and that `check` turns into something better.
    pub(super) fn parse_if<T>(
        &self,
        name: &'static str,
        check: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Read<Option<T>> {
        self.find::<At<'r, String>>(name)?
            .map(|text| text.check(|text| check(text)))
            .transpose()
    }

    /// An array of strings that `check` turns into something better, without repeats.
    pub(super) fn parse_each<T: PartialEq>(
        &self,
        name: &'static str,
        check: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Read<Vec<T>> {
        let items = self.get::<Vec<At<'r, String>>>(name)?;
        each_once(items, check)
    }

    /// A table in this table.
    pub(super) fn table(&self, name: &'static str) -> Section<'r> {
        let spec = match self.spec.key(name).map(|key| key.shape) {
            Some(Shape::Table(spec)) => spec,
            _ => self.spec,
        };
        let entry = self.table.and_then(|table| table.get(name));
        let (spot, header) = (self.spot_of(name), self.header_of(name));
        match entry.map(toml::Spanned::get_ref) {
            None => {
                let mut section = Self::open(spec, None, spot, header);
                section.broken = self.broken.or_else(|| self.misspelt(name));
                section
            }
            Some(DeValue::Table(table)) => Self::open(spec, Some(table), spot, header),
            Some(other) => {
                let reported = spot.problem(mistake(
                    format!("must be a table, not {}", a_type(other)),
                    format!("write it as [{header}] with its keys below"),
                ));
                let mut section = Self::open(spec, None, spot, header);
                section.broken = Some(reported);
                section
            }
        }
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&self, name: &'static str) -> Read<Vec<Section<'r>>> {
        if let Some(reported) = self.broken.or_else(|| self.misspelt(name)) {
            return Err(reported);
        }
        let Shape::Tables(spec) = self.key(name)?.shape else {
            return Ok(Vec::new());
        };
        let Some(entry) = self.table.and_then(|table| table.get(name)) else {
            return Ok(Vec::new());
        };
        let (spot, header) = (self.spot_of(name), self.header_of(name));
        let not_tables = |spot: &Spot<'r>, found: &DeValue<'_>| {
            spot.problem(mistake(
                format!("must be an array of tables, not {}", a_type(found)),
                format!("write [[{header}]] with two brackets, once for each"),
            ))
        };
        let DeValue::Array(items) = entry.get_ref() else {
            return Err(not_tables(&spot, entry.get_ref()));
        };
        all(items.iter().enumerate().map(|(index, item)| {
            let spot = spot.item(index, Some(item.span().start));
            match item.get_ref() {
                DeValue::Table(table) => {
                    // A table that can say its own name is known by it in messages.
                    let id = table.get("id").and_then(|id| id.get_ref().as_str());
                    let spot = match id.filter(|id| bare(id) == *id && !id.is_empty()) {
                        Some(id) => self.spot_of(name).child(id, item.span().start),
                        None => spot,
                    };
                    Ok(Self::open(spec, Some(table), spot, header.clone()))
                }
                other => Err(not_tables(&spot, other)),
            }
        }))
    }

    fn header_of(&self, name: &str) -> String {
        match self.header.as_str() {
            "" => name.to_owned(),
            header => format!("{header}.{name}"),
        }
    }

    fn key(&self, name: &'static str) -> Read<&'static Key> {
        if let Some(reported) = self.broken {
            return Err(reported);
        }
        let key = self.spec.key(name);
        debug_assert!(key.is_some(), "{name} is not described");
        key.ok_or(Reported(()))
    }

    /// Whether an absent key stands there under a name that is not quite right.
    pub(super) fn misspelt(&self, name: &str) -> Option<Reported> {
        if self.says(name) {
            return None;
        }
        let known = self.misspelt.iter().find(|(meant, _)| *meant == name);
        known.map(|(_, reported)| *reported)
    }

    /// Records that a key is missing.
    pub(super) fn missing(&self, name: &'static str) -> Reported {
        self.missing_such_as(name, self.spec.key(name).map_or("…", Key::example))
    }

    /// Records that a key is missing, with an example in TOML of one's own.
    pub(super) fn missing_such_as(&self, name: &'static str, example: &str) -> Reported {
        if let Some(reported) = self.broken.or_else(|| self.misspelt(name)) {
            return reported;
        }
        let table = match self.spot.key.as_str() {
            path if path.contains(['[', '.']) => "this table".to_owned(),
            path => format!("[{path}]"),
        };
        self.spot_of(name).problem(mistake(
            "is missing",
            format!("add to {table}: {name} = {example}"),
        ))
    }
}

/// What to say about an unknown key, and which key it was probably meant to be.
fn unknown_key(name: &str, spec: &'static Table, path: &str) -> (Option<&'static str>, Mistake) {
    let known: Vec<_> = spec.keys.iter().map(|key| key.name).collect();
    let here = match path {
        "" => "the tables of the file are".to_owned(),
        path if path.contains(['[', '.']) => "the keys of this table are".to_owned(),
        path => format!("the keys of [{path}] are"),
    };
    let list = format!("{here} {}", known.join(", "));
    if let Some(meant) = meant(name, known.iter().copied()) {
        let what = format!("unknown key; did you mean \"{meant}\"?");
        return (Some(meant), mistake(what, list));
    }
    let mut owners = Vec::new();
    tables_with(name, &ROOT, "", &mut owners);
    let remedy = match owners.as_slice() {
        [owner] => format!("\"{name}\" is a key of {owner}; move it there"),
        _ => list,
    };
    (None, mistake("unknown key", remedy))
}

/// The tables that have a key of this name.
fn tables_with(name: &str, table: &'static Table, path: &str, found: &mut Vec<String>) {
    for key in table.keys {
        let path = match path {
            "" => key.name.to_owned(),
            parent => format!("{parent}.{}", key.name),
        };
        let (inner, brackets) = match key.shape {
            Shape::Table(inner) => (inner, format!("[{path}]")),
            Shape::Tables(inner) => (inner, format!("[[{path}]]")),
            _ => continue,
        };
        if inner.key(name).is_some() {
            found.push(brackets);
        }
        tables_with(name, inner, &path, found);
    }
}

/// A key as TOML writes it in a dotted path: quoted when it is not bare.
pub(super) fn bare(name: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match !name.is_empty() && name.len() <= 64 && name.bytes().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

impl<'r> Value<'r, 'r> {
    /// The table that stands here, as an array or another key holds it.
    pub(super) fn section(&self, spec: &'static Table, need: &str) -> Read<Section<'r>> {
        match self.toml {
            DeValue::Table(table) => {
                let spot = self.spot.clone();
                Ok(Section::open(spec, Some(table), spot, String::new()))
            }
            _ => Err(self.wrong_type(need)),
        }
    }
}
