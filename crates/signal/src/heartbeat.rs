//! A timer wheel for the pings of all connections, instead of a timer in each.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::Limits;
use crate::session::Session;

/// The sessions, spread evenly over the heartbeat interval. Each tick pings one part of them.
#[derive(Debug)]
pub struct Wheel {
    spokes: Mutex<Spokes>,
    /// A session from which nothing came for this long is dead. One tick less than the limit, because the wheel turns
    /// in whole ticks.
    dead: Duration,
}

#[derive(Debug)]
struct Spokes {
    spokes: Vec<Vec<Weak<Session>>>,
    /// The spoke for the next session.
    next: usize,
    /// The spoke for the next tick.
    turn: usize,
}

impl Wheel {
    /// Returns a wheel with as many spokes as the heartbeat has ticks.
    pub fn new(limits: &Limits) -> Self {
        let count = limits.heartbeat.as_millis().div_ceil(limits.tick.as_millis().max(1)).max(1);
        let spokes = vec![Vec::new(); usize::try_from(count).unwrap_or(1)];
        let dead = limits.dead.saturating_sub(limits.tick);
        Self { spokes: Mutex::new(Spokes { spokes, next: 0, turn: 0 }), dead }
    }

    /// Pings this session from now on, until it ends.
    pub fn add(&self, session: &Arc<Session>) {
        let mut wheel = self.spokes.lock();
        let at = wheel.next % wheel.spokes.len();
        wheel.next = wheel.next.wrapping_add(1);
        if let Some(spoke) = wheel.spokes.get_mut(at) {
            spoke.push(Arc::downgrade(session));
        }
    }

    /// Turns the wheel by one tick.
    pub fn tick(&self, now: Duration) {
        let mut wheel = self.spokes.lock();
        let at = wheel.turn % wheel.spokes.len();
        wheel.turn = wheel.turn.wrapping_add(1);
        let Some(spoke) = wheel.spokes.get_mut(at) else { return };
        let mut due = Vec::with_capacity(spoke.len());
        spoke.retain(|session| session.upgrade().map(|session| due.push(session)).is_some());
        drop(wheel);
        for session in due.iter().filter(|session| session.outbox.is_attached()) {
            session.beat(now, self.dead);
        }
    }
}
