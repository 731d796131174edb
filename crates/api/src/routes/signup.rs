//! `POST /signup`: creates an account and mails a sign-in link.
//!
//! An address that has an account already gets the same response and a sign-in link, so that nobody learns who has one.

use axum::Json;
use axum::http::StatusCode;

use super::login::start_sign_in;
use crate::body::Body;
use crate::caller::Caller;
use crate::display_name::DisplayName;
use crate::email_address::Email;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::mail::Letter;
use crate::mail_budget::MailRequest;
use crate::state::State;
use crate::types::{Mailed, SignupRequest};
use peersync_server::store::SignIn;

/// Makes an account and mails a sign-in link and a code.
#[utoipa::path(
    post, path = "/signup", request_body = SignupRequest,
    responses((status = 202, description = "A mail was asked for.", body = Mailed), Refusals)
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    Body(request): Body<SignupRequest>,
) -> ApiResult<(StatusCode, Json<Mailed>)> {
    let name = DisplayName::parse(&request.name).ok_or_else(ApiError::name)?;
    let email = Email::parse(&request.email).ok_or_else(ApiError::email)?;
    let (store, site) = (state.store(), caller.site(state.settings()));
    let letter = |sign_in: &SignIn| Letter::sign_in(caller.language(), &site, &email, sign_in);
    let before = generation_of(&state, &email).await?;
    let request = MailRequest { state: &state, caller: &caller, email: &email, has_account: true, generation: &before };
    let plan = request.plan().await?;
    store.create_user(email.as_str(), name.as_str(), state.now()).await?;
    let generation = generation_of(&state, &email).await?;
    start_sign_in(MailRequest { generation: &generation, ..request }, plan, Some(&name), letter).await
}

/// Returns the generation of the account; empty without one.
async fn generation_of(state: &State, email: &Email) -> ApiResult<String> {
    Ok(state.store().user(email.as_str()).await?.map(|user| user.generation).unwrap_or_default())
}
