//! `activate`: makes a user part of an experiment.

use super::on_campaign;
use crate::decide::{NeedsStored, Request, Step, Verb};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// Decides which variation of an A/B campaign the user sees, and reports them as a visitor of it (spec API-1, API-21).
///
/// ```
/// use steadfast_engine::{Request, Settings, Step, verb};
///
/// let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": [{
///     "id": 1, "key": "checkout", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100,
///     "segments": {}, "goals": [], "variations": [
///         {"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Green", "weight": 50}]}]}"#)?;
/// let Step::Done(decision) = verb::activate(Request::new(&settings, "Ashley"), "checkout")? else {
///     unreachable!("without a storage nothing is asked");
/// };
/// assert_eq!(decision.variation_name(), Some("Control"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the user id or the key is empty, no campaign has the key, its settings are broken, or it is no A/B campaign.
#[inline]
pub fn activate<'a>(request: Request<'a>, campaign: &str) -> Result<Step<NeedsStored<'a>>, CallError> {
    on_campaign(request, campaign, Verb::Activate, |kind| *kind == CampaignKind::Ab)
}
