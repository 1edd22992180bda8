//! A storage in a file that is in trouble: decisions go on by the rule for storages that fail, nothing is overwritten,
//! and whoever asked to be told is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redb::{Database, TableDefinition};
use serde_json::json;
use steadfast::blocking::Client;
use steadfast::engine::policy::OnStorageError;
use steadfast::engine::{Options, Policy, Reason, Record, Settings};
use steadfast::storage::{EmbeddedStorage, StorageErrorKind, UnopenedStorage, UserStorage};

/// What no machine needs, however busy: a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings() -> Arc<Settings> {
    let file = json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 50},
            {"id": 2, "name": "Variation-1", "weight": 50}]}]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

/// A client over this file, or over what stands in for it where it cannot be opened; and whatever it was told.
fn client(path: &Path, on_storage_error: OnStorageError) -> (Client, Arc<Mutex<Vec<StorageErrorKind>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let storage: Arc<dyn UserStorage> = match EmbeddedStorage::open(path) {
        Ok(storage) => Arc::new(storage),
        Err(error) => Arc::new(UnopenedStorage::new(error)),
    };
    let client = Client::builder(settings())
        .storage(storage)
        .policy(Policy { on_storage_error, ..Policy::default() })
        .on_storage_error(move |error| telling.lock().unwrap().push(error.kind()))
        .build();
    (client, told)
}

/// A file with Ashley's record, whose variation is not the one her bucket would give her.
fn filled(path: &Path) {
    let storage = EmbeddedStorage::open(path).unwrap();
    storage.set(Record::new("Ashley", "ab", "Variation-1")).unwrap();
}

/// Decisions go on without the file, which stays as it is.
fn check_decides_without(path: &Path, expected: StorageErrorKind) {
    let before = fs::read(path).unwrap();
    let (decides, told) = client(path, OnStorageError::Decide);
    let decision = decides.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (Some("Control"), Reason::Assigned));
    decides.flush(PATIENCE).unwrap();
    assert_eq!(*told.lock().unwrap(), [expected]);
    let (refuses, told) = client(path, OnStorageError::NoVariation);
    let decision = refuses.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (None, Reason::StorageFailed));
    refuses.flush(PATIENCE).unwrap();
    assert_eq!(*told.lock().unwrap(), []);
    assert_eq!(fs::read(path).unwrap(), before, "the file was written to");
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("assignments")
}

#[test]
fn a_file_that_another_has_open() {
    let folder = tempfile::tempdir().unwrap();
    filled(&file(&folder));
    let _other = EmbeddedStorage::open(file(&folder)).unwrap();
    check_decides_without(&file(&folder), StorageErrorKind::InUse);
}

#[test]
fn a_file_that_is_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    filled(&file(&folder));
    let whole = fs::read(file(&folder)).unwrap();
    fs::write(file(&folder), &whole[..whole.len() / 2]).unwrap();
    check_decides_without(&file(&folder), StorageErrorKind::Corrupt);
}

#[test]
fn a_file_that_is_something_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(file(&folder), "notes of a meeting\n".repeat(1_000)).unwrap();
    check_decides_without(&file(&folder), StorageErrorKind::Corrupt);
}

#[test]
fn a_file_of_a_newer_format() {
    const FORMAT: TableDefinition<'static, &str, u64> = TableDefinition::new("format");
    let folder = tempfile::tempdir().unwrap();
    filled(&file(&folder));
    let database = Database::open(file(&folder)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(FORMAT).unwrap().insert("version", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    check_decides_without(&file(&folder), StorageErrorKind::NewerFormat);
}

#[test]
fn a_file_that_may_only_be_read() {
    let folder = tempfile::tempdir().unwrap();
    // Permissions do not keep root from writing; a disk that may only be read does.
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()).status();
    let mounted = mounted.is_ok_and(|status| status.success());
    filled(&file(&folder));
    if mounted {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(folder.path()).status();
        assert!(status.unwrap().success());
    } else {
        let mut permissions = fs::metadata(file(&folder)).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(file(&folder), permissions).unwrap();
    }
    let result = std::panic::catch_unwind(|| check_decides_without(&file(&folder), StorageErrorKind::Denied));
    if mounted {
        Command::new("umount").arg("--lazy").arg(folder.path()).status().unwrap();
    }
    result.unwrap();
}

#[test]
fn files_with_a_flipped_bit() {
    let folder = tempfile::tempdir().unwrap();
    filled(&file(&folder));
    let whole = fs::read(file(&folder)).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|place| whole[*place] != 0).collect();
    let mut refused = 0;
    for flip in 0..200 {
        let place = used[flip * used.len() / 200];
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (flip % 8);
        fs::write(file(&folder), &flipped).unwrap();
        let (client, told) = client(&file(&folder), OnStorageError::Decide);
        let decision = client.activate("ab", "Ashley", Options::NONE).unwrap();
        client.flush(PATIENCE).unwrap();
        match decision.reason() {
            Reason::Stored => assert_eq!(decision.variation_name(), Some("Variation-1"), "byte {place}"),
            Reason::Assigned => {
                assert_eq!(decision.variation_name(), Some("Control"), "byte {place}");
                assert_eq!(*told.lock().unwrap(), [StorageErrorKind::Corrupt], "byte {place}");
                assert!(fs::read(file(&folder)).unwrap() == flipped, "byte {place}: the file was written to");
                refused += 1;
            }
            other => panic!("byte {place}: {other:?}"),
        }
    }
    assert!(refused > 10, "{refused} of 200 flipped files are refused");
}

#[test]
fn a_disk_that_is_full_while_users_come() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: a disk that is full while users come: no file system can be mounted here");
        return;
    }
    let (client, told) = client(&file(&folder), OnStorageError::Decide);
    let mut users = 0;
    while told.lock().unwrap().is_empty() && users < 200_000 {
        for _ in 0..2_000 {
            let user = format!("user {users}");
            assert!(client.activate("ab", &user, Options::NONE).unwrap().variation().is_some());
            users += 1;
        }
        client.flush(PATIENCE).unwrap();
    }
    let full = told.lock().unwrap().first().copied();
    // Whoever was stored before still is, and whoever comes now is decided all the same.
    let stored = client.activate("ab", "user 0", Options::NONE).unwrap().reason();
    let new = client.activate("ab", "somebody new", Options::NONE).unwrap().reason();
    drop(client);
    let unmounted = Command::new("umount").arg("--lazy").arg(folder.path()).status();
    assert!(unmounted.unwrap().success());
    assert_eq!((full, stored, new), (Some(StorageErrorKind::Full), Reason::Stored, Reason::Assigned));
}
