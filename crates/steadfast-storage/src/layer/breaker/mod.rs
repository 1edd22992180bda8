//! A storage that is down is left alone for a while.
//!
//! Modules: `circuit` (when it is called, and when not: a state machine that is told the time), `blocking` and
//! `nonblocking` (the two kinds, method by method the same).

mod blocking;
mod circuit;
mod nonblocking;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steadfast_engine::Answer;

use crate::error::{StorageError, StorageErrorKind};
use circuit::{Circuit, Pass, Refused, Said};

/// A storage of either kind that is left alone once it has failed several times in a row: calls fail at once with
/// [`StorageErrorKind::Unavailable`], which says for how long yet. Then one call is let through; where the storage
/// answers it, all are again, and where not, it is left alone for longer.
///
/// What counts as a failure is one that [cannot reach the storage](StorageErrorKind::Unavailable) or has
/// [timed out](StorageErrorKind::TimedOut). Any other says that the storage is there, and counts as an answer; an
/// operation that it [does not have](StorageErrorKind::Unsupported) says nothing. Of several records, one that was
/// answered is an answer. A call that is given up before its answer says nothing either, unless it was the one that was
/// let through: that has failed. So put a deadline under this, not over it.
#[derive(Debug)]
pub struct Breaker<S> {
    storage: S,
    gate: Gate,
}

/// When a storage is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// After so many failures in a row; none counts as one.
    pub failures: u32,
    /// At first for at most so long, and at least half of it, by chance; each time twice as long.
    pub back_off: Duration,
    /// At most so long.
    pub longest: Duration,
}

impl Default for BreakerOptions {
    /// After 5 failures, for half a second at first, for 30 seconds at most.
    fn default() -> Self {
        BreakerOptions { failures: 5, back_off: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

/// What a [`Breaker`] begins to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The storage has failed too often, and is left alone.
    LeftAlone,
    /// It has answered, and is called again.
    CalledAgain,
}

/// Where calls ask for leave, and tell what came of them.
#[derive(Debug)]
struct Gate {
    circuit: Mutex<Circuit>,
    /// [`Circuit::calm`], to be read without a lock.
    calm: AtomicU64,
    chance: RandomState,
    name: Arc<str>,
    listener: Option<Listener>,
}

/// Is told of turns.
struct Listener(Box<dyn Fn(Turn) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Listener")
    }
}

/// What [`Gate::calm`] holds while it is not calm.
const RESTLESS: u64 = u64::MAX;

/// A call that may be made. Where it is dropped before it has told what came of it, it was given up.
struct Call<'g> {
    gate: &'g Gate,
    pass: Pass,
    said: Option<Said>,
}

impl<S> Breaker<S> {
    /// Wraps a storage.
    pub fn new(storage: S, options: BreakerOptions) -> Self {
        Breaker { storage, gate: Gate::new(options) }
    }

    /// Says which storage it is that is left alone: "the storage" unless told.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.gate.name = name.into();
        self
    }

    /// Is told when the storage is left alone, and when it is called again, by the call that comes upon it: it must neither wait nor panic.
    #[must_use]
    pub fn on_turn(mut self, listener: impl Fn(Turn) + Send + Sync + 'static) -> Self {
        self.gate.listener = Some(Listener(Box::new(listener)));
        self
    }

    /// The storage that is left alone at times.
    pub fn inner(&self) -> &S {
        &self.storage
    }
}

impl Gate {
    fn new(options: BreakerOptions) -> Gate {
        let circuit = Circuit::new(options);
        let calm = AtomicU64::new(circuit.calm().unwrap_or(RESTLESS));
        let name = "the storage".into();
        Gate { circuit: Mutex::new(circuit), calm, chance: RandomState::new(), name, listener: None }
    }

    /// Leave for a call, or the failure it has instead.
    fn begin(&self) -> Result<Call<'_>, StorageError> {
        let era = self.calm.load(Ordering::Acquire);
        if era != RESTLESS {
            return Ok(Call { gate: self, pass: Pass::Ordinary { era }, said: None });
        }
        let pass = self.circuit().admit(Instant::now()).map_err(|refused| self.refused(refused))?;
        Ok(Call { gate: self, pass, said: None })
    }

    fn end(&self, pass: Pass, said: Said) {
        let calm = self.calm.load(Ordering::Acquire);
        if said != Said::Failed && pass == (Pass::Ordinary { era: calm }) {
            return;
        }
        let mut circuit = self.circuit();
        let (now, was_closed) = (Instant::now(), circuit.is_closed());
        circuit.told(pass, said, now, self.jitter(now));
        self.calm.store(circuit.calm().unwrap_or(RESTLESS), Ordering::Release);
        let turn = match (was_closed, circuit.is_closed()) {
            (true, false) => Turn::LeftAlone,
            (false, true) => Turn::CalledAgain,
            _ => return,
        };
        drop(circuit);
        if let Some(Listener(listener)) = &self.listener {
            listener(turn);
        }
    }

    fn refused(&self, refused: Refused) -> StorageError {
        let name = &self.name;
        let message = match refused {
            Refused::For(left) => {
                let left = left.as_millis();
                format!("{name} failed several times in a row, and is left alone for another {left} ms")
            }
            Refused::Probing => {
                format!("{name} failed several times in a row, and is left alone until one call is answered")
            }
        };
        StorageError::new(StorageErrorKind::Unavailable, message)
    }

    /// By chance, from 0 to 1, other in every process.
    fn jitter(&self, now: Instant) -> f64 {
        f64::from((self.chance.hash_one(now) >> 32) as u32) / f64::from(u32::MAX)
    }

    /// A panic while it was locked cannot have left it half changed: each step sets it as a whole.
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// What this answer says about the storage.
    fn answered<R>(mut self, answer: Result<R, StorageError>) -> Result<R, StorageError> {
        self.said = Some(answer.as_ref().map_or_else(|error| Said::by(error.kind()), |_| Said::Answered));
        answer
    }

    /// The same of a look-up.
    fn answered_look_up(mut self, answer: Answer) -> Answer {
        self.said = Some(failed_look_up(&answer).map_or(Said::Answered, Said::by));
        answer
    }

    /// The same of several.
    fn answered_many<R>(mut self, answers: Vec<R>, failed: impl Fn(&R) -> Option<StorageErrorKind>) -> Vec<R> {
        let said = answers.iter().map(|answer| failed(answer).map_or(Said::Answered, Said::by));
        self.said = Some(said.min().unwrap_or(Said::Nothing));
        answers
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let given_up = if self.pass == Pass::Probe { Said::Failed } else { Said::Nothing };
        self.gate.end(self.pass, self.said.unwrap_or(given_up));
    }
}

impl Said {
    fn by(kind: StorageErrorKind) -> Said {
        match kind {
            StorageErrorKind::Unavailable | StorageErrorKind::TimedOut => Said::Failed,
            StorageErrorKind::Unsupported => Said::Nothing,
            _ => Said::Answered,
        }
    }
}

/// How a look-up failed, if it did and the storage said how.
fn failed_look_up(answer: &Answer) -> Option<StorageErrorKind> {
    match answer {
        Answer::Found(_) | Answer::Absent => None,
        Answer::Failed(failure) => {
            let said = failure.error().downcast_ref::<StorageError>();
            Some(said.map_or(StorageErrorKind::Other, StorageError::kind))
        }
    }
}

/// How a write failed, if it did.
fn failed_write<R>(result: &Result<R, StorageError>) -> Option<StorageErrorKind> {
    result.as_ref().err().map(StorageError::kind)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use steadfast_engine::Record;
    use tokio::sync::Notify;

    use super::*;
    use crate::user_storage::{AsyncUserStorage, UserStorage};

    /// Fails with the kind it was told last, and counts its calls.
    #[derive(Default)]
    struct Failing(Mutex<Option<StorageErrorKind>>, AtomicUsize);

    impl Failing {
        fn says(&self, kind: Option<StorageErrorKind>) {
            *self.0.lock().unwrap() = kind;
        }
    }

    impl UserStorage for Failing {
        fn get(&self, _: &str, _: &str) -> Result<Option<Record>, StorageError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.lock().unwrap().map_or(Ok(None), |kind| Err(StorageError::new(kind, "as a test wants it")))
        }

        fn set(&self, _: Record) -> Result<(), StorageError> {
            self.get("", "").map(drop)
        }
    }

    /// So long that no test sees the end of it, unless it goes by `SHORT`.
    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_nanos(2);

    fn breaker(back_off: Duration) -> Breaker<Failing> {
        Breaker::new(Failing::default(), BreakerOptions { failures: 3, back_off, longest: back_off })
    }

    #[test]
    fn a_storage_that_is_left_alone_is_not_called() {
        let storage = breaker(LONG);
        storage.inner().says(Some(StorageErrorKind::TimedOut));
        // Each kind of call counts, also those that tell of several records.
        assert!(storage.get("Ashley", "ab").is_err());
        assert!(matches!(storage.get_many("Ashley", &["ab"])[..], [Answer::Failed(_)]));
        assert!(matches!(storage.look_up("Ashley", "ab"), Answer::Failed(_)));
        storage.inner().says(None);
        let called = storage.inner().1.load(Ordering::Relaxed);
        let error = storage.get("Ashley", "ab").unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Unavailable);
        let left: u128 = error.to_string().split(' ').rev().nth(1).unwrap().parse().unwrap();
        assert!((LONG / 2 - Duration::from_secs(60)).as_millis() < left && left <= LONG.as_millis(), "{error}");
        assert!(!error.to_string().contains("Ashley"));
        assert!(matches!(storage.look_up("Ashley", "ab"), Answer::Failed(_)));
        assert!(matches!(storage.get_many("Ashley", &["ab", "c"])[..], [Answer::Failed(_), Answer::Failed(_)]));
        assert!(storage.set(Record::new("Ashley", "ab", "A")).is_err());
        assert!(storage.set_many(vec![Record::new("Ashley", "ab", "A")])[0].is_err());
        assert_eq!(storage.inner().1.load(Ordering::Relaxed), called);
    }

    #[test]
    fn a_probe_that_is_answered_opens_the_way() {
        let storage = breaker(SHORT);
        storage.inner().says(Some(StorageErrorKind::Unavailable));
        while storage.inner().1.load(Ordering::Relaxed) < 9 {
            assert!(storage.get("Ashley", "ab").is_err());
        }
        storage.inner().says(None);
        std::thread::sleep(SHORT);
        assert!(storage.get("Ashley", "ab").is_ok());
        assert_ne!(storage.gate.calm.load(Ordering::Relaxed), RESTLESS);
    }

    #[test]
    fn whoever_wants_to_know_is_told_once_a_turn() {
        let turns = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&turns);
        let storage = breaker(SHORT).on_turn(move |turn| seen.lock().unwrap().push(turn));
        for outage in 1..=2 {
            storage.inner().says(Some(StorageErrorKind::Unavailable));
            // Also the probes of an outage fail.
            for _ in 0..20 {
                assert!(storage.get("Ashley", "ab").is_err());
            }
            assert_eq!(turns.lock().unwrap().len(), 2 * outage - 1);
            storage.inner().says(None);
            std::thread::sleep(SHORT);
            for _ in 0..3 {
                assert!(storage.get("Ashley", "ab").is_ok());
            }
        }
        let both = [Turn::LeftAlone, Turn::CalledAgain];
        assert_eq!(*turns.lock().unwrap(), [both, both].concat());
    }

    #[test]
    fn a_failure_that_stays_does_not_count() {
        let storage = breaker(LONG);
        for kind in [
            StorageErrorKind::Denied,
            StorageErrorKind::Corrupt,
            StorageErrorKind::NewerFormat,
            StorageErrorKind::Unsupported,
            StorageErrorKind::Full,
        ] {
            storage.inner().says(Some(kind));
            for _ in 0..10 {
                assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), kind);
            }
        }
    }

    /// Answers once it may.
    #[derive(Default)]
    struct Waiting(Failing, Notify);

    impl AsyncUserStorage for Waiting {
        async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
            self.1.notified().await;
            UserStorage::get(&self.0, user, campaign)
        }

        async fn set(&self, record: Record) -> Result<(), StorageError> {
            UserStorage::set(&self.0, record)
        }
    }

    #[tokio::test]
    async fn a_probe_that_is_given_up_is_followed_by_another() {
        let options = BreakerOptions { failures: 1, back_off: SHORT, longest: SHORT };
        let storage = Breaker::new(Waiting::default(), options);
        storage.inner().0.says(Some(StorageErrorKind::Unavailable));
        assert!(storage.set(Record::new("Ashley", "ab", "A")).await.is_err());
        storage.inner().0.says(None);
        std::thread::sleep(SHORT);
        {
            let mut probe = std::pin::pin!(storage.get("Ashley", "ab"));
            let first = std::future::poll_fn(|context| std::task::Poll::Ready(probe.as_mut().poll(context))).await;
            assert!(first.is_pending());
            let error = storage.set(Record::new("Ashley", "ab", "A")).await.unwrap_err();
            assert!(error.to_string().ends_with("until one call is answered"), "{error}");
        }
        std::thread::sleep(SHORT);
        storage.inner().1.notify_one();
        assert!(storage.get("Ashley", "ab").await.is_ok());
    }
}
