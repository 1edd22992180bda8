//! Threads that hand writes to a storage that answers in place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use steadfast_storage::{Claim, Merged, StorageError, StorageErrorKind, UserStorage};

use super::Queue;
use crate::core::OnStorageError;
use crate::drive;
use crate::own_writes::OwnWrites;

/// What a worker works with.
pub(crate) struct Worker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) own: Arc<OwnWrites>,
    pub(crate) storage: Arc<dyn UserStorage>,
    pub(crate) on_error: OnStorageError,
}

impl Worker {
    /// Starts a thread that works until the queue is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("steadfast-writes".to_owned()).spawn(move || self.run()).map(drop)
    }

    fn run(self) {
        self.work();
        let Worker { queue, own, storage, on_error } = self;
        drop((own, storage, on_error));
        queue.leave();
    }

    fn work(&self) {
        let queue = &self.queue;
        let mut state = queue.state();
        loop {
            if let Some(batch) = queue.take(&mut state, &self.own) {
                drop(state);
                let mut answers = self.write(batch.claims.clone());
                answers.resize_with(batch.claims.len(), || Err(drive::no_answer()));
                answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(|error| self.on_error.tell(error));
                queue.settle(&self.own, batch, answers);
                state = queue.state();
            } else if state.closed {
                return;
            } else {
                state.waiting += 1;
                state = queue.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
    }

    /// A panic of the storage is a failure of it, and takes no worker along.
    fn write(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        catch_unwind(AssertUnwindSafe(|| self.storage.merge_many(claims))).unwrap_or_else(|_| {
            (0..many).map(|_| Err(StorageError::new(StorageErrorKind::Other, "the storage panicked"))).collect()
        })
    }
}
