//! Frames of clients, good and bad, whole and cut.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 65_536;

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let (mut head, size) = head_of(first, payload.len());
    head[1] |= 0x80;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    head[..size].iter().copied().chain(mask).chain(payload).collect()
}

/// All that these bytes say, in the words of `Debug`, or why they are refused.
fn said(mut bytes: Vec<u8>) -> Result<Vec<String>, Broken> {
    let (mut assembly, mut rest, mut said) = (Assembly::default(), bytes.as_mut_slice(), Vec::new());
    while let Some((length, frame)) = assembly.take(rest, LIMIT)? {
        said.extend(frame.map(|frame| format!("{frame:?}")));
        rest = &mut rest[length..];
    }
    Ok(said)
}

#[test]
fn lengths_of_all_sizes_are_read_and_written() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let text = "x".repeat(length);
        assert_eq!(said(masked(0x81, text.as_bytes())), Ok(vec![format!("Text({text:?})")]));
        let (head, size) = text_head(length);
        let frame = text_frame(&text);
        assert_eq!((&frame[..size], frame.len()), (&head[..size], size + length));
    }
}

#[test]
fn a_part_of_a_frame_is_left_as_it_is() {
    let whole = masked(0x81, &[b'y'; 300]);
    for length in 0..whole.len() {
        let mut part = whole[..length].to_vec();
        assert_eq!(Assembly::default().take(&mut part, LIMIT), Ok(None), "{length}");
        assert_eq!(part, whole[..length]);
    }
}

#[test]
fn fragments_are_put_together_with_pings_between() {
    let sent = [
        masked(0x01, "grü".as_bytes()),
        masked(0x89, b"here?"),
        masked(0x00, b""),
        // A character may be cut in two.
        masked(0x00, &"ßt".as_bytes()[..1]),
        masked(0x80, &"ßt".as_bytes()[1..]),
        masked(0x02, b"a"),
        masked(0x80, b"b"),
        masked(0x81, b"again"),
    ];
    let pong = format!("Ping({:?})", b"here?");
    assert_eq!(
        said(sent.concat()),
        Ok(vec![pong, "Text(\"grüßt\")".into(), "Binary".into(), "Text(\"again\")".into()])
    );
}

#[test]
fn what_must_not_be_is_refused() {
    for (what, bytes) in [
        ("no mask", vec![0x81, 0x01, b'x']),
        ("compressed", masked(0xc1, b"x")),
        ("an unknown kind", masked(0x83, b"x")),
        ("an unknown control frame", masked(0x8b, b"x")),
        ("a ping in fragments", masked(0x09, b"x")),
        ("a long ping", masked(0x89, &[0; 126])),
        ("a continuation of nothing", masked(0x80, b"x")),
        ("a text within a text", [masked(0x01, b"x"), masked(0x81, b"y")].concat()),
        ("half a code", masked(0x88, &[3])),
        ("a code that is never sent", masked(0x88, &1005_u16.to_be_bytes())),
        ("a code of nobody", masked(0x88, &999_u16.to_be_bytes())),
    ] {
        assert_eq!(said(bytes), Err(Broken::Protocol), "{what}");
    }
    assert_eq!(said(masked(0x81, b"\xff")), Err(Broken::NotUtf8));
    assert_eq!(said([masked(0x01, b"\xc3"), masked(0x80, b"\xc3")].concat()), Err(Broken::NotUtf8));
    assert_eq!(said(masked(0x88, &[3, 232, 0xff])), Err(Broken::NotUtf8));
}

#[test]
fn closes_are_read() {
    assert_eq!(said(masked(0x88, b"")), Ok(vec!["Close(None)".into()]));
    assert_eq!(said(masked(0x88, &[3, 233, b'b', b'y', b'e'])), Ok(vec!["Close(Some(1001))".into()]));
}

#[test]
fn what_is_too_large_is_refused_by_its_head() {
    let mut head = [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1];
    assert_eq!(Assembly::default().take(&mut head, LIMIT), Err(Broken::TooLarge));
    let mut huge = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Assembly::default().take(&mut huge, LIMIT), Err(Broken::TooLarge));
    let fragment = masked(0x01, &[b'x'; 40_000]);
    let next = masked(0x80, &[b'x'; 25_537]);
    assert_eq!(said([fragment, next[..8].to_vec()].concat()), Err(Broken::TooLarge));
}

#[test]
fn reasons_are_cut_to_what_a_close_may_carry() {
    assert_eq!(close_frame(1000, &"x".repeat(200)).len(), 2 + 125);
    assert_eq!(close_frame(4000, "why"), [0x88, 5, 0x0f, 0xa0, b'w', b'h', b'y']);
}

/// What another implementation says of the same bytes, up to its first error or the end.
fn said_by_tungstenite(bytes: &[u8]) -> Result<Vec<String>, Broken> {
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Error, Message};
    let config = WebSocketConfig::default().max_frame_size(Some(LIMIT)).max_message_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut said = Vec::new();
    loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => format!("{:?}", Frame::Text(&text)),
            Ok(Message::Binary(_)) => format!("{:?}", Frame::Binary),
            Ok(Message::Ping(payload)) => format!("{:?}", Frame::Ping(&payload)),
            Ok(Message::Pong(payload)) => format!("{:?}", Frame::Pong(&payload)),
            Err(Error::Capacity(_)) => return Err(Broken::TooLarge),
            Err(Error::Utf8(_)) => return Err(Broken::NotUtf8),
            Err(Error::Io(_)) => return Ok(said),
            Err(Error::Protocol(_)) => return Err(Broken::Protocol),
            other => panic!("{other:?}"),
        });
    }
}

/// Bytes to read, and then nothing for now; what is written is lost.
struct Wire<'a>(&'a [u8]);

impl std::io::Read for Wire<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() { Err(std::io::ErrorKind::WouldBlock.into()) } else { self.0.read(room) }
    }
}

impl std::io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A frame of any kind, most of them allowed, but no close, of which each implementation makes something else.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81_u8, 0x01, 0x00, 0x80, 0x82, 0x02, 0x89, 0x8a]),
        1 => any::<u8>().prop_filter("no close", |first| first & 0x0f != 8),
    ];
    let length = prop_oneof![6 => 0..130_usize, 1 => 65_530..65_537_usize, 1 => 20_000..40_000_usize];
    (first, length).prop_map(|(first, length)| masked(first, &b"ab c".repeat(length / 4 + 1)[..length]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn another_implementation_says_the_same(frames in prop::collection::vec(any_frame(), 1..8)) {
        let bytes = frames.concat();
        prop_assert_eq!(said(bytes.clone()), said_by_tungstenite(&bytes));
    }
}
