//! The driver: what is taken in is sent by a thread of its own, which begins with the first event.
//!
//! One thread, whether the program around is asynchronous or not: a runtime of somebody's may end, or be busy, and an event
//! that was taken in is owed to neither. It runs as many calls side by side as [`Delivery::side_by_side`] says.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use steadfast_engine::{Settings, event};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::dispatcher::{Counters, Delivery, Dispatcher, FlushId, Lost, Next, Parcel};
use crate::event::{Account, Event, Stamp};
use crate::http::{Endpoint, EndpointError, Http};
use crate::retry::Outcome;
use crate::wire::Sender;

/// Told of events that are lost: so many, and why.
type Listener = Box<dyn Fn(&[Event], &LostBy) + Send + Sync>;

/// Why events are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostBy {
    /// There was no room for them.
    NoRoom,
    /// The collector will not have them: it answered with this status.
    Refused(u16),
    /// They were tried as often as [`Delivery::attempts`] says.
    Attempts,
}

/// Why a flush did not get everything there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// So many of its events were lost.
    Lost(u64),
    /// The time was up; what is left goes on.
    TimedOut,
}

impl std::fmt::Display for FlushError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FlushError::Lost(events) => write!(formatter, "{events} events were lost: the collector did not take them"),
            FlushError::TimedOut => {
                formatter.write_str("the collector does not have all events yet: they are still sent")
            }
        }
    }
}

impl std::error::Error for FlushError {}

/// Sends events to a collector. It may be cloned; all of them are one.
///
/// When the last one is dropped what waits is given as long as [`Collector::AT_THE_END`]: [`flush`](Self::flush) it before
/// where that matters.
#[derive(Clone)]
pub struct Collector(Arc<Handle>);

/// The last of these ends the thread.
struct Handle(Arc<Shared>);

struct Shared {
    http: Http,
    sender: Sender,
    is_batch: bool,
    /// What the settings said of the account when something was last sent.
    account: Mutex<Option<Arc<Account>>>,
    chance: RandomState,
    /// How many events were taken over.
    sent: AtomicU64,
    listener: Option<Listener>,
    state: Mutex<State>,
    /// There is work for the thread.
    work: Notify,
    /// Something was settled.
    settled: Notify,
    settled_for_threads: Condvar,
}

struct State {
    dispatcher: Dispatcher,
    /// The thread is there.
    is_running: bool,
    /// It waits, and must be told.
    is_asleep: bool,
    /// Nobody sends any more; the thread ends when nothing is left, or then.
    closed: Option<Instant>,
}

/// How a collector is made.
pub struct CollectorBuilder {
    endpoint: Endpoint,
    delivery: Delivery,
    sender: Sender,
    listener: Option<Listener>,
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

    /// Who says that they send: Steadfast unless told otherwise. Batching is added to its usage statistics.
    #[must_use]
    pub fn sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// Is told of events that are lost, by the thread that sends or the caller whose event had no room.
    #[must_use]
    pub fn on_lost(mut self, listener: impl Fn(&[Event], &LostBy) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The collector. Nothing is connected to before the first event.
    ///
    /// # Errors
    /// When its URL is none, or TLS cannot be set up.
    pub fn build(self) -> Result<Collector, EndpointError> {
        let CollectorBuilder { endpoint, delivery, mut sender, listener } = self;
        let http = Http::new(&endpoint)?;
        let is_batch = delivery.batch.is_some();
        if is_batch && !sender.usage.iter().any(|(name, _)| *name == "eb") {
            sender.usage.insert(0, ("eb", "1".to_owned()));
        }
        let chance = RandomState::new();
        let dispatcher = Dispatcher::new(delivery, chance.hash_one(0));
        let state = State { dispatcher, is_running: false, is_asleep: false, closed: None };
        Ok(Collector(Arc::new(Handle(Arc::new(Shared {
            http,
            sender,
            is_batch,
            account: Mutex::default(),
            chance,
            sent: AtomicU64::new(0),
            listener,
            state: Mutex::new(state),
            work: Notify::new(),
            settled: Notify::new(),
            settled_for_threads: Condvar::new(),
        })))))
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
            listener: None,
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
        let put = state.dispatcher.put(event, Instant::now());
        let wake = match put {
            Ok(has_work) => has_work && std::mem::replace(&mut state.is_asleep, false),
            Err(event) => {
                drop(state);
                return shared.tell(&[*event], LostBy::NoRoom);
            }
        };
        let start = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        if wake {
            shared.work.notify_one();
        }
        if start {
            self.start();
        }
    }

    fn start(&self) {
        let shared = Arc::clone(&self.0.0);
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
            self.0.0.state().is_running = false;
        }
    }

    /// Sends everything that was taken over by now without waiting for more, and waits until it is there, at most so long.
    ///
    /// # Errors
    /// When some of it is lost, or not there in time.
    pub async fn flush(&self, deadline: Duration) -> Result<(), FlushError> {
        let shared = &self.0.0;
        let id = shared.begin_flush();
        let wait = async {
            loop {
                // Before looking: what is told from here on is heard.
                let told = shared.settled.notified();
                if let Some(result) = shared.state().dispatcher.flushed(id) {
                    return result;
                }
                told.await;
            }
        };
        let waited = tokio::time::timeout(deadline, wait).await;
        shared.end_flush(id, waited.ok())
    }

    /// The same, for a program that waits where it stands.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush).
    pub fn flush_blocking(&self, deadline: Duration) -> Result<(), FlushError> {
        let shared = &self.0.0;
        let id = shared.begin_flush();
        let start = Instant::now();
        let mut state = shared.state();
        loop {
            if let Some(result) = state.dispatcher.flushed(id) {
                drop(state);
                return shared.end_flush(id, Some(result));
            }
            let Some(left) = deadline.checked_sub(start.elapsed()) else {
                drop(state);
                return shared.end_flush(id, None);
            };
            // A clock has an end that a duration has not.
            let left = left.min(Duration::from_secs(3_600));
            let waited = shared.settled_for_threads.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has been done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.0.state().dispatcher.counters()
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
        drop(state);
        self.0.work.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account_of(&self, settings: &Settings) -> Arc<Account> {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        match &*account {
            Some(account) if account.is_of(settings) => Arc::clone(account),
            _ => Arc::clone(account.insert(Arc::new(Account::of(settings)))),
        }
    }

    fn begin_flush(&self) -> FlushId {
        let id = self.state().dispatcher.flush();
        self.work.notify_one();
        id
    }

    fn end_flush(&self, id: FlushId, result: Option<Result<(), Lost>>) -> Result<(), FlushError> {
        match result {
            Some(Ok(())) => Ok(()),
            Some(Err(Lost { events })) => Err(FlushError::Lost(events)),
            None => {
                self.state().dispatcher.forget(id);
                Err(FlushError::TimedOut)
            }
        }
    }

    fn tell(&self, events: &[Event], why: LostBy) {
        if events.is_empty() {
            return;
        }
        tracing::warn!(events = events.len(), ?why, "events are lost");
        if let Some(listener) = &self.listener
            && catch_unwind(AssertUnwindSafe(|| listener(events, &why))).is_err()
        {
            tracing::error!("the listener for lost events panicked");
        }
    }

    fn answered(&self, parcel: Parcel, outcome: Outcome) {
        let lost = self.state().dispatcher.answered(parcel, outcome, Instant::now());
        let why = match outcome {
            Outcome::Refused { status } => LostBy::Refused(status),
            Outcome::TooLarge => LostBy::Refused(413),
            Outcome::Delivered | Outcome::Later { .. } => LostBy::Attempts,
        };
        self.tell(&lost, why);
        self.settled.notify_waiters();
        self.settled_for_threads.notify_all();
    }
}

/// The thread, as long as it is there.
struct Present(Arc<Shared>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.state().is_running = false;
    }
}

/// Sends until nobody does any more.
async fn run(shared: &Arc<Shared>) {
    let mut calls: JoinSet<()> = JoinSet::new();
    loop {
        let until = {
            let mut state = shared.state();
            let now = Instant::now();
            if let Some(end) = state.closed
                && (state.dispatcher.is_idle() || end <= now)
            {
                return;
            }
            match state.dispatcher.next(now) {
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
    let outcome = match parcel.request(&shared.sender, shared.is_batch) {
        Some(request) => shared.http.send(&request).await,
        None => Outcome::Delivered,
    };
    shared.answered(parcel, outcome);
}
