//! One process at a time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use steadfast_engine::Record;
use steadfast_storage::{EmbeddedStorage, StorageErrorKind, UserStorage};

use crate::folder::{Folder, fill, records, scanned};

const CREATED: &str = "STEADFAST_TEST_CREATES";

/// Not a test but one of several processes: it opens the file it is told of as often as it is refused for being in use.
#[test]
fn another_process_that_creates() {
    let Some(file) = std::env::var_os(CREATED) else { return };
    let user = std::process::id().to_string();
    store_at_once(Path::new(&file), &user);
}

/// Opens the file, and makes it if need be, until it has it; stores a user, and lets it go.
fn store_at_once(file: &Path, user: &str) {
    let start = Instant::now();
    loop {
        match EmbeddedStorage::open(file) {
            Ok(storage) => return storage.set(Record::new(user, "c", "A")).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::InUse, "{error}");
                assert!(start.elapsed() < Duration::from_secs(60), "{error}");
            }
        }
    }
}

fn stored(file: &Path) -> u64 {
    let checked = EmbeddedStorage::check(file).unwrap();
    assert!(checked.is_clean(), "{checked:?}");
    checked.records
}

#[test]
fn of_threads_that_create_a_file_at_one_moment_one_has_it_and_the_others_hear_so() {
    const THREADS: usize = 8;
    for _ in 0..20 {
        let folder = Folder::new();
        let at_once = Barrier::new(THREADS);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                at_once.wait();
                EmbeddedStorage::open(folder.file())
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let kinds = opened.iter().filter_map(|opened| opened.as_ref().err().map(|error| (error.kind(), error)));
        assert!(kinds.into_iter().all(|(kind, _)| kind == StorageErrorKind::InUse), "{opened:?}");
        assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1, "{opened:?}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [folder.file().file_name().unwrap()]);
    }
}

#[test]
fn nothing_is_lost_where_threads_or_processes_create_a_file_at_one_moment() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let file = folder.file();
            scope.spawn(move || store_at_once(&file, &thread.to_string()));
        }
    });
    assert_eq!(stored(&folder.file()), 8);

    let folder = Folder::new();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sharing::another_process_that_creates"])
            .env(CREATED, folder.file())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let processes: Vec<Child> = (0..6).map(|_| start()).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(stored(&folder.file()), 6);
}

const HELD: &str = "STEADFAST_TEST_HOLDS";

/// Not a test but the other process: it opens the file it is told of, says so, and waits.
#[test]
fn another_process() {
    let Some(file) = std::env::var_os(HELD) else { return };
    let _storage = EmbeddedStorage::open(file).unwrap();
    println!("\nopen");
    std::thread::sleep(Duration::from_secs(60));
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
        assert!(message.contains("records.redb") && message.contains("stop or close the other one"), "{message}");
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
fn a_file_that_is_open_to_be_read_is_read_whole_takes_no_writes_and_stays_as_it_is() {
    let folder = Folder::new();
    let denied = |error: steadfast_storage::StorageError| assert_eq!(error.kind(), StorageErrorKind::Denied, "{error}");
    denied(EmbeddedStorage::open_read_only(folder.file()).unwrap_err());
    assert!(!folder.file().exists());
    fill(&folder.file(), &records(3_000));
    let before = std::fs::read(folder.file()).unwrap();
    let storage = EmbeddedStorage::open_read_only(folder.file()).unwrap();
    assert_eq!(scanned(&storage, 1_000), records(3_000));
    assert_eq!(storage.records_of("user-000001").unwrap(), records(2)[1..]);
    assert_eq!(storage.get("nobody", "checkout").unwrap(), None);
    assert_eq!(storage.stats().unwrap().records, 3_000);
    denied(storage.set(records(1).remove(0)).unwrap_err());
    denied(storage.erase("user-000001").unwrap_err());
    assert!(storage.set_many(records(2)).into_iter().map(Result::unwrap_err).map(denied).count() == 2);
    assert_eq!(EmbeddedStorage::open(folder.file()).unwrap_err().kind(), StorageErrorKind::InUse);
    assert_eq!(EmbeddedStorage::open_read_only(folder.file()).unwrap_err().kind(), StorageErrorKind::InUse);
    drop(storage);
    assert!(std::fs::read(folder.file()).unwrap() == before);
    assert_eq!(EmbeddedStorage::open(folder.file()).unwrap().stats().unwrap().records, 3_000);
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
