//! What a record takes on a real storage: sample users are written, looked at and erased.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use steadfast::engine::{GoalList, Record};
use steadfast::storage::{Claim, Condition, EmbeddedStorage, UserStorage};

use super::Arguments;
use super::sums::bytes;
use crate::failure::Failure;
use crate::storage::{StorageUrl, Use};
use crate::terminal::text::grouped;
use crate::terminal::{print, print_json};

/// What ids of sample users begin with.
const PREFIX: &str = "steadfast-size-";
/// So many users are written when it is not said how many.
const USERS: u64 = 100_000;
/// So many records in one transaction.
const TOGETHER: u64 = 1_000;
/// So many threads erase.
const ERASERS: usize = 128;

pub(super) fn run(arguments: &Arguments, url: &StorageUrl) -> Result<(), Failure> {
    let Some(file) = url.file() else {
        return Err(Failure::new(format!(
            "`{url}` is no file: what a server takes is measured by `cargo bench -p steadfast-testkit --features golden \
             --bench redis`, on one of its own"
        )));
    };
    let storage = url.open(Use::ToKeep)?.ok_or_else(|| Failure::new("`none:` keeps nothing"))?;
    let users = arguments.users.unwrap_or(USERS);
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let before = size(file)?;
    let written = write(&*storage, arguments, users, begun);
    let after = size(file)?;
    // Also what was written before something failed.
    let erased = erase(&*storage, arguments, users, begun);
    written.and(erased)?;
    drop(storage);
    let left = EmbeddedStorage::stats_of(file).map_err(|error| Failure::storage(&error))?;
    let records = users * u64::from(arguments.campaigns);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (record, one) = ((after - before) as f64 / records as f64, (after - before) as f64 / users as f64);
    if arguments.json {
        return print_json(&json!({
            "storage": url.to_string(), "users": users, "records": records, "bytesBefore": before, "bytesAfter": after,
            "bytesPerRecord": record, "bytesPerUser": one, "recordsLeft": left.records,
        }));
    }
    print(&format!(
        "{url}\n  written and erased  {} records of {} users\n  before and after    {before} and {after} bytes\n  \
         a record            {}\n  a user              {}\n  left                {} records\n",
        grouped(records),
        grouped(users),
        bytes(record),
        bytes(one),
        grouped(left.records)
    ))
}

fn write(storage: &dyn UserStorage, arguments: &Arguments, users: u64, begun: u128) -> Result<(), Failure> {
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
            let record = Record::new(user(arguments, begun, number), campaign, variation);
            let record = Record { goals: GoalList::from_text(&goals), ..record };
            Claim { record, goal: None, condition: Condition::Absent, was_read: true }
        });
        for merged in storage.merge_many(claims.collect()) {
            merged.map_err(|error| Failure::stopped(&error))?;
        }
    }
    Ok(())
}

/// Many at once, since what waits at one moment is erased in one transaction.
fn erase(storage: &dyn UserStorage, arguments: &Arguments, users: u64, begun: u128) -> Result<(), Failure> {
    thread::scope(|scope| {
        let part = |first: u64| {
            move || {
                (first..users)
                    .step_by(ERASERS)
                    .try_for_each(|number| storage.erase(&user(arguments, begun, number)).map(drop))
            }
        };
        let parts: Vec<_> = (0..).take(ERASERS).map(|first| scope.spawn(part(first))).collect();
        let failed = |_| Err(Failure::new("a thread panicked while it erased"));
        parts
            .into_iter()
            .try_for_each(|part| part.join().map_or_else(failed, |done| done.map_err(|error| Failure::stopped(&error))))
    })
}

/// An id that nobody has, in no order.
fn user(arguments: &Arguments, begun: u128, number: u64) -> String {
    // An odd factor: every number comes once.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (begun as u64);
    let id = format!("{mixed:016x}");
    let wanted = usize::from(arguments.id_bytes);
    let prefix = &PREFIX[..PREFIX.len().min(wanted.saturating_sub(id.len()))];
    format!("{prefix}{id}{}", "0".repeat(wanted.saturating_sub(prefix.len() + id.len())))
}

fn filled(start: &str, bytes: u16) -> String {
    format!("{start:x<width$}", width = usize::from(bytes))
}

fn size(file: &std::path::Path) -> Result<u64, Failure> {
    let size = std::fs::metadata(file).map(|found| found.len());
    size.map_err(|error| Failure::new(format!("cannot see how large `{}` is: {error}", file.display())))
}
