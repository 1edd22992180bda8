//! User ids are kept as keyed hashes.
//!
//! Modules: `key` (how a key is read), `carry` (what is found under an old key), `in_hand` (one call at a time for a user
//! who is carried over or erased), `blocking` and `nonblocking` (the two kinds, method by method the same).

mod blocking;
mod carry;
mod in_hand;
mod key;
mod nonblocking;

use std::sync::Arc;

use blake3::Hash;
use steadfast_engine::{Answer, Record};

use crate::merge::Merged;

use in_hand::InHand;

pub use key::{PseudonymKey, PseudonymKeyError};

/// A storage of either kind to which users are known by pseudonym alone: BLAKE3 of the user id under a secret key, as 64
/// hexadecimal digits. Whoever reads the storage without the key can tell neither who a user is, nor whether a given user
/// is there.
///
/// Records come back with the id that the caller named. [`scan`](crate::UserStorage::scan) has no id to give back: its
/// records carry pseudonyms. What else is in a record is kept as it is: metadata that says who the user is still does.
///
/// # Another key
/// [`with_old_key`](Self::with_old_key) names keys of before. What is not found under the key is looked for under these,
/// in their order; a user who is found there is carried over, all records, and erased there. So each write costs one call
/// more for each old key, and so does a look-up that finds nothing, which then asks once more under the key.
///
/// Where some processes know the new key and others do not, one does not find what another writes: first let all know
/// both, the old one still as the key, then turn them round. While some have turned and others have not, two of them may
/// carry a user to and fro, and what is written for that user at that moment may be lost: let it be short.
///
/// In one process a user is erased before they are carried over, or after, and is gone then. Another process that carries
/// the user over at that very moment may bring them back: where both may be, erase once more.
///
/// A user who never comes again is never carried over: drop an old key once nobody is owed what was decided under it.
///
/// A storage with only `get` and `set` is asked about each campaign, and cannot erase: there the old records stay.
#[derive(Debug)]
pub struct Pseudonym<S> {
    storage: S,
    key: PseudonymKey,
    old: Vec<PseudonymKey>,
    in_hand: InHand,
}

impl<S> Pseudonym<S> {
    /// Wraps a storage, in which users are known by their pseudonyms under this key.
    pub fn new(storage: S, key: PseudonymKey) -> Self {
        Pseudonym { storage, key, old: Vec::new(), in_hand: InHand::default() }
    }

    /// The same, which also looks under this key, after those that were named before it, for what nobody has carried over
    /// yet.
    #[must_use]
    pub fn with_old_key(mut self, key: PseudonymKey) -> Self {
        self.old.push(key);
        self
    }

    /// What a user is called in the storage, for whoever looks for them there.
    #[must_use]
    pub fn pseudonym(&self, user: &str) -> String {
        self.key.hash(user).to_hex().to_string()
    }

    fn named<'u>(&self, user: &'u str) -> Named<'u> {
        Named { user, hash: self.key.hash(user) }
    }

    /// The storage that knows pseudonyms.
    pub fn inner(&self) -> &S {
        &self.storage
    }
}

/// A user, by both names.
struct Named<'u> {
    user: &'u str,
    hash: Hash,
}

impl Named<'_> {
    /// The record as the caller knows it. One of somebody else stays theirs: it must not be taken for this user's.
    fn back(&self, mut record: Record) -> Record {
        if record.is_of(&self.hash.to_hex()) {
            self.user.clone_into(&mut record.user_id);
        }
        record
    }

    fn merged_back(&self, merged: Merged) -> Merged {
        Merged { record: self.back(merged.record), ..merged }
    }

    fn answered_back(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Found(record) => Answer::Found(Arc::new(self.back(Arc::unwrap_or_clone(record)))),
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests;
