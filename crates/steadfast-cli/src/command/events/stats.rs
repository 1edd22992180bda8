//! `steadfast events stats`: how much is kept.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{BinaryBytes, HumanDuration};
use serde_json::json;
use steadfast::event::spool::contents;

use super::Directory;
use crate::failure::Failure;
use crate::terminal::style::{self, paint};
use crate::terminal::text::{counted, grouped};
use crate::terminal::{print, print_json};

/// Say how many events wait for the collector, and since when
///
/// Also of a program that runs: nothing is locked or written.
///
/// Exit status: 0 said, 2 could not start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast events stats events
  steadfast events stats events --json | jq .waiting")]
pub(super) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let directory = arguments.directory.path()?;
    let found = contents(directory).map_err(|error| Failure::new(error.to_string()))?;
    let mut kinds = BTreeMap::from([("impression", 0_u64), ("conversion", 0), ("push", 0)]);
    for event in &found.open {
        *kinds.entry(event.what.name()).or_default() += 1;
    }
    let times = || found.open.iter().map(|event| event.stamp.milliseconds);
    let (oldest, newest) = (times().min(), times().max());
    if arguments.json {
        print_json(&json!({
            "directory": directory.display().to_string(), "waiting": found.open.len(), "impressions": kinds["impression"],
            "conversions": kinds["conversion"], "pushes": kinds["push"], "oldest": oldest, "newest": newest,
            "settled": found.settled, "segments": found.segments, "bytes": found.bytes, "damagedLines": found.damaged,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report =
        format!("{}\n  waiting    {}", paint(style::HEADING, directory.display()), grouped(found.open.len() as u64));
    if let Some(oldest) = oldest {
        let of = |kind: &str, many: &str| match kinds[kind] {
            1 => format!("1 {kind}"),
            count => format!("{} {many}", grouped(count)),
        };
        report += &format!(
            "\n             {}, {}, {}\n  oldest     {}",
            of("impression", "impressions"),
            of("conversion", "conversions"),
            of("push", "pushes"),
            ago(oldest)
        );
    }
    report += &format!("\n  on disk    {} in {}", BinaryBytes(found.bytes), counted(found.segments, "segment"));
    report += &format!("\n  settled    {} of these segments: delivered, or lost\n", counted(found.settled, "event"));
    if found.damaged > 0 {
        let damaged = format!("{} lines, which are passed over", grouped(found.damaged));
        report += &format!("  damaged    {}\n", paint(style::BAD, damaged));
    }
    print(&report)?;
    Ok(ExitCode::SUCCESS)
}

/// How long ago that is.
fn ago(milliseconds: u64) -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match since_1970.checked_sub(Duration::from_millis(milliseconds)) {
        Some(ago) => format!("{} ago", HumanDuration(ago)),
        None => "a moment that is still to come, by this machine's clock".to_owned(),
    }
}
