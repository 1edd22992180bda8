//! What this process has decided to write: seen by its own calls from that moment on, whatever the storage says yet, and
//! however old the data is that a caller passes (decision D-6).
//!
//! Two things come of it. A write that is handed over is not waited for, and yet the next call sees it. And calls for
//! one user are in order as far as it matters: whoever decided something to be written on what he knew *before* another
//! call of the same user had its own write noted is [`Overtaken`], and decides again, so that no goal is lost and no
//! visitor counted twice. Nobody waits for anybody else's look-up.
//!
//! A write is `Waiting` until a worker takes it, `UnderWay` until the storage has answered, and then `Settled`, or `Failed`:
//! it stays for a while, as what the storage answered, because the caller's data may be older than it. What has failed
//! stays as well: its user goes on seeing it. But nothing that is made on top of it may claim to know what is stored.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record, UserStorageData};
use steadfast_storage::{Claim, Condition, Merged, Outcome, StorageError, merge};

use crate::counters::Counters;
use crate::drive::Claims;

/// A call that was overtaken so often decides no more on account of users who were forgotten: where only a few are
/// remembered, and many are written to, it would never end.
const OFTEN: u32 = 8;

/// Users are spread over this many locks, so that threads rarely meet.
const SHARDS: usize = 64;

/// How long a settled write is remembered, and for how many users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// As long as a caller may keep what it fetched before it makes its last call with it: a visit, not a day. Five
    /// minutes, unless told otherwise.
    pub keep: Duration,
    /// As many users as fit into some 20 MB: 65,536, unless told otherwise. Those longest settled go first.
    pub users: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { keep: Duration::from_secs(300), users: 65_536 }
    }
}

/// The writes of a process, by user.
#[derive(Debug)]
pub(crate) struct OwnWrites {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// How many writes were noted: what a call has seen, and when a user was last written to.
    clock: AtomicU64,
    failed_once: AtomicBool,
    memory: Memory,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Shard {
    users: HashMap<Box<str>, Own>,
    /// Every user once, roughly in the order of their last writes: one that was written to again is moved to the end when
    /// its turn comes.
    by_age: VecDeque<(Instant, Box<str>)>,
    /// The highest stamp among users who were forgotten: whoever has seen less may have missed one of them.
    forgotten: u64,
}

/// What was written for a user.
#[derive(Debug)]
struct Own {
    /// The clock at the last write.
    stamp: u64,
    /// The time of it.
    noted: Instant,
    writes: Vec<OwnWrite>,
    /// Whether the user stands in the queue, or a worker has taken them.
    with_worker: bool,
}

#[derive(Debug)]
struct OwnWrite {
    claim: Claim,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    UnderWay,
    Settled,
    Failed,
}

/// Another call of the same user had something written in the meantime: decide again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overtaken;

/// What is to be done about writes that were noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// Nothing: they are done, or a worker comes to them anyway.
    Settled,
    /// The user must be put into the queue.
    Queue,
    /// Nothing can be done: there is no room for them.
    Lost,
}

/// Who writes, once a write is noted.
pub(crate) enum Writer<'w> {
    /// The caller, at once.
    InPlace(&'w mut dyn FnMut(Claim) -> Result<Merged, StorageError>),
    /// A worker, later.
    Worker,
    /// The caller, as soon as it is noted: these claims, of which it then says what came of them.
    Caller(&'w mut Claims),
    /// Nobody: there is no room for it, and it is only remembered.
    Nobody,
}

impl OwnWrites {
    pub(crate) fn new(memory: Memory, counters: Arc<Counters>) -> Self {
        OwnWrites {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clock: AtomicU64::new(0),
            failed_once: AtomicBool::new(false),
            memory,
            counters,
        }
    }

    /// What a call that starts now has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.clock.load(Ordering::Acquire)
    }

    /// Notes writes of a call that had seen so much when it started, and has them done where that is at once. It was
    /// overtaken so many times before.
    ///
    /// # Errors
    /// When the user was written to since, or may have been; then nothing is noted.
    pub(crate) fn note(
        &self,
        user: &str,
        (seen, overtaken): (u64, u32),
        mut claims: Claims,
        mut writer: Writer<'_>,
    ) -> Result<Noted, Overtaken> {
        let mut shard = self.shard(user);
        let written = shard.users.get(user).map(|own| own.stamp);
        if written.map_or(overtaken < OFTEN && shard.forgotten > seen, |stamp| stamp > seen) {
            return Err(Overtaken);
        }
        if written.is_none() && shard.forgotten > seen {
            // What was read may be older than a write that is forgotten.
            claims.iter_mut().for_each(|claim| claim.was_read = false);
        }
        let now = Instant::now();
        let own = shard.own(user, now);
        if own.with_worker && matches!(writer, Writer::Nobody) {
            // The user has their place in the queue already.
            writer = Writer::Worker;
        }
        for claim in claims {
            match &mut writer {
                Writer::InPlace(write) => {
                    let claim = own.put(claim, State::UnderWay);
                    let merged = write(claim.clone()).ok();
                    self.failed_once.fetch_or(merged.is_none(), Ordering::Relaxed);
                    self.take_in(own, claim, merged);
                }
                Writer::Worker => drop(own.put(claim, State::Waiting)),
                Writer::Caller(claims) => claims.push(own.put(claim, State::UnderWay)),
                Writer::Nobody => drop(own.put(claim, State::Failed)),
            }
        }
        // After the writes: whoever reads the clock from now on finds them where they are looked up. Under the lock of the
        // user: whoever read it before, and found nothing, sees the stamp.
        let stamp = self.clock.fetch_add(1, Ordering::AcqRel) + 1;
        own.stamp = stamp;
        let queue = !own.with_worker && own.writes.iter().any(|write| write.state == State::Waiting);
        own.with_worker |= queue;
        shard.forget_old(now, self.memory);
        Ok(match writer {
            Writer::Nobody => Noted::Lost,
            _ if queue => Noted::Queue,
            _ => Noted::Settled,
        })
    }

    /// Takes in what the storage answered to a claim that its [caller](Writer::Caller) made.
    pub(crate) fn answered(&self, claim: Claim, merged: Merged) {
        let mut shard = self.shard(&claim.record.user_id);
        if let Some(own) = shard.users.get_mut(&*claim.record.user_id) {
            self.take_in(own, claim, Some(merged));
        }
    }

    /// The storage gave its [caller](Writer::Caller) no answer to a claim, and there is no worker to try it once more.
    pub(crate) fn failed(&self, claim: Claim) {
        let mut shard = self.shard(&claim.record.user_id);
        if let Some(own) = shard.users.get_mut(&*claim.record.user_id) {
            self.take_in(own, claim, None);
        }
    }

    /// The storage gave its [caller](Writer::Caller) no answer to a claim: a worker tries it once more.
    pub(crate) fn unanswered(&self, claim: &Claim) -> Noted {
        let mut shard = self.shard(&claim.record.user_id);
        let Some(own) = shard.users.get_mut(&*claim.record.user_id) else { return Noted::Settled };
        match own.writes.iter_mut().find(|write| write.state == State::UnderWay && write.claim == *claim) {
            Some(write) => {
                write.state = State::Waiting;
                // It was read a while ago, and the claim may even have been done.
                write.claim.was_read = false;
            }
            None => return Noted::Settled,
        }
        if std::mem::replace(&mut own.with_worker, true) { Noted::Settled } else { Noted::Queue }
    }

    /// What the storage answered about some campaigns, with the own writes over it. A storage that could not answer
    /// leaves what is known here.
    pub(crate) fn over<'k>(&self, user: &str, answers: impl Iterator<Item = (&'k str, &'k mut Answer)>) {
        let shard = self.shard(user);
        let Some(own) = self.remembered(&shard, user) else { return };
        for (campaign, answer) in answers {
            let stored = match answer {
                Answer::Found(record) => Some(&**record),
                Answer::Absent | Answer::Failed(_) => None,
            };
            if let Some(record) = own.over(campaign, stored) {
                *answer = Answer::Found(Arc::new(record));
            }
        }
    }

    /// What a caller passed, with the own writes over it; `None` where they say no more than it does.
    pub(crate) fn over_passed(&self, user: &str, passed: &UserStorageData) -> Option<UserStorageData> {
        let shard = self.shard(user);
        let own = self.remembered(&shard, user)?;
        let mut records = passed.records().to_vec();
        let mut changed = false;
        let mut campaigns: Vec<&str> = own.writes.iter().map(|write| &*write.claim.record.campaign_key).collect();
        campaigns.dedup();
        for campaign in campaigns {
            let place = records.iter().position(|one| one.campaign_key == campaign && one.is_of(user));
            let Some(record) = own.over(campaign, place.map(|place| &records[place])) else { continue };
            match place {
                Some(place) => records[place] = record,
                // The campaign is not among what was passed, and the storage would be asked about it: so it will be.
                None if !passed.is_complete() => continue,
                None => records.push(record),
            }
            changed = true;
        }
        drop(shard);
        changed.then(|| if passed.is_complete() { UserStorageData::all(records) } else { records.into() })
    }

    /// The write for a campaign that the storage has not confirmed yet.
    pub(crate) fn unconfirmed(&self, user: &str, campaign: &str) -> Option<Claim> {
        let shard = self.shard(user);
        let mut writes = self.remembered(&shard, user)?.writes.iter();
        let of_campaign =
            |write: &&OwnWrite| write.claim.record.campaign_key == campaign && write.state != State::Settled;
        writes.rfind(of_campaign).map(|write| write.claim.clone())
    }

    /// Whether the storage has not answered yet to something that was written for a user.
    pub(crate) fn are_unanswered(&self, user: &str) -> bool {
        let shard = self.shard(user);
        shard.users.get(user).is_some_and(|own| own.writes.iter().any(|write| !write.is_answered()))
    }

    /// The record of this place was written over: what is remembered of it says nothing any more.
    pub(crate) fn written_over(&self, user: &str, campaign: &str) {
        let mut shard = self.shard(user);
        let own = shard.own(user, Instant::now());
        own.writes.retain(|write| !write.is_answered() || write.claim.record.campaign_key != campaign);
        // Whoever looked before it was written over decides again.
        own.stamp = self.clock.fetch_add(1, Ordering::AcqRel) + 1;
    }

    /// The user is erased: what waits for a worker is not written, and what is remembered of them says nothing any more.
    /// What is under way stays until it is answered.
    pub(crate) fn erased(&self, user: &str) {
        let mut shard = self.shard(user);
        let own = shard.own(user, Instant::now());
        own.writes.retain(|write| write.state == State::UnderWay);
        // Whoever looked before decides again.
        own.stamp = self.clock.fetch_add(1, Ordering::AcqRel) + 1;
    }

    /// The writes of a user, for a worker: from now on they are under way.
    pub(crate) fn take(&self, user: &str) -> Vec<Claim> {
        let mut shard = self.shard(user);
        let Some(own) = shard.users.get_mut(user) else { return Vec::new() };
        let waiting = own.writes.iter_mut().filter(|write| write.state == State::Waiting);
        waiting
            .map(|write| {
                write.state = State::UnderWay;
                write.claim.clone()
            })
            .collect()
    }

    /// Takes in what the storage answered to the writes of a user. What came up meanwhile must go into the queue.
    pub(crate) fn settle(&self, user: &str, answers: impl Iterator<Item = (Claim, Option<Merged>)>) -> Noted {
        let mut shard = self.shard(user);
        let Some(own) = shard.users.get_mut(user) else { return Noted::Settled };
        answers.for_each(|(claim, merged)| self.take_in(own, claim, merged));
        own.with_worker = own.writes.iter().any(|write| write.state == State::Waiting);
        if own.with_worker { Noted::Queue } else { Noted::Settled }
    }

    /// Takes in what the storage answered to one claim.
    fn take_in(&self, own: &mut Own, claim: Claim, merged: Option<Merged>) {
        if let Some(merged) = &merged {
            self.counters.merged(&claim, merged);
        }
        own.answered(claim, merged);
    }

    /// What was written for a user, if it is not too long ago. What the storage has not answered to never is.
    fn remembered<'s>(&self, shard: &'s Shard, user: &str) -> Option<&'s Own> {
        let own = shard.users.get(user)?;
        let answered = || own.writes.iter().all(OwnWrite::is_answered);
        (own.noted.elapsed() <= self.memory.keep || !answered()).then_some(own)
    }

    /// Whether a write has failed at any time.
    pub(crate) fn any_failed(&self) -> bool {
        self.failed_once.load(Ordering::Relaxed)
    }

    fn shard(&self, user: &str) -> MutexGuard<'_, Shard> {
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash chooses a shard")]
        let place = self.hasher.hash_one(user) as usize % SHARDS;
        // A panic while it was locked was a storage's, between two whole writes.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// What was written for a user, who is written to now.
    fn own(&mut self, user: &str, now: Instant) -> &mut Own {
        if !self.users.contains_key(user) {
            self.by_age.push_back((now, user.into()));
        }
        let new = || Own { stamp: 0, noted: now, writes: Vec::new(), with_worker: false };
        let own = self.users.entry(user.into()).or_insert_with(new);
        own.noted = now;
        own
    }

    /// Drops what was answered long ago, or longest ago where there is too much. What the storage has not answered to stays.
    /// A few at a time: each write adds one at most.
    fn forget_old(&mut self, now: Instant, memory: Memory) {
        let room = memory.users.div_ceil(SHARDS);
        for _ in 0..4 {
            let Some((listed, _)) = self.by_age.front() else { return };
            if self.users.len() <= room && now.duration_since(*listed) <= memory.keep {
                return;
            }
            let Some((listed, user)) = self.by_age.pop_front() else { return };
            let Some(own) = self.users.get(&user) else { continue };
            if own.noted > listed {
                self.by_age.push_back((own.noted, user));
            } else if own.writes.iter().all(OwnWrite::is_answered) {
                self.forgotten = self.forgotten.max(own.stamp);
                self.users.remove(&user);
            } else {
                self.by_age.push_back((now, user));
            }
        }
    }
}

impl Own {
    /// Puts a write into its place: over one that says less of the same variation, behind one that is still to be done.
    /// What there is to be written then.
    fn put(&mut self, mut claim: Claim, state: State) -> Claim {
        let campaign = &claim.record.campaign_key;
        let last = self.writes.iter_mut().rfind(|write| write.claim.record.campaign_key == *campaign);
        if let Some(last) = last.as_ref().filter(|last| last.state != State::Settled) {
            // What was read was this write, which the storage may never have had.
            claim.was_read &= last.claim.was_read && last.state != State::Failed;
        }
        let (place, claim) = match last {
            Some(last) if last.makes_one_with(&claim) => {
                let claim = over_earlier(claim, &last.claim, last.state);
                (Some(last), claim)
            }
            // Of two variations the first stays, as in the storage, unless it is replaced by name.
            Some(last) if claim.condition == Condition::Replaces(last.claim.record.variation_name.clone()) => {
                match last.state {
                    State::Waiting | State::UnderWay => (None, claim),
                    State::Settled => (Some(last), claim),
                    State::Failed => {
                        let condition = last.claim.condition.clone();
                        (Some(last), Claim { condition, was_read: false, ..claim })
                    }
                }
            }
            _ => (None, claim),
        };
        let write = OwnWrite { claim: claim.clone(), state };
        match place {
            Some(last) => *last = write,
            None => self.writes.push(write),
        }
        claim
    }

    /// Settles the write that this claim is. What was put on top of it meanwhile takes its place.
    fn answered(&mut self, claim: Claim, merged: Option<Merged>) {
        let this = |write: &OwnWrite| write.state == State::UnderWay && write.claim == claim;
        let Some(place) = self.writes.iter().position(this) else { return };
        match merged {
            None => {
                self.writes[place].state = State::Failed;
                self.fold_failed(&claim.record);
            }
            Some(merged) => {
                let campaign = claim.record.campaign_key.clone();
                self.writes[place] = OwnWrite { claim: settled(claim, merged), state: State::Settled };
                // What was answered before says no more than this.
                let mut number = 0;
                self.writes.retain(|write| {
                    number += 1;
                    number > place || !write.is_answered() || write.claim.record.campaign_key != campaign
                });
            }
        }
    }

    /// Makes one of a write that failed and the next one on top of it, which knows no more of the place than that one did.
    fn fold_failed(&mut self, record: &Record) {
        let same =
            |one: &Record| (&one.campaign_key, &one.variation_name) == (&record.campaign_key, &record.variation_name);
        let places: Vec<usize> =
            (0..self.writes.len()).filter(|place| same(&self.writes[*place].claim.record)).collect();
        // From the end: what is removed moves only places that were seen.
        for pair in places.windows(2).rev() {
            let (earlier, later) = (&self.writes[pair[0]], &self.writes[pair[1]]);
            if earlier.state == State::Failed && matches!(later.state, State::Waiting | State::Failed) {
                self.writes[pair[1]].claim = over_earlier(later.claim.clone(), &earlier.claim, State::Failed);
                self.writes.remove(pair[0]);
            }
        }
    }

    /// A record with the own writes over it; `None` where they change nothing.
    fn over(&self, campaign: &str, stored: Option<&Record>) -> Option<Record> {
        let mut over: Option<Record> = None;
        for write in self.writes.iter().filter(|write| write.claim.record.campaign_key == campaign) {
            let below = over.as_ref().or(stored);
            let claim = &write.claim;
            let record = match below {
                // Whatever is merged with itself stays as it is: most looks find what this process wrote.
                Some(below) if *below == claim.record => continue,
                None => claim.record.clone(),
                Some(below) if below.variation_name == claim.record.variation_name => {
                    match write.state {
                        // What the storage has answered since may be newer than what it answered then.
                        State::Settled => {
                            merge::merge(Some(below), &Claim { condition: Condition::Absent, ..claim.clone() })
                        }
                        _ => merge::merge(Some(below), claim),
                    }
                    .record
                }
                Some(below) if claim.condition == Condition::Replaces(below.variation_name.clone()) => {
                    claim.record.clone()
                }
                // Somebody else was faster, or the caller knows better.
                Some(_) => continue,
            };
            if Some(&record) != below {
                over = Some(record);
            }
        }
        over
    }
}

impl OwnWrite {
    /// Whether a later claim and this come to one write. Not where their writers knew different things of the place: what
    /// comes of both is for the storage to say, one after the other.
    fn makes_one_with(&self, claim: &Claim) -> bool {
        let same = self.claim.record.variation_name == claim.record.variation_name;
        match self.state {
            State::UnderWay => false,
            State::Waiting => {
                same && (&self.claim.condition, self.claim.was_read) == (&claim.condition, claim.was_read)
            }
            State::Settled | State::Failed => same,
        }
    }

    /// Whether nothing more comes of it.
    fn is_answered(&self) -> bool {
        matches!(self.state, State::Settled | State::Failed)
    }
}

/// A claim after an earlier one of the same variation, as one. As long as the storage has not confirmed the earlier one,
/// what its writer knew is all that is known; and the later one need not have been made on top of it.
fn over_earlier(claim: Claim, earlier: &Claim, state: State) -> Claim {
    let confirmed = state == State::Settled;
    let replaces = matches!(earlier.condition, Condition::Replaces(_));
    let record = merge::merge(Some(&earlier.record), &claim).record;
    let condition = if confirmed && !replaces { claim.condition } else { earlier.condition.clone() };
    let goal = claim.goal.or_else(|| earlier.goal.clone().filter(|_| !confirmed));
    let goal = goal.filter(|goal| record.goals.as_str().ends_with(goal.as_str()));
    Claim { record, goal, condition, was_read: claim.was_read && state != State::Failed }
}

/// A claim as the storage answered it: what is stored now, to be laid over what is older.
fn settled(claim: Claim, merged: Merged) -> Claim {
    let condition = match merged.outcome {
        Outcome::Replaced => claim.condition,
        Outcome::Claimed | Outcome::Kept => Condition::Stored,
    };
    let goal = claim.goal.filter(|goal| merged.record.goals.as_str().ends_with(goal.as_str()));
    Claim { record: merged.record, goal, condition, was_read: true }
}
