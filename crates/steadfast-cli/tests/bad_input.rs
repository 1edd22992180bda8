//! What people get wrong, and what they are told.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;

use command::{Scratch, campaign, even, settings, steadfast, steadfast_with_input, with};
use serde_json::{Value, json};

/// The four commands that read a settings file, on this one.
fn on_file(file: &str) -> [Vec<&str>; 4] {
    [
        vec!["explain", "--settings", file, "--campaign", "checkout", "--user", "Ashley"],
        vec!["simulate", "--settings", file, "--campaign", "checkout", "--users", "100"],
        vec!["validate", file],
        vec!["batch", "--settings", file],
    ]
}

fn explain(test: &str, settings: &Value, campaign: &str, user: &str) -> command::Run {
    let scratch = Scratch::new(&format!("bad-{test}"));
    let file = scratch.settings(settings);
    steadfast(&["explain", "--settings", &file, "--campaign", campaign, "--user", user])
}

#[test]
fn a_settings_file_that_is_not_there() {
    for arguments in on_file("nowhere/settings.json") {
        steadfast(&arguments).refuses(&[
            "cannot read the settings file `nowhere/settings.json`",
            "check the path, which is relative to the current folder",
        ]);
    }
    let absolute = Scratch::new("bad-nowhere").path("settings.json");
    for arguments in on_file(&absolute) {
        let run = steadfast(&arguments);
        run.refuses(&["cannot read the settings file", ": check the path"]);
        assert!(!run.errors.contains("relative"), "{}", run.errors);
    }
}

#[test]
fn a_settings_file_that_ends_too_early() {
    let scratch = Scratch::new("bad-truncated");
    let file = scratch.file("settings.json", r#"{"accountId": 1, "campaigns": [{"key": "che"#);
    for arguments in on_file(&file) {
        steadfast(&arguments).refuses(&["settings.json`: the settings file ends too early", "line 1 column"]);
    }
}

#[test]
fn a_settings_file_that_is_something_else() {
    let scratch = Scratch::new("bad-other");
    let file = scratch.file("settings.json", "[1, 2]");
    steadfast(&["validate", &file]).refuses(&["is a list, expected an object with `accountId` and `campaigns`"]);
    let file = scratch.file("settings.json", r#"{"campaigns": []}"#);
    steadfast(&["validate", &file]).refuses(&["$.accountId: is missing"]);
}

#[test]
fn unknown_keys_are_tolerated_and_named() {
    let mut settings = settings(&[with(even(231, "checkout"), "percentTrafic", json!(10))]);
    settings["colour"] = json!(1);
    let scratch = Scratch::new("bad-keys");
    let file = scratch.settings(&settings);
    let run = steadfast(&["validate", &file]);
    assert_eq!(run.status, 0);
    run.has_lines(&["$.campaigns[0].percentTrafic", "$.colour", "0 errors, 2 warnings"]);
    explain("keys", &settings, "checkout", "Ashley").has_lines(&[
        "Ashley gets Control",
        "Worth a look",
        "! settings: $.campaigns[0].percentTrafic is not a key that is known here",
    ]);
}

#[test]
fn a_negative_weight_breaks_its_campaign_only() {
    let broken = campaign(1, "checkout", &[("Control", 150.0), ("Green", -50.0)]);
    let settings = settings(&[broken, even(2, "banner")]);
    explain("negative", &settings, "checkout", "Ashley").refuses(&[
        "campaign `checkout` cannot be used: $.campaigns[0].variations[1].weight is -50, expected a percentage",
        "`steadfast validate",
        "lists everything that is wrong",
    ]);
    explain("negative-other", &settings, "banner", "Ashley").has_lines(&["Ashley gets "]);
    let scratch = Scratch::new("bad-negative");
    let file = scratch.settings(&settings);
    steadfast(&["simulate", "--settings", &file, "--campaign", "checkout"]).refuses(&["cannot be used"]);
    assert_eq!(steadfast(&["validate", &file]).status, 1);
}

#[test]
fn weights_that_do_not_sum_to_100() {
    let settings = settings(&[campaign(231, "checkout", &[("Control", 5.0), ("Green", 10.0)])]);
    explain("gap", &settings, "checkout", "Ashley").has_lines(&[
        "Ashley gets nothing: their bucket lies in no variation's range",
        "✗ Ashley's bucket, ",
        "lies in no variation's range",
        "! settings: $.campaigns[0].variations the weights sum to 15, not to 100",
    ]);
}

#[test]
fn two_campaigns_with_one_key() {
    let settings = settings(&[even(231, "checkout"), campaign(2, "checkout", &[("Other", 100.0)])]);
    let scratch = Scratch::new("bad-twice");
    let file = scratch.settings(&settings);
    let run = steadfast(&["validate", &file]);
    assert_eq!(run.status, 1);
    run.has_lines(&[
        "error at $.campaigns[1].key",
        "is the key of $.campaigns[0] already, which is the one that calls reach",
    ]);
    run.has_lines(&["✓ 1 campaign can be used, 1 running"]);
    explain("twice", &settings, "checkout", "Ashley").has_lines(&["Ashley gets Control"]);
}

#[test]
fn a_group_that_names_a_campaign_that_is_not_there() {
    let mut settings = settings(&[even(231, "checkout")]);
    settings["groups"] = json!({"3": {"campaigns": [231, 99]}});
    settings["campaignGroups"] = json!({"231": 3});
    let scratch = Scratch::new("bad-group");
    let file = scratch.settings(&settings);
    let run = steadfast(&["validate", &file]);
    assert_eq!(run.status, 0);
    run.has_lines(&["warning at $.groups.3.campaigns[1]", "names the campaign `99`, which is not there"]);
    explain("group", &settings, "checkout", "Ashley")
        .has_lines(&["Ashley gets Control", "it is the only one the user could take part in"]);
}

#[test]
fn very_long_user_ids_work() {
    let user = "x".repeat(4096);
    let settings = settings(&[even(231, "checkout")]);
    let run = explain("long", &settings, "checkout", &user);
    assert_eq!(run.status, 0);
    run.has_lines(&["… (4,096 characters) gets "]);
    let scratch = Scratch::new("bad-long");
    let file = scratch.settings(&settings);
    let json = steadfast(&["explain", "--settings", &file, "--campaign", "checkout", "--user", &user, "--json"]).json();
    assert_eq!(json["user"], json!(user));
}

#[test]
fn empty_user_ids_do_not() {
    explain("empty", &settings(&[even(231, "checkout")]), "checkout", "").refuses(&["the user id is empty"]);
}

#[test]
fn campaigns_that_do_not_exist() {
    let both = settings(&[even(1, "checkout"), even(2, "banner")]);
    explain("unknown", &both, "chekout", "Ashley")
        .refuses(&["no campaign has the key `chekout`", "did you mean `checkout`?"]);
    explain("unlike", &both, "zzz", "Ashley").refuses(&["it has `checkout` and `banner`"]);
    explain("none", &settings(&[]), "checkout", "Ashley").refuses(&["the file holds no campaigns"]);
}

#[test]
fn arguments_that_are_not_json() {
    let scratch = Scratch::new("bad-arguments");
    let file = scratch.settings(&settings(&[even(231, "checkout")]));
    let run = |name: &str, value: &str| {
        steadfast(&["explain", "--settings", &file, "--campaign", "checkout", "--user", "Ashley", name, value])
    };
    run("--variables", "{plan:gold}").refuses(&["`--variables` is not JSON", "put it in single quotes"]);
    run("--targeting", "[1]")
        .refuses(&["`--targeting` is a list: give an object, such as '{\"plan\":\"gold\",\"age\":42}'"]);
    run("--stored", "{}").refuses(&["`--stored`", "give a record such as", "variationName"]);
    run("--verb", "isFeatureEnabled").refuses(&["of type VISUAL_AB", "leave out --verb"]);
}

/// What `track` answers to these goals of one user, one after the other, and the goals on the record in the end.
fn track(test: &str, identifiers: &[&str], tracked: &[&str]) -> (Vec<bool>, String) {
    let goals: Vec<Value> = (1..)
        .zip(identifiers)
        .map(|(id, identifier)| json!({"id": id, "identifier": identifier, "type": "CUSTOM_GOAL"}))
        .collect();
    let scratch = Scratch::new(&format!("bad-{test}"));
    let file = scratch.settings(&settings(&[with(even(231, "checkout"), "goals", json!(goals))]));
    let run = steadfast(&["validate", &file]);
    assert_eq!(run.status, 0);
    run.has_lines(&["warning at $.campaigns[0].goals[0].identifier", "`buy_vwo_now` holds `_vwo_`"]);
    let call = |goal: &&str| {
        let call = json!({"op": "track", "campaignKey": "checkout", "userId": "Ashley", "goalIdentifier": goal});
        format!("{call}\n")
    };
    let calls: String = tracked.iter().map(call).collect();
    let run = steadfast_with_input(&["batch", "--settings", &file, "--storage", "memory:", "--dump-storage"], &calls);
    let answers: Vec<Value> = run.output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let goals = answers.last().and_then(|dump| dump["storage"][0]["goalIdentifier"].as_str()).unwrap_or_default();
    (answers.iter().filter_map(|answer| answer["result"]["checkout"].as_bool()).collect(), goals.to_owned())
}

#[test]
fn a_goal_that_holds_the_separator_is_counted_once() {
    let (counted, goals) = track("goal", &["buy_vwo_now"], &["buy_vwo_now", "buy_vwo_now", "buy_vwo_now"]);
    assert_eq!((&*counted, &*goals), (&[true, false, false][..], "buy_vwo_now"));
}

#[test]
fn a_goal_that_another_begins_with_is_counted_once_too() {
    let calls = ["buy_vwo_now", "buy_vwo_now", "buy", "buy", "buy_vwo_now"];
    let (counted, goals) = track("goals", &["buy_vwo_now", "buy"], &calls);
    assert_eq!((&*counted, &*goals), (&[true, false, true, false, false][..], "buy_vwo_now_vwo_buy"));
}

#[test]
fn a_command_that_does_not_exist() {
    let run = steadfast(&["explian"]);
    assert_eq!(run.status, 2);
    assert!(run.errors.contains("'explain'"), "{}", run.errors);
}

#[test]
fn a_password_that_cannot_be_used_is_not_repeated() {
    // It names no master, so it is refused.
    let url = "redis+sentinel://app:hidden@here";
    for arguments in [
        &["storage", "list", "--storage", url][..],
        &["storage", "list", url],
        &["storage", "copy", url, "memory:"],
        &["storage", "copy", "memory:", url],
        &["storage", "bench", url],
        &["batch", "--settings", "settings.json", "--storage", url],
    ] {
        let run = steadfast(arguments);
        assert_eq!((run.status, &*run.output), (2, ""), "{arguments:?}");
        assert!(run.errors.contains("'redis+sentinel://here'"), "{}", run.errors);
        assert!(!run.errors.contains("hidden"), "{}", run.errors);
    }
}
