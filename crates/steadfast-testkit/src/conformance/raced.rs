//! A storage in which a rival always wins the race.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use steadfast_engine::{Answer, Record};
use steadfast_storage::{AsyncUserStorage, Claim, Cursor, Merged, Page, StorageError, UserStorage, Writes};

/// A storage whose rivals write between a look-up and the next write of whoever uses it: after `get`, `look_up` or
/// `get_many`, and before `set`, `set_many`, `merge` or `merge_many` is passed on. One rival for each such pair, in their
/// order; when there are no more, everything is passed on as it is.
///
/// ```
/// use steadfast_engine::Record;
/// use steadfast_storage::{Claim, Condition, MemoryStorage, Outcome, UserStorage};
/// use steadfast_testkit::conformance::{Raced, Rival};
///
/// let storage = Raced::new(MemoryStorage::new(), [Rival::Set(Record::new("Ashley", "ab", "Theirs"))]);
/// assert_eq!(storage.get("Ashley", "ab")?, None);
/// let record = Record::new("Ashley", "ab", "Ours");
/// let merged = storage.merge(Claim { record, goal: None, condition: Condition::Absent, was_read: true })?;
/// assert_eq!((merged.outcome, &*merged.record.variation_name), (Outcome::Kept, "Theirs"));
/// # Ok::<(), steadfast_storage::StorageError>(())
/// ```
#[derive(Debug)]
pub struct Raced<S> {
    storage: S,
    rivals: Mutex<VecDeque<Rival>>,
    was_read: AtomicBool,
    written: AtomicUsize,
}

/// What a rival writes.
#[derive(Debug, Clone)]
pub enum Rival {
    /// With `set`, as a service of another SDK.
    Set(Record),
    /// With `merge`.
    Merge(Claim),
}

impl<S> Raced<S> {
    /// A storage with these rivals.
    pub fn new(storage: S, rivals: impl IntoIterator<Item = Rival>) -> Self {
        Raced {
            storage,
            rivals: Mutex::new(rivals.into_iter().collect()),
            was_read: AtomicBool::new(false),
            written: AtomicUsize::new(0),
        }
    }

    /// How many rivals have written, and were not told that it failed.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    /// The storage that is raced for.
    pub fn inner(&self) -> &S {
        &self.storage
    }

    fn read(&self) {
        self.was_read.store(true, Ordering::SeqCst);
    }

    /// The rival whose turn it is.
    fn rival(&self) -> Option<Rival> {
        let mut rivals = self.rivals.lock().unwrap_or_else(PoisonError::into_inner);
        self.was_read.swap(false, Ordering::SeqCst).then(|| rivals.pop_front()).flatten()
    }

    fn has_written<R>(&self, result: &Result<R, StorageError>) {
        if result.is_ok() {
            self.written.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl<S: UserStorage> Raced<S> {
    fn race(&self) {
        match self.rival() {
            Some(Rival::Set(record)) => self.has_written(&self.storage.set(record)),
            Some(Rival::Merge(claim)) => self.has_written(&self.storage.merge(claim)),
            None => {}
        }
    }
}

impl<S: UserStorage> UserStorage for Raced<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let found = self.storage.get(user, campaign);
        self.read();
        found
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.race();
        self.storage.set(record)
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        let found = self.storage.look_up(user, campaign);
        self.read();
        found
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let found = self.storage.get_many(user, campaigns);
        self.read();
        found
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.race();
        self.storage.set_many(records)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.race();
        self.storage.merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.race();
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

impl<S: AsyncUserStorage> Raced<S> {
    async fn race_later(&self) {
        match self.rival() {
            Some(Rival::Set(record)) => self.has_written(&self.storage.set(record).await),
            Some(Rival::Merge(claim)) => self.has_written(&self.storage.merge(claim).await),
            None => {}
        }
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for Raced<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let found = self.storage.get(user, campaign).await;
        self.read();
        found
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.race_later().await;
        self.storage.set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let found = self.storage.get_many(user, campaigns).await;
        self.read();
        found
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.race_later().await;
        self.storage.set_many(records).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.race_later().await;
        self.storage.merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.race_later().await;
        self.storage.merge_many(claims).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.storage.records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.storage.erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
