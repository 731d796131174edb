//! How a connection ends: why, what the client is told, and how it is closed.

use std::time::Duration;

use tokio::time::timeout;

use crate::protocol::{ErrorCode, Refused, ServerMessage, close};
use peersync_websocket::{InvalidFrame, ReadError, Socket, close_frame, text_frame};

/// How long a goodbye may take: our last words, and the client's close.
const FAREWELL: Duration = Duration::from_secs(1);
/// After a message that was too large: time for the client to read why, before unread bytes reset the connection.
const READ_WHY: Duration = Duration::from_millis(200);

/// Why a connection ends.
pub enum CloseReason {
    /// It broke, or the client closed it: the session waits.
    Lost,
    /// The client is done.
    Bye,
    /// We close: the code, and a last error. The session waits, where there is one.
    Close(u16, Option<Refused>),
    /// We close, and the session ends.
    Finish(u16, Refused),
}

/// Says why, closes, and lets the client read it.
pub async fn farewell(socket: &mut Socket, end: CloseReason) {
    let (code, refused) = match end {
        CloseReason::Lost | CloseReason::Bye => (close::BYE, None),
        CloseReason::Close(code, refused) => (code, refused),
        CloseReason::Finish(code, refused) => (code, Some(refused)),
    };
    let mut words = Vec::new();
    if let Some(Refused(code, message)) = refused {
        words = text_frame(&ServerMessage::error(code, message, None).to_json());
    }
    words.extend(close_frame(code, refused.map_or("", |refused| refused.1)));
    let goodbye = async {
        if socket.may_write() && socket.write(&words).await.is_err() {
            return;
        }
        if socket.may_read() {
            socket.drain().await;
        }
        // Unread bytes would reset the connection before the client has read why.
        if !socket.may_read() && refused.is_some() {
            let _ = timeout(READ_WHY, socket.discard()).await;
        }
    };
    // A client that is gone hears nothing, and one that does not answer is not waited for.
    let _ = timeout(FAREWELL, goodbye).await;
}

/// What it means that nothing can be read any more.
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

/// For the metrics.
pub fn reason(end: &CloseReason) -> &'static str {
    match end {
        CloseReason::Lost => "lost",
        CloseReason::Bye => "bye",
        CloseReason::Close(code, _) | CloseReason::Finish(code, _) => match *code {
            close::NO_HELLO => "no hello",
            close::TICKET => "ticket",
            close::REPLACED => "replaced",
            close::DEAD => "dead",
            close::TOO_MANY => "too many",
            close::TOO_SLOW => "too slow",
            close::TOO_LARGE => "too large",
            close::FLOOD => "flood",
            close::RESTART => "restart",
            _ => "protocol",
        },
    }
}
