//! The `steadfast` command. Every subcommand is a file under `command/`.

mod command;
mod failure;
mod panic;
mod storage;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Experiment decisions that stay: VWO FullStack's answers, kept for good.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(command::demo::Arguments),
    Explain(command::explain::Arguments),
    Validate(command::validate::Arguments),
    Simulate(command::simulate::Arguments),
    Batch(command::batch::Arguments),
    Storage(command::storage::Arguments),
}

fn main() -> ExitCode {
    panic::silence_redb();
    let outcome = match Arguments::parse().command {
        Command::Demo(arguments) => command::demo::run(&arguments),
        Command::Explain(arguments) => command::explain::run(&arguments),
        Command::Validate(arguments) => command::validate::run(&arguments),
        Command::Simulate(arguments) => command::simulate::run(&arguments),
        Command::Batch(arguments) => command::batch::run(&arguments),
        Command::Storage(arguments) => command::storage::run(&arguments),
    };
    outcome.unwrap_or_else(|failure| {
        anstream::eprintln!("{}error:{} {failure}", failure::STYLE.render(), failure::STYLE.render_reset());
        ExitCode::from(failure.status())
    })
}
