//! `steadfast storage forget`: a user is erased.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use steadfast::storage::StorageErrorKind;
use steadfast::storage::layer::write_behind::erase_in_journal;

use super::StorageArgument;
use crate::failure::Failure;
use crate::storage::Use;
use crate::storage::url::refuse_missing_journal;
use crate::terminal::text::{counted, shown};
use crate::terminal::{print, print_json};

/// Erase all that is stored for a user
///
/// It asks for nothing, and cannot be taken back. A user who comes again is new. In a file the place of the records is
/// free for others, and their bytes may be read there until it is used. What is damaged goes, too.
///
/// Programs that keep writes back may still have some of the user, and would send them afterwards. A running one erases
/// with its client (`Client::erase`), which also forgets what it remembers. What one that has ended left in its journal is
/// forgotten with --journal, and the program erases the user once more when it next begins, for as long as 7 days from
/// now. What waits there for others is left for it. The journal is first: it needs no server.
///
/// A program that keeps pseudonyms stores users under other ids, which only it knows: without its key they are not found
/// here. Erase such a user with its client, or with --journal, which it follows.
///
/// Exit status: 0 erased, or there was nothing to erase; 2 could not start, 3 the storage cannot erase it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage forget Ashley --storage embedded:users.redb
  steadfast storage forget Ashley --storage redis://cache.example:6379 --json
  steadfast storage forget Ashley --storage redis://cache.example:6379 --journal steadfast.journal")]
pub(super) struct Arguments {
    /// The user's id
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    storage: StorageArgument,
    /// The journal of a program that has ended (`write_behind`): erase the user there, too
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// So long does a journal tell the program that the user is to be erased.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(journal) = &arguments.journal {
        refuse_missing_journal(journal)?;
    }
    // The journal first: what is in it can be sent by nobody then.
    let waited = arguments.journal.as_deref().map(|journal| erase_in(journal, &arguments.user)).transpose()?;
    let stays = |error: Failure| match &arguments.journal {
        Some(_) => error.with("the journal has the erasing, and the program follows it when it begins"),
        None => error,
    };
    let storage = arguments.storage.open(Use::WhatIsThere).map_err(stays)?;
    let erased = storage.erase(&arguments.user).map_err(|error| stays(Failure::stopped(&error)))?;
    if arguments.json {
        let storage = arguments.storage.url.to_string();
        let mut report = json!({ "userId": arguments.user, "storage": storage, "erased": erased });
        if let Some(waited) = waited {
            report["erasedInJournal"] = waited.into();
        }
        print_json(&report)?;
    } else {
        let (records, url) = (counted(erased, "record"), &arguments.storage.url);
        print(&format!("erased {records} of {} from {url}\n", shown(&arguments.user)))?;
        if let Some(waited) = waited {
            let waited = counted(waited, "campaign");
            print(&format!(
                "erased what waited for {waited} in the journal; the program erases the user once more when it begins\n"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Erases a user in the journal of a program that has ended: in how many campaigns something waited.
fn erase_in(journal: &Path, user: &str) -> Result<u64, Failure> {
    erase_in_journal(journal, user, KEEP).map_err(|error| match error.kind() {
        StorageErrorKind::InUse => Failure::new(format!(
            "the journal `{}` is open in a program that runs: stop it, or let it erase the user with `Client::erase`",
            journal.display()
        )),
        _ => Failure::storage(&error),
    })
}
