//! Accepting connections within a limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The pause after an error.
const PAUSE: Duration = Duration::from_millis(10);

/// An accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The address of the client.
    pub address: SocketAddr,
    /// The connection's slot, to be kept as long as the connection.
    pub slot: OwnedSemaphorePermit,
}

/// Waits for a free slot, and then for a connection. Further clients wait in the kernel's backlog.
///
/// # Errors
/// The error concerns one client, or is transient, such as too many open files. It is returned after a pause, so that
/// the caller can call again at once.
pub async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    match listener.accept().await {
        Ok((stream, address)) => Ok(Accepted { stream, address, slot }),
        Err(error) => {
            tokio::time::sleep(PAUSE).await;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn further_connections_wait_for_a_slot() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let slots = Arc::new(Semaphore::new(1));
        let address = listener.local_addr().unwrap();
        let _clients = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let first = accept(&listener, &slots).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), accept(&listener, &slots));
        assert!(second.await.is_err());
        drop(first);
        assert!(accept(&listener, &slots).await.is_ok());
    }
}
