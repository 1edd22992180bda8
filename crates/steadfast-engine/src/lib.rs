//! The decision engine of Steadfast: which variation of an experiment a user sees, why, and what should happen next.
//!
//! **The decision is a pure function that may ask a question.** It never touches storage, network, clock or thread.
//! When it needs what is stored for a user it returns that question as a value; whoever drives it answers, and it goes
//! on. When it is done it returns the decision and its effects as data.
//!
//! In scope: reading VWO FullStack's settings files, segmentation, bucketing, groups, the storage flow, explanations,
//! all with the answers of the official Node SDK except where `docs/compat.md` says otherwise. Out of scope, on
//! purpose: files, sockets, clocks, randomness, threads, async, logs.
//!
//! Modules in reading order: [`decide`] (start with `stages.rs`), [`verb`], [`settings`], [`bucket`],
//! [`stored`], [`effect`], [`event`], [`policy`].

pub mod attributes;
pub mod bucket;
pub mod decide;
pub mod effect;
pub mod error;
pub mod event;
pub mod options;
pub mod policy;
mod segment;
pub mod settings;
pub mod shared;
pub mod stored;
pub mod verb;

pub use attributes::{AttributeValue, Attributes};
pub use decide::{
    Answer, Decision, NeedsStored, Question, Reason, Request, Step, StorageFailure, StoredKey, TrackOutcome, Verb,
    Warning, Warnings,
};
pub use effect::{Effect, Precondition, Write};
pub use error::CallError;
pub use event::Event;
pub use options::{Options, Revenue};
pub use policy::Policy;
pub use segment::{Actual, ConditionOutcome, SegmentNumbers, pattern};
pub use settings::Settings;
pub use shared::{Apart, Shared};
pub use stored::{GoalList, Record, RecordError, RecordTextError, UserStorageData};
pub use verb::{TrackTarget, Tracking};
