//! Every storage there is keeps its contract.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use steadfast_engine::Record;
use steadfast_storage::bridge::{Offloaded, Waited};
use steadfast_storage::{
    AsyncUserStorage, Claim, EmbeddedStorage, MemoryStorage, Merged, Opening, StorageError, UserStorage, Writes,
};
use steadfast_testkit::conformance;

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service that only has `get` and `set`, as the document asks for.
#[derive(Default)]
struct Service(MemoryStorage);

impl UserStorage for Service {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }
}

/// The same, answering later, with the help of the runtime that it is used in.
#[derive(Default)]
struct LaterService(Arc<MemoryStorage>);

impl AsyncUserStorage for LaterService {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let (records, user, campaign) = (Arc::clone(&self.0), user.to_owned(), campaign.to_owned());
        tokio::spawn(async move { records.get(&user, &campaign) }).await.expect("it does not panic")
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let records = Arc::clone(&self.0);
        tokio::spawn(async move { records.set(record) }).await.expect("it does not panic")
    }
}

/// A service that merges in one step besides, and knows no user's records.
#[derive(Default)]
struct Merging(MemoryStorage);

impl UserStorage for Merging {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim)
    }
}

fn waited<S: AsyncUserStorage + 'static>(storage: S) -> Waited<S> {
    Waited::new(storage, PATIENCE).expect("a thread can be started")
}

/// A storage in a file of its own, which goes with the folder.
fn embedded(folder: &tempfile::TempDir) -> EmbeddedStorage {
    EmbeddedStorage::open(folder.path().join("assignments")).expect("a new file can be opened")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

// Built-in storages: one test each.

#[test]
fn a_file() {
    let folder = folder();
    conformance::built_in(&embedded(&folder)).assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_offloaded() {
    let folder = folder();
    conformance::built_in_async(Arc::new(Offloaded::new(embedded(&folder)))).await.assert();
}

#[test]
fn memory() {
    conformance::built_in(&MemoryStorage::new()).assert();
}

#[test]
fn memory_that_is_not_empty() {
    let storage = MemoryStorage::new();
    for number in 0..2_000 {
        storage.set(Record::new(format!("user-{number}"), "ab", "Control")).expect("a storage in memory");
    }
    let before = storage.records();
    conformance::built_in(&storage).assert();
    conformance::built_in(&storage).assert();
    let others: Vec<_> = storage.records().into_iter().filter(|record| !record.user_id.starts_with("kit-")).collect();
    assert_eq!(others, before, "the kit touches no records of others");
}

// Bridges.

#[tokio::test]
async fn memory_offloaded() {
    conformance::built_in_async(Arc::new(Offloaded::new(MemoryStorage::new()))).await.assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_offloaded_on_many_threads() {
    conformance::built_in_async(Arc::new(Offloaded::new(MemoryStorage::new()))).await.assert();
}

#[tokio::test]
async fn memory_that_was_opened_in_the_background() {
    let opening = Opening::new(Writes::OneByOne, || async { Ok(Offloaded::new(MemoryStorage::new())) });
    conformance::built_in_async(Arc::new(opening)).await.assert();
}

#[test]
fn memory_offloaded_and_waited_for() {
    conformance::built_in(&waited(Offloaded::new(MemoryStorage::new()))).assert();
}

#[tokio::test]
async fn memory_offloaded_and_waited_for_and_offloaded() {
    // It waits, so that this time it is another thread that calls it.
    let storage = Offloaded::new(waited(Offloaded::new(MemoryStorage::new())));
    conformance::built_in_async(Arc::new(storage)).await.assert();
}

#[test]
fn bridges_hide_no_fault() {
    conformance::layer(|faulty| faulty).assert();
    conformance::layer(|faulty| waited(Offloaded::new(faulty))).assert();
}

#[tokio::test]
async fn bridges_hide_no_fault_of_a_storage_that_answers_later() {
    conformance::layer_async(|faulty| faulty).await.assert();
    conformance::layer_async(|faulty| Offloaded::new(waited(faulty))).await.assert();
}

// Services of one's own.

#[test]
fn a_service_of_ones_own() {
    conformance::plain(&Service::default()).assert();
    conformance::plain(&waited(LaterService::default())).assert();
}

#[tokio::test]
async fn a_service_of_ones_own_that_answers_later() {
    conformance::plain_async(Arc::new(LaterService::default())).await.assert();
    conformance::plain_async(Arc::new(Offloaded::new(Service::default()))).await.assert();
}

#[tokio::test]
async fn a_service_that_merges() {
    conformance::merging(&Merging::default()).assert();
    conformance::merging_async(Arc::new(Offloaded::new(Merging::default()))).await.assert();
    let report = conformance::built_in(&Merging::default());
    let failed: Vec<&str> = report.failed().map(conformance::Checked::name).collect();
    assert_eq!(failed, ["records-of-complete", "erase-complete", "scan-complete", "scan-while-written"], "{report}");
}

#[test]
fn a_service_that_does_not_merge() {
    let report = conformance::merging(&Service::default());
    let failed: Vec<&str> = report.failed().map(conformance::Checked::name).collect();
    assert!(failed.contains(&"first-variation-stays") && failed.contains(&"late-claim-is-kept-out"), "{report}");
    assert!(!failed.contains(&"scan-complete"), "{report}");
}

#[test]
fn a_service_of_ones_own_is_no_built_in_storage() {
    let report = conformance::built_in(&Service::default());
    let failed: Vec<&str> = report.failed().map(conformance::Checked::name).collect();
    assert!(failed.contains(&"first-variation-stays"), "{report}");
    assert!(failed.contains(&"late-claim-is-kept-out"), "{report}");
    assert!(failed.contains(&"scan-complete"), "{report}");
}
