//! What a decision costs in units of the floor: the hash of the same bytes, one look-up in a hash map, one scan of
//! ranges. Measured in turns, floor and subject, so that a noisy machine disturbs both alike.
//!
//! `cargo bench -p steadfast-engine --bench ratios`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod fixture;

use std::hash::RandomState;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fixture::*;
use rustc_hash::FxBuildHasher;
use steadfast_engine::Options;

fn main() {
    let users = users();
    let over_users = |work: &dyn Fn(&str) -> bool| -> Duration {
        let start = Instant::now();
        for user in &users[..10_000] {
            black_box(work(black_box(user)));
        }
        start.elapsed()
    };
    let small = settings(1);
    let large = settings(10_000);
    let new_bucketing = compiled(&settings_text(1, r#""isNB":true,"isNBv2":true,"#, "{}", false));
    let (audience, options) = (compiled(&settings_text(1, "", AUDIENCE, false)), audience_options());
    let grouped = compiled(&settings_text(4, "", "{}", true));
    let stored = stored();
    let floor = Floor::<RandomState>::new(1);
    let fast_floor = Floor::<FxBuildHasher>::new(1);
    let keys: Vec<String> = (0..10_000).map(|number| format!("campaign-{}", number * 7_919 % 10_000 + 1)).collect();
    let floor_large = Floor::<RandomState>::new(10_000);

    println!("ratios, medians of runs taken in turns");
    let plain = || over_users(&|user| activate(&small, "campaign-1", user, Options::NONE));
    let base = || over_users(&|user| floor.decide("campaign-1", user).is_some());
    ratio("activate, no storage / floor", plain, base, "at most 2");
    ratio(
        "activate, no storage / floor with the engine's faster map",
        plain,
        || over_users(&|user| fast_floor.decide("campaign-1", user).is_some()),
        "",
    );
    ratio(
        "activate, three conditions / floor",
        || over_users(&|user| activate(&audience, "campaign-1", user, &options)),
        base,
        "",
    );
    ratio(
        "activate, new bucketing (two hashes) / floor",
        || over_users(&|user| activate(&new_bucketing, "campaign-1", user, Options::NONE)),
        base,
        "",
    );
    ratio(
        "activate, group of four / floor",
        || over_users(&|user| activate(&grouped, "campaign-1", user, Options::NONE)),
        base,
        "",
    );
    ratio(
        "activate, stored record / floor with a map of records",
        || over_users(&|user| activate_stored(&small, user, &stored)),
        || over_users(&|user| floor.decide("campaign-1", user).is_some() && stored.contains_key(user)),
        "",
    );
    ratio("track, no storage / floor", || over_users(&|user| track(&small, user)), base, "");
    ratio(
        "activate, one of 10,000 campaigns / the only one",
        || over_users(&|user| activate(&large, "campaign-5000", user, Options::NONE)),
        plain,
        "at most 1.5",
    );
    let in_turn = |work: &dyn Fn(&str, &str) -> bool| -> Duration {
        let start = Instant::now();
        for (user, key) in users.iter().zip(&keys) {
            black_box(work(black_box(key), black_box(user)));
        }
        start.elapsed()
    };
    ratio(
        "activate, 10,000 campaigns in random turn / floor in the same turn",
        || in_turn(&|key, user| activate(&large, key, user, Options::NONE)),
        || in_turn(&|key, user| floor_large.decide(key, user).is_some()),
        "",
    );
    let text = settings_text(10_000, "", AUDIENCE, false);
    ratio(
        "compile 10,000 campaigns / serde_json to Value",
        || timed(|| compiled(&text)),
        || timed(|| serde_json::from_str::<serde_json::Value>(&text)),
        "at most 3",
    );
    let decide = |user: &str| activate(&small, "campaign-1", user, Options::NONE);
    ratio(
        "two threads / one, decisions per second",
        || threads(&users, 1, &decide),
        || threads(&users, 2, &decide),
        "at least 1.8, or what the floor gets",
    );
    let bare = |user: &str| floor.decide("campaign-1", user).is_some();
    ratio(
        "two threads / one, the floor: what the machine gives",
        || threads(&users, 1, &bare),
        || threads(&users, 2, &bare),
        "",
    );
}

fn timed<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let elapsed = start.elapsed();
    drop(result);
    elapsed
}

/// The time for a fixed number of users, spread over so many threads.
fn threads(users: &[String], threads: usize, work: &(dyn Fn(&str) -> bool + Sync)) -> Duration {
    const DECISIONS: usize = 4_000_000;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for user in users.iter().cycle().take(DECISIONS / threads) {
                    black_box(work(black_box(user)));
                }
            });
        }
    });
    start.elapsed()
}

/// Prints the median of the quotients of runs taken in turns.
fn ratio(name: &str, subject: impl Fn() -> Duration, floor: impl Fn() -> Duration, wanted: &str) {
    const ROUNDS: usize = 41;
    let mut quotients = Vec::with_capacity(ROUNDS);
    let rounds = if floor() > Duration::from_millis(10) { 9 } else { ROUNDS };
    subject();
    for _ in 0..rounds {
        let (above, below) = (subject().as_secs_f64(), floor().as_secs_f64());
        quotients.push(above / below);
    }
    quotients.sort_by(f64::total_cmp);
    let wanted = if wanted.is_empty() { String::new() } else { format!("  ({wanted})") };
    println!("{:>8.2}  {name}{wanted}", quotients[quotients.len() / 2]);
}
