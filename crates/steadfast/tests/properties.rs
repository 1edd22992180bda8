//! Laws of whole sessions: many calls of a few users, on one client and one storage.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use steadfast::Builder;
use steadfast::blocking::Client;
use steadfast::engine::policy::{Activation, EventArchitectureGoals};
use steadfast::engine::{Options, Policy, Reason, Record, Settings, TrackOutcome, TrackTarget, Verb};
use steadfast::line::{Line, run};
use steadfast::storage::{
    Claim, Condition, MemoryStorage, Merged, StorageError, StorageErrorKind, UserStorage, Writes,
};

#[expect(dead_code, reason = "the laws of the engine use the rest")]
#[path = "../../steadfast-engine/tests/properties/generate.rs"]
mod generate;

use generate::{CallDraft, File, GOALS, VARIATIONS, key};

/// So many cases, unless the environment says otherwise. Failures are kept as tests with a name, not as seeds.
fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases, failure_persistence: None, max_shrink_time: 10_000, ..Config::default() }
}

/// A memory storage that can be switched off, and notes what is written.
#[derive(Default)]
struct Observed {
    records: MemoryStorage,
    reads_fail: AtomicBool,
    claims: Mutex<Vec<Claim>>,
}

impl UserStorage for Observed {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        if self.reads_fail.load(Ordering::Relaxed) {
            return Err(StorageError::new(StorageErrorKind::Unavailable, "switched off"));
        }
        self.records.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.records.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.claims.lock().unwrap().push(claim.clone());
        self.records.merge(claim)
    }

    fn writes(&self) -> Writes {
        self.records.writes()
    }
}

/// What a call gave in one campaign.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    campaign: String,
    variation: Option<String>,
    reason: Reason,
    outcome: Option<TrackOutcome>,
}

fn client(file: &File, storage: &Arc<Observed>, policy: Policy) -> Client {
    builder(file, storage, policy).build()
}

fn builder(file: &File, storage: &Arc<Observed>, policy: Policy) -> Builder<Arc<dyn UserStorage>> {
    let settings = Settings::parse(&file.to_json().to_string()).expect("a sensible file");
    Client::builder(Arc::new(settings)).storage(Arc::clone(storage)).policy(policy)
}

/// Makes a call; nothing comes of one that its caller got wrong. `track` goes to the campaign when `single`, else to
/// all that have the goal.
fn call(client: &Client, draft: &CallDraft, single: bool) -> Vec<Shown> {
    let (campaign, user, options) = (key(draft.campaign), draft.user.as_str(), &draft.options);
    let decision = match draft.verb {
        Verb::Activate => client.activate(&campaign, user, options),
        Verb::FeatureEnabled => client.feature_enabled(&campaign, user, options),
        Verb::VariationName => client.variation_name(&campaign, user, options),
        Verb::FeatureVariable => client.feature_variable(&campaign, user, options),
        Verb::Track => {
            let target = if single { TrackTarget::One(&campaign) } else { TrackTarget::All };
            let Ok(tracking) = client.track(target, user, draft.goal, options) else { return vec![] };
            let decisions = tracking.campaigns().iter().filter_map(|one| one.decision().ok());
            return decisions.map(shown).collect();
        }
    };
    decision.iter().map(shown).collect()
}

fn shown(decision: &steadfast::engine::Decision<'_>) -> Shown {
    Shown {
        campaign: decision.campaign().key().to_owned(),
        variation: decision.variation_name().map(str::to_owned),
        reason: decision.reason(),
        outcome: decision.track_outcome(),
    }
}

/// Variations by user and campaign.
fn variations(storage: &Observed) -> BTreeMap<(String, String), String> {
    let records = storage.records.records().into_iter();
    records.map(|record| ((record.user_id, record.campaign_key), record.variation_name)).collect()
}

/// A campaign of a file changed in everything that bucketing and audience look at. Its variations stay.
fn shaken(file: File, seed: Vec<(f64, f64, Value)>) -> File {
    let mut file = file;
    for (campaign, (traffic, weight, audience)) in file.campaigns.iter_mut().zip(seed) {
        campaign.percent_traffic = traffic;
        campaign.audience = audience;
        campaign.running = true;
        campaign.old_campaign = !campaign.old_campaign;
        campaign.variations.iter_mut().for_each(|variation| variation.weight = weight);
    }
    file.new_bucketing = !file.new_bucketing;
    file
}

fn shake() -> impl Strategy<Value = Vec<(f64, f64, Value)>> {
    vec((generate::percent_traffic(), generate::weight(), generate::segment()), 4)
}

/// Any sensible settings file in which nobody is whitelisted.
fn file_without_whitelists() -> impl Strategy<Value = File> {
    generate::file().prop_map(|mut file| {
        file.campaigns.iter_mut().for_each(|campaign| campaign.whitelisting = false);
        file
    })
}

const PLANS: [&str; 3] = ["gold", "silver", "bronze"];

/// Campaigns that exclude each other, each open to some plans: which of them a user is eligible for changes from call
/// to call.
fn rivals_by_plan() -> impl Strategy<Value = File> {
    let plans = prop::sample::subsequence(PLANS.to_vec(), 1..=PLANS.len());
    (generate::rivals(), vec(plans, 4)).prop_map(|(mut file, plans)| {
        for (campaign, plans) in file.campaigns.iter_mut().zip(plans) {
            let conditions = plans.into_iter().map(|plan| json!({"custom_variable": {"plan": plan}}));
            campaign.audience = json!({"or": conditions.collect::<Vec<_>>()});
        }
        file
    })
}

/// Calls of two users, who change their plan between them.
fn calls_under_changing_plans() -> impl Strategy<Value = Vec<CallDraft>> {
    let call = (generate::call_with(Just(Options::default())), prop::sample::select(PLANS.to_vec()), any::<bool>());
    let call = call.prop_map(|(mut draft, plan, first)| {
        draft.user = if first { "Ashley" } else { "Bob" }.to_owned();
        draft.options.custom_variables.insert("plan", plan);
        draft
    });
    vec(call, 1..24)
}

/// No user was shown, or is stored in, two campaigns of a group.
fn check_exclusive(file: &File, policy: Policy, calls: &[CallDraft], single: &[bool]) -> Result<(), TestCaseError> {
    let storage = Arc::new(Observed::default());
    let client = client(file, &storage, policy);
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (draft, single) in calls.iter().zip(single) {
        for shown in call(&client, draft, *single).into_iter().filter(|shown| shown.variation.is_some()) {
            seen.entry(draft.user.clone()).or_default().insert(shown.campaign);
        }
    }
    for (user, campaign) in variations(&storage).into_keys() {
        seen.entry(user).or_default().insert(campaign);
    }
    for campaigns in seen.values() {
        for group in &file.groups {
            let entered = group.members.iter().filter(|member| campaigns.contains(&key(**member))).count();
            prop_assert!(entered <= 1, "{campaigns:?} of {:?}", group.members);
        }
    }
    Ok(())
}

fn calls(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<CallDraft>> {
    vec(generate::call_with(generate::options()), count)
}

proptest! {
    #![proptest_config(cases(240))]

    #[test]
    fn a_stored_variation_stays_whatever_becomes_of_weights_traffic_audience_and_groups(
        file in file_without_whitelists(), policy in generate::policy(), first in calls(1..12),
        second in calls(1..12), shakes in shake(), regrouped in any::<bool>(),
    ) {
        let storage = Arc::new(Observed::default());
        let before = client(&file, &storage, policy);
        first.iter().for_each(|draft| drop(call(&before, draft, true)));
        let stored = variations(&storage);
        let mut file = shaken(file, shakes);
        if regrouped {
            file.groups.clear();
        }
        let after = client(&file, &storage, policy);
        for draft in &second {
            for shown in call(&after, draft, false) {
                if let Some(variation) = stored.get(&(draft.user.clone(), shown.campaign.clone())) {
                    prop_assert_eq!(shown.variation.as_ref(), Some(variation), "{:?}", shown.reason);
                    prop_assert_eq!(shown.reason, Reason::Stored);
                }
            }
        }
        let kept = variations(&storage);
        prop_assert!(stored.iter().all(|(place, variation)| kept.get(place) == Some(variation)));
    }

    #[test]
    fn within_a_session_a_user_sees_one_variation_of_a_campaign(
        file in file_without_whitelists(), policy in generate::policy(), calls in calls(1..20),
    ) {
        let storage = Arc::new(Observed::default());
        let client = client(&file, &storage, policy);
        let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
        for draft in &calls {
            for shown in call(&client, draft, false) {
                let Some(variation) = shown.variation else { continue };
                let place = (draft.user.clone(), shown.campaign);
                prop_assert_eq!(seen.entry(place).or_insert(variation.clone()), &variation);
            }
        }
        prop_assert_eq!(seen, variations(&storage));
    }

    #[test]
    fn a_user_is_in_one_campaign_of_a_group(
        file in file_without_whitelists(), policy in generate::policy(), calls in calls(1..20),
        single in vec(any::<bool>(), 20),
    ) {
        check_exclusive(&file, policy, &calls, &single)?;
    }

    #[test]
    fn a_user_stays_in_one_campaign_of_a_group_while_eligibility_changes(
        file in rivals_by_plan(), policy in generate::policy(), calls in calls_under_changing_plans(),
        single in vec(any::<bool>(), 24),
    ) {
        check_exclusive(&file, policy, &calls, &single)?;
    }

    #[test]
    fn while_reads_fail_nothing_that_is_stored_changes_its_variation(
        file in generate::file(), policy in generate::policy(), stored in vec(generate::record(), 0..8),
        calls in calls(1..10), single in any::<bool>(),
    ) {
        let storage = Arc::new(Observed::default());
        stored.iter().cloned().for_each(|record| storage.records.set(record).unwrap());
        let before = variations(&storage);
        storage.reads_fail.store(true, Ordering::Relaxed);
        let client = client(&file, &storage, policy);
        calls.iter().for_each(|draft| drop(call(&client, draft, single)));
        for claim in storage.claims.lock().unwrap().iter() {
            prop_assert_eq!(&claim.condition, &Condition::Unknown);
        }
        let after = variations(&storage);
        prop_assert!(before.iter().all(|(place, variation)| after.get(place) == Some(variation)));
    }

    #[test]
    fn a_goal_counts_once_for_each_user_and_campaign(
        file in file_without_whitelists(), policy in generate::policy(), calls in calls(1..24),
        single in any::<bool>(),
    ) {
        let policy = Policy { track_returning_users: false, ..policy };
        let storage = Arc::new(Observed::default());
        let client = client(&file, &storage, policy);
        let sent_each_time =
            file.event_architecture && policy.event_architecture_goals == EventArchitectureGoals::SendEachTime;
        let mut counted = BTreeSet::new();
        for draft in &calls {
            let mut draft = draft.clone();
            draft.options.track_returning_users = None;
            for shown in call(&client, &draft, single).into_iter().filter(|shown| shown.outcome.is_some()) {
                let settings = client.settings();
                let campaign = settings.campaign(&shown.campaign).unwrap();
                let again = sent_each_time || campaign.goal(draft.goal).is_some_and(|goal| goal.counts_every_time());
                if shown.outcome != Some(TrackOutcome::Tracked) {
                    let known = counted.contains(&(draft.user.clone(), shown.campaign.clone(), draft.goal));
                    prop_assert_eq!(shown.outcome == Some(TrackOutcome::AlreadyTracked), known && !again);
                    continue;
                }
                let new = counted.insert((draft.user.clone(), shown.campaign, draft.goal));
                prop_assert!(new || again, "{} was counted twice for {}", draft.goal, draft.user);
            }
        }
        for record in storage.records.records() {
            for goal in record.goals.goals(GOALS.into_iter()) {
                let one = (record.user_id.clone(), record.campaign_key.clone(), goal);
                prop_assert!(counted.iter().any(|(user, campaign, goal)| (user, campaign, *goal) == (&one.0, &one.1, one.2)));
            }
        }
    }

    #[test]
    fn goals_and_activations_are_never_taken_back(
        file in file_without_whitelists(), policy in generate::policy(), calls in calls(1..20),
    ) {
        let storage = Arc::new(Observed::default());
        let client = client(&file, &storage, policy);
        let mut before: BTreeMap<(String, String), Record> = BTreeMap::new();
        for draft in &calls {
            call(&client, draft, false);
            for record in storage.records.records() {
                let place = (record.user_id.clone(), record.campaign_key.clone());
                if let Some(earlier) = before.insert(place, record.clone()) {
                    prop_assert!(record.goals.as_str().starts_with(earlier.goals.as_str()));
                    prop_assert!(record.activated || !earlier.activated);
                }
            }
        }
    }

    #[test]
    fn users_are_activated_by_activating_verbs_only(
        file in file_without_whitelists(), policy in generate::policy(), calls in calls(1..16),
    ) {
        let storage = Arc::new(Observed::default());
        let client = client(&file, &storage, policy);
        let mut activated = BTreeSet::new();
        for draft in &calls {
            for shown in call(&client, draft, true) {
                if draft.verb.activates() && shown.variation.is_some() {
                    activated.insert((draft.user.clone(), shown.campaign));
                } else if policy.activation == Activation::Required && shown.variation.is_some() {
                    prop_assert!(activated.contains(&(draft.user.clone(), shown.campaign)));
                }
            }
        }
        for record in storage.records.records() {
            let place = (record.user_id, record.campaign_key);
            prop_assert_eq!(record.activated, activated.contains(&place), "{:?}", place);
        }
    }

    #[test]
    fn a_gone_variation_is_replaced_once_and_the_new_one_stays(
        file in file_without_whitelists(), user in generate::user(), goals in generate::goal_list(),
        place in 0..4_usize, verb in prop::sample::select(vec![Verb::Activate, Verb::FeatureEnabled]),
    ) {
        let storage = Arc::new(Observed::default());
        let gone = Record { goals, ..Record::new(user.clone(), key(place), "gone") };
        storage.records.set(gone.clone()).unwrap();
        let client = client(&file, &storage, Policy::default());
        let draft = CallDraft { verb, campaign: place, user: user.clone(), goal: "g1", options: Options::default() };
        let first = call(&client, &draft, true);
        let stored = storage.records.get(&user, &key(place)).unwrap().unwrap();
        match first.first().and_then(|shown| shown.variation.clone()) {
            None => prop_assert_eq!(stored, gone),
            Some(variation) => {
                prop_assert_eq!(&stored.variation_name, &variation);
                prop_assert!(stored.goals.is_empty(), "they were counted for another variation");
                prop_assert!(VARIATIONS.contains(&&*variation));
                prop_assert_eq!(call(&client, &draft, true)[0].reason, Reason::Stored);
            }
        }
    }
}

/// A request that is nearly right.
fn request() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec![
        "activate",
        "getVariationName",
        "isFeatureEnabled",
        "getFeatureVariableValue",
        "track",
        "push",
        "storage_put",
        "x",
    ]);
    let campaign = prop_oneof![
        6 => (0..5_usize).prop_map(|place| json!(key(place))),
        2 => vec(prop_oneof![(0..5_usize).prop_map(|place| json!(key(place))), generate::json_value()], 0..4)
            .prop_map(Value::Array),
        2 => generate::json_value(),
    ];
    let user = prop_oneof![6 => generate::user().prop_map(Value::String), 1 => generate::json_value()];
    let goal = prop_oneof![6 => prop::sample::select(GOALS.to_vec()).prop_map(|goal| json!(goal)), 1 => generate::json_value()];
    let name = prop::sample::select(vec![
        "customVariables",
        "variationTargetingVariables",
        "userStorageData",
        "metaData",
        "shouldTrackReturningUser",
        "goalTypeToTrack",
        "revenueValue",
        "eventProperties",
        "userAgent",
        "userIpAddress",
    ]);
    let telling =
        prop::sample::select(vec![json!("ALL"), json!("12.5"), json!(0), json!(true), json!({"plan": "gold"})]);
    let data = prop_oneof![
        3 => generate::record().prop_map(|record| record.to_json()),
        3 => telling,
        3 => generate::json_value(),
    ];
    let options = prop::collection::btree_map(name, data, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    let record = generate::record().prop_map(|record| record.to_json());
    let dropped =
        prop::option::weighted(0.2, prop::sample::select(vec!["campaignKey", "userId", "options", "record", "op"]));
    (op, campaign, user, goal, prop_oneof![6 => options, 1 => generate::json_value()], record, dropped).prop_map(
        |(op, campaign, user, goal, options, record, dropped)| {
            let mut line = json!({"op": op, "campaignKey": campaign, "userId": user, "goalIdentifier": goal,
                "variableKey": "k", "tagKey": goal, "tagValue": user, "options": options, "record": record});
            if let (Some(name), Value::Object(map)) = (dropped, &mut line) {
                map.remove(name);
            }
            line
        },
    )
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn any_line_is_read_or_refused(text in ".{0,80}", json in generate::json_value()) {
        for text in [text, json.to_string(), json!({"op": json}).to_string()] {
            if let Err(error) = Line::parse(&text) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn lines_have_answers_and_the_same_ones_again(
        file in generate::file(), policy in generate::policy(), lines in vec(request(), 1..10),
    ) {
        let texts: Vec<String> = lines.iter().map(Value::to_string).collect();
        let session = |traced: bool| {
            let storage = Arc::new(Observed::default());
            let client = builder(&file, &storage, policy);
            let client = if traced { client.traced() } else { client }.build();
            let answers: Vec<Result<(Value, Value), String>> = texts
                .iter()
                .map(|text| match Line::parse(text) {
                    Ok(line) => {
                        let answer = run(&line, &client);
                        Ok((answer.result, answer.explanation))
                    }
                    Err(error) => Err(error.to_string()),
                })
                .collect();
            (answers, storage.records.records())
        };
        let plain = session(false);
        prop_assert_eq!(&plain, &session(true));
        prop_assert_eq!(&plain, &session(false));
    }
}
