//! The names of what is counted.

use steadfast_engine::{Answer, Record};

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{self, Merged};

/// What is asked of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    GetMany,
    Set,
    SetMany,
    Merge,
    MergeMany,
    RecordsOf,
    Erase,
    Scan,
}

/// So many operations there are.
pub(super) const OPERATIONS: usize = Operation::Scan as usize + 1;

/// What it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Found,
    Absent,
    Claimed,
    Kept,
    Replaced,
    Done,
    Unavailable,
    TimedOut,
    Full,
    InUse,
    Denied,
    Corrupt,
    NewerFormat,
    Unsupported,
    Failed,
    GivenUp,
    Mixed,
}

/// So many outcomes there are.
pub(super) const OUTCOMES: usize = Outcome::Mixed as usize + 1;

impl Operation {
    pub(super) fn text(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::GetMany => "get_many",
            Operation::Set => "set",
            Operation::SetMany => "set_many",
            Operation::Merge => "merge",
            Operation::MergeMany => "merge_many",
            Operation::RecordsOf => "records_of",
            Operation::Erase => "erase",
            Operation::Scan => "scan",
        }
    }
}

impl Outcome {
    /// Each in its place.
    pub(super) const ALL: [Outcome; OUTCOMES] = [
        Outcome::Found,
        Outcome::Absent,
        Outcome::Claimed,
        Outcome::Kept,
        Outcome::Replaced,
        Outcome::Done,
        Outcome::Unavailable,
        Outcome::TimedOut,
        Outcome::Full,
        Outcome::InUse,
        Outcome::Denied,
        Outcome::Corrupt,
        Outcome::NewerFormat,
        Outcome::Unsupported,
        Outcome::Failed,
        Outcome::GivenUp,
        Outcome::Mixed,
    ];

    pub(super) fn text(self) -> &'static str {
        match self {
            Outcome::Found => "found",
            Outcome::Absent => "absent",
            Outcome::Claimed => "claimed",
            Outcome::Kept => "kept",
            Outcome::Replaced => "replaced",
            Outcome::Done => "done",
            Outcome::Unavailable => "unavailable",
            Outcome::TimedOut => "timed_out",
            Outcome::Full => "full",
            Outcome::InUse => "in_use",
            Outcome::Denied => "denied",
            Outcome::Corrupt => "corrupt",
            Outcome::NewerFormat => "newer_format",
            Outcome::Unsupported => "unsupported",
            Outcome::Failed => "failed",
            Outcome::GivenUp => "given_up",
            Outcome::Mixed => "mixed",
        }
    }

    fn of(error: &StorageError) -> Outcome {
        match error.kind() {
            StorageErrorKind::Unavailable => Outcome::Unavailable,
            StorageErrorKind::TimedOut => Outcome::TimedOut,
            StorageErrorKind::Full => Outcome::Full,
            StorageErrorKind::InUse => Outcome::InUse,
            StorageErrorKind::Denied => Outcome::Denied,
            StorageErrorKind::Corrupt => Outcome::Corrupt,
            StorageErrorKind::NewerFormat => Outcome::NewerFormat,
            StorageErrorKind::Unsupported => Outcome::Unsupported,
            StorageErrorKind::Other => Outcome::Failed,
        }
    }

    pub(super) fn of_get(found: &Result<Option<Record>, StorageError>) -> Outcome {
        match found {
            Ok(Some(_)) => Outcome::Found,
            Ok(None) => Outcome::Absent,
            Err(error) => Outcome::of(error),
        }
    }

    pub(super) fn of_answer(answer: &Answer) -> Outcome {
        match answer {
            Answer::Found(_) => Outcome::Found,
            Answer::Absent => Outcome::Absent,
            Answer::Failed(failure) => failure.error().downcast_ref().map_or(Outcome::Failed, Outcome::of),
        }
    }

    pub(super) fn of_merge(merged: &Result<Merged, StorageError>) -> Outcome {
        match merged {
            Ok(merged) => match merged.outcome {
                merge::Outcome::Claimed => Outcome::Claimed,
                merge::Outcome::Kept => Outcome::Kept,
                merge::Outcome::Replaced => Outcome::Replaced,
            },
            Err(error) => Outcome::of(error),
        }
    }

    pub(super) fn of_rest<R>(done: &Result<R, StorageError>) -> Outcome {
        done.as_ref().err().map_or(Outcome::Done, Outcome::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_in_its_place() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }
}
