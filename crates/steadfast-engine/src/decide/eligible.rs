//! Who may take part: pre-segmentation and traffic.

use std::cell::Cell;

use super::call::{Call, holds};
use super::trace::{Notes, Stage};
use crate::bucket::Admission;
use crate::segment::Subject;
use crate::settings::Campaign;

/// Whether the user is in a campaign's audience (spec SEG-1).
#[inline(always)]
pub(super) fn in_audience(
    call: &Call<'_, '_>,
    campaign: &Campaign,
    gave_up: &Cell<bool>,
    notes: &mut impl Notes,
) -> bool {
    let variables = &call.request.options.custom_variables;
    let matched = holds(&campaign.audience, variables, None, gave_up);
    notes.note(|| Stage::Audience {
        everyone: campaign.audience.is_everyone(),
        // A trace looks at every condition. What gives up there did not, where the decision stopped before it.
        conditions: campaign.audience.explain(&Subject { variables, user: None, gave_up: &Cell::new(false) }),
        matched,
    });
    matched
}

/// The traffic test (spec BKT-31).
#[inline(always)]
pub(super) fn admission(call: &Call<'_, '_>, campaign: &Campaign, notes: &mut impl Notes) -> Admission {
    let user = &*call.request.user;
    let admission = campaign.bucketer.admit(user);
    notes.note(|| Stage::Traffic {
        seed: format!("{}{user}", campaign.bucketer.traffic_prefix()),
        hash: admission.hash(),
        bucket: admission.bucket,
        percent: campaign.percent_traffic(),
        admitted: admission.admitted,
    });
    admission
}

/// Both, for a campaign that is not the called one, or ahead of time.
pub(super) fn is_eligible(call: &Call<'_, '_>, campaign: &Campaign, gave_up: &Cell<bool>) -> bool {
    holds(&campaign.audience, &call.request.options.custom_variables, None, gave_up)
        && campaign.bucketer.admit(&call.request.user).admitted
}
