//! The driver: what is taken in is sent by a thread of its own, which begins with the first event.
//!
//! One thread, whether the program around is asynchronous or not: a runtime of somebody's may end, or be busy, and an event
//! that was taken in is owed to neither. It runs as many calls side by side as [`Delivery::side_by_side`] says.
//!
//! With a [`Spool`] there is a second one (`keep.rs`), which writes to the disk, and hands over what is there.

mod keep;
mod watch;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use steadfast_engine::{Settings, event};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::dispatcher::{Counters, Delivery, Dispatcher, FlushId, Lost, Next, Parcel};
use crate::event::{Account, Event, Stamp};
use crate::http::{Endpoint, EndpointError, Http};
use crate::retry::Outcome;
use crate::spool::{Log, Spool, SpoolError};
use crate::wire::Sender;

/// Told of events that are lost: so many, and why.
type Listener = Box<dyn Fn(&[Event], &LostBy) + Send + Sync>;

/// Told of batches that are done with: why one is lost, if it is, and its content.
type FlushCallback = Box<dyn Fn(Option<&LostBy>, &str) + Send + Sync>;

/// Why events are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostBy {
    /// There was no room for them: in memory, or in the spool.
    NoRoom,
    /// They could not be kept, and there was no other way for them.
    Disk,
    /// The collector will not have them: it answered with this status.
    Refused(u16),
    /// They were tried as often as [`Delivery::attempts`] says, or [`Spool::attempts`] while others arrived.
    Attempts,
}

impl std::fmt::Display for LostBy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LostBy::NoRoom => formatter.write_str("there was no room for more events"),
            LostBy::Disk => formatter.write_str("the disk failed"),
            LostBy::Refused(status) => write!(formatter, "the collector refused them with status {status}"),
            LostBy::Attempts => formatter.write_str("they were tried too often"),
        }
    }
}

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failing {
    /// Nothing was heard, in time or at all.
    Unreachable,
    /// The collector answered with this status.
    Status(u16),
}

impl std::fmt::Display for Failing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failing::Unreachable => formatter.write_str("the collector cannot be reached, or does not answer in time"),
            Failing::Status(status) => write!(formatter, "the collector answers {status}"),
        }
    }
}

/// Why there is no collector.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The way to it cannot be used.
    Endpoint(EndpointError),
    /// Events cannot be kept.
    Spool(SpoolError),
    /// The system has no thread left.
    Thread(std::io::Error),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildError::Endpoint(error) => error.fmt(formatter),
            BuildError::Spool(error) => error.fmt(formatter),
            BuildError::Thread(error) => {
                write!(formatter, "events cannot be kept: the system has no thread left: {error}")
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Endpoint(error) => error.source(),
            BuildError::Spool(error) => error.source(),
            BuildError::Thread(error) => Some(error),
        }
    }
}

/// Why a flush did not get everything there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// So many of its events were lost.
    Lost(u64),
    /// So many are in memory alone: the disk failed. They are still sent.
    NotKept(u64),
    /// The time was up; what is left goes on.
    TimedOut,
}

impl std::fmt::Display for FlushError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FlushError::Lost(events) => {
                write!(formatter, "{events} events were lost: there was no room, or the collector did not take them")
            }
            FlushError::NotKept(events) => {
                write!(formatter, "{events} events are not on disk, which failed: they are still sent from memory")
            }
            FlushError::TimedOut => formatter.write_str("not all events are there yet: they are still sent"),
        }
    }
}

impl std::error::Error for FlushError {}

/// Sends events to a collector. It may be cloned; all of them are one.
///
/// When the last one is dropped what waits is given as long as [`Collector::AT_THE_END`]: [`flush`](Self::flush) it before
/// where that matters. With a [`Spool`] what is not sent by then is sent by who opens it next; dropping the last one waits
/// until the disk has what was taken over, [`Collector::AT_THE_END`] at most.
#[derive(Clone)]
pub struct Collector(Arc<Handle>);

/// The last of these ends the thread.
struct Handle(Arc<Shared>);

struct Shared {
    http: Http,
    sender: Mutex<Arc<Sender>>,
    /// What is told of how the client is put together was given to the builder, or was told before.
    has_usage: AtomicBool,
    is_batch: bool,
    /// What the settings said of the account when something was last sent.
    account: Mutex<Option<Arc<Account>>>,
    chance: RandomState,
    /// How many events were taken over.
    sent: AtomicU64,
    listener: Option<Listener>,
    flush_callback: Option<FlushCallback>,
    state: Mutex<State>,
    /// There is work for the thread.
    work: Notify,
    /// Something was settled, or is kept.
    settled: Notify,
    settled_for_threads: Condvar,
    /// There is work for the thread that keeps.
    keep: Condvar,
    /// Nothing is sent.
    hold: bool,
}

struct State {
    dispatcher: Dispatcher,
    /// The thread is there.
    is_running: bool,
    /// It waits, and must be told.
    is_asleep: bool,
    /// Nobody sends any more; the thread ends when nothing is left, or then.
    closed: Option<Instant>,
    /// What is kept on disk, if anything is.
    kept: Option<Kept>,
    /// How the last call failed, if it did.
    failing: Option<Failing>,
}

/// How far events are on disk.
struct Kept {
    /// What was taken over and is not on disk yet, in order.
    incoming: Vec<(u64, Event)>,
    /// The first number of those that are written at this moment, and how many they are.
    writing: Option<(u64, usize)>,
    /// The first number of what is settled, and about to be written down as that.
    noting: Option<u64>,
    /// What is on disk alone, from this number on.
    unread: Option<u64>,
    /// So many are on disk alone.
    waiting: u64,
    /// What the disk would not take, or has given up, and is in memory.
    in_memory_alone: BTreeSet<u64>,
    /// So many could not be kept, and nobody who asked was told yet.
    lost: u64,
    /// So many may come before the disk has them.
    room: usize,
    /// So many are in memory at most, of those that are on disk.
    window: usize,
    /// The thread waits, and must be told.
    is_asleep: bool,
    /// It has ended.
    is_over: bool,
}

/// How a collector is made.
pub struct CollectorBuilder {
    endpoint: Endpoint,
    delivery: Delivery,
    sender: Sender,
    spool: Option<Spool>,
    listener: Option<Listener>,
    flush_callback: Option<FlushCallback>,
}

impl CollectorBuilder {
    /// Where it is: VWO's unless told otherwise.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// How events are sent.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Who says that they send: Steadfast unless told otherwise. Its usage statistics are those of the first client that has
    /// this sink, unless some are given here; batching is added to them.
    #[must_use]
    pub fn sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// Keeps events on disk until they are delivered. They are written before they are sent, by a thread of their own:
    /// nobody who has an event waits for it. [`Collector::kept`] waits until they are there.
    #[must_use]
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// Is told of events that are lost, by the threads that send and keep or the caller whose event had no room.
    #[must_use]
    pub fn on_lost(mut self, listener: impl Fn(&[Event], &LostBy) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Is told of each batch that is done with, by the thread that sends: why it is lost, if it is, and its content, the JSON
    /// text `{"ev":[…]}` (`flushCallback`, spec EVT-56). One that is sent again is not done with.
    #[must_use]
    pub fn flush_callback(mut self, callback: impl Fn(Option<&LostBy>, &str) + Send + Sync + 'static) -> Self {
        self.flush_callback = Some(Box::new(callback));
        self
    }

    /// The collector. Nothing is connected to before the first event; where a spool has events of before, at once.
    ///
    /// # Errors
    /// When its URL is none, TLS cannot be set up, or the spool cannot be opened: it is somebody else's, or the system will
    /// not. Opening a spool looks through its files, and waits for its owner ([`Spool::patience`]): in an asynchronous program
    /// do it where one may block.
    pub fn build(self) -> Result<Collector, BuildError> {
        let CollectorBuilder { endpoint, delivery, mut sender, spool, listener, flush_callback } = self;
        let http = Http::new(&endpoint).map_err(BuildError::Endpoint)?;
        let is_batch = delivery.batch.is_some();
        let has_usage = AtomicBool::new(!sender.usage.is_empty());
        if is_batch && !sender.usage.iter().any(|(name, _)| *name == "eb") {
            sender.usage.insert(0, ("eb", "1".to_owned()));
        }
        let chance = RandomState::new();
        let log = spool.as_ref().map(Log::open).transpose().map_err(BuildError::Spool)?;
        let kept = log.as_ref().map(|log| Kept::new(log, &delivery));
        let dispatcher = match (&spool, &log) {
            (Some(spool), Some(log)) => {
                Dispatcher::of_kept(delivery, chance.hash_one(0), log.next_number(), spool.attempts)
            }
            _ => Dispatcher::new(delivery, chance.hash_one(0)),
        };
        let state = State { dispatcher, is_running: false, is_asleep: false, closed: None, kept, failing: None };
        let shared = Arc::new(Shared {
            http,
            sender: Mutex::new(Arc::new(sender)),
            has_usage,
            is_batch,
            account: Mutex::default(),
            chance,
            sent: AtomicU64::new(0),
            listener,
            flush_callback,
            state: Mutex::new(state),
            work: Notify::new(),
            settled: Notify::new(),
            settled_for_threads: Condvar::new(),
            keep: Condvar::new(),
            hold: spool.is_some_and(|spool| spool.hold),
        });
        if let Some(log) = log {
            keep::start(&shared, log).map_err(BuildError::Thread)?;
        }
        Ok(Collector(Arc::new(Handle(shared))))
    }
}

impl Collector {
    /// So long may sending take after the last one was dropped.
    pub const AT_THE_END: Duration = Duration::from_secs(5);

    /// One with the defaults.
    #[must_use]
    pub fn builder() -> CollectorBuilder {
        CollectorBuilder {
            endpoint: Endpoint::default(),
            delivery: Delivery::default(),
            sender: Sender::default(),
            spool: None,
            listener: None,
            flush_callback: None,
        }
    }

    /// Takes an event over. It waits for nothing; what has no room is lost, and told.
    pub fn send(&self, event: &event::Event<'_, '_>) {
        let shared = &self.0.0;
        let account = shared.account_of(event.settings());
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let number = shared.sent.fetch_add(1, Ordering::Relaxed);
        let stamp = Stamp { milliseconds, chance: shared.chance.hash_one((milliseconds, number)) };
        let Some(event) = Event::of(event, account, stamp) else { return };
        let mut state = shared.state();
        let next_number = state.dispatcher.next_number();
        if watch::note(self.identity(), next_number) {
            state.dispatcher.watch(next_number);
        }
        if let State { kept: Some(kept), dispatcher, .. } = &mut *state {
            let number = dispatcher.number();
            if kept.incoming.len() >= kept.room || kept.is_over {
                dispatcher.lost(number);
                kept.lost += 1;
                drop(state);
                shared.tell(&[event], LostBy::NoRoom);
                return shared.tell_waiting();
            }
            kept.incoming.push((number, event));
            let wake = std::mem::replace(&mut kept.is_asleep, false);
            drop(state);
            if wake {
                shared.keep.notify_one();
            }
            return;
        }
        let put = state.dispatcher.put(event, Instant::now());
        let wake = match put {
            Ok(has_work) => has_work && std::mem::replace(&mut state.is_asleep, false),
            Err(event) => {
                drop(state);
                shared.tell(&[*event], LostBy::NoRoom);
                return shared.tell_waiting();
            }
        };
        let start = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        if wake {
            shared.work.notify_one();
        }
        if start {
            shared.start();
        }
    }

    /// What tells this collector from others.
    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0.0).addr()
    }

    /// Sends everything that was taken over by now without waiting for more, and waits until it is there, at most so long.
    /// With a spool everything is also what was in it before; where nothing is sent ([`Spool::hold`]) it is
    /// [`kept`](Self::kept).
    ///
    /// # Errors
    /// When some of it is lost, or not there in time.
    pub async fn flush(&self, deadline: Duration) -> Result<(), FlushError> {
        let shared = &self.0.0;
        if shared.hold {
            return self.kept(deadline).await;
        }
        let flush = Flush { shared, id: shared.begin_flush() };
        let waited = shared.wait(deadline, |state| state.flushed(flush.id)).await;
        flush.end(waited)
    }

    /// Waits until the spool has on disk what was taken over by now, at most so long; without a spool it is there at once.
    ///
    /// # Errors
    /// When some of what was taken over since this was asked last had no room there, or could not be kept and had no other
    /// way ([`FlushError::Lost`], to one who asks: where several do side by side, [`Counters::lost`] says it to each), some is in memory alone because the disk failed ([`FlushError::NotKept`]), or
    /// the time is up.
    pub async fn kept(&self, deadline: Duration) -> Result<(), FlushError> {
        let until = self.0.0.state().dispatcher.next_number();
        self.0.0.wait(deadline, |state| state.kept(until)).await.unwrap_or(Err(FlushError::TimedOut))
    }

    /// The same, for a program that waits where it stands.
    ///
    /// # Errors
    /// As for [`kept`](Self::kept).
    pub fn kept_blocking(&self, deadline: Duration) -> Result<(), FlushError> {
        let until = self.0.0.state().dispatcher.next_number();
        self.0.0.wait_blocking(deadline, |state| state.kept(until)).unwrap_or(Err(FlushError::TimedOut))
    }

    /// The same, for a program that waits where it stands.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush).
    pub fn flush_blocking(&self, deadline: Duration) -> Result<(), FlushError> {
        let shared = &self.0.0;
        if shared.hold {
            return self.kept_blocking(deadline);
        }
        let flush = Flush { shared, id: shared.begin_flush() };
        let waited = shared.wait_blocking(deadline, |state| state.flushed(flush.id));
        flush.end(waited)
    }

    /// Sends what waits for a batch to be full, and waits for nothing.
    pub fn hurry(&self) {
        let shared = &self.0.0;
        let mut state = shared.state();
        let id = state.dispatcher.flush();
        state.dispatcher.forget(id);
        drop(state);
        shared.work.notify_one();
    }

    /// How the client is put together, as names and values in the order of spec EVT-60. Only the first time, and not where
    /// the builder was given some.
    pub fn launched_with(&self, usage: impl IntoIterator<Item = (&'static str, String)>) {
        let shared = &self.0.0;
        if !shared.has_usage.swap(true, Ordering::Relaxed) {
            let mut sender = shared.sender.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut sender).usage.extend(usage);
        }
    }

    /// How the last call failed; `None` where it did not, or none was made.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        self.0.0.state().failing
    }

    /// What has been done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let state = self.0.0.state();
        let mut counters = state.dispatcher.counters();
        if let Some(kept) = &state.kept {
            let writing = kept.writing.map_or(0, |(_, events)| events);
            counters.pending += kept.waiting + (kept.incoming.len() + writing) as u64;
        }
        counters
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Collector").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closed = Instant::now().checked_add(Collector::AT_THE_END);
        // Also what waits for a batch to be full.
        let id = state.dispatcher.flush();
        state.dispatcher.forget(id);
        let until = state.dispatcher.next_number();
        drop(state);
        self.0.work.notify_one();
        self.0.keep.notify_one();
        // Without a spool there is nothing to wait for. What cannot be kept was told.
        let _ = self.0.wait_blocking(Collector::AT_THE_END, |state| state.kept(until));
    }
}

impl State {
    /// What came of a flush, if it is over.
    fn flushed(&mut self, id: FlushId) -> Option<Result<(), Lost>> {
        let first = self.kept.as_ref().and_then(|kept| {
            // Also what is settled is waited for, so that who ends after this leaves nothing to be sent twice.
            let settled = self.dispatcher.first_settled().into_iter().chain(kept.noting);
            settled.chain(kept.unread).chain(kept.not_written()).min()
        });
        self.dispatcher.flushed(id, first)
    }

    /// Whether what comes before this number is on disk; `None` as long as it may come there.
    fn kept(&mut self, until: u64) -> Option<Result<(), FlushError>> {
        let Some(kept) = &mut self.kept else { return Some(Ok(())) };
        if kept.not_written().is_some_and(|number| number < until) {
            return None;
        }
        let lost = std::mem::take(&mut kept.lost);
        if lost > 0 {
            return Some(Err(FlushError::Lost(lost)));
        }
        let missing = kept.in_memory_alone.range(..until).filter(|number| self.dispatcher.is_open(**number));
        let missing = missing.count() as u64;
        Some(if missing == 0 { Ok(()) } else { Err(FlushError::NotKept(missing)) })
    }
}

impl Kept {
    fn new(log: &Log, delivery: &Delivery) -> Kept {
        // Enough that what is read does not run out while it is sent.
        let batch = delivery.batch.as_ref().map_or(0, |batch| batch.events.get().min(crate::Batching::MOST) * 4);
        Kept {
            incoming: Vec::new(),
            writing: None,
            noting: None,
            unread: log.unread_from(),
            waiting: log.open_events(),
            in_memory_alone: BTreeSet::new(),
            lost: 0,
            room: delivery.room.max(1),
            window: batch.max(4_096).min(delivery.room.max(1)),
            is_asleep: false,
            is_over: false,
        }
    }

    /// The first number of those that are not on disk yet.
    fn not_written(&self) -> Option<u64> {
        self.writing.map(|(number, _)| number).or_else(|| self.incoming.first().map(|(number, _)| *number))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that sends.
    fn start(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let thread = std::thread::Builder::new().name("steadfast-events".to_owned()).spawn(move || {
            let present = Present(shared);
            // No more than timers and sockets, for one thread.
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(run(&present.0)),
                Err(error) => {
                    tracing::error!(%error, "events cannot be sent: the system has nothing left to wait with")
                }
            }
        });
        if let Err(error) = thread {
            tracing::error!(%error, "events cannot be sent: the system has no thread left");
            self.state().is_running = false;
        }
    }

    fn account_of(&self, settings: &Settings) -> Arc<Account> {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        match &*account {
            Some(account) if account.is_of(settings) => Arc::clone(account),
            _ => Arc::clone(account.insert(Arc::new(Account::of(settings)))),
        }
    }

    /// Waits for something to hold, at most so long.
    async fn wait<T>(&self, deadline: Duration, mut holds: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let wait = async {
            loop {
                // Before looking: what is told from here on is heard.
                let told = self.settled.notified();
                if let Some(result) = holds(&mut self.state()) {
                    return result;
                }
                told.await;
            }
        };
        tokio::time::timeout(deadline, wait).await.ok()
    }

    fn wait_blocking<T>(&self, deadline: Duration, mut holds: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(result) = holds(&mut state) {
                return Some(result);
            }
            // A clock has an end that a duration has not.
            let left = deadline.checked_sub(start.elapsed())?.min(Duration::from_secs(3_600));
            let waited = self.settled_for_threads.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn begin_flush(&self) -> FlushId {
        let id = self.state().dispatcher.flush();
        self.work.notify_one();
        id
    }

    fn tell(&self, events: &[Event], why: LostBy) {
        if events.is_empty() {
            return;
        }
        tracing::error!(events = events.len(), %why, "events are lost");
        if let Some(listener) = &self.listener
            && catch_unwind(AssertUnwindSafe(|| listener(events, &why))).is_err()
        {
            tracing::error!("the listener for lost events panicked");
        }
    }

    /// What came of a parcel. A batch's content is told to who wants to know, when it is done with.
    fn answered(&self, parcel: Parcel, outcome: Outcome, content: Option<&str>) {
        let failing = match outcome {
            Outcome::Delivered | Outcome::TooLarge => None,
            Outcome::Later { status: None, .. } => Some(Failing::Unreachable),
            Outcome::Later { status: Some(status), .. } | Outcome::Refused { status } => Some(Failing::Status(status)),
        };
        let (lost, wake, before) = {
            let mut state = self.state();
            let before = std::mem::replace(&mut state.failing, failing);
            let lost = state.dispatcher.answered(parcel, outcome, Instant::now());
            (lost, state.wakes_keeper(), before)
        };
        match (before, failing) {
            (None, Some(failing)) => tracing::error!(%failing, "events do not arrive; what can be is sent again"),
            (Some(_), None) => tracing::info!("events arrive again"),
            _ => {}
        }
        if wake {
            self.keep.notify_one();
        }
        let why = match outcome {
            Outcome::Refused { status } => LostBy::Refused(status),
            Outcome::TooLarge => LostBy::Refused(413),
            Outcome::Delivered | Outcome::Later { .. } => LostBy::Attempts,
        };
        self.tell(&lost, why);
        if let (Some(callback), Some(content), true) = (&self.flush_callback, content, self.is_batch)
            && (!lost.is_empty() || outcome == Outcome::Delivered)
            && catch_unwind(AssertUnwindSafe(|| callback((!lost.is_empty()).then_some(&why), content))).is_err()
        {
            tracing::error!("the callback for flushes panicked");
        }
        self.tell_waiting();
    }

    /// Whoever waits for something to be settled or kept looks again.
    fn tell_waiting(&self) {
        self.settled.notify_waiters();
        self.settled_for_threads.notify_all();
    }
}

/// A flush that is waited for; forgotten however that ends.
struct Flush<'c> {
    shared: &'c Shared,
    id: FlushId,
}

impl Flush<'_> {
    fn end(self, result: Option<Result<(), Lost>>) -> Result<(), FlushError> {
        match result {
            Some(Ok(())) => Ok(()),
            Some(Err(Lost { events })) => Err(FlushError::Lost(events)),
            None => Err(FlushError::TimedOut),
        }
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.shared.state().dispatcher.forget(self.id);
    }
}

/// The thread, as long as it is there.
struct Present(Arc<Shared>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.state().is_running = false;
        // It lets go of the disk after this one.
        self.0.keep.notify_one();
    }
}

/// Sends until nobody does any more.
async fn run(shared: &Arc<Shared>) {
    let mut calls: JoinSet<()> = JoinSet::new();
    loop {
        let until = {
            let mut state = shared.state();
            let now = Instant::now();
            // What is on disk is sent by who comes next; what is under way is still answered. What is in memory alone is sent
            // as without a spool.
            let dispatcher = &state.dispatcher;
            let is_left = state.closed.is_some()
                && state
                    .kept
                    .as_ref()
                    .is_some_and(|kept| !kept.in_memory_alone.iter().any(|number| dispatcher.is_open(*number)));
            if let Some(end) = state.closed
                && (state.dispatcher.is_idle() || is_left && calls.is_empty() || end <= now)
            {
                return;
            }
            match if is_left { Next::Wait(None) } else { state.dispatcher.next(now) } {
                Next::Send(parcel) => {
                    let shared = Arc::clone(shared);
                    calls.spawn(async move { send(&shared, parcel).await });
                    continue;
                }
                Next::Wait(until) => {
                    // Under the lock: whoever puts something in from here on says so.
                    state.is_asleep = true;
                    [until, state.closed].into_iter().flatten().min()
                }
            }
        };
        let wait = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.work.notified() => {}
            _ = calls.join_next(), if !calls.is_empty() => {}
            () = wait => {}
        }
    }
}

/// A parcel is answered, whatever the call comes to.
async fn send(shared: &Arc<Shared>, parcel: Parcel) {
    let sender = Arc::clone(&shared.sender.lock().unwrap_or_else(PoisonError::into_inner));
    let request = parcel.request(&sender, shared.is_batch);
    let outcome = match &request {
        Some(request) => shared.http.send(request).await,
        None => Outcome::Delivered,
    };
    shared.answered(parcel, outcome, request.as_ref().and_then(|request| request.body.as_deref()));
}
