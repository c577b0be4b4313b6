//! Whose fault an error is, and its short name.

use super::error::Error;
use super::said::Said;

/// Whose fault an error is, which decides the answer's status and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The browser sent something that cannot be right (400).
    Client,
    /// The person, or the provider on their behalf, said no (403).
    Refused,
    /// The provider answered something wrong (502).
    Provider,
    /// The provider did not answer (504).
    Unreachable,
    /// The gateway's own set-up (500): [`Provider::new`](super::Provider::new) fails so, and a
    /// configuration that asks for more than its scopes allow.
    Gateway,
}

impl Error {
    /// A short, stable name for logs, metrics and pages: `issuer_mismatch`, `nonce_mismatch`, …
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CaFile { .. } => "ca_file",
            Self::CaCertificate { .. } => "ca_certificate",
            Self::CaFileEmpty { .. } => "ca_file_empty",
            Self::Tls(_) => "tls",
            Self::HttpClient(_) => "http_client",
            Self::ClientKey { .. } => "client_key",
            Self::Unreachable { .. } => "provider_unreachable",
            Self::Timeout { .. } => "provider_timeout",
            Self::CoolingDown { source, .. } => source.code(),
            Self::TooLarge { .. } => "answer_too_large",
            Self::Redirected { .. } => "answer_redirected",
            Self::Status { .. } => "answer_status",
            Self::NotJson { .. } => "answer_not_json",
            Self::NotObject { .. } => "answer_not_object",
            Self::DuplicateMember { .. } => "answer_duplicate_member",
            Self::DiscoveryIssuerMissing { .. } => "discovery_issuer_missing",
            Self::DiscoveryIssuerMismatch { .. } => "discovery_issuer_mismatch",
            Self::EndpointMissing { .. } => "endpoint_missing",
            Self::EndpointInvalid { .. } => "endpoint_invalid",
            Self::EndpointInsecure { .. } => "endpoint_insecure",
            Self::NoCommonAlgorithm { .. } => "no_common_algorithm",
            Self::KeysMissing => "keys_missing",
            Self::KeysMoved => "keys_moved",
            Self::NoUsableKey { .. } => "no_usable_key",
            Self::FetchRefused { .. } => "fetch_refused",
            Self::NotList { .. } => "answer_not_list",
            Self::EntryUnreadable { .. } => "answer_unreadable_entry",
            Self::TooManyEntries { .. } => "answer_too_many_entries",
            Self::PageElsewhere { .. } => "answer_page_elsewhere",
            Self::IdentityMissing => "identity_missing",
            Self::IdentityElsewhere { .. } => "identity_elsewhere",
            Self::IdentityMismatch => "identity_mismatch",
            Self::GroupsOverage => "groups_overage",
            Self::DuplicateParameter { .. } => "duplicate_parameter",
            Self::StateMissing => "state_missing",
            Self::StateMismatch => "state_mismatch",
            Self::CodeAndError => "code_and_error",
            Self::CodeMissing => "code_missing",
            Self::ResponseIssuerMissing => "response_issuer_missing",
            Self::ResponseIssuerMismatch { .. } => "response_issuer_mismatch",
            Self::Denied { .. } => "denied",
            Self::AuthorizationFailed { .. } => "authorization_failed",
            Self::CodeRefused { .. } => "code_refused",
            Self::TokenRefused { .. } => "token_refused",
            Self::AccessTokenMissing => "access_token_missing",
            Self::TokenTypeUnsupported { .. } => "token_type_unsupported",
            Self::IdTokenMissing => "id_token_missing",
            Self::TokenParts { .. } => "token_parts",
            Self::TokenEncrypted { .. } => "token_encrypted",
            Self::TokenNested { .. } => "token_nested",
            Self::TokenEncoding { .. } => "token_encoding",
            Self::TokenNotJson { .. } => "token_not_json",
            Self::TokenDuplicateMember { .. } => "token_duplicate_member",
            Self::TokenCritical { .. } => "token_critical",
            Self::TokenType { .. } => "token_type",
            Self::AlgorithmMissing { .. } => "algorithm_missing",
            Self::AlgorithmNone { .. } => "algorithm_none",
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::WeakSecret { .. } => "weak_secret",
            Self::WeakKey { .. } => "weak_key",
            Self::UnknownKey { .. } => "unknown_key",
            Self::KeyMismatch { .. } => "key_mismatch",
            Self::BadSignature { .. } => "bad_signature",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::ClaimType { .. } => "claim_type",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::TenantUnusable { .. } => "tenant_unusable",
            Self::KeyIssuerMismatch { .. } => "key_issuer_mismatch",
            Self::AudienceMismatch { .. } => "audience_mismatch",
            Self::AudienceUntrusted { .. } => "audience_untrusted",
            Self::AuthorizedPartyMismatch { .. } => "authorized_party_mismatch",
            Self::Expired { .. } => "expired",
            Self::IssuedInFuture { .. } => "issued_in_future",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::AuthenticationTooOld { .. } => "authentication_too_old",
            Self::NonceMissing => "nonce_missing",
            Self::NonceMismatch => "nonce_mismatch",
            Self::AccessTokenHashMismatch => "access_token_hash_mismatch",
            Self::CodeHashMismatch => "code_hash_mismatch",
            Self::SubjectMissing { .. } => "subject_missing",
            Self::SubjectType { .. } => "subject_type",
            Self::SubjectEmpty { .. } => "subject_empty",
            Self::SubjectTooLong { .. } => "subject_too_long",
            Self::SubjectUnusable { .. } => "subject_unusable",
            Self::RenewalRefused { .. } => "renewal_refused",
            Self::ClaimChanged { .. } => "claim_changed",
            Self::AnotherPerson => "another_person",
            Self::LogoutTooOld { .. } => "logout_too_old",
            Self::LogoutEventMissing => "logout_event_missing",
            Self::LogoutNonce => "logout_nonce",
            Self::LogoutOfNobody => "logout_of_nobody",
            Self::LogoutReplayed => "logout_replayed",
            Self::UserinfoSubjectMissing => "userinfo_subject_missing",
            Self::UserinfoSubjectMismatch => "userinfo_subject_mismatch",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::CaFile { .. }
            | Self::CaCertificate { .. }
            | Self::CaFileEmpty { .. }
            | Self::Tls(_)
            | Self::HttpClient(_)
            | Self::ClientKey { .. }
            | Self::FetchRefused { .. }
            | Self::IdentityMissing
            | Self::GroupsOverage => Blame::Gateway,
            Self::Unreachable { .. } | Self::Timeout { .. } => Blame::Unreachable,
            Self::CoolingDown { source, .. } => source.blame(),
            Self::DuplicateParameter { .. }
            | Self::StateMissing
            | Self::StateMismatch
            | Self::CodeAndError
            | Self::CodeMissing
            | Self::ResponseIssuerMissing
            | Self::ResponseIssuerMismatch { .. }
            // A spent or foreign code came from the browser.
            | Self::CodeRefused { .. } => Blame::Client,
            Self::Denied { .. } | Self::RenewalRefused { .. } => Blame::Refused,
            _ => Blame::Provider,
        }
    }

    /// The error of an authorization response.
    pub(super) fn authorization(said: Said) -> Self {
        if said.is_refusal() {
            Self::Denied { said }
        } else {
            Self::AuthorizationFailed { said }
        }
    }

    /// The error of a token answer to a refresh token.
    pub(super) fn renewal(said: Said) -> Self {
        if said.ends_grant() {
            Self::RenewalRefused { said }
        } else {
            Self::TokenRefused { said }
        }
    }

    /// The error of a token answer.
    pub(super) fn token(said: Said) -> Self {
        if said.code() == Some("invalid_grant") {
            Self::CodeRefused { said }
        } else if said.is_refusal() {
            Self::Denied { said }
        } else {
            Self::TokenRefused { said }
        }
    }
}
