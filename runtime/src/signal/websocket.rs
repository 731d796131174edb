//! WebSocket as this server needs it (RFC 6455, the server's side, without extensions), made for many connections that
//! are idle most of the time: between two messages a connection holds no buffer, and under load one read takes many
//! messages, which are looked at where they lie, and one write gives many.

mod frame;
mod handshake;

use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::frame::Assembly;
pub use self::frame::{Broken, Frame, close_frame, ping_frame, pong_frame, text_frame, text_head};
pub use self::handshake::Handshake;
use super::outbox::Outbox;

/// Bytes that are read or written in one go, on the stack: nothing of it stays with the connection.
const AT_ONCE: usize = 16 * 1024;
/// How a buffer for a frame that comes in parts begins to grow.
const FIRST_PART: usize = 1024;

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection is gone.
    Gone,
    /// What came is not what may come.
    Broken(Broken),
}

/// One WebSocket connection.
#[derive(Debug)]
pub struct Socket<Io = TokioIo<Upgraded>> {
    io: Io,
    /// What was read and not yet handed over: most of the time nothing, and no memory.
    unread: Vec<u8>,
    assembly: Assembly,
    /// Largest message.
    limit: usize,
    /// Whether the client's last frame was whole and understood: what comes next is a frame again.
    in_step: bool,
    /// The client has said that it closes.
    closed: bool,
    /// Whether the last frame of ours was written to its end: only then may another one follow.
    whole: bool,
}

impl Socket {
    /// A connection that has left HTTP behind, for messages of up to `limit` bytes.
    pub fn new(upgraded: Upgraded, limit: usize) -> Self {
        Self::on(TokioIo::new(upgraded), limit)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    fn on(io: Io, limit: usize) -> Self {
        Self { io, unread: Vec::new(), assembly: Assembly::default(), limit, in_step: true, closed: false, whole: true }
    }

    /// Whether a frame can still be written where the client understands it.
    pub fn may_write(&self) -> bool {
        self.whole
    }

    /// Whether frames can still be read.
    pub fn may_read(&self) -> bool {
        self.in_step && !self.closed
    }

    /// Hands over the frames of one read, until `handle` breaks with something; what came behind that is handed over
    /// the next time.
    ///
    /// # Errors
    /// Nothing can be read any more.
    pub fn poll_frames<T>(
        &mut self,
        context: &mut Context<'_>,
        mut handle: impl FnMut(Frame<'_>) -> ControlFlow<T>,
    ) -> Poll<Result<Option<T>, Failure>> {
        if !self.unread.is_empty() {
            let mut unread = std::mem::take(&mut self.unread);
            let (taken, stopped) = self.hand_over(&mut unread, &mut handle)?;
            if taken < unread.len() {
                unread.drain(..taken);
                self.unread = unread;
            }
            if taken > 0 {
                return Poll::Ready(Ok(stopped));
            }
        }
        if !self.unread.is_empty() {
            ready!(self.poll_rest(context))?;
            return Poll::Ready(Ok(None));
        }
        let mut storage = [const { MaybeUninit::uninit() }; AT_ONCE];
        let mut buffer = ReadBuf::uninit(&mut storage);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer)).map_err(|_| Failure::Gone)?;
        let bytes = buffer.filled_mut();
        if bytes.is_empty() {
            return Poll::Ready(Err(Failure::Gone));
        }
        let (taken, stopped) = self.hand_over(bytes, &mut handle)?;
        self.unread.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        Poll::Ready(Ok(stopped))
    }

    /// Reads more of a frame of which a part is there. The memory grows with what has come, not with what was announced.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let before = self.unread.len();
        self.unread.resize(before + before.max(FIRST_PART), 0);
        let mut buffer = ReadBuf::new(self.unread.get_mut(before..).unwrap_or_default());
        let polled = Pin::new(&mut self.io).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        self.unread.truncate(before + count);
        match ready!(polled) {
            Ok(()) if count > 0 => Poll::Ready(Ok(())),
            Ok(()) | Err(_) => Poll::Ready(Err(Failure::Gone)),
        }
    }

    /// How many bytes were handed over as frames, and what `handle` broke with.
    fn hand_over<T>(
        &mut self,
        bytes: &mut [u8],
        handle: &mut impl FnMut(Frame<'_>) -> ControlFlow<T>,
    ) -> Result<(usize, Option<T>), Failure> {
        let mut taken = 0;
        loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            let (length, frame) = match self.assembly.take(rest, self.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok((taken, None)),
                Err(broken) => {
                    self.in_step = false;
                    return Err(Failure::Broken(broken));
                }
            };
            taken += length;
            let Some(frame) = frame else { continue };
            self.closed |= matches!(frame, Frame::Close(_));
            if let ControlFlow::Break(stopped) = handle(frame) {
                return Ok((taken, Some(stopped)));
            }
        }
    }

    /// Reads and forgets what the client sends, until it closes.
    pub async fn drain(&mut self) {
        while self.may_read() {
            let read = std::future::poll_fn(|context| self.poll_frames(context, |_| ControlFlow::<()>::Continue(())));
            if read.await == Err(Failure::Gone) {
                return;
            }
        }
    }

    /// Reads and forgets bytes, whatever they are, until the connection is gone.
    pub async fn discard(&mut self) {
        self.unread = Vec::new();
        std::future::poll_fn(|context| {
            loop {
                let mut storage = [const { MaybeUninit::uninit() }; AT_ONCE];
                let mut buffer = ReadBuf::uninit(&mut storage);
                let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Writes whole frames.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.whole = false;
        let mut rest = frames;
        std::future::poll_fn(|context| {
            while !rest.is_empty() {
                let count = ready!(Pin::new(&mut self.io).poll_write(context, rest))?;
                rest = rest.get(count..).filter(|_| count > 0).ok_or(io::ErrorKind::WriteZero)?;
            }
            Pin::new(&mut self.io).poll_flush(context)
        })
        .await?;
        self.whole = true;
        Ok(())
    }

    /// Writes a piece of what waits in the outbox for connection `owner`, as much as the kernel takes at once. Whether
    /// there is more.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn write_waiting(&mut self, outbox: &Outbox, owner: u64) -> io::Result<bool> {
        std::future::poll_fn(|context| {
            let mut storage = [const { MaybeUninit::uninit() }; AT_ONCE];
            let mut buffer = ReadBuf::uninit(&mut storage);
            outbox.copy_waiting(owner, &mut buffer);
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            let count = ready!(Pin::new(&mut self.io).poll_write(context, buffer.filled()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let written = outbox.wrote(owner, count);
            self.whole = written.whole;
            // An edge may gather bytes; a TCP connection does nothing here.
            let _ = Pin::new(&mut self.io).poll_flush(context);
            Poll::Ready(Ok(written.more))
        })
        .await
    }
}

#[cfg(test)]
#[path = "websocket/socket_tests.rs"]
mod tests;
