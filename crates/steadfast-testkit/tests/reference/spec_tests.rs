//! The calls that the official SDK's own tests make, with what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use steadfast::engine::Policy;
use steadfast::engine::policy::Activation;
use steadfast_testkit::compare::is_same;
use steadfast_testkit::play::Player;
use steadfast_testkit::rule;

use super::{checks, expectations, items, own_vectors, raw_items, read};

/// Steps that were compared, and those that differ, by their tags; the empty text stands for none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    compared: BTreeMap<String, usize>,
    differing: BTreeMap<String, usize>,
}

/// In place of tags: an untagged step that differs after a tagged one of the same user and campaign did.
const AFTER_A_READ: &str = "after a read";

/// Plays all sequences of a file.
fn play(folder: &Path, name: &str, activation: Activation) -> Steps {
    let file: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&read(&folder.join(name))).unwrap();
    let settings: BTreeMap<String, Box<RawValue>> = serde_json::from_str(file["settings"].get()).unwrap();
    let sequences: Vec<Value> = serde_json::from_str(file["sequences"].get()).unwrap();
    let mut steps = Steps::default();
    for sequence in &sequences {
        let policy = Policy {
            activation,
            track_returning_users: sequence["launch"]["shouldTrackReturningUser"] == true,
            ..Policy::default()
        };
        let settings = settings[sequence["settings"].as_str().unwrap()].get();
        let player = Player::new(settings, sequence["storage"] == "memory", policy).unwrap();
        let mut read_about = BTreeSet::new();
        for step in sequence["steps"].as_array().unwrap() {
            let tags: Vec<&str> = step["quirks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut tags = tags.join(" ");
            *steps.compared.entry(tags.clone()).or_default() += 1;
            let found = player.answer(&step["request"].to_string()).unwrap();
            if is_same(&found, &step["expect"]) {
                continue;
            }
            let about = [step["request"]["userId"].to_string(), step["request"]["campaignKey"].to_string()];
            if tags.is_empty() && read_about.contains(&about) {
                tags = AFTER_A_READ.to_owned();
            }
            *steps.differing.entry(tags).or_default() += 1;
            read_about.insert(about);
        }
    }
    steps
}

fn counts(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(tags, count)| ((*tags).to_owned(), *count)).collect()
}

#[test]
fn generated_sequences_of_the_own_vectors() {
    assert_eq!(checks::cases(&own_vectors().join("generated"), Activation::Required), 800);
}

#[test]
fn sequences_of_the_api_tests_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    let compared = counts(&[
        ("", 1590),
        ("mab", 2),
        ("no-numeric-control", 7),
        ("no-numeric-control pre-activation", 5),
        ("pre-activation", 321),
        ("pre-activation-whitelisted", 28),
    ]);
    // The rule of the official SDK: then all steps agree, tagged or not.
    let required = play(&folder, "api.json", Activation::Required);
    assert_eq!(required, Steps { compared: compared.clone(), differing: counts(&[]) });
    // Ours: users who were only read about are known from then on, which later steps of them show.
    let optional = play(&folder, "api.json", Activation::Optional);
    let differing = [(AFTER_A_READ, 26), ("no-numeric-control pre-activation", 1), ("pre-activation", 255)];
    assert_eq!(optional, Steps { compared, differing: counts(&differing) });
}

#[test]
fn sequences_of_the_group_tests_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    for activation in [Activation::Optional, Activation::Required] {
        let steps = play(&folder, "groups.json", activation);
        let compared = counts(&[("", 3056), ("pre-activation", 2)]);
        assert_eq!(steps, Steps { compared, differing: counts(&[]) }, "{activation:?}");
    }
}

#[test]
fn tables_of_variations_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    let mut compared = 0;
    for table in items(&folder, "variation-names.json") {
        let file = folder.join("../settings").join(table["settings"].as_str().unwrap());
        let settings = read(&file);
        let player = Player::new(&settings, false, Policy::default()).unwrap();
        let features = table["op"] == "isFeatureEnabled";
        for row in table["rows"].as_array().unwrap() {
            let op = if features { "isFeatureEnabled" } else { "activate" };
            let request = json!({"op": op, "campaignKey": row["campaignKey"], "userId": row["userId"]});
            let expected = row.get("activate").unwrap_or(&row["real"]);
            let found = player.answer(&request.to_string()).unwrap();
            assert!(is_same(&found, expected), "{}: {row} answers {found}", table["table"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 419);
}

#[test]
fn segments_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    let rows = raw_items(&folder, "segments.json");
    for row in &rows {
        assert_eq!(json!(rule::row_in_segment(row).unwrap()).to_string(), row["real"].get(), "{row:?}");
    }
    assert_eq!(rows.len(), 334);
}
