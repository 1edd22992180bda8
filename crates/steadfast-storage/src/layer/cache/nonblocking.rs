//! The storage that answers later. Beside [`blocking`](super::blocking).

use steadfast_engine::{Answer, Record};
use tokio::time::Instant;

use super::flight::Waited;
use super::{Cache, Written, place};
use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{AsyncUserStorage, Writes};

impl<S: AsyncUserStorage> AsyncUserStorage for Cache<S> {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let found = self.get_many(user, &[campaign]).await.pop().unwrap_or_else(super::unanswered);
        match found {
            Answer::Found(record) => Ok(Some(Record::clone(&record))),
            Answer::Absent => Ok(None),
            Answer::Failed(failure) => Err(failure.into()),
        }
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let writing = self.places.write(vec![record.user_id.clone()]);
        let wanted = record.clone();
        let done = self.storage.set(record).await;
        writing.end(vec![Written::set(wanted, &done)]);
        done
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let mut asking = self.places.ask(user, campaigns);
        let until = Instant::now() + self.places.options.patience;
        loop {
            let ours = asking.ours(campaigns);
            if !ours.is_empty() {
                asking.learn(self.storage.get_many(user, &ours).await);
            }
            let Some((place, flight)) = asking.theirs() else { return asking.answers(Vec::new()) };
            match flight.wait(until).await {
                Waited::For(answer) => asking.landed(place, campaigns, answer),
                Waited::TooLong => {
                    let left = self.storage.get_many(user, &asking.left(campaigns)).await;
                    return asking.answers(left);
                }
            }
        }
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let writing = self.places.write(records.iter().map(|record| record.user_id.clone()).collect());
        let wanted = records.clone();
        let done = self.storage.set_many(records).await;
        writing.end(wanted.into_iter().zip(&done).map(|(wanted, done)| Written::set(wanted, done)).collect());
        done
    }

    async fn merge(&self, mut claim: Claim) -> Result<Merged, StorageError> {
        let writing = self.places.write(vec![claim.record.user_id.clone()]);
        let place = place(&claim.record);
        claim.was_read = false;
        let merged = self.storage.merge(claim).await;
        writing.end(vec![Written::merged(place, &merged)]);
        merged
    }

    async fn merge_many(&self, mut claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let writing = self.places.write(claims.iter().map(|claim| claim.record.user_id.clone()).collect());
        let places: Vec<_> = claims.iter().map(|claim| place(&claim.record)).collect();
        claims.iter_mut().for_each(|claim| claim.was_read = false);
        let merged = self.storage.merge_many(claims).await;
        writing.end(places.into_iter().zip(&merged).map(|(place, merged)| Written::merged(place, merged)).collect());
        merged
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.storage.records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        // Dropped at the end: nothing is known of the user any more, whatever came of it.
        let _writing = self.places.write(vec![user.to_owned()]);
        self.storage.erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.storage.scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        // What is remembered of the user is not the storage's word of now.
        drop(self.places.write(vec![user.to_owned()]));
        self.storage.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
