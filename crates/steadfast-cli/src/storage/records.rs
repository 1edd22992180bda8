//! Reading through a storage, a page at a time.

use std::process::ExitCode;
use std::vec;

use steadfast::engine::Record;
use steadfast::storage::{Cursor, StorageError, UserStorage};

use crate::failure::NOT_KEPT;
use crate::terminal::text::counted;

/// How many records are fetched at once.
const PAGE: usize = 1_000;

/// All records of a storage; ends with the first failure. Those in memory and in a file are sorted by user id, then
/// campaign key, by their UTF-8 bytes; a server gives them in an order of its own.
pub(crate) struct Records<'s> {
    storage: &'s dyn UserStorage,
    page: vec::IntoIter<Record>,
    place: Place,
    damaged: Vec<String>,
}

enum Place {
    Start,
    At(Cursor),
    End,
}

impl<'s> Records<'s> {
    /// From the first one on.
    pub(crate) fn of(storage: &'s dyn UserStorage) -> Result<Self, StorageError> {
        let mut records = Records { storage, page: Vec::new().into_iter(), place: Place::Start, damaged: Vec::new() };
        // A storage in memory is read in no order, and is in memory anyway; one in a file is sorted.
        if storage.writes().are_in_place() {
            let mut all = records.by_ref().collect::<Result<Vec<_>, _>>()?;
            all.sort_by(|one, other| (&one.user_id, &one.campaign_key).cmp(&(&other.user_id, &other.campaign_key)));
            records.page = all.into_iter();
        }
        Ok(records)
    }

    /// The users of records that could not be read and were passed over so far, one for each.
    pub(crate) fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Says that some were passed over, if any were.
    pub(crate) fn tell(&self) {
        if !self.damaged.is_empty() {
            let many = counted(self.damaged.len() as u64, "record");
            anstream::eprintln!(
                "{many} cannot be read and were passed over: `storage list --damaged` names their users"
            );
        }
    }

    /// The same, and what it means for a command that wanted all of them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.tell();
        if self.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_KEPT) }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            let scanned = match std::mem::replace(&mut self.place, Place::End) {
                Place::Start => self.storage.scan(None, PAGE),
                Place::At(cursor) => self.storage.scan(Some(&cursor), PAGE),
                Place::End => return None,
            };
            match scanned {
                Err(error) => return Some(Err(error)),
                Ok(page) => {
                    self.page = page.records.into_iter();
                    self.damaged.extend(page.damaged);
                    self.place = page.next.map_or(Place::End, Place::At);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::storage::MemoryStorage;

    #[test]
    fn all_records_come_once_and_sorted() {
        let storage = MemoryStorage::new();
        for number in (0..500).rev() {
            storage.set(Record::new(format!("user-{number}"), "b", "Control")).expect("memory");
            storage.set(Record::new(format!("user-{number}"), "a", "Control")).expect("memory");
        }
        let read: Vec<Record> = Records::of(&storage).expect("memory").map(|record| record.expect("memory")).collect();
        assert_eq!(read, storage.records());
    }
}
