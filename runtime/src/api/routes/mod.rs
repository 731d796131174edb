//! One file per route, or per path where a path has several methods.

pub(super) mod block;
pub(super) mod create_room;
pub(super) mod friend_requests;
pub(super) mod friends;
pub(super) mod health;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod me;
pub(super) mod respond_friend_request;
pub(super) mod room;
pub(super) mod send_friend_request;
pub(super) mod signup;
pub(super) mod ticket;
pub(super) mod users;
pub(super) mod verify;
