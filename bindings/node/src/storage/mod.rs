//! Storages that are not the crates' own: two JavaScript functions, called at once or with promises, and a server that no call
//! waits for.
//!
//! What the functions answer is text, whatever the caller's own do; `lib/storage.cjs` sees to that. Of `get`: nothing is
//! stored (empty); a record, as JSON, or where it says no more than that behind a `=`: the variation, U+0000 and the goals; or
//! why that cannot be said, behind a `!`. Of `set`: empty, or why it is not kept.

pub(crate) mod here;
pub(crate) mod later;
pub(crate) mod prefetched;

use serde_json::Value;
use steadfast::engine::{GoalList, Record, UserStorageData};
use steadfast::storage::{StorageError, StorageErrorKind};

fn failed(why: impl std::fmt::Display) -> StorageError {
    StorageError::new(StorageErrorKind::Other, why.to_string())
}

/// What an answer of `get` for a user and a campaign says.
fn found(user: &str, campaign: &str, answer: &str) -> Result<Option<Record>, StorageError> {
    if let Some(short) = answer.strip_prefix('=') {
        let (variation, goals) = short.split_once('\0').unwrap_or((short, ""));
        let goals = GoalList::from_text(goals);
        return Ok(Some(Record { goals, ..Record::new(user, campaign, variation) }));
    }
    match answer.strip_prefix('!') {
        Some(why) => Err(failed(why)),
        None if answer.is_empty() => Ok(None),
        None => Record::from_text(answer).map(Some).map_err(failed),
    }
}

/// What an answer of `set` says.
fn kept(answer: &str) -> Result<(), StorageError> {
    if answer.is_empty() { Ok(()) } else { Err(failed(answer)) }
}

/// Records as a list in JSON.
pub(crate) fn records(data: &UserStorageData) -> String {
    Value::from_iter(data.records().iter().map(Record::to_json)).to_string()
}
