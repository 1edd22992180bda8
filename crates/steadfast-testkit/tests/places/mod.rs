//! Where tests find their data.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The folder `vectors` of `../shared`, where it is there. Otherwise one line says that it is not, past the output that
/// is captured of a test that passes; the names of the tests that look here say that they depend on it.
#[allow(dead_code, reason = "not every test that looks for data looks here")]
pub(crate) fn shared_vectors() -> Option<PathBuf> {
    let folder = workspace().join("../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "NOT COMPARED by {test}: ../shared/vectors is not there");
    None
}
