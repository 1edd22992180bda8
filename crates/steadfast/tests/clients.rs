//! What the two clients promise beyond the engine: own writes, order, hooks, opting out, confirmed decisions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steadfast::confirmed::Confirmation;
use steadfast::engine::{
    Options, Policy, Reason, Record, Settings, TrackOutcome, TrackTarget, UserStorageData, Warning,
};
use steadfast::event::MemoryEvents;
use steadfast::storage::{
    AsyncUserStorage, MemoryStorage, Merged, StorageError, StorageErrorKind, UserStorage, Writes,
};
use steadfast::storage::{Claim, Outcome};
use steadfast::{CampaignCounters, Client, Limits, Memory, blocking};

/// What no machine needs, however busy: a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// One campaign for everybody, with these weights. Ashley's bucket is in the first half.
fn settings(weights: [u32; 2]) -> Arc<Settings> {
    let file = json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": [{
    "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
    "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}, {"id": 2, "identifier": "sign", "type": "CUSTOM_GOAL"}],
    "variations": [
        {"id": 1, "name": "Control", "weight": weights[0]}, {"id": 2, "name": "Variation-1", "weight": weights[1]},
    ]}]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

/// A storage of somebody who wrote `get` and `set`. Writes may be held back, and look-ups may find nothing.
#[derive(Default)]
struct Plain {
    records: MemoryStorage,
    gets: AtomicUsize,
    sets: AtomicUsize,
    held_back: Mutex<()>,
    forgetful: bool,
}

impl UserStorage for Plain {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        if self.forgetful { Ok(None) } else { self.records.get(user, campaign) }
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        drop(self.held_back.lock().unwrap());
        self.sets.fetch_add(1, Ordering::SeqCst);
        self.records.set(record)
    }
}

impl Plain {
    fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }

    fn record(&self, user: &str) -> Option<Value> {
        self.records.get(user, "ab").unwrap().map(|record| record.to_json())
    }
}

/// `track` of one goal, as the outcome.
fn track(client: &blocking::Client, user: &str, goal: &str, options: &Options) -> TrackOutcome {
    client.track(TrackTarget::One("ab"), user, goal, options).unwrap().campaigns()[0].outcome().unwrap()
}

#[test]
fn a_write_is_handed_over_and_seen_before_the_storage_has_it() {
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    let held = storage.held_back.lock().unwrap();
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().reason(), Reason::Assigned);
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().reason(), Reason::Stored);
    assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::Tracked);
    assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::AlreadyTracked);
    assert_eq!(client.flush(Duration::from_millis(20)).unwrap_err().users, 1);
    assert_eq!(storage.record("Ashley"), None);
    drop(held);
    client.flush(PATIENCE).unwrap();
    let expected =
        json!({"userId": "Ashley", "campaignKey": "ab", "variationName": "Control", "goalIdentifier": "buy"});
    assert_eq!(storage.record("Ashley"), Some(expected));
}

#[test]
fn the_documents_program_tracks_on_the_first_visit() {
    // Q-5, D-6: `get` of the document's wrapper is empty, and the data was fetched before anything was stored.
    let storage = Arc::new(Plain { forgetful: true, ..Plain::default() });
    let policy = Policy { activation: steadfast::engine::policy::Activation::Required, ..Policy::default() };
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).policy(policy).build();
    for data in [UserStorageData::NONE, UserStorageData::all([])] {
        let user = format!("user {}", data.is_complete());
        let options = Options { user_storage_data: data, ..Options::default() };
        assert!(client.activate("ab", &user, &options).unwrap().variation().is_some());
        assert_eq!(track(&client, &user, "buy", &options), TrackOutcome::Tracked);
        assert_eq!(track(&client, &user, "buy", &options), TrackOutcome::AlreadyTracked);
        assert_eq!(track(&client, &user, "sign", &options), TrackOutcome::Tracked);
        client.flush(PATIENCE).unwrap();
        assert_eq!(storage.record(&user).unwrap()["goalIdentifier"], "buy_vwo_sign");
    }
}

#[test]
fn data_that_was_all_there_is_spares_every_look_up() {
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    let stored = client.stored("Ashley").unwrap();
    assert!(stored.is_complete() && stored.records().is_empty());
    assert_eq!(storage.gets(), 1, "a storage without more is asked about each campaign, once");
    let options = Options { user_storage_data: stored, ..Options::default() };
    client.activate("ab", "Ashley", &options).unwrap();
    client.flush(PATIENCE).unwrap();
    // Its claim was not read, so the one look-up is the writer's, whom nobody waits for.
    assert_eq!(storage.gets(), 2);
    let again = Options { user_storage_data: client.stored("Ashley").unwrap(), ..Options::default() };
    assert_eq!(again.user_storage_data.records().len(), 1);
    assert_eq!(client.activate("ab", "Ashley", &again).unwrap().reason(), Reason::Stored);
    assert_eq!(storage.gets(), 3);
}

#[test]
fn calls_of_one_user_at_one_moment_count_a_visitor_and_a_goal_once() {
    for storage_waits in [false, true] {
        let events = Arc::new(MemoryEvents::new());
        let builder = blocking::Client::builder(settings([50, 50])).events(Arc::clone(&events));
        let memory = Arc::new(MemoryStorage::new());
        let client = if storage_waits {
            builder.storage(Arc::new(Plain::default())).build()
        } else {
            builder.storage(Arc::clone(&memory)).build()
        };
        const THREADS: usize = 4;
        const USERS: usize = 500;
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for user in 0..USERS {
                        barrier.wait();
                        let user = format!("user {user}");
                        client.activate("ab", &user, Options::NONE).unwrap();
                        track(&client, &user, "buy", Options::NONE);
                        track(&client, &user, "sign", Options::NONE);
                    }
                });
            }
        });
        client.flush(PATIENCE).unwrap();
        let events = events.take();
        let count = |event: &str| events.iter().filter(|one| one["event"] == event).count();
        assert_eq!((count("impression"), count("conversion")), (USERS, 2 * USERS), "{storage_waits}");
        if !storage_waits {
            assert!(memory.records().iter().all(|record| record.goals.as_str().len() == "buy_vwo_sign".len()));
        }
    }
}

#[test]
fn a_panic_in_hook_sink_or_listener_loses_nothing() {
    struct Panics;
    impl steadfast::EventSink for Panics {
        fn send(&self, _event: &steadfast::engine::Event<'_, '_>) {
            panic!("a sink that panics");
        }
    }
    struct Fails;
    impl UserStorage for Fails {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            Ok(None)
        }
        fn set(&self, record: Record) -> Result<(), StorageError> {
            assert_ne!(record.user_id, "Ben", "a storage that panics");
            Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"))
        }
    }
    let failures = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&failures);
    let client = blocking::Client::builder(settings([50, 50]))
        .storage(Fails)
        .events(Panics)
        .integrations(|_| panic!("a hook that panics"))
        .on_storage_error(move |error| {
            told.lock().unwrap().push(error.kind());
            panic!("a listener that panics");
        })
        .build();
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().variation_name(), Some("Control"));
    client.activate("ab", "Ben", Options::NONE).unwrap();
    client.flush(PATIENCE).unwrap();
    failures.lock().unwrap().sort_by_key(|kind| format!("{kind:?}"));
    assert_eq!(*failures.lock().unwrap(), [StorageErrorKind::Other, StorageErrorKind::Unavailable]);
    // The decision stays, for as long as the client remembers it.
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().reason(), Reason::Stored);
}

#[test]
fn the_hook_sees_each_decision_after_event_and_record() {
    let events = Arc::new(MemoryEvents::new());
    let storage = Arc::new(MemoryStorage::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (sent, stored, told) = (Arc::clone(&events), Arc::clone(&storage), Arc::clone(&seen));
    let client = blocking::Client::builder(settings([50, 50]))
        .storage(Arc::clone(&storage))
        .events(Arc::clone(&events))
        .integrations(move |decision| {
            let before = (sent.take().len(), stored.records().len());
            told.lock().unwrap().push((decision.variation_name().map(str::to_owned), before));
        })
        .build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(Some("Control".to_owned()), (1, 1))]);
}

#[test]
fn a_client_that_opted_out_looks_nothing_up_and_tells_nobody() {
    let storage = Arc::new(Plain::default());
    let events = Arc::new(MemoryEvents::new());
    let hooked = Arc::new(AtomicUsize::new(0));
    let hook = Arc::clone(&hooked);
    let client = blocking::Client::builder(settings([50, 50]))
        .storage(Arc::clone(&storage))
        .events(Arc::clone(&events))
        .integrations(move |_| {
            hook.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    client.opt_out();
    let decision = client.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (None, Reason::OptedOut));
    assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::NoVariation);
    client.push("Ashley", [("plan".to_owned(), "gold".to_owned())].into()).unwrap();
    client.flush(PATIENCE).unwrap();
    assert_eq!((storage.gets(), storage.sets.load(Ordering::SeqCst), hooked.load(Ordering::SeqCst)), (0, 0, 0));
    assert_eq!(events.take(), Vec::<Value>::new());
}

#[test]
fn in_development_mode_everything_happens_but_no_event_leaves() {
    let storage = Arc::new(MemoryStorage::new());
    let events = Arc::new(MemoryEvents::new());
    let client = blocking::Client::builder(settings([50, 50]))
        .storage(Arc::clone(&storage))
        .events(Arc::clone(&events))
        .development_mode(true)
        .build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!((storage.records().len(), events.take().len()), (1, 0));
}

#[test]
fn settings_are_swapped_as_a_whole_and_stored_users_stay() {
    let client = blocking::Client::builder(settings([100, 0])).storage(MemoryStorage::new()).build();
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().variation_name(), Some("Control"));
    let old = client.update_settings(settings([0, 100]));
    assert!(!Arc::ptr_eq(&old, &client.settings()));
    assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().variation_name(), Some("Control"));
    assert_eq!(client.activate("ab", "Ben", Options::NONE).unwrap().variation_name(), Some("Variation-1"));
}

/// A storage where somebody else is faster: the first look-up finds nothing, and then there is a rival's record.
struct Rivalled {
    records: MemoryStorage,
    rival: Mutex<Option<Record>>,
}

impl UserStorage for Rivalled {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let found = self.records.get(user, campaign);
        if let Some(rival) = self.rival.lock().unwrap().take() {
            self.records.set(rival)?;
        }
        found
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.records.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.records.merge(claim)
    }
}

#[test]
fn a_confirmed_decision_adopts_the_winner_and_leaves_the_visitor_to_them() {
    for (rival, expected_events) in [("Variation-1", 0), ("Control", 0)] {
        let record = Record::new("Ashley", "ab", rival);
        let storage = Rivalled { records: MemoryStorage::new(), rival: Mutex::new(Some(record)) };
        let events = Arc::new(MemoryEvents::new());
        let client = blocking::Client::builder(settings([100, 0])).storage(storage).events(Arc::clone(&events)).build();
        let confirmed = client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
        assert_eq!(confirmed.decision.variation_name(), Some(rival));
        assert!(matches!(confirmed.confirmation, Confirmation::Adopted), "{:?}", confirmed.confirmation);
        assert_eq!(events.take().len(), expected_events, "the rival counted the visitor");
        // From then on it is what everybody sees here.
        assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().variation_name(), Some(rival));
        let conflicts = u64::from(rival != "Control");
        let expected = CampaignCounters { absent: 1, failed: 0, conflicts, adopted: 1 };
        assert_eq!(client.counters(), BTreeMap::from([("ab".to_owned(), expected)]));
    }
}

#[test]
fn a_confirmed_decision_counts_a_visitor_whom_nobody_has_counted() {
    let waiting = Record { activated: false, ..Record::new("Ashley", "ab", "Variation-1") };
    let storage = Rivalled { records: MemoryStorage::new(), rival: Mutex::new(Some(waiting)) };
    let events = Arc::new(MemoryEvents::new());
    let client = blocking::Client::builder(settings([100, 0])).storage(storage).events(Arc::clone(&events)).build();
    let confirmed = client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(confirmed.decision.variation_name(), Some("Variation-1"));
    let events = events.take();
    assert_eq!((events.len(), &events[0]["variationId"]), (1, &json!(2)));
    assert!(matches!(
        client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap().confirmation,
        Confirmation::Stored
    ));
}

#[test]
fn a_confirmed_decision_says_when_it_could_not_be_confirmed() {
    struct ReadOnly(AtomicUsize);
    impl UserStorage for ReadOnly {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            Ok(None)
        }
        fn set(&self, _: Record) -> Result<(), StorageError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(StorageError::new(StorageErrorKind::Denied, "read only"))
        }
    }
    let storage = Arc::new(ReadOnly(AtomicUsize::new(0)));
    let client = blocking::Client::builder(settings([100, 0])).storage(Arc::clone(&storage)).build();
    let confirmed = client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(confirmed.decision.variation_name(), Some("Control"));
    assert!(
        matches!(confirmed.confirmation, Confirmation::Unconfirmed(error) if error.kind() == StorageErrorKind::Denied)
    );
    client.flush(PATIENCE).unwrap();
    assert_eq!(storage.0.load(Ordering::SeqCst), 2, "it is handed over, and tried once more");
    let nothing = blocking::Client::new(settings([100, 0]));
    let confirmed = nothing.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::NothingToStore));
}

#[test]
fn data_a_caller_passed_is_claimed_before_it_is_confirmed() {
    let memory = Arc::new(MemoryStorage::new());
    let client = blocking::Client::builder(settings([100, 0])).storage(Arc::clone(&memory)).build();
    let passed =
        |variation| Options { user_storage_data: Record::new("Ashley", "ab", variation).into(), ..Options::default() };
    let options = passed("Variation-1");
    let confirmed = client.activate_confirmed("ab", "Ashley", &options).unwrap();
    assert_eq!(confirmed.decision.variation_name(), Some("Variation-1"));
    assert_eq!(memory.records(), [Record::new("Ashley", "ab", "Variation-1")]);
    let options = passed("Control");
    let confirmed = client.activate_confirmed("ab", "Ashley", &options).unwrap();
    assert_eq!(confirmed.decision.variation_name(), Some("Variation-1"), "what is stored counts");
}

#[test]
fn two_clients_at_odds_confirm_one_variation_for_each_user() {
    const USERS: usize = 2_000;
    let memory = Arc::new(MemoryStorage::new());
    let events = Arc::new(MemoryEvents::new());
    let clients: Vec<_> = [[100, 0], [0, 100]]
        .map(|weights| {
            blocking::Client::builder(settings(weights))
                .storage(Arc::clone(&memory))
                .events(Arc::clone(&events))
                .build()
        })
        .into();
    let barrier = Barrier::new(4);
    let shown: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (client, barrier) = (&clients[thread % 2], &barrier);
                scope.spawn(move || {
                    let confirmed = |user| {
                        barrier.wait();
                        let user = format!("user {user}");
                        let confirmed = client.activate_confirmed("ab", &user, Options::NONE).unwrap();
                        assert!(!matches!(confirmed.confirmation, Confirmation::Unconfirmed(_)));
                        confirmed.decision.variation_name().unwrap().to_owned()
                    };
                    (0..USERS).map(confirmed).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(shown.iter().all(|one| *one == shown[0]), "somebody was shown two confirmed variations");
    assert_eq!(memory.records().len(), USERS);
    assert_eq!(events.take().len(), USERS, "each visitor is counted by the winner alone");
}

/// A storage that answers later, or never.
#[derive(Clone, Default)]
struct Later {
    records: Arc<MemoryStorage>,
    get: Option<Duration>,
    set: Option<Duration>,
    never: bool,
}

impl AsyncUserStorage for Later {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        if self.never {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.get.unwrap_or_default()).await;
        self.records.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        if self.never {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.set.unwrap_or_default()).await;
        self.records.set(record)
    }
}

#[tokio::test]
async fn the_asynchronous_client_can_be_used_from_any_task() {
    let storage = Later { set: Some(Duration::from_millis(5)), ..Later::default() };
    let client = Arc::new(Client::builder(settings([50, 50])).storage(storage.clone()).build());
    let tasks: Vec<_> = (0..50)
        .map(|user| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let user = format!("user {user}");
                let activated = client.activate("ab", &user, Options::NONE).await.unwrap().reason();
                let tracking = client.track(TrackTarget::All, &user, "buy", Options::NONE).await.unwrap();
                (activated, tracking.campaigns()[0].is_tracked())
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), (Reason::Assigned, true));
    }
    client.flush(PATIENCE).await.unwrap();
    let records = storage.records.records();
    assert_eq!(records.len(), 50);
    assert!(records.iter().all(|record| record.goals.as_str() == "buy"));
}

#[tokio::test]
async fn a_storage_that_never_answers_costs_the_deadline_and_no_more() {
    let limits = Limits { look_up: Duration::from_millis(30), write: Duration::from_millis(30), ..Limits::default() };
    let storage = Later { never: true, ..Later::default() };
    let failures = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&failures);
    let client = Client::builder(settings([50, 50]))
        .limits(limits)
        .storage(storage)
        .on_storage_error(move |error| {
            assert_eq!(error.kind(), StorageErrorKind::TimedOut);
            told.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    let start = Instant::now();
    let decision = client.activate("ab", "Ashley", Options::NONE).await.unwrap();
    assert_eq!((decision.variation_name(), decision.reason()), (Some("Control"), Reason::Assigned));
    let confirmed = client.activate_confirmed("ab", "Ben", Options::NONE).await.unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Unconfirmed(_)));
    assert_eq!(client.stored("Ashley").await.unwrap_err().kind(), StorageErrorKind::TimedOut);
    client.flush(PATIENCE).await.unwrap();
    assert_eq!(failures.load(Ordering::SeqCst), 2);
    assert_eq!(client.counters()["ab"], CampaignCounters { failed: 2, ..CampaignCounters::default() });
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn the_blocking_client_waits_for_an_asynchronous_storage_inside_any_runtime() {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for runtime in [one, many] {
        for never in [false, true] {
            runtime.block_on(async {
                let limits = Limits {
                    look_up: Duration::from_millis(200),
                    drop: Duration::from_millis(500),
                    ..Limits::default()
                };
                let start = Instant::now();
                let storage = Later { get: Some(Duration::from_millis(1)), never, ..Later::default() };
                let client = blocking::Client::builder(settings([50, 50])).limits(limits);
                let client = client.async_storage(storage.clone()).unwrap().build();
                let decision = client.activate("ab", "Ashley", Options::NONE).unwrap();
                assert_eq!(decision.variation_name(), Some("Control"));
                assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::Tracked);
                drop(client);
                assert_eq!(storage.records.records().len(), usize::from(!never));
                assert!(start.elapsed() < PATIENCE);
            });
        }
    }
}

#[test]
fn a_write_for_which_there_is_no_room_is_said_and_the_decision_stays() {
    let storage = Arc::new(Plain::default());
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&kinds);
    let limits = Limits { waiting: 1, side_by_side: Some(1), ..Limits::default() };
    let client = blocking::Client::builder(settings([50, 50]))
        .limits(limits)
        .storage(Arc::clone(&storage))
        .on_storage_error(move |error| told.lock().unwrap().push(error.kind()))
        .build();
    let held = storage.held_back.lock().unwrap();
    for user in 0..8 {
        let user = format!("user {user}");
        client.activate("ab", &user, Options::NONE).unwrap();
        assert_eq!(client.activate("ab", &user, Options::NONE).unwrap().reason(), Reason::Stored);
    }
    drop(held);
    client.flush(PATIENCE).unwrap();
    let lost = kinds.lock().unwrap().len();
    assert!(kinds.lock().unwrap().iter().all(|kind| *kind == StorageErrorKind::Full));
    assert_eq!(lost + storage.records.records().len(), 8);
    assert!(lost >= 6, "one is under way and one may wait: {lost}");
}

#[test]
fn a_record_that_is_put_is_what_counts_from_then_on() {
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    for _ in 0..100 {
        client.activate("ab", "Ashley", Options::NONE).unwrap();
        // The write of this goal is on its way when the record is put, and must not come after it.
        assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::Tracked);
        let put = Record::new("Ashley", "ab", "Variation-1");
        client.put(put.clone()).unwrap();
        assert_eq!(storage.record("Ashley"), Some(put.to_json()));
        assert_eq!(client.stored("Ashley").unwrap().records(), [put]);
        assert_eq!(client.activate("ab", "Ashley", Options::NONE).unwrap().variation_name(), Some("Variation-1"));
    }
}

/// The manner of writing that a storage asks for is kept.
#[test]
fn writes_come_together_where_a_storage_likes_that() {
    struct Together(MemoryStorage, Mutex<Vec<usize>>, Mutex<()>);
    impl UserStorage for Together {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            self.0.get(user, campaign)
        }
        fn set(&self, record: Record) -> Result<(), StorageError> {
            self.0.set(record)
        }
        fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
            drop(self.2.lock().unwrap());
            self.1.lock().unwrap().push(claims.len());
            let merged: Vec<_> = claims.into_iter().map(|claim| self.0.merge(claim)).collect();
            assert!(merged.iter().flatten().all(|one| one.outcome == Outcome::Claimed));
            merged
        }
        fn writes(&self) -> Writes {
            Writes::Together(10)
        }
    }
    let storage = Arc::new(Together(MemoryStorage::new(), Mutex::default(), Mutex::default()));
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    let held = storage.2.lock().unwrap();
    for user in 0..31 {
        client.activate("ab", &format!("user {user}"), Options::NONE).unwrap();
    }
    drop(held);
    client.flush(PATIENCE).unwrap();
    let batches = storage.1.lock().unwrap().clone();
    assert_eq!(batches.iter().sum::<usize>(), 31);
    assert!(batches.iter().all(|batch| *batch <= 10) && batches.len() <= 8, "{batches:?}");
}

#[test]
fn what_could_not_be_read_is_looked_at_before_it_is_written_even_where_this_process_wrote_it() {
    // Another process has added a goal since, and the storage is down while we add ours: the other goal must not go.
    struct Down(MemoryStorage, std::sync::atomic::AtomicBool);
    impl UserStorage for Down {
        fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            if self.1.load(Ordering::SeqCst) {
                return Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"));
            }
            self.0.get(user, campaign)
        }
        fn set(&self, record: Record) -> Result<(), StorageError> {
            self.0.set(record)
        }
    }
    let storage = Arc::new(Down(MemoryStorage::new(), false.into()));
    let client = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    client.flush(PATIENCE).unwrap();
    let elsewhere = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage)).build();
    assert_eq!(track(&elsewhere, "Ashley", "buy", Options::NONE), TrackOutcome::Tracked);
    elsewhere.flush(PATIENCE).unwrap();
    storage.1.store(true, Ordering::SeqCst);
    assert_eq!(track(&client, "Ashley", "sign", Options::NONE), TrackOutcome::Tracked);
    client.flush(PATIENCE).unwrap();
    assert_eq!(storage.0.records()[0].goals.as_str(), "buy");
    storage.1.store(false, Ordering::SeqCst);
    assert_eq!(track(&client, "Ashley", "buy", Options::NONE), TrackOutcome::AlreadyTracked);
}

#[test]
fn a_client_that_outlives_its_runtime_writes_in_the_next_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let storage = Later { set: Some(Duration::from_millis(200)), ..Later::default() };
    let limits = Limits { side_by_side: Some(1), ..Limits::default() };
    let client = Client::builder(settings([50, 50])).limits(limits).storage(storage.clone()).build();
    let first = runtime();
    first.block_on(async {
        client.activate("ab", "Ashley", Options::NONE).await.unwrap();
        // The worker has begun, and will not come to an end.
        tokio::task::yield_now().await;
    });
    drop(first);
    runtime().block_on(async {
        client.activate("ab", "Ben", Options::NONE).await.unwrap();
        client.flush(PATIENCE).await.unwrap();
        let tracking = client.track(TrackTarget::All, "Ashley", "buy", Options::NONE).await.unwrap();
        assert!(tracking.campaigns()[0].is_tracked());
        client.flush(PATIENCE).await.unwrap();
    });
    let records = storage.records.records();
    assert_eq!(records.iter().map(|record| &*record.user_id).collect::<Vec<_>>(), ["Ashley", "Ben"]);
    assert_eq!(records[0].goals.as_str(), "buy");
}

/// A storage that takes its time to write, and can erase.
#[derive(Clone, Default)]
struct Slow(Arc<MemoryStorage>);

impl UserStorage for Slow {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        std::thread::sleep(Duration::from_millis(2));
        self.0.set(record)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.0.erase(user)
    }
}

#[tokio::test]
async fn a_user_who_is_erased_is_gone_and_nothing_under_way_brings_them_back() {
    let storage = Slow::default();
    let blocking = blocking::Client::builder(settings([100, 0])).storage(storage.clone()).build();
    let later = Client::builder(settings([100, 0])).blocking_storage(storage.clone()).build();
    for user in (0..50).map(|user| format!("user {user}")) {
        // Some writes are under way and some wait.
        blocking.activate("ab", &user, Options::NONE).unwrap();
        track(&blocking, &user, "buy", Options::NONE);
        blocking.erase(&user).unwrap();
        assert_eq!(storage.get(&user, "ab").unwrap(), None, "{user}");
        later.activate("ab", &user, Options::NONE).await.unwrap();
        later.track(TrackTarget::One("ab"), &user, "buy", Options::NONE).await.unwrap();
        later.erase(&user).await.unwrap();
        assert_eq!(storage.get(&user, "ab").unwrap(), None, "{user}");
    }
    blocking.flush(PATIENCE).unwrap();
    later.flush(PATIENCE).await.unwrap();
    assert!(storage.0.records().is_empty(), "{:?}", storage.0.records());
    // Nor does the client remember them.
    blocking.update_settings(settings([0, 100]));
    later.update_settings(settings([0, 100]));
    let one = blocking.activate("ab", "user 1", Options::NONE).unwrap();
    assert_eq!(one.variation_name(), Some("Variation-1"));
    assert_eq!(later.erase("nobody").await.unwrap(), 0);
    let other = later.activate("ab", "user 2", Options::NONE).await.unwrap();
    assert_eq!(other.variation_name(), Some("Variation-1"));
}

/// A storage that is down.
struct OutOfOrder;

impl UserStorage for OutOfOrder {
    fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"))
    }

    fn set(&self, _: Record) -> Result<(), StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"))
    }
}

#[test]
fn a_decision_that_the_storage_could_not_answer_about_says_so_each_time() {
    let client = blocking::Client::builder(settings([50, 50])).storage(OutOfOrder).build();
    assert!(client.activate("ab", "Ashley", Options::NONE).unwrap().warnings().contains(Warning::StorageFailed));
    for _ in 0..2 {
        // It stays as this process has decided it.
        let again = client.activate("ab", "Ashley", Options::NONE).unwrap();
        assert_eq!((again.variation_name(), again.reason()), (Some("Control"), Reason::Stored));
        assert!(again.warnings().contains(Warning::StorageFailed));
        let tracking = client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap();
        assert!(tracking.campaigns()[0].decision().unwrap().warnings().contains(Warning::StorageFailed));
        client.flush(PATIENCE).unwrap();
    }
}

/// A storage in place that has only `get` and `set`.
#[derive(Clone, Default)]
struct InPlace(Arc<MemoryStorage>);

impl UserStorage for InPlace {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn writes(&self) -> Writes {
        Writes::InPlace
    }
}

#[tokio::test]
async fn a_storage_that_lists_nothing_is_asked_about_each_campaign_by_both_clients() {
    let storage = InPlace::default();
    let record = Record::new("Ashley", "ab", "Control");
    storage.set(record.clone()).unwrap();
    let blocking = blocking::Client::builder(settings([50, 50])).storage(storage.clone()).build();
    let later = Client::builder(settings([50, 50])).blocking_storage(storage).build();
    let expected = [record];
    assert_eq!(blocking.stored("Ashley").unwrap().records(), expected);
    assert_eq!(later.stored("Ashley").await.unwrap().records(), expected);
}

#[cfg(feature = "layers")]
#[test]
fn a_confirmed_decision_is_not_made_on_what_a_cache_remembers() {
    use steadfast::storage::layer::{Cache, CacheOptions};
    let storage = Slow::default();
    let cache = Arc::new(Cache::new(storage.clone(), CacheOptions::default()));
    cache.set(Record::new("Ashley", "ab", "Control")).unwrap();
    assert!(UserStorage::get(&cache, "Ashley", "ab").unwrap().is_some());
    // Somewhere else.
    storage.erase("Ashley").unwrap();
    storage.set(Record::new("Ashley", "ab", "Variation-1")).unwrap();
    let client = blocking::Client::builder(settings([50, 50])).storage(cache).build();
    let confirmed = client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
    assert_eq!(confirmed.decision.variation_name(), Some("Variation-1"));
    assert!(matches!(confirmed.confirmation, Confirmation::Stored));
}

/// Takes a while for one user's look-up; the others' it has at once.
struct SlowForAshley(MemoryStorage);

impl AsyncUserStorage for SlowForAshley {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        if user == "Ashley" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.0.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn writes(&self) -> Writes {
        Writes::Together(1_000)
    }
}

#[tokio::test]
async fn a_call_ends_however_many_others_are_written_to_and_forgotten_meanwhile() {
    let forgetful = Memory { users: 0, ..Memory::default() };
    let storage = SlowForAshley(MemoryStorage::new());
    let client = Client::builder(settings([50, 50])).storage(storage).remember(forgetful).build();
    let others = async {
        for number in 0_u64.. {
            client.activate("ab", &format!("user-{number}"), Options::NONE).await.unwrap();
            // To the workers, too, and to the one who waits.
            tokio::task::yield_now().await;
        }
    };
    let decided = tokio::select! {
        decision = client.activate("ab", "Ashley", Options::NONE) => decision.unwrap().variation().is_some(),
        () = others => unreachable!("they go on"),
        () = tokio::time::sleep(Duration::from_secs(20)) => false,
    };
    assert!(decided);
}

#[tokio::test]
async fn an_explanation_says_why_and_leaves_no_trace_of_itself() {
    let storage = Arc::new(MemoryStorage::new());
    let events = Arc::new(MemoryEvents::new());
    let shown = Arc::new(AtomicUsize::new(0));
    let of_hook = Arc::clone(&shown);
    let blocking = blocking::Client::builder(settings([50, 50])).storage(Arc::clone(&storage));
    let blocking = blocking
        .events(Arc::clone(&events))
        .integrations(move |_| {
            of_hook.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    let nonblocking =
        Client::builder(settings([50, 50])).blocking_storage(Arc::clone(&storage)).events(Arc::clone(&events)).build();
    for reason in [Reason::Assigned, Reason::Stored] {
        for decision in [
            blocking.explain("ab", "Ashley", Options::NONE).unwrap(),
            nonblocking.explain("ab", "Ashley", Options::NONE).await.unwrap(),
        ] {
            assert_eq!((decision.variation_name(), decision.reason()), (Some("Control"), reason));
            let why = steadfast::explanation::of(&decision);
            assert_eq!(why["verb"], "activate");
            assert_eq!(why["stages"].as_array().unwrap()[0]["stage"], "campaign");
        }
        // The decision itself, by the verb of its type of campaign, leaves its traces.
        assert_eq!(storage.records().len(), usize::from(reason == Reason::Stored));
        assert_eq!(blocking.decide("ab", "Ashley", Options::NONE).unwrap().reason(), reason);
        assert_eq!(nonblocking.decide("ab", "Ashley", Options::NONE).await.unwrap().reason(), Reason::Stored);
    }
    let events = events.take();
    assert_eq!((events.len(), &events[0]["event"]), (1, &json!("impression")));
    assert_eq!(shown.load(Ordering::SeqCst), 2);
}
