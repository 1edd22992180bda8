//! `storage size`: the sums, and the tables of docs/scale.md that are made of them.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Scratch, steadfast};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/scale.md");
const USERS: [(&str, &str); 4] =
    [("1 M", "1000000"), ("10 M", "10000000"), ("100 M", "100000000"), ("1 G", "1000000000")];

fn sums(arguments: &[&str]) -> Value {
    let run = steadfast(&[&["storage", "size", "--json"], arguments].concat());
    assert_eq!((run.status, &*run.errors), (0, ""), "{arguments:?}");
    run.json()
}

fn number(sums: &Value, name: &str) -> f64 {
    sums[name].as_f64().unwrap_or_else(|| panic!("no number `{name}` in {sums}"))
}

/// As the command writes bytes: three digits.
fn bytes(value: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut place = 0;
    let mut rest = value;
    while rest >= 999.5 && place + 1 < units.len() {
        rest /= 1_000.0;
        place += 1;
    }
    let digits = match rest {
        _ if place == 0 || rest >= 99.95 => 0,
        _ if rest >= 9.995 => 1,
        _ => 2,
    };
    format!("{rest:.digits$} {}", units[place])
}

/// The rows of a storage, as they stand in the document.
fn table(storage: &str) -> String {
    let mut rows = String::new();
    for (name, users) in USERS {
        for campaigns in ["1", "5", "20"] {
            let sums = sums(&["--users", users, "--campaigns", campaigns, "--storage", storage]);
            let figure = |name| bytes(number(&sums, name));
            let (memory, disk) = (figure("memoryBytes"), figure("diskBytes"));
            let user = number(&sums, "bytesPerUser").round();
            let row = match storage {
                "redis" => {
                    let (shards, network) = (number(&sums, "shards"), figure("networkBytesPerSecond"));
                    format!("| {name} | {campaigns} | {user} | {shards} | {memory} | {disk} | {network}/s |\n")
                }
                "postgres" => {
                    let network = figure("networkBytesPerSecond");
                    format!("| {name} | {campaigns} | {user} | {memory} | {disk} | {network}/s |\n")
                }
                _ => format!("| {name} | {campaigns} | {user} | {memory} | {disk} |\n"),
            };
            rows.push_str(&row);
        }
    }
    rows
}

#[test]
fn the_tables_of_the_document_are_what_the_command_says() {
    for storage in ["redis", "postgres", "embedded"] {
        let table = table(storage);
        assert!(DOCUMENT.contains(&table), "docs/scale.md should have for {storage}:\n{table}");
    }
}

/// `arguments | measured | computed` of the document: the command says the latter, and is near the former.
#[test]
fn what_is_computed_is_near_what_was_measured() {
    let mut rows = 0;
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `--storage")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [arguments, measured, computed] = cells[..] else { panic!("{line}") };
        let arguments: Vec<&str> = arguments.trim_matches('`').split(' ').collect();
        let said = number(&sums(&[&["--users", "100000"], &arguments[..]].concat()), "bytesPerUser");
        assert_eq!(format!("{said:.0}"), computed, "{line}");
        let share = said / measured.parse::<f64>().unwrap();
        assert!((0.95..=1.06).contains(&share), "{share} of what was measured: {line}");
        rows += 1;
    }
    assert!(rows >= 12, "only {rows}");
}

#[test]
fn every_figure_says_what_it_is_made_of() {
    let run = steadfast(&["storage", "size", "--users", "1000000000", "--campaigns", "5"]);
    assert_eq!((run.status, &*run.errors), (0, ""));
    run.has_lines(&["redis\n", "users", "1,000,000,000", "key", "a user", "all users", "shards", "disk", "network"]);
    for line in run.output.lines().skip(2) {
        assert!(line.trim().split("  ").filter(|part| !part.is_empty()).count() >= 3, "no sum: `{line}`");
    }
}

#[test]
fn more_servers_are_a_cluster_of_three_at_least() {
    let shards = |arguments: &[&str]| number(&sums(arguments), "shards");
    assert_eq!(shards(&["--users", "1000000"]), 1.0);
    assert_eq!(shards(&["--users", "100000000"]), 3.0);
    assert!(shards(&["--users", "1000000000"]) > 3.0);
    let small = shards(&["--users", "1000000000", "--shard-memory", "8GiB"]);
    assert!(small > shards(&["--users", "1000000000", "--shard-memory", "64GiB"]));
    let busy = shards(&["--users", "1000000", "--requests-per-second", "1000000"]);
    assert!(busy > 10.0, "{busy}");
}

#[test]
fn a_value_too_long_for_the_compact_form_costs_more_than_its_bytes() {
    let of = |goals| number(&sums(&["--users", "1000", "--campaigns", "5", "--goals", goals]), "bytesPerUser");
    assert!(of("3") - of("2") > 2.0 * (of("2") - of("1")), "{} {} {}", of("1"), of("2"), of("3"));
}

#[test]
fn a_file_of_its_own_is_measured_and_removed() {
    let scratch = Scratch::new("size-measured");
    let url = format!("embedded:{}", scratch.path("sample.redb"));
    let run = steadfast(&["storage", "size", "--measure", &url, "--users", "20000", "--campaigns", "2", "--json"]);
    assert_eq!((run.status, &*run.errors), (0, ""));
    let measured = run.json();
    assert_eq!(measured["records"], 40_000);
    let record = number(&measured, "bytesPerRecord");
    // As long as what is computed for a record in its page.
    assert!((75.0..150.0).contains(&record), "{record}");
    assert!(number(&measured, "bytesAsWritten") > number(&measured, "bytesCompact"));
    assert!(!std::path::Path::new(&scratch.path("sample.redb")).exists());

    // A file that is there is somebody's.
    let there = format!("embedded:{}", scratch.path("users.redb"));
    std::fs::write(scratch.path("users.redb"), "somebody's").unwrap();
    steadfast(&["storage", "size", "--measure", &there]).refuses(&["is there: name a file that is not"]);
    assert_eq!(std::fs::read_to_string(scratch.path("users.redb")).unwrap(), "somebody's");
}

#[test]
fn what_cannot_be_summed_is_refused() {
    let size = |arguments: &[&str]| steadfast(&[&["storage", "size"], arguments].concat());
    size(&["--users", "1", "--shard-memory", "16"]).refuses(&["expected a size such as 16GiB"]);
    size(&["--users", "0"]).refuses(&["0 is not in"]);
    size(&["--measure", "redis://127.0.0.1:1"]).refuses(&["is no file", "cargo bench"]);
    size(&["--measure", "memory:"]).refuses(&["is no file"]);
}
