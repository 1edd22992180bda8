//! The User Storage Service, in its two kinds. `get` and `set` are all that must be written; the rest is built on them.

use std::future::Future;

use steadfast_engine::{Answer, Record, StorageFailure};

use crate::error::StorageError;
use crate::merge::{Claim, Condition, Merged, Outcome, merge};

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

    /// The records of a user in several campaigns, in their order. By default one `get` each.
    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        campaigns.iter().map(|campaign| answer(self.get(user, campaign))).collect()
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
}

/// A storage that answers later. The same contract as [`UserStorage`].
pub trait AsyncUserStorage: Send + Sync {
    /// The record of a user in a campaign; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the storage cannot say. That is not the same as none (decision D-9).
    fn get(&self, user: &str, campaign: &str) -> impl Future<Output = Result<Option<Record>, StorageError>> + Send;

    /// Keeps a record in the place of its user and campaign, over whatever is there.
    ///
    /// # Errors
    /// When the storage cannot keep it.
    fn set(&self, record: Record) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// The records of a user in several campaigns, in their order. By default one `get` each, one after the other.
    fn get_many(&self, user: &str, campaigns: &[&str]) -> impl Future<Output = Vec<Answer>> + Send {
        async move {
            let mut answers = Vec::with_capacity(campaigns.len());
            for campaign in campaigns {
                answers.push(answer(self.get(user, campaign).await));
            }
            answers
        }
    }

    /// Keeps a record under the contract of [`merge`](mod@crate::merge). By default with `get` and `set`, as
    /// [`UserStorage::merge`].
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
}

impl<S: UserStorage + ?Sized> UserStorage for std::sync::Arc<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        (**self).get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        (**self).set(record)
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        (**self).get_many(user, campaigns)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        (**self).merge(claim)
    }
}

/// A look-up as the engine hears of it.
fn answer(found: Result<Option<Record>, StorageError>) -> Answer {
    match found {
        Ok(Some(record)) => Answer::Found(record),
        Ok(None) => Answer::Absent,
        Err(error) => Answer::Failed(StorageFailure::new(error.to_string())),
    }
}

/// What a claim comes to where its condition holds.
fn written(claim: Claim) -> Merged {
    let outcome = match claim.condition {
        Condition::Absent | Condition::Unknown => Outcome::Claimed,
        Condition::Stored => Outcome::Kept,
        Condition::Replaces(_) => Outcome::Replaced,
    };
    Merged { new_goals: claim.goal.is_some(), record: claim.record, outcome }
}
