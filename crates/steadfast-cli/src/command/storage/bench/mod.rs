//! `steadfast storage bench`: how fast a storage is, from here.
//!
//! [`measure`] times the calls, [`report`] tells it, [`interrupt`] sees to it that nothing of it stays behind.

mod interrupt;
mod measure;
mod report;

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, value_parser};
use serde_json::json;
use steadfast::engine::Record;
use steadfast::storage::{Claim, Condition, StorageError, StorageErrorKind, UserStorage};

use self::interrupt::Interrupt;
use self::measure::{Crew, Measured};
use super::open;
use crate::failure::{Failure, NOT_KEPT};
use crate::storage::{StorageUrl, Use};
use crate::terminal::text::counted;
use crate::terminal::{print, print_json};

/// What the ids of its users begin with, before the name of the run.
const PREFIX: &str = "steadfast-bench-";

/// The campaign that its records are of.
const CAMPAIGN: &str = "steadfast-bench";

/// Measure how fast a storage is, from here
///
/// With users of its own it times four calls, one after the other: `get` of a user who is not
/// stored, `merge` of a new user, `get` of a stored one, `merge` of a goal. Each measurement ends
/// after --seconds, or when every user had their turn. It says how many calls a second were
/// answered, and in which time half of them, 99 % and 99.9 % were.
///
/// No other user is read or changed. Its own are called steadfast-bench-RUN-0, -1 and so on, where
/// RUN is made up for each run, and are erased at the end, also after Ctrl-C. What a run that was
/// killed left behind, --erase RUN erases, with its --users. A file that is not there is made, and stays.
///
/// Other programs on the storage are slowed down meanwhile.
///
/// Exit status: 0 measured, 2 could not start, 3 interrupted, 4 some calls failed or some of its
/// users are left.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:
  steadfast storage bench embedded:scratch.redb
  steadfast storage bench redis://cache.example:6379 --users 100000 --concurrency 64 --seconds 10
  steadfast storage bench redis://cache.example:6379 --json | jq '.measurements[].p99Micros'")]
pub(super) struct Arguments {
    /// The storage: `embedded:PATH`, `redis://HOST:PORT`, ... as for `--storage` of the other commands
    #[arg(value_name = "URL", env = "STEADFAST_STORAGE", hide_env_values = true)]
    url: StorageUrl,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    users: u64,
    /// How many calls are under way at any moment
    #[arg(long, value_name = "C", default_value_t = 8, value_parser = value_parser!(u16).range(1..=1_024))]
    concurrency: u16,
    /// How long each measurement may take
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Measure nothing, and erase the users of this run
    #[arg(long, value_name = "RUN", value_parser = run_name, requires = "users")]
    erase: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(run) = &arguments.erase {
        return erase(arguments, run);
    }
    let storage = open(&arguments.url, Use::ToKeep)?;
    let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let how_to_erase = how_to_erase(arguments, &run);
    let interrupt = Interrupt::watch(how_to_erase.clone())
        .map_err(|error| Failure::new(format!("Ctrl-C cannot be watched for: {error}: try again")))?;
    if !matches!(arguments.url, StorageUrl::Memory) {
        anstream::eprintln!("should it be killed, this erases its users: {how_to_erase}");
    }
    let crew = Crew {
        concurrency: arguments.concurrency,
        most: Some(Duration::from_secs(arguments.seconds)),
        interrupt: Some(&interrupt),
    };
    let bench = Bench { storage: &*storage, run: &run, crew };
    let (measured, written) = bench.measure(arguments.users);
    let erased = bench.erase(written);
    if interrupt.came() {
        let left = left_in_words(&erased, &how_to_erase).unwrap_or_else(|| "its users are erased".to_owned());
        return Err(Failure::stopped(&format!("interrupted: {left}")));
    }
    if arguments.json {
        print_json(&json!({
            "storage": arguments.url.to_string(),
            "users": arguments.users,
            "concurrency": arguments.concurrency,
            "measurements": measured.iter().map(|(call, measured)| report::to_json(*call, measured)).collect::<Vec<_>>(),
            "left": erased.failed,
        }))?;
    } else {
        print(&report::report(&arguments.url.to_string(), arguments.concurrency, &measured))?;
    }
    if let Some(left) = left_in_words(&erased, &how_to_erase) {
        anstream::eprintln!("{left}");
    }
    let failed = erased.failed > 0 || measured.iter().any(|(_, measured)| measured.failed > 0);
    Ok(if failed { ExitCode::from(NOT_KEPT) } else { ExitCode::SUCCESS })
}

/// Erases what an earlier run left.
fn erase(arguments: &Arguments, run: &str) -> Result<ExitCode, Failure> {
    let storage = open(&arguments.url, Use::WhatIsThere)?;
    let crew = Crew { concurrency: arguments.concurrency, most: None, interrupt: None };
    let erased = Bench { storage: &*storage, run, crew }.erase(arguments.users);
    if let Some(error) = &erased.first_failure {
        return Err(Failure::stopped(&format!("{} are left: {error}", counted(erased.failed, "user"))));
    }
    let users = counted(arguments.users, "user");
    if arguments.json {
        print_json(&json!({ "storage": arguments.url.to_string(), "run": run, "users": arguments.users, "left": 0 }))?;
    } else {
        print(&format!("nothing is left of the {users} of {run}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is left of its users, and what to do about it.
/// A URL with a password in it is not repeated.
fn how_to_erase(arguments: &Arguments, run: &str) -> String {
    let (url, users) = (&arguments.url, arguments.users);
    if url.is_shown_whole() {
        format!("steadfast storage bench {url} --erase {run} --users {users}")
    } else {
        format!("steadfast storage bench URL --erase {run} --users {users}, with the URL of this run")
    }
}

fn left_in_words(erased: &Measured, how_to_erase: &str) -> Option<String> {
    let error = erased.first_failure.as_ref()?;
    let users = counted(erased.failed, "user");
    Some(format!("{users} could not be erased: {error}: once the storage answers, run {how_to_erase}"))
}

/// The name of a run: nothing else, so that no other user can be erased.
fn run_name(name: &str) -> Result<String, String> {
    if name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(name.to_owned())
    } else {
        Err(format!("expected the 16 digits of `{PREFIX}RUN-0`, as the run that left them has said"))
    }
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    GetAbsent,
    MergeNew,
    GetStored,
    MergeGoal,
}

struct Bench<'b> {
    storage: &'b dyn UserStorage,
    run: &'b str,
    crew: Crew<'b>,
}

impl Bench<'_> {
    /// All measurements, and how many users may be stored now.
    fn measure(&self, users: u64) -> (Vec<(Call, Measured)>, u64) {
        let absent = self.crew.measure(users, |user| match self.storage.get(&self.user(user), CAMPAIGN)? {
            None => Ok(()),
            Some(_) => Err(unexpected("a user who was never stored was found")),
        });
        let new = self.crew.measure(users, |user| self.merge(user, None));
        let written = new.begun;
        let stored = self.crew.measure(written, |user| match self.storage.get(&self.user(user), CAMPAIGN)? {
            Some(_) => Ok(()),
            None => Err(unexpected("a user who was stored was not found")),
        });
        let goal = self.crew.measure(written, |user| self.merge(user, Some("goal")));
        let calls = [Call::GetAbsent, Call::MergeNew, Call::GetStored, Call::MergeGoal];
        (calls.into_iter().zip([absent, new, stored, goal]).collect(), written)
    }

    fn merge(&self, user: u64, goal: Option<&str>) -> Result<(), StorageError> {
        let mut record = Record::new(self.user(user), CAMPAIGN, "Control");
        if let Some(goal) = goal {
            record.goals.push(goal);
        }
        let condition = if goal.is_some() { Condition::Stored } else { Condition::Absent };
        let claim = Claim { record, goal: goal.map(str::to_owned), condition, was_read: goal.is_some() };
        self.storage.merge(claim).map(|_| ())
    }

    /// Erases the first users, however long it takes.
    fn erase(&self, users: u64) -> Measured {
        let crew = Crew { most: None, interrupt: None, ..self.crew };
        crew.measure(users, |user| self.storage.erase(&self.user(user)).map(|_| ()))
    }

    fn user(&self, number: u64) -> String {
        format!("{PREFIX}{}-{number}", self.run)
    }
}

fn unexpected(message: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Other, message)
}
