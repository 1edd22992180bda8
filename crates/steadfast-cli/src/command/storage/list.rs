//! `steadfast storage list`: records for people, or for programs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, value_parser};
use serde_json::json;
use steadfast::engine::Record;
use steadfast::storage::StorageError;

use super::StorageArgument;
use super::record::{GoalField, to_text};
use crate::command::stream;
use crate::failure::Failure;
use crate::storage::Use;
use crate::storage::records::Records;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{padded, printable, shown, width};
use crate::terminal::{self, print};

/// So many rows are shown on a terminal where nobody says how many.
const ROWS: usize = 100;

/// The headings of the table.
const HEADINGS: [&str; 4] = ["user", "campaign", "variation", "goals"];

/// List the records of a storage
///
/// A table on a terminal (the first 100, unless --limit says otherwise), JSON lines in a pipe. Those of a file are
/// sorted by user, then campaign; a server gives them in an order of its own, and reads all of them for --user-prefix.
///
/// Exit status: 0 listed, 2 could not start, 3 stopped before the end, 4 some records cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage list --storage embedded:users.redb
  steadfast storage list --storage embedded:users.redb --user-prefix beta- --campaign checkout-button
  steadfast storage list --storage embedded:users.redb | grep Green | wc -l
  steadfast storage list --storage redis://cache.example:6379 --damaged | jq -r .")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Only users whose id begins with this
    #[arg(long, value_name = "TEXT")]
    user_prefix: Option<String>,
    /// Only this campaign
    #[arg(long, value_name = "KEY")]
    campaign: Option<String>,
    /// At most so many records
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// JSON lines on a terminal, too
    #[arg(long)]
    json: bool,
    /// Instead of records, the users of records on a server that cannot be read, a JSON string a line: `forget` erases such a user
    #[arg(long, conflicts_with_all = ["user_prefix", "campaign", "limit", "json"])]
    damaged: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let storage = arguments.storage.open(Use::ToRead)?;
    let mut records = Records::of(&*storage).map_err(|error| Failure::stopped(&error))?;
    if arguments.damaged {
        return list_damaged(records);
    }
    let prefix = arguments.user_prefix.as_deref().unwrap_or_default();
    let is_sorted = arguments.storage.url.is_sorted();
    let wanted = records
        .by_ref()
        // Where they are sorted, behind the last one that begins so no other does.
        .take_while(|record| {
            !is_sorted
                || record
                    .as_ref()
                    .map_or(true, |record| record.user_id.as_str() < prefix || record.user_id.starts_with(prefix))
        })
        .filter(|record| {
            record.as_ref().map_or(true, |record| {
                record.user_id.starts_with(prefix)
                    && arguments.campaign.as_ref().is_none_or(|campaign| record.campaign_key == *campaign)
            })
        });
    let limit = arguments.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if arguments.json || !terminal::is_person() {
        write_lines(wanted.take(limit.unwrap_or(usize::MAX)))?;
    } else {
        print_table(wanted, limit.unwrap_or(ROWS))?;
    }
    Ok(records.exit_code())
}

fn list_damaged(mut records: Records<'_>) -> Result<ExitCode, Failure> {
    if let Some(error) = records.by_ref().find_map(Result::err) {
        return Err(Failure::stopped(&error));
    }
    let mut users = records.damaged().to_vec();
    users.sort();
    users.dedup();
    // One who is to be erased is named to the letter; an id may have a line's end in it.
    print(&users.iter().map(|user| format!("{}\n", json!(user))).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

fn write_lines(mut records: impl Iterator<Item = Result<Record, StorageError>>) -> Result<(), Failure> {
    let mut output = stream::output(Path::new("-"))?;
    let listed = records.try_for_each(|record| {
        let record = record.map_err(io::Error::other)?;
        writeln!(output, "{}", to_text(&record, GoalField::Singular))
    });
    stream::written(output.flush())?;
    stream::written(listed)
}

fn print_table(mut records: impl Iterator<Item = Result<Record, StorageError>>, limit: usize) -> Result<(), Failure> {
    let rows: Result<Vec<Record>, StorageError> = records.by_ref().take(limit).collect();
    let rows = rows.map_err(|error| Failure::stopped(&error))?;
    let mut table = table(&rows);
    if records.next().is_some() {
        let _ = writeln!(table, "{}", paint(style::QUIET, "There are more: --limit shows them, and so does a pipe."));
    }
    print(&table)
}

/// The records in columns that are as wide as they must be.
fn table(records: &[Record]) -> String {
    if records.is_empty() {
        return "no records\n".to_owned();
    }
    let rows: Vec<[String; 4]> = records
        .iter()
        .map(|record| {
            // A list of goals is read by the separator, which the campaign's own goals may hold: it is shown as it is.
            let goals = printable(record.goals.as_str());
            let goals = if record.activated { goals } else { format!("{goals} (not activated)").trim().to_owned() };
            [shown(&record.user_id), shown(&record.campaign_key), shown(&record.variation_name), goals]
        })
        .collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| rows.iter().map(|row| width(&row[column])).chain([width(HEADINGS[column])]).max().unwrap_or(0))
        .collect();
    let line = |cells: [&str; 4]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut table = format!("{}\n", paint(style::HEADING, line(HEADINGS)));
    for row in &rows {
        let _ = writeln!(table, "{}", line(row.each_ref().map(String::as_str)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut first = Record::new("Ashley", "checkout-button", "Green");
        first.goals.push("purchase");
        let mut second = Record::new("日本", "c", "Control");
        second.activated = false;
        let expected = "user    campaign         variation  goals\n\
                        Ashley  checkout-button  Green      purchase\n\
                        日本    c                Control    (not activated)\n";
        assert_eq!(anstream::adapter::strip_str(&table(&[first, second])).to_string(), expected);
        assert_eq!(table(&[]), "no records\n");
    }
}
