//! The layer that keeps writes back keeps the contract of the storage below it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use steadfast_engine::{Answer, Record};
use steadfast_storage::bridge::{Offloaded, Waited};
use steadfast_storage::layer::write_behind::{Journal, WriteBehind, WriteBehindOptions};
use steadfast_storage::{
    AsyncUserStorage, Claim, Cursor, EmbeddedStorage, MemoryStorage, Merged, Page, StorageError, StorageErrorKind,
    Writes,
};
use steadfast_testkit::conformance;

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn options() -> WriteBehindOptions {
    WriteBehindOptions { wait: PATIENCE, back_off: Duration::from_micros(50), ..WriteBehindOptions::default() }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

fn memory(options: WriteBehindOptions) -> WriteBehind<Offloaded<MemoryStorage>> {
    WriteBehind::new(Offloaded::new(MemoryStorage::new()), options).expect("a layer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_memory() {
    conformance::built_in_async(Arc::new(memory(options()))).await.assert();
}

#[tokio::test]
async fn over_a_file_with_a_journal_of_everything() {
    let folder = folder();
    let file = EmbeddedStorage::open(folder.path().join("assignments")).expect("a new file");
    let journal = Journal::Always(folder.path().join("journal"));
    let options = WriteBehindOptions { journal, ..options() };
    let layer = WriteBehind::new(Offloaded::new(file), options).expect("a layer");
    conformance::built_in_async(Arc::new(layer)).await.assert();
}

#[tokio::test]
async fn over_memory_with_room_for_a_few_and_a_journal() {
    let folder = folder();
    let journal = Journal::WhenFull(folder.path().join("journal"));
    conformance::plain_async(Arc::new(memory(WriteBehindOptions { claims: 8, journal, ..options() }))).await.assert();
}

#[test]
fn over_memory_and_waited_for() {
    let waited = Waited::new(memory(options()), PATIENCE).expect("a thread can be started");
    conformance::built_in(&waited).assert();
}

/// What is set is in the storage when it returns: the kit goes on to look there past the layer.
struct Flushed<S: AsyncUserStorage + 'static>(WriteBehind<S>);

impl<S: AsyncUserStorage + 'static> AsyncUserStorage for Flushed<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record).await?;
        let late = |_| StorageError::new(StorageErrorKind::TimedOut, "not sent in time");
        self.0.flush(PATIENCE).await.map_err(late)
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.0.get_many(user, campaigns).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.0.merge_many(claims).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.0.scan(from, about).await
    }

    fn writes(&self) -> Writes {
        self.0.writes()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_hides_no_fault_but_those_that_pass() {
    let wrap = |faulty| {
        // Nobody gives up before the schedule does.
        let options = WriteBehindOptions { failures: 100, wait: Duration::from_secs(5), ..options() };
        Flushed(WriteBehind::new(faulty, options).expect("a layer"))
    };
    conformance::layer_async(wrap).await.assert();
}
