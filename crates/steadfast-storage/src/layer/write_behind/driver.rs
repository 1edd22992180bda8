//! The task that sends: it asks [`Pending`](super::pending::Pending) what comes next, has each batch sent by a task of its
//! own, and reads the journal when there is room.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::operation::Operation;
use super::pending::{Next, Place};
use super::shared::{Changed, Shared, Waiter};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::Merged;
use crate::user_storage::AsyncUserStorage;

/// So long at most the task sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// A journal that could not be read is read again after this.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// So many places are read from the journal in one go.
const LOADED: usize = 1_000;

/// Starts the task.
pub(super) fn start<S: AsyncUserStorage + 'static>(shared: Arc<Shared<S>>, runtime: &Handle) {
    // Counted from here on: a runtime may end before the task has begun.
    let running = Running(shared);
    runtime.spawn(async move { run(&running.0).await });
}

/// The task, as long as it is there: a runtime that ends drops its tasks where they stand.
struct Running<S: AsyncUserStorage + 'static>(Arc<Shared<S>>);

impl<S: AsyncUserStorage + 'static> Drop for Running<S> {
    fn drop(&mut self) {
        self.0.stopped();
    }
}

async fn run<S: AsyncUserStorage + 'static>(shared: &Arc<Shared<S>>) {
    loop {
        let (next, wants_more) = {
            let mut state = shared.state();
            if state.has_ended {
                return;
            }
            let next = state.pending.next(Instant::now());
            if matches!(next, Next::Wait(_)) && state.is_let_go && state.pending.is_idle() {
                let is_empty = state.pending.counters().pending == 0;
                if is_empty || shared.journal.is_some() {
                    state.has_ended = true;
                    shared.journal_the_rest(&mut state);
                    return;
                }
            }
            // A storage that is down is tried with what is in memory, and with something from the disk where there is nothing.
            let is_time = matches!(next, Next::Wait(None)) && state.pending.counters().pending == 0;
            let may_be_sent = !state.pending.is_down() || is_time;
            let wants_more = state.behind && !state.is_let_go && state.pending.is_half_empty() && may_be_sent;
            (next, wants_more)
        };
        match next {
            Next::Send(batch) => {
                let under_way = UnderWay { shared: Arc::clone(shared), places: batch.places };
                tokio::spawn(send(under_way, batch.operations));
            }
            Next::Erase(user) => {
                let erasing = Erasing { shared: Arc::clone(shared), user: Some(user) };
                tokio::spawn(erase(erasing));
            }
            Next::Wait(until) => {
                let read_at = if !wants_more {
                    None
                } else if load(shared).await {
                    continue;
                } else {
                    Some(Instant::now() + READ_AGAIN)
                };
                let latest = Instant::now() + LONGEST_SLEEP;
                let until = until.into_iter().chain(read_at).min().unwrap_or(latest).min(latest);
                let _ = tokio::time::timeout_at(until.into(), shared.work.notified()).await;
            }
        }
    }
}

/// Reads a part of the journal into memory; whether it could be read.
async fn load<S: AsyncUserStorage + 'static>(shared: &Arc<Shared<S>>) -> bool {
    let Some(journal) = &shared.journal else { return false };
    let (behind, reply) = {
        let mut state = shared.state();
        if state.pass.at.is_none() {
            state.pass.has_changed = false;
        }
        state.loading = Some(Changed::default());
        // About as much as there is room for.
        let behind = state.pass.at.clone();
        (behind.clone(), journal.load(behind, LOADED.min(shared.options.claims / 2)))
    };
    let loaded = shared.on_disk(reply).await;
    let mut state = shared.state();
    let changed = state.loading.take().unwrap_or_default();
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            drop(state);
            shared.tell(&error);
            return false;
        }
    };
    // One who was erased meanwhile has nothing there any more.
    let damaged: Vec<Place> = loaded.unreadable.into_iter().filter(|place| !changed.is_old(place)).collect();
    for (place, operations) in changed.up_to_date(loaded.places, behind.as_ref(), loaded.next.as_ref()) {
        if !state.pending.has(&place) {
            state.pending.replay(&place, operations);
        }
    }
    state.pass.at = loaded.next;
    if state.pass.at.is_none() {
        // The end: all there is is in memory, unless something was put where the pass had been.
        state.behind = state.pass.has_changed;
    }
    let mut unreadable = 0;
    for place in damaged {
        unreadable += usize::from(state.unreadable.insert(place));
    }
    drop(state);
    shared.progress.notify_waiters();
    if unreadable > 0 {
        let message = format!("{unreadable} places of the journal are damaged, and are left in it: erase their users");
        shared.tell(&StorageError::new(StorageErrorKind::Corrupt, message));
    }
    true
}

/// A batch that is under way. Whatever becomes of its task, it is answered.
struct UnderWay<S: AsyncUserStorage + 'static> {
    shared: Arc<Shared<S>>,
    places: Vec<Place>,
}

impl<S: AsyncUserStorage + 'static> Drop for UnderWay<S> {
    fn drop(&mut self) {
        if self.places.is_empty() {
            return;
        }
        let results = self.places.iter().map(|_| Err(no_answer())).collect();
        drop(follow(&self.shared, std::mem::take(&mut self.places), results));
    }
}

/// Users whose batch was answered. Whatever becomes of its task, they are sent more.
struct Releasing<S: AsyncUserStorage + 'static> {
    shared: Arc<Shared<S>>,
    users: Vec<String>,
    written: Vec<super::journal::Reply<()>>,
}

impl<S: AsyncUserStorage + 'static> Releasing<S> {
    /// Waits until the journal knows. What it still had would come again after a crash, over what is sent next.
    async fn on_disk(mut self) {
        for written in std::mem::take(&mut self.written) {
            if let Err(error) = self.shared.on_disk(written).await {
                self.shared.tell(&error);
            }
        }
    }
}

impl<S: AsyncUserStorage + 'static> Drop for Releasing<S> {
    fn drop(&mut self) {
        self.shared.state().pending.release(std::mem::take(&mut self.users), Instant::now());
        self.shared.progress.notify_waiters();
        self.shared.work.notify_one();
    }
}

type Results = Vec<Result<Option<Merged>, StorageError>>;

async fn send<S: AsyncUserStorage + 'static>(mut under_way: UnderWay<S>, operations: Vec<Operation>) {
    let many = operations.len();
    let shared = Arc::clone(&under_way.shared);
    let storage = Arc::clone(&shared.storage);
    // In a task of its own, so that a panic of the storage is a failure of it.
    let sent = tokio::spawn(async move { write(&*storage, operations).await });
    let stop = sent.abort_handle();
    let results = match tokio::time::timeout(shared.options.send, sent).await {
        Ok(Ok(results)) => results,
        Ok(Err(_)) => all(many, StorageErrorKind::Other, "the storage panicked"),
        Err(_) => {
            stop.abort();
            all(many, StorageErrorKind::TimedOut, "the storage did not answer in time")
        }
    };
    let mut results: Results = results;
    results.resize_with(many, || Err(no_answer()));
    follow(&shared, std::mem::take(&mut under_way.places), results).on_disk().await;
}

/// Everything of a batch is of one kind.
async fn write<S: AsyncUserStorage>(storage: &S, operations: Vec<Operation>) -> Results {
    let (mut records, mut claims) = (Vec::new(), Vec::new());
    for operation in operations {
        match operation {
            Operation::Set(record) => records.push(record),
            Operation::Merge(claim) => claims.push(claim),
        }
    }
    if claims.is_empty() {
        storage.set_many(records).await.into_iter().map(|result| result.map(|()| None)).collect()
    } else {
        storage.merge_many(claims).await.into_iter().map(|result| result.map(Some)).collect()
    }
}

/// Takes in what the storage answered.
fn follow<S: AsyncUserStorage + 'static>(
    shared: &Arc<Shared<S>>,
    places: Vec<Place>,
    results: Results,
) -> Releasing<S> {
    let mut written = Vec::new();
    let followed = {
        let mut state = shared.state();
        let followed = state.pending.answered(places, results, Instant::now());
        for (place, operations) in &followed.journal {
            if let Some(loading) = &mut state.loading {
                loading.written(place);
            }
            let journal = shared.journal.as_ref();
            written.extend(journal.map(|journal| journal.put(place.clone(), operations.clone())));
        }
        followed
    };
    for (waiter, result) in followed.answers {
        if let Waiter::Merge(waiter) = waiter {
            waiter.send(result).ok();
        }
    }
    followed.refused.iter().for_each(|error| shared.tell(error));
    shared.progress.notify_waiters();
    Releasing { shared: Arc::clone(shared), users: followed.users, written }
}

/// A user who is being erased. Whatever becomes of the task, it is answered.
struct Erasing<S: AsyncUserStorage + 'static> {
    shared: Arc<Shared<S>>,
    user: Option<String>,
}

impl<S: AsyncUserStorage + 'static> Erasing<S> {
    /// Takes in what the storage answered. None where that was done.
    fn answered(&mut self, result: Result<(u64, Vec<String>), StorageError>) -> Option<Releasing<S>> {
        let user = self.user.take()?;
        let (waiters, written) = {
            let mut state = self.shared.state();
            let (waiters, is_over) = state.pending.erased(&user, result.as_ref().map(drop), Instant::now());
            let journal = self.shared.journal.as_ref().filter(|_| is_over);
            (waiters, journal.map(|journal| journal.erased(user.clone())).into_iter().collect())
        };
        let releasing = Releasing { shared: Arc::clone(&self.shared), users: vec![user], written };
        let is_told = !waiters.is_empty();
        for waiter in waiters {
            let Waiter::Erase(waiter, known) = waiter else { continue };
            let answer = match &result {
                Ok((erased, stored)) => {
                    let unknown = known.iter().filter(|campaign| !stored.contains(campaign)).count();
                    Ok(erased + unknown as u64)
                }
                Err(error) => Err(error.again()),
            };
            waiter.send(answer).ok();
        }
        if let Err(error) = &result
            && !is_told
        {
            self.shared.tell(error);
        }
        Some(releasing)
    }
}

impl<S: AsyncUserStorage + 'static> Drop for Erasing<S> {
    fn drop(&mut self) {
        drop(self.answered(Err(no_answer())));
    }
}

async fn erase<S: AsyncUserStorage + 'static>(mut erasing: Erasing<S>) {
    let shared = Arc::clone(&erasing.shared);
    let storage = Arc::clone(&shared.storage);
    let user = erasing.user.clone().unwrap_or_default();
    let sent = tokio::spawn(async move {
        // What waited here may have been written meanwhile: it is counted once.
        let stored = storage.records_of(&user).await.unwrap_or_default();
        let erased = storage.erase(&user).await?;
        Ok((erased, stored.into_iter().map(|record| record.campaign_key).collect()))
    });
    let stop = sent.abort_handle();
    let result = match tokio::time::timeout(shared.options.send, sent).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(StorageError::new(StorageErrorKind::Other, "the storage panicked")),
        Err(_) => {
            stop.abort();
            Err(StorageError::new(StorageErrorKind::TimedOut, "the storage did not erase in time"))
        }
    };
    if let Some(releasing) = erasing.answered(result) {
        releasing.on_disk().await;
    }
}

fn all(many: usize, kind: StorageErrorKind, message: &str) -> Results {
    (0..many).map(|_| Err(StorageError::new(kind, message))).collect()
}

fn no_answer() -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "the storage gave no answer to a write")
}
