//! How a client is put together. Both clients take the same options; they differ in the storages they can be given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use steadfast_engine::policy::GoalTypes;
use steadfast_engine::{Decision, Policy, Settings};
use steadfast_storage::StorageError;

use crate::core::{Core, Hook, OnStorageError, guarded};
use crate::counters::Counters;
use crate::event::{EventSink, Usage};
use crate::in_force::InForce;
use crate::own_writes::{Memory, OwnWrites};
#[cfg(feature = "network")]
use crate::settings_source::{Poll, Polling};

/// Puts a client together: [`blocking::Client::builder`](crate::blocking::Client::builder),
/// [`Client::builder`](crate::Client::builder).
#[must_use]
pub struct Builder<S> {
    pub(crate) settings: Arc<Settings>,
    pub(crate) storage: Option<S>,
    pub(crate) limits: Limits,
    policy: Policy,
    traced: bool,
    development_mode: bool,
    events: Vec<Box<dyn EventSink>>,
    hook: Option<Hook>,
    on_error: OnStorageError,
    memory: Memory,
    #[cfg(feature = "network")]
    poll: Option<Poll>,
}

/// How long is waited, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a decision waits for a look-up, where it can be given up: 2 seconds, which nobody waits for a page
    /// anyway. A look-up in place, in a blocking client, takes as long as the storage takes.
    pub look_up: Duration,
    /// How long a storage may take for a write that was handed over, or is confirmed: 10 seconds, since nobody waits for
    /// the former. It may be done all the same, later.
    pub write: Duration,
    /// How many users' writes may wait for the storage: 262,144, some 80 MB. What is beyond is not kept, and is told to
    /// the listener for storage errors.
    pub waiting: usize,
    /// How many writes are under way side by side, to a storage that takes one at a time: 8 in a blocking client, each a
    /// thread; 64 in an asynchronous one. None: these.
    pub side_by_side: Option<usize>,
    /// How long a client that is dropped waits for its writes: 5 seconds. An asynchronous one cannot wait there: flush it.
    pub drop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            look_up: Duration::from_secs(2),
            write: Duration::from_secs(10),
            waiting: 262_144,
            side_by_side: None,
            drop: Duration::from_secs(5),
        }
    }
}

impl<S> Builder<S> {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Builder {
            settings,
            storage: None,
            limits: Limits::default(),
            policy: Policy::default(),
            traced: false,
            development_mode: false,
            events: Vec::new(),
            hook: None,
            on_error: OnStorageError::default(),
            memory: Memory::default(),
            #[cfg(feature = "network")]
            poll: None,
        }
    }

    /// Decides under this policy. Whether there is a storage is known anyway, and not taken from it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Decisions come with a trace of what was looked at.
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Looks for new settings again and again, and puts them in force as a whole (`pollingInterval`): until the client is
    /// dropped, or opts out. Settings that cannot be had, are bad or another account's leave those in force.
    #[cfg(feature = "network")]
    pub fn poll(mut self, poll: Poll) -> Self {
        self.poll = Some(poll);
        self
    }

    /// Hands events over to this sink, beside those that were given before. Without any nobody hears of them, and they cost
    /// nothing.
    pub fn events(mut self, sink: impl EventSink + 'static) -> Self {
        self.events.push(Box::new(sink));
        self
    }

    /// Shows every decision to this hook, after its event and its record were handed over: the document's
    /// `integrations`. What the official SDK shows there are its [properties](crate::integration::properties). A panic in it is caught and logged, and nothing is lost (spec Q-110).
    pub fn integrations(mut self, hook: impl Fn(&Decision<'_>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Tells this listener of every write that failed. The decision stands all the same.
    pub fn on_storage_error(mut self, listener: impl Fn(&StorageError) + Send + Sync + 'static) -> Self {
        self.on_error = OnStorageError::new(listener);
        self
    }

    /// Decides, keeps and shows as ever, but no event leaves: `isDevelopmentMode` (spec API-73).
    pub fn development_mode(mut self, on: bool) -> Self {
        self.development_mode = on;
        self
    }

    /// Waits under these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Remembers its own writes for so long (decision D-6).
    pub fn remember(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// What both clients are made of.
    pub(crate) fn core(self, has_storage: bool) -> Core {
        let events = if self.development_mode { Vec::new() } else { self.events };
        let usage = Usage {
            integrations: self.hook.is_some(),
            storage: has_storage,
            track_returning_users: self.policy.track_returning_users,
            goal_types: self.policy.goal_types != GoalTypes::All,
            #[cfg(feature = "network")]
            polling: self.poll.is_some(),
            #[cfg(not(feature = "network"))]
            polling: false,
        };
        for sink in &events {
            guarded("the event sink", || sink.launched(&usage));
        }
        let counters = Arc::<Counters>::default();
        let settings = Arc::new(InForce::new(self.settings));
        Core {
            #[cfg(feature = "network")]
            polling: self.poll.map(|poll| Polling::start(poll, &settings)),
            settings,
            policy: Policy { has_storage, ..self.policy },
            traced: self.traced,
            events,
            hook: self.hook,
            on_error: self.on_error,
            own: Arc::new(OwnWrites::new(self.memory, Arc::clone(&counters))),
            counters,
            opted_out: AtomicBool::new(false),
        }
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("storage", &self.storage.is_some())
            .field("policy", &self.policy)
            .field("development_mode", &self.development_mode)
            .field("limits", &self.limits)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}
