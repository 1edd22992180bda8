//! The storage that answers later, or never. Beside [`blocking`](super::blocking).

use std::future::{Future, pending};

use steadfast_engine::{Answer, Record};
use steadfast_storage::{AsyncUserStorage, Claim, Cursor, Merged, Page, StorageError, Writes};

use tokio::sync::oneshot;

use super::past::{Place, place};
use super::schedule::{Fault, Operation};
use super::{Faulty, failure};

impl<S: AsyncUserStorage> Faulty<S> {
    /// Does it, or not, and says so, or not.
    async fn once_later<R, F: Future<Output = Result<R, StorageError>>>(
        &self,
        operation: Operation,
        work: impl FnOnce(Option<Fault>) -> F,
    ) -> Result<R, StorageError> {
        let fault = self.fault(operation);
        let Some(kind) = Fault::error(fault) else { return work(fault).await };
        if Fault::done(fault, 1) == 1 {
            // Whoever called is told of the fault, whatever came of it.
            let _ = work(fault).await;
        }
        rest(fault).await;
        Err(failure(kind))
    }

    /// Does some of it, and says so of some.
    async fn several_later<T, R, F: Future<Output = Vec<Result<R, StorageError>>>>(
        &self,
        operation: Operation,
        mut items: Vec<T>,
        work: impl FnOnce(Vec<T>) -> F,
    ) -> Vec<Result<R, StorageError>> {
        let fault = self.fault(operation);
        let many = items.len();
        items.truncate(Fault::done(fault, many));
        let mut results = if items.is_empty() { Vec::new() } else { work(items).await };
        rest(fault).await;
        results.truncate(Fault::told(fault, many));
        if let Some(kind) = Fault::error(fault) {
            results.resize_with(many, || Err(failure(kind)));
        }
        results
    }

    /// Writes, and remembers what was there before.
    async fn after_remembering_later<F: Future>(&self, places: Vec<Place>, write: F) -> F::Output {
        if !self.remembers() {
            return write.await;
        }
        let mut before = Vec::new();
        for place in places {
            if let Ok(found) = self.storage.get(&place.0, &place.1).await {
                before.push((place, found));
            }
        }
        let written = write.await;
        self.remember(before);
        written
    }
}

/// Takes as long as the fault says, which may be for ever. A runtime need not have timers for it.
async fn rest(fault: Option<Fault>) {
    let Some(after) = Fault::takes(fault) else { return pending().await };
    if after.is_zero() {
        return;
    }
    let (sender, receiver) = oneshot::channel::<()>();
    let slept = std::thread::Builder::new().spawn(move || {
        std::thread::sleep(after);
        // Whoever waited may have given up.
        let _ = sender.send(());
    });
    if slept.is_ok() {
        let _ = receiver.await;
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for Faulty<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let work = |fault| async move {
            let there = self.storage.get(user, campaign).await?;
            Ok(self.distorted(fault, user, campaign, there))
        };
        self.once_later(Operation::Get, work).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let places = vec![place(&record)];
        let work = |_| self.after_remembering_later(places, self.storage.set(record));
        self.once_later(Operation::Set, work).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let fault = self.fault(Operation::GetMany);
        let told = Fault::told(fault, campaigns.len());
        let found = self.storage.get_many(user, &campaigns[..told]).await;
        rest(fault).await;
        self.distorted_many(fault, user, campaigns, found)
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let work = |records: Vec<Record>| {
            let places = records.iter().map(place).collect();
            self.after_remembering_later(places, self.storage.set_many(records))
        };
        self.several_later(Operation::SetMany, records, work).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let places = vec![place(&claim.record)];
        let work = |_| self.after_remembering_later(places, self.storage.merge(claim));
        self.once_later(Operation::Merge, work).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let work = |claims: Vec<Claim>| {
            let places = claims.iter().map(|claim| place(&claim.record)).collect();
            self.after_remembering_later(places, self.storage.merge_many(claims))
        };
        self.several_later(Operation::MergeMany, claims, work).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.once_later(Operation::RecordsOf, |_| self.storage.records_of(user)).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.once_later(Operation::Erase, |_| self.storage.erase(user)).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.once_later(Operation::Scan, |_| self.storage.scan(from, about)).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
