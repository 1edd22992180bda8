//! `decide`: makes a user part of a campaign of whatever type.

use super::{activate, feature_enabled};
use crate::decide::{NeedsStored, Request, Step, Verb};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// Decides by the verb that makes users part of this type of campaign: [`activate`] for an A/B test, [`feature_enabled`]
/// for any other ([`Verb::of`]). The reference has no such call.
///
/// # Errors
/// When the user id or the key is empty, no campaign has the key, or its settings are broken.
pub fn decide<'a>(request: Request<'a>, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    let verb = Verb::of(&request.settings().at(request.campaign(campaign)?).kind);
    if verb == Verb::Activate { activate(request, campaign) } else { feature_enabled(request, campaign) }
}

impl Verb {
    /// The verb that makes users part of a campaign of this type.
    #[must_use]
    pub fn of(kind: &CampaignKind) -> Verb {
        match kind {
            CampaignKind::Ab => Verb::Activate,
            CampaignKind::FeatureTest | CampaignKind::FeatureRollout | CampaignKind::Other(_) => Verb::FeatureEnabled,
        }
    }
}
