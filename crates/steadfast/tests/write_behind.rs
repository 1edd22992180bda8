//! A client over the layer that keeps writes back: plain verbs never wait, and confirmed ones have the storage's word.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steadfast::engine::{GoalList, Options, Settings, TrackTarget};
use steadfast::storage::layer::write_behind::{WriteBehind, WriteBehindOptions};
use steadfast::storage::{
    AsyncUserStorage, Claim, MemoryStorage, Merged, Record, StorageError, StorageErrorKind, UserStorage, Writes,
};
use steadfast::{Client, Confirmation, blocking};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings() -> Arc<Settings> {
    let text = r#"{"accountId":1,"version":1,"sdkKey":"k","campaigns":[{"id":1,"key":"ab","type":"VISUAL_AB",
        "status":"RUNNING","percentTraffic":100,"segments":{},"goals":[{"id":1,"identifier":"buy","type":"CUSTOM_GOAL"}],
        "variations":[{"id":1,"name":"Control","weight":50},{"id":2,"name":"Green","weight":50}]}]}"#;
    Arc::new(Settings::parse(text).unwrap())
}

/// A storage that merges in one step, while it is up; its writes can hang.
#[derive(Clone, Default)]
struct Distant(Arc<Inside>);

#[derive(Default)]
struct Inside {
    memory: MemoryStorage,
    is_down: AtomicBool,
    writes_hang: AtomicBool,
}

impl Distant {
    fn is_up(&self) -> Result<(), StorageError> {
        let down = self.0.is_down.load(Ordering::Relaxed);
        if down { Err(StorageError::new(StorageErrorKind::Unavailable, "down")) } else { Ok(()) }
    }

    async fn write(&self) -> Result<(), StorageError> {
        if self.0.writes_hang.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.is_up()
    }
}

impl AsyncUserStorage for Distant {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.is_up()?;
        self.0.memory.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.write().await?;
        self.0.memory.set(record)
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.write().await?;
        self.0.memory.merge(claim)
    }

    fn writes(&self) -> Writes {
        Writes::Together(100)
    }
}

fn layer(storage: &Distant) -> Arc<WriteBehind<Distant>> {
    let options = WriteBehindOptions {
        back_off: Duration::from_millis(1),
        longest_back_off: Duration::from_millis(10),
        ..WriteBehindOptions::default()
    };
    Arc::new(WriteBehind::new(storage.clone(), options).unwrap())
}

fn client(layer: &Arc<WriteBehind<Distant>>) -> Client {
    Client::builder(settings()).storage(Arc::clone(layer)).build()
}

/// The variation that a user is not assigned by themselves.
async fn other_variation(user: &str) -> &'static str {
    let alone = Client::new(settings());
    let own = alone.activate("ab", user, Options::NONE).await.unwrap();
    if own.variation_name() == Some("Control") { "Green" } else { "Control" }
}

#[tokio::test]
async fn plain_verbs_do_not_wait_for_a_storage_whose_writes_hang() {
    let storage = Distant::default();
    storage.0.writes_hang.store(true, Ordering::Relaxed);
    let client = client(&layer(&storage));
    let calls = async {
        for number in 0..100 {
            let user = format!("user-{number}");
            client.activate("ab", &user, Options::NONE).await.unwrap();
            client.track(TrackTarget::One("ab"), &user, "buy", Options::NONE).await.unwrap();
        }
    };
    // If each waited as long as a write may take, they would take an hour.
    tokio::time::timeout(PATIENCE, calls).await.unwrap();
    assert!(storage.0.memory.records().is_empty());
}

#[tokio::test]
async fn a_confirmed_decision_adopts_what_a_rival_has_stored() {
    let storage = Distant::default();
    let client = client(&layer(&storage));
    let other = other_variation("u").await;
    // The look-up fails, so that the client cannot know of the rival, and so do the writes for a while.
    storage.0.is_down.store(true, Ordering::Relaxed);
    client.activate("ab", "u", Options::NONE).await.unwrap();
    storage.0.memory.set(Record::new("u", "ab", other)).unwrap();
    storage.0.is_down.store(false, Ordering::Relaxed);
    let confirmed = tokio::time::timeout(PATIENCE, client.activate_confirmed("ab", "u", Options::NONE)).await;
    let confirmed = confirmed.unwrap().unwrap();
    assert!(!matches!(confirmed.confirmation, Confirmation::Unconfirmed(_)), "{:?}", confirmed.confirmation);
    assert_eq!(confirmed.decision.variation_name(), Some(other));
}

#[tokio::test]
async fn what_only_the_layer_knows_is_not_confirmed() {
    let storage = Distant::default();
    let layer = layer(&storage);
    storage.0.is_down.store(true, Ordering::Relaxed);
    let other = other_variation("u").await;
    // By another client, or left by an earlier process: this one has written nothing itself.
    layer.set(Record::new("u", "ab", other)).await.unwrap();
    let client = client(&layer);
    let plain = client.activate("ab", "u", Options::NONE).await.unwrap();
    assert_eq!(plain.variation_name(), Some(other), "it is seen all the same");
    let confirmed = client.activate_confirmed("ab", "u", Options::NONE).await.unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Unconfirmed(_)), "{:?}", confirmed.confirmation);
    storage.0.is_down.store(false, Ordering::Relaxed);
    layer.flush(PATIENCE).await.unwrap();
    let confirmed = client.activate_confirmed("ab", "u", Options::NONE).await.unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Stored), "{:?}", confirmed.confirmation);
    assert_eq!(storage.0.memory.records()[0].variation_name, other);
}

#[tokio::test]
async fn what_was_decided_while_the_storage_was_down_is_there_when_it_is_back() {
    let storage = Distant::default();
    let layer = layer(&storage);
    let client = client(&layer);
    let mut shown = Vec::new();
    storage.0.is_down.store(true, Ordering::Relaxed);
    for number in 0..50 {
        let user = format!("user-{number:02}");
        let decision = client.activate("ab", &user, Options::NONE).await.unwrap();
        shown.push(decision.variation_name().unwrap().to_owned());
        client.track(TrackTarget::One("ab"), &user, "buy", Options::NONE).await.unwrap();
    }
    client.flush(PATIENCE).await.unwrap();
    storage.0.is_down.store(false, Ordering::Relaxed);
    layer.flush(PATIENCE).await.unwrap();
    let records = storage.0.memory.records();
    assert_eq!(records.iter().map(|record| record.variation_name.clone()).collect::<Vec<_>>(), shown);
    assert!(records.iter().all(|record| record.goals == GoalList::from_text("buy")), "{records:?}");
}

#[test]
fn a_blocking_client_has_it_behind_a_bridge() {
    let storage = Distant::default();
    let client = blocking::Client::builder(settings()).async_storage(layer(&storage)).unwrap().build();
    client.activate("ab", "u", Options::NONE).unwrap();
    let confirmed = client.activate_confirmed("ab", "u", Options::NONE).unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Stored), "{:?}", confirmed.confirmation);
    assert_eq!(storage.0.memory.records().len(), 1);
    storage.0.is_down.store(true, Ordering::Relaxed);
    let confirmed = client.activate_confirmed("ab", "v", Options::NONE).unwrap();
    assert!(matches!(confirmed.confirmation, Confirmation::Unconfirmed(_)), "{:?}", confirmed.confirmation);
}
