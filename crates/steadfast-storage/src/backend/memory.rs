//! `memory:` keeps records as long as the process lives: for tests, for batches, and as the model of the others.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use steadfast_engine::{Answer, Record};

use crate::error::StorageError;
use crate::merge::{Claim, Merged, merge};
use crate::page::{Cursor, Page};
use crate::user_storage::{UserStorage, Writes};

/// Users are spread over this many locks, so that threads rarely meet.
const SHARDS: usize = 64;

/// A list of fewer records than this grows one by one: doubling it would leave most of the memory empty.
const SHORT: usize = 4;

/// A user's records, sorted by campaign key, at least one: many users have one, which needs no list.
#[derive(Debug)]
struct User(SmallVec<[Arc<Record>; 1]>);

/// Users, found by the id that their records have: a table of ids beside them would double the memory, and one more
/// place to look at costs more than the hash.
type Users = HashTable<User>;

impl User {
    fn id(&self) -> &str {
        self.0.first().map_or("", |record| &record.user_id)
    }

    fn get(&self, campaign: &str) -> Option<&Arc<Record>> {
        self.place(campaign).ok().map(|place| &self.0[place])
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        self.0.iter().map(|record| Record::clone(record))
    }

    fn put(&mut self, record: Arc<Record>) {
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
    shards: Box<[Mutex<Users>]>,
    /// Nobody can foresee it, so nobody can choose ids that fall into one place.
    hasher: RandomState,
}

/// The place of a user: a shard, locked, and the hash that finds them in it.
struct Place<'s> {
    users: MutexGuard<'s, Users>,
    hash: u64,
    hasher: &'s RandomState,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        MemoryStorage { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::default() }
    }

    /// All records, sorted by user id, then campaign key, by their UTF-8 bytes.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for shard in &self.shards {
            records.extend(locked(shard).iter().flat_map(User::records));
        }
        records.sort_by(|one, other| (&one.user_id, &one.campaign_key).cmp(&(&other.user_id, &other.campaign_key)));
        records
    }

    fn place(&self, user: &str) -> Place<'_> {
        let hash = self.hasher.hash_one(user);
        // The table goes by the lowest and the highest bits.
        let shard = (hash >> 32) as usize % SHARDS;
        Place { users: locked(&self.shards[shard]), hash, hasher: &self.hasher }
    }
}

impl Place<'_> {
    fn user(&self, user: &str) -> Option<&User> {
        self.users.find(self.hash, |one| one.id() == user)
    }

    fn record(&self, user: &str, campaign: &str) -> Option<&Arc<Record>> {
        self.user(user)?.get(campaign)
    }

    fn put(&mut self, record: Record) {
        let record = Arc::new(record);
        match self.users.find_mut(self.hash, |one| one.id() == record.user_id) {
            Some(user) => user.put(record),
            None => {
                let hasher = self.hasher;
                self.users
                    .insert_unique(self.hash, User(SmallVec::from_elem(record, 1)), |one| hasher.hash_one(one.id()));
            }
        }
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
        Ok(self.place(user).record(user, campaign).map(|record| Record::clone(record)))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.place(&record.user_id).put(record);
        Ok(())
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        let place = self.place(user);
        place.record(user, campaign).map_or(Answer::Absent, |record| Answer::Found(Arc::clone(record)))
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let place = self.place(user);
        let stored = place.user(user);
        let record = |campaign: &&str| stored.and_then(|stored| stored.get(campaign)).cloned();
        campaigns.iter().map(|campaign| record(campaign).map_or(Answer::Absent, Answer::Found)).collect()
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let mut place = self.place(&claim.record.user_id);
        let stored = place.record(&claim.record.user_id, &claim.record.campaign_key).map(|record| &**record);
        let merged = merge(stored, &claim);
        if stored != Some(&merged.record) {
            place.put(merged.record.clone());
        }
        Ok(merged)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        Ok(self.place(user).user(user).into_iter().flat_map(User::records).collect())
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let mut place = self.place(user);
        let hash = place.hash;
        let entry = place.users.find_entry(hash, |one| one.id() == user);
        Ok(entry.map_or(0, |entry| entry.remove().0.0.len() as u64))
    }

    /// A page is a shard, however many records it has.
    fn scan(&self, from: Option<&Cursor>, _about: usize) -> Result<Page, StorageError> {
        let place = from.and_then(|cursor| cursor.as_bytes().first()).copied().unwrap_or(0);
        let Some(shard) = self.shards.get(usize::from(place)) else {
            return Ok(Page::default());
        };
        let records = locked(shard).iter().flat_map(User::records).collect();
        let next = (usize::from(place) + 1 < self.shards.len()).then(|| Cursor::new([place + 1]));
        Ok(Page { records, next, ..Page::default() })
    }

    fn writes(&self) -> Writes {
        Writes::InPlace
    }
}
