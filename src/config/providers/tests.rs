mod presets;
mod strangers;

use crate::config::testing::{Try, accepted, refused, warned};
use crate::config::{
    Algorithm, EmailTrust, LogoutStyle, Nonce, Protocol, Provider, ResponseMode, Userinfo,
};

/// An OpenID Connect provider; lines of a test begin at 6.
fn oidc(lines: &str) -> String {
    format!(
        "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n{lines}"
    )
}

/// A plain OAuth 2.0 provider; lines of a test begin at 9.
fn oauth2(lines: &str) -> String {
    format!(
        "[[providers]]\nid = \"a\"\npreset = \"oauth2\"\nclient_id = \"c\"\nclient_secret = \"s\"\nauthorization_endpoint = \"https://idp.example.com/a\"\ntoken_endpoint = \"https://idp.example.com/t\"\nuserinfo_endpoint = \"https://idp.example.com/u\"\n{lines}"
    )
}

#[track_caller]
fn with(lines: &str, expected: &[&str]) {
    refused(&oidc(lines), expected);
}

#[track_caller]
fn issuer(preset: &str, issuer: &str, expected: &str) {
    let text = oidc(&format!("preset = \"{preset}\"")).replace("https://idp.example.com", issuer);
    refused(&text, &[&format!("3:10: providers.a.issuer: {expected}")]);
}

fn one(text: &str) -> Provider {
    accepted(text).providers.remove(0)
}

#[test]
fn a_bare_provider_gets_what_the_protocol_says() {
    let provider = one(&oidc(""));
    assert_eq!(provider.protocol, Protocol::Oidc);
    assert_eq!(
        (
            provider.id.as_str(),
            provider.name.as_str(),
            provider.preset
        ),
        ("a", "a", "oidc")
    );
    assert_eq!(
        provider.discovery_url.unwrap().as_str(),
        "https://idp.example.com/.well-known/openid-configuration"
    );
    assert_eq!(provider.scopes, ["openid", "profile", "email"]);
    assert_eq!(provider.subject_claim, "sub");
    assert_eq!(provider.response_mode, ResponseMode::Query);
    assert_eq!(provider.userinfo, Userinfo::Optional);
    assert_eq!(provider.signing_algs.len(), 10);
    assert!(!provider.signing_algs.contains(&Algorithm::HS256));
    assert!(provider.pkce && provider.logout && provider.logout_returns && !provider.insecure_http);
}

#[test]
fn an_issuer_keeps_every_byte() {
    let provider = one(&oidc("").replace("idp.example.com", "idp.example.com/slash/"));
    assert_eq!(provider.issuer, "https://idp.example.com/slash/");
    assert_eq!(
        provider.discovery_url.unwrap().as_str(),
        "https://idp.example.com/slash/.well-known/openid-configuration"
    );
}

#[test]
fn an_issuer_is_an_https_address() {
    issuer(
        "oidc",
        "http://idp.example.com",
        "\"http://idp.example.com\" must use https",
    );
    issuer(
        "oidc",
        "idp.example.com",
        "\"idp.example.com\" is not an address",
    );
    issuer(
        "oidc",
        "https://idp.example.com?a=b",
        "\"https://idp.example.com?a=b\" has a query",
    );
    issuer(
        "oidc",
        "https://idp.example.com#a",
        "\"https://idp.example.com#a\" has a fragment",
    );
    issuer(
        "oidc",
        "https://idp.example.com/.well-known/openid-configuration",
        "\"https://idp.example.com/.well-known/openid-configuration\" is the address of the discovery document",
    );
    issuer(
        "oidc",
        "https://ana:hunter2@idp.example.com",
        "the address holds a user name or password, or an \"@\"",
    );
    let without = oidc("").replace("issuer = \"https://idp.example.com\"\n", "");
    refused(&without, &["1:1: providers.a.issuer: is missing"]);
}

#[test]
fn http_is_for_loopback_or_on_demand() {
    let with_http = |host: &str, lines: &str| oidc(lines).replace("https://idp.example.com", host);
    accepted(&with_http("http://127.0.0.1:9000", ""));
    accepted(&with_http("http://localhost:9000/realms/r", ""));
    warned(
        &with_http("http://idp.internal", "insecure_http = true"),
        &[
            "providers.a.insecure_http: true: whoever is between the gateway and this provider can become anybody",
        ],
    );
    with(
        "token_endpoint = \"http://idp.example.com/t\"",
        &["6:18: providers.a.token_endpoint: \"http://idp.example.com/t\" must use https"],
    );
}

#[test]
fn endpoints_by_hand_replace_discovery() {
    let all = "authorization_endpoint = \"https://idp.example.com/a\"\ntoken_endpoint = \"https://idp.example.com/t\"\njwks_uri = \"https://idp.example.com/k\"\n";
    let provider = one(&oidc(all));
    assert_eq!(provider.discovery_url, None);
    assert_eq!(provider.endpoints.jwks_uri.unwrap().path(), "/k");
    let some = one(&oidc(
        "token_endpoint = \"https://idp.example.com/t\"\ndiscovery_url = \"https://idp.internal/d\"",
    ));
    assert_eq!(
        some.discovery_url.unwrap().as_str(),
        "https://idp.internal/d"
    );
    with(
        &format!("{all}discovery_url = \"https://idp.example.com/d\""),
        &[
            "9:17: providers.a.discovery_url: has no effect: authorization_endpoint, token_endpoint and jwks_uri are given",
        ],
    );
    with(
        &format!("{all}userinfo = \"required\""),
        &["1:1: providers.a.userinfo_endpoint: is missing"],
    );
    with(
        "userinfo = \"off\"\nuserinfo_endpoint = \"https://idp.example.com/u\"",
        &["7:21: providers.a.userinfo_endpoint: has no effect: userinfo is \"off\""],
    );
    with(
        "logout = false\nend_session_endpoint = \"https://idp.example.com/l\"",
        &["7:24: providers.a.end_session_endpoint: has no effect: logout is false"],
    );
}

#[test]
fn plain_oauth2_has_three_endpoints_and_no_id_token() {
    let provider = one(&oauth2(""));
    assert_eq!(provider.issuer, "https://idp.example.com");
    assert_eq!(provider.userinfo, Userinfo::Required);
    assert!(provider.scopes.is_empty());
    assert_eq!(
        one(&oauth2("issuer = \"https://other.example\"")).issuer,
        "https://other.example"
    );

    refused(
        "[[providers]]\nid = \"a\"\npreset = \"oauth2\"\nclient_id = \"c\"\nclient_secret = \"s\"",
        &[
            "1:1: providers.a.authorization_endpoint: is missing",
            "1:1: providers.a.token_endpoint: is missing",
            "1:1: providers.a.userinfo_endpoint: is missing",
        ],
    );
    refused(
        &oauth2("userinfo = \"optional\""),
        &["9:12: providers.a.userinfo: plain OAuth 2.0 learns from userinfo alone who it is"],
    );
    let why = "has no effect: plain OAuth 2.0 has no ID token and no discovery";
    refused(
        &oauth2(
            "discovery_url = \"https://idp.example.com/d\"\njwks_uri = \"https://idp.example.com/k\"\nsigning_algs = [\"RS256\"]\nextra_audiences = [\"x\"]\nissuer_aliases = [\"y\"]\nnonce = \"optional\"",
        ),
        &[
            &format!("9:17: providers.a.discovery_url: {why}"),
            &format!("10:12: providers.a.jwks_uri: {why}"),
            &format!("11:16: providers.a.signing_algs: {why}"),
            &format!("12:19: providers.a.extra_audiences: {why}"),
            &format!("13:18: providers.a.issuer_aliases: {why}"),
            &format!("14:9: providers.a.nonce: {why}"),
        ],
    );
}

#[test]
fn an_id_fits_into_an_address_and_is_there_once() {
    for id in ["", "A", "a b", "a/b", &"a".repeat(33)] {
        let problems =
            Try::new(&oidc("").replace("id = \"a\"", &format!("id = \"{id}\""))).problems();
        assert!(
            problems.contains(&format!("\"{id}\" cannot be in an address")),
            "{problems}"
        );
    }
    let twice = format!("{}{}", oidc(""), oidc(""));
    refused(
        &twice,
        &["7:6: providers.a.id: \"a\" is also the id of another provider"],
    );
    refused(
        &oidc("").replace("id = \"a\"\n", ""),
        &["1:1: providers[0].id: is missing"],
    );
}

#[test]
fn names_are_there_and_plain() {
    assert_eq!(one(&oidc("name = \"Our login\"")).name, "Our login");
    with("name = \" \"", &["6:8: providers.a.name: is empty"]);
    with(
        &format!("name = \"{}\"", "x".repeat(65)),
        &["6:8: providers.a.name: is longer than 64 characters"],
    );
    with(
        "name = \"a\\nb\"",
        &["6:8: providers.a.name: contains the control character U+000A"],
    );
    let client_id =
        |id: &str| oidc("").replace("client_id = \"c\"", &format!("client_id = \"{id}\""));
    refused(&client_id(""), &["4:13: providers.a.client_id: is empty"]);
    refused(
        &client_id("c "),
        &["4:13: providers.a.client_id: \"c \" is not a client identifier"],
    );
    refused(
        &client_id("ç"),
        &["4:13: providers.a.client_id: \"ç\" is not a client identifier"],
    );
    with(
        "subject_claim = \"\"",
        &["6:17: providers.a.subject_claim: is empty"],
    );
    assert_eq!(one(&oidc("subject_claim = \"oid\"")).subject_claim, "oid");
    refused(
        &client_id("c").replace("client_id = \"c\"\n", ""),
        &["1:1: providers.a.client_id: is missing"],
    );
}

#[test]
fn a_preset_is_one_that_exists() {
    with(
        "preset = \"salesfroce\"",
        &["6:10: providers.a.preset: unknown value \"salesfroce\"; did you mean \"salesforce\"?"],
    );
    with(
        "preset = \"facebook\"",
        &["6:10: providers.a.preset: unknown value \"facebook\""],
    );
}

#[test]
fn scopes_hold_openid() {
    with(
        "scopes = [\"profile\"]",
        &["6:10: providers.a.scopes: lacks \"openid\": the provider would send no ID token"],
    );
    with(
        "scopes = [\"openid profile\", \"\", \"openid\", \"openid\"]",
        &[
            "6:11: providers.a.scopes[0]: \"openid profile\" is not a scope",
            "6:29: providers.a.scopes[1]: \"\" is not a scope",
            "6:43: providers.a.scopes[3]: \"openid\" stands there twice",
        ],
    );
    assert_eq!(one(&oauth2("scopes = [\"user\"]")).scopes, ["user"]);
}

#[test]
fn extra_parameters_leave_the_protocol_alone() {
    let provider = one(&oidc(
        "extra_params = { prompt = \"login\", acr_values = \"mfa\" }",
    ));
    assert_eq!(provider.extra_params["prompt"], "login");
    for name in [
        "state",
        "nonce",
        "redirect_uri",
        "client_id",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "response_mode",
        "request_uri",
    ] {
        let column = 20 + name.len();
        with(
            &format!("extra_params = {{ {name} = \"x\" }}"),
            &[&format!(
                "6:{}: providers.a.extra_params.{name}: \"{name}\" is set by the gateway",
                column + 1
            )],
        );
    }
    with(
        "extra_params = { max_age = 3 }",
        &["6:28: providers.a.extra_params.max_age: must be a string, not a number"],
    );
    with(
        "extra_params = [\"prompt\"]",
        &["6:16: providers.a.extra_params: must be a table of strings, not an array"],
    );
}

#[test]
fn pkce_goes_only_where_something_else_is_left() {
    warned(
        &oidc("pkce = false"),
        &["providers.a.pkce: false: a stolen authorization code is worth more"],
    );
    let public =
        oidc("pkce = false\nclient_auth = \"none\"").replace("client_secret = \"s\"\n", "");
    refused(
        &public,
        &[
            "5:8: providers.a.pkce: false leaves nothing that proves who redeems the code: client_auth is \"none\"",
        ],
    );
}

#[test]
fn algorithms_are_named_and_hmac_needs_a_long_secret() {
    assert_eq!(
        one(&oidc("signing_algs = [\"ES256\"]")).signing_algs,
        [Algorithm::ES256]
    );
    with(
        "signing_algs = []",
        &["6:16: providers.a.signing_algs: is empty: no token could be accepted"],
    );
    with(
        "signing_algs = [\"none\"]",
        &["6:17: providers.a.signing_algs[0]: unknown value \"none\""],
    );
    with(
        "signing_algs = [\"rs256\"]",
        &["6:17: providers.a.signing_algs[0]: unknown value \"rs256\"; did you mean \"RS256\"?"],
    );
    with(
        "signing_algs = [\"RS256\", \"RS256\"]",
        &["6:26: providers.a.signing_algs[1]: the algorithm stands there twice"],
    );
    with(
        "signing_algs = [\"HS256\"]",
        &[
            "6:17: providers.a.signing_algs[0]: an HMAC algorithm needs a client_secret of at least 32 bytes",
        ],
    );
    let public = oidc("signing_algs = [\"HS512\"]\nclient_auth = \"none\"")
        .replace("client_secret = \"s\"\n", "");
    refused(
        &public,
        &["5:17: providers.a.signing_algs[0]: an HMAC algorithm needs a client_secret"],
    );
    warned(
        &oidc("signing_algs = [\"HS256\"]").replace("\"s\"", &format!("\"{}\"", "s".repeat(32))),
        &[
            "providers.a.signing_algs: an HMAC algorithm lets everybody who knows the client secret make tokens",
        ],
    );
}

#[test]
fn the_rest_is_checked_too() {
    with(
        "extra_audiences = [\"x\", \"c\", \"\"]",
        &[
            "6:25: providers.a.extra_audiences[1]: \"c\" is the client_id, which is always there",
            "6:30: providers.a.extra_audiences[2]: is empty",
        ],
    );
    assert_eq!(
        one(&oidc("response_mode = \"form_post\"")).response_mode,
        ResponseMode::FormPost
    );
    with(
        "response_mode = \"fragment\"",
        &["6:17: providers.a.response_mode: unknown value \"fragment\""],
    );
    with(
        "userinfo = true",
        &[
            "6:12: providers.a.userinfo: must be a string: \"off\", \"optional\" or \"required\", not true",
        ],
    );
    with(
        "logout = \"no\"",
        &["6:10: providers.a.logout: must be true or false, not a string"],
    );
    with(
        "ca_file = \"/nonexistent/ca.pem\"",
        &["6:11: providers.a.ca_file: cannot read \"/nonexistent/ca.pem\": there is no such file"],
    );
}

#[test]
fn another_spelling_of_the_issuer_is_one() {
    let provider = one(&oidc(
        "issuer_aliases = [\"https://login.example.com\", \"idp\"]",
    ));
    assert_eq!(
        provider.issuer_aliases,
        ["https://login.example.com", "idp"]
    );
    assert_eq!(one(&oidc("")).issuer_aliases, [""; 0]);
    with(
        "issuer_aliases = [\"https://idp.example.com\", \"\", \"a b\", \"https://{tenantid}\"]",
        &[
            "6:19: providers.a.issuer_aliases[0]: \"https://idp.example.com\" is the issuer itself",
            "6:46: providers.a.issuer_aliases[1]: \"\" is not an issuer",
            "6:50: providers.a.issuer_aliases[2]: \"a b\" is not an issuer",
            "6:57: providers.a.issuer_aliases[3]: \"https://{tenantid}\" is not an issuer",
        ],
    );
}

#[test]
fn something_ties_a_token_to_its_sign_in() {
    assert_eq!(one(&oidc("")).nonce, Nonce::Required);
    assert_eq!(one(&oidc("nonce = \"optional\"")).nonce, Nonce::Optional);
    with(
        "nonce = \"optional\"\npkce = false",
        &[
            "6:9: providers.a.nonce: \"optional\" leaves nothing that ties a token to its sign-in: pkce is false",
        ],
    );
    with(
        "nonce = \"off\"",
        &["6:9: providers.a.nonce: unknown value \"off\""],
    );
}

#[test]
fn an_address_needs_the_words_that_are_asked_for() {
    assert_eq!(one(&oidc("")).email_trust, EmailTrust::UnlessDenied);
    let provider = one(&oidc("email_trust = \"verified\""));
    assert_eq!(provider.email_trust, EmailTrust::Verified);
    with(
        "email_trust = \"always\"",
        &["6:15: providers.a.email_trust: unknown value \"always\""],
    );
}

#[test]
fn providers_are_written_with_two_brackets() {
    let text = oidc("").replace("[[providers]]", "[providers]");
    Try::new(&text)
        .without_provider()
        .refused(&["1:1: providers: must be an array of tables, not a table"]);
    Try::new(&text)
        .without_provider()
        .refused_with("write [[providers]] with two brackets");
    Try::new("providers = [1]")
        .without_provider()
        .refused(&["1:14: providers[0]: must be an array of tables, not a number"]);
    Try::new(&oidc("").replace("[[providers]]", "[[provider]]"))
        .without_provider()
        .refused(&["1:3: provider: unknown key; did you mean \"providers\"?"]);
}

#[test]
fn a_refresh_token_is_asked_for_only_when_the_file_says_so() {
    let plain = one(&oidc(""));
    assert!(plain.refresh && !plain.scopes.contains(&"offline_access".to_owned()));
    let asked = one(&oidc("refresh = true"));
    let scopes = ["openid", "profile", "email", "offline_access"];
    assert!(asked.refresh && asked.scopes == scopes);
    // What the file says itself stays as it is.
    let written = one(&oidc(
        "refresh = true\nscopes = [\"offline_access\", \"openid\"]",
    ));
    assert_eq!(written.scopes, ["offline_access", "openid"]);
    let off = one(&oidc("refresh = false"));
    assert!(!off.refresh && off.scopes == plain.scopes);
    with(
        "refresh = \"yes\"",
        &["6:11: providers.a.refresh: must be true or false, not a string"],
    );
}

#[test]
fn a_sign_out_has_a_style() {
    assert_eq!(one(&oidc("")).logout_style, LogoutStyle::Oidc);
    let cognito = one(&oidc("logout_style = \"cognito\""));
    assert_eq!(cognito.logout_style, LogoutStyle::Cognito);
    with(
        "logout = false\nlogout_style = \"auth0\"",
        &["7:16: providers.a.logout_style: has no effect: logout is false"],
    );
}
