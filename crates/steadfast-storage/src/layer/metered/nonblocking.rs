//! The storage that answers later. Beside [`blocking`](super::blocking).

use steadfast_engine::{Answer, Record};

use super::Metered;
use super::label::{Operation, Outcome};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{AsyncUserStorage, Writes};

impl<S: AsyncUserStorage> AsyncUserStorage for Metered<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let call = self.meters.begin(Operation::Get, 1);
        let came = self.storage.get(user, campaign).await;
        call.ends(Outcome::of_get(&came), 1);
        came
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let call = self.meters.begin(Operation::Set, 1);
        let came = self.storage.set(record).await;
        call.ends(Outcome::of_rest(&came), 1);
        came
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let call = self.meters.begin(Operation::GetMany, campaigns.len());
        let came = self.storage.get_many(user, campaigns).await;
        call.ends_each(came.iter().map(Outcome::of_answer));
        came
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let call = self.meters.begin(Operation::SetMany, records.len());
        let came = self.storage.set_many(records).await;
        call.ends_each(came.iter().map(Outcome::of_rest));
        came
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let call = self.meters.begin(Operation::Merge, 1);
        let came = self.storage.merge(claim).await;
        call.ends(Outcome::of_merge(&came), 1);
        came
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let call = self.meters.begin(Operation::MergeMany, claims.len());
        let came = self.storage.merge_many(claims).await;
        call.ends_each(came.iter().map(Outcome::of_merge));
        came
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let call = self.meters.begin(Operation::RecordsOf, 1);
        let came = self.storage.records_of(user).await;
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| records.len() as u64));
        came
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let call = self.meters.begin(Operation::Erase, 1);
        let came = self.storage.erase(user).await;
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| *records));
        came
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let call = self.meters.begin(Operation::Scan, 1);
        let came = self.storage.scan(from, about).await;
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| records.records.len() as u64));
        came
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
