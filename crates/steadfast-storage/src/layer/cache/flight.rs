//! A look-up under way, which others may wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use steadfast_engine::Answer;
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// A look-up of one place that somebody makes.
#[derive(Debug, Default)]
pub(super) struct Flight {
    state: Mutex<State>,
    threads: Condvar,
    tasks: Notify,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    UnderWay,
    Landed(Answer),
    /// Whoever made it gave it up.
    Forsaken,
}

/// What came of waiting.
#[derive(Debug)]
pub(super) enum Waited {
    /// It came to this answer; to none where it was given up.
    For(Option<Answer>),
    /// There was no time left.
    TooLong,
}

impl Flight {
    /// It came to this.
    pub(super) fn land(&self, answer: Answer) {
        self.end(State::Landed(answer));
    }

    /// It comes to nothing.
    pub(super) fn forsake(&self) {
        self.end(State::Forsaken);
    }

    /// Waits where a task stands.
    pub(super) async fn wait(&self, until: tokio::time::Instant) -> Waited {
        loop {
            // Before the state is looked at: what is told from here on is heard.
            let told = self.tasks.notified();
            if let Some(waited) = self.waited() {
                return waited;
            }
            if timeout_at(until, told).await.is_err() {
                return Waited::TooLong;
            }
        }
    }

    /// Waits where a thread stands.
    pub(super) fn wait_in_place(&self, until: Instant) -> Waited {
        let left = until.saturating_duration_since(Instant::now());
        let under_way = |state: &mut State| matches!(state, State::UnderWay);
        let waited = self.threads.wait_timeout_while(self.state(), left, under_way);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.waited().unwrap_or(Waited::TooLong)
    }

    fn waited(&self) -> Option<Waited> {
        match &*self.state() {
            State::UnderWay => None,
            State::Landed(answer) => Some(Waited::For(Some(answer.clone()))),
            State::Forsaken => Some(Waited::For(None)),
        }
    }

    fn end(&self, state: State) {
        *self.state() = state;
        self.threads.notify_all();
        self.tasks.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
