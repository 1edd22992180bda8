//! Making a file without records. It comes into its place complete, so that a crash leaves none or all of it; and where
//! several are at it at one moment, one of them makes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redb::backends::InMemoryBackend;
use redb::{Builder, StorageBackend};

use super::failure::{Trouble, guarded, io_error};
use super::open::{FORMAT, RECORDS, VERSION, VERSION_KEY};
use crate::error::StorageError;

/// Making a file takes milliseconds, and as long as its disk takes. Who takes longer than this has stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the file, or finds that somebody else has.
///
/// # Errors
/// When there is no room for it, no folder, or the folder may not be written to; when somebody else is at it and does
/// not come to an end.
pub(super) fn create(path: &Path) -> Result<(), StorageError> {
    let content = content().map_err(|trouble| trouble.into_error(path))?;
    let new = PathBuf::from({
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        name
    });
    let in_use = || Trouble::Reported(redb::Error::DatabaseAlreadyOpen).into_error(path);
    let failed = |error| io_error(path, error);
    let mut file = claim(&new).map_err(failed)?.ok_or_else(in_use)?;
    // Who has the claim is alone with what becomes the file. So nobody writes to one that is in its place.
    if !path.try_exists().map_err(failed)? {
        fill(&mut file, &content).and_then(|()| put_into_place(&new, path)).map_err(failed)?;
    }
    fs::remove_file(&new).or_else(unless(io::ErrorKind::NotFound)).map_err(failed)?;
    drop(file);
    sync_folder(path).map_err(failed)
}

/// The bytes of a storage without records.
fn content() -> Result<Vec<u8>, Trouble> {
    let memory = Memory(Arc::new(InMemoryBackend::new()));
    guarded(|| {
        let database = Builder::new().create_with_backend(memory.clone())?;
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        transaction.open_table(RECORDS)?;
        transaction.open_table(FORMAT)?.insert(VERSION_KEY, VERSION)?;
        transaction.commit()?;
        database.close()?;
        let length = memory.0.len()?;
        let mut content = vec![0; usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?];
        memory.0.read(0, &mut content)?;
        Ok(content)
    })
}

/// Opens what becomes the file, for this caller alone; none if somebody else has it and does not come to an end.
///
/// What an interrupted creation left behind holds nothing, and is taken as it is.
fn claim(new: &Path) -> io::Result<Option<File>> {
    let start = Instant::now();
    loop {
        let file = open_new(new)?;
        match file.try_lock() {
            // Another one may have taken it away, or into its place, before this one had it.
            Ok(()) if is_still(&file, new)? => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => return Ok(None),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn open_new(new: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(new);
    // Nobody is led elsewhere by a link, or kept out by what somebody else left behind.
    let is_link = fs::symlink_metadata(new).is_ok_and(|found| found.is_symlink());
    if is_link {
        fs::remove_file(new).or_else(unless(io::ErrorKind::NotFound))?;
    }
    open().or_else(|error| {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Err(error);
        }
        fs::remove_file(new).map_err(|_| error)?;
        open()
    })
}

/// Whether the file still has this name.
#[cfg(unix)]
fn is_still(file: &File, name: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let held = file.metadata()?;
    match fs::symlink_metadata(name) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the file still has this name. A name is given up here only by who has put the file into its place, so that
/// there is none any more.
#[cfg(not(unix))]
fn is_still(_file: &File, name: &Path) -> io::Result<bool> {
    name.try_exists()
}

fn fill(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the file its name. Whatever has that name already keeps it.
fn put_into_place(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => rename(new, path),
    }
}

/// The same where the file system has no links. Renaming takes a place that is taken, so the place is taken first, by a
/// file that is empty: a crash in between leaves that, which is refused when it is opened.
fn rename(new: &Path, path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => fs::rename(new, path).inspect_err(|_| {
            fs::remove_file(path).ok();
        }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Without this a crash of the machine could forget the file's name.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn unless(kind: io::ErrorKind) -> impl FnOnce(io::Error) -> io::Result<()> {
    move |error| if error.kind() == kind { Ok(()) } else { Err(error) }
}

/// Memory that can be read when redb is done with it.
#[derive(Debug, Clone)]
struct Memory(Arc<InMemoryBackend>);

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_taken_is_kept_with_links_and_without() {
        let folder = std::env::temp_dir().join(format!("steadfast-create-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (new, path) = (folder.join("file.new"), folder.join("file"));
        for put in [put_into_place, rename] {
            fs::write(&new, "new").unwrap();
            fs::write(&path, "there").unwrap();
            put(&new, &path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "there");
            fs::remove_file(&path).unwrap();
            put(&new, &path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            // With links it is one file of two names.
            fs::remove_file(&path).unwrap();
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
