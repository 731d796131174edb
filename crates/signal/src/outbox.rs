//! What waits for one client: numbered, bounded, and kept until it has surely arrived, so that a session can be resumed
//! without loss or duplicate.
//!
//! Messages go through three states: waiting, written, acknowledged. The server's ping carries the number of the last
//! message written; its pong proves that everything up to there arrived, and only then is it forgotten.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use peersync_websocket::{FrameSource, Written, text_frame_header};
use tokio::io::ReadBuf;

use crate::bounds::Bounds;

/// Where the share of the bounds that is kept exceeds one of so many, the client is asked what has arrived.
const MANY: usize = 8;

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndRequest {
    /// The server goes down.
    Restart,
    /// Nothing was heard for too long.
    Dead,
    /// Its queue is full.
    TooSlow,
    /// The session is over: its user came back without resuming.
    Over,
}

/// What the connection has to do next.
#[derive(Debug, PartialEq)]
pub enum Work {
    /// Messages wait.
    Write,
    /// Send a ping with this number.
    Beat(u64),
    /// Tell the client to come back after so many milliseconds.
    Announce(u64),
    /// Close.
    End(EndRequest),
    /// Another connection has the session now.
    Replaced,
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
    /// Frames as they go over the wire: first those that were written and are kept, then those that wait.
    frames: VecDeque<u8>,
    /// Number of the first message.
    first: u64,
    /// How many were written to their end, and their bytes.
    written: usize,
    written_bytes: usize,
    /// How many wait.
    waiting: usize,
    /// Bytes of the first waiting frame that were written.
    begun: usize,
    /// The connection that writes; 0 for none.
    owner: u64,
    beat: bool,
    /// A ping is under way: no second one only because much is kept.
    beating: bool,
    announce: Option<u64>,
    ending: Option<EndRequest>,
}

impl Queue {
    fn is_over(&self) -> bool {
        matches!(self.ending, Some(EndRequest::TooSlow | EndRequest::Over))
    }

    /// Length of the frame that begins at this byte.
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
    /// Empty, and written by connection `owner`.
    pub fn new(bounds: Arc<Bounds>, owner: u64) -> Self {
        let state = Queue {
            frames: VecDeque::new(),
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

    /// Appends a message, given as pieces of a JSON object's inside up to and with its closing brace.
    pub fn push(&self, pieces: &[&str]) {
        let mut state = self.state.lock();
        if state.ending == Some(EndRequest::TooSlow) {
            return;
        }
        let number = state.first + (state.written + state.waiting) as u64;
        let bytes = append(&mut state.frames, number, pieces);
        let allowed = self.bounds.add(bytes);
        state.waiting += 1;
        if state.waiting > self.bounds.messages || state.frames.len() - state.written_bytes > allowed {
            self.clear(&mut state);
            state.ending = Some(EndRequest::TooSlow);
        }
        drop(state);
        self.task.wake();
    }

    /// What `owner` has to do, or waits until there is something.
    pub fn poll_work(&self, context: &mut Context<'_>, owner: u64) -> Poll<Work> {
        self.task.register(context.waker());
        let mut state = self.state.lock();
        if state.owner != owner {
            return Poll::Ready(Work::Replaced);
        }
        match state.ending {
            Some(ending @ (EndRequest::TooSlow | EndRequest::Dead | EndRequest::Over)) => {
                return Poll::Ready(Work::End(ending));
            }
            Some(EndRequest::Restart) | None => {}
        }
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

    /// Returns what waits as connection `owner` writes it: nothing once another connection has the session.
    pub fn writer(&self, owner: u64) -> Writer<'_> {
        Writer { outbox: self, owner }
    }

    /// What waits, as far as it has room, for connection `owner` to write.
    fn copy_waiting(&self, owner: u64, room: &mut ReadBuf<'_>) {
        let state = self.state.lock();
        if state.owner != owner {
            return;
        }
        let mut skip = state.written_bytes + state.begun;
        let (front, back) = state.frames.as_slices();
        for part in [front, back] {
            let bytes = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            room.put_slice(bytes.get(..room.remaining()).unwrap_or(bytes));
        }
    }

    /// Connection `owner` has written so many bytes.
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
        // Beyond the bound the oldest are forgotten; a client that did not see them cannot resume.
        while state.written_bytes > self.bounds.kept || state.written > self.bounds.messages {
            self.forget_first(&mut state);
        }
        if state.written_bytes > self.bounds.kept / MANY || state.written > self.bounds.messages / MANY {
            state.beat |= !state.beating;
        }
        Written { whole: state.begun == 0, more: state.waiting > 0 }
    }

    /// The client has everything up to this number.
    pub fn acknowledged(&self, number: u64) {
        let mut state = self.state.lock();
        state.beating = false;
        while state.written > 0 && state.first <= number {
            self.forget_first(&mut state);
        }
        shrink(&mut state.frames);
    }

    /// Hands the session to connection `owner`, which has seen the messages up to `seen`. False if some are missing.
    pub fn resume(&self, owner: u64, seen: Option<u64>) -> bool {
        let mut state = self.state.lock();
        if state.is_over() {
            return false;
        }
        // What the connection before has begun to write begins anew.
        state.begun = 0;
        if let Some(seen) = seen {
            let next = state.first + (state.written + state.waiting) as u64;
            if seen.saturating_add(1) < state.first || seen >= next {
                return false;
            }
            while state.first <= seen {
                self.forget_first(&mut state);
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

    /// Connection `owner` is gone. False if another one has taken over.
    pub fn detach(&self, owner: u64) -> bool {
        let mut state = self.state.lock();
        if state.owner != owner {
            return false;
        }
        state.owner = 0;
        true
    }

    /// Whether nothing was lost so far.
    pub fn can_resume(&self) -> bool {
        !self.state.lock().is_over()
    }

    /// Whether a connection has it.
    pub fn is_attached(&self) -> bool {
        self.state.lock().owner != 0
    }

    /// Asks the connection for a ping.
    pub fn beat(&self) {
        self.state.lock().beat = true;
        self.task.wake();
    }

    /// Tells the client when to come back, after what waits.
    pub fn announce(&self, retry_ms: u64) {
        self.state.lock().announce = Some(retry_ms);
        self.task.wake();
    }

    /// Closes the connection.
    pub fn end(&self, ending: EndRequest) {
        self.state.lock().ending.get_or_insert(ending);
        self.task.wake();
    }

    fn forget_first(&self, state: &mut Queue) {
        let Some(length) = state.frame_length(0) else { return };
        state.frames.drain(..length.min(state.frames.len()));
        self.bounds.remove(length);
        state.first += 1;
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

/// Appends a text frame with `{"seq":7,` and the pieces; how many bytes it has.
fn append(frames: &mut VecDeque<u8>, number: u64, pieces: &[&str]) -> usize {
    const LONGEST: usize = r#"{"seq":18446744073709551615,"#.len();
    let mut start = [0; LONGEST];
    let mut rest = start.as_mut_slice();
    // It is long enough for the largest number.
    let _ = write!(rest, r#"{{"seq":{number},"#);
    let unused = rest.len();
    let start = start.get(..LONGEST - unused).unwrap_or_default();
    let payload = start.len() + pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let (head, size) = text_frame_header(payload);
    frames.reserve(size + payload);
    frames.extend(head.iter().take(size));
    frames.extend(start);
    pieces.iter().for_each(|piece| frames.extend(piece.as_bytes()));
    size + payload
}

/// An idle client keeps no buffer of its busy time.
fn shrink(frames: &mut VecDeque<u8>) {
    if frames.is_empty() && frames.capacity() > 0 {
        *frames = VecDeque::new();
    }
}

#[cfg(test)]
pub mod tests;
