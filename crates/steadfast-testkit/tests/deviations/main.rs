//! Every deliberate difference from the official SDK, one small test each. `docs/compat.md` names them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod groups;
mod passed_data;
mod segments;
mod settings;
mod stored;
mod verbs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::settings::CompileOptions;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::{Policy, Record, Settings};
use steadfast::line::{self, Line};
use steadfast::storage::{StorageError, StorageErrorKind, UserStorage};
use steadfast_testkit::compare::is_same;
use steadfast_testkit::play::reference_options;

/// A client, a storage that remembers its calls, and what they are asked.
struct Scene {
    client: Client,
    storage: Arc<Recording>,
}

/// A storage that keeps one record for each campaign and writes down every call. So many look-ups of a campaign fail.
#[derive(Default)]
struct Recording {
    records: Mutex<Vec<(String, Record)>>,
    calls: Mutex<Vec<String>>,
    fails: Mutex<Option<(String, u32)>>,
}

impl UserStorage for Recording {
    fn get(&self, _user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.calls.lock().unwrap().push(format!("get {campaign}"));
        if let Some((failing, times)) = &mut *self.fails.lock().unwrap()
            && failing == campaign
            && *times > 0
        {
            *times -= 1;
            return Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"));
        }
        let records = self.records.lock().unwrap();
        Ok(records.iter().find(|(place, _)| place == campaign).map(|(_, record)| record.clone()))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let goals = record.goals.as_str();
        let call = format!("set {} {} {goals}", record.campaign_key, record.variation_name);
        self.calls.lock().unwrap().push(call.trim_end().to_owned());
        let mut records = self.records.lock().unwrap();
        records.retain(|(place, _)| *place != record.campaign_key);
        records.push((record.campaign_key.clone(), record));
        Ok(())
    }
}

impl Scene {
    /// A client with a storage.
    fn new(settings: &Value) -> Scene {
        Scene::with_policy(settings, Policy::default())
    }

    fn with_policy(settings: &Value, policy: Policy) -> Scene {
        Scene::compiled(settings, reference_options(), policy, true)
    }

    fn without_storage(settings: &Value) -> Scene {
        Scene::compiled(settings, reference_options(), Policy::default(), false)
    }

    fn compiled(settings: &Value, options: CompileOptions, policy: Policy, has_storage: bool) -> Scene {
        let settings = Arc::new(Settings::compile(&settings.to_string(), options).unwrap());
        let storage = Arc::new(Recording::default());
        let client = Client::builder(settings).policy(policy);
        let client = if has_storage { client.storage(Arc::clone(&storage)) } else { client };
        Scene { client: client.build(), storage }
    }

    /// The same scene; the storage answers a look-up of `place` with this record.
    fn stored_at(self, place: &str, record: &Value) -> Scene {
        let record = Record::from_json(&Json::parse(&record.to_string()).unwrap()).unwrap();
        self.storage.records.lock().unwrap().push((place.to_owned(), record));
        self
    }

    /// The same scene with this record stored.
    fn stored(self, record: &Value) -> Scene {
        let place = record["campaignKey"].as_str().unwrap().to_owned();
        self.stored_at(&place, record)
    }

    /// The same scene; looking up this campaign fails, until [`Self::recover`].
    fn failing_for(self, campaign: &str) -> Scene {
        self.failing_times(campaign, u32::MAX)
    }

    /// The same scene; looking up this campaign fails so many times.
    fn failing_times(self, campaign: &str, times: u32) -> Scene {
        *self.storage.fails.lock().unwrap() = Some((campaign.to_owned(), times));
        self
    }

    /// From now on every look-up works.
    fn recover(&self) {
        *self.storage.fails.lock().unwrap() = None;
    }

    /// The answer to `request` is `expected`.
    #[track_caller]
    fn check(&self, request: &Value, expected: &Value) {
        check(&self.client, request, expected);
    }

    /// The storage saw these calls since the last look, in order.
    #[track_caller]
    fn check_calls(&self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut *self.storage.calls.lock().unwrap()), expected);
    }

    /// What is stored for a campaign.
    fn record(&self, campaign: &str) -> Option<Value> {
        let records = self.storage.records.lock().unwrap();
        records.iter().find(|(place, _)| place == campaign).map(|(_, record)| record.to_json())
    }
}

/// A client's answer to `request` is `expected`.
#[track_caller]
fn check(client: &Client, request: &Value, expected: &Value) {
    let text = request.to_string();
    let found = line::run(&Line::parse(&text).unwrap(), client);
    client.flush(Duration::from_secs(60)).unwrap();
    assert!(is_same(&found.result, expected), "{text} answers {found:?}, expected {expected}");
}

/// Settings with these campaigns. Ashley's bucket is in the first half everywhere, so her fresh variation of two
/// halves is the control.
fn settings(campaigns: &[Value]) -> Value {
    json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": campaigns})
}

/// The campaign `ab` for everybody, half and half.
fn ab() -> Value {
    campaign(1, "ab", "VISUAL_AB")
}

fn campaign(id: u32, key: &str, kind: &str) -> Value {
    json!({
        "id": id, "key": key, "type": kind, "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [
            {"id": 1, "identifier": "g1", "type": "CUSTOM_GOAL"}, {"id": 2, "identifier": "g2", "type": "CUSTOM_GOAL"},
            {"id": 3, "identifier": "revenue", "type": "REVENUE_TRACKING"},
        ],
        "variations": [
            {"id": 1, "name": "Control", "weight": 50, "isFeatureEnabled": true},
            {"id": 2, "name": "Variation-1", "weight": 50, "isFeatureEnabled": true},
        ],
    })
}

/// `value` with other fields.
fn with(mut value: Value, fields: &Value) -> Value {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (name, field) in fields {
        value[name] = field.clone();
    }
    value
}

fn call(op: &str, campaign: &str, options: &Value) -> Value {
    json!({"op": op, "campaignKey": campaign, "userId": "Ashley", "options": options})
}

fn activate(campaign: &str, options: &Value) -> Value {
    call("activate", campaign, options)
}

fn track(campaigns: &Value, goal: &str, options: &Value) -> Value {
    json!({"op": "track", "campaignKey": campaigns, "userId": "Ashley", "goalIdentifier": goal, "options": options})
}

/// Ashley's record in a campaign.
fn record(campaign: &str, variation: &str) -> Value {
    json!({"userId": "Ashley", "campaignKey": campaign, "variationName": variation})
}
