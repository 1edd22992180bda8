//! `cargo bench -p steadfast-testkit --features golden --bench events`: what a decision pays for its event, and how fast
//! events arrive at a collector on this machine.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings};
use steadfast::event::{Batching, Collector, Delivery, Endpoint, Spool};
use steadfast_testkit::servers::LocalCollector;

const CALLS: usize = 50_000;
const ROUNDS: usize = 9;

fn settings() -> Arc<Settings> {
    let text = r#"{"accountId":888888,"version":1,"sdkKey":"k","campaigns":[{"id":1,"key":"campaign-1",
        "type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"isForcedVariationEnabled":false,"segments":{},
        "goals":[],"variations":[{"id":1,"name":"Control","weight":50},{"id":2,"name":"Variation-1","weight":50}]}]}"#;
    Arc::new(Settings::parse(text).unwrap())
}

/// The median of a call, in nanoseconds.
fn call(client: &Client, users: &[String]) -> f64 {
    let mut times: Vec<u64> = users
        .iter()
        .map(|user| {
            let start = Instant::now();
            std::hint::black_box(client.activate("campaign-1", user, Options::NONE).is_ok());
            u64::try_from(start.elapsed().as_nanos()).unwrap()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2] as f64
}

fn main() {
    let users: Vec<String> = (0..CALLS).map(|number| format!("user {number}")).collect();
    let server = LocalCollector::start();
    let endpoint = Endpoint { url: server.url(), ..Endpoint::default() };
    let collector = |batch: Option<usize>, spool: Option<&Path>| {
        let events = |many| NonZeroUsize::new(many).unwrap();
        let batch = batch.map(|many| Batching { events: events(many), interval: Duration::from_secs(1) });
        let delivery = Delivery { batch, room: 2 * CALLS * (ROUNDS + 1), ..Delivery::default() };
        let collector = Collector::builder().endpoint(endpoint.clone()).delivery(delivery);
        match spool {
            None => collector.build().unwrap(),
            Some(folder) => collector.spool(Spool::new(folder)).build().unwrap(),
        }
    };
    println!("what `activate` pays for its event, at the median of {CALLS} calls; median of {ROUNDS} rounds\n");
    for (what, batch, is_kept) in [
        ("each by itself", None, false),
        ("in batches of 1,000", Some(1_000), false),
        ("in batches of 1,000, on disk before that", Some(1_000), true),
    ] {
        let without = Client::builder(settings()).build();
        let mut more: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let folder = tempfile::tempdir().unwrap();
                let collector = collector(batch, is_kept.then(|| folder.path()));
                let with = Client::builder(settings()).events(collector.clone()).build();
                let more = call(&with, &users) - call(&without, &users);
                // What is still to be sent is no load of the next round's.
                if batch.is_some() {
                    collector.flush_blocking(Duration::from_secs(60)).unwrap();
                } else {
                    std::mem::forget((with, collector));
                }
                more
            })
            .collect();
        more.sort_by(f64::total_cmp);
        println!("{:>8.0} ns  {what}  (at most 500)", more[ROUNDS / 2]);
    }
    for (what, is_kept) in [("", false), (", on disk before that", true)] {
        let folder = tempfile::tempdir().unwrap();
        let collector = collector(Some(1_000), is_kept.then(|| folder.path()));
        let client = Client::builder(settings()).events(collector.clone()).build();
        let start = Instant::now();
        for user in &users {
            std::hint::black_box(client.activate("campaign-1", user, Options::NONE).is_ok());
        }
        collector.flush_blocking(Duration::from_secs(60)).unwrap();
        let rate = CALLS as f64 / start.elapsed().as_secs_f64();
        println!("{rate:>8.0}  events a second in batches of 1,000{what}, to their end");
    }
}
