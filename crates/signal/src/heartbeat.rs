//! A timer wheel for the pings of all connections, instead of a timer in each.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::Limits;
use crate::outbox::EndRequest;
use crate::session::Session;

/// The sessions, spread evenly over the heartbeat interval. Each tick pings one part of them.
#[derive(Debug)]
pub struct Wheel {
    spokes: Mutex<Spokes>,
    /// The time in which the wheel turns once.
    round: Duration,
    /// A session from which nothing came for this long is dead.
    dead: Duration,
    /// Sessions that may be dead before their next ping, checked at every tick: few on a healthy network.
    suspects: Mutex<Vec<Weak<Session>>>,
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
        let round = limits.tick * u32::try_from(count).unwrap_or(u32::MAX);
        let spokes = Mutex::new(Spokes { spokes, next: 0, turn: 0 });
        Self { spokes, round, dead: limits.dead, suspects: Mutex::default() }
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

    /// Turns the wheel by one tick: pings the sessions whose turn it is, and ends those that are dead.
    pub fn tick(&self, now: Duration) {
        let mut wheel = self.spokes.lock();
        let at = wheel.turn % wheel.spokes.len();
        wheel.turn = wheel.turn.wrapping_add(1);
        let Some(spoke) = wheel.spokes.get_mut(at) else { return };
        let mut due = Vec::with_capacity(spoke.len());
        spoke.retain(|session| session.upgrade().map(|session| due.push(session)).is_some());
        drop(wheel);
        let mut suspects = self.suspects.lock();
        for session in due.iter().filter(|session| session.outbox.is_attached()) {
            session.outbox.beat();
            if session.silence(now) + self.round >= self.dead {
                suspects.push(Arc::downgrade(session));
            }
        }
        // Who was heard is no longer a suspect. The next ping is in time to suspect it again.
        suspects.retain(|session| {
            let Some(session) = session.upgrade().filter(|session| session.outbox.is_attached()) else { return false };
            let silence = session.silence(now);
            if silence >= self.dead {
                session.outbox.end(EndRequest::Dead);
            }
            silence < self.dead && silence + self.round >= self.dead
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use futures::task::noop_waker;

    use super::*;
    use crate::bounds::Bounds;
    use crate::session::Identity;

    fn ended(session: &Session) -> bool {
        let polled = session.outbox.poll_end(&mut Context::from_waker(&noop_waker()), 1);
        assert!(matches!(polled, Poll::Pending | Poll::Ready(EndRequest::Dead)), "{polled:?}");
        polled.is_ready()
    }

    #[test]
    fn session_is_dead_one_tick_after_thirty_seconds_of_silence() {
        let limits = Limits::default();
        let who = Identity::guest("Ada");
        // Each is heard for the last time in another part of its round.
        for last in [0, 250, 3000, 9750, 10_000, 12_345, 20_000] {
            let wheel = Wheel::new(&limits);
            let session = Session::new(who.clone(), Bounds::new(&limits), 1, Duration::ZERO);
            wheel.add(&session);
            let mut now = Duration::ZERO;
            while !ended(&session) {
                assert!(now < Duration::from_secs(60), "it lives for ever");
                let heard = now.min(Duration::from_millis(last));
                session.heard(heard);
                now += limits.tick;
                wheel.tick(now);
            }
            let silence = now - Duration::from_millis(last);
            assert!(silence >= limits.dead && silence <= limits.dead + limits.tick, "{last}: {silence:?}");
        }
    }
}
