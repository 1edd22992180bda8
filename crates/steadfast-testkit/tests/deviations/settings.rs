//! The settings file.

use serde_json::{Value, json};
use steadfast::engine::bucket::HashInput;
use steadfast::engine::settings::{CompileOptions, JsonVariables, SettingsErrorKind};
use steadfast::engine::{Options, Policy, Settings};

use super::{Scene, ab, activate, call, campaign, settings, track, with};

#[test]
fn text_weights_are_numbers_when_several_variations_are_whitelisted() {
    // Q-63: the official SDK joins the texts: 50 and 50 are 5050.
    let forced = json!({"user": "Ashley, user0, user1, user2, user3, user4"});
    let mut both = with(ab(), &json!({"isForcedVariationEnabled": true}));
    for place in 0..2 {
        both["variations"][place]["weight"] = json!("50");
        both["variations"][place]["segments"] = forced.clone();
    }
    let scene = Scene::without_storage(&settings(&[both]));
    let variations: Vec<Option<String>> = ["Ashley", "user0", "user1", "user2", "user3", "user4"]
        .map(|user| scene.client.activate("ab", user, Options::NONE).unwrap().variation_name().map(str::to_owned))
        .into();
    assert!(variations.iter().all(Option::is_some), "{variations:?}");
    assert!(variations.contains(&Some("Control".to_owned())) && variations.contains(&Some("Variation-1".to_owned())));
}

#[test]
fn a_weight_that_is_no_percentage_breaks_its_campaign_alone() {
    // Q-63, Q-66: in the official SDK later variations of the campaign silently get nobody, or overlap.
    for weight in [json!(-5), json!("many"), json!(true), json!([50])] {
        let mut broken = ab();
        broken["variations"][1]["weight"] = weight;
        let scene = Scene::without_storage(&settings(&[broken, campaign(2, "cd", "VISUAL_AB")]));
        scene.check(&activate("ab", &json!({})), &Value::Null);
        scene.check(&activate("cd", &json!({})), &json!("Control"));
        scene.check(&track(&json!(["ab", "cd"]), "g1", &json!({})), &json!({"ab": false, "cd": true}));
    }
}

#[test]
fn an_empty_object_stands_for_an_empty_list() {
    // Q-66: an exception in the official SDK where it looks through variations.
    let fields = json!({"variations": {}, "goals": {}, "isForcedVariationEnabled": true});
    let scene = Scene::without_storage(&settings(&[with(ab(), &fields), campaign(2, "cd", "VISUAL_AB")]));
    scene.check(&activate("ab", &json!({})), &Value::Null);
    scene.check(&track(&Value::Null, "g1", &json!({})), &json!({"cd": true}));
    let mut nothing = settings(&[]);
    nothing["campaigns"] = json!({});
    Scene::without_storage(&nothing).check(&activate("ab", &json!({})), &Value::Null);
}

#[test]
fn clients_do_not_share_flags() {
    // Q-64, Q-65: process-wide in the official SDK, where the last launch counts.
    let old = settings(&[with(ab(), &json!({"isBucketingSeedEnabled": false}))]);
    let new = with(old.clone(), &json!({"isNB": true, "isNBv2": true}));
    let answers = |scene: &Scene| -> Vec<Option<String>> {
        (0..50)
            .map(|number| {
                let user = format!("user{number}");
                scene.client.activate("ab", &user, Options::NONE).unwrap().variation_name().map(str::to_owned)
            })
            .collect()
    };
    let first = Scene::without_storage(&old);
    let before = answers(&first);
    let second = Scene::without_storage(&new);
    assert_ne!(answers(&second), before);
    assert_eq!(answers(&first), before);
}

#[test]
fn text_traffic_and_missing_segments_are_accepted() {
    // Q-67: settings that the official SDK refuses as a whole.
    let mut text = with(ab(), &json!({"percentTraffic": "100"}));
    text.as_object_mut().unwrap().remove("segments");
    Scene::without_storage(&settings(&[text])).check(&activate("ab", &json!({})), &json!("Control"));
}

#[test]
fn group_names_are_read_under_both_keys() {
    // Q-69
    for key in ["name", "groupName"] {
        let mut file = settings(&[ab()]);
        file["groups"] = json!({"1": {key: "checkout", "campaigns": [1]}});
        let compiled = Settings::parse(&file.to_string()).unwrap();
        assert_eq!(compiled.groups()[0].name(), Some("checkout"));
    }
}

#[test]
fn the_control_may_have_its_id_as_text() {
    // Q-70: where the variation has the feature off, the control's value counts.
    let mut feature = campaign(1, "ft", "FEATURE_TEST");
    let variable = |value: &str| json!([{"id": 1, "key": "v", "type": "string", "value": value}]);
    feature["variations"] = json!([
        {"id": "1", "name": "Control", "weight": 0, "isFeatureEnabled": false, "variables": variable("control")},
        {"id": "2", "name": "Variation-1", "weight": 100, "isFeatureEnabled": false, "variables": variable("own")},
    ]);
    let request = with(call("getFeatureVariableValue", "ft", &json!({})), &json!({"variableKey": "v"}));
    Scene::without_storage(&settings(&[feature])).check(&request, &json!("control"));
}

#[test]
fn mca_may_be_text() {
    // Q-71: a goal that counts every time.
    let mut every_time = ab();
    every_time["goals"][0]["mca"] = json!("-1");
    let scene = Scene::new(&settings(&[every_time]));
    for _ in 0..2 {
        scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    }
}

#[test]
fn settings_that_cannot_be_used_are_an_error() {
    // Q-73: the official SDK launches a dead object.
    let check = |text: &str, expected: SettingsErrorKind| {
        assert_eq!(Settings::parse(text).map_err(|error| error.kind()).err(), Some(expected), "{text}");
    };
    check("{", SettingsErrorKind::NotJson);
    check("[]", SettingsErrorKind::NotAnObject);
    check(r#"{"campaigns": []}"#, SettingsErrorKind::NoAccount);
}

#[test]
fn settings_are_read_from_text() {
    // Q-68: the official SDK throws when it is given the text it was sent.
    let text = settings(&[ab()]).to_string();
    assert_eq!(Settings::parse(&text).unwrap().campaigns().len(), 1);
}

#[test]
fn of_two_campaigns_with_one_key_the_first_counts_once() {
    // The official SDK counts the goal for both under one key.
    let second = with(campaign(2, "ab", "VISUAL_AB"), &json!({"percentTraffic": 0}));
    let scene = Scene::without_storage(&settings(&[ab(), second]));
    scene.check(&activate("ab", &json!({})), &json!("Control"));
    scene.check(&track(&Value::Null, "g1", &json!({})), &json!({"ab": true}));
}

#[test]
fn numbers_beyond_doubles_and_endless_nesting_are_parse_errors() {
    // JSON.parse makes Infinity of such a number, and reads any depth.
    let text = settings(&[ab()]).to_string();
    let kind = |text: &str| Settings::parse(text).map_err(|error| error.kind()).err();
    assert_eq!(kind(&text.replace("\"version\":1", "\"version\":1e999")), Some(SettingsErrorKind::NotJson));
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert_eq!(kind(&text.replace("\"version\":1", &format!("\"version\":{deep}"))), Some(SettingsErrorKind::NotJson));
    let request = format!(
        r#"{{"op":"activate","campaignKey":"ab","userId":"u","options":{{"customVariables":{{"a":{deep}}}}}}}"#
    );
    assert!(steadfast::line::Line::parse(&request).is_err());
}

#[test]
fn json_variables_may_be_text() {
    // Q-105
    let mut feature = campaign(1, "ft", "FEATURE_ROLLOUT");
    feature["variations"] = json!([{"id": 1, "name": "website", "weight": 100}]);
    feature["variables"] = json!([{"id": 1, "key": "v", "type": "json", "value": "{\"a\": 1}"}]);
    let request = with(call("getFeatureVariableValue", "ft", &json!({})), &json!({"variableKey": "v"}));
    for (json_variables, expected) in
        [(JsonVariables::ObjectOrText, json!({"a": 1})), (JsonVariables::Object, Value::Null)]
    {
        let options = CompileOptions { json_variables, ..CompileOptions::default() };
        let scene = Scene::compiled(&settings(&[feature.clone()]), options, Policy::default(), false);
        scene.check(&request, &expected);
    }
}

#[test]
fn hashing_utf8_is_an_option() {
    // Q-60: the low byte of each UTF-16 unit by default, as the official Node SDK.
    let bucket = |input| {
        let options = CompileOptions { hash_input: input, ..CompileOptions::default() };
        let compiled = Settings::compile(&settings(&[ab()]).to_string(), options).unwrap();
        let bucketer = compiled.campaign("ab").unwrap().bucketer().clone();
        bucketer.variation_bucket("ü", bucketer.admit("ü"))
    };
    assert_eq!((bucket(HashInput::default()), bucket(HashInput::Utf8)), (5773, 4921));
}
