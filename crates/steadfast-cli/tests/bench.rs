//! `storage bench`: what it measures, and that nothing of it stays behind.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Run, Scratch, steadfast};
use serde_json::json;
use steadfast_testkit::servers::Redis;

const RECORD: &str = r#"{"userId":"steadfast-bench-0","campaignKey":"steadfast-bench","variationName":"Green"}"#;

/// Keeps a user of somebody else, whose id is much like those of a run.
fn put_another_user(url: &str) {
    assert_eq!(steadfast(&["storage", "put", RECORD, "--storage", url]).status, 0);
}

fn only_the_other_user_is_there(url: &str) {
    let run = steadfast(&["storage", "export", "--storage", url]);
    let records: Vec<serde_json::Value> = run.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records, [serde_json::from_str::<serde_json::Value>(RECORD).unwrap()], "{}", run.errors);
}

fn bench(url: &str, arguments: &[&str]) -> Run {
    steadfast(&[&["storage", "bench", url], arguments].concat())
}

fn measures_and_erases(url: &str) {
    put_another_user(url);
    let run = bench(url, &["--users", "300", "--concurrency", "4", "--seconds", "60", "--json"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let json = run.json();
    let mut calls = Vec::new();
    for measured in json["measurements"].as_array().unwrap() {
        let number = |key: &str| measured[key].as_f64().unwrap();
        calls.push(measured["operation"].as_str().unwrap());
        assert_eq!((&measured["answered"], &measured["failed"]), (&json!(300), &json!(0)), "{measured}");
        assert!(number("opsPerSecond") > 0.0, "{measured}");
        assert!(0.0 < number("p50Micros") && number("p50Micros") <= number("p99Micros"), "{measured}");
        assert!(number("p99Micros") <= number("p999Micros"), "{measured}");
    }
    assert_eq!(calls, ["getAbsent", "mergeNew", "getStored", "mergeGoal"]);
    only_the_other_user_is_there(url);
}

#[test]
fn a_file_is_measured_and_left_as_it_was() {
    let scratch = Scratch::new("bench-file");
    let url = format!("embedded:{}", scratch.path("users.redb"));
    measures_and_erases(&url);
    let run = bench(&url, &["--users", "50", "--concurrency", "2"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    run.has_lines(&[", 2 calls at a time", "p50", "p99", "p99.9", "get, absent", "50", "merge, new", "get, stored"]);
    run.has_lines(&["merge, a goal"]);
    only_the_other_user_is_there(&url);
}

#[test]
fn a_server_is_measured_and_left_as_it_was() {
    measures_and_erases(&Redis::start().url());
}

#[cfg(unix)]
#[test]
fn one_that_is_interrupted_or_killed_leaves_nothing_for_good() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let server = Redis::start();
    let url = server.url();
    put_another_user(&url);
    for signal in ["INT", "TERM", "KILL"] {
        let mut bench = Command::new(env!("CARGO_BIN_EXE_steadfast"))
            .args(["storage", "bench", &url, "--users", "5000", "--seconds", "3600"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(bench.stderr.take().unwrap()).lines();
        let how_to_erase = told.next().unwrap().unwrap();
        // The user of somebody else, and some of its own.
        while server.ask(&["DBSIZE"]).trim().parse::<u32>().unwrap() < 3 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &bench.id().to_string()]).status().unwrap().success()
        );
        let rest: Vec<String> = told.map(Result::unwrap).collect();
        let status = bench.wait().unwrap();
        if signal == "KILL" {
            assert!(!status.success());
            let command = how_to_erase.split_once("erases its users: steadfast ").unwrap().1;
            let run = steadfast(&command.split(' ').collect::<Vec<_>>());
            assert_eq!(run.status, 0, "{}", run.errors);
            run.has_lines(&["nothing is left of the 5,000 users of "]);
        } else {
            assert_eq!(status.code(), Some(3), "{rest:?}");
            assert!(rest.iter().any(|line| line.contains("interrupted: its users are erased")), "{rest:?}");
        }
        only_the_other_user_is_there(&url);
    }
}

#[test]
fn no_other_user_can_be_erased() {
    for run in ["", "0", "*", "0123456789abcdeg", "0123456789abcdef0"] {
        let refused = bench("embedded:users.redb", &["--erase", run]);
        assert_eq!(refused.status, 2);
        assert!(refused.errors.contains("expected the 16 digits"), "{run}: {}", refused.errors);
    }
}

#[test]
fn a_server_that_is_not_there_is_not_measured() {
    let mut server = Redis::start();
    let url = server.url();
    server.kill();
    bench(&url, &[]).refuses(&["cannot be reached"]);
}
