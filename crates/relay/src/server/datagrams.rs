//! UDP: one socket, many clients.

use std::sync::Arc;

use super::Shared;
use crate::allocations::{Client, Path};
use crate::relay::Authority;

/// The largest packet that is taken: what an Ethernet network carries, with room to spare. Longer ones are cut off, and
/// then are not valid.
const PACKET: usize = 4096;

/// The number of packets after which others get their turn, however busy the socket is.
const ROUND: usize = 256;

/// Serves the socket with this index.
pub(super) async fn serve<A: Authority>(shared: Arc<Shared<A>>, index: usize) {
    let (Some(socket), Ok(number)) = (shared.udp.get(index), u16::try_from(index)) else { return };
    let mut packet = vec![0; PACKET];
    let mut out = Vec::with_capacity(PACKET);
    while socket.readable().await.is_ok() {
        // An error other than "nothing there" is about a packet that was sent before: its receiver is gone.
        for _ in 0..ROUND {
            let Some(received) = received(socket.try_recv_from(&mut packet)) else { break };
            let Ok((size, address)) = received else { continue };
            let client = Client { path: Path::Udp(number), address };
            shared.handle(client, packet.get(..size).unwrap_or_default(), &mut out);
        }
        tokio::task::yield_now().await;
    }
}

/// Returns `None` if nothing was there.
fn received<T>(result: std::io::Result<T>) -> Option<std::io::Result<T>> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        other => Some(other),
    }
}
