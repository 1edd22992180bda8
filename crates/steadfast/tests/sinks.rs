//! Where events can go on this machine: files that are put aside, the standard output, several sinks at once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::policy::GoalTypes;
use steadfast::engine::{Event, Options, Policy, Settings};
use steadfast::event::{EventSink, MemoryEvents, NdjsonEvents, Rotation, StdoutEvents, Usage};
use steadfast::storage::MemoryStorage;

fn settings() -> Arc<Settings> {
    let file = json!({"accountId": 1, "sdkKey": "k", "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]}]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

fn activate(client: &Client, users: std::ops::Range<usize>) {
    for user in users {
        client.activate("ab", &format!("user-{user:03}"), Options::NONE).unwrap();
    }
}

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("steadfast-sinks-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn users_in(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let user = |line: &str| serde_json::from_str::<Value>(line).unwrap()["userId"].as_str().unwrap().to_owned();
    text.lines().map(user).collect()
}

#[test]
fn a_file_that_is_large_is_put_aside_and_no_line_is_cut() {
    let folder = Folder::new("rotated");
    let path = folder.0.join("events.ndjson");
    let aside = |number: u32| folder.0.join(format!("events.ndjson.{number}"));
    let rotation = Rotation { bytes: 2_000, files: 3 };
    // It goes on where another process stopped.
    for part in 0..4 {
        let events = Arc::new(NdjsonEvents::rotated(&path, rotation).unwrap());
        let client = Client::builder(settings()).events(Arc::clone(&events)).build();
        activate(&client, part * 25..(part + 1) * 25);
        events.flush().unwrap();
    }
    assert!(!aside(4).exists(), "no more than three are kept");
    let files = [aside(3), aside(2), aside(1), path];
    let users: Vec<String> = files.iter().flat_map(|file| users_in(file)).collect();
    assert_eq!(users.last().unwrap(), "user-099");
    let first: usize = users[0].trim_start_matches("user-").parse().unwrap();
    assert!(first > 0, "the oldest are gone");
    assert_eq!(users, (first..100).map(|user| format!("user-{user:03}")).collect::<Vec<_>>());
    for file in &files {
        assert!(std::fs::metadata(file).unwrap().len() <= 2_000);
    }
}

#[test]
fn a_file_that_cannot_be_put_aside_grows_on_and_loses_nothing() {
    let folder = Folder::new("stuck");
    let path = folder.0.join("events.ndjson");
    // A folder is in its place, which a file cannot replace.
    std::fs::create_dir_all(folder.0.join("events.ndjson.1/full")).unwrap();
    let events = Arc::new(NdjsonEvents::rotated(&path, Rotation { bytes: 500, files: 1 }).unwrap());
    let client = Client::builder(settings()).events(Arc::clone(&events)).build();
    activate(&client, 0..20);
    events.flush().unwrap();
    assert_eq!(users_in(&path).len(), 20);
}

#[test]
fn opting_out_writes_what_waits() {
    let folder = Folder::new("opting-out");
    let path = folder.0.join("events.ndjson");
    let client = Client::builder(settings()).events(NdjsonEvents::open(&path).unwrap()).build();
    activate(&client, 0..3);
    client.opt_out();
    assert_eq!(users_in(&path).len(), 3);
    activate(&client, 3..6);
    drop(client);
    assert_eq!(users_in(&path).len(), 3);
}

const IN_CHILD: &str = "STEADFAST_TEST_STDOUT";

#[test]
fn lines_go_to_the_standard_output() {
    if std::env::var_os(IN_CHILD).is_some() {
        let client = Client::builder(settings()).events(StdoutEvents).build();
        return activate(&client, 0..3);
    }
    let arguments = ["--exact", "lines_go_to_the_standard_output", "--nocapture"];
    let child = Command::new(std::env::current_exe().unwrap()).args(arguments).env(IN_CHILD, "1").output().unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    let lines: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert_eq!((&lines[2]["event"], &lines[2]["userId"]), (&json!("impression"), &json!("user-002")));
    assert!(lines[2]["time"].as_u64() > Some(1_700_000_000_000));
}

struct Panics;

impl EventSink for Panics {
    fn send(&self, _: &Event<'_, '_>) {
        panic!("a sink that panics");
    }
}

#[test]
fn each_sink_gets_each_event_whatever_the_others_do() {
    let (first, second) = (Arc::new(MemoryEvents::new()), Arc::new(MemoryEvents::new()));
    let client =
        Client::builder(settings()).events(Arc::clone(&first)).events(Panics).events(Arc::clone(&second)).build();
    activate(&client, 0..3);
    let (first, second) = (first.take(), second.take());
    assert_eq!(first.len(), 3);
    assert_eq!(first, second);
}

#[derive(Default)]
struct Curious(Mutex<Vec<Usage>>);

impl EventSink for Curious {
    fn send(&self, _: &Event<'_, '_>) {}

    fn launched(&self, usage: &Usage) {
        self.0.lock().unwrap().push(*usage);
    }
}

#[test]
fn a_sink_hears_how_the_client_is_put_together() {
    let curious = Arc::new(Curious::default());
    drop(Client::builder(settings()).events(Arc::clone(&curious)).build());
    let policy = Policy { track_returning_users: true, goal_types: GoalTypes::Revenue, ..Policy::default() };
    let all = || Client::builder(settings()).policy(policy).integrations(|_| {}).events(Arc::clone(&curious));
    drop(all().storage(MemoryStorage::new()).build());
    drop(all().development_mode(true).build());
    let heard = curious.0.lock().unwrap();
    assert_eq!(heard.len(), 2, "in development mode nothing leaves");
    assert_eq!(heard[0], Usage::default());
    let Usage { integrations, storage, track_returning_users, goal_types, polling, .. } = heard[1];
    assert_eq!([integrations, storage, track_returning_users, goal_types, polling], [true, true, true, true, false]);
}
