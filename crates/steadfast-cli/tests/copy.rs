//! `storage copy`: from one storage into another, also where it is killed on the way.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{Run, Scratch, steadfast, steadfast_with_input};
use serde_json::{Value, json};
use steadfast_testkit::servers::{Postgres, Redis};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many users that no copy of them ends before it is killed: from file to file, and with a server.
const MANY: u32 = 60_000;
const MANY_OF_A_SERVER: u32 = 12_000;

fn record(user: &str, variation: &str, goals: &str) -> Value {
    let mut record = json!({ "userId": user, "campaignKey": "ab", "variationName": variation });
    if !goals.is_empty() {
        record["goalIdentifier"] = json!(goals);
    }
    record
}

fn put(url: &str, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let run = steadfast_with_input(&["storage", "import", "--overwrite", "--storage", url], &lines);
    assert_eq!(run.status, 0, "{}", run.errors);
}

/// All lines of an export, sorted.
fn exported(url: &str) -> Vec<String> {
    let run = steadfast(&["storage", "export", "--storage", url]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let mut lines: Vec<String> = run.output.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn copy(from: &str, to: &str, arguments: &[&str]) -> Run {
    steadfast(&[&["storage", "copy", from, to], arguments].concat())
}

/// A storage in a file that many users are in.
fn crowd(scratch: &Scratch, many: u32) -> String {
    let url = format!("embedded:{}", scratch.path("crowd.redb"));
    let users: Vec<Value> = (0..many).map(|user| record(&format!("user-{user:05}"), "Green", "")).collect();
    put(&url, &users);
    url
}

/// Starts a copy and kills it as soon as it has a state to go on from.
fn kill_on_the_way(from: &str, to: &str, state: &str) {
    let mut copy = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["storage", "copy", from, to, "--resume", state])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(state, &mut copy);
    copy.kill().unwrap();
    assert!(!copy.wait().unwrap().success(), "it was killed on the way");
}

fn wait_for(state: &str, copy: &mut Child) {
    let start = Instant::now();
    while !Path::new(state).exists() {
        assert!(copy.try_wait().unwrap().is_none() && start.elapsed() < PATIENCE, "it writes no state");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_first_variation_at_the_target_stays_and_goals_are_united() {
    let scratch = Scratch::new("copy-merge");
    let [from, to] = ["from", "to"].map(|name| format!("embedded:{}", scratch.path(&format!("{name}.redb"))));
    put(&from, &[record("Ashley", "Green", "a"), record("Bo", "Green", "a"), record("Cleo", "Green", "")]);
    put(&to, &[record("Ashley", "Control", "b"), record("Bo", "Green", "b")]);
    let run = copy(&from, &to, &[]);
    assert_eq!((run.status, &*run.errors), (0, ""));
    run.has_lines(&[
        "read               3  from embedded:",
        "copied             2  to embedded:",
        "kept               1  because the target had another variation",
        "failed             0",
    ]);
    let merged =
        [record("Ashley", "Control", "b_vwo_a"), record("Bo", "Green", "b_vwo_a"), record("Cleo", "Green", "")];
    let texts = |records: &[Value]| records.iter().map(Value::to_string).collect::<Vec<_>>();
    let values = |lines: Vec<String>| {
        lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(values(exported(&to)), texts(&merged));
    // Once more, over it.
    let run = copy(&from, &to, &["--overwrite", "--json"]);
    let all =
        json!({"read": 3, "copied": 3, "keptOtherVariation": 0, "failed": 0, "firstFailure": null, "resumed": false});
    assert_eq!((run.status, run.json()), (0, all));
    assert_eq!(exported(&to), exported(&from));
}

#[test]
fn a_copy_that_was_killed_goes_on() {
    let scratch = Scratch::new("copy-killed");
    let (from, to) = (crowd(&scratch, MANY), format!("embedded:{}", scratch.path("to.redb")));
    let state = scratch.path("copy.json");
    kill_on_the_way(&from, &to, &state);
    let left: Value = serde_json::from_str(&std::fs::read_to_string(&state).unwrap()).unwrap();
    let done = left["read"].as_u64().unwrap();
    let there = exported(&to).len() as u64;
    assert!(0 < done && done < u64::from(MANY) && done <= there, "{done} of {there}");
    // Of other storages, or written over, it is another copy.
    let other = format!("embedded:{}", scratch.path("other.redb"));
    copy(&from, &other, &["--resume", &state]).refuses(&["is about a copy of other storages", "start over"]);
    copy(&from, &to, &["--overwrite", "--resume", &state]).refuses(&["with another --overwrite"]);
    let run = copy(&from, &to, &["--resume", &state, "--json"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert!(run.errors.contains("going on after "), "{}", run.errors);
    let counts = run.json();
    assert_eq!((&counts["read"], &counts["copied"], &counts["resumed"]), (&json!(MANY), &json!(MANY), &json!(true)));
    assert!(exported(&to) == exported(&from), "all is there");
    assert!(!Path::new(&state).exists(), "a copy that is done leaves no state");
}

#[test]
fn a_copy_to_a_server_that_was_killed_goes_on_and_keeps_the_password_to_itself() {
    let scratch = Scratch::new("copy-to-redis");
    let server = Redis::start_with(&["--requirepass", "hidden"]);
    let to = format!("redis://:hidden@127.0.0.1:{}", server.port());
    let (from, state) = (crowd(&scratch, MANY_OF_A_SERVER), scratch.path("copy.json"));
    kill_on_the_way(&from, &to, &state);
    let left = std::fs::read_to_string(&state).unwrap();
    assert!(left.contains("redis://127.0.0.1:") && !left.contains("hidden"), "{left}");
    let run = copy(&from, &to, &["--resume", &state]);
    assert_eq!(run.status, 0, "{}", run.errors);
    run.has_lines(&["read          12,000", "copied        12,000  to redis://127.0.0.1:"]);
    assert!(run.errors.contains("going on after ") && !run.errors.contains("hidden"), "{}", run.errors);
    assert!(exported(&to) == exported(&from), "all is there");
}

#[test]
fn a_copy_does_not_go_on_where_what_was_copied_is_gone() {
    let scratch = Scratch::new("copy-gone");
    let (from, path) = (crowd(&scratch, MANY), scratch.path("to.redb"));
    let (to, state) = (format!("embedded:{path}"), scratch.path("copy.json"));
    kill_on_the_way(&from, &to, &state);
    std::fs::remove_file(&path).unwrap();
    copy(&from, &to, &["--resume", &state]).refuses(&["is gone with", "remove the state file"]);
    assert!(!Path::new(&path).exists(), "nothing is made");
    let server = Redis::start();
    let (to, state) = (server.url(), scratch.path("other.json"));
    kill_on_the_way(&from, &to, &state);
    assert!(server.ask(&["FLUSHALL"]).contains("OK"));
    copy(&from, &to, &["--resume", &state]).refuses(&["nothing is in `redis://", "remove the state file"]);
    std::fs::remove_file(&state).unwrap();
    assert_eq!(copy(&from, &to, &["--resume", &state]).status, 0);
}

#[test]
fn a_server_that_cannot_be_read_on_is_read_from_the_start() {
    let scratch = Scratch::new("copy-from-redis");
    let server = Redis::start();
    let (crowd, from) = (crowd(&scratch, MANY_OF_A_SERVER), server.url());
    assert_eq!(copy(&crowd, &from, &[]).status, 0);
    let (to, state) = (format!("embedded:{}", scratch.path("to.redb")), scratch.path("copy.json"));
    kill_on_the_way(&from, &to, &state);
    let run = copy(&from, &to, &["--resume", &state, "--json"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert!(run.errors.contains("starting over, since the storage cannot be read on"), "{}", run.errors);
    let counts = run.json();
    assert_eq!(
        (&counts["read"], &counts["copied"], &counts["resumed"]),
        (&json!(MANY_OF_A_SERVER), &json!(MANY_OF_A_SERVER), &json!(false))
    );
    assert!(exported(&to) == exported(&crowd), "all is there");
    assert!(!Path::new(&state).exists());
}

#[test]
fn records_go_from_server_to_server_and_a_killed_copy_goes_on() {
    let scratch = Scratch::new("copy-postgres");
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let (crowd, from) = (crowd(&scratch, MANY_OF_A_SERVER), postgres.database());
    assert_eq!(copy(&crowd, &from, &[]).status, 0);
    let (to, state) = (redis.url(), scratch.path("copy.json"));
    kill_on_the_way(&from, &to, &state);
    let left = std::fs::read_to_string(&state).unwrap();
    assert!(left.contains("postgres://localhost:") && !left.contains("secret"), "{left}");
    let run = copy(&from, &to, &["--resume", &state, "--json"]);
    assert_eq!((run.status, &run.json()["resumed"]), (0, &json!(true)), "{}", run.errors);
    assert!(exported(&to) == exported(&crowd), "all is there");
}

#[test]
fn what_the_target_cannot_keep_is_counted() {
    let scratch = Scratch::new("copy-fails");
    let server = Redis::start();
    let from = format!("embedded:{}", scratch.path("from.redb"));
    put(&from, &[record("Ashley", "Green", ""), record("Bo", "Green", "")]);
    // What is in Bo's place is no record.
    assert_eq!(server.ask(&["HSET", "steadfast:{Bo}", "ab", "no record"]).trim(), "1");
    let run = copy(&from, &server.url(), &["--json"]);
    assert_eq!(run.status, 4, "{}{}", run.output, run.errors);
    assert_eq!((&run.json()["copied"], &run.json()["failed"]), (&json!(1), &json!(1)));
    assert!(run.errors.contains("1 record could not be copied: ") && !run.errors.contains("Bo"), "{}", run.errors);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let scratch = Scratch::new("copy-refuses");
    let (path, other) = (scratch.path("users.redb"), format!("embedded:{}", scratch.path("other.redb")));
    let from = format!("embedded:{path}");
    copy(&from, &other, &[]).refuses(&["there is no storage file"]);
    put(&from, &[record("Ashley", "Green", "")]);
    copy(&from, &from, &[]).refuses(&["are the same storage", "name another one"]);
    copy("redis://a@here", "redis://b:c@here", &[]).refuses(&["`redis://here` and `redis://here` are the same"]);
    copy("memory:", &other, &[]).refuses(&["nothing to copy"]);
    copy("none:", &other, &[]).refuses(&["`none:` keeps nothing"]);
    copy(&from, "memory:", &["--resume", &scratch.path("copy.json")]).refuses(&["gone at the end"]);
    copy(&from, &other, &["--resume", &path]).refuses(&["would be overwritten"]);
    let wrong = scratch.file("copy.json", "{}");
    copy(&from, &other, &["--resume", &wrong]).refuses(&["does not say where a copy was left", "start over"]);
    assert!(!Path::new(&scratch.path("other.redb")).exists(), "nothing is made");
    assert_eq!(copy(&from, "memory:", &[]).status, 0);
}
