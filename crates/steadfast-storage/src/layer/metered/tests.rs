use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use metrics::{CounterFn, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, Unit, with_local_recorder};
use steadfast_engine::Record;

use super::*;
use crate::backend::memory::MemoryStorage;
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition};
use crate::user_storage::{AsyncUserStorage, UserStorage};

/// What was counted, and the seconds of what was measured, by name and labels.
#[derive(Default, Clone)]
struct Counted(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

/// One of them.
struct One(String, Counted);

impl One {
    fn put(&self, value: f64) {
        self.1.0.lock().unwrap().entry(self.0.clone()).or_default().push(value);
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.put(value as f64);
    }

    fn absolute(&self, _: u64) {}
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.put(value);
    }
}

impl Counted {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(One(format!("{} {}", key.name(), labels.join(" ")), self.clone()))
    }

    /// The sum for an operation and its outcome.
    fn records(&self, labels: &str) -> f64 {
        let counted = self.0.lock().unwrap();
        counted.get(&format!("{RECORDS} backend=memory {labels}")).map_or(0.0, |counted| counted.iter().sum())
    }

    /// How long each call took.
    fn seconds(&self, labels: &str) -> Vec<f64> {
        let counted = self.0.lock().unwrap();
        counted.get(&format!("{SECONDS} backend=memory {labels}")).cloned().unwrap_or_default()
    }
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

fn claim(campaign: &str, variation: &str, condition: Condition) -> Claim {
    Claim { record: Record::new("Ashley", campaign, variation), goal: None, condition, was_read: true }
}

#[test]
fn each_call_is_counted_by_what_it_came_to() {
    let counted = Counted::default();
    with_local_recorder(&counted, || {
        let storage = Metered::new(MemoryStorage::new(), "memory");
        let claims = vec![
            claim("ab", "A", Condition::Absent),
            claim("ab", "B", Condition::Absent),
            claim("ab", "B", Condition::Replaces("A".into())),
        ];
        storage.merge_many(claims);
        storage.merge(claim("ab", "B", Condition::Stored)).unwrap();
        storage.set(Record::new("Ashley", "other", "A")).unwrap();
        storage.get("Ashley", "ab").unwrap();
        storage.look_up("Ashley", "none");
        storage.get_many("Ashley", &["ab", "other"]);
        storage.records_of("Ashley").unwrap();
        storage.erase("Ashley").unwrap();
    });
    for (labels, expected) in [
        ("operation=merge_many outcome=claimed", 1.0),
        ("operation=merge_many outcome=kept", 1.0),
        ("operation=merge_many outcome=replaced", 1.0),
        ("operation=merge outcome=kept", 1.0),
        ("operation=set outcome=done", 1.0),
        ("operation=get outcome=found", 1.0),
        ("operation=get outcome=absent", 1.0),
        ("operation=get_many outcome=found", 2.0),
        ("operation=records_of outcome=done", 2.0),
        ("operation=erase outcome=done", 2.0),
    ] {
        assert_eq!(counted.records(labels), expected, "{labels}");
    }
    assert_eq!(counted.seconds("operation=merge_many outcome=mixed").len(), 1);
    assert_eq!(counted.seconds("operation=get_many outcome=found").len(), 1);
    assert!(counted.0.lock().unwrap().keys().all(|key| !key.contains("Ashley")));
}

/// Fails, or never answers.
struct Failing(Option<StorageErrorKind>);

impl AsyncUserStorage for Failing {
    async fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
        match self.0 {
            Some(kind) => Err(StorageError::new(kind, "as a test wants it")),
            None => pending().await,
        }
    }

    async fn set(&self, _: Record) -> Result<(), StorageError> {
        self.get("", "").await.map(drop)
    }
}

#[test]
fn a_failure_is_counted_by_its_kind_and_a_call_that_is_given_up_as_such() {
    let counted = Counted::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    with_local_recorder(&counted, || {
        runtime.block_on(async {
            let storage = Metered::new(Failing(Some(StorageErrorKind::TimedOut)), "memory");
            storage.get_many("Ashley", &["ab", "other"]).await;
            storage.set(Record::new("Ashley", "ab", "A")).await.unwrap_err();
            let storage = Metered::new(Failing(None), "memory");
            let limit = std::time::Duration::from_millis(20);
            let given_up = tokio::time::timeout(limit, storage.get_many("Ashley", &["ab", "other"])).await;
            assert!(given_up.is_err());
        });
    });
    assert_eq!(counted.records("operation=get_many outcome=timed_out"), 2.0);
    assert_eq!(counted.records("operation=set outcome=timed_out"), 1.0);
    assert_eq!(counted.records("operation=get_many outcome=given_up"), 2.0);
    let seconds = counted.seconds("operation=get_many outcome=given_up");
    assert!(seconds.len() == 1 && (0.02..10.0).contains(&seconds[0]), "{seconds:?}");
}
