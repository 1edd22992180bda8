//! Counting records by campaign and variation.

use std::collections::BTreeMap;

use steadfast::engine::Record;

/// How many records there are of what.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) not_activated: u64,
    /// By campaign key, then variation name.
    pub(super) campaigns: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Tally {
    pub(super) fn count(&mut self, record: &Record) {
        self.records += 1;
        self.not_activated += u64::from(!record.activated);
        // Names are copied once, not for each record.
        match self.campaigns.get_mut(&*record.campaign_key) {
            Some(variations) => match variations.get_mut(&*record.variation_name) {
                Some(records) => *records += 1,
                None => {
                    variations.insert(record.variation_name.to_string(), 1);
                }
            },
            None => {
                let variations = BTreeMap::from([(record.variation_name.to_string(), 1)]);
                self.campaigns.insert(record.campaign_key.to_string(), variations);
            }
        }
    }
}
