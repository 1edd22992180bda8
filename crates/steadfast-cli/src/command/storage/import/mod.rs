//! `steadfast storage import`: records from a file of lines, in one of three forms.
//!
//! [`Format::Steadfast`] is what `export` writes. [`optimizely`] and [`growthbook`] read what other products keep; their
//! names for campaigns and variations become ours through [`names`].

mod growthbook;
mod names;
mod optimizely;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use steadfast::engine::Record;

use self::names::Names;
use self::report::Import;
use super::StorageArgument;
use super::lines::Lines;
use super::record;
use super::write::{How, Writer};
use crate::command::{settings, stream};
use crate::failure::{Failure, NOT_KEPT};
use crate::storage::Use;
use crate::terminal::{print, print_json};

/// Read records from JSON lines into a storage
///
/// What is there already stays: its variation is kept, and goals are united. --overwrite puts the
/// imported records over it. A line that cannot be read is named with its number and left out; all
/// others are taken. With `--storage memory:` nothing is kept, which tries a file out.
///
/// The formats:
///   steadfast   what `export` writes, and VWO's SDKs give to `set`;
///               `goalIdentifiers` is read as `goalIdentifier`
///   optimizely  user profiles:
///               {"user_id":"Ashley","experiment_bucket_map":{
///                 "EXPERIMENT_ID":{"variation_id":"VARIATION_ID"}}}
///   growthbook  documents of sticky buckets:
///               {"attributeName":"id","attributeValue":"Ashley","assignments":{
///                 "EXPERIMENT__0":"VARIATION"}}
///
/// The last two name experiments and variations in their own way. --map says what they are called
/// here, where null leaves an experiment out:
///   {"experiments":{
///     "EXPERIMENT":{"campaign":"checkout-button","variations":{"VARIATION":"Green"}},
///     "OLD":null}}
/// --settings maps by itself what the settings file knows: for Optimizely the ids of campaigns and
/// variations; for GrowthBook the keys of campaigns, and variations by name, or by place (from 0)
/// where the name is a number. What nothing maps is counted and named. Imported users count as
/// activated, without goals.
///
/// Exit status: 0 all is imported, 1 some line was malformed or something has no name here,
/// 2 could not start, 3 stopped before the end, 4 the storage could not keep some records.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  steadfast storage import --storage embedded:users.redb --input users.ndjson
  steadfast storage import --storage memory: --input users.ndjson               # only try it
  steadfast storage import --storage embedded:users.redb --format optimizely \\
      --settings settings.json --map map.json --input profiles.ndjson")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Where the lines come from; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// What the lines are
    #[arg(long, value_enum, default_value_t = Format::Steadfast)]
    format: Format,
    /// Put the records over what is there
    #[arg(long)]
    overwrite: bool,
    /// What experiments and variations are called here, as a JSON file
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// A settings file, which knows ids, keys and names
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Which attribute of GrowthBook's is the user's id; documents of others are passed over
    #[arg(long, value_name = "NAME", default_value = "id")]
    attribute: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Records as VWO's SDKs have them
    Steadfast,
    /// User profiles of Optimizely
    Optimizely,
    /// Sticky buckets of GrowthBook
    Growthbook,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.format == Format::Steadfast && (arguments.map.is_some() || arguments.settings.is_some()) {
        return Err(Failure::new(
            "records have their names already: --map and --settings go with `--format optimizely` or `growthbook`",
        ));
    }
    let mut names = Names::new(arguments.map.as_deref(), arguments.settings.as_deref().map(settings).transpose()?)?;
    if arguments.format != Format::Steadfast && names.is_empty() {
        return Err(Failure::new(
            "other products have names of their own: say what they are called here with --map, --settings or both",
        ));
    }
    let (input, size) = stream::input(&arguments.input)?;
    let storage = arguments.storage.open(Use::ToKeep)?;
    let mut writer = Writer::new(&*storage, if arguments.overwrite { How::Overwrite } else { How::Merge });
    let progress = stream::progress_in_bytes(size, !stream::is_typed(&arguments.input));
    let mut read = 0;
    let take = |lines: Vec<Vec<Record>>| {
        for record in lines.into_iter().flatten() {
            read += 1;
            writer.add(record);
        }
        writer.write_batches().map(drop)
    };
    let lines = match arguments.format {
        Format::Steadfast => Lines::read(input, &progress, |line| record::read(line).map(|record| vec![record]), take),
        Format::Optimizely => Lines::read(input, &progress, |line| optimizely::read(line, &mut names), take),
        Format::Growthbook => {
            Lines::read(input, &progress, |line| growthbook::read(line, &arguments.attribute, &mut names), take)
        }
    };
    let lines = lines.and_then(|lines| writer.write_rest().map(|_| lines));
    progress.finish_and_clear();
    let import = Import { lines: lines?, read, fate: writer.fate, names };
    if arguments.json {
        print_json(&import.to_json())?;
    } else {
        print(&import.report())?;
    }
    Ok(ExitCode::from(match () {
        () if import.fate.failed > 0 => NOT_KEPT,
        () if import.lines.malformed > 0 || import.names.has_unmapped() => 1,
        () => 0,
    }))
}
