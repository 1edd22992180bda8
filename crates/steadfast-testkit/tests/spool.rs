//! Events that are kept on disk until a real collector on this machine has them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings};
use steadfast::event::spool::{WhenFull, contents};
use steadfast::event::{
    BackOff, Batching, BuildError, Collector, CollectorBuilder, Delivery, Endpoint, FlushError, LostBy, Spool,
    SpoolError,
};
use steadfast_testkit::servers::{LocalCollector, Reply};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that is removed with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("steadfast-spooled-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Place(path)
    }

    fn spool(&self) -> Spool {
        Spool { patience: PATIENCE, ..Spool::new(&self.0) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn settings() -> Arc<Settings> {
    let file = json!({"accountId": 60781, "sdkKey": "key", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

fn quick() -> Delivery {
    let back_off = BackOff { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    let batch = Batching { events: NonZeroUsize::new(10).unwrap(), interval: Duration::from_millis(20) };
    Delivery { back_off, batch: Some(batch), ..Delivery::default() }
}

fn collector(url: &str, spool: Spool) -> CollectorBuilder {
    let endpoint = Endpoint { url: url.to_owned(), ..Endpoint::default() };
    Collector::builder().endpoint(endpoint).delivery(quick()).spool(spool)
}

fn activate(collector: &Collector, users: std::ops::Range<usize>) {
    let client = Client::builder(settings()).events(collector.clone()).build();
    for user in users {
        client.activate("ab", &format!("user {user}"), Options::NONE).unwrap();
    }
}

/// What tells one event from another, of all that arrived.
fn chances(server: &LocalCollector) -> Vec<String> {
    let entries = |body: &str| serde_json::from_str::<Value>(body).unwrap()["ev"].as_array().unwrap().clone();
    let random = |entry: &Value| entry["random"].to_string();
    server.arrived().iter().flat_map(|one| entries(&one.body)).map(|entry| random(&entry)).collect()
}

fn on_disk(path: &Path) -> usize {
    contents(path).unwrap().open.len()
}

/// Also that something is settled is written down, a moment later.
fn wait_until_nothing_is_left(path: &Path) {
    let start = Instant::now();
    while on_disk(path) > 0 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_was_kept_while_the_collector_was_down_arrives_after_a_restart_with_the_same_number() {
    let place = Place::new("down");
    let server = LocalCollector::start();
    server.answer(|_| Reply::status(503));
    let first = collector(&server.url(), place.spool()).build().unwrap();
    activate(&first, 0..5_000);
    first.kept_blocking(PATIENCE).unwrap();
    assert_eq!(on_disk(&place.0), 5_000);
    assert_eq!(first.flush_blocking(Duration::from_millis(50)), Err(FlushError::TimedOut));
    assert_eq!(first.counters().pending, 5_000);
    drop(first);
    let tried: BTreeSet<String> = chances(&server).into_iter().collect();
    assert!(!tried.is_empty());

    let before = server.arrived().len();
    server.answer(|_| Reply::status(200));
    // The first lets go of the directory when what it has under way is answered.
    let second = collector(&server.url(), place.spool()).build().unwrap();
    second.flush_blocking(PATIENCE).unwrap();
    assert_eq!((second.counters().delivered, second.counters().pending), (5_000, 0));
    drop(second);
    let all = chances(&server);
    let arrived: BTreeSet<&String> = all.iter().collect();
    assert_eq!(arrived.len(), 5_000, "those that came twice carry the number they had");
    assert!(tried.iter().all(|one| arrived.contains(one)));
    assert!(server.arrived().len() > before);
    // Nothing is left for a third.
    let third = collector(&server.url(), place.spool()).build().unwrap();
    third.flush_blocking(PATIENCE).unwrap();
    assert_eq!(third.counters().delivered, 0);
    wait_until_nothing_is_left(&place.0);
}

#[test]
fn a_collector_that_mostly_fails_gets_each_event_without_an_end_of_attempts() {
    let place = Place::new("fails");
    let server = LocalCollector::start();
    let mut count = 0;
    server.answer(move |_| {
        count += 1;
        Reply::status(if count % 10 == 0 { 200 } else { 500 })
    });
    let delivery = Delivery { attempts: 1, ..quick() };
    let collector = collector(&server.url(), place.spool()).delivery(delivery).build().unwrap();
    activate(&collector, 0..300);
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!((collector.counters().delivered, collector.counters().lost), (300, 0));
}

#[test]
fn an_event_that_cannot_be_taken_is_lost_alone() {
    let place = Place::new("poison");
    let server = LocalCollector::start();
    let poison = Arc::new(Mutex::new(None));
    let first = Arc::clone(&poison);
    server.answer(move |one| {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        let entries = body["ev"].as_array().unwrap();
        let mut poison = first.lock().unwrap();
        let poison = poison.get_or_insert_with(|| entries[0]["random"].clone());
        Reply::status(if entries.iter().any(|entry| entry["random"] == *poison) { 500 } else { 200 })
    });
    let lost = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lost);
    let collector = collector(&server.url(), Spool { attempts: 3, ..place.spool() })
        .on_lost(move |events, why| told.lock().unwrap().extend(events.iter().map(|event| (event.stamp, *why))))
        .build()
        .unwrap();
    let start = Instant::now();
    let mut users = 0..10;
    while lost.lock().unwrap().is_empty() {
        assert!(start.elapsed() < PATIENCE);
        activate(&collector, users.clone());
        users = users.end..users.end + 10;
        std::thread::sleep(Duration::from_millis(10));
    }
    collector.flush_blocking(PATIENCE).unwrap();
    let lost = lost.lock().unwrap();
    let [(stamp, LostBy::Attempts)] = lost[..] else { panic!("{lost:?}") };
    assert_eq!(Some(json!(stamp.random())), *poison.lock().unwrap());
    wait_until_nothing_is_left(&place.0);
}

#[test]
fn what_is_held_goes_out_with_who_opens_it_next() {
    let place = Place::new("hold");
    let server = LocalCollector::start();
    let held = collector(&server.url(), Spool { hold: true, ..place.spool() }).build().unwrap();
    activate(&held, 0..100);
    held.flush_blocking(PATIENCE).unwrap();
    assert_eq!((held.counters().pending, held.counters().delivered), (100, 0));
    drop(held);
    assert!(server.arrived().is_empty());
    let sends = collector(&server.url(), place.spool()).build().unwrap();
    sends.flush_blocking(PATIENCE).unwrap();
    assert_eq!(chances(&server).len(), 100);
}

#[test]
fn a_full_spool_is_told_and_takes_no_more_bytes_than_it_may() {
    for when_full in [WhenFull::Reject, WhenFull::DropOldest] {
        let place = Place::new("full");
        let server = LocalCollector::start();
        server.answer(|_| Reply::status(503));
        let lost = Arc::new(Mutex::new(0));
        let told = Arc::clone(&lost);
        let spool = Spool { bytes: 100_000, when_full, hold: true, ..place.spool() };
        let collector = collector(&server.url(), spool)
            .on_lost(move |events, why| {
                assert_eq!(*why, LostBy::NoRoom);
                *told.lock().unwrap() += events.len();
            })
            .build()
            .unwrap();
        activate(&collector, 0..2_000);
        assert!(matches!(collector.kept_blocking(PATIENCE), Err(FlushError::Lost(_))));
        let seen = contents(&place.0).unwrap();
        assert!(seen.bytes <= 100_000 && seen.bytes > 70_000, "{}", seen.bytes);
        assert_eq!(seen.open.len() + *lost.lock().unwrap(), 2_000, "{when_full:?}");
        assert_eq!(collector.counters().lost, *lost.lock().unwrap() as u64);
    }
}

#[test]
fn a_disk_that_fails_costs_no_event() {
    let place = Place::new("disk");
    let server = LocalCollector::start();
    let collector = collector(&server.url(), place.spool()).build().unwrap();
    // No segment can be begun.
    std::fs::remove_dir_all(&place.0).unwrap();
    activate(&collector, 0..50);
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!(chances(&server).len(), 50);
    server.answer(|_| Reply::status(503));
    activate(&collector, 0..50);
    assert_eq!(collector.kept_blocking(PATIENCE), Err(FlushError::NotKept(50)));
    // It is there again, which is seen at the next try, a second after the one before.
    std::fs::create_dir_all(&place.0).unwrap();
    let (start, mut users) = (Instant::now(), 50);
    while on_disk(&place.0) == 0 {
        assert!(start.elapsed() < PATIENCE);
        activate(&collector, users..users + 1);
        users += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    activate(&collector, users..users + 50);
    assert_eq!(collector.counters().lost, 0);
    server.answer(|_| Reply::status(200));
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!(collector.counters().delivered as usize, 50 + users + 50);
    wait_until_nothing_is_left(&place.0);
}

#[test]
fn a_directory_that_is_taken_is_named() {
    let place = Place::new("taken");
    let server = LocalCollector::start();
    let _first = collector(&server.url(), place.spool()).build().unwrap();
    let spool = Spool { patience: Duration::ZERO, ..place.spool() };
    let error = collector(&server.url(), spool).build().unwrap_err();
    assert!(matches!(error, BuildError::Spool(SpoolError::InUse(_))));
    assert!(error.to_string().contains(&place.0.display().to_string()), "{error}");
}

#[test]
fn what_is_in_memory_alone_is_sent_when_the_last_one_is_dropped() {
    let place = Place::new("memory");
    let server = LocalCollector::start();
    server.answer(|_| Reply { delay: Duration::from_millis(20), ..Reply::status(200) });
    let delivery = Delivery { side_by_side: 1, ..quick() };
    let collector = collector(&server.url(), place.spool()).delivery(delivery).build().unwrap();
    std::fs::remove_dir_all(&place.0).unwrap();
    activate(&collector, 0..50);
    drop(collector);
    let start = Instant::now();
    while chances(&server).iter().collect::<BTreeSet<_>>().len() < 50 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_held_and_cannot_be_kept_is_said() {
    let place = Place::new("held-lost");
    let server = LocalCollector::start();
    let lost = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lost);
    let held = collector(&server.url(), Spool { hold: true, ..place.spool() })
        .on_lost(move |events, why| told.lock().unwrap().push((events.len(), *why)))
        .build()
        .unwrap();
    std::fs::remove_dir_all(&place.0).unwrap();
    activate(&held, 0..50);
    assert_eq!(held.kept_blocking(PATIENCE), Err(FlushError::Lost(50)));
    // It is said once.
    assert_eq!(held.kept_blocking(PATIENCE), Ok(()));
    assert_eq!(held.counters().lost, 50);
    let lost = lost.lock().unwrap();
    assert_eq!(lost.iter().map(|(events, _)| events).sum::<usize>(), 50);
    assert!(lost.iter().all(|(_, why)| *why == LostBy::Disk), "{lost:?}");
}

#[test]
fn a_segment_that_somebody_removes_costs_its_events_and_nothing_else() {
    let place = Place::new("removed");
    let server = LocalCollector::start();
    let held = collector(&server.url(), Spool { hold: true, ..place.spool() }).build().unwrap();
    activate(&held, 0..40_000);
    held.kept_blocking(PATIENCE).unwrap();
    drop(held);
    server.answer(|_| Reply::status(503));
    let collector = collector(&server.url(), place.spool()).build().unwrap();
    let segments = || {
        let entries = std::fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|ending| ending == "events")).collect();
        segments.sort();
        segments
    };
    let last = segments().pop().unwrap();
    assert!(segments().len() > 1);
    std::fs::remove_file(last).unwrap();
    // Meanwhile others are kept as ever.
    activate(&collector, 40_000..40_100);
    collector.kept_blocking(PATIENCE).unwrap();
    server.answer(|_| Reply::status(200));
    assert!(matches!(collector.flush_blocking(PATIENCE), Err(FlushError::Lost(_))));
    let counters = collector.counters();
    assert_eq!((counters.delivered + counters.lost, counters.pending), (40_100, 0));
    assert!(counters.lost > 0 && counters.delivered > 10_000, "{counters:?}");
}

#[test]
fn a_wrong_url_or_a_proxy_that_wants_a_password_costs_no_event() {
    let place = Place::new("wrong-url");
    let server = LocalCollector::start();
    for status in [302, 401, 403, 404, 407] {
        server.answer(move |_| Reply::status(status));
        let collector = collector(&server.url(), place.spool()).build().unwrap();
        activate(&collector, 0..10);
        assert_eq!(collector.flush_blocking(Duration::from_millis(100)), Err(FlushError::TimedOut), "{status}");
        assert_eq!(collector.counters().lost, 0);
    }
    server.answer(|_| Reply::status(200));
    let collector = collector(&server.url(), place.spool()).build().unwrap();
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!(collector.counters().delivered, 50);
}
