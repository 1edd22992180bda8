//! The storage: reads where the caller stands, hands writes to the writer and waits.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use steadfast_engine::{Answer, Record};

use super::handle::Handle;
use super::open::EmbeddedOptions;
use super::read;
use super::writer::{self, Job, Task};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{UserStorage, Writes};

/// As many claims together cost little more than a few: measured, groups of 1,000 are written at nearly full speed.
const TOGETHER: usize = 1_000;

/// A storage in one file. The [module](super) states the format and what it promises.
///
/// Every write is on the disk when it returns. Reading and writing fail with [`StorageErrorKind::Full`] or
/// [`StorageErrorKind::Unavailable`] while the disk does, and go on once it does not; with
/// [`StorageErrorKind::Corrupt`] where the file or a record is damaged, and with [`StorageErrorKind::NewerFormat`] where
/// a record is of a newer version. Of a failed write nobody knows whether it was done; doing it again is harmless.
///
/// Dropping it waits until what was taken is written.
///
/// ```
/// use steadfast_engine::Record;
/// use steadfast_storage::{EmbeddedStorage, UserStorage};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("steadfast-example-{}.redb", std::process::id()));
///
/// let storage = EmbeddedStorage::open(&path)?;
/// storage.set(Record::new("Ashley", "checkout", "Green"))?;
/// drop(storage);
///
/// let storage = EmbeddedStorage::open(&path)?;
/// let record = storage.get("Ashley", "checkout")?;
/// assert_eq!(record.map(|record| record.variation_name).as_deref(), Some("Green"));
/// # drop(storage);
/// # std::fs::remove_file(path)?;
/// # Ok(())
/// # }
/// ```
pub struct EmbeddedStorage {
    handle: Arc<Handle>,
    group: usize,
    /// None where it is read only, and while it is dropped, which is what ends the writer.
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStorage {
    /// Opens a storage with the default [`EmbeddedOptions`]. The file is made if it is not there; its folder must be.
    ///
    /// # Errors
    /// [`StorageErrorKind::InUse`] when it is open already, here or in another process; [`StorageErrorKind::Denied`]
    /// when it may not be read and written, or its folder is missing; [`StorageErrorKind::Corrupt`] when it is damaged
    /// or no storage file, empty ones among them; [`StorageErrorKind::NewerFormat`] when it is of a newer format;
    /// [`StorageErrorKind::Full`] when there is no room to make it; [`StorageErrorKind::Unavailable`] when the disk
    /// fails. Nothing is written to a file that is refused.
    pub fn open(path: impl AsRef<Path>) -> Result<EmbeddedStorage, StorageError> {
        EmbeddedStorage::open_with(path, EmbeddedOptions::default())
    }

    /// Opens a storage.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: EmbeddedOptions) -> Result<EmbeddedStorage, StorageError> {
        let handle = Arc::new(once_free(|| Handle::open(path.as_ref(), options))?);
        let group = options.group.max(1);
        let (jobs, waiting) = channel();
        let of_writer = Arc::clone(&handle);
        let writer = thread::Builder::new()
            .name("steadfast-writer".to_owned())
            .spawn(move || writer::run(&of_writer, &waiting, group))
            .map_err(|error| {
                StorageError::new(
                    StorageErrorKind::Unavailable,
                    "the system has no thread left to write with: try again",
                )
                .with_source(error)
            })?;
        Ok(EmbeddedStorage { handle, group, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Opens a storage that is there to read it, with the default [`EmbeddedOptions`]. The process needs no right to write
    /// to the file or its folder, and nothing is written to it. Every write fails with [`StorageErrorKind::Denied`].
    /// Nobody else may have the file open meanwhile.
    ///
    /// # Errors
    /// [`StorageErrorKind::InUse`] when it is open already, here or in another process; [`StorageErrorKind::Denied`]
    /// when it is not there or may not be read; [`StorageErrorKind::Corrupt`] when it is damaged or no storage file, empty
    /// ones among them; [`StorageErrorKind::NewerFormat`] when it is of a newer format;
    /// [`StorageErrorKind::Unsupported`] when it is of an older one than can be read; [`StorageErrorKind::Unavailable`]
    /// when the disk fails.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<EmbeddedStorage, StorageError> {
        let options = EmbeddedOptions::default();
        let handle = Arc::new(once_free(|| Handle::open_to_read(path.as_ref(), options))?);
        Ok(EmbeddedStorage { handle, group: options.group, jobs: None, writer: None })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Hands over what is wanted, in tasks of at most a group, and waits for all of it.
    fn hand_over<I, O>(&self, mut wanted: Vec<I>, job: fn(Task<I, O>) -> Job) -> Vec<Result<O, StorageError>> {
        let Some(jobs) = &self.jobs else { return wanted.iter().map(|_| Err(self.is_read_only())).collect() };
        let mut waiting = Vec::with_capacity(wanted.len().div_ceil(self.group));
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(self.group));
            let size = wanted.len();
            let (task, results) = Task::new(std::mem::replace(&mut wanted, rest));
            // A writer that is gone takes the task's reply with it, which is noticed below.
            jobs.send(job(task)).ok();
            waiting.push((size, results));
        }
        waiting.into_iter().flat_map(|(size, results)| wait(size, &results)).collect()
    }

    fn is_read_only(&self) -> StorageError {
        StorageError::new(
            StorageErrorKind::Denied,
            format!("storage file `{}` is open to be read: open it to write as well", self.handle.path().display()),
        )
    }

    fn hand_over_one<I, O>(&self, wanted: I, job: fn(Task<I, O>) -> Job) -> Result<O, StorageError> {
        self.hand_over(vec![wanted], job).pop().unwrap_or_else(|| Err(writer_is_gone()))
    }
}

/// Opens a file that may be in use for a moment more: a program that is started by another thread of this process, or of the one
/// that had the file, holds copies of its locks until it runs. Who really has it is told of after a fifth of a second.
fn once_free(open: impl Fn() -> Result<Handle, StorageError>) -> Result<Handle, StorageError> {
    const ATTEMPTS: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 1..ATTEMPTS {
        match open() {
            Err(error) if error.kind() == StorageErrorKind::InUse => thread::sleep(PAUSE),
            opened => return opened,
        }
    }
    open()
}

impl UserStorage for EmbeddedStorage {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        read::get(&self.handle, user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.hand_over_one(record, Job::Set)
    }

    /// In one read transaction: all answers are of one moment.
    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        read::get_many(&self.handle, user, campaigns)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.hand_over(records, Job::Set)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.hand_over_one(claim, Job::Merge)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.hand_over(claims, Job::Merge)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        read::records_of(&self.handle, user)
    }

    /// A record that is damaged is erased as well. [`StorageErrorKind::Corrupt`] says that one beside it is, so that there
    /// may be more of the user than was found and erased.
    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.hand_over_one(user.to_owned(), Job::Erase)
    }

    /// In the order of user id and campaign key, by their UTF-8 bytes. A page has `about` records (at least one) until
    /// the last, and is of one moment.
    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        read::scan(&self.handle, from, about)
    }

    fn writes(&self) -> Writes {
        Writes::Together(TOGETHER.min(self.group))
    }
}

impl fmt::Debug for EmbeddedStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EmbeddedStorage").field("path", &self.handle.path()).finish_non_exhaustive()
    }
}

impl Drop for EmbeddedStorage {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has answered nobody, and they have noticed.
            writer.join().ok();
        }
    }
}

fn wait<O>(size: usize, results: &Receiver<Vec<Result<O, StorageError>>>) -> Vec<Result<O, StorageError>> {
    results.recv().unwrap_or_else(|_| (0..size).map(|_| Err(writer_is_gone())).collect())
}

fn writer_is_gone() -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "the storage has stopped writing: open it anew")
}
