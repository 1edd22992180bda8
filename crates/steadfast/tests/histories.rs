//! The histories of the two clients are equal: verbs of several users in any order, settings that are swapped and a
//! storage that fails in between, writes that are waited for or not.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;
use steadfast::engine::{Decision, Policy, Record, Settings, TrackTarget, Tracking, UserStorageData, Verb};
use steadfast::event::MemoryEvents;
use steadfast::storage::{
    AsyncUserStorage, Claim, MemoryStorage, Merged, StorageError, StorageErrorKind, UserStorage, Writes,
};
use steadfast::{Client, blocking};

#[expect(dead_code, reason = "the laws of the engine use the rest")]
#[path = "../../steadfast-engine/tests/properties/generate.rs"]
mod generate;

use generate::{CallDraft, File, key};

/// What no machine needs, however busy: a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    Call(CallDraft),
    /// A call with all that is stored for the user, fetched before it.
    CallWithStored(CallDraft),
    Confirmed(CallDraft),
    /// From now on the other settings are in force.
    Swap,
    /// From now on look-ups, writes, fail or do not.
    Faults {
        reads: bool,
        writes: bool,
    },
    /// Everything that was handed over is waited for.
    Flush,
}

fn happening() -> impl Strategy<Value = Happening> {
    let call = || generate::call_with(generate::options_with_records());
    prop_oneof![
        10 => call().prop_map(Happening::Call),
        3 => call().prop_map(Happening::CallWithStored),
        3 => call().prop_map(Happening::Confirmed),
        1 => Just(Happening::Swap),
        2 => any::<[bool; 2]>().prop_map(|[reads, writes]| Happening::Faults { reads, writes }),
        2 => Just(Happening::Flush),
    ]
}

/// A storage that can be told to fail.
#[derive(Clone, Default)]
struct Faulty {
    records: Arc<MemoryStorage>,
    reads_fail: Arc<AtomicBool>,
    writes_fail: Arc<AtomicBool>,
}

impl Faulty {
    fn check(fails: &AtomicBool) -> Result<(), StorageError> {
        let error = || StorageError::new(StorageErrorKind::Unavailable, "out of order");
        if fails.load(Ordering::SeqCst) { Err(error()) } else { Ok(()) }
    }

    fn read(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        Faulty::check(&self.reads_fail)?;
        self.records.get(user, campaign)
    }

    fn write(&self, record: Record) -> Result<(), StorageError> {
        Faulty::check(&self.writes_fail)?;
        self.records.set(record)
    }

    fn merged(&self, claim: Claim) -> Result<Merged, StorageError> {
        Faulty::check(&self.writes_fail)?;
        self.records.merge(claim)
    }

    fn all_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        Faulty::check(&self.reads_fail)?;
        self.records.records_of(user)
    }
}

/// `get` and `set` alone, of either kind.
struct Plain(Faulty);

impl UserStorage for Plain {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.read(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.write(record)
    }
}

impl AsyncUserStorage for Plain {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        tokio::task::yield_now().await;
        self.0.read(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.write(record)
    }
}

/// All that a built-in storage does, of either kind.
struct BuiltIn(Faulty);

impl UserStorage for BuiltIn {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.read(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.write(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merged(claim)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.0.all_of(user)
    }

    fn writes(&self) -> Writes {
        Writes::Together(3)
    }
}

impl AsyncUserStorage for BuiltIn {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        tokio::task::yield_now().await;
        self.0.read(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.write(record)
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        tokio::task::yield_now().await;
        self.0.merged(claim)
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        tokio::task::yield_now().await;
        self.0.all_of(user)
    }

    fn writes(&self) -> Writes {
        Writes::Together(3)
    }
}

/// What is seen of a client from outside.
#[derive(Debug, Default, PartialEq)]
struct History {
    steps: Vec<String>,
    events: Vec<Value>,
    shown: Vec<String>,
    stored: Vec<Record>,
}

fn seen(decision: &Decision<'_>) -> String {
    let warnings: Vec<String> = decision.warnings().iter().map(|warning| warning.to_string()).collect();
    format!("{} {:?} {} {warnings:?}", decision.campaign().key(), decision.variation_name(), decision.reason())
}

fn seen_tracking(tracking: &Tracking<'_>) -> String {
    let of_campaign = |one: &steadfast::engine::verb::CampaignTracking<'_>| {
        let decision = one.decision().map_or_else(ToString::to_string, seen);
        format!("{}: {:?} {decision}", one.key(), one.outcome())
    };
    tracking.campaigns().iter().map(of_campaign).collect::<Vec<_>>().join("; ")
}

fn hook(shown: &Arc<Mutex<Vec<String>>>) -> impl Fn(&Decision<'_>) + Send + Sync + 'static {
    let shown = Arc::clone(shown);
    move |decision| shown.lock().unwrap().push(format!("{} {}", decision.user(), seen(decision)))
}

/// Two files with the same campaigns, of which the second is in force after a swap.
fn compiled(file: &File) -> Arc<Settings> {
    Arc::new(Settings::parse(&file.to_json().to_string()).expect("a sensible file"))
}

/// The pair of drivers stands side by side: the same but for the waiting.
fn blocking_history(files: &[Arc<Settings>; 2], policy: Policy, merges: bool, happenings: &[Happening]) -> History {
    let storage = Faulty::default();
    let (events, shown) = (Arc::new(MemoryEvents::new()), Arc::default());
    let builder = blocking::Client::builder(Arc::clone(&files[0]))
        .policy(policy)
        .events(Arc::clone(&events))
        .integrations(hook(&shown));
    let client = match merges {
        true => builder.storage(BuiltIn(storage.clone())),
        false => builder.storage(Plain(storage.clone())),
    };
    let client = client.build();
    let mut history = History::default();
    for happening in happenings {
        let (draft, stored, confirmed) = match happening {
            Happening::Call(draft) => (draft, false, false),
            Happening::CallWithStored(draft) => (draft, true, false),
            Happening::Confirmed(draft) => (draft, false, true),
            Happening::Swap => {
                let other = usize::from(Arc::ptr_eq(&client.settings(), &files[0]));
                client.update_settings(Arc::clone(&files[other]));
                continue;
            }
            Happening::Faults { reads, writes } => {
                client.flush(PATIENCE).unwrap();
                storage.reads_fail.store(*reads, Ordering::SeqCst);
                storage.writes_fail.store(*writes, Ordering::SeqCst);
                continue;
            }
            Happening::Flush => {
                client.flush(PATIENCE).unwrap();
                continue;
            }
        };
        if confirmed {
            client.flush(PATIENCE).unwrap();
        }
        let mut draft = draft.clone();
        if stored {
            match client.stored(&draft.user) {
                Ok(stored) => draft.options.user_storage_data = sorted(stored),
                Err(error) => history.steps.push(error.to_string()),
            }
        }
        let (campaign, user, options) = (key(draft.campaign), draft.user.as_str(), &draft.options);
        let step = match draft.verb {
            Verb::Activate if confirmed => client
                .activate_confirmed(&campaign, user, options)
                .map(|one| format!("{} {:?}", seen(&one.decision), one.confirmation)),
            Verb::FeatureEnabled if confirmed => client
                .feature_enabled_confirmed(&campaign, user, options)
                .map(|one| format!("{} {:?}", seen(&one.decision), one.confirmation)),
            Verb::Activate => client.activate(&campaign, user, options).map(|one| seen(&one)),
            Verb::FeatureEnabled => client.feature_enabled(&campaign, user, options).map(|one| seen(&one)),
            Verb::VariationName => client.variation_name(&campaign, user, options).map(|one| seen(&one)),
            Verb::FeatureVariable => client.feature_variable(&campaign, user, options).map(|one| seen(&one)),
            Verb::Track => client.track(TrackTarget::All, user, draft.goal, options).map(|one| seen_tracking(&one)),
        };
        history.steps.push(step.unwrap_or_else(|error| error.to_string()));
    }
    client.flush(PATIENCE).unwrap();
    drop(client);
    finished(history, &events, &shown, &storage)
}

async fn async_history(files: &[Arc<Settings>; 2], policy: Policy, merges: bool, happenings: &[Happening]) -> History {
    let storage = Faulty::default();
    let (events, shown) = (Arc::new(MemoryEvents::new()), Arc::default());
    let builder =
        Client::builder(Arc::clone(&files[0])).policy(policy).events(Arc::clone(&events)).integrations(hook(&shown));
    let client = match merges {
        true => builder.storage(BuiltIn(storage.clone())),
        false => builder.storage(Plain(storage.clone())),
    };
    let client = client.build();
    let mut history = History::default();
    for happening in happenings {
        let (draft, stored, confirmed) = match happening {
            Happening::Call(draft) => (draft, false, false),
            Happening::CallWithStored(draft) => (draft, true, false),
            Happening::Confirmed(draft) => (draft, false, true),
            Happening::Swap => {
                let other = usize::from(Arc::ptr_eq(&client.settings(), &files[0]));
                client.update_settings(Arc::clone(&files[other]));
                continue;
            }
            Happening::Faults { reads, writes } => {
                client.flush(PATIENCE).await.unwrap();
                storage.reads_fail.store(*reads, Ordering::SeqCst);
                storage.writes_fail.store(*writes, Ordering::SeqCst);
                continue;
            }
            Happening::Flush => {
                client.flush(PATIENCE).await.unwrap();
                continue;
            }
        };
        if confirmed {
            client.flush(PATIENCE).await.unwrap();
        }
        let mut draft = draft.clone();
        if stored {
            match client.stored(&draft.user).await {
                Ok(stored) => draft.options.user_storage_data = sorted(stored),
                Err(error) => history.steps.push(error.to_string()),
            }
        }
        let (campaign, user, options) = (key(draft.campaign), draft.user.as_str(), &draft.options);
        let step = match draft.verb {
            Verb::Activate if confirmed => client
                .activate_confirmed(&campaign, user, options)
                .await
                .map(|one| format!("{} {:?}", seen(&one.decision), one.confirmation)),
            Verb::FeatureEnabled if confirmed => client
                .feature_enabled_confirmed(&campaign, user, options)
                .await
                .map(|one| format!("{} {:?}", seen(&one.decision), one.confirmation)),
            Verb::Activate => client.activate(&campaign, user, options).await.map(|one| seen(&one)),
            Verb::FeatureEnabled => client.feature_enabled(&campaign, user, options).await.map(|one| seen(&one)),
            Verb::VariationName => client.variation_name(&campaign, user, options).await.map(|one| seen(&one)),
            Verb::FeatureVariable => client.feature_variable(&campaign, user, options).await.map(|one| seen(&one)),
            Verb::Track => {
                client.track(TrackTarget::All, user, draft.goal, options).await.map(|one| seen_tracking(&one))
            }
        };
        history.steps.push(step.unwrap_or_else(|error| error.to_string()));
    }
    client.flush(PATIENCE).await.unwrap();
    drop(client);
    finished(history, &events, &shown, &storage)
}

/// What was fetched, in an order that says nothing of when what was written.
fn sorted(stored: UserStorageData) -> UserStorageData {
    let mut records = stored.records().to_vec();
    records.sort_by(|one, other| one.campaign_key.cmp(&other.campaign_key));
    UserStorageData::all(records)
}

fn finished(history: History, events: &MemoryEvents, shown: &Mutex<Vec<String>>, storage: &Faulty) -> History {
    let shown = std::mem::take(&mut *shown.lock().unwrap());
    History { events: events.take(), shown, stored: storage.records.records(), ..history }
}

/// So many cases, unless the environment says otherwise. Failures are kept as tests with a name, not as seeds.
fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases, failure_persistence: None, max_shrink_time: 10_000, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn both_clients_have_the_same_history(
        file in generate::file(), weights in vec(generate::weight(), 4), policy in generate::policy(),
        merges in any::<bool>(), happenings in vec(happening(), 1..40),
    ) {
        let mut other = file.clone();
        for campaign in &mut other.campaigns {
            // Another split, and the last variation is gone where there are several.
            if campaign.variations.len() > 1 {
                campaign.variations.pop();
            }
            campaign.variations.iter_mut().zip(&weights).for_each(|(variation, weight)| variation.weight = *weight);
        }
        let files = [compiled(&file), compiled(&other)];
        let one = blocking_history(&files, policy, merges, &happenings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let other = runtime.block_on(async_history(&files, policy, merges, &happenings));
        prop_assert_eq!(one, other);
    }
}
