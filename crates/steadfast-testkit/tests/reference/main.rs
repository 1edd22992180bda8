//! Steadfast against what is known of the official SDK besides its recorded answers: the calls its own tests make, and
//! the facts of the specification. All of it lies in `../shared`; where that is not there, the tests that are called
//! `…_if_shared_is_there` compare nothing and say so in one line. In each module another test compares the project's
//! own vectors by the same means.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../checks/mod.rs"]
mod checks;
mod facts;
mod internals;
#[path = "../places/mod.rs"]
mod places;
mod sequences;
mod spec_tests;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use places::{shared_vectors, workspace};

/// The folder with facts of the specification.
fn facts_folder() -> Option<PathBuf> {
    shared_vectors().map(|vectors| vectors.join("../spec/vectors"))
}

/// The folder with the calls of the official SDK's own tests.
fn expectations() -> Option<PathBuf> {
    shared_vectors().map(|vectors| vectors.join("expectations"))
}

/// The project's own vectors.
fn own_vectors() -> PathBuf {
    workspace().join("vectors")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The items of a file that is one JSON list.
fn items(folder: &Path, name: &str) -> Vec<Value> {
    serde_json::from_str(&read(&folder.join(name))).unwrap()
}

/// The items of a file that is one JSON list, with the text of their fields as it stands.
fn raw_items(folder: &Path, name: &str) -> Vec<steadfast_testkit::rule::RawRow> {
    serde_json::from_str(&read(&folder.join(name))).unwrap()
}
