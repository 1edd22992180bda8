//! Mutually exclusive groups.

use serde_json::{Value, json};
use steadfast::engine::policy::OnStorageError;
use steadfast::engine::{Options, Policy, Reason};

use super::{Scene, activate, campaign, record, settings, track, with};

/// Campaigns `c1`, `c2`, … in the group 7, which has these fields besides.
fn grouped(members: u32, group: &Value) -> Value {
    let campaigns: Vec<Value> = (1..=members).map(|id| campaign(id, &format!("c{id}"), "VISUAL_AB")).collect();
    let ids: Vec<u32> = (1..=members).collect();
    let membership: Value = ids.iter().map(|id| (id.to_string(), json!(7))).collect::<serde_json::Map<_, _>>().into();
    let group = with(json!({"name": "g", "campaigns": ids}), group);
    with(settings(&campaigns), &json!({"groups": {"7": group}, "campaignGroups": membership}))
}

#[test]
fn a_gap_between_random_ranges_is_no_error() {
    // three members get 33 percent each; an exception makes the whole track null in the official SDK.
    let scene = Scene::without_storage(&with(grouped(3, &json!({})), &json!({})));
    let mut unlucky = 0;
    for number in 0..2000 {
        let user = format!("user{number}");
        let winner = |key: &str| {
            let decision = scene.client.variation_name(key, &user, Options::NONE).unwrap();
            decision.reason() == Reason::NoGroupWinner
        };
        if winner("c1") && winner("c2") && winner("c3") {
            unlucky += 1;
            let keys = json!(["c1", "c2", "none"]);
            let request = json!({"op": "track", "campaignKey": keys, "userId": user, "goalIdentifier": "g1"});
            scene.check(&request, &json!({"c1": false, "c2": false, "none": false}));
        }
    }
    assert!((5..60).contains(&unlucky), "{unlucky} of 2000 users are in a gap of one percent");
}

#[test]
fn paused_members_take_no_part() {
    //
    let mut file = grouped(2, &json!({"et": 2, "p": [2]}));
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &Value::Null);
    file["campaigns"][1]["status"] = json!("PAUSED");
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &json!("Control"));
}

#[test]
fn a_campaign_that_its_group_does_not_list_loses_to_the_only_member() {
    // the official SDK answers with the variation of the member.
    let mut file = grouped(2, &json!({}));
    file["groups"]["7"]["campaigns"] = json!([2]);
    file["campaigns"][1]["variations"][0]["name"] = json!("Only in c2");
    // Only members compete, so c2 is alone and wins at once, whatever a user's bucket is.
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &Value::Null);
    for number in 0..50 {
        let user = format!("user{number}");
        let decision = scene.client.activate("c1", &user, Options::NONE).unwrap();
        assert_eq!((decision.reason(), decision.variation_name()), (Reason::LostGroup, None), "{user}");
        assert!(scene.client.activate("c2", &user, Options::NONE).unwrap().variation().is_some(), "{user}");
    }
}

#[test]
fn user_lists_are_read_in_the_form_of_their_own_campaign() {
    // the other member's list holds plain ids, the called campaign's hashed ones.
    let mut file = grouped(2, &json!({"et": 2, "p": [1]}));
    file["campaigns"][0]["isUserListEnabled"] = json!(true);
    file["campaigns"][1]["isForcedVariationEnabled"] = json!(true);
    file["campaigns"][1]["variations"][0]["segments"] = json!({"user": "Ashley"});
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &Value::Null);
    scene.check(&activate("c2", &json!({})), &json!("Control"));
}

#[test]
fn a_missing_group_counts_as_none() {
    // an exception in the official SDK, null for the whole track.
    let mut file = grouped(2, &json!({}));
    file["groups"] = json!({});
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &json!("Control"));
    scene.check(&track(&json!(["c1", "c2"]), "g1", &json!({})), &json!({"c1": true, "c2": true}));
}

#[test]
fn a_group_with_the_id_zero_is_a_group() {
    // ignored by the official SDK, so the user is in both.
    let mut file = grouped(2, &json!({"et": 2, "p": [1]}));
    file["groups"] = json!({"0": file["groups"]["7"]});
    file["campaignGroups"] = json!({"1": 0, "2": 0});
    let scene = Scene::without_storage(&file);
    scene.check(&activate("c1", &json!({})), &json!("Control"));
    scene.check(&activate("c2", &json!({})), &Value::Null);
}

#[test]
fn algorithms_may_be_text_or_null() {
    // both are the advanced algorithm to the official SDK, which has no winner here.
    for random in [json!("1"), json!(null)] {
        let scene = Scene::without_storage(&grouped(2, &json!({"et": random, "wt": {}})));
        let winners = ["c1", "c2"].map(|key| {
            let decision = scene.client.variation_name(key, "Ashley", Options::NONE).unwrap();
            decision.variation().is_some()
        });
        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "et {random}");
    }
}

#[test]
fn priorities_compare_ids_by_value() {
    // a text never equals a number in the official SDK.
    let scene = Scene::without_storage(&grouped(2, &json!({"et": 2, "p": ["2"], "wt": {"1": 100}})));
    scene.check(&activate("c1", &json!({})), &Value::Null);
    scene.check(&activate("c2", &json!({})), &json!("Control"));
}

#[test]
fn a_failing_look_up_of_a_member_decides_by_the_policy() {
    // the whole call fails in the official SDK. Nothing is written: the user may be in the member.
    let file = grouped(2, &json!({"et": 2, "p": [1]}));
    let scene = Scene::new(&file).stored(&record("c2", "Variation-1")).failing_for("c2");
    scene.check(&activate("c1", &json!({})), &json!("Control"));
    scene.check_calls(&["get c1", "get c2"]);
    scene.check(&track(&json!("c1"), "g1", &json!({})), &json!({"c1": true}));
    scene.check_calls(&["get c1", "get c2"]);
    scene.recover();
    scene.check(&activate("c1", &json!({})), &Value::Null);
    scene.check(&activate("c2", &json!({})), &json!("Variation-1"));
    assert_eq!((scene.record("c1"), scene.record("c2")), (None, Some(record("c2", "Variation-1"))));
    let policy = Policy { on_storage_error: OnStorageError::NoVariation, ..Policy::default() };
    let scene = Scene::with_policy(&file, policy).failing_for("c2");
    scene.check(&activate("c1", &json!({})), &Value::Null);
    scene.check_calls(&["get c1", "get c2"]);
}

#[test]
fn the_called_campaign_is_kept_once_its_members_can_be_looked_up() {
    // after the outage the same decision is made, and this time it stays.
    let scene = Scene::new(&grouped(2, &json!({"et": 2, "p": [1]}))).failing_times("c2", 1);
    scene.check(&activate("c1", &json!({})), &json!("Control"));
    scene.check_calls(&["get c1", "get c2"]);
    scene.check(&activate("c1", &json!({})), &json!("Control"));
    scene.check_calls(&["get c1", "get c2", "set c1 Control"]);
}

#[test]
fn passed_data_of_the_called_campaign_says_nothing_about_its_group() {
    // to the official SDK a variation of that name in c2 means that the user is in c2, so c1 is lost to them.
    let mut file = grouped(2, &json!({"et": 2, "p": [1]}));
    file["campaigns"][0]["variations"] = json!([{"id": 1, "name": "Control", "weight": 100}]);
    let scene = Scene::new(&file);
    let options = json!({"userStorageData": record("c1", "Variation-1")});
    scene.check(&activate("c1", &options), &json!("Control"));
    scene.check_calls(&["get c2", "get c1", "set c1 Control"]);
}

#[test]
fn passed_data_of_another_member_keeps_the_user_there() {
    // the official SDK takes it for the called campaign's, which has a variation of that name.
    let scene = Scene::new(&grouped(2, &json!({"et": 2, "p": [1]})));
    let options = json!({"userStorageData": record("c2", "Variation-1")});
    scene.check(&activate("c1", &options), &Value::Null);
    scene.check_calls(&["get c1"]);
}
