//! The clock of the host is set while people are connected: a host may boot with a wrong one.

use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::store::Notice;
use peersync_server::tickets::Bearer;
use peersync_signal::Limits;
use serde_json::json;

use crate::client::{Came, Client, candidates};
use crate::world::{Database, World, member, now};

const ADA: &str = "ada@example.org";
const DAY: i64 = 86_400;

fn quick() -> Limits {
    Limits {
        notices: Duration::from_millis(50),
        account_cache: Duration::ZERO,
        tick: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// Waits until the server has looked at the clock and the notices some times.
async fn look_again() {
    tokio::time::sleep(quick().notices * 6).await;
}

#[tokio::test]
async fn sessions_and_rooms_go_on_when_the_clock_is_set() {
    for wrong in [DAY, -DAY] {
        let clock = Clock::fixed(now());
        let world = World::with_clock(Database::start().await, quick(), clock.clone()).await;
        let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
        ada.expect("peer-joined").await;
        for by in [wrong, -wrong] {
            clock.set_by(by);
            look_again().await;
            ada.signal(&bob.peer, "x").await;
            assert_eq!(candidates(&bob.settle().await), ["x"], "{wrong}");
            assert!(ada.settle().await.is_empty(), "{wrong}");
        }
        bob.return_to(world.address).await;
        bob.welcomed().await;
        assert!(bob.resumed);
        assert_eq!(world.inside("Eve", "r").await.settle().await.len(), 0, "tickets are accepted");
    }
}

#[tokio::test]
async fn what_was_withdrawn_while_the_clock_was_wrong_ends_once_it_is_right() {
    for wrong in [DAY, -DAY] {
        let clock = Clock::fixed(now());
        let world = World::with_clock(Database::start().await, quick(), clock.clone()).await;
        let generation = world.database.account(ADA).await;
        let of = |session: &str| Bearer { session: Some(session.to_owned()), ..member(ADA, &generation) };
        let mut here = Client::welcome(world.address, &world.ticket_of(of("here"), 0)).await;
        let mut there = Client::welcome(world.address, &world.ticket_of(of("there"), 0)).await;
        clock.set_by(wrong);
        look_again().await;
        // The functions have the right time.
        let notice = Notice::Session(ADA.to_owned(), "here".to_owned());
        world.database.store().announce(&notice, now()).await.unwrap();
        look_again().await;
        clock.set_by(-wrong);
        assert_eq!(here.next().await["code"], "signed_out", "{wrong}");
        assert_eq!(here.came().await, Came::Closed(4005));
        clock.set_by(wrong);
        look_again().await;
        world.database.store().end_all_sessions(ADA, now()).await.unwrap();
        clock.set_by(-wrong);
        assert_eq!(there.next().await["code"], json!("signed_out"), "{wrong}");
    }
}
