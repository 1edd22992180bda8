//! What is asked of the engine.

use std::cell::Cell;

use crate::attributes::Attributes;
use crate::error::CallError;
use crate::options::Options;
use crate::policy::Policy;
use crate::segment::{Segment, Subject};
use crate::settings::{Campaign, CampaignIndex, Settings};
use crate::shared::Shared;

/// A user, the settings that hold for them, and what the caller brings along: what all verbs start with.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub(crate) settings: Shared<'a, Settings>,
    pub(crate) user: Shared<'a, str>,
    pub(crate) options: Shared<'a, Options>,
    pub(crate) policy: Policy,
    pub(crate) traced: bool,
    pub(crate) opted_out: bool,
}

/// The public call a decision is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `activate`
    Activate,
    /// `getVariationName`
    VariationName,
    /// `isFeatureEnabled`
    FeatureEnabled,
    /// `getFeatureVariableValue`
    FeatureVariable,
    /// `track`
    Track,
}

/// One decision to be made: a request, for one campaign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'c, 'a> {
    pub(crate) request: &'c Request<'a>,
    pub(crate) campaign: CampaignIndex,
    pub(crate) verb: Verb,
}

impl<'a> Request<'a> {
    /// A request for `user`, without options, under the default policy.
    pub fn new(settings: impl Into<Shared<'a, Settings>>, user: impl Into<Shared<'a, str>>) -> Self {
        Request {
            settings: settings.into(),
            user: user.into(),
            options: Shared::Borrowed(Options::NONE),
            policy: Policy::default(),
            traced: false,
            opted_out: false,
        }
    }

    /// The same request with these options.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<Shared<'a, Options>>) -> Self {
        self.options = options.into();
        self
    }

    /// The same request under this policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same request; its decisions come with a full [`Trace`](super::Trace) of what was looked at.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// The same request of a client that has opted out, or has not: then nobody gets a variation, nothing is looked up,
    /// and nothing comes of it (spec API-70).
    #[must_use]
    pub fn opted_out(mut self, opted_out: bool) -> Self {
        self.opted_out = opted_out;
        self
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The campaign a caller names.
    ///
    /// # Errors
    /// When the user id or the key is empty, no campaign has the key, or the campaign is broken.
    pub(crate) fn campaign(&self, key: &str) -> Result<CampaignIndex, CallError> {
        self.check_user()?;
        if key.is_empty() {
            return Err(CallError::EmptyCampaignKey);
        }
        let index = self.settings.index_of(key).ok_or_else(|| CallError::UnknownCampaign { key: key.to_owned() })?;
        match &self.settings.at(index).broken {
            None => Ok(index),
            Some(problem) => Err(CallError::BrokenCampaign { key: key.to_owned(), problem: problem.clone() }),
        }
    }

    /// # Errors
    /// When the user id is empty (spec API-10).
    pub(crate) fn check_user(&self) -> Result<(), CallError> {
        if self.user.is_empty() { Err(CallError::EmptyUserId) } else { Ok(()) }
    }

    pub(crate) fn track_returning_users(&self) -> bool {
        self.options.track_returning_users.unwrap_or(self.policy.track_returning_users)
    }
}

impl<'c> Call<'c, '_> {
    #[inline]
    pub(crate) fn campaign(&self) -> &'c Campaign {
        self.request.settings.at(self.campaign)
    }
}

impl Verb {
    /// The name of the reference's method.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Activate => "activate",
            Verb::VariationName => "getVariationName",
            Verb::FeatureEnabled => "isFeatureEnabled",
            Verb::FeatureVariable => "getFeatureVariableValue",
            Verb::Track => "track",
        }
    }

    /// Whether the verb makes a user part of the campaign; the others only read (spec STO-40).
    #[must_use]
    pub fn activates(self) -> bool {
        matches!(self, Verb::Activate | Verb::FeatureEnabled)
    }
}

/// Whether a segment holds, and whether a pattern in it ran out of steps.
#[inline]
pub(super) fn holds(segment: &Segment, variables: &Attributes, user: Option<&str>, gave_up: &Cell<bool>) -> bool {
    segment.is_everyone() || segment.matches(&Subject { variables, user, gave_up })
}
