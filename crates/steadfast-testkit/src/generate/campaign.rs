//! Campaigns of every type.

use serde_json::{Value, json};
use steadfast::engine::bucket::VisitorNamespace;

use super::Style;
use super::segment::segment;
use super::user::User;
use super::words::{GOALS, VARIABLE_KEYS, VARIATIONS};
use crate::random::Random;

/// The campaigns of a file.
pub(super) fn campaigns(random: &mut Random, style: Style, users: &[User]) -> Vec<Value> {
    let count = random.between(3, 14);
    let first = random.between(1, 9000);
    // Ids and keys never repeat in a file.
    let gap = random.between(1, 11);
    (0..count).map(|number| campaign(random, style, users, first + number * gap)).collect()
}

fn campaign(random: &mut Random, style: Style, users: &[User], id: u64) -> Value {
    let kind = random.pick(&["VISUAL_AB", "VISUAL_AB", "FEATURE_TEST", "FEATURE_TEST", "FEATURE_ROLLOUT"]);
    let whitelists = random.chance(35);
    let lists_hashes = random.chance(30);
    let variations = match kind {
        "FEATURE_ROLLOUT" => vec![json!({"id": 1, "name": "website", "weight": random.pick(&[100, 100, 100, 50, 0])})],
        kind => variations(random, kind == "FEATURE_TEST", !whitelists),
    };
    let mut campaign = json!({
        "id": id, "key": format!("{}{id}", random.pick(&["ab-", "ft ", "größe/", "camp.", "日本"])), "type": kind,
        "status": if random.chance(92) { "RUNNING" } else { "PAUSED" },
        "percentTraffic": random.pick(&[100.0, 100.0, 100.0, 100.0, 99.0, 75.0, 50.0, 33.3, 25.0, 10.0, 5.0, 1.0, 0.0]),
        "segments": if random.chance(60) { json!({}) } else { segment(random) },
        "variations": variations, "isForcedVariationEnabled": whitelists, "isUserListEnabled": lists_hashes,
        "goals": if style.has_storage && whitelists { Vec::new() } else { goals(random, style) },
    });
    for flag in ["isOB", "isOBv2", "isBucketingSeedEnabled"] {
        if let Some(value) = random.flag() {
            campaign[flag] = value.into();
        }
    }
    if kind == "FEATURE_ROLLOUT" {
        campaign["variables"] = feature_variables(random).into();
    }
    if style.has_storage && random.chance(15) {
        campaign["isMAB"] = true.into();
    }
    if whitelists {
        for variation in campaign["variations"].as_array_mut().into_iter().flatten() {
            if random.chance(60) {
                variation["segments"] = whitelist(random, style, users, lists_hashes);
            }
        }
    }
    campaign
}

/// Variations whose weights are anything that is a percentage.
fn variations(random: &mut Random, features: bool, may_be_text: bool) -> Vec<Value> {
    let count = random.between(1, 5);
    let weights = weights(random, count);
    let as_text = may_be_text && random.chance(10);
    (1..=count)
        .zip(weights)
        .zip(VARIATIONS)
        .map(|((id, weight), name)| {
            let weight = if as_text { weight.to_string().into() } else { Value::from(weight) };
            let mut variation = json!({"id": id, "name": name, "weight": weight, "changes": {}});
            if features {
                variation["isFeatureEnabled"] = random.chance(65).into();
                variation["variables"] = feature_variables(random).into();
            }
            if random.chance(20) {
                variation["segments"] = json!({});
            }
            variation
        })
        .collect()
}

fn weights(random: &mut Random, count: u64) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let number = |number: u64| number as f64;
    match random.below(4) {
        // An even split, as the application writes it.
        0 | 1 => (0..count).map(|_| (10_000.0 / number(count)).floor() / 100.0).collect(),
        2 => (0..count).map(|_| number(random.between(0, 100))).collect(),
        _ => (0..count).map(|_| number(random.between(0, 1_000_000)) / 10_000.0).collect(),
    }
}

fn goals(random: &mut Random, style: Style) -> Vec<Value> {
    let identifiers = random.some(GOALS, 55);
    let goals = identifiers.into_iter().zip(1..).map(|(identifier, id)| {
        let mut goal = json!({"id": id, "identifier": identifier, "type": "CUSTOM_GOAL"});
        if random.chance(35) {
            goal["type"] = "REVENUE_TRACKING".into();
            if random.chance(50) {
                goal["revenueProp"] = random.pick(&["amount", "price"]).into();
            }
        }
        if style.counts_again && random.chance(25) {
            goal["mca"] = random.pick(&[-1, -1, 1, 0]).into();
        }
        goal
    });
    goals.collect()
}

/// Variables of a feature, whose values fit their types more or less.
fn feature_variables(random: &mut Random) -> Vec<Value> {
    let keys = random.some(VARIABLE_KEYS, 70);
    let variables = keys.into_iter().zip(1..).map(|(key, id)| {
        let kind = random.pick(&["string", "integer", "double", "boolean", "json"]);
        let value = match kind {
            "string" => random.pick(&[json!("text"), json!(""), json!("12"), json!("é😀")]),
            "integer" => {
                random.pick(&[json!(5), json!(-3), json!("12"), json!("7 apples"), json!(3.9), json!("x"), json!("-4")])
            }
            "double" => {
                random.pick(&[json!(1.5), json!(2), json!("2.25"), json!("1e3"), json!(".5x"), json!("x"), json!(-0.5)])
            }
            "boolean" => random.pick(&[json!(true), json!(false), json!("true"), json!(1), json!(null)]),
            _ => random.pick(&[json!({}), json!({"a": [1, {"b": null}]}), json!("{}"), json!(null), json!([1])]),
        };
        json!({"id": id, "key": key, "type": kind, "value": value})
    });
    variables.collect()
}

/// Who gets a variation by hand: a list of users, or a segment.
fn whitelist(random: &mut Random, style: Style, users: &[User], hashes: bool) -> Value {
    if random.chance(40) {
        return segment(random);
    }
    let visitors = VisitorNamespace::of_account(&style.account.to_string());
    let listed: Vec<String> = random
        .some(users, 25)
        .iter()
        .map(|user| if hashes { visitors.visitor(&user.id).to_string() } else { user.id.clone() })
        .collect();
    let list = json!({"user": listed.join(random.pick(&[",", ", ", " ,"]))});
    match random.below(4) {
        0 => json!({"or": [list, segment(random)]}),
        1 => json!({"not": list}),
        _ => json!({"or": [list]}),
    }
}
