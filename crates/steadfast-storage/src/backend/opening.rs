//! A storage that is being opened, for as long as that takes: a program can start while its server is away.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use steadfast_engine::{Answer, Record};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, Writes};

/// After a failure it is tried again so soon, and later each time,
const SOON: Duration = Duration::from_millis(100);

/// but no later than this: whoever has mended the server does not wait for long.
const LATE: Duration = Duration::from_secs(5);

/// Opens a storage in the background, again and again until that succeeds. Calls wait for the first attempt (put a
/// [`Deadline`](crate::layer::Deadline) over it); after that each fails as the last attempt did, until there is a storage,
/// and the rule for storages that fail says what comes of it.
pub struct Opening<S> {
    state: watch::Receiver<State<S>>,
    task: JoinHandle<()>,
    writes: Writes,
}

enum State<S> {
    Begun,
    Failed(StorageError),
    Open(Arc<S>),
}

impl<S: AsyncUserStorage + 'static> Opening<S> {
    /// Begins to open a storage, which likes to be written to so. Needs a tokio runtime around it.
    pub fn new<O>(writes: Writes, mut open: impl FnMut() -> O + Send + 'static) -> Opening<S>
    where
        O: Future<Output = Result<S, StorageError>> + Send + 'static,
    {
        let (sender, state) = watch::channel(State::Begun);
        let task = tokio::spawn(async move {
            let mut pause = SOON;
            loop {
                match open().await {
                    Ok(storage) => {
                        // Nobody is there any more who would want it.
                        let _ = sender.send(State::Open(Arc::new(storage)));
                        return;
                    }
                    Err(error) => {
                        let _ = sender.send(State::Failed(error));
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(LATE);
            }
        });
        Opening { state, task, writes }
    }

    /// The storage, once it is open.
    ///
    /// # Errors
    /// As the last attempt failed.
    async fn opened(&self) -> Result<Arc<S>, StorageError> {
        let mut state = self.state.clone();
        match state.wait_for(|state| !matches!(state, State::Begun)).await.as_deref() {
            Ok(State::Open(storage)) => Ok(Arc::clone(storage)),
            Ok(State::Failed(error)) => Err(error.again()),
            Ok(State::Begun) | Err(_) => Err(StorageError::new(
                StorageErrorKind::Other,
                "opening the storage was given up: the runtime has ended",
            )),
        }
    }
}

impl<S> Drop for Opening<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S: AsyncUserStorage + 'static> AsyncUserStorage for Opening<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.opened().await?.get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.opened().await?.set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        match self.opened().await {
            Ok(storage) => storage.get_many(user, campaigns).await,
            Err(error) => failed(error, campaigns.len()),
        }
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        match self.opened().await {
            Ok(storage) => storage.set_many(records).await,
            Err(error) => each(&error, records.len()),
        }
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.opened().await?.merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        match self.opened().await {
            Ok(storage) => storage.merge_many(claims).await,
            Err(error) => each(&error, claims.len()),
        }
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.opened().await?.records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.opened().await?.erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.opened().await?.scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.opened().await?.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.writes
    }
}

impl<S> fmt::Debug for Opening<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.borrow() {
            State::Begun => "begun",
            State::Failed(_) => "failed",
            State::Open(_) => "open",
        };
        formatter.debug_struct("Opening").field("state", &state).finish_non_exhaustive()
    }
}
