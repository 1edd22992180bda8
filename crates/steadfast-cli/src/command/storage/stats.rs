//! `steadfast storage stats`: how much is stored.

use std::process::ExitCode;

use clap::Args;
use indicatif::BinaryBytes;
use serde_json::json;
use steadfast::storage::EmbeddedStorage;

use super::StorageArgument;
use crate::failure::Failure;
use crate::terminal::style::{self, paint};
use crate::terminal::text::grouped;
use crate::terminal::{print, print_json};

/// Say how much a storage file holds
///
/// Reads through all of it, and writes nothing.
///
/// Exit status: 0 said, 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  steadfast storage stats --storage embedded:users.redb")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = arguments.storage.file()?;
    let stats = EmbeddedStorage::stats_of(file).map_err(|error| Failure::storage(&error))?;
    let name = file.display();
    if arguments.json {
        print_json(&json!({
            "file": name.to_string(),
            "records": stats.records,
            "users": stats.users,
            "bytesOnDisk": stats.bytes_on_disk,
            "bytesStored": stats.bytes_stored,
        }))?;
    } else {
        let heading = paint(style::HEADING, name);
        let (records, users) = (grouped(stats.records), grouped(stats.users));
        let (disk, stored) = (BinaryBytes(stats.bytes_on_disk), BinaryBytes(stats.bytes_stored));
        print(&format!(
            "{heading}\n  records  {records}\n  users    {users}\n  on disk  {disk}, of which {stored} are records\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
