//! Golden data through both clients, side by side: the same answers, the same calls of the storage, the same events and
//! the same decisions shown to the hook, step by step (decision D-15).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod places;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use places::{shared_vectors, workspace};
use serde_json::Value;
use steadfast::engine::policy::Activation;
use steadfast::engine::{Decision, Policy, Record, Settings};
use steadfast::event::MemoryEvents;
use steadfast::line::{self, Line};
use steadfast::storage::{AsyncUserStorage, MemoryStorage, StorageError, UserStorage};
use steadfast::{Client, blocking};
use steadfast_testkit::Case;
use steadfast_testkit::play::reference_options;

/// What no machine needs, however busy: a test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A storage with `get` and `set`, of either kind, that writes down every call.
#[derive(Clone, Default)]
struct Recording {
    records: Arc<MemoryStorage>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Recording {
    fn got(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.calls.lock().unwrap().push(format!("get {user} {campaign}"));
        self.records.get(user, campaign)
    }

    fn put(&self, record: Record) -> Result<(), StorageError> {
        self.calls.lock().unwrap().push(format!("set {}", record.to_json()));
        self.records.set(record)
    }
}

impl UserStorage for Recording {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.got(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.put(record)
    }
}

/// The same storage where answers are awaited.
struct Awaited(Recording);

impl AsyncUserStorage for Awaited {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        tokio::task::yield_now().await;
        self.0.got(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.put(record)
    }
}

/// What a client did in one step.
#[derive(Debug, PartialEq)]
struct Step {
    answer: Result<(Value, Value), String>,
    storage: Vec<String>,
    events: Vec<Value>,
    shown: Vec<String>,
}

/// Where the traces of a client end up.
#[derive(Clone, Default)]
struct Traces {
    storage: Recording,
    events: Arc<MemoryEvents>,
    shown: Arc<Mutex<Vec<String>>>,
}

impl Traces {
    fn hook(&self) -> impl Fn(&Decision<'_>) + Send + Sync + 'static {
        let shown = Arc::clone(&self.shown);
        move |decision| {
            let (user, variation) = (decision.user(), decision.variation_name());
            shown.lock().unwrap().push(format!("{} {user} {variation:?}", decision.campaign().key()));
        }
    }

    fn step(&self, answer: Result<line::Answer, String>) -> Step {
        let mut storage = std::mem::take(&mut *self.storage.calls.lock().unwrap());
        // Writes of one call for several campaigns may come in any order: workers are side by side.
        let writes = storage.iter().position(|call| call.starts_with("set")).unwrap_or(storage.len());
        storage[writes..].sort();
        Step {
            answer: answer.map(|answer| (answer.result, answer.explanation)),
            storage,
            events: self.events.take(),
            shown: std::mem::take(&mut *self.shown.lock().unwrap()),
        }
    }
}

/// Plays a case on both clients; how many steps there were, and how many calls of the storage.
fn play(case: &Case, activation: Activation) -> (usize, usize) {
    let settings = Arc::new(Settings::compile(&case.settings, reference_options()).unwrap());
    let policy = Policy { activation, ..Policy::default() };
    let (waits, awaits) = (Traces::default(), Traces::default());
    let builder = blocking::Client::builder(Arc::clone(&settings))
        .policy(policy)
        .events(Arc::clone(&waits.events))
        .integrations(waits.hook());
    let one = if case.has_storage { builder.storage(waits.storage.clone()) } else { builder }.build();
    let builder =
        Client::builder(settings).policy(policy).events(Arc::clone(&awaits.events)).integrations(awaits.hook());
    let other = if case.has_storage { builder.storage(Awaited(awaits.storage.clone())) } else { builder }.build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut calls = 0;
    for request in &case.requests {
        let line = Line::parse(request).map_err(|error| error.to_string());
        let answer = line.as_ref().map(|line| line::explain(line, &one)).map_err(String::clone);
        one.flush(PATIENCE).unwrap();
        let blocking = waits.step(answer);
        let nonblocking = runtime.block_on(async {
            let answer = match &line {
                Ok(line) => Ok(line::explain_async(line, &other).await),
                Err(error) => Err(error.clone()),
            };
            other.flush(PATIENCE).await.unwrap();
            awaits.step(answer)
        });
        assert_eq!(blocking, nonblocking, "{}: {request}", case.name);
        calls += blocking.storage.len();
    }
    assert_eq!(waits.storage.records.records(), awaits.storage.records.records(), "{}", case.name);
    (case.requests.len(), calls)
}

fn play_all(cases: &[Case]) -> (usize, usize) {
    let mut total = (0, 0);
    for (case, activation) in cases.iter().flat_map(|case| [(case, Activation::Optional), (case, Activation::Required)])
    {
        let (steps, calls) = play(case, activation);
        total = (total.0 + steps, total.1 + calls);
    }
    total
}

fn cases(folder: &Path) -> Vec<Case> {
    Case::all(folder).unwrap()
}

#[test]
fn the_vectors_come_to_the_same_on_both_clients_step_by_step() {
    let (steps, calls) = play_all(&cases(&workspace().join("vectors/public")));
    assert_eq!(steps, 2 * 11_815);
    assert!(calls > 5_000, "{calls} calls of the storage");
}

#[test]
fn the_quirks_come_to_the_same_on_both_clients_step_by_step() {
    let mut all = cases(&workspace().join("vectors/quirks"));
    all.extend(Case::bundle(&workspace().join("vectors/quirks/defects.json")).unwrap());
    let (steps, calls) = play_all(&all);
    assert_eq!(steps, 2 * (4_800 + 156));
    assert!(calls > 1_000, "{calls} calls of the storage");
}

#[test]
fn all_quirks_come_to_the_same_on_both_clients_if_shared_is_there() {
    let Some(vectors) = shared_vectors() else { return };
    assert_eq!(play_all(&cases(&vectors.join("quirks"))).0, 2 * 36_000);
}
