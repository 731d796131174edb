//! What a connection holds on to, and what it hands over when.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::super::bounds::Bounds;
use super::super::limits::Limits;
use super::*;

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
    (Socket::on(server, LIMIT), client)
}

/// The texts of one read, up to and with the one at which `stop` says so.
async fn read(socket: &mut Socket<DuplexStream>, stop: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
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
async fn between_two_messages_no_memory_is_held() {
    let (mut socket, mut client) = pair();
    let large = "x".repeat(LIMIT);
    for frame in [text("small"), text(&large), [text("two"), text("at once")].concat()] {
        let (begin, rest) = frame.split_at(frame.len() / 3);
        client.write_all(begin).await.unwrap();
        let _ = read(&mut socket, |_| false).await.unwrap();
        assert!(socket.unread.capacity() > 0, "a part is kept");
        client.write_all(rest).await.unwrap();
        while socket.unread.capacity() > 0 {
            read(&mut socket, |_| false).await.unwrap();
        }
    }
}

#[tokio::test]
async fn memory_grows_with_what_has_come_and_not_with_what_was_announced() {
    let (mut socket, mut client) = pair();
    let frame = text(&"x".repeat(LIMIT));
    client.write_all(&frame[..20]).await.unwrap();
    assert_eq!(read(&mut socket, |_| false).await, Ok(vec![]));
    client.write_all(&frame[20..30]).await.unwrap();
    assert_eq!(read(&mut socket, |_| false).await, Ok(vec![]));
    assert!(socket.unread.capacity() < 4096, "{}", socket.unread.capacity());
}

#[tokio::test]
async fn what_comes_after_a_stop_waits_for_the_next_time() {
    let (mut socket, mut client) = pair();
    client.write_all(&[text("a"), text("stop"), text("b"), text("c")].concat()).await.unwrap();
    let stop = |text: &str| text == "stop";
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["a".into(), "stop".into()]));
    client.write_all(&text("d")).await.unwrap();
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["b".into(), "c".into()]));
    assert_eq!(read(&mut socket, stop).await, Ok(vec!["d".into()]));
    drop(client);
    assert_eq!(read(&mut socket, stop).await, Err(Failure::Gone));
}

#[tokio::test]
async fn after_half_a_frame_nothing_else_is_written() {
    let (server, mut client) = duplex(100);
    let mut socket = Socket::on(server, LIMIT);
    let outbox = Outbox::new(Bounds::new(&Limits::default()), 1);
    outbox.push(&["\"n\":\"", &"x".repeat(300), "\"}"]);
    assert!(socket.write_waiting(&outbox, 1).await.unwrap());
    assert!(!socket.may_write());
    let mut frame = vec![0; 100];
    client.read_exact(&mut frame).await.unwrap();
    while {
        let more = socket.write_waiting(&outbox, 1).await.unwrap();
        let length = frame.len();
        frame.resize(length + 100, 0);
        let count = client.read(&mut frame[length..]).await.unwrap();
        frame.truncate(length + count);
        more
    } {}
    assert!(socket.may_write());
    assert_eq!(frame.len(), 4 + r#"{"seq":1,"n":""}"#.len() + 300);
}
