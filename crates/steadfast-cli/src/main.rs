//! The `steadfast` command. Every subcommand is a file under `command/`.

mod command;
mod failure;
mod panic;
mod storage;
mod terminal;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
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
    #[command(name = "settings")]
    SettingsFile(command::settings_file::Arguments),
    Events(command::events::Arguments),
    Storage(command::storage::Arguments),
}

fn main() -> ExitCode {
    panic::silence_redb();
    let outcome = match arguments().command {
        Command::Demo(arguments) => command::demo::run(&arguments),
        Command::Explain(arguments) => command::explain::run(&arguments),
        Command::Validate(arguments) => command::validate::run(&arguments),
        Command::Simulate(arguments) => command::simulate::run(&arguments),
        Command::Batch(arguments) => command::batch::run(&arguments),
        Command::SettingsFile(arguments) => command::settings_file::run(&arguments),
        Command::Events(arguments) => command::events::run(&arguments),
        Command::Storage(arguments) => command::storage::run(&arguments),
    };
    outcome.unwrap_or_else(|failure| {
        anstream::eprintln!("{}error:{} {failure}", failure::STYLE.render(), failure::STYLE.render_reset());
        ExitCode::from(failure.status())
    })
}

/// What was given; ends the program where that cannot be read. A password in it is not repeated.
fn arguments() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|mut error| {
        for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
            if let Some(ContextValue::String(given)) = error.get(kind) {
                let shown = storage::url::without_password(given);
                error.insert(kind, ContextValue::String(shown));
            }
        }
        error.exit()
    })
}
