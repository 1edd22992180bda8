//! Writes on their way to a storage: handed over by the clients, taken by workers, waited for only where somebody asks.
//!
//! The queue holds users, not writes: a worker takes all that waits for a user, so that several writes for one place
//! become one, and writes of one user never overtake each other. It knows no thread and no task; the two drivers of it
//! stand below, side by side: [`threads`] for storages that answer in place, [`tasks`] for those that answer later.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steadfast_storage::{Claim, Merged, StorageError, Writes};

use crate::own_writes::{Noted, OwnWrites};

pub(crate) mod tasks;
pub(crate) mod threads;

/// No longer at a time: clocks have an end that durations have not.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Users whose writes wait, and those who are interested in it.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Somebody waits for work.
    work: Condvar,
    /// Somebody waits for the end of it.
    idle: Condvar,
    idle_async: tokio::sync::Notify,
    /// No more users than this may wait.
    room: usize,
    /// A worker takes this many users in one go.
    together: usize,
    /// So many workers are side by side.
    workers: usize,
}

#[derive(Debug, Default)]
struct State {
    users: VecDeque<Box<str>>,
    /// Users who are about to be put in.
    announced: usize,
    /// Users whom workers have taken.
    under_way: usize,
    workers: usize,
    /// Workers that wait for work.
    waiting: usize,
    closed: bool,
}

/// Writes that were handed over and have not been answered when the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// So many users have writes under way or waiting.
    pub users: usize,
}

/// What a worker has taken: the writes of some users.
pub(crate) struct Batch {
    users: Vec<(Box<str>, usize)>,
    claims: Vec<Claim>,
}

impl Queue {
    /// A queue before a storage that likes to be written to in this manner.
    pub(crate) fn new(writes: Writes, side_by_side: usize, room: usize) -> Self {
        let (together, workers) = match writes {
            Writes::InPlace | Writes::Begun | Writes::OneByOne => (1, side_by_side.max(1)),
            Writes::Together(many) => (many.max(1), 1),
        };
        Queue {
            state: Mutex::default(),
            work: Condvar::new(),
            idle: Condvar::new(),
            idle_async: tokio::sync::Notify::new(),
            room,
            together,
            workers,
        }
    }

    /// Whether there is room for one more user.
    pub(crate) fn has_room(&self) -> bool {
        self.state().users.len() < self.room
    }

    /// Says that a user is about to be put into the queue: until then nobody may take it for empty.
    pub(crate) fn announce(&self) {
        self.state().announced += 1;
    }

    /// Says that they are not put in after all.
    pub(crate) fn withdraw(&self) {
        let mut state = self.state();
        state.announced = state.announced.saturating_sub(1);
        self.idle.notify_all();
        self.idle_async.notify_waiters();
    }

    /// Puts a user into the queue who was announced; whether another worker is wanted.
    pub(crate) fn push(&self, user: &str) -> bool {
        let mut state = self.state();
        state.announced = state.announced.saturating_sub(1);
        state.users.push_back(user.into());
        if state.waiting > 0 {
            self.work.notify_one();
        }
        // One that waits takes one user; it may have been woken for another already.
        let wanted = state.waiting < state.users.len() && state.workers < self.workers;
        state.workers += usize::from(wanted);
        wanted
    }

    /// Takes the writes of some users; none where nobody waits.
    fn take(&self, state: &mut State, own: &OwnWrites) -> Option<Batch> {
        let mut batch = Batch { users: Vec::new(), claims: Vec::new() };
        while batch.claims.len() < self.together
            && let Some(user) = state.users.pop_front()
        {
            let claims = own.take(&user);
            batch.users.push((user, claims.len()));
            batch.claims.extend(claims);
        }
        state.under_way += batch.users.len();
        (!batch.users.is_empty()).then_some(batch)
    }

    /// Takes in the answers to a batch, and puts those users back for whom more came up.
    fn settle(&self, own: &OwnWrites, batch: Batch, answers: Vec<Result<Merged, StorageError>>) {
        let taken = batch.users.len();
        let mut answers =
            batch.claims.into_iter().zip(answers.into_iter().map(Result::ok).chain(std::iter::repeat(None)));
        let mut again = Vec::new();
        for (user, claims) in batch.users {
            if own.settle(&user, answers.by_ref().take(claims)) == Noted::Queue {
                again.push(user);
            }
        }
        let mut state = self.state();
        state.users.extend(again);
        state.under_way -= taken;
        self.idle.notify_all();
        self.idle_async.notify_waiters();
    }

    /// Waits until everything that was handed over is answered.
    ///
    /// # Errors
    /// When it is not by then.
    pub(crate) fn wait_idle(&self, deadline: Duration) -> Result<(), Unfinished> {
        let start = Instant::now();
        let mut state = self.state();
        while let Err(unfinished) = state.idle() {
            let Some(left) = deadline.checked_sub(start.elapsed()) else { return Err(unfinished) };
            state = self.idle.wait_timeout(state, left.min(LONGEST_WAIT)).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Waits until `answered`, which is asked again whenever something was; whether it came to that.
    pub(crate) fn wait_until(&self, deadline: Duration, answered: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        let mut state = self.state();
        while !answered() {
            let Some(left) = deadline.checked_sub(start.elapsed()) else { return false };
            // What a caller confirms by itself is answered without the queue.
            let left = left.min(Duration::from_millis(10));
            state = self.idle.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The same, for those who await.
    pub(crate) async fn await_until(&self, deadline: Duration, answered: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !answered() {
            let Some(left) = deadline.checked_sub(start.elapsed()) else { return false };
            let notified = self.idle_async.notified();
            let _ = tokio::time::timeout(left.min(Duration::from_millis(10)), notified).await;
        }
        true
    }

    /// The same, for those who await.
    ///
    /// # Errors
    /// When it is not by then.
    pub(crate) async fn await_idle(&self, deadline: Duration) -> Result<(), Unfinished> {
        let idle = async {
            loop {
                // Before looking, so that an end between the look and the wait is not missed.
                let notified = self.idle_async.notified();
                if self.state().idle().is_ok() {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(deadline, idle).await;
        self.state().idle()
    }

    /// No more work comes: workers end when the queue is empty. Waits for that, at most so long.
    pub(crate) fn close(&self, deadline: Duration) {
        let start = Instant::now();
        let mut state = self.state();
        state.closed = true;
        self.work.notify_all();
        while state.workers > 0 {
            let Some(left) = deadline.checked_sub(start.elapsed()) else { return };
            state = self.idle.wait_timeout(state, left.min(LONGEST_WAIT)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A worker has ended and has let go of the storage, or could not be had: the next push asks for one again.
    pub(crate) fn leave(&self) {
        self.state().workers -= 1;
        self.idle.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn idle(&self) -> Result<(), Unfinished> {
        match self.users.len() + self.announced + self.under_way {
            0 => Ok(()),
            users => Err(Unfinished { users }),
        }
    }
}

impl std::fmt::Display for Unfinished {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the storage has not answered to the writes of {} users in time", self.users)
    }
}

impl std::error::Error for Unfinished {}
