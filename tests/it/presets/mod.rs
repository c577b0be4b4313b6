//! Every preset through a whole sign-in, with a fake provider that has the vendor's paths and answers
//! in the vendor's shapes: its discovery document, its token answer, its ID token, its userinfo.
//!
//! A file per family of vendors; each vendor is a function that says what it sends, a test that says
//! who comes out of it, and one with a refusal that is typical for it.

mod adfs;
mod apple;
mod azure_b2c;
mod bitbucket_cloud;
mod cloud;
mod discord;
mod github;
mod gitlab;
mod google;
mod keycloak;
mod linkedin;
mod microsoft;
mod okta;
mod oracle;
mod ping;
mod plain;
mod salesforce;
mod self_hosted;
mod slack;

use crate::support::gateway::base;
use crate::support::provider::{Canned, FakeProvider};
use crate::support::{Answer, Browser, Setup};
use serde_json::{Map, Value, json};

/// In an answer: a member that the fake provider sends and this vendor does not.
const ABSENT: &str = "ABSENT";

/// What a vendor is and says. `ORIGIN` in any text stands for the fake provider's origin.
struct Vendor {
    preset: &'static str,
    /// As it stands in the configuration and in tokens; empty: not configured.
    issuer: &'static str,
    /// Lines of the provider's table, and tables after it.
    toml: &'static str,
    /// How it wants the client to authenticate.
    client_auth: &'static str,
    /// The path of its discovery document.
    discovery_at: &'static str,
    /// Its discovery document; for plain OAuth 2.0, where its endpoints are.
    document: Value,
    /// Members of the token answer.
    token: Value,
    /// Claims of the ID token besides those of every one.
    id_token: Value,
    /// Userinfo.
    userinfo: Value,
    /// Answers of further paths.
    further: Vec<(&'static str, Value)>,
}

/// An OpenID provider as the specification has it, to take the vendor's difference from.
fn openid() -> Vendor {
    Vendor {
        preset: "oidc",
        issuer: "ORIGIN",
        toml: "",
        client_auth: "client_secret_basic",
        discovery_at: "/.well-known/openid-configuration",
        document: json!({}),
        token: json!({}),
        id_token: json!({}),
        userinfo: json!({}),
        further: Vec::new(),
    }
}

/// Plain OAuth 2.0: no ID token.
fn oauth() -> Vendor {
    Vendor {
        issuer: "",
        discovery_at: "",
        token: json!({ "id_token": ABSENT }),
        ..openid()
    }
}

/// Who reaches Bitbucket: username, address, full name, groups.
struct Arrives(
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

/// A gateway with this vendor in front of it.
struct Stage {
    provider: FakeProvider,
    setup: Setup,
}

impl Vendor {
    async fn stage(self) -> Stage {
        let provider = FakeProvider::start().await;
        let origin = provider.origin().to_owned();
        let filled = |value: &Value| -> Value {
            serde_json::from_str(&value.to_string().replace("ORIGIN", &origin)).unwrap()
        };
        let document = filled(&self.document);
        for (member, own) in [
            ("authorization_endpoint", "/authorize"),
            ("token_endpoint", "/token"),
            ("userinfo_endpoint", "/userinfo"),
            ("jwks_uri", "/jwks"),
            ("end_session_endpoint", "/end_session"),
        ] {
            let address = document.get(member).and_then(Value::as_str);
            if let Some(path) = address.map(|address| address.replace(&origin, "")) {
                provider.route(path.split('?').next().unwrap(), own);
            }
        }
        let (path, query) = self
            .discovery_at
            .split_once('?')
            .unwrap_or((self.discovery_at, ""));
        assert!(query.is_empty(), "a route is a path");
        provider.route(path, "/.well-known/openid-configuration");
        let issuer = self.issuer.replace("ORIGIN", &origin);
        let named =
            document.get("authorization_response_iss_parameter_supported") == Some(&json!(true));
        let (token, id_token, userinfo) = (
            filled(&self.token),
            filled(&self.id_token),
            filled(&self.userinfo),
        );
        let further = self
            .further
            .iter()
            .map(|(path, value)| (*path, filled(value)));
        let further: Vec<_> = further.collect();
        let (client_id, secret) = provider.script(|script| {
            script.client_auth = Some(self.client_auth);
            script.person = Map::new();
            script.discovery = Box::new(move |given| *given = document.clone());
            let said = issuer.clone();
            script.response = Box::new(move |params| {
                params.retain(|(name, _)| name != "iss");
                if named {
                    params.push(("iss".to_owned(), said.clone()));
                }
            });
            script.token_answer = Box::new(move |answer| change(answer, &token));
            let said = issuer.clone();
            script.id_token_claims = Box::new(move |claims| {
                claims["iss"] = json!(said);
                change(claims, &id_token);
            });
            script.userinfo = Box::new(move |given| {
                *given = json!({});
                change(given, &userinfo);
            });
            for (path, value) in &further {
                script.answers.insert(path, Canned::json(200, value));
            }
            (script.client_id.clone(), script.client_secret.clone())
        });
        let secret = match self.client_auth {
            "apple" => String::new(),
            _ => format!("client_secret = \"{secret}\"\n"),
        };
        let issuer = match self.issuer {
            "" => String::new(),
            _ => format!("issuer = \"{issuer}\"\n"),
        };
        let toml = self.toml.replace("ORIGIN", &origin);
        let preset = self.preset;
        let setup = Setup::start(&format!(
            "{}{HEADERS}[[providers]]\nid = \"idp\"\npreset = \"{preset}\"\n{issuer}client_id = \"{client_id}\"\n{secret}{toml}",
            base()
        ))
        .await;
        Stage { provider, setup }
    }

    /// The same with other members of an answer.
    fn with_id_token(mut self, claims: &Value) -> Self {
        set(&mut self.id_token, claims);
        self
    }

    /// The same with other members of userinfo.
    fn with_userinfo(mut self, claims: &Value) -> Self {
        set(&mut self.userinfo, claims);
        self
    }

    /// The same with further lines of configuration.
    fn with_toml(self, toml: &'static str) -> Self {
        Self { toml, ..self }
    }
}

const HEADERS: &str = r#"
[identity]
email_header = "X-Forwarded-Email"
name_header = "X-Forwarded-Name"
groups_header = "X-Forwarded-Groups"
"#;

/// Sets members of an object that is sent later.
fn set(object: &mut Value, members: &Value) {
    let members = members.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(members);
}

/// Sets members of an object; [`ABSENT`] takes them away.
fn change(object: &mut Value, members: &Value) {
    let object = object.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value == ABSENT {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}

impl Stage {
    /// Signs in, and looks at what reaches Bitbucket.
    async fn arrives(&self, expected: Arrives) -> Browser {
        let mut browser = self.setup.browser();
        let answer = self.setup.sign_in(&mut browser).await;
        self.expect(answer, expected);
        browser
    }

    fn expect(&self, answer: Answer, Arrives(username, email, name, groups): Arrives) {
        let refusals = self.setup.events();
        assert_eq!(answer.status, 200, "{}: {refusals:?}", answer.text());
        answer.says("bitbucket GET /");
        let seen = self.setup.upstream.last();
        let header = |name: &str| seen.one(name);
        assert_eq!(header("x-forwarded-user").as_deref(), Some(username));
        assert_eq!(header("x-forwarded-email").as_deref(), email);
        assert_eq!(header("x-forwarded-name").as_deref(), name);
        assert_eq!(header("x-forwarded-groups").as_deref(), groups);
    }

    /// Tries to sign in, and is refused for this reason.
    async fn refuses(&self, code: &str) {
        let mut browser = self.setup.browser();
        let answer = self.setup.sign_in(&mut browser).await;
        self.expect_refusal(&answer, code);
        browser.get("/sso/me").await.expect(401);
    }

    fn expect_refusal(&self, answer: &Answer, code: &str) {
        assert_eq!(self.setup.refusals(), [code], "{}", answer.text());
        assert!(answer.status.as_u16() >= 400, "{}", answer.status);
    }

    /// A parameter of the last authorization request.
    fn asked(&self, name: &str) -> Option<String> {
        let request = self.provider.last_request("/authorize");
        request.param(name).map(str::to_owned)
    }
}
