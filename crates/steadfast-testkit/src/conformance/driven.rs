//! An asynchronous storage, driven by the threads of the checks.
//!
//! Each call is polled by the thread that makes it, so that calls run side by side on as many threads as call. Timers and
//! sockets are those of the runtime that the report was asked for in, which goes on meanwhile, be it of one thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use steadfast_engine::{Answer, Record, StorageFailure};
use steadfast_storage::{AsyncUserStorage, Claim, Cursor, Merged, Page, StorageError, UserStorage, Writes};
use tokio::runtime::Handle;

use super::limit::Limit;

/// So often a thread that waits looks whether another one has ended the check.
const A_WHILE: Duration = Duration::from_secs(1);

/// An asynchronous storage that is waited for.
pub(super) struct Driven<S> {
    storage: Arc<S>,
    runtime: Option<Handle>,
    limit: Limit,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<S: AsyncUserStorage> Driven<S> {
    /// Wraps a storage that lives in this runtime, or in none.
    pub(super) fn new(storage: Arc<S>, runtime: Option<Handle>, limit: Limit) -> Self {
        Driven { storage, runtime, limit }
    }

    fn wait<R>(&self, future: impl Future<Output = R>) -> Result<R, StorageError> {
        let call = self.limit.call()?;
        let _inside = self.runtime.as_ref().map(Handle::enter);
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
                return Ok(answer);
            }
            std::thread::park_timeout(call.left()?.min(A_WHILE));
        }
    }
}

impl<S: AsyncUserStorage> UserStorage for Driven<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.wait(self.storage.get(user, campaign))?
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.wait(self.storage.set(record))?
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let found = self.wait(self.storage.get_many(user, campaigns));
        found.unwrap_or_else(|error| vec![Answer::Failed(StorageFailure::new(error.to_string())); campaigns.len()])
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let many = records.len();
        self.wait(self.storage.set_many(records)).unwrap_or_else(|error| each(&error, many))
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.wait(self.storage.merge(claim))?
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        self.wait(self.storage.merge_many(claims)).unwrap_or_else(|error| each(&error, many))
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.wait(self.storage.records_of(user))?
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.wait(self.storage.erase(user))?
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.wait(self.storage.scan(from, about))?
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.wait(self.storage.settle(user))?
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}

fn each<R>(error: &StorageError, many: usize) -> Vec<Result<R, StorageError>> {
    (0..many).map(|_| Err(error.again())).collect()
}
