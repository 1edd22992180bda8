//! What redb says, as an error of this crate: which kind, in words that name the file and say what to do next.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use super::codec::Flaw;
use crate::error::{StorageError, StorageErrorKind};

/// Something went wrong inside redb.
pub(super) enum Trouble {
    /// It said so.
    Reported(redb::Error),
    /// It panicked, which it does on a file that it finds inconsistent.
    Panicked(String),
}

/// Runs something inside redb. A panic of it is a trouble, and takes nobody else down.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Trouble::Reported),
        Err(panic) => Err(Trouble::Panicked(message_of(&*panic))),
    }
}

/// Closes something of redb's as it should be closed. A panic in that is caught; there is nothing to add to it.
pub(super) fn close<T>(held: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(held)));
}

/// Lets go of something of redb's without a last commit, as if the process ended here: what is on the disk is what counts,
/// and opening anew takes it from there.
///
/// A last commit into a file that is damaged may panic, and then panic again in what it drops on its way out, which ends
/// the process. While a panic is under way redb leaves it out, so one is: it is nobody's, and no hook is told of it. (A
/// program that is built to abort when it panics closes as ever.)
pub(crate) fn let_go<T>(held: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _held = held;
        if cfg!(panic = "unwind") {
            resume_unwind(Box::new(()));
        }
    }));
}

impl Trouble {
    /// Whether redb does nothing more with the file until it is opened anew.
    pub(super) fn is_final(&self) -> bool {
        !matches!(
            self,
            Trouble::Reported(
                redb::Error::Corrupted(_) | redb::Error::ValueTooLarge(_) | redb::Error::DatabaseAlreadyOpen
            )
        )
    }

    /// The error for the caller.
    pub(super) fn into_error(self, path: &Path) -> StorageError {
        use StorageErrorKind::{Corrupt, InUse, NewerFormat, Other, Unavailable, Unsupported};
        let file = path.display();
        let new = |kind, message: String| StorageError::new(kind, message);
        match self {
            Trouble::Panicked(message) => damaged(path).with_source(message),
            Trouble::Reported(error) => match error {
                redb::Error::Io(error) => io_error(path, error),
                redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => new(
                    InUse,
                    format!(
                        "storage file `{file}` is open already, and only one may have it: stop or close the other one, or \
                         give this one a file of its own (what several processes share needs a server)"
                    ),
                ),
                redb::Error::Corrupted(_)
                | redb::Error::RepairAborted
                | redb::Error::LockPoisoned(_)
                | redb::Error::TransactionPoisoned => damaged(path).with_source(error),
                redb::Error::PreviousIo | redb::Error::DatabaseClosed => new(
                    Unavailable,
                    format!(
                        "storage file `{file}` could not be read or written a moment ago, and is opened anew: try again"
                    ),
                )
                .with_source(error),
                redb::Error::UpgradeRequired(version) => new(
                    Unsupported,
                    format!(
                        "storage file `{file}` is a redb database of format {version}, older than can be read: restore a copy"
                    ),
                ),
                redb::Error::ValueTooLarge(bytes) => {
                    new(Other, format!("a record of {bytes} bytes is larger than can be kept: keep less metadata"))
                }
                redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. } => {
                    new(Corrupt, format!("`{file}` is a database of another program: name another file"))
                }
                redb::Error::TypeDefinitionChanged { .. } => {
                    new(NewerFormat, format!("storage file `{file}` was written by a newer version: use that one"))
                }
                other => new(Other, format!("storage file `{file}` cannot be used: see the cause")).with_source(other),
            },
        }
    }
}

/// An error of the file system.
pub(super) fn io_error(path: &Path, error: io::Error) -> StorageError {
    use io::ErrorKind as Io;
    let file = path.display();
    let (kind, message) = match error.kind() {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (
            StorageErrorKind::Full,
            format!("there is no room left for storage file `{file}`: make room, and it goes on by itself"),
        ),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            StorageErrorKind::Denied,
            format!("storage file `{file}` may not be read and written: let this process do both"),
        ),
        Io::NotFound => (
            StorageErrorKind::Denied,
            format!("there is no storage file `{file}`, or no folder for it: check the path"),
        ),
        Io::IsADirectory => {
            (StorageErrorKind::Denied, format!("`{file}` is a folder: name a file, which is made if need be"))
        }
        Io::InvalidData => (
            StorageErrorKind::Corrupt,
            format!("`{file}` is not a storage file, or its beginning is damaged: check the path, or restore a copy"),
        ),
        Io::UnexpectedEof => return damaged(path).with_source(error),
        _ => (
            StorageErrorKind::Unavailable,
            format!("storage file `{file}` cannot be read or written ({error}): check the disk"),
        ),
    };
    StorageError::new(kind, message).with_source(error)
}

/// The file is not what was written.
pub(super) fn damaged(path: &Path) -> StorageError {
    StorageError::new(
        StorageErrorKind::Corrupt,
        format!("storage file `{}` is damaged: restore a copy, or move it away to begin anew", path.display()),
    )
}

/// A record is not what was written, or was written by a newer version.
pub(super) fn flawed(path: &Path, flaw: Flaw) -> StorageError {
    let file = path.display();
    match flaw {
        Flaw::Corrupt => StorageError::new(
            StorageErrorKind::Corrupt,
            format!(
                "a record of this user in storage file `{file}` is damaged: restore a copy, or erase the user, who is new \
                 then"
            ),
        ),
        Flaw::Beside => StorageError::new(
            StorageErrorKind::Corrupt,
            format!(
                "a record in storage file `{file}` is damaged, and in the way of what was asked for: restore a copy, or \
                 check the file to see whose it is, and erase that user"
            ),
        ),
        Flaw::Newer => StorageError::new(
            StorageErrorKind::NewerFormat,
            format!("a record in storage file `{file}` was written by a newer version: use that one"),
        ),
    }
}

/// What was found of a user is erased, and there may be more.
pub(super) fn maybe_not_all(path: &Path) -> StorageError {
    let file = path.display();
    StorageError::new(
        StorageErrorKind::Corrupt,
        format!(
            "what was found of this user in storage file `{file}` is erased, but a record beside it is damaged, so that \
             there may be more: check the file to see whose it is, erase that user, and then this one again"
        ),
    )
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words").to_owned()
}
