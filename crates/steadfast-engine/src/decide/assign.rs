//! The variation of a user who may take part: their bucket, and the range it falls into.

use super::call::Call;
use super::trace::{Notes, RangeTrace, Stage};
use crate::bucket::Admission;
use crate::settings::{Campaign, VariationIndex};

/// The variation whose range holds the user's bucket (spec BKT-32).
#[inline(always)]
pub(super) fn variation(
    call: &Call<'_, '_>,
    campaign: &Campaign,
    admission: Admission,
    notes: &mut impl Notes,
) -> Option<VariationIndex> {
    let user = &*call.request.user;
    let bucket = campaign.bucketer.variation_bucket(user, admission);
    let chosen = campaign.variation_in_range(bucket);
    notes.note(|| Stage::Assignment {
        mode: campaign.bucketer.mode(),
        seed: format!("{}{user}", campaign.bucketer.variation_prefix()),
        hash: campaign.bucketer.variation_hash(user, admission),
        multiplier: campaign.bucketer.multiplier(),
        bucket,
        ranges: campaign
            .variations
            .iter()
            .zip(&campaign.ranges)
            .map(|(variation, range)| RangeTrace {
                variation: variation.name.to_string(),
                weight: variation.weight,
                range: *range,
            })
            .collect(),
        chosen: chosen.map(|index| campaign.variation_at(index).name.to_string()),
    });
    chosen
}
