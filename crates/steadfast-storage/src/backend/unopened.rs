//! A storage that could not be opened: every call fails as the opening did, and is thereby decided by the rule for
//! storages that fail, until somebody mends it and starts again.

use steadfast_engine::Record;

use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::UserStorage;

/// Stands in for a storage that could not be opened, so that a program can start without it.
///
/// ```no_run
/// use steadfast_storage::{EmbeddedStorage, UnopenedStorage, UserStorage};
///
/// let storage: Box<dyn UserStorage> = match EmbeddedStorage::open("assignments.redb") {
///     Ok(storage) => Box::new(storage),
///     // Say it, and go on: nobody is decided as if nothing were stored.
///     Err(error) => Box::new(UnopenedStorage::new(error)),
/// };
/// ```
#[derive(Debug)]
pub struct UnopenedStorage(StorageError);

impl UnopenedStorage {
    /// A storage that fails with this error.
    #[must_use]
    pub fn new(error: StorageError) -> Self {
        UnopenedStorage(error)
    }

    fn failure(&self) -> StorageError {
        self.0.again()
    }
}

impl UserStorage for UnopenedStorage {
    fn get(&self, _user: &str, _campaign: &str) -> Result<Option<Record>, StorageError> {
        Err(self.failure())
    }

    fn set(&self, _record: Record) -> Result<(), StorageError> {
        Err(self.failure())
    }

    fn merge(&self, _claim: Claim) -> Result<Merged, StorageError> {
        Err(self.failure())
    }

    fn records_of(&self, _user: &str) -> Result<Vec<Record>, StorageError> {
        Err(self.failure())
    }

    fn erase(&self, _user: &str) -> Result<u64, StorageError> {
        Err(self.failure())
    }

    fn scan(&self, _from: Option<&Cursor>, _about: usize) -> Result<Page, StorageError> {
        Err(self.failure())
    }
}
