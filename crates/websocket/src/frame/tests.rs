//! Valid and invalid frames of clients, complete and cut.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 65_536;

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let (mut header, size) = header(first, payload.len());
    header[1] |= 0x80;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    header[..size].iter().copied().chain(mask).chain(payload).collect()
}

/// The frames in these bytes as `Debug` prints them, or why they are refused.
fn parsed(mut bytes: Vec<u8>) -> Result<Vec<String>, InvalidFrame> {
    let (mut assembly, mut rest, mut frames) = (Assembly::default(), bytes.as_mut_slice(), Vec::new());
    while let Some((length, frame)) = assembly.take(rest, LIMIT)? {
        frames.extend((frame != Frame::Fragment).then(|| format!("{frame:?}")));
        rest = &mut rest[length..];
    }
    Ok(frames)
}

#[test]
fn payload_lengths_of_all_three_encodings_round_trip() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let text = "x".repeat(length);
        assert_eq!(parsed(masked(0x81, text.as_bytes())), Ok(vec![format!("Text({text:?})")]));
        let (header, size) = text_frame_header(length);
        let frame = text_frame(&text);
        assert_eq!((&frame[..size], frame.len()), (&header[..size], size + length));
    }
}

#[test]
fn incomplete_frame_is_left_unchanged() {
    let whole = masked(0x81, &[b'y'; 300]);
    for length in 0..whole.len() {
        let mut part = whole[..length].to_vec();
        assert_eq!(Assembly::default().take(&mut part, LIMIT), Ok(None), "{length}");
        assert_eq!(part, whole[..length]);
    }
}

#[test]
fn fragments_are_assembled_around_pings() {
    let sent = [
        masked(0x01, "grü".as_bytes()),
        masked(0x89, b"here?"),
        masked(0x00, b""),
        // A character may be split between fragments.
        masked(0x00, &"ßt".as_bytes()[..1]),
        masked(0x80, &"ßt".as_bytes()[1..]),
        masked(0x02, b"a"),
        masked(0x80, b"b"),
        masked(0x81, b"again"),
    ];
    let pong = format!("Ping({:?})", b"here?");
    assert_eq!(
        parsed(sent.concat()),
        Ok(vec![pong, "Text(\"grüßt\")".into(), "Binary".into(), "Text(\"again\")".into()])
    );
}

#[test]
fn empty_fragments_are_reported_and_held_memory_is_known() {
    let (mut assembly, mut count) = (Assembly::default(), 0);
    let mut sent = [masked(0x01, b""), masked(0x00, b""), masked(0x00, b"abc"), masked(0x00, b"")].concat();
    let mut rest = sent.as_mut_slice();
    while let Some((length, frame)) = assembly.take(rest, LIMIT).unwrap() {
        assert_eq!(frame, Frame::Fragment);
        count += 1;
        rest = &mut rest[length..];
    }
    assert_eq!(count, 4);
    assert!((1..64).contains(&assembly.held()), "{}", assembly.held());
    assert_eq!(assembly.take(&mut masked(0x80, b"d"), LIMIT).unwrap().unwrap().1, Frame::Text("abcd"));
    assert_eq!(assembly.held(), 0);
}

#[test]
fn invalid_frames_are_refused() {
    for (what, bytes) in [
        ("unmasked", vec![0x81, 0x01, b'x']),
        ("compressed", masked(0xc1, b"x")),
        ("an unknown kind", masked(0x83, b"x")),
        ("an unknown control frame", masked(0x8b, b"x")),
        ("a fragmented ping", masked(0x09, b"x")),
        ("a long ping", masked(0x89, &[0; 126])),
        ("a continuation of nothing", masked(0x80, b"x")),
        ("a text inside a fragmented text", [masked(0x01, b"x"), masked(0x81, b"y")].concat()),
        ("half a code", masked(0x88, &[3])),
        ("a reserved code", masked(0x88, &1005_u16.to_be_bytes())),
        ("an undefined code", masked(0x88, &999_u16.to_be_bytes())),
    ] {
        assert_eq!(parsed(bytes), Err(InvalidFrame::Protocol), "{what}");
    }
    assert_eq!(parsed(masked(0x81, b"\xff")), Err(InvalidFrame::NotUtf8));
    assert_eq!(parsed([masked(0x01, b"\xc3"), masked(0x80, b"\xc3")].concat()), Err(InvalidFrame::NotUtf8));
    assert_eq!(parsed(masked(0x88, &[3, 232, 0xff])), Err(InvalidFrame::NotUtf8));
}

#[test]
fn close_frames_are_parsed() {
    assert_eq!(parsed(masked(0x88, b"")), Ok(vec!["Close(None)".into()]));
    assert_eq!(parsed(masked(0x88, &[3, 233, b'b', b'y', b'e'])), Ok(vec!["Close(Some(1001))".into()]));
}

#[test]
fn oversized_message_is_refused_by_its_header() {
    let mut head = [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1];
    assert_eq!(Assembly::default().take(&mut head, LIMIT), Err(InvalidFrame::TooLarge));
    let mut huge = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Assembly::default().take(&mut huge, LIMIT), Err(InvalidFrame::TooLarge));
    let fragment = masked(0x01, &[b'x'; 40_000]);
    let next = masked(0x80, &[b'x'; 25_537]);
    assert_eq!(parsed([fragment, next[..8].to_vec()].concat()), Err(InvalidFrame::TooLarge));
}

#[test]
fn close_reason_is_cut_to_the_control_frame_limit() {
    assert_eq!(close_frame(1000, &"x".repeat(200)).len(), 2 + 125);
    assert_eq!(close_frame(4000, "why"), [0x88, 5, 0x0f, 0xa0, b'w', b'h', b'y']);
}

/// What tungstenite reads from the same bytes, up to its first error or the end.
fn parsed_by_tungstenite(bytes: &[u8]) -> Result<Vec<String>, InvalidFrame> {
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Error, Message};
    let config = WebSocketConfig::default().max_frame_size(Some(LIMIT)).max_message_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut frames = Vec::new();
    loop {
        frames.push(match socket.read() {
            Ok(Message::Text(text)) => format!("{:?}", Frame::Text(&text)),
            Ok(Message::Binary(_)) => format!("{:?}", Frame::Binary),
            Ok(Message::Ping(payload)) => format!("{:?}", Frame::Ping(&payload)),
            Ok(Message::Pong(payload)) => format!("{:?}", Frame::Pong(&payload)),
            Err(Error::Capacity(_)) => return Err(InvalidFrame::TooLarge),
            Err(Error::Utf8(_)) => return Err(InvalidFrame::NotUtf8),
            Err(Error::Io(_)) => return Ok(frames),
            Err(Error::Protocol(_)) => return Err(InvalidFrame::Protocol),
            other => panic!("{other:?}"),
        });
    }
}

/// A transport with these bytes to read and no more for now; writes are discarded.
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

/// A frame of any kind, mostly valid, except close frames, which implementations treat differently.
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
    fn agrees_with_tungstenite(frames in prop::collection::vec(any_frame(), 1..8)) {
        let bytes = frames.concat();
        prop_assert_eq!(parsed(bytes.clone()), parsed_by_tungstenite(&bytes));
    }
}
