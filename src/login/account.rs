//! `{prefix}/account`: a person's own sessions, and the end of them.

use super::{Login, agent};
use crate::clock::Timestamp;
use crate::identity::Username;
use crate::mapping::visible;
use crate::session::{self, Live, Summary, Visitor, Which};
use crate::telemetry::audit::rfc3339;
use crate::web::{Context, FormTargets, Problem, Response, ReturnPath, fields, first, see_other};
use http::StatusCode;
use minijinja::{Value, context};

/// As many sessions as the page shows. Whoever has more ends them all.
const SHOWN: u32 = 100;

impl Login {
    /// `GET {prefix}/account`: when and where this person signed in, and with what.
    pub async fn account(&self, context: &Context, visitor: &Visitor) -> Response {
        let Visitor::Known(live) = visitor else {
            return self.sign_in_for_account();
        };
        let person = Which::Username(live.person().username.clone());
        match self.parts.sessions.find(&person, SHOWN).await {
            Ok(sessions) => self.account_page(context, live, &sessions),
            Err(error) => self.not_ended(context, &error),
        }
    }

    /// `POST {prefix}/account`: ends one of them (`which=one` and its `handle`), all but this one
    /// (`others`), or all (`all`, after a question).
    ///
    /// A page elsewhere can send no such form, for the reasons told at [`Login::sign_out`].
    pub async fn end_own(&self, context: &Context, visitor: &Visitor, form: &[u8]) -> Response {
        if !context.from_own_page(&self.config.server.public_url) {
            return self.foreign_form(context);
        }
        let Visitor::Known(live) = visitor else {
            return self.sign_in_for_account();
        };
        // A form may come slowly, and its session may have been ended meanwhile, perhaps by the very
        // person whose other sessions this form would end.
        if live.has_ended() {
            return self.sign_in_for_account();
        }
        let form = fields(form);
        let username = live.person().username.clone();
        match (first(&form, "which"), first(&form, "handle")) {
            // The sign-out says who was signed out, and takes the cookie away.
            (Some("one"), Some(handle)) if handle == live.handle() => {
                self.sign_out(context, visitor).await
            }
            (Some("one"), Some(handle)) => self.end_one(context, &username, handle).await,
            (Some("others"), _) => {
                let but = live.handle();
                let which = Which::OthersOf {
                    username: username.clone(),
                    but,
                };
                match self.end_these(context, &username, &which).await {
                    Ok(_) => see_other(&self.address("/account")),
                    Err(error) => self.not_ended(context, &error),
                }
            }
            (Some("all"), _) if first(&form, "sure").is_none() => {
                self.account_question(context, &username)
            }
            (Some("all"), _) => {
                let which = Which::Username(username.clone());
                match self.end_these(context, &username, &which).await {
                    Ok(_) => self.sign_out(context, visitor).await,
                    Err(error) => self.not_ended(context, &error),
                }
            }
            _ => see_other(&self.address("/account")),
        }
    }

    async fn end_one(&self, context: &Context, username: &Username, handle: &str) -> Response {
        let which = Which::Handle(handle.to_owned());
        // Whose it is, first: a handle names everybody's sessions, and opens none to anybody.
        let own = match self.parts.sessions.find(&which, 1).await {
            Ok(found) => found
                .iter()
                .any(|session| is_same(&session.username, username)),
            Err(error) => return self.not_ended(context, &error),
        };
        if !own {
            let problem = Problem::told(StatusCode::NOT_FOUND, "session_gone")
                .action("action.your_sessions", self.address("/account"));
            tracing::info!(
                request.id = context.id.as_str(),
                code = problem.code,
                user.name = username.as_str(),
                "somebody wanted to end a session that is over, or not theirs"
            );
            return self.show(context, &problem);
        }
        match self.end_these(context, username, &which).await {
            Ok(_) => see_other(&self.address("/account")),
            Err(error) => self.not_ended(context, &error),
        }
    }

    async fn end_these(
        &self,
        context: &Context,
        username: &Username,
        which: &Which,
    ) -> Result<Vec<Summary>, session::Error> {
        let ended = self.parts.sessions.revoke(which).await;
        // Also where the store failed: what was in memory is over.
        let event = which.revocation(username.as_str(), &ended);
        self.parts.audit.record(&context.origin(), event);
        ended
    }

    fn account_page(&self, context: &Context, live: &Live, sessions: &[Summary]) -> Response {
        let own = live.handle();
        let others = sessions.iter().any(|session| session.handle != own);
        let shown: Vec<_> = sessions
            .iter()
            .map(|session| self.row(session, session.handle == own))
            .collect();
        self.parts.pages.render(
            context,
            "account.html",
            StatusCode::OK,
            // Signing out of all leads on to the provider.
            FormTargets::Provider,
            context! {
                username => live.person().username.as_str(),
                sessions => shown,
                others,
                more => sessions.len() >= usize::try_from(SHOWN).unwrap_or(usize::MAX),
            },
        )
    }

    fn account_question(&self, context: &Context, username: &Username) -> Response {
        self.parts.pages.render(
            context,
            "account.html",
            StatusCode::OK,
            FormTargets::Provider,
            context! {
                username => username.as_str(),
                asks => true,
            },
        )
    }

    fn row(&self, session: &Summary, this: bool) -> Value {
        let provider = self.provider(&session.provider);
        let browser = session.browser.as_deref();
        let (name, system) = browser.map_or((None, None), agent::describe);
        context! {
            handle => session.handle.as_str(),
            this,
            provider => provider.map(|provider| provider.config().name.as_str()),
            backdoor => session.provider == "backdoor",
            provider_id => session.provider.as_str(),
            client => session.client.map(|client| client.to_string()),
            browser => name,
            system,
            agent => browser.map(visible),
            remembered => session.remembered,
            signed_in => moment(session.signed_in_at),
            last_used => moment(session.last_used),
            expires => moment(session.expires_at),
        }
    }

    fn sign_in_for_account(&self) -> Response {
        see_other(&self.sign_in_address(&ReturnPath::parse(&self.address("/account"))))
    }

    fn foreign_form(&self, context: &Context) -> Response {
        let problem = Problem::told(StatusCode::FORBIDDEN, "cross_site_sign_out")
            .action("action.your_sessions", self.address("/account"));
        tracing::warn!(
            request.id = context.id.as_str(),
            code = problem.code,
            "a form from another site that would end sessions was refused"
        );
        self.show(context, &problem)
    }

    /// What the gateway had in memory is over; the rest may not be.
    fn not_ended(&self, context: &Context, error: &session::Error) -> Response {
        let problem = Problem::told(StatusCode::SERVICE_UNAVAILABLE, "sessions_unavailable")
            .because(error)
            .action("action.try_again", self.address("/account"));
        tracing::error!(request.id = context.id.as_str(), code = problem.code, detail = ?problem.detail, "a person's sessions could not be read or ended");
        self.show(context, &problem)
    }
}

/// Bitbucket's names have no case, and neither have the stores'.
fn is_same(a: &Username, b: &Username) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

/// A moment for machines, and the same for people: in UTC, to the minute.
fn moment(millis: u64) -> Value {
    let exact = rfc3339(Timestamp::from_millis(millis));
    let shown = exact
        .get(..16)
        .map_or_else(|| exact.clone(), |text| text.replace('T', " ") + " UTC");
    context! { exact, shown }
}
