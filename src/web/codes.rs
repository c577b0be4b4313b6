//! Codes whose words stand under another code.

/// One check that failed has a code of its own, for the log and the metrics, and says the same to
/// the person as others do. `branding.messages` can give each words of its own.
pub(super) const NARROWER: [&str; 143] = [
    "access_token_hash_mismatch",
    "access_token_missing",
    "account_not_shown",
    "algorithm_missing",
    "algorithm_none",
    "algorithm_not_allowed",
    "ambiguous_username",
    "another_person",
    "answer_duplicate_member",
    "answer_not_json",
    "answer_not_list",
    "answer_not_object",
    "answer_page_elsewhere",
    "answer_redirected",
    "answer_status",
    "answer_too_large",
    "answer_too_many_entries",
    "answer_unreadable_entry",
    "audience_mismatch",
    "audience_untrusted",
    "authentication_too_old",
    "authorization_failed",
    "authorized_party_mismatch",
    "bad_signature",
    "bitbucket_address",
    "bitbucket_answer",
    "bitbucket_answer_too_large",
    "bitbucket_broke_off",
    "bitbucket_ca_file",
    "bitbucket_captcha",
    "bitbucket_client",
    "bitbucket_conflict",
    "bitbucket_credentials",
    "bitbucket_credentials_unusable",
    "bitbucket_forbidden",
    "bitbucket_missing",
    "bitbucket_not_json",
    "bitbucket_pages",
    "bitbucket_rate_limit",
    "bitbucket_read_only",
    "bitbucket_redirects",
    "bitbucket_status",
    "bitbucket_timeout",
    "bitbucket_too_many",
    "bitbucket_unreachable",
    "body_length_doubtful",
    "ca_certificate",
    "ca_file",
    "ca_file_empty",
    "claim_changed",
    "claim_missing",
    "claim_type",
    "client_key",
    "code_and_error",
    "code_hash_mismatch",
    "code_missing",
    "code_refused",
    "denied",
    "directory",
    "discovery_issuer_mismatch",
    "discovery_issuer_missing",
    "duplicate_parameter",
    "email_type",
    "endpoint_insecure",
    "endpoint_invalid",
    "endpoint_missing",
    "expired",
    "fetch_refused",
    "groups_overage",
    "host_doubtful",
    "http_client",
    "id_token_missing",
    "identity_elsewhere",
    "identity_mismatch",
    "identity_missing",
    "identity_store_failed",
    "invalid_email",
    "invalid_username",
    "issued_in_future",
    "issuer_mismatch",
    "key_issuer_mismatch",
    "key_mismatch",
    "keys_missing",
    "keys_moved",
    "logout_event_missing",
    "logout_nonce",
    "logout_of_nobody",
    "logout_replayed",
    "logout_too_old",
    "no_common_algorithm",
    "no_usable_key",
    "nonce_mismatch",
    "nonce_missing",
    "not_yet_valid",
    "provider_timeout",
    "provider_unreachable",
    "provisioning_busy",
    "provisioning_cut_off",
    "provisioning_too_slow",
    "renewal_refused",
    "required_claim",
    "response_issuer_mismatch",
    "response_issuer_missing",
    "response_too_large",
    "service_account",
    "session_store_failed",
    "sign_in_cookie_unknown",
    "state_mismatch",
    "state_missing",
    "state_unknown",
    "subject_empty",
    "subject_missing",
    "subject_too_long",
    "subject_type",
    "subject_unusable",
    "target_character",
    "target_escape",
    "target_not_a_path",
    "target_outside_root",
    "target_too_ambiguous",
    "target_too_long",
    "tenant_unusable",
    "tls",
    "token_critical",
    "token_duplicate_member",
    "token_encoding",
    "token_encrypted",
    "token_nested",
    "token_not_json",
    "token_parts",
    "token_refused",
    "token_type",
    "token_type_unsupported",
    "too_many_groups",
    "unknown_key",
    "unusable_name_in_bitbucket",
    "upstream_unreachable",
    "userinfo_subject_mismatch",
    "userinfo_subject_missing",
    "username_taken_in_bitbucket",
    "username_type",
    "weak_key",
    "weak_secret",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::texts::Texts;
    use regex::Regex;

    #[test]
    fn every_code_of_a_refusal_is_known() {
        let texts = Texts::built_in().unwrap();
        let codes = texts.codes();
        let arm = Regex::new(r#"Self::.*=> \{?\s*"([a-z0-9_]+)""#).unwrap();
        for file in [
            "provider/blame.rs",
            "mapping/refused.rs",
            "provisioning/error.rs",
            "sanitize/mod.rs",
            "login/browsers.rs",
        ] {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/").to_owned() + file;
            let source = std::fs::read_to_string(path).unwrap();
            for found in arm.captures_iter(&source) {
                let code = &found[1];
                assert!(
                    codes.contains(code) || NARROWER.contains(&code),
                    "{file}: {code} is missing in web/codes.rs"
                );
            }
        }
    }

    #[test]
    fn no_code_stands_twice() {
        let texts = Texts::built_in().unwrap();
        for (index, code) in NARROWER.iter().enumerate() {
            assert!(!NARROWER[..index].contains(code), "{code}");
            assert!(!texts.codes().contains(code), "{code} has words of its own");
        }
    }
}
