//! One wheel for the pings of all connections, instead of a timer in each.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::Limits;
use crate::session::Session;

/// Sessions spread evenly over the heartbeat; each tick beats one part of them.
#[derive(Debug)]
pub struct Wheel {
    spokes: Mutex<Spokes>,
    /// Nothing heard for this long is the end. One tick less than the limit, because the wheel comes by in whole turns.
    dead: Duration,
}

#[derive(Debug)]
struct Spokes {
    spokes: Vec<Vec<Weak<Session>>>,
    /// Where the next session goes.
    next: usize,
    /// Whose turn it is.
    turn: usize,
}

impl Wheel {
    /// As many spokes as ticks in a heartbeat.
    pub fn new(limits: &Limits) -> Self {
        let count = limits.heartbeat.as_millis().div_ceil(limits.tick.as_millis().max(1)).max(1);
        let spokes = vec![Vec::new(); usize::try_from(count).unwrap_or(1)];
        let dead = limits.dead.saturating_sub(limits.tick);
        Self { spokes: Mutex::new(Spokes { spokes, next: 0, turn: 0 }), dead }
    }

    /// Beats this session from now on, until it is gone.
    pub fn add(&self, session: &Arc<Session>) {
        let mut wheel = self.spokes.lock();
        let at = wheel.next % wheel.spokes.len();
        wheel.next = wheel.next.wrapping_add(1);
        if let Some(spoke) = wheel.spokes.get_mut(at) {
            spoke.push(Arc::downgrade(session));
        }
    }

    /// One tick.
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
