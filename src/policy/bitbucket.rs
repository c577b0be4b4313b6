//! Bitbucket's own addresses, relative to the context path.
//!
//! What restricts is matched generously (any case, a trailing slash, an extension as the REST
//! plugin accepts it), what permits is matched exactly.

use http::Method;

/// An address that the gateway treats in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// The sign-in page.
    SignInPage,
    /// Takes a password and begins a session.
    PasswordSignIn,
    /// Ends a session.
    SignOut,
    /// Sets a person's own password.
    PasswordChange,
    /// Installs and configures plugins, and connects other applications.
    PluginAdministration,
}

/// `*` stands for one segment, `**` at the end for any number.
const SPECIALS: [(&str, Special); 23] = [
    ("/login/**", Special::SignInPage),
    ("/j_atl_security_check/**", Special::PasswordSignIn),
    ("/rest/tsv/authenticate/**", Special::PasswordSignIn),
    ("/rest/tsv/*/authenticate/**", Special::PasswordSignIn),
    ("/j_atl_security_logout/**", Special::SignOut),
    ("/logout/**", Special::SignOut),
    ("/account/password/**", Special::PasswordChange),
    ("/profile/password/**", Special::PasswordChange),
    ("/passwordreset/**", Special::PasswordChange),
    ("/resetpassword/**", Special::PasswordChange),
    ("/plugins/servlet/upm/**", Special::PluginAdministration),
    (
        "/plugins/servlet/applinks/listapplicationlinks/**",
        Special::PluginAdministration,
    ),
    (
        "/plugins/servlet/applinks/auth/conf/**",
        Special::PluginAdministration,
    ),
    (
        "/plugins/servlet/oauth/consumers/**",
        Special::PluginAdministration,
    ),
    (
        "/plugins/servlet/oauth/consumer-info/**",
        Special::PluginAdministration,
    ),
    (
        "/plugins/servlet/oauth/update-consumer-info/**",
        Special::PluginAdministration,
    ),
    ("/rest/plugins/**", Special::PluginAdministration),
    (
        "/rest/applinks/*/applicationlink/**",
        Special::PluginAdministration,
    ),
    (
        "/rest/applinks/*/applicationlinkform/**",
        Special::PluginAdministration,
    ),
    ("/admin/manage-apps/**", Special::PluginAdministration),
    ("/admin/plugins/**", Special::PluginAdministration),
    ("/admin/applinks/**", Special::PluginAdministration),
    ("/admin/application-links/**", Special::PluginAdministration),
];

/// Where a person's own password is set by REST. Reading the same address shows the person whose
/// name is "credentials".
const CREDENTIALS: &str = "/rest/api/*/users/credentials";

/// Addresses to which no sign-in returns: they begin or end a session themselves, so that a
/// prepared link could make the browser go on as somebody else.
const NO_RETURN: [&str; 6] = [
    "/login/**",
    "/logout/**",
    "/plugins/servlet/samlconsumer/**",
    "/plugins/servlet/oidc/**",
    "/plugins/servlet/external-login/**",
    "/plugins/servlet/sso-logout/**",
];

/// What a path is to the gateway, if anything special.
pub(super) fn special(path: &str, method: &Method) -> Option<Special> {
    let reads = method == Method::GET || method == Method::HEAD;
    if !reads && fits(path, CREDENTIALS) {
        return Some(Special::PasswordChange);
    }
    let found = SPECIALS.iter().find(|(pattern, _)| fits(path, pattern));
    match found.map(|(_, special)| *special) {
        // The page's own form posts to the page in some versions.
        Some(Special::SignInPage) if !reads => Some(Special::PasswordSignIn),
        special => special,
    }
}

/// Whether a sign-in may not return to this path.
pub(super) fn is_no_return(path: &str) -> bool {
    let first = path.get(1..7).unwrap_or_default();
    first.eq_ignore_ascii_case("j_atl_") || NO_RETURN.iter().any(|pattern| fits(path, pattern))
}

/// What load balancers and monitors ask: the one address that is open to everybody.
pub(super) fn is_probe(path: &str, method: &Method) -> bool {
    path == "/status" && (method == Method::GET || method == Method::HEAD)
}

/// Where Bitbucket itself checks credentials in `Authorization`: REST (LFS storage and the OAuth
/// provider with it), git, and the servlets by which other applications speak to it. Elsewhere it
/// ignores or refuses them, so there they are no reason to let a stranger through.
pub(super) fn is_api(path: &str) -> bool {
    [
        "/rest/",
        "/scm/",
        "/git/",
        "/plugins/servlet/oauth/",
        "/plugins/servlet/applinks/",
    ]
    .iter()
    .any(|start| path.starts_with(start))
}

/// Git's smart protocol and LFS.
pub(crate) fn is_git(path: &str) -> bool {
    ["/scm/", "/git/", "/rest/git-lfs/storage/"]
        .iter()
        .any(|start| path.starts_with(start))
        || ["/info/refs", "/git-upload-pack", "/git-receive-pack"]
            .iter()
            .any(|end| path.ends_with(end))
        || path.contains("/info/lfs/")
}

/// What pages are made of.
pub(super) fn is_asset(path: &str) -> bool {
    path.starts_with("/s/")
        || path.starts_with("/download/")
        || matches!(path, "/favicon.ico" | "/robots.txt")
}

fn fits(path: &str, pattern: &str) -> bool {
    if !may_fit(path, pattern) {
        return false;
    }
    let mut segments = path.trim_end_matches('/').split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if wanted == "*" || is_named(segment, wanted) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Whether the first letters agree. Every request is held against all patterns, and fits none.
fn may_fit(path: &str, pattern: &str) -> bool {
    match (path.as_bytes(), pattern.as_bytes()) {
        ([b'/', actual, ..], [b'/', wanted, ..]) => actual.eq_ignore_ascii_case(wanted),
        _ => false,
    }
}

/// The name itself, in any case, or with an extension.
fn is_named(segment: &str, wanted: &str) -> bool {
    let name = segment.as_bytes().get(..wanted.len());
    name.is_some_and(|name| name.eq_ignore_ascii_case(wanted.as_bytes()))
        && matches!(segment.as_bytes().get(wanted.len()), None | Some(b'.'))
}
