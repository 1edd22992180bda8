//! The User Storage Service, in its two kinds. `get` and `set` are all that must be written; the rest is built on them.
//!
//! What a storage cannot do with `get` and `set` alone (all of a user's records, erasing, reading through everything)
//! it answers with [`StorageErrorKind::Unsupported`]; built-in backends can do all of it.

use std::future::Future;
use std::sync::Arc;

use steadfast_engine::{Answer, Record};

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition, Merged, Outcome, merge};
use crate::page::{Cursor, Page};

/// A storage that answers in place.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
/// use steadfast_engine::Record;
/// use steadfast_storage::{StorageError, UserStorage};
///
/// #[derive(Default)]
/// struct MyStorage(Mutex<HashMap<(String, String), Record>>);
///
/// impl UserStorage for MyStorage {
///     fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
///         Ok(self.0.lock().unwrap().get(&(user.to_owned(), campaign.to_owned())).cloned())
///     }
///     fn set(&self, record: Record) -> Result<(), StorageError> {
///         self.0.lock().unwrap().insert((record.user_id.clone(), record.campaign_key.clone()), record);
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no storage that answers in place",
    label = "has no `get` and `set` that answer in place",
    note = "implement `UserStorage` for it, with `get` and `set`; behind a pointer it goes into an `Arc`",
    note = "one that answers later, an `AsyncUserStorage`, goes to `Client::storage`; `bridge::Waited` makes it one that \
            answers in place"
)]
pub trait UserStorage: Send + Sync {
    /// The record of a user in a campaign; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the storage cannot say. That is not the same as none (decision D-9).
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError>;

    /// Keeps a record in the place of its user and campaign, over whatever is there.
    ///
    /// # Errors
    /// When the storage cannot keep it.
    fn set(&self, record: Record) -> Result<(), StorageError>;

    /// [`get`](Self::get) as the engine wants to hear of it. A storage in memory can share its record without a copy.
    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        answer(self.get(user, campaign))
    }

    /// The records of a user in several campaigns, in their order. By default one look-up each.
    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        campaigns.iter().map(|campaign| self.look_up(user, campaign)).collect()
    }

    /// Keeps several records, in their order; what became of each. By default one `set` each.
    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        records.into_iter().map(|record| self.set(record)).collect()
    }

    /// Keeps a record under the contract of [`merge`](mod@crate::merge). By default with a `set`, after a `get` where the
    /// writer has not read the place itself: of two writers at one moment the later wins. Built-in backends do it in one
    /// step, and the first wins.
    ///
    /// # Errors
    /// When the storage cannot say what is there, or cannot keep the record.
    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        if claim.was_read {
            let merged = written(claim);
            return self.set(merged.record.clone()).map(|()| merged);
        }
        let stored = self.get(&claim.record.user_id, &claim.record.campaign_key)?;
        let merged = merge(stored.as_ref(), &claim);
        if stored.as_ref() != Some(&merged.record) {
            self.set(merged.record.clone())?;
        }
        Ok(merged)
    }

    /// Merges several claims, in their order; what became of each. By default one [`merge`](Self::merge) each.
    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        claims.into_iter().map(|claim| self.merge(claim)).collect()
    }

    /// All records of a user, sorted by campaign key.
    ///
    /// # Errors
    /// When the storage cannot say; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn records_of(&self, _user: &str) -> Result<Vec<Record>, StorageError> {
        Err(unsupported("list the records of a user"))
    }

    /// Erases all records of a user; how many there were.
    ///
    /// # Errors
    /// When the storage cannot erase them; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn erase(&self, _user: &str) -> Result<u64, StorageError> {
        Err(unsupported("erase a user"))
    }

    /// Some of all the records, from a place on: from the first one where there is no place. It may be called while
    /// others write; a record that is there all the time comes exactly once. `about` says how many records are wanted: a
    /// page may have more or fewer, even none, and the end is where it has no `next`.
    ///
    /// # Errors
    /// When the storage cannot say; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn scan(&self, _from: Option<&Cursor>, _about: usize) -> Result<Page, StorageError> {
        Err(unsupported("read through all records"))
    }

    /// Waits until nothing is kept back that was written for a user before, so that what it says of them from now on is
    /// what is stored. Whoever confirms a decision asks for it. By default there is nothing to wait for; a layer that keeps
    /// writes back, or passes calls on to a storage that may, overrides it.
    ///
    /// # Errors
    /// When something is kept back still, since it could not be written.
    fn settle(&self, _user: &str) -> Result<(), StorageError> {
        Ok(())
    }

    /// How it likes to be written to.
    fn writes(&self) -> Writes {
        Writes::OneByOne
    }
}

/// A storage that answers later. The same contract as [`UserStorage`], method by method.
///
/// ```
/// use steadfast_engine::Record;
/// use steadfast_storage::{AsyncUserStorage, StorageError};
///
/// struct MyStorage(/* a connection pool */);
///
/// impl AsyncUserStorage for MyStorage {
///     async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
///         # let _ = (user, campaign);
///         Ok(None) // ask the database, and await its answer
///     }
///     async fn set(&self, record: Record) -> Result<(), StorageError> {
///         # let _ = record;
///         Ok(()) // tell the database
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no storage that answers later",
    label = "has no `get` and `set` that are awaited",
    note = "implement `AsyncUserStorage` for it, with `get` and `set`; behind a pointer it goes into an `Arc`",
    note = "one that answers in place, a `UserStorage` such as `MemoryStorage` or `EmbeddedStorage`, goes to \
            `blocking_storage`; `bridge::Offloaded` makes it one that answers later"
)]
pub trait AsyncUserStorage: Send + Sync {
    /// See [`UserStorage::get`].
    ///
    /// # Errors
    /// When the storage cannot say. That is not the same as none (decision D-9).
    fn get(&self, user: &str, campaign: &str) -> impl Future<Output = Result<Option<Record>, StorageError>> + Send;

    /// See [`UserStorage::set`].
    ///
    /// # Errors
    /// When the storage cannot keep it.
    fn set(&self, record: Record) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// See [`UserStorage::get_many`]. By default one `get` each, one after the other.
    fn get_many(&self, user: &str, campaigns: &[&str]) -> impl Future<Output = Vec<Answer>> + Send {
        async move {
            let mut answers = Vec::with_capacity(campaigns.len());
            for campaign in campaigns {
                answers.push(answer(self.get(user, campaign).await));
            }
            answers
        }
    }

    /// See [`UserStorage::set_many`].
    fn set_many(&self, records: Vec<Record>) -> impl Future<Output = Vec<Result<(), StorageError>>> + Send {
        async move {
            let mut results = Vec::with_capacity(records.len());
            for record in records {
                results.push(self.set(record).await);
            }
            results
        }
    }

    /// See [`UserStorage::merge`].
    ///
    /// # Errors
    /// When the storage cannot say what is there, or cannot keep the record.
    fn merge(&self, claim: Claim) -> impl Future<Output = Result<Merged, StorageError>> + Send {
        async move {
            if claim.was_read {
                let merged = written(claim);
                return self.set(merged.record.clone()).await.map(|()| merged);
            }
            let stored = self.get(&claim.record.user_id, &claim.record.campaign_key).await?;
            let merged = merge(stored.as_ref(), &claim);
            if stored.as_ref() != Some(&merged.record) {
                self.set(merged.record.clone()).await?;
            }
            Ok(merged)
        }
    }

    /// See [`UserStorage::merge_many`].
    fn merge_many(&self, claims: Vec<Claim>) -> impl Future<Output = Vec<Result<Merged, StorageError>>> + Send {
        async move {
            let mut results = Vec::with_capacity(claims.len());
            for claim in claims {
                results.push(self.merge(claim).await);
            }
            results
        }
    }

    /// See [`UserStorage::records_of`].
    ///
    /// # Errors
    /// When the storage cannot say; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn records_of(&self, _user: &str) -> impl Future<Output = Result<Vec<Record>, StorageError>> + Send {
        async { Err(unsupported("list the records of a user")) }
    }

    /// See [`UserStorage::erase`].
    ///
    /// # Errors
    /// When the storage cannot erase them; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn erase(&self, _user: &str) -> impl Future<Output = Result<u64, StorageError>> + Send {
        async { Err(unsupported("erase a user")) }
    }

    /// See [`UserStorage::scan`].
    ///
    /// # Errors
    /// When the storage cannot say; [`StorageErrorKind::Unsupported`] when it has only `get` and `set`.
    fn scan(&self, _from: Option<&Cursor>, _about: usize) -> impl Future<Output = Result<Page, StorageError>> + Send {
        async { Err(unsupported("read through all records")) }
    }

    /// See [`UserStorage::settle`].
    ///
    /// # Errors
    /// When something is kept back still, since it could not be written.
    fn settle(&self, _user: &str) -> impl Future<Output = Result<(), StorageError>> + Send {
        async { Ok(()) }
    }

    /// See [`UserStorage::writes`].
    fn writes(&self) -> Writes {
        Writes::OneByOne
    }
}

/// How a storage likes to be written to, which a client goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// At once, where the caller stands: writing costs no more than handing over would, and never waits.
    InPlace,
    /// At once, where the caller stands, which only begins them: what was written may be found a while later, and a client
    /// goes by what it has written until then. So is a function of somebody's that returns before its promise is kept.
    Begun,
    /// Handed over, each claim by itself, several side by side.
    OneByOne,
    /// Handed over, about so many claims in one [`merge_many`](UserStorage::merge_many), which costs little more than
    /// a single one: the claims of one user stay together.
    Together(usize),
}

impl Writes {
    /// Whether they are done where the caller stands.
    #[must_use]
    pub fn are_in_place(self) -> bool {
        matches!(self, Writes::InPlace | Writes::Begun)
    }
}

impl<S: UserStorage + ?Sized> UserStorage for Arc<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        (**self).get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        (**self).set(record)
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        (**self).look_up(user, campaign)
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        (**self).get_many(user, campaigns)
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        (**self).set_many(records)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        (**self).merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        (**self).merge_many(claims)
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        (**self).records_of(user)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        (**self).erase(user)
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        (**self).scan(from, about)
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        (**self).settle(user)
    }

    fn writes(&self) -> Writes {
        (**self).writes()
    }
}

impl<S: AsyncUserStorage + ?Sized> AsyncUserStorage for Arc<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        (**self).get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        (**self).set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        (**self).get_many(user, campaigns).await
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        (**self).set_many(records).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        (**self).merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        (**self).merge_many(claims).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        (**self).records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        (**self).erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        (**self).scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        (**self).settle(user).await
    }

    fn writes(&self) -> Writes {
        (**self).writes()
    }
}

/// A look-up as the engine hears of it.
pub(crate) fn answer(found: Result<Option<Record>, StorageError>) -> Answer {
    match found {
        Ok(found) => found.into(),
        Err(error) => Answer::Failed(error.into()),
    }
}

/// What a claim comes to where its condition holds.
fn written(claim: Claim) -> Merged {
    let outcome = match claim.condition {
        Condition::Absent | Condition::Unknown => Outcome::Claimed,
        Condition::Stored => Outcome::Kept,
        Condition::Replaces(_) => Outcome::Replaced,
    };
    let new_goals = match outcome {
        Outcome::Kept => claim.goal.map(steadfast_engine::GoalList::from_text).unwrap_or_default(),
        Outcome::Claimed | Outcome::Replaced => claim.record.goals.clone(),
    };
    Merged { new_goals, newly_activated: claim.record.activated, record: claim.record, outcome }
}

fn unsupported(what: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Unsupported, format!("this storage cannot {what}: it has only `get` and `set`"))
}
