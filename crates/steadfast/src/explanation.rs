//! Why a user gets what they get, for programs: a decision as an object. Its keys are stable: new ones may come, none goes.

use serde_json::{Map, Value, json};
use steadfast_engine::bucket::Mode;
use steadfast_engine::decide::{GroupOutcome, Stage, StoredFinding};
use steadfast_engine::settings::{CampaignKind, VariableValue};
use steadfast_engine::{Actual, Decision, TrackOutcome};

/// A decision as an object: what came of it and the [reason](steadfast_engine::Reason), as a name that stays and in words; of
/// a feature its variables; the `stages` where it was [traced](steadfast_engine::Request::traced).
///
/// ```
/// # use std::sync::Arc;
/// # use steadfast::{blocking::Client, engine::{Options, Settings}, explanation};
/// # let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": [{
/// #     "id": 1, "key": "checkout", "type": "VISUAL_AB", "status": "PAUSED", "percentTraffic": 100,
/// #     "segments": {}, "goals": [], "variations": [{"id": 1, "name": "Control", "weight": 100}]}]}"#)?;
/// let client = Client::new(Arc::new(settings));
/// let why = explanation::of(&client.explain("checkout", "Ashley", Options::NONE)?);
/// assert_eq!(why["reason"], "not_running");
/// assert_eq!(why["sentence"], "the campaign is not running");
/// assert_eq!(why["stages"][0]["status"], "PAUSED");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn of(decision: &Decision<'_>) -> Map<String, Value> {
    let campaign = decision.campaign();
    let mut object = Map::new();
    let mut add = |name: &str, value: Value| object.insert(name.to_owned(), value);
    add("user", decision.user().into());
    add("verb", decision.verb().as_str().into());
    add(
        "campaign",
        json!({
            "key": campaign.key(),
            "id": campaign.id().as_str(),
            "name": campaign.name(),
            "type": campaign.kind().as_str(),
            "status": campaign.status(),
        }),
    );
    add("sentence", decision.reason().to_string().into());
    add("reason", decision.reason().as_str().into());
    add("variation", decision.variation().map(|one| json!({ "name": one.name(), "id": one.id().as_str() })).into());
    add("otherCampaign", decision.other_campaign().map(|other| other.key()).into());
    add("featureEnabled", decision.is_feature_enabled().into());
    if let Some(trace) = decision.trace() {
        add("stages", trace.stages.iter().map(stage).collect());
    }
    add("warnings", decision.warnings().iter().map(|warning| warning.to_string()).collect());
    if let Some((goal, outcome)) = decision.goal().zip(decision.track_outcome()) {
        let outcome = match outcome {
            TrackOutcome::Tracked => "tracked",
            TrackOutcome::AlreadyTracked => "already_tracked",
            TrackOutcome::NoVariation => "no_variation",
        };
        add("goal", json!({ "identifier": goal.identifier(), "id": goal.id().as_str(), "outcome": outcome }));
    }
    let variables: Map<String, Value> =
        variables(decision).into_iter().map(|(key, value)| (key, value.unwrap_or(Value::Null))).collect();
    if !variables.is_empty() {
        add("variables", variables.into());
    }
    object
}

/// The variables of the feature for the user, by key; those without a value say why.
#[must_use]
pub fn variables(decision: &Decision<'_>) -> Vec<(String, Result<Value, String>)> {
    let campaign = decision.campaign();
    let Some(variation) = decision.variation() else { return Vec::new() };
    let all = match campaign.kind() {
        CampaignKind::FeatureRollout => campaign.variables(),
        CampaignKind::FeatureTest => variation.variables().unwrap_or_default(),
        CampaignKind::Ab | CampaignKind::Other(_) => &[],
    };
    all.iter()
        .map(|variable| {
            let value = match decision.variable(variable.key()) {
                Ok(value) => Ok(value.map_or(Value::Null, VariableValue::to_json)),
                Err(error) => Err(error.to_string()),
            };
            (variable.key().to_owned(), value)
        })
        .collect()
}

/// A stage with the numbers behind it; `stage` is its name.
fn stage(stage: &Stage) -> Value {
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
