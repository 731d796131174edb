//! `POST /reports`: why two browsers found no way to each other, or one found none to the signaling server.
//!
//! Only words of short lists are accepted, so that a line in the log can hold neither an address nor a name. One line in
//! JSON for each report is what a metric filter counts.

use axum::http::StatusCode;

use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::throttle::{Charge, Spending};
use crate::types::{ErrorBody, ReportRequest};
use peersync_server::routes::REPORTS_TARGET;

/// Reports that a connection could not be made. Of many reports only a sample is kept.
#[utoipa::path(
    post, path = "/reports", request_body = ReportRequest, security((), ("session" = [])),
    responses(
        (status = 204, description = "Noted, or one of too many."),
        (status = 401, description = "Neither signed in nor a guest of a room.", body = ErrorBody),
        (status = 404, description = "No such room, or none any more.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, caller: Caller, Body(report): Body<ReportRequest>) -> ApiResult<StatusCode> {
    let (client, limits) = (state.client(&caller).await?, state.limits());
    let user = SignedIn::find(&state, &caller).await?.map(|signed_in| signed_in.user.email);
    let guest = user.is_none();
    let charges = user.map_or_else(|| client.charges(limits.reports), |user| vec![Charge::of(limits.reports, user)]);
    state.check_limits(charges).await?.keep();
    if guest {
        let room = report.room.as_deref().ok_or_else(ApiError::unauthorized)?;
        state.store().room(room, state.now()).await?.ok_or_else(ApiError::no_room)?;
    }
    if let Spending::Within(spent) = state.spend(vec![Charge::of(limits.reports_in_all, "")]).await? {
        spent.keep();
        let (failure, local, remote) = (report.failure.name(), report.local.name(), report.remote.name());
        tracing::info!(target: REPORTS_TARGET, failure, local, remote, guest, "no connection");
    }
    Ok(StatusCode::NO_CONTENT)
}
