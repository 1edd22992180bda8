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

/// Stores so many users under these settings.
fn stored(scratch: &Scratch, settings: &str, users: usize) -> String {
    let (calls, url) = (scratch.path("calls.ndjson"), format!("embedded:{}", scratch.path("users.redb")));
    let call =
        |user: usize, campaign: &str| json!({"op": "activate", "campaignKey": campaign, "userId": format!("u{user}")});
    let lines = (0..users).flat_map(|user| ["ab", "other"].map(|campaign| format!("{}\n", call(user, campaign))));
    std::fs::write(&calls, lines.collect::<String>()).expect("it can be written");
    let run = steadfast(&["batch", "--settings", settings, "--storage", &url, "--input", &calls]);
    assert_eq!(run.status, 0, "{}", run.errors);
    url
}

#[test]
fn new_settings_are_held_against_those_who_are_stored() {
    let scratch = Scratch::new("settings-what-if");
    let write = |name: &str, campaigns: Value| {
        let path = scratch.path(name);
        std::fs::write(&path, file(campaigns).to_string()).expect("it can be written");
        path
    };
    let old = write("old.json", json!([campaign("ab", [50, 50]), campaign("other", [50, 50])]));
    let url = stored(&scratch, &old, 200);
    let what_if = |settings: &str| {
        let run = steadfast(&["settings", "what-if", "--settings", settings, "--storage", &url, "--json"]);
        (run.status, serde_json::from_str::<Value>(&run.output).expect("it is JSON"))
    };
    // The same: whoever is stored would be decided on like that again.
    let (status, same) = what_if(&old);
    assert_eq!((status, &same["records"], &same["keep"]), (0, &json!(400), &json!(400)));
    assert_eq!(same["differentIfNothingWereStored"], 0);
    // Other weights: everybody keeps theirs, because they are stored.
    let weights = write("weights.json", json!([campaign("ab", [100, 0]), campaign("other", [50, 50])]));
    let (status, weights) = what_if(&weights);
    assert_eq!((status, &weights["keep"]), (0, &json!(400)));
    let moved = weights["differentIfNothingWereStored"].as_u64().expect("a number");
    assert!((60..140).contains(&moved), "{moved}");
    assert_eq!(weights["campaigns"][1]["differentIfNothingWereStored"], 0);
    // Weights that move by themselves: without a storage nobody would take part, but there is one.
    let mut bandit = campaign("ab", [50, 50]);
    bandit["isMAB"] = true.into();
    let (status, bandit) = what_if(&write("bandit.json", json!([bandit, campaign("other", [50, 50])])));
    assert_eq!((status, &bandit["keep"], &bandit["differentIfNothingWereStored"]), (0, &json!(400), &json!(0)));
    // A variation that is gone, a campaign that is paused, another that is gone.
    let mut renamed = campaign("ab", [50, 50]);
    renamed["variations"][1]["name"] = "Blue".into();
    let mut paused = campaign("other", [50, 50]);
    paused["status"] = "PAUSED".into();
    let path = write("orphans.json", json!([renamed, paused]));
    let (status, orphans) = what_if(&path);
    assert_eq!((status, &orphans["orphanedBy"]["campaignNotRunning"]), (1, &json!(200)));
    assert_eq!(orphans["orphanedBy"]["variationGone"], moved);
    assert_eq!(orphans["keep"], 200 - moved);
    let run = steadfast(&["settings", "what-if", "--settings", &path, "--storage", &url]);
    assert!(run.output.contains("the variation is gone (") && !run.output.contains('\u{1b}'), "{}", run.output);
    let (status, gone) = what_if(&write("gone.json", json!([campaign("ab", [50, 50])])));
    assert_eq!((status, &gone["orphanedBy"]["campaignGone"]), (1, &json!(200)));
    steadfast(&["settings", "what-if", "--settings", &old, "--storage", "none:"]).refuses(&["keeps nobody"]);
    let missing = format!("embedded:{}", scratch.path("missing.redb"));
    steadfast(&["settings", "what-if", "--settings", &old, "--storage", &missing]).refuses(&["missing.redb"]);
}

#[test]
fn a_key_that_is_another_is_said_to_be_and_not_shown() {
    let scratch = Scratch::new("settings-key");
    let paths = ["old-5ecret", "new-5ecret"].map(|key| {
        let mut file = file(json!([campaign("ab", [50, 50])]));
        file["sdkKey"] = key.into();
        let path = scratch.path(&format!("{key}.json"));
        std::fs::write(&path, file.to_string()).expect("it can be written");
        path
    });
    for more in [&[][..], &["--json"]] {
        let run = steadfast(&[&["settings", "diff", &paths[0], &paths[1]], more].concat());
        assert_eq!(run.status, 1, "{}", run.errors);
        assert!(run.output.contains("sdkKey") && !run.output.contains("5ecret"), "{}", run.output);
    }
}
