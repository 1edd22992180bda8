//! Writing a page of records, with patience.

use std::thread;
use std::time::Duration;

use steadfast::engine::Record;
use steadfast::storage::{Claim, Condition, StorageError, StorageErrorKind, UserStorage};

/// The pauses before what failed for a moment is tried again; then the copy stops.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// What became of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) read: u64,
    /// The target has their variation, and all of their goals.
    pub(super) copied: u64,
    /// The target had another variation, which stays.
    pub(super) kept: u64,
    /// The target cannot keep them.
    pub(super) failed: u64,
    /// Why not, of the first.
    pub(super) first_failure: Option<String>,
}

impl Counts {
    /// So many records that cannot be read.
    pub(super) fn damaged(many: u64) -> Counts {
        let why = "it cannot be read at the source: `storage list --damaged` names the users of such records";
        Counts { read: many, failed: many, first_failure: (many > 0).then(|| why.to_owned()), ..Counts::default() }
    }

    pub(super) fn add(&mut self, more: Counts) {
        self.read += more.read;
        self.copied += more.copied;
        self.kept += more.kept;
        self.failed += more.failed;
        self.first_failure = self.first_failure.take().or(more.first_failure);
    }
}

/// Writes records, all of which are at the target then but for those that it cannot keep.
///
/// # Errors
/// When the target is not there for all of them: then the page must be written again.
pub(super) fn write(to: &dyn UserStorage, records: &[Record], overwrite: bool) -> Result<Counts, StorageError> {
    let mut counts = Counts { read: records.len() as u64, ..Counts::default() };
    let mut waiting: Vec<&Record> = records.iter().collect();
    let mut pauses = PAUSES.iter();
    while !waiting.is_empty() {
        let mut again = Vec::new();
        let mut not_there = None;
        for (record, stored) in waiting.iter().zip(write_once(to, &waiting, overwrite)) {
            match stored {
                Ok(true) => counts.copied += 1,
                Ok(false) => counts.kept += 1,
                Err(error) if error.is_temporary() => {
                    again.push(*record);
                    not_there.get_or_insert(error);
                }
                Err(error) if is_of_the_record(&error) => {
                    counts.failed += 1;
                    counts.first_failure.get_or_insert_with(|| error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        waiting = again;
        if let Some(error) = not_there {
            let Some(pause) = pauses.next() else { return Err(error) };
            thread::sleep(*pause);
        }
    }
    Ok(counts)
}

/// Whether each record's variation is what is stored now.
fn write_once(to: &dyn UserStorage, records: &[&Record], overwrite: bool) -> Vec<Result<bool, StorageError>> {
    let owned = records.iter().map(|record| (*record).clone());
    if overwrite {
        return to.set_many(owned.collect()).into_iter().map(|stored| stored.map(|()| true)).collect();
    }
    let claim = |record| Claim { record, goal: None, condition: Condition::Absent, was_read: false };
    let merged = to.merge_many(owned.map(claim).collect());
    records
        .iter()
        .zip(merged)
        .map(|(record, merged)| merged.map(|merged| merged.record.variation_name == record.variation_name))
        .collect()
}

/// Whether other records may fare better.
fn is_of_the_record(error: &StorageError) -> bool {
    matches!(error.kind(), StorageErrorKind::Corrupt | StorageErrorKind::Other)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use steadfast::storage::MemoryStorage;

    /// A target that fails now and then.
    struct Failing {
        kept: MemoryStorage,
        kind: StorageErrorKind,
        /// So many more writes of `user-1` fail.
        failures: AtomicU32,
    }

    impl UserStorage for Failing {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            self.kept.get(user, campaign)
        }

        fn set(&self, record: Record) -> Result<(), StorageError> {
            let fails = record.user_id == "user-1"
                && self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if fails { Err(StorageError::new(self.kind, "not now")) } else { self.kept.set(record) }
        }
    }

    fn written(kind: StorageErrorKind, failures: u32, overwrite: bool) -> (Result<Counts, String>, usize) {
        let to = Failing { kept: MemoryStorage::new(), kind, failures: AtomicU32::new(failures) };
        let records: Vec<Record> = (0..3).map(|user| Record::new(format!("user-{user}"), "c", "A")).collect();
        let counts = write(&to, &records, overwrite).map_err(|error| error.to_string());
        (counts, to.kept.records().len())
    }

    #[test]
    fn what_fails_for_a_moment_is_tried_again() {
        for overwrite in [false, true] {
            let all = Counts { read: 3, copied: 3, ..Counts::default() };
            assert_eq!(written(StorageErrorKind::TimedOut, 2, overwrite), (Ok(all), 3));
        }
    }

    #[test]
    fn what_the_target_cannot_keep_is_counted_and_passed_over() {
        let most =
            Counts { read: 3, copied: 2, failed: 1, first_failure: Some("not now".to_owned()), ..Counts::default() };
        assert_eq!(written(StorageErrorKind::Corrupt, 1, false), (Ok(most), 2));
    }

    #[test]
    fn a_target_that_may_not_be_written_stops_the_copy() {
        assert_eq!(written(StorageErrorKind::Denied, 1, false).0, Err("not now".to_owned()));
    }
}
