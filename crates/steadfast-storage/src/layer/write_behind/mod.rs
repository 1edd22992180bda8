//! Writes that nobody waits for, kept until the storage has them.
//!
//! [`WriteBehind`] goes around a storage that answers later. What is [set](AsyncUserStorage::set) or
//! [handed over](WriteBehind::hand_over) is taken at once, seen by look-ups from then on, sent in batches, and tried
//! again for as long as the storage fails. A [journal](Journal) on the disk keeps what has no room in memory, or
//! everything.
//!
//! **Who waits.** `merge` and `merge_many` take a claim in like any other, behind what waits for its place, and wait for
//! the *storage's* answer: only the storage knows who was first. A client never waits for its plain verbs, since it hands
//! their claims to a worker, and its confirmed ones get the storage's word, which is what they ask for. A caller that
//! stops waiting, or is told that the storage is down, has lost nothing: the claim stays and is sent. That is why no
//! claim needs a mark of who waits for it. [`settle`](AsyncUserStorage::settle) waits for all that is kept back of a user,
//! so that a confirmed decision is never made on what only this layer knows.
//!
//! While a storage hangs, and does not count as down yet, a client's worker waits with what it has handed over, and the
//! client keeps what comes meanwhile itself: as much as `Limits::waiting` says.
//!
//! **Order.** Of one place (a user in a campaign) nothing is sent before what came earlier is done; of one user no two
//! sends are under way at once. Several claims of one place are one where that comes to the same, whatever is stored;
//! where not, they stay several. A claim may be sent twice, after an answer that did not arrive or a crash: merging twice
//! is merging once. A record that was *set* twice may come over what another process set in between.
//!
//! **What it must know of time.** A send that takes longer than [`WriteBehindOptions::send`] is given up and tried again.
//! A storage that goes on with what was given up, as [`Offloaded`](crate::bridge::Offloaded) does, may do it after what
//! came later: give it the longer deadline.
//!
//! Modules in reading order: `options`, `operation` (when two writes are one), `pending` (what is sent next, as a state
//! machine), `journal` (the file), `driver` (the task that sends).

mod driver;
mod journal;
#[cfg(test)]
mod model;
mod operation;
mod options;
mod pending;
mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record, StorageFailure};

use self::operation::Operation;
pub use self::options::{Counters, Journal, Unsent, WhenFull, WhenRefused, WriteBehindOptions};
use self::pending::{Place, over};
use self::shared::{Refused, Shared, Taken};
use crate::backend::meta_data;
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{AsyncUserStorage, Writes, answer};

/// As long as anything here lasts, whatever the options say: a clock has an end.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// As many claims as a client may hand over at once: they are only taken in.
const TOGETHER: usize = 1_000;

/// Erases a user in the journal of a program that has ended, and waits for the disk: what waits there for them is
/// forgotten, and the program, when it next begins, has its storage erase them before it sends anything, for as long as
/// `keep` from now on. How many of their campaigns something waited for.
///
/// # Errors
/// [`Denied`](StorageErrorKind::Denied) when the file is no journal, which it is left as, is not there, or must not be
/// written; [`InUse`](StorageErrorKind::InUse) when a program has it open; [`Full`](StorageErrorKind::Full) when the disk
/// is, and [`Unavailable`](StorageErrorKind::Unavailable) when it fails.
pub fn erase_in_journal(path: impl AsRef<Path>, user: &str, keep: Duration) -> Result<u64, StorageError> {
    journal::erase_in(path.as_ref(), user, shared::milliseconds_from_now(keep))
}

/// A storage whose writes are handed over. The [module](self) says how.
///
/// It may be made anywhere. Its calls need a tokio runtime with timers around them; the first one starts the task that
/// sends, and so what an earlier process left in the journal. Under [`Waited`](crate::bridge::Waited) that runtime is the
/// bridge's. Where a runtime ends, the next call in another one starts the task anew.
///
/// When it is dropped the task goes on until the storage has everything, as long as its runtime does; with a journal, no
/// longer than until the storage fails, and what is left is journaled. [`shutdown`](Self::shutdown) is the orderly end,
/// and the only one that says what became of it.
///
/// ```
/// use steadfast_engine::Record;
/// use steadfast_storage::bridge::Offloaded;
/// use steadfast_storage::layer::write_behind::{WriteBehind, WriteBehindOptions};
/// use steadfast_storage::{AsyncUserStorage, MemoryStorage};
/// use std::time::Duration;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let storage = WriteBehind::new(Offloaded::new(MemoryStorage::new()), WriteBehindOptions::default())?;
/// storage.set(Record::new("Ashley", "checkout", "Green")).await?;
/// assert!(storage.get("Ashley", "checkout").await?.is_some());
/// storage.shutdown(Duration::from_secs(5)).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WriteBehind<S: AsyncUserStorage + 'static> {
    shared: Arc<Shared<S>>,
}

impl<S: AsyncUserStorage + 'static> WriteBehind<S> {
    /// Wraps a storage. A journal is opened, which reads and writes its file where the caller stands.
    ///
    /// # Errors
    /// When the journal cannot be used: [`InUse`](StorageErrorKind::InUse) when another process has it,
    /// [`Denied`](StorageErrorKind::Denied), [`Corrupt`](StorageErrorKind::Corrupt), [`Full`](StorageErrorKind::Full) or
    /// [`Unavailable`](StorageErrorKind::Unavailable) as the file is.
    pub fn new(storage: S, options: WriteBehindOptions) -> Result<Self, StorageError> {
        Ok(WriteBehind { shared: Shared::new(storage, options, None)? })
    }

    /// The same, with a listener that hears of every write that is lost or parked, unless its writer waits and is told.
    /// It is called on the task that sends, so it must not wait; a panic in it is caught.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_listener(
        storage: S,
        options: WriteBehindOptions,
        listener: impl Fn(&StorageError) + Send + Sync + 'static,
    ) -> Result<Self, StorageError> {
        Ok(WriteBehind { shared: Shared::new(storage, options, Some(Box::new(listener)))? })
    }

    /// Takes claims in, and does not wait for the storage: with [`Journal::Always`] until they are on the disk, otherwise
    /// not at all, but for [`WhenFull::Wait`]. What became of each.
    ///
    /// # Errors
    /// [`Full`](StorageErrorKind::Full) when there is no room for it; what the journal says when it could not be kept
    /// there, and then it may be sent all the same; [`Unavailable`](StorageErrorKind::Unavailable) after
    /// [`shutdown`](Self::shutdown); [`Other`](StorageErrorKind::Other) outside a runtime.
    pub async fn hand_over(&self, claims: Vec<Claim>) -> Vec<Result<(), StorageError>> {
        self.kept(claims.into_iter().map(merging).collect()).await
    }

    /// Waits until the storage has everything that was taken in before, what is in the journal among it. What is parked
    /// is not waited for.
    ///
    /// # Errors
    /// When it has not by then. Nothing is lost by that.
    pub async fn flush(&self, deadline: Duration) -> Result<(), Unsent> {
        // Without a runtime nothing is sent, and the time passes nowhere.
        self.shared.start().map_err(|_| self.shared.unsent())?;
        let mut mark = self.shared.mark();
        let done = self.shared.wait_until(deadline, |shared| shared.is_done_until(&mut mark).then_some(())).await;
        done.ok_or_else(|| self.shared.unsent())
    }

    /// Takes nothing in any more, [flushes](Self::flush), and puts what is left into the journal. The journal's file is
    /// free afterwards.
    ///
    /// # Errors
    /// When the storage has not got everything by then: what is left is in the journal and is sent at the next start, or
    /// [is lost](Unsent::is_lost).
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), Unsent> {
        self.shared.close();
        let flushed = self.flush(deadline).await;
        self.shared.end().await;
        flushed.map_err(|_| self.shared.unsent())
    }

    /// Tries what is [parked](WhenRefused::Park) once more.
    pub fn retry_parked(&self) {
        self.shared.retry_parked();
    }

    /// What has been done so far, and what waits.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// The storage below, which does not have what is pending.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.shared.storage
    }

    /// Takes operations in, in their order, and waits until they are where they are kept.
    async fn kept(&self, operations: Vec<Operation>) -> Vec<Result<(), StorageError>> {
        let taken = self.take(operations, false).await;
        let mut results = Vec::with_capacity(taken.len());
        for taken in taken {
            results.push(match taken {
                Ok(taken) => self.shared.kept(taken).await.map(drop),
                Err(error) => Err(error),
            });
        }
        results
    }

    /// Takes operations in, in their order.
    async fn take(&self, operations: Vec<Operation>, wants_answer: bool) -> Vec<Result<Taken, StorageError>> {
        let mut taken = Vec::with_capacity(operations.len());
        for operation in operations {
            taken.push(self.take_one(operation, wants_answer).await);
        }
        taken
    }

    async fn take_one(&self, operation: Operation, wants_answer: bool) -> Result<Taken, StorageError> {
        self.shared.start()?;
        // Before it is with what was acknowledged: the journal could not keep the two of them.
        meta_data::check(operation.record())?;
        let mut operation = match self.shared.take(operation, wants_answer) {
            Ok(taken) => return Ok(taken),
            Err(Refused::Error(error)) => return Err(error),
            Err(Refused::NoRoom(operation)) => Some(*operation),
        };
        let WhenFull::Wait(deadline) = self.shared.options.when_full else { return Err(shared::full()) };
        let mut taken = None;
        self.shared
            .wait_until(deadline, |shared| {
                match shared.take(operation.take()?, wants_answer) {
                    Ok(done) => taken = Some(Ok(done)),
                    Err(Refused::Error(error)) => taken = Some(Err(error)),
                    Err(Refused::NoRoom(again)) => {
                        operation = Some(*again);
                        return None;
                    }
                }
                Some(())
            })
            .await;
        taken.unwrap_or_else(|| Err(shared::full()))
    }

    /// What waits for a place, here and on the disk, and whether the storage's word about the user counts.
    async fn waiting(&self, user: &str, campaign: &str) -> Result<(Vec<Operation>, bool), StorageError> {
        // A look-up can be answered without the task.
        self.shared.start().ok();
        let place = Place { user: user.to_owned(), campaign: campaign.to_owned() };
        let seen = self.shared.see(&place);
        if !seen.may_be_on_disk {
            return Ok((seen.operations, seen.is_erasing));
        }
        let on_disk = self.shared.read(user, Some(campaign)).await?;
        Ok((on_disk.into_values().next().unwrap_or_default(), seen.is_erasing))
    }

    /// What waits for a user, by campaign, and whether the storage's word about them counts.
    async fn waiting_of(&self, user: &str) -> Result<(BTreeMap<String, Vec<Operation>>, bool), StorageError> {
        self.shared.start().ok();
        let (mut waiting, is_erasing, may_be_on_disk) = self.shared.see_all(user);
        if may_be_on_disk {
            for (campaign, operations) in self.shared.read(user, None).await? {
                // What is in memory as well is no newer on the disk.
                waiting.entry(campaign).or_insert(operations);
            }
        }
        Ok((waiting, is_erasing))
    }
}

impl<S: AsyncUserStorage + 'static> AsyncUserStorage for WriteBehind<S> {
    /// What the storage says, with what waits over it. Where the storage fails, what waits is known, and nothing else is.
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        // Before the storage is asked: what it gets in between is then merged twice, not missed.
        let (operations, is_erasing) = self.waiting(user, campaign).await?;
        let stored = if is_erasing { Ok(None) } else { self.shared.storage.get(user, campaign).await };
        match stored {
            Err(_) if !operations.is_empty() => Ok(over(&operations, None)),
            stored => Ok(over(&operations, stored?)),
        }
    }

    /// Takes the record in, as [`hand_over`](WriteBehind::hand_over) does a claim.
    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let taken = self.take_one(Operation::Set(record), false).await?;
        self.shared.kept(taken).await.map(drop)
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let (waiting, is_erasing) = match self.waiting_of(user).await {
            Ok(waiting) => waiting,
            Err(error) => return vec![Answer::Failed(error.into()); campaigns.len()],
        };
        let mut stored = if is_erasing {
            vec![Answer::Absent; campaigns.len()]
        } else {
            self.shared.storage.get_many(user, campaigns).await
        };
        if waiting.is_empty() {
            return stored;
        }
        // A storage that gave fewer answers than it was asked for has not said that there is nothing.
        let no_answer = || Answer::Failed(StorageFailure::new("the storage gave no answer"));
        stored.resize_with(campaigns.len(), no_answer);
        for (campaign, stored) in campaigns.iter().zip(&mut stored) {
            let Some(operations) = waiting.get(*campaign) else { continue };
            let below = match &*stored {
                Answer::Found(record) => Some(Record::clone(record)),
                Answer::Absent | Answer::Failed(_) => None,
            };
            *stored = answer(Ok(over(operations, below)));
        }
        stored
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.kept(records.into_iter().map(Operation::Set).collect()).await
    }

    /// Takes the claim in and waits for the storage's answer, at most [`WriteBehindOptions::wait`].
    ///
    /// # Errors
    /// As for [`hand_over`](WriteBehind::hand_over), and then it is not kept. When the storage refuses it for good, what it
    /// says. And when there is no answer in time ([`TimedOut`](StorageErrorKind::TimedOut)), or the storage is down or
    /// behind ([`Unavailable`](StorageErrorKind::Unavailable)): then it is kept, and is sent.
    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let taken = self.take_one(merging(claim), true).await?;
        self.shared.confirmed(taken, Instant::now() + self.shared.options.wait.min(A_YEAR)).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let taken = self.take(claims.into_iter().map(merging).collect(), true).await;
        let until = Instant::now() + self.shared.options.wait.min(A_YEAR);
        let mut results = Vec::with_capacity(taken.len());
        for taken in taken {
            results.push(match taken {
                Ok(taken) => self.shared.confirmed(taken, until).await,
                Err(error) => Err(error),
            });
        }
        results
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let (waiting, is_erasing) = self.waiting_of(user).await?;
        let stored = if is_erasing { Vec::new() } else { self.shared.storage.records_of(user).await? };
        let mut records: BTreeMap<String, Record> =
            stored.into_iter().map(|record| (record.campaign_key.clone(), record)).collect();
        for (campaign, operations) in waiting {
            let stored = records.remove(&campaign);
            records.extend(over(&operations, stored).map(|record| (campaign, record)));
        }
        Ok(records.into_values().collect())
    }

    /// Forgets what waits for the user, here and in the journal, and has the storage erase them, after what is under way
    /// and before what comes later. A tombstone, in the journal where there is one, sees to that as long as the storage
    /// fails, also in the next process, at most for [`WriteBehindOptions::erase`].
    ///
    /// # Errors
    /// What the storage says where it refuses. When it does not answer in time, or is down, the erasing is kept and done
    /// later ([`TimedOut`](StorageErrorKind::TimedOut), [`Unavailable`](StorageErrorKind::Unavailable)). What the journal
    /// says when it cannot be written: then call it again.
    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.shared.start()?;
        let (_, _, may_be_on_disk) = self.shared.see_all(user);
        let on_disk =
            if may_be_on_disk { self.shared.read(user, None).await.unwrap_or_default() } else { BTreeMap::new() };
        self.shared.erase(user, on_disk.into_keys()).await
    }

    /// What the storage has, once it has all that was taken in before the first page; that is waited for, at most
    /// [`WriteBehindOptions::wait`].
    ///
    /// # Errors
    /// What the storage says, and [`TimedOut`](StorageErrorKind::TimedOut) when it has not got everything by then.
    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        if from.is_none() && self.flush(self.shared.options.wait).await.is_err() {
            let message = "the storage has not got all writes in time: read through it when it has";
            return Err(StorageError::new(StorageErrorKind::TimedOut, message));
        }
        self.shared.storage.scan(from, about).await
    }

    /// # Errors
    /// When something of the user is still to be sent after [`WriteBehindOptions::wait`], or the storage is down.
    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.shared.settle(user).await?;
        self.shared.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        Writes::Together(TOGETHER.min(self.shared.options.claims).max(1))
    }
}

impl<S: AsyncUserStorage + 'static> Drop for WriteBehind<S> {
    fn drop(&mut self) {
        self.shared.let_go();
    }
}

impl<S: AsyncUserStorage + 'static> fmt::Debug for WriteBehind<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WriteBehind").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// A claim that waits is no longer read a moment ago.
fn merging(claim: Claim) -> Operation {
    Operation::Merge(Claim { was_read: false, ..claim })
}
