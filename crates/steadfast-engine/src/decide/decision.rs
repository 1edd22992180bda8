//! The result: who gets what and why, and what should happen next, as data.

use std::sync::Arc;

use super::call::{Request, Verb};
use super::reason::Reason;
use super::stages::{Basis, Verdict};
use super::trace::Trace;
use super::warning::{Warning, Warnings};
use crate::effect::{Effect, Precondition, Write};
use crate::event::{Event, Impression};
use crate::policy::{EventArchitectureGoals, MetaDataRule};
use crate::settings::{
    Campaign, CampaignIndex, CampaignKind, Settings, Variable, VariableError, VariableValue, Variation,
};
use crate::stored::{GoalList, Record};

/// What was decided for a user in a campaign.
#[derive(Debug)]
pub struct Decision<'a> {
    request: Request<'a>,
    campaign: CampaignIndex,
    verb: Verb,
    verdict: Verdict,
    goal: Option<Goal>,
    /// The record that the storage gave.
    stored: Option<Arc<Record>>,
    trace: Option<Box<Trace>>,
}

/// The goal a decision of `track` is about, and whether it is counted.
#[derive(Debug, Clone, Copy)]
struct Goal {
    index: u32,
    outcome: TrackOutcome,
}

/// What became of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackOutcome {
    /// It is counted: the event is among the effects.
    Tracked,
    /// The user's record lists it already (spec STO-31).
    AlreadyTracked,
    /// The user has no variation in the campaign; the decision says why.
    NoVariation,
}

impl<'a> Decision<'a> {
    #[inline(always)]
    pub(crate) fn new(
        request: Request<'a>,
        campaign: CampaignIndex,
        verb: Verb,
        verdict: Verdict,
        stored: Option<Arc<Record>>,
        trace: Option<Box<Trace>>,
    ) -> Self {
        Decision { request, campaign, verb, verdict, goal: None, stored, trace }
    }

    /// The same decision, of `track`, about the goal at this place: counted unless the record lists it already
    /// (spec STO-31, API-44).
    pub(crate) fn for_goal(mut self, index: u32) -> Self {
        let goal = &self.campaign().goals[index as usize];
        let again = self.request.track_returning_users() || goal.counts_every_time;
        let listed = || self.stored_goals().is_some_and(|goals| lists(goals, self.campaign(), &goal.identifier));
        let outcome = if self.verdict.variation.is_none() {
            TrackOutcome::NoVariation
        } else if !again && listed() {
            TrackOutcome::AlreadyTracked
        } else {
            TrackOutcome::Tracked
        };
        self.goal = Some(Goal { index, outcome });
        self
    }

    /// The variation the user gets; `None` where [`reason`](Self::reason) says why not.
    #[must_use]
    pub fn variation(&self) -> Option<&Variation> {
        self.verdict.variation.map(|index| self.campaign().variation_at(index))
    }

    /// The name of the variation the user gets.
    #[must_use]
    pub fn variation_name(&self) -> Option<&str> {
        self.variation().map(Variation::name)
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.verdict.reason
    }

    /// The campaign that was called.
    #[must_use]
    pub fn campaign(&self) -> &Campaign {
        self.request.settings.at(self.campaign)
    }

    /// The settings that were in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.request.settings
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.request.user
    }

    /// The verb that was called.
    #[must_use]
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// The campaign of the group that has the user instead.
    #[must_use]
    pub fn other_campaign(&self) -> Option<&Campaign> {
        self.verdict.other.map(|index| self.request.settings.at(index))
    }

    /// The record the decision rests on, or replaces: the caller's or the storage's.
    #[must_use]
    pub fn stored(&self) -> Option<&Record> {
        match self.verdict.basis {
            Basis::FromCaller(place) | Basis::StaleFromCaller(place) => {
                self.request.options.user_storage_data.records().get(place as usize)
            }
            Basis::Stored | Basis::Stale => self.stored.as_deref(),
            Basis::NotConsulted | Basis::NoStorage | Basis::Absent | Basis::AbsentByCaller | Basis::Unknown => None,
        }
    }

    /// What was met on the way that somebody should hear of.
    #[must_use]
    pub fn warnings(&self) -> Warnings {
        self.verdict.warnings
    }

    /// Adds what only the driver knows: that it has put the answer together itself, since the storage failed, say.
    pub fn add_warning(&mut self, warning: Warning) {
        self.verdict.warnings.add(warning);
    }

    /// The stages, where the request was [traced](super::Request::traced).
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Whether the feature is on for the user: in a rollout, whenever they get a variation; in a feature test, as the
    /// variation says (spec API-22).
    #[must_use]
    pub fn is_feature_enabled(&self) -> bool {
        self.variation().is_some_and(|variation| {
            matches!(self.campaign().kind, CampaignKind::FeatureRollout) || variation.feature_enabled
        })
    }

    /// The value of a feature variable for the user; `Ok(None)` where they get no variation. In a feature test whose
    /// variation has the feature off, the control's value (spec API-60 to API-64).
    ///
    /// # Errors
    /// When the deciding variation has no such variable, or its value cannot be read as its type.
    pub fn variable(&self, key: &str) -> Result<Option<VariableValue<'_>>, VariableError> {
        let Some(variation) = self.variation() else { return Ok(None) };
        let campaign = self.campaign();
        let variables: &[Variable] = match campaign.kind {
            CampaignKind::FeatureRollout => &campaign.variables,
            CampaignKind::FeatureTest => {
                let own = variation.variables.as_deref().ok_or(VariableError::Missing)?;
                if variation.feature_enabled { own } else { control(campaign).ok_or(VariableError::Missing)? }
            }
            CampaignKind::Ab | CampaignKind::Other(_) => &[],
        };
        let variable = variables.iter().find(|variable| &*variable.key == key).ok_or(VariableError::Missing)?;
        variable.value().map(Some)
    }

    /// What should happen next, in this order: the event is handed over, the record is handed to the storage, the hook
    /// is called (decision D-13). A decision of `track` leaves its event to [`Tracking`](crate::Tracking), which sends
    /// one for all campaigns of the call.
    pub fn effects(&self) -> impl Iterator<Item = Effect<'_, 'a>> {
        let event = self.sends_impression().then_some(Effect::Send(Event::Impression(Impression { decision: self })));
        let write = self.write().map(Effect::Store);
        let notice = self.notifies().then_some(Effect::Notify(self));
        event.into_iter().chain(write).chain(notice)
    }

    /// The goal of a decision of `track`.
    #[must_use]
    pub fn goal(&self) -> Option<&crate::settings::Goal> {
        self.goal.map(|goal| &self.campaign().goals[goal.index as usize])
    }

    /// What became of the goal of a decision of `track`.
    #[must_use]
    pub fn track_outcome(&self) -> Option<TrackOutcome> {
        self.goal.map(|goal| goal.outcome)
    }

    /// Whether the decision is shown to the hook (spec API-92).
    #[must_use]
    pub fn notifies(&self) -> bool {
        matches!(self.verdict.reason, Reason::Whitelisted | Reason::Stored | Reason::Assigned | Reason::NoRange)
    }

    /// The options of the call.
    #[must_use]
    pub fn options(&self) -> &crate::Options {
        &self.request.options
    }

    /// Whether an impression goes out: for every new decision of an activating verb, and for returning users where
    /// that is wanted (spec STO-41, D-7).
    fn sends_impression(&self) -> bool {
        if !self.verb.activates() || self.verdict.variation.is_none() {
            return false;
        }
        match self.verdict.reason {
            Reason::Stored => {
                self.request.track_returning_users() || self.stored().is_some_and(|record| !record.activated)
            }
            _ => true,
        }
    }

    /// What is written to the storage, if anything is: the record among the [effects](Self::effects).
    #[must_use]
    pub fn write(&self) -> Option<Write<'_>> {
        let request = &self.request;
        let variation = self.variation()?;
        if !request.policy.has_storage {
            return None;
        }
        let stored = self.stored();
        let precondition = match self.verdict.basis {
            Basis::NotConsulted | Basis::NoStorage => return None,
            Basis::Absent | Basis::AbsentByCaller => Precondition::Absent,
            Basis::Unknown => Precondition::Unknown,
            Basis::Stored | Basis::FromCaller(_) => Precondition::Stored,
            Basis::Stale | Basis::StaleFromCaller(_) => Precondition::Replaces(&stored?.variation_name),
        };
        let counted = self.goal_to_list();
        let listed = self.stored_goals();
        let new_goal = counted.filter(|goal| !listed.is_some_and(|goals| lists(goals, self.campaign(), goal)));
        let activates = self.verb.activates();
        let was_activated = precondition == Precondition::Stored && stored.is_none_or(|record| record.activated);
        if precondition == Precondition::Stored {
            // What the caller passed may be newer or older than the storage: a goal that counts is written all the same.
            let passed = matches!(self.verdict.basis, Basis::FromCaller(_));
            let goal_is_stored = counted.is_none() || (new_goal.is_none() && !passed);
            if goal_is_stored && (was_activated || !activates) {
                return None;
            }
        }
        let kept = match request.policy.meta_data {
            MetaDataRule::ThisCall => None,
            MetaDataRule::Keep => stored.and_then(|record| record.meta_data.as_ref()),
        };
        Some(Write {
            user: &request.user,
            campaign: self.campaign(),
            variation,
            listed,
            new_goal,
            activated: was_activated || activates,
            meta_data: request.options.meta_data.as_ref().or(kept),
            precondition,
            was_read: matches!(self.verdict.basis, Basis::Absent | Basis::Stored | Basis::Stale),
        })
    }

    /// The goals counted for the variation so far. Those of a variation that is gone were not counted for this one, so
    /// a record that is replaced starts over (spec M9, STO-33).
    fn stored_goals(&self) -> Option<&GoalList> {
        match self.verdict.reason {
            Reason::Stored => self.stored().map(|record| &record.goals),
            _ => None,
        }
    }

    /// The goal that the record must list, now that it was counted.
    fn goal_to_list(&self) -> Option<&str> {
        let goal = self.goal.filter(|goal| goal.outcome == TrackOutcome::Tracked)?;
        let request = &self.request;
        let sent_each_time = request.settings.event_architecture
            && request.policy.event_architecture_goals == EventArchitectureGoals::SendEachTime;
        (!sent_each_time).then(|| &*self.campaign().goals[goal.index as usize].identifier)
    }
}

/// Whether a record of a campaign lists a goal.
fn lists(goals: &GoalList, campaign: &Campaign, identifier: &str) -> bool {
    goals.contains(identifier, campaign.goals.iter().map(|goal| &*goal.identifier))
}

/// The variables of the control, the variation with the id 1 (spec API-60, Q-70).
fn control(campaign: &Campaign) -> Option<&[Variable]> {
    let control = campaign.variations.iter().find(|variation| &*variation.id.text == "1")?;
    control.variables.as_deref()
}
