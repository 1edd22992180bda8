//! An asynchronous storage as a value that can be held without naming its type.

use std::future::Future;
use std::pin::Pin;

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

    /// See [`AsyncUserStorage::writes`].
    fn writes(&self) -> Writes;
}

impl<S: AsyncUserStorage> HeldUserStorage for S {
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

    fn writes(&self) -> Writes {
        AsyncUserStorage::writes(self)
    }
}
