//! Claims that are made one by one, and go to the server together: a script costs it more than what there is to do in one.
//! While few are under way each is sent at once; what comes meanwhile waits for the first answer, and goes as one script.
//!
//! It is of one connection: when that is given up, whoever waits begins anew on the next. What waited together is sent by a
//! task where the connection lives, since no caller's giving up may take the others' write along, and nothing arrives
//! anywhere else once that runtime has ended.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, join_all, select};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::storage::{RedisStorage, TOGETHER};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::user_storage::AsyncUserStorage;

/// So many scripts are under way before claims wait for each other: enough for one server to have no pause.
const SIDE_BY_SIDE: usize = 4;

/// The claims that wait for a connection.
pub(super) struct Gathered {
    /// Which connection it is.
    number: u64,
    /// Where it lives.
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
    /// The connection is given up.
    is_over: bool,
}

struct Waiting {
    claim: Claim,
    tell: oneshot::Sender<Told>,
}

/// What became of a claim that waited.
enum Told {
    Merged(Result<Merged, StorageError>),
    /// It was not sent.
    Again(Claim),
}

/// What is to be done with a claim.
enum Joined {
    Send(Claim),
    Wait(oneshot::Receiver<Told>),
}

/// One of those that are under way. When it ends, what waits goes on in its place.
struct Turn<S: Borrow<RedisStorage>> {
    storage: S,
    gathered: Arc<Gathered>,
}

/// A turn on its way to the task that goes on with it.
struct Passed(Option<Turn<RedisStorage>>);

impl RedisStorage {
    /// Merges a claim, by itself or with others.
    pub(super) async fn merge_gathered(&self, mut claim: Claim) -> Result<Merged, StorageError> {
        // No longer than one that is sent at once.
        let until = Instant::now() + self.longest();
        loop {
            let Some(gathered) = self.writing().gathered() else { return self.merge_one(&claim).await };
            match gathered.join(claim) {
                Joined::Send(claim) => {
                    let _turn = Turn { storage: self, gathered };
                    return self.merge_one(&claim).await;
                }
                Joined::Wait(told) => {
                    // One who gives up says of the connection what one says who waits for an answer of it.
                    let watch = self.writing().watch();
                    let told = timeout_at(until, told).await;
                    if told.is_ok()
                        && let Some(watch) = watch
                    {
                        watch.heard();
                    }
                    match told {
                        Ok(Ok(Told::Merged(merged))) => return merged,
                        Ok(Ok(Told::Again(unsent))) => claim = unsent,
                        Ok(Err(_)) => {
                            let message = "the runtime that the connection lived in has ended";
                            return Err(StorageError::new(StorageErrorKind::Unavailable, message));
                        }
                        Err(_) => return Err(self.late()),
                    }
                }
            }
        }
    }
}

impl Gathered {
    /// Of a connection that lives here.
    pub(super) fn new(number: u64) -> Gathered {
        Gathered { number, runtime: Handle::current(), state: Mutex::default() }
    }

    /// The connection is given up: whoever waits begins anew.
    pub(super) fn give_up(&self) {
        let waiting = {
            let mut state = self.state();
            state.is_over = true;
            std::mem::take(&mut state.waiting)
        };
        for Waiting { claim, tell } in waiting {
            tell.send(Told::Again(claim)).ok();
        }
    }

    fn join(&self, claim: Claim) -> Joined {
        let mut state = self.state();
        if state.is_over || state.under_way < SIDE_BY_SIDE {
            state.under_way += 1;
            return Joined::Send(claim);
        }
        let (tell, told) = oneshot::channel();
        state.waiting.push_back(Waiting { claim, tell });
        Joined::Wait(told)
    }

    /// What waits, as much as goes together, without those who have given up: nothing is written of theirs. `None` where
    /// nobody waits.
    fn take(&self) -> Option<Vec<Waiting>> {
        let first: Vec<Waiting> = {
            let mut state = self.state();
            let many = state.waiting.len().min(TOGETHER);
            state.waiting.drain(..many).collect()
        };
        if first.is_empty() {
            return None;
        }
        Some(first.into_iter().filter(|waiting| !waiting.tell.is_closed()).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<RedisStorage> {
    /// Merges what waits, until nothing does.
    async fn merge_waiting(self) {
        while let Some(waiting) = self.gathered.take() {
            if waiting.is_empty() {
                continue;
            }
            let (claims, mut tell): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|waiting| (waiting.claim, waiting.tell)).unzip();
            // When nobody waits any more it is given up, so that the connection knows that callers give up on it.
            let all_gone = join_all(tell.iter_mut().map(oneshot::Sender::closed));
            let merged = match select(pin!(self.storage.merge_many(claims)), pin!(all_gone)).await {
                Either::Left((merged, _)) => merged,
                Either::Right(_) => Vec::new(),
            };
            for (tell, merged) in tell.into_iter().zip(merged) {
                tell.send(Told::Merged(merged)).ok();
            }
        }
    }
}

impl<S: Borrow<RedisStorage>> Drop for Turn<S> {
    fn drop(&mut self) {
        {
            let mut state = self.gathered.state();
            if state.waiting.is_empty() || state.is_over {
                state.under_way -= 1;
                return;
            }
        }
        let turn = Turn { storage: self.storage.borrow().clone(), gathered: Arc::clone(&self.gathered) };
        let mut passed = Passed(Some(turn));
        drop(self.gathered.runtime.spawn(async move {
            if let Some(turn) = passed.0.take() {
                turn.merge_waiting().await;
            }
        }));
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // The runtime has ended before the task began, and the connection with it.
        if let Some(turn) = self.0.take() {
            turn.storage.writing().discard(turn.gathered.number);
            // Before the turn ends, which then finds that it is over.
            turn.gathered.give_up();
        }
    }
}
