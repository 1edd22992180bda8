//! Events on their way to a real collector on this machine, which fails as it is told to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings, TrackTarget};
use steadfast::event::{BackOff, Batching, Collector, Delivery, Endpoint, FlushError, LostBy};
use steadfast_testkit::servers::{Arrived, LocalCollector, Reply};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(60);

const SDK_KEY: &str = "secret-sdk-key";

fn file() -> String {
    let file = json!({"accountId": 60781, "sdkKey": SDK_KEY, "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
        "variations": [{"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Variation-1", "weight": 50}]}]});
    file.to_string()
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings::parse(&file()).unwrap())
}

fn quick() -> Delivery {
    let back_off = BackOff { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    Delivery { back_off, ..Delivery::default() }
}

fn batches_of(events: usize) -> Delivery {
    let batch = Batching { events: NonZeroUsize::new(events).unwrap(), interval: PATIENCE };
    Delivery { batch: Some(batch), ..quick() }
}

fn collector(server: &LocalCollector, delivery: Delivery) -> Collector {
    let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
    Collector::builder().endpoint(endpoint).delivery(delivery).build().unwrap()
}

fn client(collector: &Collector) -> Client {
    Client::builder(settings()).events(collector.clone()).build()
}

fn activate(client: &Client, users: std::ops::Range<usize>) {
    for user in users {
        client.activate("ab", &format!("user {user}"), Options::NONE).unwrap();
    }
}

/// What tells one event from another.
fn chance(arrived: &Arrived) -> &str {
    let (_, rest) = arrived.path.split_once("random=").unwrap();
    rest.split('&').next().unwrap()
}

fn entries(arrived: &Arrived) -> Vec<Value> {
    let body: Value = serde_json::from_str(&arrived.body).unwrap();
    body["ev"].as_array().unwrap().clone()
}

#[test]
fn each_event_arrives_by_itself() {
    let server = LocalCollector::start();
    let collector = collector(&server, quick());
    let client = client(&collector);
    activate(&client, 0..200);
    client.track(TrackTarget::One("ab"), "user 1", "buy", Options::NONE).unwrap();
    collector.flush_blocking(PATIENCE).unwrap();
    let arrived = server.arrived();
    assert_eq!(arrived.len(), 201);
    let paths: Vec<&str> = arrived.iter().map(|one| one.path.split('?').next().unwrap()).collect();
    assert_eq!(paths.iter().filter(|path| **path == "/server-side/track-user").count(), 200);
    assert_eq!(paths.iter().filter(|path| **path == "/server-side/track-goal").count(), 1);
    let chances: HashMap<&str, usize> = arrived.iter().map(|one| (chance(one), 1)).collect();
    assert_eq!(chances.len(), 201, "each event has a number of its own");
    assert_eq!((collector.counters().delivered, collector.counters().pending), (201, 0));
}

#[test]
fn a_batch_goes_when_it_is_full_or_asked_for() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(10));
    let client = client(&collector);
    activate(&client, 0..25);
    let start = Instant::now();
    while server.arrived().len() < 2 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    collector.flush_blocking(PATIENCE).unwrap();
    let arrived = server.arrived();
    let mut many: Vec<usize> = arrived.iter().map(|one| entries(one).len()).collect();
    many.sort_unstable();
    assert_eq!(many, [5, 10, 10]);
    let (name, value) = arrived[0].headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert_eq!((name.as_str(), value.as_str()), ("authorization", SDK_KEY));
}

#[test]
fn a_batch_goes_when_its_time_has_come() {
    let server = LocalCollector::start();
    let batch = Batching { interval: Duration::from_millis(50), ..Batching::default() };
    let collector = collector(&server, Delivery { batch: Some(batch), ..quick() });
    activate(&client(&collector), 0..3);
    let start = Instant::now();
    while collector.counters().delivered < 3 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.arrived().iter().map(|one| entries(one).len()).sum::<usize>(), 3);
}

#[test]
fn what_failed_is_sent_again_and_can_be_told_to_be_the_same() {
    for delivery in [quick(), batches_of(20)] {
        let server = LocalCollector::start();
        let is_batch = delivery.batch.is_some();
        let collector = collector(&server, Delivery { attempts: u32::MAX, ..delivery });
        let mut number = 0;
        server.answer(move |_| {
            number += 1;
            Reply::status(match number % 3 {
                0 => 503,
                1 if number % 2 == 0 => 429,
                _ => 200,
            })
        });
        activate(&client(&collector), 0..200);
        // In the midst of it the collector is gone for a while.
        std::thread::sleep(Duration::from_millis(20));
        let (before, port) = (server.arrived(), server.port());
        drop(server);
        std::thread::sleep(Duration::from_millis(100));
        let server = LocalCollector::start_on(port);
        collector.flush_blocking(PATIENCE).unwrap();
        let all: Vec<Arrived> = before.into_iter().chain(server.arrived()).collect();
        let chances: Vec<String> = if is_batch {
            all.iter().flat_map(entries).map(|entry| entry["random"].to_string()).collect()
        } else {
            all.iter().map(|one| chance(one).to_owned()).collect()
        };
        let mut distinct = chances.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 200, "every event is there, and what came twice has the same number");
        assert!(collector.counters().retried > 0, "{collector:?}");
    }
}

#[test]
fn what_is_refused_or_tried_too_often_is_told_and_belongs_to_its_flush() {
    let server = LocalCollector::start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&told);
    let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
    let collector = Collector::builder()
        .endpoint(endpoint)
        .delivery(Delivery { attempts: 3, ..quick() })
        .on_lost(move |events, why| listening.lock().unwrap().push((events.len(), *why)))
        .build()
        .unwrap();
    let client = client(&collector);
    server.answer(|_| Reply::status(400));
    activate(&client, 0..2);
    assert_eq!(collector.flush_blocking(PATIENCE), Err(FlushError::Lost(2)));
    assert_eq!(*told.lock().unwrap(), [(1, LostBy::Refused(400)), (1, LostBy::Refused(400))]);
    assert_eq!(server.arrived().len(), 2, "what is refused is not tried again");
    server.answer(|_| Reply::status(500));
    activate(&client, 2..3);
    assert_eq!(collector.flush_blocking(PATIENCE), Err(FlushError::Lost(1)));
    assert_eq!(server.arrived().len(), 2 + 3);
    server.answer(|_| Reply::status(200));
    activate(&client, 3..4);
    assert_eq!(collector.flush_blocking(PATIENCE), Ok(()), "what was lost before is no matter of this one");
    assert_eq!((collector.counters().delivered, collector.counters().lost), (1, 3));
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    let server = LocalCollector::start();
    server.answer(|arrived| Reply::status(if entries(arrived).len() > 6 { 413 } else { 200 }));
    let collector = collector(&server, batches_of(20));
    activate(&client(&collector), 0..20);
    collector.flush_blocking(PATIENCE).unwrap();
    let taken: Vec<usize> = server.arrived().iter().map(|one| entries(one).len()).filter(|many| *many <= 6).collect();
    assert_eq!(taken.iter().sum::<usize>(), 20);
}

#[test]
fn a_pause_that_the_collector_asks_for_is_kept() {
    let server = LocalCollector::start();
    let first = AtomicUsize::new(0);
    server.answer(move |_| match first.fetch_add(1, Ordering::Relaxed) {
        0 => Reply { retry_after: Some("1".to_owned()), ..Reply::status(429) },
        _ => Reply::status(200),
    });
    let collector = collector(&server, quick());
    activate(&client(&collector), 0..1);
    let start = Instant::now();
    collector.flush_blocking(PATIENCE).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[test]
fn a_collector_that_says_nothing_keeps_nobody_waiting() {
    let server = LocalCollector::start();
    server.answer(|_| Reply { delay: PATIENCE, ..Reply::status(200) });
    let endpoint = Endpoint { url: server.url(), answer: Duration::from_millis(50), ..Endpoint::default() };
    let collector = Collector::builder().endpoint(endpoint).delivery(quick()).build().unwrap();
    let client = client(&collector);
    activate(&client, 0..50);
    assert_eq!(collector.flush_blocking(Duration::from_millis(100)), Err(FlushError::TimedOut));
    server.answer(|_| Reply::status(200));
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!(collector.counters().delivered, 50);
}

#[test]
fn what_has_no_room_is_lost_and_told() {
    let server = LocalCollector::start();
    server.answer(|_| Reply { delay: Duration::from_millis(200), ..Reply::status(200) });
    let lost = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lost);
    let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
    let collector = Collector::builder()
        .endpoint(endpoint)
        .delivery(Delivery { room: 10, ..quick() })
        .on_lost(move |events, why| {
            assert_eq!(*why, LostBy::NoRoom);
            count.fetch_add(events.len(), Ordering::Relaxed);
        })
        .build()
        .unwrap();
    activate(&client(&collector), 0..25);
    collector.flush_blocking(PATIENCE).unwrap();
    assert_eq!(lost.load(Ordering::Relaxed), 15);
    assert_eq!(server.arrived().len(), 10);
}

#[test]
fn what_waits_is_sent_when_the_last_one_goes() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(1_000));
    let client = client(&collector);
    activate(&client, 0..7);
    drop((client, collector));
    let start = Instant::now();
    while server.arrived().is_empty() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(entries(&server.arrived()[0]).len(), 7);
}

#[tokio::test]
async fn an_asynchronous_program_awaits_its_flush() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(1_000));
    let client = steadfast::Client::builder(settings()).events(collector.clone()).build();
    for user in 0..30 {
        client.activate("ab", &format!("user {user}"), Options::NONE).await.unwrap();
    }
    collector.flush(PATIENCE).await.unwrap();
    assert_eq!(collector.counters().delivered, 30);
}

#[tokio::test]
async fn a_goal_of_several_campaigns_is_sent_once() {
    let server = LocalCollector::start();
    let collector = collector(&server, quick());
    let mut file: Value = serde_json::from_str(&file()).unwrap();
    let mut other = file["campaigns"][0].clone();
    (other["id"], other["key"]) = (json!(2), json!("other"));
    file["campaigns"].as_array_mut().unwrap().push(other);
    let settings = Arc::new(Settings::parse(&file.to_string()).unwrap());
    let client = steadfast::Client::builder(settings).events(collector.clone()).build();
    client.track(TrackTarget::Many(&["ab", "other"]), "Ashley", "buy", Options::NONE).await.unwrap();
    collector.flush(PATIENCE).await.unwrap();
    let arrived = server.arrived();
    assert_eq!(arrived.len(), 1);
    assert_eq!(entries(&arrived[0]).len(), 2);
}

#[test]
fn a_collector_may_stand_behind_a_path() {
    let server = LocalCollector::start();
    let endpoint = Endpoint { url: format!("{}/proxy/", server.url()), ..Endpoint::default() };
    let collector = Collector::builder().endpoint(endpoint).build().unwrap();
    activate(&client(&collector), 0..1);
    collector.flush_blocking(PATIENCE).unwrap();
    assert!(server.arrived()[0].path.starts_with("/proxy/server-side/track-user?"), "{:?}", server.arrived());
}

#[test]
fn who_opts_out_sends_what_waits_for_a_batch() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(1_000));
    let client = client(&collector);
    activate(&client, 0..7);
    client.opt_out();
    activate(&client, 7..9);
    let start = Instant::now();
    while server.arrived().is_empty() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(entries(&server.arrived()[0]).len(), 7);
}

#[test]
fn each_batch_is_told_once_it_is_done_with() {
    let server = LocalCollector::start();
    // The first attempt of each fails; the second batch is refused.
    let mut count = 0;
    server.answer(move |_| {
        count += 1;
        Reply::status(match count {
            1 => 503,
            2 => 200,
            _ => 400,
        })
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let collector = Collector::builder()
        .endpoint(Endpoint { url: server.url(), ..Endpoint::default() })
        .delivery(batches_of(10))
        .flush_callback(move |error, content| {
            let content: Value = serde_json::from_str(content).unwrap();
            tell.lock().unwrap().push((error.copied(), content["ev"].as_array().unwrap().len()));
        })
        .build()
        .unwrap();
    let client = client(&collector);
    activate(&client, 0..10);
    collector.flush_blocking(PATIENCE).unwrap();
    activate(&client, 10..13);
    assert_eq!(collector.flush_blocking(PATIENCE), Err(FlushError::Lost(3)));
    // A flush ends when its events are settled; the callback comes a moment later.
    let start = Instant::now();
    while told.lock().unwrap().len() < 2 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(*told.lock().unwrap(), [(None, 10), (Some(LostBy::Refused(400)), 3)]);
}

#[test]
fn how_the_client_is_put_together_is_told_as_the_reference_does() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(10));
    let client = Client::builder(settings())
        .storage(steadfast::storage::MemoryStorage::new())
        .integrations(|_| {})
        .events(collector.clone())
        .build();
    activate(&client, 0..10);
    collector.flush_blocking(PATIENCE).unwrap();
    let path = &server.arrived()[0].path;
    assert!(path.contains("&eb=1&ig=1&ss=1&_l=1&"), "{path}");
}

#[test]
fn a_call_can_be_waited_for_until_its_event_is_there() {
    let server = LocalCollector::start();
    let collector = collector(&server, batches_of(1_000));
    let client = client(&collector);
    // What waits for a batch waits on, or goes with it: it is of the same time.
    activate(&client, 0..3);
    let deliver = |user: &str| {
        let activate = || client.activate("ab", user, Options::NONE).map(|decision| decision.variation().is_some());
        collector.delivered_blocking(PATIENCE, activate)
    };
    assert!(matches!(deliver("Ashley"), (Ok(true), Ok(()))));
    let visitor = settings().visitors().visitor("Ashley");
    assert!(server.arrived().iter().any(|one| one.body.contains(visitor.as_str())));
    // A call without an event waits for nothing.
    let (name, delivery) = collector.delivered_blocking(Duration::ZERO, || {
        client.variation_name("ab", "Ashley", Options::NONE).map(|decision| decision.variation().is_some())
    });
    assert!(matches!((name, delivery), (Ok(true), Ok(()))));
    // Its own event alone decides.
    server.answer(move |one| Reply::status(if one.body.contains(visitor.as_str()) { 200 } else { 400 }));
    assert!(matches!(deliver("Bob"), (Ok(true), Err(FlushError::Lost(1)))));
    assert!(matches!(deliver("Ashley"), (Ok(true), Ok(()))));
    server.answer(|_| Reply::status(503));
    let (_, delivery) = collector.delivered_blocking(Duration::from_millis(20), || activate(&client, 0..1));
    assert_eq!(delivery, Err(FlushError::TimedOut));
}

#[test]
fn an_asynchronous_call_can_be_waited_for_while_others_go_on() {
    let server = LocalCollector::start();
    let collector = collector(&server, quick());
    let client = Arc::new(steadfast::Client::builder(settings()).events(collector.clone()).build());
    let refused = settings().visitors().visitor("user 7");
    server.answer(move |one| Reply::status(if one.path.contains(refused.as_str()) { 400 } else { 200 }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let deliver = |user: usize| {
        let (client, collector) = (Arc::clone(&client), collector.clone());
        async move {
            let name = format!("user {user}");
            let (decision, delivery) = collector.delivered(PATIENCE, client.activate("ab", &name, Options::NONE)).await;
            assert!(decision.unwrap().variation().is_some());
            delivery
        }
    };
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50).map(|user| tokio::spawn(deliver(user))).collect();
        for (user, task) in tasks.into_iter().enumerate() {
            let wanted = if user == 7 { Err(FlushError::Lost(1)) } else { Ok(()) };
            assert_eq!(task.await.unwrap(), wanted, "user {user}");
        }
    });
}
