//! `steadfast explain`, from the outside.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;

use command::{Run, Scratch, even, settings, steadfast, with};
use serde_json::{Value, json};

fn explain(test: &str, settings: &Value, arguments: &[&str]) -> Run {
    let scratch = Scratch::new(&format!("explain-{test}"));
    let file = scratch.settings(settings);
    let mut all = vec!["explain", "--settings", &file, "--campaign", "checkout"];
    if !arguments.contains(&"--user") {
        all.extend(["--user", "Ashley"]);
    }
    all.extend(arguments);
    steadfast(&all)
}

#[test]
fn every_stage_of_a_fresh_assignment() {
    // spec BKT vectors V11 and H30: traffic bucket 82 of 231_Ashley, bucket 1826 of 231_888888_Ashley
    let run = explain("fresh", &settings(&[even(231, "checkout")]), &[]);
    assert_eq!(run.status, 0);
    run.has_lines(&[
        "Ashley gets Control\n",
        "campaign checkout · A/B test · activate · assigned",
        " 1 ✓ The campaign is running",
        " 2 – The storage has nothing for Ashley yet",
        " 3 ✓ The campaign is for everybody",
        " 4 ✓ Ashley is in the campaign's traffic of 100 %",
        "bucket 82 of 100; all are let in",
        "hash of \"231_Ashley\" is 3514263421",
        " 5 ✓ Ashley's bucket, 1,826, lies in the range of Control",
        "     ██████████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒\n               ▲ 1,826\n",
        "█ Control  50 %  1 to 5,000  ← here",
        "▒ Green    50 %  5,001 to 10,000\n",
        "hash of \"231_888888_Ashley\" is 784172959",
        "What happens next",
        "→ VWO would hear of a visitor of Control",
        "visitor A46F7AA3A53150368683EE064793BAFD",
        "→ A storage would keep a new record",
        r#"{"campaignKey":"checkout","userId":"Ashley","variationName":"Control"}"#,
        "→ The integrations hook is called",
    ]);
    assert!(!run.output.contains("Worth a look"));
}

#[test]
fn the_audience_is_a_tree_with_the_users_values() {
    let segments = json!({"or": [
        {"custom_variable": {"plan": "gold"}},
        {"and": [{"custom_variable": {"age": "gt(18)"}}, {"not": {"custom_variable": {"city": "Oslo"}}}]},
    ]});
    let settings = settings(&[with(even(231, "checkout"), "segments", segments)]);
    let run = explain("audience", &settings, &["--variables", r#"{"plan":"silver","age":12}"#]);
    run.has_lines(&[
        "Ashley gets nothing: not in the campaign's audience",
        " 3 ✗ Ashley is not in the audience\n",
        "     ✗ any of\n",
        "       ✗ plan is \"gold\"  · given: \"silver\"\n",
        "       ✗ all of\n",
        "         ✗ age > 18  · given: \"12\"\n",
        "         ✓ not\n",
        "           ✗ city is \"Oslo\"  · not given\n",
        "Nothing is sent and nothing is stored",
    ]);
    explain("audience-unknown", &settings, &[])
        .has_lines(&["nothing is known about the user: say it with --variables"]);
}

#[test]
fn a_group_shows_who_could_and_who_won() {
    let banner = with(even(232, "banner"), "percentTraffic", json!(0));
    let mut settings = settings(&[even(231, "checkout"), even(233, "headline"), banner]);
    settings["groups"] = json!({"3": {"name": "Start page", "campaigns": [231, 232, 233]}});
    settings["campaignGroups"] = json!({"231": 3, "232": 3, "233": 3});
    // spec GRP vector G08: bucket 7341 of 3_Ashley
    explain("group", &settings, &[]).has_lines(&[
        "Ashley gets nothing: headline, of the same group, has won them",
        "✗ headline wins Ashley in group Start page, not checkout",
        "✓ checkout  the user could take part  (this one)",
        "✗ banner    the user is outside its audience or traffic",
        "✓ headline  the user could take part\n",
        "chosen by chance, the same for this user each time:",
        "▲ 7,341",
        "▒ headline  50 %  5,001 to 10,000  ← here",
        "from the hash of \"3_Ashley\"",
    ]);
    let stored = r#"{"campaignKey":"headline","variationName":"Green"}"#;
    explain("group-stored", &settings, &["--stored", stored]).has_lines(&[
        "Ashley gets nothing: takes part in headline already, of the same group",
        "– checkout  goes without  (this one)",
        "✓ headline  has the user",
    ]);
    settings["groups"]["3"]["et"] = json!(2);
    settings["groups"]["3"]["p"] = json!([231]);
    explain("group-priority", &settings, &[])
        .has_lines(&["✓ checkout wins Ashley in group Start page", "it comes first in the group's order of priority"]);
    settings["groups"]["3"]["p"] = json!([]);
    settings["groups"]["3"]["wt"] = json!({"231": 90, "233": 10});
    explain("group-weight", &settings, &[]).has_lines(&[
        "✓ checkout wins Ashley",
        "chosen by weight",
        "█ checkout  90 %  1 to 9,000  ← here",
    ]);
}

#[test]
fn what_is_stored_comes_first() {
    let settings = settings(&[even(231, "checkout")]);
    let record = |variation: &str| json!({"userId": "Ashley", "campaignKey": "checkout", "variationName": variation});
    explain("stored", &settings, &["--stored", &record("Green").to_string()]).has_lines(&[
        "Ashley gets Green: it is stored for them",
        " 2 ✓ The storage has Green for Ashley",
        "Nothing is sent and nothing is stored",
    ]);
    explain("stale", &settings, &["--stored", &json!([record("Gone")]).to_string()]).has_lines(&[
        "Ashley gets Control\n",
        " 2 – Ashley is stored with Gone, which the campaign does not have any more",
        "→ The storage would replace the record, whose variation Gone is gone",
        "Worth a look",
        "! the stored record names a variation that the campaign does not have",
    ]);
    let bobs = json!({"userId": "Bob", "campaignKey": "checkout", "variationName": "Green"}).to_string();
    explain("of-another", &settings, &["--stored", &bobs])
        .has_lines(&["Ashley gets Control\n", "! a stored record is of `Bob`: it plays no part here"]);
}

#[test]
fn goals_are_counted_once() {
    let settings = settings(&[even(231, "checkout")]);
    explain("track", &settings, &["--verb", "track"]).has_lines(&[
        "Goal purchase is counted for Ashley, who has Control",
        "→ VWO would hear of the goal purchase",
        r#"{"activated":false,"campaignKey":"checkout","goalIdentifier":"purchase","#,
    ]);
    let stored = r#"{"campaignKey":"checkout","variationName":"Green","goalIdentifier":"purchase"}"#;
    explain("track-again", &settings, &["--verb", "track", "--stored", stored])
        .has_lines(&["Goal purchase is not counted again for Ashley", "Nothing is sent and nothing is stored"]);
    explain("track-required", &settings, &["--verb", "track", "--activation", "required"])
        .has_lines(&["not activated in the campaign before", "✗ Ashley must be activated first"]);
    explain("track-unknown", &settings, &["--verb", "track", "--goal", "buy"])
        .refuses(&["campaign `checkout` has no goal `buy`: it has `purchase`"]);
}

#[test]
fn features_show_their_variables() {
    let mut campaign = with(even(231, "checkout"), "type", json!("FEATURE_TEST"));
    campaign["isForcedVariationEnabled"] = json!(true);
    campaign["variations"][0]["variables"] = json!([{"id": 1, "key": "limit", "type": "integer", "value": 100}]);
    campaign["variations"][1]["variables"] = json!([{"id": 1, "key": "limit", "type": "integer", "value": 50}]);
    campaign["variations"][1]["isFeatureEnabled"] = json!(true);
    campaign["variations"][1]["segments"] = json!({"or": [{"user": "Rosa"}]});
    let settings = settings(&[campaign]);
    explain("feature", &settings, &["--user", "Rosa"]).has_lines(&[
        "The feature is on for Rosa, who gets Green: whitelisted for it",
        "isFeatureEnabled · whitelisted",
        " 2 ✓ Rosa is whitelisted for Green",
        "Variables of the feature",
        "limit  50",
    ]);
    explain("feature-off", &settings, &[]).has_lines(&[
        "The feature is off for Ashley, who gets Control",
        "– Ashley is on no whitelist",
        "limit  100",
    ]);
}

#[test]
fn the_same_as_an_object() {
    let json = explain("json", &settings(&[even(231, "checkout")]), &["--json"]).json();
    assert_eq!(json["sentence"], "Ashley gets Control");
    assert_eq!(json["variation"], json!({"name": "Control", "id": "1"}));
    assert_eq!(json["reason"], "assigned");
    let stages: Vec<&str> =
        json["stages"].as_array().expect("a list").iter().filter_map(|one| one["stage"].as_str()).collect();
    assert_eq!(stages, ["campaign", "stored", "audience", "traffic", "assignment"]);
    let assignment = &json["stages"][4];
    assert_eq!((&assignment["bucket"], &assignment["hash"]), (&json!(1826), &json!(784_172_959)));
    assert_eq!(assignment["mode"], "new_v2");
    assert_eq!(assignment["ranges"][1], json!({"variation": "Green", "weight": 50.0, "start": 5001, "end": 10000}));
    assert_eq!(json["effects"][1]["record"]["variationName"], "Control");
    assert_eq!(json["warnings"], json!([]));
}

#[test]
fn a_pipe_gets_no_colour_codes() {
    let run = explain("colours", &settings(&[even(231, "checkout")]), &[]);
    assert!(!run.output.contains('\u{1b}'));
    // What comes from outside cannot bring its own.
    let run = explain("escape", &settings(&[even(231, "checkout")]), &["--user", "\u{1b}[31mred"]);
    assert!(run.output.starts_with("\\u{1b}[31mred gets "), "{}", run.output);
}
