//! How many lines of a batch a second, beside reading the same lines alone: `cargo bench -p steadfast --bench lines`.
//! All in one run and in turns, one thread, so that the quotients hold on a noisy machine.

#![expect(clippy::print_stdout, clippy::panic, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use steadfast::blocking::Client;
use steadfast::engine::Settings;
use steadfast::line::{Line, run};
use steadfast::storage::MemoryStorage;

const SETTINGS: &str = r#"{"accountId":888888,"version":1,"sdkKey":"k","campaigns":[
    {"id":1,"key":"checkout","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,
     "segments":{"or":[{"custom_variable":{"plan":"gold"}},{"custom_variable":{"plan":"wildcard(*er)"}}]},
     "goals":[{"id":1,"identifier":"purchase","type":"REVENUE_TRACKING"}],
     "variations":[{"id":1,"name":"Control","weight":50},{"id":2,"name":"Green","weight":50}]},
    {"id":2,"key":"search","type":"FEATURE_ROLLOUT","status":"RUNNING","percentTraffic":40,"segments":{},"goals":[],
     "variations":[{"id":1,"name":"website","weight":100}],
     "variables":[{"id":1,"key":"results","type":"integer","value":20}]}]}"#;

/// Calls as they come: an activation, a goal, a feature and its variable for each user.
fn lines(users: usize) -> Vec<String> {
    (0..users)
        .flat_map(|user| {
            let plan = ["gold", "silver", "free"][user % 3];
            let options = format!(r#""options":{{"customVariables":{{"plan":"{plan}","age":{}}}}}"#, user % 90);
            [
                format!(r#"{{"op":"activate","campaignKey":"checkout","userId":"user-{user:012}",{options}}}"#),
                format!(
                    r#"{{"op":"track","campaignKey":"checkout","userId":"user-{user:012}","goalIdentifier":"purchase",
                    "options":{{"customVariables":{{"plan":"{plan}"}},"revenueValue":19.9}}}}"#
                )
                .replace('\n', " "),
                format!(r#"{{"op":"isFeatureEnabled","campaignKey":"search","userId":"user-{user:012}"}}"#),
                format!(
                    r#"{{"op":"getFeatureVariableValue","campaignKey":"search","variableKey":"results","userId":"user-{user:012}"}}"#
                ),
            ]
        })
        .collect()
}

fn main() {
    let lines = lines(25_000);
    let settings = Arc::new(Settings::parse(SETTINGS).unwrap_or_else(|error| panic!("well formed: {error}")));
    let without_storage = Client::new(Arc::clone(&settings));
    let answer = |client: &Client, line: &str| match Line::parse(line) {
        Ok(line) => run(&line, client).result.to_string().len(),
        Err(_) => 0,
    };
    let over_lines = |work: &dyn Fn(&str) -> usize| {
        let start = Instant::now();
        for line in &lines {
            black_box(work(black_box(line)));
        }
        start.elapsed().as_secs_f64()
    };
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..15 {
        // A new storage each time: the first activation of a user is the one that writes.
        let with_storage = Client::builder(Arc::clone(&settings)).storage(MemoryStorage::new()).build();
        times[0].push(over_lines(&|line| {
            serde_json::from_str::<serde_json::Value>(line).map_or(0, |value| usize::from(value.is_object()))
        }));
        times[1].push(over_lines(&|line| usize::from(Line::parse(line).is_ok())));
        times[2].push(over_lines(&|line| answer(&without_storage, line)));
        times[3].push(over_lines(&|line| answer(&with_storage, line)));
    }
    let names = [
        "serde_json to a Value, alone",
        "read as a call, alone",
        "read, decided and written, no storage",
        "read, decided, kept in memory and written",
    ];
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("lines a second on one thread, and the time in units of the first");
    for (name, median) in names.into_iter().zip(medians) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let per_second = lines.len() as f64 / median;
        println!("{per_second:>12.0}  {:>6.2}  {name}", median / medians[0]);
    }
}
