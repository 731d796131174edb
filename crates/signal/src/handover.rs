//! A host that is about to be replaced: `up` says so, right before the address moves to the next one, and everybody is told to
//! come back in a moment. Clients would notice the move only once they send something, after up to ten seconds.
//!
//! The server goes on as before: whoever comes back before the address has moved, or if it never does, resumes here.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use peersync_server::tickets::{HANDOVER_HEADER, TICKET_SECONDS};
use tracing::info;

use crate::shared::Shared;
use crate::tickets::{REMEMBERED, SKEW};

/// How many handovers are remembered, so that each counts once.
const MOST: usize = 16;

/// Answers the request that says so, and lets all others pass.
pub(crate) async fn answer(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(handover) = request.headers().get(HANDOVER_HEADER) else { return next.run(request).await };
    let handover = handover.to_str().unwrap_or_default().to_owned();
    if !is_genuine(&shared, &handover).await {
        return StatusCode::FORBIDDEN.into_response();
    }
    let sessions = shared.hub.lock().all_sessions();
    for session in &sessions {
        session.outbox.announce(shared.retry_after_move_ms());
    }
    info!(target: "signal", told = sessions.len(), "the host is about to be replaced");
    StatusCode::NO_CONTENT.into_response()
}

/// Returns whether it was signed for this stack, is new, and was not used before.
async fn is_genuine(shared: &Shared, handover: &str) -> bool {
    let now = shared.keys.now();
    let Ok(claims) = shared.keys.verify_handover(handover, now).await else { return false };
    let passed = shared.now();
    let mut used = shared.handovers.lock();
    claims.exp - now <= TICKET_SECONDS + SKEW
        && !used.is_full(MOST, passed)
        && used.take(&claims.jti, passed + REMEMBERED)
}
