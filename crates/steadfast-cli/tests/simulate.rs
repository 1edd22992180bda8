//! `steadfast simulate`, from the outside.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;

use command::{Run, Scratch, campaign, even, settings, steadfast, with};
use serde_json::{Value, json};

fn simulate(test: &str, settings: &Value, options: &[&str]) -> Run {
    let scratch = Scratch::new(&format!("simulate-{test}"));
    let file = scratch.settings(settings);
    steadfast(&[&["simulate", "--settings", &*file, "--campaign", "checkout"], options].concat())
}

/// Two campaigns in a group whose buckets come from the user id alone, as in accounts of the first generation.
fn unseeded_group() -> Value {
    let headline = with(even(2, "headline"), "percentTraffic", json!(50));
    let mut settings = settings(&[even(1, "checkout"), headline]);
    settings["isNB"] = json!(false);
    settings["isNBv2"] = json!(false);
    settings["groups"] = json!({"3": {"campaigns": [1, 2]}});
    settings["campaignGroups"] = json!({"1": 3, "2": 3});
    settings
}

#[test]
fn a_sound_split() {
    let checkout = with(campaign(1, "checkout", &[("Control", 20.0), ("Green", 80.0)]), "percentTraffic", json!(40));
    let run = simulate("sound", &settings(std::slice::from_ref(&checkout)), &["--users", "20000"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    run.has_lines(&[
        "20,000 new users of checkout\n",
        "A/B test · nothing stored before · variables none · seed 1",
        "Who takes part",
        "let in",
        "outside the traffic",
        "the campaign's traffic is 40 %",
        "who were let in are split",
        "users     share  expected    off by",
        "Control",
        "20.00 %",
        "Green",
        "80.00 %",
        "┃ is where the bar should end",
        "✓ The split matches the weights",
        "1 degree of freedom, p = 0.",
    ]);
    assert!(!run.output.contains("no variation") && !run.output.contains('\u{1b}'));
    assert_eq!(run.errors, "");

    let json = simulate("sound-json", &settings(&[checkout]), &["--users", "20000", "--json"]).json();
    let users = |value: &Value| value.as_u64().expect("a count");
    let arms = json["variations"].as_array().expect("a list");
    assert_eq!(arms.iter().map(|arm| users(&arm["users"])).sum::<u64>(), users(&json["letIn"]));
    assert_eq!(users(&json["letIn"]) + users(&json["leftOut"]["not_in_traffic"]), 20_000);
    assert_eq!(arms[0]["expectedShare"], json!(0.2));
    assert_eq!(json["mismatch"], json!(false));
}

#[test]
fn the_same_seed_gives_the_same_users() {
    let settings = settings(&[even(1, "checkout")]);
    let run =
        |seed| simulate(&format!("seed-{seed}"), &settings, &["--users", "5000", "--seed", seed, "--json"]).json();
    let variations = |seed| run(seed)["variations"].clone();
    assert_eq!(variations("7"), variations("7"));
    assert_ne!(variations("7"), variations("8"));
}

#[test]
fn a_gap_is_a_category_of_its_own() {
    let checkout = campaign(1, "checkout", &[("Control", 20.0), ("Green", 30.0)]);
    let run = simulate("gap", &settings(&[checkout]), &["--users", "20000"]);
    run.has_lines(&[
        "no variation",
        "50.00 %",
        "✓ The split matches",
        "2 degrees of freedom",
        "! the weights sum to 50 %",
    ]);
}

#[test]
fn users_past_the_last_range_are_expected_where_buckets_are_stretched() {
    // spec BKT-34: at 1 % traffic, 0.99 % of the admitted users
    let mut settings = settings(&[with(even(1, "checkout"), "percentTraffic", json!(1))]);
    settings["isNB"] = json!(false);
    settings["isNBv2"] = json!(false);
    let run = simulate("stretched", &settings, &["--users", "200000"]);
    run.has_lines(&["no variation", "0.99 %", "✓ The split matches", "! buckets are stretched to the traffic"]);
}

#[test]
fn an_unseeded_group_bends_the_split() {
    let run = simulate("bent", &unseeded_group(), &["--users", "20000"]);
    assert_eq!(run.status, 0);
    run.has_lines(&[
        "in another campaign of the group",
        "✗ The split does not match the weights: this is no chance (sample ratio mismatch)",
        "isBucketingSeedEnabled",
    ]);
    // What the report says would end it does.
    let mut seeded = unseeded_group();
    for place in 0..2 {
        seeded["campaigns"][place]["isBucketingSeedEnabled"] = json!(true);
    }
    simulate("seeded", &seeded, &["--users", "20000"]).has_lines(&["✓ The split matches"]);
    let run = simulate("bent-fails", &unseeded_group(), &["--users", "20000", "--fail-on-mismatch", "--json"]);
    assert_eq!((run.status, &run.json()["mismatch"]), (1, &json!(true)));
}

#[test]
fn everybody_left_out() {
    let checkout = with(even(1, "checkout"), "segments", json!({"custom_variable": {"plan": "gold"}}));
    let settings = settings(&[checkout]);
    simulate("nobody", &settings, &["--users", "1000"]).has_lines(&[
        "outside the audience",
        "1,000  100.00 %",
        "Nobody was let in, so there is no split to look at",
    ]);
    simulate("gold", &settings, &["--users", "1000", "--variables", r#"{"plan":"gold"}"#])
        .has_lines(&["let in", "1,000  100.00 %"]);
}

#[test]
fn bandits_and_features_can_be_simulated() {
    let bandit = with(even(1, "checkout"), "isMAB", json!(true));
    simulate("bandit", &settings(&[bandit]), &["--users", "1000"]).has_lines(&["let in", "1,000  100.00 %"]);
    let feature = with(even(1, "checkout"), "type", json!("FEATURE_TEST"));
    simulate("feature", &settings(&[feature]), &["--users", "1000"]).has_lines(&["feature test", "let in", "1,000"]);
}

#[test]
fn the_picture_is_well_formed_and_shows_the_numbers() {
    let name = "<Control> & \"old\" 'one' \u{1} 日本";
    let checkout = campaign(1, "checkout", &[(name, 30.0), ("Green", 60.0)]);
    let scratch = Scratch::new("simulate-picture");
    let (file, picture) = (scratch.settings(&settings(&[checkout])), scratch.path("split.svg"));
    let arguments = ["simulate", "--settings", &file, "--campaign", "checkout", "--users", "20000", "--svg", &picture];
    let run = steadfast(&arguments);
    run.has_lines(&["The picture is in", "split.svg"]);
    let svg = std::fs::read_to_string(&picture).expect("the picture is there");
    let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
    let root = document.root_element();
    assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("svg", Some("http://www.w3.org/2000/svg")));
    let texts = |tag: &str| -> Vec<String> {
        let named = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)));
        named.filter_map(|node| node.text()).map(str::to_owned).collect()
    };
    assert_eq!(
        texts("title"),
        ["20,000 new users of checkout", &name.replace('\u{1}', "\u{fffd}"), "Green", "no variation"]
    );
    assert!(texts("desc")[0].contains("expected 60.00 %"), "{svg}");
    let words = texts("text");
    for word in ["20,000 new users of checkout", "no variation", "share the settings promise", "60 %"] {
        assert!(words.iter().any(|text| text == word), "`{word}` is not in {words:?}");
    }
    assert!(words.iter().any(|text| text.starts_with("The split matches the weights: chi-square")));
    assert!(texts("style")[0].contains("prefers-color-scheme: dark"));

    // The bars are as long as the shares say, and their marks stand where the weights say.
    let run = steadfast(&[&arguments[..7], &["--json"]].concat()).json();
    let shares: Vec<f64> =
        run["variations"].as_array().expect("a list").iter().filter_map(|arm| arm["share"].as_f64()).collect();
    let number = |node: &roxmltree::Node<'_, '_>, name: &str| -> f64 {
        node.attribute(name).and_then(|text| text.parse().ok()).expect("a number")
    };
    let groups: Vec<_> = document.descendants().filter(|node| node.tag_name().name() == "g").collect();
    assert_eq!(groups.len(), 3);
    let width = |group: &roxmltree::Node<'_, '_>| {
        group.children().find(|node| node.tag_name().name() == "rect").map(|bar| number(&bar, "width")).expect("a bar")
    };
    assert!((width(&groups[0]) / width(&groups[1]) - shares[0] / shares[1]).abs() < 0.01);
    let mark = |group: &roxmltree::Node<'_, '_>| {
        let line = group.children().find(|node| node.attribute("class") == Some("expected")).expect("a mark");
        number(&line, "x1") - 220.0
    };
    assert!((mark(&groups[0]) / mark(&groups[1]) - 0.5).abs() < 0.01);
}
