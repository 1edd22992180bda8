//! `memory:` keeps records as long as the process lives: for tests, for batches, and as the model of the others.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_engine::{Answer, Record};

use crate::error::StorageError;
use crate::merge::{Claim, Merged, merge};
use crate::page::{Cursor, Page};
use crate::user_storage::{UserStorage, Writes};

/// Users are spread over this many locks, so that threads rarely meet.
const SHARDS: usize = 64;

/// A list of fewer records than this grows one by one: doubling it would leave most of the memory empty.
const SHORT: usize = 4;

/// A user's records, sorted by campaign key: most users have a few, and a list holds nothing but them.
#[derive(Debug, Default)]
struct Campaigns(Vec<Arc<Record>>);

impl Campaigns {
    fn get(&self, campaign: &str) -> Option<&Arc<Record>> {
        self.place(campaign).ok().map(|place| &self.0[place])
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        self.0.iter().map(|record| Record::clone(record))
    }

    fn put(&mut self, record: Record) {
        let record = Arc::new(record);
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
            records.extend(locked(shard).values().flat_map(Campaigns::records));
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
        Ok(self.shard(user).get(user).and_then(|campaigns| campaigns.get(campaign)).map(|record| Record::clone(record)))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let mut shard = self.shard(&record.user_id);
        shard.entry(record.user_id.clone()).or_default().put(record);
        Ok(())
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        let shard = self.shard(user);
        let stored = shard.get(user).and_then(|campaigns| campaigns.get(campaign));
        stored.map_or(Answer::Absent, |record| Answer::Found(Arc::clone(record)))
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
        let stored = stored.map(|record| &**record);
        let merged = merge(stored, &claim);
        if stored != Some(&merged.record) {
            shard.entry(claim.record.user_id).or_default().put(merged.record.clone());
        }
        Ok(merged)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        Ok(self.shard(user).get(user).into_iter().flat_map(Campaigns::records).collect())
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        Ok(self.shard(user).remove(user).map_or(0, |campaigns| campaigns.0.len() as u64))
    }

    /// A page is a shard, however many records it has.
    fn scan(&self, from: Option<&Cursor>, _about: usize) -> Result<Page, StorageError> {
        let place = from.and_then(|cursor| cursor.as_bytes().first()).copied().unwrap_or(0);
        let Some(shard) = self.shards.get(usize::from(place)) else {
            return Ok(Page { records: Vec::new(), next: None });
        };
        let records = locked(shard).values().flat_map(Campaigns::records).collect();
        let next = (usize::from(place) + 1 < self.shards.len()).then(|| Cursor::new([place + 1]));
        Ok(Page { records, next })
    }

    fn writes(&self) -> Writes {
        Writes::InPlace
    }
}
