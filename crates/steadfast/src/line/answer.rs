//! The answer to a line.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};
use steadfast_engine::settings::VariableValue;
use steadfast_engine::{CallError, Decision, TrackOutcome, Tracking, Verb};

use super::calls::{self, Outcome};
use super::request::{Line, Op, Operation};
use crate::{Client, blocking};

/// The answer to a line.
#[derive(Debug)]
pub struct Answer {
    /// What the reference's method would return.
    pub result: Value,
    /// Why, for people and programs: a `reason`, or what was wrong with the call as `mistake`. `null` where it was not
    /// asked for.
    pub explanation: Value,
    /// What was wrong with the call, or with it in one of its campaigns.
    pub mistakes: Vec<Told>,
}

/// A mistake, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is wrong.
    pub sentence: String,
    /// The settings know no such campaign: it may have come to its end, and nobody made a mistake.
    pub is_unknown_campaign: bool,
}

impl From<&CallError> for Told {
    fn from(error: &CallError) -> Told {
        Told { sentence: error.to_string(), is_unknown_campaign: matches!(error, CallError::UnknownCampaign { .. }) }
    }
}

impl Told {
    fn of(mistake: &dyn fmt::Display) -> Told {
        Told { sentence: mistake.to_string(), is_unknown_campaign: false }
    }
}

impl Answer {
    /// One that needs no explanation.
    fn plain(result: Value) -> Answer {
        Answer { result, explanation: Value::Null, mistakes: Vec::new() }
    }
}

/// Runs a line on a blocking client.
pub fn run(line: &Line<'_>, client: &blocking::Client) -> Answer {
    answer(line, calls::blocking(line, client), Why::Unasked)
}

/// Runs a line on a blocking client, and says why the answer is what it is.
pub fn explain(line: &Line<'_>, client: &blocking::Client) -> Answer {
    answer(line, calls::blocking(line, client), Why::Asked)
}

/// Runs a line on an asynchronous client.
pub async fn run_async(line: &Line<'_>, client: &Client) -> Answer {
    answer(line, calls::nonblocking(line, client).await, Why::Unasked)
}

/// Runs a line on an asynchronous client, and says why the answer is what it is.
pub async fn explain_async(line: &Line<'_>, client: &Client) -> Answer {
    answer(line, calls::nonblocking(line, client).await, Why::Asked)
}

/// Whether an explanation is wanted. Making one costs more than the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Asked,
    Unasked,
}

fn answer(line: &Line<'_>, outcome: Outcome<'_>, why: Why) -> Answer {
    match (&line.operation, outcome) {
        (_, Outcome::Mistaken(op, mistake)) => why.mistaken(negative(op), Told::of(mistake)),
        (Operation::Variable { variable, .. }, Outcome::Decided(_, decided)) => match decided {
            Err(error) => why.mistaken(Value::Null, (&error).into()),
            Ok(decision) => match decision.variable(variable) {
                Ok(value) => {
                    let result = value.map_or(Value::Null, VariableValue::to_json);
                    Answer { result, explanation: why.of(&decision), mistakes: Vec::new() }
                }
                Err(error) => why.mistaken(Value::Null, Told::of(&error)),
            },
        },
        (_, Outcome::Decided(verb, decided)) => decision(verb, decided, why),
        (_, Outcome::Tracked(targets, outcome)) => match outcome {
            Some(Err(error)) if targets.single && is_about_campaign(&error) => {
                let key = targets.keys.first().copied().unwrap_or_default();
                why.mistaken(json!({ key: false }), (&error).into())
            }
            outcome => tracked(why, outcome, &targets.strangers),
        },
        (_, Outcome::Pushed(Err(error))) => why.mistaken(Value::Bool(false), (&error).into()),
        (_, Outcome::Pushed(Ok(push))) if push.settings().event_architecture() => {
            Answer::plain(json!({"success": true}))
        }
        (_, Outcome::Pushed(Ok(push))) => {
            let result = push.properties().keys().map(|name| (name.clone(), Value::Bool(true))).collect();
            Answer::plain(Value::Object(result))
        }
        (_, Outcome::Put(Ok(()))) => Answer::plain(Value::Bool(true)),
        (_, Outcome::Put(Err(error))) => why.mistaken(Value::Bool(false), Told::of(&error)),
    }
}

fn decision(verb: Verb, decided: Result<Decision<'_>, CallError>, why: Why) -> Answer {
    match decided {
        Err(error) if verb == Verb::FeatureEnabled => why.mistaken(Value::Bool(false), (&error).into()),
        Err(error) => why.mistaken(Value::Null, (&error).into()),
        Ok(decision) => {
            let result = match verb {
                Verb::FeatureEnabled => Value::Bool(decision.is_feature_enabled()),
                _ => decision.variation_name().map_or(Value::Null, Value::from),
            };
            Answer { result, explanation: why.of(&decision), mistakes: Vec::new() }
        }
    }
}

fn tracked(why: Why, outcome: Option<Result<Tracking<'_>, CallError>>, strangers: &BTreeSet<&str>) -> Answer {
    let mut result: Map<String, Value> =
        strangers.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    let tracking = match outcome {
        Some(Err(error)) => return why.mistaken(Value::Null, (&error).into()),
        Some(Ok(tracking)) => tracking,
        None => return Answer::plain(Value::Object(result)),
    };
    let (mut explanation, mut mistakes) = (Map::new(), Vec::new());
    for campaign in tracking.campaigns() {
        result.insert(campaign.key().to_owned(), Value::Bool(campaign.is_tracked()));
        if let Err(error) = campaign.decision() {
            mistakes.push(error.into());
        }
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
    Answer { result: Value::Object(result), explanation: Value::Object(explanation), mistakes }
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
    fn mistaken(self, result: Value, mistake: Told) -> Answer {
        let explanation = match self {
            Why::Asked => json!({ "mistake": mistake.sentence }),
            Why::Unasked => Value::Null,
        };
        Answer { result, explanation, mistakes: vec![mistake] }
    }
}
