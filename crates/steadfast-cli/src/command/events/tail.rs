//! `steadfast events tail`: the last events, and those that come.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use steadfast::event::spool::Tail;

use super::Directory;
use crate::command::stream;
use crate::failure::Failure;

/// Print the last events, one JSON object a line
///
/// Also of a program that runs: nothing is locked or written. Events that the collector has are among them, as long as
/// their segment is there. Neither a user id nor the SDK key is in what is printed.
///
/// Exit status: 0 printed, 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast events tail events
  steadfast events tail events --lines 0 --follow | jq -c 'select(.event == \"conversion\")'")]
pub(super) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Print also what comes, until it is interrupted
    #[arg(short, long)]
    follow: bool,
}

/// So often is looked for more.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut tail = Tail::new(arguments.directory.path()?);
    let mut last = VecDeque::with_capacity(arguments.lines.min(1 << 16));
    let read = tail.read(|event| {
        last.push_back(event);
        if last.len() > arguments.lines {
            last.pop_front();
        }
    });
    read.map_err(|error| Failure::new(error.to_string()))?;
    let written = (|| {
        let mut output = io::stdout().lock();
        for event in last {
            writeln!(output, "{}", event.to_json())?;
        }
        if !arguments.follow {
            return Ok(());
        }
        loop {
            std::thread::sleep(PAUSE);
            let mut written = Ok(());
            let read = tail.read(|event| {
                if written.is_ok() {
                    written = writeln!(output, "{}", event.to_json());
                }
            });
            written?;
            read.map_err(io::Error::other)?;
            output.flush()?;
        }
    })();
    stream::written(written)?;
    Ok(ExitCode::SUCCESS)
}
