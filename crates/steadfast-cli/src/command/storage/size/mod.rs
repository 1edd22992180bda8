//! `steadfast storage size`: what so many users take, with the sums. One file for each storage.

mod embedded;
mod measure;
mod postgres;
mod redis;
mod shape;
mod sums;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use self::shape::Shape;
use crate::failure::Failure;
use crate::storage::StorageUrl;
use crate::terminal::style::{self, paint};
use crate::terminal::{print, print_json};

/// Say what so many users take, and show the sums
///
/// Memory, shards, disk and network, from the sizes of ids and names and the number of calls. Every line says what it is
/// made of; docs/scale.md says where the figures come from. Nothing is connected to or written, unless with --measure.
///
/// Exit status: 0 said, 2 could not start, 3 the storage cannot be measured to the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast storage size --users 1000000000 --campaigns 5
  steadfast storage size --users 10000000 --storage postgres --requests-per-second 2000
  steadfast storage size --measure embedded:scratch.redb --campaigns 5")]
pub(super) struct Arguments {
    /// How many users; with --measure how many are written, 100000 by default
    #[arg(long, value_name = "N", required_unless_present = "measure", value_parser = clap::value_parser!(u64).range(1..=100_000_000_000))]
    users: Option<u64>,
    /// In how many campaigns each of them is
    #[arg(long, value_name = "C", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    campaigns: u16,
    /// Bytes of a user id; a UUID has 36
    #[arg(long, value_name = "B", default_value_t = 20)]
    id_bytes: u16,
    /// Bytes of a campaign key
    #[arg(long, value_name = "B", default_value_t = 15)]
    campaign_bytes: u16,
    /// Bytes of the name of a variation
    #[arg(long, value_name = "B", default_value_t = 11)]
    variation_bytes: u16,
    /// How many goals a record lists
    #[arg(long, value_name = "G", default_value_t = 1)]
    goals: u16,
    /// Bytes of the name of a goal
    #[arg(long, value_name = "B", default_value_t = 12)]
    goal_bytes: u16,
    /// Records go by themselves after some time (Redis)
    #[arg(long)]
    expire: bool,
    /// Requests a second at the busiest time; by default ten a day of each user, evenly
    #[arg(long, value_name = "R")]
    requests_per_second: Option<u64>,
    /// Of so many requests one writes
    #[arg(long, value_name = "W", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    write_every: u32,
    /// Where records are kept
    #[arg(long, value_enum, default_value_t = Kind::Redis)]
    storage: Kind,
    /// The memory of one server, such as 16GB or 16GiB (Redis)
    #[arg(long, value_name = "SIZE", default_value = "16GiB", value_parser = size)]
    shard_memory: u64,
    /// Servers that hold the same as another (Redis, PostgreSQL)
    #[arg(long, value_name = "N", default_value_t = 1)]
    replicas: u8,
    /// Write sample users to a new file, `embedded:PATH`, say what they take, and remove it
    #[arg(long, value_name = "URL", conflicts_with_all = ["storage", "requests_per_second", "shard_memory", "expire"])]
    measure: Option<StorageUrl>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Redis,
    Postgres,
    Embedded,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(url) = &arguments.measure {
        measure::run(arguments, url)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shape = shape_of(arguments);
    let (name, sums) = match arguments.storage {
        Kind::Redis => ("redis", redis::sums(&shape)),
        Kind::Postgres => ("postgres", postgres::sums(&shape)),
        Kind::Embedded => ("embedded", embedded::sums(&shape)),
    };
    if arguments.json {
        let mut report = json!({ "storage": name, "users": arguments.users, "campaigns": arguments.campaigns });
        if let (Some(report), serde_json::Value::Object(sums)) = (report.as_object_mut(), sums.to_json()) {
            report.extend(sums);
        }
        print_json(&report)?;
    } else {
        print(&format!("{}\n{}", paint(style::HEADING, name), sums.to_text()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shape_of(arguments: &Arguments) -> Shape {
    #[expect(clippy::cast_precision_loss, reason = "sums of so many digits are not told")]
    let float = |number: u64| number as f64;
    let users = float(arguments.users.unwrap_or_default());
    let gets = arguments.requests_per_second.map_or_else(|| (users * 10.0 / 86_400.0).ceil(), float);
    Shape {
        users,
        campaigns: arguments.campaigns.into(),
        id: arguments.id_bytes.into(),
        campaign: arguments.campaign_bytes.into(),
        variation: arguments.variation_bytes.into(),
        goals: shape::goal_list(arguments.goals.into(), arguments.goal_bytes.into()),
        expires: arguments.expire,
        gets,
        merges: (gets / f64::from(arguments.write_every)).ceil(),
        server: float(arguments.shard_memory),
        replicas: arguments.replicas.into(),
    }
}

/// Bytes from a number with a unit.
fn size(text: &str) -> Result<u64, String> {
    const ACCEPTED: &str = "expected a size such as 16GiB, 16GB or 512MiB";
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "gib" | "g" => 1 << 30,
        "gb" => 1_000_000_000,
        "mib" | "m" => 1 << 20,
        "mb" => 1_000_000,
        _ => return Err(ACCEPTED.to_owned()),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.filter(|bytes| *bytes >= 1 << 20).ok_or_else(|| ACCEPTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!((size("16GiB"), size("2gb"), size("512m")), (Ok(16 << 30), Ok(2_000_000_000), Ok(512 << 20)));
        for wrong in ["", "16", "GiB", "-1GiB", "0GiB", "1.5GiB", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
