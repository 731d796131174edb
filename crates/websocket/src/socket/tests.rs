//! What memory a socket holds, and when it hands over frames.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::frame::text_frame;

const LIMIT: usize = 65_536;

/// A text as a client sends it, with a mask that changes nothing.
fn text(text: &str) -> Vec<u8> {
    let mut frame = text_frame(text);
    let head = frame.len() - text.len();
    frame[1] |= 0x80;
    frame.splice(head..head, [0; 4]);
    frame
}

fn pair() -> (Socket<DuplexStream>, DuplexStream) {
    let (server, client) = duplex(1 << 20);
    (Socket::with_io(server, LIMIT), client)
}

/// The texts of one read, up to and including the first for which `stop` returns true.
async fn read(socket: &mut Socket<DuplexStream>, stop: impl Fn(&str) -> bool) -> Result<Vec<String>, ReadError> {
    let mut texts = Vec::new();
    let frames = |frame: Frame<'_>| {
        let Frame::Text(text) = frame else { panic!("{frame:?}") };
        texts.push(text.to_owned());
        if stop(text) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut frames = frames;
    std::future::poll_fn(|context| socket.poll_frames(context, &mut frames)).await?;
    Ok(texts)
}

#[tokio::test]
async fn no_buffer_is_held_between_messages() {
    let (mut socket, mut client) = pair();
    let large = "x".repeat(LIMIT);
    for frame in [text("small"), text(&large), [text("two"), text("at once")].concat()] {
        let (begin, rest) = frame.split_at(frame.len() / 3);
        client.write_all(begin).await.unwrap();
        let _ = read(&mut socket, |_| false).await.unwrap();
        assert!(socket.held() > 0, "a part is kept");
        client.write_all(rest).await.unwrap();
        while socket.held() > 0 {
            read(&mut socket, |_| false).await.unwrap();
        }
    }
}

#[tokio::test]
async fn buffer_grows_with_bytes_received_not_with_length_announced() {
    let (mut socket, mut client) = pair();
    let frame = text(&"x".repeat(LIMIT));
    client.write_all(&frame[..20]).await.unwrap();
    assert_eq!(read(&mut socket, |_| false).await, Ok(vec![]));
    client.write_all(&frame[20..30]).await.unwrap();
    assert_eq!(read(&mut socket, |_| false).await, Ok(vec![]));
    assert!(socket.unread.capacity() < 4096, "{}", socket.unread.capacity());
}

#[tokio::test]
async fn frames_after_a_break_are_handed_over_by_the_next_call() {
    let (mut socket, mut client) = pair();
    client.write_all(&[text("a"), text("stop"), text("b"), text("c")].concat()).await.unwrap();
    let stop = |text: &str| text == "stop";
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["a".into(), "stop".into()]));
    client.write_all(&text("d")).await.unwrap();
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["b".into(), "c".into()]));
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["d".into()]));
    drop(client);
    assert_eq!(read(&mut socket, stop).await, Err(ReadError::Disconnected));
}

/// A source with one frame.
struct OneFrame {
    bytes: Vec<u8>,
    written: usize,
}

impl FrameSource for OneFrame {
    fn copy_waiting(&mut self, buffer: &mut ReadBuf<'_>) {
        let waiting = &self.bytes[self.written..];
        buffer.put_slice(&waiting[..waiting.len().min(buffer.remaining())]);
    }

    fn advance(&mut self, bytes: usize) -> Written {
        self.written += bytes;
        let whole = self.written == self.bytes.len();
        Written { whole, more: !whole }
    }
}

#[tokio::test]
async fn no_frame_is_written_after_half_a_frame() {
    let (server, mut client) = duplex(100);
    let mut socket = Socket::with_io(server, LIMIT);
    let mut source = OneFrame { bytes: text_frame(&"x".repeat(316)), written: 0 };
    assert!(socket.write_from(&mut source).await.unwrap());
    assert!(!socket.may_write());
    let mut frame = vec![0; 100];
    client.read_exact(&mut frame).await.unwrap();
    while {
        let more = socket.write_from(&mut source).await.unwrap();
        let length = frame.len();
        frame.resize(length + 100, 0);
        let count = client.read(&mut frame[length..]).await.unwrap();
        frame.truncate(length + count);
        more
    } {}
    assert!(socket.may_write());
    assert_eq!(frame.len(), 4 + 316);
}
