//! The storage that answers later. Beside [`blocking`](super::blocking).

use std::collections::HashMap;

use steadfast_engine::{Answer, Record};

use super::carry::{self, Carried};
use super::{Named, Pseudonym};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{AsyncUserStorage, Writes};

impl<S: AsyncUserStorage> Pseudonym<S> {
    /// Carries over what there is of a user under old keys; of a storage with `get` and `set`, in these campaigns.
    ///
    /// # Errors
    /// When it cannot be told what there is.
    async fn carry_later(&self, named: &Named<'_>, campaigns: &[&str]) -> Result<Carried, StorageError> {
        let mut carried = Carried::default();
        let new = named.hash.to_hex();
        let mut hand = None;
        for key in &self.old {
            let old = key.hash(named.user).to_hex();
            let mut records = self.under_later(&old, &new, campaigns).await?;
            if !records.is_empty() && hand.is_none() {
                // Once more, now that nobody erases what is found.
                hand = Some(self.in_hand.take_later(named.hash).await);
                records = self.under_later(&old, &new, campaigns).await?;
            }
            if records.is_empty() {
                continue;
            }
            let merged = self.storage.merge_many(records.iter().map(carry::claim).collect()).await;
            if carried.learn(records, merged) {
                carried.erased(self.storage.erase(&old).await);
            }
        }
        Ok(carried)
    }

    /// What there is of a user under an old name, by the new one.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn under_later(&self, old: &str, new: &str, campaigns: &[&str]) -> Result<Vec<Record>, StorageError> {
        let mut records = self.storage.records_of(old).await;
        if carry::is_plain(&records) {
            records = carry::found(self.storage.get_many(old, campaigns).await);
        }
        Ok(carry::renamed(records?, old, new))
    }

    /// The users who could not be carried over before several writes.
    async fn carry_each_later(&self, users: Vec<(String, Vec<String>)>) -> HashMap<String, StorageError> {
        let mut refused = HashMap::new();
        for (user, campaigns) in users {
            let campaigns: Vec<&str> = campaigns.iter().map(String::as_str).collect();
            let carried = self.carry_later(&self.named(&user), &campaigns).await;
            if let Err(error) = carried.and_then(Carried::all) {
                refused.insert(user, error);
            }
        }
        refused
    }
}

impl<S: AsyncUserStorage> AsyncUserStorage for Pseudonym<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let named = self.named(user);
        let id = named.hash.to_hex();
        let mut found = self.storage.get(&id, campaign).await?;
        if found.is_none() && !self.old.is_empty() {
            found = self.carry_later(&named, &[campaign]).await?.record(campaign).cloned();
            if found.is_none() {
                // Somebody else may have carried it over in between.
                found = self.storage.get(&id, campaign).await?;
            }
        }
        Ok(found.map(|record| named.back(record)))
    }

    async fn set(&self, mut record: Record) -> Result<(), StorageError> {
        let named = self.named(&record.user_id);
        if !self.old.is_empty() {
            self.carry_later(&named, &[&record.campaign_key]).await?.all()?;
        }
        record.user_id = named.hash.to_hex().to_string();
        self.storage.set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let named = self.named(user);
        let id = named.hash.to_hex();
        let mut answers = self.storage.get_many(&id, campaigns).await;
        if !self.old.is_empty() && answers.contains(&Answer::Absent) {
            let absent = carry::absent(&answers, campaigns);
            let carried = self.carry_later(&named, &absent).await;
            let left = carry::fill(&mut answers, campaigns, carried);
            if !left.is_empty() {
                // Somebody else may have carried it over in between.
                carry::fill_in(&mut answers, self.storage.get_many(&id, &left).await);
            }
        }
        answers.into_iter().map(|answer| named.answered_back(answer)).collect()
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let mut refused = HashMap::new();
        if !self.old.is_empty() {
            refused = self.carry_each_later(carry::by_user(records.iter())).await;
        }
        let (records, places) = carry::sorted(records, |record| record, &refused, |user| self.pseudonym(user));
        let made = self.storage.set_many(records).await;
        carry::results(places, made, |_, ()| ())
    }

    async fn merge(&self, mut claim: Claim) -> Result<Merged, StorageError> {
        let user = std::mem::take(&mut claim.record.user_id);
        let named = self.named(&user);
        if !self.old.is_empty() {
            self.carry_later(&named, &[&claim.record.campaign_key]).await?.all()?;
            // What was carried over was not there when it was read.
            claim.was_read = false;
        }
        claim.record.user_id = named.hash.to_hex().to_string();
        let merged = self.storage.merge(claim).await?;
        Ok(named.merged_back(merged))
    }

    async fn merge_many(&self, mut claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let mut refused = HashMap::new();
        if !self.old.is_empty() {
            refused = self.carry_each_later(carry::by_user(claims.iter().map(|claim| &claim.record))).await;
            claims.iter_mut().for_each(|claim| claim.was_read = false);
        }
        let (claims, places) = carry::sorted(claims, |claim| &mut claim.record, &refused, |user| self.pseudonym(user));
        let made = self.storage.merge_many(claims).await;
        carry::results(places, made, |user, merged| self.named(user).merged_back(merged))
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let named = self.named(user);
        if !self.old.is_empty() {
            self.carry_later(&named, &[]).await?.all()?;
        }
        let records = self.storage.records_of(&named.hash.to_hex()).await?;
        Ok(records.into_iter().map(|record| named.back(record)).collect())
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let _hand = if self.old.is_empty() { None } else { Some(self.in_hand.take_later(self.key.hash(user)).await) };
        // The old ones first: what is erased there cannot be carried over any more.
        let mut erased = Ok(0);
        for key in self.old.iter().chain([&self.key]) {
            let here = self.storage.erase(&key.hash(user).to_hex()).await;
            erased = carry::erased(erased, here);
        }
        erased
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        for key in self.old.iter().chain([&self.key]) {
            self.storage.settle(&key.hash(user).to_hex()).await?;
        }
        Ok(())
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
