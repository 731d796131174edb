//! How a lease is taken, renewed and given back.
//!
//! Time is divided into slots by AWS's clock. A slot belongs to whoever has created its entry, which succeeds only once,
//! and may be used until the slot ends. Nothing is ever overwritten, and an entry is deleted only by whoever created it
//! or once its slot is over. So a late or repeated request of a run that is long past can do no harm, and no decision
//! rests on a read.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::holder::{Entry, Holder};
use super::slot::{Reading, Slot};
use super::store::{Creation, Store, Undeleted};
use crate::moment::Moment;
use crate::write_guard::WriteGuard;
use peersync_engine::{Progress, ResourceError, rule};

/// How often the holder checks whether it still has the lease, and the delay before a failed renewal is repeated.
const TICK: Duration = Duration::from_secs(1);
/// The maximum number of attempts to delete the entries.
const DELETIONS: u32 = 6;

/// Why a lease was not taken.
#[derive(Clone, Debug)]
pub enum NotTaken {
    /// Another run holds it.
    Held(Holder),
    /// A call failed.
    Failed(ResourceError),
}

impl From<ResourceError> for NotTaken {
    fn from(error: ResourceError) -> Self {
        Self::Failed(error)
    }
}

/// Why a lease ended before it was given back.
#[derive(Clone, Debug)]
pub enum Loss {
    /// It could not be renewed in time, with the last error; `None` if this computer was suspended or stopped.
    Expired(Option<ResourceError>),
    /// Another run has taken it.
    Taken(Holder),
}

/// The clock of this computer.
#[async_trait]
pub(super) trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Moment;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// What one run does about the lease of one stack.
pub(super) struct Keeper<S, C> {
    store: S,
    clock: C,
    guard: WriteGuard,
    id: String,
    holder: Mutex<Holder>,
    slots: Mutex<Slots>,
}

/// The slots of one run.
#[derive(Default)]
struct Slots {
    /// Entries that it has certainly created and not certainly deleted.
    created: BTreeSet<Slot>,
    /// Entries that it may have created.
    doubtful: BTreeSet<Slot>,
}

impl<S: Store, C: Clock> Keeper<S, C> {
    /// Prepares a run with a random id. Sends nothing.
    pub(super) fn new(store: S, clock: C, guard: WriteGuard, id: String, holder: Holder) -> Self {
        Self { store, clock, guard, id, holder: Mutex::new(holder), slots: Mutex::default() }
    }

    /// Takes the lease and returns its last slot.
    ///
    /// # Errors
    /// Another run holds it, or a call failed.
    pub(super) async fn take(&self) -> Result<Slot, NotTaken> {
        let present = self.store.list().await?;
        let (reading, now) = (self.reading()?, self.clock.now());
        if let Some(holder) = self.other(&present, &reading) {
            return Err(NotTaken::Held(holder));
        }
        self.holder.lock().since = moment(reading.date);
        let first = Slot::of(reading.latest(now));
        for slot in [first, first.next()] {
            if let Err(error) = self.claim(slot).await {
                // What cannot be given back expires by itself; the first error says more.
                let _ = self.give_back().await;
                return Err(error);
            }
        }
        let reading = self.reading()?;
        // The slot may not have begun: it was chosen by the latest time that AWS's clock could have shown.
        let early = first.start().saturating_sub(reading.earliest(self.clock.now()));
        if rule!("lease-begins-with-its-slot", !early.is_zero()) {
            self.clock.sleep(early).await;
        }
        self.guard.begin(reading.sent, reading.lasts(first.next()));
        self.sweep(present.into_iter().map(|(slot, _)| slot)).await;
        Ok(first.next())
    }

    /// Returns who holds the lease, if anybody does. Changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub(super) async fn look(&self) -> Result<Option<Holder>, ResourceError> {
        let present = self.store.list().await?;
        Ok(self.other(&present, &self.reading()?))
    }

    /// Returns who holds the lease, and deletes what runs have left that ended without giving it back.
    ///
    /// # Errors
    /// The call failed.
    pub(super) async fn clean(&self) -> Result<Option<Holder>, ResourceError> {
        let present = self.store.list().await?;
        let holder = self.other(&present, &self.reading()?);
        self.sweep(present.into_iter().map(|(slot, _)| slot)).await;
        Ok(holder)
    }

    /// Renews the lease until `stop`, and returns why it ended before, if it did. `failing` is told of failed renewals.
    pub(super) async fn keep(
        &self,
        mut last: Slot,
        stop: &CancellationToken,
        failing: impl Fn(&ResourceError),
    ) -> Option<Loss> {
        let mut error = None;
        loop {
            let now = self.clock.now();
            if self.guard.check(now).is_err() {
                return Some(Loss::Expired(error));
            }
            let reading = self.store.reading()?;
            let due = last.start().saturating_sub(reading.earliest(now));
            if !due.is_zero() {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return None,
                    () = self.clock.sleep(due.min(TICK)) => continue,
                }
            }
            // A call in flight is not abandoned for `stop`: it could create an entry after the others were deleted.
            let renewal = tokio::select! {
                biased;
                () = self.clock.sleep(self.guard.remaining(now)) => return Some(Loss::Expired(error)),
                renewal = self.renew(last.next()) => renewal,
            };
            match renewal {
                Ok(()) => (last, error) = (last.next(), None),
                Err(NotTaken::Held(holder)) => return Some(Loss::Taken(holder)),
                Err(NotTaken::Failed(failure)) => {
                    failing(&failure);
                    error = Some(failure);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return None,
                        () = self.clock.sleep(TICK) => {}
                    }
                }
            }
        }
    }

    /// Creates the entry of the next slot, extends the lease, and deletes the entries that are over.
    async fn renew(&self, next: Slot) -> Result<(), NotTaken> {
        self.claim(next).await?;
        let reading = self.reading()?;
        // An error is found by the check that follows each renewal.
        let _ = self.guard.extend(reading.sent, reading.lasts(next), self.clock.now());
        let created: Vec<Slot> = self.slots.lock().created.iter().copied().collect();
        self.sweep(created.into_iter()).await;
        Ok(())
    }

    /// Gives the lease back: nothing is written any more, and the entries are deleted.
    ///
    /// # Errors
    /// A call failed; the lease expires by itself.
    pub(super) async fn give_back(&self) -> Result<(), ResourceError> {
        self.guard.lock();
        if !self.slots.lock().doubtful.is_empty() {
            let mine = self.mine(&self.store.list().await?);
            let mut slots = self.slots.lock();
            slots.created.extend(mine);
            slots.doubtful.clear();
        }
        let mut last = None;
        for attempt in 0..DELETIONS {
            let slots: Vec<Slot> = self.slots.lock().created.iter().copied().collect();
            if slots.is_empty() {
                return Ok(());
            }
            match self.store.delete(&slots).await {
                Ok(()) => self.slots.lock().created.clear(),
                Err(Undeleted::Refused(error)) => {
                    last = Some(error);
                    self.clock.sleep(TICK / 4 * attempt).await;
                }
                Err(Undeleted::Unknown(error)) => {
                    last = Some(error);
                    self.settle(&slots).await?;
                }
            }
        }
        let left = !self.slots.lock().created.is_empty();
        last.filter(|_| left).map_or(Ok(()), Err)
    }

    /// Finds out whether a deletion has happened whose answer was lost. If not, it may still happen, and a second request
    /// could delete what another run has created after the first: so it is sent only once the slots are over.
    async fn settle(&self, slots: &[Slot]) -> Result<(), ResourceError> {
        let present = self.store.list().await?;
        let mine = self.mine(&present);
        self.slots.lock().created.retain(|slot| mine.contains(slot));
        if !mine.is_empty() {
            let end = slots.iter().map(|slot| slot.end()).max().unwrap_or_default();
            let wait = end.saturating_sub(self.reading()?.earliest(self.clock.now()));
            if let Some(progress) = Progress::current() {
                progress.waiting("the lease to end, because the answer to giving it back was lost");
            }
            rule!("lease-deletion-is-not-repeated-early" => { self.clock.sleep(wait).await; });
        }
        Ok(())
    }

    /// Creates the entry of a slot.
    async fn claim(&self, slot: Slot) -> Result<(), NotTaken> {
        self.slots.lock().doubtful.insert(slot);
        let text = Entry { id: self.id.clone(), holder: self.holder.lock().clone() }.to_text();
        if self.store.create(slot, &text).await? == Creation::Taken {
            // By this run, if the answer to its first attempt was lost.
            let present = self.store.list().await?;
            let mine = rule!("lease-survives-lost-answer", self.mine(&present).contains(&slot));
            if !mine {
                let text = present.into_iter().find(|(present, _)| *present == slot).map(|(_, text)| text);
                if text.is_some() {
                    self.slots.lock().doubtful.remove(&slot);
                }
                let entry = text.and_then(|text| Entry::parse(&text));
                return Err(NotTaken::Held(entry.map(|entry| entry.holder).unwrap_or_default()));
            }
        }
        let mut slots = self.slots.lock();
        slots.doubtful.remove(&slot);
        slots.created.insert(slot);
        Ok(())
    }

    /// Deletes the entries whose slots are over, of whichever run they are. If that fails, the next run does it.
    async fn sweep(&self, slots: impl Iterator<Item = Slot>) {
        let Ok(reading) = self.reading() else { return };
        let earliest = reading.earliest(self.clock.now());
        let over: Vec<Slot> = slots.filter(|slot| slot.end() <= earliest).collect();
        if !over.is_empty() && self.store.delete(&over).await.is_ok() {
            self.slots.lock().created.retain(|slot| !over.contains(slot));
        }
    }

    /// Returns the slots among these whose entries this run has created.
    fn mine(&self, present: &[(Slot, String)]) -> Vec<Slot> {
        let is_mine = |text: &str| Entry::parse(text).is_some_and(|entry| entry.id == self.id);
        present.iter().filter(|(_, text)| is_mine(text)).map(|(slot, _)| *slot).collect()
    }

    /// Returns the other run whose slot has not ended, the present one first.
    fn other(&self, present: &[(Slot, String)], reading: &Reading) -> Option<Holder> {
        let earliest = reading.earliest(self.clock.now());
        let others = present.iter().filter(|(slot, _)| slot.end() > earliest);
        let others = others.map(|(slot, text)| (slot, Entry::parse(text)));
        let others = others.filter(|(_, entry)| entry.as_ref().is_none_or(|entry| entry.id != self.id));
        let first = others.min_by_key(|(slot, _)| **slot)?;
        Some(first.1.map(|entry| entry.holder).unwrap_or_default())
    }

    fn reading(&self) -> Result<Reading, ResourceError> {
        self.store.reading().ok_or_else(|| {
            ResourceError::new("failed to read the time")
                .caused_by("the answer of the endpoint has no valid header `Date`")
                .hint("leases go by the endpoint's clock: use an endpoint that sends it")
        })
    }
}

/// Returns a time since 1970 as RFC 3339.
fn moment(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or_default();
    DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default()
}
