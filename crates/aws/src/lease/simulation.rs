//! A simulated AWS with simulated computers, for the tests: requests are late or lost, or are carried out long after their
//! sender has given up; computers have wrong clocks, are stopped, suspended and die.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::executor::LocalPool;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::keeper::Clock;
use super::slot::{Reading, Slot};
use super::store::{Creation, Store, Undeleted};
use crate::moment::Moment;
use peersync_engine::ResourceError;

/// When the simulation begins, since 1970: in the middle of a slot.
const BEGIN: Duration = Duration::from_secs(1_800_000_010);
/// By how much the clocks of AWS's servers differ at most from its true time, in milliseconds.
const SKEW_MS: u64 = 500;
/// How often the SDK repeats a call.
const ATTEMPTS: u32 = 3;

/// A request that changes the entries.
#[derive(Clone, Debug)]
enum Request {
    Create(Slot, String),
    Delete(Vec<Slot>),
}

/// What happens at a time.
enum Happening {
    Wake(oneshot::Sender<()>),
    Execute(Request),
}

/// A change of the stack by a run, at the time when AWS carried it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) at: Duration,
    pub(super) run: u64,
}

/// How bad the world is: the share of requests that go wrong in some way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) lost: f64,
    pub(super) slow: f64,
}

struct State {
    time: Duration,
    random: StdRng,
    faults: Faults,
    entries: BTreeMap<Slot, String>,
    /// What reads show that are behind.
    before: BTreeMap<Slot, String>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
    writes: Vec<Write>,
}

/// The world: AWS, and the time.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<State>>);

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self(Arc::new(Mutex::new(State {
            time: BEGIN,
            random: StdRng::seed_from_u64(seed),
            faults,
            entries: BTreeMap::new(),
            before: BTreeMap::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next: 0,
            writes: Vec::new(),
        })))
    }

    /// Runs everything that was spawned until nothing more happens, or until this much time has passed.
    pub(super) fn run(&self, pool: &mut LocalPool, limit: Duration) {
        pool.run_until_stalled();
        loop {
            let happening = {
                let mut state = self.0.lock();
                let Some(Reverse((at, number))) = state.queue.pop() else { return };
                if at > BEGIN + limit {
                    return;
                }
                state.time = at;
                state.happenings.remove(&number)
            };
            match happening {
                // Its receiver may be gone: a sleep that was abandoned.
                Some(Happening::Wake(sleeper)) => drop(sleeper.send(())),
                Some(Happening::Execute(request)) => drop(self.execute(&request)),
                None => {}
            }
            pool.run_until_stalled();
        }
    }

    pub(super) fn time(&self) -> Duration {
        self.0.lock().time
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.time() - BEGIN
    }

    pub(super) fn writes(&self) -> Vec<Write> {
        self.0.lock().writes.clone()
    }

    pub(super) fn entries(&self) -> Vec<Slot> {
        self.0.lock().entries.keys().copied().collect()
    }

    pub(super) fn chance(&self, share: f64) -> bool {
        self.0.lock().random.random_bool(share)
    }

    /// Returns a random time.
    pub(super) fn between(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.lock().random.random_range(least..=most))
    }

    fn at(&self, time: Duration, happening: Happening) {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.queue.push(Reverse((time, number)));
        state.happenings.insert(number, happening);
    }

    async fn until(&self, time: Duration) {
        let (sender, receiver) = oneshot::channel();
        self.at(time, Happening::Wake(sender));
        let _ = receiver.await;
    }

    /// Waits in true time.
    pub(super) async fn pass(&self, time: Duration) {
        self.until(self.time() + time).await;
    }

    pub(super) fn write(&self, run: u64) {
        let mut state = self.0.lock();
        let at = state.time;
        state.writes.push(Write { at, run });
    }

    /// Carries a request out; returns whether it could.
    fn execute(&self, request: &Request) -> bool {
        let mut state = self.0.lock();
        state.before = state.entries.clone();
        match request {
            Request::Create(slot, text) => {
                let is_free = !state.entries.contains_key(slot);
                if is_free {
                    state.entries.insert(*slot, text.clone());
                }
                is_free
            }
            Request::Delete(slots) => {
                state.entries.retain(|slot, _| !slots.contains(slot));
                true
            }
        }
    }
}

/// The clocks of one computer, and whether its processes run.
#[derive(Clone)]
pub(super) struct Computer {
    world: World,
    state: Arc<Mutex<ComputerState>>,
}

#[derive(Clone, Copy, Default)]
struct ComputerState {
    /// By how much its wall clock is ahead, in seconds.
    ahead: i64,
    /// Until when its processes do not run, in true time.
    stopped_until: Duration,
    /// For how long it has been suspended, which its monotonic clock does not count.
    suspended: Duration,
}

impl Computer {
    pub(super) fn new(world: &World) -> Self {
        let ahead = i64::try_from(world.between(0, 1_200_000).as_secs()).unwrap_or_default() - 600;
        let state = ComputerState { ahead, ..ComputerState::default() };
        Self { world: world.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// Stops all processes for a while, by a signal or by suspending the computer.
    pub(super) fn stop(&self, time: Duration, suspend: bool) {
        let mut state = self.state.lock();
        state.stopped_until = self.world.time() + time;
        if suspend {
            state.suspended += time;
        }
    }

    /// Waits until the processes run.
    pub(super) async fn running(&self) {
        loop {
            let until = self.state.lock().stopped_until;
            if until <= self.world.time() {
                return;
            }
            self.world.until(until).await;
        }
    }
}

#[async_trait]
impl Clock for Computer {
    fn now(&self) -> Moment {
        let (state, time) = (*self.state.lock(), self.world.time());
        let ahead = Duration::from_secs(state.ahead.unsigned_abs());
        let wall = if state.ahead < 0 { time - ahead } else { time + ahead };
        Moment { monotonic: time - BEGIN - state.suspended.min(time - BEGIN), wall }
    }

    async fn sleep(&self, time: Duration) {
        self.world.pass(time).await;
        self.running().await;
    }
}

/// The store as one computer reaches it.
pub(super) struct Remote {
    world: World,
    computer: Computer,
    reading: Mutex<Option<Reading>>,
}

/// How one attempt of a call went.
enum Attempt<T> {
    Answered(T),
    /// No answer came; the request may have been carried out, or be carried out later.
    Lost,
}

impl Remote {
    pub(super) fn new(world: &World, computer: &Computer) -> Self {
        Self { world: world.clone(), computer: computer.clone(), reading: Mutex::default() }
    }

    fn travel(&self) -> Duration {
        let slow = self.world.0.lock().faults.slow;
        if self.world.chance(slow) { self.world.between(100, 4_000) } else { self.world.between(5, 60) }
    }

    async fn attempt<T>(&self, request: Option<&Request>, serve: impl FnOnce() -> T) -> Attempt<T> {
        let sent = self.computer.now();
        let lost = self.world.0.lock().faults.lost;
        let (there, back) = (self.travel(), self.travel());
        if self.world.chance(lost) {
            // It never arrives, or arrives late.
            if let Some(request) = request.filter(|_| self.world.chance(0.5)) {
                let late = self.world.time() + self.world.between(1, 20_000);
                self.world.at(late, Happening::Execute(request.clone()));
            }
            self.world.pass(there + back).await;
            self.computer.running().await;
            return Attempt::Lost;
        }
        self.world.pass(there).await;
        let answer = serve();
        let skew = self.world.between(0, 2 * SKEW_MS);
        let date = self.world.time() + skew - Duration::from_millis(SKEW_MS);
        self.world.pass(back).await;
        self.computer.running().await;
        if self.world.chance(lost) {
            return Attempt::Lost;
        }
        let received = self.computer.now();
        *self.reading.lock() = Some(Reading { date: Duration::from_secs(date.as_secs()), sent, received });
        Attempt::Answered(answer)
    }
}

fn unreachable() -> ResourceError {
    ResourceError::new("the endpoint did not answer")
}

#[async_trait]
impl Store for Remote {
    async fn create(&self, slot: Slot, text: &str) -> Result<Creation, ResourceError> {
        let request = Request::Create(slot, text.to_owned());
        for _ in 0..ATTEMPTS {
            match self.attempt(Some(&request), || self.world.execute(&request)).await {
                Attempt::Answered(true) => return Ok(Creation::Created),
                Attempt::Answered(false) => return Ok(Creation::Taken),
                Attempt::Lost => {}
            }
        }
        Err(unreachable())
    }

    async fn list(&self) -> Result<Vec<(Slot, String)>, ResourceError> {
        let read = || {
            let mut state = self.world.0.lock();
            // A read may be behind by one change.
            let late = state.random.random_bool(0.1);
            let entries = if late { &state.before } else { &state.entries };
            entries.iter().map(|(slot, text)| (*slot, text.clone())).collect()
        };
        for _ in 0..ATTEMPTS {
            if let Attempt::Answered(entries) = self.attempt(None, read).await {
                return Ok(entries);
            }
        }
        Err(unreachable())
    }

    async fn delete(&self, slots: &[Slot]) -> Result<(), Undeleted> {
        if self.world.chance(0.05) {
            return Err(Undeleted::Refused(ResourceError::new("throttled")));
        }
        let request = Request::Delete(slots.to_vec());
        match self.attempt(Some(&request), || self.world.execute(&request)).await {
            Attempt::Answered(_) => Ok(()),
            Attempt::Lost => Err(Undeleted::Unknown(unreachable())),
        }
    }

    fn reading(&self) -> Option<Reading> {
        *self.reading.lock()
    }
}
