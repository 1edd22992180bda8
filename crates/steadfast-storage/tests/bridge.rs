//! The bridges: neither kind of program waits for longer than it said, nor for itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record};
use steadfast_storage::bridge::{Offloaded, Waited};
use steadfast_storage::{AsyncUserStorage, MemoryStorage, StorageError, StorageErrorKind, UserStorage, Writes};

/// A storage that answers after a while, or never, or panics.
struct Slow {
    records: MemoryStorage,
    after: Option<Duration>,
    panics: bool,
    given_up: Arc<AtomicUsize>,
}

/// Counts the look-ups that end before their answer.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Slow {
    fn answering(after: Duration) -> Slow {
        Slow { records: MemoryStorage::new(), after: Some(after), panics: false, given_up: Arc::default() }
    }

    async fn rest(&self) {
        assert!(!self.panics, "a storage that panics");
        match self.after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    }
}

impl AsyncUserStorage for Slow {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let ended = Counted(Arc::clone(&self.given_up));
        self.rest().await;
        std::mem::forget(ended);
        self.records.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.rest().await;
        self.records.set(record)
    }
}

/// A storage that keeps its thread waiting until eight look-ups are under way at once.
#[derive(Default)]
struct Sleeper {
    records: MemoryStorage,
    under_way: AtomicUsize,
}

impl UserStorage for Sleeper {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let late = Instant::now() + PATIENCE;
        while self.under_way.load(Ordering::SeqCst) < 8 {
            if Instant::now() > late {
                return Err(StorageError::new(StorageErrorKind::TimedOut, "the look-ups come one after the other"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.records.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.records.set(record)
    }
}

/// What no machine needs, however busy: a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn record() -> Record {
    Record::new("Ashley", "ab", "Control")
}

fn waited(storage: Slow) -> Waited<Slow> {
    Waited::new(storage, Duration::from_millis(300)).unwrap()
}

fn writes_and_reads(storage: &impl UserStorage) {
    storage.set(record()).unwrap();
    assert_eq!(storage.get("Ashley", "ab").unwrap(), Some(record()));
    let answers = storage.get_many("Ashley", &["none", "ab"]);
    assert_eq!(answers, [Answer::Absent, Answer::from(Some(record()))]);
}

#[test]
fn a_storage_that_answers_later_is_waited_for() {
    writes_and_reads(&waited(Slow::answering(Duration::from_millis(1))));
}

#[test]
fn it_is_waited_for_inside_a_runtime_of_one_thread_and_of_many() {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for runtime in [one, many] {
        runtime.block_on(async {
            // Made, used and dropped in there, which is where a runtime of its own could be in the way.
            writes_and_reads(&waited(Slow::answering(Duration::from_millis(1))));
        });
    }
}

#[test]
fn nobody_waits_longer_than_the_deadline_for_a_storage_that_never_answers() {
    let storage = Slow { after: None, ..Slow::answering(Duration::ZERO) };
    let given_up = Arc::clone(&storage.given_up);
    let storage = waited(storage);
    let start = Instant::now();
    let error = storage.get("Ashley", "ab").unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::TimedOut);
    assert!(matches!(storage.get_many("Ashley", &["a", "b"])[..], [Answer::Failed(_), Answer::Failed(_)]));
    assert_eq!(storage.set(record()).unwrap_err().kind(), StorageErrorKind::TimedOut);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let late = Instant::now() + PATIENCE;
    while given_up.load(Ordering::SeqCst) < 2 && Instant::now() < late {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(given_up.load(Ordering::SeqCst), 2, "look-ups that nobody waits for are given up");
}

#[test]
fn a_write_may_take_longer_than_a_look_up() {
    let storage = Waited::new(Slow::answering(Duration::from_millis(100)), Duration::from_millis(20)).unwrap();
    assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), StorageErrorKind::TimedOut);
    let storage = storage.with_write_deadline(PATIENCE);
    storage.set(record()).unwrap();
    assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), StorageErrorKind::TimedOut);
}

#[test]
fn a_storage_that_panics_has_failed() {
    // A machine may take its time to print where it panicked.
    let storage = Waited::new(Slow { panics: true, ..Slow::answering(Duration::ZERO) }, PATIENCE).unwrap();
    assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), StorageErrorKind::Other);
    assert!(matches!(storage.get_many("Ashley", &["ab"])[..], [Answer::Failed(_)]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_storage_that_waits_does_not_keep_the_runtime_waiting() {
    let storage = Arc::new(Offloaded::new(Sleeper::default()));
    storage.set(record()).await.unwrap();
    let look_ups: Vec<_> = (0..8)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.get("Ashley", "ab").await })
        })
        .collect();
    for look_up in look_ups {
        assert_eq!(look_up.await.unwrap().unwrap(), Some(record()));
    }
}

#[tokio::test]
async fn a_storage_in_memory_is_asked_where_it_stands() {
    let storage = Offloaded::new(MemoryStorage::new());
    assert_eq!(AsyncUserStorage::writes(&storage), Writes::InPlace);
    storage.set(record()).await.unwrap();
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), Some(record()));
    assert_eq!(storage.records_of("Ashley").await.unwrap(), [record()]);
    assert_eq!(storage.erase("Ashley").await.unwrap(), 1);
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), None);
}
