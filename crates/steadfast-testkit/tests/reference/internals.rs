//! Calls of internal functions that have a counterpart in the engine's public interface.

use serde_json::{Value, json};
use steadfast::engine::Settings;
use steadfast::engine::bucket::allocate;
use steadfast_testkit::Case;
use steadfast_testkit::compare::is_same;
use steadfast_testkit::play::{Player, reference_options};
use steadfast_testkit::rule;

use super::checks::as_json;
use super::{expectations, items, own_vectors, read};

/// Settings with one campaign, and flags of the account.
fn settings(campaign: &Value, flags: &Value, account: &Value) -> Settings {
    let mut file = json!({"accountId": account, "campaigns": [campaign]});
    for (name, value) in flags.as_object().into_iter().flatten() {
        file[name] = value.clone();
    }
    Settings::compile(&file.to_string(), reference_options()).unwrap()
}

/// The variation whose range holds the user's bucket, admitted or not, and whether they are admitted.
pub(super) fn look_up(campaign: &Value, flags: &Value, account: &Value, user: &str) -> (bool, Option<String>) {
    let settings = settings(campaign, flags, account);
    let campaign = &settings.campaigns()[0];
    let admission = campaign.bucketer().admit(user);
    let bucket = campaign.bucketer().variation_bucket(user, admission);
    let place = campaign.ranges().iter().position(|range| range.contains(bucket));
    (admission.admitted, place.map(|place| campaign.variations()[place].name().to_owned()))
}

/// The calls of a file that have a counterpart agree, and there are so many of them.
#[track_caller]
fn check(name: &str, expected: usize) {
    let Some(folder) = expectations() else { return };
    assert_eq!(items(&folder, name).iter().filter(|call| agrees(call)).count(), expected, "{name}");
}

/// Whether a call has a counterpart. It must agree.
fn agrees(call: &Value) -> bool {
    let (function, arguments, result) = (call["fn"].as_str().unwrap(), &call["args"], &call["result"]);
    let text = |place: usize| arguments[place].as_str();
    let found = match (function, text(0)) {
        ("BucketingService.calculateBucketValue", Some(seed)) => json!(rule::hash(seed, 100.0).2),
        ("BucketingService._getBucketValueForUser", Some(seed)) => json!(rule::hash(seed, 100.0).1),
        ("CampaignUtil.getBucketingSeed", Some(user)) => {
            let settings = settings(&arguments[1], &call["flags"], &json!(1));
            json!(format!("{}{user}", settings.campaigns()[0].bucketer().traffic_prefix()))
        }
        ("BucketingService.isUserPartOfCampaign", Some(user)) if arguments[1].is_object() => {
            json!(look_up(&arguments[1], &call["flags"], &json!(1), user).0)
        }
        ("BucketingService.bucketUserToVariation", Some(user)) if arguments[1].is_object() => {
            let account = arguments.get(2).cloned().unwrap_or(json!(1));
            let found = look_up(&arguments[1], &call["flags"], &account, user).1;
            assert_eq!(found.as_deref(), result["name"].as_str(), "{call}");
            return true;
        }
        ("VariationDecider.getVariationAllotted", Some(user)) => {
            let (admitted, name) = look_up(&arguments[1], &Value::Null, &json!(1), user);
            assert_eq!(name.filter(|_| admitted).as_deref(), result["variationName"].as_str(), "{call}");
            return true;
        }
        ("VariationDecider.getVariationOfCampaignForUser", Some(user)) if arguments[1].is_object() => {
            let name = look_up(&arguments[1], &Value::Null, &json!(1), user).1;
            assert_eq!(name.as_deref(), result["variation"]["name"].as_str(), "{call}");
            return true;
        }
        ("CampaignUtil.setVariationAllocation", _) => {
            let Some(variations) = call["argsAfter"][0]["variations"].as_array() else { return false };
            let weights: Value = variations.iter().map(|variation| variation["weight"].clone()).collect();
            let ends =
                |variation: &Value| json!([variation["startVariationAllocation"], variation["endVariationAllocation"]]);
            let ranges = rule::ranges(&weights).unwrap().unwrap().assigned;
            let expected: Value = variations.iter().map(ends).collect();
            assert!(is_same(&as_json(&ranges), &expected), "{ranges:?} for {call}");
            return true;
        }
        ("CampaignUtil._getVariationBucketRange", _) if arguments[0].is_number() => {
            let range = allocate([arguments[0].as_f64().unwrap()]).next().unwrap();
            json!(range.end.max(0))
        }
        ("UuidUtil.generateFor", Some(user)) => json!(rule::visitor(&arguments[1], user)),
        ("FeatureUtil.getTypeCastVariableValue", _) => cast(&arguments[0], &arguments[1]),
        _ => return false,
    };
    assert!(is_same(&found, result), "{call} is {found}");
    true
}

/// A value as a variable of this type, through a rollout for everybody.
fn cast(value: &Value, kind: &Value) -> Value {
    let settings = json!({"accountId": 1, "campaigns": [{
        "id": 1, "key": "c", "type": "FEATURE_ROLLOUT", "status": "RUNNING", "percentTraffic": 100, "segments": {}, "goals": [],
        "variations": [{"id": 1, "name": "website", "weight": 100}],
        "variables": [{"id": 1, "key": "v", "type": kind, "value": value}],
    }]});
    let player = Player::new(&settings.to_string(), false, steadfast::engine::Policy::default()).unwrap();
    let request = json!({"op": "getFeatureVariableValue", "campaignKey": "c", "variableKey": "v", "userId": "u"});
    player.answer(&request.to_string()).unwrap()
}

#[test]
fn campaigns_for_everybody_of_the_own_vectors() {
    let mut compared = 0;
    let cases = Case::all(&own_vectors().join("public")).unwrap();
    for case in cases.iter().filter(|case| !case.has_storage) {
        let file: Value = serde_json::from_str(&case.settings).unwrap();
        for (request, expected) in case.requests.iter().zip(&case.expected.answers) {
            let Ok(request) = serde_json::from_str::<Value>(request) else { continue };
            let (Some(user), true) = (request["userId"].as_str(), request["op"] == "activate") else { continue };
            let campaigns = file["campaigns"].as_array().unwrap();
            let Some(campaign) = campaigns.iter().find(|one| one["key"] == request["campaignKey"]) else { continue };
            let is_grouped = !file["campaignGroups"][campaign["id"].to_string()].is_null();
            let is_for_everybody = campaign["segments"] == json!({}) && campaign["isForcedVariationEnabled"] != true;
            let is_test = campaign["type"] == "VISUAL_AB" && campaign["status"] == "RUNNING";
            // Options may make a call invalid.
            let is_plain = !user.is_empty() && request.get("options").is_none();
            if is_grouped || !is_for_everybody || !is_test || !is_plain {
                continue;
            }
            let flags = json!({"isNB": file["isNB"], "isNBv2": file["isNBv2"]});
            let (admitted, name) = look_up(campaign, &flags, &file["accountId"], user);
            assert_eq!(&Ok(json!(name.filter(|_| admitted))), expected, "{}: {request}", case.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 259);
}

#[test]
fn bucketing_service_if_shared_is_there() {
    check("bucketing-service.json", 306);
}

#[test]
fn campaign_util_if_shared_is_there() {
    check("campaign-util.json", 17);
}

#[test]
fn variation_decider_if_shared_is_there() {
    check("variation-decider.json", 11);
}

#[test]
fn visitor_ids_if_shared_is_there() {
    check("uuid.json", 4);
}

#[test]
fn feature_casts_if_shared_is_there() {
    check("feature-util.json", 12);
}

#[test]
fn bucket_values_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    let file: Value = serde_json::from_str(&read(&folder.join("bucket-values.json"))).unwrap();
    let mut compared = 0;
    for row in ["bucketValues", "seedBucketValue"].iter().flat_map(|table| file[*table].as_array().unwrap()) {
        let (hash, _, bucket, _) = rule::hash(row["seed"].as_str().unwrap(), 100.0);
        assert_eq!((json!(hash), json!(bucket)), (row["hash"].clone(), row["real"].clone()), "{row}");
        compared += 1;
    }
    assert_eq!(compared, 78);
}

#[test]
fn bucketing_tables_under_the_flags_of_their_tests_if_shared_is_there() {
    let Some(folder) = expectations() else { return };
    let mut compared = 0;
    for table in items(&folder, "variation-names.json") {
        let Some(flags) = table.get("flagsUsedBySpec") else { continue };
        let file = read(&folder.join("../settings").join(table["settings"].as_str().unwrap()));
        let file: Value = serde_json::from_str(&file).unwrap();
        for row in table["rows"].as_array().unwrap() {
            let campaigns = file["campaigns"].as_array().unwrap();
            let campaign = campaigns.iter().find(|campaign| campaign["key"] == row["campaignKey"]).unwrap();
            let (_, name) = look_up(campaign, flags, &file["accountId"], row["userId"].as_str().unwrap());
            assert_eq!(name.as_deref(), row["real"].as_str(), "{}: {row}", table["table"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 133);
}
