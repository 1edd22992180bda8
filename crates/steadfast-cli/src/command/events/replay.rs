//! `steadfast events replay`: what is kept is sent.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, value_parser};
use steadfast::event::{Endpoint, FlushError};

use super::{Directory, to};
use crate::failure::Failure;
use crate::terminal::text::counted;

/// Send the events that are kept in a directory
///
/// What the collector takes is taken from the directory. A program that runs sends its own: it holds the directory, and
/// this waits a few seconds for it to end. What cannot be sent in time stays.
///
/// Exit status: 0 all sent, 1 some were refused, 2 could not start, 3 the time was up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast events replay events
  steadfast events replay events --url https://vwo-proxy.example --timeout 3600")]
pub(super) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// The collector: VWO's, or a proxy of your own before it
    #[arg(long, value_name = "URL", default_value_t = Endpoint::default().url)]
    url: String,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let sent = to::open(Some(&arguments.url), Some((arguments.directory.path()?, false)))?;
    let collector = sent.collector();
    let total = collector.counters().pending;
    let flushed = to::flush(collector, total, Duration::from_secs(arguments.timeout));
    let counters = collector.counters();
    anstream::eprintln!("{} delivered", counted(counters.delivered, "event"));
    if counters.lost > 0 {
        anstream::eprintln!("{} refused by the collector, and given up", counted(counters.lost, "event"));
    }
    match flushed {
        Err(FlushError::TimedOut) => {
            let events = counted(counters.pending, "event");
            let seconds = arguments.timeout;
            let failing = to::why(collector.failing());
            let why = format!("{events} could not be delivered within {seconds} s, and stay; {failing}, or try later");
            Err(Failure::stopped(&why))
        }
        _ if counters.lost > 0 => Ok(ExitCode::from(1)),
        Err(error) => Err(Failure::stopped(&error)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}
