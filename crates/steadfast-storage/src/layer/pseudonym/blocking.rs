//! The storage that answers in place.

use std::collections::HashMap;

use steadfast_engine::{Answer, Record};

use super::carry::{self, Carried};
use super::{Named, Pseudonym};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{UserStorage, Writes, answer};

impl<S: UserStorage> Pseudonym<S> {
    /// Carries over what there is of a user under old keys; of a storage with `get` and `set`, in these campaigns.
    ///
    /// # Errors
    /// When it cannot be told what there is.
    fn carry(&self, named: &Named<'_>, campaigns: &[&str]) -> Result<Carried, StorageError> {
        let mut carried = Carried::default();
        let new = named.hash.to_hex();
        let mut hand = None;
        for key in &self.old {
            let old = key.hash(named.user).to_hex();
            let mut records = self.under(&old, &new, campaigns)?;
            if !records.is_empty() && hand.is_none() {
                // Once more, now that nobody erases what is found.
                hand = Some(self.in_hand.take(named.hash));
                records = self.under(&old, &new, campaigns)?;
            }
            if records.is_empty() {
                continue;
            }
            let merged = self.storage.merge_many(records.iter().map(carry::claim).collect());
            if carried.learn(records, merged) {
                carried.erased(self.storage.erase(&old));
            }
        }
        Ok(carried)
    }

    /// What there is of a user under an old name, by the new one.
    ///
    /// # Errors
    /// When it cannot be told.
    fn under(&self, old: &str, new: &str, campaigns: &[&str]) -> Result<Vec<Record>, StorageError> {
        let mut records = self.storage.records_of(old);
        if carry::is_plain(&records) {
            records = carry::found(self.storage.get_many(old, campaigns));
        }
        Ok(carry::renamed(records?, old, new))
    }

    /// The users who could not be carried over before several writes.
    fn carry_each(&self, users: Vec<(String, Vec<String>)>) -> HashMap<String, StorageError> {
        let mut refused = HashMap::new();
        for (user, campaigns) in users {
            let campaigns: Vec<&str> = campaigns.iter().map(String::as_str).collect();
            let carried = self.carry(&self.named(&user), &campaigns);
            if let Err(error) = carried.and_then(Carried::all) {
                refused.insert(user, error);
            }
        }
        refused
    }
}

impl<S: UserStorage> UserStorage for Pseudonym<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let named = self.named(user);
        let id = named.hash.to_hex();
        let mut found = self.storage.get(&id, campaign)?;
        if found.is_none() && !self.old.is_empty() {
            found = self.carry(&named, &[campaign])?.record(campaign).cloned();
            if found.is_none() {
                // Somebody else may have carried it over in between.
                found = self.storage.get(&id, campaign)?;
            }
        }
        Ok(found.map(|record| named.back(record)))
    }

    fn set(&self, mut record: Record) -> Result<(), StorageError> {
        let named = self.named(&record.user_id);
        if !self.old.is_empty() {
            self.carry(&named, &[&record.campaign_key])?.all()?;
        }
        record.user_id = named.hash.to_hex().to_string();
        self.storage.set(record)
    }

    /// Not that of the storage, whose records name another user and so cannot be shared.
    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        answer(self.get(user, campaign))
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let named = self.named(user);
        let id = named.hash.to_hex();
        let mut answers = self.storage.get_many(&id, campaigns);
        if !self.old.is_empty() && answers.contains(&Answer::Absent) {
            let absent = carry::absent(&answers, campaigns);
            let carried = self.carry(&named, &absent);
            let left = carry::fill(&mut answers, campaigns, carried);
            if !left.is_empty() {
                // Somebody else may have carried it over in between.
                carry::fill_in(&mut answers, self.storage.get_many(&id, &left));
            }
        }
        answers.into_iter().map(|answer| named.answered_back(answer)).collect()
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let mut refused = HashMap::new();
        if !self.old.is_empty() {
            refused = self.carry_each(carry::by_user(records.iter()));
        }
        let (records, places) = carry::sorted(records, |record| record, &refused, |user| self.pseudonym(user));
        let made = self.storage.set_many(records);
        carry::results(places, made, |_, ()| ())
    }

    fn merge(&self, mut claim: Claim) -> Result<Merged, StorageError> {
        let user = std::mem::take(&mut claim.record.user_id);
        let named = self.named(&user);
        if !self.old.is_empty() {
            self.carry(&named, &[&claim.record.campaign_key])?.all()?;
            // What was carried over was not there when it was read.
            claim.was_read = false;
        }
        claim.record.user_id = named.hash.to_hex().to_string();
        let merged = self.storage.merge(claim)?;
        Ok(named.merged_back(merged))
    }

    fn merge_many(&self, mut claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let mut refused = HashMap::new();
        if !self.old.is_empty() {
            refused = self.carry_each(carry::by_user(claims.iter().map(|claim| &claim.record)));
            claims.iter_mut().for_each(|claim| claim.was_read = false);
        }
        let (claims, places) = carry::sorted(claims, |claim| &mut claim.record, &refused, |user| self.pseudonym(user));
        let made = self.storage.merge_many(claims);
        carry::results(places, made, |user, merged| self.named(user).merged_back(merged))
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let named = self.named(user);
        if !self.old.is_empty() {
            self.carry(&named, &[])?.all()?;
        }
        let records = self.storage.records_of(&named.hash.to_hex())?;
        Ok(records.into_iter().map(|record| named.back(record)).collect())
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let _hand = (!self.old.is_empty()).then(|| self.in_hand.take(self.key.hash(user)));
        // The old ones first: what is erased there cannot be carried over any more.
        let mut erased = Ok(0);
        for key in self.old.iter().chain([&self.key]) {
            let here = self.storage.erase(&key.hash(user).to_hex());
            erased = carry::erased(erased, here);
        }
        erased
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about)
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        for key in self.old.iter().chain([&self.key]) {
            self.storage.settle(&key.hash(user).to_hex())?;
        }
        Ok(())
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
