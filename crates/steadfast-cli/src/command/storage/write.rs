//! Many records on their way into a storage, and what became of them.

use std::collections::HashMap;

use steadfast::engine::{Answer, Record};
use steadfast::storage::{Claim, Condition, Outcome, StorageError, UserStorage};

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
    pub(super) fn write_batches(&mut self) -> Vec<Record> {
        let mut stored = Vec::new();
        while self.waiting.len() >= TOGETHER {
            let rest = self.waiting.split_off(TOGETHER);
            let batch = std::mem::replace(&mut self.waiting, rest);
            stored.extend(self.write(batch));
        }
        stored
    }

    /// Writes all that waits.
    pub(super) fn write_rest(&mut self) -> Vec<Record> {
        let mut stored = self.write_batches();
        let batch = std::mem::take(&mut self.waiting);
        stored.extend(self.write(batch));
        stored
    }

    fn write(&mut self, batch: Vec<Record>) -> Vec<Record> {
        match self.how {
            How::Merge => self.merge(batch),
            How::Overwrite => {
                self.overwrite(batch);
                Vec::new()
            }
        }
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
    fn overwrite(&mut self, batch: Vec<Record>) {
        let mut of_batch: HashMap<(&str, &str), &Record> = HashMap::new();
        let before: Vec<Outcome> = batch
            .iter()
            .map(|record| {
                let place = (&*record.user_id, &*record.campaign_key);
                let was = match of_batch.insert(place, record) {
                    Some(earlier) => Some(earlier == record),
                    None => match self.storage.look_up(place.0, place.1) {
                        Answer::Absent => None,
                        Answer::Found(stored) => Some(*stored == *record),
                        // It cannot be read, and is written over.
                        Answer::Failed(_) => Some(false),
                    },
                };
                match was {
                    None => Outcome::Claimed,
                    Some(true) => Outcome::Kept,
                    Some(false) => Outcome::Replaced,
                }
            })
            .collect();
        for (before, written) in before.into_iter().zip(self.storage.set_many(batch)) {
            match (written, before) {
                (Err(error), _) => self.fate.fail(&error),
                (Ok(()), Outcome::Claimed) => self.fate.claimed += 1,
                (Ok(()), Outcome::Kept) => self.fate.kept += 1,
                (Ok(()), Outcome::Replaced) => self.fate.replaced += 1,
            }
        }
    }
}

impl Fate {
    /// How many records the storage keeps.
    pub(super) fn stored(&self) -> u64 {
        self.claimed + self.kept + self.replaced
    }

    fn fail(&mut self, error: &StorageError) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::storage::MemoryStorage;

    fn fate(how: How) -> [u64; 5] {
        let storage = MemoryStorage::new();
        let mut writer = Writer::new(&storage, how);
        for number in 0..1_500 {
            writer.add(Record::new(format!("user-{number}"), "c", "A"));
        }
        for variation in ["A", "B", "A"] {
            writer.add(Record::new("user-7", "c", variation));
        }
        writer.write_rest();
        assert_eq!(storage.records().len(), 1_500);
        let fate = writer.fate;
        [fate.claimed, fate.kept, fate.kept_other, fate.replaced, fate.failed]
    }

    #[test]
    fn every_record_is_counted_once() {
        assert_eq!(fate(How::Merge), [1_500, 3, 1, 0, 0]);
        assert_eq!(fate(How::Overwrite), [1_500, 1, 0, 2, 0]);
    }
}
