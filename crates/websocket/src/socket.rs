//! One connection: frames are read in place from a buffer on the stack, and written from the caller's queue.

use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::{Assembly, Frame, InvalidFrame};

/// The number of bytes read or written in one go, on the stack: none of it stays with the connection.
const CHUNK: usize = 16 * 1024;
/// The first size of the buffer for a frame that arrives in parts.
const FIRST_PART: usize = 1024;

/// Frames that wait to be written, in the order in which they go over the wire.
///
/// The socket copies them to its stack and reports how many bytes the kernel took, so that a source needs no lock while
/// a write is pending.
pub trait FrameSource {
    /// Copies as many waiting bytes as `buffer` has room for; copies none if nothing waits.
    fn copy_waiting(&mut self, buffer: &mut ReadBuf<'_>);

    /// Records that the next `bytes` bytes were written.
    fn advance(&mut self, bytes: usize) -> Written;
}

/// How far a [`FrameSource`] has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether the last byte written was the end of a frame.
    pub whole: bool,
    /// Whether more bytes wait.
    pub more: bool,
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The connection was closed or reset.
    Disconnected,
    /// The client sent something that it must not send.
    Invalid(InvalidFrame),
}

/// One WebSocket connection.
#[derive(Debug)]
pub struct Socket<Io = TokioIo<Upgraded>> {
    io: Io,
    /// Bytes that were read and not yet handed over: empty, without an allocation, most of the time.
    unread: Vec<u8>,
    assembly: Assembly,
    /// The maximum size of a message in bytes.
    limit: usize,
    /// Whether all frames so far were valid, so that the next byte begins a frame.
    in_step: bool,
    /// Whether the client has sent a close frame.
    closed: bool,
    /// Whether our last frame was written completely: only then may another one follow.
    whole: bool,
}

impl Socket {
    /// Returns a socket on an upgraded HTTP connection, for messages of up to `limit` bytes.
    pub fn new(upgraded: Upgraded, limit: usize) -> Self {
        Self::with_io(TokioIo::new(upgraded), limit)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket<Io> {
    /// Returns a socket on any transport, for messages of up to `limit` bytes.
    pub fn with_io(io: Io, limit: usize) -> Self {
        Self { io, unread: Vec::new(), assembly: Assembly::default(), limit, in_step: true, closed: false, whole: true }
    }

    /// Whether a frame can still be written: after half a frame the client would misread it.
    pub fn may_write(&self) -> bool {
        self.whole
    }

    /// Whether frames can still be read.
    pub fn may_read(&self) -> bool {
        self.in_step && !self.closed
    }

    /// Sets the maximum size of the messages that follow, in bytes.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns the memory in bytes that a frame or message of which a part is missing takes, and what was read behind a
    /// frame that is still handled.
    pub fn held(&self) -> usize {
        self.unread.capacity() + self.assembly.held()
    }

    /// Passes the frames of one read to `handle` until it breaks; the frames after that one are passed by the next
    /// call.
    ///
    /// # Errors
    /// The connection is gone, or the client sent an invalid frame. Nothing can be read afterwards.
    pub fn poll_frames<T>(
        &mut self,
        context: &mut Context<'_>,
        mut handle: impl FnMut(Frame<'_>) -> ControlFlow<T>,
    ) -> Poll<Result<Option<T>, ReadError>> {
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
        let mut storage = [const { MaybeUninit::uninit() }; CHUNK];
        let mut buffer = ReadBuf::uninit(&mut storage);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer)).map_err(|_| ReadError::Disconnected)?;
        let bytes = buffer.filled_mut();
        if bytes.is_empty() {
            return Poll::Ready(Err(ReadError::Disconnected));
        }
        let (taken, stopped) = self.hand_over(bytes, &mut handle)?;
        self.unread.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        Poll::Ready(Ok(stopped))
    }

    /// Reads more of a frame of which the beginning has arrived. The buffer grows with the bytes received, not with the
    /// length that was announced.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        let before = self.unread.len();
        // By a half, so that less than a third is unused however long the rest takes to come.
        let more = (before / 2).max(FIRST_PART);
        self.unread.reserve_exact(more);
        self.unread.resize(before + more, 0);
        let mut buffer = ReadBuf::new(self.unread.get_mut(before..).unwrap_or_default());
        let polled = Pin::new(&mut self.io).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        self.unread.truncate(before + count);
        match ready!(polled) {
            Ok(()) if count > 0 => Poll::Ready(Ok(())),
            Ok(()) | Err(_) => Poll::Ready(Err(ReadError::Disconnected)),
        }
    }

    /// Passes the frames in `bytes` to `handle`. Returns the number of bytes consumed, and what `handle` broke with.
    fn hand_over<T>(
        &mut self,
        bytes: &mut [u8],
        handle: &mut impl FnMut(Frame<'_>) -> ControlFlow<T>,
    ) -> Result<(usize, Option<T>), ReadError> {
        let mut taken = 0;
        loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            let (length, frame) = match self.assembly.take(rest, self.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok((taken, None)),
                Err(invalid) => {
                    self.in_step = false;
                    return Err(ReadError::Invalid(invalid));
                }
            };
            taken += length;
            self.closed |= matches!(frame, Frame::Close(_));
            if let ControlFlow::Break(stopped) = handle(frame) {
                return Ok((taken, Some(stopped)));
            }
        }
    }

    /// Reads and discards frames until the client closes.
    pub async fn drain(&mut self) {
        while self.may_read() {
            let read = std::future::poll_fn(|context| self.poll_frames(context, |_| ControlFlow::<()>::Continue(())));
            if read.await == Err(ReadError::Disconnected) {
                return;
            }
        }
    }

    /// Reads and discards bytes, valid or not, until the connection is gone.
    pub async fn discard(&mut self) {
        self.unread = Vec::new();
        std::future::poll_fn(|context| {
            loop {
                let mut storage = [const { MaybeUninit::uninit() }; CHUNK];
                let mut buffer = ReadBuf::uninit(&mut storage);
                let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Writes complete frames.
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

    /// Writes as much of `source` as the kernel takes at once, and returns whether more waits.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn write_from(&mut self, source: &mut impl FrameSource) -> io::Result<bool> {
        std::future::poll_fn(|context| {
            let mut storage = [const { MaybeUninit::uninit() }; CHUNK];
            let mut buffer = ReadBuf::uninit(&mut storage);
            source.copy_waiting(&mut buffer);
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            let count = ready!(Pin::new(&mut self.io).poll_write(context, buffer.filled()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let written = source.advance(count);
            self.whole = written.whole;
            // A transport may buffer bytes, such as the simulated network of `local`; for TCP this does nothing.
            let _ = Pin::new(&mut self.io).poll_flush(context);
            Poll::Ready(Ok(written.more))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
