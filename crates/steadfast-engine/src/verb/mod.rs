//! The public calls, one file each.

mod activate;
mod decide;
mod feature_enabled;
mod feature_variable;
mod push;
mod track;
mod variation_name;

pub use activate::activate;
pub use decide::decide;
pub use feature_enabled::feature_enabled;
pub use feature_variable::feature_variable;
pub use push::{Push, push};
pub use track::{CampaignTracking, NeedsStoredForMany, TrackTarget, Tracking, track};
pub use variation_name::variation_name;

use crate::decide::{NeedsStored, Request, Step, Verb, begin};
use crate::error::CallError;
use crate::settings::CampaignKind;

/// What the verbs on one campaign have in common: find it, see that it is of a type for the verb, decide.
#[inline(always)]
fn on_campaign<'a>(
    request: Request<'a>,
    key: &str,
    verb: Verb,
    is_for: impl FnOnce(&CampaignKind) -> bool,
) -> Result<Step<NeedsStored<'a>>, CallError> {
    let campaign = request.campaign(key)?;
    let kind = &request.settings().at(campaign).kind;
    if !is_for(kind) {
        return Err(CallError::WrongKind { key: key.to_owned(), kind: kind.clone(), verb: verb.as_str() });
    }
    Ok(begin(request, campaign, verb))
}
