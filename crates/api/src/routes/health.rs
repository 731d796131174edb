//! `GET /health`: version and build of the program. It depends on nothing else.

use axum::Json;

use crate::error::Refusals;
use crate::state::State;
use crate::types::Health;

/// Version and build of the program.
#[utoipa::path(get, path = "/health", responses((status = 200, description = "It runs.", body = Health), Refusals))]
pub(crate) async fn handle(state: State) -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: crate::health::build().to_owned(),
        stage: state.settings().stage.clone(),
    })
}
