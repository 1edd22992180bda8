//! The asynchronous client: a driver that awaits its storage. Method by method the same as the [blocking](crate::blocking)
//! one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use steadfast_engine::verb::{self, Push, TrackTarget, Tracking};
use steadfast_engine::{
    CallError, Decision, Event, Options, Policy, Question, Record, Request, Settings, Step, UserStorageData,
};
use steadfast_storage::bridge::Offloaded;
use steadfast_storage::{
    AsyncUserStorage, Claim, HeldUserStorage, Merged, StorageError, StorageErrorKind, UserStorage, Writes,
};
use tokio::runtime::Handle;

use crate::builder::{Builder, Limits};
use crate::confirmed::{self, Confirmation, Confirmed};
use crate::core::Core;
use crate::counters::CampaignCounters;
use crate::drive::{self, Call, Claims, Outcome};
use crate::own_writes::{Noted, Overtaken, Writer};
use crate::queue::tasks::Worker;
use crate::queue::{Queue, Unfinished};

/// So many writes are side by side, each in a task.
const SIDE_BY_SIDE: usize = 64;

/// Decides for users and keeps what was decided, without ever keeping a thread waiting. It needs a tokio runtime around
/// its calls, with its timers on (`enable_time`).
///
/// ```
/// use std::sync::Arc;
/// use steadfast::Client;
/// use steadfast::engine::{Options, Settings};
/// use steadfast::storage::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": [{
///     "id": 1, "key": "checkout", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100,
///     "segments": {}, "goals": [], "variations": [
///         {"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Green", "weight": 50}]}]}"#)?;
/// let client = Client::builder(Arc::new(settings)).blocking_storage(MemoryStorage::new()).build();
/// let decision = client.activate("checkout", "Ashley", Options::NONE).await?;
/// assert_eq!(decision.variation_name(), Some("Control"));
/// # Ok(())
/// # }
/// ```
///
/// What was handed over goes on when it is dropped, as long as the runtime does: [`flush`](Self::flush) before the end.
pub struct Client {
    core: Core,
    storage: Option<Storage>,
    limits: Limits,
}

/// A storage, and the way to it.
pub(crate) enum Storage {
    /// Asked and written to at once: it never waits.
    InPlace(Arc<dyn UserStorage>),
    /// Awaited; writes are handed over.
    Later(Arc<dyn HeldUserStorage>, Arc<Queue>),
}

/// A storage that was chosen, of either kind.
pub enum Chosen {
    /// One that never waits.
    InPlace(Arc<dyn UserStorage>),
    /// Any other.
    Later(Arc<dyn HeldUserStorage>),
}

impl Builder<Chosen> {
    /// Keeps decisions in this storage.
    pub fn storage(mut self, storage: impl AsyncUserStorage + 'static) -> Self {
        self.storage = Some(Chosen::Later(Arc::new(storage)));
        self
    }

    /// Keeps decisions in a storage that answers in place. One that never waits is asked where the caller stands, any
    /// other on a thread that may wait: see [`Offloaded`].
    pub fn blocking_storage(mut self, storage: impl UserStorage + 'static) -> Self {
        self.storage = Some(match storage.writes() {
            Writes::InPlace | Writes::Begun => Chosen::InPlace(Arc::new(storage)),
            Writes::OneByOne | Writes::Together(_) => Chosen::Later(Arc::new(Offloaded::new(storage))),
        });
        self
    }

    /// The client.
    #[must_use]
    pub fn build(mut self) -> Client {
        let limits = self.limits;
        let chosen = self.storage.take();
        let core = self.core(chosen.is_some());
        let storage = chosen.map(|chosen| match chosen {
            Chosen::InPlace(storage) => Storage::InPlace(storage),
            Chosen::Later(storage) => {
                let side_by_side = limits.side_by_side.unwrap_or(SIDE_BY_SIDE);
                let queue = Queue::new(storage.writes(), side_by_side, limits.waiting);
                Storage::Later(storage, Arc::new(queue))
            }
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
    pub fn builder(settings: Arc<Settings>) -> Builder<Chosen> {
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
    pub async fn decide<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::decide(request, campaign)).await
    }

    /// What [`decide`](Self::decide) would answer now, and why ([`Decision::trace`]): what is stored is looked up, and
    /// nothing is sent, kept or shown to a hook.
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn explain<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        let mut call = Call::new(&self.core, user, options);
        let step = verb::decide(call.request().traced(), campaign)?;
        let mut decision = self.decision(&mut call, step).await;
        call.warn(&mut decision);
        Ok(decision)
    }

    /// See [`verb::activate`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn activate<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::activate(request, campaign)).await
    }

    /// As [`activate`](Self::activate), and waits until the storage has the decision: what the user sees is what is stored,
    /// whoever stored it. Only a storage that merges in one step can promise that; all that are built in do.
    ///
    /// # Errors
    /// What the caller got wrong. A storage that fails is no error: the [confirmation](Confirmed::confirmation) says so.
    pub async fn activate_confirmed<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Confirmed<'a>, CallError> {
        self.confirm(user, options, |request| verb::activate(request, campaign)).await
    }

    /// See [`verb::variation_name`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn variation_name<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::variation_name(request, campaign)).await
    }

    /// See [`verb::feature_enabled`]; the answer is [`Decision::is_feature_enabled`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn feature_enabled<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::feature_enabled(request, campaign)).await
    }

    /// [`feature_enabled`](Self::feature_enabled), confirmed as in [`activate_confirmed`](Self::activate_confirmed).
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn feature_enabled_confirmed<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Confirmed<'a>, CallError> {
        self.confirm(user, options, |request| verb::feature_enabled(request, campaign)).await
    }

    /// See [`verb::feature_variable`]; the values are [`Decision::variable`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub async fn feature_variable<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        self.call(user, options, |request| verb::feature_variable(request, campaign)).await
    }

    /// See [`verb::track`].
    ///
    /// # Errors
    /// What the caller got wrong about the call as a whole.
    pub async fn track<'a>(
        &'a self,
        campaigns: TrackTarget<'_>,
        user: &'a str,
        goal: &'a str,
        options: &'a Options,
    ) -> Result<Tracking<'a>, CallError> {
        self.call(user, options, |request| verb::track(request, campaigns, goal)).await
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
    /// When the storage cannot say, or not in time. Without a storage, or after an opt-out, nothing is stored.
    pub async fn stored(&self, user: &str) -> Result<UserStorageData, StorageError> {
        let records = match &self.storage {
            _ if self.core.is_opted_out() => return Ok(UserStorageData::all([])),
            None => return Ok(UserStorageData::all([])),
            Some(Storage::InPlace(storage)) => match storage.records_of(user) {
                Err(error) if error.kind() == StorageErrorKind::Unsupported => {
                    let settings = self.settings();
                    drive::found(storage.get_many(user, &drive::keys(&settings)))?
                }
                records => records?,
            },
            Some(Storage::Later(storage, _)) => match self.in_time(storage.records_of(user)).await? {
                Err(error) if error.kind() == StorageErrorKind::Unsupported => {
                    let settings = self.settings();
                    drive::found(self.in_time(storage.get_many(user, &drive::keys(&settings))).await?)?
                }
                records => records?,
            },
        };
        let records = UserStorageData::all(records);
        Ok(self.core.own.over_passed(user, &records).unwrap_or(records))
    }

    /// Puts a record straight into the storage, over whatever is there, after what was handed over for its user before.
    /// Without a storage nothing happens.
    ///
    /// # Errors
    /// When the storage cannot keep it, or not in time, or has not answered to the earlier writes by then.
    pub async fn put(&self, record: Record) -> Result<(), StorageError> {
        let (user, campaign) = (record.user_id.clone(), record.campaign_key.clone());
        match &self.storage {
            None => return Ok(()),
            Some(Storage::InPlace(storage)) => storage.set(record)?,
            Some(Storage::Later(storage, queue)) => {
                self.await_writes_of(&user, queue).await?;
                let written = in_time(self.limits.write, storage.set_many(vec![record])).await?;
                written.into_iter().next().unwrap_or_else(|| Err(drive::no_answer()))?;
            }
        }
        self.core.own.written_over(&user, &campaign);
        Ok(())
    }

    /// Erases a user: what waits for the storage, all of their records there, and what this client remembers of them; how
    /// many records there were. What is under way is waited for, so that it does not come after. A layer that keeps writes
    /// back forgets its own. Calls for the user that begin later start afresh; other processes must stop them first.
    ///
    /// # Errors
    /// When the storage cannot erase them, or not in time, or has not answered to the earlier writes by then: call it
    /// again. [`Unsupported`](StorageErrorKind::Unsupported) when it has only `get` and `set`.
    pub async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let Some(storage) = &self.storage else { return Ok(0) };
        self.core.own.erased(user);
        let erased = match storage {
            Storage::InPlace(storage) => storage.erase(user),
            Storage::Later(storage, queue) => {
                self.await_writes_of(user, queue).await?;
                in_time(self.limits.write, storage.erase(user)).await.flatten()
            }
        };
        self.core.own.erased(user);
        erased
    }

    /// Waits until the storage has answered to everything that was handed over. Calls that go on meanwhile hand over more,
    /// and it waits for that, too: before an end, stop calling first.
    ///
    /// # Errors
    /// When it has not by then; nothing is lost by that.
    pub async fn flush(&self, deadline: Duration) -> Result<(), Unfinished> {
        match &self.storage {
            Some(Storage::Later(_, queue)) => queue.await_idle(deadline).await,
            Some(Storage::InPlace(_)) | None => Ok(()),
        }
    }

    /// The whole of a call: see [`drive`].
    async fn call<'a, Q: Question>(
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
            let mut outcome = self.decision(&mut call, step).await;
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
    async fn confirm<'a, Q: Question<Output = Decision<'a>>>(
        &'a self,
        user: &'a str,
        options: &'a Options,
        begin: impl Fn(Request<'a>) -> Result<Step<Q>, CallError>,
    ) -> Result<Confirmed<'a>, CallError> {
        let Some(storage) = &self.storage else {
            let decision = self.call(user, options, begin).await?;
            return Ok(Confirmed { decision, confirmation: Confirmation::NothingToStore });
        };
        let mut call = Call::new(&self.core, user, options);
        for _ in 0..confirmed::ROUNDS {
            // What was handed over for the user must not come after what is confirmed.
            match self.settle(user, storage).await {
                Err(error) => {
                    let decision = self.call(user, options, begin).await?;
                    return Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(error) });
                }
                Ok(true) => call.again(),
                Ok(false) => {}
            }
            let step = begin(call.request())?;
            let mut decision = self.decision(&mut call, step).await;
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
            let under_way = UnderWay { client: self, call: &call, decision: Some(decision), claim: claim.clone() };
            match self.merge(storage, claim.clone()).await {
                Err(error) => {
                    let Some(decision) = under_way.unconfirmed() else { continue };
                    return Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(error) });
                }
                Ok(merged) => {
                    let Some(decision) = under_way.answered() else { continue };
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
        let decision = self.call(user, options, begin).await?;
        Ok(Confirmed { decision, confirmation: Confirmation::Unconfirmed(confirmed::restless()) })
    }

    /// Drives a decision to its end.
    async fn decision<Q: Question>(&self, call: &mut Call<'_>, mut step: Step<Q>) -> Q::Output {
        loop {
            step = match step {
                Step::Done(output) => break output,
                Step::NeedsStored(need) => match &self.storage {
                    // Without a storage the engine asks nothing; no answer counts as a failure.
                    None => need.resume([]),
                    // What is written in place is in the storage, unless that failed.
                    Some(Storage::InPlace(storage)) => {
                        let may_be_behind = storage.writes() != Writes::InPlace || self.core.own.any_failed();
                        drive::ask(&**storage, call, need, may_be_behind)
                    }
                    Some(Storage::Later(storage, _)) => {
                        let campaigns = drive::campaigns(&need);
                        let found = self.in_time(storage.get_many(call.user(), &campaigns)).await;
                        let mut answers = found.unwrap_or_else(|error| drive::failed(&error, campaigns.len()));
                        drop(campaigns);
                        call.hear(&need, &answers);
                        call.bring_up_to_date(&need, &mut answers);
                        need.resume(answers)
                    }
                },
            }
        }
    }

    async fn merge(&self, storage: &Storage, claim: Claim) -> Result<Merged, StorageError> {
        match storage {
            Storage::InPlace(storage) => drive::merge(&**storage, claim),
            Storage::Later(storage, _) => {
                let merged = in_time(self.limits.write, storage.merge_many(vec![claim])).await?;
                merged.into_iter().next().unwrap_or_else(|| Err(drive::no_answer()))
            }
        }
    }

    /// Notes what is to be written; where that is done at once, it is done.
    fn note(&self, call: &Call<'_>, claims: Claims) -> Result<Noted, Overtaken> {
        match &self.storage {
            None => Ok(Noted::Settled),
            Some(Storage::InPlace(storage)) => call.note_in_place(claims, &**storage),
            Some(Storage::Later(_, queue)) => call.note_for(claims, queue),
        }
    }

    /// Waits until the storage has what was written for a user, by this client or by a layer that keeps writes back; whether
    /// the client had written anything that was not answered.
    async fn settle(&self, user: &str, storage: &Storage) -> Result<bool, StorageError> {
        let Storage::Later(storage, queue) = storage else { return Ok(false) };
        let are_unanswered = self.core.own.are_unanswered(user);
        if are_unanswered {
            self.await_writes_of(user, queue).await?;
        }
        in_time(self.limits.write, storage.settle(user)).await??;
        Ok(are_unanswered)
    }

    /// Waits until the storage has answered to what was handed over for a user.
    async fn await_writes_of(&self, user: &str, queue: &Queue) -> Result<(), StorageError> {
        let answered = || !self.core.own.are_unanswered(user);
        let in_time = queue.await_until(self.limits.write, answered).await;
        if in_time { Ok(()) } else { Err(drive::too_late(self.limits.write)) }
    }

    /// What could not be confirmed is tried once more, where there is somebody to do it.
    fn leave_to_a_worker(&self, claim: Claim) {
        if let Some(Storage::Later(_, queue)) = &self.storage {
            let noted = self.core.own.unanswered(&claim);
            if noted == Noted::Queue {
                queue.announce();
            }
            self.hand_over(&claim.record.user_id, noted);
        } else {
            self.core.own.failed(claim);
        }
    }

    /// Puts the user into the queue, and starts a task for it where one is wanted.
    fn hand_over(&self, user: &str, noted: Noted) {
        let Some(Storage::Later(storage, queue)) = &self.storage else { return };
        if noted == Noted::Queue && queue.push(user) {
            let Ok(runtime) = Handle::try_current() else {
                queue.leave();
                let error = "no task for writing can be started: the client needs a tokio runtime around its calls";
                self.core.on_error.tell(&StorageError::new(StorageErrorKind::Other, error));
                return;
            };
            let worker = Worker {
                queue: Arc::clone(queue),
                own: Arc::clone(&self.core.own),
                storage: Arc::clone(storage),
                on_error: self.core.on_error.clone(),
                deadline: self.limits.write,
            };
            worker.start(&runtime);
        }
    }

    /// A look-up, unless it takes too long.
    async fn in_time<R>(&self, look_up: impl Future<Output = R>) -> Result<R, StorageError> {
        in_time(self.limits.look_up, look_up).await
    }
}

/// A claim that its caller waits for. Whoever stops waiting, by a failure or because the call is dropped, leaves it to a
/// worker; and since it is kept then, its event goes out.
struct UnderWay<'c, 'a> {
    client: &'c Client,
    call: &'c Call<'a>,
    decision: Option<Decision<'a>>,
    claim: Claim,
}

impl<'a> UnderWay<'_, 'a> {
    /// The storage has answered.
    fn answered(mut self) -> Option<Decision<'a>> {
        self.decision.take()
    }

    /// The storage has not answered.
    fn unconfirmed(mut self) -> Option<Decision<'a>> {
        self.give_up()
    }

    fn give_up(&mut self) -> Option<Decision<'a>> {
        let decision = self.decision.take()?;
        self.call.perform(&decision, Noted::Settled, || {});
        self.client.leave_to_a_worker(self.claim.clone());
        Some(decision)
    }
}

impl Drop for UnderWay<'_, '_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

async fn in_time<R>(deadline: Duration, work: impl Future<Output = R>) -> Result<R, StorageError> {
    tokio::time::timeout(deadline, work).await.map_err(|_| drive::too_late(deadline))
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.core.policy;
        formatter.debug_struct("Client").field("policy", policy).field("limits", &self.limits).finish_non_exhaustive()
    }
}
