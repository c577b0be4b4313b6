//! The request target: read once, matched as it is forwarded.

use super::Error;
use super::reading;
use http::Uri;
use http::uri::PathAndQuery;
use std::sync::Arc;

/// Longer targets than anything in use; Tomcat stops at 8 KiB for the whole head.
const MAX: usize = 16 * 1024;

/// Where a request goes: the bytes that will be forwarded, and every way in which somebody could
/// read their path. The query takes no part in matching.
#[derive(Debug, Clone)]
pub struct Target {
    raw: PathAndQuery,
    context: Arc<str>,
    /// None: the path can only be read as it stands.
    readings: Option<Vec<String>>,
    evasive: bool,
}

/// One way to read a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    /// From the root of the origin.
    pub full: &'a str,
    /// From the context path; none: it lies outside.
    pub inside: Option<&'a str>,
}

impl Target {
    /// Reads the target of a request. `context` is the configured context path.
    ///
    /// # Errors
    ///
    /// If it is not a path (RFC 9112 §3.2.1), is too long, contains bytes that no path contains
    /// (RFC 3986 §3.3), climbs above the root, or can be read in too many ways.
    pub fn read(uri: &Uri, context: &Arc<str>) -> Result<Self, Error> {
        let raw = uri.path_and_query().ok_or(Error::NotAPath)?;
        Self::of(raw.clone(), context)
    }

    /// The same for a path and query in text.
    ///
    /// # Errors
    ///
    /// As [`Target::read`].
    pub fn parse(text: &str, context: &Arc<str>) -> Result<Self, Error> {
        check_bytes(text)?;
        let raw = PathAndQuery::try_from(text).map_err(|_| Error::NotAPath)?;
        Self::of(raw, context)
    }

    fn of(raw: PathAndQuery, context: &Arc<str>) -> Result<Self, Error> {
        check_bytes(raw.as_str())?;
        let readings = reading::all(raw.path())?;
        Ok(Self {
            context: Arc::clone(context),
            evasive: readings.as_ref().is_some_and(|readings| readings.evasive),
            readings: readings.map(|readings| readings.paths),
            raw,
        })
    }

    /// The path and query, byte for byte as they came and as they are forwarded.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.raw.as_str()
    }

    /// The query, as it came.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.raw.query()
    }

    /// Every way to read the path; the most literal one first.
    pub fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        let plain = match &self.readings {
            None => Some(self.raw.path()),
            Some(_) => None,
        };
        let read = self.readings.iter().flatten().map(String::as_str);
        plain.into_iter().chain(read).map(|full| Reading {
            full,
            inside: inside(full, &self.context),
        })
    }

    /// The most literal reading, from the context path; none: it lies outside. Good for names in
    /// logs and classes, never for a permission: that looks at all [`Target::readings`].
    #[must_use]
    pub fn in_context(&self) -> Option<&str> {
        self.readings().next().and_then(|reading| reading.inside)
    }

    /// Whether the path can be read in more than one way. Such a path gets the strictest rule.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.readings.as_ref().is_some_and(|paths| paths.len() > 1)
    }

    /// Whether some reading has dot segments, the only thing that leads out of a folder. Browsers,
    /// git and REST clients resolve them before they send.
    #[must_use]
    pub fn is_evasive(&self) -> bool {
        self.evasive
    }

    pub(super) fn to_uri(&self) -> Uri {
        Uri::from(self.raw.clone())
    }
}

/// What is left of a path below the context path.
fn inside<'a>(path: &'a str, context: &str) -> Option<&'a str> {
    match path.strip_prefix(context)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

/// Visible ASCII and no fragment: everything else comes percent-encoded. The HTTP parser lets some
/// of it through, and each server makes something else of it.
fn check_bytes(text: &str) -> Result<(), Error> {
    if text.len() > MAX {
        return Err(Error::TooLong(MAX));
    }
    if !text.starts_with('/') {
        return Err(Error::NotAPath);
    }
    let odd = |c: &char| !c.is_ascii_graphic() || *c == '#';
    match text.chars().find(odd) {
        Some(c) => Err(Error::Character(c)),
        None => Ok(()),
    }
}
