//! `POST /login`: mails a sign-in link and a code.
//!
//! An address without an account gets a mail too, which says so and links to the sign-up page. So work, response and
//! duration are the same for every address, and it helps whoever mistyped or forgot theirs.

use axum::Json;
use axum::http::StatusCode;

use crate::addressee::Addressee;
use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiResult, Refusals};
use crate::mail::Letter;
use crate::state::State;
use crate::types::{LoginRequest, Mailed};
use peersync_server::display_name::DisplayName;
use peersync_server::email_address::Email;
use peersync_server::store::SignIn;

/// Mails a sign-in link and a code, or to an unknown address the way to sign up.
#[utoipa::path(
    post, path = "/login", request_body = LoginRequest,
    responses((status = 202, description = "A mail was asked for.", body = Mailed), Refusals)
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    Body(request): Body<LoginRequest>,
) -> ApiResult<(StatusCode, Json<Mailed>)> {
    let email = Email::parse(&request.email)?;
    state.check_mail_limits(&email, &caller).await?;
    state.unify_addresses().await;
    let Addressee { user, email, generation } = state.addressee(&email).await?;
    let (language, site) = (caller.language(), caller.site(state.settings()));
    start_sign_in(&state, &caller, (&email, &generation), None, |sign_in| {
        if user.is_some() {
            Letter::sign_in(language, &site, &email, sign_in)
        } else {
            Letter::no_account(language, &site, &email)
        }
    })
    .await
}

/// Stores a new sign-in for an address and the generation of its account, and mails it. The token of an unknown address is
/// stored like any other, but never mailed.
pub(super) async fn start_sign_in(
    state: &State,
    caller: &Caller,
    (email, generation): (&Email, &str),
    name: Option<&DisplayName>,
    letter: impl FnOnce(&SignIn) -> Letter,
) -> ApiResult<(StatusCode, Json<Mailed>)> {
    let mut sign_in = SignIn { name: name.map(|name| name.as_str().to_owned()), ..SignIn::random() };
    // One mark for several mails, so that the link of each works in this browser.
    if let Some(mark) = caller.browser_mark() {
        sign_in.browser_mark = mark;
    }
    state.store().keep_sign_in(email, generation, &sign_in, state.now()).await?;
    let mail_sent = state.mailer().await?.send(&letter(&sign_in)).await;
    caller.set_browser_mark(&sign_in.browser_mark);
    Ok((StatusCode::ACCEPTED, Json(Mailed { number: sign_in.number, mail_sent })))
}
