//! Many runs in a simulated world, and what must hold whatever happens there.

use std::time::Duration;

use futures::executor::LocalPool;
use futures::future::{self, FutureExt};
use futures::task::LocalSpawnExt as _;
use tokio_util::sync::CancellationToken;

use super::holder::Holder;
use super::keeper::{Clock as _, Keeper, Loss, NotTaken};
use super::simulation::{Computer, Faults, Remote, World, Write};
use crate::write_guard::WriteGuard;

/// How long a request that changes something takes to be carried out at most, in milliseconds.
const SLOWEST_WRITE: u64 = 1_400;
/// How long one world lasts.
const LONG: Duration = Duration::from_secs(1_800);

const CALM: Faults = Faults { lost: 0.0, slow: 0.0 };

/// One run of a command on a computer.
struct Run {
    world: World,
    computer: Computer,
    guard: WriteGuard,
    keeper: Keeper<Remote, Computer>,
    number: u64,
}

impl Run {
    fn new(world: &World, number: u64) -> Self {
        let (computer, guard) = (Computer::new(world), WriteGuard::default());
        let holder = Holder { who: format!("run {number}"), ..Holder::default() };
        let store = Remote::new(world, &computer);
        let keeper = Keeper::new(store, computer.clone(), guard.clone(), number.to_string(), holder);
        Self { world: world.clone(), computer, guard, keeper, number }
    }

    /// Takes the lease, waiting for others as long as it takes.
    async fn take(&self) -> super::slot::Slot {
        loop {
            match self.keeper.take().await {
                Ok(last) => return last,
                Err(_) => self.computer.sleep(self.world.between(250, 4_000)).await,
            }
        }
    }

    /// Changes the stack for some time, as long as the guard allows it.
    async fn work(&self, time: Duration) {
        let end = self.world.time() + time;
        while self.world.time() < end {
            self.computer.sleep(self.world.between(20, 1_500)).await;
            if self.guard.check(self.computer.now()).is_err() {
                return;
            }
            // The request is on its way; its answer comes later.
            self.world.pass(self.world.between(1, SLOWEST_WRITE)).await;
            self.world.write(self.number);
            self.computer.running().await;
        }
    }

    /// A whole run. Returns why its lease was lost, if it was.
    async fn execute(&self, time: Duration) -> Option<Loss> {
        let last = self.take().await;
        let stop = CancellationToken::new();
        let working = self.work(time).map(|()| stop.cancel());
        let (loss, ()) = future::join(self.keeper.keep(last, &stop, |_| {}), working).await;
        // What cannot be given back expires.
        let _ = self.keeper.give_back().await;
        loss
    }
}

/// Asserts that no run wrote between two writes of another one.
#[track_caller]
fn never_interleaved(writes: &[Write], what: &str) {
    let mut over = Vec::new();
    for pair in writes.windows(2) {
        let [one, other] = pair else { continue };
        if one.run != other.run {
            over.push(one.run);
            assert!(!over.contains(&other.run), "{what}: run {} wrote again at {:?}", other.run, other.at);
        }
    }
}

/// Runs begin at random times, work for random times, die, and are stopped or suspended at the worst moments.
#[test]
fn runs_never_interleave_whatever_happens() {
    let mut worked = 0;
    for seed in 0..400 {
        let share = [0.0, 0.05, 0.3][usize::try_from(seed % 3).unwrap_or_default()];
        let world = World::new(seed, Faults { lost: share, slow: share });
        let mut pool = LocalPool::new();
        let spawner = pool.spawner();
        for number in 0..6 {
            let run = Run::new(&world, number);
            let life = async move {
                run.world.pass(run.world.between(0, 90_000)).await;
                let death = if run.world.chance(0.3) { run.world.between(0, 120_000) } else { LONG };
                let stops = async {
                    while run.world.chance(0.5) {
                        run.world.pass(run.world.between(1_000, 60_000)).await;
                        run.computer.stop(run.world.between(1_000, 90_000), run.world.chance(0.5));
                    }
                    future::pending::<()>().await;
                };
                let work = run.execute(run.world.between(0, 120_000));
                // Whatever was in flight when it dies is dropped or carried out by the world.
                let dies = run.world.pass(death);
                let (work, dies, stops) = (Box::pin(work), Box::pin(dies), Box::pin(stops));
                let _ = future::select(future::select(work, dies), stops).await;
            };
            assert!(spawner.spawn_local(life).is_ok());
        }
        world.run(&mut pool, LONG);
        never_interleaved(&world.writes(), &format!("seed {seed}"));
        worked += world.writes().len();
    }
    assert!(worked > 50_000, "{worked} writes");
}

#[test]
fn lease_is_renewed_as_long_as_the_work_lasts() {
    let world = World::new(1, Faults { lost: 0.2, slow: 0.1 });
    let mut pool = LocalPool::new();
    let run = Run::new(&world, 1);
    let ended = pool.spawner().spawn_local_with_handle(async move { run.execute(Duration::from_secs(600)).await });
    world.run(&mut pool, LONG);
    let loss = ended.ok().and_then(FutureExt::now_or_never);
    assert!(matches!(loss, Some(None)), "{loss:?}");
    assert!(world.writes().last().is_some_and(|last| last.at + LONG > world.time() && world.writes().len() > 300));
}

/// Returns when the second of two runs wrote first, and what is left in the end.
fn second_run_after(first: impl AsyncFnOnce(&Run) + 'static) -> (Duration, Vec<Write>, usize) {
    let world = World::new(2, CALM);
    let mut pool = LocalPool::new();
    let run = Run::new(&world, 1);
    let one = async move { first(&run).await };
    let run = Run::new(&world, 2);
    let other = async move {
        run.world.pass(Duration::from_secs(1)).await;
        run.execute(Duration::from_secs(5)).await;
    };
    assert!(pool.spawner().spawn_local(one).is_ok() && pool.spawner().spawn_local(other).is_ok());
    world.run(&mut pool, LONG);
    let begin = world.time() - world.elapsed();
    let first = world.writes().into_iter().find(|write| write.run == 2).map(|write| write.at - begin);
    (first.unwrap_or(LONG), world.writes(), world.entries().len())
}

#[test]
fn lease_given_back_is_free_at_once_and_leaves_nothing() {
    let (first, writes, left) = second_run_after(async |run| {
        run.execute(Duration::from_secs(3)).await;
    });
    assert!(first < Duration::from_secs(13), "{first:?}");
    assert_eq!(left, 0);
    never_interleaved(&writes, "one after the other");
}

#[test]
fn lease_of_a_dead_run_ends_within_a_minute_and_is_cleaned_up() {
    let (first, _, left) = second_run_after(async |run| {
        // It dies right after it has taken the lease.
        run.take().await;
    });
    assert!(first > Duration::from_secs(20) && first < Duration::from_secs(60), "{first:?}");
    assert_eq!(left, 0);
}

/// The first run is suspended for ten minutes, which its monotonic clock does not count.
#[test]
fn suspended_run_writes_nothing_after_its_lease() {
    let (first, writes, _) = second_run_after(async |run| {
        let suspended = async {
            run.world.pass(Duration::from_secs(10)).await;
            run.computer.stop(Duration::from_secs(600), true);
        };
        let work = run.execute(Duration::from_secs(60));
        let (loss, ()) = future::join(work, suspended).await;
        assert!(matches!(loss, Some(Loss::Expired(None))), "{loss:?}");
    });
    assert!(first < Duration::from_secs(75), "{first:?}");
    never_interleaved(&writes, "suspended");
    assert!(writes.iter().all(|write| write.run == 2 || write.at <= writes.last().map_or(write.at, |last| last.at)));
}

/// The answers are slow and the slot is almost over, so that the run chooses the next one before it has begun.
#[test]
fn lease_does_not_begin_before_its_slot() {
    let world = World::new(4, CALM);
    let mut pool = LocalPool::new();
    let run = Run::new(&world, 1);
    let taken = async move {
        // The simulation begins ten seconds into a slot.
        run.world.pass(Duration::from_millis(14_300)).await;
        let last = run.take().await;
        (last, run.world.time())
    };
    let taken = pool.spawner().spawn_local_with_handle(taken);
    world.run(&mut pool, LONG);
    let Some((last, at)) = taken.ok().and_then(FutureExt::now_or_never) else { panic!("it does not end") };
    assert_eq!(last.0, 1_800_000_000 / 25 + 2, "it has the next slot and the one after that");
    assert!(at >= Duration::from_millis(1_800_000_024_500), "{at:?}");
}

#[test]
fn present_holder_is_named() {
    let world = World::new(3, CALM);
    let mut pool = LocalPool::new();
    let (one, other) = (Run::new(&world, 1), Run::new(&world, 2));
    let asked = async move {
        one.take().await;
        (other.keeper.take().await, other.keeper.look().await, one.keeper.look().await)
    };
    let asked = pool.spawner().spawn_local_with_handle(asked);
    world.run(&mut pool, LONG);
    let Some((taken, seen, own)) = asked.ok().and_then(FutureExt::now_or_never) else { panic!("it does not end") };
    let Err(NotTaken::Held(holder)) = taken else { panic!("{taken:?}") };
    assert_eq!(holder.who, "run 1");
    assert!(holder.since.starts_with("2027-01-15T08:00:1"), "{holder:?}");
    assert_eq!(seen.ok().flatten(), Some(holder));
    assert_eq!(own.ok().flatten(), None);
}

/// What keeps two runs apart is in the answers; this makes sure that the check above would see them meet.
#[test]
#[should_panic(expected = "wrote again")]
fn interleaved_writes_are_noticed() {
    let write = |run| Write { at: Duration::ZERO, run };
    never_interleaved(&[write(1), write(2), write(1)], "example");
}
