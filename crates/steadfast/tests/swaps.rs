//! Settings that are swapped while decisions go on. Alone in its process, whose memory it looks at.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use steadfast::blocking;
use steadfast::engine::{Options, Settings, TrackTarget};

/// Two campaigns in which everybody gets this variation.
fn all_get(variation: &str) -> Arc<Settings> {
    let campaign = |id: u32, key: &str| {
        json!({"id": id, "key": key, "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
            "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
            "variations": [{"id": 1, "name": variation, "weight": 100}]})
    };
    let file = json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": [campaign(1, "ab"), campaign(2, "other")]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

/// The memory of this process, in bytes; none where the system does not tell.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4_096)
}

#[test]
fn a_thousand_swaps_a_second_tear_no_call_and_keep_nothing() {
    let client = blocking::Client::builder(all_get("Old")).build();
    let (is_over, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let seconds = 2;
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (client, is_over, calls) = (&client, &is_over, &calls);
            scope.spawn(move || {
                while is_over.load(Ordering::Relaxed) == 0 {
                    let user = format!("user {thread}");
                    let tracking =
                        client.track(TrackTarget::Many(&["ab", "other"]), &user, "buy", Options::NONE).unwrap();
                    let variations: Vec<&str> = tracking.conversions().map(|one| one.variation.name()).collect();
                    assert!(variations == ["Old", "Old"] || variations == ["New", "New"], "{variations:?}");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let start = Instant::now();
        let mut before = None;
        for swap in 0..seconds * 1_000 {
            drop(client.update_settings(all_get(if swap % 2 == 0 { "New" } else { "Old" })));
            if swap == seconds * 100 {
                before = resident();
            }
            let due = Duration::from_millis(swap);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
        if let (Some(before), Some(after)) = (before, resident()) {
            // A file of settings is some kB: if they were kept it would be a few MB.
            assert!(after < before + (2 << 20), "{before} bytes became {after}");
        }
        is_over.store(1, Ordering::Relaxed);
    });
    assert!(calls.load(Ordering::Relaxed) > 1_000);
}
