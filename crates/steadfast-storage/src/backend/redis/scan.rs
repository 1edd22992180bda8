//! Reading through all records.
//!
//! A Cluster is read slot by slot: a slot lists its keys at once, on the node that has all of it. While it moves from one
//! node to another it has none, and reading waits a little, and fails then. One server is read by `SCAN`, which may name a key twice while it makes its
//! table larger or smaller; so a fingerprint of every user is kept until the end, 16 bytes each.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use redis::{cmd, from_redis_value};

use super::command;
use super::link::Link;
use super::storage::RedisStorage;
use crate::error::{StorageError, StorageErrorKind};
use crate::page::{Cursor, Page};

/// Slots of a Cluster.
const SLOTS: u16 = 16_384;

/// Most slots have fewer keys than this, up to some millions of users.
const IN_A_SLOT: usize = 1_000;

/// A slot that moves is asked for again so often, after such a pause.
const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(100);

/// So many slots are asked at one moment.
const SIDE_BY_SIDE: u16 = 64;

/// So many scans of one server may be under way; the one longest untouched is forgotten for another.
const AT_ONCE: usize = 8;

/// The scans under way, and what they have seen.
#[derive(Default)]
pub(super) struct Scans {
    known: Mutex<Known>,
    hashers: [RandomState; 2],
}

#[derive(Default)]
struct Known {
    begun: u64,
    scans: VecDeque<Scan>,
}

struct Scan {
    number: u64,
    connection: Option<u64>,
    seen: HashSet<(u64, u64)>,
}

impl Scans {
    /// The users of these that a scan has not seen. `None` for a scan that was forgotten, or that was on another connection:
    /// a server that was started anew counts its keys in another order.
    fn new_to(&self, scan: u64, connection: u64, users: Vec<String>) -> Option<Vec<String>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.scans.iter().position(|known| known.number == scan)?;
        let mut entry = known.scans.remove(place)?;
        if *entry.connection.get_or_insert(connection) != connection {
            return None;
        }
        let new = users.into_iter().filter(|user| !entry.seen.contains(&self.print(user))).collect();
        known.scans.push_back(entry);
        Some(new)
    }

    /// A scan has seen these. Not before they are read: a page that failed is asked for again.
    fn saw(&self, scan: u64, users: &[String]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.scans.iter_mut().find(|known| known.number == scan) {
            known.seen.extend(users.iter().map(|user| self.print(user)));
        }
    }

    fn print(&self, user: &str) -> (u64, u64) {
        (self.hashers[0].hash_one(user), self.hashers[1].hash_one(user))
    }

    fn begin(&self) -> u64 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.begun += 1;
        let number = known.begun;
        if known.scans.len() == AT_ONCE {
            known.scans.pop_front();
        }
        known.scans.push_back(Scan { number, connection: None, seen: HashSet::new() });
        number
    }

    fn end(&self, scan: u64) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).scans.retain(|known| known.number != scan);
    }
}

/// See [`UserStorage::scan`](crate::UserStorage::scan).
pub(super) async fn page(
    storage: &RedisStorage,
    link: &Arc<Link>,
    scans: &Scans,
    from: Option<&Cursor>,
    about: usize,
) -> Result<Page, StorageError> {
    if link.is_cluster() {
        of_slots(storage, link, from, about).await
    } else {
        of_server(storage, link, scans, from, about).await
    }
}

async fn of_slots(
    storage: &RedisStorage,
    link: &Arc<Link>,
    from: Option<&Cursor>,
    about: usize,
) -> Result<Page, StorageError> {
    let mut slot = from.map(place).transpose()?.map_or(0, u16::from_be_bytes);
    let mut page = Page::default();
    while slot < SLOTS && page.records.len() < about {
        let end = (slot + SIDE_BY_SIDE).min(SLOTS);
        let users = try_join_all((slot..end).map(|slot| users_in(link, slot))).await?;
        add_records(&mut page, storage, &users.concat()).await?;
        slot = end;
    }
    page.next = (slot < SLOTS).then(|| Cursor::new(slot.to_be_bytes()));
    Ok(page)
}

async fn users_in(link: &Arc<Link>, slot: u16) -> Result<Vec<String>, StorageError> {
    let mut many = IN_A_SLOT;
    let mut tries = 0;
    loop {
        let mut list = cmd("CLUSTER");
        list.arg("GETKEYSINSLOT").arg(slot).arg(many);
        // A node lists what it has of a slot, and that may be nothing, or half of it, while the slot moves to it or away.
        // Whether it has the slot, and all of it, shows when it is asked for a key that is not there, before and after.
        let probe = command::probe(&link.options().prefix, slot);
        let answers = link.run_at(slot, &[probe.clone(), list, probe]).await;
        let keys: Vec<Vec<u8>> = match answers {
            Ok(mut answers) if answers.len() == 3 => from_redis_value(answers.swap_remove(1))
                .map_err(|_| StorageError::new(StorageErrorKind::Other, "Redis gave no list of keys"))?,
            Ok(_) => return Err(StorageError::new(StorageErrorKind::Other, "Redis gave fewer answers")),
            // Where it has moved to is looked up meanwhile.
            Err(error) if error.is_temporary() && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        // A slot lists the newest first: where it has more than was asked for, any of those that were there before may
        // be missing, and it does no good to count them first, since others come meanwhile.
        if keys.len() < many {
            return Ok(users(link, &keys));
        }
        many *= 4;
    }
}

async fn of_server(
    storage: &RedisStorage,
    link: &Arc<Link>,
    scans: &Scans,
    from: Option<&Cursor>,
    about: usize,
) -> Result<Page, StorageError> {
    let (scan, at) = match from {
        None => (scans.begin(), 0),
        Some(cursor) => {
            let number = u128::from_be_bytes(place(cursor)?);
            ((number >> 64) as u64, number as u64)
        }
    };
    let mut command = cmd("SCAN");
    command.arg(at).arg("MATCH").arg(pattern(&link.options().prefix)).arg("COUNT").arg(about);
    let (connection, (next, keys)): (u64, (u64, Vec<Vec<u8>>)) = link.run_numbered(&command).await?;
    let Some(users) = scans.new_to(scan, connection, users(link, &keys)) else {
        return Err(StorageError::new(
            StorageErrorKind::Other,
            "this reading through all records was left for too long, or the server was away meanwhile: begin it anew",
        ));
    };
    let mut page = Page::default();
    add_records(&mut page, storage, &users).await?;
    scans.saw(scan, &users);
    if next == 0 {
        scans.end(scan);
    }
    let cursor = || Cursor::new((u128::from(scan) << 64 | u128::from(next)).to_be_bytes());
    page.next = (next != 0).then(cursor);
    Ok(page)
}

/// Adds the records of some users to a page.
async fn add_records(page: &mut Page, storage: &RedisStorage, users: &[String]) -> Result<(), StorageError> {
    let found = join_all(users.iter().map(|user| storage.records_in(user))).await;
    for (user, found) in users.iter().zip(found) {
        let records = found.unwrap_or_else(|error| vec![Err(error)]);
        for record in records {
            match record {
                Ok(record) => page.records.push(record),
                Err(error) if error.kind() == StorageErrorKind::Corrupt => page.damaged.push(user.clone()),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn users(link: &Link, keys: &[Vec<u8>]) -> Vec<String> {
    keys.iter().filter_map(|key| command::user(&link.options().prefix, key)).map(str::to_owned).collect()
}

/// What `SCAN` looks for: the keys of users, whatever the prefix is made of.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::new();
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push_str("{*}");
    pattern
}

/// What a cursor says.
///
/// # Errors
/// When it is another storage's.
fn place<const N: usize>(cursor: &Cursor) -> Result<[u8; N], StorageError> {
    cursor
        .as_bytes()
        .try_into()
        .map_err(|_| StorageError::new(StorageErrorKind::Other, "this place between records is of another storage"))
}
