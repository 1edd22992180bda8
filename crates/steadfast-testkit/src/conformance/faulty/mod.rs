//! A storage that fails on schedule.
//!
//! ```
//! use steadfast_engine::Record;
//! use steadfast_storage::{MemoryStorage, StorageErrorKind, UserStorage};
//! use steadfast_testkit::conformance::{Fault, Faulty, Operation, Schedule};
//!
//! let second = Schedule::new().on(Operation::Get, 2..=2, Fault::Before(StorageErrorKind::Unavailable));
//! let storage = Faulty::new(MemoryStorage::new(), second);
//! assert!(storage.get("Ashley", "ab").is_ok());
//! assert!(storage.get("Ashley", "ab").is_err());
//! assert!(storage.get("Ashley", "ab").is_ok());
//! ```

mod blocking;
mod nonblocking;
mod past;
mod schedule;

use std::sync::{Mutex, PoisonError};

use steadfast_engine::{Answer, Record};
use steadfast_storage::{StorageError, StorageErrorKind};

use past::Past;
use schedule::Counts;
pub use schedule::{Fault, Operation, Schedule};

/// A storage of either kind that fails on [`Schedule`]; where nothing is scheduled it is the storage it wraps.
///
/// `look_up` counts as a [`Operation::Get`].
#[derive(Debug)]
pub struct Faulty<S> {
    storage: S,
    schedule: Schedule,
    counts: Mutex<Counts>,
    past: Mutex<Past>,
}

/// A fault that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fired {
    /// What was called.
    pub operation: Operation,
    /// The how-manieth call of this operation it was; the first is 1.
    pub call: u64,
    /// What happened.
    pub fault: Fault,
}

impl<S> Faulty<S> {
    /// A storage that fails on this schedule.
    pub fn new(storage: S, schedule: Schedule) -> Self {
        Faulty { storage, schedule, counts: Mutex::default(), past: Mutex::default() }
    }

    /// The faults that happened, in their order. A call that is under way has had its fault.
    pub fn fired(&self) -> Vec<Fired> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).fired.clone()
    }

    /// The storage that does not fail.
    pub fn inner(&self) -> &S {
        &self.storage
    }

    /// The fault of a call that begins now.
    fn fault(&self, operation: Operation) -> Option<Fault> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).next(&self.schedule, operation)
    }

    /// Whether it must be remembered what was stored before a write.
    fn remembers(&self) -> bool {
        self.schedule.has(Fault::Stale)
    }

    fn remember(&self, places: Vec<((String, String), Option<Record>)>) {
        self.past.lock().unwrap_or_else(PoisonError::into_inner).put(places);
    }

    /// What a look-up says under this fault, of what is really there.
    fn distorted(&self, fault: Option<Fault>, user: &str, campaign: &str, there: Option<Record>) -> Option<Record> {
        match fault {
            Some(Fault::Stale) => {
                let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
                past.before(user, campaign).unwrap_or(there)
            }
            Some(Fault::Foreign) => {
                let record = there.unwrap_or_else(|| Record::new(user, campaign, "Foreign"));
                Some(Record { user_id: format!("not-{user}"), ..record })
            }
            _ => there,
        }
    }

    /// What `get_many` says under this fault, where so many of the campaigns were looked up.
    fn distorted_many(&self, fault: Option<Fault>, user: &str, campaigns: &[&str], found: Vec<Answer>) -> Vec<Answer> {
        let distorted = |(campaign, answer): (&&str, Answer)| match answer {
            Answer::Found(record) => self.distorted(fault, user, campaign, Some(Record::clone(&record))).into(),
            Answer::Absent => self.distorted(fault, user, campaign, None).into(),
            failed @ Answer::Failed(_) => failed,
        };
        let mut answers: Vec<Answer> = campaigns.iter().zip(found).map(distorted).collect();
        if let Some(kind) = Fault::error(fault) {
            answers.resize(campaigns.len(), Answer::Failed(failure(kind).into()));
        }
        answers
    }
}

/// The failure that a fault is.
fn failure(kind: StorageErrorKind) -> StorageError {
    StorageError::new(kind, "the storage failed, as a test wants it")
}
