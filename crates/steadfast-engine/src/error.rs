//! What a caller got wrong. "No variation" is not among it: that is a [`Decision`](crate::Decision) with a reason.

use std::fmt;

use crate::settings::{CampaignKind, Problem};

/// A call that cannot be answered as it stands (decision D-21).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CallError {
    /// The user id is empty (spec API-10).
    EmptyUserId,
    /// The campaign key is empty (spec API-10).
    EmptyCampaignKey,
    /// The goal identifier is empty (spec API-10).
    EmptyGoalIdentifier,
    /// `track` was given no campaign at all (spec API-40).
    NoCampaigns,
    /// No campaign of the settings has this key.
    UnknownCampaign {
        /// The key.
        key: String,
    },
    /// The settings of this campaign have an error.
    BrokenCampaign {
        /// Its key.
        key: String,
        /// The first error in it.
        problem: Box<Problem>,
    },
    /// The call is not for campaigns of this type (spec API-1 to API-5).
    WrongKind {
        /// The campaign's key.
        key: String,
        /// Its type.
        kind: CampaignKind,
        /// The reference's name of the call.
        verb: &'static str,
    },
    /// The campaign has no goal of this identifier (spec API-32).
    UnknownGoal {
        /// The campaign's key.
        key: String,
        /// The identifier.
        goal: String,
    },
    /// No campaign has a goal of this identifier (spec API-40).
    GoalNowhere {
        /// The identifier.
        goal: String,
    },
    /// The goal is of another type than the ones to be tracked (`goalTypeToTrack`, spec API-31).
    OtherGoalType {
        /// The campaign's key.
        key: String,
        /// The identifier.
        goal: String,
    },
    /// The goal counts revenue and none is given (spec API-41, API-42).
    MissingRevenue {
        /// The campaign's key.
        key: String,
        /// The identifier.
        goal: String,
    },
    /// `push` was given nothing to push (spec API-52).
    NothingToPush,
    /// The name or the value of a pushed property is empty or too long (spec API-51, Q-104).
    PropertyLength {
        /// The property's name, cut short.
        name: String,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::EmptyUserId => write!(formatter, "the user id is empty"),
            CallError::EmptyCampaignKey => write!(formatter, "the campaign key is empty"),
            CallError::EmptyGoalIdentifier => write!(formatter, "the goal identifier is empty"),
            CallError::NoCampaigns => write!(formatter, "the list of campaigns is empty"),
            CallError::UnknownCampaign { key } => write!(formatter, "no campaign has the key `{key}`"),
            CallError::BrokenCampaign { key, problem } => {
                write!(
                    formatter,
                    "the settings of campaign `{key}` cannot be used: {}: {}",
                    problem.path, problem.message
                )
            }
            CallError::WrongKind { key, kind, verb } => {
                write!(formatter, "campaign `{key}` is of type {}, which {verb} is not for", kind.as_str())
            }
            CallError::UnknownGoal { key, goal } => write!(formatter, "campaign `{key}` has no goal `{goal}`"),
            CallError::GoalNowhere { goal } => write!(formatter, "no campaign has a goal `{goal}` of the wanted type"),
            CallError::OtherGoalType { key, goal } => {
                write!(formatter, "goal `{goal}` of campaign `{key}` is not of the type to be tracked")
            }
            CallError::MissingRevenue { key, goal } => {
                write!(
                    formatter,
                    "goal `{goal}` of campaign `{key}` counts revenue: give `revenueValue`, or an event property with it"
                )
            }
            CallError::NothingToPush => write!(formatter, "there is nothing to push"),
            CallError::PropertyLength { name } => {
                write!(formatter, "property `{name}`: name and value must have 1 to 255 characters")
            }
        }
    }
}

impl std::error::Error for CallError {}
