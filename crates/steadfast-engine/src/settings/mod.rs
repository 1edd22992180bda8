//! The settings file: read once, checked once, never changed.
//!
//! 1. [`wire`]: the file as it is served, a tree that keeps order.
//! 2. `compile`: every check; what is wrong becomes a [`Problem`] with its JSON path.
//! 3. `model`: what decisions work on, found by index. `changes`: what is different between two of them.
//!
//! Rules: spec SET-1 to SET-60.

mod changes;
mod compile;
mod error;
mod groups;
mod model;
pub(crate) mod problem;
mod read;
mod variable;
pub mod wire;

pub use changes::{CampaignChange, Change};
pub use compile::CompileOptions;
pub use error::{SettingsError, SettingsErrorKind};
pub use model::{
    Campaign, CampaignIndex, CampaignKind, Goal, GoalKind, Group, GroupAlgorithm, Id, Settings, Variation,
};
pub use problem::{Problem, Severity};
pub use variable::{JsonVariables, Variable, VariableError, VariableValue};

pub(crate) use model::VariationIndex;
