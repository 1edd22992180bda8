//! The facts of the specification, one by one.

use serde_json::{Value, json};
use steadfast::engine::verb;
use steadfast::engine::{Answer, Effect, Policy, Question, Record, Request, Settings, Step};
use steadfast::line::{Line, Operation};
use steadfast_testkit::compare::is_same;
use steadfast_testkit::play::reference_options;
use steadfast_testkit::rule;

use super::checks::{self, as_json};
use super::internals::look_up;
use super::{facts_folder, items, own_vectors, raw_items};

#[test]
fn hashes_visitor_ids_ranges_and_segments_of_the_own_vectors() {
    let units = own_vectors().join("public/units");
    assert_eq!(checks::hashes(&units), 1500);
    assert_eq!(checks::visitors(&units), 300);
    assert_eq!(checks::ranges(&units), 500);
    assert_eq!(checks::segments(&units), (2500, 0));
}

#[test]
fn hashes_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = items(&folder, "hash.json");
    for row in &rows {
        let (hash, traffic, variation, _) = rule::hash(row["text"].as_str().unwrap(), 100.0);
        let found = json!({"text": row["text"], "hash": hash, "traffic": traffic, "variation": variation});
        assert!(is_same(&found, row), "{row} is {found}");
    }
    assert_eq!(rows.len(), 430);
}

#[test]
fn visitor_ids_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = items(&folder, "uuid.json");
    for row in &rows {
        assert_eq!(rule::visitor(&row["account"], row["user"].as_str().unwrap()), row["uuid"], "{row}");
    }
    assert_eq!(rows.len(), 13);
}

#[test]
fn ranges_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = items(&folder, "ranges.json");
    let mut broken = 0;
    for row in &rows {
        match rule::ranges(&row["weights"]).unwrap() {
            Some(ranges) => assert!(is_same(&as_json(&ranges.assigned), &row["ranges"]), "{row} is {ranges:?}"),
            // weights that are no percentages.
            None => broken += 1,
        }
    }
    assert_eq!((rows.len(), broken), (120, 0));
}

#[test]
fn bucketing_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = items(&folder, "bucketing.json");
    for row in &rows {
        let variations = (1..).zip(row["weights"].as_array().unwrap());
        let variations: Vec<Value> =
            variations.map(|(id, weight)| json!({"id": id, "name": format!("V{id}"), "weight": weight})).collect();
        let campaign = json!({
            "id": row["campaignId"], "key": "c", "type": "VISUAL_AB", "status": "RUNNING", "segments": {}, "goals": [],
            "percentTraffic": row["percentTraffic"], "variations": variations, "isOB": row.get("isOB").unwrap_or(&json!(false)),
            "isOBv2": row.get("isOBv2").unwrap_or(&json!(false)),
            "isBucketingSeedEnabled": row.get("isBucketingSeedEnabled").unwrap_or(&json!(false)),
        });
        let flag = |name: &str| row.get(name).cloned().unwrap_or(json!(false));
        let flags = json!({"isNB": flag("isNB"), "isNBv2": flag("isNBv2")});
        let (admitted, name) = look_up(&campaign, &flags, &row["accountId"], row["user"].as_str().unwrap());
        assert_eq!(json!(admitted), row["admitted"], "{row}");
        assert_eq!(json!(name), row["lookup"], "{row}");
        assert_eq!(json!(name.filter(|_| admitted)), row["result"], "{row}");
    }
    assert_eq!(rows.len(), 400);
}

#[test]
fn segmentation_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = raw_items(&folder, "segmentation.json");
    let mut compared = 0;
    for row in &rows {
        // Values that JSON does not have cannot be passed here.
        if row["variables"].get().contains("$js") {
            continue;
        }
        // The facts call the evaluator itself, so the caller's `_vwoUserId` is what user lists look for.
        let found = rule::in_segment(row["dsl"].get(), row["variables"].get(), None).unwrap();
        assert_eq!(json!(found).to_string(), row["result"].get(), "{row:?}");
        compared += 1;
    }
    assert_eq!((rows.len(), compared), (183, 178));
}

/// One activate, driven one look-up at a time: what it answers, the look-ups, and what is written.
fn activate(row: &Value) -> (Option<String>, Vec<String>, Vec<String>) {
    let mut file = json!({"accountId": 123_456, "groups": {"3": row["group"]}, "campaignGroups": {}, "campaigns": []});
    for (flag, value) in row["flags"].as_object().unwrap() {
        file[flag] = value.clone();
    }
    for campaign in row["campaigns"].as_array().unwrap() {
        let mut campaign = campaign.clone();
        let list = campaign.get("whitelist").map_or(json!({}), |user| json!({"or": [{"user": user}]}));
        campaign["variations"] = json!([
            {"id": 1, "name": "Control", "weight": 50, "segments": list}, {"id": 2, "name": "Variation-1", "weight": 50}]);
        campaign["type"] = json!("VISUAL_AB");
        campaign["status"] = json!("RUNNING");
        campaign["goals"] = json!([]);
        file["campaignGroups"][campaign["id"].to_string()] = json!(3);
        file["campaigns"].as_array_mut().unwrap().push(campaign);
    }
    let settings = Settings::compile(&file.to_string(), reference_options()).unwrap();
    let call = json!({
        "op": "activate", "campaignKey": row["called"], "userId": row["user"],
        "options": {"customVariables": row["customVariables"]},
    });
    let call = call.to_string();
    let line = Line::parse(&call).unwrap();
    let Operation::Decide { campaign, user, options, .. } = line.operation() else { unreachable!("an activate") };
    let policy = Policy { has_storage: true, ..Policy::default() };
    let request = Request::new(&settings, &**user).with_options(options).with_policy(policy);
    let mut step = verb::activate(request, campaign).unwrap();
    let mut gets = Vec::new();
    let decision = loop {
        step = match step {
            Step::Done(decision) => break decision,
            Step::NeedsStored(need) => {
                let key = need.keys().next().unwrap().campaign.to_owned();
                let found = row["stored"] == *key;
                gets.push(format!("get {key}"));
                let record = || Record::new(&**user, &*key, "Variation-1");
                need.resume([Answer::from(found.then(record))])
            }
        }
    };
    let sets = decision.effects().filter_map(|effect| match effect {
        Effect::Store(write) => {
            let record = write.to_record();
            Some(format!("set {} {}", record.campaign_key, record.variation_name))
        }
        Effect::Send(_) | Effect::Notify(_) => None,
    });
    (decision.variation_name().map(str::to_owned), gets, sets.collect())
}

#[test]
fn groups_if_shared_is_there() {
    let Some(folder) = facts_folder() else { return };
    let rows = items(&folder, "groups.json");
    let mut fewer = 0;
    for row in &rows {
        let (variation, gets, sets) = activate(row);
        assert_eq!(json!(variation), row["result"], "{row}");
        let calls: Vec<&str> = row["storageCalls"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let (expected_sets, expected_gets): (Vec<&str>, Vec<&str>) =
            calls.iter().partition(|call| call.starts_with("set"));
        assert_eq!(sets, expected_sets, "{row}");
        if gets != expected_gets {
            // All members' whitelists are looked at before any storage is asked: never more look-ups, and the same answer.
            assert!(
                expected_gets.len() > gets.len() && gets.iter().all(|get| expected_gets.contains(&get.as_str())),
                "{row}"
            );
            fewer += 1;
        }
    }
    assert_eq!((rows.len(), fewer), (600, 1));
}
