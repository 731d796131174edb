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
    let (secrets, addressee) = futures::join!(state.secrets(), state.addressee(&email));
    let (_, Addressee { user, email: to, generation, .. }) = (secrets?, addressee?);
    let request =
        MailRequest { state: &state, caller: &caller, email: &to, has_account: true, generation: &generation };
    let plan = request.plan().await?;
    let created = store.create_user(&email, name.as_str(), state.now()).await?;
    // The mail is for the account that the address had, or for the one that it has now.
    let generation = if user.is_some() { generation.clone() } else { created.unwrap_or(generation.clone()) };
    let letter = |sign_in: &SignIn| Letter::sign_in(caller.language(), &site, &to, sign_in);
    let request = MailRequest { generation: &generation, ..request };
    start_sign_in(request, plan, Some(&name), letter).await
}
