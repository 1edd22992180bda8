//! `steadfast events`: what is kept on disk for the collector. One file for each of its commands.

mod replay;
mod stats;
mod tail;
mod to;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::{Failure, check_path};

pub(super) use to::{EventsTo, Sent};

/// Look at events that are kept on disk, and send them
///
/// A directory of them is what a client with a spool writes, and `steadfast batch --events DIR`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  steadfast batch --settings settings.json --input calls.ndjson --events events   # keep, send nothing
  steadfast events stats events
  steadfast events tail events --follow | jq .campaignId
  steadfast events replay events                                                   # send

`steadfast events COMMAND --help` has more of them.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(tail::Arguments),
    Replay(replay::Arguments),
    Stats(stats::Arguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Tail(arguments) => tail::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
    }
}

/// A directory with events.
#[derive(Debug, Args)]
struct Directory {
    /// The directory that they are in
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Directory {
    /// It, if events are kept there, or were: a wrong path is not made, and is not taken for one whose events are sent.
    fn path(&self) -> Result<&Path, Failure> {
        let path = &*self.directory;
        if path.is_dir() {
            let is_spool = |name: &std::ffi::OsStr| name == "lock" || name.to_string_lossy().ends_with(".events");
            let mut entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            if entries.any(|entry| is_spool(&entry.file_name())) {
                return Ok(path);
            }
            let shown = path.display();
            return Err(Failure::new(format!(
                "no events are kept in `{shown}`: name the directory of a program's spool"
            )));
        }
        let what = if path.exists() { "is no directory" } else { "is not there" };
        Err(Failure::new(format!("`{}` {what}: {}", path.display(), check_path(path))))
    }
}
