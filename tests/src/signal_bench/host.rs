//! The memory of a t4g.nano with 5,000 idle people and the relay. Both servers are measured as processes of their own; what the
//! system takes is what the limits assume.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use peersync_signal::memory::{AGENTS, NANO, SYSTEM};
use tokio::time::sleep;

use super::ours::keys;
use super::process::{memory, slab};
use super::references::References;
use super::relays::{Kind, Relay};
use super::states::{SETTLE, World, mebibytes};

/// The idle people.
const PEOPLE: usize = 5000;
/// The memory of the instance type, in bytes.
const INSTANCE: usize = 512 << 20;
/// The address of the relay, which nothing else on this computer uses.
const RELAY_ADDRESS: &str = "127.0.0.34";

/// What was measured, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The relay without a client.
    pub relay: usize,
    /// The signaling server without a client.
    pub empty: usize,
    /// What the people add to it.
    pub people: usize,
    /// What the kernel takes for their connections.
    pub kernel: usize,
}

/// Measures both servers.
///
/// # Errors
/// If one of them does not start, or somebody cannot sign in.
pub async fn measure(references: &References) -> Result<Host, String> {
    let gone = || "the server is gone".to_owned();
    let bytes = |kib: u64| usize::try_from(kib * 1024).unwrap_or(usize::MAX);
    let server = Relay::start(Kind::Ours, references)?;
    let world = World { address: SocketAddr::from(([127, 0, 0, 1], server.port)), keys: keys() };
    drop(world.idle_people(0..1).await?);
    sleep(SETTLE).await;
    let (empty, before) = (memory(server.pid()).ok_or_else(gone)?.resident, slab());
    let people = world.idle_people(1..1 + PEOPLE).await?;
    sleep(SETTLE).await;
    let full = memory(server.pid()).ok_or_else(gone)?.resident;
    // Both ends of a connection are on this computer.
    let kernel = slab().saturating_sub(before) / 2;
    drop(people);
    let relay = TurnServer::start()?;
    sleep(SETTLE).await;
    let relay = memory(relay.0.id()).ok_or_else(gone)?.resident;
    Ok(Host { relay: bytes(relay), empty: bytes(empty), people: bytes(full - empty.min(full)), kernel: bytes(kernel) })
}

/// What the limits of the signaling server leave for the relay is what the relay's own limits add up to.
const _: () = assert!(peersync_signal::memory::RELAY == peersync_relay::memory::RELAY);

/// The relay as a process.
struct TurnServer(Child);

impl TurnServer {
    fn start() -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(own.with_file_name("lab-relay"));
        command.args([RELAY_ADDRESS, "bench"]).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().map(Self).map_err(|error| format!("lab-relay: {error}"))
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    fn used(&self) -> usize {
        SYSTEM + AGENTS + self.relay + self.empty + self.people + self.kernel
    }

    /// Returns whether all of it is in memory at the same time.
    pub fn fits(&self) -> bool {
        self.used() <= NANO
    }

    /// Returns the table.
    pub fn table(&self) -> String {
        let people = format!("{PEOPLE} idle people");
        let rows = [
            ("a t4g.nano", INSTANCE),
            ("the kernel itself", INSTANCE - NANO),
            ("Amazon Linux 2023 with its services (assumed)", SYSTEM),
            ("the agents for logs and sessions (assumed)", AGENTS),
            ("the relay", self.relay),
            ("the signaling server", self.empty),
            (people.as_str(), self.people),
            ("the kernel's part of their connections", self.kernel),
            ("left for calls, and for what is read from the disk", NANO.saturating_sub(self.used())),
        ];
        let line = |(name, bytes): &(&str, usize)| format!("{name:<52} {:>8.1} MiB\n", mebibytes(*bytes));
        rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn unit_of_the_relay_may_have_what_its_limits_assume() {
        let unit = include_str!("../../../crates/resources/src/kinds/signal_instance/host/peersync-relay.service");
        let most = format!("\nMemoryMax={}%\n", peersync_relay::memory::UNIT_PERCENT);
        assert!(unit.contains(&most), "{unit}");
    }
}
