//! The messages for one client: numbered, bounded, and kept until they have arrived, so that a session can be resumed
//! without loss or duplicates.
//!
//! A message goes through three states: waiting, written, acknowledged. The server's ping carries the number of the
//! last message written. Its pong proves that everything up to that number has arrived, and only then is it discarded.

mod frames;
mod senders;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use peersync_websocket::{FrameSource, Written};
use tokio::io::ReadBuf;

use self::frames::{FRAME, append, shrink};
pub use self::senders::Sender;
use self::senders::Senders;
use crate::bounds::Bounds;

/// The client is pinged early if more than this fraction (one in …) of a bound is written and unacknowledged.
const EARLY_PING: usize = 8;

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndRequest {
    /// The server is shutting down.
    Restart,
    /// Nothing was received for too long.
    Dead,
    /// The queue is full.
    TooSlow,
    /// The client has not completed a message in time, or incomplete messages take too much memory.
    Unfinished,
    /// The session has ended, or another connection has taken it over.
    Over,
    /// The user has signed out, or the account was deleted. The session has ended.
    SignedOut,
}

/// The next task of the connection.
#[derive(Debug, PartialEq)]
pub enum Work {
    /// Write waiting messages.
    Write,
    /// Send a ping with this number.
    Beat(u64),
    /// Tell the client to reconnect after this many milliseconds.
    Announce(u64),
    /// Close the connection.
    End(EndRequest),
}

/// A session's messages to its client.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<Queue>,
    /// The connection's task.
    task: AtomicWaker,
    bounds: Arc<Bounds>,
}

#[derive(Debug)]
struct Queue {
    /// Frames as they are sent: first those that were written and are kept, then those that wait.
    frames: VecDeque<u8>,
    /// What other members have sent of it.
    senders: Senders,
    /// The number of the first message.
    first: u64,
    /// How many messages were written completely, and their bytes.
    written: usize,
    written_bytes: usize,
    /// How many messages wait.
    waiting: usize,
    /// How many bytes of the first waiting frame were written.
    begun: usize,
    /// The number of the connection that writes; 0 for none.
    owner: u64,
    beat: bool,
    /// Whether a ping is pending, so that no second early one is sent.
    beating: bool,
    announce: Option<u64>,
    ending: Option<EndRequest>,
}

impl Queue {
    fn is_over(&self) -> bool {
        matches!(self.ending, Some(EndRequest::TooSlow | EndRequest::Over | EndRequest::SignedOut))
    }

    fn waiting_bytes(&self) -> usize {
        self.frames.len() - self.written_bytes
    }

    /// Returns the length of the frame that begins at this byte.
    fn frame_length(&self, at: usize) -> Option<usize> {
        let byte = |offset: usize| self.frames.get(at + offset).copied().map(usize::from);
        Some(match byte(1)? {
            126 => 4 + (byte(2)? << 8 | byte(3)?),
            127 => 10 + (2..10).try_fold(0, |length, offset| Some(length << 8 | byte(offset)?))?,
            short => 2 + short,
        })
    }
}

impl Outbox {
    /// Returns an empty outbox for connection `owner`.
    pub fn new(bounds: Arc<Bounds>, owner: u64) -> Self {
        let state = Queue {
            frames: VecDeque::new(),
            senders: Senders::default(),
            first: 1,
            written: 0,
            written_bytes: 0,
            waiting: 0,
            begun: 0,
            owner,
            beat: false,
            beating: false,
            announce: None,
            ending: None,
        };
        Self { state: Mutex::new(state), task: AtomicWaker::new(), bounds }
    }

    /// Appends a message of the server, given as pieces of a JSON object without its opening brace. A client that has not
    /// taken what waits already is too slow.
    pub fn push(&self, pieces: &[&str]) {
        let mut state = self.state.lock();
        if state.ending == Some(EndRequest::TooSlow) {
            return;
        }
        self.append(&mut state, pieces);
        if state.waiting > self.bounds.messages || state.waiting_bytes() > self.bounds.allowed() {
            self.clear(&mut state);
            state.ending = Some(EndRequest::TooSlow);
        }
        drop(state);
        self.task.wake();
    }

    /// Appends a message of another member. Returns false if the sender has too much on its way to this client already:
    /// then the message is dropped, and the client loses nothing else.
    pub fn push_from(&self, sender: Sender<'_>, pieces: &[&str]) -> bool {
        let mut state = self.state.lock();
        if state.ending == Some(EndRequest::TooSlow) {
            return true;
        }
        let bytes = FRAME + pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let fits = state.waiting < self.bounds.messages && state.waiting_bytes() + bytes <= self.bounds.allowed();
        if !fits || !state.senders.admit(sender, bytes, &self.bounds) {
            return false;
        }
        let number = self.append(&mut state, pieces);
        state.senders.add(number, sender, bytes);
        drop(state);
        self.task.wake();
        true
    }

    /// Appends a message, and returns its number.
    fn append(&self, state: &mut Queue, pieces: &[&str]) -> u64 {
        let number = state.first + (state.written + state.waiting) as u64;
        self.bounds.add(append(&mut state.frames, number, pieces));
        state.waiting += 1;
        number
    }

    /// Polls for the next task of connection `owner`.
    pub fn poll_work(&self, context: &mut Context<'_>, owner: u64) -> Poll<Work> {
        if let Poll::Ready(end) = self.poll_end(context, owner) {
            return Poll::Ready(Work::End(end));
        }
        let mut state = self.state.lock();
        if state.waiting > 0 {
            return Poll::Ready(Work::Write);
        }
        if let Some(retry_ms) = state.announce.take() {
            return Poll::Ready(Work::Announce(retry_ms));
        }
        if let Some(ending) = state.ending {
            return Poll::Ready(Work::End(ending));
        }
        if std::mem::take(&mut state.beat) {
            state.beating = true;
            return Poll::Ready(Work::Beat(state.first + state.written as u64 - 1));
        }
        Poll::Pending
    }

    /// Waits for what ends connection `owner` even in the middle of a write: the client is dead, or the session is over or
    /// somebody else's.
    pub fn poll_end(&self, context: &mut Context<'_>, owner: u64) -> Poll<EndRequest> {
        self.task.register(context.waker());
        let state = self.state.lock();
        match state.ending {
            _ if state.owner != owner => Poll::Ready(EndRequest::Over),
            Some(ending) if ending != EndRequest::Restart => Poll::Ready(ending),
            _ => Poll::Pending,
        }
    }

    /// Returns the source from which connection `owner` writes. It is empty once another connection has taken over.
    pub fn writer(&self, owner: u64) -> Writer<'_> {
        Writer { outbox: self, owner }
    }

    /// Copies as many waiting bytes as the buffer has room for.
    fn copy_waiting(&self, owner: u64, buffer: &mut ReadBuf<'_>) {
        let state = self.state.lock();
        if state.owner != owner {
            return;
        }
        let mut skip = state.written_bytes + state.begun;
        let (front, back) = state.frames.as_slices();
        for part in [front, back] {
            let bytes = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            buffer.put_slice(bytes.get(..buffer.remaining()).unwrap_or(bytes));
        }
    }

    /// Records that connection `owner` has written this many bytes.
    fn wrote(&self, owner: u64, bytes: usize) -> Written {
        let mut state = self.state.lock();
        if state.owner != owner {
            return Written { whole: false, more: false };
        }
        state.begun += bytes;
        while let Some(length) = state.frame_length(state.written_bytes).filter(|length| *length <= state.begun) {
            state.begun -= length;
            state.written_bytes += length;
            state.written += 1;
            state.waiting -= 1;
        }
        // Above the bound the oldest are discarded. A client that did not see them cannot resume.
        while state.written_bytes > self.bounds.kept || state.written > self.bounds.messages {
            self.discard_first(&mut state);
        }
        if state.written_bytes > self.bounds.kept / EARLY_PING || state.written > self.bounds.messages / EARLY_PING {
            state.beat |= !state.beating;
        }
        Written { whole: state.begun == 0, more: state.waiting > 0 }
    }

    /// Discards what the client has received: everything up to this number.
    pub fn acknowledged(&self, number: u64) {
        let mut state = self.state.lock();
        state.beating = false;
        while state.written > 0 && state.first <= number {
            self.discard_first(&mut state);
        }
        shrink(&mut state.frames);
    }

    /// Hands the session to connection `owner`, whose client has seen the messages up to `seen`. Returns false if later
    /// ones are missing.
    pub fn resume(&self, owner: u64, seen: Option<u64>) -> bool {
        let mut state = self.state.lock();
        if state.is_over() {
            return false;
        }
        // A frame that the previous connection began is sent again from its start.
        state.begun = 0;
        if let Some(seen) = seen {
            let next = state.first + (state.written + state.waiting) as u64;
            if seen.saturating_add(1) < state.first || seen >= next {
                return false;
            }
            while state.first <= seen {
                self.discard_first(&mut state);
            }
            state.waiting += std::mem::take(&mut state.written);
            state.written_bytes = 0;
        }
        state.owner = owner;
        state.ending = None;
        (state.beat, state.beating) = (false, false);
        drop(state);
        self.task.wake();
        true
    }

    /// Records that connection `owner` is gone. Returns false if another one has taken over.
    pub fn detach(&self, owner: u64) -> bool {
        let mut state = self.state.lock();
        if state.owner != owner {
            return false;
        }
        state.owner = 0;
        true
    }

    /// Returns whether the session can be resumed, because nothing was lost.
    pub fn can_resume(&self) -> bool {
        !self.state.lock().is_over()
    }

    /// Returns whether a connection is attached.
    pub fn is_attached(&self) -> bool {
        self.state.lock().owner != 0
    }

    /// Requests a ping from the connection.
    pub fn beat(&self) {
        self.state.lock().beat = true;
        self.task.wake();
    }

    /// Tells the client when to reconnect, after everything that waits.
    pub fn announce(&self, retry_ms: u64) {
        self.state.lock().announce = Some(retry_ms);
        self.task.wake();
    }

    /// Requests the end of the connection.
    pub fn end(&self, ending: EndRequest) {
        self.state.lock().ending.get_or_insert(ending);
        self.task.wake();
    }

    fn discard_first(&self, state: &mut Queue) {
        let Some(length) = state.frame_length(0) else { return };
        state.frames.drain(..length.min(state.frames.len()));
        self.bounds.remove(length);
        state.first += 1;
        state.senders.forget_before(state.first);
        if state.written > 0 {
            state.written -= 1;
            state.written_bytes -= length;
        } else {
            state.waiting -= 1;
        }
    }

    fn clear(&self, state: &mut Queue) {
        self.bounds.remove(state.frames.len());
        state.first += (state.written + state.waiting) as u64;
        state.frames = VecDeque::new();
        state.senders.forget_before(state.first);
        (state.written, state.written_bytes, state.waiting, state.begun) = (0, 0, 0, 0);
    }
}

/// An outbox as one connection writes it.
#[derive(Debug)]
pub struct Writer<'a> {
    outbox: &'a Outbox,
    owner: u64,
}

impl FrameSource for Writer<'_> {
    fn copy_waiting(&mut self, buffer: &mut ReadBuf<'_>) {
        self.outbox.copy_waiting(self.owner, buffer);
    }

    fn advance(&mut self, bytes: usize) -> Written {
        self.outbox.wrote(self.owner, bytes)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        self.clear(&mut state);
    }
}

#[cfg(test)]
pub mod tests;
