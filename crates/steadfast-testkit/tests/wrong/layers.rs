//! Layers that make a mistake when the storage under them fails; and one that makes none.

use steadfast_engine::{Answer, Record};
use steadfast_storage::{AsyncUserStorage, Claim, Cursor, Merged, Outcome, Page, StorageError, UserStorage};

/// Takes a failed look-up for nothing.
pub(crate) struct AbsentWhenFailed<S>(pub(crate) S);

impl<S: UserStorage> UserStorage for AbsentWhenFailed<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        Ok(self.0.get(user, campaign).unwrap_or_default())
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim)
    }
}

/// Does so where several are looked up.
pub(crate) struct AbsentWhenManyFailed<S>(pub(crate) S);

impl<S: UserStorage> UserStorage for AbsentWhenManyFailed<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let answers = self.0.get_many(user, campaigns).into_iter();
        answers.map(|answer| if let Answer::Failed(_) = answer { Answer::Absent } else { answer }).collect()
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim)
    }
}

/// Says that a merge was done when it was not.
pub(crate) struct AcknowledgesFailures<S>(pub(crate) S);

impl<S: UserStorage> UserStorage for AcknowledgesFailures<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let record = claim.record.clone();
        let (new_goals, newly_activated) = (record.goals.clone(), record.activated);
        let hoped = Merged { record, outcome: Outcome::Claimed, new_goals, newly_activated };
        Ok(self.0.merge(claim).unwrap_or(hoped))
    }
}

/// Says that all of a batch was done when the first of it was.
pub(crate) struct ForgetsTheHalf<S>(pub(crate) S);

impl<S: UserStorage> UserStorage for ForgetsTheHalf<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let mut results = self.0.merge_many(claims);
        if let Some(Ok(first)) = results.first() {
            let first = first.clone();
            results.iter_mut().for_each(|result| *result = Ok(first.clone()));
        }
        results
    }
}

/// Has only `get` and `set`, whatever is under it.
pub(crate) struct GetAndSet<S>(pub(crate) S);

impl<S: UserStorage> UserStorage for GetAndSet<S> {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }
}

/// Answers later, and as the storage under it does.
pub(crate) struct Later<S>(pub(crate) S);

impl<S: UserStorage> AsyncUserStorage for Later<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        tokio::task::yield_now().await;
        self.0.get(user, campaign)
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.set(record)
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        tokio::task::yield_now().await;
        self.0.merge(claim)
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        tokio::task::yield_now().await;
        self.0.merge_many(claims)
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.0.records_of(user)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.0.erase(user)
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.0.scan(from, about)
    }
}
