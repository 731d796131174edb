//! A relay without sockets, a clock that is set by hand, and clients with credentials.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use peersync_relay::client::{Answer, Ask, Asker, channel_data, indication, read_indication};
use peersync_relay::{Authority, Client, Grant, Limits, Path, Relay, Settings};

/// The address of the relay's allocations.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The password of every username that is granted something.
pub const PASSWORD: &str = "correct";

/// Grants usernames of the form `HOLDER` or `HOLDER/DEVICE`, where the holder is a number.
#[derive(Clone, Debug)]
pub struct Holders {
    /// The passwords that are accepted.
    pub passwords: Vec<String>,
    /// The maximum number of allocations of a holder.
    pub allocations: usize,
    /// The usernames from which everything was withdrawn.
    pub withdrawn: Arc<Mutex<Vec<String>>>,
}

impl Default for Holders {
    fn default() -> Self {
        Self { passwords: vec![PASSWORD.to_owned()], allocations: 3, withdrawn: Arc::default() }
    }
}

impl Authority for Holders {
    fn grant(&self, username: &str) -> Option<Grant> {
        let holder = username.split('/').next()?.parse().ok()?;
        if self.is_withdrawn(username) {
            return None;
        }
        Some(Grant { passwords: self.passwords.clone(), holder, allocations: self.allocations })
    }

    fn is_withdrawn(&self, username: &str) -> bool {
        self.withdrawn.lock().iter().any(|withdrawn| withdrawn == username)
    }
}

/// A relay and its clock.
pub struct World {
    pub relay: Relay<Holders>,
    pub now: Instant,
    out: Vec<u8>,
}

impl World {
    pub fn new(limits: Limits) -> Self {
        Self::with(limits, Holders::default())
    }

    pub fn with(limits: Limits, holders: Holders) -> Self {
        let now = Instant::now();
        let settings = Settings { realm: "relay.test".to_owned(), address: RELAY, limits };
        Self { relay: Relay::new(settings, holders, now), now, out: Vec::new() }
    }

    /// Lets time pass.
    pub fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.relay.tick(self.now);
    }

    /// Hands a packet to the relay, and returns what it sends, and to whom.
    pub fn packet(&mut self, from: Client, packet: &[u8]) -> Option<(Client, Vec<u8>)> {
        let receiver = self.relay.handle(self.now, from, packet, &mut self.out)?;
        Some((receiver, self.out.clone()))
    }

    /// Asks once, without the second attempt of [`Person::ask`].
    pub fn once(&mut self, person: &mut Person, ask: &Ask) -> Option<Answer> {
        let request = person.asker.ask(ask);
        self.answer(person, &request)
    }

    /// Sends a request, and returns the answer.
    pub fn answer(&mut self, person: &mut Person, request: &[u8]) -> Option<Answer> {
        let (receiver, answer) = self.packet(person.client, request)?;
        assert_eq!(receiver, person.client, "an answer goes to whoever asked");
        person.asker.read(&answer)
    }
}

/// A client with credentials.
#[derive(Clone, Debug)]
pub struct Person {
    pub client: Client,
    pub asker: Asker,
    pub relayed: Option<SocketAddr>,
}

/// Returns a client by UDP with this address.
pub fn udp(address: &str) -> Client {
    Client { path: Path::Udp(0), address: address.parse().unwrap() }
}

impl Person {
    pub fn new(username: &str, address: &str) -> Self {
        Self::at(username, udp(address))
    }

    pub fn at(username: &str, client: Client) -> Self {
        Self { client, asker: Asker::new(username, PASSWORD), relayed: None }
    }

    /// Asks, and again with the credentials if they are wanted.
    pub fn ask(&mut self, world: &mut World, ask: &Ask) -> Answer {
        let first = world.once(self, ask).expect("an answer");
        if !matches!(first.code(), Some(401 | 438)) {
            return first;
        }
        world.once(self, ask).expect("a second answer")
    }

    /// Gets an allocation.
    pub fn allocated(username: &str, address: &str, world: &mut World) -> Self {
        let mut person = Self::new(username, address);
        person.allocate(world);
        person
    }

    pub fn allocate(&mut self, world: &mut World) {
        let answer = self.ask(world, &Ask::Allocate(None));
        assert_eq!(answer.refused, None);
        self.relayed = answer.relayed;
    }

    pub fn relayed(&self) -> SocketAddr {
        self.relayed.expect("an allocation")
    }

    /// Lets a peer send to this client.
    pub fn permit(&mut self, world: &mut World, peer: SocketAddr) {
        assert_eq!(self.ask(world, &Ask::Permit(vec![peer])).refused, None);
    }

    /// Makes a channel.
    pub fn channel(&mut self, world: &mut World, number: u16, peer: SocketAddr) {
        assert_eq!(self.ask(world, &Ask::Channel(number, peer)).refused, None);
    }

    /// Sends data as a message, and returns who gets what, if anybody does.
    pub fn send(&self, world: &mut World, peer: SocketAddr, data: &[u8]) -> Option<(Client, SocketAddr, Vec<u8>)> {
        let (receiver, packet) = world.packet(self.client, &indication(peer, data))?;
        let (from, data) = read_indication(&packet).expect("a message");
        Some((receiver, from, data))
    }

    /// Sends data on a channel, and returns who gets which packet.
    pub fn send_on(&self, world: &mut World, channel: u16, data: &[u8]) -> Option<(Client, Vec<u8>)> {
        world.packet(self.client, &channel_data(channel, data))
    }
}

/// Returns two clients that may send to each other.
pub fn pair(world: &mut World) -> (Person, Person) {
    let mut ada = Person::allocated("1", "192.0.2.1:4000", world);
    let mut bob = Person::allocated("2", "192.0.2.2:4000", world);
    ada.permit(world, bob.relayed());
    bob.permit(world, ada.relayed());
    (ada, bob)
}
