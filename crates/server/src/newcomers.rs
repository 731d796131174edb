//! Connections that have not shown yet whose or what they are.
//!
//! A satellite needs seconds for it, so time alone does not bound them. Their number does: beyond it, the oldest of the
//! network that has most gives way to the newcomer. Whoever shows it at once is out of the way before that, and silent connections only displace
//! each other: nobody keeps others out, not even those behind the same address.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::client_address::{Network, share};

/// All of them.
#[derive(Debug, Default)]
pub struct Newcomers {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// In the order of their arrival.
    all: BTreeMap<u64, Entry>,
    networks: HashMap<Network, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Entry {
    /// The client's network and those around it.
    networks: Vec<Network>,
    /// Dropped when the connection has to give way.
    _place: oneshot::Sender<()>,
}

/// One of them, counted until it is dropped.
#[derive(Debug)]
pub struct Newcomer {
    newcomers: Arc<Newcomers>,
    number: u64,
    place: oneshot::Receiver<()>,
}

impl Newcomers {
    /// Adds a connection from these networks, each within the next. If one of them has more than its share of `per_network`
    /// now, its oldest has to give way; if there are more than `all` in total, the oldest of the network that has most.
    pub fn enter(
        self: &Arc<Self>,
        networks: impl IntoIterator<Item = Network>,
        per_network: usize,
        all: usize,
    ) -> Newcomer {
        let networks: Vec<_> = networks.into_iter().collect();
        let (sender, place) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.all.insert(number, Entry { networks: networks.clone(), _place: sender });
        let widths = (1..=networks.len()).rev();
        for (network, width) in networks.into_iter().zip(widths) {
            let neighbours = waiting.networks.entry(network).or_default();
            neighbours.insert(number);
            let many = neighbours.len() > share(width, per_network);
            let oldest = neighbours.first().copied().filter(|_| many);
            oldest.into_iter().for_each(|oldest| waiting.remove(oldest));
        }
        if waiting.all.len() > all {
            waiting.displace_oldest();
        }
        drop(waiting);
        Newcomer { newcomers: Arc::clone(self), number, place }
    }

    /// Lets the oldest of the network that has most give way. Returns false if no connection waits.
    pub fn displace_oldest(&self) -> bool {
        self.waiting.lock().displace_oldest()
    }
}

impl Waiting {
    fn displace_oldest(&mut self) -> bool {
        // A network has at least as many as those within it.
        let most = self.networks.values().filter(|numbers| numbers.len() > 1);
        let of_most = most.filter_map(|numbers| Some((numbers.len(), Reverse(*numbers.first()?)))).max();
        let oldest = of_most.map(|(_, Reverse(number))| number).or_else(|| self.all.keys().next().copied());
        oldest.into_iter().for_each(|oldest| self.remove(oldest));
        oldest.is_some()
    }

    fn remove(&mut self, number: u64) {
        let Some(Entry { networks, .. }) = self.all.remove(&number) else { return };
        for network in networks {
            let Some(neighbours) = self.networks.get_mut(&network) else { continue };
            neighbours.remove(&number);
            if neighbours.is_empty() {
                self.networks.remove(&network);
            }
        }
    }
}

impl Newcomer {
    /// Waits until the connection has to give way.
    pub async fn displaced(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.place).await;
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.newcomers.waiting.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures::FutureExt as _;

    use super::*;

    fn networks(address: IpAddr) -> impl Iterator<Item = Network> {
        Network::of_one_customer(address).filter(move |_| !address.is_loopback())
    }

    fn is_displaced(newcomer: &mut Newcomer) -> bool {
        newcomer.displaced().now_or_never().is_some()
    }

    #[test]
    fn oldest_of_the_same_network_gives_way() {
        let newcomers = Arc::new(Newcomers::default());
        let enter = |address: &str| newcomers.enter(address.parse().map(networks).unwrap(), 4, 10);
        let mut stranger = enter("192.0.2.1");
        // Two of one network of 64 bits, three of one of 56 bits, four of one of 48 bits.
        let (mut first, mut second) = (enter("2001:db8:1:2::1"), enter("2001:db8:1:2:ffff::9"));
        let mut third = enter("2001:db8:1:2::3");
        assert!(is_displaced(&mut first));
        let (mut fourth, mut fifth) = (enter("2001:db8:1:3::1"), enter("2001:db8:1:4::1"));
        assert!(is_displaced(&mut second) && !is_displaced(&mut third));
        let (mut sixth, mut seventh) = (enter("2001:db8:1:100::1"), enter("2001:db8:1:200::1"));
        assert!(is_displaced(&mut third));
        for newcomer in [&mut stranger, &mut fourth, &mut fifth, &mut sixth, &mut seventh] {
            assert!(!is_displaced(newcomer));
        }
        drop((stranger, first, second, third, fourth, fifth, sixth, seventh));
        let waiting = newcomers.waiting.lock();
        assert!(waiting.all.is_empty() && waiting.networks.is_empty(), "{waiting:?}");
    }

    #[test]
    fn oldest_of_all_gives_way() {
        let newcomers = Arc::new(Newcomers::default());
        let enter = |address: &str| newcomers.enter(address.parse().map(networks).unwrap(), 1, 2);
        let (mut first, mut second) = (enter("192.0.2.1"), enter("192.0.2.2"));
        let mut third = enter("127.0.0.1");
        let mut fourth = enter("127.0.0.1");
        assert!(is_displaced(&mut first) && is_displaced(&mut second));
        assert!(!is_displaced(&mut third) && !is_displaced(&mut fourth));
        assert!(newcomers.displace_oldest());
        assert!(is_displaced(&mut third));
    }

    #[test]
    fn those_with_most_make_room_for_each_other_and_for_everybody_else() {
        let newcomers = Arc::new(Newcomers::default());
        let mut slow = newcomers.enter(networks([198, 51, 100, 7].into()), 128, 512);
        let from = |number: u32| IpAddr::from([192, 0, 2, u8::try_from(number % 4).unwrap() + 1]);
        let held: Vec<_> = (0..5000).map(|number| newcomers.enter(networks(from(number)), 128, 512)).collect();
        assert_eq!(newcomers.waiting.lock().all.len(), 512);
        assert!(!is_displaced(&mut slow), "four others have taken all places but this one");
        drop(held);
    }

    #[test]
    fn one_provider_cannot_take_the_places_of_others() {
        let newcomers = Arc::new(Newcomers::default());
        let mut victim = newcomers.enter(networks([198, 51, 100, 7].into()), 128, 4000);
        // As many networks of 64 bits as one of 48 bits has, and an address with as many connections as it likes.
        let from = |number: u32| IpAddr::from((0x2001_0db8_0001_u128 << 80 | u128::from(number) << 64).to_be_bytes());
        let held: Vec<_> = (0..65_536).map(|number| newcomers.enter(networks(from(number)), 128, 4000)).collect();
        let more: Vec<_> = (0..5000).map(|_| newcomers.enter(networks([192, 0, 2, 1].into()), 128, 4000)).collect();
        assert_eq!(newcomers.waiting.lock().all.len(), 257);
        assert!(!is_displaced(&mut victim));
        drop((held, more));
    }
}
