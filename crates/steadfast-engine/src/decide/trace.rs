//! What a decision looked at, stage by stage: made when asked for, free when not.

use crate::bucket::{Mode, Range};
use crate::segment::ConditionOutcome;

/// The stages a decision went through, in their order. The last one decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The stages.
    pub stages: Vec<Stage>,
}

/// What one stage looked at and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Is the campaign running?
    Campaign {
        /// The status in the settings.
        status: String,
        /// Whether that means running.
        running: bool,
    },
    /// Is the user whitelisted? Not there where a campaign has no whitelisting.
    Whitelisting {
        /// The campaign whose whitelists were read: the called one, or another of its group.
        campaign: String,
        /// The variations whose whitelist holds the user.
        matching: Vec<String>,
        /// The bucket that chose among several.
        bucket: Option<i64>,
        /// The variation the user is whitelisted for.
        chosen: Option<String>,
    },
    /// What is stored for the user?
    Stored {
        /// What was found.
        finding: StoredFinding,
    },
    /// Nothing is stored, and users must be activated first.
    ActivationRequired,
    /// Is the user in the audience?
    Audience {
        /// Whether the campaign has no conditions at all.
        everyone: bool,
        /// Every condition, with what it was compared with.
        conditions: Vec<ConditionOutcome>,
        /// Whether the user is in it.
        matched: bool,
    },
    /// Is the user in the traffic?
    Traffic {
        /// The text that was hashed.
        seed: String,
        /// Its hash.
        hash: u32,
        /// The bucket, from 1 to 100.
        bucket: i64,
        /// The percentage of users let in.
        percent: f64,
        /// Whether the bucket is within it.
        admitted: bool,
    },
    /// Does another campaign of the group have the user?
    Group {
        /// The name of the group, or its id.
        name: String,
        /// The running members.
        members: Vec<CompetitorTrace>,
        /// The text that is hashed where a bucket chooses.
        seed: String,
        /// The bucket that chose, from 1 to 10,000; none where nothing had to be chosen.
        bucket: Option<i64>,
        /// Who has the user.
        outcome: GroupOutcome,
    },
    /// Which range does the user's bucket fall into?
    Assignment {
        /// The generation of bucketing.
        mode: Mode,
        /// The text that was hashed.
        seed: String,
        /// Its hash.
        hash: u32,
        /// How much the buckets are stretched.
        multiplier: f64,
        /// The bucket, from 1 to 10,000 (and a little beyond where they are stretched).
        bucket: i64,
        /// The ranges of the variations.
        ranges: Vec<RangeTrace>,
        /// The variation whose range holds the bucket.
        chosen: Option<String>,
    },
}

/// What was found stored for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredFinding {
    /// The caller passed this variation, and it was used.
    Passed(String),
    /// The caller passed this variation, which the campaign does not have.
    PassedUnknownVariation(String),
    /// The caller passed everything that is stored, and nothing of it is for this campaign.
    PassedNothing,
    /// There is no storage.
    NoStorage,
    /// The storage has nothing.
    Absent,
    /// The storage has this variation.
    Found(String),
    /// The storage has this variation, which the campaign does not have.
    UnknownVariation(String),
    /// The storage answered with the record of another user or campaign.
    Foreign,
    /// The storage could not answer.
    Failed(String),
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompetitorTrace {
    /// Its campaign key.
    pub campaign: String,
    /// Whether the user is eligible for it. Not looked at where a member has the user already.
    pub eligible: bool,
}

/// Who of a group has the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupOutcome {
    /// The user is whitelisted in this campaign.
    Whitelisted(String),
    /// The user is stored in this campaign.
    Stored(String),
    /// This campaign won the user.
    Won(String),
    /// None did.
    NoWinner,
}

/// The buckets of a variation.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeTrace {
    /// Its name.
    pub variation: String,
    /// Its weight, in percent.
    pub weight: f64,
    /// Its buckets.
    pub range: Range,
}

/// Takes notes of what is looked at, or does not. A type, so that a decision without a trace has no code for it.
pub(super) trait Notes {
    /// The stages are run again from the start once an answer is there; only the last run counts.
    fn restart(&mut self);

    /// Takes down a stage.
    fn note(&mut self, stage: impl FnOnce() -> Stage);
}

/// Takes no notes.
pub(super) struct Silent;

impl Notes for Silent {
    #[inline(always)]
    fn restart(&mut self) {}

    #[inline(always)]
    fn note(&mut self, _stage: impl FnOnce() -> Stage) {}
}

impl Notes for Trace {
    fn restart(&mut self) {
        self.stages.clear();
    }

    fn note(&mut self, stage: impl FnOnce() -> Stage) {
        self.stages.push(stage());
    }
}

impl Trace {
    /// A trace to be filled, where one is asked for.
    #[inline]
    pub(crate) fn wanted(traced: bool) -> Option<Box<Trace>> {
        traced.then(Box::default)
    }
}
