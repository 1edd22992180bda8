//! Tasks that hand writes to a storage that answers later. They come when there is work, and end when there is none.

use std::sync::Arc;
use std::time::Duration;

use steadfast_storage::{Claim, HeldUserStorage, Merged, StorageError, StorageErrorKind};
use tokio::runtime::Handle;

use super::{Batch, Queue};
use crate::core::OnStorageError;
use crate::drive;
use crate::own_writes::OwnWrites;

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) own: Arc<OwnWrites>,
    pub(crate) storage: Arc<dyn HeldUserStorage>,
    pub(crate) on_error: OnStorageError,
    /// How long a storage may take for a batch. It may do it all the same, later.
    pub(crate) deadline: Duration,
}

impl Worker {
    /// Starts a task that works until the queue is empty.
    pub(crate) fn start(self, runtime: &Handle) {
        // Counted from here on: a runtime may end before the task has begun.
        let present = Present { queue: Arc::clone(&self.queue), left: false };
        runtime.spawn(async move { self.run(present).await });
    }

    async fn run(self, mut present: Present) {
        loop {
            let batch = {
                let mut state = self.queue.state();
                match self.queue.take(&mut state, &self.own) {
                    Some(batch) => batch,
                    None => {
                        // Under the lock: whoever puts a user in afterwards starts another worker.
                        state.workers -= 1;
                        present.left = true;
                        return;
                    }
                }
            };
            let mut taken = Taken { worker: &self, batch: Some(batch), answers: Vec::new() };
            let claims = taken.claims();
            let many = claims.len();
            taken.answers = self.write(claims).await;
            taken.answers.resize_with(many, || Err(drive::no_answer()));
            taken.answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(|error| self.on_error.tell(error));
        }
    }

    /// In a task of its own: a panic of the storage is a failure of it, and takes no worker along.
    async fn write(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        let storage = Arc::clone(&self.storage);
        let deadline = self.deadline;
        let written = tokio::spawn(async move { tokio::time::timeout(deadline, storage.merge_many(claims)).await });
        let failure = match written.await {
            Ok(Ok(answers)) => return answers,
            Ok(Err(_)) => drive::too_late(deadline),
            Err(_) => StorageError::new(StorageErrorKind::Other, "the storage panicked"),
        };
        (0..many).map(|_| Err(failure.again())).collect()
    }
}

/// A worker, counted as long as it is there: a runtime that ends drops its tasks where they stand.
struct Present {
    queue: Arc<Queue>,
    left: bool,
}

impl Drop for Present {
    fn drop(&mut self) {
        if !self.left {
            self.queue.leave();
        }
    }
}

/// What a worker has taken. It is settled, whatever becomes of the worker; what has no answer has failed.
struct Taken<'w> {
    worker: &'w Worker,
    batch: Option<Batch>,
    answers: Vec<Result<Merged, StorageError>>,
}

impl Taken<'_> {
    fn claims(&self) -> Vec<Claim> {
        self.batch.as_ref().map(|batch| batch.claims.clone()).unwrap_or_default()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.worker.queue.settle(&self.worker.own, batch, std::mem::take(&mut self.answers));
        }
    }
}
