//! The storages that misbehave on purpose do so exactly as they were told to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record};
use steadfast_storage::bridge::{Offloaded, Waited};
use steadfast_storage::{AsyncUserStorage, Claim, Condition, MemoryStorage, Outcome, StorageErrorKind, UserStorage};
use steadfast_testkit::conformance::{Fault, Faulty, Fired, Operation, Raced, Rival, Schedule};

const UNAVAILABLE: StorageErrorKind = StorageErrorKind::Unavailable;

fn record(campaign: &str, variation: &str) -> Record {
    Record::new("Ashley", campaign, variation)
}

fn claim(campaign: &str, variation: &str) -> Claim {
    Claim { record: record(campaign, variation), goal: None, condition: Condition::Absent, was_read: true }
}

fn kind<T: std::fmt::Debug>(result: Result<T, steadfast_storage::StorageError>) -> StorageErrorKind {
    result.unwrap_err().kind()
}

type Memory = Faulty<Arc<MemoryStorage>>;
type Later = Faulty<Offloaded<Arc<MemoryStorage>>>;

/// The same storage in both kinds, and what is really in it.
fn faulty(schedule: &Schedule) -> (Memory, Later, Arc<MemoryStorage>) {
    let memory = Arc::new(MemoryStorage::new());
    let later = Faulty::new(Offloaded::new(Arc::clone(&memory)), schedule.clone());
    (Faulty::new(Arc::clone(&memory), schedule.clone()), later, memory)
}

#[tokio::test]
async fn the_calls_that_are_named_fail() {
    let schedule = Schedule::new().on(Operation::Get, 2..4, Fault::Before(StorageErrorKind::Corrupt));
    let (now, later, _) = faulty(&schedule);
    for call in 1..=5 {
        let fails = (2..4).contains(&call);
        assert_eq!(UserStorage::get(&now, "Ashley", "ab").is_err(), fails, "call {call}");
        assert_eq!(later.get("Ashley", "ab").await.is_err(), fails, "call {call}");
    }
    let fired = |call| Fired { operation: Operation::Get, call, fault: Fault::Before(StorageErrorKind::Corrupt) };
    assert_eq!(now.fired(), [fired(2), fired(3)]);
    assert_eq!(later.fired(), [fired(2), fired(3)]);
}

#[tokio::test]
async fn what_fails_before_is_not_done_and_what_fails_after_is() {
    let done = Duration::from_millis(1);
    for (fault, is_done) in [
        (Fault::Before(UNAVAILABLE), false),
        (Fault::After(UNAVAILABLE), true),
        (Fault::TimedOut { after: done, done: false }, false),
        (Fault::TimedOut { after: done, done: true }, true),
    ] {
        let schedule = Schedule::new().on_each(Operation::WRITES, .., fault);
        let (now, later, memory) = faulty(&schedule);
        let failed = if let Fault::TimedOut { .. } = fault { StorageErrorKind::TimedOut } else { UNAVAILABLE };
        assert_eq!(kind(UserStorage::merge(&now, claim("1", "A"))), failed);
        assert_eq!(kind(UserStorage::set(&now, record("2", "A"))), failed);
        assert_eq!(kind(later.merge(claim("3", "A")).await), failed);
        assert_eq!(kind(later.set(record("4", "A")).await), failed);
        assert!(UserStorage::merge_many(&now, vec![claim("5", "A"), claim("6", "A")]).iter().all(Result::is_err));
        assert!(later.set_many(vec![record("7", "A"), record("8", "A")]).await.iter().all(Result::is_err));
        assert_eq!(memory.records().len(), if is_done { 8 } else { 0 }, "{fault:?}");
    }
}

#[tokio::test]
async fn of_a_batch_half_is_done() {
    let half = Fault::Half(UNAVAILABLE);
    let several = [Operation::GetMany, Operation::SetMany, Operation::MergeMany, Operation::Merge];
    let (now, later, memory) = faulty(&Schedule::new().on_each(&several, .., half));
    let claims = |range: std::ops::Range<u8>| range.map(|number| claim(&number.to_string(), "A")).collect::<Vec<_>>();
    let told = [true, true, false, false, false];
    let results = UserStorage::merge_many(&now, claims(0..5));
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), told);
    let results = later.set_many(claims(5..10).into_iter().map(|claim| claim.record).collect()).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), told);
    let stored: Vec<String> = memory.records().into_iter().map(|record| record.campaign_key).collect();
    assert_eq!(stored, ["0", "1", "5", "6"]);
    for answers in [now.get_many("Ashley", &["0", "2", "5"]), later.get_many("Ashley", &["0", "2", "5"]).await] {
        assert!(matches!(answers[..], [Answer::Found(_), Answer::Failed(_), Answer::Failed(_)]), "{answers:?}");
    }
    assert!(UserStorage::merge(&now, claim("10", "A")).is_ok(), "a single one has no half");
    assert_eq!(now.fired().len(), 2);
}

#[tokio::test]
async fn a_stale_look_up_finds_what_was_there_before_the_last_write() {
    let (now, later, _) = faulty(&Schedule::new().on_each(Operation::LOOK_UPS, 2.., Fault::Stale));
    UserStorage::set(&now, record("ab", "First")).unwrap();
    assert_eq!(UserStorage::get(&now, "Ashley", "ab").unwrap(), Some(record("ab", "First")));
    assert_eq!(UserStorage::get(&now, "Ashley", "ab").unwrap(), None);
    UserStorage::set_many(&now, vec![record("ab", "Second")]);
    assert_eq!(UserStorage::look_up(&now, "Ashley", "ab"), Some(record("ab", "First")).into());
    later.set(record("ab", "Third")).await.unwrap();
    assert_eq!(later.get("Ashley", "ab").await.unwrap(), Some(record("ab", "Third")));
    assert_eq!(later.get("Ashley", "ab").await.unwrap(), Some(record("ab", "Second")));
    assert_eq!(later.get("Ashley", "other").await.unwrap(), None, "never written here");
}

#[tokio::test]
async fn a_foreign_record_names_another_user() {
    let (now, later, memory) = faulty(&Schedule::new().on_each(Operation::LOOK_UPS, .., Fault::Foreign));
    memory.set(record("ab", "A")).unwrap();
    for found in [UserStorage::get(&now, "Ashley", "ab").unwrap(), later.get("Ashley", "none").await.unwrap()] {
        assert!(found.is_some_and(|record| !record.is_of("Ashley")));
    }
    assert!(matches!(&now.get_many("Ashley", &["ab"])[..], [Answer::Found(record)] if !record.is_of("Ashley")));
}

#[test]
fn a_storage_that_never_answers_is_given_up() {
    let (_, later, memory) = faulty(&Schedule::new().on(Operation::Get, .., Fault::Never { done: false }).on(
        Operation::Merge,
        ..,
        Fault::Never { done: true },
    ));
    let start = Instant::now();
    let waited = Waited::new(later, Duration::from_millis(50)).unwrap();
    assert_eq!(kind(waited.get("Ashley", "ab")), StorageErrorKind::TimedOut);
    assert_eq!(kind(waited.merge(claim("ab", "A"))), StorageErrorKind::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(memory.records(), [record("ab", "A")]);
}

#[tokio::test]
async fn a_rival_writes_once_between_look_up_and_write() {
    let rivals = || [Rival::Set(record("ab", "Theirs")), Rival::Merge(claim("other", "Theirs"))];
    let now = Raced::new(MemoryStorage::new(), rivals());
    let later = Raced::new(Offloaded::new(MemoryStorage::new()), rivals());
    // Nobody looked up: no race.
    assert_eq!(UserStorage::merge(&now, claim("first", "Ours")).unwrap().outcome, Outcome::Claimed);
    assert_eq!(later.merge(claim("first", "Ours")).await.unwrap().outcome, Outcome::Claimed);
    for (written, campaign) in [(1, "ab"), (2, "other")] {
        assert_eq!(UserStorage::get(&now, "Ashley", campaign).unwrap(), None);
        assert_eq!(later.get_many("Ashley", &[campaign]).await, [Answer::Absent]);
        for _ in 0..2 {
            let (one, other) =
                (UserStorage::merge(&now, claim(campaign, "Ours")), later.merge(claim(campaign, "Ours")).await);
            assert_eq!(one.unwrap().record.variation_name, "Theirs");
            assert_eq!(other.unwrap().record.variation_name, "Theirs");
            assert_eq!((now.written(), later.written()), (written, written));
        }
    }
}
