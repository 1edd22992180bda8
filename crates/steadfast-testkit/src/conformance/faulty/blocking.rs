//! The storage that answers in place, and fails. Beside [`nonblocking`](super::nonblocking).

use steadfast_engine::{Answer, Record};
use steadfast_storage::{Claim, Cursor, Merged, Page, StorageError, UserStorage, Writes};

use super::past::{Place, place};
use super::schedule::{Fault, Operation};
use super::{Faulty, failure};

impl<S: UserStorage> Faulty<S> {
    /// Does it, or not, and says so, or not.
    fn once<R>(
        &self,
        operation: Operation,
        work: impl FnOnce(Option<Fault>) -> Result<R, StorageError>,
    ) -> Result<R, StorageError> {
        let fault = self.fault(operation);
        let Some(kind) = Fault::error(fault) else { return work(fault) };
        if Fault::done(fault, 1) == 1 {
            // Whoever called is told of the fault, whatever came of it.
            let _ = work(fault);
        }
        rest(fault);
        Err(failure(kind))
    }

    /// Does some of it, and says so of some.
    fn several<T, R>(
        &self,
        operation: Operation,
        mut items: Vec<T>,
        work: impl FnOnce(Vec<T>) -> Vec<Result<R, StorageError>>,
    ) -> Vec<Result<R, StorageError>> {
        let fault = self.fault(operation);
        let many = items.len();
        items.truncate(Fault::done(fault, many));
        let mut results = if items.is_empty() { Vec::new() } else { work(items) };
        rest(fault);
        results.truncate(Fault::told(fault, many));
        if let Some(kind) = Fault::error(fault) {
            results.resize_with(many, || Err(failure(kind)));
        }
        results
    }

    /// Writes, and remembers what was there before.
    fn after_remembering<R>(&self, places: impl FnOnce() -> Vec<Place>, write: impl FnOnce() -> R) -> R {
        if !self.remembers() {
            return write();
        }
        let looked_up = places().into_iter().filter_map(|place| {
            let before = self.storage.get(&place.0, &place.1).ok()?;
            Some((place, before))
        });
        let before: Vec<_> = looked_up.collect();
        let written = write();
        self.remember(before);
        written
    }
}

/// Keeps the thread for as long as the fault says.
fn rest(fault: Option<Fault>) {
    if let Some(after) = Fault::takes(fault).filter(|after| !after.is_zero()) {
        std::thread::sleep(after);
    }
}

impl<S: UserStorage> UserStorage for Faulty<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.once(Operation::Get, |fault| {
            let there = self.storage.get(user, campaign)?;
            Ok(self.distorted(fault, user, campaign, there))
        })
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.once(Operation::Set, |_| {
            let places = place(&record);
            self.after_remembering(|| vec![places], || self.storage.set(record))
        })
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let fault = self.fault(Operation::GetMany);
        let told = Fault::told(fault, campaigns.len());
        let found = self.storage.get_many(user, &campaigns[..told]);
        rest(fault);
        self.distorted_many(fault, user, campaigns, found)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.several(Operation::SetMany, records, |records| {
            let places: Vec<Place> = records.iter().map(place).collect();
            self.after_remembering(|| places, || self.storage.set_many(records))
        })
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.once(Operation::Merge, |_| {
            let places = place(&claim.record);
            self.after_remembering(|| vec![places], || self.storage.merge(claim))
        })
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.several(Operation::MergeMany, claims, |claims| {
            let places: Vec<Place> = claims.iter().map(|claim| place(&claim.record)).collect();
            self.after_remembering(|| places, || self.storage.merge_many(claims))
        })
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.once(Operation::RecordsOf, |_| self.storage.records_of(user))
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.once(Operation::Erase, |_| self.storage.erase(user))
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.once(Operation::Scan, |_| self.storage.scan(from, about))
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user)
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
