//! What was stored before the last write of a place.

use std::collections::HashMap;

use steadfast_engine::Record;

/// A user and a campaign.
pub(super) type Place = (String, String);

/// The record before the last one, by place.
#[derive(Debug, Default)]
pub(super) struct Past(HashMap<Place, Option<Record>>);

impl Past {
    pub(super) fn put(&mut self, places: Vec<(Place, Option<Record>)>) {
        self.0.extend(places);
    }

    /// What was there before the last write; none if there was no write.
    pub(super) fn before(&self, user: &str, campaign: &str) -> Option<Option<Record>> {
        self.0.get(&(user.to_owned(), campaign.to_owned())).cloned()
    }
}

/// The place of a record.
pub(super) fn place(record: &Record) -> Place {
    (record.user_id.clone(), record.campaign_key.clone())
}
