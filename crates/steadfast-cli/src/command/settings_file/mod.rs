//! `steadfast settings`: fetching settings files, what is different between two, and what new ones would mean. One file for each of its commands.

mod diff;
mod fetch;
mod what_if;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// Fetch settings files, compare them, and see what new ones would mean
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  steadfast settings fetch --account 60781 --output settings.json     # the key from STEADFAST_SDK_KEY
  steadfast settings diff old.json settings.json
  steadfast settings what-if --settings new.json --storage embedded:users.redb

`steadfast settings COMMAND --help` has more of them.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fetch(fetch::Arguments),
    Diff(diff::Arguments),
    WhatIf(what_if::Arguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Fetch(arguments) => fetch::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::WhatIf(arguments) => what_if::run(arguments),
    }
}
