//! What operators choose: policies with several right answers, as enums.

/// The choices that hold for all calls of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether a storage is there to be asked. Without one everybody is evaluated afresh on each call.
    pub has_storage: bool,
    /// Whether users must be activated before the reading verbs know them.
    pub activation: Activation,
    /// What happens when the storage cannot answer.
    pub on_storage_error: OnStorageError,
    /// Whether impressions and goals of users who have them already are sent again; an option of a call wins
    /// (`shouldTrackReturningUser`).
    pub track_returning_users: bool,
    /// Which goals `track` counts; an option of a call wins (`goalTypeToTrack`).
    pub goal_types: GoalTypes,
    /// Whether accounts with the event architecture count a goal once per user.
    pub event_architecture_goals: EventArchitectureGoals,
    /// What becomes of the metadata of a stored record when a call brings none.
    pub meta_data: MetaDataRule,
    /// Which campaigns `track` of all campaigns answers for.
    pub track_all: TrackAll,
}

/// Whether `track`, the variation name and feature variables need an earlier activation (decision D-5, spec STO-40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// Evaluation goes on when nothing is stored, and the decision is kept: the document's rule.
    #[default]
    Optional,
    /// Nothing stored, no variation: the rule of the reference since 1.13.
    Required,
}

/// What happens when the storage cannot answer (decision D-8). A campaign with `isMAB` always takes the second way,
/// because its weights move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStorageError {
    /// Decide as if there were no storage; the result is never written over anything, at most claimed if absent.
    #[default]
    Decide,
    /// Nobody gets a variation until the storage answers again.
    NoVariation,
}

/// Which goals `track` counts (`goalTypeToTrack`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GoalTypes {
    /// `ALL`
    #[default]
    All,
    /// `CUSTOM_GOAL`
    Custom,
    /// `REVENUE_TRACKING`
    Revenue,
}

/// Whether accounts with the event architecture count a goal once per user (decision D-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventArchitectureGoals {
    /// Goals are sent each time and not listed in records; a list that is there all the same is honoured.
    #[default]
    SendEachTime,
    /// As in other accounts: listed, and sent once.
    Once,
}

/// What becomes of the metadata of a stored record when it is written again (spec STO-14, Q-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetaDataRule {
    /// The record holds what this call brings, or none.
    #[default]
    ThisCall,
    /// What is stored stays when this call brings none.
    Keep,
}

/// Which campaigns `track` of all campaigns answers for (spec API-30, Q-101).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackAll {
    /// Every campaign that has the goal; paused ones and rollouts are answered with "not tracked".
    #[default]
    WithGoal,
    /// Only running campaigns that goals can be tracked in.
    Trackable,
}
