use std::collections::BTreeSet;
use std::sync::Barrier;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;
use crate::backend::memory::MemoryStorage;
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition, Outcome};
use crate::user_storage::{AsyncUserStorage, UserStorage};

fn key(byte: u8) -> PseudonymKey {
    PseudonymKey::from_bytes([byte; 32])
}

fn record(campaign: &str, variation: &str) -> Record {
    Record::new("Ashley", campaign, variation)
}

fn claim(campaign: &str, variation: &str, condition: Condition) -> Claim {
    Claim { record: record(campaign, variation), goal: None, condition, was_read: true }
}

/// A storage that was used under key 1, and is used under key 2 now.
fn rotated(campaigns: &[(&str, &str)]) -> Pseudonym<Arc<MemoryStorage>> {
    let memory = Arc::new(MemoryStorage::new());
    let before = Pseudonym::new(Arc::clone(&memory), key(1));
    for (campaign, variation) in campaigns {
        UserStorage::set(&before, record(campaign, variation)).unwrap();
    }
    Pseudonym::new(memory, key(2)).with_old_key(key(9)).with_old_key(key(1))
}

/// Who is stored.
fn users(storage: &Pseudonym<Arc<MemoryStorage>>) -> BTreeSet<String> {
    storage.inner().records().into_iter().map(|record| record.user_id).collect()
}

#[test]
fn nobody_is_stored_by_name() {
    let storage = Pseudonym::new(Arc::new(MemoryStorage::new()), key(1));
    UserStorage::set(&storage, record("ab", "A")).unwrap();
    UserStorage::merge(&storage, claim("other", "B", Condition::Absent)).unwrap();
    assert_eq!(users(&storage), BTreeSet::from([storage.pseudonym("Ashley")]));
    assert!(storage.pseudonym("Ashley").len() == 64 && storage.pseudonym("Ashley") != storage.pseudonym("ashley"));
    let page = UserStorage::scan(storage.inner(), None, 10).unwrap();
    assert_eq!(UserStorage::scan(&storage, None, 10).unwrap(), page);
    assert!(!format!("{storage:?}").contains("[1, 1"), "no key is printed");
}

#[test]
fn a_user_of_an_old_key_is_found_and_carried_over_whole() {
    for look_up in 0..3 {
        let storage = rotated(&[("ab", "A"), ("other", "B")]);
        match look_up {
            0 => assert_eq!(UserStorage::get(&storage, "Ashley", "ab").unwrap(), Some(record("ab", "A"))),
            1 => assert_eq!(
                storage.get_many("Ashley", &["none", "ab", "other"]),
                [None, Some(record("ab", "A")), Some(record("other", "B"))].map(Answer::from)
            ),
            _ => assert_eq!(
                UserStorage::records_of(&storage, "Ashley").unwrap(),
                [record("ab", "A"), record("other", "B")]
            ),
        }
        assert_eq!(users(&storage), BTreeSet::from([storage.pseudonym("Ashley")]), "look-up {look_up}");
        assert_eq!(UserStorage::get(&storage, "Ashley", "other").unwrap(), Some(record("other", "B")));
    }
}

#[test]
fn a_writer_meets_what_was_stored_under_an_old_key() {
    let storage = rotated(&[("ab", "A")]);
    let merged = UserStorage::merge(&storage, claim("ab", "B", Condition::Absent)).unwrap();
    assert_eq!((merged.outcome, merged.record), (Outcome::Kept, record("ab", "A")));
    let storage = rotated(&[("ab", "A")]);
    let merged = UserStorage::merge_many(&storage, vec![claim("ab", "B", Condition::Absent)]);
    assert_eq!(merged.into_iter().next().unwrap().unwrap().outcome, Outcome::Kept);
    let storage = rotated(&[("ab", "A")]);
    UserStorage::set(&storage, record("ab", "B")).unwrap();
    assert_eq!(UserStorage::records_of(&storage, "Ashley").unwrap(), [record("ab", "B")]);
    assert_eq!(users(&storage).len(), 1);
}

#[test]
fn erasing_reaches_every_key() {
    let storage = rotated(&[("ab", "A"), ("other", "B")]);
    UserStorage::set(storage.inner(), Record::new(storage.pseudonym("Ashley"), "ab", "A")).unwrap();
    assert_eq!(UserStorage::erase(&storage, "Ashley").unwrap(), 3);
    assert_eq!(storage.inner().records(), []);
}

/// Fails on purpose: writes, or what reads all records of a user.
struct Failing {
    memory: Arc<MemoryStorage>,
    writes: bool,
    lists: Option<StorageErrorKind>,
}

impl UserStorage for Failing {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        UserStorage::get(&self.memory, user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        if self.writes {
            return Err(StorageError::new(StorageErrorKind::Full, "as a test wants it"));
        }
        UserStorage::set(&self.memory, record)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        match self.lists {
            Some(kind) => Err(StorageError::new(kind, "as a test wants it")),
            None => UserStorage::records_of(&self.memory, user),
        }
    }
}

fn failing(writes: bool, lists: Option<StorageErrorKind>) -> Pseudonym<Failing> {
    let memory = Arc::clone(rotated(&[("ab", "A")]).inner());
    Pseudonym::new(Failing { memory, writes, lists }, key(2)).with_old_key(key(1))
}

#[test]
fn what_cannot_be_carried_over_is_found_and_not_written_beside() {
    let storage = failing(true, None);
    assert_eq!(storage.get("Ashley", "ab").unwrap(), Some(record("ab", "A")));
    assert_eq!(storage.get_many("Ashley", &["ab"]), [Answer::from(Some(record("ab", "A")))]);
    assert_eq!(storage.merge(claim("ab", "B", Condition::Absent)).unwrap_err().kind(), StorageErrorKind::Full);
    assert!(storage.merge_many(vec![claim("ab", "B", Condition::Absent)])[0].is_err());
    assert!(storage.set_many(vec![record("ab", "B")])[0].is_err());
}

#[test]
fn an_old_key_that_cannot_be_asked_is_a_failure_and_no_absence() {
    let storage = failing(false, Some(StorageErrorKind::Unavailable));
    assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), StorageErrorKind::Unavailable);
    assert!(matches!(storage.look_up("Ashley", "ab"), Answer::Failed(_)));
    assert!(matches!(storage.get_many("Ashley", &["ab"])[..], [Answer::Failed(_)]));
    assert!(storage.merge(claim("ab", "B", Condition::Absent)).is_err());
}

#[test]
fn a_storage_with_get_and_set_is_asked_by_campaign() {
    let storage = failing(false, Some(StorageErrorKind::Unsupported));
    let merged = storage.merge(claim("ab", "B", Condition::Absent)).unwrap();
    assert_eq!((merged.outcome, merged.record), (Outcome::Kept, record("ab", "A")));
    let stored = storage.inner().memory.records();
    assert_eq!(stored.len(), 2, "one under each key: {stored:?}");
    assert_eq!(storage.get("Ashley", "none").unwrap(), None);
}

#[tokio::test]
async fn a_storage_that_answers_later_does_the_same() {
    let storage = crate::bridge::Offloaded::new(Arc::clone(rotated(&[("ab", "A"), ("other", "B")]).inner()));
    let storage = Pseudonym::new(storage, key(2)).with_old_key(key(1));
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), Some(record("ab", "A")));
    assert_eq!(storage.merge(claim("other", "C", Condition::Absent)).await.unwrap().record, record("other", "B"));
    assert_eq!(storage.erase("Ashley").await.unwrap(), 2);
}

/// Says when it is about to write, and waits to be let go.
struct Held(Arc<MemoryStorage>, Barrier, Barrier);

impl UserStorage for Held {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        UserStorage::get(&self.0, user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        UserStorage::set(&self.0, record)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.1.wait();
        self.2.wait();
        UserStorage::merge_many(&self.0, claims)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        UserStorage::records_of(&self.0, user)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        UserStorage::erase(&self.0, user)
    }
}

#[test]
fn a_user_who_is_erased_while_they_are_carried_over_is_gone() {
    let memory = Arc::clone(rotated(&[("ab", "A")]).inner());
    let held = Held(memory, Barrier::new(2), Barrier::new(2));
    let storage = Pseudonym::new(held, key(2)).with_old_key(key(1));
    std::thread::scope(|scope| {
        let found = scope.spawn(|| storage.get("Ashley", "ab"));
        storage.inner().1.wait();
        let erased = scope.spawn(|| storage.erase("Ashley"));
        // It would be done by then if it did not wait.
        std::thread::sleep(Duration::from_millis(50));
        storage.inner().2.wait();
        assert_eq!(found.join().unwrap().unwrap(), Some(record("ab", "A")));
        assert_eq!(erased.join().unwrap().unwrap(), 1);
    });
    assert_eq!(storage.inner().0.records(), []);
}

/// The same for a task.
struct HeldLater(Arc<MemoryStorage>, Notify, Notify);

impl AsyncUserStorage for HeldLater {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        UserStorage::get(&self.0, user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        UserStorage::set(&self.0, record)
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.1.notify_one();
        self.2.notified().await;
        UserStorage::merge_many(&self.0, claims)
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        UserStorage::records_of(&self.0, user)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        UserStorage::erase(&self.0, user)
    }
}

#[tokio::test]
async fn a_user_who_is_erased_while_a_task_carries_them_over_is_gone() {
    let memory = Arc::clone(rotated(&[("ab", "A")]).inner());
    let storage = Pseudonym::new(HeldLater(memory, Notify::new(), Notify::new()), key(2)).with_old_key(key(1));
    let (found, erased) = tokio::join!(storage.get("Ashley", "ab"), async {
        storage.inner().1.notified().await;
        let (erased, ()) = tokio::join!(storage.erase("Ashley"), async {
            tokio::task::yield_now().await;
            storage.inner().2.notify_one();
        });
        erased
    });
    assert_eq!((found.unwrap(), erased.unwrap()), (Some(record("ab", "A")), 1));
    assert_eq!(storage.inner().0.records(), []);
}
