//! `steadfast storage forget`: a user is erased.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use steadfast::storage::bridge::{Offloaded, Waited};
use steadfast::storage::layer::write_behind::{Journal, WhenRefused, WriteBehind, WriteBehindOptions};
use steadfast::storage::{StorageError, StorageErrorKind, UserStorage};

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
/// forgotten with --journal; the rest of that journal is then sent to the storage, as the program itself would do at its
/// next start, and what the storage refuses stays in it.
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
    /// The journal of a program that has ended (`write_behind`): erase the user there, too, and send the rest of it
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// So long may erasing take, and sending what else is in a journal.
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(journal) = &arguments.journal {
        refuse_missing_journal(journal)?;
    }
    let storage = arguments.storage.open(Use::WhatIsThere)?;
    let (erased, left) = match &arguments.journal {
        None => (storage.erase(&arguments.user).map_err(|error| Failure::stopped(&error))?, None),
        Some(journal) => {
            let (erased, left) = erase_with(journal, storage, &arguments.user)?;
            (erased, Some(left))
        }
    };
    if arguments.json {
        let storage = arguments.storage.url.to_string();
        print_json(&match left {
            None => json!({ "userId": arguments.user, "storage": storage, "erased": erased }),
            Some(left) => {
                json!({ "userId": arguments.user, "storage": storage, "erased": erased, "leftInJournal": left })
            }
        })?;
    } else {
        let (records, url) = (counted(erased, "record"), &arguments.storage.url);
        print(&format!("erased {records} of {} from {url}\n", shown(&arguments.user)))?;
        match left {
            None => {}
            Some(0) => print("the journal is empty: what else was in it is at the storage\n")?,
            Some(left) => {
                let left = counted(left, "place");
                print(&format!("the journal has {left} of other users still: the storage has not taken them\n"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Erases a user in a storage and in the journal of a program that has ended: how many records there were, and how many
/// places of others are left in the journal.
fn erase_with(journal: &Path, storage: Arc<dyn UserStorage>, user: &str) -> Result<(u64, u64), Failure> {
    let options = WriteBehindOptions {
        journal: Journal::Always(journal.to_owned()),
        // It is not for us to lose it.
        when_refused: WhenRefused::Park,
        wait: DEADLINE,
        ..WriteBehindOptions::default()
    };
    let opening = async move { WriteBehind::new(Offloaded::new(storage), options) };
    let layer = Waited::open(opening, DEADLINE, DEADLINE).map_err(|error| match error.kind() {
        StorageErrorKind::InUse => Failure::new(format!(
            "the journal `{}` is open in a program that runs: stop it, or let it erase the user with `Client::erase`",
            journal.display()
        )),
        _ => Failure::storage(&error),
    })?;
    // It says itself when it is late.
    let patience = 2 * DEADLINE;
    let layer = layer.with_write_deadline(patience);
    let erased = layer.erase(user);
    let ended = layer.call(patience, |layer| async move { layer.shutdown(DEADLINE).await });
    let erased = erased.map_err(|error| Failure::stopped(&kept_for_later(&error)))?;
    let left = ended.map_err(|error| Failure::stopped(&error))?.map_or_else(|unsent| unsent.in_journal, |()| 0);
    Ok((erased, left))
}

fn kept_for_later(error: &StorageError) -> String {
    if error.is_temporary() {
        format!("{error}; the journal keeps it, and whoever opens it next erases the user")
    } else {
        error.to_string()
    }
}
