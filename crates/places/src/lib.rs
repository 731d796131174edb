//! A bound on the connections of a server. Those that only wait for their client, the silent ones, give way to newcomers,
//! the one that is silent for longest first, so that however many of them are open, they delay nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// All connections of a server.
#[derive(Debug)]
pub struct Places {
    all: usize,
    per_address: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the next connection, or of the next time that one falls silent.
    next: u64,
    open: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// When it fell silent, as a number that grows; `None` while it is busy.
    silent_since: Option<u64>,
    /// Dropped when the connection has to give way.
    _ended: oneshot::Sender<()>,
}

/// One connection, counted until it is dropped. A new one is silent.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
}

/// Completes when the connection has to give way.
#[derive(Debug)]
pub struct Displaced(oneshot::Receiver<()>);

/// Keeps a connection from giving way until it is dropped.
#[derive(Debug)]
pub struct Busy(Arc<Place>);

impl Places {
    /// Creates places for at most `all` connections, and `per_address` of each address but this computer's own, on which
    /// everybody's browser and tools are.
    pub fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all, per_address, state: Mutex::default() })
    }

    /// Adds a connection of this address; `None` if there are too many, and all of them are busy.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<(Place, Displaced)> {
        let address = address.to_canonical();
        let mut state = self.state.lock();
        if !address.is_loopback() {
            state.make_room(self.per_address, |entry| entry.address == address).then_some(())?;
        }
        state.make_room(self.all, |_| true).then_some(())?;
        let (ended, displaced) = oneshot::channel();
        let number = state.number();
        state.open.insert(number, Entry { address, silent_since: Some(number), _ended: ended });
        drop(state);
        Some((Place { places: Arc::clone(self), number }, Displaced(displaced)))
    }

    /// Returns the number of connections that have not given way.
    pub fn count(&self) -> usize {
        self.state.lock().open.len()
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Ends the longest silent connection if there are `most` of those that count; returns whether one more fits.
    fn make_room(&mut self, most: usize, counts: impl Fn(&Entry) -> bool) -> bool {
        let counted = self.open.iter().filter(|(_, entry)| counts(entry));
        if counted.clone().count() < most {
            return true;
        }
        let silent = counted.filter_map(|(number, entry)| Some((entry.silent_since?, *number)));
        silent.min().is_some_and(|(_, number)| self.open.remove(&number).is_some())
    }
}

impl Place {
    /// Marks the connection as the one that has been silent for the shortest time.
    pub fn heard(&self) {
        let mut state = self.places.state.lock();
        let now = state.number();
        if let Some(entry) = state.open.get_mut(&self.number) {
            entry.silent_since = Some(now);
        }
    }

    /// Keeps the connection from giving way until the result is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        if let Some(entry) = self.places.state.lock().open.get_mut(&self.number) {
            entry.silent_since = None;
        }
        Busy(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state.lock().open.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.heard();
    }
}

impl Displaced {
    /// Waits until the connection has to give way.
    pub async fn wait(self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = self.0.await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ended(displaced: &mut Displaced) -> bool {
        displaced.0.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn longest_silent_connection_gives_way() {
        let places = Places::new(2, 2);
        let (first, mut first_displaced) = places.enter(HERE).unwrap();
        let (_second, mut second_displaced) = places.enter(HERE).unwrap();
        first.heard();
        let (_third, mut third_displaced) = places.enter(HERE).unwrap();
        assert!(ended(&mut second_displaced) && !ended(&mut first_displaced) && !ended(&mut third_displaced));
        assert_eq!(places.count(), 2);
    }

    #[test]
    fn busy_connections_stay_and_newcomers_are_refused() {
        let places = Places::new(2, 2);
        let (first, mut first_displaced) = places.enter(HERE).unwrap();
        let (second, mut second_displaced) = places.enter(HERE).unwrap();
        let (first, second) = (Arc::new(first), Arc::new(second));
        let (working, _other) = (first.busy(), second.busy());
        assert!(places.enter(HERE).is_none());
        assert!(!ended(&mut first_displaced));
        drop(working);
        let (_third, _) = places.enter(HERE).unwrap();
        assert!(ended(&mut first_displaced) && !ended(&mut second_displaced));
        drop((first, second));
    }

    #[test]
    fn address_in_the_network_takes_only_its_share() {
        let places = Places::new(4, 2);
        let (attacker, victim) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let (_place, mut displaced) = places.enter(victim).unwrap();
        let mut attackers: Vec<_> = (0..50).map(|_| places.enter(attacker).unwrap()).collect();
        assert_eq!(places.count(), 3);
        assert!(!ended(&mut displaced), "the victim's connection stays");
        assert_eq!(attackers.iter_mut().map(|(_, displaced)| usize::from(!ended(displaced))).sum::<usize>(), 2);
        let own: Vec<_> = (0..3).map(|_| places.enter(HERE).unwrap()).collect();
        assert_eq!((own.len(), places.count()), (3, 4));
    }

    #[test]
    fn ended_connections_leave_their_place() {
        let places = Places::new(1, 1);
        drop(places.enter(HERE).unwrap());
        assert_eq!(places.count(), 0);
    }
}
