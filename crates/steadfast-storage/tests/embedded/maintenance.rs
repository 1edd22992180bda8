//! Checking, compacting and counting.

use redb::{Database, TableDefinition};
use steadfast_engine::Record;
use steadfast_storage::{EmbeddedOptions, EmbeddedStorage, StorageErrorKind, UserStorage};

use crate::folder::{Folder, fill, records, scanned};

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// Changes what is stored behind the storage's back.
fn tamper(folder: &Folder, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let database = Database::open(folder.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(RECORDS).unwrap();
        let mut value = table.remove(key).unwrap().map(|value| value.value().to_vec()).unwrap_or_default();
        change(&mut value);
        table.insert(key, value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_clean_file_is_counted_and_left_as_it_is() {
    let folder = Folder::new();
    let mut expected = records(1_000);
    expected.push(Record::new("user-000001", "another", "Control"));
    fill(&folder.file(), &expected);
    let bytes = std::fs::read(folder.file()).unwrap();
    let checked = EmbeddedStorage::check(folder.file()).unwrap();
    assert!(checked.is_clean(), "{checked:?}");
    assert_eq!((checked.records, checked.users), (1_001, 1_000));
    let stats = EmbeddedStorage::stats_of(folder.file()).unwrap();
    assert_eq!((stats.records, stats.users), (1_001, 1_000));
    assert_eq!(stats.bytes_on_disk, bytes.len() as u64);
    assert!(stats.bytes_stored > 1_001 * 25 && stats.bytes_stored < 1_001 * 60, "{stats:?}");
    assert!(std::fs::read(folder.file()).unwrap() == bytes);
    assert_eq!(EmbeddedStorage::open(folder.file()).unwrap().stats().unwrap().users, 1_000);
}

#[test]
fn compacting_shrinks_a_file_and_keeps_every_record() {
    let folder = Folder::new();
    let expected = records(20_000);
    fill(&folder.file(), &expected);
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    for record in &expected[100..200] {
        storage.erase(&record.user_id).unwrap();
    }
    drop(storage);
    let compacted = EmbeddedStorage::compact(folder.file()).unwrap();
    assert!(compacted.after <= compacted.before, "{compacted:?}");
    assert_eq!(compacted.after, std::fs::metadata(folder.file()).unwrap().len());
    assert!(EmbeddedStorage::check(folder.file()).unwrap().is_clean());
    let found = scanned(&EmbeddedStorage::open(folder.file()).unwrap(), 1_000);
    assert!(found.iter().eq(expected[..100].iter().chain(&expected[200..])));
}

#[test]
fn a_record_that_is_damaged_or_of_a_newer_version_fails_alone_and_is_never_taken_for_absent() {
    let folder = Folder::new();
    fill(&folder.file(), &records(100));
    tamper(&folder, b"user-000007\0search", |value| value[5] ^= 1);
    tamper(&folder, b"user-000008\0banner", |value| {
        value[0] = 2;
        let kept = value.len() - 4;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"user-000008\0banner");
        hasher.update(&value[..kept]);
        value[kept..].copy_from_slice(&hasher.finalize().to_le_bytes());
    });
    let checked = EmbeddedStorage::check(folder.file()).unwrap();
    assert_eq!((checked.records, checked.problems), (98, 2));
    let problems: Vec<_> = checked.first_problems.iter().map(|problem| (problem.record, problem.kind)).collect();
    assert_eq!(problems, [(Some(8), StorageErrorKind::Corrupt), (Some(9), StorageErrorKind::NewerFormat)]);
    let users: Vec<_> = checked.first_problems.iter().filter_map(|problem| problem.user.as_deref()).collect();
    assert_eq!(users, ["user-000007", "user-000008"]);

    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    let kind = |result: Result<_, steadfast_storage::StorageError>| result.map(|_: ()| ()).unwrap_err().kind();
    for (user, campaign, expected) in
        [("user-000007", "search", StorageErrorKind::Corrupt), ("user-000008", "banner", StorageErrorKind::NewerFormat)]
    {
        assert_eq!(kind(storage.get(user, campaign).map(drop)), expected);
        assert_eq!(kind(storage.records_of(user).map(drop)), expected);
        // A claim beside it is kept.
        let claims = [Record::new(user, campaign, "B"), Record::new("new", campaign, "B")];
        let results = storage.merge_many(claims.map(crate::folder::claim).into());
        let kinds: Vec<_> = results.into_iter().map(|result| result.map_err(|error| error.kind()).map(drop)).collect();
        assert_eq!(kinds, [Err(expected), Ok(())]);
        assert!(storage.get("new", campaign).unwrap().is_some());
        let answers = storage.get_many(user, &[campaign, "none"]);
        assert!(matches!(answers[..], [steadfast_engine::Answer::Failed(_), steadfast_engine::Answer::Absent]));
    }
    assert_eq!(kind(storage.scan(None, 50).map(drop)), StorageErrorKind::Corrupt);
    assert_eq!(storage.erase("user-000007").unwrap(), 1);
    storage.set(Record::new("user-000008", "banner", "Blue")).unwrap();
    assert_eq!(scanned(&storage, 50).len(), 101);
}

#[test]
fn a_user_whose_record_is_damaged_can_be_erased_and_nobody_beside_is_taken_for_absent() {
    let options = |verify_bytes| EmbeddedOptions { verify_bytes, ..EmbeddedOptions::default() };
    for verify_bytes in [0, u64::MAX] {
        let folder = Folder::new();
        fill(&folder.file(), &records(100));
        tamper(&folder, b"user-000007\0search", |value| value[5] ^= 1);
        tamper(&folder, b"user-000008\0banner", |value| value.truncate(1));
        let checked = EmbeddedStorage::check(folder.file()).unwrap();
        assert!(checked.first_problems.iter().all(|problem| problem.message.contains("or erase the user")));

        let storage = EmbeddedStorage::open_with(folder.file(), options(verify_bytes)).unwrap();
        let corrupt = |error: steadfast_storage::StorageError, next: &str| {
            assert_eq!(error.kind(), StorageErrorKind::Corrupt);
            assert!(error.to_string().contains(next), "{error}");
        };
        corrupt(storage.get("user-000007", "search").unwrap_err(), "or erase the user");
        corrupt(storage.records_of("user-000007").unwrap_err(), "or erase the user");
        corrupt(storage.scan(None, 50).unwrap_err(), "check the file to see whose it is, and erase that user");
        if verify_bytes == 0 {
            // The damaged one behind this user may be this user's, with another key.
            let beside = "check the file to see whose it is";
            corrupt(storage.get("user-000006", "tomorrow").unwrap_err(), beside);
            corrupt(storage.erase("user-000006").unwrap_err(), "and then this one again");
            corrupt(storage.erase("user-000007").unwrap_err(), "and then this one again");
            assert_eq!(storage.erase("user-000008").unwrap(), 1);
            assert_eq!(storage.erase("user-000007").unwrap(), 0);
            assert_eq!(storage.erase("user-000006").unwrap(), 0);
        } else {
            for user in ["user-000006", "user-000007", "user-000008"] {
                assert_eq!(storage.erase(user).unwrap(), 1);
            }
        }
        assert_eq!(storage.get("user-000007", "search").unwrap(), None);
        assert_eq!(scanned(&storage, 50).len(), 97);
        drop(storage);
        assert!(EmbeddedStorage::check(folder.file()).unwrap().is_clean());
    }
}

#[test]
fn a_file_that_is_not_there_cannot_be_checked_and_is_not_made() {
    let folder = Folder::new();
    assert_eq!(EmbeddedStorage::check(folder.file()).unwrap_err().kind(), StorageErrorKind::Denied);
    assert_eq!(EmbeddedStorage::compact(folder.file()).unwrap_err().kind(), StorageErrorKind::Denied);
    assert_eq!(EmbeddedStorage::stats_of(folder.file()).unwrap_err().kind(), StorageErrorKind::Denied);
    assert!(!folder.file().exists());
}

#[test]
fn metadata_nested_too_deeply_fails_alone() {
    let folder = Folder::new();
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    let mut data = serde_json::json!(1);
    for _ in 0..1_000 {
        data = serde_json::json!([data]);
    }
    let deep = Record { meta_data: Some(data), ..Record::new("deep", "c", "A") };
    let results = storage.set_many(vec![deep, Record::new("flat", "c", "A")]);
    assert!(results[0].as_ref().is_err_and(|error| error.to_string().contains("nest it less")));
    assert!(results[1].is_ok());
}
