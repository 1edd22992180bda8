//! What was looked up lately is not looked up again.
//!
//! Modules in reading order: `kept` (a bounded number of users, and how long what is known of them holds: no clock, no
//! lock), `flight` (a look-up under way, which others may wait for), `shard` (the rules by which looking up and writing
//! meet: read this one for why nothing older takes the place of something newer), `blocking` and `nonblocking` (the two
//! kinds, method by method the same).

mod blocking;
mod flight;
mod kept;
mod nonblocking;
mod shard;

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use steadfast_engine::{Answer, Record, StorageFailure};

use crate::error::StorageError;
use crate::layer::A_YEAR;
use crate::merge::Merged;

use flight::Flight;
use shard::{Asked, Shard, Ticket};

/// A storage of either kind, the look-ups of which are remembered for a while.
///
/// - Many look-ups of one place at one moment are one look-up of the storage; where that fails, it has failed for all of
///   them. A failure is never remembered.
/// - What is written through this cache is seen by every look-up after it. What another process writes or erases is seen
///   when what is remembered has run out: until then a goal for an erased user may bring the record back.
/// - A look-up that began before a write of the same user ended puts nothing into the cache.
/// - Every claim says that its writer has not read the place itself ([`Claim::was_read`](crate::Claim)), since what is
///   remembered may be old: a storage with only `get` and `set` is asked once more before a write.
/// - [`records_of`](crate::UserStorage::records_of) and [`scan`](crate::UserStorage::scan) always ask the storage.
///
/// Memory is bounded by the number of users; of a user it is remembered what was asked for. User ids are in memory as
/// they are.
#[derive(Debug)]
pub struct Cache<S> {
    storage: S,
    places: Places,
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheOptions {
    /// So many users at most. Then one who was not asked for lately makes room.
    pub users: usize,
    /// A record that was found or written, for so long since it was asked for.
    pub found: Duration,
    /// That there is none, for so long; zero for not at all. Another process that writes a first record is not seen
    /// meanwhile.
    pub absent: Duration,
    /// A look-up waits so long at most for another one of the same place that is under way. Then it asks the storage
    /// itself.
    pub patience: Duration,
}

impl Default for CacheOptions {
    /// 65,536 users; for a minute what was found, for a second that nothing is there; a second of patience.
    fn default() -> Self {
        CacheOptions {
            users: 65_536,
            found: Duration::from_secs(60),
            absent: Duration::from_secs(1),
            patience: Duration::from_secs(1),
        }
    }
}

impl<S> Cache<S> {
    /// Wraps a storage.
    pub fn new(storage: S, options: CacheOptions) -> Self {
        Cache { storage, places: Places::new(options) }
    }

    /// The storage that is asked for what is not remembered.
    pub fn inner(&self) -> &S {
        &self.storage
    }
}

/// Users are spread over so many locks at most, so that threads rarely meet.
const SHARDS: usize = 64;
/// A shard is for so many users at least: fewer would push each other out while there is room elsewhere.
const USERS: usize = 256;

/// What is remembered, and what is under way.
#[derive(Debug)]
struct Places {
    shards: Box<[Mutex<Shard>]>,
    /// Nobody can foresee it, so nobody can choose ids that fall into one place.
    hasher: RandomState,
    options: CacheOptions,
}

impl Places {
    fn new(options: CacheOptions) -> Places {
        let CacheOptions { users, found, absent, patience } = options;
        let options = CacheOptions {
            users,
            found: found.min(A_YEAR),
            absent: absent.min(A_YEAR),
            patience: patience.min(A_YEAR),
        };
        let shards = (options.users / USERS).clamp(1, SHARDS);
        let shard = || Mutex::new(Shard::new(options.users / shards, options.found, options.absent));
        Places { shards: (0..shards).map(|_| shard()).collect(), hasher: RandomState::default(), options }
    }

    /// The shard of a user, and the hash that finds them in it. A panic while it was locked cannot have left it half
    /// changed in a way that matters: what is missing is asked for again.
    fn of(&self, user: &str) -> (MutexGuard<'_, Shard>, u64) {
        let hash = self.hasher.hash_one(user);
        let shard = (hash >> 32) as usize % self.shards.len();
        (self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner), hash)
    }

    /// Asks for some places of a user.
    fn ask<'p>(&'p self, user: &'p str, campaigns: &[&str]) -> Asking<'p> {
        let began = Instant::now();
        let (mut shard, hash) = self.of(user);
        let asked = campaigns.iter().map(|campaign| shard.ask(hash, user, campaign, began)).collect();
        Asking { places: self, user, began, asked }
    }

    /// Begins a write of some users.
    fn write(&self, mut users: Vec<String>) -> Writing<'_> {
        users.sort_unstable();
        users.dedup();
        let began = Instant::now();
        let begin = |user: String| {
            let ticket = self.of(&user).0.begin_write(&user);
            (user, ticket)
        };
        Writing { places: self, began, tickets: users.into_iter().map(begin).collect() }
    }
}

/// Places that were asked for. Where it is dropped before the storage has answered, whoever waits for that asks again.
struct Asking<'p> {
    places: &'p Places,
    user: &'p str,
    began: Instant,
    asked: SmallVec<[Asked; 2]>,
}

impl Asking<'_> {
    /// The campaigns that this one has to look up.
    fn ours<'c>(&self, campaigns: &[&'c str]) -> SmallVec<[&'c str; 2]> {
        let asked = campaigns.iter().zip(&self.asked);
        asked.filter(|(_, asked)| matches!(asked, Asked::Ours(_))).map(|(campaign, _)| *campaign).collect()
    }

    /// What the storage has answered to these, in their order.
    fn learn(&mut self, answers: Vec<Answer>) {
        let mut answers = answers.into_iter();
        let (mut shard, hash) = self.places.of(self.user);
        for asked in &mut self.asked {
            if let Asked::Ours(flight) = asked {
                let answer = answers.next().unwrap_or_else(unanswered);
                shard.land(hash, self.user, flight, &answer, self.began);
                flight.land(answer.clone());
                *asked = Asked::Known(answer);
            }
        }
    }

    /// Somebody else's look-up that is to be waited for, and whose place it is.
    fn theirs(&self) -> Option<(usize, Arc<Flight>)> {
        let mut asked = self.asked.iter().enumerate();
        asked.find_map(|(place, asked)| match asked {
            Asked::Theirs(flight) => Some((place, Arc::clone(flight))),
            Asked::Known(_) | Asked::Ours(_) => None,
        })
    }

    /// What came of somebody else's look-up. Where nothing did, the place is asked for again.
    fn landed(&mut self, place: usize, campaigns: &[&str], answer: Option<Answer>) {
        let again = |campaign| {
            let (mut shard, hash) = self.places.of(self.user);
            shard.ask(hash, self.user, campaign, Instant::now())
        };
        if let (Some(asked), Some(campaign)) = (self.asked.get_mut(place), campaigns.get(place)) {
            *asked = answer.map_or_else(|| again(campaign), Asked::Known);
        }
    }

    /// The campaigns without an answer.
    fn left<'c>(&self, campaigns: &[&'c str]) -> Vec<&'c str> {
        let asked = campaigns.iter().zip(&self.asked);
        asked.filter(|(_, asked)| !matches!(asked, Asked::Known(_))).map(|(campaign, _)| *campaign).collect()
    }

    /// All answers, where what is left was answered so.
    fn answers(mut self, left: Vec<Answer>) -> Vec<Answer> {
        let mut left = left.into_iter();
        let answers = self.asked.iter_mut().map(|asked| match asked {
            // Not taken out: what is ours is still to be forsaken.
            Asked::Known(answer) => std::mem::replace(answer, Answer::Absent),
            Asked::Ours(_) | Asked::Theirs(_) => left.next().unwrap_or_else(unanswered),
        });
        answers.collect()
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        for asked in &self.asked {
            if let Asked::Ours(flight) = asked {
                self.places.of(self.user).0.forsake(self.user, flight);
                flight.forsake();
            }
        }
    }
}

/// A storage that answers fewer campaigns than it was asked about.
fn unanswered() -> Answer {
    Answer::Failed(StorageFailure::new("the storage gave no answer"))
}

/// What one write of several came to.
struct Written {
    user: String,
    campaign: String,
    /// What is stored now; none where nobody knows.
    record: Option<Arc<Record>>,
}

impl Written {
    fn set(record: Record, done: &Result<(), StorageError>) -> Written {
        Written {
            user: record.user_id.clone(),
            campaign: record.campaign_key.clone(),
            record: done.is_ok().then(|| Arc::new(record)),
        }
    }

    fn merged((user, campaign): (String, String), merged: &Result<Merged, StorageError>) -> Written {
        Written { user, campaign, record: merged.as_ref().ok().map(|merged| Arc::new(merged.record.clone())) }
    }
}

/// The place of a record.
fn place(record: &Record) -> (String, String) {
    (record.user_id.clone(), record.campaign_key.clone())
}

/// A write under way. Where it is dropped before it was answered, nobody knows what is stored of its users.
struct Writing<'p> {
    places: &'p Places,
    began: Instant,
    /// By user.
    tickets: Vec<(String, Ticket)>,
}

impl Writing<'_> {
    /// What is stored now, in the order of the writes.
    fn end(mut self, mut written: Vec<Written>) {
        // Stable: of two writes of one place the later one counts.
        written.sort_by(|one, other| one.user.cmp(&other.user));
        let mut written = written.into_iter().peekable();
        for (user, ticket) in std::mem::take(&mut self.tickets) {
            let theirs = std::iter::from_fn(|| written.next_if(|one| one.user == user));
            let theirs = theirs.map(|one| (one.campaign, one.record));
            let (mut shard, hash) = self.places.of(&user);
            shard.end_write(hash, &user, ticket, theirs, self.began);
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        for (user, ticket) in self.tickets.drain(..) {
            let (mut shard, hash) = self.places.of(&user);
            shard.end_unknown_write(hash, &user, ticket);
        }
    }
}

#[cfg(test)]
mod tests;
