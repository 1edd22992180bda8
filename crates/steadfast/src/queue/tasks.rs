//! Tasks that hand writes to a storage that answers later. They come when there is work, and end when there is none.

use std::sync::Arc;
use std::time::Duration;

use steadfast_storage::{Claim, HeldUserStorage, Merged, StorageError, StorageErrorKind};
use tokio::runtime::Handle;

use super::Queue;
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
        runtime.spawn(self.run());
    }

    async fn run(self) {
        loop {
            let batch = {
                let mut state = self.queue.state();
                match self.queue.take(&mut state, &self.own) {
                    Some(batch) => batch,
                    None => {
                        state.workers -= 1;
                        return;
                    }
                }
            };
            let answers = self.write(batch.claims.clone()).await;
            answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(|error| self.on_error.tell(error));
            self.queue.settle(&self.own, batch, answers);
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
        (0..many).map(|_| Err(StorageError::new(failure.kind(), failure.to_string()))).collect()
    }
}
