//! The storage that answers in place.

use steadfast_engine::{Answer, Record};

use super::Metered;
use super::label::{Operation, Outcome};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{UserStorage, Writes};

impl<S: UserStorage> UserStorage for Metered<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let call = self.meters.begin(Operation::Get, 1);
        let came = self.storage.get(user, campaign);
        call.ends(Outcome::of_get(&came), 1);
        came
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let call = self.meters.begin(Operation::Set, 1);
        let came = self.storage.set(record);
        call.ends(Outcome::of_rest(&came), 1);
        came
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        let call = self.meters.begin(Operation::Get, 1);
        let came = self.storage.look_up(user, campaign);
        call.ends(Outcome::of_answer(&came), 1);
        came
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let call = self.meters.begin(Operation::GetMany, campaigns.len());
        let came = self.storage.get_many(user, campaigns);
        call.ends_each(came.iter().map(Outcome::of_answer));
        came
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let call = self.meters.begin(Operation::SetMany, records.len());
        let came = self.storage.set_many(records);
        call.ends_each(came.iter().map(Outcome::of_rest));
        came
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let call = self.meters.begin(Operation::Merge, 1);
        let came = self.storage.merge(claim);
        call.ends(Outcome::of_merge(&came), 1);
        came
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let call = self.meters.begin(Operation::MergeMany, claims.len());
        let came = self.storage.merge_many(claims);
        call.ends_each(came.iter().map(Outcome::of_merge));
        came
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let call = self.meters.begin(Operation::RecordsOf, 1);
        let came = self.storage.records_of(user);
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| records.len() as u64));
        came
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let call = self.meters.begin(Operation::Erase, 1);
        let came = self.storage.erase(user);
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| *records));
        came
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let call = self.meters.begin(Operation::Scan, 1);
        let came = self.storage.scan(from, about);
        call.ends(Outcome::of_rest(&came), came.as_ref().map_or(1, |records| records.records.len() as u64));
        came
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user)
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
