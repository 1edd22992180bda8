//! `track`: a user reached a goal, in one campaign, several, or all that have it.
//!
//! Every campaign is decided on its own; what one gets wrong touches no other (spec Q-19). What is stored for all of
//! them is asked for at once, and one event goes out for the whole call.

use crate::decide::{
    Answer, Call, Decision, Known, Question, Request, Step, StoredKey, Tracer, TrackOutcome, Verb, Wanted, decide,
};
use crate::effect::Effect;
use crate::error::CallError;
use crate::event::{Conversion, Event};
use crate::policy::{GoalTypes, TrackAll};
use crate::settings::{Campaign, CampaignIndex, CampaignKind, GoalKind};

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
    goal: String,
    addressed_many: bool,
    campaigns: Vec<CampaignTracking<'a>>,
}

/// What became of a goal in one campaign.
#[derive(Debug)]
pub struct CampaignTracking<'a> {
    key: String,
    decision: Result<Decision<'a>, CallError>,
}

/// The question of `track`.
#[derive(Debug)]
pub struct NeedsStoredForMany<'a> {
    request: Request<'a>,
    goal: String,
    addressed_many: bool,
    campaigns: Vec<(String, Progress<'a>)>,
    known: Known,
    wanted: Wanted,
}

/// How far a campaign is.
#[derive(Debug)]
enum Progress<'a> {
    Open(Open<'a>),
    Settled(Result<Decision<'a>, CallError>),
}

/// A campaign that is not decided yet.
#[derive(Debug)]
struct Open<'a> {
    call: Call<'a>,
    /// The place of the goal in the campaign.
    goal: usize,
    tracer: Tracer,
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
    goal: &str,
) -> Result<Step<NeedsStoredForMany<'a>>, CallError> {
    request.check_user()?;
    if goal.is_empty() {
        return Err(CallError::EmptyGoalIdentifier);
    }
    let keys: Vec<&str> = match target {
        TrackTarget::One(key) => vec![key],
        TrackTarget::Many([]) => return Err(CallError::NoCampaigns),
        TrackTarget::Many(keys) => keys.to_vec(),
        TrackTarget::All => return all(request, goal),
    };
    let mut named: Vec<(String, Result<(CampaignIndex, usize), CallError>)> = Vec::with_capacity(keys.len());
    for key in keys {
        if !named.iter().any(|(known, _)| known == key) {
            named.push((key.to_owned(), trackable(&request, key, goal)));
        }
    }
    if let (TrackTarget::One(_), [(_, Err(error))]) = (target, named.as_slice()) {
        return Err(error.clone());
    }
    let addressed_many = matches!(target, TrackTarget::Many(keys) if keys.len() > 1);
    Ok(start(request, goal, addressed_many, named))
}

/// Every campaign that has the goal, in the order of the settings (spec API-30).
fn all<'a>(request: Request<'a>, goal: &str) -> Result<Step<NeedsStoredForMany<'a>>, CallError> {
    let settings = request.settings();
    let wanted = goal_types(&request);
    let named: Vec<_> = settings
        .indices()
        .map(|index| settings.at(index))
        .filter(|campaign| campaign.broken.is_none())
        .filter(|campaign| campaign.goal(goal).is_some_and(|goal| is_wanted(goal.kind, wanted)))
        .filter(|campaign| {
            request.policy.track_all == TrackAll::WithGoal
                || (campaign.running && campaign.kind != CampaignKind::FeatureRollout)
        })
        .map(|campaign| (campaign.key.to_string(), trackable(&request, &campaign.key, goal)))
        .collect();
    if named.is_empty() {
        return Err(CallError::GoalNowhere { goal: goal.to_owned() });
    }
    let addressed_many = named.len() > 1;
    Ok(start(request, goal, addressed_many, named))
}

/// The campaign and the place of the goal in it, if the goal can be tracked there (spec API-32).
fn trackable(request: &Request<'_>, key: &str, goal: &str) -> Result<(CampaignIndex, usize), CallError> {
    let index = request.campaign(key)?;
    let campaign = request.settings().at(index);
    if campaign.kind == CampaignKind::FeatureRollout {
        return Err(CallError::WrongKind {
            key: key.to_owned(),
            kind: campaign.kind.clone(),
            verb: Verb::Track.as_str(),
        });
    }
    let named = || (key.to_owned(), goal.to_owned());
    let Some(place) = campaign.goals.iter().position(|known| &*known.identifier == goal) else {
        let (key, goal) = named();
        return Err(CallError::UnknownGoal { key, goal });
    };
    if !is_wanted(campaign.goals[place].kind, goal_types(request)) {
        let (key, goal) = named();
        return Err(CallError::OtherGoalType { key, goal });
    }
    if !has_revenue(request, campaign, place) {
        let (key, goal) = named();
        return Err(CallError::MissingRevenue { key, goal });
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
fn has_revenue(request: &Request<'_>, campaign: &Campaign, place: usize) -> bool {
    let goal = &campaign.goals[place];
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

fn start<'a>(
    request: Request<'a>,
    goal: &str,
    addressed_many: bool,
    named: Vec<(String, Result<(CampaignIndex, usize), CallError>)>,
) -> Step<NeedsStoredForMany<'a>> {
    let campaigns = named
        .into_iter()
        .map(|(key, found)| {
            let progress = match found {
                Ok((campaign, goal)) => Progress::Open(Open {
                    call: Call { request: request.clone(), campaign, verb: Verb::Track },
                    goal,
                    tracer: Tracer::new(request.traced),
                }),
                Err(error) => Progress::Settled(Err(error)),
            };
            (key, progress)
        })
        .collect();
    let goal = goal.to_owned();
    let (known, wanted) = (Known::default(), Wanted::new());
    advance(NeedsStoredForMany { request, goal, addressed_many, campaigns, known, wanted })
}

/// Decides every campaign that can be decided with what is known.
fn advance(mut question: NeedsStoredForMany<'_>) -> Step<NeedsStoredForMany<'_>> {
    let known = &question.known;
    let mut asked = Wanted::new();
    let campaigns = question.campaigns.into_iter().map(|(key, progress)| match progress {
        Progress::Settled(settled) => (key, Progress::Settled(settled)),
        Progress::Open(mut open) => match decide(&open.call, known, &mut open.tracer) {
            Err(wanted) => {
                for index in wanted {
                    if !asked.contains(&index) {
                        asked.push(index);
                    }
                }
                (key, Progress::Open(open))
            }
            Ok(verdict) => {
                let stored = known.record(open.call.campaign).cloned();
                let decision = Decision::of_goal(open.call, verdict, stored, open.goal, open.tracer.into_trace());
                (key, Progress::Settled(Ok(decision)))
            }
        },
    });
    question.campaigns = campaigns.collect();
    if !asked.is_empty() {
        question.wanted = asked;
        return Step::NeedsStored(question);
    }
    let campaigns = question.campaigns.into_iter().filter_map(|(key, progress)| match progress {
        Progress::Settled(decision) => Some(CampaignTracking { key, decision }),
        // A campaign is open only as long as it asks for something.
        Progress::Open(_) => None,
    });
    Step::Done(Tracking {
        campaigns: campaigns.collect(),
        request: question.request,
        goal: question.goal,
        addressed_many: question.addressed_many,
    })
}

impl<'a> Question for NeedsStoredForMany<'a> {
    type Output = Tracking<'a>;

    fn keys(&self) -> impl ExactSizeIterator<Item = StoredKey<'_>> {
        let request = &self.request;
        self.wanted.iter().map(|index| StoredKey { user: &request.user, campaign: &request.settings.at(*index).key })
    }

    fn resume(mut self, answers: impl IntoIterator<Item = Answer>) -> Step<Self> {
        let wanted = std::mem::take(&mut self.wanted);
        self.known.learn(&wanted, answers);
        advance(self)
    }
}

impl<'a> Tracking<'a> {
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
        self.campaigns.iter().filter_map(|campaign| campaign.decision.as_ref().ok())
    }
}

impl<'a> CampaignTracking<'a> {
    /// The campaign's key, as it was named.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What became of the goal.
    ///
    /// # Errors
    /// What the caller got wrong about this campaign.
    pub fn outcome(&self) -> Result<TrackOutcome, &CallError> {
        self.decision.as_ref().map(|decision| decision.track_outcome().unwrap_or(TrackOutcome::NoVariation))
    }

    /// The decision behind it.
    ///
    /// # Errors
    /// What the caller got wrong about this campaign.
    pub fn decision(&self) -> Result<&Decision<'a>, &CallError> {
        self.decision.as_ref()
    }

    /// Whether the goal was counted.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        self.outcome() == Ok(TrackOutcome::Tracked)
    }
}
