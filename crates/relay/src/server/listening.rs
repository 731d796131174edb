//! Accepting connections, of any of the relay's ports.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The pause after a connection could not be accepted, such as for too many open files.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections for ever, and performs for each what `serve` returns, in a task that ends with this one; a connection
/// for which that is `None` is closed at once.
pub(super) async fn each<Served>(listener: TcpListener, serve: impl Fn(TcpStream, SocketAddr) -> Option<Served>)
where
    Served: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, address)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        serve(stream, address).into_iter().for_each(|served| drop(connections.spawn(served)));
    }
}
