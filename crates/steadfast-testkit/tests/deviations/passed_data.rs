//! `userStorageData`: what the caller passes.

use serde_json::{Value, json};

use super::{Scene, ab, activate, call, campaign, record, settings, track};

#[test]
fn passed_data_is_used_without_asking_the_storage() {
    // the official SDK asks all the same and merges field by field.
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Control"));
    let passed = json!({"userStorageData": record("ab", "Variation-1")});
    scene.check(&activate("ab", &passed), &json!("Variation-1"));
    scene.check_calls(&[]);
    // A goal is written, and a write looks first: what is stored keeps its variation.
    scene.check(&track(&json!("ab"), "g1", &passed), &json!({"ab": true}));
    scene.check_calls(&["get ab", "set ab Control g1"]);
}

#[test]
fn passed_data_with_an_unknown_variation_is_evaluated_afresh_without_asking() {
    // exactly the record that was passed is replaced. The only look-up is the one before the write.
    let passed = json!({"userStorageData": record("ab", "Gone")});
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Gone"));
    scene.check(&activate("ab", &passed), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control"]);
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&activate("ab", &passed), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control"]);
}

#[test]
fn a_good_record_survives_passed_data_with_an_unknown_variation() {
    // the official SDK writes over it.
    let passed = json!({"userStorageData": record("ab", "Gone")});
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Variation-1"));
    scene.check(&activate("ab", &passed), &json!("Control"));
    scene.check_calls(&["get ab"]);
    assert_eq!(scene.record("ab"), Some(record("ab", "Variation-1")));
    scene.check(&track(&json!("ab"), "g1", &passed), &json!({"ab": true}));
    scene.check_calls(&["get ab", "set ab Variation-1 g1"]);
    scene.check(&activate("ab", &json!({})), &json!("Variation-1"));
}

#[test]
fn null_data_and_null_metadata_count_as_absent() {
    // to the official SDK the call is invalid.
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&activate("ab", &json!({"userStorageData": null, "metaData": null})), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control"]);
}

#[test]
fn passed_data_counts_without_a_storage() {
    //
    let scene = Scene::without_storage(&settings(&[ab()]));
    scene.check(&activate("ab", &json!({"userStorageData": record("ab", "Variation-1")})), &json!("Variation-1"));
}

#[test]
fn passed_data_of_another_user_or_campaign_is_not_used() {
    // to the official SDK any campaign key that is not empty will do, and nobody looks at the user.
    let scene = Scene::new(&settings(&[ab()]));
    let others = json!({"userId": "Bill", "campaignKey": "ab", "variationName": "Variation-1"});
    scene.check(&activate("ab", &json!({"userStorageData": others})), &json!("Control"));
    scene.check(&activate("ab", &json!({"userStorageData": record("cd", "Variation-1")})), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control", "get ab"]);
}

#[test]
fn passed_data_without_a_campaign_or_a_variation_is_no_record() {
    // the official SDK completes it with fields of the stored record.
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Variation-1"));
    let nameless = json!({"userId": "Ashley", "campaignKey": "ab", "goalIdentifier": "g1"});
    scene.check(&track(&json!("ab"), "g1", &json!({"userStorageData": nameless})), &json!({"ab": true}));
    scene.check_calls(&["get ab", "set ab Variation-1 g1"]);
}

#[test]
fn passed_data_serves_only_the_campaign_it_names() {
    // the official SDK applies it to every campaign of the call.
    let scene = Scene::new(&settings(&[ab(), campaign(2, "cd", "VISUAL_AB")]));
    let options = json!({"userStorageData": record("ab", "Variation-1")});
    scene.check(&track(&json!(["ab", "cd"]), "g1", &options), &json!({"ab": true, "cd": true}));
    scene.check_calls(&["get cd", "get ab", "set ab Variation-1 g1", "set cd Control g1"]);
}

#[test]
fn a_list_of_records_serves_several_campaigns() {
    // D-4: a list is a mistake to the official SDK.
    let scene = Scene::without_storage(&settings(&[ab(), campaign(2, "cd", "VISUAL_AB")]));
    let options = json!({"userStorageData": [record("ab", "Variation-1"), record("cd", "Variation-1")]});
    scene.check(&activate("ab", &options), &json!("Variation-1"));
    scene.check(&activate("cd", &options), &json!("Variation-1"));
}

#[test]
fn an_empty_list_of_records_is_a_mistake() {
    // As the official SDK has it: whoever passes an empty list passes rows of a database as they come.
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&activate("ab", &json!({"userStorageData": []})), &json!(null));
    scene.check(&activate("ab", &json!({"userStorageData": [1]})), &json!(null));
    scene.check_calls(&[]);
}

#[test]
fn all_that_is_stored_may_be_passed_however_little() {
    let scene = Scene::new(&settings(&[ab()]));
    let passed = |records: &Value| json!({"userStorageData": {"all": records}});
    scene.check(&activate("ab", &passed(&json!([record("ab", "Variation-1")]))), &json!("Variation-1"));
    // There is nothing for the campaign then, and nobody is asked: what is written is looked at.
    scene.check(&activate("ab", &passed(&json!([]))), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control"]);
}

#[test]
fn a_program_whose_get_works_tracks_on_the_first_visit() {
    // data fetched before `activate`, the same options given to `track`.
    for fetched in [json!({}), json!(null), json!({"id": 1, "userId": "Ashley", "campaignKey": "ab"})] {
        let scene = Scene::new(&settings(&[ab()]));
        let options = json!({"userStorageData": fetched});
        scene.check(&activate("ab", &options), &json!("Control"));
        scene.check(&track(&json!("ab"), "g1", &options), &json!({"ab": true}));
        assert_eq!(scene.record("ab").unwrap()["goalIdentifier"], "g1", "with {options}");
    }
}

#[test]
fn a_read_of_passed_data_writes_nothing() {
    // reading what is valid leaves no trace.
    let scene = Scene::new(&settings(&[ab()]));
    let options = json!({"userStorageData": record("ab", "Variation-1")});
    scene.check(&call("getVariationName", "ab", &options), &json!("Variation-1"));
    scene.check_calls(&[]);
}
