//! The seam: a decision that needs to know what is stored says so, as a value, and goes on once it is told.
//!
//! ```
//! use steadfast_engine::{Answer, Question, Step};
//!
//! /// The whole of a driver: one loop, one match. An asynchronous one is the same with `.await`.
//! fn drive<Q: Question>(mut step: Step<Q>, mut get: impl FnMut(&str, &str) -> Answer) -> Q::Output {
//!     loop {
//!         step = match step {
//!             Step::Done(decision) => break decision,
//!             Step::NeedsStored(need) => {
//!                 let answers: Vec<Answer> = need.keys().map(|key| get(key.user, key.campaign)).collect();
//!                 need.resume(answers)
//!             }
//!         }
//!     }
//! }
//! ```

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::call::{Call, Request, Verb};
use super::decision::Decision;
use super::stages::{Wanted, decide};
use super::trace::Trace;
use crate::settings::CampaignIndex;
use crate::stored::Record;

/// A decision under way: done, or in need of what is stored.
#[must_use]
#[derive(Debug)]
pub enum Step<Q: Question> {
    /// The next move is the driver's: look up the [keys](Question::keys) and [resume](Question::resume).
    NeedsStored(Q),
    /// The decision, and as data what should happen next.
    Done(Q::Output),
}

/// A question about what is stored. Answering consumes it.
pub trait Question: Sized {
    /// What the decision comes to.
    type Output;

    /// What to look up: a set, in one round trip where the storage can. All keys are of one user. The first is the
    /// called campaign's; its group's follow, then the other campaigns' of the call.
    fn keys(&self) -> impl ExactSizeIterator<Item = StoredKey<'_>>;

    /// Goes on with the answers, in the order of the keys. A driver that looks up one at a time may answer only the
    /// first of them: if that decides, the others are never asked for, and if not they are asked for again. A driver
    /// that answers none at all is taken to have failed, so that every loop ends.
    fn resume(self, answers: impl IntoIterator<Item = Answer>) -> Step<Self>;
}

/// One thing to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredKey<'q> {
    /// The user.
    pub user: &'q str,
    /// The key of the campaign.
    pub campaign: &'q str,
}

/// What a look-up came to. Three answers, never two: what failed is not absent (decision D-9).
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This record is stored. Shared, so that a storage in memory need not copy it.
    Found(Arc<Record>),
    /// Nothing is stored.
    Absent,
    /// The storage could not say.
    Failed(StorageFailure),
}

impl From<Option<Record>> for Answer {
    fn from(stored: Option<Record>) -> Self {
        stored.map_or(Answer::Absent, |record| Answer::Found(Arc::new(record)))
    }
}

/// Why a storage could not say. Two are equal that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageFailure(Arc<Explanation>);

/// Behind a thin pointer: an [`Answer`] is handed from a storage to the engine in two registers.
#[derive(Debug)]
struct Explanation(Box<dyn Error + Send + Sync>);

const _: () = assert!(size_of::<Answer>() == 16, "an answer no longer fits into two registers");

impl StorageFailure {
    /// A failure with this explanation: lower case, without a full stop, without the user's id.
    pub fn new(message: impl Into<Box<str>>) -> Self {
        StorageFailure(Arc::new(Explanation(String::from(message.into()).into())))
    }

    /// The failure that this error is, explained by its text.
    pub fn of(error: impl Error + Send + Sync + 'static) -> Self {
        StorageFailure(Arc::new(Explanation(Box::new(error))))
    }

    /// The error behind it: what [`of`](Self::of) was given, so that whoever stands between a storage and a client can
    /// tell one kind of failure from another.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.0
    }
}

impl fmt::Display for StorageFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(formatter)
    }
}

impl PartialEq for Explanation {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for Explanation {}

/// The answers so far, sorted by campaign.
#[derive(Debug)]
pub(crate) struct Known(SmallVec<[(CampaignIndex, Answer); 1]>);

impl Known {
    /// Nothing is known yet.
    pub(crate) const NOTHING: &'static Known = &Known(SmallVec::new_const());

    pub(crate) fn nothing() -> Self {
        Known(SmallVec::new())
    }

    pub(crate) fn about(&self, campaign: CampaignIndex) -> Option<&Answer> {
        let place = self.0.binary_search_by_key(&campaign, |(known, _)| *known).ok()?;
        Some(&self.0[place].1)
    }

    /// Takes in the answers to `wanted`, in its order. What is known is never wanted, so nothing is known twice.
    #[inline(always)]
    pub(crate) fn learn(&mut self, wanted: &[CampaignIndex], answers: impl IntoIterator<Item = Answer>) {
        let mut answers = answers.into_iter();
        // The rule: one question about one campaign.
        if let ([only], true) = (wanted, self.0.is_empty())
            && let Some(answer) = answers.next()
        {
            return self.0.push((*only, answer));
        }
        self.learn_many(wanted, answers);
    }

    fn learn_many(&mut self, wanted: &[CampaignIndex], mut answers: impl Iterator<Item = Answer>) {
        let mut answered = 0;
        for (index, answer) in wanted.iter().zip(&mut answers) {
            self.0.push((*index, answer));
            answered += 1;
        }
        if answered == 0 {
            let failure = StorageFailure::new("the driver gave no answer");
            self.0.extend(wanted.iter().map(|index| (*index, Answer::Failed(failure.clone()))));
        }
        self.0.sort_unstable_by_key(|(known, _)| *known);
    }

    /// The record found for a campaign, taken out.
    fn into_record(self, campaign: CampaignIndex) -> Option<Arc<Record>> {
        match self.0.into_iter().find(|(known, _)| *known == campaign)?.1 {
            Answer::Found(record) => Some(record),
            Answer::Absent | Answer::Failed(_) => None,
        }
    }

    /// The record found for a campaign.
    pub(crate) fn record(&self, campaign: CampaignIndex) -> Option<&Arc<Record>> {
        match self.about(campaign)? {
            Answer::Found(record) => Some(record),
            Answer::Absent | Answer::Failed(_) => None,
        }
    }
}

/// The question of a verb on one campaign. Not in a box: it weighs little more than the decision, and a user who is
/// stored would pay for the box each time.
#[derive(Debug)]
pub struct NeedsStored<'a> {
    request: Request<'a>,
    campaign: CampaignIndex,
    verb: Verb,
    known: Known,
    wanted: Wanted,
    trace: Option<Box<Trace>>,
}

impl<'a> Question for NeedsStored<'a> {
    type Output = Decision<'a>;

    fn keys(&self) -> impl ExactSizeIterator<Item = StoredKey<'_>> {
        let request = &self.request;
        self.wanted.iter().map(|index| StoredKey { user: &request.user, campaign: &request.settings.at(*index).key })
    }

    #[inline(always)]
    fn resume(mut self, answers: impl IntoIterator<Item = Answer>) -> Step<Self> {
        self.known.learn(&self.wanted, answers);
        let call = Call { request: &self.request, campaign: self.campaign, verb: self.verb };
        match decide(&call, &self.known, &mut self.trace) {
            Err(wanted) => {
                self.wanted = wanted;
                Step::NeedsStored(self)
            }
            Ok(verdict) => {
                let NeedsStored { request, campaign, verb, known, trace, .. } = self;
                Step::Done(Decision::new(request, campaign, verb, verdict, known.into_record(campaign), trace))
            }
        }
    }
}

/// Starts the decision of a verb on one campaign.
#[inline(always)]
pub(crate) fn begin(request: Request<'_>, campaign: CampaignIndex, verb: Verb) -> Step<NeedsStored<'_>> {
    let mut trace = Trace::wanted(request.traced);
    match decide(&Call { request: &request, campaign, verb }, Known::NOTHING, &mut trace) {
        Ok(verdict) => Step::Done(Decision::new(request, campaign, verb, verdict, None, trace)),
        Err(wanted) => {
            let known = Known::nothing();
            Step::NeedsStored(NeedsStored { request, campaign, verb, known, wanted, trace })
        }
    }
}
