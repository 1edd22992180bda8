//! `memory:` keeps records as long as the process lives: for tests, for batches, and as the model of the others.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use steadfast_engine::{Answer, Record};

use crate::error::StorageError;
use crate::merge::{Claim, Merged, merge};
use crate::user_storage::UserStorage;

/// Users are spread over this many locks, so that threads rarely meet.
const SHARDS: usize = 64;

/// A user's records, by campaign key.
type Campaigns = BTreeMap<String, Record>;

/// A storage in memory. Merging is atomic.
#[derive(Debug)]
pub struct MemoryStorage {
    shards: Box<[Mutex<HashMap<String, Campaigns>>]>,
    hasher: RandomState,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        MemoryStorage { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// All records, sorted by user id, then campaign key, by their UTF-8 bytes.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for shard in &self.shards {
            records.extend(locked(shard).values().flat_map(BTreeMap::values).cloned());
        }
        records.sort_by(|one, other| (&one.user_id, &one.campaign_key).cmp(&(&other.user_id, &other.campaign_key)));
        records
    }

    fn shard(&self, user: &str) -> MutexGuard<'_, HashMap<String, Campaigns>> {
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash chooses a shard")]
        let place = self.hasher.hash_one(user) as usize % SHARDS;
        locked(&self.shards[place])
    }
}

/// A panic while a shard was locked cannot have left a record half written: records are put in whole.
fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemoryStorage {
    fn default() -> Self {
        MemoryStorage::new()
    }
}

impl UserStorage for MemoryStorage {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        Ok(self.shard(user).get(user).and_then(|campaigns| campaigns.get(campaign)).cloned())
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let mut shard = self.shard(&record.user_id);
        shard.entry(record.user_id.clone()).or_default().insert(record.campaign_key.clone(), record);
        Ok(())
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let shard = self.shard(user);
        let stored = shard.get(user);
        let record = |campaign: &&str| stored.and_then(|stored| stored.get(*campaign)).cloned();
        campaigns.iter().map(|campaign| record(campaign).map_or(Answer::Absent, Answer::Found)).collect()
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let mut shard = self.shard(&claim.record.user_id);
        let campaigns = shard.entry(claim.record.user_id.clone()).or_default();
        let merged = merge(campaigns.get(&claim.record.campaign_key), &claim);
        campaigns.insert(claim.record.campaign_key, merged.record.clone());
        Ok(merged)
    }
}
