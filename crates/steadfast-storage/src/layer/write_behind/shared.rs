//! What the callers and the task share: what is pending, behind one lock, and the way to the journal.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::A_YEAR;
use super::driver;
use super::journal::{Journal as JournalFile, Reply};
use super::operation::Operation;
use super::options::{Counters, Journal, Unsent, WhenFull, WriteBehindOptions};
use super::pending::{NoRoom, Pending, Place, Rules};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::Merged;
use crate::user_storage::AsyncUserStorage;

/// How often those who wait look again, should they have missed that something happened.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What no disk needs.
const DISK: Duration = Duration::from_secs(30);

pub(super) type Listener = Box<dyn Fn(&StorageError) + Send + Sync>;

/// Whoever waits for the storage's answer.
pub(super) enum Waiter {
    Merge(oneshot::Sender<Result<Merged, StorageError>>),
    /// With the campaigns that only this layer knew of.
    Erase(oneshot::Sender<Result<u64, StorageError>>, Vec<String>),
}

pub(super) struct Shared<S> {
    pub(super) storage: Arc<S>,
    pub(super) options: WriteBehindOptions,
    pub(super) journal: Option<JournalFile>,
    /// There is work for the task.
    pub(super) work: Notify,
    /// Something was answered.
    pub(super) progress: Notify,
    listener: Option<Listener>,
    journals_all: bool,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) pending: Pending<Waiter>,
    /// The journal may have places that are not in memory. Their order is kept there: what comes for such a place goes to
    /// the journal.
    pub(super) behind: bool,
    /// Where the present pass through the journal has come to, and whether something was put there meanwhile.
    pub(super) pass: Pass,
    /// A part of the journal is being read.
    pub(super) loading: Option<Changed>,
    /// Places of the journal that are damaged: nobody knows what waits for them.
    pub(super) unreadable: HashSet<Place>,
    /// The task is there.
    is_running: bool,
    /// Nothing is taken in any more.
    pub(super) is_closed: bool,
    /// Nobody will ask any more.
    pub(super) is_let_go: bool,
    /// The task is to end.
    pub(super) has_ended: bool,
}

/// A pass through the journal, in the order of its places: those up to where it has come are in memory, unless some were
/// put behind it.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) at: Option<Place>,
    pub(super) has_changed: bool,
}

/// What was done to the journal since a part of it was asked for.
#[derive(Default)]
pub(super) struct Changed {
    /// Of these places the part says what is old.
    places: HashSet<Place>,
    users: HashSet<String>,
    /// This came to them since.
    appended: BTreeMap<Place, Vec<Operation>>,
}

impl Changed {
    pub(super) fn written(&mut self, place: &Place) {
        self.places.insert(place.clone());
    }

    fn appended(&mut self, place: &Place, operation: &Operation) {
        self.appended.entry(place.clone()).or_default().push(operation.clone());
    }

    fn erased(&mut self, user: &str) {
        self.users.insert(user.to_owned());
        self.appended.retain(|place, _| place.user != user);
    }

    /// Whether a part of the journal says what is old of a place.
    pub(super) fn is_old(&self, place: &Place) -> bool {
        self.places.contains(place) || self.users.contains(&place.user)
    }

    /// Brings a part of the journal, behind this place and up to that or to the end, up to date. What came to other places
    /// says nothing of what they had before.
    pub(super) fn up_to_date(
        self,
        part: Vec<(Place, Vec<Operation>)>,
        behind: Option<&Place>,
        until: Option<&Place>,
    ) -> BTreeMap<Place, Vec<Operation>> {
        let mut places: BTreeMap<Place, Vec<Operation>> =
            part.into_iter().filter(|(place, _)| !self.is_old(place)).collect();
        for (place, operations) in self.appended {
            if behind.is_none_or(|behind| place > *behind) && until.is_none_or(|until| place <= *until) {
                places.entry(place).or_default().extend(operations);
            }
        }
        places
    }
}

impl State {
    /// Whether the journal may have something of a place that memory has not.
    fn may_be_on_disk(&self, place: &Place) -> bool {
        let was_passed = || !self.pass.has_changed && self.pass.at.as_ref().is_some_and(|at| place <= at);
        !self.pending.has(place) && (self.behind && !was_passed() || self.unreadable.contains(place))
    }

    fn user_may_be_on_disk(&self, user: &str) -> bool {
        self.behind || self.unreadable.iter().any(|place| place.user == user)
    }
}

/// An operation that was taken in.
pub(super) struct Taken {
    on_disk: Option<Reply<()>>,
    answer: Option<oneshot::Receiver<Result<Merged, StorageError>>>,
}

/// An operation that was not.
pub(super) enum Refused {
    Error(StorageError),
    NoRoom(Box<Operation>),
}

/// What is known of a place.
pub(super) struct Seen {
    pub(super) operations: Vec<Operation>,
    pub(super) is_erasing: bool,
    pub(super) may_be_on_disk: bool,
}

impl<S: AsyncUserStorage + 'static> Shared<S> {
    pub(super) fn new(
        storage: S,
        options: WriteBehindOptions,
        listener: Option<Listener>,
    ) -> Result<Arc<Self>, StorageError> {
        let rules = Rules {
            claims: options.claims.max(1),
            bytes: options.bytes.max(1),
            writes: storage.writes(),
            side_by_side: options.side_by_side,
            back_off: options.back_off,
            longest_back_off: options.longest_back_off,
            failures: options.failures,
            when_refused: options.when_refused,
            drops_oldest: options.when_full == WhenFull::DropOldest,
        };
        let mut pending = Pending::new(rules, RandomState::new().hash_one(0));
        let (journal, journals_all) = match &options.journal {
            Journal::Off => (None, false),
            Journal::WhenFull(path) => (Some(JournalFile::open(path.clone())?), false),
            Journal::Always(path) => (Some(JournalFile::open(path.clone())?), true),
        };
        let mut behind = false;
        let journal = journal.map(|(journal, found)| {
            behind = found.has_claims;
            for (user, until) in found.erased {
                if until <= now_in_milliseconds() {
                    // Its time is over: whoever comes by that name may be somebody new.
                    drop(journal.erased(user));
                    continue;
                }
                let left = Duration::from_millis(until.saturating_sub(now_in_milliseconds()));
                pending.erase(&user, None, Instant::now() + left.min(A_YEAR));
            }
            journal
        });
        let state = State {
            pending,
            behind,
            pass: Pass::default(),
            loading: None,
            unreadable: HashSet::new(),
            is_running: false,
            is_closed: false,
            is_let_go: false,
            has_ended: false,
        };
        Ok(Arc::new(Shared {
            storage: Arc::new(storage),
            options,
            journal,
            work: Notify::new(),
            progress: Notify::new(),
            listener,
            journals_all,
            state: Mutex::new(state),
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done by a panic: there is none to be had under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task, where it is not there.
    ///
    /// # Errors
    /// Outside a runtime.
    pub(super) fn start(self: &Arc<Self>) -> Result<(), StorageError> {
        let mut state = self.state();
        if state.is_running || state.has_ended {
            return Ok(());
        }
        let runtime = Handle::try_current().map_err(|error| {
            let message = "writes that are handed over need a tokio runtime around the call";
            StorageError::new(StorageErrorKind::Other, message).with_source(error)
        })?;
        state.is_running = true;
        driver::start(Arc::clone(self), &runtime);
        Ok(())
    }

    /// The task is gone: the next call starts it.
    pub(super) fn stopped(&self) {
        let mut state = self.state();
        state.is_running = false;
        state.loading = None;
        if state.is_let_go {
            // The runtime ended before the task could.
            self.journal_the_rest(&mut state);
        }
    }

    /// Takes an operation in.
    ///
    /// # Errors
    /// When there is no room, or nothing is taken in any more.
    pub(super) fn take(&self, operation: Operation, wants_answer: bool) -> Result<Taken, Refused> {
        let place =
            Place { user: operation.record().user_id.clone(), campaign: operation.record().campaign_key.clone() };
        let mut state = self.state();
        if state.is_closed {
            return Err(Refused::Error(gone()));
        }
        if state.may_be_on_disk(&place) {
            return self.journal_alone(&mut state, place, operation);
        }
        // Nobody waits for a storage that is down.
        let (waiter, answer) = if wants_answer && !state.pending.is_down() {
            let (sender, receiver) = oneshot::channel();
            (Some(Waiter::Merge(sender)), Some(receiver))
        } else {
            (None, None)
        };
        let mut given_way = false;
        // What waits for places that are in memory may fill as much room again, so that one that gives way is enough.
        let times = 1 + usize::from(self.journal.is_some());
        let mut left = NoRoom(operation, waiter);
        loop {
            match state.pending.put(if given_way { times } else { 1 }, &place, left.0, left.1) {
                Ok(()) => break,
                Err(again) => left = *again,
            }
            if self.journal.as_ref().is_some_and(|journal| journal.places() < self.options.journal_places) {
                if !state.pending.has(&place) {
                    return self.journal_alone(&mut state, place, left.0);
                }
                match state.pending.put_behind(&place, left.0, left.1) {
                    Ok(()) => break,
                    Err(again) => left = *again,
                }
            }
            match self.options.when_full {
                // One that has no room where nothing else is drives nothing else out.
                WhenFull::DropOldest if state.pending.fits(&left.0) && self.drop_oldest(&mut state) => given_way = true,
                WhenFull::Reject | WhenFull::DropOldest => {
                    drop(state);
                    if given_way {
                        self.tell(&full());
                    }
                    return Err(Refused::Error(full()));
                }
                WhenFull::Wait(_) => return Err(Refused::NoRoom(Box::new(left.0))),
            }
        }
        let on_disk = match &self.journal {
            // What the journal has of a place it has as a whole.
            Some(journal) if self.journals_all || state.pending.on_disk(&place) => {
                state.pending.is_on_disk(&place);
                if let Some(loading) = &mut state.loading {
                    loading.written(&place);
                }
                Some(journal.put(place.clone(), state.pending.operations(&place)))
            }
            _ => None,
        };
        drop(state);
        self.work.notify_one();
        if given_way {
            self.tell(&full());
        }
        Ok(Taken { on_disk, answer })
    }

    /// What has no room in memory, or must not overtake what had none, goes to the journal.
    fn journal_alone(&self, state: &mut State, place: Place, operation: Operation) -> Result<Taken, Refused> {
        let Some(journal) = &self.journal else { return Err(Refused::Error(full())) };
        if journal.places() >= self.options.journal_places {
            return Err(match self.options.when_full {
                WhenFull::Wait(_) => Refused::NoRoom(Box::new(operation)),
                WhenFull::Reject | WhenFull::DropOldest => Refused::Error(full()),
            });
        }
        if state.unreadable.contains(&place) {
            // It fails on the disk, in its words.
            return Ok(Taken { on_disk: Some(journal.append(place, operation)), answer: None });
        }
        state.behind = true;
        // The pass comes by what is put before it.
        state.pass.has_changed |= state.pass.at.as_ref().is_some_and(|at| place <= *at);
        if let Some(loading) = &mut state.loading {
            loading.appended(&place, &operation);
        }
        state.pending.count_journaled();
        let on_disk = Some(journal.append(place, operation));
        self.work.notify_one();
        Ok(Taken { on_disk, answer: None })
    }

    fn drop_oldest(&self, state: &mut State) -> bool {
        let Some((place, waiter, on_disk)) = state.pending.drop_oldest() else { return false };
        if let Some(Waiter::Merge(waiter)) = waiter {
            waiter.send(Err(full())).ok();
        }
        if on_disk && let Some(journal) = &self.journal {
            if let Some(loading) = &mut state.loading {
                loading.written(&place);
            }
            drop(journal.put(place.clone(), state.pending.operations(&place)));
        }
        true
    }

    /// Waits until what was taken in is on the disk, where it is to be; what is to be waited for besides.
    pub(super) async fn kept(
        &self,
        taken: Taken,
    ) -> Result<Option<oneshot::Receiver<Result<Merged, StorageError>>>, StorageError> {
        if let Some(on_disk) = taken.on_disk {
            self.on_disk(on_disk).await?;
        }
        Ok(taken.answer)
    }

    /// Waits until the journal has answered.
    pub(super) async fn on_disk<R>(&self, reply: Reply<R>) -> Result<R, StorageError> {
        match tokio::time::timeout(DISK, reply).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(StorageError::new(StorageErrorKind::Unavailable, "the journal is closed")),
            Err(_) => Err(StorageError::new(StorageErrorKind::TimedOut, "the disk of the journal does not answer")),
        }
    }

    /// Waits for the storage's answer to what was taken in.
    pub(super) async fn confirmed(&self, taken: Taken, until: Instant) -> Result<Merged, StorageError> {
        let Some(answer) = self.kept(taken).await? else {
            return Err(behind());
        };
        match tokio::time::timeout_at(until.into(), answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(late()),
        }
    }

    /// What is known of a place.
    pub(super) fn see(&self, place: &Place) -> Seen {
        let state = self.state();
        let operations = state.pending.operations(place);
        let may_be_on_disk = state.may_be_on_disk(place);
        Seen { operations, is_erasing: state.pending.is_erasing(&place.user), may_be_on_disk }
    }

    /// What is known of a user, whether they are being erased, and whether the journal may know more.
    pub(super) fn see_all(&self, user: &str) -> (BTreeMap<String, Vec<Operation>>, bool, bool) {
        let state = self.state();
        (state.pending.operations_of(user), state.pending.is_erasing(user), state.user_may_be_on_disk(user))
    }

    /// What the journal has of a user.
    pub(super) async fn read(
        &self,
        user: &str,
        campaign: Option<&str>,
    ) -> Result<BTreeMap<String, Vec<Operation>>, StorageError> {
        let Some(journal) = &self.journal else { return Ok(BTreeMap::new()) };
        let reply = journal.read(user.to_owned(), campaign.map(str::to_owned));
        self.on_disk(reply).await.map(|found| found.into_iter().collect())
    }

    /// Forgets a user, and waits until the storage has erased them.
    pub(super) async fn erase(&self, user: &str, on_disk: impl Iterator<Item = String>) -> Result<u64, StorageError> {
        let (sender, answer) = oneshot::channel();
        let (written, is_down) = {
            let mut state = self.state();
            if state.is_closed {
                return Err(gone());
            }
            let mut known: Vec<String> = state.pending.operations_of(user).into_keys().chain(on_disk).collect();
            known.sort_unstable();
            known.dedup();
            let until = Instant::now() + self.options.erase.min(A_YEAR);
            for waiter in state.pending.erase(user, Some(Waiter::Erase(sender, known)), until) {
                if let Waiter::Merge(waiter) = waiter {
                    let message = "the user was erased before the storage had the write";
                    waiter.send(Err(StorageError::new(StorageErrorKind::Other, message))).ok();
                }
            }
            state.unreadable.retain(|place| place.user != user);
            if let Some(loading) = &mut state.loading {
                loading.erased(user);
            }
            let until = milliseconds_from_now(self.options.erase);
            let written = self.journal.as_ref().map(|journal| journal.erase(user.to_owned(), until));
            (written, state.pending.is_down())
        };
        self.work.notify_one();
        if let Some(written) = written {
            self.on_disk(written).await?;
        }
        if is_down {
            let message = "the storage is down: the user is forgotten here, and erased there when it is back";
            return Err(StorageError::new(StorageErrorKind::Unavailable, message));
        }
        match tokio::time::timeout(self.options.wait, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(late()),
        }
    }

    /// Waits until the storage has all that was kept back of a user.
    pub(super) async fn settle(self: &Arc<Self>, user: &str) -> Result<(), StorageError> {
        let start = Instant::now();
        loop {
            // Before looking, so that nothing is missed between the look and the wait.
            let progress = self.progress.notified();
            let (waits, may_be_on_disk, is_down) = {
                let state = self.state();
                if state.pending.is_parked(user) {
                    let message = "the storage has refused a write of the user, which is parked";
                    return Err(StorageError::new(StorageErrorKind::Other, message));
                }
                (state.pending.has_user(user), state.user_may_be_on_disk(user), state.pending.is_down())
            };
            if !waits && (!may_be_on_disk || self.read(user, None).await?.is_empty()) {
                return Ok(());
            }
            self.start()?;
            let Some(left) = self.options.wait.checked_sub(start.elapsed()) else { return Err(late()) };
            if is_down {
                let message = "the storage is down, and does not have all writes of the user yet";
                return Err(StorageError::new(StorageErrorKind::Unavailable, message));
            }
            let _ = tokio::time::timeout(left.min(LOOK_AGAIN), progress).await;
        }
    }

    /// Looks again whenever something was answered; `None` when the time is up.
    pub(super) async fn wait_until<R>(
        &self,
        deadline: Duration,
        mut look: impl FnMut(&Self) -> Option<R>,
    ) -> Option<R> {
        let start = Instant::now();
        loop {
            let progress = self.progress.notified();
            if let Some(found) = look(self) {
                return Some(found);
            }
            let left = deadline.checked_sub(start.elapsed())?;
            let _ = tokio::time::timeout(left.min(LOOK_AGAIN), progress).await;
        }
    }

    pub(super) fn mark(&self) -> u64 {
        self.state().pending.mark()
    }

    /// Whether everything before a mark is done. What comes back from the journal is older than its number says: the mark is
    /// moved behind it.
    pub(super) fn is_done_until(&self, mark: &mut u64) -> bool {
        let state = self.state();
        if state.behind {
            *mark = u64::MAX;
            return false;
        }
        *mark = (*mark).min(state.pending.mark());
        state.pending.is_done_until(*mark)
    }

    pub(super) fn retry_parked(&self) {
        self.state().pending.retry_parked();
        self.work.notify_one();
    }

    pub(super) fn counters(&self) -> Counters {
        let in_journal = self.journal.as_ref().map_or(0, JournalFile::places);
        Counters { in_journal, ..self.state().pending.counters() }
    }

    pub(super) fn unsent(&self) -> Unsent {
        let Counters { pending, in_journal, .. } = self.counters();
        let is_lost = pending > 0 && {
            let state = self.state();
            !state.pending.not_on_disk().is_empty() || self.journal.is_none() && state.pending.is_erasing_any()
        };
        Unsent { in_memory: pending, in_journal, is_lost }
    }

    /// Nothing is taken in any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
    }

    /// Nobody will ask any more.
    pub(super) fn let_go(&self) {
        {
            let mut state = self.state();
            state.is_closed = true;
            state.is_let_go = true;
            if !state.is_running {
                self.journal_the_rest(&mut state);
            }
        }
        self.work.notify_one();
    }

    /// Ends the task, and journals what is left.
    pub(super) async fn end(&self) {
        let written = {
            let mut state = self.state();
            state.has_ended = true;
            self.journal_the_rest(&mut state)
        };
        self.work.notify_one();
        for (place, reply) in written {
            if self.on_disk(reply).await.is_ok() {
                self.state().pending.is_on_disk(&place);
            }
        }
        if let Some(journal) = &self.journal {
            let _ = self.on_disk(journal.close()).await;
        }
    }

    /// Hands the journal what it does not have.
    pub(super) fn journal_the_rest(&self, state: &mut State) -> Vec<(Place, Reply<()>)> {
        let Some(journal) = &self.journal else { return Vec::new() };
        let rest = state.pending.not_on_disk();
        rest.into_iter().map(|(place, operations)| (place.clone(), journal.put(place, operations))).collect()
    }

    /// Tells the listener, and the panic that it may throw stays with it.
    pub(super) fn tell(&self, error: &StorageError) {
        if let Some(listener) = &self.listener {
            let _ = catch_unwind(AssertUnwindSafe(|| listener(error)));
        }
    }
}

pub(super) fn full() -> StorageError {
    StorageError::new(StorageErrorKind::Full, "too many writes wait for the storage: there is no room for more")
}

pub(super) fn gone() -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "the storage is shut down")
}

fn behind() -> StorageError {
    let message = "the storage is down or behind: the write is kept, and sent when it is back";
    StorageError::new(StorageErrorKind::Unavailable, message)
}

fn late() -> StorageError {
    let message = "the storage did not answer in time: what was asked is kept, and done later";
    StorageError::new(StorageErrorKind::TimedOut, message)
}

/// The time so long from now, in milliseconds since 1970.
pub(super) fn milliseconds_from_now(wait: Duration) -> u64 {
    now_in_milliseconds().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

fn now_in_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use steadfast_engine::Record;

    use super::*;

    fn place(user: &str) -> Place {
        Place { user: user.into(), campaign: "c".into() }
    }

    fn set(variation: &str) -> Operation {
        Operation::Set(Record::new("", "", variation))
    }

    #[test]
    fn a_part_of_the_journal_is_brought_up_to_date_and_nothing_beside_it_is_taken_for_whole() {
        let mut changed = Changed::default();
        for user in ["a", "c", "d", "e", "f", "z"] {
            changed.appended(&place(user), &set("new"));
        }
        changed.erased("e");
        changed.written(&place("d"));
        let part = ["b", "c", "d", "e"].map(|user| (place(user), vec![set("old")])).to_vec();
        let found = changed.up_to_date(part, Some(&place("a")), Some(&place("f")));
        let expected = [
            (place("b"), vec![set("old")]),
            (place("c"), vec![set("old"), set("new")]),
            (place("d"), vec![set("new")]),
            (place("f"), vec![set("new")]),
        ];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
