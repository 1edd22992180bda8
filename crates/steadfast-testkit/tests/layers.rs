//! A layer over a storage keeps what the storage keeps, and hides no fault of it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_engine::{Answer, Record};
use steadfast_storage::bridge::Offloaded;
use steadfast_storage::layer::{
    Breaker, BreakerOptions, Cache, CacheOptions, Deadline, Metered, Pseudonym, PseudonymKey,
};
use steadfast_storage::{
    AsyncUserStorage, Claim, Cursor, EmbeddedStorage, MemoryStorage, Merged, Page, StorageError, UserStorage, Writes,
};
use steadfast_testkit::conformance;

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// A storage in a file of its own, which goes with the folder.
fn embedded(folder: &tempfile::TempDir) -> Offloaded<EmbeddedStorage> {
    let file = EmbeddedStorage::open(folder.path().join("assignments")).expect("a new file can be opened");
    Offloaded::new(file)
}

fn memory() -> Offloaded<MemoryStorage> {
    Offloaded::new(MemoryStorage::new())
}

// Deadlines.

#[tokio::test]
async fn a_deadline() {
    conformance::built_in_async(Arc::new(Deadline::new(memory(), PATIENCE))).await.assert();
    conformance::layer_async(|faulty| Deadline::new(faulty, PATIENCE)).await.assert();
}

// A breaker.

/// It opens at once, and not for long: the kit does not wait before it tries again.
const NERVOUS: BreakerOptions =
    BreakerOptions { failures: 2, back_off: Duration::from_nanos(1), longest: Duration::from_nanos(8) };

#[test]
fn a_breaker() {
    conformance::built_in(&Breaker::new(MemoryStorage::new(), NERVOUS)).assert();
    conformance::layer(|faulty| Breaker::new(faulty, NERVOUS)).assert();
}

#[tokio::test]
async fn a_breaker_of_a_storage_that_answers_later() {
    conformance::built_in_async(Arc::new(Breaker::new(memory(), BreakerOptions::default()))).await.assert();
    conformance::built_in_async(Arc::new(Breaker::new(memory(), NERVOUS))).await.assert();
    conformance::layer_async(|faulty| Breaker::new(faulty, NERVOUS)).await.assert();
}

// Pseudonyms.

fn key(byte: u8) -> PseudonymKey {
    PseudonymKey::from_bytes([byte; 32])
}

/// Layers over pseudonyms that know whom they have stored, so that what is read through can be told by the ids of users.
struct Known<S> {
    storage: S,
    /// Under the same key, over nothing.
    pseudonyms: Pseudonym<()>,
    users: Mutex<HashMap<String, String>>,
}

impl<S> Known<S> {
    fn new(storage: S, key: PseudonymKey) -> Self {
        Known { storage, pseudonyms: Pseudonym::new((), key), users: Mutex::default() }
    }

    fn learn<'r>(&self, records: impl IntoIterator<Item = &'r Record>) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.extend(
            records.into_iter().map(|record| (self.pseudonyms.pseudonym(&record.user_id), record.user_id.clone())),
        );
    }

    fn told(&self, mut page: Page) -> Page {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &mut page.records {
            record.user_id.clone_from(users.get(&record.user_id).expect("nobody is stored by name"));
        }
        page
    }
}

impl<S: UserStorage> UserStorage for Known<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.storage.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.learn([&record]);
        self.storage.set(record)
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.storage.get_many(user, campaigns)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.learn(&records);
        self.storage.set_many(records)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.learn([&claim.record]);
        self.storage.merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.learn(claims.iter().map(|claim| &claim.record));
        self.storage.merge_many(claims)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.storage.records_of(user)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.storage.erase(user)
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about).map(|page| self.told(page))
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for Known<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.storage.get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.learn([&record]);
        self.storage.set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.storage.get_many(user, campaigns).await
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.learn(&records);
        self.storage.set_many(records).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.learn([&claim.record]);
        self.storage.merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.learn(claims.iter().map(|claim| &claim.record));
        self.storage.merge_many(claims).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.storage.records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.storage.erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about).await.map(|page| self.told(page))
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}

#[test]
fn pseudonyms() {
    conformance::built_in(&Known::new(Pseudonym::new(MemoryStorage::new(), key(1)), key(1))).assert();
    let with_old_keys = Pseudonym::new(MemoryStorage::new(), key(1)).with_old_key(key(2)).with_old_key(key(3));
    conformance::built_in(&Known::new(with_old_keys, key(1))).assert();
    conformance::layer(|faulty| Pseudonym::new(faulty, key(1))).assert();
    conformance::layer(|faulty| Pseudonym::new(faulty, key(1)).with_old_key(key(2))).assert();
}

#[tokio::test]
async fn pseudonyms_in_a_storage_that_answers_later() {
    let storage = Pseudonym::new(memory(), key(1)).with_old_key(key(2));
    conformance::built_in_async(Arc::new(Known::new(storage, key(1)))).await.assert();
    conformance::layer_async(|faulty| Pseudonym::new(faulty, key(1)).with_old_key(key(2))).await.assert();
}

/// Every second storage that the kit asks for is used under the next key: what one has stored is under an old key for the
/// other.
#[test]
fn pseudonyms_of_keys_that_change() {
    let turn = AtomicU8::new(0);
    let report = conformance::layer(|faulty| match turn.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Pseudonym::new(faulty, key(1)).with_old_key(key(2)),
        _ => Pseudonym::new(faulty, key(2)).with_old_key(key(1)),
    });
    report.assert();
}

// A cache.

/// As much as it may be wrong: nothing runs out.
fn never_out(users: usize) -> CacheOptions {
    let long = Duration::from_secs(3_600);
    CacheOptions { users, found: long, absent: long, patience: PATIENCE }
}

#[test]
fn a_cache() {
    for options in [CacheOptions::default(), never_out(100_000), never_out(3), never_out(0)] {
        conformance::built_in(&Cache::new(MemoryStorage::new(), options)).assert();
        conformance::layer(|faulty| Cache::new(faulty, options)).assert();
    }
}

#[tokio::test]
async fn a_cache_of_a_storage_that_answers_later() {
    for options in [never_out(100_000), never_out(3)] {
        conformance::built_in_async(Arc::new(Cache::new(memory(), options))).await.assert();
        conformance::layer_async(move |faulty| Cache::new(faulty, options)).await.assert();
    }
}

// What is measured.

#[tokio::test]
async fn what_is_measured() {
    conformance::built_in(&Metered::new(MemoryStorage::new(), "memory")).assert();
    conformance::layer(|faulty| Metered::new(faulty, "memory")).assert();
    conformance::built_in_async(Arc::new(Metered::new(memory(), "memory"))).await.assert();
    conformance::layer_async(|faulty| Metered::new(faulty, "memory")).await.assert();
}

// All of them, in the order that is recommended.

fn stack<S: AsyncUserStorage>(storage: S) -> impl AsyncUserStorage {
    let named = Metered::new(Pseudonym::new(storage, key(1)).with_old_key(key(2)), "a storage");
    Cache::new(Breaker::new(Deadline::new(named, PATIENCE), NERVOUS), never_out(100_000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_layers_over_a_file() {
    let folder = folder();
    conformance::built_in_async(Arc::new(Known::new(stack(embedded(&folder)), key(1)))).await.assert();
}

#[tokio::test]
async fn all_layers_over_a_storage_that_fails() {
    conformance::layer_async(stack).await.assert();
}
