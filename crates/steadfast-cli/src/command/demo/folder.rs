//! A folder for a while.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new folder among the system's temporary ones, which goes when this is dropped.
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes one whose name nobody has.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new() -> io::Result<Self> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("steadfast-demo-{}-{}", std::process::id(), since_1970.as_nanos());
        let path = std::env::temp_dir().join(name);
        // Fails where the name is taken.
        fs::create_dir(&path)?;
        Ok(TemporaryFolder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed, the system removes some day.
        let _ = fs::remove_dir_all(&self.0);
    }
}
