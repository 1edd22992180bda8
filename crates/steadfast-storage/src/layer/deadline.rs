//! An answer in time, or none.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use steadfast_engine::{Answer, Record};
use tokio::time::timeout;

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, Writes};

/// A storage whose calls end in time: one that has no answer by then has
/// [timed out](StorageErrorKind::TimedOut), and its future is dropped. A write may have been done all the same, or be done
/// later. A call for several records has as long as one for a single record.
///
/// Needs a tokio runtime with timers around it. There is none for storages that answer in place: they cannot be
/// interrupted. Under a blocking program, `bridge::Waited` has deadlines of its own.
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    storage: S,
    read: Duration,
    write: Duration,
    name: Arc<str>,
}

impl<S: AsyncUserStorage> Deadline<S> {
    /// Each call has so long.
    pub fn new(storage: S, read: Duration) -> Self {
        Deadline { storage, read, write: read, name: "the storage".into() }
    }

    /// The same, but `set`, `merge` and `erase` have so long.
    #[must_use]
    pub fn with_write(mut self, write: Duration) -> Self {
        self.write = write;
        self
    }

    /// Says which storage it is that did not answer: "the storage" unless told.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// What `call` answers, or that it did not in time.
    async fn within<R>(&self, limit: Duration, call: impl Future<Output = R> + Send) -> Result<R, StorageError> {
        timeout(limit, call).await.map_err(|_| {
            let (name, limit) = (&self.name, limit.as_millis());
            StorageError::new(StorageErrorKind::TimedOut, format!("{name} did not answer within {limit} ms"))
        })
    }

    /// The storage that is waited for.
    pub fn inner(&self) -> &S {
        &self.storage
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for Deadline<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.within(self.read, self.storage.get(user, campaign)).await?
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.within(self.write, self.storage.set(record)).await?
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let found = self.within(self.read, self.storage.get_many(user, campaigns)).await;
        found.unwrap_or_else(|error| failed(error, campaigns.len()))
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let many = records.len();
        self.within(self.write, self.storage.set_many(records)).await.unwrap_or_else(|error| each(&error, many))
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.within(self.write, self.storage.merge(claim)).await?
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let many = claims.len();
        self.within(self.write, self.storage.merge_many(claims)).await.unwrap_or_else(|error| each(&error, many))
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.within(self.read, self.storage.records_of(user)).await?
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.within(self.write, self.storage.erase(user)).await?
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.within(self.read, self.storage.scan(from, about)).await?
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.within(self.write, self.storage.settle(user)).await?
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;
    use crate::merge::Condition;

    /// Never answers.
    struct Silent;

    impl AsyncUserStorage for Silent {
        async fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            pending().await
        }

        async fn set(&self, _: Record) -> Result<(), StorageError> {
            pending().await
        }

        async fn records_of(&self, _: &str) -> Result<Vec<Record>, StorageError> {
            pending().await
        }

        async fn erase(&self, _: &str) -> Result<u64, StorageError> {
            pending().await
        }

        async fn scan(&self, _: Option<&Cursor>, _: usize) -> Result<Page, StorageError> {
            pending().await
        }
    }

    const READ: Duration = Duration::from_millis(20);
    const WRITE: Duration = Duration::from_millis(300);

    /// The kind of the failure, and how long it took.
    async fn late<R: std::fmt::Debug>(call: impl Future<Output = Result<R, StorageError>>) -> (StorageErrorKind, u128) {
        let start = Instant::now();
        let error = call.await.unwrap_err();
        (error.kind(), start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_ends_at_its_deadline() {
        let storage = Deadline::new(Silent, READ).with_write(WRITE);
        let record = Record::new("Ashley", "ab", "A");
        let claim = Claim { record: record.clone(), goal: None, condition: Condition::Absent, was_read: false };
        // A timer of tokio may be a millisecond late.
        let read = |told: (StorageErrorKind, u128)| assert!(told.0 == StorageErrorKind::TimedOut && told.1 <= 21);
        let write = |told: (StorageErrorKind, u128)| {
            assert!(told.0 == StorageErrorKind::TimedOut && (300..=301).contains(&told.1), "{told:?}");
        };
        read(late(storage.get("Ashley", "ab")).await);
        read(late(storage.records_of("Ashley")).await);
        read(late(storage.scan(None, 10)).await);
        write(late(storage.set(record.clone())).await);
        write(late(storage.merge(claim.clone())).await);
        write(late(storage.erase("Ashley")).await);
        let answers = storage.get_many("Ashley", &["ab", "other"]).await;
        assert!(matches!(&answers[..], [Answer::Failed(_), Answer::Failed(_)]), "{answers:?}");
        let results = storage.set_many(vec![record.clone(), record]).await;
        assert_eq!(results.len(), 2);
        assert!(results.into_iter().all(|result| result.unwrap_err().kind() == StorageErrorKind::TimedOut));
        let results = storage.merge_many(vec![claim.clone(), claim]).await;
        assert!(results.into_iter().all(|result| result.unwrap_err().kind() == StorageErrorKind::TimedOut));
    }
}
