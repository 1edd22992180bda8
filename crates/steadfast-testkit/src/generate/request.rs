//! Requests for a settings file.

use serde_json::{Map, Value, json};

use super::Style;
use super::segment::variables;
use super::user::{Habit, User};
use super::words::{GOALS, VARIABLE_KEYS};
use crate::random::Random;

/// A stream of requests.
pub(super) struct Stream<'f> {
    style: Style,
    campaigns: &'f [Value],
    users: &'f [User],
    /// The places of the user and the campaign of the request before.
    last: (usize, usize),
}

const AB: &[&str] = &["activate", "activate", "getVariationName", "track"];
const FEATURE_TEST: &[&str] = &[
    "isFeatureEnabled",
    "isFeatureEnabled",
    "getFeatureVariableValue",
    "getFeatureVariableValue",
    "getVariationName",
    "track",
];
const ROLLOUT: &[&str] = &["isFeatureEnabled", "getFeatureVariableValue"];
const ANY: &[&str] = &["activate", "getVariationName", "track", "isFeatureEnabled", "getFeatureVariableValue"];

impl<'f> Stream<'f> {
    pub(super) fn new(style: Style, campaigns: &'f [Value], users: &'f [User]) -> Self {
        Stream { style, campaigns, users, last: (0, 0) }
    }

    /// The next request: of any user for any campaign, or a follow-up to the one before.
    pub(super) fn next(&mut self, random: &mut Random) -> Value {
        if random.chance(55) {
            self.last.0 = random.below(self.users.len());
        }
        if random.chance(55) {
            self.last.1 = random.below(self.campaigns.len());
        }
        let (user, campaign) = (self.users[self.last.0].clone(), self.campaigns[self.last.1].clone());
        if random.chance(2) {
            return push(random, &user);
        }
        if self.style.has_storage && random.chance(7) {
            return self.put(random, &user, &campaign);
        }
        let ops = match campaign["type"].as_str() {
            _ if random.chance(3) => ANY,
            Some("VISUAL_AB") => AB,
            Some("FEATURE_TEST") => FEATURE_TEST,
            _ => ROLLOUT,
        };
        let mut op = random.pick(ops);
        if user.habit == Habit::Outdated {
            op = if campaign["type"] == "VISUAL_AB" { "activate" } else { "isFeatureEnabled" };
        }
        let mut request = json!({"op": op, "userId": user.id, "campaignKey": campaign["key"]});
        let mut options = options(random);
        match op {
            "track" => self.track(random, &user, &mut request, &mut options),
            "getFeatureVariableValue" => request["variableKey"] = random.pick(VARIABLE_KEYS).into(),
            _ => {}
        }
        self.keep(random, &user, &campaign, &mut request, &mut options);
        if options.is_empty() && random.chance(50) {
            return request;
        }
        request["options"] = options.into();
        if random.chance(3) && user.habit == Habit::Anything {
            spoil(random, &mut request);
        }
        request
    }

    /// What only `track` has.
    fn track(&self, random: &mut Random, user: &User, request: &mut Value, options: &mut Map<String, Value>) {
        request["goalIdentifier"] = user.goal.unwrap_or_else(|| random.pick(GOALS)).into();
        if user.habit == Habit::Anything {
            match random.below(10) {
                0 | 1 => {
                    let keys: Vec<Value> = self.campaigns.iter().map(|campaign| campaign["key"].clone()).collect();
                    let mut keys = random.some(&keys, 40);
                    if random.chance(15) {
                        keys.push(random.pick(&["unknown", ""]).into());
                    }
                    request["campaignKey"] = keys.into();
                }
                2 => request["campaignKey"] = Value::Null,
                _ => {}
            }
        }
        if random.chance(60) {
            options.insert(
                "revenueValue".into(),
                random.pick(&[json!(12.5), json!(99), json!("20.5"), json!("7"), json!(-3)]),
            );
        }
        if random.chance(30) {
            let properties =
                random.pick(&[json!({"amount": 5}), json!({"price": null}), json!({"other": "x"}), json!({})]);
            options.insert("eventProperties".into(), properties);
        }
        if random.chance(15) {
            let types = random.pick(&["ALL", "CUSTOM_GOAL", "REVENUE_TRACKING", "REVENUE_TRACKING", "all"]);
            options.insert("goalTypeToTrack".into(), types.into());
        }
    }

    /// What has to do with the storage.
    fn keep(
        &self,
        random: &mut Random,
        user: &User,
        campaign: &Value,
        request: &mut Value,
        options: &mut Map<String, Value>,
    ) {
        let tracks = request["op"] == "track";
        if user.habit == Habit::BringsRecord {
            let mut record = record(random, user, campaign, false);
            if tracks {
                // Tracked already: the record that is passed and the stored one need not be merged.
                record["goalIdentifier"] = request["goalIdentifier"].clone();
                request["campaignKey"] = campaign["key"].clone();
            }
            options.insert("userStorageData".into(), record);
            if tracks {
                return;
            }
        } else if random.chance(3) && !self.style.has_storage {
            options.insert("userStorageData".into(), json!({}));
        }
        if self.style.counts_again {
            if random.chance(25) {
                options.insert("shouldTrackReturningUser".into(), random.chance(60).into());
            }
        } else if random.chance(20) {
            options.insert("metaData".into(), random.pick(&[json!({}), json!({"browser": "chrome", "n": [1, 2.5]})]));
        }
    }

    /// A record from elsewhere.
    fn put(&self, random: &mut Random, user: &User, campaign: &Value) -> Value {
        let mut record = record(random, user, campaign, user.habit == Habit::Outdated);
        if user.habit == Habit::Anything && random.chance(40) {
            let goal = user.goal.unwrap_or("buy");
            record["goalIdentifier"] = if self.style.counts_again || random.chance(50) {
                goal.into()
            } else {
                // Of several goals none may count again, or the official SDK drops the others.
                format!("other_vwo_{goal}_vwo_x").into()
            };
        }
        if !self.style.counts_again && random.chance(20) {
            record["metaData"] = json!({"stored": true});
        }
        json!({"op": "storage_put", "record": record})
    }
}

/// A record with a variation of the campaign, or with one that is gone.
fn record(random: &mut Random, user: &User, campaign: &Value, gone: bool) -> Value {
    let variations = campaign["variations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = if gone { "Gone".into() } else { random.pick(variations)["name"].clone() };
    json!({"userId": user.id, "campaignKey": campaign["key"], "variationName": name})
}

fn options(random: &mut Random) -> Map<String, Value> {
    let mut options = Map::new();
    if random.chance(65) {
        options.insert("customVariables".into(), variables(random));
    }
    if random.chance(35) {
        options.insert("variationTargetingVariables".into(), variables(random));
    }
    options
}

fn push(random: &mut Random, user: &User) -> Value {
    let text = |random: &mut Random| random.pick(&["plan", "größe", "😀", "", "x y"]);
    if random.chance(50) {
        return json!({"op": "push", "tagKey": text(random), "tagValue": text(random), "userId": user.id});
    }
    let map: Map<String, Value> = (0..random.between(0, 3))
        .map(|number| (format!("tag {number}"), random.pick(&[json!("v"), json!("größe"), json!("😀")])))
        .collect();
    json!({"op": "push", "customDimensionMap": map, "userId": user.id})
}

/// Makes one parameter bad, in a way that is a mistake to both.
fn spoil(random: &mut Random, request: &mut Value) {
    match random.below(9) {
        0 => request["userId"] = random.pick(&[json!(""), json!(5), json!(null)]),
        1 => request["campaignKey"] = random.pick(&[json!(""), json!(5), json!("unknown"), json!({})]),
        2 => request["options"] = random.pick(&[json!("x"), json!([]), json!(null), json!(5)]),
        3 => request["options"]["customVariables"] = random.pick(&[json!(null), json!([]), json!("x")]),
        4 => request["options"]["variationTargetingVariables"] = random.pick(&[json!(null), json!([]), json!(1)]),
        5 => request["options"]["userStorageData"] = random.pick(&[json!([]), json!("x"), json!(5)]),
        6 => request["options"]["metaData"] = random.pick(&[json!([]), json!("x")]),
        7 => request["variableKey"] = random.pick(&[json!(""), json!(5), json!(null), json!("unknown")]),
        _ => request["goalIdentifier"] = random.pick(&[json!(""), json!(5), json!(null), json!("unknown")]),
    }
}
