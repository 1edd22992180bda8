//! What the collector should hear of, as data. How it is put on the wire is not the engine's business.

use crate::bucket::VisitorId;
use crate::decide::Decision;
use crate::settings::{Campaign, Goal, Settings, Variation};
use crate::verb::{Push, Tracking};

/// One call of the collector.
#[derive(Debug)]
pub enum Event<'d, 'a> {
    /// A visitor was shown a variation (`activate`, `isFeatureEnabled`).
    Impression(Impression<'d, 'a>),
    /// A goal was reached, in one or several campaigns (`track`).
    Conversion(&'d Tracking<'a>),
    /// A visitor has these properties (`push`).
    Push(&'d Push<'a>),
}

impl Event<'_, '_> {
    /// The settings that were in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        match self {
            Event::Impression(impression) => impression.decision.settings(),
            Event::Conversion(tracking) => tracking.request().settings(),
            Event::Push(push) => push.settings(),
        }
    }
}

/// A visitor was shown a variation.
#[derive(Debug)]
pub struct Impression<'d, 'a> {
    pub(crate) decision: &'d Decision<'a>,
}

/// A goal reached in one campaign.
#[derive(Debug, Clone, Copy)]
pub struct Conversion<'d> {
    /// The campaign.
    pub campaign: &'d Campaign,
    /// The visitor's variation in it.
    pub variation: &'d Variation,
    /// The goal.
    pub goal: &'d Goal,
}

impl<'d, 'a> Impression<'d, 'a> {
    /// The decision it comes from: user, campaign, options.
    #[must_use]
    pub fn decision(&self) -> &'d Decision<'a> {
        self.decision
    }

    /// The visitor's id, computed now: the decision did not need it.
    #[must_use]
    pub fn visitor(&self) -> VisitorId {
        self.decision.settings().visitors().visitor(self.decision.user())
    }
}
