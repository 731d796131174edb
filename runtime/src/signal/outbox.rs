//! What waits for one client: numbered, bounded, and kept until it has surely arrived, so that a session can be resumed
//! without loss or duplicate.
//!
//! Messages go through three states: waiting, written, acknowledged. The server's ping carries the number of the last
//! message written; its pong proves that everything up to there arrived, and only then is it forgotten.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::extract::ws::Utf8Bytes;
use futures::task::AtomicWaker;

use super::limits::Limits;
use super::lock;

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
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
    End(Ending),
    /// Another connection has the session now.
    Replaced,
}

/// A session's messages to its client.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    /// The connection's task.
    task: AtomicWaker,
    bounds: Arc<Bounds>,
}

/// What all outboxes share.
#[derive(Debug)]
pub struct Bounds {
    messages: usize,
    bytes: usize,
    kept: usize,
    all: usize,
    /// Bytes in all outboxes.
    used: AtomicUsize,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Utf8Bytes>,
    /// Number of the first message.
    first: u64,
    /// How many from the front were written.
    written: usize,
    waiting_bytes: usize,
    kept_bytes: usize,
    /// The connection that writes; 0 for none.
    owner: u64,
    beat: bool,
    /// A ping is under way: no second one only because much is kept.
    beating: bool,
    announce: Option<u64>,
    ending: Option<Ending>,
}

impl Bounds {
    /// As the limits say.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            messages: limits.queue_messages,
            bytes: limits.queue_bytes,
            kept: limits.kept_bytes,
            all: limits.all_queues_bytes,
            used: AtomicUsize::new(0),
        })
    }

    /// Bytes in all outboxes.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl State {
    fn is_over(&self) -> bool {
        matches!(self.ending, Some(Ending::TooSlow | Ending::Over))
    }
}

impl Outbox {
    /// Empty, and written by connection `owner`.
    pub fn new(bounds: Arc<Bounds>, owner: u64) -> Self {
        let state = State {
            messages: VecDeque::new(),
            first: 1,
            written: 0,
            waiting_bytes: 0,
            kept_bytes: 0,
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
        let mut state = lock(&self.state);
        if state.ending == Some(Ending::TooSlow) {
            return;
        }
        let text = numbered(state.first + state.messages.len() as u64, pieces);
        let bytes = text.len();
        let waiting = state.messages.len() - state.written;
        let all = self.bounds.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        state.messages.push_back(text);
        state.waiting_bytes += bytes;
        // Where all outboxes together have too much, those with more than a small share give way.
        let allowed = if all > self.bounds.all { self.bounds.bytes / 32 } else { self.bounds.bytes };
        if waiting >= self.bounds.messages || state.waiting_bytes > allowed {
            self.clear(&mut state);
            state.ending = Some(Ending::TooSlow);
        }
        drop(state);
        self.task.wake();
    }

    /// What `owner` has to do, or waits until there is something.
    pub fn poll_work(&self, context: &mut Context<'_>, owner: u64) -> Poll<Work> {
        self.task.register(context.waker());
        let mut state = lock(&self.state);
        if state.owner != owner {
            return Poll::Ready(Work::Replaced);
        }
        match state.ending {
            Some(ending @ (Ending::TooSlow | Ending::Dead | Ending::Over)) => return Poll::Ready(Work::End(ending)),
            Some(Ending::Restart) | None => {}
        }
        if state.messages.len() > state.written {
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

    /// The waiting message after `ahead` others, for connection `owner` to write.
    pub fn waiting(&self, owner: u64, ahead: usize) -> Option<Utf8Bytes> {
        let state = lock(&self.state);
        if state.owner != owner { None } else { state.messages.get(state.written + ahead).cloned() }
    }

    /// Connection `owner` has written so many.
    pub fn wrote(&self, owner: u64, count: usize) {
        let mut state = lock(&self.state);
        if state.owner != owner {
            return;
        }
        let start = state.written.min(state.messages.len());
        let bytes: usize = state.messages.range(start..).take(count).map(|text| text.len()).sum();
        state.written = (start + count).min(state.messages.len());
        state.waiting_bytes -= bytes;
        state.kept_bytes += bytes;
        // Beyond the bound the oldest are forgotten; a client that did not see them cannot resume.
        while state.kept_bytes > self.bounds.kept || state.written > self.bounds.messages {
            self.forget_first(&mut state);
        }
        if state.kept_bytes > self.bounds.kept / 2 || state.written > self.bounds.messages / 2 {
            state.beat |= !state.beating;
        }
    }

    /// The client has everything up to this number.
    pub fn acknowledged(&self, number: u64) {
        let mut state = lock(&self.state);
        state.beating = false;
        while state.written > 0 && state.first <= number {
            self.forget_first(&mut state);
        }
        shrink(&mut state.messages);
    }

    /// Hands the session to connection `owner`, which has seen the messages up to `seen`. False if some are missing.
    pub fn resume(&self, owner: u64, seen: Option<u64>) -> bool {
        let mut state = lock(&self.state);
        if state.is_over() {
            return false;
        }
        if let Some(seen) = seen {
            if seen + 1 < state.first || seen >= state.first + state.messages.len() as u64 {
                return false;
            }
            while state.first <= seen {
                self.forget_first(&mut state);
            }
            state.written = 0;
            state.waiting_bytes += std::mem::take(&mut state.kept_bytes);
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
        let mut state = lock(&self.state);
        if state.owner != owner {
            return false;
        }
        state.owner = 0;
        true
    }

    /// Whether nothing was lost so far.
    pub fn can_resume(&self) -> bool {
        !lock(&self.state).is_over()
    }

    /// Whether a connection has it.
    pub fn is_attached(&self) -> bool {
        lock(&self.state).owner != 0
    }

    /// Asks the connection for a ping.
    pub fn beat(&self) {
        lock(&self.state).beat = true;
        self.task.wake();
    }

    /// Tells the client when to come back, after what waits.
    pub fn announce(&self, retry_ms: u64) {
        lock(&self.state).announce = Some(retry_ms);
        self.task.wake();
    }

    /// Closes the connection.
    pub fn end(&self, ending: Ending) {
        lock(&self.state).ending.get_or_insert(ending);
        self.task.wake();
    }

    fn forget_first(&self, state: &mut State) {
        let Some(text) = state.messages.pop_front() else { return };
        self.bounds.used.fetch_sub(text.len(), Ordering::Relaxed);
        state.first += 1;
        if state.written > 0 {
            state.written -= 1;
            state.kept_bytes -= text.len();
        } else {
            state.waiting_bytes -= text.len();
        }
    }

    fn clear(&self, state: &mut State) {
        while !state.messages.is_empty() {
            self.forget_first(state);
        }
        shrink(&mut state.messages);
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        self.clear(&mut state);
    }
}

/// `{"seq":7,` and the pieces, in one allocation.
fn numbered(number: u64, pieces: &[&str]) -> Utf8Bytes {
    use std::fmt::Write as _;
    const HEAD: usize = r#"{"seq":18446744073709551615,"#.len();
    let mut text = String::with_capacity(HEAD + pieces.iter().map(|piece| piece.len()).sum::<usize>());
    // Writing into a string has no way to fail.
    let _ = write!(text, r#"{{"seq":{number},"#);
    pieces.iter().for_each(|piece| text.push_str(piece));
    text.into()
}

/// An idle client keeps no buffer of its busy time.
fn shrink(messages: &mut VecDeque<Utf8Bytes>) {
    if messages.is_empty() && messages.capacity() > 0 {
        *messages = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use futures::task::noop_waker;

    use super::*;

    fn outbox(limits: &Limits) -> Outbox {
        Outbox::new(Bounds::new(limits), 1)
    }

    fn work(outbox: &Outbox, owner: u64) -> Option<Work> {
        match outbox.poll_work(&mut Context::from_waker(&noop_waker()), owner) {
            Poll::Ready(work) => Some(work),
            Poll::Pending => None,
        }
    }

    fn write_all(outbox: &Outbox, owner: u64) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(text) = outbox.waiting(owner, texts.len()) {
            texts.push(text.to_string());
        }
        outbox.wrote(owner, texts.len());
        texts
    }

    fn push(outbox: &Outbox, names: &str) {
        names.chars().for_each(|name| outbox.push(&["\"n\":\"", &name.to_string(), "\"}"]));
    }

    fn names(texts: &[String]) -> String {
        texts.iter().map(|text| text.split('"').nth(5).unwrap()).collect()
    }

    #[test]
    fn messages_are_numbered_from_one() {
        let outbox = outbox(&Limits::default());
        assert_eq!(work(&outbox, 1), None);
        push(&outbox, "ab");
        assert_eq!(work(&outbox, 1), Some(Work::Write));
        assert_eq!(write_all(&outbox, 1), [r#"{"seq":1,"n":"a"}"#, r#"{"seq":2,"n":"b"}"#]);
        assert_eq!(work(&outbox, 1), None);
    }

    #[test]
    fn a_resume_sends_what_was_not_seen_and_nothing_else() {
        for (seen, rest) in [(Some(0), "abcd"), (Some(1), "bcd"), (Some(2), "cd"), (None, "cd"), (Some(4), "")] {
            let outbox = outbox(&Limits::default());
            push(&outbox, "ab");
            write_all(&outbox, 1);
            assert!(outbox.detach(1));
            push(&outbox, "cd");
            assert!(outbox.resume(2, seen), "{seen:?}");
            assert_eq!(work(&outbox, 1), Some(Work::Replaced));
            assert!(outbox.waiting(1, 0).is_none());
            assert_eq!(names(&write_all(&outbox, 2)), rest, "{seen:?}");
        }
    }

    #[test]
    fn what_is_acknowledged_is_forgotten_and_cannot_be_resumed() {
        let outbox = outbox(&Limits::default());
        push(&outbox, "abc");
        write_all(&outbox, 1);
        outbox.beat();
        assert_eq!(work(&outbox, 1), Some(Work::Beat(3)));
        outbox.acknowledged(2);
        assert!(!outbox.resume(2, Some(1)), "b is gone");
        assert!(!outbox.resume(2, Some(4)), "nobody has seen that yet");
        assert!(outbox.resume(2, Some(2)));
        assert_eq!(names(&write_all(&outbox, 2)), "c");
        outbox.acknowledged(u64::MAX);
        assert_eq!(outbox.bounds.used(), 0);
    }

    #[test]
    fn a_pong_acknowledges_nothing_that_was_not_written() {
        let outbox = outbox(&Limits::default());
        push(&outbox, "ab");
        outbox.acknowledged(u64::MAX);
        assert_eq!(names(&write_all(&outbox, 1)), "ab");
    }

    #[test]
    fn a_full_queue_ends_the_session_and_frees_its_memory() {
        let outbox = outbox(&Limits { queue_messages: 3, ..Limits::default() });
        push(&outbox, "abc");
        assert_eq!(work(&outbox, 1), Some(Work::Write));
        push(&outbox, "d");
        assert_eq!(work(&outbox, 1), Some(Work::End(Ending::TooSlow)));
        push(&outbox, "e");
        assert_eq!(outbox.bounds.used(), 0);
        assert!(!outbox.resume(2, None));
    }

    #[test]
    fn bytes_are_bounded_for_one_and_for_all() {
        let limits = Limits { queue_bytes: 320, all_queues_bytes: 400, ..Limits::default() };
        let bounds = Bounds::new(&limits);
        let (first, second) = (Outbox::new(Arc::clone(&bounds), 1), Outbox::new(Arc::clone(&bounds), 1));
        let text = "x".repeat(280);
        first.push(&[&text]);
        assert_eq!(work(&first, 1), Some(Work::Write));
        second.push(&[&text]);
        assert_eq!(work(&second, 1), Some(Work::End(Ending::TooSlow)), "together they have too much");
        first.push(&[&text]);
        assert_eq!(work(&first, 1), Some(Work::End(Ending::TooSlow)));
        drop(first);
        assert_eq!(bounds.used(), 0);
    }

    #[test]
    fn much_that_is_kept_asks_for_a_pong_early_and_is_bounded() {
        let outbox = outbox(&Limits { queue_messages: 4, ..Limits::default() });
        for _ in 0..3 {
            push(&outbox, "a");
            write_all(&outbox, 1);
        }
        assert_eq!(work(&outbox, 1), Some(Work::Beat(3)));
        for _ in 0..3 {
            push(&outbox, "a");
            write_all(&outbox, 1);
        }
        assert_eq!(work(&outbox, 1), None, "one ping is enough");
        assert!(!outbox.resume(2, Some(1)));
        assert!(outbox.resume(2, Some(2)));
    }

    #[test]
    fn the_announcement_comes_after_what_waits_and_before_the_end() {
        let outbox = outbox(&Limits::default());
        outbox.announce(700);
        outbox.end(Ending::Restart);
        push(&outbox, "a");
        assert_eq!(work(&outbox, 1), Some(Work::Write));
        write_all(&outbox, 1);
        assert_eq!(work(&outbox, 1), Some(Work::Announce(700)));
        assert_eq!(work(&outbox, 1), Some(Work::End(Ending::Restart)));
    }
}
