//! The examples do what they say.

use serde_json::json;

#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/axum_prefetch.rs"]
mod axum_prefetch;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/blocking_program.rs"]
mod blocking_program;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/own_async_storage.rs"]
mod own_async_storage;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/own_storage.rs"]
mod own_storage;

/// Assigned by the first run, found by the second.
fn assigned_then_stored() -> [(Option<String>, String); 2] {
    use steadfast::engine::Reason;
    [Reason::Assigned, Reason::Stored].map(|reason| (Some("Control".to_owned()), reason.to_string()))
}

#[test]
fn a_storage_of_ones_own_keeps_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let played = own_storage::play(folder.path()).unwrap();
    assert_eq!(played.decisions, assigned_then_stored());
    let records: serde_json::Value = serde_json::from_str(&played.file).unwrap();
    assert_eq!(
        records,
        json!([{"userId": "Ashley", "campaignKey": "checkout-button", "variationName": "Control", "goalIdentifier": "bought"}])
    );
}

#[tokio::test]
async fn an_asynchronous_storage_of_ones_own_keeps_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let played = own_async_storage::play(folder.path()).await.unwrap();
    assert_eq!(played.decisions, assigned_then_stored());
    let record = played.record.unwrap();
    assert_eq!((record.variation_name.as_str(), record.goals.as_str()), ("Control", "bought"));
}

#[test]
fn a_blocking_program_keeps_its_user_and_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let runs = [(); 2].map(|()| blocking_program::run(folder.path()).unwrap());
    let run = |is_tracked| blocking_program::Run { variation: Some("Control".to_owned()), is_stored: true, is_tracked };
    assert_eq!(runs, [run(true), run(false)]);
    let events = std::fs::read_to_string(folder.path().join("events.ndjson")).unwrap();
    let events: Vec<serde_json::Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["impression", "conversion"]);
}

#[tokio::test]
async fn a_web_server_asks_its_storage_once_per_request() {
    let answers = axum_prefetch::serve_once(&["Ashley", "Ashley"]).await.unwrap();
    let answer = |reason, counted| json!({"user": "Ashley", "variation": "Control", "reason": reason, "counted": counted, "questions": 1});
    let [first, second] = [("assigned", true), ("stored", false)].map(|(reason, counted)| answer(reason, counted));
    assert_eq!(answers, [first, second]);
}
