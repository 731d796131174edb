//! Data from one client to another: by channel, which costs four bytes a packet, or in messages until there is one.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use stun_types::message::{Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec};
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::message::DATA;

use crate::allocations::{Client, Path};
use crate::relay::{Authority, Relay};

/// The size of a channel message's header: number and length.
pub(crate) const CHANNEL_HEADER: usize = 4;

impl<A: Authority> Relay<A> {
    /// Passes data on that a client sends on a channel.
    pub(crate) fn channel_data(
        &mut self,
        now: Instant,
        client: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let (header, rest) = packet.split_first_chunk::<CHANNEL_HEADER>()?;
        let [a, b, c, d] = *header;
        // On a connection the data is followed by padding (RFC 8656, section 12.5).
        let data = rest.get(..usize::from(u16::from_be_bytes([c, d])))?;
        let port = self.allocations.of_client(&client)?.port_of(u16::from_be_bytes([a, b]), now)?;
        self.pass(now, client, port, data, out)
    }

    /// Passes data on that a client sends in a message.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        client: Client,
        message: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
        let data = message.attribute::<Data<'_>>().ok()?;
        // The sender needs the permission that it would need to receive (RFC 8656, section 11.2).
        if peer.ip() != IpAddr::V4(self.settings.address) || !self.allocations.of_client(&client)?.permits(now) {
            return None;
        }
        self.pass(now, client, peer.port(), data.data(), out)
    }

    fn pass(&mut self, now: Instant, client: Client, port: u16, data: &[u8], out: &mut Vec<u8>) -> Option<Client> {
        let limits = &self.settings.limits;
        let size = u32::try_from(data.len()).ok()?;
        let sender = self.allocations.of_client_mut(&client)?;
        let from = sender.port;
        if !sender.sending.take(now, size, limits.allocation_rate, limits.allocation_burst)
            || !self.sending.take(now, size, limits.total_rate, limits.total_burst)
        {
            self.counters.dropped_packets += 1;
            return None;
        }
        let receiver = self.allocations.of_port(port).filter(|receiver| receiver.permits(now))?;
        match receiver.channel_to(from, now) {
            Some(number) => write_channel(number, data, receiver.client.path, out)?,
            None => write_indication(SocketAddr::new(self.settings.address.into(), from), data, out)?,
        }
        self.counters.relayed_packets += 1;
        self.counters.relayed_bytes += out.len() as u64;
        Some(receiver.client)
    }
}

fn write_channel(number: u16, data: &[u8], path: Path, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
    out.extend_from_slice(data);
    if matches!(path, Path::Stream(_)) {
        out.resize(out.len().next_multiple_of(4), 0);
    }
    Some(())
}

fn write_indication(from: SocketAddr, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut message = Message::builder_indication(DATA, MessageWriteVec::with_capacity(data.len() + 40));
    let peer = XorPeerAddress::new(from, message.transaction_id());
    message.add_attribute(&peer).ok()?;
    message.add_attribute(&Data::new(data)).ok()?;
    out.extend_from_slice(&message.finish());
    Some(())
}
