//! The configuration that the demo's gateway runs with, for everybody to read.

use super::bitbucket;
use crate::secret::Secret;
use std::net::SocketAddr;

/// What differs from one demo to the next.
#[derive(Debug, Clone)]
pub struct Values {
    /// Where browsers find the gateway.
    pub gateway: SocketAddr,
    /// Its health, readiness and metrics.
    pub admin: SocketAddr,
    /// The development provider.
    pub issuer: String,
    /// The gateway's name there.
    pub client_id: String,
    /// The gateway's secret there.
    pub client_secret: Secret<String>,
    /// The Bitbucket stand-in.
    pub upstream: SocketAddr,
    /// 64 bytes in hex.
    pub session_key: Secret<String>,
    /// Who comes in at the backdoor.
    pub backdoor_username: String,
    /// Their password as an argon2id PHC string.
    pub backdoor_hash: Secret<String>,
    /// Who looks after people and groups in Bitbucket.
    pub administrator: String,
    /// Their password.
    pub administrator_password: Secret<String>,
}

impl Values {
    /// The same, fit for a page: every secret is a word that says so.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mask = || Secret::new("(left out here)".to_owned());
        Self {
            client_secret: mask(),
            session_key: mask(),
            backdoor_hash: mask(),
            administrator_password: mask(),
            ..self.clone()
        }
    }
}

/// The text of the configuration file. The values are made of characters that a TOML string takes as
/// they are: addresses, hex, base64url, and the alphabet of PHC strings.
#[must_use]
pub fn configuration(values: &Values) -> String {
    let Values {
        gateway,
        admin,
        issuer,
        client_id,
        upstream,
        backdoor_username,
        administrator,
        ..
    } = values;
    let client_secret = values.client_secret.expose();
    let session_key = values.session_key.expose();
    let backdoor_hash = values.backdoor_hash.expose();
    let administrator_password = values.administrator_password.expose();
    let user_header = bitbucket::USER_HEADER;
    let email_header = bitbucket::EMAIL_HEADER;
    let name_header = bitbucket::NAME_HEADER;
    let groups_header = bitbucket::GROUPS_HEADER;
    format!(
        r#"# The configuration of the Portcullis demo. Yours looks like it, with https and without loopback.

[server]
# The one origin that browsers see.
public_url = "http://{gateway}"
listen = "{gateway}"
# /healthz, /readyz and /metrics.
admin_listen = "{admin}"

# The Bitbucket stand-in.
[upstream]
url = "http://{upstream}"
kind = "bitbucket"

# What Bitbucket is told about people, and nobody but the gateway may say.
[identity]
mode = "header"
user_header = "{user_header}"
email_header = "{email_header}"
name_header = "{name_header}"
groups_header = "{groups_header}"

# "memory" ends with the process; "sqlite:portcullis.db" stays.
[session]
store = "memory"
keys = ["{session_key}"]

# http is accepted because it is on loopback.
[[providers]]
id = "demo"
preset = "oidc"
name = "Development provider"
issuer = "{issuer}"
client_id = "{client_id}"
client_secret = "{client_secret}"
scopes = ["openid", "profile", "email", "groups"]

[providers.claims]
username = "preferred_username"
email = "email"
display_name = "name"
groups = "groups"

[users]
match_by = "username"
username_case = "lower"
# Refuses eve.
require_verified_email = true
# Refuses mallory.
allowed_domains = ["example.com", "contractor.example"]

# The provider's groups on the right, Bitbucket's on the left.
[groups]
mode = "manual"
default = ["stash-users"]
create_missing = true
keep_existing = false

[groups.map]
"bitbucket-admins" = ["bitbucket-admins"]
"developers" = ["dev"]
"testers" = ["qa"]
"translators" = ["Übersetzung"]

# Whoever signs in is made known in Bitbucket, with name, address and groups.
[provisioning]
target = "bitbucket"

[provisioning.bitbucket]
username = "{administrator}"
password = "{administrator_password}"

# With one provider, the sign-in page would go on by itself, and this is to be seen.
[sign_in]
auto_redirect = false

# Who may open /sso/admin, and /sso/test/demo, which shows what a sign-in would do.
[admin]
groups = ["bitbucket-admins"]

# The way in when the provider is down.
[backdoor]
enabled = true
allowed_networks = ["127.0.0.1/32", "::1/128"]

[[backdoor.accounts]]
username = "{backdoor_username}"
password_hash = "{backdoor_hash}"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::run::fresh_values;

    #[test]
    fn the_configuration_is_toml_and_its_masked_form_tells_no_secret() {
        let addr = "127.0.0.1:8080".parse().unwrap();
        let (values, _) =
            fresh_values(addr, addr, addr, "http://127.0.0.1:8081".to_owned()).unwrap();
        let text = configuration(&values);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(
            table["providers"][0]["issuer"].as_str(),
            Some("http://127.0.0.1:8081")
        );
        let key = table["session"]["keys"][0].as_str().unwrap();
        assert!(key.len() == 128 && key.bytes().all(|b| b.is_ascii_hexdigit()));

        let masked = configuration(&values.masked());
        assert!(masked.parse::<toml::Table>().is_ok());
        for secret in [
            &values.client_secret,
            &values.session_key,
            &values.backdoor_hash,
            &values.administrator_password,
        ] {
            assert!(text.contains(secret.expose()) && !masked.contains(secret.expose()));
        }
    }
}
