//! Checks of golden data, for the project's own and for the complete sets. Each returns how many rows it compared.

use std::path::Path;

use serde_json::{Value, json};
use steadfast::engine::Policy;
use steadfast::engine::bucket::Range;
use steadfast::engine::policy::Activation;
use steadfast_testkit::compare::{differences, is_same};
use steadfast_testkit::play::Player;
use steadfast_testkit::rule::Ranges;
use steadfast_testkit::{Case, case, rule};

/// Plays cases with which there is no difference at all.
pub(crate) fn cases(folder: &Path, activation: Activation) -> usize {
    let mut lines = 0;
    for case in Case::all(folder).unwrap() {
        let policy = Policy { activation, ..Policy::default() };
        let player = Player::new(&case.settings, case.has_storage, policy).unwrap();
        let found = player.play(&case.requests);
        assert_eq!(differences(&case.requests, &case.expected, &found), [], "{}", case.name);
        lines += case.requests.len();
    }
    lines
}

/// Rows of `hash.ndjson`.
pub(crate) fn hashes(folder: &Path) -> usize {
    let rows = case::values(folder, "hash.ndjson").unwrap();
    for row in &rows {
        let (hash, traffic, bucket, old) =
            rule::hash(row["seed"].as_str().unwrap(), row["percentTraffic"].as_f64().unwrap());
        let found = json!({"hash": hash, "traffic": traffic, "bucket": bucket, "bucketOld": old});
        for (field, value) in found.as_object().unwrap() {
            assert!(is_same(value, &row[field]), "{field} is {value} for {row}");
        }
    }
    rows.len()
}

/// Rows of `uuid.ndjson`.
pub(crate) fn visitors(folder: &Path) -> usize {
    let rows = case::values(folder, "uuid.ndjson").unwrap();
    for row in &rows {
        assert_eq!(rule::visitor(&row["accountId"], row["userId"].as_str().unwrap()), row["uuid"], "{row}");
    }
    rows.len()
}

/// Rows of `ranges.ndjson`.
pub(crate) fn ranges(folder: &Path) -> usize {
    let rows = case::values(folder, "ranges.ndjson").unwrap();
    for row in &rows {
        let Ranges { assigned: ranges, whitelisted } = rule::ranges(&row["weights"]).unwrap().unwrap();
        assert!(is_same(&as_json(&ranges), &row["ranges"]), "{ranges:?} for {row}");
        // Not recorded where weights are texts, which the official SDK joins.
        if let Some(expected) = row.get("whitelistRanges") {
            assert!(is_same(&as_json(&whitelisted), expected), "{whitelisted:?} for {row}");
        }
    }
    rows.len()
}

/// Rows of `segments.ndjson`, and how many of them differ because a variable is called `hasOwnProperty`, which fails in
/// the official SDK.
pub(crate) fn segments(folder: &Path) -> (usize, usize) {
    let lines = case::raw_lines(folder, "segments.ndjson").unwrap();
    let mut shadowed = 0;
    for line in &lines {
        let row = rule::raw_row(line).unwrap();
        let expected: bool = serde_json::from_str(row["expect"].get()).unwrap();
        let agrees = rule::row_in_segment(&row).unwrap() == expected;
        let shadows = row.get("customVariables").is_some_and(|row| row.get().contains("\"hasOwnProperty\":"));
        assert!(agrees || shadows, "{line}");
        shadowed += usize::from(!agrees);
    }
    (lines.len(), shadowed)
}

pub(crate) fn as_json(ranges: &[Range]) -> Value {
    ranges.iter().map(|range| json!([range.start, range.end])).collect()
}
