//! A folder of a test's own, and what tests put into files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use steadfast_engine::{GoalList, Record};
use steadfast_storage::{Claim, Condition, EmbeddedStorage, UserStorage};

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("steadfast-embedded-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the storage goes.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("records.redb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The record of the user of this number, in one of three campaigns.
pub(crate) fn record(number: usize) -> Record {
    Record {
        goals: GoalList::from_text(if number.is_multiple_of(2) { "purchase" } else { "" }),
        ..Record::new(
            format!("user-{number:06}"),
            ["checkout", "search", "banner"][number % 3],
            ["Control", "Green", "Blue"][number / 3 % 3],
        )
    }
}

pub(crate) fn records(count: usize) -> Vec<Record> {
    (0..count).map(record).collect()
}

/// A first claim of this record.
pub(crate) fn claim(record: Record) -> Claim {
    Claim { record, goal: None, condition: Condition::Absent, was_read: true }
}

/// Puts these records into the file and closes it.
pub(crate) fn fill(file: &Path, records: &[Record]) {
    let storage = EmbeddedStorage::open(file).unwrap();
    for result in storage.set_many(records.to_vec()) {
        result.unwrap();
    }
}

/// All records, by reading through them in pages of this size.
pub(crate) fn scanned(storage: &EmbeddedStorage, about: usize) -> Vec<Record> {
    let (mut records, mut from) = (Vec::new(), None);
    loop {
        let page = storage.scan(from.as_ref(), about).unwrap();
        assert!(page.records.len() <= about.max(1));
        records.extend(page.records);
        match page.next {
            Some(next) => from = Some(next),
            None => return records,
        }
    }
}
