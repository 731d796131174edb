//! Passing bytes on between a client and the signaling server. Thousands of connections wait here for their next
//! message, so none holds a buffer while it waits.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use peersync_server::proxy_protocol;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the signaling server, on the same host, may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a client may take nothing before its connection is closed. The signaling server gives up earlier.
const STALLED: Duration = Duration::from_secs(40);
/// How long the other direction may go on after one has ended.
const HALF_OPEN: Duration = Duration::from_secs(10);
/// How much is read at once, in bytes. It is on the stack, and only for as long as the read.
const READ: usize = 8192;

/// What a client gets if the signaling server does not answer: it restarts.
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Where a connection comes from and goes to.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The signaling server.
    pub(super) signal: SocketAddr,
    /// The address of the client.
    pub(super) client: SocketAddr,
    /// The address of this host that it has connected to.
    pub(super) reached: SocketAddr,
}

/// Passes a connection on to the signaling server, which is told whose it is before anything that the client has sent.
/// `first` is what was read of it.
///
/// # Errors
/// One side is gone, or takes nothing for too long.
pub(super) async fn to_signal(
    way: Way,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    first: &[u8],
) -> io::Result<()> {
    let mut signal = match timeout(CONNECT, TcpStream::connect(way.signal)).await {
        Ok(Ok(signal)) => signal,
        _ => return refuse(stream).await,
    };
    signal.set_nodelay(true)?;
    signal.write_all(&proxy_protocol::header(way.client, way.reached)).await?;
    signal.write_all(first).await?;
    both_ways(&mut stream, &mut signal).await
}

/// Tells a client to come back later.
///
/// # Errors
/// It is gone, or takes nothing for too long.
pub(super) async fn refuse(mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    timeout(CONNECT, async {
        stream.write_all(UNAVAILABLE).await?;
        stream.shutdown().await
    })
    .await?
}

/// Passes on until both directions have ended.
///
/// # Errors
/// One side is gone, or takes nothing for too long.
async fn both_ways<C, S>(client: &mut C, server: &mut S) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let up = one_way(&mut from_client, &mut to_server);
    let down = one_way(&mut from_server, &mut to_client);
    tokio::pin!(up, down);
    tokio::select! {
        ended = &mut up => {
            ended?;
            timeout(HALF_OPEN, down).await?
        }
        ended = &mut down => {
            ended?;
            timeout(HALF_OPEN, up).await?
        }
    }
}

async fn one_way(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    loop {
        let bytes = poll_fn(|context| read(Pin::new(&mut *from), context)).await?;
        let written = timeout(STALLED, async {
            if bytes.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&bytes).await?;
            to.flush().await
        });
        written.await??;
        if bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Reads what is there; nothing at the end. Its buffer is gone when it returns.
fn read(from: Pin<&mut impl AsyncRead>, context: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
    let mut bytes = [0; READ];
    let mut buffer = ReadBuf::new(&mut bytes);
    ready!(from.poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().to_vec()))
}
