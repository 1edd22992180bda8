//! `track`: a user reached a goal, in one campaign, several, or all that have it.
//!
//! Every campaign is decided on its own; what one gets wrong touches no other (spec Q-19). What is stored for all of
//! them is asked for at once, and one event goes out for the whole call.

use std::collections::HashSet;
use std::ptr;

use crate::decide::{
    Answer, Call, Decision, Known, Question, Request, Step, StoredKey, Trace, TrackOutcome, Verb, Wanted, Warning,
    decide,
};
use crate::effect::Effect;
use crate::error::CallError;
use crate::event::{Conversion, Event};
use crate::policy::{GoalTypes, TrackAll};
use crate::settings::{Campaign, CampaignIndex, CampaignKind, Goal, GoalKind};
use crate::shared::Shared;

/// The campaigns a goal is tracked in.
#[derive(Debug, Clone, Copy)]
pub enum TrackTarget<'t> {
    /// This one.
    One(&'t str),
    /// These. A key that is named twice counts once.
    Many(&'t [&'t str]),
    /// Every one that has the goal.
    All,
}

/// What became of a goal, campaign by campaign, in the order they were named.
#[derive(Debug)]
pub struct Tracking<'a> {
    request: Request<'a>,
    goal: Shared<'a, str>,
    addressed_many: bool,
    campaigns: Vec<CampaignTracking<'a>>,
}

/// What became of a goal in one campaign.
#[derive(Debug)]
pub struct CampaignTracking<'a>(Result<Decision<'a>, Refusal>);

/// A campaign that the goal cannot be tracked in.
#[derive(Debug)]
struct Refusal {
    key: String,
    error: CallError,
}

/// The question of `track`.
#[derive(Debug)]
pub struct NeedsStoredForMany<'a>(Box<Pending<'a>>);

#[derive(Debug)]
struct Pending<'a> {
    request: Request<'a>,
    goal: Shared<'a, str>,
    addressed_many: bool,
    campaigns: Vec<Progress<'a>>,
    known: Known,
    wanted: Wanted,
}

/// How far a campaign is.
#[derive(Debug)]
enum Progress<'a> {
    /// Not decided yet.
    Open(Open),
    Settled(CampaignTracking<'a>),
}

#[derive(Debug)]
struct Open {
    campaign: CampaignIndex,
    /// The place of the goal in the campaign.
    goal: u32,
    trace: Option<Box<Trace>>,
}

/// Decides in which campaigns the user's goal counts.
///
/// # Errors
/// For the call as a whole, when the user id or the goal identifier is empty, no campaign is named, or none has the
/// goal; with [`TrackTarget::One`] also whatever is wrong with that campaign. In a call for several campaigns each has
/// its own [outcome](CampaignTracking::outcome) (spec API-30 to API-43).
pub fn track<'a>(
    request: Request<'a>,
    target: TrackTarget<'_>,
    goal: impl Into<Shared<'a, str>>,
) -> Result<Step<NeedsStoredForMany<'a>>, CallError> {
    let goal = goal.into();
    request.check_user()?;
    if goal.is_empty() {
        return Err(CallError::EmptyGoalIdentifier);
    }
    let (campaigns, addressed_many) = match target {
        TrackTarget::One(key) => {
            let (campaign, place) = trackable(&request, key, &goal)?;
            (vec![Progress::open(&request, campaign, place)], false)
        }
        TrackTarget::Many([]) => return Err(CallError::NoCampaigns),
        TrackTarget::Many(keys) => {
            let mut seen = HashSet::with_capacity(keys.len());
            let distinct = keys.iter().filter(|key| seen.insert(**key));
            (distinct.map(|key| named(&request, key, &goal)).collect(), keys.len() > 1)
        }
        TrackTarget::All => {
            let campaigns: Vec<_> = having(&request, &goal).map(|one| named(&request, &one.key, &goal)).collect();
            if campaigns.is_empty() {
                return Err(CallError::GoalNowhere { goal: goal.to_string() });
            }
            let addressed_many = campaigns.len() > 1;
            (campaigns, addressed_many)
        }
    };
    let (known, wanted) = (Known::nothing(), Wanted::new());
    Ok(advance(Pending { request, goal, addressed_many, campaigns, known, wanted }))
}

fn named<'a>(request: &Request<'a>, key: &str, goal: &str) -> Progress<'a> {
    match trackable(request, key, goal) {
        Ok((campaign, place)) => Progress::open(request, campaign, place),
        Err(error) => Progress::Settled(CampaignTracking(Err(Refusal { key: key.to_owned(), error }))),
    }
}

/// Every campaign that has the goal, in the order of the settings (spec API-30). A broken one is among them, so that it
/// can say so; one whose key belongs to an earlier campaign is not, since no call reaches it.
fn having<'r>(request: &'r Request<'_>, goal: &'r str) -> impl Iterator<Item = &'r Campaign> {
    let wanted = goal_types(request);
    request
        .settings()
        .campaigns()
        .iter()
        .filter(|campaign| request.settings().campaign(&campaign.key).is_some_and(|named| ptr::eq(named, *campaign)))
        .filter(move |campaign| campaign.goal(goal).is_some_and(|goal| is_wanted(goal.kind, wanted)))
        .filter(|campaign| {
            request.policy.track_all == TrackAll::WithGoal
                || (campaign.running && campaign.kind != CampaignKind::FeatureRollout)
        })
}

/// The campaign and the place of the goal in it, if the goal can be tracked there (spec API-32).
fn trackable(request: &Request<'_>, key: &str, goal: &str) -> Result<(CampaignIndex, u32), CallError> {
    let index = request.campaign(key)?;
    let campaign = request.settings().at(index);
    if campaign.kind == CampaignKind::FeatureRollout {
        return Err(CallError::WrongKind {
            key: key.to_owned(),
            kind: campaign.kind.clone(),
            verb: Verb::Track.as_str(),
        });
    }
    let Some((place, known)) = (0..).zip(&campaign.goals).find(|(_, known)| &*known.identifier == goal) else {
        return Err(CallError::UnknownGoal { key: key.to_owned(), goal: goal.to_owned() });
    };
    if !is_wanted(known.kind, goal_types(request)) {
        return Err(CallError::OtherGoalType { key: key.to_owned(), goal: goal.to_owned() });
    }
    if !has_revenue(request, known) {
        return Err(CallError::MissingRevenue { key: key.to_owned(), goal: goal.to_owned() });
    }
    Ok((index, place))
}

fn goal_types(request: &Request<'_>) -> GoalTypes {
    request.options().goal_types.unwrap_or(request.policy.goal_types)
}

fn is_wanted(kind: GoalKind, wanted: GoalTypes) -> bool {
    match wanted {
        GoalTypes::All => true,
        GoalTypes::Custom => kind == GoalKind::Custom,
        GoalTypes::Revenue => kind == GoalKind::Revenue,
    }
}

/// Whether a goal that counts revenue gets one (spec API-41 to API-43). Zero is an amount (decision D-20).
fn has_revenue(request: &Request<'_>, goal: &Goal) -> bool {
    let options = request.options();
    if goal.kind != GoalKind::Revenue || options.revenue.is_some() {
        return true;
    }
    if !request.settings().event_architecture {
        return false;
    }
    match &goal.revenue_property {
        Some(property) => {
            options.event_properties.as_ref().is_some_and(|properties| properties.contains_key(&**property))
        }
        None => goal.counts_every_time,
    }
}

/// Decides every campaign that can be decided with what is known.
fn advance(mut pending: Pending<'_>) -> Step<NeedsStoredForMany<'_>> {
    let mut asked = Wanted::new();
    let mut seen = HashSet::new();
    for progress in &mut pending.campaigns {
        let Progress::Open(open) = progress else { continue };
        let call = Call { request: &pending.request, campaign: open.campaign, verb: Verb::Track };
        match decide(&call, &pending.known, &mut open.trace) {
            Ok(verdict) => {
                let stored = pending.known.record(open.campaign).cloned();
                let (request, trace) = (pending.request.clone(), open.trace.take());
                let decision = Decision::new(request, open.campaign, Verb::Track, verdict, stored, trace);
                *progress = Progress::Settled(CampaignTracking(Ok(decision.for_goal(open.goal))));
            }
            Err(wanted) => asked.extend(wanted.into_iter().filter(|index| seen.insert(*index))),
        }
    }
    if !asked.is_empty() {
        pending.wanted = asked;
        return Step::NeedsStored(NeedsStoredForMany(Box::new(pending)));
    }
    let campaigns = pending.campaigns.into_iter().filter_map(|progress| match progress {
        Progress::Settled(tracking) => Some(tracking),
        // A campaign is open only as long as it asks for something.
        Progress::Open(_) => None,
    });
    Step::Done(Tracking {
        campaigns: campaigns.collect(),
        request: pending.request,
        goal: pending.goal,
        addressed_many: pending.addressed_many,
    })
}

impl Progress<'_> {
    fn open(request: &Request<'_>, campaign: CampaignIndex, goal: u32) -> Self {
        Progress::Open(Open { campaign, goal, trace: Trace::wanted(request.traced) })
    }
}

impl<'a> Question for NeedsStoredForMany<'a> {
    type Output = Tracking<'a>;

    fn keys(&self) -> impl ExactSizeIterator<Item = StoredKey<'_>> {
        let request = &self.0.request;
        self.0.wanted.iter().map(|index| StoredKey { user: &request.user, campaign: &request.settings.at(*index).key })
    }

    fn resume(self, answers: impl IntoIterator<Item = Answer>) -> Step<Self> {
        let mut pending = self.0;
        let wanted = std::mem::take(&mut pending.wanted);
        pending.known.learn(&wanted, answers);
        advance(*pending)
    }
}

impl<'a> Tracking<'a> {
    /// [`Decision::add_warning`] for the decision of a campaign, if there is one.
    pub fn add_warning(&mut self, campaign: &str, warning: Warning) {
        for decision in self.campaigns.iter_mut().filter_map(|one| one.0.as_mut().ok()) {
            if decision.campaign().key() == campaign {
                decision.add_warning(warning);
            }
        }
    }

    /// The outcome of each campaign.
    #[must_use]
    pub fn campaigns(&self) -> &[CampaignTracking<'a>] {
        &self.campaigns
    }

    /// The identifier of the goal.
    #[must_use]
    pub fn goal(&self) -> &str {
        &self.goal
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request<'a> {
        &self.request
    }

    /// Whether the call named more than one campaign, which the collector hears of in another way (spec EVT-30).
    #[must_use]
    pub fn addressed_many(&self) -> bool {
        self.addressed_many
    }

    /// The conversions that count.
    pub fn conversions(&self) -> impl Iterator<Item = Conversion<'_>> {
        self.decisions().filter(|decision| decision.track_outcome() == Some(TrackOutcome::Tracked)).filter_map(
            |decision| {
                Some(Conversion {
                    campaign: decision.campaign(),
                    variation: decision.variation()?,
                    goal: decision.goal()?,
                })
            },
        )
    }

    /// What should happen next: one event for the whole call, then the records, then the hook (decision D-13).
    pub fn effects(&self) -> impl Iterator<Item = Effect<'_, 'a>> {
        let event = self.conversions().next().is_some().then_some(Effect::Send(Event::Conversion(self)));
        let (stores, notices): (Vec<_>, Vec<_>) =
            self.decisions().flat_map(Decision::effects).partition(|effect| matches!(effect, Effect::Store(_)));
        event.into_iter().chain(stores).chain(notices)
    }

    fn decisions(&self) -> impl Iterator<Item = &Decision<'a>> {
        self.campaigns.iter().filter_map(|campaign| campaign.0.as_ref().ok())
    }
}

impl<'a> CampaignTracking<'a> {
    /// The campaign's key, as it was named.
    #[must_use]
    pub fn key(&self) -> &str {
        match &self.0 {
            Ok(decision) => decision.campaign().key(),
            Err(refusal) => &refusal.key,
        }
    }

    /// What became of the goal.
    ///
    /// # Errors
    /// What the caller got wrong about this campaign.
    pub fn outcome(&self) -> Result<TrackOutcome, &CallError> {
        self.decision().map(|decision| decision.track_outcome().unwrap_or(TrackOutcome::NoVariation))
    }

    /// The decision behind it.
    ///
    /// # Errors
    /// What the caller got wrong about this campaign.
    pub fn decision(&self) -> Result<&Decision<'a>, &CallError> {
        self.0.as_ref().map_err(|refusal| &refusal.error)
    }

    /// Whether the goal was counted.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        self.outcome() == Ok(TrackOutcome::Tracked)
    }
}
