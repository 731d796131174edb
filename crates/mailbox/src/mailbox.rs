//! The received messages, in memory, the newest last.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use tokio::sync::watch;

/// The maximum number of kept messages; the oldest are dropped first. Enough for a long day, and at most 100 MB.
const KEPT: usize = 500;

/// One message, for one or more recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The number in this run, from 1.
    pub id: u64,
    /// The recipients of the envelope, separated by a comma and a space.
    pub to: String,
    /// The sender as named in the message.
    pub from: String,
    /// The subject, decoded.
    pub subject: String,
    /// The plain text; empty if the message has none.
    pub text: String,
    /// The HTML; empty if the message has none.
    pub html: String,
    /// The time of reception, RFC 3339 in UTC with milliseconds.
    pub received_at: String,
}

/// The mailbox of the whole run.
#[derive(Debug)]
pub struct Mailbox {
    messages: Mutex<VecDeque<Message>>,
    /// Counts changes; the pages listen to it.
    changes: watch::Sender<u64>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { messages: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Mailbox {
    /// Adds a message and assigns the next number to it.
    pub fn add(&self, mut message: Message) {
        {
            let mut messages = self.lock();
            message.id = self.changes.borrow().saturating_add(1);
            messages.push_back(message);
            while messages.len() > KEPT {
                messages.pop_front();
            }
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Returns all messages, the newest last.
    pub fn all(&self) -> Vec<Message> {
        self.lock().iter().cloned().collect()
    }

    /// Returns the message with this number.
    pub fn find(&self, id: u64) -> Option<Message> {
        self.lock().iter().find(|message| message.id == id).cloned()
    }

    /// Deletes all messages.
    pub fn clear(&self) {
        let mut messages = self.lock();
        messages.clear();
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Returns a receiver that is notified of every change from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.messages.lock()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic here fails the test")]
    use super::*;

    fn message(subject: &str) -> Message {
        Message {
            id: 0,
            to: "ann@example.org".into(),
            from: String::new(),
            subject: subject.into(),
            text: String::new(),
            html: String::new(),
            received_at: String::new(),
        }
    }

    #[test]
    fn messages_are_ordered_and_numbered() {
        let mailbox = Mailbox::default();
        let mut changes = mailbox.changes();
        mailbox.add(message("first"));
        mailbox.add(message("second"));
        let all = mailbox.all();
        assert_eq!((all[0].subject.as_str(), all[1].subject.as_str()), ("first", "second"));
        assert_eq!(mailbox.find(all[1].id).unwrap().subject, "second");
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        mailbox.clear();
        assert!(changes.has_changed().unwrap());
        mailbox.add(message("third"));
        assert!(mailbox.all()[0].id > all[1].id, "a number is never used twice");
    }

    #[test]
    fn oldest_messages_are_dropped_first() {
        let mailbox = Mailbox::default();
        for number in 0..KEPT + 3 {
            mailbox.add(message(&number.to_string()));
        }
        let all = mailbox.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0].subject, "3");
    }
}
