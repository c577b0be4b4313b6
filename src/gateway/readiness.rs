//! How each component is, for `/readyz`.

use super::Shared;
use crate::admin::{Component, Condition, Readiness};
use std::future::Future;
use std::pin::Pin;

impl Readiness for Shared {
    fn components(&self) -> Pin<Box<dyn Future<Output = Vec<Component>> + Send + '_>> {
        Box::pin(components(self))
    }
}

async fn components(shared: &Shared) -> Vec<Component> {
    let gate = shared.gate.load_full();
    let mut components = Vec::new();
    let mut add = |name: String, condition, detail| {
        components.push(Component {
            name,
            condition,
            detail,
        })
    };
    match *shared.draining.borrow() {
        false => add("listener".into(), Condition::Up, None),
        true => add("listener".into(), Condition::Down, Some("draining".into())),
    }
    // Without the store nobody can be recognized, so traffic should go elsewhere.
    match gate.sessions.ready().await {
        Ok(()) => add("store".into(), Condition::Up, None),
        Err(error) => add("store".into(), Condition::Down, Some(error.to_string())),
    }
    // Without the upstream or a provider the gateway still has pages that say so.
    match gate.upstream.probe().await {
        Ok(status) if status.is_server_error() => {
            add(
                "upstream".into(),
                Condition::Degraded,
                Some(format!("answers {status}")),
            );
        }
        Ok(_) => add("upstream".into(), Condition::Up, None),
        Err(error) => add(
            "upstream".into(),
            Condition::Degraded,
            Some(error.to_string()),
        ),
    }
    for provider in &gate.providers {
        let status = provider.status();
        let name = format!("provider:{}", provider.config().id);
        match (status.last_success, status.last_error) {
            (success, Some((at, why))) if success.is_none_or(|success| success < at) => {
                add(name, Condition::Degraded, Some(why));
            }
            (Some(_), _) => add(name, Condition::Up, None),
            (None, _) => add(name, Condition::Unknown, Some("not asked yet".into())),
        }
    }
    components
}
