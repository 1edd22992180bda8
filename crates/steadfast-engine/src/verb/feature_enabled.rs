//! `isFeatureEnabled`: whether a feature is on for a user.

use super::on_campaign;
use crate::decide::{NeedsStored, Request, Step, Verb};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// Decides whether the user has a feature, and reports them as a visitor. The answer is
/// [`Decision::is_feature_enabled`](crate::Decision::is_feature_enabled) (spec API-4, API-22).
///
/// # Errors
/// When the user id or the key is empty, no campaign has the key, its settings are broken, or it is an A/B campaign.
#[inline]
pub fn feature_enabled<'a>(request: Request<'a>, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    on_campaign(request, campaign, Verb::FeatureEnabled, |kind| *kind != CampaignKind::Ab)
}
