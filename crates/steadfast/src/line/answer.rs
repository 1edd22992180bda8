//! Running a line and writing its answer.

use std::collections::BTreeSet;
use std::fmt;

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
    /// Why, for people and programs: a `reason`, or what was wrong with the call as `mistake`. `null` where it was not
    /// asked for.
    pub explanation: Value,
}

/// Runs a line on a client.
pub fn run(line: &Line<'_>, client: &Client) -> Answer {
    answer(line, client, Why::Unasked)
}

/// Runs a line on a client, and says why the answer is what it is.
pub fn explain(line: &Line<'_>, client: &Client) -> Answer {
    answer(line, client, Why::Asked)
}

/// Whether an explanation is wanted. Making one costs more than the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Asked,
    Unasked,
}

fn answer(line: &Line<'_>, client: &Client, why: Why) -> Answer {
    match &line.operation {
        Operation::Mistaken { op, mistake } => why.mistaken(negative(*op), mistake),
        Operation::Decide { verb, campaign, user, options } => decide(client, why, *verb, campaign, user, options),
        Operation::Variable { campaign, variable, user, options } => {
            match client.feature_variable(campaign, user, options) {
                Err(error) => why.mistaken(Value::Null, &error),
                Ok(decision) => match decision.variable(variable) {
                    Ok(value) => Answer {
                        result: value.map_or(Value::Null, VariableValue::to_json),
                        explanation: why.of(&decision),
                    },
                    Err(error) => why.mistaken(Value::Null, &error),
                },
            }
        }
        Operation::Track { campaigns, single, user, goal, options } => {
            track(client, why, campaigns.as_deref(), *single, user, goal, options)
        }
        Operation::Push { user, properties } => {
            let request = Request::new(&**client.settings(), &**user);
            match verb::push(request, properties.clone()) {
                Err(error) => why.mistaken(Value::Bool(false), &error),
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
            Err(error) => why.mistaken(Value::Bool(false), &error),
        },
    }
}

fn decide(client: &Client, why: Why, verb: Verb, campaign: &str, user: &str, options: &Options) -> Answer {
    let decision = match verb {
        Verb::Activate => client.activate(campaign, user, options),
        Verb::FeatureEnabled => client.feature_enabled(campaign, user, options),
        _ => client.variation_name(campaign, user, options),
    };
    match decision {
        Err(error) if verb == Verb::FeatureEnabled => why.mistaken(Value::Bool(false), &error),
        Err(error) => why.mistaken(Value::Null, &error),
        Ok(decision) => {
            let result = match verb {
                Verb::FeatureEnabled => Value::Bool(decision.is_feature_enabled()),
                _ => decision.variation_name().map_or(Value::Null, Value::from),
            };
            Answer { result, explanation: why.of(&decision) }
        }
    }
}

fn track(
    client: &Client,
    why: Why,
    campaigns: Option<&[Named<'_>]>,
    single: bool,
    user: &str,
    goal: &str,
    options: &Options,
) -> Answer {
    let Some(named) = campaigns else {
        return tracked(why, client.track(TrackTarget::All, user, goal, options), [].into());
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
            why.mistaken(json!({ key: false }), &error)
        }
        outcome => tracked(why, outcome, strangers),
    }
}

fn tracked(why: Why, outcome: Result<Tracking<'_>, CallError>, strangers: BTreeSet<&str>) -> Answer {
    let tracking = match outcome {
        Err(error) => return why.mistaken(Value::Null, &error),
        Ok(tracking) => tracking,
    };
    let mut result: Map<String, Value> =
        strangers.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    let mut explanation = Map::new();
    for campaign in tracking.campaigns() {
        result.insert(campaign.key().to_owned(), Value::Bool(campaign.is_tracked()));
        if why == Why::Unasked {
            continue;
        }
        let because = match campaign.decision() {
            Err(error) => json!({ "mistake": error.to_string() }),
            Ok(decision) if campaign.outcome() == Ok(TrackOutcome::AlreadyTracked) => {
                let mut because = why.of(decision);
                because["alreadyTracked"] = true.into();
                because
            }
            Ok(decision) => why.of(decision),
        };
        explanation.insert(campaign.key().to_owned(), because);
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

impl Why {
    /// Why a decision is what it is.
    fn of(self, decision: &Decision<'_>) -> Value {
        if self == Why::Unasked {
            return Value::Null;
        }
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

    /// The answer to a mistake of the caller.
    fn mistaken(self, result: Value, mistake: &dyn fmt::Display) -> Answer {
        let explanation = match self {
            Why::Asked => json!({ "mistake": mistake.to_string() }),
            Why::Unasked => Value::Null,
        };
        Answer { result, explanation }
    }
}
