//! `steadfast validate`, from the outside.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;

use command::{Run, Scratch, campaign, even, settings, steadfast, with};
use serde_json::{Value, json};

fn validate(test: &str, settings: &Value, options: &[&str]) -> Run {
    let scratch = Scratch::new(&format!("validate-{test}"));
    let file = scratch.settings(settings);
    steadfast(&[&["validate", &*file], options].concat())
}

#[test]
fn a_clean_file() {
    let mut settings =
        settings(&[even(1, "checkout"), with(even(2, "banner"), "status", json!("PAUSED")), even(3, "hero")]);
    settings["groups"] = json!({"7": {"name": "Start page", "campaigns": [1, 3]}});
    settings["campaignGroups"] = json!({"1": 7, "3": 7});
    let run = validate("clean", &settings, &[]);
    assert_eq!(run.status, 0, "{}", run.output);
    run.has_lines(&[
        "settings.json is fine\n",
        "What is fine",
        "✓ account 888888, 3 campaigns",
        "✓ 3 campaigns can be used, 2 running",
        "✓ group Start page: checkout and hero exclude each other",
        "0 errors, 0 warnings",
    ]);
    assert!(!run.output.contains('\u{1b}'));
}

#[test]
fn problems_stand_with_their_campaign() {
    let broken = campaign(1, "checkout", &[("Control", 50.0), ("Green", -5.0)]);
    let mut odd = even(2, "banner");
    odd["colour"] = json!("green");
    let mut settings = settings(&[broken, odd, even(3, "hero")]);
    settings["groups"] = json!({"7": {"campaigns": [3, 99]}});
    settings["campaignGroups"] = json!({"3": 7});
    let run = validate("problems", &settings, &[]);
    assert_eq!(run.status, 1);
    run.has_lines(&[
        "settings.json has errors\n",
        "Campaign checkout (A/B test, running)",
        "✗ error at $.campaigns[0].variations[1].weight\n    is -5, expected a percentage from 0 to 100\n",
        "→ calls on this campaign are refused; the others are not touched by it",
        "Campaign banner (A/B test, running)",
        "! warning at $.campaigns[1].colour\n    is not a key that is known here: it has no effect\n",
        "The file as a whole",
        "! warning at $.groups.7.campaigns[1]\n    names the campaign `99`, which is not there",
        "✓ 2 campaigns can be used, 2 running",
        "✓ nothing to say about 1 campaign\n",
        "1 error, 3 warnings",
    ]);
}

#[test]
fn warnings_fail_where_that_is_wanted() {
    let settings = settings(&[campaign(1, "checkout", &[("Control", 20.0), ("Green", 30.0)])]);
    let run = validate("lenient", &settings, &[]);
    assert_eq!(run.status, 0);
    run.has_lines(&["can be used, but look at the warnings", "the weights sum to 50, not to 100"]);
    let run = validate("strict", &settings, &["--strict"]);
    assert_eq!(run.status, 1);
    run.has_lines(&["has warnings, which count as errors here"]);
}

#[test]
fn the_same_as_an_object() {
    let broken = campaign(1, "checkout", &[("Control", -5.0)]);
    let run = validate("json", &settings(&[broken, even(2, "banner")]), &["--json"]);
    assert_eq!(run.status, 1);
    let json = run.json();
    assert_eq!((&json["account"], &json["errors"]), (&json!("888888"), &json!(1)));
    assert_eq!((&json["campaigns"][0]["usable"], &json["campaigns"][1]["usable"]), (&json!(false), &json!(true)));
    let problem = &json["campaigns"][0]["problems"][0];
    assert_eq!(problem["path"], "$.campaigns[0].variations[0].weight");
    assert_eq!(problem["severity"], "error");
}
