//! One kind of storage where the other is wanted.
//!
//! [`Offloaded`] puts a storage that answers in place under an asynchronous program: each call runs on a thread that may
//! wait, so that no worker of the runtime ever does. [`Waited`] puts a storage that answers later under a blocking
//! program: its futures run on a runtime of its own, and the caller waits at most until a deadline. That works inside an
//! asynchronous runtime too, of one thread or many: the caller's runtime is never needed to get on with the answer.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use steadfast_engine::{Answer, Record};
use tokio::runtime::{Builder, Runtime};

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, UserStorage, Writes};

/// A storage that answers in place, made one that answers later. Needs a tokio runtime around it.
///
/// A storage that never waits ([`Writes::InPlace`]) is called where it stands: handing over would cost more than it.
#[derive(Debug)]
pub struct Offloaded<S> {
    storage: Arc<S>,
    in_place: bool,
}

impl<S: UserStorage + 'static> Offloaded<S> {
    /// Wraps a storage.
    pub fn new(storage: S) -> Self {
        Offloaded { in_place: storage.writes().are_in_place(), storage: Arc::new(storage) }
    }

    /// Runs `work` on a thread that may wait; a panic in it is a failure of the storage.
    async fn run<R: Send + 'static>(&self, work: impl FnOnce(&S) -> R + Send + 'static) -> Result<R, StorageError> {
        if self.in_place {
            return Ok(work(&self.storage));
        }
        let storage = Arc::clone(&self.storage);
        let done = tokio::task::spawn_blocking(move || work(&storage)).await;
        done.map_err(|error| StorageError::new(StorageErrorKind::Other, "the storage panicked").with_source(error))
    }
}

impl<S: UserStorage + 'static> AsyncUserStorage for Offloaded<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        if self.in_place {
            return self.storage.get(user, campaign);
        }
        let (user, campaign) = (user.to_owned(), campaign.to_owned());
        self.run(move |storage| storage.get(&user, &campaign)).await?
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.run(move |storage| storage.set(record)).await?
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        if self.in_place {
            return self.storage.get_many(user, campaigns);
        }
        let user = user.to_owned();
        let owned: Vec<String> = campaigns.iter().map(|campaign| (*campaign).to_owned()).collect();
        let found = self
            .run(move |storage| storage.get_many(&user, &owned.iter().map(String::as_str).collect::<Vec<_>>()))
            .await;
        found.unwrap_or_else(|error| failed(error, campaigns.len()))
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let many = records.len();
        let done = self.run(move |storage| storage.set_many(records)).await;
        done.unwrap_or_else(|error| each(&error, many))
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.run(move |storage| storage.merge(claim)).await?
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        let done = self.run(move |storage| storage.merge_many(claims)).await;
        done.unwrap_or_else(|error| each(&error, many))
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let user = user.to_owned();
        self.run(move |storage| storage.records_of(&user)).await?
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let user = user.to_owned();
        self.run(move |storage| storage.erase(&user)).await?
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let from = from.cloned();
        self.run(move |storage| storage.scan(from.as_ref(), about)).await?
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        let user = user.to_owned();
        self.run(move |storage| storage.settle(&user)).await?
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}

/// How a storage is called that nobody has named.
const UNNAMED: &str = "the storage";

/// A storage that answers later, made one that is waited for, at most until a deadline.
///
/// Its futures run on one thread that this owns, with a tokio runtime of its own. A storage that is bound to another
/// runtime (sockets opened there) gets on only as long as that one does: inside a runtime of one thread, whose thread
/// is the one that waits here, such a look-up ends at its deadline.
#[derive(Debug)]
pub struct Waited<S> {
    storage: Arc<S>,
    deadline: Duration,
    write_deadline: Duration,
    name: Arc<str>,
    /// Always there; taken when dropped.
    runtime: Option<Runtime>,
}

impl<S: AsyncUserStorage + 'static> Waited<S> {
    /// Wraps a storage. A call that has no answer after `deadline` has [timed out](StorageErrorKind::TimedOut); a write
    /// goes on all the same, and may yet be done.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn new(storage: S, deadline: Duration) -> std::io::Result<Self> {
        Ok(Waited::on(runtime()?, storage, deadline))
    }

    /// Opens a storage on the thread that it then stays on, and wraps it. Opening it has a deadline of its own.
    ///
    /// # Errors
    /// What opening comes to; [`StorageErrorKind::TimedOut`] when it takes longer, [`StorageErrorKind::Other`] when the
    /// thread cannot be started.
    pub fn open<F>(opening: F, deadline: Duration, to_open: Duration) -> Result<Self, StorageError>
    where
        F: Future<Output = Result<S, StorageError>> + Send + 'static,
    {
        let no_thread = |error| {
            StorageError::new(StorageErrorKind::Other, "no thread for the storage can be started").with_source(error)
        };
        let runtime = runtime().map_err(no_thread)?;
        let storage = wait(&runtime, UNNAMED, to_open, true, opening).flatten();
        match storage {
            Ok(storage) => Ok(Waited::on(runtime, storage, deadline)),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    fn on(runtime: Runtime, storage: S, deadline: Duration) -> Self {
        let storage = Arc::new(storage);
        Waited { storage, deadline, write_deadline: deadline, name: UNNAMED.into(), runtime: Some(runtime) }
    }

    /// Says which storage it is that did not answer: "the storage" unless told.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The same, which waits so long for a write.
    #[must_use]
    pub fn with_write_deadline(mut self, deadline: Duration) -> Self {
        self.write_deadline = deadline;
        self
    }

    /// Runs something on the storage's thread that is no call of a storage, its orderly end say, and waits for it.
    ///
    /// # Errors
    /// [`TimedOut`](StorageErrorKind::TimedOut) when it takes longer; it goes on all the same. [`Other`
    /// ](StorageErrorKind::Other) when it panics.
    pub fn call<R, F>(&self, deadline: Duration, work: impl FnOnce(Arc<S>) -> F) -> Result<R, StorageError>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        self.wait(deadline, false, work)
    }

    /// Waits for `work`, at most until the deadline.
    fn wait<R, F>(&self, deadline: Duration, gives_up: bool, work: impl FnOnce(Arc<S>) -> F) -> Result<R, StorageError>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            return Err(StorageError::new(StorageErrorKind::Unavailable, "the storage is shut down"));
        };
        wait(runtime, &self.name, deadline, gives_up, work(Arc::clone(&self.storage)))
    }

    /// A read that is late is given up.
    fn read<R, F>(&self, work: impl FnOnce(Arc<S>) -> F) -> Result<R, StorageError>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        self.wait(self.deadline, true, work)
    }

    /// A write that is late is not: it may yet be done.
    fn write<R, F>(&self, work: impl FnOnce(Arc<S>) -> F) -> Result<R, StorageError>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        self.wait(self.write_deadline, false, work)
    }
}

impl<S> Drop for Waited<S> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting here could dead-lock a runtime around us, which tokio refuses.
            runtime.shutdown_background();
        }
    }
}

impl<S: AsyncUserStorage + 'static> UserStorage for Waited<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let (user, campaign) = (user.to_owned(), campaign.to_owned());
        self.read(|storage| async move { storage.get(&user, &campaign).await })?
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.write(|storage| async move { storage.set(record).await })?
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let user = user.to_owned();
        let owned: Vec<String> = campaigns.iter().map(|campaign| (*campaign).to_owned()).collect();
        let found = self.read(|storage| async move {
            storage.get_many(&user, &owned.iter().map(String::as_str).collect::<Vec<_>>()).await
        });
        found.unwrap_or_else(|error| failed(error, campaigns.len()))
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let many = records.len();
        let done = self.write(|storage| async move { storage.set_many(records).await });
        done.unwrap_or_else(|error| each(&error, many))
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.write(|storage| async move { storage.merge(claim).await })?
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        let done = self.write(|storage| async move { storage.merge_many(claims).await });
        done.unwrap_or_else(|error| each(&error, many))
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let user = user.to_owned();
        self.read(|storage| async move { storage.records_of(&user).await })?
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let user = user.to_owned();
        self.write(|storage| async move { storage.erase(&user).await })?
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let from = from.cloned();
        self.read(|storage| async move { storage.scan(from.as_ref(), about).await })?
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        let user = user.to_owned();
        self.write(|storage| async move { storage.settle(&user).await })?
    }

    fn writes(&self) -> Writes {
        match self.storage.writes() {
            // Even a storage that never waits is on the other side of a channel here.
            Writes::InPlace | Writes::Begun => Writes::OneByOne,
            writes => writes,
        }
    }
}

/// A runtime on a thread of its own.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("steadfast-storage").enable_all().build()
}

/// Waits for what runs there, at most until the deadline.
fn wait<R, F>(runtime: &Runtime, name: &str, deadline: Duration, gives_up: bool, work: F) -> Result<R, StorageError>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    let task = runtime.spawn(async move {
        // Whoever waited may be gone.
        let _ = sender.send(work.await);
    });
    receiver.recv_timeout(deadline).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => {
            if gives_up {
                task.abort();
            }
            let deadline = deadline.as_millis();
            StorageError::new(StorageErrorKind::TimedOut, format!("{name} did not answer within {deadline} ms"))
        }
        mpsc::RecvTimeoutError::Disconnected => StorageError::new(StorageErrorKind::Other, "the storage panicked"),
    })
}
