//! What the verbs accept and answer.

use serde_json::{Value, json};
use steadfast::engine::policy::TrackAll;
use steadfast::engine::{Options, Policy, Reason};

use super::{Scene, ab, activate, call, campaign, record, settings, track, with};

#[test]
fn a_bandit_without_a_storage_gives_nobody_a_variation_in_any_verb() {
    // reading verbs and a track of several do not look at it in the official SDK; a track of one is null.
    let bandit = with(ab(), &json!({"isMAB": true}));
    let feature = with(campaign(2, "ft", "FEATURE_TEST"), &json!({"isMAB": true}));
    let scene = Scene::without_storage(&settings(&[bandit, feature]));
    scene.check(&activate("ab", &json!({})), &Value::Null);
    scene.check(&call("getVariationName", "ab", &json!({})), &Value::Null);
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
    scene.check(&track(&json!(["ab", "ft"]), "g1", &json!({})), &json!({"ab": false, "ft": false}));
    scene.check(&call("isFeatureEnabled", "ft", &json!({})), &json!(false));
}

#[test]
fn stale_data_does_not_stand_in_for_the_storage_of_a_bandit() {
    // what is decided afresh is decided by weights that move. Data whose variation exists does stand in.
    let feature = with(campaign(2, "ft", "FEATURE_TEST"), &json!({"isMAB": true}));
    let scene = Scene::without_storage(&settings(&[with(ab(), &json!({"isMAB": true})), feature]));
    let passed = |variation| json!({"userStorageData": [record("ab", variation), record("ft", variation)]});
    let stale = passed("Gone");
    scene.check(&activate("ab", &stale), &Value::Null);
    scene.check(&call("getVariationName", "ab", &stale), &Value::Null);
    scene.check(&track(&json!(["ab", "ft"]), "g1", &stale), &json!({"ab": false, "ft": false}));
    scene.check(&call("isFeatureEnabled", "ft", &stale), &json!(false));
    let good = passed("Variation-1");
    scene.check(&activate("ab", &good), &json!("Variation-1"));
    scene.check(&call("getVariationName", "ab", &good), &json!("Variation-1"));
    scene.check(&track(&json!(["ab", "ft"]), "g1", &good), &json!({"ab": true, "ft": true}));
    scene.check(&call("isFeatureEnabled", "ft", &good), &json!(true));
    let decision = scene.client.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(decision.reason(), Reason::BanditNeedsStorage);
}

#[test]
fn event_properties_that_are_no_object_count_as_none() {
    // null makes the whole call null in the official SDK.
    let account = with(settings(&[ab()]), &json!({"isEventArchEnabled": true}));
    let scene = Scene::without_storage(&account);
    for properties in [json!(null), json!(5), json!([])] {
        let options = json!({"eventProperties": properties});
        scene.check(&track(&json!("ab"), "g1", &options), &json!({"ab": true}));
    }
}

#[test]
fn tracking_everywhere_can_leave_out_what_cannot_be_tracked() {
    // answered with false by default, as in the official SDK.
    let paused = with(campaign(2, "cd", "VISUAL_AB"), &json!({"status": "PAUSED"}));
    let file = settings(&[ab(), paused, campaign(3, "fr", "FEATURE_ROLLOUT")]);
    let request = track(&Value::Null, "g1", &json!({}));
    Scene::new(&file).check(&request, &json!({"ab": true, "cd": false, "fr": false}));
    let policy = Policy { track_all: TrackAll::Trackable, ..Policy::default() };
    Scene::with_policy(&file, policy).check(&request, &json!({"ab": true}));
}

#[test]
fn zero_is_a_revenue() {
    // the official SDK takes it for a missing one.
    let scene = Scene::without_storage(&settings(&[ab()]));
    scene.check(&track(&json!("ab"), "revenue", &json!({"revenueValue": 0})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "revenue", &json!({"revenueValue": "0"})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "revenue", &json!({})), &json!({"ab": false}));
}

#[test]
fn revenue_is_a_number_or_a_numeric_text() {
    // anything truthy will do for the official SDK.
    let scene = Scene::without_storage(&settings(&[ab()]));
    for revenue in [json!(12.5), json!("12.5")] {
        scene.check(&track(&json!("ab"), "revenue", &json!({"revenueValue": revenue})), &json!({"ab": true}));
    }
    for revenue in [json!("abc"), json!(true), json!({}), json!("")] {
        scene.check(&track(&json!("ab"), "revenue", &json!({"revenueValue": revenue})), &json!({"ab": false}));
    }
}

#[test]
fn push_takes_a_blank_and_limits_every_entry() {
    // one blank stands for "not given" in the official SDK, and entries of a map have no limit.
    let scene = Scene::without_storage(&settings(&[ab()]));
    let push = |fields: &Value| with(json!({"op": "push", "userId": "Ashley"}), fields);
    scene.check(&push(&json!({"tagKey": " ", "tagValue": "v"})), &json!({" ": true}));
    let (longest, too_long) = ("x".repeat(255), "x".repeat(256));
    scene.check(&push(&json!({"customDimensionMap": {"a": longest}})), &json!({"a": true}));
    scene.check(&push(&json!({"customDimensionMap": {"a": too_long, "b": "c"}})), &json!(false));
    scene.check(&push(&json!({"customDimensionMap": {"a": null}})), &json!(false));
}

#[test]
fn a_campaign_named_twice_counts_once() {
    // The official SDK tracks it twice, and the second answer overwrites the first.
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&track(&json!(["ab", "ab"]), "g1", &json!({})), &json!({"ab": true}));
    scene.check(&track(&json!(["ab", "ab"]), "g1", &json!({})), &json!({"ab": false}));
}

#[test]
fn a_mistake_is_an_error_and_no_variation_is_an_answer() {
    // D-21: both are null in the official SDK.
    let scene = Scene::without_storage(&settings(&[with(ab(), &json!({"percentTraffic": 0}))]));
    assert!(scene.client.activate("none", "Ashley", Options::NONE).is_err());
    let decision = scene.client.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(decision.reason(), Reason::NotInTraffic);
}
