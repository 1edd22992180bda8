//! `getVariationName`: which variation a user has.

use super::on_campaign;
use crate::decide::{NeedsStored, Request, Step, Verb};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// Decides which variation of a campaign the user sees, without reporting them (spec API-2, API-23).
///
/// # Errors
/// When the user id or the key is empty, no campaign has the key, its settings are broken, or it is a feature rollout.
#[inline]
pub fn variation_name<'a>(request: Request<'a>, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    on_campaign(request, campaign, Verb::VariationName, |kind| *kind != CampaignKind::FeatureRollout)
}
