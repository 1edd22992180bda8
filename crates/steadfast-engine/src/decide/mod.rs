//! One decision for one user in one campaign.
//!
//! Read `stages` first: it is the order of everything. The rest, in the order it is used:
//! `forced` whitelisting; `sticky` what is stored; `eligible` audience and traffic; `group` mutually exclusive
//! campaigns; `assign` the bucket. `reason` has one variant per way out, `step` is the seam to whoever knows what
//! is stored, `decision` is the result, `trace` what a decision looked at.

mod assign;
mod call;
mod decision;
mod eligible;
mod forced;
mod group;
mod reason;
mod stages;
mod step;
mod sticky;
mod trace;
mod warning;

pub use call::{Request, Verb};
pub use decision::{Decision, TrackOutcome};
pub use reason::Reason;
pub use step::{Answer, NeedsStored, Question, Step, StorageFailure, StoredKey};
pub use trace::{CompetitorTrace, GroupOutcome, RangeTrace, Stage, StoredFinding, Trace};
pub use warning::{Warning, Warnings};

pub(crate) use call::Call;
pub(crate) use stages::{Wanted, decide};
pub(crate) use step::{Known, begin};
