//! A storage on a server, for a client that must not wait for one: calls go by what was fetched for them before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steadfast::engine::Record;
use steadfast::storage::{Answer, Claim, Cursor, Merged, Page, StorageError, StorageErrorKind, UserStorage, Writes};

/// What to do about it.
const ADVICE: &str = "a call that answers at once does not wait for a server, and decides without the storage: pass \
                      `userStorageData: await client.stored(userId)`, or launch with `asyncStorageConfig: {}` and await the calls";

/// Everything but look-ups in the middle of a call.
pub(crate) struct Prefetched {
    storage: Arc<dyn UserStorage>,
    is_said: AtomicBool,
}

impl Prefetched {
    pub(crate) fn new(storage: Arc<dyn UserStorage>) -> Prefetched {
        Prefetched { storage, is_said: AtomicBool::new(false) }
    }

    fn failure(&self) -> StorageError {
        if !self.is_said.swap(true, Ordering::Relaxed) {
            tracing::error!("{ADVICE}");
        }
        StorageError::new(StorageErrorKind::Unavailable, ADVICE)
    }
}

impl UserStorage for Prefetched {
    fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
        Err(self.failure())
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.storage.set(record)
    }

    fn get_many(&self, _: &str, campaigns: &[&str]) -> Vec<Answer> {
        campaigns.iter().map(|_| Answer::Failed(self.failure().into())).collect()
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.storage.set_many(records)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.storage.merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.storage.merge_many(claims)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.storage.records_of(user)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.storage.erase(user)
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about)
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user)
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
