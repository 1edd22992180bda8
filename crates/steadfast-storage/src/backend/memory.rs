//! `memory:` keeps records as long as the process lives: for tests, for batches, and as the model of the others.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use steadfast_engine::{Answer, Record};

use crate::error::StorageError;
use crate::merge::{Claim, Merged, merge};
use crate::user_storage::UserStorage;

/// Users are spread over this many locks, so that threads rarely meet.
const SHARDS: usize = 64;

/// A list of fewer records than this grows one by one: doubling it would leave most of the memory empty.
const SHORT: usize = 4;

/// A user's records, sorted by campaign key: most users have a few, and a list holds nothing but them.
#[derive(Debug, Default)]
struct Campaigns(Vec<Record>);

impl Campaigns {
    fn get(&self, campaign: &str) -> Option<&Record> {
        self.place(campaign).ok().map(|place| &self.0[place])
    }

    fn put(&mut self, record: Record) {
        match self.place(&record.campaign_key) {
            Ok(place) => self.0[place] = record,
            Err(place) => {
                if self.0.len() < SHORT {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, record);
            }
        }
    }

    fn place(&self, campaign: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|record| record.campaign_key.as_str().cmp(campaign))
    }
}

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
            records.extend(locked(shard).values().flat_map(|campaigns| &campaigns.0).cloned());
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
        shard.entry(record.user_id.clone()).or_default().put(record);
        Ok(())
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let shard = self.shard(user);
        let stored = shard.get(user);
        let record = |campaign: &&str| stored.and_then(|stored| stored.get(campaign)).cloned();
        campaigns.iter().map(|campaign| record(campaign).map_or(Answer::Absent, Answer::Found)).collect()
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let mut shard = self.shard(&claim.record.user_id);
        let stored = shard.get(&claim.record.user_id).and_then(|campaigns| campaigns.get(&claim.record.campaign_key));
        let merged = merge(stored, &claim);
        if stored != Some(&merged.record) {
            shard.entry(claim.record.user_id).or_default().put(merged.record.clone());
        }
        Ok(merged)
    }
}
