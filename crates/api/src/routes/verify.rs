//! `POST /login/verify`: exchanges a link or a code for a session, once.

use axum::Json;

use super::me::me;
use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::guesses::use_code;
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, Me, VerifyRequest};
use peersync_server::email_address::Email;
use peersync_server::metrics::Metric;
use peersync_server::store::{CodeCheck, StoreError, User, can_be_code, random_token};

/// How a proof that does not work is answered.
type Answer = fn() -> ApiError;

/// Uses up a link's token or a mail's code and begins a session. In another browser than the one that asked, a link
/// needs the number too.
#[utoipa::path(
    post, path = "/login/verify", request_body = VerifyRequest,
    responses(
        (status = 200, description = "Signed in; the session's cookie is set.", body = Me),
        (status = 409, description = "The number is needed, or is wrong.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, caller: Caller, Body(request): Body<VerifyRequest>) -> ApiResult<Json<Me>> {
    let (check, unknown, wrong): (CodeCheck, Answer, Answer) = match request {
        VerifyRequest { token: Some(token), number, .. } => {
            let number = number.map(|number| number.get().ok_or_else(ApiError::number)).transpose()?;
            let mark = caller.browser_mark();
            let check = state.store().use_link(&token, mark.as_deref(), number, state.now()).await?;
            if check == CodeCheck::Unknown {
                // A valid link proves enough not to be counted; it cannot be guessed.
                let charges = state.client(&caller).await?.charges(state.limits().verify_per_client);
                state.check_limits(charges).await?.keep();
            }
            (check, ApiError::token, ApiError::number)
        }
        VerifyRequest { email: Some(email), code: Some(code), .. } => {
            let email = Email::parse(&email)?;
            let code: String = code.chars().filter(|character| *character != ' ').collect();
            if !can_be_code(&code) {
                return Err(ApiError::code());
            }
            (use_code(&state, &caller, &email, &code).await?, ApiError::code, ApiError::code)
        }
        _ => return Err(ApiError::bad_field("Send token, or email and code.")),
    };
    let (proved, name, generation) = match check {
        CodeCheck::Proved { email, name, generation } => (email, name, generation),
        CodeCheck::Unknown => return Err(unknown()),
        CodeCheck::Wrong => return Err(wrong()),
        CodeCheck::NumberNeeded => return Err(ApiError::number()),
        CodeCheck::TooEarly { ready } => return Err(ApiError::slow_down(ready - state.now())),
    };
    let email = Email::parse(&proved).map_err(|_| unknown())?;
    // Signing out everywhere ends mails too, and so does deleting the account that they were for.
    let addressee = state.addressee(&email).await?;
    if generation.is_some_and(|generation| generation != addressee.generation) {
        return Err(unknown());
    }
    let user = account_of(&state, &email, name).await?.ok_or_else(unknown)?;
    state.store().verify_user(&user, state.now()).await?;
    SignedIn::begin(&state, &caller, &user).await?;
    state.tally().count(Metric::SignIns);
    if user.verified_at.is_none() {
        state.tally().count(Metric::SignUps);
    }
    remember(&state, &caller, &user).await?;
    Ok(Json(me(&user)))
}

/// Returns the account of an address whose mail its owner has read. What an earlier version kept under this spelling
/// joins it. An account of which this is the first sign-in is named by the sign-up that the mail belongs to.
async fn account_of(state: &State, email: &Email, name: Option<String>) -> Result<Option<User>, StoreError> {
    if let Some(former) = email.former_key() {
        state.store().join_account(&former, email, state.now()).await?;
    }
    let Some(user) = state.store().user(email.as_str()).await? else { return Ok(None) };
    if user.verified_at.is_some() {
        return Ok(Some(user));
    }
    Ok(name.map(|name| User { name, address: email.spelling().to_owned(), ..user }))
}

/// Remembers that somebody has signed in to the account in this browser, which is known from now on.
async fn remember(state: &State, caller: &Caller, user: &User) -> ApiResult<()> {
    let mark = caller.known_mark().unwrap_or_else(random_token);
    state.store().keep_known(&user.email, &user.generation, &mark, state.now()).await?;
    caller.set_known_mark(&mark);
    caller.clear_browser_mark();
    Ok(())
}
