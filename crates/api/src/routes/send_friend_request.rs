//! `POST /send-friend-request`: asks another user to be friends.
//!
//! A blocked sender gets the same response as everybody, after the time that a mail takes, and nothing happens.

use axum::Json;
use axum::http::StatusCode;

use super::block::check_rows;
use super::users::by_id;
use crate::addressee::Addressee;
use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::mail::Letter;
use crate::session::SignedIn;
use crate::state::State;
use crate::throttle::{Charge, Spending};
use crate::types::{ErrorBody, FriendRequest, FriendRequested};
use peersync_server::email_address::Email;
use peersync_server::store::{Changed, Operation, Outcome, Status, User};

/// Asks somebody by address, or by the id that a search has shown. The other gets a mail, or an invitation.
#[utoipa::path(
    post, path = "/send-friend-request", request_body = FriendRequest, security(("session" = [])),
    responses(
        (status = 202, description = "Asked.", body = FriendRequested),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        (status = 409, description = "The list of people is full.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    signed_in: SignedIn,
    Body(request): Body<FriendRequest>,
) -> ApiResult<(StatusCode, Json<FriendRequested>)> {
    let me = signed_in.user;
    let Some(to) = whom(&state, request).await? else { return Ok(answer(Status::Requested, true)) };
    if to.as_str() == me.email {
        return Err(ApiError::bad_field("You cannot be your own friend."));
    }
    check_rows(&state, &me.email, to.as_str()).await?;
    let first_today = count(&state, &me, &to).await?;
    let changed = state.store().connect(Operation::Ask, &me.email, to.as_str(), None, state.now()).await?;
    let changed = changed.ok_or_else(ApiError::unauthorized)?;
    match changed.outcome {
        Outcome::Change(after) if after.mine == Some(Status::Accepted) => Ok(answer(Status::Accepted, false)),
        Outcome::Keep if changed.before.mine == Some(Status::Accepted) => Ok(answer(Status::Accepted, false)),
        _ => Ok(answer(Status::Requested, tell(&state, &caller, &me, &to, changed, first_today).await?)),
    }
}

fn answer(status: Status, mail_sent: bool) -> (StatusCode, Json<FriendRequested>) {
    (StatusCode::ACCEPTED, Json(FriendRequested { status: status.as_str().to_owned(), mail_sent }))
}

/// `None` where somebody who was found is gone or hides by now.
async fn whom(state: &State, request: FriendRequest) -> ApiResult<Option<Email>> {
    match request {
        FriendRequest { to_email: Some(email), .. } => Ok(Some(Email::parse(&email)?)),
        FriendRequest { to_id: Some(id), .. } => {
            Ok(by_id(state, &id).await?.and_then(|user| Email::parse(&user.address).ok()))
        }
        _ => Err(ApiError::bad_field("Send toEmail or toId.")),
    }
}

/// Counts the request and returns whether it is the first one of today between the two. Only a first request to a user
/// without a connection counts as one to a stranger, whether or not the stranger has blocked the sender.
async fn count(state: &State, me: &User, to: &Email) -> ApiResult<bool> {
    let limits = state.limits();
    let pair = Charge::of(limits.friend_mail_per_pair, format!("{}\n{}", me.email, to.as_str()));
    let (first, row) = futures::try_join!(state.spend(vec![pair]), state.store().connection(&me.email, to.as_str()))?;
    let Spending::Within(spent) = first else { return Ok(false) };
    let stranger = row.is_none_or(|row| matches!(row.status, Status::Rejected | Status::Blocked));
    if stranger && let Err(error) = state.check_limit(limits.friend_requests, &me.email).await {
        state.give_back(spent).await?;
        return Err(error);
    }
    Ok(true)
}

/// Mails about a new request. Returns whether a mail was sent.
async fn tell(
    state: &State,
    caller: &Caller,
    me: &User,
    to: &Email,
    changed: Changed,
    first_today: bool,
) -> ApiResult<bool> {
    if !first_today || changed.outcome == Outcome::Keep {
        return Ok(false);
    }
    let blocked = changed.before.theirs == Some(Status::Blocked);
    let limits = state.limits();
    let mut charges = state.client(caller).await?.charges_with(limits.friend_mail_per_client, to.as_str());
    charges.push(Charge::of(limits.friend_mail_per_address, to.as_str()));
    charges.push(Charge::of(limits.friend_mail_total, ""));
    let (spending, Addressee { user, email: to, .. }, token) = futures::try_join!(
        state.spend(charges),
        state.addressee(to),
        state.store().keep_friend_token(&me.email, to.as_str(), state.now())
    )?;
    let Spending::Within(spent) = spending else { return Ok(false) };
    let (language, site, mailer) = (caller.language(), caller.site(state.settings()), state.mailer().await?);
    if blocked {
        return Ok(mailer.pretend().await);
    }
    let letter = match user {
        Some(_) => Letter::friend_request(language, &site, &to, &me.name, &token),
        None => Letter::invitation(language, &site, &to, &me.name),
    };
    let sent = state.send(&letter).await?;
    if !sent {
        state.give_back(spent).await?;
    }
    Ok(sent)
}
