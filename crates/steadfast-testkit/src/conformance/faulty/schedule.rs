//! Which call has which fault.

use std::collections::HashMap;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use steadfast_storage::StorageErrorKind;

use super::Fired;

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `get`, and `look_up`.
    Get,
    /// `get_many`.
    GetMany,
    /// `set`.
    Set,
    /// `set_many`.
    SetMany,
    /// `merge`.
    Merge,
    /// `merge_many`.
    MergeMany,
    /// `records_of`.
    RecordsOf,
    /// `erase`.
    Erase,
    /// `scan`.
    Scan,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of this kind, and nothing was done. Bytes that cannot be read are [`StorageErrorKind::Corrupt`].
    Before(StorageErrorKind),
    /// All was done, and yet there is an error of this kind: whoever called cannot know.
    After(StorageErrorKind),
    /// Of several (`get_many`, `set_many`, `merge_many`) the first half was done, rounded down; the others have an error of
    /// this kind.
    Half(StorageErrorKind),
    /// It takes so long to say that it [timed out](StorageErrorKind::TimedOut).
    TimedOut {
        /// How long.
        after: Duration,
        /// Whether it was done all the same, in the end.
        done: bool,
    },
    /// There is never an answer. A storage that answers in place would keep its thread for ever: there it is a time-out
    /// at once.
    Never {
        /// Whether it was done all the same.
        done: bool,
    },
    /// A look-up finds what was there before the last write of the place through this wrapper (by `set`, `set_many`,
    /// `merge`, `merge_many`); where there was none, what is there. With several writers at once it may be an older one.
    Stale,
    /// A look-up finds the record of another user.
    Foreign,
}

/// Which calls have which fault.
#[derive(Debug, Clone, Default)]
pub struct Schedule(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    operation: Operation,
    calls: (Bound<u64>, Bound<u64>),
    fault: Fault,
}

/// What was called so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: HashMap<Operation, u64>,
    pub(super) fired: Vec<Fired>,
}

impl Schedule {
    /// Nothing fails.
    #[must_use]
    pub fn new() -> Schedule {
        Schedule::default()
    }

    /// And these calls of this operation have this fault: `1..=1` is the first, `..` are all. Of two faults for one call
    /// the one that was named first happens. A fault that the operation cannot have never happens.
    #[must_use]
    pub fn on(mut self, operation: Operation, calls: impl RangeBounds<u64>, fault: Fault) -> Schedule {
        let calls = (calls.start_bound().cloned(), calls.end_bound().cloned());
        self.0.push(Entry { operation, calls, fault });
        self
    }

    /// And these calls of each of these operations have this fault; each operation counts its own calls.
    #[must_use]
    pub fn on_each(self, operations: &[Operation], calls: impl RangeBounds<u64> + Clone, fault: Fault) -> Schedule {
        operations.iter().fold(self, |schedule, operation| schedule.on(*operation, calls.clone(), fault))
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.0.iter().any(|entry| entry.fault == fault)
    }
}

impl Operation {
    /// All that look up the records of a user in campaigns.
    pub const LOOK_UPS: &[Operation] = &[Operation::Get, Operation::GetMany];
    /// All that write records.
    pub const WRITES: &[Operation] = &[Operation::Set, Operation::SetMany, Operation::Merge, Operation::MergeMany];

    fn is_of_many(self) -> bool {
        matches!(self, Operation::GetMany | Operation::SetMany | Operation::MergeMany)
    }
}

impl Fault {
    fn can_be_of(self, operation: Operation) -> bool {
        match self {
            Fault::Half(_) => operation.is_of_many(),
            Fault::Stale | Fault::Foreign => Operation::LOOK_UPS.contains(&operation),
            Fault::Before(_) | Fault::After(_) | Fault::TimedOut { .. } | Fault::Never { .. } => true,
        }
    }

    /// How many of so many are done.
    pub(super) fn done(fault: Option<Fault>, many: usize) -> usize {
        match fault {
            Some(Fault::Half(_)) => many / 2,
            Some(Fault::Before(_) | Fault::TimedOut { done: false, .. } | Fault::Never { done: false }) => 0,
            _ => many,
        }
    }

    /// The kind of failure that is answered, if one is.
    pub(super) fn error(fault: Option<Fault>) -> Option<StorageErrorKind> {
        match fault {
            Some(Fault::Before(kind) | Fault::After(kind) | Fault::Half(kind)) => Some(kind),
            Some(Fault::TimedOut { .. } | Fault::Never { .. }) => Some(StorageErrorKind::TimedOut),
            Some(Fault::Stale | Fault::Foreign) | None => None,
        }
    }

    /// How many of so many are answered as they were done; the others have the error.
    pub(super) fn told(fault: Option<Fault>, many: usize) -> usize {
        match (fault, Fault::error(fault)) {
            (Some(Fault::Half(_)), _) => many / 2,
            (_, Some(_)) => 0,
            (_, None) => many,
        }
    }

    /// How long it takes; for ever if none.
    pub(super) fn takes(fault: Option<Fault>) -> Option<Duration> {
        match fault {
            Some(Fault::TimedOut { after, .. }) => Some(after),
            Some(Fault::Never { .. }) => None,
            _ => Some(Duration::ZERO),
        }
    }
}

impl Counts {
    pub(super) fn next(&mut self, schedule: &Schedule, operation: Operation) -> Option<Fault> {
        let call = self.calls.entry(operation).or_default();
        *call += 1;
        let entry = schedule.0.iter().find(|entry| {
            entry.operation == operation && entry.calls.contains(call) && entry.fault.can_be_of(operation)
        })?;
        self.fired.push(Fired { operation, call: *call, fault: entry.fault });
        Some(entry.fault)
    }
}
