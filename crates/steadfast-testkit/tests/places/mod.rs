//! Where tests find their data.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The folder `vectors` of `../shared`, where it is there; otherwise one line says that it is not.
#[expect(clippy::print_stdout, reason = "a part of a test that cannot run says so")]
#[allow(dead_code, reason = "not every test that looks for data looks here")]
pub(crate) fn shared_vectors() -> Option<PathBuf> {
    let folder = workspace().join("../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("not compared with the complete vectors: ../shared/vectors is not there");
    None
}
