//! What is stored: goals, activation, failures, who wins.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::policy::{Activation, EventArchitectureGoals, MetaDataRule, OnStorageError};
use steadfast::engine::settings::wire::Json;
use steadfast::engine::verb;
use steadfast::engine::{Answer, Effect, Options, Policy, Question, Reason, Record, Request, Settings, Step};
use steadfast::storage::{Claim, MemoryStorage, Merged, StorageError, StorageErrorKind, UserStorage};

use super::{Scene, ab, activate, call, campaign, check, record, settings, track, with};

#[test]
fn goals_add_up_in_one_write() {
    // the official SDK writes twice, the second time with the last goal alone.
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Control"));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "g2", &json!({})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
    scene.check_calls(&["get ab", "set ab Control g1", "get ab", "set ab Control g1_vwo_g2", "get ab"]);
}

#[test]
fn a_goal_that_counts_again_stays_listed() {
    // the official SDK reduces the list to that goal.
    let scene =
        Scene::new(&settings(&[ab()])).stored(&with(record("ab", "Control"), &json!({"goalIdentifier": "g1_vwo_g2"})));
    let again = json!({"shouldTrackReturningUser": true});
    scene.check(&track(&json!("ab"), "g1", &again), &json!({"ab": true}));
    scene.check_calls(&["get ab"]);
    assert_eq!(scene.record("ab").unwrap()["goalIdentifier"], "g1_vwo_g2");
}

#[test]
fn a_goal_whose_identifier_holds_the_separator_is_recognised() {
    //
    let goals = json!([{"id": 1, "identifier": "a_vwo_b", "type": "CUSTOM_GOAL"}, {"id": 2, "identifier": "b", "type": "CUSTOM_GOAL"}]);
    let scene = Scene::new(&settings(&[with(ab(), &json!({"goals": goals}))])).stored(&record("ab", "Control"));
    scene.check(&track(&json!("ab"), "a_vwo_b", &json!({})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "a_vwo_b", &json!({})), &json!({"ab": false}));
    scene.check(&track(&json!("ab"), "b", &json!({})), &json!({"ab": true}));
}

#[test]
fn goal_identifiers_in_the_plural_are_read() {
    // D-11: the spelling of other SDKs.
    let plural = with(record("ab", "Control"), &json!({"goalIdentifiers": "g1"}));
    let scene = Scene::new(&settings(&[ab()])).stored(&plural);
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
}

#[test]
fn a_goal_list_that_is_no_text_counts_as_empty() {
    // the official SDK fails, and answers null.
    let scene = Scene::new(&settings(&[ab()])).stored(&with(record("ab", "Control"), &json!({"goalIdentifier": 5})));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
}

#[test]
fn a_stored_record_of_another_user_or_campaign_counts_as_none() {
    //
    let others = json!({"userId": "Bill", "campaignKey": "ab", "variationName": "Variation-1"});
    for foreign in [record("cd", "Variation-1"), others] {
        let foreign = with(foreign, &json!({"goalIdentifier": "g1_vwo_g2", "metaData": {"k": 1}}));
        // What is written in its place is Ashley's from end to end.
        let scene = Scene::new(&settings(&[ab()])).stored_at("ab", &foreign);
        scene.check(&activate("ab", &json!({})), &json!("Control"));
        scene.check_calls(&["get ab", "set ab Control"]);
        assert_eq!(scene.record("ab"), Some(record("ab", "Control")));
        scene.check(&activate("ab", &json!({})), &json!("Control"));
        scene.check_calls(&["get ab"]);
        // Nor was any goal of hers counted.
        let keeping = Policy { meta_data: MetaDataRule::Keep, ..Policy::default() };
        let scene = Scene::with_policy(&settings(&[ab()]), keeping).stored_at("ab", &foreign);
        scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
        scene.check_calls(&["get ab", "set ab Control g1"]);
        assert_eq!(scene.record("ab").unwrap().get("metaData"), None);
    }
}

#[test]
fn a_record_without_a_variation_is_no_record() {
    // STO-28: to the official SDK, too, it decides nothing, but there it can be put into the storage.
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&json!({"op": "storage_put", "record": record("ab", "")}), &json!(false));
    scene.check(&activate("ab", &json!({})), &json!("Control"));
}

#[test]
fn reading_before_activation_decides_and_keeps() {
    // the record waits for its impression, which the first activate sends.
    let scene = Scene::new(&settings(&[ab()]));
    scene.check(&call("getVariationName", "ab", &json!({})), &json!("Control"));
    assert_eq!(scene.record("ab").unwrap()["activated"], false);
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    scene.check(&activate("ab", &json!({})), &json!("Control"));
    assert_eq!(scene.record("ab").unwrap().get("activated"), None);
    let required = Policy { activation: Activation::Required, ..Policy::default() };
    let scene = Scene::with_policy(&settings(&[ab()]), required);
    scene.check(&call("getVariationName", "ab", &json!({})), &Value::Null);
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
    scene.check_calls(&["get ab", "get ab"]);
}

#[test]
fn a_stale_record_read_waits_for_its_impression() {
    // a read replaces it in the official SDK too, and then the impression is never sent.
    let stale = record("ab", "Gone");
    for activation in [Activation::Optional, Activation::Required] {
        let policy = Policy { activation, ..Policy::default() };
        let scene = Scene::with_policy(&settings(&[ab()]), policy).stored(&stale);
        scene.check(&call("getVariationName", "ab", &json!({})), &json!("Control"));
        assert_eq!(scene.record("ab").unwrap()["activated"], false);
        let compiled = Settings::parse(&settings(&[ab()]).to_string()).unwrap();
        let effects = effects(&compiled, policy, Options::NONE, scene.storage.get("Ashley", "ab").unwrap());
        assert_eq!(effects, ["impression", "record Control", "hook"]);
    }
}

#[test]
fn a_track_on_a_stale_record_writes_once() {
    // the official SDK writes twice.
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Gone"));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    scene.check_calls(&["get ab", "set ab Control g1"]);
}

#[test]
fn a_replaced_record_starts_its_goals_over() {
    // As the official SDK: goals of a variation that is gone were not counted for the new one.
    let stale = with(record("ab", "Gone"), &json!({"goalIdentifier": "g1"}));
    let scene = Scene::new(&settings(&[ab()])).stored(&stale);
    scene.check(&activate("ab", &json!({})), &json!("Control"));
    scene.check_calls(&["get ab", "set ab Control"]);
}

#[test]
fn whitelisted_users_are_never_written() {
    // `track` of the official SDK writes the forced variation and counts the goal each time.
    let mut forced = with(ab(), &json!({"isForcedVariationEnabled": true}));
    forced["variations"][1]["segments"] = json!({"user": "Ashley"});
    let scene = Scene::new(&settings(&[forced]));
    scene.check(&activate("ab", &json!({})), &json!("Variation-1"));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    scene.check_calls(&[]);
}

#[test]
fn a_failing_storage_is_decided_without_and_never_overwritten() {
    // nobody gets a variation in the official SDK.
    let scene = Scene::new(&settings(&[ab()])).stored(&record("ab", "Variation-1")).failing_for("ab");
    scene.check(&activate("ab", &json!({})), &json!("Control"));
    scene.check_calls(&["get ab", "get ab"]);
    assert_eq!(scene.record("ab"), Some(record("ab", "Variation-1")));
    let policy = Policy { on_storage_error: OnStorageError::NoVariation, ..Policy::default() };
    let scene = Scene::with_policy(&settings(&[ab()]), policy).failing_for("ab");
    scene.check(&activate("ab", &json!({})), &Value::Null);
}

#[test]
fn a_failing_look_up_of_one_campaign_leaves_the_others_alone() {
    // one failure makes the whole answer null in the official SDK.
    let policy = Policy { on_storage_error: OnStorageError::NoVariation, ..Policy::default() };
    let both = settings(&[ab(), campaign(2, "cd", "VISUAL_AB")]);
    let scene = Scene::with_policy(&both, policy).failing_for("cd");
    scene.check(&track(&json!(["ab", "cd"]), "g1", &json!({})), &json!({"ab": true, "cd": false}));
}

#[test]
fn a_bandit_never_decides_without_its_storage() {
    // D-8: its weights move, so users would move with them.
    let bandit = settings(&[with(ab(), &json!({"isMAB": true}))]);
    let scene = Scene::new(&bandit).failing_for("ab");
    scene.check(&activate("ab", &json!({})), &Value::Null);
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
}

#[test]
fn metadata_can_be_kept() {
    // lost by default, as in the official SDK.
    let stored = with(record("ab", "Control"), &json!({"metaData": {"k": 1}}));
    for (meta_data, expected) in [(MetaDataRule::ThisCall, Value::Null), (MetaDataRule::Keep, json!({"k": 1}))] {
        let policy = Policy { meta_data, ..Policy::default() };
        let scene = Scene::with_policy(&settings(&[ab()]), policy).stored(&stored);
        scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
        assert_eq!(scene.record("ab").unwrap()["metaData"], expected);
    }
}

#[test]
fn event_architecture_goals_can_count_once() {
    // sent each time by default, as in the official SDK.
    let account = with(settings(&[ab()]), &json!({"isEventArchEnabled": true}));
    for (goals, second) in [(EventArchitectureGoals::SendEachTime, true), (EventArchitectureGoals::Once, false)] {
        let policy = Policy { event_architecture_goals: goals, ..Policy::default() };
        let scene = Scene::with_policy(&account, policy).stored(&record("ab", "Control"));
        scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
        scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": second}));
    }
}

#[test]
fn the_first_stored_variation_wins() {
    // Q-28, D-10: two processes decide at one moment, the weights having moved in between. One decision is left, and no
    // goal is lost.
    let weighted = |weights: [u32; 2]| {
        let mut file = settings(&[ab()]);
        file["campaigns"][0]["variations"][0]["weight"] = json!(weights[0]);
        file["campaigns"][0]["variations"][1]["weight"] = json!(weights[1]);
        file
    };
    let (old, new) = (weighted([100, 0]), weighted([0, 100]));
    Scene::without_storage(&new).check(&activate("ab", &json!({})), &json!("Variation-1"));
    let memory = Arc::new(MemoryStorage::new());
    let first = client(&old, Arc::clone(&memory));
    // Its look-up came before the first one's write.
    let second = client(&new, FirstLook::new(&memory, Ok(None)));
    check(&first, &track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
    check(&second, &track(&json!("ab"), "g2", &json!({})), &json!({"ab": true}));
    let stored = memory.get("Ashley", "ab").unwrap().unwrap();
    assert_eq!((stored.variation_name.as_str(), stored.goals.as_str()), ("Control", "g1_vwo_g2"));
    check(&second, &activate("ab", &json!({})), &json!("Control"));
}

#[test]
fn what_could_not_be_read_is_never_changed_into_another_variation() {
    // D-8: the look-up fails, and by the time of the write the storage answers again.
    let track_g1 = track(&json!("ab"), "g1", &json!({}));
    let after = |stored: Option<&Value>| {
        let scene = Scene::new(&settings(&[ab()])).failing_times("ab", 1);
        let scene = match stored {
            Some(stored) => scene.stored(stored),
            None => scene,
        };
        scene.check(&track_g1, &json!({"ab": true}));
        scene
    };
    let in_memory = |stored: Option<&Value>| {
        let memory = Arc::new(MemoryStorage::new());
        if let Some(stored) = stored {
            memory.set(Record::from_json(&Json::parse(&stored.to_string()).unwrap()).unwrap()).unwrap();
        }
        let failure = StorageError::new(StorageErrorKind::Unavailable, "out of order");
        let client = client(&settings(&[ab()]), FirstLook::new(&memory, Err(failure)));
        check(&client, &track_g1, &json!({"ab": true}));
        memory.get("Ashley", "ab").unwrap().map(|record| record.to_json())
    };
    let other = with(record("ab", "Variation-1"), &json!({"goalIdentifier": "g2"}));
    after(Some(&other)).check_calls(&["get ab", "get ab"]);
    assert_eq!(after(Some(&other)).record("ab").as_ref(), Some(&other));
    assert_eq!(in_memory(Some(&other)).as_ref(), Some(&other));
    // Where the storage holds the same variation the goal is added, and an empty place is filled.
    let same = with(record("ab", "Control"), &json!({"goalIdentifier": "g2"}));
    after(Some(&same)).check_calls(&["get ab", "get ab", "set ab Control g2_vwo_g1"]);
    assert_eq!(in_memory(Some(&same)).unwrap()["goalIdentifier"], "g2_vwo_g1");
    after(None).check_calls(&["get ab", "get ab", "set ab Control g1"]);
    assert_eq!(in_memory(None).unwrap()["variationName"], "Control");
}

#[test]
fn a_failed_look_up_gives_reading_verbs_nothing_where_activation_is_required() {
    // nobody knows whether the user was activated.
    let policy = Policy { activation: Activation::Required, ..Policy::default() };
    let file = settings(&[ab(), campaign(2, "ft", "FEATURE_TEST")]);
    let scene = Scene::with_policy(&file, policy).stored(&record("ab", "Control")).failing_for("ab");
    let decision = scene.client.variation_name("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (None, Reason::StorageFailed));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": false}));
    scene.check_calls(&["get ab", "get ab"]);
    // Whoever is activated needs no earlier activation.
    scene.check(&activate("ab", &json!({})), &json!("Control"));
    let scene = Scene::with_policy(&file, policy).failing_for("ft");
    let decision = scene.client.feature_variable("ft", "Ashley", Options::NONE).unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (None, Reason::StorageFailed));
    scene.check(&call("isFeatureEnabled", "ft", &json!({})), &json!(true));
    // Under our own rule a failed look-up is decided without in every verb.
    let scene = Scene::new(&file).failing_for("ab");
    scene.check(&call("getVariationName", "ab", &json!({})), &json!("Control"));
    scene.check(&track(&json!("ab"), "g1", &json!({})), &json!({"ab": true}));
}

/// A storage in memory whose first look-up answers something else.
struct FirstLook {
    memory: Arc<MemoryStorage>,
    first: Mutex<Option<Result<Option<Record>, StorageError>>>,
}

impl FirstLook {
    fn new(memory: &Arc<MemoryStorage>, first: Result<Option<Record>, StorageError>) -> FirstLook {
        FirstLook { memory: Arc::clone(memory), first: Mutex::new(Some(first)) }
    }
}

impl UserStorage for FirstLook {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let first = self.first.lock().unwrap().take();
        first.unwrap_or_else(|| self.memory.get(user, campaign))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.memory.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.memory.merge(claim)
    }
}

fn client(settings: &Value, storage: impl UserStorage + 'static) -> Client {
    Client::builder(Arc::new(Settings::parse(&settings.to_string()).unwrap())).storage(storage).build()
}

#[test]
fn effects_come_in_the_order_event_record_hook() {
    // the official SDK writes first, and a hook that throws loses the impression for good.
    let compiled = Settings::parse(&settings(&[ab()]).to_string()).unwrap();
    assert_eq!(effects(&compiled, Policy::default(), Options::NONE, None), ["impression", "record Control", "hook"]);
}

#[test]
fn the_option_of_a_call_wins_over_the_policy_for_returning_users() {
    // in `activate` of the official SDK an option `false` cannot take back what the launch says.
    let compiled = Settings::parse(&settings(&[ab()]).to_string()).unwrap();
    let stored = || Some(Record::new("Ashley", "ab", "Control"));
    let policy = Policy { track_returning_users: true, ..Policy::default() };
    assert_eq!(effects(&compiled, policy, Options::NONE, stored()), ["impression", "hook"]);
    let options = Options { track_returning_users: Some(false), ..Options::default() };
    assert_eq!(effects(&compiled, policy, &options, stored()), ["hook"]);
}

/// The effects of `activate` where this is stored.
fn effects(settings: &Settings, policy: Policy, options: &Options, stored: Option<Record>) -> Vec<String> {
    let policy = Policy { has_storage: true, ..policy };
    let request = Request::new(settings, "Ashley").with_options(options).with_policy(policy);
    let mut step = verb::activate(request, "ab").unwrap();
    let decision = loop {
        step = match step {
            Step::Done(decision) => break decision,
            Step::NeedsStored(need) => need.resume([Answer::from(stored.clone())]),
        }
    };
    let effects = decision.effects().map(|effect| match effect {
        Effect::Send(_) => "impression".to_owned(),
        Effect::Store(write) => format!("record {}", write.to_record().variation_name),
        Effect::Notify(_) => "hook".to_owned(),
    });
    effects.collect()
}
