//! What came of a decision, in one sentence.

use steadfast::engine::{CallError, Decision, Effect, Reason, TrackOutcome, Tracking, Verb};

use crate::terminal::text;

/// A decision, of whatever verb.
pub(super) enum Outcome<'e> {
    /// Of a verb on one campaign.
    Decided(Decision<'e>),
    /// Of `track`, in exactly one campaign.
    Tracked(Tracking<'e>),
}

impl<'e> Outcome<'e> {
    /// The outcome of tracking in one campaign.
    ///
    /// # Errors
    /// What was wrong about that campaign.
    pub(super) fn of_tracking(tracking: Tracking<'e>) -> Result<Self, CallError> {
        match tracking.campaigns().first().map(|campaign| campaign.decision()) {
            Some(Ok(_)) => Ok(Outcome::Tracked(tracking)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(CallError::NoCampaigns),
        }
    }

    /// The decision; there is one, or [`of_tracking`](Self::of_tracking) would have failed.
    pub(super) fn decision(&self) -> Option<&Decision<'e>> {
        match self {
            Outcome::Decided(decision) => Some(decision),
            Outcome::Tracked(tracking) => tracking.campaigns().first()?.decision().ok(),
        }
    }

    /// What would happen next.
    pub(super) fn effects(&self) -> Vec<Effect<'_, 'e>> {
        match self {
            Outcome::Decided(decision) => decision.effects().collect(),
            Outcome::Tracked(tracking) => tracking.effects().collect(),
        }
    }
}

/// The outcome in one sentence: `Ashley gets Green`, `Ashley gets nothing: outside the campaign's traffic`.
pub(super) fn sentence(decision: &Decision<'_>) -> String {
    let user = text::shown(decision.user());
    let goal = || text::shown(decision.goal().map_or("", |goal| goal.identifier()));
    let Some(variation) = decision.variation_name().map(text::shown) else {
        let why = why_not(decision);
        return match decision.verb() {
            Verb::Track => format!("Goal {} is not counted for {user}: {why}", goal()),
            Verb::FeatureEnabled => format!("The feature is off for {user}: {why}"),
            Verb::Activate | Verb::VariationName | Verb::FeatureVariable => format!("{user} gets nothing: {why}"),
        };
    };
    let because = match decision.reason() {
        Reason::Whitelisted => ": whitelisted for it",
        Reason::Stored => ": it is stored for them",
        _ => "",
    };
    match (decision.verb(), decision.track_outcome()) {
        (Verb::Track, Some(TrackOutcome::AlreadyTracked)) => {
            format!("Goal {} is not counted again for {user}, who has {variation}: it is on their record", goal())
        }
        (Verb::Track, _) => format!("Goal {} is counted for {user}, who has {variation}{because}", goal()),
        (Verb::FeatureEnabled, _) => {
            let state = if decision.is_feature_enabled() { "on" } else { "off" };
            format!("The feature is {state} for {user}, who gets {variation}{because}")
        }
        _ => format!("{user} gets {variation}{because}"),
    }
}

/// Why the user has no variation, as the end of a sentence.
fn why_not(decision: &Decision<'_>) -> String {
    let campaign = decision.campaign();
    let other = || decision.other_campaign().map_or_else(String::new, |other| text::shown(other.key()));
    match decision.reason() {
        Reason::NotRunning => format!("the campaign is not running (it is {})", text::shown(campaign.status())),
        Reason::NotActivated => "not activated in the campaign before".to_owned(),
        Reason::NotInAudience => "not in the campaign's audience".to_owned(),
        Reason::NotInTraffic => "outside the campaign's traffic".to_owned(),
        Reason::WhitelistedElsewhere => format!("whitelisted in {}, of the same group", other()),
        Reason::StoredElsewhere => format!("takes part in {} already, of the same group", other()),
        Reason::LostGroup => format!("{}, of the same group, has won them", other()),
        Reason::NoRange => "their bucket lies in no variation's range".to_owned(),
        // The rest is said well enough for a log, and that is well enough here.
        reason => reason.to_string(),
    }
}
