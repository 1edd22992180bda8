//! What a record takes on a disk: a file of sample users is written, made small, and removed.

use std::path::Path;

use serde_json::json;
use steadfast::engine::{GoalList, Record};
use steadfast::storage::{Claim, Condition, EmbeddedStorage, UserStorage};

use super::Arguments;
use super::sums::bytes;
use crate::failure::Failure;
use crate::storage::StorageUrl;
use crate::terminal::text::grouped;
use crate::terminal::{print, print_json};

/// So many users are written when it is not said how many.
const USERS: u64 = 100_000;
/// So many records in one transaction.
const TOGETHER: u64 = 1_000;

pub(super) fn run(arguments: &Arguments, url: &StorageUrl) -> Result<(), Failure> {
    let Some(path) = url.file() else {
        return Err(Failure::new(format!(
            "`{url}` is no file: what a server takes is measured by `cargo bench -p steadfast-testkit --features golden \
             --bench redis`, on one of its own"
        )));
    };
    // Never beside users of somebody's: what a killed measurement leaves is a file of its own.
    if path.exists() {
        return Err(Failure::new(format!("`{url}` is there: name a file that is not, which is removed at the end")));
    }
    let users = arguments.users.unwrap_or(USERS);
    let storage = EmbeddedStorage::open(path).map_err(|error| Failure::storage(&error))?;
    let written = write(&storage, arguments, users);
    drop(storage);
    let measured = written.and_then(|()| measure(path));
    let removed = std::fs::remove_file(path);
    let (grown, compact) = measured?;
    removed.map_err(|error| Failure::new(format!("`{}` cannot be removed: {error}", path.display())))?;
    let records = users * u64::from(arguments.campaigns);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (record, one) = (compact as f64 / records as f64, compact as f64 / users as f64);
    if arguments.json {
        return print_json(&json!({
            "storage": url.to_string(), "users": users, "records": records, "bytesAsWritten": grown,
            "bytesCompact": compact, "bytesPerRecord": record, "bytesPerUser": one,
        }));
    }
    print(&format!(
        "{url}\n  written and removed  {} records of {} users\n  the file             {}, {} after `compact`\n  \
         a record             {}\n  a user               {}\n",
        grouped(records),
        grouped(users),
        bytes(grown as f64),
        bytes(compact as f64),
        bytes(record),
        bytes(one),
    ))
}

/// The size of the file as it was written, which grows in steps, and with no page free.
fn measure(path: &Path) -> Result<(u64, u64), Failure> {
    let compacted = EmbeddedStorage::compact(path).map_err(|error| Failure::storage(&error))?;
    Ok((compacted.before, compacted.after))
}

fn write(storage: &dyn UserStorage, arguments: &Arguments, users: u64) -> Result<(), Failure> {
    let goals: Vec<String> =
        (0..arguments.goals).map(|goal| filled(&format!("{goal:02}"), arguments.goal_bytes)).collect();
    let goals = goals.join("_vwo_");
    let campaigns = u64::from(arguments.campaigns);
    let many = (TOGETHER / campaigns).max(1);
    for first in (0..users).step_by(usize::try_from(many).unwrap_or(1)) {
        let claims = (first..(first + many).min(users)).flat_map(|number| (0..campaigns).map(move |of| (number, of)));
        let claims = claims.map(|(number, of)| {
            let campaign = filled(&format!("{of:04}"), arguments.campaign_bytes);
            let variation = filled("", arguments.variation_bytes);
            let record = Record::new(user(arguments, number), campaign, variation);
            let record = Record { goals: GoalList::from_text(&goals), ..record };
            Claim { record, goal: None, condition: Condition::Absent, was_read: true }
        });
        for merged in storage.merge_many(claims.collect()) {
            merged.map_err(|error| Failure::stopped(&error))?;
        }
    }
    Ok(())
}

/// Ids in no order.
fn user(arguments: &Arguments, number: u64) -> String {
    // An odd factor: every number comes once.
    let id = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    format!("{id:0<width$}", width = usize::from(arguments.id_bytes))
}

fn filled(start: &str, bytes: u16) -> String {
    format!("{start:x<width$}", width = usize::from(bytes))
}
