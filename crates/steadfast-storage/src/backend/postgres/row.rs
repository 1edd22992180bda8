//! A record as a row and back.

use std::borrow::Cow;

use steadfast_engine::{GoalList, Record};
use tokio_postgres::Row;

use super::super::meta_data;
use super::text::{self, Key};
use crate::error::StorageError;

/// A record as it is written.
#[derive(Debug, Clone)]
pub(super) struct Written<'r> {
    pub(super) place: Place<'r>,
    pub(super) fields: Fields<'r>,
}

/// Where a record stands.
#[derive(Debug, Clone)]
pub(super) struct Place<'r> {
    pub(super) user: Key<'r>,
    pub(super) campaign: Key<'r>,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(super) struct Fields<'r> {
    pub(super) variation: Cow<'r, str>,
    pub(super) goals: Cow<'r, str>,
    pub(super) activated: bool,
    pub(super) meta_data: Option<String>,
}

impl<'r> Written<'r> {
    /// # Errors
    /// When its metadata could not be read again.
    pub(super) fn new(record: &'r Record) -> Result<Self, StorageError> {
        Ok(Written { place: Place::new(&record.user_id, &record.campaign_key), fields: Fields::new(record)? })
    }
}

impl<'r> Place<'r> {
    pub(super) fn new(user: &'r str, campaign: &'r str) -> Self {
        Place { user: text::key(user), campaign: text::key(campaign) }
    }

    /// What a place is known by.
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.user.short, &self.campaign.short)
    }
}

impl<'r> Fields<'r> {
    /// # Errors
    /// When its metadata could not be read again.
    pub(super) fn new(record: &'r Record) -> Result<Self, StorageError> {
        Ok(Fields {
            variation: text::escaped(&record.variation_name),
            goals: text::escaped(record.goals.as_str()),
            activated: record.activated,
            meta_data: meta_data::text(record)?,
        })
    }
}

/// The fields of a row as they stand there, in the order of `statements::FIELDS`.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    variation: String,
    goals: String,
    activated: bool,
    pub(super) meta_data: Option<String>,
}

/// A row is not what was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flaw;

impl Stored {
    /// The fields that begin at this column.
    pub(super) fn at(row: &Row, column: usize) -> Result<Stored, Flaw> {
        Ok(Stored {
            variation: get(row, column)?,
            goals: get(row, column + 1)?,
            activated: get(row, column + 2)?,
            meta_data: get(row, column + 3)?,
        })
    }

    /// The record of a place that is known.
    pub(super) fn record(&self, user_id: String, campaign_key: String) -> Result<Record, Flaw> {
        let meta_data = self.meta_data.as_deref().map(serde_json::from_str).transpose();
        Ok(Record {
            user_id,
            campaign_key,
            variation_name: text::unescaped(&self.variation).ok_or(Flaw)?,
            goals: GoalList::from_text(text::unescaped(&self.goals).ok_or(Flaw)?),
            activated: self.activated,
            meta_data: meta_data.map_err(|_| Flaw)?,
        })
    }

    /// The fields as they are compared: metadata to the letter, whoever wrote it.
    pub(super) fn as_fields(&self) -> Fields<'_> {
        Fields {
            variation: Cow::Borrowed(&self.variation),
            goals: Cow::Borrowed(&self.goals),
            activated: self.activated,
            meta_data: self.meta_data.clone(),
        }
    }
}

/// The record of a row of `statements::PLACE` and `statements::FIELDS`.
pub(super) fn record(row: &Row) -> Result<Record, Flaw> {
    let (user, campaign): (&str, &str) = (get(row, 0)?, get(row, 1)?);
    let (long_user, long_campaign): (Option<&str>, Option<&str>) = (get(row, 2)?, get(row, 3)?);
    let user = text::of_key(user, long_user).ok_or(Flaw)?;
    let campaign = text::of_key(campaign, long_campaign).ok_or(Flaw)?;
    Stored::at(row, 4)?.record(user, campaign)
}

/// The user of a row, as far as it can be read.
pub(super) fn user(row: &Row) -> String {
    let key: &str = get(row, 0).unwrap_or_default();
    text::of_key(key, get(row, 2).unwrap_or_default()).unwrap_or_else(|| key.to_owned())
}

pub(super) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Flaw> {
    row.try_get(column).map_err(|_| Flaw)
}
