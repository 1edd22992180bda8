//! An asynchronous storage as a value that can be held without naming its type.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use steadfast_engine::{Answer, Record};

use crate::error::StorageError;
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::user_storage::{AsyncUserStorage, Writes};

/// An answer that is still to come.
pub type Later<'s, R> = Pin<Box<dyn Future<Output = R> + Send + 's>>;

/// [`AsyncUserStorage`] behind a pointer: `Arc<dyn HeldUserStorage>`. Every asynchronous storage is one; nobody
/// implements it.
pub trait HeldUserStorage: Send + Sync {
    /// See [`AsyncUserStorage::get`].
    fn get<'s>(&'s self, user: &'s str, campaign: &'s str) -> Later<'s, Result<Option<Record>, StorageError>>;

    /// See [`AsyncUserStorage::set`].
    fn set(&self, record: Record) -> Later<'_, Result<(), StorageError>>;

    /// See [`AsyncUserStorage::merge`].
    fn merge(&self, claim: Claim) -> Later<'_, Result<Merged, StorageError>>;

    /// See [`AsyncUserStorage::get_many`].
    fn get_many<'s>(&'s self, user: &'s str, campaigns: &'s [&'s str]) -> Later<'s, Vec<Answer>>;

    /// See [`AsyncUserStorage::set_many`].
    fn set_many(&self, records: Vec<Record>) -> Later<'_, Vec<Result<(), StorageError>>>;

    /// See [`AsyncUserStorage::merge_many`].
    fn merge_many(&self, claims: Vec<Claim>) -> Later<'_, Vec<Result<Merged, StorageError>>>;

    /// See [`AsyncUserStorage::records_of`].
    fn records_of<'s>(&'s self, user: &'s str) -> Later<'s, Result<Vec<Record>, StorageError>>;

    /// See [`AsyncUserStorage::erase`].
    fn erase<'s>(&'s self, user: &'s str) -> Later<'s, Result<u64, StorageError>>;

    /// See [`AsyncUserStorage::scan`].
    fn scan<'s>(&'s self, from: Option<&'s Cursor>, about: usize) -> Later<'s, Result<Page, StorageError>>;

    /// See [`AsyncUserStorage::settle`].
    fn settle<'s>(&'s self, user: &'s str) -> Later<'s, Result<(), StorageError>>;

    /// See [`AsyncUserStorage::writes`].
    fn writes(&self) -> Writes;
}

impl<S: AsyncUserStorage> HeldUserStorage for S {
    fn get<'s>(&'s self, user: &'s str, campaign: &'s str) -> Later<'s, Result<Option<Record>, StorageError>> {
        Box::pin(AsyncUserStorage::get(self, user, campaign))
    }

    fn set(&self, record: Record) -> Later<'_, Result<(), StorageError>> {
        Box::pin(AsyncUserStorage::set(self, record))
    }

    fn merge(&self, claim: Claim) -> Later<'_, Result<Merged, StorageError>> {
        Box::pin(AsyncUserStorage::merge(self, claim))
    }

    fn get_many<'s>(&'s self, user: &'s str, campaigns: &'s [&'s str]) -> Later<'s, Vec<Answer>> {
        Box::pin(AsyncUserStorage::get_many(self, user, campaigns))
    }

    fn set_many(&self, records: Vec<Record>) -> Later<'_, Vec<Result<(), StorageError>>> {
        Box::pin(AsyncUserStorage::set_many(self, records))
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Later<'_, Vec<Result<Merged, StorageError>>> {
        Box::pin(AsyncUserStorage::merge_many(self, claims))
    }

    fn records_of<'s>(&'s self, user: &'s str) -> Later<'s, Result<Vec<Record>, StorageError>> {
        Box::pin(AsyncUserStorage::records_of(self, user))
    }

    fn erase<'s>(&'s self, user: &'s str) -> Later<'s, Result<u64, StorageError>> {
        Box::pin(AsyncUserStorage::erase(self, user))
    }

    fn scan<'s>(&'s self, from: Option<&'s Cursor>, about: usize) -> Later<'s, Result<Page, StorageError>> {
        Box::pin(AsyncUserStorage::scan(self, from, about))
    }

    fn settle<'s>(&'s self, user: &'s str) -> Later<'s, Result<(), StorageError>> {
        Box::pin(AsyncUserStorage::settle(self, user))
    }

    fn writes(&self) -> Writes {
        AsyncUserStorage::writes(self)
    }
}

/// An asynchronous storage whose type is known when the program runs: one of several, by a URL, say. It is a storage like
/// any other, and may be cloned.
#[derive(Clone)]
pub struct Held(Arc<dyn HeldUserStorage>);

impl Held {
    /// Holds a storage.
    pub fn new(storage: impl AsyncUserStorage + 'static) -> Held {
        Held(Arc::new(storage))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Held").finish_non_exhaustive()
    }
}

impl AsyncUserStorage for Held {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign).await
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.0.get_many(user, campaigns).await
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.0.set_many(records).await
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.0.merge(claim).await
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.0.merge_many(claims).await
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.0.records_of(user).await
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.0.erase(user).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.0.scan(from, about).await
    }

    async fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.0.settle(user).await
    }

    fn writes(&self) -> Writes {
        self.0.writes()
    }
}
