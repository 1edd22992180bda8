//! Drives a call to its end, in several manners, and takes a picture of everything that came of it.

use std::sync::Arc;

use steadfast_engine::verb;
use steadfast_engine::{
    Answer, CallError, Decision, Effect, Event, NeedsStored, Precondition, Question, Reason, Record, Request, Step,
    StoredKey, TrackOutcome, TrackTarget, Tracking, Verb, Warning,
};

/// A public call.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// A verb on a campaign.
    Decide(Verb, String),
    /// `track` in these campaigns; in every one that has the goal when there is none.
    Track(Vec<String>, String),
}

/// How the questions of a decision are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All keys at once.
    AllAtOnce,
    /// The first key only, again and again.
    OneAtATime,
}

/// Everything that came of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) decisions: Vec<DecisionPicture>,
    pub(crate) effects: Vec<EffectPicture>,
}

/// What was decided in one campaign, or what the caller got wrong about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecisionPicture {
    pub(crate) campaign: String,
    pub(crate) refused: Option<CallError>,
    pub(crate) variation: Option<String>,
    pub(crate) reason: Option<Reason>,
    pub(crate) other_campaign: Option<String>,
    pub(crate) stored: Option<Record>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) feature_enabled: bool,
    pub(crate) outcome: Option<TrackOutcome>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EffectPicture {
    /// The visitor id of an impression.
    Impression(String),
    /// Campaign, variation and goal of each conversion.
    Conversion(Vec<[String; 3]>),
    /// What is handed to the storage.
    Store(WritePicture),
    /// The campaign of a decision that the hook sees.
    Notify(String),
}

/// All of a write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WritePicture {
    pub(crate) record: Record,
    pub(crate) condition: Condition,
    pub(crate) new_goal: Option<String>,
    pub(crate) was_read: bool,
}

/// The owned form of a precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Absent,
    Stored,
    Replaces(String),
    Unknown,
}

impl Picture {
    /// What is written.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &WritePicture> {
        self.effects.iter().filter_map(|effect| match effect {
            EffectPicture::Store(write) => Some(write),
            _ => None,
        })
    }
}

/// What comes of a call whose questions are answered by `storage`.
pub(crate) fn outcome(
    request: Request<'_>,
    operation: &Operation,
    manner: Manner,
    mut storage: impl FnMut(StoredKey<'_>) -> Answer,
) -> Result<Picture, CallError> {
    match operation {
        Operation::Decide(verb, campaign) => {
            let decision = finish(begin(request, *verb, campaign)?, manner, &mut storage);
            let effects = decision.effects().map(|effect| effect_picture(&effect)).collect();
            Ok(Picture { decisions: vec![decision_picture(&decision)], effects })
        }
        Operation::Track(campaigns, goal) => {
            let keys: Vec<&str> = campaigns.iter().map(String::as_str).collect();
            let target = match keys.as_slice() {
                [] => TrackTarget::All,
                [key] => TrackTarget::One(key),
                keys => TrackTarget::Many(keys),
            };
            let tracking = finish(verb::track(request, target, Arc::<str>::from(goal.as_str()))?, manner, &mut storage);
            Ok(tracking_picture(&tracking))
        }
    }
}

/// Starts the decision of a verb on one campaign.
pub(crate) fn begin<'a>(request: Request<'a>, verb: Verb, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    match verb {
        Verb::Activate => verb::activate(request, campaign),
        Verb::FeatureEnabled => verb::feature_enabled(request, campaign),
        Verb::FeatureVariable => verb::feature_variable(request, campaign),
        Verb::VariationName | Verb::Track => verb::variation_name(request, campaign),
    }
}

/// The loop of a driver. It ends after a few rounds, or something is wrong.
pub(crate) fn finish<Q: Question>(
    mut step: Step<Q>,
    manner: Manner,
    mut storage: impl FnMut(StoredKey<'_>) -> Answer,
) -> Q::Output {
    for _ in 0..1_000 {
        step = match step {
            Step::Done(output) => return output,
            Step::NeedsStored(need) => {
                let asked = if manner == Manner::AllAtOnce { need.keys().len() } else { 1 };
                assert!(need.keys().len() > 0, "a question that asks nothing");
                let answers: Vec<Answer> = need.keys().take(asked).map(&mut storage).collect();
                need.resume(answers)
            }
        }
    }
    panic!("a decision that asks for ever");
}

/// The picture of a decision.
pub(crate) fn decision_picture(decision: &Decision<'_>) -> DecisionPicture {
    DecisionPicture {
        campaign: decision.campaign().key().to_owned(),
        refused: None,
        variation: decision.variation_name().map(str::to_owned),
        reason: Some(decision.reason()),
        other_campaign: decision.other_campaign().map(|campaign| campaign.key().to_owned()),
        stored: decision.stored().cloned(),
        warnings: decision.warnings().iter().collect(),
        feature_enabled: decision.is_feature_enabled(),
        outcome: decision.track_outcome(),
    }
}

fn tracking_picture(tracking: &Tracking<'_>) -> Picture {
    let decisions = tracking.campaigns().iter().map(|campaign| match campaign.decision() {
        Ok(decision) => decision_picture(decision),
        Err(error) => DecisionPicture {
            campaign: campaign.key().to_owned(),
            refused: Some(error.clone()),
            variation: None,
            reason: None,
            other_campaign: None,
            stored: None,
            warnings: vec![],
            feature_enabled: false,
            outcome: None,
        },
    });
    Picture {
        decisions: decisions.collect(),
        effects: tracking.effects().map(|effect| effect_picture(&effect)).collect(),
    }
}

fn effect_picture(effect: &Effect<'_, '_>) -> EffectPicture {
    match effect {
        Effect::Send(Event::Impression(impression)) => {
            EffectPicture::Impression(impression.visitor().as_str().to_owned())
        }
        Effect::Send(Event::Conversion(tracking)) => EffectPicture::Conversion(
            tracking
                .conversions()
                .map(|one| [one.campaign.key(), one.variation.name(), one.goal.identifier()].map(str::to_owned))
                .collect(),
        ),
        Effect::Send(Event::Push(push)) => unreachable!("a decision pushes nothing: {push:?}"),
        Effect::Store(write) => EffectPicture::Store(WritePicture {
            record: write.to_record(),
            condition: match write.precondition() {
                Precondition::Absent => Condition::Absent,
                Precondition::Stored => Condition::Stored,
                Precondition::Replaces(gone) => Condition::Replaces(gone.to_owned()),
                Precondition::Unknown => Condition::Unknown,
            },
            new_goal: write.new_goal().map(str::to_owned),
            was_read: write.was_read(),
        }),
        Effect::Notify(decision) => EffectPicture::Notify(decision.campaign().key().to_owned()),
    }
}
