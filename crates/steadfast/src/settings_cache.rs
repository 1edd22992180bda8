//! A copy of the settings, for a start while they cannot be had: what `getSettings` and `setSettings` of the reference's
//! service are for (spec STO-90 to STO-93, quirk Q-30).

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Keeps the text of settings that were fetched.
///
/// Both are called where they may block, for ten seconds at most. Unlike the reference, which takes what is there and asks nobody, settings are fetched first: the copy is for when they
/// cannot be. What is kept was seen to be good settings, and is looked at again before it is used.
pub trait SettingsCache: Send + Sync {
    /// The text that was kept last (`getSettings`); `None` when there is none.
    ///
    /// # Errors
    /// When that cannot be said.
    fn get_settings(&self) -> io::Result<Option<String>>;

    /// Keeps a text in place of the one before (`setSettings`).
    ///
    /// # Errors
    /// When it is not kept. The one before should be there still.
    fn set_settings(&self, text: &str) -> io::Result<()>;
}

/// A copy in a file, which is its owner's alone: the key of the environment is in it. It is replaced as a whole.
#[derive(Debug, Clone)]
pub struct FileCache(PathBuf);

impl FileCache {
    /// In this file, which need not be there; its folder must.
    pub fn new(path: impl AsRef<Path>) -> FileCache {
        FileCache(path.as_ref().to_owned())
    }
}

impl SettingsCache for FileCache {
    fn get_settings(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_settings(&self, text: &str) -> io::Result<()> {
        // Of several that write at one moment, here and elsewhere, each writes a whole one, and one of them is the last.
        let mut beside = self.0.clone().into_os_string();
        beside.push(format!(".{:016x}", RandomState::new().hash_one(std::process::id())));
        let beside = PathBuf::from(beside);
        let written = write(&beside, text).and_then(|()| fs::rename(&beside, &self.0));
        if written.is_err() {
            // What is left of it is nobody's; the error is the one to be told.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
