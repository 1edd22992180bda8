//! `steadfast storage compact`: a file is made as small as it can be.

use std::process::ExitCode;

use clap::Args;
use indicatif::BinaryBytes;
use serde_json::json;
use steadfast::storage::EmbeddedStorage;

use super::StorageArgument;
use crate::failure::Failure;
use crate::terminal::{print, print_json};

/// Make a storage file as small as it can be
///
/// Free pages are given back to the file system. The file is verified first, and nobody may have it open.
///
/// Exit status: 0 done, 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  steadfast storage compact --storage embedded:users.redb")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = arguments.storage.file()?;
    let compacted = EmbeddedStorage::compact(file).map_err(|error| Failure::storage(&error))?;
    if arguments.json {
        let name = file.display().to_string();
        print_json(&json!({ "file": name, "bytesBefore": compacted.before, "bytesAfter": compacted.after }))?;
    } else {
        let (before, after) = (BinaryBytes(compacted.before), BinaryBytes(compacted.after));
        print(&format!("{}: {before} before, {after} after\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
