//! What a check works with: the storage, users that nobody else has, and threads.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use steadfast_engine::{Answer, Record};
use steadfast_storage::{Claim, Condition, Merged, StorageError, UserStorage};

use super::check::panicked;
use super::report::Finding;
use crate::random::Random;

/// The environment variable whose number the generated checks start from, in place of one by chance.
pub const SEED: &str = "STEADFAST_KIT_SEED";

/// One check on one storage. What a storage cannot do is a finding.
pub(super) struct Run<'s> {
    pub(super) storage: &'s dyn UserStorage,
    pub(super) seed: u64,
    prefix: String,
}

/// The number that a run starts from.
pub(super) fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.trim().parse().ok());
    given.unwrap_or_else(chance)
}

/// What begins all user ids of a run.
pub(super) fn prefix() -> String {
    format!("kit-{:016x}-", chance())
}

/// A number that nobody has seen before. The standard library has no other source of chance.
fn chance() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

impl<'s> Run<'s> {
    /// A check has a number among those of a run, so that no two have a user in common.
    pub(super) fn new(storage: &'s dyn UserStorage, seed: u64, prefix: &str, number: usize) -> Self {
        Run { storage, seed, prefix: format!("{prefix}{number}-") }
    }

    /// The id of a user of this check.
    pub(super) fn user(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether the user is one of this check's.
    pub(super) fn is_ours(&self, user: &str) -> bool {
        user.starts_with(&self.prefix)
    }

    /// A source of numbers, the same in every run with this seed.
    pub(super) fn random(&self, number: u64) -> Random {
        Random::new(self.seed, number)
    }

    pub(super) fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, Finding> {
        self.storage.get(user, campaign).map_err(|error| failed("`get`", &error))
    }

    pub(super) fn set(&self, record: Record) -> Result<(), Finding> {
        self.storage.set(record).map_err(|error| failed("`set`", &error))
    }

    pub(super) fn merge(&self, claim: Claim) -> Result<Merged, Finding> {
        self.storage.merge(claim).map_err(|error| failed("`merge`", &error))
    }

    pub(super) fn records_of(&self, user: &str) -> Result<Vec<Record>, Finding> {
        self.storage.records_of(user).map_err(|error| failed("`records_of`", &error))
    }

    pub(super) fn erase(&self, user: &str) -> Result<u64, Finding> {
        self.storage.erase(user).map_err(|error| failed("`erase`", &error))
    }

    /// Does something on so many threads at once, which are told their number; what each said, in the order of numbers.
    pub(super) fn together<T: Send>(
        &self,
        threads: usize,
        work: impl Fn(usize) -> Result<T, Finding> + Sync,
    ) -> Result<Vec<T>, Finding> {
        let started = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let running: Result<Vec<_>, Finding> = (0..threads)
                .map(|number| {
                    let (started, work) = (&started, &work);
                    let thread = Builder::new().spawn_scoped(scope, move || {
                        while !started.load(Ordering::Acquire) {
                            std::thread::yield_now();
                        }
                        work(number)
                    });
                    thread.map_err(|error| Finding::said("a thread was started", "a thread", error.to_string()))
                })
                .collect();
            // Also where one could not be started: the others wait.
            started.store(true, Ordering::Release);
            running?.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| Err(panicked(&*panic)))).collect()
        })
    }
}

/// A storage that could not do what every storage can.
pub(super) fn failed(operation: &str, error: &StorageError) -> Finding {
    Finding::said(format!("{operation} was called"), "an answer", format!("{:?}: {error}", error.kind()))
}

/// Every result, if none failed.
pub(super) fn all<T>(operation: &str, results: Vec<Result<T, StorageError>>) -> Result<Vec<T>, Finding> {
    results.into_iter().map(|result| result.map_err(|error| failed(operation, &error))).collect()
}

/// The answer that a storage owes for what is there.
pub(super) fn answer(stored: Option<&Record>) -> Answer {
    stored.cloned().into()
}

/// A claim of somebody who found the place like this, and has not just read it.
pub(super) fn claim(record: Record, condition: Condition) -> Claim {
    Claim { record, goal: None, condition, was_read: false }
}

/// A record with these goals.
pub(super) fn record(user: &str, campaign: &str, variation: &str, goals: &str) -> Record {
    Record { goals: steadfast_engine::GoalList::from_text(goals), ..Record::new(user, campaign, variation) }
}
