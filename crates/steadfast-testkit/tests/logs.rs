//! What is logged at `info` and above names no user and no key, whatever fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use steadfast::blocking::Client;
use steadfast::engine::{Options, Record, Settings, TrackTarget};
use steadfast::event::{BackOff, Collector, Delivery, Endpoint, Spool};
use steadfast::storage::{StorageError, StorageErrorKind, UserStorage};
use steadfast::{FileCache, Poll, SettingsSource};
use steadfast_testkit::servers::{LocalCollector, Reply};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Recorded};
use tracing::{Event, Level, Metadata, Subscriber};

const PATIENCE: Duration = Duration::from_secs(60);
const SDK_KEY: &str = "5ecret-key";
const USER: &str = "Ashley@example.com";

/// Writes down what is logged at `info` and above.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'l>(&'l mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Recorded<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Fails, and names nobody.
struct Broken;

impl UserStorage for Broken {
    fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"))
    }

    fn set(&self, _: Record) -> Result<(), StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "out of order"))
    }
}

/// Events on a disk that is damaged, and then gone; what its errors say.
fn trouble_on_the_disk(server: &LocalCollector, settings: &Arc<Settings>) -> String {
    server.answer(|_| Reply::status(503));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let open = || {
        let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
        let spool = Spool { patience: PATIENCE, ..Spool::new(&path) };
        let collector = Collector::builder().endpoint(endpoint).spool(spool).build().unwrap();
        let client = Client::builder(Arc::clone(settings)).events(collector.clone()).build();
        client.activate("ab", &format!("{USER} on disk"), Options::NONE).unwrap();
        collector
    };
    let collector = open();
    collector.kept_blocking(PATIENCE).unwrap();
    let error =
        Collector::builder().spool(Spool { patience: Duration::ZERO, ..Spool::new(&path) }).build().unwrap_err();
    let mut errors = format!("{error} {error:?} {collector:?} ");
    drop(collector);
    let segment = path.join("0000000001.events");
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the line of the account, which has the key.
    let at = bytes.windows(SDK_KEY.len()).position(|part| part == SDK_KEY.as_bytes()).unwrap();
    bytes[at] ^= 1;
    // The first lets go of the directory in a moment, and writes nothing any more.
    std::fs::write(&segment, &bytes).unwrap();
    let collector = open();
    collector.kept_blocking(PATIENCE).unwrap();
    drop(collector);
    // Once it is free, and before anything is begun in it, it is gone.
    drop(Collector::builder().spool(Spool { hold: true, patience: PATIENCE, ..Spool::new(&path) }).build().unwrap());
    let spool = Spool { hold: true, patience: PATIENCE, ..Spool::new(&path) };
    let collector = Collector::builder().spool(spool).build().unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    let client = Client::builder(Arc::clone(settings)).events(collector.clone()).build();
    client.activate("ab", &format!("{USER} and no disk"), Options::NONE).unwrap();
    let error = collector.kept_blocking(PATIENCE).unwrap_err();
    write!(errors, "{error} {error:?} {collector:?} ").unwrap();
    errors
}

#[test]
fn no_user_and_no_key_is_logged() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let server = LocalCollector::start();
    let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
    let back_off = BackOff { first: Duration::from_millis(1), longest: Duration::from_millis(2) };
    let delivery = Delivery { attempts: 2, back_off, ..Delivery::default() };
    let collector = Collector::builder().endpoint(endpoint.clone()).delivery(delivery).build().unwrap();
    let file = json!({"accountId": 60781, "sdkKey": SDK_KEY, "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
        "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    let settings = Arc::new(Settings::parse(&file.to_string()).unwrap());
    let source = SettingsSource::vwo("60781", SDK_KEY, &endpoint).unwrap();
    let poll = Poll::every(Duration::ZERO, source.clone()).back_off(back_off);
    let client = Client::builder(settings).storage(Broken).events(collector.clone()).poll(poll).build();
    let mut errors = String::new();
    for status in [400, 500, 200] {
        server.answer(move |_| Reply::status(status));
        // One who is new each time, of whom something is told.
        let user = format!("{USER}{status}");
        client.activate("ab", &user, Options::NONE).unwrap();
        client.track(TrackTarget::One("ab"), &user, "buy", Options::NONE).unwrap();
        if let Err(error) = collector.flush_blocking(PATIENCE) {
            write!(errors, "{error} {error:?} ").unwrap();
        }
        let error = source.fetch_blocking().unwrap_err();
        write!(errors, "{error} {error:?} {source:?} {collector:?} ").unwrap();
    }
    errors += &trouble_on_the_disk(&server, &client.settings());
    let folder = tempfile::tempdir().unwrap();
    let cached = source.clone().cached(FileCache::new(folder.path().join("copy.json")));
    server.answer(move |_| Reply { body: file.to_string(), ..Reply::status(200) });
    cached.fetch_blocking().unwrap();
    drop(server);
    cached.fetch_blocking().unwrap();
    write!(errors, "{cached:?} ").unwrap();
    let user = format!("{USER}gone");
    client.activate("ab", &user, Options::NONE).unwrap();
    collector.flush_blocking(PATIENCE).unwrap_err();
    // The poll has met it, too.
    let start = Instant::now();
    while !log.0.lock().unwrap().contains("the settings in force stay") {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = log.0.lock().unwrap();
    for said in [
        "events are lost",
        "a look-up failed",
        "the storage could not keep a decision",
        "damaged lines among the kept events",
        "the disk does not keep events",
        "a copy of earlier ones is used",
    ] {
        assert!(log.contains(said), "{said} is not in {log}");
    }
    for secret in [SDK_KEY, USER, "Ashley"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
        assert!(!errors.contains(secret), "{secret} is in {errors}");
    }
}
