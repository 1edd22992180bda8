//! Whether a file is what was written.

use std::path::Path;

use redb::{Database, ReadableTable, ReadableTableMetadata};

use super::codec::{Flaw, decode};
use super::failure::{flawed, guarded, let_go};
use super::open::{EmbeddedOptions, look_at};
use super::read::records;
use super::stats::bytes_on_disk;
use super::{EmbeddedStorage, key};
use crate::error::{StorageError, StorageErrorKind};

/// So many problems are told; the rest is counted.
const TOLD: usize = 10;

/// What checking a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many records could be read.
    pub records: u64,
    /// Of how many users.
    pub users: u64,
    /// How many problems there are.
    pub problems: u64,
    /// The first ten of them.
    pub first_problems: Vec<Problem>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which record it is, counted from one in the order of the file; none where it is the file as a whole.
    pub record: Option<u64>,
    /// Whose record it is, where that can be read: whoever mends the file must know whom to erase or write anew.
    pub user: Option<String>,
    /// [`StorageErrorKind::Corrupt`], or [`StorageErrorKind::NewerFormat`] for a record of a newer version.
    pub kind: StorageErrorKind,
    /// What it is, for people; without the user's id.
    pub message: String,
}

impl Checked {
    /// Whether there is no problem.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems == 0
    }

    fn add(&mut self, place: Option<(u64, &[u8])>, error: &StorageError) {
        self.problems += 1;
        if self.first_problems.len() < TOLD {
            let user = place.and_then(|(_, key)| key::split(key)).and_then(|(user, _)| key::user(user));
            let record = place.map(|(number, _)| number);
            self.first_problems.push(Problem { record, user, kind: error.kind(), message: error.to_string() });
        }
    }
}

impl EmbeddedStorage {
    /// Checks a file that nobody has open: the checksum of every page, that the parts of the file fit together, and
    /// every record. It reads the whole file, and takes a second for some hundred megabytes.
    ///
    /// The file is not written to, whatever is wrong with it. redb's own check repairs what it can, which may mean to go
    /// back to an earlier state and to free what cannot be reached; here it works on a copy in memory of the pages it
    /// changes, and what it does there is forgotten. A file that a crash left behind is clean if it can be recovered.
    /// Where the structure is broken, the records that can still be reached are counted all the same.
    ///
    /// # Errors
    /// [`StorageErrorKind::Corrupt`] when nothing can be reached in it, or it is no storage file;
    /// [`StorageErrorKind::Denied`] when it is not there or may not be read; [`StorageErrorKind::InUse`] when it is open;
    /// [`StorageErrorKind::NewerFormat`] when it is of a newer format.
    pub fn check(path: impl AsRef<Path>) -> Result<Checked, StorageError> {
        let path = path.as_ref();
        let mut checked = Checked { records: 0, users: 0, problems: 0, first_problems: Vec::new() };
        let database = match look_at(path, true) {
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                checked.add(None, &error);
                // What a damaged file says of itself, such as its format, is not to be believed.
                look_at(path, false).map_err(|_| error)?
            }
            opened => opened?,
        };
        // A file that is found damaged as a whole is refused, unless it is too large to be verified when it is opened.
        let can_be_opened = checked.is_clean()
            || bytes_on_disk(path).is_ok_and(|bytes| bytes > EmbeddedOptions::default().verify_bytes);
        if let Err(trouble) = guarded(|| read_all(&database, path, can_be_opened, &mut checked)) {
            checked.add(None, &trouble.into_error(path));
        }
        let_go(database);
        Ok(checked)
    }
}

/// A record of a file that is refused, so that nobody can be erased in it.
fn damaged_in_damaged(path: &Path) -> StorageError {
    let message = format!("a record in storage file `{}` is damaged: restore a copy", path.display());
    StorageError::new(StorageErrorKind::Corrupt, message)
}

fn read_all(database: &Database, path: &Path, can_be_opened: bool, checked: &mut Checked) -> Result<(), redb::Error> {
    let records = records(database)?;
    let mut last: Option<Vec<u8>> = None;
    let mut number = 0;
    for entry in ReadableTable::iter(&records)? {
        let (key, value) = entry?;
        let key = key.value();
        number += 1;
        if let Err(flaw) = decode(key, value.value()) {
            let error = match flaw {
                Flaw::Corrupt | Flaw::Beside if !can_be_opened => damaged_in_damaged(path),
                flaw => flawed(path, flaw),
            };
            checked.add(Some((number, key)), &error);
            continue;
        }
        checked.records += 1;
        let user = key::split(key).map(|(user, _)| user);
        if last.as_deref() != user {
            checked.users += 1;
            last = user.map(<[u8]>::to_vec);
        }
    }
    if records.len()? != number {
        let message =
            format!("storage file `{}` does not have as many records as it says: restore a copy", path.display());
        checked.add(None, &StorageError::new(StorageErrorKind::Corrupt, message));
    }
    Ok(())
}
