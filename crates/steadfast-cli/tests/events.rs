//! `batch --events` and `events`: what is kept in a directory, looked at, and sent.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use command::{Scratch, steadfast};
use serde_json::{Value, json};
use steadfast_testkit::servers::{LocalCollector, Reply};

const USERS: usize = 500;

/// A settings file, and calls of which each makes an event; the last is a goal.
fn files(scratch: &Scratch) -> (String, String) {
    let (settings, calls) = (scratch.path("settings.json"), scratch.path("calls.ndjson"));
    let file = json!({"accountId": 60781, "sdkKey": "5ecret", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
        "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    std::fs::write(&settings, file.to_string()).expect("it can be written");
    let call = |user: usize| json!({"op": "activate", "campaignKey": "ab", "userId": format!("somebody-{user}")});
    let mut lines: Vec<Value> = (1..USERS).map(call).collect();
    lines.push(json!({"op": "track", "campaignKey": "ab", "userId": "somebody-1", "goalIdentifier": "buy"}));
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&calls, lines).expect("it can be written");
    (settings, calls)
}

fn stats(directory: &str) -> Value {
    let run = steadfast(&["events", "stats", directory, "--json"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    serde_json::from_str(&run.output).expect("it is JSON")
}

#[test]
fn events_are_kept_looked_at_and_sent() {
    let scratch = Scratch::new("events");
    let (settings, calls) = files(&scratch);
    let directory = scratch.path("events");
    let run = steadfast(&["batch", "--settings", &settings, "--input", &calls, "--events", &directory]);
    assert_eq!((run.status, run.output.lines().count()), (0, USERS), "{}", run.errors);
    assert!(run.errors.contains("500 events kept in") && run.errors.contains("events replay"), "{}", run.errors);
    let found = stats(&directory);
    assert_eq!(
        (&found["waiting"], &found["impressions"], &found["conversions"]),
        (&json!(500), &json!(499), &json!(1))
    );
    let run = steadfast(&["events", "stats", &directory]);
    assert!(run.output.contains("499 impressions, 1 conversion, 0 pushes"), "{}", run.output);

    let tail = |lines: &str| steadfast(&["events", "tail", &directory, "-n", lines]).output;
    let all = tail("1000");
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), USERS);
    assert_eq!(tail("2").lines().collect::<Vec<_>>(), &lines[USERS - 2..]);
    assert!(!all.contains("somebody") && !all.contains("5ecret"));
    // Without a storage calls are answered side by side: in any order.
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let of_kind = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert_eq!(of_kind("impression")[0]["campaignId"], 1);
    assert_eq!(of_kind("conversion")[0]["goalIdentifier"], "buy");

    // A collector that does not answer well in time: everything stays.
    let server = LocalCollector::start();
    let url = server.url();
    server.answer(|_| Reply::status(503));
    let run = steadfast(&["events", "replay", &directory, "--url", &url, "--timeout", "1"]);
    assert_eq!(run.status, 3, "{}", run.errors);
    assert!(
        run.errors.contains("500 events could not be delivered within 1 s, and stay; the collector answers 503"),
        "{}",
        run.errors
    );
    assert_eq!(stats(&directory)["waiting"], 500);

    server.answer(|_| Reply::status(200));
    server.forget();
    let run = steadfast(&["events", "replay", &directory, "--url", &url]);
    assert_eq!((run.status, run.errors.trim_end()), (0, "500 events delivered"));
    assert_eq!(stats(&directory)["waiting"], 0);
    let entries = server.arrived().iter().map(|one| one.body.matches("\"random\"").count()).sum::<usize>();
    assert_eq!(entries, USERS);
    let run = steadfast(&["events", "replay", &directory, "--url", &url]);
    assert_eq!((run.status, run.errors.trim_end()), (0, "0 events delivered"));
}

#[test]
fn a_batch_sends_its_events_to_a_collector_and_says_when_it_cannot() {
    let scratch = Scratch::new("events-url");
    let (settings, calls) = files(&scratch);
    let server = LocalCollector::start();
    let batch = || steadfast(&["batch", "--settings", &settings, "--input", &calls, "--events", &server.url()]);
    let run = batch();
    assert_eq!(run.status, 0, "{}", run.errors);
    let entries = server.arrived().iter().map(|one| one.body.matches("\"random\"").count()).sum::<usize>();
    assert_eq!(entries, USERS);
    server.answer(|_| Reply::status(400));
    let run = batch();
    assert_eq!((run.status, run.output.lines().count()), (4, USERS));
    assert!(run.errors.contains("500 events were lost: the collector answers 400"), "{}", run.errors);
}

#[test]
fn what_comes_is_printed_as_it_comes() {
    let scratch = Scratch::new("events-follow");
    let (settings, calls) = files(&scratch);
    let directory = scratch.path("events");
    let none = scratch.path("none.ndjson");
    std::fs::write(&none, "").expect("it can be written");
    let run = steadfast(&["batch", "--settings", &settings, "--input", &none, "--events", &directory]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let mut tail = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["events", "tail", &directory, "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let run = steadfast(&["batch", "--settings", &settings, "--input", &calls, "--events", &directory]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let output = BufReader::new(tail.stdout.take().expect("it has an output"));
    let lines: Vec<String> = output.lines().take(USERS).map(|line| line.expect("it is text")).collect();
    tail.kill().and_then(|()| tail.wait()).expect("it ends");
    assert_eq!(lines.iter().filter(|line| line.contains("conversion")).count(), 1);
}

#[test]
fn wrong_directories_are_named_and_not_made() {
    let scratch = Scratch::new("events-wrong");
    let missing = scratch.path("missing");
    for command in ["stats", "tail", "replay"] {
        steadfast(&["events", command, &missing]).refuses(&[&missing, "is not there", "check the path"]);
    }
    assert!(!std::path::Path::new(&missing).exists());
    let file = scratch.path("file");
    std::fs::write(&file, "").expect("it can be written");
    steadfast(&["events", "stats", &file]).refuses(&["is no directory"]);
    let other = scratch.path("other");
    std::fs::create_dir(&other).expect("it can be made");
    for command in ["stats", "tail", "replay"] {
        steadfast(&["events", command, &other]).refuses(&["no events are kept in", &other]);
    }
    assert_eq!(std::fs::read_dir(&other).expect("it is there").count(), 0, "nothing is left in it");
    let (settings, calls) = files(&scratch);
    let batch = |events: &str| steadfast(&["batch", "--settings", &settings, "--input", &calls, "--events", events]);
    batch(&file).refuses(&[&file]);
    for events in ["127.0.0.1:18931", "http:/127.0.0.1:1", "localhost:80/path"] {
        batch(events).refuses(&[events, "http://HOST:PORT"]);
    }
}
