//! Claims that are made one by one, and go to the server together: a script costs it more than what there is to do in one.
//! While few are under way each is sent at once; what comes meanwhile waits for the first answer, and goes as one script.

use std::borrow::Borrow;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, join_all, select};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::storage::{RedisStorage, TOGETHER};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::user_storage::AsyncUserStorage;

/// So many scripts are under way before claims wait for each other: enough for one server to have no pause.
const SIDE_BY_SIDE: usize = 4;

/// The claims that wait, of all clones of a storage.
#[derive(Default)]
pub(super) struct Gathered(Mutex<State>);

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    claim: Claim,
    answer: oneshot::Sender<Result<Merged, StorageError>>,
}

/// One of those that are under way. When it ends, what waits goes on in its place.
struct Turn<S: Borrow<RedisStorage>>(S);

impl RedisStorage {
    /// Merges a claim, by itself or with others.
    pub(super) async fn merge_gathered(&self, claim: Claim) -> Result<Merged, StorageError> {
        let (claim, waited) = {
            let mut state = self.gathered().state();
            if state.under_way < SIDE_BY_SIDE {
                state.under_way += 1;
                (Some(claim), None)
            } else {
                let (answer, waited) = oneshot::channel();
                state.waiting.push(Waiting { claim, answer });
                (None, Some(waited))
            }
        };
        if let Some(claim) = claim {
            let _turn = Turn(self);
            return self.merge_one(&claim).await;
        }
        let gone =
            || StorageError::new(StorageErrorKind::Unavailable, "the runtime that was to send the write has ended");
        let Some(waited) = waited else { return Err(gone()) };
        // No longer than one that is sent at once.
        match timeout(self.longest(), waited).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(self.late()),
        }
    }
}

impl Turn<RedisStorage> {
    /// Merges these, and what waits by then, until nothing does.
    async fn merge_waiting(self, mut waiting: Vec<Waiting>) {
        while !waiting.is_empty() {
            let (claims, mut answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|waiting| (waiting.claim, waiting.answer)).unzip();
            // When nobody waits any more it is given up, so that the connection knows that callers give up on it.
            let all_gone = join_all(answers.iter_mut().map(oneshot::Sender::closed));
            let merged = match select(pin!(self.0.merge_many(claims)), pin!(all_gone)).await {
                Either::Left((merged, _)) => merged,
                Either::Right(_) => Vec::new(),
            };
            for (answer, merged) in answers.into_iter().zip(merged) {
                answer.send(merged).ok();
            }
            waiting = self.0.gathered().state().take();
        }
    }
}

impl Gathered {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What waits, as much as goes together. Of those who have given up nothing is written.
    fn take(&mut self) -> Vec<Waiting> {
        self.waiting.retain(|waiting| !waiting.answer.is_closed());
        let many = self.waiting.len().min(TOGETHER);
        self.waiting.drain(..many).collect()
    }
}

impl<S: Borrow<RedisStorage>> Drop for Turn<S> {
    fn drop(&mut self) {
        let storage: &RedisStorage = self.0.borrow();
        let mut state = storage.gathered().state();
        let waiting = state.take();
        match Handle::try_current() {
            // With what it is to send: a runtime that is about to end drops both, and then nobody waits for nothing.
            Ok(runtime) if !waiting.is_empty() => {
                drop(state);
                drop(runtime.spawn(Turn(storage.clone()).merge_waiting(waiting)));
            }
            _ => state.under_way -= 1,
        }
    }
}
