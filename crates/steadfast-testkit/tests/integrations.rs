//! What a hook can be shown of a decision, beside what the official SDK shows to its `integrations` callback for the same
//! calls: it is played and watched here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod places;

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use steadfast::blocking::Client;
use steadfast::engine::policy::Activation;
use steadfast::engine::{GoalList, Policy, Record, Settings};
use steadfast::integration;
use steadfast::line::{self, Line};
use steadfast::storage::{MemoryStorage, UserStorage};
use steadfast_testkit::oracle::{Installed, VERSION};

fn settings() -> Value {
    let goals = json!([{"id": 7, "identifier": "buy", "type": "CUSTOM_GOAL"}]);
    let variations = json!([
        {"id": 1, "name": "Control", "weight": 50, "changes": {}, "isFeatureEnabled": false, "variables": [],
            "segments": {"or": [{"custom_variable": {"tester": "true"}}]}},
        {"id": 2, "name": "Variation-1", "weight": 50, "changes": {}, "isFeatureEnabled": true, "variables": [
            {"id": 1, "key": "size", "type": "integer", "value": 3}]},
    ]);
    let campaign = |id: u32, key: &str, kind: &str, whitelisting: bool, segments: Value| {
        json!({"id": id, "key": key, "name": format!("The campaign {key}"), "type": kind, "status": "RUNNING",
            "percentTraffic": 100, "isForcedVariationEnabled": whitelisting, "segments": segments, "goals": goals,
            "variations": variations})
    };
    let everyone = json!({});
    let mut rollout = campaign(14, "rollout", "FEATURE_ROLLOUT", false, everyone.clone());
    rollout["variations"] = json!([{"id": 1, "name": "website", "weight": 60}]);
    rollout["percentTraffic"] = 60.into();
    rollout["variables"] = json!([{"id": 1, "key": "size", "type": "integer", "value": 3}]);
    json!({"accountId": 60781, "sdkKey": "a-key", "version": 1,
        "campaigns": [
            campaign(11, "ab", "VISUAL_AB", false, everyone.clone()),
            campaign(12, "white", "VISUAL_AB", true, everyone.clone()),
            campaign(13, "feature", "FEATURE_TEST", false, everyone.clone()),
            rollout,
            campaign(15, "one", "VISUAL_AB", false, everyone.clone()),
            campaign(16, "two", "VISUAL_AB", false, everyone),
            campaign(17, "nobody", "VISUAL_AB", false, json!({"or": [{"custom_variable": {"never": "there"}}]})),
        ],
        "groups": {"3": {"name": "A group", "campaigns": [15, 16]}}, "campaignGroups": {"15": 3, "16": 3}})
}

fn calls() -> Vec<Value> {
    let mut calls = Vec::new();
    for user in ["Ashley", "Bob ü", "Gimmy", "Olivia", "Zin"] {
        for campaign in ["ab", "white", "one", "two", "nobody"] {
            calls.push(json!({"op": "activate", "campaignKey": campaign, "userId": user}));
        }
        calls.push(json!({"op": "getVariationName", "campaignKey": "ab", "userId": user, "options": {
            "customVariables": {"a": 1, "b": 1.5, "c": "text", "d": [true, null, "x"], "e": false, "f": null}}}));
        calls.push(json!({"op": "activate", "campaignKey": "white", "userId": user, "options": {
            "variationTargetingVariables": {"tester": "true"}}}));
        calls.push(json!({"op": "isFeatureEnabled", "campaignKey": "feature", "userId": user}));
        calls.push(json!({"op": "isFeatureEnabled", "campaignKey": "rollout", "userId": user}));
        calls.push(
            json!({"op": "getFeatureVariableValue", "campaignKey": "feature", "variableKey": "size", "userId": user}),
        );
        calls.push(
            json!({"op": "getFeatureVariableValue", "campaignKey": "rollout", "variableKey": "size", "userId": user}),
        );
        calls.push(json!({"op": "track", "campaignKey": "ab", "userId": user, "goalIdentifier": "buy"}));
        calls.push(json!({"op": "track", "campaignKey": ["ab", "white"], "userId": user, "goalIdentifier": "buy"}));
        calls.push(json!({"op": "track", "campaignKey": null, "userId": user, "goalIdentifier": "buy"}));
        calls.push(json!({"op": "push", "tagKey": "plan", "tagValue": "gold", "userId": user}));
    }
    calls
}

fn records() -> Value {
    json!([
        {"userId": "Olivia", "campaignKey": "ab", "variationName": "Control"},
        {"userId": "Zin", "campaignKey": "ab", "variationName": "Variation-1", "goalIdentifier": "buy"},
        {"userId": "Zin", "campaignKey": "feature", "variationName": "Control"},
        {"userId": "Zin", "campaignKey": "two", "variationName": "Control"},
    ])
}

fn ours(settings: &Value, stored: &Value, calls: &[Value]) -> Vec<Vec<Value>> {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let settings = Arc::new(Settings::parse(&settings.to_string()).unwrap());
    // With a storage the reference knows those alone who were activated.
    let activation = if stored.is_null() { Activation::Optional } else { Activation::Required };
    let policy = Policy { activation, ..Policy::default() };
    let see = Arc::clone(&shown);
    let client = Client::builder(settings)
        .policy(policy)
        .integrations(move |decision| see.lock().unwrap().push(Value::from(integration::properties(decision))));
    let client = if stored.is_null() { client.build() } else { client.storage(storage(stored)).build() };
    let play = |call: &Value| {
        let text = call.to_string();
        line::run(&Line::parse(&text).unwrap(), &client);
        shown.lock().unwrap().drain(..).collect()
    };
    calls.iter().map(play).collect()
}

/// A storage with these records.
fn storage(records: &Value) -> MemoryStorage {
    let storage = MemoryStorage::new();
    for record in records.as_array().unwrap() {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let mut kept = Record::new(text("userId"), text("campaignKey"), text("variationName"));
        kept.goals = GoalList::from_text(text("goalIdentifier"));
        storage.set(kept).unwrap();
    }
    storage
}

/// Who shows it is another client (spec EVT-4); feature tests say whether the feature is on.
fn mended(theirs: &Value, ours: Option<&Value>) -> Map<String, Value> {
    let mut theirs = theirs.as_object().unwrap().clone();
    assert_eq!(theirs.insert("sdkVersion".to_owned(), env!("CARGO_PKG_VERSION").into()), Some(VERSION.into()));
    if theirs["campaignType"] == "FEATURE_TEST" && theirs.contains_key("variationName") {
        assert!(!theirs.contains_key("isFeatureEnabled"));
        let is_on = theirs["variationName"] == "Variation-1";
        theirs.insert("isFeatureEnabled".to_owned(), is_on.into());
    }
    // Without any the caller's empty ones are not told from none.
    if ours.is_some_and(|ours| ours.get("customVariables").is_none())
        && theirs.get("customVariables") == Some(&json!({}))
    {
        theirs.remove("customVariables");
    }
    theirs
}

fn compare(stored: Value) -> usize {
    let (settings, calls) = (settings(), calls());
    let launch = json!({"integrations": true});
    let session = json!({"settings": settings, "launch": launch, "stored": stored, "calls": calls});
    let played = Installed::new(places::workspace()).and_then(|sdk| sdk.requests(&session)).unwrap();
    let ours = ours(&settings, &stored, &calls);
    let mut count = 0;
    for ((call, theirs), ours) in calls.iter().zip(played["calls"].as_array().unwrap()).zip(ours) {
        let theirs = theirs["shown"].as_array().unwrap();
        let theirs: Vec<Value> =
            theirs.iter().enumerate().map(|(at, shown)| mended(shown, ours.get(at)).into()).collect();
        assert_eq!(ours, theirs, "{call}");
        count += ours.len();
    }
    count
}

#[test]
fn a_hook_can_show_what_the_reference_shows() {
    let fresh = compare(Value::Null);
    assert!(fresh > 50, "{fresh}");
    let kept = compare(records());
    assert!(kept > 50, "{kept}");
}
