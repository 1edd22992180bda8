//! The storage that answers later. Beside [`blocking`](super::blocking).

use steadfast_engine::{Answer, Record};

use super::{Breaker, failed_look_up, failed_write};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, Writes};

impl<S: AsyncUserStorage> AsyncUserStorage for Breaker<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.gate.begin()?.answered(self.storage.get(user, campaign).await)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.gate.begin()?.answered(self.storage.set(record).await)
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return failed(error, campaigns.len()),
        };
        call.answered_many(self.storage.get_many(user, campaigns).await, failed_look_up)
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return each(&error, records.len()),
        };
        call.answered_many(self.storage.set_many(records).await, failed_write)
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.gate.begin()?.answered(self.storage.merge(claim).await)
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return each(&error, claims.len()),
        };
        call.answered_many(self.storage.merge_many(claims).await, failed_write)
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.gate.begin()?.answered(self.storage.records_of(user).await)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.gate.begin()?.answered(self.storage.erase(user).await)
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.gate.begin()?.answered(self.storage.scan(from, about).await)
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
