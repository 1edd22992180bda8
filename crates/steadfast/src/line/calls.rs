//! Making the call of a line, on either client.

use std::collections::BTreeSet;

use steadfast_engine::verb::Push;
use steadfast_engine::{CallError, Decision, TrackTarget, Tracking, Verb};
use steadfast_storage::StorageError;

use super::request::{Line, Mistake, Named, Op, Operation};
use crate::{Client, blocking};

/// What came of the call of a line.
pub(super) enum Outcome<'l> {
    /// There was none to make.
    Mistaken(Op, &'l Mistake),
    Decided(Verb, Result<Decision<'l>, CallError>),
    /// `None` where no name in the list is a key.
    Tracked(Targets<'l>, Option<Result<Tracking<'l>, CallError>>),
    Pushed(Result<Push<'l>, CallError>),
    Put(Result<(), StorageError>),
}

/// What a `track` names.
pub(super) struct Targets<'l> {
    /// The keys; none where it names all campaigns, or nothing that is a key.
    pub(super) keys: Vec<&'l str>,
    /// Whether a single key was given, not a list.
    pub(super) single: bool,
    /// What is in the list and names no campaign.
    pub(super) strangers: BTreeSet<&'l str>,
    all: bool,
}

/// Makes the call of a line.
pub(super) fn blocking<'l>(line: &'l Line<'_>, client: &'l blocking::Client) -> Outcome<'l> {
    match &line.operation {
        Operation::Mistaken { op, mistake } => Outcome::Mistaken(*op, mistake),
        Operation::Decide { verb, campaign, user, options } => {
            let decided = match verb {
                Verb::Activate => client.activate(campaign, user, options),
                Verb::FeatureEnabled => client.feature_enabled(campaign, user, options),
                _ => client.variation_name(campaign, user, options),
            };
            Outcome::Decided(*verb, decided)
        }
        Operation::Variable { campaign, user, options, .. } => {
            Outcome::Decided(Verb::FeatureVariable, client.feature_variable(campaign, user, options))
        }
        Operation::Track { campaigns, single, user, goal, options } => {
            let targets = Targets::new(campaigns.as_deref(), *single);
            let tracked = targets.target().map(|target| client.track(target, user, goal, options));
            Outcome::Tracked(targets, tracked)
        }
        Operation::Push { user, properties } => Outcome::Pushed(client.push(user, properties.clone())),
        Operation::Put(record) => Outcome::Put(client.put(record.clone())),
    }
}

/// The same.
pub(super) async fn nonblocking<'l>(line: &'l Line<'_>, client: &'l Client) -> Outcome<'l> {
    match &line.operation {
        Operation::Mistaken { op, mistake } => Outcome::Mistaken(*op, mistake),
        Operation::Decide { verb, campaign, user, options } => {
            let decided = match verb {
                Verb::Activate => client.activate(campaign, user, options).await,
                Verb::FeatureEnabled => client.feature_enabled(campaign, user, options).await,
                _ => client.variation_name(campaign, user, options).await,
            };
            Outcome::Decided(*verb, decided)
        }
        Operation::Variable { campaign, user, options, .. } => {
            Outcome::Decided(Verb::FeatureVariable, client.feature_variable(campaign, user, options).await)
        }
        Operation::Track { campaigns, single, user, goal, options } => {
            let targets = Targets::new(campaigns.as_deref(), *single);
            let tracked = match targets.target() {
                Some(target) => Some(client.track(target, user, goal, options).await),
                None => None,
            };
            Outcome::Tracked(targets, tracked)
        }
        Operation::Push { user, properties } => Outcome::Pushed(client.push(user, properties.clone())),
        Operation::Put(record) => Outcome::Put(client.put(record.clone()).await),
    }
}

impl<'l> Targets<'l> {
    fn new(campaigns: Option<&'l [Named<'_>]>, single: bool) -> Self {
        let named = campaigns.unwrap_or_default();
        let keys = named.iter().filter_map(|named| match named {
            // An empty key in a list names no campaign; it is no mistake of the call.
            Named::Key(key) if !key.is_empty() => Some(&**key),
            _ => None,
        });
        let strangers = named.iter().filter_map(|named| match named {
            Named::Key(key) => key.is_empty().then_some(""),
            Named::Other(text) => Some(text),
        });
        Targets { keys: keys.collect(), single, strangers: strangers.collect(), all: campaigns.is_none() }
    }

    fn target(&self) -> Option<TrackTarget<'_>> {
        match self.keys.as_slice() {
            _ if self.all => Some(TrackTarget::All),
            [key] if self.single => Some(TrackTarget::One(key)),
            [] if !self.strangers.is_empty() => None,
            keys => Some(TrackTarget::Many(keys)),
        }
    }
}
