//! `steadfast storage forget`: a user is erased.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::StorageArgument;
use crate::failure::Failure;
use crate::storage::Use;
use crate::terminal::text::{counted, shown};
use crate::terminal::{print, print_json};

/// Erase all that is stored for a user
///
/// It asks for nothing, and cannot be taken back. A user who comes again is new. In a file the place of the records is
/// free for others, and their bytes may be read there until it is used. What is damaged goes, too.
///
/// Exit status: 0 erased, or there was nothing to erase; 2 could not start, 3 the storage cannot erase it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage forget Ashley --storage embedded:users.redb
  steadfast storage forget Ashley --storage redis://cache.example:6379 --json")]
pub(super) struct Arguments {
    /// The user's id
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    storage: StorageArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let storage = arguments.storage.open(Use::WhatIsThere)?;
    let erased = storage.erase(&arguments.user).map_err(|error| Failure::stopped(&error))?;
    if arguments.json {
        let storage = arguments.storage.url.to_string();
        print_json(&json!({ "userId": arguments.user, "storage": storage, "erased": erased }))?;
    } else {
        let (records, url) = (counted(erased, "record"), &arguments.storage.url);
        print(&format!("erased {records} of {} from {url}\n", shown(&arguments.user)))?;
    }
    Ok(ExitCode::SUCCESS)
}
