//! The end of a connection: its reason, the last error, and the close.

use std::time::Duration;

use tokio::time::timeout;

use crate::outbox::EndRequest;
use crate::protocol::{ErrorCode, Refused, ServerMessage, close};
use peersync_websocket::{InvalidFrame, ReadError, Socket, close_frame, text_frame};

/// The maximum duration of a close: our last frames, and the client's close frame.
const FAREWELL: Duration = Duration::from_secs(1);
/// After an oversized message: time for the client to read the error, before unread bytes reset the connection.
const ERROR_READ_TIME: Duration = Duration::from_millis(200);

/// What a client hears whose account has signed out everywhere.
pub const SIGNED_OUT: Refused =
    Refused(ErrorCode::SignedOut, "you have signed out, or the account was deleted; sign in again");

/// Why a connection ends.
pub enum CloseReason {
    /// It broke, or the client closed it. The session waits to be resumed.
    Lost,
    /// The client said `bye`. The session ends.
    Bye,
    /// It had not said `hello`, and newer connections took its place. It is dropped at once, so that silent connections
    /// never exceed their bound.
    Displaced,
    /// We close it with this code and a last error. A session waits to be resumed.
    Close(u16, Option<Refused>),
    /// We close it with this code and a last error. The session ends.
    Finish(u16, Refused),
}

/// Sends the last error and a close frame, and lets the client read them.
pub async fn farewell(socket: &mut Socket, end: CloseReason) {
    let (code, refused) = match end {
        CloseReason::Displaced => return,
        CloseReason::Lost | CloseReason::Bye => (close::BYE, None),
        CloseReason::Close(code, refused) => (code, refused),
        CloseReason::Finish(code, refused) => (code, Some(refused)),
    };
    let mut frames = Vec::new();
    if let Some(Refused(code, message)) = refused {
        frames = text_frame(&ServerMessage::error(code, message, None).to_json());
    }
    frames.extend(close_frame(code, refused.map_or("", |refused| refused.1)));
    let goodbye = async {
        if socket.may_write() && socket.write(&frames).await.is_err() {
            return;
        }
        if socket.may_read() {
            socket.drain().await;
        }
        // Unread bytes would reset the connection before the client has read the error.
        if !socket.may_read() && refused.is_some() {
            let _ = timeout(ERROR_READ_TIME, socket.discard()).await;
        }
    };
    // A client that does not respond is not waited for.
    let _ = timeout(FAREWELL, goodbye).await;
}

/// Maps why nothing more can be read to the reason of the close.
impl From<ReadError> for CloseReason {
    fn from(failure: ReadError) -> Self {
        match failure {
            ReadError::Disconnected => Self::Lost,
            ReadError::Invalid(InvalidFrame::Protocol) => Self::Close(close::PROTOCOL, None),
            ReadError::Invalid(InvalidFrame::NotUtf8) => Self::Close(close::NOT_UTF8, None),
            ReadError::Invalid(InvalidFrame::TooLarge) => {
                Self::Close(close::TOO_LARGE, Some(Refused(ErrorCode::TooLarge, "a message may have 64 KiB")))
            }
        }
    }
}

/// Maps what the server asked for to the reason of the close.
impl From<EndRequest> for CloseReason {
    fn from(request: EndRequest) -> Self {
        match request {
            EndRequest::Over => Self::Close(close::REPLACED, None),
            EndRequest::Restart => Self::Close(close::RESTART, None),
            EndRequest::Dead => Self::Close(close::DEAD, None),
            EndRequest::SignedOut => Self::Finish(close::SIGNED_OUT, SIGNED_OUT),
            EndRequest::Unfinished => {
                let late = Refused(ErrorCode::TooSlow, "a message from you did not arrive completely in time");
                Self::Close(close::TOO_SLOW, Some(late))
            }
            EndRequest::TooSlow => {
                let lost = Refused(ErrorCode::TooSlow, "messages for you piled up and were lost; connect again");
                Self::Finish(close::TOO_SLOW, lost)
            }
        }
    }
}

/// Returns the name of a reason in the metrics.
pub fn reason(end: &CloseReason) -> &'static str {
    match end {
        CloseReason::Lost => "lost",
        CloseReason::Bye => "bye",
        CloseReason::Displaced => "displaced",
        CloseReason::Close(code, _) | CloseReason::Finish(code, _) => match *code {
            close::NO_HELLO => "no hello",
            close::TICKET => "ticket",
            close::REPLACED => "replaced",
            close::DEAD => "dead",
            close::TOO_MANY => "too many",
            close::SIGNED_OUT => "signed out",
            close::TRY_LATER => "try later",
            close::TOO_SLOW => "too slow",
            close::TOO_LARGE => "too large",
            close::FLOOD => "flood",
            close::RESTART => "restart",
            _ => "protocol",
        },
    }
}
