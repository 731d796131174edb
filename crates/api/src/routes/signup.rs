//! `POST /signup`: creates an account and mails a sign-in link.
//!
//! An address that has an account already gets the same response and a sign-in link, so that nobody learns who has one.

use axum::Json;
use axum::http::StatusCode;

use super::login::start_sign_in;
use crate::addressee::Addressee;
use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiResult, Refusals};
use crate::mail::Letter;
use crate::mail_budget::MailRequest;
use crate::state::State;
use crate::types::{Mailed, SignupRequest};
use peersync_server::display_name::DisplayName;
use peersync_server::email_address::Email;
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
    let name = DisplayName::parse(&request.name)?;
    let email = Email::parse(&request.email)?;
    let (store, site) = (state.store(), caller.site(state.settings()));
    // The mail needs secrets, which a function that has just started reads beside the look-up.
    let (secrets, before) = futures::join!(state.secrets(), state.addressee(&email));
    let (_, before) = (secrets?, before?);
    let request = MailRequest {
        state: &state,
        caller: &caller,
        email: &before.email,
        has_account: true,
        generation: &before.generation,
    };
    let plan = request.plan().await?;
    store.create_user(&email, name.as_str(), state.now()).await?;
    let Addressee { email, generation, .. } = state.addressee(&email).await?;
    let letter = |sign_in: &SignIn| Letter::sign_in(caller.language(), &site, &email, sign_in);
    let request = MailRequest { email: &email, generation: &generation, ..request };
    start_sign_in(request, plan, Some(&name), letter).await
}
