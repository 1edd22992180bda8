//! `steadfast storage export`: every record as a line of JSON.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use steadfast::storage::UserStorage;

use super::StorageArgument;
use super::record::{GoalField, to_text};
use crate::command::stream::Replacement;
use crate::command::{refuse_to_overwrite, stream};
use crate::failure::Failure;
use crate::storage::Use;
use crate::storage::records::Records;
use crate::terminal::text::counted;

/// Write all records as JSON lines
///
/// One record a line, in the form that VWO's SDKs give to `set`: {"userId":...,"campaignKey":...,"variationName":...},
/// with "goalIdentifier" and "metaData" where there are any. Those of a file are sorted by user, then campaign; a server gives
/// them in an order of its own. A record that was decided
/// and never activated has "activated": false. A file that is there is replaced once all that can be read is written, and
/// stays as it is if that fails.
///
/// Exit status: 0 all of it is written, 2 could not start, 3 stopped before the end, 4 some records cannot be read, and the others are written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage export --storage embedded:users.redb --output users.ndjson
  steadfast storage export --storage embedded:users.redb --goal-field goalIdentifiers | gzip > users.ndjson.gz")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Where they go; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// How the field for goals is spelled
    #[arg(long, value_enum, default_value_t = GoalField::Singular)]
    goal_field: GoalField,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let read: Vec<&Path> = arguments.storage.url.file().into_iter().collect();
    refuse_to_overwrite(&arguments.output, &read)?;
    let storage = arguments.storage.open(Use::ToRead)?;
    let mut output = Replacement::of(&arguments.output, &read)?;
    let progress = stream::progress_in_records(None, !stream::is_watched(&arguments.output));
    let exported = export(&*storage, arguments.goal_field, &mut output, &progress);
    progress.finish_and_clear();
    let exit_code = exported.as_ref().map_or(ExitCode::SUCCESS, |code| *code);
    stream::written(output.end(exported.map(drop)))?;
    if arguments.output.as_os_str() != "-" {
        let records = counted(progress.position(), "record");
        anstream::eprintln!("{records} written to {}", arguments.output.display());
    }
    Ok(exit_code)
}

fn export(
    storage: &dyn UserStorage,
    goals: GoalField,
    output: &mut impl Write,
    progress: &ProgressBar,
) -> io::Result<ExitCode> {
    let mut records = Records::of(storage).map_err(io::Error::other)?;
    for record in records.by_ref() {
        writeln!(output, "{}", to_text(&record.map_err(io::Error::other)?, goals))?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(records.exit_code())
}
