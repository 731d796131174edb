//! One TCP connection as the browser sees it: a pump in each direction, which delays, loses and closes as the
//! conditions demand, once the connection has become a WebSocket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::conditions::Conditions;

/// The size of the buffer between the pump and the server, in bytes.
const BUFFER: usize = 64 * 1024;
/// How long the browser may take to read the last answer once the server has closed the connection. After that it is
/// closed even if the browser stays silent, so that it does not hold an open file for ever.
const LINGER: Duration = Duration::from_secs(2);
/// The maximum number of chunks in flight in each direction; beyond it the sender waits, as on a real line.
const UNDER_WAY: usize = 256;

/// Whether the connection carries signaling, which is set when it asks for the WebSocket.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// Applies the conditions to every byte from now on.
    pub fn becomes_signaling(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_signaling(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts the pumps and returns the stream for the server, and a handle that closes the connection at once.
pub fn connect(stream: TcpStream, line: Line, conditions: Arc<Conditions>) -> (DuplexStream, AbortHandle) {
    let (near, far) = tokio::io::duplex(BUFFER);
    let pumps = tokio::spawn(async move {
        let mut cuts = conditions.cuts();
        let (from_browser, to_browser) = tokio::io::split(stream);
        let (from_server, to_server) = tokio::io::split(far);
        let inwards = pump(from_browser, to_server, line.clone(), Arc::clone(&conditions));
        let outwards = pump(from_server, to_browser, line.clone(), conditions);
        let outwards = async {
            outwards.await?;
            tokio::time::sleep(LINGER).await;
            io::Result::<()>::Err(io::ErrorKind::TimedOut.into())
        };
        let cut = async {
            loop {
                if cuts.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                if line.is_signaling() {
                    return;
                }
            }
        };
        tokio::select! {
            // An error in one direction ends both; if the browser ends its own, the other may still carry answers.
            _ = async { tokio::try_join!(inwards, outwards) } => {}
            () = cut => {}
        }
    });
    (near, pumps.abort_handle())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    line: Line,
    conditions: Arc<Conditions>,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let read = async move {
        let mut buffer = vec![0_u8; 16 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { return Ok(()) };
            let mut due = Instant::now();
            if line.is_signaling() {
                if conditions.lost() {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                due += conditions.latency();
            }
            if sender.send((due, chunk.to_vec())).await.is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_: ((), ())| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use tokio::net::TcpListener;

    use super::super::conditions::Settings;
    use super::*;

    async fn pair(settings: Settings) -> (TcpStream, DuplexStream, Line, Arc<Conditions>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let browser = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (line, conditions) = (Line::default(), Arc::new(Conditions::new(settings)));
        let (server, _) = connect(stream, line.clone(), Arc::clone(&conditions));
        (browser, server, line, conditions)
    }

    async fn ask(browser: &mut TcpStream, server: &mut DuplexStream) -> Duration {
        let start = Instant::now();
        browser.write_all(b"ping").await.unwrap();
        let mut buffer = [0_u8; 4];
        server.read_exact(&mut buffer).await.unwrap();
        server.write_all(b"pong").await.unwrap();
        browser.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"pong");
        start.elapsed()
    }

    #[tokio::test]
    async fn only_signaling_is_delayed() {
        let latency_ms = 150;
        let (mut browser, mut server, line, _) = pair(Settings { latency_ms, ..Settings::default() }).await;
        line.becomes_signaling();
        assert!(ask(&mut browser, &mut server).await >= Duration::from_millis(2 * latency_ms));
    }

    #[tokio::test]
    async fn cut_closes_only_signaling() {
        let (mut page, mut server, _, conditions) = pair(Settings::default()).await;
        conditions.cut();
        ask(&mut page, &mut server).await;
        let (mut socket, _server, line, conditions) = pair(Settings::default()).await;
        line.becomes_signaling();
        // The pump may not be listening yet, so cut until it is.
        let ended = async {
            let mut buffer = [0_u8; 1];
            matches!(socket.read(&mut buffer).await, Ok(0) | Err(_))
        };
        let cutting = async {
            loop {
                conditions.cut();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = ended => assert!(ended),
            () = cutting => {}
        }
    }

    #[tokio::test]
    async fn lost_message_breaks_the_connection() {
        let (mut browser, mut server, line, _) = pair(Settings { drop: 1.0, ..Settings::default() }).await;
        line.becomes_signaling();
        browser.write_all(b"ping").await.unwrap();
        let mut buffer = [0_u8; 4];
        assert!(!matches!(server.read(&mut buffer).await, Ok(count) if count > 0));
    }

    #[tokio::test]
    async fn end_of_one_direction_leaves_the_other_open() {
        let (mut browser, mut server, _, _) = pair(Settings::default()).await;
        browser.write_all(b"question").await.unwrap();
        browser.shutdown().await.unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        browser.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    }
    #[tokio::test]
    async fn closed_connection_of_a_silent_browser_is_not_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _browser = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (server, pumps) = connect(stream, Line::default(), Arc::new(Conditions::new(Settings::default())));
        drop(server);
        let closed = async {
            while !pumps.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
    }
}
