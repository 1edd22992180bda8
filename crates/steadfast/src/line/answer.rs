//! Running a line and writing its answer.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use steadfast_engine::settings::VariableValue;
use steadfast_engine::verb;
use steadfast_engine::{CallError, Decision, Options, Request, TrackOutcome, TrackTarget, Tracking, Verb};

use super::request::{Line, Named, Op, Operation};
use crate::blocking::Client;

/// The answer to a line.
#[derive(Debug)]
pub struct Answer {
    /// What the reference's method would return.
    pub result: Value,
    /// Why, for people and programs: a `reason`, or what was wrong with the call as `mistake`.
    pub explanation: Value,
}

/// Runs a line on a client. Records of `storage_put` go to `put`, which is handed the record.
pub fn run(line: &Line<'_>, client: &Client) -> Answer {
    match &line.operation {
        Operation::Mistaken { op, mistake } => Answer::mistaken(negative(*op), &mistake.to_string()),
        Operation::Decide { verb, campaign, user, options } => decide(client, *verb, campaign, user, options),
        Operation::Variable { campaign, variable, user, options } => {
            match client.feature_variable(campaign, user, options) {
                Err(error) => Answer::refused(Value::Null, &error),
                Ok(decision) => match decision.variable(variable) {
                    Ok(value) => Answer { result: value.map_or(Value::Null, to_json), explanation: explain(&decision) },
                    Err(error) => Answer::mistaken(Value::Null, &error.to_string()),
                },
            }
        }
        Operation::Track { campaigns, single, user, goal, options } => {
            track(client, campaigns.as_deref(), *single, user, goal, options)
        }
        Operation::Push { user, properties } => {
            let request = Request::new(&**client.settings(), &**user);
            match verb::push(request, properties.clone()) {
                Err(error) => Answer::refused(Value::Bool(false), &error),
                Ok(_) if client.settings().event_architecture() => {
                    Answer { result: json!({"success": true}), explanation: Value::Null }
                }
                Ok(push) => {
                    let result = push.properties().keys().map(|name| (name.clone(), Value::Bool(true))).collect();
                    Answer { result: Value::Object(result), explanation: Value::Null }
                }
            }
        }
        Operation::Put(record) => match client.put(record.clone()) {
            Ok(()) => Answer { result: Value::Bool(true), explanation: Value::Null },
            Err(error) => Answer::mistaken(Value::Bool(false), &error.to_string()),
        },
    }
}

fn decide(client: &Client, verb: Verb, campaign: &str, user: &str, options: &Options) -> Answer {
    let decision = match verb {
        Verb::Activate => client.activate(campaign, user, options),
        Verb::FeatureEnabled => client.feature_enabled(campaign, user, options),
        _ => client.variation_name(campaign, user, options),
    };
    match decision {
        Err(error) if verb == Verb::FeatureEnabled => Answer::refused(Value::Bool(false), &error),
        Err(error) => Answer::refused(Value::Null, &error),
        Ok(decision) => {
            let result = match verb {
                Verb::FeatureEnabled => Value::Bool(decision.is_feature_enabled()),
                _ => decision.variation_name().map_or(Value::Null, Value::from),
            };
            Answer { result, explanation: explain(&decision) }
        }
    }
}

fn track(
    client: &Client,
    campaigns: Option<&[Named<'_>]>,
    single: bool,
    user: &str,
    goal: &str,
    options: &Options,
) -> Answer {
    let Some(named) = campaigns else {
        return tracked(client.track(TrackTarget::All, user, goal, options), [].into());
    };
    let keys: Vec<&str> = named
        .iter()
        .filter_map(|named| match named {
            // An empty key in a list names no campaign; it is no mistake of the call.
            Named::Key(key) if !key.is_empty() => Some(&**key),
            _ => None,
        })
        .collect();
    let strangers: BTreeSet<&str> = named
        .iter()
        .filter_map(|named| match named {
            Named::Key(key) => key.is_empty().then_some(""),
            Named::Other(text) => Some(text),
        })
        .collect();
    let target = match keys.as_slice() {
        [key] if single => TrackTarget::One(key),
        [] if !strangers.is_empty() => {
            let result = strangers.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
            return Answer { result: Value::Object(result), explanation: Value::Null };
        }
        keys => TrackTarget::Many(keys),
    };
    match client.track(target, user, goal, options) {
        Err(error) if single && is_about_campaign(&error) => {
            let key = keys.first().copied().unwrap_or_default();
            Answer::refused(json!({ key: false }), &error)
        }
        outcome => tracked(outcome, strangers),
    }
}

fn tracked(outcome: Result<Tracking<'_>, CallError>, strangers: BTreeSet<&str>) -> Answer {
    let tracking = match outcome {
        Err(error) => return Answer::refused(Value::Null, &error),
        Ok(tracking) => tracking,
    };
    let mut result: Map<String, Value> =
        strangers.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    let mut explanation = Map::new();
    for campaign in tracking.campaigns() {
        result.insert(campaign.key().to_owned(), Value::Bool(campaign.is_tracked()));
        let why = match campaign.decision() {
            Err(error) => json!({ "mistake": error.to_string() }),
            Ok(decision) if campaign.outcome() == Ok(TrackOutcome::AlreadyTracked) => {
                let mut why = explain(decision);
                why["alreadyTracked"] = true.into();
                why
            }
            Ok(decision) => explain(decision),
        };
        explanation.insert(campaign.key().to_owned(), why);
    }
    Answer { result: Value::Object(result), explanation: Value::Object(explanation) }
}

/// Whether a refusal is about the one campaign of a call: the reference answers it with `false` for that campaign, and
/// everything else with `null` (spec API-32, API-40).
fn is_about_campaign(error: &CallError) -> bool {
    matches!(
        error,
        CallError::UnknownCampaign { .. }
            | CallError::BrokenCampaign { .. }
            | CallError::WrongKind { .. }
            | CallError::UnknownGoal { .. }
            | CallError::OtherGoalType { .. }
            | CallError::MissingRevenue { .. }
    )
}

/// What the reference answers to a call with bad parameters (spec API-1 to API-6).
fn negative(op: Op) -> Value {
    match op {
        Op::IsFeatureEnabled | Op::Push | Op::StoragePut => Value::Bool(false),
        Op::Activate | Op::GetVariationName | Op::Track | Op::GetFeatureVariableValue => Value::Null,
    }
}

fn explain(decision: &Decision<'_>) -> Value {
    let mut why = json!({ "reason": decision.reason().as_str() });
    if let Some(variation) = decision.variation() {
        why["variationId"] = variation.id().as_str().into();
    }
    if let Some(other) = decision.other_campaign() {
        why["campaign"] = other.key().into();
    }
    if !decision.warnings().is_empty() {
        why["warnings"] = decision.warnings().iter().map(|warning| warning.to_string()).collect();
    }
    why
}

fn to_json(value: VariableValue<'_>) -> Value {
    match value {
        VariableValue::Text(text) => text.into(),
        VariableValue::Integer(number) => number.into(),
        VariableValue::Double(number) => number.into(),
        VariableValue::Boolean(value) => value.into(),
        VariableValue::Json(value) => value.clone(),
    }
}

impl Answer {
    fn mistaken(result: Value, mistake: &str) -> Answer {
        Answer { result, explanation: json!({ "mistake": mistake }) }
    }

    fn refused(result: Value, error: &CallError) -> Answer {
        Answer::mistaken(result, &error.to_string())
    }
}
