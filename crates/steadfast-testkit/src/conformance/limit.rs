//! How long an asynchronous storage is waited for: a call, and a check as a whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steadfast_storage::{StorageError, StorageErrorKind};

use super::report::Finding;

/// The limits of a run, and where its check stands. All that drive the storage in a run share it.
#[derive(Clone)]
pub(super) struct Limit {
    times: Times,
    state: Arc<Mutex<State>>,
}

/// How long something may take.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// A call.
    pub(super) call: Duration,
    /// A call, once one was left without an answer.
    pub(super) later_call: Duration,
    /// A check, with all its calls.
    pub(super) check: Duration,
}

struct State {
    check_ends: Instant,
    patience: Duration,
    /// Why the check was ended.
    ended: Option<String>,
}

/// A call that is waited for.
pub(super) struct Call<'l> {
    limit: &'l Limit,
    ends: Instant,
    patience: Duration,
}

impl Times {
    /// What no storage needs, however busy the machine: one that takes longer never answers, or is too slow for a test.
    /// Who has left one call without an answer does so with most, and is not given half a minute for each check.
    pub(super) const USUAL: Times =
        Times { call: Duration::from_secs(30), later_call: Duration::from_secs(5), check: Duration::from_secs(300) };
}

impl Limit {
    pub(super) fn new(times: Times) -> Limit {
        let state = State { check_ends: Instant::now() + times.check, patience: times.call, ended: None };
        Limit { times, state: Arc::new(Mutex::new(state)) }
    }

    /// A check begins.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.check_ends = Instant::now() + self.times.check;
        state.ended = None;
    }

    /// What is to be said of the check if it was ended: whatever else it found comes from that.
    pub(super) fn finding(&self) -> Option<Finding> {
        let ended = self.state().ended.clone()?;
        Some(Finding::said("the storage was called", "an answer to each call", ended + ", and the check was ended"))
    }

    /// A call begins.
    ///
    /// # Errors
    /// When the check was ended.
    pub(super) fn call(&self) -> Result<Call<'_>, StorageError> {
        let patience = self.state().patience;
        let call = Call { limit: self, ends: Instant::now() + patience, patience };
        call.left().map(|_| call)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// How long it may still take.
    ///
    /// # Errors
    /// When its time is over, or that of the check.
    pub(super) fn left(&self) -> Result<Duration, StorageError> {
        let now = Instant::now();
        let mut state = self.limit.state();
        if state.ended.is_none() && now >= self.ends {
            state.patience = self.limit.times.later_call;
            state.ended = Some(format!("no answer within {:?}", self.patience));
        } else if state.ended.is_none() && now >= state.check_ends {
            state.ended = Some(format!("the check was not through after {:?}", self.limit.times.check));
        }
        match &state.ended {
            Some(ended) => Err(StorageError::new(StorageErrorKind::TimedOut, ended.as_str())),
            None => Ok(self.ends.min(state.check_ends).saturating_duration_since(now)),
        }
    }
}
