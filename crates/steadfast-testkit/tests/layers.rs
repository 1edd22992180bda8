//! A layer over a storage keeps what the storage keeps, and hides no fault of it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use steadfast_storage::bridge::Offloaded;
use steadfast_storage::layer::{Breaker, BreakerOptions, Deadline};
use steadfast_storage::{EmbeddedStorage, MemoryStorage};
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
    let folder = folder();
    conformance::built_in_async(Arc::new(Deadline::new(embedded(&folder), PATIENCE))).await.assert();
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
    let folder = folder();
    conformance::built_in_async(Arc::new(Breaker::new(embedded(&folder), NERVOUS))).await.assert();
    conformance::layer_async(|faulty| Breaker::new(faulty, NERVOUS)).await.assert();
}
