//! The switches of the demo: the provider's, and those of this Bitbucket.

use super::Shared;
use super::faults::Fault;
use super::pages::{base, frame, not_found};
use super::visitor::Visitor;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::{Value, context};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// How long a slow call takes: longer than anybody should wait for a sign-in.
const SLOW: Duration = Duration::from_secs(10);

/// How everything stands; nothing without a demo around.
pub(super) fn shown(app: &Shared) -> Value {
    let Some(controls) = &app.controls else {
        return context! {};
    };
    let switches: Vec<Value> = [Which::ReadOnly, Which::Full, Which::Slow, Which::Failing]
        .into_iter()
        .map(|which| {
            context! {
                name => which.name(), title => which.title(), on => which.is_on(app),
            }
        })
        .collect();
    context! {
        provider => context! {
            running => controls.provider.listener().is_running(),
            url => controls.provider.issuer(),
            backdoor => controls.backdoor_url.as_str(),
        },
        switches,
    }
}

/// The form of the provider.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    action: Action,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Stop,
    Start,
}

/// Stops or starts the provider. No session is asked for: with the provider stopped, there may be
/// none, and this is the way back.
pub(super) async fn provider(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(Provider { action }): Form<Provider>,
) -> Response {
    let Some(controls) = app.controls.as_ref() else {
        return not_found(State(app), visitor, headers).await;
    };
    if is_foreign(&headers) {
        return foreign();
    }
    let provider = controls.provider.listener();
    let done = match action {
        Action::Stop => {
            provider.stop().await;
            Ok(())
        }
        Action::Start => provider.start().await,
    };
    match done {
        Ok(()) => back(&visitor),
        Err(error) => {
            let values = context! {
                title => "The provider cannot start",
                message => error.to_string(),
                ..frame(&visitor, &headers)
            };
            app.pages.show(
                "sorry.html",
                StatusCode::INTERNAL_SERVER_ERROR,
                None,
                values,
            )
        }
    }
}

/// The form of a switch of Bitbucket.
#[derive(Debug, Deserialize)]
pub(super) struct Switch {
    switch: Which,
    to: Position,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Position {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Which {
    ReadOnly,
    Full,
    Slow,
    Failing,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Full => "full",
            Self::Slow => "slow",
            Self::Failing => "failing",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::ReadOnly => "Its directory is read-only",
            Self::Full => "Its licence is full",
            Self::Slow => "Its REST calls about people take 10 s",
            Self::Failing => "Its REST calls about people fail",
        }
    }

    fn is_on(self, app: &Shared) -> bool {
        match self {
            Self::ReadOnly => app.register().is_read_only(),
            Self::Full => app.register().limit().is_some(),
            Self::Slow => app.is_slow(),
            Self::Failing => app.is_failing(),
        }
    }

    fn turn(self, app: &Shared, on: bool) {
        match self {
            Self::ReadOnly => app.register().set_read_only(on),
            Self::Full => {
                let mut register = app.register();
                let taken = register.seats();
                register.set_limit(on.then_some(taken));
            }
            Self::Slow => app.set_delay(if on { SLOW } else { Duration::ZERO }),
            Self::Failing => {
                let fault = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
                app.fail_always(on.then_some(fault));
            }
        }
    }
}

/// Turns a switch of this Bitbucket.
pub(super) async fn bitbucket(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(Switch { switch, to }): Form<Switch>,
) -> Response {
    if app.controls.is_none() {
        return not_found(State(app), visitor, headers).await;
    }
    if is_foreign(&headers) {
        return foreign();
    }
    switch.turn(&app, matches!(to, Position::On));
    back(&visitor)
}

/// Whether another site's form asks; such a one must not switch anything.
fn is_foreign(headers: &HeaderMap) -> bool {
    let own = HeaderValue::from_str(&base(headers)).ok();
    let origin = headers.get(header::ORIGIN);
    origin.is_some() && origin != own.as_ref()
}

fn foreign() -> Response {
    (StatusCode::FORBIDDEN, "XSRF check failed\n").into_response()
}

fn back(visitor: &Visitor) -> Response {
    let to = match visitor.user() {
        Some(_) => "/dashboard",
        None => "/login",
    };
    Redirect::to(to).into_response()
}
