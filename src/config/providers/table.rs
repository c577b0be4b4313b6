//! The keys of `[[providers]]`.

use super::{claims, trials};
use crate::config::presets::{Method, Preset};
use crate::config::spec::Default::{Required, Unset, Value};
use crate::config::spec::Shape::{self, Flag, Secret, Text, Texts};
use crate::config::spec::{Table, key};
use crate::config::values::{Choice, choices};
use crate::config::{Algorithm, EmailTrust, Fetch, LogoutStyle, Nonce, ResponseMode, Userinfo};

const PRESETS: &str = "the preset's";
const DISCOVERED: &str = "from discovery";

pub(in crate::config) static TABLE: Table = Table {
    doc: "A provider that signs people in.",
    keys: &[
        key(
            "id",
            Text,
            Required(r#""salesforce""#),
            "Appears in addresses, also in the redirect URI: 1 to 32 of a-z, 0-9, - and _.",
        ),
        key(
            "preset",
            Shape::Choice(choices::<&'static Preset>),
            Value(r#""oidc""#),
            "Fills in what is known about the provider. \"oidc\" and \"oauth2\" are the bare ones.",
        ),
        key(
            "name",
            Text,
            Unset("the preset's, or the id", r#""Salesforce""#),
            "What the button says.",
        ),
        key(
            "icon",
            Text,
            Unset("the preset's, or none", r#""github""#),
            "The picture on the button: a built-in one (apple, auth0, authelia, authentik, bitbucket, building, cloud, discord, fusionauth, github, gitlab, google, grid, key, keycloak, okta, openid), or an SVG or PNG file. \"\": none.",
        ),
        key(
            "issuer",
            Text,
            Unset(
                "the preset's, or the origin of authorization_endpoint",
                r#""https://example.my.salesforce.com""#,
            ),
            "The issuer, byte for byte as the provider spells it in its tokens. {tenantid} in it stands for the token's tid, which require limits then.",
        ),
        key(
            "issuer_aliases",
            Texts,
            Unset(PRESETS, r#"["https://login.example.com"]"#),
            "Further spellings of the issuer that its tokens may carry. People are pinned to issuer.",
        ),
        key(
            "client_id",
            Text,
            Required(r#""3MVG9.example""#),
            "The client identifier that the provider gave to the gateway.",
        ),
        key(
            "client_secret",
            Secret,
            Unset("none", r#"{ env = "SALESFORCE_SECRET" }"#),
            "The client secret. Required with client_secret_basic and client_secret_post.",
        ),
        key(
            "client_secret_expires_on",
            Shape::Day,
            Unset("not known", r#""2027-03-31""#),
            "The day on which the client secret ends, as the provider shows it. With fewer than 30 days left, check, each start and each reload warn, and the console points at it.",
        ),
        key(
            "client_auth",
            Shape::Choice(choices::<Method>),
            Unset(PRESETS, r#""private_key_jwt""#),
            "How the gateway proves who it is. With a private_key and no client_secret: private_key_jwt.",
        ),
        key(
            "private_key",
            Secret,
            Unset("none", r#"{ file = "client-key.pem" }"#),
            "The key of private_key_jwt in PEM: RSA, P-256, P-384 or Ed25519. It decides the algorithm. Or Apple's .p8 file.",
        ),
        key(
            "private_key_id",
            Text,
            Unset("none", r#""key-1""#),
            "The kid to send with private_key_jwt. Required with apple_jwt.",
        ),
        key(
            "team_id",
            Text,
            Unset("none", r#""DEF123GHIJ""#),
            "The team's identifier at Apple. Required with apple_jwt.",
        ),
        key(
            "scopes",
            Texts,
            Unset(PRESETS, r#"["openid", "profile", "email"]"#),
            "The scopes to ask for. Without this line, those that fetch needs are among them.",
        ),
        key(
            "discovery_url",
            Text,
            Unset(
                "issuer and /.well-known/openid-configuration",
                r#""https://idp.internal/.well-known/openid-configuration""#,
            ),
            "Where the discovery document is. Unused with authorization_endpoint, token_endpoint and jwks_uri.",
        ),
        key(
            "authorization_endpoint",
            Text,
            Unset(DISCOVERED, r#""https://idp.example.com/authorize""#),
            "Where the browser goes to sign in. Wins over discovery.",
        ),
        key(
            "token_endpoint",
            Text,
            Unset(DISCOVERED, r#""https://idp.example.com/token""#),
            "Where the code is redeemed. Wins over discovery.",
        ),
        key(
            "userinfo_endpoint",
            Text,
            Unset(DISCOVERED, r#""https://idp.example.com/userinfo""#),
            "Where claims are fetched. Wins over discovery.",
        ),
        key(
            "jwks_uri",
            Text,
            Unset(DISCOVERED, r#""https://idp.example.com/keys""#),
            "Where the keys of tokens are. Wins over discovery.",
        ),
        key(
            "end_session_endpoint",
            Text,
            Unset(DISCOVERED, r#""https://idp.example.com/logout""#),
            "Where the browser goes to sign out. Wins over discovery.",
        ),
        key(
            "pkce",
            Flag,
            Value("true"),
            "Whether a PKCE S256 challenge is sent. Off only for a provider that breaks on it.",
        ),
        key(
            "extra_params",
            Shape::Map,
            Unset("none", r#"{ prompt = "login" }"#),
            "Added to the authorization request.",
        ),
        key(
            "response_mode",
            Shape::Choice(choices::<ResponseMode>),
            Unset(PRESETS, r#""form_post""#),
            "How the authorization response comes back. Anything but query is asked for.",
        ),
        key(
            "signing_algs",
            Shape::Choices(choices::<Algorithm>),
            Value(
                r#"["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]"#,
            ),
            "Algorithms that may sign its tokens. HS256, HS384 and HS512 count only when they stand here.",
        ),
        key(
            "extra_audiences",
            Texts,
            Unset(PRESETS, r#"["217493847564"]"#),
            "Further audiences that may stand in an ID token beside the client_id. \"*\": any.",
        ),
        key(
            "nonce",
            Shape::Choice(choices::<Nonce>),
            Unset(PRESETS, r#""optional""#),
            "Whether the nonce of the sign-in must come back in the ID token, or is only compared when it does.",
        ),
        key(
            "userinfo",
            Shape::Choice(choices::<Userinfo>),
            Unset(PRESETS, r#""required""#),
            "Whether claims are fetched from userinfo: never, when the provider has it, or always.",
        ),
        key(
            "fetch",
            Shape::Choices(choices::<Fetch>),
            Unset(
                "the preset's, and those that require and claims.groups need",
                r#"["graph_groups"]"#,
            ),
            "What is asked about a person besides. A call that fails costs the sign-in. Without graph_groups, a token of Microsoft's with too many groups to list is refused.",
        ),
        key(
            "graph_url",
            Text,
            Unset(
                "https://graph.microsoft.com",
                r#""https://graph.microsoft.us""#,
            ),
            "Where Microsoft Graph is, for graph_groups in a national cloud.",
        ),
        key(
            "subject_claim",
            Text,
            Unset(PRESETS, r#""sub""#),
            "The claim that never changes for a person. It is pinned to the username at the first sign-in.",
        ),
        key(
            "email_trust",
            Shape::Choice(choices::<EmailTrust>),
            Unset(PRESETS, r#""verified""#),
            "When an e-mail address may decide something: unless the provider says that it is not verified, or only when it says that it is.",
        ),
        key(
            "require",
            Shape::Lists,
            Unset("none", r#"{ organization_id = "00Dx0000000BV7zEAG" }"#),
            "Claims, by name or dotted path, that must hold one of these values, byte for byte; of a list, any element. All of them must.",
        ),
        key(
            "logout",
            Flag,
            Value("true"),
            "Whether signing out ends the session there too, when it offers that.",
        ),
        key(
            "logout_style",
            Shape::Choice(choices::<LogoutStyle>),
            Unset(PRESETS, r#""cognito""#),
            "In which words it is told of a sign-out. auth0: OpenID Connect's where an address is known, else /v2/logout.",
        ),
        key(
            "refresh",
            Flag,
            Unset("none is asked for, and one that comes is used", "true"),
            "Whether sessions follow the provider by a refresh token. true: one is asked for with what the preset knows (offline_access, …), which may show people a page of consent. false: none is used.",
        ),
        key(
            "ca_file",
            Text,
            Unset("the machine's authorities", r#""provider-ca.pem""#),
            "Certificates in PEM to trust for this provider instead of the machine's authorities.",
        ),
        key(
            "insecure_http",
            Flag,
            Value("false"),
            "Whether its addresses may be http beyond loopback: whoever is in between can then become anybody.",
        ),
        key(
            "claims",
            Shape::Table(&claims::TABLE),
            Unset(PRESETS, ""),
            claims::TABLE.doc,
        ),
        key(
            "tests",
            Shape::Tables(&trials::TABLE),
            Unset("none", ""),
            trials::TABLE.doc,
        ),
    ],
};

impl Choice for Algorithm {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("RS256", Self::RS256),
        ("RS384", Self::RS384),
        ("RS512", Self::RS512),
        ("PS256", Self::PS256),
        ("PS384", Self::PS384),
        ("PS512", Self::PS512),
        ("ES256", Self::ES256),
        ("ES384", Self::ES384),
        ("ES512", Self::ES512),
        ("EdDSA", Self::EdDSA),
        ("HS256", Self::HS256),
        ("HS384", Self::HS384),
        ("HS512", Self::HS512),
    ];
}

impl Choice for ResponseMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("query", Self::Query), ("form_post", Self::FormPost)];
}

impl Choice for Nonce {
    const NAMES: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("optional", Self::Optional)];
}

impl Choice for EmailTrust {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("unless_denied", Self::UnlessDenied),
        ("verified", Self::Verified),
    ];
}

impl Choice for Userinfo {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("optional", Self::Optional),
        ("required", Self::Required),
    ];
}

impl Choice for LogoutStyle {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("oidc", Self::Oidc),
        ("cognito", Self::Cognito),
        ("auth0", Self::Auth0),
        ("none", Self::None),
    ];
}
