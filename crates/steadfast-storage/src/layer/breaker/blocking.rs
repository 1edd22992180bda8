//! The storage that answers in place.

use steadfast_engine::{Answer, Record};

use super::{Breaker, failed_look_up, failed_write};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{UserStorage, Writes};

impl<S: UserStorage> UserStorage for Breaker<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.gate.begin()?.answered(self.storage.get(user, campaign))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.gate.begin()?.answered(self.storage.set(record))
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return Answer::Failed(error.into()),
        };
        call.answered_look_up(self.storage.look_up(user, campaign))
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return failed(error, campaigns.len()),
        };
        call.answered_many(self.storage.get_many(user, campaigns), failed_look_up)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return each(&error, records.len()),
        };
        call.answered_many(self.storage.set_many(records), failed_write)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.gate.begin()?.answered(self.storage.merge(claim))
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let call = match self.gate.begin() {
            Ok(call) => call,
            Err(error) => return each(&error, claims.len()),
        };
        call.answered_many(self.storage.merge_many(claims), failed_write)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.gate.begin()?.answered(self.storage.records_of(user))
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.gate.begin()?.answered(self.storage.erase(user))
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.gate.begin()?.answered(self.storage.scan(from, about))
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.storage.settle(user)
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
