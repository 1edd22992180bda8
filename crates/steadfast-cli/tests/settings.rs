//! `settings`: fetching a file, and comparing two.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Scratch, steadfast};
use serde_json::{Value, json};
use steadfast_testkit::servers::{LocalCollector, Reply};

fn file(campaigns: Value) -> Value {
    json!({"accountId": 60781, "sdkKey": "k", "version": 1, "campaigns": campaigns})
}

fn campaign(key: &str, weights: [u32; 2]) -> Value {
    json!({"id": 1, "key": key, "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {},
        "goals": [{"id": 1, "identifier": "buy", "type": "CUSTOM_GOAL"}],
        "variations": [{"id": 1, "name": "Control", "weight": weights[0]}, {"id": 2, "name": "Green", "weight": weights[1]}]})
}

fn served(server: &LocalCollector, status: u16, body: &str) {
    let reply = Reply { body: body.to_owned(), ..Reply::status(status) };
    server.answer(move |_| reply.clone());
}

#[test]
fn good_settings_are_written_and_bad_ones_replace_nothing() {
    let scratch = Scratch::new("settings-fetch");
    let server = LocalCollector::start();
    let (url, output) = (server.url(), scratch.path("settings.json"));
    let fetch = |more: &[&str]| {
        let arguments = ["settings", "fetch", "--account", "60781", "--sdk-key", "5ecret", "--url", &url];
        steadfast(&[&arguments, more].concat())
    };
    let text = file(json!([campaign("ab", [50, 50])])).to_string();
    served(&server, 200, &text);
    let run = fetch(&["--output", &output]);
    assert_eq!((run.status, &*run.output), (0, ""), "{}", run.errors);
    assert!(run.errors.contains("1 campaign"), "{}", run.errors);
    assert_eq!(std::fs::read_to_string(&output).unwrap().trim_end(), text);
    assert_eq!(fetch(&[]).output.trim_end(), text);
    for (status, body, said) in [
        (400, r#"{"message":"Invalid api key"}"#, "account and SDK key"),
        (200, "<html>", "no settings"),
        (200, r#"{"accountId":7,"version":1,"campaigns":[]}"#, "account 7"),
    ] {
        served(&server, status, body);
        let run = fetch(&["--output", &output]);
        assert_eq!((run.status, &*run.output), (3, ""), "{}", run.errors);
        assert!(run.errors.contains(said) && run.errors.contains("stays as it is"), "{}", run.errors);
        assert!(!run.errors.contains("5ecret"), "{}", run.errors);
    }
    assert_eq!(std::fs::read_to_string(&output).unwrap().trim_end(), text);
    drop(server);
    let run = fetch(&[]);
    assert_eq!(run.status, 3, "{}", run.errors);
    assert!(run.errors.contains("cannot be reached"), "{}", run.errors);
    steadfast(&["settings", "fetch", "--account", "1", "--sdk-key", "k", "--url", "vwo"]).refuses(&["https://HOST"]);
}

#[test]
fn what_is_different_is_said_campaign_by_campaign() {
    let scratch = Scratch::new("settings-diff");
    let mut more = campaign("ab", [30, 70]);
    more["status"] = "PAUSED".into();
    more["goals"] = json!([{"id": 2, "identifier": "sign-up", "type": "CUSTOM_GOAL"}]);
    let old = scratch.file("old.json", &file(json!([campaign("ab", [50, 50]), campaign("gone", [1, 99])])).to_string());
    let new = scratch.file("new.json", &file(json!([more, campaign("fresh", [1, 99])])).to_string());
    let run = steadfast(&["settings", "diff", &old, &new]);
    assert_eq!((run.status, &*run.errors), (1, ""));
    run.has_lines(&[
        "~ ab is different",
        "goals `sign-up`: none → new",
        "goals `buy`: there → none",
        "status: RUNNING → PAUSED",
        "variations `Control` weight: 50 → 30",
        "variations `Green` weight: 50 → 70",
        "+ fresh is new",
        "- gone is gone",
        "3 campaigns",
    ]);
    let json = steadfast(&["settings", "diff", &old, &new, "--json"]).json();
    assert_eq!(json["campaigns"][0]["fields"][2], json!({"field": "status", "old": "RUNNING", "new": "PAUSED"}));
    assert_eq!(json["campaigns"][2], json!({"campaign": "gone", "change": "gone"}));
    // Another order is no difference.
    let turned =
        scratch.file("turned.json", &file(json!([campaign("gone", [1, 99]), campaign("ab", [50, 50])])).to_string());
    let run = steadfast(&["settings", "diff", &old, &turned]);
    assert_eq!((run.status, &*run.output), (0, "nothing is different\n"));
    let broken = scratch.file("broken.json", "{");
    steadfast(&["settings", "diff", &old, &broken]).refuses(&["broken.json", "ends too early"]);
}
