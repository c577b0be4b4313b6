//! The licence, and how many of its seats are taken.

use super::caller::Admin;
use crate::demo::bitbucket::Shared;
use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

/// When every licence of the stand-in was bought: 1 January 2025, in milliseconds.
const BOUGHT: u64 = 1_735_689_600_000;
/// And when it ends: 1 January 2035.
const ENDS: u64 = 2_051_222_400_000;
/// What stands for no limit.
const UNLIMITED: i64 = -1;

pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    Router::new().route(&format!("{base}/admin/license"), get(show))
}

async fn show(State(app): State<Arc<Shared>>, _: Admin) -> Json<Value> {
    let register = app.register();
    let limit = register.limit();
    let seats = limit.map_or(UNLIMITED, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    Json(json!({
        "creationDate": BOUGHT, "purchaseDate": BOUGHT,
        "expiryDate": ENDS, "maintenanceExpiryDate": ENDS,
        "maximumNumberOfUsers": seats, "unlimitedNumberOfUsers": limit.is_none(),
        "serverId": "STAN-DIN0-0000-0000", "supportEntitlementNumber": "SEN-0",
        "status": {
            "serverId": "STAN-DIN0-0000-0000", "currentNumberOfUsers": register.seats(),
        },
    }))
}
