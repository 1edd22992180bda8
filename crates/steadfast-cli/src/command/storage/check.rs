//! `steadfast storage check`: whether a file is what was written.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use steadfast::storage::backend::embedded::{Checked, Problem};
use steadfast::storage::{EmbeddedStorage, StorageErrorKind};

use super::StorageArgument;
use crate::failure::Failure;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped, shown};
use crate::terminal::{print, print_json};

/// What a file of the storage in a file begins with: redb's magic number.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Check a storage file
///
/// Reads all of it: the checksum of every page, that its parts fit together, every record. Nothing is written to it,
/// whatever is wrong with it. Records are named by their place, and by their user only where that is asked for. A damaged
/// file is restored from a copy: export it as often as you can afford to lose what came after.
///
/// Exit status: 0 it is fine, 1 something is wrong with it, 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  steadfast storage check --storage embedded:users.redb || restore-my-copy")]
pub(super) struct Arguments {
    #[command(flatten)]
    storage: StorageArgument,
    /// Name the users whose records are damaged
    #[arg(long)]
    show_users: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = arguments.storage.file()?;
    // A panic over a damaged page is caught and reported as what it is; nobody needs to read it twice.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let checked = EmbeddedStorage::check(file);
    std::panic::set_hook(hook);
    let (checked, is_read) = match checked {
        Ok(checked) => (checked, true),
        // That nothing in it can be read is what was to be found out.
        Err(error) if error.kind() == StorageErrorKind::Corrupt => {
            let problem = Problem { record: None, user: None, kind: error.kind(), message: error.to_string() };
            (Checked { records: 0, users: 0, problems: 1, first_problems: vec![problem] }, false)
        }
        Err(error) => return Err(Failure::storage(&error)),
    };
    let mut checked = checked;
    if !arguments.show_users {
        checked.first_problems.iter_mut().for_each(|problem| problem.user = None);
    }
    if arguments.json {
        print_json(&to_json(file, &checked))?;
    } else {
        print(&report(file, &checked, is_read))?;
    }
    Ok(if checked.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether the file begins as files of this storage do, so that it is damaged and not a file of something else.
fn is_database(file: &Path) -> bool {
    let mut beginning = [0; MAGIC.len()];
    // What cannot be read now could be read a moment ago, and is told as damage.
    File::open(file).and_then(|mut file| file.read_exact(&mut beginning)).is_err() || beginning == MAGIC
}

/// The report; a file that is not read at all may be none of ours.
fn report(file: &Path, checked: &Checked, is_read: bool) -> String {
    let name = file.display();
    let readable = format!("{} of {}", counted(checked.records, "record"), counted(checked.users, "user"));
    if checked.is_clean() {
        return format!("{}\n  {readable}\n", paint(style::GOOD, format!("{name} is fine")));
    }
    let headline = if is_read {
        format!("{name} is damaged")
    } else if is_database(file) {
        format!("{name} holds no steadfast storage that can be read")
    } else {
        format!("{name} is no steadfast storage")
    };
    let mut report = format!("{}\n", paint(style::BAD, headline));
    for problem in &checked.first_problems {
        let user = problem.user.as_ref().map_or_else(String::new, |user| format!(" of {}", shown(user)));
        let place = problem.record.map_or_else(String::new, |record| format!("record {}{user}: ", grouped(record)));
        let _ = writeln!(report, "  {} {place}{}", paint(style::BAD, '✗'), problem.message);
    }
    let told = checked.first_problems.len() as u64;
    if checked.problems > told {
        let _ = writeln!(report, "  and {} more", grouped(checked.problems - told));
    }
    if is_read {
        let _ = writeln!(report, "  {readable} can be read");
    }
    report
}

fn to_json(file: &Path, checked: &Checked) -> Value {
    let problems: Vec<Value> = checked
        .first_problems
        .iter()
        .map(|problem| {
            let mut told = json!({ "record": problem.record, "message": problem.message });
            if let Some(user) = &problem.user {
                told["userId"] = user.as_str().into();
            }
            told
        })
        .collect();
    json!({
        "file": file.display().to_string(),
        "records": checked.records,
        "users": checked.users,
        "problems": checked.problems,
        "firstProblems": problems,
    })
}
