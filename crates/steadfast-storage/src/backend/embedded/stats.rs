//! How much is stored.

use std::fs;
use std::path::Path;

use redb::{Database, ReadableTable, ReadableTableMetadata};

use super::EmbeddedStorage;
use super::failure::{guarded, io_error, let_go};
use super::key;
use super::open::look_at;
use super::read::records;
use crate::error::StorageError;

/// How much a storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many records.
    pub records: u64,
    /// Of how many users.
    pub users: u64,
    /// The size of the file, in bytes. Pages that are free are part of it, and used before it grows.
    pub bytes_on_disk: u64,
    /// The size of all keys and values, in bytes.
    pub bytes_stored: u64,
}

impl EmbeddedStorage {
    /// How much is stored. Reads through all of it, while others go on.
    ///
    /// # Errors
    /// When the file cannot be read, as for [`get`](crate::UserStorage::get).
    pub fn stats(&self) -> Result<Stats, StorageError> {
        let handle = self.handle();
        let bytes_on_disk = bytes_on_disk(handle.path())?;
        handle.read(|database| count(database, bytes_on_disk))
    }

    /// How much is stored in a file that nobody has open. It is not written to.
    ///
    /// # Errors
    /// As for [`open`](EmbeddedStorage::open); [`StorageErrorKind::Denied`](crate::StorageErrorKind::Denied) when there
    /// is no such file.
    pub fn stats_of(path: impl AsRef<Path>) -> Result<Stats, StorageError> {
        let path = path.as_ref();
        let bytes_on_disk = bytes_on_disk(path)?;
        let database = look_at(path, false)?;
        let counted = guarded(|| count(&database, bytes_on_disk));
        let_go(database);
        counted.map_err(|trouble| trouble.into_error(path))
    }
}

pub(super) fn bytes_on_disk(path: &Path) -> Result<u64, StorageError> {
    fs::metadata(path).map(|found| found.len()).map_err(|error| io_error(path, error))
}

fn count(database: &Database, bytes_on_disk: u64) -> Result<Stats, redb::Error> {
    let records = records(database)?;
    let mut users = 0;
    let mut last = None;
    for entry in ReadableTable::iter(&records)? {
        let key = entry?.0;
        let user = key::split(key.value()).map(|(user, _)| user);
        if last.as_deref() != user || user.is_none() {
            users += 1;
            last = user.map(<[u8]>::to_vec);
        }
    }
    Ok(Stats { records: records.len()?, users, bytes_on_disk, bytes_stored: records.stats()?.stored_bytes() })
}
