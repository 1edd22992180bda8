//! What the fuzz targets do: one function for each, which panics where a law is broken.
//!
//! Each parser has a target, [`settings`], [`segment`], [`pattern`], [`record`] and [`line`](line()). What was read is
//! used as well: a file that compiles must answer every verb. [`session`] is the sixth: settings and calls that make
//! sense, and the laws that hold for them. The property tests of the crates say the same laws in more detail.

#![expect(clippy::missing_panics_doc, reason = "a target fails by panicking")]

#[path = "../../crates/steadfast-engine/tests/properties/drive.rs"]
mod drive;
pub mod session;

use std::sync::Arc;

use serde_json::{Value, json};
use steadfast::blocking::Client;
use steadfast::engine::settings::CompileOptions;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::{
    Attributes, GoalList, Options, Policy, Record, Request, SegmentNumbers, Settings, Step, TrackTarget, verb,
};
use steadfast::line::{Line, run};
use steadfast::storage::MemoryStorage;

/// The file that requests are about.
const SETTINGS: &str = include_str!("../seeds/settings/every-kind.json");

/// A settings file: read or refused; and if it is read, then every call has an answer.
pub fn settings(text: &str) {
    let reference = Settings::parse(text);
    let strict = CompileOptions { segment_numbers: SegmentNumbers::Strict, ..CompileOptions::default() };
    assert_eq!(reference.is_ok(), Settings::compile(text, strict).is_ok());
    let Ok(settings) = reference else { return };
    for problem in settings.problems() {
        assert!(problem.path.starts_with('$') && !problem.message.is_empty(), "{problem}");
    }
    let client = Client::builder(Arc::new(settings)).storage(MemoryStorage::new()).traced().build();
    let settings = client.settings();
    let targeting = Attributes::new().with("plan", "gold").with("age", 12.0);
    let options =
        Options { custom_variables: targeting.clone(), variation_targeting_variables: targeting, ..Options::default() };
    // The bound is for files with thousands of campaigns, which would only be slow.
    for campaign in settings.campaigns().iter().take(50) {
        let key = campaign.key();
        let _ = client.activate(key, "Ashley", &options);
        let _ = client.feature_enabled(key, "Ashley", &options);
        let _ = client.variation_name(key, "日本", &options);
        if let Ok(decision) = client.feature_variable(key, "日本", &options) {
            for variable in campaign.variables().iter().take(20) {
                let _ = decision.variable(variable.key());
            }
        }
        for goal in campaign.goals().iter().take(5) {
            let _ = client.track(TrackTarget::All, "Ashley", goal.identifier(), &options);
        }
    }
}

/// A segment on the first line, the variables of a user on the second.
pub fn segment(text: &str) {
    let (segment, variables) = text.split_once('\n').unwrap_or((text, "{}"));
    let (Ok(_), Ok(variables)) = (Json::parse(segment), Json::parse(variables)) else { return };
    let Some(variables) = Attributes::from_json(&variables) else { return };
    for numbers in [SegmentNumbers::Reference, SegmentNumbers::Strict] {
        decided_in_audience(segment, variables.clone(), numbers);
    }
}

/// A regular expression on the first line, the text to be searched on the others.
pub fn pattern(text: &str) {
    let (pattern, value) = text.split_once('\n').unwrap_or((text, "aaaaaaaa"));
    let segment = json!({"custom_variable": {"v": format!("regex({pattern})")}}).to_string();
    decided_in_audience(&segment, Attributes::new().with("v", value), SegmentNumbers::Strict);
}

/// Decides in a campaign with this audience, with a trace and without.
fn decided_in_audience(segment: &str, variables: Attributes, numbers: SegmentNumbers) {
    let file = format!(
        r#"{{"accountId":1,"version":1,"campaigns":[{{"id":1,"key":"c","type":"VISUAL_AB","status":"RUNNING",
        "percentTraffic":100,"isForcedVariationEnabled":true,"goals":[],"segments":{segment},
        "variations":[{{"id":1,"name":"Control","weight":100,"segments":{segment}}}]}}]}}"#
    );
    // A segment that is at the deepest level JSON may have is too deep inside a file.
    let compile = CompileOptions { segment_numbers: numbers, ..CompileOptions::default() };
    let Ok(settings) = Settings::compile(&file, compile) else { return };
    let options =
        Options { custom_variables: variables.clone(), variation_targeting_variables: variables, ..Options::default() };
    let request = || Request::new(&settings, "Ashley").with_options(&options);
    let [plain, traced] = [request(), request().traced()].map(|request| {
        let Ok(Step::Done(decision)) = verb::activate(request, "c") else { panic!("there is no storage to ask") };
        drive::decision_picture(&decision)
    });
    assert_eq!(plain, traced, "a trace changes the decision");
}

/// A record, or the caller's records in options.
pub fn record(text: &str) {
    let Ok(json) = Json::parse(text) else { return };
    if let Ok(record) = Record::from_json(&json) {
        let written = record.to_json().to_string();
        let again = Record::from_json(&Json::parse(&written).expect("written by us")).expect("written by us");
        // A number beyond 2^53 may be written in another way; what is written again is the same.
        assert_eq!(again.to_json().to_string(), written);
        let known = ["g1", "sign_vwo_up"].into_iter();
        let goals: Vec<&str> = record.goals.goals(known).collect();
        assert_eq!(goals.join("_vwo_"), record.goals.as_str());
        let mut united = record.goals.clone();
        assert!(united.unite(&record.goals).is_empty(), "a list united with itself grows");
        let mut other = GoalList::from_text("g1");
        other.unite(&record.goals);
        assert!(other.unite(&record.goals).is_empty(), "a list united twice grows twice");
    }
    if let Ok(options) = serde_json::from_str::<Value>(text) {
        let call =
            json!({"op": "activate", "campaignKey": "ab", "userId": "Ashley", "options": {"userStorageData": options}});
        line(&call.to_string());
    }
}

/// Request lines: each is read or refused, and the whole has the same answers again.
pub fn line(text: &str) {
    let session = |policy: Policy, traced: bool| {
        let settings = Arc::new(Settings::parse(SETTINGS).expect("a sensible file"));
        let client = Client::builder(settings).storage(MemoryStorage::new()).policy(policy);
        let client = if traced { client.traced() } else { client }.build();
        let answers = text.lines().take(20).map(|text| match Line::parse(text) {
            Ok(line) => {
                let answer = run(&line, &client);
                (answer.result, answer.explanation)
            }
            Err(error) => (Value::Null, error.to_string().into()),
        });
        answers.collect::<Vec<_>>()
    };
    assert_eq!(session(Policy::default(), false), session(Policy::default(), true));
}
