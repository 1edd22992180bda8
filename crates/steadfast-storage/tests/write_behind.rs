//! Writes that are kept until the storage has them: over a storage that fails, hangs, refuses and panics.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, GoalList, Record};
use steadfast_storage::bridge::Waited;
use steadfast_storage::layer::write_behind::{
    Counters, Journal, Unsent, WhenFull, WhenRefused, WriteBehind, WriteBehindOptions, erase_in_journal,
};
use steadfast_storage::{
    AsyncUserStorage, Claim, Condition, MemoryStorage, Merged, Outcome, StorageError, StorageErrorKind, UserStorage,
    Writes,
};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// As long as something that must not happen is given to happen.
const A_WHILE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Up,
    Down,
    Hangs,
    Refuses,
    Panics,
}

/// A storage in memory with moods.
#[derive(Clone)]
struct Moody(Arc<Inside>);

struct Inside {
    memory: MemoryStorage,
    mood: Mutex<Mood>,
    writes: Writes,
    /// Writes that it was asked for.
    asked: AtomicUsize,
}

impl Moody {
    fn new(mood: Mood) -> Moody {
        Moody::written_to(mood, Writes::Together(100))
    }

    fn written_to(mood: Mood, writes: Writes) -> Moody {
        let mood = Mutex::new(mood);
        Moody(Arc::new(Inside { memory: MemoryStorage::new(), mood, writes, asked: AtomicUsize::new(0) }))
    }

    fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    async fn is_up(&self) -> Result<(), StorageError> {
        let mood = *self.0.mood.lock().unwrap();
        match mood {
            Mood::Up => Ok(()),
            Mood::Down => Err(StorageError::new(StorageErrorKind::Unavailable, "down")),
            Mood::Hangs => std::future::pending().await,
            Mood::Refuses => Err(StorageError::new(StorageErrorKind::Denied, "refused")),
            Mood::Panics => panic!("a storage that panics"),
        }
    }

    async fn write<R>(&self, write: impl FnOnce(&MemoryStorage) -> Result<R, StorageError>) -> Result<R, StorageError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        self.is_up().await?;
        write(&self.0.memory)
    }

    fn records(&self) -> Vec<Record> {
        self.0.memory.records()
    }
}

impl AsyncUserStorage for Moody {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.is_up().await?;
        self.0.memory.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.write(|memory| memory.set(record)).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.write(|memory| memory.merge(claim)).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.is_up().await?;
        self.0.memory.records_of(user)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.write(|memory| memory.erase(user)).await
    }

    fn writes(&self) -> Writes {
        self.0.writes
    }
}

fn options() -> WriteBehindOptions {
    WriteBehindOptions {
        back_off: Duration::from_millis(1),
        longest_back_off: Duration::from_millis(10),
        wait: PATIENCE,
        ..WriteBehindOptions::default()
    }
}

fn layer(storage: &Moody, options: WriteBehindOptions) -> WriteBehind<Moody> {
    WriteBehind::new(storage.clone(), options).unwrap()
}

fn record(user: &str, variation: &str, goals: &str) -> Record {
    Record { goals: GoalList::from_text(goals), ..Record::new(user, "c", variation) }
}

fn claim(record: Record) -> Claim {
    Claim { record, goal: None, condition: Condition::Absent, was_read: false }
}

fn numbered(number: usize) -> Record {
    record(&format!("user-{number:03}"), "A", "")
}

async fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came to that");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn journal(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("journal")
}

#[tokio::test]
async fn what_is_handed_over_is_seen_at_once_and_sent_when_the_storage_is_back() {
    let storage = Moody::new(Mood::Down);
    let layer = layer(&storage, options());
    layer.set(record("u", "A", "g")).await.unwrap();
    assert!(layer.hand_over(vec![claim(record("u", "B", "h"))]).await[0].is_ok());
    let seen = record("u", "A", "g_vwo_h");
    assert_eq!(layer.get("u", "c").await.unwrap(), Some(seen.clone()));
    let answers = layer.get_many("u", &["c", "other"]).await;
    assert_eq!(answers[0], Answer::from(Some(seen.clone())));
    assert!(matches!(answers[1], Answer::Failed(_)), "the storage could not say: {answers:?}");
    assert!(layer.get("u", "other").await.is_err() && layer.records_of("u").await.is_err());
    until(|| layer.counters().retried > 3).await;
    assert!(storage.records().is_empty());
    storage.is(Mood::Up);
    layer.flush(PATIENCE).await.unwrap();
    assert_eq!(storage.records(), [seen]);
    let Counters { pending, pending_bytes, dropped, failures, .. } = layer.counters();
    assert_eq!((pending, pending_bytes, dropped, failures), (0, 0, 0, 0));
}

#[tokio::test]
async fn a_claim_that_is_waited_for_gets_the_answer_of_the_storage() {
    let storage = Moody::new(Mood::Up);
    storage.0.memory.set(record("u", "Rival", "theirs")).unwrap();
    let layer = layer(&storage, options());
    let merged = layer.merge(claim(record("u", "A", "ours"))).await.unwrap();
    assert_eq!((merged.outcome, merged.record), (Outcome::Kept, record("u", "Rival", "theirs_vwo_ours")));
    // Behind what was handed over before.
    layer.set(record("v", "A", "")).await.unwrap();
    let merged = layer.merge(claim(record("v", "B", ""))).await.unwrap();
    assert_eq!((merged.outcome, &*merged.record.variation_name), (Outcome::Kept, "A"));
}

#[tokio::test]
async fn nobody_waits_for_a_storage_that_is_down_and_the_claim_is_sent_all_the_same() {
    let storage = Moody::new(Mood::Down);
    let layer = layer(&storage, options());
    for _ in 0..2 {
        let error = layer.merge(claim(record("u", "A", ""))).await.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    }
    assert!(layer.settle("u").await.is_err());
    assert!(layer.settle("nobody").await.is_ok());
    storage.is(Mood::Up);
    layer.flush(PATIENCE).await.unwrap();
    assert_eq!(storage.records(), [record("u", "A", "")]);
    assert!(layer.settle("u").await.is_ok());
}

#[tokio::test]
async fn a_send_that_hangs_is_given_up_and_tried_again() {
    let storage = Moody::new(Mood::Hangs);
    let layer = layer(&storage, WriteBehindOptions { send: Duration::from_millis(20), failures: 1, ..options() });
    let error = layer.merge(claim(record("u", "A", ""))).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::TimedOut);
    storage.is(Mood::Up);
    layer.flush(PATIENCE).await.unwrap();
    assert_eq!(storage.records().len(), 1);
}

#[tokio::test]
async fn who_waits_does_so_until_the_deadline() {
    let storage = Moody::new(Mood::Hangs);
    let layer = layer(&storage, WriteBehindOptions { wait: Duration::from_millis(20), ..options() });
    let error = layer.merge(claim(record("u", "A", ""))).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::TimedOut);
    assert_eq!(layer.settle("u").await.unwrap_err().kind(), StorageErrorKind::TimedOut);
    assert_eq!(layer.flush(Duration::ZERO).await, Err(Unsent { in_memory: 1, in_journal: 0, is_lost: true }));
}

#[tokio::test]
async fn what_is_refused_is_told_and_dropped_or_parked() {
    for when_refused in [WhenRefused::Drop, WhenRefused::Park] {
        let storage = Moody::new(Mood::Refuses);
        let told = Arc::new(AtomicUsize::new(0));
        let listener = {
            let told = Arc::clone(&told);
            move |error: &StorageError| {
                assert_eq!(error.kind(), StorageErrorKind::Denied);
                told.fetch_add(1, Ordering::Relaxed);
                panic!("a listener that panics");
            }
        };
        let options = WriteBehindOptions { when_refused, ..options() };
        let layer = WriteBehind::with_listener(storage.clone(), options, listener).unwrap();
        layer.set(record("u", "A", "")).await.unwrap();
        layer.flush(PATIENCE).await.unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let Counters { dropped, parked, pending, .. } = layer.counters();
        storage.is(Mood::Up);
        if when_refused == WhenRefused::Drop {
            assert_eq!((dropped, parked, pending), (1, 0, 0));
            assert_eq!(layer.get("u", "c").await.unwrap(), None);
        } else {
            assert_eq!((dropped, parked, pending), (0, 1, 1));
            assert_eq!(layer.get("u", "c").await.unwrap(), Some(record("u", "A", "")));
            layer.retry_parked();
            layer.flush(PATIENCE).await.unwrap();
            assert_eq!(storage.records(), [record("u", "A", "")]);
        }
    }
}

#[tokio::test]
async fn a_storage_that_panics_refuses() {
    let storage = Moody::new(Mood::Panics);
    let layer = layer(&storage, options());
    assert_eq!(layer.merge(claim(record("u", "A", ""))).await.unwrap_err().kind(), StorageErrorKind::Other);
    storage.is(Mood::Up);
    layer.merge(claim(record("u", "A", ""))).await.unwrap();
}

#[tokio::test]
async fn where_there_is_no_room_a_write_is_rejected_or_waits_or_the_oldest_goes() {
    let full = |when_full| WriteBehindOptions { claims: 3, when_full, ..options() };
    let storage = Moody::new(Mood::Down);
    let rejecting = layer(&storage, full(WhenFull::Reject));
    for number in 0..3 {
        rejecting.set(numbered(number)).await.unwrap();
    }
    assert_eq!(rejecting.set(numbered(3)).await.unwrap_err().kind(), StorageErrorKind::Full);
    // What becomes one with another takes no room.
    rejecting.set(numbered(2)).await.unwrap();

    let storage = Moody::new(Mood::Down);
    let waiting = layer(&storage, full(WhenFull::Wait(PATIENCE)));
    for number in 0..3 {
        waiting.set(numbered(number)).await.unwrap();
    }
    assert!(tokio::time::timeout(A_WHILE, waiting.set(numbered(3))).await.is_err(), "there is no room");
    storage.is(Mood::Up);
    waiting.set(numbered(4)).await.unwrap();

    let storage = Moody::new(Mood::Down);
    let dropping = layer(&storage, full(WhenFull::DropOldest));
    for number in 0..5 {
        dropping.set(numbered(number)).await.unwrap();
    }
    storage.is(Mood::Up);
    dropping.flush(PATIENCE).await.unwrap();
    assert_eq!(dropping.counters().dropped, 2);
    assert_eq!(storage.records().len(), 3);
    assert!(storage.records().contains(&numbered(4)));

    // What is parked gives way, too, and what is under way does not.
    let storage = Moody::new(Mood::Refuses);
    let send = Duration::from_secs(3);
    let options = WriteBehindOptions { when_refused: WhenRefused::Park, send, ..full(WhenFull::DropOldest) };
    let parking = layer(&storage, options);
    for number in 0..3 {
        parking.set(numbered(number)).await.unwrap();
    }
    until(|| parking.counters().parked == 3).await;
    storage.is(Mood::Hangs);
    parking.set(numbered(3)).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    for number in 4..7 {
        parking.set(numbered(number)).await.unwrap();
    }
    assert_eq!((parking.counters().dropped, parking.counters().parked), (4, 0), "{parking:?}");
    storage.is(Mood::Up);
    parking.flush(PATIENCE).await.unwrap();
    assert_eq!(storage.records(), [numbered(3), numbered(5), numbered(6)]);
}

#[tokio::test]
async fn one_write_drives_out_no_more_than_it_needs() {
    // Too large for all the room.
    let storage = Moody::new(Mood::Down);
    let dropping = layer(&storage, WriteBehindOptions { bytes: 4_000, when_full: WhenFull::DropOldest, ..options() });
    for number in 0..8 {
        dropping.set(numbered(number)).await.unwrap();
    }
    let large = record("large", "A", &"g".repeat(5_000));
    assert_eq!(dropping.set(large).await.unwrap_err().kind(), StorageErrorKind::Full);
    assert_eq!((dropping.counters().pending, dropping.counters().dropped), (8, 0));

    // More is in memory than has room, behind places that are there.
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::WhenFull(journal(&folder));
    let full = WriteBehindOptions { claims: 10, journal, when_full: WhenFull::DropOldest, ..options() };
    let dropping = layer(&storage, full);
    for number in 0..21_usize {
        let variation = if number.is_multiple_of(2) { "A" } else { "B" };
        dropping.hand_over(vec![claim(record("u", variation, &format!("goal-{number}")))]).await[0].as_ref().unwrap();
        assert_eq!(dropping.counters().dropped, u64::from(number == 20), "{number}: {dropping:?}");
    }
    assert_eq!((dropping.counters().pending, dropping.counters().dropped), (20, 1), "{dropping:?}");
}

#[tokio::test]
async fn a_tombstone_whose_time_is_over_erases_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Moody::new(Mood::Up);
    let always = WriteBehindOptions { journal: Journal::Always(journal(&folder)), ..options() };
    layer(&storage, always.clone()).shutdown(PATIENCE).await.unwrap();
    erase_in_journal(journal(&folder), "user-001", Duration::ZERO).unwrap();
    storage.0.memory.set(numbered(1)).unwrap();
    let began = layer(&storage, always);
    began.flush(PATIENCE).await.unwrap();
    assert!(began.get("user-001", "c").await.unwrap().is_some());
    began.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn by_bytes_there_is_no_more_room_either() {
    let storage = Moody::new(Mood::Down);
    let layer = layer(&storage, WriteBehindOptions { bytes: 2_000, ..options() });
    layer.set(record("u", "A", &"g".repeat(1_000))).await.unwrap();
    assert_eq!(layer.set(record("v", "A", &"g".repeat(1_000))).await.unwrap_err().kind(), StorageErrorKind::Full);
    assert!(layer.counters().pending_bytes <= 2_000);
}

#[tokio::test]
async fn what_has_no_room_in_memory_goes_to_the_journal_and_comes_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for writes in [Writes::OneByOne, Writes::Together(7)] {
        let storage = Moody::written_to(Mood::Down, writes);
        let options = WriteBehindOptions { claims: 10, journal: Journal::WhenFull(journal(&folder)), ..options() };
        let layer = layer(&storage, options);
        for number in 0..100 {
            layer.set(numbered(number)).await.unwrap();
        }
        for number in 0..100 {
            let later = Record { goals: GoalList::from_text("g"), ..numbered(number) };
            assert!(layer.hand_over(vec![claim(later.clone())]).await[0].is_ok());
            assert_eq!(layer.get(&later.user_id, "c").await.unwrap(), Some(later), "it is seen on the disk as well");
        }
        let Counters { pending, in_journal, journaled, .. } = layer.counters();
        assert!(pending <= 10 && in_journal >= 90 && journaled >= 180, "{:?}", layer.counters());
        assert_eq!(layer.settle("user-099").await.unwrap_err().kind(), StorageErrorKind::Unavailable);
        storage.is(Mood::Up);
        layer.flush(PATIENCE).await.unwrap();
        let expected: Vec<Record> =
            (0..100).map(|number| Record { goals: GoalList::from_text("g"), ..numbered(number) }).collect();
        assert_eq!(storage.records(), expected);
        until(|| layer.counters().in_journal == 0).await;
        layer.shutdown(PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn while_others_write_the_journal_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Moody::new(Mood::Down);
    let options = WriteBehindOptions { claims: 50, journal: Journal::Always(journal(&folder)), ..options() };
    let layer = Arc::new(layer(&storage, options));
    for number in 0..200 {
        layer.set(numbered(number)).await.unwrap();
    }
    storage.is(Mood::Up);
    let writing = {
        let layer = Arc::clone(&layer);
        tokio::spawn(async move {
            for number in 0..400 {
                layer.set(Record::new(format!("user-{number:03}"), "later", "B")).await.unwrap();
                layer.set(record(&format!("user-{number:03}"), "B", "")).await.unwrap();
            }
        })
    };
    tokio::time::timeout(PATIENCE, writing).await.unwrap().unwrap();
    layer.flush(PATIENCE).await.unwrap();
    let records = storage.records();
    assert_eq!(records.len(), 800);
    assert!(records.iter().all(|record| record.variation_name == "B"), "what came later came last");
    layer.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn what_is_left_at_the_end_is_sent_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [Journal::WhenFull(journal(&folder)), Journal::Always(journal(&folder))] {
        let storage = Moody::new(Mood::Down);
        let options = WriteBehindOptions { journal, ..options() };
        let ended = layer(&storage, options.clone());
        ended.set(record("u", "A", "g")).await.unwrap();
        assert!(ended.hand_over(vec![claim(record("u", "B", "h"))]).await[0].is_ok());
        let unsent = ended.shutdown(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!((unsent.in_journal, unsent.is_lost), (1, false));
        assert_eq!(ended.set(record("u", "A", "")).await.unwrap_err().kind(), StorageErrorKind::Unavailable);
        let next = layer(&storage, options);
        assert_eq!(next.get("u", "c").await.unwrap(), Some(record("u", "A", "g_vwo_h")), "before it is sent");
        storage.is(Mood::Up);
        next.flush(PATIENCE).await.unwrap();
        assert_eq!(storage.records(), [record("u", "A", "g_vwo_h")]);
        next.shutdown(PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_journal_the_end_says_what_is_lost() {
    let storage = Moody::new(Mood::Down);
    let layer = layer(&storage, options());
    layer.set(record("u", "A", "")).await.unwrap();
    let unsent = layer.shutdown(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(unsent, Unsent { in_memory: 1, in_journal: 0, is_lost: true });
}

#[tokio::test]
async fn a_user_who_was_erased_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Moody::new(Mood::Up);
    storage.0.memory.set(record("u", "Old", "")).unwrap();
    storage.is(Mood::Down);
    let options =
        WriteBehindOptions { claims: 4, journal: Journal::WhenFull(journal(&folder)), failures: 1, ..options() };
    let ended = layer(&storage, options.clone());
    for number in 0..10 {
        ended.set(numbered(number)).await.unwrap();
    }
    for user in ["u", "user-000", "user-009"] {
        ended.set(record(user, "B", "g")).await.unwrap();
        assert_eq!(ended.erase(user).await.unwrap_err().kind(), StorageErrorKind::Unavailable);
        assert_eq!(ended.get(user, "c").await.unwrap(), None, "the storage is still to erase them");
        assert!(ended.records_of(user).await.unwrap().is_empty());
    }
    // They come back by themselves, which counts.
    ended.set(record("user-009", "C", "")).await.unwrap();
    assert!(ended.shutdown(Duration::from_millis(20)).await.is_err());
    let next = layer(&storage, options);
    storage.is(Mood::Up);
    next.flush(PATIENCE).await.unwrap();
    let mut expected: Vec<Record> = (1..9).map(numbered).collect();
    expected.push(record("user-009", "C", ""));
    assert_eq!(storage.records(), expected);
    assert_eq!(next.erase("user-001").await.unwrap(), 1);
    next.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_user_who_is_erased_while_something_is_under_way_is_erased_after_it() {
    let storage = Moody::new(Mood::Hangs);
    let layer = Arc::new(layer(&storage, WriteBehindOptions { send: Duration::from_millis(500), ..options() }));
    layer.set(record("u", "A", "")).await.unwrap();
    until(|| storage.0.asked.load(Ordering::Relaxed) == 1).await;
    let erasing = {
        let layer = Arc::clone(&layer);
        tokio::spawn(async move { layer.erase("u").await })
    };
    // Only while they are being erased is the storage not asked, which hangs.
    let start = Instant::now();
    while tokio::time::timeout(Duration::from_millis(5), layer.get("u", "c")).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the erasing did not begin");
    }
    storage.is(Mood::Up);
    assert!(tokio::time::timeout(PATIENCE, erasing).await.unwrap().unwrap().is_ok());
    assert!(storage.records().is_empty());
    assert_eq!(layer.get("u", "c").await.unwrap(), None);
}

#[test]
fn it_works_under_a_blocking_program() {
    let storage = Moody::new(Mood::Up);
    // There is no runtime here.
    let waited = Waited::new(layer(&storage, options()), PATIENCE).unwrap();
    waited.set(record("u", "A", "")).unwrap();
    let merged = waited.merge(claim(record("u", "B", ""))).unwrap();
    assert_eq!(merged.record.variation_name, "A");
    waited.settle("u").unwrap();
    assert_eq!(storage.records(), [record("u", "A", "")]);
}

#[test]
fn a_runtime_that_ends_takes_nothing_with_it() {
    let storage = Moody::new(Mood::Hangs);
    let layer = layer(&storage, options());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime();
    first.block_on(async {
        layer.set(record("u", "A", "")).await.unwrap();
        until(|| storage.0.asked.load(Ordering::Relaxed) == 1).await;
    });
    drop(first);
    storage.is(Mood::Up);
    runtime().block_on(layer.flush(PATIENCE)).unwrap();
    assert_eq!(storage.records().len(), 1);
}

#[tokio::test]
async fn a_journal_is_for_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = WriteBehindOptions { journal: Journal::Always(journal(&folder)), ..options() };
    let first = layer(&Moody::new(Mood::Up), options.clone());
    let second = WriteBehind::new(Moody::new(Mood::Up), options.clone());
    assert_eq!(second.unwrap_err().kind(), StorageErrorKind::InUse);
    first.shutdown(PATIENCE).await.unwrap();
    assert!(WriteBehind::new(Moody::new(Mood::Up), options).is_ok());
}

#[tokio::test]
async fn what_was_dropped_goes_on_until_it_is_sent() {
    let storage = Moody::new(Mood::Down);
    let layer = layer(&storage, options());
    layer.set(record("u", "A", "")).await.unwrap();
    drop(layer);
    storage.is(Mood::Up);
    until(|| storage.records().len() == 1).await;
}

#[tokio::test]
async fn what_waits_for_one_place_and_cannot_be_one_is_kept_in_memory_as_far_as_that_goes() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Moody::new(Mood::Down);
    let options = WriteBehindOptions { claims: 10, journal: Journal::WhenFull(journal(&folder)), ..options() };
    let layer = layer(&storage, options);
    let claims = |number: usize| {
        let goal = format!("goal-{number:02}");
        claim(record("u", if number.is_multiple_of(2) { "A" } else { "B" }, &goal))
    };
    for number in 0..20 {
        assert!(layer.hand_over(vec![claims(number)]).await[0].is_ok(), "claim {number}: {layer:?}");
    }
    let full = layer.hand_over(vec![claims(20)]).await[0].as_ref().unwrap_err().kind();
    assert_eq!(full, StorageErrorKind::Full);
    let seen = layer.get("u", "c").await.unwrap();
    storage.is(Mood::Up);
    layer.flush(PATIENCE).await.unwrap();
    let goals: Vec<String> = (0..20).map(|number| format!("goal-{number:02}")).collect();
    assert_eq!(storage.records(), [record("u", "A", &goals.join("_vwo_"))]);
    assert_eq!(seen.as_ref(), storage.records().first());
    layer.shutdown(PATIENCE).await.unwrap();
}

#[test]
fn what_is_left_is_journaled_also_where_the_runtime_ends_with_the_layer() {
    let storage = Moody::new(Mood::Down);
    let folder = tempfile::tempdir().unwrap();
    // A layer on a journal that the last one may not have closed yet.
    let open = || {
        let options = WriteBehindOptions { journal: Journal::WhenFull(journal(&folder)), ..options() };
        let start = Instant::now();
        loop {
            match WriteBehind::new(storage.clone(), options.clone()) {
                Ok(layer) => return layer,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime();
    ended.block_on(async {
        let layer = open();
        layer.set(Record::new("Ashley", "ab", "Green")).await.unwrap();
    });
    drop(ended);
    storage.is(Mood::Up);
    runtime().block_on(async {
        let layer = open();
        layer.flush(PATIENCE).await.unwrap();
        assert!(layer.get("Ashley", "ab").await.unwrap().is_some(), "it is lost");
    });
}

#[tokio::test]
async fn an_erasing_that_goes_with_the_process_is_said_to_be_lost() {
    let storage = Moody::new(Mood::Down);
    let layer = WriteBehind::new(storage, options()).unwrap();
    assert!(layer.erase("Ashley").await.unwrap_err().is_temporary());
    assert!(layer.shutdown(A_WHILE).await.unwrap_err().is_lost);
}

#[tokio::test]
async fn who_settles_a_user_does_not_wait_for_what_is_parked() {
    let storage = Moody::new(Mood::Refuses);
    let layer = WriteBehind::new(storage, WriteBehindOptions { when_refused: WhenRefused::Park, ..options() }).unwrap();
    layer.set(Record::new("Ashley", "ab", "Green")).await.unwrap();
    let start = Instant::now();
    while layer.counters().parked == 0 {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let error = tokio::time::timeout(PATIENCE / 2, layer.settle("Ashley")).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("parked"), "{error}");
}

#[tokio::test]
async fn what_the_journal_cannot_keep_takes_nothing_along() {
    let storage = Moody::new(Mood::Down);
    let folder = tempfile::tempdir().unwrap();
    let options = WriteBehindOptions { claims: 1, journal: Journal::WhenFull(journal(&folder)), ..options() };
    let layer = WriteBehind::new(storage.clone(), options).unwrap();
    layer.set(Record::new("Ashley", "ab", "Green")).await.unwrap();
    let mut deep = serde_json::Value::Null;
    for _ in 0..200 {
        deep = serde_json::Value::Array(vec![deep]);
    }
    let second = Record { meta_data: Some(deep), ..Record::new("Ashley", "ab", "Green") };
    assert!(layer.set(second).await.unwrap_err().to_string().contains("too deeply"));
    storage.is(Mood::Up);
    layer.flush(PATIENCE).await.unwrap();
    assert!(storage.0.memory.get("Ashley", "ab").unwrap().is_some());
}

#[tokio::test]
async fn no_wait_is_too_long() {
    let endless = WriteBehindOptions { wait: Duration::MAX, erase: Duration::MAX, ..options() };
    let layer = WriteBehind::new(Moody::new(Mood::Up), endless).unwrap();
    let record = Record::new("Ashley", "ab", "Green");
    let claim = Claim { record, goal: None, condition: Condition::Absent, was_read: false };
    assert_eq!(layer.merge(claim).await.unwrap().outcome, Outcome::Claimed);
    assert_eq!(layer.erase("Ashley").await.unwrap(), 1);
}
