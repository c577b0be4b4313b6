//! What a refused request gets instead.

use super::gate::Gate;
use super::{Shared, serve};
use crate::policy::{Reason, Refusal, Refused};
use crate::session::Visitor;
use crate::telemetry::audit;
use crate::web::{Context, Problem, Reader, Response, ReturnPath, see_other};
use http::{HeaderValue, StatusCode, header};

/// Answers a refusal of policy.
pub(super) async fn answer(shared: &Shared, gate: &Gate, refused: Refused) -> Response {
    let audience = refused.class.audience();
    match &refused.refusal {
        Refusal::SignInFirst(next) => to_sign_in(gate, next),
        Refusal::SignInPage(next) => match &refused.who {
            Some(live) => gate.login.bounced(&context(&refused), live, next),
            None => to_sign_in(gate, next),
        },
        Refusal::SignOut => {
            gate.login
                .bitbucket_sign_out(&context(&refused), &visitor(&refused))
                .await
        }
        Refusal::Unauthorized { basic } => {
            let problem = unauthorized(*basic, &gate.config.server.public_url.text);
            gate.pages.problem(&problem, audience, reader(&refused))
        }
        Refusal::Forbidden(reason) => {
            let problem = forbidden(*reason);
            let event = audit::Event::Refusal {
                reason: problem.code.to_owned(),
                detail: format!("{} {}", refused.request.method(), path(&refused)),
                provider: refused
                    .who
                    .as_ref()
                    .map(|live| live.how().provider().to_owned()),
                username: refused
                    .who
                    .as_ref()
                    .map(|live| live.person().username.to_string()),
            };
            shared
                .lasting
                .audit
                .record(&context(&refused).origin(), event);
            serve::problem(gate, &problem, audience, reader(&refused))
        }
    }
}

fn to_sign_in(gate: &Gate, next: &ReturnPath) -> Response {
    see_other(&format!(
        "{}/login?next={}",
        gate.pages.prefix(),
        next.encoded()
    ))
}

fn reader(refused: &Refused) -> Reader {
    Reader::new(refused.request.headers(), *refused.request.id())
}

fn context(refused: &Refused) -> Context {
    Context {
        headers: refused.request.headers().clone(),
        client: refused.request.client().ip,
        concealed: refused.request.client().concealed,
        id: *refused.request.id(),
    }
}

/// The path alone: queries may carry what a log should not.
fn path(refused: &Refused) -> &str {
    let target = refused.request.target().path_and_query();
    target.split_once('?').map_or(target, |(path, _)| path)
}

fn visitor(refused: &Refused) -> Visitor {
    refused
        .who
        .clone()
        .map_or(Visitor::Stranger, Visitor::Known)
}

/// 401 with the challenge that makes the client do the right thing: git asks for credentials, a
/// script reads the JSON, and no browser opens a password prompt of its own.
fn unauthorized(basic: bool, origin: &str) -> Problem {
    let challenge = if basic {
        HeaderValue::from_static("Basic realm=\"Bitbucket\", charset=\"UTF-8\"")
    } else {
        // RFC 9110 §11.6.1 wants a challenge in every 401.
        HeaderValue::from_str(&format!("Bearer realm=\"{origin}\""))
            .unwrap_or(HeaderValue::from_static("Bearer"))
    };
    Problem::told(StatusCode::UNAUTHORIZED, "unauthorized")
        .header(header::WWW_AUTHENTICATE, challenge)
}

fn forbidden(reason: Reason) -> Problem {
    let status = StatusCode::FORBIDDEN;
    match reason {
        Reason::PasswordSignIn => Problem::told(status, "password_sign_in"),
        Reason::PasswordChange => Problem::told(status, "password_change"),
        Reason::PluginAdministration => Problem::told(status, "plugin_administration"),
        Reason::Api => Problem::told(status, "api_denied"),
        Reason::Rule => Problem::told(status, "access_rule"),
    }
    .action("action.back_to_start", "/")
}
