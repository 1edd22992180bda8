//! Opening the file: made if it is not there, looked at before anything is written, then opened.

use std::fs;
use std::io;
use std::path::Path;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::create::create;
use super::failure::{Trouble, guarded, io_error, let_go};
use super::overlay::Overlay;
use crate::error::{StorageError, StorageErrorKind};

/// The records. `mod.rs` says what is in them.
pub(super) const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");
/// What the file says of itself.
pub(super) const FORMAT: TableDefinition<'static, &str, u64> = TableDefinition::new("format");
pub(super) const VERSION_KEY: &str = "version";
/// The format that is written, and the newest that can be read.
pub(super) const VERSION: u64 = 1;

/// How much memory looking at a file takes for a cache: a scan reads each page once, and gains nothing from more.
const CACHE_OF_A_SCAN: usize = 8 << 20;

/// How an [`EmbeddedStorage`](super::EmbeddedStorage) is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// So many bytes of memory hold pages of the file. 64 MiB by default: the inner pages of some ten million records,
    /// or all of about 300,000, while the rest is in the system's cache.
    pub cache_bytes: usize,
    /// A file of at most so many bytes is verified as a whole when it is opened, so that damage to it is found before it
    /// is used. 256 MiB by default, one to two million records: they take about 0.3 s where the system has the file in its
    /// cache (40 ms for 40 MB were measured), and as long as reading it where not. 0 verifies none.
    pub verify_bytes: u64,
    /// At most so many records are written in one transaction. 4,096 by default: larger groups are no faster, and
    /// whoever waits for one waits some hundred milliseconds at most.
    pub group: usize,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions { cache_bytes: 64 << 20, verify_bytes: 256 << 20, group: 4_096 }
    }
}

/// A file that was opened.
pub(super) struct Opened {
    pub(super) database: Database,
    /// Whether it was verified as a whole.
    pub(super) is_verified: bool,
}

/// Opens the file, and makes it where there is none.
///
/// # Errors
/// When it is open elsewhere, may not be read and written, is no storage file, is damaged or of a newer format, or when
/// there is no room to make it.
pub(super) fn open(path: &Path, options: &EmbeddedOptions) -> Result<Opened, StorageError> {
    let is_verified = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(io_error(path, io::ErrorKind::IsADirectory.into())),
        Ok(found) => found.len() <= options.verify_bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            true
        }
        Err(error) => return Err(io_error(path, error)),
    };
    let_go(look_at(path, is_verified)?);
    Ok(Opened { database: open_looked_at(path, options)?, is_verified })
}

/// Opens a file that is there, to read it: nothing is written to it.
///
/// # Errors
/// When it is not there, is open elsewhere, may not be read, is no storage file, is damaged or of a newer format.
pub(super) fn open_to_read(path: &Path, options: &EmbeddedOptions) -> Result<Opened, StorageError> {
    let found = fs::metadata(path).map_err(|error| io_error(path, error))?;
    if found.is_dir() {
        return Err(io_error(path, io::ErrorKind::IsADirectory.into()));
    }
    let is_verified = found.len() <= options.verify_bytes;
    Ok(Opened { database: look_at(path, is_verified)?, is_verified })
}

/// Opens a file anew that was open a moment ago. It is neither made nor verified: a file that is gone must not come back
/// empty, and who waits for this waits for a disk that fails as it is.
///
/// # Errors
/// As for [`open`].
pub(super) fn reopen(path: &Path, options: &EmbeddedOptions) -> Result<Database, StorageError> {
    let_go(look_at(path, false)?);
    open_looked_at(path, options)
}

fn open_looked_at(path: &Path, options: &EmbeddedOptions) -> Result<Database, StorageError> {
    guarded(|| Ok(Builder::new().set_cache_size(options.cache_bytes).open(path)?))
        .map_err(|trouble| trouble.into_error(path))
}

/// Opens a file that is there without writing to it: `verified` as a whole, or as it is.
///
/// # Errors
/// As for [`open`].
pub(super) fn look_at(path: &Path, verified: bool) -> Result<Database, StorageError> {
    let wrong = |trouble: Trouble| trouble.into_error(path);
    // A file without anything is no storage without records: whoever cut it short must hear of it.
    if fs::metadata(path).map_err(|error| io_error(path, error))?.len() == 0 {
        return Err(io_error(path, io::ErrorKind::InvalidData.into()));
    }
    let overlay = guarded(|| Overlay::open(path)).map_err(wrong)?;
    let database = guarded(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_OF_A_SCAN).set_check_integrity_on_open(verified);
        Ok(builder.create_with_backend(overlay)?)
    });
    let database = database.map_err(wrong)?;
    let error = match guarded(|| version_of(&database)) {
        Ok(Some(1..=VERSION)) => return Ok(database),
        Ok(found) => of_other_format(path, found),
        Err(trouble) => wrong(trouble),
    };
    let_go(database);
    Err(error)
}

fn version_of(database: &Database) -> Result<Option<u64>, redb::Error> {
    let table = database.begin_read()?.open_table(FORMAT)?;
    Ok(ReadableTable::get(&table, VERSION_KEY)?.map(|version| version.value()))
}

fn of_other_format(path: &Path, found: Option<u64>) -> StorageError {
    let file = path.display();
    match found {
        Some(version @ VERSION..) => StorageError::new(
            StorageErrorKind::NewerFormat,
            format!("storage file `{file}` has format {version}, and this version reads {VERSION}: use a newer one"),
        ),
        _ => super::failure::damaged(path),
    }
}
