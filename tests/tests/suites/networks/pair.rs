//! Two people who meet in a room.

use std::sync::Arc;
use std::time::Duration;

use tokio::join;

use super::lab::{Lab, Router, Speaks};
use super::namespace::Namespace;
use super::person::{Browser, Person, Way};
use super::product::Service;

/// Two people in a call. Ada came first.
#[derive(Debug)]
pub struct Pair {
    /// The first one.
    pub ada: Person,
    /// The second one.
    pub bob: Person,
    /// Ada's computer.
    pub adas: Arc<Namespace>,
    _bobs: Namespace,
}

impl Pair {
    /// Lets two people behind these routers meet in a new room, and returns the ways that Ada and Bob see.
    pub async fn meet(
        lab: &Lab,
        service: &Service,
        ada: (&Router, Browser),
        bob: (&Router, Browser),
    ) -> (Self, Way, Way) {
        let (adas, bobs) = (ada.0.computer(Speaks::V4), bob.0.computer(Speaks::V4));
        let room = service.room(lab);
        Self::meet_in(&room, &room, (adas, ada.1), (bobs, bob.1)).await
    }

    /// Lets two people meet in a room, of which each has an address of their own.
    pub async fn meet_in(
        adas_room: &str,
        bobs_room: &str,
        (adas, adas_browser): (Namespace, Browser),
        (bobs, bobs_browser): (Namespace, Browser),
    ) -> (Self, Way, Way) {
        let arrivals = join!(Person::arrive(&adas, adas_browser, "Ada"), Person::arrive(&bobs, bobs_browser, "Bob"));
        let (mut ada, mut bob) = arrivals;
        ada.join(adas_room).await;
        bob.join(bobs_room).await;
        let (adas_way, bobs_way) = join!(ada.sees(1), bob.sees(1));
        let (adas_way, bobs_way) = (adas_way[0].clone(), bobs_way[0].clone());
        (Self { ada, bob, adas: Arc::new(adas), _bobs: bobs }, adas_way, bobs_way)
    }

    /// Waits until both see each other's picture move.
    pub async fn see_each_other(&mut self) {
        join!(self.ada.sees(1), self.bob.sees(1));
    }

    /// Does something to the network, and returns the longest time for which somebody's picture stood still until both
    /// move again.
    pub async fn interruption(&mut self, by: impl Future<Output = ()>) -> Duration {
        self.ada.watch().await;
        self.bob.watch().await;
        by.await;
        self.see_each_other().await;
        let (adas, bobs) = (self.ada.longest_gap().await, self.bob.longest_gap().await);
        eprintln!("the picture stood still for {adas:?} (Ada) and {bobs:?} (Bob)");
        adas.max(bobs)
    }
}
