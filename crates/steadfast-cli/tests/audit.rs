//! `storage audit`: what is stored, held against a settings file.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Run, Scratch, campaign, even, settings, steadfast, steadfast_with_input, with};
use serde_json::{Value, json};

/// So many users of a variation; the first of them are not activated.
fn users(campaign: &str, variation: &str, count: u32, not_activated: u32) -> String {
    (0..count)
        .map(|user| {
            let mut record = json!({
                "userId": format!("secret-{variation}-{user}"), "campaignKey": campaign, "variationName": variation,
            });
            if user < not_activated {
                record["activated"] = json!(false);
            }
            format!("{record}\n")
        })
        .collect()
}

/// Audits a storage with these records under settings of these campaigns.
fn audit(test: &str, records: &str, campaigns: &[Value], arguments: &[&str]) -> Run {
    let scratch = Scratch::new(&format!("audit-{test}"));
    let url = format!("embedded:{}", scratch.path("users.redb"));
    assert_eq!(steadfast_with_input(&["storage", "put", "--storage", &url], records).status, 0);
    let file = scratch.settings(&settings(campaigns));
    let run = steadfast(&[&["storage", "audit", "--storage", &url, "--settings", &file], arguments].concat());
    assert!(!run.output.contains("secret"), "no user is named: {}", run.output);
    run
}

#[test]
fn a_split_as_the_weights_say_is_fine() {
    let records = users("ab", "Control", 510, 3) + &users("ab", "Green", 490, 0);
    let run = audit("fine", &records, &[even(1, "ab")], &[]);
    assert_eq!(run.status, 0, "{}{}", run.output, run.errors);
    run.has_lines(&[
        "1,000 records in embedded:",
        "3 records not activated",
        "ab A/B test, 1,000 users",
        "users     share  expected    off by",
        "Control",
        "510   51.00 %   50.00 %     +1.00",
        "Green",
        "490   49.00 %   50.00 %     -1.00",
        // (510 - 500)² / 500 twice
        "✓ no more than chance: chi-square 0.40, 1 degree of freedom, p = 0.5271",
        "✓ Everything stored is in the settings",
    ]);
}

#[test]
fn a_split_that_does_not_match_is_told_with_what_makes_it_legitimate() {
    let records = users("ab", "Control", 600, 0) + &users("ab", "Green", 400, 0);
    let run = audit("mismatch", &records, &[even(1, "ab")], &[]);
    assert_eq!(run.status, 1, "{}", run.output);
    run.has_lines(&["✗ sample ratio mismatch: chi-square 40.00", "records from earlier weights", "legitimate"]);
    // The same records are what these weights promise.
    let weights = [campaign(1, "ab", &[("Control", 60.0), ("Green", 40.0)])];
    assert_eq!(audit("matches", &records, &weights, &[]).status, 0);
    // Weights that move by themselves promise nothing.
    let run = audit("bandit", &records, &[with(even(1, "ab"), "isMAB", json!(true))], &["--json"]);
    assert_eq!((run.status, &run.json()["campaigns"][0]["pValue"]), (0, &Value::Null));
}

#[test]
fn variations_of_one_name_are_one() {
    let records = users("ab", "Control", 500, 0) + &users("ab", "Green", 500, 0);
    let variations = [campaign(1, "ab", &[("Control", 25.0), ("Green", 50.0), ("Control", 25.0)])];
    let run = audit("same-name", &records, &variations, &["--json"]);
    assert_eq!(run.status, 0, "{}{}", run.output, run.errors);
    let campaign = &run.json()["campaigns"][0];
    assert_eq!((&campaign["users"], campaign["variations"].as_array().map(Vec::len)), (&json!(1_000), Some(2)));
    assert_eq!(campaign["variations"][0]["expectedShare"], json!(0.5));
}

#[test]
fn what_is_gone_from_the_settings_is_counted() {
    let records = users("ab", "Control", 5, 0)
        + &users("ab", "Green", 5, 0)
        + &users("ab", "Blue", 2, 0)
        + &users("old", "Control", 3, 0)
        + &users("old", "Red", 1, 1);
    let run = audit("gone", &records, &[even(1, "ab")], &[]);
    assert_eq!(run.status, 1);
    run.has_lines(&[
        "Gone from the settings",
        "✗ campaign old: 4 records",
        "✗ variation Blue of campaign ab: 2 records",
        "ab A/B test, 10 users",
        "Something above",
    ]);
    let json = audit("gone-json", &records, &[even(1, "ab")], &["--json"]);
    assert_eq!(json.status, 1);
    let json = json.json();
    assert_eq!(json["goneCampaigns"], json!([{"campaign": "old", "records": 4}]));
    assert_eq!(json["goneVariations"], json!([{"campaign": "ab", "variation": "Blue", "records": 2}]));
    assert_eq!([&json["records"], &json["notActivated"], &json["campaigns"][0]["users"]], [16, 1, 10]);
    assert_eq!((&json["campaigns"][0]["mismatch"], &json["clean"]), (&json!(false), &json!(false)));
}

#[test]
fn campaigns_that_do_not_run_or_cannot_be_used_are_not_compared() {
    let campaigns = [
        with(even(1, "paused"), "status", json!("PAUSED")),
        with(even(2, "broken"), "variations", json!("none")),
        even(3, "without-users"),
    ];
    let records = users("paused", "Control", 100, 0) + &users("broken", "Control", 7, 0);
    let run = audit("not-compared", &records, &campaigns, &[]);
    assert_eq!(run.status, 0, "{}", run.output);
    run.has_lines(&[
        "Not compared",
        "paused: 100 records, and it is not running",
        "broken: 7 records",
        "cannot be used",
    ]);
    let json = audit("not-compared-json", &records, &campaigns, &["--json"]).json();
    assert_eq!((&json["campaigns"], &json["notRunning"][0]["records"]), (&json!([]), &json!(100)));
    assert_eq!(json["broken"][0]["campaign"], "broken");
}
