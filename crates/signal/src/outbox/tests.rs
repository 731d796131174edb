//! Messages with and without a connection.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
use futures::task::noop_waker;

use super::*;
use crate::addresses::{Account, Addresses};
use crate::ids::PeerId;
use crate::limits::{Limits, SenderLimits};

fn outbox(limits: &Limits) -> Outbox {
    Outbox::new(Bounds::new(limits), 1)
}

fn work(outbox: &Outbox, owner: u64) -> Option<Work> {
    match outbox.poll_work(&mut Context::from_waker(&noop_waker()), owner) {
        Poll::Ready(work) => Some(work),
        Poll::Pending => None,
    }
}

/// The bytes that wait for connection `owner`.
fn waiting(outbox: &Outbox, owner: u64) -> Vec<u8> {
    let mut storage = vec![0; 1 << 20];
    let mut room = ReadBuf::new(&mut storage);
    outbox.copy_waiting(owner, &mut room);
    room.filled().to_vec()
}

/// The texts in these frames.
fn texts(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [0x81, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
            127 => (usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(), &rest[8..]),
            short => (usize::from(*short), rest),
        };
        let (text, rest) = rest.split_at(length);
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "no frame of a text: {bytes:?}");
    texts
}

/// The texts that wait for connection `owner`.
pub fn waiting_texts(outbox: &Outbox, owner: u64) -> Vec<String> {
    texts(&waiting(outbox, owner))
}

/// Lets connection `owner` write everything that waits.
pub fn write_all(outbox: &Outbox, owner: u64) -> Vec<String> {
    let bytes = waiting(outbox, owner);
    assert_eq!(outbox.wrote(owner, bytes.len()), Written { whole: true, more: false }, "frames end where the bytes do");
    texts(&bytes)
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
fn resume_sends_exactly_what_was_not_seen() {
    for (seen, rest) in [(Some(0), "abcd"), (Some(1), "bcd"), (Some(2), "cd"), (None, "cd"), (Some(4), "")] {
        let outbox = outbox(&Limits::default());
        push(&outbox, "ab");
        write_all(&outbox, 1);
        assert!(outbox.detach(1));
        push(&outbox, "cd");
        assert!(outbox.resume(2, seen), "{seen:?}");
        assert_eq!(work(&outbox, 1), Some(Work::End(EndRequest::Over)));
        assert!(waiting(&outbox, 1).is_empty());
        assert_eq!(names(&write_all(&outbox, 2)), rest, "{seen:?}");
    }
}

#[test]
fn acknowledged_messages_are_discarded_and_cannot_be_resumed() {
    let outbox = outbox(&Limits::default());
    push(&outbox, "abc");
    write_all(&outbox, 1);
    outbox.beat();
    assert_eq!(work(&outbox, 1), Some(Work::Beat(3)));
    outbox.acknowledged(2);
    assert!(!outbox.resume(2, Some(1)), "b was discarded");
    assert!(!outbox.resume(2, Some(4)), "not sent yet");
    assert!(!outbox.resume(2, Some(u64::MAX)), "never sent");
    assert!(outbox.resume(2, Some(2)));
    assert_eq!(names(&write_all(&outbox, 2)), "c");
    outbox.acknowledged(u64::MAX);
    assert_eq!(outbox.bounds.used(), 0);
}

#[test]
fn pong_does_not_acknowledge_unwritten_messages() {
    let outbox = outbox(&Limits::default());
    push(&outbox, "ab");
    outbox.acknowledged(u64::MAX);
    assert_eq!(names(&write_all(&outbox, 1)), "ab");
}

#[test]
fn full_queue_ends_the_session_and_frees_its_memory() {
    let outbox = outbox(&Limits { queue_messages: 3, ..Limits::default() });
    push(&outbox, "abc");
    assert_eq!(work(&outbox, 1), Some(Work::Write));
    push(&outbox, "d");
    assert_eq!(work(&outbox, 1), Some(Work::End(EndRequest::TooSlow)));
    push(&outbox, "e");
    assert_eq!(outbox.bounds.used(), 0);
    assert!(!outbox.resume(2, None));
}

#[test]
fn bytes_are_bounded_per_outbox_and_in_total() {
    let limits = Limits { queue_bytes: 320, all_queues_bytes: 300, ..Limits::default() };
    let bounds = Bounds::new(&limits);
    let (first, second) = (Outbox::new(Arc::clone(&bounds), 1), Outbox::new(Arc::clone(&bounds), 1));
    let text = "x".repeat(280);
    first.push(&[&text]);
    assert_eq!(work(&first, 1), Some(Work::Write));
    second.push(&[&text]);
    assert_eq!(work(&second, 1), Some(Work::End(EndRequest::TooSlow)), "the total is exceeded");
    first.push(&[&text]);
    assert_eq!(work(&first, 1), Some(Work::End(EndRequest::TooSlow)));
    drop(first);
    assert_eq!(bounds.used(), 0);
}

#[test]
fn many_unacknowledged_messages_cause_an_early_ping_and_are_bounded() {
    let outbox = outbox(&Limits { queue_messages: 16, ..Limits::default() });
    let write = |names| {
        push(&outbox, names);
        write_all(&outbox, 1);
    };
    write("ab");
    assert_eq!(work(&outbox, 1), None);
    write("c");
    assert_eq!(work(&outbox, 1), Some(Work::Beat(3)));
    write(&"x".repeat(14));
    assert_eq!(work(&outbox, 1), None, "one ping is enough");
    assert!(!outbox.resume(2, Some(0)));
    assert!(outbox.resume(2, Some(1)));
}

#[test]
fn half_written_frame_is_sent_completely_to_the_next_connection() {
    let outbox = outbox(&Limits::default());
    push(&outbox, "ab");
    let first = waiting(&outbox, 1);
    let length = first.len() / 2;
    assert_eq!(outbox.wrote(1, length), Written { whole: true, more: true }, "the first message, completely");
    assert_eq!(outbox.wrote(1, 3), Written { whole: false, more: true });
    assert_eq!(waiting(&outbox, 1), first[length + 3..]);
    assert_eq!(work(&outbox, 1), Some(Work::Write));
    assert!(outbox.resume(2, None));
    assert_eq!(names(&write_all(&outbox, 2)), "b");
    assert!(!outbox.wrote(1, 5).more, "the old connection writes nothing more");
}

#[test]
fn messages_of_all_lengths_are_framed() {
    let outbox = outbox(&Limits::default());
    for length in [50, 110, 111, 115, 120, 1000, 65_500, 65_536, 70_000] {
        let text = "x".repeat(length);
        outbox.push(&["\"n\":\"", &text, "\"}"]);
        let [written] = write_all(&outbox, 1).try_into().unwrap();
        assert!(written.ends_with(&format!("\"n\":\"{text}\"}}")) && written.starts_with("{\"seq\":"), "{length}");
    }
    outbox.acknowledged(u64::MAX);
    assert_eq!(outbox.bounds.used(), 0);
}

#[test]
fn announcement_comes_after_waiting_messages_and_before_the_end() {
    let outbox = outbox(&Limits::default());
    outbox.announce(700);
    outbox.end(EndRequest::Restart);
    push(&outbox, "a");
    assert_eq!(work(&outbox, 1), Some(Work::Write));
    write_all(&outbox, 1);
    assert_eq!(work(&outbox, 1), Some(Work::Announce(700)));
    assert_eq!(work(&outbox, 1), Some(Work::End(EndRequest::Restart)));
}

/// A sender from this IPv4 address.
fn sender(addresses: &Addresses, host: u8) -> (PeerId, Arc<Account>) {
    (PeerId::random(), addresses.account([192, 0, 2, host].into()))
}

/// Sends signals of this size until one is refused. Returns how many passed.
fn fill(outbox: &Outbox, (peer, account): &(PeerId, Arc<Account>), size: usize) -> usize {
    let text = "x".repeat(size);
    (0..10_000).take_while(|_| outbox.push_from(Sender { peer: *peer, account }, &[&text])).count()
}

#[test]
fn sender_beyond_its_share_is_refused_and_the_receiver_stays() {
    let (outbox, addresses) = (outbox(&Limits::default()), Addresses::default());
    let (eve, bob) = (sender(&addresses, 1), sender(&addresses, 2));
    // Two of the largest messages, or 256 small ones, whether they wait or are written.
    assert_eq!(fill(&outbox, &eve, 60_000), 2);
    write_all(&outbox, 1);
    assert_eq!(fill(&outbox, &eve, 60_000), 0, "not confirmed");
    assert_eq!(fill(&outbox, &bob, 10), 256);
    outbox.acknowledged(2);
    assert_eq!(fill(&outbox, &eve, 60_000), 2);
    push(&outbox, "a");
    assert_eq!(work(&outbox, 1), Some(Work::Write));
    assert!(outbox.resume(2, Some(2)), "nothing is lost");
}

#[test]
fn network_of_a_sender_has_half_of_the_place_whatever_sessions_it_has() {
    let (outbox, addresses) = (outbox(&Limits::default()), Addresses::default());
    let passed: usize = (0..10).map(|_| fill(&outbox, &sender(&addresses, 1), 60_000)).sum();
    assert_eq!(passed, 4);
    let others: usize = (2..20).map(|host| fill(&outbox, &sender(&addresses, host), 13_000)).sum();
    assert!(others >= 7, "every other member of a room still sends an offer: {others}");
    for _ in 0..200 {
        push(&outbox, "a");
    }
    assert_eq!(work(&outbox, 1), Some(Work::Write), "the server's own messages have place beyond that");
}

#[test]
fn memory_for_signals_that_is_used_up_costs_the_networks_that_use_most() {
    let limits = Limits { all_queues_bytes: 4 << 20, ..Limits::default() };
    let limits = Limits { senders: SenderLimits { network_in_all_queues: 1 << 20, ..limits.senders }, ..limits };
    let (bounds, addresses) = (Bounds::new(&limits), Addresses::default());
    let outboxes: Vec<_> = (0..200).map(|_| Outbox::new(Arc::clone(&bounds), 1)).collect();
    // One attacker with as many sessions as it likes, to as many others.
    outboxes.iter().for_each(|outbox| _ = fill(outbox, &sender(&addresses, 1), 60_000));
    assert!(bounds.used() <= limits.all_queues_bytes / 2 + 120_000, "{}", bounds.used());
    let fresh = Outbox::new(Arc::clone(&bounds), 1);
    assert!(fill(&fresh, &sender(&addresses, 2), 13_000) > 7, "another network has its share");
    drop(fresh);
    // A hundred of them.
    for host in 2..=255 {
        outboxes.iter().for_each(|outbox| _ = fill(outbox, &sender(&addresses, host), 60_000));
    }
    assert!(bounds.used() <= limits.all_queues_bytes + 120_000, "{}", bounds.used());
    let fresh = Outbox::new(Arc::clone(&bounds), 1);
    assert_eq!(fill(&fresh, &sender(&addresses, 3), 13_000), 1, "an offer still gets through");
    for _ in 0..200 {
        push(&fresh, "a");
    }
    assert_eq!(work(&fresh, 1), Some(Work::Write));
    drop((outboxes, fresh));
    assert_eq!(bounds.used(), 0);
    assert!(addresses.account([192, 0, 2, 1].into()).may_queue(1 << 20, 1 << 20), "the accounts are settled");
}
