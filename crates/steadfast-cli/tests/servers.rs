//! The commands over a storage on a server, which many processes share.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use std::process::{Command, Stdio};

use command::{Scratch, campaign, settings, steadfast, steadfast_with_input};
use serde_json::{Value, json};
use steadfast_testkit::servers::{Postgres, Redis, RedisCluster};

fn with_weight(scratch: &Scratch, weight: f64) -> String {
    let campaign = campaign(1, "ab", &[("Control", weight), ("Green", 100.0 - weight)]);
    scratch.file(&format!("settings-{weight}.json"), &settings(&[campaign]).to_string())
}

fn keeps_and_finds(url: &str) {
    let storage = |command: &str, arguments: &[&str], input: &str| {
        steadfast_with_input(&[&["storage", command, "--storage", url], arguments].concat(), input)
    };
    let records: String = (0..50)
        .map(|user| {
            let record = json!({"userId": format!("user {user}"), "campaignKey": "ab", "variationName": "Control",
                "goalIdentifier": "buy"});
            format!("{record}\n")
        })
        .collect();
    assert_eq!(storage("import", &[], &records).status, 0);
    let one = storage("get", &["user 7"], "");
    assert_eq!(one.status, 0);
    assert_eq!(serde_json::from_str::<Value>(one.output.trim()).unwrap()["goalIdentifier"], "buy");
    let mut exported: Vec<String> = storage("export", &[], "").output.lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = records.lines().map(str::to_owned).collect();
    exported.sort();
    expected.sort();
    let values =
        |lines: Vec<String>| -> Vec<Value> { lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect() };
    assert_eq!(values(exported), values(expected));
    // In whatever order they come.
    let listed = |prefix: &str| storage("list", &["--user-prefix", prefix], "").output.lines().count();
    assert_eq!([listed("user 1"), listed("user 4"), listed("user 50")], [11, 11, 0]);
    let forgotten = storage("forget", &["user 7"], "");
    assert_eq!(forgotten.status, 0, "{}", forgotten.errors);
    // Without the password.
    let (scheme, place) = url.split_once("://").unwrap();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    assert_eq!(forgotten.output, format!("erased 1 record of user 7 from {scheme}://{place}\n"));
    assert_eq!(storage("get", &["user 7"], "").status, 1);
    // What belongs to a file says so.
    let check = storage("check", &[], "");
    assert!(check.status == 2 && check.errors.contains("has no file"), "{}", check.errors);
}

#[test]
fn a_server_keeps_and_finds() {
    let server = Redis::start();
    keeps_and_finds(&server.url());
}

#[test]
fn a_cluster_keeps_and_finds() {
    let cluster = RedisCluster::start();
    keeps_and_finds(&cluster.url());
}

#[test]
fn a_postgres_keeps_and_finds() {
    let server = Postgres::start();
    keeps_and_finds(&server.database());
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    let server = Redis::start();
    let url = server.url().replace("redis://", "redis://:secret@");
    drop(server);
    let run = steadfast(&["storage", "get", "Ashley", "--storage", &url]);
    assert_eq!(run.status, 2);
    assert!(run.errors.contains("cannot be reached") && !run.errors.contains("secret"), "{}", run.errors);
}

#[test]
fn batches_under_other_weights_share_what_was_decided() {
    let server = Redis::start_with(&["--appendfsync", "no"]);
    let scratch = Scratch::new("redis-batches");
    let calls: String = (0..500)
        .flat_map(|user| {
            let activate = json!({"op": "activate", "campaignKey": "ab", "userId": format!("user {user}")});
            let track = json!({"op": "track", "campaignKey": ["ab"], "userId": format!("user {user}"),
                "goalIdentifier": "purchase"});
            [format!("{activate}\n"), format!("{track}\n")]
        })
        .collect();
    let input = scratch.file("calls.ndjson", &calls);
    let batch = |weight| {
        let settings = with_weight(&scratch, weight);
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(["batch", "--settings", &settings, "--storage", &server.url(), "--input", &input]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [batch(100.0), batch(0.0)];
    for run in both {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // One record per user, with the goal; and whoever asks now gets what is stored, whatever the weights.
    let kept = steadfast(&["storage", "export", "--storage", &server.url()]);
    let records: Vec<Value> = kept.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 500);
    assert!(records.iter().all(|record| record["goalIdentifier"] == "purchase"));
    let again = steadfast(&[
        "batch",
        "--settings",
        &with_weight(&scratch, 50.0),
        "--storage",
        &server.url(),
        "--input",
        &input,
    ]);
    let answers: Vec<Value> = again.output.lines().step_by(2).map(|line| serde_json::from_str(line).unwrap()).collect();
    for (user, answer) in answers.iter().enumerate() {
        let record = records.iter().find(|record| record["userId"] == format!("user {user}")).unwrap();
        assert_eq!(answer["result"], record["variationName"], "user {user}");
    }
}

#[test]
fn what_is_damaged_is_passed_over_and_can_be_found_and_erased() {
    let scratch = Scratch::new("servers-damaged");
    let server = Redis::start();
    let url = server.url();
    let record = |user: &str| format!("{}\n", json!({"userId": user, "campaignKey": "ab", "variationName": "Control"}));
    let run = steadfast_with_input(&["storage", "import", "--storage", &url], &(record("Ann") + &record("Bob")));
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(server.ask(&["HSET", "steadfast:{Zy\nAnn}", "ab", "garbage"]).trim(), "1");
    assert_eq!(server.ask(&["SET", "steadfast:{Zz}", "a text"]).trim(), "OK");
    let storage =
        |command: &str, arguments: &[&str]| steadfast(&[&["storage", command, "--storage", &url], arguments].concat());
    for command in ["export", "list"] {
        let run = storage(command, &[]);
        assert_eq!((run.status, run.output.lines().count()), (4, 2), "{}{}", run.output, run.errors);
        assert!(run.errors.contains("2 records cannot be read") && !run.errors.contains("Zy"), "{}", run.errors);
    }
    let target = format!("embedded:{}", scratch.path("copy.redb"));
    let run = steadfast(&["storage", "copy", &url, &target, "--json"]);
    assert_eq!((run.status, &run.json()["copied"], &run.json()["failed"]), (4, &json!(2), &json!(2)), "{}", run.errors);
    let file = with_weight(&scratch, 100.0);
    let audit = storage("audit", &["--settings", &file, "--json"]);
    assert_eq!((audit.status, &audit.json()["damaged"], &audit.json()["clean"]), (4, &json!(2), &json!(false)));
    let damaged = storage("list", &["--damaged"]);
    assert_eq!((damaged.status, &*damaged.output), (0, "\"Zy\\nAnn\"\n\"Zz\"\n"));
    for user in damaged.output.lines() {
        let user: String = serde_json::from_str(user).unwrap();
        assert_eq!(storage("forget", &[&user]).status, 0);
    }
    assert_eq!(storage("export", &[]).status, 0);
}

#[test]
fn a_server_that_lets_people_wait_is_named() {
    let server = Redis::start();
    let url = server.url();
    let record = json!({"userId": "Ann", "campaignKey": "ab", "variationName": "Control"}).to_string();
    assert_eq!(steadfast_with_input(&["storage", "put", "--storage", &url], &record).status, 0);
    let many: String = (0..200_000)
        .map(|user| format!("{{\"userId\":\"user {user}\",\"campaignKey\":\"ab\",\"variationName\":\"Control\"}}\n"))
        .collect();
    let import = std::thread::spawn({
        let url = url.clone();
        move || steadfast_with_input(&["storage", "import", "--storage", &url], &many)
    });
    while server.ask(&["DBSIZE"]).trim().parse::<u32>().unwrap() < 1_000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    server.stop();
    std::thread::sleep(std::time::Duration::from_secs(4));
    server.go_on();
    let run = import.join().unwrap();
    assert_eq!(run.status, 0, "{}", run.errors);
    assert!(run.errors.contains(&format!("waiting for {url}, which does not answer")), "{}", run.errors);
}
