//! `steadfast storage copy`: all records of one storage, into another.
//!
//! A page is read, written, and noted in the [`state`] file once it is at the target: whoever goes on there copies a page
//! twice at most, and merging twice is merging once. [`batch`] writes a page.

mod batch;
mod state;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use steadfast::storage::{Cursor, EmbeddedStorage, Page, StorageError, UserStorage};

use self::batch::Counts;
use self::state::{State, StateFile};
use super::open;
use crate::command::{refuse_to_overwrite, stream};
use crate::failure::{Failure, NOT_KEPT};
use crate::storage::{StorageUrl, Use};
use crate::terminal::text::{counted, grouped};
use crate::terminal::{print, print_json};

/// How many records are read, and written, at once.
const PAGE: usize = 1_000;

/// Copy all records of a storage into another
///
/// What is at the target stays: its variation is kept, and goals are united. --overwrite puts the
/// copied records over it. Both storages may be in use meanwhile, if they are servers: a record that
/// is written at the source behind the place that is read does not come along, so copy once more
/// when its writers have moved.
///
/// With --resume FILE a copy that was killed, or that had to stop, goes on where it was: the file
/// holds the place, and is removed at the end. Start it again with the same arguments. A single
/// Redis server cannot be read on from a place after a restart: then the copy starts over, and says
/// so. What is at the target already is merged once more, which changes nothing.
///
/// A password is better off in the variables STEADFAST_COPY_FROM and STEADFAST_COPY_TO than among
/// the arguments, where other users of the machine see it.
///
/// Exit status: 0 all is copied, or kept because the target had another variation; 2 could not
/// start; 3 stopped before the end; 4 the target could not keep some records.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  steadfast storage copy embedded:users.redb redis://cache.example:6379
  steadfast storage copy embedded:users.redb embedded:other.redb --resume copy.json
  steadfast storage copy redis://cache.example:6379 memory:      # only look whether all can be read")]
pub(super) struct Arguments {
    /// The storage to read: `embedded:PATH`, `redis://HOST:PORT`, ... as for `--storage` of the other commands
    #[arg(value_name = "FROM", env = "STEADFAST_COPY_FROM", hide_env_values = true)]
    from: StorageUrl,
    /// The storage to write; a file that is not there is made
    #[arg(value_name = "TO", env = "STEADFAST_COPY_TO", hide_env_values = true)]
    to: StorageUrl,
    /// Keep the place in this file, and go on there if it is there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Put the records over what is at the target
    #[arg(long)]
    overwrite: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    refuse_senseless(&arguments.from, &arguments.to)?;
    let file = arguments.resume.as_deref().map(|path| state_file(path, arguments)).transpose()?;
    let left = file.as_ref().map(StateFile::read).transpose()?.flatten();
    let total = total(&arguments.from);
    let from = open(&arguments.from, Use::ToRead)?;
    if left.is_some() && arguments.to.file().is_some_and(|target| !target.exists()) {
        return Err(Failure::new(format!(
            "what was copied before is gone with `{}`: remove the state file to start over",
            arguments.to
        )));
    }
    let to = open(&arguments.to, if left.is_some() { Use::WhatIsThere } else { Use::ToKeep })?;
    if let Some(left) = &left
        && left.counts.copied > 0
        && is_empty(&*to).map_err(|error| Failure::storage(&error))?
    {
        return Err(Failure::new(format!(
            "what was copied before is gone: nothing is in `{}`: remove the state file to start over",
            arguments.to
        )));
    }
    let mut copy = Copy {
        from: &*from,
        to: &*to,
        overwrite: arguments.overwrite,
        file: file.as_ref(),
        progress: stream::progress_in_records(total, true),
        counts: Counts::default(),
        resumed: false,
    };
    let done = copy.run(left);
    copy.progress.finish_and_clear();
    done.map_err(|error| stopped(&error, &copy, &arguments.from))?;
    if arguments.json {
        print_json(&copy.to_json())?;
    } else {
        print(&copy.report(&arguments.from, &arguments.to))?;
    }
    if let Some(failure) = &copy.counts.first_failure {
        anstream::eprintln!("{} could not be copied: {failure}", counted(copy.counts.failed, "record"));
        return Ok(ExitCode::from(NOT_KEPT));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether nothing is stored there, as far as can be told.
fn is_empty(storage: &dyn UserStorage) -> Result<bool, StorageError> {
    let mut from = None;
    loop {
        let page = storage.scan(from.as_ref(), 1)?;
        if !page.records.is_empty() || !page.damaged.is_empty() {
            return Ok(false);
        }
        let Some(next) = page.next else { return Ok(true) };
        from = Some(next);
    }
}

/// Copying from where nothing can be, or onto itself.
fn refuse_senseless(from: &StorageUrl, to: &StorageUrl) -> Result<(), Failure> {
    if matches!(from, StorageUrl::Memory) {
        return Err(Failure::new(
            "`memory:` is empty at the start, so there is nothing to copy: name a storage such as `embedded:users.redb`",
        ));
    }
    let file = |url: &StorageUrl| url.file().and_then(|path| path.canonicalize().ok());
    let one_file = file(from).is_some_and(|file_of_from| file(to) == Some(file_of_from));
    if one_file || from.identity() == to.identity() {
        return Err(Failure::new(format!("`{from}` and `{to}` are the same storage: name another one to copy to")));
    }
    Ok(())
}

/// The state file, which is none of the files that are copied.
fn state_file(path: &Path, arguments: &Arguments) -> Result<StateFile, Failure> {
    if matches!(arguments.to, StorageUrl::Memory) {
        return Err(Failure::new(
            "`memory:` is gone at the end, so there is nothing to go on with: leave --resume out, or copy to a storage \
             that stays",
        ));
    }
    let storages: Vec<&Path> = [&arguments.from, &arguments.to].into_iter().filter_map(StorageUrl::file).collect();
    let file = StateFile::new(path, &arguments.from, &arguments.to, arguments.overwrite);
    refuse_to_overwrite(path, &storages)?;
    refuse_to_overwrite(file.beside(), &storages)?;
    Ok(file)
}

/// How many records there are, where somebody watches and it is quickly counted.
fn total(from: &StorageUrl) -> Option<u64> {
    let file = from.file().filter(|_| io::stderr().is_terminal())?;
    // What is wrong with it is said when it is opened.
    EmbeddedStorage::stats_of(file).ok().map(|stats| stats.records)
}

fn stopped(error: &Stopped, copy: &Copy<'_>, from: &StorageUrl) -> Failure {
    let (side, error) = match error {
        Stopped::Read(error) => ("the storage to copy from", error),
        Stopped::Write(error) => ("the storage to copy to", error),
        Stopped::State(failure) => return Failure::stopped(failure),
    };
    let next = match copy.file {
        Some(_) if from.is_read_on() => "the same command goes on where it was",
        Some(_) => "the same command starts over, which changes nothing at the target",
        None => "what is copied is kept, and the same command copies the rest; --resume FILE would keep the place",
    };
    let records = counted(copy.counts.read, "record");
    Failure::stopped(&format!("{side}: {error}\n       {records} were read and written: {next}"))
}

/// What ended a copy before its end.
enum Stopped {
    Read(StorageError),
    Write(StorageError),
    State(Failure),
}

struct Copy<'c> {
    from: &'c dyn UserStorage,
    to: &'c dyn UserStorage,
    overwrite: bool,
    file: Option<&'c StateFile>,
    progress: ProgressBar,
    counts: Counts,
    /// Whether it went on where an earlier one was.
    resumed: bool,
}

impl Copy<'_> {
    /// Copies from where an earlier one `left` off, or from the beginning.
    fn run(&mut self, left: Option<State>) -> Result<(), Stopped> {
        let mut page = self.first(left)?;
        loop {
            let Page { records, damaged, next } = page;
            let mut counts = batch::write(self.to, &records, self.overwrite).map_err(Stopped::Write)?;
            counts.add(Counts::damaged(damaged.len() as u64));
            self.progress.inc(counts.read);
            self.counts.add(counts);
            let Some(next) = next else { break };
            if let Some(file) = self.file {
                file.write(&next, &self.counts).map_err(Stopped::State)?;
            }
            page = self.read(Some(&next))?;
        }
        self.file.map_or(Ok(()), StateFile::remove).map_err(Stopped::State)
    }

    /// The page to begin with.
    fn first(&mut self, left: Option<State>) -> Result<Page, Stopped> {
        let Some(left) = left else { return self.read(None) };
        match self.from.scan(Some(&left.cursor), PAGE) {
            Ok(page) => {
                anstream::eprintln!("going on after {}", counted(left.counts.read, "record"));
                self.progress.set_position(left.counts.read);
                self.progress.reset_eta();
                self.counts = left.counts;
                self.resumed = true;
                Ok(page)
            }
            // It may well go on there, and later.
            Err(error) if error.is_temporary() => Err(Stopped::Read(error)),
            Err(error) => {
                anstream::eprintln!("starting over, since the storage cannot be read on from its place: {error}");
                self.read(None)
            }
        }
    }

    fn read(&self, from: Option<&Cursor>) -> Result<Page, Stopped> {
        self.from.scan(from, PAGE).map_err(Stopped::Read)
    }

    fn report(&self, from: &StorageUrl, to: &StorageUrl) -> String {
        let counts = &self.counts;
        let row = |word: &str, count: u64, words: &str| {
            format!("{word:<7}{:>13}  {words}", grouped(count)).trim_end().to_owned() + "\n"
        };
        let kept = if counts.kept > 0 { "because the target had another variation; goals were united" } else { "" };
        [
            row("read", counts.read, &format!("from {from}")),
            row("copied", counts.copied, &format!("to {to}")),
            row("kept", counts.kept, kept),
            row("failed", counts.failed, ""),
        ]
        .concat()
    }

    fn to_json(&self) -> Value {
        let counts = &self.counts;
        json!({
            "read": counts.read,
            "copied": counts.copied,
            "keptOtherVariation": counts.kept,
            "failed": counts.failed,
            "firstFailure": counts.first_failure,
            "resumed": self.resumed,
        })
    }
}
