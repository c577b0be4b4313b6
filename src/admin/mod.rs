//! Health, readiness and metrics, and an administrator's orders, on their own listener.
//!
//! `/healthz` says that the process answers. `/readyz` says how each component is, and whether
//! traffic should come here. `/metrics` is for Prometheus. None of these shows a secret or a person,
//! and none changes anything. [`Order`]s do both, and are signed.

mod order;

pub use order::{Desk, Error, Order, Reply, send};

use crate::telemetry::Metrics;
use crate::web::Response;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tower::ServiceExt;

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    Up,
    /// Not used yet, or nothing known.
    Unknown,
    /// It fails, and the gateway serves all the same: its own pages, live sessions, the backdoor.
    Degraded,
    /// It fails, and traffic should go elsewhere.
    Down,
}

/// One component, as `/readyz` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    /// `store`, `upstream`, `provider:salesforce`, …
    pub name: String,
    /// How it is.
    #[serde(rename = "state")]
    pub condition: Condition,
    /// Why, if it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whoever knows how the components are.
pub trait Readiness: Send + Sync + 'static {
    /// Asks each of them, within a few seconds altogether.
    fn components(&self) -> Pin<Box<dyn Future<Output = Vec<Component>> + Send + '_>>;
}

struct Parts {
    metrics: Metrics,
    readiness: Arc<dyn Readiness>,
    desk: Arc<dyn Desk>,
    done: order::Done,
}

/// The routes of the admin listener.
pub fn router(metrics: Metrics, readiness: Arc<dyn Readiness>, desk: Arc<dyn Desk>) -> Router {
    Router::new()
        .route(
            "/healthz",
            get(async || text(StatusCode::OK, "text/plain", "ok\n")),
        )
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .route(order::PATH, post(ordered))
        .with_state(Arc::new(Parts {
            metrics,
            readiness,
            desk,
            done: order::Done::default(),
        }))
}

/// Answers one request of the admin listener.
pub async fn answer(router: Router, request: http::Request<Body>) -> Response {
    let Ok(response) = router.oneshot(request).await;
    response
}

async fn ready(State(parts): State<Arc<Parts>>) -> Response {
    let components = parts.readiness.components().await;
    let down = components
        .iter()
        .any(|component| component.condition == Condition::Down);
    let degraded = components
        .iter()
        .any(|component| component.condition == Condition::Degraded);
    let (status, word) = match (down, degraded) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "down"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "up"),
    };
    let body = serde_json::json!({ "status": word, "components": components });
    text(status, "application/json", body.to_string())
}

async fn ordered(State(parts): State<Arc<Parts>>, request: http::Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    order::answer(&*parts.desk, &parts.done, &head.headers, body).await
}

async fn metrics_text(State(parts): State<Arc<Parts>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    text(StatusCode::OK, kind, parts.metrics.render())
}

fn text(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    struct Fixed(Condition);

    impl Readiness for Fixed {
        fn components(&self) -> Pin<Box<dyn Future<Output = Vec<Component>> + Send + '_>> {
            let store = Component {
                name: "store".into(),
                condition: Condition::Up,
                detail: None,
            };
            let other = Component {
                name: "upstream".into(),
                condition: self.0,
                detail: Some("why".into()),
            };
            Box::pin(async move { vec![store, other] })
        }
    }

    struct Nobody;

    #[async_trait::async_trait]
    impl Desk for Nobody {
        fn keys(&self) -> Vec<crate::secret::Secret<[u8; 64]>> {
            Vec::new()
        }
        fn clock(&self) -> &crate::clock::Clock {
            panic!("nothing is signed with no key")
        }
        async fn carry_out(&self, _: Order) -> Reply {
            panic!("nothing is signed with no key")
        }
    }

    #[track_caller]
    fn check(state: Condition, path: &str, want: StatusCode, part: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (status, text) = runtime.block_on(async {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let router = router(Metrics::new(), Arc::new(Fixed(state)), Arc::new(Nobody));
            let response = router.oneshot(request).await.unwrap();
            let status = response.status();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(bytes.to_vec()).unwrap())
        });
        assert_eq!(status, want);
        assert!(text.contains(part), "{part} is not in {text}");
    }

    #[test]
    fn each_component_shows_its_state() {
        check(Condition::Up, "/healthz", StatusCode::OK, "ok");
        check(Condition::Up, "/readyz", StatusCode::OK, r#""status":"up""#);
        check(
            Condition::Degraded,
            "/readyz",
            StatusCode::OK,
            r#""status":"degraded""#,
        );
        check(
            Condition::Down,
            "/readyz",
            StatusCode::SERVICE_UNAVAILABLE,
            r#""detail":"why","name":"upstream""#,
        );
        check(
            Condition::Up,
            "/metrics",
            StatusCode::OK,
            "portcullis_sessions 0",
        );
    }
}
