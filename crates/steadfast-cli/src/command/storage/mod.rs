//! `steadfast storage`: looking into a storage, and changing what is there. One file for each of its commands.
//!
//! [`record`] is a record as text, [`lines`] reads many of them, [`write`](mod@write) hands them to the storage.

mod audit;
mod bench;
mod check;
mod compact;
mod copy;
mod export;
mod forget;
mod get;
mod import;
mod lines;
mod list;
mod put;
mod record;
mod size;
mod stats;
mod write;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use steadfast::storage::UserStorage;

use crate::failure::Failure;
use crate::storage::{StorageUrl, Use};

/// Look into a storage, and change what is there
///
/// A storage keeps one record for each user and campaign: which variation the user sees, and which goals were counted.
/// In a file only one process may have it at a time.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  steadfast storage get Ashley --storage embedded:users.redb
  steadfast storage list --storage embedded:users.redb --campaign checkout-button
  steadfast storage export --storage embedded:users.redb --output users.ndjson
  steadfast storage import --storage embedded:other.redb --input users.ndjson

`steadfast storage COMMAND --help` has more of them.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::Arguments),
    Put(put::Arguments),
    List(list::Arguments),
    Forget(forget::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Copy(copy::Arguments),
    Audit(audit::Arguments),
    Bench(bench::Arguments),
    Check(check::Arguments),
    Compact(compact::Arguments),
    Stats(stats::Arguments),
    Size(size::Arguments),
}

/// The storage of a command.
#[derive(Debug, Args)]
struct StorageArgument {
    /// Which storage: `embedded:PATH`, a file; `redis://HOST:PORT`, a server (`rediss://` under TLS,
    /// `redis+cluster://HOST,HOST`, `redis+sentinel://HOST,HOST/MASTER`) or `postgres://USER@HOST/DATABASE`; `memory:` is empty at the start and gone at the
    /// end. A password is better off in the variable STEADFAST_STORAGE, where other users do not see it
    #[arg(long = "storage", value_name = "URL", env = "STEADFAST_STORAGE", hide_env_values = true)]
    url: StorageUrl,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Get(arguments) => get::run(arguments),
        Command::Put(arguments) => put::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Forget(arguments) => forget::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Copy(arguments) => copy::run(arguments),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Compact(arguments) => compact::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
        Command::Size(arguments) => size::run(arguments),
    }
}

impl StorageArgument {
    /// The storage, opened.
    fn open(&self, purpose: Use) -> Result<Arc<dyn UserStorage>, Failure> {
        open(&self.url, purpose)
    }

    /// The file that is there, for what is done to the file as a whole.
    fn file(&self) -> Result<&Path, Failure> {
        let file = self.url.file().ok_or_else(|| {
            let url = &self.url;
            Failure::new(format!("`{url}` has no file, so there is nothing to look at: name one as `embedded:PATH`"))
        })?;
        crate::storage::url::refuse_missing(file)?;
        Ok(file)
    }
}

/// The storage of this URL, opened.
fn open(url: &StorageUrl, purpose: Use) -> Result<Arc<dyn UserStorage>, Failure> {
    url.open(purpose)?.ok_or_else(|| {
        Failure::new("`none:` keeps nothing: name a storage such as `embedded:users.redb`, or `memory:` to try it")
    })
}
