//! A check, and how it is run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::limit::Limit;
use super::report::{Checked, Finding};
use super::run::Run;

/// What a check says: nothing, or where the contract is not kept.
pub(super) type Verdict = Result<(), Finding>;

/// A promise of a storage, and how to see whether it is kept.
#[derive(Clone, Copy)]
pub(super) struct Check<C> {
    /// A name, for people and for tests of the kit.
    pub(super) name: &'static str,
    /// What is promised.
    pub(super) promise: &'static str,
    /// Sees whether it is kept.
    pub(super) holds: C,
}

/// A check of a storage.
pub(super) type StorageCheck = Check<fn(&Run<'_>) -> Verdict>;

impl<C> Check<C> {
    pub(super) const fn new(name: &'static str, promise: &'static str, holds: C) -> Self {
        Check { name, promise, holds }
    }

    /// Runs it, within a limit if there is one. A panic is a finding: it comes from the storage.
    pub(super) fn run(&self, limit: Option<&Limit>, verdict: impl FnOnce(&C) -> Verdict) -> Checked {
        if let Some(limit) = limit {
            limit.begin();
        }
        let verdict = catch_unwind(AssertUnwindSafe(|| verdict(&self.holds)));
        let found = verdict.unwrap_or_else(|panic| Err(panicked(&*panic))).err();
        Checked::new(self.name, self.promise, limit.and_then(Limit::finding).or(found))
    }
}

/// A panic, as something that was found.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Finding {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Finding::said("the storage was used", "an answer", format!("a panic: {}", text.unwrap_or("without a message")))
}

/// Nothing, if the two are the same.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: impl Into<String>, expected: &T, found: &T) -> Verdict {
    if expected == found { Ok(()) } else { Err(Finding::new(what, expected, found)) }
}
