//! `steadfast storage put`: records are set, or claimed.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use steadfast::engine::Record;

use super::StorageArgument;
use super::lines::Lines;
use super::record::{self, GoalField, to_text};
use super::write::{How, Writer};
use crate::command::stream;
use crate::failure::{Failure, NOT_KEPT};
use crate::storage::Use;
use crate::terminal::text::counted;
use crate::terminal::{print, print_json};

/// Put records into a storage, over whatever is there
///
/// A record is a JSON object: {"userId":...,"campaignKey":...,"variationName":...}, and where there are any
/// "goalIdentifier" (the goals already counted, separated by _vwo_) and "metaData". With --if-absent the first variation
/// stays, goals are united, and what is stored in the end is printed, a line for each record.
///
/// Exit status: 0 all are stored, 1 some line was malformed, 2 could not start, 3 stopped before the end, 4 the storage
/// could not keep some of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage put --storage embedded:users.redb \\
      '{\"userId\":\"Ashley\",\"campaignKey\":\"checkout-button\",\"variationName\":\"Green\"}'
  steadfast storage put --storage embedded:users.redb --if-absent < records.ndjson")]
pub(super) struct Arguments {
    /// The record; without it, records are read from standard input, one a line
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    #[command(flatten)]
    storage: StorageArgument,
    /// Claim instead of setting: who was first stays, and is printed
    #[arg(long)]
    if_absent: bool,
    /// Print one JSON object instead of text
    #[arg(long, conflicts_with = "if_absent")]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let one = arguments.record.as_deref().filter(|record| *record != "-").map(|text| {
        record::read(text).map_err(|message| {
            Failure::new(format!(
                "the record {message}: give an object such as \
                 '{{\"userId\":\"Ashley\",\"campaignKey\":\"checkout\",\"variationName\":\"Green\"}}'"
            ))
        })
    });
    let one = one.transpose()?;
    let storage = arguments.storage.open(Use::ToKeep)?;
    let how = if arguments.if_absent { How::Merge } else { How::Overwrite };
    let mut writer = Writer::new(&*storage, how);
    let mut malformed = 0;
    match one {
        Some(record) => writer.add(record),
        None => malformed = read_lines(&mut writer)?,
    }
    print_stored(&writer.write_rest()?)?;
    let fate = &writer.fate;
    if arguments.json {
        print_json(&json!({ "stored": fate.stored(), "failed": fate.failed, "malformed": malformed }))?;
    } else if !arguments.if_absent {
        print(&format!("{} stored\n", counted(fate.stored(), "record")))?;
    }
    if let Some(failure) = &fate.first_failure {
        anstream::eprintln!("{} could not be kept: {failure}", counted(fate.failed, "record"));
        return Ok(ExitCode::from(NOT_KEPT));
    }
    Ok(if malformed > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Takes the lines of standard input; how many of them were malformed.
fn read_lines(writer: &mut Writer<'_>) -> Result<u64, Failure> {
    let (input, size) = stream::input(Path::new("-"))?;
    let progress = stream::progress_in_bytes(size, false);
    let lines = Lines::read(input, &progress, record::read, |records| {
        records.into_iter().for_each(|record| writer.add(record));
        print_stored(&writer.write_batches()?)
    })?;
    Ok(lines.malformed)
}

fn print_stored(records: &[Record]) -> Result<(), Failure> {
    let mut output = stream::output(Path::new("-"))?;
    let written = records
        .iter()
        .try_for_each(|record| writeln!(output, "{}", to_text(record, GoalField::Singular)))
        .and_then(|()| output.flush());
    stream::written(written)
}
