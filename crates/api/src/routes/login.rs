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
use crate::mail_budget::{MailPlan, MailRequest};
use crate::state::State;
use crate::types::{LoginRequest, Mailed};
use peersync_server::display_name::DisplayName;
use peersync_server::email_address::Email;
use peersync_server::store::{SignIn, random_token};

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
    state.unify_addresses().await;
    let mark = caller.browser_mark();
    let asked = state.store().asked(email.as_str(), mark.as_deref(), state.now());
    let (addressee, asked) = futures::try_join!(state.addressee(&email), asked)?;
    let Addressee { user, pending, email, generation } = addressee;
    let has_account = user.is_some() || pending;
    // Whoever signed up in this browser chose a name; nobody else does for the owner of the address.
    let asked_name = asked.and_then(|asked| DisplayName::parse(&asked.name?).ok());
    let name = asked_name.or_else(|| DisplayName::of_address(&email)).filter(|_| pending);
    let request = MailRequest { state: &state, caller: &caller, email: &email, has_account, generation: &generation };
    let (language, site) = (caller.language(), caller.site(state.settings()));
    let plan = request.plan().await?;
    start_sign_in(request, plan, name.as_ref(), |sign_in| {
        if has_account {
            Letter::sign_in(language, &site, &email, sign_in)
        } else {
            Letter::no_account(language, &site, &email)
        }
    })
    .await
}

/// Stores a new sign-in for an address and the generation of its account, and mails it, if a further mail is sent. The
/// token of an unknown address is stored like any other, but never mailed.
pub(super) async fn start_sign_in(
    request: MailRequest<'_>,
    plan: MailPlan,
    name: Option<&DisplayName>,
    letter: impl FnOnce(&SignIn) -> Letter,
) -> ApiResult<(StatusCode, Json<Mailed>)> {
    let MailRequest { state, caller, email, generation, .. } = request;
    let mailer = state.mailer().await?;
    let name = name.map(|name| name.as_str().to_owned());
    let (store, key, now) = (state.store(), email.as_str(), state.now());
    // One mark for several mails, so that the link of each works in this browser.
    let browser_mark = caller.browser_mark().unwrap_or_else(random_token);
    let mut sign_in = SignIn { name, browser_mark, mailed: request.has_account, ..SignIn::random() };
    let mail_sent = match plan {
        MailPlan::Send { long_code, known, spent } => {
            sign_in.known = known;
            if long_code {
                sign_in = sign_in.with_long_code();
            }
            store.keep_sign_in(email, generation, &sign_in, now).await?;
            let mail_sent = state.send(&letter(&sign_in)).await?;
            if !mail_sent {
                futures::try_join!(state.give_back(spent), store.forget_newest_sign_in(key))?;
            }
            mail_sent
        }
        MailPlan::Join(newest) => {
            store.join_sign_in(key, &newest, &sign_in, now).await?;
            mailer.pretend().await
        }
    };
    caller.set_browser_mark(&sign_in.browser_mark);
    Ok((StatusCode::ACCEPTED, Json(Mailed { number: sign_in.number, mail_sent })))
}
