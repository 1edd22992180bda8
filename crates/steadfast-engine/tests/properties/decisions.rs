//! Laws of a decision: whoever asks, however often and in whatever manner, the answer is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use steadfast_engine::policy::OnStorageError;
use steadfast_engine::{
    Answer, Decision, NeedsStored, Options, Policy, Reason, Record, Request, Settings, Step, StorageFailure, StoredKey,
    UserStorageData, Verb, Warning,
};

use super::cases;
use super::drive::{self, Condition, EffectPicture, Manner, Operation, Picture, WritePicture, outcome};
use super::generate::{self, CallDraft, File, GOALS, key};

/// A call, the file it is made under, and what a storage would say about each campaign.
#[derive(Debug, Clone)]
struct Scene {
    file: File,
    policy: Policy,
    operation: Operation,
    user: String,
    options: Options,
    answers: BTreeMap<String, Answer>,
}

impl Scene {
    fn settings(&self) -> Settings {
        Settings::parse(&self.file.to_json().to_string()).expect("a sensible file")
    }

    fn request<'a>(&'a self, settings: &'a Settings) -> Request<'a> {
        Request::new(settings, self.user.as_str()).with_options(&self.options).with_policy(self.policy)
    }

    fn answer(&self, key: StoredKey<'_>) -> Answer {
        assert_eq!(key.user, self.user, "a question about another user");
        self.answers.get(key.campaign).cloned().unwrap_or(Answer::Absent)
    }

    /// Whether the caller says what is stored for a campaign.
    fn passed(&self, campaign: &str) -> bool {
        let passed = &self.options.user_storage_data;
        passed.is_complete() || passed.records().iter().any(|record| record.campaign_key == campaign)
    }

    /// What comes of it; a mistake of the caller becomes a text.
    fn outcome(&self, request: Request<'_>, manner: Manner) -> Result<Picture, String> {
        outcome(request, &self.operation, manner, |key| self.answer(key)).map_err(|error| error.to_string())
    }
}

fn operation(call: &CallDraft, others: &[usize]) -> Operation {
    match call.verb {
        Verb::Track => Operation::Track(others.iter().map(|place| key(*place)).collect(), call.goal.to_owned()),
        verb => Operation::Decide(verb, key(call.campaign)),
    }
}

/// What a storage says about a campaign: mostly a record of the user, at times one that is gone or foreign.
fn answer(user: String, campaign: String) -> impl Strategy<Value = Answer> {
    let found = generate::record().prop_map(move |record| {
        let honest = record.campaign_key != "c4";
        let (user_id, campaign_key) = (user.clone(), campaign.clone());
        Answer::from(Some(if honest { Record { user_id, campaign_key, ..record } } else { record }))
    });
    prop_oneof![
        3 => Just(Answer::Absent),
        3 => found,
        1 => Just(Answer::Failed(StorageFailure::new("out of reach"))),
    ]
}

fn scene_of(file: impl Strategy<Value = File>) -> impl Strategy<Value = Scene> {
    let call = generate::call_with(generate::options_with_records());
    (file, generate::policy(), call, vec(0..5_usize, 0..5)).prop_flat_map(|(file, policy, call, others)| {
        let campaigns = file.campaigns.len();
        let answers: Vec<_> = (0..campaigns).map(|place| answer(call.user.clone(), key(place))).collect();
        let operation = operation(&call, &others);
        answers.prop_map(move |answers| Scene {
            file: file.clone(),
            policy,
            operation: operation.clone(),
            user: call.user.clone(),
            options: call.options.clone(),
            answers: answers.into_iter().enumerate().map(|(place, answer)| (key(place), answer)).collect(),
        })
    })
}

fn scene() -> impl Strategy<Value = Scene> {
    scene_of(generate::file())
}

/// A step that owns all it needs can go to another thread and be finished there.
fn finished_elsewhere(step: Step<NeedsStored<'static>>, scene: &Scene) -> Vec<drive::DecisionPicture> {
    let answers = scene.answers.clone();
    let thread = std::thread::spawn(move || {
        let decision: Decision<'static> =
            drive::finish(step, Manner::AllAtOnce, |key| answers.get(key.campaign).cloned().unwrap_or(Answer::Absent));
        vec![drive::decision_picture(&decision)]
    });
    thread.join().expect("no panic")
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn the_same_call_has_the_same_answer(scene in scene()) {
        let settings = scene.settings();
        let first = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        let second = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        prop_assert_eq!(&first, &second);
        let compiled_again = scene.settings();
        prop_assert_eq!(first, scene.outcome(scene.request(&compiled_again), Manner::AllAtOnce));
    }

    #[test]
    fn a_trace_changes_nothing(scene in scene()) {
        let settings = scene.settings();
        let plain = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        prop_assert_eq!(plain, scene.outcome(scene.request(&settings).traced(), Manner::AllAtOnce));
    }

    #[test]
    fn answering_one_key_at_a_time_changes_nothing(scene in scene()) {
        let settings = scene.settings();
        let at_once = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        prop_assert_eq!(at_once, scene.outcome(scene.request(&settings), Manner::OneAtATime));
    }

    #[test]
    fn a_request_that_owns_all_it_needs_changes_nothing(scene in scene()) {
        let settings = Arc::new(scene.settings());
        let borrowed = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        let owned: Request<'static> = Request::new(Arc::clone(&settings), Arc::<str>::from(scene.user.as_str()))
            .with_options(Arc::new(scene.options.clone()))
            .with_policy(scene.policy);
        if let Operation::Decide(verb, campaign) = &scene.operation {
            let elsewhere = drive::begin(owned.clone(), *verb, campaign).map(|step| finished_elsewhere(step, &scene));
            let here = borrowed.clone().map(|picture| picture.decisions);
            prop_assert_eq!(elsewhere.map_err(|error| error.to_string()), here);
        }
        prop_assert_eq!(borrowed, scene.outcome(owned, Manner::AllAtOnce));
    }

    #[test]
    fn nothing_is_asked_beyond_the_campaign_and_its_group(scene in scene(), manner in any::<bool>()) {
        let settings = scene.settings();
        let manner = if manner { Manner::AllAtOnce } else { Manner::OneAtATime };
        let mut asked = Vec::new();
        let _ = outcome(scene.request(&settings), &scene.operation, manner, |key| {
            asked.push(key.campaign.to_owned());
            scene.answer(key)
        });
        let called = match &scene.operation {
            Operation::Decide(_, campaign) => vec![campaign.clone()],
            Operation::Track(campaigns, _) if campaigns.is_empty() => (0..5).map(key).collect(),
            Operation::Track(campaigns, _) => campaigns.clone(),
        };
        let mut allowed = called.clone();
        for place in (0..scene.file.campaigns.len()).filter(|place| called.contains(&key(*place))) {
            allowed.extend(scene.file.rivals(place).into_iter().map(key));
        }
        for campaign in &asked {
            prop_assert!(allowed.contains(campaign), "{campaign} is asked for");
        }
        let mut distinct = asked.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), asked.len(), "asked twice: {:?}", asked);
    }

    #[test]
    fn what_is_stored_in_campaigns_outside_the_group_does_not_matter(
        scene in scene(), other in vec(generate::record(), 5),
    ) {
        let settings = scene.settings();
        let Operation::Decide(_, campaign) = &scene.operation else { return Ok(()) };
        let mut changed = scene.clone();
        for (place, record) in other.into_iter().enumerate().take(scene.file.campaigns.len()) {
            let group: Vec<String> = scene.file.rivals(place).into_iter().map(key).collect();
            if key(place) != *campaign && !group.contains(campaign) {
                changed.answers.insert(key(place), Answer::from(Some(record)));
            }
        }
        let before = scene.outcome(scene.request(&settings), Manner::AllAtOnce);
        prop_assert_eq!(before, changed.outcome(changed.request(&settings), Manner::AllAtOnce));
    }

    #[test]
    fn while_reads_fail_a_place_may_be_filled_and_nothing_else(scene in scene()) {
        let mut scene = scene;
        scene.options.user_storage_data = UserStorageData::NONE;
        let settings = scene.settings();
        let failed = |_: StoredKey<'_>| Answer::Failed(StorageFailure::new("out of reach"));
        let Ok(picture) = outcome(scene.request(&settings), &scene.operation, Manner::AllAtOnce, failed) else {
            return Ok(());
        };
        for WritePicture { record, condition, .. } in picture.writes() {
            prop_assert_eq!(condition, &Condition::Unknown, "{:?}", record);
        }
        for decision in &picture.decisions {
            prop_assert!(decision.stored.is_none());
            prop_assert_ne!(decision.reason, Some(Reason::Stored));
        }
    }

    #[test]
    fn a_place_that_could_not_be_read_is_never_taken_for_empty(scene in scene()) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        for WritePicture { record, condition, .. } in picture.writes() {
            let passed = scene.passed(&record.campaign_key);
            let failed = matches!(scene.answers.get(&record.campaign_key), Some(Answer::Failed(_)));
            prop_assert!(!failed || passed || *condition == Condition::Unknown, "{condition:?}: {record:?}");
        }
    }

    #[test]
    fn a_rival_that_could_not_be_read_may_have_the_user(scene in scene_of(generate::rivals())) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        let unread = |campaign: &str| {
            !scene.passed(campaign) && matches!(scene.answers.get(campaign), Some(Answer::Failed(_)))
        };
        for decision in picture.decisions.iter().filter(|decision| decision.reason == Some(Reason::Assigned)) {
            let mut rivals =
                settings.campaigns().iter().map(|one| one.key()).filter(|key| *key != decision.campaign);
            if !rivals.any(unread) {
                continue;
            }
            prop_assert_eq!(scene.policy.on_storage_error, OnStorageError::Decide);
            prop_assert!(!settings.campaign(&decision.campaign).unwrap().is_bandit());
            prop_assert!(decision.warnings.contains(&Warning::StorageFailed));
            prop_assert!(picture.writes().all(|write| write.record.campaign_key != decision.campaign));
        }
    }

    #[test]
    fn whoever_has_a_stored_variation_keeps_it(scene in scene()) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        for decision in picture.decisions.iter().filter(|decision| decision.refused.is_none()) {
            let campaign = settings.campaign(&decision.campaign).unwrap();
            let data = &scene.options.user_storage_data;
            let passed = data
                .records()
                .iter()
                .find(|record| record.campaign_key == decision.campaign && record.is_of(&scene.user));
            let stored = match (passed, scene.answers.get(&decision.campaign)) {
                (Some(record), _) => Some(record),
                (None, Some(Answer::Found(record)))
                    if !data.is_complete()
                        && record.campaign_key == decision.campaign
                        && record.is_of(&scene.user) =>
                {
                    Some(&**record)
                }
                _ => None,
            };
            let kept = stored.filter(|record| campaign.variation(&record.variation_name).is_some());
            if let Some(record) = kept
                && campaign.is_running()
                && decision.reason != Some(Reason::Whitelisted)
            {
                prop_assert_eq!(decision.variation.as_ref(), Some(&record.variation_name));
                prop_assert_eq!(decision.reason, Some(Reason::Stored));
            }
        }
    }

    #[test]
    fn a_record_serves_only_the_user_and_the_campaign_it_names(scene in scene()) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        for decision in &picture.decisions {
            if let Some(record) = &decision.stored {
                prop_assert_eq!(&record.campaign_key, &decision.campaign);
                prop_assert!(record.is_of(&scene.user));
            }
        }
    }

    #[test]
    fn whitelisted_users_are_never_written_and_nobody_is_without_a_storage(scene in scene()) {
        let settings = scene.settings();
        let without = scene.request(&settings).with_policy(Policy { has_storage: false, ..scene.policy });
        let asked = |key: StoredKey<'_>| -> Answer { panic!("asked for {key:?} without a storage") };
        if let Ok(picture) = outcome(without, &scene.operation, Manner::AllAtOnce, asked) {
            prop_assert_eq!(picture.writes().count(), 0);
        }
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        for WritePicture { record, .. } in picture.writes() {
            let whitelisted = picture
                .decisions
                .iter()
                .any(|one| one.campaign == record.campaign_key && one.reason == Some(Reason::Whitelisted));
            prop_assert!(!whitelisted, "{record:?}");
        }
    }

    #[test]
    fn effects_come_in_their_order_and_reading_verbs_report_nobody(scene in scene()) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        let rank = |effect: &EffectPicture| match effect {
            EffectPicture::Impression(_) | EffectPicture::Conversion(_) => 0,
            EffectPicture::Store(..) => 1,
            EffectPicture::Notify(_) => 2,
        };
        prop_assert!(picture.effects.is_sorted_by_key(rank), "{:?}", picture.effects);
        let reads = matches!(scene.operation, Operation::Decide(Verb::VariationName | Verb::FeatureVariable, _));
        let impressions = picture.effects.iter().filter(|one| matches!(one, EffectPicture::Impression(_))).count();
        prop_assert!(impressions <= usize::from(!reads && matches!(scene.operation, Operation::Decide(..))));
    }

    #[test]
    fn what_is_written_names_the_caller_the_campaign_and_a_variation_of_it(scene in scene()) {
        let settings = scene.settings();
        let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) else { return Ok(()) };
        for WritePicture { record, condition, .. } in picture.writes() {
            prop_assert_eq!(&record.user_id, &scene.user);
            let campaign = settings.campaign(&record.campaign_key).unwrap();
            prop_assert!(campaign.variation(&record.variation_name).is_some());
            if let Condition::Replaces(gone) = condition {
                prop_assert!(campaign.variation(gone).is_none(), "{gone} is not gone");
            }
        }
    }

    #[test]
    fn whoever_calls_with_nonsense_hears_so(
        scene in scene(), campaign in ".{0,6}", goal in ".{0,6}", user in ".{0,3}", verb in 0..5_usize,
    ) {
        let settings = scene.settings();
        let verbs = [Verb::Activate, Verb::FeatureEnabled, Verb::FeatureVariable, Verb::VariationName];
        let operation = match verbs.get(verb) {
            Some(verb) => Operation::Decide(*verb, campaign),
            None => Operation::Track(vec![campaign, "c0".to_owned()], goal),
        };
        let request = Request::new(&settings, user.as_str()).with_options(&scene.options).with_policy(scene.policy);
        let outcome = outcome(request, &operation, Manner::AllAtOnce, |_| Answer::Absent);
        prop_assert!(!user.is_empty() || outcome.is_err());
    }
}

/// The operations cover what they are meant to: a generator that never gets a user anywhere proves nothing.
#[test]
fn the_scenes_reach_every_way_out() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut writes = 0;
    for _ in 0..1_500 {
        let scene = scene().new_tree(&mut runner).unwrap().current();
        let settings = scene.settings();
        if let Ok(picture) = scene.outcome(scene.request(&settings), Manner::AllAtOnce) {
            writes += picture.writes().count();
            for reason in picture.decisions.iter().filter_map(|decision| decision.reason) {
                *reasons.entry(reason.as_str()).or_default() += 1;
            }
        }
    }
    assert!(writes > 50, "{writes} writes");
    assert!(reasons.len() >= 11, "{reasons:?} for {GOALS:?}");
}
