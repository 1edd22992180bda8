//! Many records on their way into a storage, and what became of them.

use std::collections::HashMap;

use steadfast::engine::{Answer, Record};
use steadfast::storage::{Claim, Condition, Outcome, StorageError, UserStorage};

use crate::failure::Failure;
use crate::terminal::text::counted;

/// So many records are written together.
const TOGETHER: usize = 1_000;

/// What happens where there is a record already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Its variation stays, and goals are united.
    Merge,
    /// It is written over.
    Overwrite,
}

/// Writes records, some at a time.
pub(super) struct Writer<'s> {
    storage: &'s dyn UserStorage,
    how: How,
    waiting: Vec<Record>,
    pub(super) fate: Fate,
}

/// What became of the records.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Their place was empty.
    pub(super) claimed: u64,
    /// The variation that was there stays.
    pub(super) kept: u64,
    /// Of these: it is another than the record's.
    pub(super) kept_other: u64,
    /// Another record was there, and is written over.
    pub(super) replaced: u64,
    /// The storage could not keep them.
    pub(super) failed: u64,
    /// Of these: it was not there.
    out_of_reach: u64,
    /// Why not, of the first.
    pub(super) first_failure: Option<String>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(storage: &'s dyn UserStorage, how: How) -> Self {
        Writer { storage, how, waiting: Vec::new(), fate: Fate::default() }
    }

    pub(super) fn add(&mut self, record: Record) {
        self.waiting.push(record);
    }

    /// Writes what waits, as far as it makes whole batches. The records that are stored now, where they were merged.
    ///
    /// # Errors
    /// When the storage is not there: of a whole batch it has taken nothing.
    pub(super) fn write_batches(&mut self) -> Result<Vec<Record>, Failure> {
        let mut stored = Vec::new();
        while self.waiting.len() >= TOGETHER {
            let rest = self.waiting.split_off(TOGETHER);
            let batch = std::mem::replace(&mut self.waiting, rest);
            stored.extend(self.write(batch)?);
        }
        Ok(stored)
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// As for [`write_batches`](Self::write_batches).
    pub(super) fn write_rest(&mut self) -> Result<Vec<Record>, Failure> {
        let mut stored = self.write_batches()?;
        let batch = std::mem::take(&mut self.waiting);
        stored.extend(self.write(batch)?);
        Ok(stored)
    }

    fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Record>, Failure> {
        let (many, before) = (batch.len() as u64, self.fate.out_of_reach);
        let written = match self.how {
            How::Merge => Ok(self.merge(batch)),
            How::Overwrite => self.overwrite(batch).map(|()| Vec::new()),
        };
        match written {
            Ok(_) if many > 0 && self.fate.out_of_reach - before == many => Err(self.stopped(None)),
            written => written.map_err(|error| self.stopped(Some(&error))),
        }
    }

    /// What was written before the storage was gone, and what to do.
    fn stopped(&self, error: Option<&StorageError>) -> Failure {
        let said = error.map(StorageError::to_string).or_else(|| self.fate.first_failure.clone()).unwrap_or_default();
        let stored = counted(self.fate.stored(), "record");
        Failure::stopped(&format!(
            "{stored} stored, and then no more: {said}; once it is back begin again, which harms nothing"
        ))
    }

    fn merge(&mut self, batch: Vec<Record>) -> Vec<Record> {
        let wanted: Vec<String> = batch.iter().map(|record| record.variation_name.clone()).collect();
        let claim = |record| Claim { record, goal: None, condition: Condition::Absent, was_read: false };
        let merged = self.storage.merge_many(batch.into_iter().map(claim).collect());
        let mut stored = Vec::with_capacity(merged.len());
        for (wanted, merged) in wanted.iter().zip(merged) {
            match merged {
                Err(error) => self.fate.fail(&error),
                Ok(merged) => {
                    match merged.outcome {
                        Outcome::Claimed => self.fate.claimed += 1,
                        Outcome::Replaced => self.fate.replaced += 1,
                        Outcome::Kept => {
                            self.fate.kept += 1;
                            self.fate.kept_other += u64::from(merged.record.variation_name != *wanted);
                        }
                    }
                    stored.push(merged.record);
                }
            }
        }
        stored
    }

    /// A storage does not say what it wrote over, so it is asked before.
    ///
    /// # Errors
    /// When it is not there to be asked.
    fn overwrite(&mut self, batch: Vec<Record>) -> Result<(), StorageError> {
        let mut of_batch: HashMap<(&str, &str), &Record> = HashMap::new();
        let before: Result<Vec<Outcome>, StorageError> = batch
            .iter()
            .map(|record| {
                let place = (&*record.user_id, &*record.campaign_key);
                let was = match of_batch.insert(place, record) {
                    Some(earlier) => Some(earlier == record),
                    None => match self.storage.look_up(place.0, place.1) {
                        Answer::Absent => None,
                        Answer::Found(stored) => Some(*stored == *record),
                        Answer::Failed(failure) => {
                            let error = StorageError::from(failure);
                            if error.is_temporary() {
                                return Err(error);
                            }
                            // It cannot be read, and is written over.
                            Some(false)
                        }
                    },
                };
                Ok(match was {
                    None => Outcome::Claimed,
                    Some(true) => Outcome::Kept,
                    Some(false) => Outcome::Replaced,
                })
            })
            .collect();
        for (before, written) in before?.into_iter().zip(self.storage.set_many(batch)) {
            match (written, before) {
                (Err(error), _) => self.fate.fail(&error),
                (Ok(()), Outcome::Claimed) => self.fate.claimed += 1,
                (Ok(()), Outcome::Kept) => self.fate.kept += 1,
                (Ok(()), Outcome::Replaced) => self.fate.replaced += 1,
            }
        }
        Ok(())
    }
}

impl Fate {
    /// How many records the storage keeps.
    pub(super) fn stored(&self) -> u64 {
        self.claimed + self.kept + self.replaced
    }

    fn fail(&mut self, error: &StorageError) {
        self.failed += 1;
        self.out_of_reach += u64::from(error.is_temporary());
        self.first_failure.get_or_insert_with(|| error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::storage::{MemoryStorage, StorageErrorKind};

    fn fate(how: How) -> [u64; 5] {
        let storage = MemoryStorage::new();
        let mut writer = Writer::new(&storage, how);
        for number in 0..1_500 {
            writer.add(Record::new(format!("user-{number}"), "c", "A"));
        }
        for variation in ["A", "B", "A"] {
            writer.add(Record::new("user-7", "c", variation));
        }
        assert!(writer.write_rest().is_ok());
        assert_eq!(storage.records().len(), 1_500);
        let fate = writer.fate;
        [fate.claimed, fate.kept, fate.kept_other, fate.replaced, fate.failed]
    }

    /// Not there.
    struct Gone;

    impl UserStorage for Gone {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            Err(StorageError::new(StorageErrorKind::TimedOut, "gone"))
        }

        fn set(&self, _: Record) -> Result<(), StorageError> {
            Err(StorageError::new(StorageErrorKind::TimedOut, "gone"))
        }
    }

    #[test]
    fn a_storage_that_is_gone_stops_it() {
        for how in [How::Merge, How::Overwrite] {
            let mut writer = Writer::new(&Gone, how);
            for number in 0..3_000 {
                writer.add(Record::new(format!("user-{number}"), "c", "A"));
            }
            assert!(writer.write_rest().is_err());
            assert_eq!(writer.waiting.len(), 2_000, "the rest is not tried");
        }
    }

    #[test]
    fn every_record_is_counted_once() {
        assert_eq!(fate(How::Merge), [1_500, 3, 1, 0, 0]);
        assert_eq!(fate(How::Overwrite), [1_500, 1, 0, 2, 0]);
    }
}
