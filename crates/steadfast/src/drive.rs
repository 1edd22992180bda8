//! A call under way: everything that both clients do, but for waiting.
//!
//! 1. The call starts: data that the caller passed is brought up to date with what this process has written, and the
//!    settings in force hold until the decision is made ([`Call::new`], [`Call::request`]).
//! 2. The engine decides; each of its questions is answered by the storage, with the own writes over it
//!    ([`Call::bring_up_to_date`]).
//! 3. What is to be written is noted, all at once ([`Call::note`]). Where another call of the same user came first, back
//!    to 1.
//! 4. The effects happen in their order: event, record, hook (decision D-13).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use steadfast_engine::verb::Tracking;
use steadfast_engine::{
    Answer, Decision, Effect, Options, Question, Reason, Record, Request, Settings, Shared, Step, StorageFailure,
    StoredKey, UserStorageData, Warning,
};
use steadfast_storage::{Claim, Merged, StorageError, StorageErrorKind, UserStorage};

use crate::confirmed::{Confirmation, Confirmed};
use crate::core::Core;
use crate::own_writes::{Noted, Overtaken, Writer};
use crate::queue::Queue;

/// What a verb comes to, as far as a driver is concerned.
pub(crate) trait Outcome {
    /// What it wants to be written.
    fn claims(&self) -> Claims;

    /// Shows each effect, in order.
    fn each_effect(&self, see: impl FnMut(Effect<'_, '_>));

    /// Shows each decision.
    fn each_decision(&self, see: impl FnMut(&Decision<'_>));

    /// Says of the decision of a campaign that the storage failed, whatever it was made on.
    fn storage_failed(&mut self, campaign: &str);
}

/// Claims of one call: mostly none, which must cost nothing to hand on.
pub(crate) type Claims = Vec<Claim>;

/// One call of one user, from its start to its effects.
pub(crate) struct Call<'a> {
    core: &'a Core,
    user: &'a str,
    passed: &'a Options,
    /// What stands for the options that were passed, where their data was older than what is known here.
    fresh: Option<Arc<Options>>,
    seen: u64,
    /// So many times the call was decided again.
    overtaken: u32,
    /// Winners that this call has learned of; they stand for what is stored.
    adopted: Vec<Record>,
    /// The campaigns that the storage could not answer about.
    unread: Vec<String>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(core: &'a Core, user: &'a str, options: &'a Options) -> Self {
        // Put together in one go, and not changed on the way: it is not copied.
        let seen = core.own.seen();
        let fresh = up_to_date(core, user, options, &[]);
        Call { core, user, passed: options, fresh, seen, overtaken: 0, adopted: Vec::new(), unread: Vec::new() }
    }

    /// The same call from its start, because it was overtaken or has learned of a winner.
    pub(crate) fn again(&mut self) {
        self.seen = self.core.own.seen();
        self.overtaken += 1;
        self.unread.clear();
        self.fresh = up_to_date(self.core, self.user, self.passed, &self.adopted);
    }

    #[inline]
    pub(crate) fn request(&self) -> Request<'a> {
        let options = match &self.fresh {
            None => Shared::Borrowed(self.passed),
            Some(fresh) => Shared::Arc(Arc::clone(fresh)),
        };
        let request = Request::new(self.core.settings.handle(), self.user)
            .with_options(options)
            .with_policy(self.core.policy)
            .opted_out(self.core.is_opted_out());
        if self.core.traced { request.traced() } else { request }
    }

    /// Takes in what the storage answered to a question: counts what it did not find, and logs why it could not say.
    pub(crate) fn hear(&mut self, need: &impl Question, answers: &[Answer]) {
        for (key, answer) in need.keys().zip(answers) {
            self.core.counters.looked_up(key.campaign, answer);
            if let Answer::Failed(failure) = answer {
                tracing::warn!(campaign = key.campaign, %failure, "a look-up failed");
                self.unread.push(key.campaign.to_owned());
            }
        }
    }

    /// Brings what the storage answered to a question up to date with what this process has written.
    pub(crate) fn bring_up_to_date(&mut self, need: &impl Question, answers: &mut [Answer]) {
        self.core.own.over(self.user, need.keys().map(|key| key.campaign).zip(answers.iter_mut()));
        for (key, answer) in need.keys().zip(answers) {
            if let Some(record) = self.adopted(key.campaign) {
                *answer = Answer::Found(Arc::new(record.clone()));
            }
        }
    }

    /// Says also of decisions that were made on what this process has written that the storage could not answer.
    #[inline]
    pub(crate) fn warn(&self, outcome: &mut impl Outcome) {
        for campaign in &self.unread {
            outcome.storage_failed(campaign);
        }
    }

    /// Notes what is to be written.
    ///
    /// # Errors
    /// When another call of the user came first: decide again.
    pub(crate) fn note(&self, mut claims: Claims, writer: Writer<'_>) -> Result<Noted, Overtaken> {
        if claims.is_empty() {
            return Ok(Noted::Settled);
        }
        // What was found there was an own write, however long ago it was the storage's word.
        for claim in claims.iter_mut().filter(|claim| self.unread.contains(&claim.record.campaign_key)) {
            claim.was_read = false;
        }
        self.core.own.note(self.user, (self.seen, self.overtaken), claims, writer)
    }

    /// Notes what is to be written, for the workers of a queue. What it has no room for is not kept, and said.
    ///
    /// # Errors
    /// When another call of the user came first: decide again.
    pub(crate) fn note_for(&self, claims: Claims, queue: &Queue) -> Result<Noted, Overtaken> {
        if claims.is_empty() {
            return Ok(Noted::Settled);
        }
        // Before it is noted: whoever sees that it is must not find the queue empty.
        queue.announce();
        let noted = self.note(claims, if queue.has_room() { Writer::Worker } else { Writer::Nobody });
        if noted != Ok(Noted::Queue) {
            queue.withdraw();
        }
        if noted == Ok(Noted::Lost) {
            let error = "too many writes wait for the storage: this one is not kept";
            self.core.on_error.tell(&StorageError::new(StorageErrorKind::Full, error));
        }
        noted
    }

    /// Notes what is to be written, and writes it.
    ///
    /// # Errors
    /// When another call of the user came first: decide again.
    pub(crate) fn note_in_place(&self, claims: Claims, storage: &dyn UserStorage) -> Result<Noted, Overtaken> {
        let mut errors = Vec::new();
        let mut write = |claim| merge(storage, claim).inspect_err(|error| errors.push(error.again()));
        let noted = self.note(claims, Writer::InPlace(&mut write));
        errors.iter().for_each(|error| self.core.on_error.tell(error));
        noted
    }

    /// From now on this record is what is stored, for this call.
    pub(crate) fn adopt(&mut self, winner: Record) {
        self.adopted.retain(|one| one.campaign_key != winner.campaign_key);
        self.adopted.push(winner);
    }

    /// What happens when a decision is final. The record is handed over by `hand_over`, once, where it has its turn; where
    /// nobody else is interested, at once.
    pub(crate) fn perform(&self, outcome: &impl Outcome, noted: Noted, mut hand_over: impl FnMut()) {
        if self.core.events.is_empty() && self.core.hook.is_none() {
            if noted == Noted::Queue {
                hand_over();
            }
            return outcome.each_decision(log);
        }
        let mut handed_over = false;
        outcome.each_effect(|effect| match effect {
            Effect::Send(event) => self.core.send(&event),
            Effect::Store(_) => {
                if !std::mem::replace(&mut handed_over, true) {
                    hand_over();
                }
            }
            Effect::Notify(decision) => self.core.notify(decision),
        });
        outcome.each_decision(log);
    }

    pub(crate) fn user(&self) -> &'a str {
        self.user
    }

    /// A decision that the storage has answered to, with its effects.
    pub(crate) fn confirmed<'d>(&self, decision: Decision<'d>) -> Confirmed<'d> {
        self.perform(&decision, Noted::Settled, || {});
        let confirmation = self.confirmation(&decision);
        if matches!(confirmation, Confirmation::Adopted) {
            self.core.counters.adopted(decision.campaign().key());
        }
        Confirmed { confirmation, decision }
    }

    /// What is known about a decision's being stored, once the storage has answered to everything.
    fn confirmation(&self, decision: &Decision<'_>) -> Confirmation {
        if decision.variation().is_none() || decision.reason() == Reason::Whitelisted {
            Confirmation::NothingToStore
        } else if decision.reason() != Reason::Stored && decision.write().is_none() {
            let error = "the storage could not answer about the group, so nothing is stored";
            Confirmation::Unconfirmed(StorageError::new(StorageErrorKind::Unavailable, error))
        } else if self.adopted(decision.campaign().key()).is_some() {
            Confirmation::Adopted
        } else {
            Confirmation::Stored
        }
    }

    fn adopted(&self, campaign: &str) -> Option<&Record> {
        self.adopted.iter().find(|record| record.campaign_key == campaign)
    }
}

/// What the caller passed may be older than what this process has written (decision D-6), or than what the call has
/// learned since; `None` where it is neither.
#[inline]
fn up_to_date(core: &Core, user: &str, passed: &Options, adopted: &[Record]) -> Option<Arc<Options>> {
    if passed.user_storage_data.is_none() { None } else { passed_up_to_date(core, user, passed, adopted) }
}

fn passed_up_to_date(core: &Core, user: &str, options: &Options, adopted: &[Record]) -> Option<Arc<Options>> {
    let passed = &options.user_storage_data;
    let mut fresh = core.own.over_passed(user, passed);
    if !adopted.is_empty() {
        let passed = fresh.as_ref().unwrap_or(passed);
        let is_adopted = |one: &Record| adopted.iter().any(|winner| winner.campaign_key == one.campaign_key);
        let others = passed.records().iter().filter(|one| !is_adopted(one));
        let records: Vec<Record> = others.chain(adopted).cloned().collect();
        fresh = Some(if passed.is_complete() { UserStorageData::all(records) } else { records.into() });
    }
    fresh.map(|user_storage_data| Arc::new(Options { user_storage_data, ..options.clone() }))
}

/// Answers a question from a storage that answers in place: mostly about one campaign, which needs no list.
#[inline(always)]
pub(crate) fn ask<Q: Question>(
    storage: &dyn UserStorage,
    call: &mut Call<'_>,
    need: Q,
    may_be_behind: bool,
) -> Step<Q> {
    if need.keys().len() != 1 {
        return ask_many(storage, call, need, may_be_behind);
    }
    let mut answer = need.keys().next().map(|key| storage.look_up(key.user, key.campaign));
    if !matches!(answer, Some(Answer::Found(_))) {
        call.hear(&need, answer.as_slice());
    }
    if may_be_behind {
        call.bring_up_to_date(&need, answer.as_mut_slice());
    }
    need.resume(answer)
}

fn ask_many<Q: Question>(storage: &dyn UserStorage, call: &mut Call<'_>, need: Q, may_be_behind: bool) -> Step<Q> {
    let mut answers = storage.get_many(call.user, &campaigns(&need));
    call.hear(&need, &answers);
    if may_be_behind {
        call.bring_up_to_date(&need, &mut answers);
    }
    need.resume(answers)
}

/// Merges a claim. A panic of the storage is a failure of it, and leaves nothing half noted.
pub(crate) fn merge(storage: &dyn UserStorage, claim: Claim) -> Result<Merged, StorageError> {
    catch_unwind(AssertUnwindSafe(|| storage.merge(claim)))
        .unwrap_or_else(|_| Err(StorageError::new(StorageErrorKind::Other, "the storage panicked")))
}

/// The campaigns of a question.
pub(crate) fn campaigns<Q: Question>(need: &Q) -> SmallVec<[&str; 4]> {
    need.keys().map(|key: StoredKey<'_>| key.campaign).collect()
}

/// The keys of all campaigns.
pub(crate) fn keys(settings: &Settings) -> Vec<&str> {
    settings.campaigns().iter().map(|campaign| campaign.key()).collect()
}

/// The records among these answers.
///
/// # Errors
/// The first failure: what failed is not absent.
pub(crate) fn found(answers: Vec<Answer>) -> Result<Vec<Record>, StorageError> {
    let mut records = Vec::new();
    for answer in answers {
        match answer {
            Answer::Found(record) => records.push(Arc::unwrap_or_clone(record)),
            Answer::Absent => {}
            Answer::Failed(failure) => return Err(failure.into()),
        }
    }
    Ok(records)
}

/// One failure for every campaign asked for.
pub(crate) fn failed(error: &StorageError, many: usize) -> Vec<Answer> {
    vec![Answer::Failed(StorageFailure::new(error.to_string())); many]
}

/// Nobody waits any longer.
pub(crate) fn too_late(deadline: Duration) -> StorageError {
    let deadline = deadline.as_secs_f64();
    StorageError::new(StorageErrorKind::TimedOut, format!("the storage did not answer within {deadline} s"))
}

/// A storage that gave fewer answers than it was asked for.
pub(crate) fn no_answer() -> StorageError {
    StorageError::new(StorageErrorKind::Other, "the storage gave no answer to a write")
}

/// Decisions are logged without the user above debug.
#[inline]
fn log(decision: &Decision<'_>) {
    if !decision.warnings().is_empty() {
        let campaign = decision.campaign().key();
        decision.warnings().iter().for_each(|warning| tracing::warn!(campaign, "{warning}"));
    }
    tracing::debug!(
        campaign = decision.campaign().key(),
        user = decision.user(),
        variation = decision.variation_name(),
        reason = decision.reason().as_str(),
        verb = decision.verb().as_str(),
        "decided"
    );
}

impl Outcome for Decision<'_> {
    fn claims(&self) -> Claims {
        self.write().iter().map(Claim::from).collect()
    }

    fn each_effect(&self, see: impl FnMut(Effect<'_, '_>)) {
        self.effects().for_each(see);
    }

    fn each_decision(&self, mut see: impl FnMut(&Decision<'_>)) {
        see(self);
    }

    fn storage_failed(&mut self, campaign: &str) {
        if self.campaign().key() == campaign {
            self.add_warning(Warning::StorageFailed);
        }
    }
}

impl Outcome for Tracking<'_> {
    fn claims(&self) -> Claims {
        let decisions = self.campaigns().iter().filter_map(|campaign| campaign.decision().ok());
        decisions.filter_map(Decision::write).map(|write| Claim::from(&write)).collect()
    }

    fn each_effect(&self, see: impl FnMut(Effect<'_, '_>)) {
        self.effects().for_each(see);
    }

    fn each_decision(&self, see: impl FnMut(&Decision<'_>)) {
        self.campaigns().iter().filter_map(|campaign| campaign.decision().ok()).for_each(see);
    }

    fn storage_failed(&mut self, campaign: &str) {
        self.add_warning(campaign, Warning::StorageFailed);
    }
}
