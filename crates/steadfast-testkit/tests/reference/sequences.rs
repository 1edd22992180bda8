//! Calls in sequence, with every look-up and every write. Each step starts from what the official SDK had stored by
//! then, so a difference belongs to its own step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::policy::Activation;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::{Policy, Record, Settings};
use steadfast::line::{self, Line};
use steadfast::storage::{StorageError, UserStorage};
use steadfast_testkit::Case;
use steadfast_testkit::compare::{differences, is_same};
use steadfast_testkit::play::{Answers, reference_options};

use super::{facts_folder, items, own_vectors, read};

/// The calls of a step, campaign by campaign: the engine asks for all campaigns of a call at once.
type Calls = BTreeMap<String, Vec<Value>>;

/// A storage that holds what the official SDK stored, and writes down the calls.
#[derive(Default)]
struct Recording {
    records: BTreeMap<String, Value>,
    calls: Mutex<Calls>,
}

impl Recording {
    fn note(&self, campaign: &str, call: Value) {
        self.calls.lock().unwrap().entry(campaign.to_owned()).or_default().push(call);
    }
}

impl UserStorage for Recording {
    fn get(&self, _user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.note(campaign, json!({"get": campaign}));
        let Some(record) = self.records.get(campaign) else { return Ok(None) };
        let text = record.to_string();
        Ok(Record::from_json(&Json::parse(&text).unwrap()).ok())
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.note(&record.campaign_key, json!({"set": record.to_json()}));
        Ok(())
    }
}

/// The calls that the official SDK made in a step.
fn calls_of(step: &Value) -> Calls {
    let mut calls = Calls::new();
    for call in step["storage"].as_array().unwrap() {
        let campaign = call["get"].as_str().or(call["set"]["campaignKey"].as_str()).unwrap();
        calls.entry(campaign.to_owned()).or_default().push(call.clone());
    }
    calls
}

/// The quirks that a step runs into, by their numbers: what has to be so for the official SDK to show them.
fn quirks(scenario: &Value, step: &Value, records: &BTreeMap<String, Value>) -> BTreeSet<&'static str> {
    let mut quirks = BTreeSet::new();
    let options = &step["options"];
    let campaigns: Vec<&str> = match &step["key"] {
        Value::String(key) => vec![key.as_str()],
        Value::Array(keys) => keys.iter().filter_map(Value::as_str).collect(),
        _ => vec!["ab", "ab2", "ft", "ro"],
    };
    let tracks = step["api"] == "track";
    if options.get("userStorageData") == Some(&Value::Null) || options.get("metaData") == Some(&Value::Null) {
        quirks.insert("Q-3 Q-23");
    }
    if options.get("revenueValue").is_some_and(|revenue| *revenue == 0) {
        quirks.insert("Q-102");
    }
    if let Some(passed) = options.get("userStorageData").filter(|passed| passed.is_object()) {
        let names_called = campaigns.iter().any(|campaign| passed["campaignKey"] == *campaign);
        quirks.insert(match () {
            () if scenario["service"] == false => "Q-4",
            () if !names_called || passed["userId"] != scenario["user"] => "Q-6",
            () if campaigns.len() > 1 => "Q-7",
            () if !is_known(campaigns[0], passed) => "Q-2",
            () => "Q-1",
        });
    }
    for campaign in campaigns {
        let Some(record) = records.get(campaign) else { continue };
        if record["campaignKey"] != *campaign || record["userId"] != scenario["user"] {
            quirks.insert("Q-6");
        } else if !is_known(campaign, record) {
            quirks.insert("Q-12 Q-13 Q-14");
        }
        if tracks && record["goalIdentifier"].as_str().is_some_and(|goals| !goals.is_empty()) {
            quirks.insert("Q-8 Q-9");
        }
    }
    if tracks && options["variationTargetingVariables"].get("force").is_some() {
        quirks.insert("Q-27");
    }
    quirks
}

/// Whether the variation of a record is one of the campaign.
fn is_known(campaign: &str, record: &Value) -> bool {
    let known: &[&str] = if campaign == "ro" { &["website"] } else { &["Control", "Variation-1"] };
    known.iter().any(|name| record["variationName"] == *name)
}

/// How many steps differ, by the quirks they run into.
const DIFFERING: &[(&str, usize)] = &[
    ("Q-1", 8),
    ("Q-1, Q-12 Q-13 Q-14", 1),
    ("Q-1, Q-8 Q-9", 1),
    ("Q-102", 16),
    ("Q-102, Q-12 Q-13 Q-14", 1),
    ("Q-102, Q-12 Q-13 Q-14, Q-8 Q-9", 1),
    ("Q-102, Q-2", 1),
    ("Q-102, Q-2, Q-27", 1),
    ("Q-102, Q-27, Q-8 Q-9", 3),
    ("Q-102, Q-8 Q-9", 1),
    ("Q-12 Q-13 Q-14", 35),
    ("Q-12 Q-13 Q-14, Q-27", 3),
    ("Q-12 Q-13 Q-14, Q-27, Q-3 Q-23", 2),
    ("Q-12 Q-13 Q-14, Q-27, Q-7, Q-8 Q-9", 1),
    ("Q-12 Q-13 Q-14, Q-27, Q-8 Q-9", 1),
    ("Q-12 Q-13 Q-14, Q-3 Q-23", 5),
    ("Q-12 Q-13 Q-14, Q-3 Q-23, Q-8 Q-9", 3),
    ("Q-12 Q-13 Q-14, Q-6", 5),
    ("Q-12 Q-13 Q-14, Q-7", 2),
    ("Q-12 Q-13 Q-14, Q-8 Q-9", 7),
    ("Q-27", 10),
    ("Q-27, Q-3 Q-23", 3),
    ("Q-27, Q-6", 3),
    ("Q-27, Q-7", 3),
    ("Q-27, Q-8 Q-9", 6),
    ("Q-3 Q-23", 44),
    ("Q-4", 3),
    ("Q-6", 36),
    ("Q-6, Q-8 Q-9", 1),
    ("Q-7", 7),
    ("Q-7, Q-8 Q-9", 4),
    ("Q-8 Q-9", 30),
];

#[test]
fn steps_of_the_own_vectors() {
    // With the storage of this module, too, which is written by `get` and `set` alone.
    let mut count = 0;
    for case in Case::all(&own_vectors().join("public")).unwrap().iter().filter(|case| case.has_storage) {
        let settings = Arc::new(Settings::compile(&case.settings, reference_options()).unwrap());
        let policy = Policy { activation: Activation::Required, ..Policy::default() };
        let mut records: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        let mut answers = Vec::new();
        for request in &case.requests {
            let user = serde_json::from_str(request).map_or(Value::Null, |request: Value| request["userId"].clone());
            let records_of_user = records.get(user.as_str().unwrap_or_default()).cloned().unwrap_or_default();
            let storage = Arc::new(Recording { records: records_of_user, calls: Mutex::default() });
            let client = Client::builder(Arc::clone(&settings)).storage(Arc::clone(&storage)).policy(policy).build();
            let line = Line::parse(request).map_err(|error| error.to_string());
            answers.push(line.map(|line| line::run(&line, &client).result));
            // It waits for its writes.
            drop(client);
            let calls = std::mem::take(&mut *storage.calls.lock().unwrap());
            for set in calls.values().flatten().filter_map(|call| call.get("set")) {
                let [user, campaign] = ["userId", "campaignKey"].map(|field| set[field].as_str().unwrap().to_owned());
                records.entry(user).or_default().insert(campaign, set.clone());
            }
        }
        count += answers.len();
        let stored = records.into_values().flat_map(BTreeMap::into_values).collect();
        let found = Answers { answers, stored: Some(stored) };
        assert_eq!(differences(&case.requests, &case.expected, &found), [], "{}", case.name);
    }
    assert_eq!(count, 3560);
}

#[test]
fn every_step_that_runs_into_no_quirk_agrees_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let file: Value = serde_json::from_str(&read(&folder.join("sequences_settings.json"))).unwrap();
    let mut differing: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    let mut unexplained = Vec::new();
    for scenario in items(&folder, "sequences.json") {
        let mut file = file.clone();
        file["isEventArchEnabled"] = scenario["eventArch"].clone();
        let settings = Arc::new(Settings::compile(&file.to_string(), reference_options()).unwrap());
        let policy = Policy {
            activation: Activation::Required,
            track_returning_users: scenario["launchShouldTrackReturningUser"] == true,
            ..Policy::default()
        };
        let mut records: BTreeMap<String, Value> = serde_json::from_value(scenario["initial"].clone()).unwrap();
        for step in scenario["steps"].as_array().unwrap() {
            let storage = Arc::new(Recording { records: records.clone(), calls: Mutex::default() });
            let client = Client::builder(Arc::clone(&settings)).policy(policy);
            let client = if scenario["service"] == true { client.storage(Arc::clone(&storage)) } else { client };
            let client = client.build();
            let request = json!({
                "op": step["api"], "campaignKey": step["key"], "userId": scenario["user"], "variableKey": "k",
                "goalIdentifier": step.get("goal"), "options": step["options"],
            });
            let request = request.to_string();
            let found = line::run(&Line::parse(&request).unwrap(), &client).result;
            drop(client);
            let calls = std::mem::take(&mut *storage.calls.lock().unwrap());
            let expected = calls_of(step);
            if !is_same(&found, &step["result"]) || !is_same(&json!(calls), &json!(expected)) {
                let quirks = quirks(&scenario, step, &records);
                if quirks.is_empty() {
                    unexplained.push(format!(
                        "{}: {request} on {records:?}: {found} {calls:?}, expected {} {expected:?}",
                        scenario["id"], step["result"]
                    ));
                }
                *differing.entry(quirks.into_iter().collect::<Vec<_>>().join(", ")).or_default() += 1;
            }
            for set in expected.values().flatten().filter_map(|call| call.get("set")) {
                records.insert(set["campaignKey"].as_str().unwrap().to_owned(), set.clone());
            }
            count += 1;
        }
    }
    assert_eq!(unexplained, Vec::<String>::new());
    let differing: Vec<(&str, usize)> = differing.iter().map(|(quirks, count)| (quirks.as_str(), *count)).collect();
    assert_eq!(differing, DIFFERING);
    assert_eq!(count, 3200);
}
