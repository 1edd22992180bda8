//! The blocking client: a driver that waits for its storage where it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_engine::verb::{self, Push, TrackTarget, Tracking};
use steadfast_engine::{
    CallError, Decision, Event, Options, Policy, Question, Record, Request, Settings, Step, UserStorageData,
};
use steadfast_storage::bridge::Waited;
use steadfast_storage::{AsyncUserStorage, Claim, StorageError, StorageErrorKind, UserStorage, Writes};

use crate::builder::{Builder, Limits};
use crate::confirmed::{self, Confirmation, Confirmed};
use crate::core::Core;
use crate::counters::CampaignCounters;
use crate::drive::{self, Call, Claims, Outcome};
use crate::own_writes::{Noted, Overtaken, Writer};
use crate::queue::threads::Worker;
use crate::queue::{Queue, Unfinished};

/// So many writes are side by side, each on a thread that waits.
const SIDE_BY_SIDE: usize = 8;

/// Decides for users and keeps what was decided.
///
/// ```
/// use std::sync::Arc;
/// use steadfast::blocking::Client;
/// use steadfast::engine::{Options, Settings};
/// use steadfast::storage::MemoryStorage;
///
/// let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": [{
///     "id": 1, "key": "checkout", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100,
///     "segments": {}, "goals": [], "variations": [
///         {"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Green", "weight": 50}]}]}"#)?;
/// let client = Client::builder(Arc::new(settings)).storage(MemoryStorage::new()).build();
/// let decision = client.activate("checkout", "Ashley", Options::NONE)?;
/// assert_eq!(decision.variation_name(), Some("Control"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It may be used inside an asynchronous runtime, where a look-up keeps the thread waiting like any other blocking call.
/// When it is dropped it waits for its writes, at most for [`Limits::drop`].
pub struct Client {
    core: Core,
    storage: Option<Storage>,
    limits: Limits,
}

/// A storage, and the way to it.
struct Storage {
    storage: Arc<dyn UserStorage>,
    /// Where writes wait; none where they are done at once.
    queue: Option<Arc<Queue>>,
}

impl Builder<Arc<dyn UserStorage>> {
    /// Keeps decisions in this storage.
    pub fn storage(mut self, storage: impl UserStorage + 'static) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Keeps decisions in a storage that answers later, and waits for it at most for [`Limits::look_up`] and
    /// [`Limits::write`], of the limits that were given before this: see [`Waited`].
    ///
    /// # Errors
    /// When the thread that the storage runs on cannot be started.
    pub fn async_storage(self, storage: impl AsyncUserStorage + 'static) -> std::io::Result<Self> {
        let waited = Waited::new(storage, self.limits.look_up)?.with_write_deadline(self.limits.write);
        Ok(self.storage(waited))
    }

    /// The client.
    #[must_use]
    pub fn build(mut self) -> Client {
        let limits = self.limits;
        let storage = self.storage.take();
        let core = self.core(storage.is_some());
        let storage = storage.map(|storage| {
            let side_by_side = limits.side_by_side.unwrap_or(SIDE_BY_SIDE);
            let queue = || Arc::new(Queue::new(storage.writes(), side_by_side, limits.waiting));
            Storage { queue: (!storage.writes().are_in_place()).then(queue), storage }
        });
        Client { core, storage, limits }
    }
}

impl Client {
    /// A client without a storage: everybody is evaluated afresh on each call.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Client::builder(settings).build()
    }

    /// A client to be put together.
    pub fn builder(settings: Arc<Settings>) -> Builder<Arc<dyn UserStorage>> {
        Builder::new(settings)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.core.settings.settings()
    }

    /// From now on decides under these settings; a decision under way ends under the ones it began with. The old ones.
    pub fn update_settings(&self, settings: Arc<Settings>) -> Arc<Settings> {
        self.core.settings.swap(&settings)
    }

    /// What was met in each campaign since the client was built: look-ups that found nothing or failed, and what came of
    /// racing with others. Only campaigns in which there was any of it.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, CampaignCounters> {
        self.core.counters.read()
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.core.policy
    }

    /// From now on nobody gets a variation, and nothing is looked up, kept, sent or shown (spec API-70). What was handed
    /// over before goes its way; events that wait for a batch to be full go at once.
    pub fn opt_out(&self) {
        self.core.opt_out();
    }

    /// See [`verb::decide`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn decide<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::decide(request, campaign))
    }

    /// What [`decide`](Self::decide) would answer now, and why ([`Decision::trace`]): what is stored is looked up, and
    /// nothing is sent, kept or shown to a hook.
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn explain<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        let mut call = Call::new(&self.core, user, options);
        let step = verb::decide(call.request().traced(), campaign)?;
        let mut decision = self.decision(&mut call, step);
        call.warn(&mut decision);
        Ok(decision)
    }

    /// See [`verb::activate`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn activate<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::activate(request, campaign))
    }

    /// As [`activate`](Self::activate), and waits until the storage has the decision: what the user sees is what is stored,
    /// whoever stored it. Only a storage that merges in one step can promise that; all that are built in do.
    ///
    /// # Errors
    /// What the caller got wrong. A storage that fails is no error: the [confirmation](Confirmed::confirmation) says so.
    pub fn activate_confirmed<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Confirmed<'a>, CallError> {
        self.confirm(user, options, |request| verb::activate(request, campaign))
    }

    /// See [`verb::variation_name`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn variation_name<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::variation_name(request, campaign))
    }

    /// See [`verb::feature_enabled`]; the answer is [`Decision::is_feature_enabled`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn feature_enabled<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::feature_enabled(request, campaign))
    }

    /// [`feature_enabled`](Self::feature_enabled), confirmed as in [`activate_confirmed`](Self::activate_confirmed).
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn feature_enabled_confirmed<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Confirmed<'a>, CallError> {
        self.confirm(user, options, |request| verb::feature_enabled(request, campaign))
    }

    /// See [`verb::feature_variable`]; the values are [`Decision::variable`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn feature_variable<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::feature_variable(request, campaign))
    }

    /// See [`verb::track`].
    ///
    /// # Errors
    /// What the caller got wrong about the call as a whole.
    pub fn track<'a>(
        &'a self,
        campaigns: TrackTarget<'_>,
        user: &'a str,
        goal: &'a str,
        options: &'a Options,
    ) -> Result<Tracking<'a>, CallError> {
        self.call(user, options, |request| verb::track(request, campaigns, goal))
    }

    /// See [`verb::push`]. After an opt-out nothing is sent.
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn push<'a>(&'a self, user: &'a str, properties: BTreeMap<String, String>) -> Result<Push<'a>, CallError> {
        let push = verb::push(Request::new(self.settings(), user), properties)?;
        if !self.core.is_opted_out() {
            self.core.send(&Event::Push(&push));
        }
        Ok(push)
    }

    /// All that is stored for a user, with what this client has written lately: for the options of the calls to come,
    /// which then ask for nothing. A storage that has only `get` and `set` is asked about every campaign of the settings.
    ///
    /// # Errors
    /// When the storage cannot say. Without a storage, or after an opt-out, nothing is stored.
    pub fn stored(&self, user: &str) -> Result<UserStorageData, StorageError> {
        let Some(Storage { storage, .. }) = &self.storage else { return Ok(UserStorageData::all([])) };
        if self.core.is_opted_out() {
            return Ok(UserStorageData::all([]));
        }
        let records = match storage.records_of(user) {
            Err(error) if error.kind() == StorageErrorKind::Unsupported => {
                let settings = self.settings();
                drive::found(storage.get_many(user, &drive::keys(&settings)))?
            }
            records => records?,
        };
        let records = UserStorageData::all(records);
        Ok(self.core.own.over_passed(user, &records).unwrap_or(records))
    }

    /// Puts a record straight into the storage, over whatever is there, after what was handed over for its user before.
    /// Without a storage nothing happens.
    ///
    /// # Errors
    /// When the storage cannot keep it, or has not answered to the earlier writes within [`Limits::write`].
    pub fn put(&self, record: Record) -> Result<(), StorageError> {
        let Some(Storage { storage, queue }) = &self.storage else { return Ok(()) };
        let (user, campaign) = (record.user_id.clone(), record.campaign_key.clone());
        if let Some(queue) = queue {
            self.wait_for_writes_of(&user, queue)?;
        }
        storage.set(record)?;
        self.core.own.written_over(&user, &campaign);
        Ok(())
    }

    /// Erases a user: what waits for the storage, all of their records there, and what this client remembers of them; how
    /// many records there were. What is under way is waited for, so that it does not come after. A layer that keeps writes
    /// back forgets its own. Calls for the user that begin later start afresh; other processes must stop them first.
    ///
    /// # Errors
    /// When the storage cannot erase them, or has not answered to the earlier writes within [`Limits::write`]: call it
    /// again. [`Unsupported`](StorageErrorKind::Unsupported) when it has only `get` and `set`.
    pub fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let Some(Storage { storage, queue }) = &self.storage else { return Ok(0) };
        self.core.own.erased(user);
        if let Some(queue) = queue {
            self.wait_for_writes_of(user, queue)?;
        }
        let erased = storage.erase(user);
        self.core.own.erased(user);
        erased
    }

    /// Waits until the storage has answered to everything that was handed over. Calls that go on meanwhile hand over more,
    /// and it waits for that, too: before an end, stop calling first.
    ///
    /// # Errors
    /// When it has not by then; nothing is lost by that.
    pub fn flush(&self, deadline: Duration) -> Result<(), Unfinished> {
        match self.storage.as_ref().and_then(|storage| storage.queue.as_ref()) {
            Some(queue) => queue.wait_idle(deadline),
            None => Ok(()),
        }
    }

    /// The whole of a call: see [`drive`].
    fn call<'a, Q: Question>(
        &'a self,
        user: &'a str,
        options: &'a Options,
        begin: impl Fn(Request<'a>) -> Result<Step<Q>, CallError>,
    ) -> Result<Q::Output, CallError>
    where
        Q::Output: Outcome,
    {
        let mut call = Call::new(&self.core, user, options);
        loop {
            let step = begin(call.request())?;
            let mut outcome = self.decision(&mut call, step);
            call.warn(&mut outcome);
            match self.note(&call, outcome.claims()) {
                Err(Overtaken) => call.again(),
                Ok(noted) => {
                    call.perform(&outcome, noted, || self.hand_over(user, noted));
                    return Ok(outcome);
                }
            }
        }
    }

    /// The same, with an answer of the storage to everything: see [`confirmed`](mod@crate::confirmed).
    fn confirm<'a, Q: Question<Output = Decision<'a>>>(
        &'a self,
        user: &'a str,
        options: &'a Options,
        begin: impl Fn(Request<'a>) -> Result<Step<Q>, CallError>,
    ) -> Result<Confirmed<'a>, CallError> {
        let Some(Storage { storage, queue }) = &self.storage else {
            let decision = self.call(user, options, begin)?;
            return Ok(Confirmed { decision, confirmation: Confirmation::NothingToStore });
        };
        let mut call = Call::new(&self.core, user, options);
        for _ in 0..confirmed::ROUNDS {
            // What was handed over for the user must not come after what is confirmed.
            match self.settle(user, &**storage, queue.as_deref()) {
                Err(error) => {
                    let decision = self.call(user, options, begin)?;
                    return Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(error) });
                }
                Ok(true) => call.again(),
                Ok(false) => {}
            }
            let step = begin(call.request())?;
            let mut decision = self.decision(&mut call, step);
            call.warn(&mut decision);
            let Some(claim) = confirmed::to_claim(&decision, &self.core.own).pop() else {
                return Ok(call.confirmed(decision));
            };
            let mut claims = Claims::new();
            if call.note(Claims::from_iter([claim]), Writer::Caller(&mut claims)).is_err() {
                call.again();
                continue;
            }
            let Some(claim) = claims.pop() else { continue };
            match drive::merge(&**storage, claim.clone()) {
                Err(error) => {
                    call.perform(&decision, Noted::Settled, || {});
                    self.leave_to_a_worker(claim);
                    return Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(error) });
                }
                Ok(merged) => {
                    let stands = confirmed::stands(&decision, &merged);
                    if !stands {
                        call.adopt(merged.record.clone());
                    }
                    self.core.own.answered(claim, merged);
                    if stands {
                        return Ok(call.confirmed(decision));
                    }
                    call.again();
                }
            }
        }
        let decision = self.call(user, options, begin)?;
        Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(confirmed::restless()) })
    }

    /// Drives a decision to its end.
    #[inline(always)]
    fn decision<Q: Question>(&self, call: &mut Call<'_>, step: Step<Q>) -> Q::Output {
        let need = match step {
            Step::Done(output) => return output,
            Step::NeedsStored(need) => need,
        };
        // One question is the rule. Outside the loop, so that the decision is not carried round it (`--bench clients`).
        match self.answer(call, need) {
            Step::Done(output) => output,
            Step::NeedsStored(need) => self.decision_on(call, need),
        }
    }

    #[cold]
    fn decision_on<Q: Question>(&self, call: &mut Call<'_>, mut need: Q) -> Q::Output {
        loop {
            match self.answer(call, need) {
                Step::Done(output) => break output,
                Step::NeedsStored(next) => need = next,
            }
        }
    }

    #[inline(always)]
    fn answer<Q: Question>(&self, call: &mut Call<'_>, need: Q) -> Step<Q> {
        match &self.storage {
            // Without a storage the engine asks nothing; no answer counts as a failure.
            None => need.resume([]),
            Some(Storage { storage, .. }) => {
                // What is written in place is in the storage, unless that failed, or was begun and no more.
                let may_be_behind = storage.writes() != Writes::InPlace || self.core.own.any_failed();
                drive::ask(&**storage, call, need, may_be_behind)
            }
        }
    }

    /// Notes what is to be written; where that is done at once, it is done.
    fn note(&self, call: &Call<'_>, claims: Claims) -> Result<Noted, Overtaken> {
        match &self.storage {
            None => Ok(Noted::Settled),
            Some(Storage { storage, queue: None }) => call.note_in_place(claims, &**storage),
            Some(Storage { queue: Some(queue), .. }) => call.note_for(claims, queue),
        }
    }

    /// Waits until the storage has what was written for a user, by this client or by a layer that keeps writes back; whether
    /// the client had written anything that was not answered.
    fn settle(&self, user: &str, storage: &dyn UserStorage, queue: Option<&Queue>) -> Result<bool, StorageError> {
        let Some(queue) = queue else { return Ok(false) };
        let are_unanswered = self.core.own.are_unanswered(user);
        if are_unanswered {
            self.wait_for_writes_of(user, queue)?;
        }
        storage.settle(user)?;
        Ok(are_unanswered)
    }

    /// Waits until the storage has answered to what was handed over for a user.
    fn wait_for_writes_of(&self, user: &str, queue: &Queue) -> Result<(), StorageError> {
        let answered = || !self.core.own.are_unanswered(user);
        if queue.wait_until(self.limits.write, answered) { Ok(()) } else { Err(drive::too_late(self.limits.write)) }
    }

    /// What could not be confirmed is tried once more, where there is somebody to do it.
    fn leave_to_a_worker(&self, claim: Claim) {
        if let Some(queue) = self.storage.as_ref().and_then(|storage| storage.queue.as_ref()) {
            let noted = self.core.own.unanswered(&claim);
            if noted == Noted::Queue {
                queue.announce();
            }
            self.hand_over(&claim.record.user_id, noted);
        } else {
            self.core.own.failed(claim);
        }
    }

    /// Puts the user into the queue, and starts a thread for it where one is wanted.
    fn hand_over(&self, user: &str, noted: Noted) {
        let Some(Storage { storage, queue: Some(queue) }) = &self.storage else { return };
        if noted == Noted::Queue && queue.push(user) {
            let worker = Worker {
                queue: Arc::clone(queue),
                own: Arc::clone(&self.core.own),
                storage: Arc::clone(storage),
                on_error: self.core.on_error.clone(),
            };
            if let Err(error) = worker.start() {
                queue.leave();
                let error = StorageError::new(StorageErrorKind::Other, "no thread for writing can be started")
                    .with_source(error);
                self.core.on_error.tell(&error);
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(queue) = self.storage.as_ref().and_then(|storage| storage.queue.as_ref()) else { return };
        let start = Instant::now();
        if let Err(unfinished) = queue.wait_idle(self.limits.drop) {
            tracing::error!(users = unfinished.users, "a client ended before the storage answered to its last writes");
        }
        // Afterwards nobody here has the storage any more: another may open its file.
        queue.close(self.limits.drop.saturating_sub(start.elapsed()));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.core.policy;
        formatter.debug_struct("Client").field("policy", policy).field("limits", &self.limits).finish_non_exhaustive()
    }
}
