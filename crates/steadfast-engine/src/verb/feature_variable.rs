//! `getFeatureVariableValue`: what a feature is set to for a user.

use super::on_campaign;
use crate::decide::{NeedsStored, Request, Step, Verb};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// Decides which variation of a feature the user has, without reporting them. The values are
/// [`Decision::variable`](crate::Decision::variable) (spec API-5, API-60).
///
/// # Errors
/// When the user id or the key is empty, no campaign has the key, its settings are broken, or it is an A/B campaign.
#[inline]
pub fn feature_variable<'a>(request: Request<'a>, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    on_campaign(request, campaign, Verb::FeatureVariable, |kind| *kind != CampaignKind::Ab)
}
