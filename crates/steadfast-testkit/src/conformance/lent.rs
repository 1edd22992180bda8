//! A storage that somebody else owns.

use steadfast_engine::{Answer, Record};
use steadfast_storage::{Claim, Cursor, Merged, Page, StorageError, UserStorage, Writes};

/// A storage that can be wrapped without being handed over.
pub(super) struct Lent<'s>(pub(super) &'s dyn UserStorage);

impl UserStorage for Lent<'_> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        self.0.look_up(user, campaign)
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.0.get_many(user, campaigns)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.0.set_many(records)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.0.merge_many(claims)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.0.records_of(user)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.0.erase(user)
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.0.scan(from, about)
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.0.settle(user)
    }

    fn writes(&self) -> Writes {
        self.0.writes()
    }
}
