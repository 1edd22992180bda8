//! Disks that are full, or may only be read. They are small file systems in memory, which only root may mount.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use steadfast_engine::Record;
use steadfast_storage::{EmbeddedStorage, StorageErrorKind, UserStorage};

use crate::folder::{Folder, claim, fill, record, records};

/// A file system of so many megabytes.
struct Disk(PathBuf, #[expect(dead_code, reason = "goes after the disk")] Folder);

impl Disk {
    fn new(megabytes: u32, test: &str) -> Option<Disk> {
        let folder = Folder::new();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk(path, folder)),
            Ok(output) => {
                eprintln!("NOT TESTED: {test}: no file system to mount: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                eprintln!("NOT TESTED: {test}: cannot run mount: {error}");
                None
            }
        }
    }

    fn file(&self) -> PathBuf {
        self.0.join("records.redb")
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// Writes until the disk is full; what was stored.
fn fill_up(storage: &EmbeddedStorage) -> Vec<Record> {
    let mut stored = Vec::new();
    for number in 0.. {
        let batch: Vec<Record> = (0..500).map(|place| record(number * 500 + place)).collect();
        let results = storage.merge_many(batch.iter().cloned().map(claim).collect());
        for (record, result) in batch.into_iter().zip(results) {
            match result {
                Ok(_) => stored.push(record),
                Err(error) => {
                    assert_eq!(error.kind(), StorageErrorKind::Full, "{error}");
                    assert!(error.is_temporary());
                    assert!(error.to_string().contains("make room"), "{error}");
                    return stored;
                }
            }
        }
    }
    stored
}

fn all_are_there(storage: &EmbeddedStorage, records: &[Record]) {
    for record in records {
        assert_eq!(storage.get(&record.user_id, &record.campaign_key).unwrap().as_ref(), Some(record));
    }
}

/// Tries until it succeeds, for some seconds.
fn soon<T>(mut what: impl FnMut() -> Result<T, steadfast_storage::StorageError>) -> T {
    let start = Instant::now();
    loop {
        match what() {
            Ok(result) => return result,
            Err(error) if start.elapsed() > Duration::from_secs(5) => panic!("still failing: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[test]
fn a_full_disk_is_said_readers_go_on_and_writers_do_once_there_is_room() {
    let Some(disk) = Disk::new(6, "a full disk") else { return };
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let storage = EmbeddedStorage::open(disk.file()).unwrap();
    let stored = fill_up(&storage);
    assert!(stored.len() > 1_000, "{} were stored", stored.len());

    // While it is full, nothing that was stored is missing, and nobody says otherwise. Writers try again and again.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        all_are_there(&storage, &stored);
        let error = storage.set_many(records(3_000)).into_iter().find_map(Result::err);
        assert_eq!(error.map(|error| error.kind()), Some(StorageErrorKind::Full));
    }

    std::fs::remove_file(&ballast).unwrap();
    let new = Record::new("a new user", "checkout", "Green");
    soon(|| storage.set(new.clone()));
    all_are_there(&storage, &stored);
    all_are_there(&storage, std::slice::from_ref(&new));
    drop(storage);
    assert!(EmbeddedStorage::check(disk.file()).unwrap().is_clean());
    all_are_there(&EmbeddedStorage::open(disk.file()).unwrap(), &stored);
}

#[test]
fn a_file_that_was_opened_anew_after_a_failure_does_not_count_as_verified() {
    /// The first byte of an inner page.
    const INNER: u8 = 2;
    const PAGE: usize = 4_096;
    let Some(disk) = Disk::new(6, "a file that was opened anew") else { return };
    let storage = EmbeddedStorage::open(disk.file()).unwrap();
    let stored = fill_up(&storage);
    // What has become of the file meanwhile: the keys of inner pages lead to wrong places.
    let bytes = std::fs::read(disk.file()).unwrap();
    let keys: Vec<usize> = (0..bytes.len() - 5)
        .filter(|place| bytes[place / PAGE * PAGE] == INNER && bytes[*place..].starts_with(b"user-"))
        .collect();
    assert!(keys.len() > 10, "{}", keys.len());
    let mut file = std::fs::OpenOptions::new().write(true).open(disk.file()).unwrap();
    for key in keys {
        file.seek(SeekFrom::Start(key as u64 + 4)).unwrap();
        file.write_all(&[bytes[key + 4] ^ 2]).unwrap();
    }
    let mut failed = 0;
    for record in &stored {
        match storage.get(&record.user_id, &record.campaign_key) {
            Ok(found) => assert_eq!(found.as_ref(), Some(record)),
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 0);
}

#[test]
fn a_disk_without_room_for_a_new_file_is_full_and_keeps_nothing_in_its_place() {
    let Some(disk) = Disk::new(1, "a new file on a full disk") else { return };
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; (1 << 20) - 8192]).unwrap();
    assert_eq!(EmbeddedStorage::open(disk.file()).unwrap_err().kind(), StorageErrorKind::Full);
    assert!(!disk.file().exists());
    std::fs::remove_file(ballast).unwrap();
    EmbeddedStorage::open(disk.file()).unwrap().set(record(1)).unwrap();
}

#[test]
fn a_file_on_a_disk_that_may_only_be_read_is_denied_and_can_be_checked() {
    let Some(disk) = Disk::new(8, "a disk that may only be read") else { return };
    fill(&disk.file(), &records(100));
    disk.remount("ro");
    let denied = |path: &Path| {
        let error = EmbeddedStorage::open(path).unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Denied, "{error}");
    };
    denied(&disk.file());
    denied(&disk.0.join("new.redb"));
    let checked = EmbeddedStorage::check(disk.file()).unwrap();
    assert!(checked.is_clean() && checked.records == 100, "{checked:?}");
    assert_eq!(EmbeddedStorage::stats_of(disk.file()).unwrap().records, 100);
    let reading = EmbeddedStorage::open_read_only(disk.file()).unwrap();
    all_are_there(&reading, &records(100));
    drop(reading);
    disk.remount("rw");
    all_are_there(&EmbeddedStorage::open(disk.file()).unwrap(), &records(100));
}

#[test]
fn a_disk_that_turns_read_only_fails_writes_and_takes_them_again_later() {
    let Some(disk) = Disk::new(8, "a disk that turns read-only") else { return };
    // An open file keeps a disk from turning so; a folder in the file's place is what is left to try.
    fill(&disk.file(), &records(100));
    let storage = EmbeddedStorage::open(disk.file()).unwrap();
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).output().unwrap().status;
    if !status.success() {
        all_are_there(&storage, &records(100));
        return;
    }
    assert!(storage.set(record(200)).is_err());
    disk.remount("rw");
    soon(|| storage.set(record(200)));
    all_are_there(&storage, &records(100));
}

#[test]
fn a_path_that_is_a_folder_or_has_none_is_denied() {
    let folder = Folder::new();
    for path in [folder.path().to_owned(), folder.path().join("missing").join("records.redb")] {
        let error = EmbeddedStorage::open(&path).unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Denied, "{error}");
    }
}
