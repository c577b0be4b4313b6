//! What can go wrong with a provider.

use super::algorithm;
use super::said::{Call, Said, Token};
use crate::config::Algorithm;
use http::StatusCode;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong with a provider. One variant per way to fail; [`Error::code`] names it.
///
/// No text holds a code, a token, a secret or a body; of what a provider says about an error, a
/// short printable excerpt is kept.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say what the fields are")]
pub enum Error {
    // Building the provider.
    /// The CA file cannot be read.
    #[error("the authorities in \"{}\" cannot be read", path.display())]
    CaFile {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    /// The CA file holds something that is not a usable certificate.
    #[error("a certificate in \"{}\" cannot be used", path.display())]
    CaCertificate {
        path: PathBuf,
        source: rustls::Error,
    },
    /// The CA file holds nothing.
    #[error("\"{}\" holds no certificate in PEM form", path.display())]
    CaFileEmpty { path: PathBuf },
    /// The TLS library refuses its set-up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client refuses its set-up.
    #[error("the HTTP client cannot be built")]
    HttpClient(#[source] reqwest::Error),
    /// The private key of `private_key_jwt` is not one, or not for that algorithm.
    #[error("the private key cannot be used with {}", algorithm::name(*algorithm))]
    ClientKey { algorithm: Algorithm },

    // Outgoing calls.
    /// No connection, or one that broke: name resolution, refusal, TLS, cut.
    #[error("{call} at \"{origin}\" cannot be reached")]
    Unreachable {
        call: Call,
        origin: String,
        source: reqwest::Error,
    },
    /// No complete answer in time.
    #[error("{call} at \"{origin}\" did not answer in time")]
    Timeout { call: Call, origin: String },
    /// A failure of a moment ago stands for now.
    #[error("what the provider publishes cannot be had; the next try is in {} s", retry_in.as_secs().max(1))]
    CoolingDown {
        retry_in: Duration,
        source: Arc<Error>,
    },
    /// A larger answer than anything legitimate.
    #[error("{call} answered with more than {limit} bytes")]
    TooLarge { call: Call, limit: usize },
    /// Redirects are not followed: they would carry secrets elsewhere.
    #[error("{call} answered with a redirect ({status}), which is not followed")]
    Redirected { call: Call, status: StatusCode },
    /// An unsuccessful status.
    #[error("{call} answered {status} and said {said}")]
    Status {
        call: Call,
        status: StatusCode,
        said: Said,
    },
    /// A body that is not JSON.
    #[error("{call} did not answer with JSON")]
    NotJson {
        call: Call,
        source: serde_json::Error,
    },
    /// JSON, but not an object.
    #[error("{call} did not answer with a JSON object")]
    NotObject { call: Call },
    /// Two members of the same name: readers would disagree about what it says.
    #[error("{call} answered with the JSON member \"{name}\" twice")]
    DuplicateMember { call: Call, name: String },

    // Discovery and keys.
    /// The discovery document does not say whose it is.
    #[error("the discovery document has no issuer; \"{expected}\" is configured")]
    DiscoveryIssuerMissing { expected: String },
    /// The discovery document is somebody else's (OpenID Connect Discovery §4.3).
    #[error("the discovery document's issuer is \"{found}\", but \"{expected}\" is configured")]
    DiscoveryIssuerMismatch { expected: String, found: String },
    /// An endpoint that is needed is neither configured nor discovered.
    #[error("the provider has no {name}")]
    EndpointMissing { name: &'static str },
    /// An endpoint that is not an address.
    #[error("{name} \"{value}\" is not an address")]
    EndpointInvalid { name: &'static str, value: String },
    /// An endpoint without TLS.
    #[error("{name} \"{value}\" must use https")]
    EndpointInsecure { name: &'static str, value: String },
    /// The provider signs with nothing that is allowed.
    #[error("the provider signs with {offered}, of which the configuration allows none")]
    NoCommonAlgorithm { offered: String },
    /// The key set has no `keys`.
    #[error("the key set has no list of keys")]
    KeysMissing,
    /// Metadata names a new address for the keys, and that one does not answer.
    #[error("the key set has moved, and cannot be had at its new address")]
    KeysMoved,
    /// The key set has no key that can verify anything.
    #[error("none of the {found} keys in the key set can be used{reason}")]
    NoUsableKey { found: usize, reason: String },

    // Calls beyond token and userinfo.
    /// The access token is not good enough for a list that the configuration asks for.
    #[error(
        "{call} answered {status} and said {said}; the provider wants the scope \"{scope}\" for it"
    )]
    FetchRefused {
        call: Call,
        status: StatusCode,
        said: Said,
        scope: &'static str,
    },
    /// JSON, but no list.
    #[error("{call} did not answer with a list")]
    NotList { call: Call },
    /// A list with something else in it than it should have.
    #[error("{call} has an entry that cannot be read, or none")]
    EntryUnreadable { call: Call },
    /// A list without end. Part of a list would be a wrong list.
    #[error("{call} has more than {limit} entries")]
    TooManyEntries { call: Call, limit: usize },
    /// The next page of a list is another list, or at another host.
    #[error("{call} goes on at \"{found}\", which is not the same list")]
    PageElsewhere { call: Call, found: String },
    /// Salesforce's token answer has no `id`.
    #[error("the token answer has no identity address; the provider wants the scope \"id\" for it")]
    IdentityMissing,
    /// Salesforce's `id` is not that person's page at a host that may have the access token.
    #[error("the identity address \"{found}\" is not this person's at a host that is known")]
    IdentityElsewhere { found: String },
    /// Salesforce's identity is about somebody else.
    #[error("the identity address is about another person than the ID token")]
    IdentityMismatch,
    /// More groups than a token holds, and nobody has asked for them elsewhere.
    #[error("the person is in more groups than the provider puts into a token")]
    GroupsOverage,

    // The authorization response.
    /// A parameter twice.
    #[error("the response has \"{name}\" more than once")]
    DuplicateParameter { name: &'static str },
    /// No `state`.
    #[error("the response has no state")]
    StateMissing,
    /// The `state` of something else.
    #[error("the response's state is not that of this sign-in")]
    StateMismatch,
    /// Both an answer and an error.
    #[error("the response has both a code and an error")]
    CodeAndError,
    /// Neither an answer nor an error.
    #[error("the response has neither a code nor an error")]
    CodeMissing,
    /// `iss` was promised and is not there (RFC 9207 §2.4).
    #[error("the response does not say which issuer it is from, which the provider promises")]
    ResponseIssuerMissing,
    /// The response is from somebody else (RFC 9207 §2.4): a mix-up.
    #[error("the response is from the issuer \"{found}\", not \"{expected}\"")]
    ResponseIssuerMismatch { expected: String, found: String },
    /// The person or the provider said no.
    #[error("the provider refused the sign-in and said {said}")]
    Denied { said: Said },
    /// The provider could not.
    #[error("the provider could not sign anybody in and said {said}")]
    AuthorizationFailed { said: Said },

    // The token endpoint.
    /// The code is spent, too old, or of another flow (`invalid_grant`).
    #[error("the provider does not take the code and said {said}")]
    CodeRefused { said: Said },
    /// The token endpoint refused in words.
    #[error("the token endpoint refused and said {said}")]
    TokenRefused { said: Said },
    /// No access token, or none that fits into a header field.
    #[error("the token answer has no usable access token")]
    AccessTokenMissing,
    /// Not a bearer token (RFC 6750).
    #[error("the token answer's token type is \"{found}\", not \"Bearer\"")]
    TokenTypeUnsupported { found: String },
    /// An OpenID provider without an ID token.
    #[error("the token answer has no ID token")]
    IdTokenMissing,

    // The envelope of a token (RFC 8725).
    /// Not header, payload and signature.
    #[error("{token} has {found} parts, not 3")]
    TokenParts { token: Token, found: usize },
    /// An encrypted token.
    #[error("{token} is encrypted")]
    TokenEncrypted { token: Token },
    /// A token in a token.
    #[error("{token} holds another token")]
    TokenNested { token: Token },
    /// Not canonical base64url.
    #[error("{token}'s {part} is not canonical base64url")]
    TokenEncoding { token: Token, part: &'static str },
    /// A part is not a JSON object.
    #[error("{token}'s {part} is not a JSON object")]
    TokenNotJson { token: Token, part: &'static str },
    /// Two members of the same name.
    #[error("{token}'s {part} has the JSON member \"{name}\" twice")]
    TokenDuplicateMember {
        token: Token,
        part: &'static str,
        name: String,
    },
    /// A critical extension; none is known here (RFC 7515 §4.1.11).
    #[error("{token} demands header extensions")]
    TokenCritical { token: Token },
    /// A token made for another purpose, such as `at+jwt` or `logout+jwt`.
    #[error("{token} is of type \"{found}\", not \"JWT\"")]
    TokenType { token: Token, found: String },
    /// No `alg`.
    #[error("{token} does not say how it is signed")]
    AlgorithmMissing { token: Token },
    /// `alg` is `none`.
    #[error("{token} is not signed")]
    AlgorithmNone { token: Token },
    /// An algorithm that configuration or metadata does not allow.
    #[error("{token} is signed with \"{found}\"; allowed: {allowed}")]
    AlgorithmNotAllowed {
        token: Token,
        found: String,
        allowed: String,
    },
    /// The client secret is too short for HMAC (RFC 7518 §3.2).
    #[error("the client secret is too short for {}", algorithm::name(*algorithm))]
    WeakSecret { algorithm: Algorithm },
    /// The key that the token names is too small (RFC 8725 §3.5).
    #[error("the key \"{key_id}\" has {bits} bits; RSA needs 2048")]
    WeakKey { key_id: String, bits: usize },
    /// The key that the token names is not in the key set, also after a fresh look.
    #[error("{token} is signed with the key \"{key_id}\", which is not in the key set")]
    UnknownKey { token: Token, key_id: String },
    /// The key that the token names is for another algorithm (RFC 8725 §3.1).
    #[error("{token} is signed with {}, for which the key \"{key_id}\" is not", algorithm::name(*algorithm))]
    KeyMismatch {
        token: Token,
        key_id: String,
        algorithm: Algorithm,
    },
    /// The signature is not by any key that fits.
    #[error("{token}'s signature is wrong")]
    BadSignature { token: Token },

    // The claims of a token.
    /// A claim that must be there is not.
    #[error("{token} has no \"{claim}\"")]
    ClaimMissing { token: Token, claim: &'static str },
    /// A claim of another type than the specification's.
    #[error("{token}'s \"{claim}\" is not {expected}")]
    ClaimType {
        token: Token,
        claim: &'static str,
        expected: &'static str,
    },
    /// Another issuer's token.
    #[error("{token}'s issuer is \"{found}\", not \"{expected}\"")]
    IssuerMismatch {
        token: Token,
        expected: String,
        found: String,
    },
    /// The tenant of a provider with several is not a GUID.
    #[error("\"tid\" is \"{found}\", not a GUID in lower case")]
    TenantUnusable { found: String },
    /// The key signs for another issuer only.
    #[error("{token} is signed with a key that only \"{found}\" may use")]
    KeyIssuerMismatch { token: Token, found: String },
    /// A token for somebody else.
    #[error("{token} is not for this client")]
    AudienceMismatch { token: Token },
    /// A token for us and for somebody whom nobody listed.
    #[error("{token} is also for \"{found}\", which is not among the extra audiences")]
    AudienceUntrusted { token: Token, found: String },
    /// Issued to another client.
    #[error("{token} was issued to \"{found}\"")]
    AuthorizedPartyMismatch { token: Token, found: String },
    /// `exp` has passed.
    #[error("{token} expired {ago_secs} s ago")]
    Expired { token: Token, ago_secs: u64 },
    /// `iat` is in the future: a clock is wrong.
    #[error("{token} was issued {ahead_secs} s in the future; compare the clocks")]
    IssuedInFuture { token: Token, ahead_secs: u64 },
    /// `nbf` is in the future.
    #[error("{token} is valid only in {ahead_secs} s; compare the clocks")]
    NotYetValid { token: Token, ahead_secs: u64 },
    /// The last real sign-in at the provider is longer ago than `max_age` asked for.
    #[error(
        "the sign-in at the provider is {age_secs} s old; at most {max_age_secs} s were asked for"
    )]
    AuthenticationTooOld { age_secs: u64, max_age_secs: u64 },
    /// No nonce came back: a token of another flow, perhaps.
    #[error("the ID token has no nonce")]
    NonceMissing,
    /// The nonce of another flow.
    #[error("the ID token's nonce is not that of this sign-in")]
    NonceMismatch,
    /// `at_hash` is not that of the access token.
    #[error("the ID token's at_hash does not fit the access token")]
    AccessTokenHashMismatch,
    /// `c_hash` is not that of the code.
    #[error("the ID token's c_hash does not fit the code")]
    CodeHashMismatch,
    /// No subject.
    #[error("there is no \"{claim}\" to know the person by")]
    SubjectMissing { claim: String },
    /// A subject of another type.
    #[error("\"{claim}\", which the person is known by, is {found}, not a string")]
    SubjectType { claim: String, found: &'static str },
    /// An empty subject.
    #[error("\"{claim}\", which the person is known by, is empty")]
    SubjectEmpty { claim: String },
    /// A subject beyond OpenID Connect Core §2's 255 characters.
    #[error("\"{claim}\", which the person is known by, has {length} characters; 255 are allowed")]
    SubjectTooLong { claim: String, length: usize },
    /// Control characters, or a sentence that everybody shares (Azure AD B2C's old policies send
    /// "Not supported currently. Use oid claim.").
    #[error("\"{claim}\", which the person is known by, is not an identifier")]
    SubjectUnusable { claim: String },

    // Looking again.
    /// The refresh token is spent, expired or withdrawn, or the person may not any more.
    #[error("the provider does not take the refresh token and said {said}")]
    RenewalRefused { said: Said },
    /// The ID token of a refresh is about another sign-in or another person (OpenID Connect Core
    /// §12.2).
    #[error("the ID token's \"{claim}\" is not that of the sign-in any more")]
    ClaimChanged { claim: &'static str },
    /// What came with a refresh is about another person.
    #[error("what the provider says now is about another person than at the sign-in")]
    AnotherPerson,

    // Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.6).
    /// Older than any that is sent at the time of a sign-out.
    #[error("the logout token was issued {age_secs} s ago; at most {limit_secs} s are accepted")]
    LogoutTooOld { age_secs: u64, limit_secs: u64 },
    /// It does not say that it is a logout token.
    #[error("the logout token's \"events\" does not name the logout event")]
    LogoutEventMissing,
    /// It has a `nonce`, so it may be an ID token.
    #[error("the logout token has a nonce, which is forbidden")]
    LogoutNonce,
    /// Neither `sub` nor `sid`, or none that sessions are known by.
    #[error("the logout token names neither a person nor a session that could be known here")]
    LogoutOfNobody,
    /// It was accepted before.
    #[error("the logout token was used before")]
    LogoutReplayed,

    // Userinfo.
    /// Userinfo does not say about whom it is.
    #[error("userinfo has no sub")]
    UserinfoSubjectMissing,
    /// Userinfo is about somebody else (OpenID Connect Core §5.3.4).
    #[error("userinfo is about another person than the ID token")]
    UserinfoSubjectMismatch,
}
