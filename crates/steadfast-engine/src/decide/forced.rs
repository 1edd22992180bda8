//! Whitelisting: variations that are chosen for a user by hand.

use std::cell::Cell;

use smallvec::SmallVec;

use super::call::{Call, holds};
use super::trace::{Notes, Stage};
use crate::bucket::allocate;
use crate::settings::{CampaignIndex, VariationIndex};

/// The variation a user is whitelisted for in a campaign: the called one, or another of its group. `None` also where
/// several match and the user's bucket lies in no range of theirs (spec SEG-50, BKT-43).
///
/// User lists are read in the form of the campaign they stand in, not of the one that was called (spec Q-44).
pub(super) fn variation(
    call: &Call<'_, '_>,
    index: CampaignIndex,
    gave_up: &Cell<bool>,
    notes: &mut impl Notes,
) -> Option<VariationIndex> {
    let request = call.request;
    let campaign = request.settings.at(index);
    if !campaign.whitelisting {
        return None;
    }
    let visitor = campaign.hashed_user_lists.then(|| request.settings.visitors.visitor(&request.user));
    let user = visitor.as_ref().map_or(&*request.user, |visitor| visitor.as_str());
    let variables = &request.options.variation_targeting_variables;
    let matching: SmallVec<[VariationIndex; 4]> = (0_u32..)
        .map(VariationIndex)
        .zip(&campaign.variations)
        .filter(|(_, variation)| {
            variation.whitelist.as_ref().is_some_and(|segment| holds(segment, variables, Some(user), gave_up))
        })
        .map(|(index, _)| index)
        .collect();
    let (chosen, bucket) = match matching.as_slice() {
        [] => (None, None),
        [one] => (Some(*one), None),
        several => {
            let bucket = campaign.bucketer.whitelist_bucket(&request.user);
            let total: f64 = several.iter().map(|index| campaign.variation_at(*index).weight).sum();
            #[expect(clippy::cast_precision_loss, reason = "a handful of variations")]
            let share = 100.0 / several.len() as f64;
            let weights = several.iter().map(|index| {
                let weight = campaign.variation_at(*index).weight;
                if total == 0.0 { share } else { weight / total * 100.0 }
            });
            let place = allocate(weights).position(|range| range.contains(bucket));
            (place.map(|place| several[place]), Some(bucket))
        }
    };
    notes.note(|| Stage::Whitelisting {
        campaign: campaign.key.to_string(),
        matching: matching.iter().map(|index| campaign.variation_at(*index).name.to_string()).collect(),
        bucket,
        chosen: chosen.map(|index| campaign.variation_at(index).name.to_string()),
    });
    chosen
}
