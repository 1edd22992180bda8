//! Moments at which two things happen at once, or one that should not: each test is a sequence that once lost a record or
//! a goal, counted a visitor twice or never, or waited for good.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use steadfast::confirmed::Confirmation;
use steadfast::engine::{Options, Policy, Reason, Record, Settings, TrackTarget};
use steadfast::event::MemoryEvents;
use steadfast::storage::*;
use steadfast::{Client, Limits, blocking};

fn campaign(id: u32, key: &str) -> serde_json::Value {
    json!({"id": id, "key": key, "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
    "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}, {"id": 2, "identifier": "sign", "type": "CUSTOM_GOAL"}],
    "variations": [{"id": 1, "name": "Control", "weight": 100}, {"id": 2, "name": "Variation-1", "weight": 0}]})
}
fn settings() -> Arc<Settings> {
    let file = json!({"accountId": 1, "sdkKey": "k", "version": 1, "campaigns": [campaign(1, "ab"), campaign(2, "cd"), campaign(3, "ef")]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}
/// A storage of `get` and `set`, at whose moments a test can do something.
type BeforeSet = dyn Fn(&Record) + Send + Sync;
struct Plain {
    records: MemoryStorage,
    fail_get: AtomicBool,
    sets: AtomicUsize,
    slow: Duration,
    after_get: Option<Box<dyn Fn() + Send + Sync>>,
    before_set: Option<Box<BeforeSet>>,
    writes: Writes,
}
impl Default for Plain {
    fn default() -> Self {
        Plain {
            records: MemoryStorage::new(),
            fail_get: false.into(),
            sets: 0.into(),
            slow: Duration::ZERO,
            after_get: None,
            before_set: None,
            writes: Writes::OneByOne,
        }
    }
}
impl UserStorage for Plain {
    fn get(&self, u: &str, c: &str) -> Result<Option<Record>, StorageError> {
        if self.fail_get.load(Ordering::SeqCst) {
            return Err(StorageError::new(StorageErrorKind::Unavailable, "down"));
        }
        let r = self.records.get(u, c);
        if let Some(f) = &self.after_get {
            f()
        }
        r
    }
    fn set(&self, r: Record) -> Result<(), StorageError> {
        std::thread::sleep(self.slow);
        if let Some(f) = &self.before_set {
            f(&r)
        }
        self.sets.fetch_add(1, Ordering::SeqCst);
        self.records.set(r)
    }
    fn writes(&self) -> Writes {
        self.writes
    }
}
fn rec(s: &Plain, u: &str) -> Option<Record> {
    s.records.get(u, "ab").unwrap()
}
/// closed gate that opens once
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);
impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
    fn wait(&self) {
        let mut g = self.0.lock().unwrap();
        while !*g {
            g = self.1.wait(g).unwrap();
        }
    }
}
const P: Duration = Duration::from_secs(10);

#[test]
fn a_runtime_that_ends_leaves_the_queue_to_the_next() {
    let storage = Arc::new(Plain { writes: Writes::Together(100), ..Plain::default() });
    let client = Client::builder(settings()).blocking_storage(Arc::clone(&storage)).build();
    let rt = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt().block_on(async {
        client.activate("ab", "Ashley", Options::NONE).await.unwrap();
    });
    let two = rt();
    two.block_on(async {
        client.activate("ab", "Bob", Options::NONE).await.unwrap();
    });
    let flushed = two.block_on(client.flush(Duration::from_secs(3)));
    assert_eq!((flushed, storage.sets.load(Ordering::SeqCst)), (Ok(()), 2));
}

#[test]
fn a_user_in_a_full_queue_loses_no_accepted_write() {
    let (gate, taken) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (g, t) = (gate.clone(), taken.clone());
    let storage = Arc::new(Plain {
        before_set: Some(Box::new(move |r| {
            if r.user_id == "blocker" {
                t.open();
                g.wait()
            }
        })),
        ..Plain::default()
    });
    storage.records.set(Record::new("Ashley", "ab", "Control")).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let told2 = told.clone();
    let client = blocking::Client::builder(settings())
        .storage(Arc::clone(&storage))
        .limits(Limits { waiting: 1, side_by_side: Some(1), ..Limits::default() })
        .on_storage_error(move |_| {
            told2.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    client.activate("ab", "blocker", Options::NONE).unwrap();
    taken.wait();
    client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap(); // accepted
    assert_eq!(told.load(Ordering::SeqCst), 0);
    client.track(TrackTarget::One("ab"), "Ashley", "sign", Options::NONE).unwrap(); // no room
    assert_eq!(told.load(Ordering::SeqCst), 0, "the user is in the queue already");
    gate.open();
    client.flush(P).unwrap();
    assert!(rec(&storage, "Ashley").unwrap().goals.as_str().contains("buy"), "{:?}", rec(&storage, "Ashley"));
}

#[test]
fn a_flush_waits_for_a_write_that_is_about_to_be_handed_over() {
    struct Sink(Arc<Gate>, Arc<Gate>);
    impl steadfast::event::EventSink for Sink {
        fn send(&self, _: &steadfast::engine::Event<'_, '_>) {
            self.1.open();
            self.0.wait()
        }
    }
    let (gate, inside) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings())
        .storage(Arc::clone(&storage))
        .events(Sink(gate.clone(), inside.clone()))
        .build();
    let stored = std::thread::scope(|s| {
        s.spawn(|| client.activate("ab", "Ashley", Options::NONE).unwrap());
        inside.wait();
        client.variation_name("cd", "Ashley", Options::NONE).unwrap(); // returned to its caller, no event
        let flushed = client.flush(Duration::from_millis(500));
        let stored = storage.records.get("Ashley", "cd").unwrap().is_some();
        gate.open();
        (flushed.is_ok(), stored)
    });
    assert_ne!(stored, (true, false), "flush said Ok, and the storage has nothing");
}

#[test]
fn a_failed_look_up_is_not_taken_for_a_read() {
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings()).storage(Arc::clone(&storage)).build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    client.flush(P).unwrap();
    // another process
    let mut other = Record::new("Ashley", "ab", "Control");
    other.goals.push("buy");
    storage.records.set(other).unwrap();
    storage.fail_get.store(true, Ordering::SeqCst);
    client.track(TrackTarget::One("ab"), "Ashley", "sign", Options::NONE).unwrap();
    client.flush(P).unwrap();
    assert!(rec(&storage, "Ashley").unwrap().goals.as_str().contains("buy"), "{:?}", rec(&storage, "Ashley"));
}

#[tokio::test]
async fn a_confirmed_call_that_is_dropped_counts_its_visitor() {
    let storage = Arc::new(Plain { slow: Duration::from_millis(200), ..Plain::default() });
    let events = Arc::new(MemoryEvents::new());
    let client = Client::builder(settings()).blocking_storage(Arc::clone(&storage)).events(events.clone()).build();
    assert!(
        tokio::time::timeout(Duration::from_millis(50), client.activate_confirmed("ab", "Ashley", Options::NONE))
            .await
            .is_err()
    );
    client.flush(P).await.unwrap();
    client.activate("ab", "Ashley", Options::NONE).await.unwrap();
    assert_eq!(events.take().len(), 1, "{:?}", rec(&storage, "Ashley"));
}

#[test]
fn nothing_is_confirmed_that_was_not_stored() {
    struct Half(MemoryStorage);
    impl UserStorage for Half {
        fn get(&self, u: &str, c: &str) -> Result<Option<Record>, StorageError> {
            if c == "cd" { Err(StorageError::new(StorageErrorKind::Unavailable, "down")) } else { self.0.get(u, c) }
        }
        fn set(&self, r: Record) -> Result<(), StorageError> {
            self.0.set(r)
        }
    }
    let file = json!({"accountId": 1, "sdkKey": "k", "version": 1, "campaigns": [campaign(1, "ab"), campaign(2, "cd")],
        "groups": {"1": {"name": "g", "campaigns": [1, 2]}}, "campaignGroups": {"1": 1, "2": 1}});
    let settings = Arc::new(Settings::parse(&file.to_string()).unwrap());
    let storage = Arc::new(Half(MemoryStorage::new()));
    let client = blocking::Client::builder(settings).storage(storage.clone()).build();
    let mut tried = 0;
    for n in 0..20 {
        let user = format!("u{n}");
        let confirmed = client.activate_confirmed("ab", &user, Options::NONE).unwrap();
        if confirmed.decision.variation().is_some() {
            tried += 1;
            let stored = storage.0.get(&user, "ab").unwrap();
            assert!(
                stored.is_some() || !matches!(confirmed.confirmation, Confirmation::Stored),
                "{:?}, but {stored:?}",
                confirmed.confirmation
            );
        }
    }
    assert!(tried > 0);
}

#[test]
fn the_longest_wait_is_no_panic() {
    let client = blocking::Client::builder(settings()).storage(Plain::default()).build();
    client.flush(Duration::MAX).unwrap();
}

#[test]
fn no_workers_at_all_are_one() {
    let client = blocking::Client::builder(settings())
        .storage(Plain::default())
        .limits(Limits { side_by_side: Some(0), drop: Duration::ZERO, ..Limits::default() })
        .build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    client.flush(Duration::from_secs(1)).unwrap();
}

#[test]
fn a_bridged_write_has_the_deadline_of_writes() {
    struct Slow(MemoryStorage);
    impl AsyncUserStorage for Slow {
        async fn get(&self, u: &str, c: &str) -> Result<Option<Record>, StorageError> {
            UserStorage::get(&self.0, u, c)
        }
        async fn set(&self, r: Record) -> Result<(), StorageError> {
            tokio::time::sleep(Duration::from_millis(400)).await;
            UserStorage::set(&self.0, r)
        }
    }
    let client = blocking::Client::builder(settings())
        .limits(Limits { look_up: Duration::from_millis(100), write: P, ..Limits::default() })
        .async_storage(Slow(MemoryStorage::new()))
        .unwrap()
        .build();
    let confirmed = client.activate_confirmed("ab", "Ashley", Options::NONE).unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Stored), "{:?}", confirmed.confirmation);
}

#[test]
fn a_missing_answer_is_told() {
    struct Mute;
    impl UserStorage for Mute {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            Ok(None)
        }
        fn set(&self, _: Record) -> Result<(), StorageError> {
            Ok(())
        }
        fn merge_many(&self, _: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
            Vec::new()
        }
    }
    let told = Arc::new(AtomicUsize::new(0));
    let t = told.clone();
    let client = blocking::Client::builder(settings())
        .storage(Mute)
        .on_storage_error(move |_| {
            t.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    client.flush(P).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[test]
fn a_put_overtakes_calls_that_looked_before_it() {
    let record = raced(steadfast::Memory::default(), |client, _| {
        client.put(Record::new("Ashley", "ab", "Variation-1")).unwrap()
    });
    assert_eq!(record.unwrap().variation_name, "Variation-1");
}

#[test]
fn a_user_who_was_forgotten_overtakes_all_the_same() {
    let record = raced(steadfast::Memory { users: 64, ..steadfast::Memory::default() }, |client, _| {
        client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap();
        client.flush(P).unwrap();
        for n in 0..2000 {
            client.activate("ab", &format!("u{n}"), Options::NONE).unwrap();
        }
        client.flush(P).unwrap();
    });
    let goals = record.unwrap().goals;
    assert!(goals.as_str().contains("buy") && goals.as_str().contains("sign"), "{goals:?}");
}

#[test]
fn a_burst_is_written_by_several_workers() {
    let at_once = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let a = at_once.clone();
    let storage = Arc::new(Plain {
        before_set: Some(Box::new(move |_| {
            let now = a.0.fetch_add(1, Ordering::SeqCst) + 1;
            a.1.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(300));
            a.0.fetch_sub(1, Ordering::SeqCst);
        })),
        ..Plain::default()
    });
    let client = blocking::Client::builder(settings()).storage(Arc::clone(&storage)).build();
    client.activate("ab", "warm", Options::NONE).unwrap();
    client.flush(P).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    for n in 0..8 {
        client.activate("ab", &format!("u{n}"), Options::NONE).unwrap();
    }
    client.flush(P).unwrap();
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}, at most {:?} at once", start.elapsed(), at_once.1);
}

#[test]
fn a_panic_while_confirming_is_a_failure() {
    struct Panics(AtomicBool, MemoryStorage);
    impl UserStorage for Panics {
        fn get(&self, u: &str, c: &str) -> Result<Option<Record>, StorageError> {
            self.1.get(u, c)
        }
        fn set(&self, r: Record) -> Result<(), StorageError> {
            if self.0.swap(false, Ordering::SeqCst) {
                panic!("boom")
            }
            self.1.set(r)
        }
    }
    let s = Arc::new(Panics(true.into(), MemoryStorage::new()));
    let client = blocking::Client::builder(settings()).storage(s.clone()).build();
    let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.activate_confirmed("ab", "Ashley", Options::NONE).map(|_| ())
    }));
    client.flush(P).unwrap();
    let seen = client.activate("ab", "Ashley", Options::NONE).unwrap().reason();
    client.flush(P).unwrap();
    assert!(s.1.get("Ashley", "ab").unwrap().is_some(), "panicked out: {}; seen as {seen:?}, never stored", r.is_err());
}

#[test]
fn what_is_too_old_is_not_remembered() {
    let storage = Arc::new(Plain::default());
    let client = blocking::Client::builder(settings())
        .storage(Arc::clone(&storage))
        .remember(steadfast::Memory { keep: Duration::from_millis(10), users: 65_536 })
        .build();
    client.activate("ab", "Ashley", Options::NONE).unwrap();
    client.flush(P).unwrap();
    storage.records.erase("Ashley").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let reason = client.activate("ab", "Ashley", Options::NONE).unwrap().reason();
    client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap();
    client.flush(P).unwrap();
    assert_eq!(reason, Reason::Assigned, "30 x `keep` later; stored: {:?}", rec(&storage, "Ashley"));
}

#[test]
fn a_write_that_failed_in_place_is_remembered() {
    let run = |writes| {
        struct NoSet(Writes);
        impl UserStorage for NoSet {
            fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
                Ok(None)
            }
            fn set(&self, _: Record) -> Result<(), StorageError> {
                Err(StorageError::new(StorageErrorKind::Full, "full"))
            }
            fn writes(&self) -> Writes {
                self.0
            }
        }
        let events = Arc::new(MemoryEvents::new());
        let client = blocking::Client::builder(settings()).storage(NoSet(writes)).events(events.clone()).build();
        for _ in 0..5 {
            client.activate("ab", "Ashley", Options::NONE).unwrap();
            client.flush(P).unwrap();
        }
        events.take().len()
    };
    assert_eq!((run(Writes::OneByOne), run(Writes::InPlace)), (1, 1));
}

#[test]
fn metadata_of_a_settled_write_stays_behind_newer() {
    let storage = Arc::new(Plain::default());
    let policy = Policy { meta_data: steadfast::engine::policy::MetaDataRule::Keep, ..Policy::default() };
    let client = blocking::Client::builder(settings()).policy(policy).storage(Arc::clone(&storage)).build();
    let options = Options { meta_data: Some(json!({"v": 1})), ..Options::default() };
    client.activate("ab", "Ashley", &options).unwrap();
    client.flush(P).unwrap();
    let mut other = rec(&storage, "Ashley").unwrap();
    other.meta_data = Some(json!({"v": 2}));
    storage.records.set(other).unwrap(); // another process
    client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap();
    client.flush(P).unwrap();
    assert_eq!(rec(&storage, "Ashley").unwrap().meta_data, Some(json!({"v": 2})));
}

fn raced(memory: steadfast::Memory, meanwhile: impl Fn(&blocking::Client, &Plain)) -> Option<Record> {
    let (gate, inside) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (g, i) = (gate.clone(), inside.clone());
    let once = AtomicBool::new(true);
    let storage = Arc::new(Plain {
        after_get: Some(Box::new(move || {
            if once.swap(false, Ordering::SeqCst) {
                i.open();
                g.wait()
            }
        })),
        ..Plain::default()
    });
    let client = blocking::Client::builder(settings()).storage(Arc::clone(&storage)).remember(memory).build();
    std::thread::scope(|s| {
        s.spawn(|| client.track(TrackTarget::One("ab"), "Ashley", "sign", Options::NONE).unwrap());
        inside.wait();
        meanwhile(&client, &storage);
        gate.open();
    });
    client.flush(P).unwrap();
    rec(&storage, "Ashley")
}

/// A program's `set` that began to write and returned was taken at its word: the goal of the same visit found nobody.
#[test]
fn what_is_written_in_place_and_found_later_is_known_meanwhile() {
    struct Begins(Mutex<Vec<Record>>, Writes);
    impl UserStorage for Begins {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            Ok(None)
        }
        fn set(&self, record: Record) -> Result<(), StorageError> {
            self.0.lock().unwrap().push(record);
            Ok(())
        }
        fn writes(&self) -> Writes {
            self.1
        }
    }
    let policy = Policy { activation: steadfast::engine::policy::Activation::Required, ..Policy::default() };
    for (writes, is_known) in [(Writes::InPlace, false), (Writes::Begun, true)] {
        let storage = Arc::new(Begins(Mutex::default(), writes));
        let client = blocking::Client::builder(settings()).policy(policy).storage(Arc::clone(&storage)).build();
        let decision = client.activate("ab", "Ashley", Options::NONE).unwrap();
        assert_eq!(decision.variation_name(), Some("Control"));
        let tracking = client.track(TrackTarget::One("ab"), "Ashley", "buy", Options::NONE).unwrap();
        assert_eq!(tracking.campaigns()[0].is_tracked(), is_known);
        assert_eq!(storage.0.lock().unwrap().len(), if is_known { 2 } else { 1 });
    }
}
