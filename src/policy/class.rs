//! What a request is, by its path and by what browsers and git say about it.

use super::bitbucket;
use crate::web::Audience;
use http::{HeaderMap, HeaderName, Method, header};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// What a request is: its name in logs and metrics, and how it is told that it may not pass. Half
/// of it is the client's word, so no class is ever a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A browser that goes somewhere.
    Navigation,
    /// A page's own assets.
    Subresource,
    /// Git or LFS over HTTP.
    Git,
    /// REST calls, and a page's own calls.
    Rest,
    /// `/status`.
    Probe,
}

impl Class {
    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Navigation => "navigation",
            Self::Subresource => "subresource",
            Self::Git => "git",
            Self::Rest => "rest",
            Self::Probe => "probe",
        }
    }

    /// Who reads a refusal.
    #[must_use]
    pub const fn audience(self) -> Audience {
        match self {
            Self::Navigation => Audience::Person,
            Self::Subresource | Self::Git | Self::Rest | Self::Probe => Audience::Machine,
        }
    }

    /// Classifies. `path` is the most literal reading below the context path, and counts only where
    /// it is Bitbucket's.
    pub(super) fn of(
        is_bitbucket: bool,
        method: &Method,
        path: Option<&str>,
        headers: &HeaderMap,
    ) -> Self {
        let path = path.filter(|_| is_bitbucket);
        if path.is_some_and(|path| bitbucket::is_probe(path, method)) {
            return Self::Probe;
        }
        if path.is_some_and(bitbucket::is_git) || git_asks(headers) {
            return Self::Git;
        }
        let rest = path.is_some_and(|path| path.starts_with("/rest/"));
        // Whoever brings credentials or says that it is a script does not follow to a sign-in page.
        if rest
            || headers.contains_key(header::AUTHORIZATION)
            || headers.contains_key(X_REQUESTED_WITH)
        {
            return Self::Rest;
        }
        Self::of_browser(headers)
            .or_else(|| {
                path.is_some_and(bitbucket::is_asset)
                    .then_some(Self::Subresource)
            })
            .unwrap_or_else(|| Self::of_accept(headers))
    }

    /// By the Fetch Metadata that browsers send to https and loopback (W3C Fetch Metadata §2).
    fn of_browser(headers: &HeaderMap) -> Option<Self> {
        let mode = headers.get(SEC_FETCH_MODE).map(|value| value.as_bytes());
        let target = headers.get(SEC_FETCH_DEST).map(|value| value.as_bytes());
        match (mode, target) {
            (Some(b"navigate"), _) => Some(Self::Navigation),
            (_, Some(b"empty")) => Some(Self::Rest),
            (_, Some(b"document" | b"iframe" | b"frame")) | (None, None) => None,
            (_, Some(_)) => Some(Self::Subresource),
            (Some(_), None) => Some(Self::Rest),
        }
    }

    fn of_accept(headers: &HeaderMap) -> Self {
        let accepts = |kind: &str| {
            headers
                .get_all(header::ACCEPT)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .any(|value| value.contains(kind))
        };
        if accepts("text/html") && !accepts("application/json") {
            Self::Navigation
        } else {
            Self::Rest
        }
    }
}

fn git_asks(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| {
        [&b"git/"[..], b"git-lfs/", b"JGit/"]
            .iter()
            .any(|name| agent.as_bytes().starts_with(name))
    })
}
