//! Timing calls, several at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use steadfast::storage::StorageError;

use super::interrupt::Interrupt;
use crate::command::stream;

/// So many calls are shown at once: showing each would slow them down.
const SHOWN_TOGETHER: u64 = 64;

/// After so many failures in a row a thread makes no further calls: the storage is not there.
const HOPELESS: u32 = 20;

/// Who calls.
#[derive(Clone, Copy)]
pub(super) struct Crew<'c> {
    /// How many threads, each of which waits for its answer.
    pub(super) concurrency: u16,
    /// After so long no further call is made.
    pub(super) most: Option<Duration>,
    /// What ends it before.
    pub(super) interrupt: Option<&'c Interrupt>,
}

/// What came of the calls.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// So many users, from the first one on, were called for.
    pub(super) begun: u64,
    /// How long each call took that was answered, the shortest first.
    pub(super) answered: Vec<Duration>,
    /// How many calls failed, and those that were not made any more because of that.
    pub(super) failed: u64,
    /// Why the first did.
    pub(super) first_failure: Option<String>,
    /// From the first call to the last answer.
    pub(super) took: Duration,
}

impl Crew<'_> {
    /// Calls once for each user.
    pub(super) fn measure(&self, users: u64, call: impl Fn(u64) -> Result<(), StorageError> + Sync) -> Measured {
        let progress = stream::progress_in_records(Some(users), true);
        let (next, start) = (AtomicU64::new(0), Instant::now());
        let is_over = |now: Instant| {
            self.most.is_some_and(|most| now.duration_since(start) >= most)
                || self.interrupt.is_some_and(Interrupt::came)
        };
        let work = || {
            let (mut of_thread, mut in_a_row) = (Measured::default(), 0);
            let mut begin = Instant::now();
            while in_a_row < HOPELESS && !is_over(begin) {
                let user = next.fetch_add(1, Ordering::Relaxed);
                if user >= users {
                    break;
                }
                of_thread.begun += 1;
                begin = Instant::now();
                match call(user) {
                    Ok(()) => {
                        of_thread.answered.push(begin.elapsed());
                        in_a_row = 0;
                    }
                    Err(error) => {
                        of_thread.fail(&error);
                        in_a_row += 1;
                    }
                }
                if of_thread.begun.is_multiple_of(SHOWN_TOGETHER) {
                    progress.inc(SHOWN_TOGETHER);
                }
            }
            of_thread
        };
        let mut measured = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.concurrency).map(|_| scope.spawn(work)).collect();
            threads.into_iter().fold(Measured::default(), |measured, thread| {
                measured.and(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        });
        measured.took = start.elapsed();
        progress.finish_and_clear();
        measured.answered.sort_unstable();
        if self.most.is_none() {
            // Nothing but failures ends it early.
            measured.failed += users - measured.begun;
        }
        measured
    }
}

impl Measured {
    /// Within this time the `share` of the calls was answered; `None` where none was.
    pub(super) fn within(&self, share: f64) -> Option<Duration> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most some ten million calls"
        )]
        let rank = (share * self.answered.len() as f64).ceil() as usize;
        self.answered.get(rank.saturating_sub(1)).copied()
    }

    /// Calls that were answered in a second.
    pub(super) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most some ten million calls")]
        let answered = self.answered.len() as f64;
        if self.took.is_zero() { 0.0 } else { answered / self.took.as_secs_f64() }
    }

    fn fail(&mut self, error: &StorageError) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    fn and(mut self, mut other: Measured) -> Measured {
        self.begun += other.begun;
        self.answered.append(&mut other.answered);
        self.failed += other.failed;
        self.first_failure = self.first_failure.or(other.first_failure);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use steadfast::storage::StorageErrorKind;

    const CREW: Crew<'static> = Crew { concurrency: 4, most: None, interrupt: None };

    #[test]
    fn every_user_has_one_turn() {
        let called = Mutex::new(Vec::new());
        let measured = CREW.measure(1_000, |user| {
            called.lock().expect("nobody panics").push(user);
            Ok(())
        });
        let mut called = called.into_inner().expect("nobody panics");
        called.sort_unstable();
        assert_eq!(called, (0..1_000).collect::<Vec<_>>());
        assert_eq!((measured.begun, measured.answered.len(), measured.failed), (1_000, 1_000, 0));
    }

    #[test]
    fn a_storage_that_is_not_there_is_not_asked_for_ever() {
        let measured = CREW.measure(1_000_000, |_| Err(StorageError::new(StorageErrorKind::Unavailable, "gone")));
        assert_eq!(measured.begun, 4 * u64::from(HOPELESS));
        assert_eq!((measured.failed, measured.first_failure.as_deref()), (1_000_000, Some("gone")));
    }

    #[test]
    fn after_its_time_no_call_is_made() {
        let crew = Crew { most: Some(Duration::ZERO), ..CREW };
        let measured = crew.measure(1_000, |_| Ok(()));
        assert_eq!((measured.begun, measured.failed, measured.within(0.5)), (0, 0, None));
    }

    #[test]
    fn percentiles_are_calls_that_were_made() {
        let measured = Measured { answered: (1..=1_000).map(Duration::from_micros).collect(), ..Measured::default() };
        for (share, micros) in [(0.0, 1), (0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1_000)] {
            assert_eq!(measured.within(share), Some(Duration::from_micros(micros)), "{share}");
        }
    }
}
