//! What a client is made of beside its storage: the same for both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steadfast_engine::{Decision, Event, Policy};
use steadfast_storage::StorageError;

use crate::counters::Counters;
use crate::event::EventSink;
use crate::in_force::InForce;
use crate::own_writes::OwnWrites;
#[cfg(feature = "network")]
use crate::settings_source::Polling;

/// Sees decisions: the document's `integrations` callback.
pub(crate) type Hook = Box<dyn Fn(&Decision<'_>) + Send + Sync>;

/// The state of a client.
pub(crate) struct Core {
    pub(crate) settings: Arc<InForce>,
    pub(crate) policy: Policy,
    pub(crate) traced: bool,
    pub(crate) events: Vec<Box<dyn EventSink>>,
    pub(crate) hook: Option<Hook>,
    pub(crate) on_error: OnStorageError,
    pub(crate) own: Arc<OwnWrites>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) opted_out: AtomicBool,
    /// Looks for new settings.
    #[cfg(feature = "network")]
    pub(crate) polling: Option<Polling>,
}

/// Whoever wants to hear of what a storage could not do.
#[derive(Clone, Default)]
pub(crate) struct OnStorageError(Option<Arc<Listener>>);

type Listener = dyn Fn(&StorageError) + Send + Sync;

impl OnStorageError {
    pub(crate) fn new(listener: impl Fn(&StorageError) + Send + Sync + 'static) -> Self {
        OnStorageError(Some(Arc::new(listener)))
    }

    /// Tells of a failure; the decision it belongs to stands.
    pub(crate) fn tell(&self, error: &StorageError) {
        tracing::warn!(%error, kind = ?error.kind(), "the storage could not keep a decision");
        if let Some(listener) = &self.0 {
            guarded("the listener for storage errors", || listener(error));
        }
    }
}

impl Core {
    pub(crate) fn is_opted_out(&self) -> bool {
        self.opted_out.load(Ordering::Relaxed)
    }

    /// From now on nobody takes part, and no settings are looked for. Events that wait for more are sent (`flushEvents`).
    pub(crate) fn opt_out(&self) {
        self.opted_out.store(true, Ordering::Relaxed);
        for sink in &self.events {
            guarded("the event sink", || sink.hurry());
        }
        #[cfg(feature = "network")]
        if let Some(polling) = &self.polling {
            polling.stop();
        }
    }

    pub(crate) fn send(&self, event: &Event<'_, '_>) {
        for sink in &self.events {
            guarded("the event sink", || sink.send(event));
        }
    }

    pub(crate) fn notify(&self, decision: &Decision<'_>) {
        if let Some(hook) = &self.hook {
            guarded("the integrations hook", || hook(decision));
        }
    }
}

/// Calls what is not ours. A panic in it is logged and goes no further: nothing is lost by it (spec Q-110).
pub(crate) fn guarded(what: &str, call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!("{what} panicked; the decision stands");
    }
}
