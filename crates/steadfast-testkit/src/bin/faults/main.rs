//! What the machine, or somebody else at the same moment, may do to a storage. Exit status 1 when it does not hold.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod events;
mod journal;
mod kills;
mod outage;
mod place;
mod processes;
mod race;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use place::Kind;

/// Does the worst to a storage, and looks for what it was told is kept
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The storage in a file: a process that writes is killed again and again
    Storage {
        /// How many kills
        #[arg(default_value_t = 1_000)]
        runs: u64,
        /// Where the random numbers start; the time of day if it is not given
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The journal of writes that are kept back: a process that writes, over a storage that mostly fails, is killed
    Journal {
        /// How many kills
        #[arg(default_value_t = 200)]
        runs: u64,
        /// Where the random numbers start; the time of day if it is not given
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Events that are kept on disk: the program is killed three times, and its collector fails a third of what it is sent
    /// and is gone for half a minute
    Events {
        /// How many events
        #[arg(default_value_t = 1_000_000)]
        events: u64,
        /// Where the random numbers start; the time of day if it is not given
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Two clients under settings with other weights: on eight threads over one storage in a file, or in two processes over
    /// servers
    Race {
        /// How many users, all of whom are new
        #[arg(default_value_t = 100_000)]
        users: u32,
        /// Over servers of this kind, `redis`, `cluster` or `postgres`; over a file if it is not given
        #[arg(long)]
        over: Option<Kind>,
    },
    /// Servers are stopped, killed and failed over while users come: six faults, the default
    Servers,
    /// One of the processes of a race
    #[command(hide = true)]
    Play { url: String, users: u32, side: usize, verbs: String },
    /// The process that is killed: writes, and prints what is kept
    #[command(hide = true)]
    Write { file: PathBuf, seed: u64 },
    /// The same, over a journal
    #[command(hide = true)]
    WriteBehind { folder: PathBuf, seed: u64 },
    /// The program that is killed: its events are kept on disk
    #[command(hide = true)]
    SendEvents { folder: PathBuf, port: u16, from: u64, to: u64 },
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let held = match Arguments::parse().what.unwrap_or(What::Servers) {
        What::Storage { runs, seed } => kills::storage(runs, seed.unwrap_or_else(kills::seed_of_the_moment)),
        What::Journal { runs, seed } => journal::journal(runs, seed.unwrap_or_else(kills::seed_of_the_moment)),
        What::WriteBehind { folder, seed } => journal::write(&folder, seed).map(|()| true),
        What::Events { events, seed } => events::events(events, seed.unwrap_or_else(kills::seed_of_the_moment)),
        What::SendEvents { folder, port, from, to } => events::send(&folder, port, from..to).map(|()| true),
        What::Race { users, over: None } => race::race(users),
        What::Race { users, over: Some(kind) } => processes::race(kind, users),
        What::Servers => outage::outages(),
        What::Play { url, users, side, verbs } => processes::play(&url, users, side, &verbs).map(|()| true),
        What::Write { file, seed } => kills::write(&file, seed).map(|()| true),
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}
