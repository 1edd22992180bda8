//! The explanation as an object. Its keys are stable: new ones may come, none goes.

use serde_json::{Map, Value, json};
use steadfast::engine::bucket::Mode;
use steadfast::engine::decide::{GroupOutcome, Stage, StoredFinding};
use steadfast::engine::{Actual, Decision, TrackOutcome};

use super::stage::tell;
use super::{Explained, next, outcome, report};

/// The explanation as one object.
pub(super) fn report(explained: &Explained<'_>) -> Value {
    let Some(decision) = explained.outcome.decision() else { return Value::Null };
    let campaign = decision.campaign();
    let stages = decision.trace().map_or(&[][..], |trace| &trace.stages);
    let mut object = json!({
        "user": decision.user(),
        "verb": decision.verb().as_str(),
        "campaign": {
            "key": campaign.key(),
            "id": campaign.id().as_str(),
            "name": campaign.name(),
            "type": campaign.kind().as_str(),
            "status": campaign.status(),
        },
        "sentence": outcome::sentence(decision),
        "reason": decision.reason().as_str(),
        "variation": decision.variation().map(|one| json!({ "name": one.name(), "id": one.id().as_str() })),
        "otherCampaign": decision.other_campaign().map(|other| other.key()),
        "featureEnabled": decision.is_feature_enabled(),
        "stages": stages.iter().map(|one| stage(one, decision, explained.knows_user)).collect::<Vec<_>>(),
        "effects": next::steps(&explained.outcome).into_iter().map(|step| step.json).collect::<Vec<_>>(),
        "warnings": report::warnings(explained, decision),
    });
    if let Some((goal, outcome)) = decision.goal().zip(decision.track_outcome()) {
        let outcome = match outcome {
            TrackOutcome::Tracked => "tracked",
            TrackOutcome::AlreadyTracked => "already_tracked",
            TrackOutcome::NoVariation => "no_variation",
        };
        object["goal"] = json!({ "identifier": goal.identifier(), "id": goal.id().as_str(), "outcome": outcome });
    }
    let variables: Map<String, Value> =
        outcome::variables(decision).into_iter().map(|(key, value)| (key, value.unwrap_or(Value::Null))).collect();
    if !variables.is_empty() {
        object["variables"] = variables.into();
    }
    object
}

fn stage(stage: &Stage, decision: &Decision<'_>, knows_user: bool) -> Value {
    let told = tell(stage, decision, knows_user);
    let mut object = numbers(stage);
    object["outcome"] = told.mark.as_str().into();
    object["sentence"] = told.title.into();
    object
}

fn numbers(stage: &Stage) -> Value {
    match stage {
        Stage::Campaign { status, running } => json!({ "stage": "campaign", "status": status, "running": running }),
        Stage::Whitelisting { campaign, matching, bucket, chosen } => json!({
            "stage": "whitelisting", "campaign": campaign, "matching": matching, "bucket": bucket, "chosen": chosen,
        }),
        Stage::Stored { finding } => {
            let (found, variation) = finding_in_words(finding);
            json!({ "stage": "stored", "found": found, "variation": variation })
        }
        Stage::ActivationRequired => json!({ "stage": "activation" }),
        Stage::Audience { everyone, conditions, matched } => {
            let conditions: Vec<Value> = conditions
                .iter()
                .map(|one| {
                    let actual = match &one.actual {
                        Actual::Given(value) => Some(value),
                        Actual::Inapplicable | Actual::NotGiven => None,
                    };
                    json!({ "depth": one.depth, "condition": one.text, "actual": actual, "matched": one.matched })
                })
                .collect();
            json!({ "stage": "audience", "everyone": everyone, "matched": matched, "conditions": conditions })
        }
        Stage::Traffic { seed, hash, bucket, percent, admitted } => json!({
            "stage": "traffic", "seed": seed, "hash": hash, "bucket": bucket, "percent": percent, "admitted": admitted,
        }),
        Stage::Group { name, members, seed, bucket, outcome } => {
            let members: Vec<Value> =
                members.iter().map(|one| json!({ "campaign": one.campaign, "eligible": one.eligible })).collect();
            let (how, winner) = match outcome {
                GroupOutcome::Whitelisted(campaign) => ("whitelisted", Some(campaign)),
                GroupOutcome::Stored(campaign) => ("stored", Some(campaign)),
                GroupOutcome::Won(campaign) => ("won", Some(campaign)),
                GroupOutcome::NoWinner => ("no_winner", None),
            };
            json!({
                "stage": "group", "group": name, "members": members, "seed": seed, "bucket": bucket, "how": how,
                "winner": winner,
            })
        }
        Stage::Assignment { mode, seed, hash, multiplier, bucket, ranges, chosen } => {
            let ranges: Vec<Value> = ranges
                .iter()
                .map(|one| {
                    json!({ "variation": one.variation, "weight": one.weight, "start": one.range.start,
                        "end": one.range.end })
                })
                .collect();
            let mode = match mode {
                Mode::Old => "old",
                Mode::New => "new",
                Mode::NewV2 => "new_v2",
            };
            json!({
                "stage": "assignment", "mode": mode, "seed": seed, "hash": hash, "multiplier": multiplier,
                "bucket": bucket, "ranges": ranges, "chosen": chosen,
            })
        }
    }
}

fn finding_in_words(finding: &StoredFinding) -> (&'static str, Option<&str>) {
    match finding {
        StoredFinding::Passed(variation) => ("passed", Some(variation)),
        StoredFinding::PassedUnknownVariation(variation) => ("passed_unknown_variation", Some(variation)),
        StoredFinding::PassedNothing => ("passed_nothing", None),
        StoredFinding::NoStorage => ("no_storage", None),
        StoredFinding::Absent => ("absent", None),
        StoredFinding::Found(variation) => ("found", Some(variation)),
        StoredFinding::UnknownVariation(variation) => ("unknown_variation", Some(variation)),
        StoredFinding::Foreign => ("foreign", None),
        StoredFinding::Failed(_) => ("failed", None),
    }
}
