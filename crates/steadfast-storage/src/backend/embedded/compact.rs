//! Giving free pages back to the file system.

use std::path::Path;

use redb::Builder;

use super::EmbeddedStorage;
use super::failure::{guarded, let_go};
use super::open::{EmbeddedOptions, look_at};
use super::stats::bytes_on_disk;
use crate::error::StorageError;

/// What compacting a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The size of the file before, in bytes.
    pub before: u64,
    /// The size of the file after, in bytes.
    pub after: u64,
}

impl EmbeddedStorage {
    /// Makes a file that nobody has open as small as it can be. It is verified as a whole first. A crash in between loses
    /// nothing, but the next opening takes as long as verifying the file.
    ///
    /// # Errors
    /// As for [`open`](EmbeddedStorage::open); [`StorageErrorKind::Denied`](crate::StorageErrorKind::Denied) when there
    /// is no such file.
    pub fn compact(path: impl AsRef<Path>) -> Result<Compacted, StorageError> {
        let path = path.as_ref();
        let before = bytes_on_disk(path)?;
        let_go(look_at(path, true)?);
        guarded(|| {
            let mut builder = Builder::new();
            let mut database = builder.set_cache_size(EmbeddedOptions::default().cache_bytes).open(path)?;
            database.compact()?;
            Ok(database.close()?)
        })
        .map_err(|trouble| trouble.into_error(path))?;
        Ok(Compacted { before, after: bytes_on_disk(path)? })
    }
}
