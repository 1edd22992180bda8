//! Looking things up, each call in a read transaction of its own: it sees one state of the file, and waits for nobody.

use std::ops::Bound;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};
use steadfast_engine::{Answer, Record};

use super::codec::{Flaw, decode};
use super::failure::flawed;
use super::handle::Handle;
use super::open::RECORDS;
use super::{gap, key};
use crate::error::StorageError;
use crate::page::{Cursor, Page};

/// A page is not prepared for more records than this, however many are asked for.
const PREPARED: usize = 1_024;

pub(super) type Records = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The records as they are now.
pub(super) fn records(database: &Database) -> Result<Records, redb::Error> {
    Ok(database.begin_read()?.open_table(RECORDS)?)
}

/// See [`UserStorage::get`](crate::UserStorage::get).
pub(super) fn get(handle: &Handle, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
    let key = key::key(user, campaign);
    let found = handle.read(|database| find(&records(database)?, &key, handle.is_verified()))?;
    found.transpose().map_err(|flaw| flawed(handle.path(), flaw))
}

/// See [`UserStorage::get_many`](crate::UserStorage::get_many).
pub(super) fn get_many(handle: &Handle, user: &str, campaigns: &[&str]) -> Vec<Answer> {
    let found = handle.read(|database| {
        let records = records(database)?;
        campaigns
            .iter()
            .map(|campaign| find(&records, &key::key(user, campaign), handle.is_verified()))
            .collect::<Result<Vec<_>, _>>()
    });
    let failed = |error: &StorageError| Answer::Failed(error.again().into());
    match found {
        Err(error) => campaigns.iter().map(|_| failed(&error)).collect(),
        Ok(found) => found
            .into_iter()
            .map(|found| match found.transpose() {
                Ok(record) => record.into(),
                Err(flaw) => failed(&flawed(handle.path(), flaw)),
            })
            .collect(),
    }
}

/// See [`UserStorage::records_of`](crate::UserStorage::records_of).
pub(super) fn records_of(handle: &Handle, user: &str) -> Result<Vec<Record>, StorageError> {
    let (first, end) = key::keys_of(user);
    let found = handle.read(|database| {
        let records = records(database)?;
        let mut found = Vec::new();
        let is_of_user = |key: &[u8]| (first.as_slice()..end.as_slice()).contains(&key);
        for entry in ReadableTable::range::<&[u8]>(&records, first.as_slice()..end.as_slice())? {
            let (key, value) = entry?;
            found.push(decode(key.value(), value.value()));
        }
        // What is wrong with the user's own records comes first: it is what can be mended here.
        for gap in [first.as_slice(), end.as_slice()] {
            if !handle.is_verified()
                && let Err(flaw) = gap::sound(&records, Bound::Included(gap), is_of_user)?
            {
                found.push(Err(flaw));
            }
        }
        Ok(found)
    })?;
    found.into_iter().collect::<Result<_, _>>().map_err(|flaw| flawed(handle.path(), flaw))
}

/// See [`UserStorage::scan`](crate::UserStorage::scan). A place is the key of the last record before it.
pub(super) fn scan(handle: &Handle, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
    let about = about.max(1);
    let from = from.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.as_bytes()));
    let found = handle.read(|database| {
        let records = records(database)?;
        if !handle.is_verified()
            && let Err(flaw) = gap::sound(&records, from, |_| false)?
        {
            return Ok(Err(flaw));
        }
        let mut page = Page { records: Vec::with_capacity(about.min(PREPARED)), ..Page::default() };
        let mut last = Vec::new();
        for entry in ReadableTable::range::<&[u8]>(&records, (from, Bound::Unbounded))? {
            let (key, value) = entry?;
            if page.records.len() == about {
                page.next = Some(Cursor::new(last));
                break;
            }
            match decode(key.value(), value.value()) {
                Ok(record) => page.records.push(record),
                // Nobody asked for this one in particular: whose it is has to be found out.
                Err(Flaw::Corrupt) => return Ok(Err(Flaw::Beside)),
                Err(flaw) => return Ok(Err(flaw)),
            }
            if page.records.len() == about {
                last = key.value().to_vec();
            }
        }
        Ok(Ok(page))
    })?;
    found.map_err(|flaw| flawed(handle.path(), flaw))
}

/// The record with this key. It is absent in a file that `is_verified`, or where its neighbours agree.
pub(super) fn find(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    is_verified: bool,
) -> Result<Option<Result<Record, Flaw>>, redb::Error> {
    match records.get(key)? {
        Some(value) => Ok(Some(decode(key, value.value()))),
        None if is_verified => Ok(None),
        None => Ok(gap::absent(records, key)?.err().map(Err)),
    }
}
