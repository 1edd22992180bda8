//! The open file. After an error of the file system redb does nothing more with a file, so it is opened anew: a disk
//! that was full and has room again needs no restart.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::{Duration, Instant};

use redb::Database;

use super::failure::{close, guarded, let_go};
use super::open::{EmbeddedOptions, Opened, look_at, open, open_to_read, reopen};
use crate::error::{StorageError, StorageErrorKind};

/// Opening is not tried more often than this: what is broken mostly stays so for a while, and trying costs.
pub(super) const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// The file, open or on its way to be opened anew.
pub(super) struct Handle {
    path: PathBuf,
    options: EmbeddedOptions,
    is_read_only: bool,
    is_verified: AtomicBool,
    slot: RwLock<Slot>,
}

enum Slot {
    Open(Arc<Database>),
    Closed {
        why: StorageError,
        /// Somebody may still read in it; until they are done the file is locked.
        closing: Weak<Database>,
        /// Not before then.
        next_try: Instant,
    },
}

impl Handle {
    /// Opens the file.
    ///
    /// # Errors
    /// As for [`open`].
    pub(super) fn open(path: &Path, options: EmbeddedOptions) -> Result<Handle, StorageError> {
        Ok(Handle::of(open(path, &options)?, path, options, false))
    }

    /// Opens the file to read it.
    ///
    /// # Errors
    /// As for [`open_to_read`].
    pub(super) fn open_to_read(path: &Path, options: EmbeddedOptions) -> Result<Handle, StorageError> {
        Ok(Handle::of(open_to_read(path, &options)?, path, options, true))
    }

    fn of(opened: Opened, path: &Path, options: EmbeddedOptions, is_read_only: bool) -> Handle {
        let is_verified = AtomicBool::new(opened.is_verified);
        let slot = RwLock::new(Slot::Open(Arc::new(opened.database)));
        Handle { path: path.to_owned(), options, is_read_only, is_verified, slot }
    }

    fn reopen(&self) -> Result<Database, StorageError> {
        if self.is_read_only { look_at(&self.path, false) } else { reopen(&self.path, &self.options) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was verified as a whole, so that what is not found in it is not there.
    pub(super) fn is_verified(&self) -> bool {
        self.is_verified.load(Ordering::Acquire)
    }

    /// Reads in the database.
    ///
    /// # Errors
    /// What redb says, or that the file could not be opened anew.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StorageError> {
        self.run(false, work)
    }

    /// Writes in the database. A write that failed leaves nothing to go on with, so that the file is opened anew.
    ///
    /// # Errors
    /// What redb says, or that the file could not be opened anew.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StorageError> {
        self.run(true, work)
    }

    fn run<T>(
        &self,
        is_write: bool,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        let database = self.database()?;
        let result = guarded(|| work(&database));
        let result = result.map_err(|trouble| {
            let close = is_write || trouble.is_final();
            let error = trouble.into_error(&self.path);
            if close {
                self.close(&database, &error);
            }
            error
        });
        // Whoever is last lets a broken database go.
        if let Some(broken) = Arc::into_inner(database) {
            let_go(broken);
        }
        result
    }

    /// The database. Who comes first after a failure opens it, and the others wait those milliseconds.
    fn database(&self) -> Result<Arc<Database>, StorageError> {
        if let Slot::Open(database) = &*self.slot.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(database));
        }
        let mut slot = self.slot_to_change();
        match &mut *slot {
            Slot::Open(database) => Ok(Arc::clone(database)),
            Slot::Closed { why, closing, next_try } => {
                if Instant::now() < *next_try || closing.strong_count() > 0 {
                    return Err(why.again());
                }
                match self.reopen() {
                    Ok(database) => {
                        // Whatever the disk has done meanwhile, nobody has looked at.
                        self.is_verified.store(false, Ordering::Release);
                        let database = Arc::new(database);
                        *slot = Slot::Open(Arc::clone(&database));
                        Ok(database)
                    }
                    Err(error) => {
                        *why = error.again();
                        *next_try = Instant::now() + BETWEEN_TRIES;
                        Err(error)
                    }
                }
            }
        }
    }

    /// Lets the broken database go, if nobody has yet.
    fn close(&self, broken: &Arc<Database>, why: &StorageError) {
        let mut slot = self.slot_to_change();
        let Slot::Open(database) = &*slot else { return };
        if !Arc::ptr_eq(database, broken) {
            return;
        }
        // The first try is at once: most errors are not of the kind that stays.
        let closed = Slot::Closed { why: why.again(), closing: Arc::downgrade(broken), next_try: Instant::now() };
        // The caller has the database too, so that this is not what closes it.
        drop(std::mem::replace(&mut *slot, closed));
    }

    fn slot_to_change(&self) -> RwLockWriteGuard<'_, Slot> {
        self.slot.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let closed = Slot::Closed {
            why: StorageError::new(StorageErrorKind::Unavailable, "the storage is closed"),
            closing: Weak::new(),
            next_try: Instant::now(),
        };
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(slot, closed);
        // One that was only read is written to in memory alone, which goes with it.
        if self.is_verified() && !self.is_read_only { close(last) } else { let_go(last) }
    }
}
