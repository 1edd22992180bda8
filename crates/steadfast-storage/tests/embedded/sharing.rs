//! One process at a time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use steadfast_engine::Record;
use steadfast_storage::{EmbeddedStorage, StorageErrorKind, UserStorage};

use crate::folder::{Folder, fill, records};

const HELD: &str = "STEADFAST_TEST_HOLDS";

/// Not a test but the other process: it opens the file it is told of, says so, and waits.
#[test]
fn another_process() {
    let Some(file) = std::env::var_os(HELD) else { return };
    let _storage = EmbeddedStorage::open(file).unwrap();
    println!("\nopen");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// Starts the other process, and waits until it has the file open.
fn hold(file: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sharing::another_process", "--nocapture"])
        .env(HELD, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "open"), "the other process has the file open");
    child
}

#[test]
fn a_second_process_hears_who_has_the_file_and_gets_it_once_the_first_is_gone() {
    let folder = Folder::new();
    fill(&folder.file(), &records(100));
    let mut other = hold(&folder.file());
    let in_use = |error: steadfast_storage::StorageError| {
        assert_eq!(error.kind(), StorageErrorKind::InUse);
        let message = error.to_string();
        assert!(message.contains("records.redb") && message.contains("stop the other one"), "{message}");
    };
    in_use(EmbeddedStorage::open(folder.file()).unwrap_err());
    in_use(EmbeddedStorage::check(folder.file()).unwrap_err());
    in_use(EmbeddedStorage::compact(folder.file()).unwrap_err());
    in_use(EmbeddedStorage::stats_of(folder.file()).unwrap_err());
    other.kill().unwrap();
    other.wait().unwrap();
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    assert_eq!(storage.stats().unwrap().records, 100);
}

#[test]
fn the_same_process_cannot_open_a_file_twice() {
    let folder = Folder::new();
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    assert_eq!(EmbeddedStorage::open(folder.file()).unwrap_err().kind(), StorageErrorKind::InUse);
    storage.set(Record::new("u", "c", "A")).unwrap();
    drop(storage);
    assert!(EmbeddedStorage::open(folder.file()).unwrap().get("u", "c").unwrap().is_some());
}
