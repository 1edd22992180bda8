//! How often a storage is asked, what it answers, and how long that takes.
//!
//! Modules: `label` (the names of what is counted), `blocking` and `nonblocking` (the two kinds, method by method the
//! same).

mod blocking;
mod label;
mod nonblocking;

use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use metrics::{Counter, Histogram, SharedString, counter, describe_counter, describe_histogram, histogram};

use label::{OPERATIONS, OUTCOMES, Operation, Outcome};

/// Records that were asked for or written, one by one, by `backend`, `operation` and `outcome`.
pub const RECORDS: &str = "steadfast_storage_records_total";

/// How long each call took, in seconds, by `backend`, `operation` and `outcome`.
pub const SECONDS: &str = "steadfast_storage_call_seconds";

/// A storage of either kind that is measured through the [`metrics`] facade: [`RECORDS`] and [`SECONDS`].
///
/// | label | |
/// | --- | --- |
/// | `backend` | what it was named |
/// | `operation` | `get` (and `look_up`), `get_many`, `set`, `set_many`, `merge`, `merge_many`, `records_of`, `erase`, `scan` |
/// | `outcome` | of look-ups `found`, `absent`; of merges `claimed`, `kept`, `replaced`; of what else succeeds `done`; of what fails `unavailable`, `timed_out`, `full`, `in_use`, `denied`, `corrupt`, `newer_format`, `unsupported`, `failed`; of a call that was dropped before its answer `given_up`; of a call for several records that came to different things `mixed` |
///
/// No label names a user. `records_of`, `erase` and `scan` count the records that they list or erase. A call that fails
/// counts once in [`RECORDS`], one for several records once for each.
///
/// A recorder is looked for when something is counted for the first time: install it before. Without one, nothing is
/// counted, and it costs the two looks at the clock.
pub struct Metered<S> {
    storage: S,
    meters: Meters,
}

/// What has been counted so far is registered, and found by its place from then on: without a lock, and without a text.
struct Meters {
    backend: SharedString,
    records: [[OnceLock<Counter>; OUTCOMES]; OPERATIONS],
    seconds: [[OnceLock<Histogram>; OUTCOMES]; OPERATIONS],
}

impl<S> Metered<S> {
    /// Wraps a storage, which is named so.
    pub fn new(storage: S, backend: impl Into<String>) -> Self {
        describe_counter!(RECORDS, "Records that a user storage was asked for or given, by outcome.");
        describe_histogram!(SECONDS, metrics::Unit::Seconds, "How long calls of a user storage took, by outcome.");
        Metered { storage, meters: Meters::new(backend.into().into()) }
    }

    /// The storage that is measured.
    pub fn inner(&self) -> &S {
        &self.storage
    }
}

impl<S: fmt::Debug> fmt::Debug for Metered<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = formatter.debug_struct("Metered");
        fields.field("storage", &self.storage).field("backend", &self.meters.backend).finish_non_exhaustive()
    }
}

impl Meters {
    fn new(backend: SharedString) -> Meters {
        let (records, seconds) = Default::default();
        Meters { backend, records, seconds }
    }

    /// A call begins that is for so many records.
    fn begin(&self, operation: Operation, many: usize) -> Call<'_> {
        Call { meters: self, operation, many, came_to: None, began: Instant::now() }
    }

    fn count(&self, operation: Operation, outcome: Outcome, many: u64) {
        let register = || counter!(RECORDS, "backend" => self.backend.clone(), "operation" => operation.text(), "outcome" => outcome.text());
        self.records[operation as usize][outcome as usize].get_or_init(register).increment(many);
    }

    fn took(&self, operation: Operation, outcome: Outcome, seconds: f64) {
        let register = || histogram!(SECONDS, "backend" => self.backend.clone(), "operation" => operation.text(), "outcome" => outcome.text());
        self.seconds[operation as usize][outcome as usize].get_or_init(register).record(seconds);
    }
}

/// A call under way. Where it is dropped before it came to anything, it was given up, or the storage panicked.
struct Call<'m> {
    meters: &'m Meters,
    operation: Operation,
    many: usize,
    came_to: Option<Outcome>,
    began: Instant,
}

impl Call<'_> {
    /// It came to this, and was about so many records.
    fn ends(mut self, outcome: Outcome, many: u64) {
        self.came_to = Some(outcome);
        self.meters.count(self.operation, outcome, many);
    }

    /// It came to these, one for each record.
    fn ends_each(mut self, outcomes: impl Iterator<Item = Outcome>) {
        let mut counts = [0; OUTCOMES];
        let mut of_all = None;
        for outcome in outcomes {
            counts[outcome as usize] += 1;
            of_all = Some(of_all.map_or(outcome, |all| if all == outcome { all } else { Outcome::Mixed }));
        }
        self.came_to = Some(of_all.unwrap_or(Outcome::Done));
        for (outcome, many) in Outcome::ALL.into_iter().zip(counts).filter(|(_, many)| *many > 0) {
            self.meters.count(self.operation, outcome, many);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let outcome = self.came_to.unwrap_or_else(|| {
            self.meters.count(self.operation, Outcome::GivenUp, self.many as u64);
            Outcome::GivenUp
        });
        self.meters.took(self.operation, outcome, self.began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
