//! The settings in force: swapped as a whole while decisions go on, each under the ones it began with.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use steadfast_engine::{Apart, Settings};

/// So many threads count apart; more share counters in turn.
const HANDLES: usize = 16;

/// Settings that can be swapped. Every decision keeps the ones it was made under alive, so it counts; threads count
/// apart, or they would wait for each other at every decision (`cargo bench -p steadfast --bench clients`).
pub(crate) struct InForce(ArcSwap<[Arc<Apart<Settings>>; HANDLES]>);

impl InForce {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        InForce(ArcSwap::from_pointee(handles(&settings)))
    }

    /// The settings in force, for a decision of this thread.
    pub(crate) fn handle(&self) -> Arc<Apart<Settings>> {
        Arc::clone(&self.0.load()[thread() % HANDLES])
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(self.0.load()[0].get())
    }

    /// Puts others in force; the ones before.
    pub(crate) fn swap(&self, settings: &Arc<Settings>) -> Arc<Settings> {
        Arc::clone(self.0.swap(Arc::new(handles(settings)))[0].get())
    }
}

fn handles(settings: &Arc<Settings>) -> [Arc<Apart<Settings>>; HANDLES] {
    std::array::from_fn(|_| Arc::new(Apart::new(Arc::clone(settings))))
}

/// A number for this thread: the next one at its first decision.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(next));
            next
        })
    })
}
