//! `GET /health`: what is running. Needs nothing else to be there.

use axum::Json;

use crate::api::document::Refusals;
use crate::api::state::State;
use crate::api::types::Health;

/// Version and build of the program.
#[utoipa::path(get, path = "/health", responses((status = 200, description = "It runs.", body = Health), Refusals))]
pub(in crate::api) async fn handle(state: State) -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: crate::api::health::build().to_owned(),
        stage: state.settings().stage.clone(),
    })
}
