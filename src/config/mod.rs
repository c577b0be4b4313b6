//! Turns file and environment into one checked [`Config`].
//!
//! Two stages: what is written (TOML with its positions, read by `reader` after the descriptions in
//! `spec`) and what is checked (the types of this page). Having a checked value means that it is
//! valid; nobody validates again, and nobody else reads the environment. A file per table of the
//! configuration holds its keys with their defaults, its checks and their tests.
//!
//! [`load`] shows every mistake at once; no message ever holds a secret.

mod access;
mod address;
mod admin;
mod backdoor;
mod branding;
mod changes;
mod expiry;
mod expression;
mod groups;
mod icon;
mod identity;
mod keys;
mod load;
mod log;
mod mapping;
mod mappings;
mod presets;
mod problems;
mod providers;
mod provisioning;
mod reader;
mod schema;
mod secrets;
mod server;
mod session;
mod shown;
mod sign_in;
mod sign_out;
mod spec;
mod steps;
mod upstream;
mod users;
mod values;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use branding::{Color, Palette};
pub use expiry::SOON_DAYS;
pub use keys::{generate_assertion_key, generate_key};
pub use load::{Loaded, load, parse};
pub use mapping::{JmesPath, Keep, Mapping, Pattern, Reference, Rewrite, Step};
pub use problems::{Problem, Problems};
pub use schema::schema;
pub use shown::Setting;

use crate::identity::{Domain, Email, GroupName, Username};
use crate::secret::Secret;
use http::HeaderName;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The whole configuration, checked. `PartialEq` tells a reload what changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[identity]`
    pub identity: Identity,
    /// `[session]`
    pub session: Session,
    /// `[[providers]]`, in the order of the file. May be empty only when sign-in is off.
    pub providers: Vec<Provider>,
    /// `[users]`
    pub users: Users,
    /// `[groups]`
    pub groups: Groups,
    /// `[provisioning]`
    pub provisioning: Provisioning,
    /// `[sign_in]`
    pub sign_in: SignIn,
    /// `[sign_out]`
    pub sign_out: SignOut,
    /// `[access]`
    pub access: Access,
    /// `[backdoor]`
    pub backdoor: Backdoor,
    /// `[branding]`
    pub branding: Branding,
    /// `[admin]`
    pub admin: Admin,
    /// `[log]`
    pub log: Log,
}

/// `[server]`: the listeners.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// The one origin that browsers see.
    pub public_url: Origin,
    /// The public listener.
    pub listen: SocketAddr,
    /// Health, readiness and metrics.
    pub admin_listen: SocketAddr,
    /// Where the gateway's own pages are: begins with `/`, does not end with one.
    pub prefix: String,
    /// Peers whose `X-Forwarded-*` count. Empty: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate and key of the public listener; none: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// How long a connection may take to send a request's head, or its TLS handshake.
    pub head_timeout: Duration,
    /// How long running requests may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// Connections at once on the public listener; more wait in the operating system's queue.
    pub max_connections: usize,
}

/// PEM files of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, leaf first.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// An origin: scheme, host and port, nothing else (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The origin as a URL with the path `/`.
    pub url: Url,
    /// As browsers write it in `Origin`: no trailing slash, no default port.
    pub text: String,
    /// Whether the scheme is `https`.
    pub https: bool,
    /// The value of the `Host` header for this origin: the port only when it is not the default.
    pub authority: String,
}

/// What stands behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bitbucket Server or Data Center: its paths and cookies get their rules.
    Bitbucket,
    /// Any web application: no path or cookie is special.
    Generic,
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Scheme, host and port; `http` or `https`.
    pub url: Origin,
    /// Whether Bitbucket's rules apply.
    pub kind: Kind,
    /// `""`, or a path such as `/bitbucket`: begins with `/`, does not end with one.
    pub context_path: String,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the end of the request until the response's head.
    pub head_timeout: Duration,
    /// Silence in both directions at once.
    pub idle_timeout: Duration,
    /// Authorities to trust instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key to show to the upstream.
    pub client_tls: Option<TlsFiles>,
}

/// `[identity]`: what Bitbucket is told, in header mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Carries the username.
    pub user_header: HeaderName,
    /// Carries the e-mail address, if configured.
    pub email_header: Option<HeaderName>,
    /// Carries the display name, if configured.
    pub name_header: Option<HeaderName>,
    /// Carries the groups, comma-separated, if configured.
    pub groups_header: Option<HeaderName>,
    /// The signed assertion, if configured.
    pub assertion: Option<Assertion>,
}

impl Identity {
    /// Every header name that only the gateway may set.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        std::iter::once(&self.user_header)
            .chain(&self.email_header)
            .chain(&self.name_header)
            .chain(&self.groups_header)
            .chain(self.assertion.as_ref().map(|assertion| &assertion.header))
    }
}

/// The short-lived signed JWT with the same facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// `identity.assertion_header`
    pub header: HeaderName,
    /// `identity.assertion_audience`: the `aud` claim; default: `upstream.url`.
    pub audience: String,
    /// `identity.assertion_keys`: PKCS#8 PEM, P-256 or Ed25519; the first signs, all are published.
    pub keys: Vec<Secret<String>>,
}

/// Where sessions and identities are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// Gone with the process.
    Memory,
    /// A file that survives it.
    Sqlite(PathBuf),
}

/// `[session]`
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Where sessions are kept.
    pub store: Store,
    /// 64 bytes each; the first signs, all verify. At least one.
    pub keys: Vec<Secret<[u8; 64]>>,
    /// The name that the browser sees: with `__Host-` on https.
    pub cookie_name: String,
    /// Without a request for this long, a session ends.
    pub idle_timeout: Duration,
    /// However busy, a session ends after this.
    pub max_age: Duration,
    /// Offer to remember a person: the cookie outlives the browser.
    pub remember_me: bool,
    /// Replaces both limits for a remembered session.
    pub remember_me_max_age: Duration,
    /// The least time between two looks at what the provider says about a session's person.
    pub refresh: Duration,
    /// How long a session goes on beyond the moment of such a look when the provider cannot be
    /// asked; zero: not at all.
    pub stale: Duration,
}

/// Which protocol a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenID Connect: there is an ID token.
    Oidc,
    /// Plain OAuth 2.0: the userinfo address says who it is.
    OAuth2,
}

/// A signature algorithm of RFC 7518 and RFC 8037 that can be allowed. `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

/// How the authorization response comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a `GET`.
    Query,
    /// In the form of a `POST` (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// Whether userinfo is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Userinfo {
    /// Never.
    Off,
    /// When the provider has the address.
    Optional,
    /// Always; without it the sign-in fails.
    Required,
}

/// How the gateway proves who it is at the token endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientAuth {
    /// RFC 6749 §2.3.1, both halves form-encoded.
    Basic(Secret<String>),
    /// The secret in the form.
    Post(Secret<String>),
    /// RFC 7523 with a private key in PEM.
    PrivateKeyJwt {
        /// PKCS#8 (or PKCS#1 for RSA) PEM.
        key: Secret<String>,
        /// The `kid` to send, if the provider wants one.
        key_id: Option<String>,
        /// The algorithm, which fits the key.
        algorithm: Algorithm,
    },
    /// Apple's: an ES256 JWT, signed afresh for every call, sent as the client secret in the form.
    AppleJwt {
        /// The `.p8` key in PEM.
        key: Secret<String>,
        /// Its identifier at Apple.
        key_id: String,
        /// The team's identifier.
        team_id: String,
    },
    /// A public client.
    None,
}

/// Whether an ID token must carry the nonce of its sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// Sent, and demanded back (OpenID Connect Core §3.1.3.7).
    Required,
    /// Sent, and compared only when it comes back: LinkedIn's tokens have none.
    Optional,
}

/// A call beyond token and userinfo that learns more about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// The `id` address in Salesforce's token answer.
    SalesforceIdentity,
    /// `/user/emails`: the primary address, if verified.
    GithubEmails,
    /// `/user/orgs`: claim `organizations`, a list of names.
    GithubOrganizations,
    /// `/user/teams`: claim `teams`, a list of `organization/team`.
    GithubTeams,
    /// `/users/@me/guilds`: claim `guilds`, a list of identifiers.
    DiscordGuilds,
    /// Microsoft Graph, when a token has too many groups to list them: claim `groups`, identifiers.
    GraphGroups,
}

/// What an e-mail address needs before it decides something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailTrust {
    /// The provider does not say that it is unverified.
    UnlessDenied,
    /// The provider says that it is verified.
    Verified,
}

/// A claim that must hold one of a few values: `[providers.require]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A claim's name or a dotted path.
    pub claim: String,
    /// One of these, as text; of a list, any element. Compared byte for byte. Never empty.
    pub any_of: Vec<String>,
}

/// One of `[[providers.tests]]`: claims, and who they must become.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The line of the file where it stands, from 1.
    pub line: usize,
    /// What the provider would say.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// What must come out. Only what is there is compared.
    pub expect: Expectation,
}

/// `providers.tests.expect`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The username.
    pub username: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The display name.
    pub display_name: Option<String>,
    /// The groups after the map, in any order.
    pub groups: Option<Vec<String>>,
    /// The code of the refusal, such as `domain_not_allowed`; nothing else is compared then.
    pub refused: Option<String>,
}

/// One of `[[providers]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Appears in addresses: lower-case letters, digits, `-` and `_`.
    pub id: String,
    /// The name of the preset that filled this in.
    pub preset: &'static str,
    /// On the button.
    pub name: String,
    /// The picture beside it.
    pub icon: Option<Icon>,
    /// OpenID Connect or plain OAuth 2.0.
    pub protocol: Protocol,
    /// Compared byte for byte, so text; a valid URL. Plain OAuth 2.0 has one too: the configured
    /// one, or the authorization endpoint's origin; it is half of a person's pin. It may hold
    /// `{tenantid}` once, which stands for the verified token's `tid`; `require` names the allowed
    /// ones then.
    pub issuer: String,
    /// Where discovery is fetched; none: the endpoints below are all there is.
    pub discovery_url: Option<Url>,
    /// Endpoints given by hand; each wins over discovery.
    pub endpoints: Endpoints,
    /// The client identifier.
    pub client_id: String,
    /// How the gateway authenticates.
    pub client_auth: ClientAuth,
    /// The day on which the client secret ends, if the file says so.
    pub client_secret_expires_on: Option<time::Date>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Send a PKCE S256 challenge. Off only for a provider that breaks on it.
    pub pkce: bool,
    /// Added to the authorization request.
    pub extra_params: BTreeMap<String, String>,
    /// Authorities to trust for this provider instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Sign out there too, when it offers that.
    pub logout: bool,
    /// In which words the provider is told of a sign-out.
    pub logout_style: LogoutStyle,
    /// Whether the provider sends the browser back after its logout (Salesforce does not).
    pub logout_returns: bool,
    /// Use a refresh token when the provider gives one. What asks for one is in `scopes` and
    /// `extra_params` already.
    pub refresh: bool,
    /// Further spellings of `issuer` that its tokens may carry; the pin goes by `issuer`.
    pub issuer_aliases: Vec<String>,
    /// Whether the nonce must come back.
    pub nonce: Nonce,
    /// Further calls about a person, in this order.
    pub fetch: Vec<Fetch>,
    /// Where Microsoft Graph is, for [`Fetch::GraphGroups`].
    pub graph_url: Url,
    /// What an e-mail address needs before it decides something.
    pub email_trust: EmailTrust,
    /// `[providers.require]`: all of them must hold.
    pub require: Vec<Requirement>,
    /// Algorithms that may sign its tokens; never empty.
    pub signing_algs: Vec<Algorithm>,
    /// How the response comes back.
    pub response_mode: ResponseMode,
    /// Further audiences that may stand beside the client id; `"*"`: any.
    pub extra_audiences: Vec<String>,
    /// Whether userinfo is fetched.
    pub userinfo: Userinfo,
    /// Where the unchanging identifier stands: `sub`, or `id` at GitHub.
    pub subject_claim: String,
    /// `http` beyond loopback is accepted. The start logs it.
    pub insecure_http: bool,
    /// `[providers.claims]`
    pub claims: Claims,
    /// `[[providers.tests]]`
    pub tests: Vec<Trial>,
}

/// In which words a provider is told that somebody signs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutStyle {
    /// OpenID Connect RP-Initiated Logout 1.0, where discovery or the file names the address.
    Oidc,
    /// Amazon Cognito's `/logout?client_id=…&logout_uri=…`.
    Cognito,
    /// OpenID Connect's where an address is named, and Auth0's `/v2/logout?client_id=…&returnTo=…`
    /// where none is.
    Auth0,
    /// The provider cannot be told.
    None,
}

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Scalable Vector Graphics.
    Svg,
    /// Portable Network Graphics.
    Png,
}

/// A picture, as it is sent to browsers.
#[derive(Clone, PartialEq, Eq)]
pub struct Icon {
    /// What it is, by its content.
    pub picture: Picture,
    /// The whole file; at most 64 KiB.
    pub bytes: Arc<[u8]>,
}

impl std::fmt::Debug for Icon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (picture, bytes) = (self.picture, self.bytes.len());
        write!(f, "{picture:?} of {bytes} bytes")
    }
}

/// Endpoints of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of OpenID Connect Discovery §3"
)]
pub struct Endpoints {
    pub authorization: Option<Url>,
    pub token: Option<Url>,
    pub userinfo: Option<Url>,
    pub jwks_uri: Option<Url>,
    pub end_session: Option<Url>,
}

/// `[providers.claims]`: where each fact is found. Several mappings are tried in order, and the first
/// that comes to something wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The username.
    pub username: Vec<Mapping>,
    /// The e-mail address.
    pub email: Vec<Mapping>,
    /// Whether the address is verified.
    pub email_verified: Vec<Mapping>,
    /// The full name.
    pub display_name: Vec<Mapping>,
    /// The first name, for when there is no full one.
    pub first_name: Vec<Mapping>,
    /// The last name, for when there is no full one.
    pub last_name: Vec<Mapping>,
    /// The groups: an array, or one string.
    pub groups: Vec<Mapping>,
    /// Splits a groups string; none: the string is one group.
    pub groups_separator: Option<String>,
}

/// Which fact finds the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchBy {
    /// The username claim becomes the username.
    Username,
    /// The e-mail address becomes the username.
    Email,
}

/// What happens to upper and lower case in usernames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsernameCase {
    /// Lower case, as Bitbucket compares.
    Lower,
    /// As it comes.
    Keep,
}

/// `[users]`
#[derive(Debug, Clone, PartialEq)]
pub struct Users {
    /// Which fact finds the person.
    pub match_by: MatchBy,
    /// The case of usernames.
    pub username_case: UsernameCase,
    /// An explicit `email_verified = false` refuses wherever the e-mail decides something.
    pub require_verified_email: bool,
    /// E-mail domains that may sign in; empty: all.
    pub allowed_domains: Vec<Domain>,
    /// Make people whom Bitbucket does not know; off: they are refused.
    pub create: bool,
    /// Keep name and e-mail address in Bitbucket as the provider has them.
    pub update_profile: bool,
    /// One person may come by several of `link_providers`, known by the same verified address.
    pub link_by_verified_email: bool,
    /// Ids of providers whose word for a verified address is good enough to link two subjects.
    pub link_providers: Vec<String>,
}

/// How the provider's groups become Bitbucket's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMode {
    /// Not at all: the gateway knows them under their own names, and Bitbucket is not told.
    Off,
    /// By `[groups.map]` alone.
    Manual,
    /// Under their own names.
    OnTheFly,
}

/// Who gets the default groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignDefault {
    /// Everybody, at every sign-in.
    All,
    /// Whoever is made in Bitbucket, when they are made.
    New,
    /// Nobody.
    None,
}

/// `[groups]`
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// How the provider's groups become Bitbucket's.
    pub mode: GroupMode,
    /// Given besides those of the provider.
    pub default: Vec<GroupName>,
    /// To whom.
    pub assign_default_to: AssignDefault,
    /// Off: groups are set when a person is made, and never after.
    pub update_existing: bool,
    /// Make groups that Bitbucket does not have.
    pub create_missing: bool,
    /// Off: memberships that the provider does not name are removed, within the rules.
    pub keep_existing: bool,
    /// Never touched, and never asserted.
    pub exclude: Vec<Pattern>,
    /// Make people only when the map gives them a group.
    pub require_mapped_group_to_create: bool,
    /// `[groups.map]`: a group of Bitbucket, and the provider's groups of which one is enough.
    pub map: Vec<(GroupName, Vec<String>)>,
}

/// As the file's.
impl Default for Groups {
    fn default() -> Self {
        Self {
            mode: GroupMode::Off,
            default: Vec::new(),
            assign_default_to: AssignDefault::All,
            update_existing: true,
            create_missing: false,
            keep_existing: true,
            exclude: Vec::new(),
            require_mapped_group_to_create: false,
            map: Vec::new(),
        }
    }
}

/// Where people are made known.
#[derive(Debug, Clone, PartialEq)]
pub enum ProvisioningTarget {
    /// Nowhere.
    None,
    /// In Bitbucket, by its REST interface.
    Bitbucket(BitbucketAccess),
    /// In the built-in directory.
    Directory,
}

/// What a failure of provisioning does to a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is refused.
    Deny,
    /// It goes on.
    Allow,
}

/// `[provisioning]`
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioning {
    /// Where people are made known.
    pub target: ProvisioningTarget,
    /// What a failure does.
    pub on_error: OnError,
    /// How long a person waits for it.
    pub timeout: Duration,
}

/// As the file's.
impl Default for Provisioning {
    fn default() -> Self {
        Self {
            target: ProvisioningTarget::None,
            on_error: OnError::Deny,
            timeout: Duration::from_secs(5),
        }
    }
}

/// `[provisioning.bitbucket]`
#[derive(Debug, Clone, PartialEq)]
pub struct BitbucketAccess {
    /// Bitbucket's base address, context path included, without a slash at the end.
    pub url: Url,
    /// As whom.
    pub credentials: Credentials,
    /// Authorities to trust instead of the machine's.
    pub ca_file: Option<PathBuf>,
}

/// Who the gateway is for Bitbucket's administration.
#[derive(Debug, Clone, PartialEq)]
pub enum Credentials {
    /// A service account of Bitbucket.
    Basic {
        /// Its name.
        username: String,
        /// Its password.
        password: Secret<String>,
    },
    /// An OAuth 2.0 access token: HTTP access tokens are refused by administration calls.
    Bearer(Secret<String>),
}

/// `[admin]`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admin {
    /// Who may open the console and the test pages; empty: nobody but the backdoor (and, for the
    /// test pages, one-time addresses).
    pub groups: Vec<GroupName>,
}

/// `[sign_in]`
#[derive(Debug, Clone, PartialEq)]
pub struct SignIn {
    /// Off: the gateway only forwards, and Bitbucket's own login page serves.
    pub enabled: bool,
    /// Go to the only or the default provider without being asked.
    pub auto_redirect: bool,
    /// Count down on the page before that; zero: the page is not shown.
    pub auto_redirect_delay: Duration,
    /// The id of the provider to go to, and whose button is the first.
    pub default_provider: Option<String>,
    /// `[[sign_in.rules]]`, in order; the first that is for an address decides.
    pub rules: Vec<SignInRule>,
}

impl SignIn {
    /// The provider that the page goes to by itself: the default one, or the only one where no rules
    /// ask for the address first.
    #[must_use]
    pub fn automatic<'a>(&'a self, providers: &'a [Provider]) -> Option<&'a str> {
        if !self.auto_redirect {
            return None;
        }
        match (&self.default_provider, providers) {
            (Some(id), _) => Some(id),
            (None, [only]) if self.rules.is_empty() => Some(&only.id),
            _ => None,
        }
    }
}

/// One of `[[sign_in.rules]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRule {
    /// The domains of the addresses; empty: every address.
    pub domains: Vec<Domain>,
    /// Whether their sub-domains count too.
    pub subdomains: bool,
    /// The id of the provider.
    pub provider: String,
}

impl SignInRule {
    /// Whether this rule is for an address.
    #[must_use]
    pub fn is_for(&self, email: &Email) -> bool {
        let fits = |domain| email.is_in(domain) || (self.subdomains && email.is_below(domain));
        self.domains.is_empty() || self.domains.iter().any(fits)
    }

    /// Whether every address in a domain is this rule's.
    fn covers(&self, domain: &Domain) -> bool {
        let fits = |own: &Domain| own == domain || (self.subdomains && domain.is_below(own));
        self.domains.is_empty() || self.domains.iter().any(fits)
    }
}

/// `[sign_out]`
#[derive(Debug, Clone, PartialEq)]
pub struct SignOut {
    /// Sign out at the provider too.
    pub provider_logout: bool,
    /// Where the browser lands; none: the signed-out page.
    pub redirect_to: Option<Url>,
}

/// What `Authorization` is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiAccess {
    /// Goes to Bitbucket as it is, without an identity.
    Pass,
    /// Refused.
    Deny,
}

/// `[access]`
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Git and REST calls with an `Authorization` header.
    pub api: ApiAccess,
    /// Whether Bitbucket's password pages may be opened.
    pub allow_password_change: bool,
    /// Who may reach plugin and app administration; empty: Bitbucket decides.
    pub plugin_admin_groups: Vec<GroupName>,
    /// `[[access.rules]]`, in order; the first whose path and method fit decides.
    pub rules: Vec<AccessRule>,
}

/// One of `[[access.rules]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessRule {
    /// A path, or a path and everything below it when it ended in `/*`. Relative to the context
    /// path. Begins with `/`.
    pub path: PathRule,
    /// What happens.
    pub action: AccessAction,
    /// With `sign_in`: one of these groups is needed; empty: any person.
    pub groups: Vec<GroupName>,
    /// Upper case; empty: all.
    pub methods: Vec<String>,
}

/// Which paths a rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRule {
    /// This path alone.
    Exact(String),
    /// This path and all below it; no trailing slash.
    Below(String),
}

/// What an access rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessAction {
    /// Forwarded for everybody, without an identity for strangers.
    Anonymous,
    /// Needs a session.
    SignIn,
    /// Refused.
    Deny,
}

/// `[backdoor]`
#[derive(Debug, Clone, PartialEq)]
pub struct Backdoor {
    /// Off by default.
    pub enabled: bool,
    /// Begins with `/`.
    pub path: String,
    /// Who can come in; never empty when enabled.
    pub accounts: Vec<BackdoorAccount>,
    /// From where.
    pub allowed_networks: Vec<IpNet>,
    /// How long such a session lasts, busy or not.
    pub max_age: Duration,
}

/// One of `[[backdoor.accounts]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BackdoorAccount {
    /// Who the person is for Bitbucket.
    pub username: Username,
    /// A PHC string of argon2id.
    pub password_hash: Secret<String>,
    /// The shared secret of RFC 6238 in base32, if a code is asked for.
    pub totp_secret: Option<Secret<String>>,
}

/// `[branding]`: how the gateway's own pages look. Files were read with the configuration, so that a
/// change of one is a change of this.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Branding {
    /// Replaces the heading of the sign-in page in every language.
    pub title: Option<String>,
    /// Replaces the text of the buttons; `{provider}` stands for the name.
    pub button_text: Option<String>,
    /// A line below every page.
    pub footer: Option<String>,
    /// Above every page.
    pub logo: Option<Logo>,
    /// Comes after the gateway's own style sheet.
    pub css: Option<String>,
    /// Colours of the light theme.
    pub light: Palette,
    /// Colours of the dark theme.
    pub dark: Palette,
    /// Tags of the languages to offer, the one for everybody else first; empty: all.
    pub languages: Vec<String>,
    /// The files of `branding.languages_dir`, named by their tag.
    pub translations: Vec<Source>,
    /// Other words for errors.
    pub messages: Vec<Message>,
    /// The pages of `branding.templates_dir`.
    pub templates: Vec<Source>,
    /// `style.css` of `branding.templates_dir`, instead of the built-in one.
    pub style: Option<String>,
}

/// An image for the pages.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// `image/png` or `image/svg+xml`.
    pub media_type: &'static str,
    /// At most 256 kB.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.media_type, self.bytes.len())
    }
}

/// A text of a file, as far as others will check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A template's file name, or a language's tag.
    pub name: String,
    /// For messages.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// One of `[branding.messages]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The error's code.
    pub code: String,
    /// In which language; none: in all that have none of their own.
    pub language: Option<String>,
    /// The heading.
    pub title: Option<String>,
    /// What happened and what to do.
    pub message: Option<String>,
}

/// Log lines as text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Text or JSON.
    pub format: LogFormat,
    /// A filter as tracing-subscriber reads it, e.g. `info` or `info,portcullis=debug`.
    pub level: String,
}

/// Microsoft Graph's address in the public cloud.
fn graph_url() -> Url {
    #[expect(clippy::unwrap_used, reason = "the text is a URL")]
    Url::parse("https://graph.microsoft.com").unwrap()
}
