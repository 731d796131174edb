//! `POST /login/verify`: exchanges a link or a code for a session, once.

use axum::Json;

use super::me::me;
use crate::body::Body;
use crate::caller::Caller;
use crate::email_address::Email;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::guesses::use_code;
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, Me, VerifyRequest};
use peersync_server::store::{CodeCheck, User, can_be_code, random_token};

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
    let (check, unknown, wrong): (CodeCheck, fn() -> ApiError, fn() -> ApiError) = match request {
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
            let email = Email::parse(&email).ok_or_else(ApiError::email)?;
            let code: String = code.chars().filter(|character| *character != ' ').collect();
            if !can_be_code(&code) {
                return Err(ApiError::code());
            }
            (use_code(&state, &caller, &email, &code).await?, ApiError::code, ApiError::code)
        }
        _ => return Err(ApiError::bad_field("Send token, or email and code.")),
    };
    let (email, name, generation) = match check {
        CodeCheck::Proved { email, name, generation } => (email, name, generation),
        CodeCheck::Unknown => return Err(unknown()),
        CodeCheck::Wrong => return Err(wrong()),
        CodeCheck::NumberNeeded => return Err(ApiError::number()),
    };
    // Signing out everywhere ends mails too, and so does deleting the account that they were for.
    let user = state.store().user(&email).await?;
    let user = user.filter(|user| generation.is_none_or(|generation| generation == user.generation));
    let mut user = user.ok_or_else(unknown)?;
    if let Some(name) = name.filter(|_| user.verified_at.is_none()) {
        user.name = name;
    }
    state.store().verify_user(&user, state.now()).await?;
    SignedIn::begin(&state, &caller, &user).await?;
    remember(&state, &caller, &user).await?;
    Ok(Json(me(&user)))
}

/// Remembers that somebody has signed in to the account in this browser, which is known from now on.
async fn remember(state: &State, caller: &Caller, user: &User) -> ApiResult<()> {
    let mark = caller.known_mark().unwrap_or_else(random_token);
    state.store().keep_known(&user.email, &user.generation, &mark, state.now()).await?;
    caller.set_known_mark(&mark);
    caller.clear_browser_mark();
    Ok(())
}
