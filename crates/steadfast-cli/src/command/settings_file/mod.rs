//! `steadfast settings`: fetching settings files, and what is different between two. One file for each of its commands.

mod diff;
mod fetch;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// Fetch settings files, and compare them
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  steadfast settings fetch --account 60781 --output settings.json     # the key from STEADFAST_SDK_KEY
  steadfast settings diff old.json settings.json

`steadfast settings COMMAND --help` has more of them.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fetch(fetch::Arguments),
    Diff(diff::Arguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Fetch(arguments) => fetch::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
    }
}
