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

#[test]
fn a_file_without_campaigns_is_no_fine_file() {
    for (campaigns, warning) in [
        (None, "warning at $\n    has no `campaigns`: no call gets a variation\n"),
        (Some(json!([])), "warning at $.campaigns\n    is empty: no call gets a variation\n"),
        (Some(json!({})), "warning at $.campaigns\n    is empty: no call gets a variation\n"),
    ] {
        let mut settings = settings(&[]);
        match campaigns {
            Some(campaigns) => settings["campaigns"] = campaigns,
            None => drop(settings.as_object_mut().expect("an object").remove("campaigns")),
        }
        let run = validate("no-campaigns", &settings, &[]);
        assert_eq!(run.status, 0);
        run.has_lines(&["can be used, but look at the warnings", warning, "0 errors, 1 warning\n"]);
    }
    let mut settings = settings(&[]);
    settings["campaigns"] = json!("none");
    let run = validate("campaigns-text", &settings, &[]);
    assert_eq!(run.status, 1);
    run.has_lines(&["error at $.campaigns\n    is a text, expected a list\n", "1 error, 0 warnings\n"]);
}

#[test]
fn a_campaign_without_a_type_says_so() {
    let mut campaign = even(1, "checkout");
    drop(campaign.as_object_mut().expect("an object").remove("type"));
    validate("no-type", &settings(&[campaign]), &[])
        .has_lines(&["Campaign checkout (no type, running)", "has no `type`, expected a text"]);
}

#[test]
fn what_is_wrong_in_several_places_is_said_once() {
    let variations: Vec<Value> = (1..=7).map(|id| json!({ "id": id, "name": format!("V{id}") })).collect();
    let few = with(even(1, "few"), "variations", json!(variations[..2]));
    let many = with(even(2, "many"), "variations", json!(variations));
    let run = validate("repeated", &settings(&[few, many]), &[]);
    let place = |campaign: u32, variation: u32| format!("$.campaigns[{campaign}].variations[{variation}]");
    let several: Vec<String> = (0..5).map(|variation| place(1, variation)).collect();
    run.has_lines(&[
        &format!("! warning at {} and {}\n    has no `weight`: read as 0\n", place(0, 0), place(0, 1)),
        &format!("! warning at {}, and 2 more places\n    has no `weight`: read as 0\n", several.join(", ")),
        "0 errors, 11 warnings",
    ]);
    assert_eq!(run.output.matches("has no `weight`").count(), 2, "{}", run.output);
}
