//! The sticky part: what is stored for a user, by the caller's data or by the storage.

use std::cell::Cell;

use super::call::Call;
use super::stages::{Basis, Wanted};
use super::step::{Answer, Known};
use super::trace::{Notes, Stage, StoredFinding};
use super::warning::{Warning, Warnings};
use super::{eligible, group};
use crate::policy::Activation;
use crate::settings::{Campaign, CampaignIndex, VariationIndex};
use crate::stored::Record;

/// What looking it up came to.
pub(super) enum Sticky {
    /// This variation is stored, and it still exists.
    Stored(VariationIndex, Basis),
    /// Nothing that decides; the basis says why.
    Open(Basis),
}

/// The caller's record for a campaign, and whether its variation still exists: data the caller passes serves the
/// campaign and the user it names, and no other (decisions D-2 and D-4).
fn passed_record<'c>(call: &'c Call<'_, '_>, index: CampaignIndex) -> Option<(u32, &'c Record)> {
    let request = call.request;
    let key = &*request.settings.at(index).key;
    let records = request.options.user_storage_data.records();
    (0..).zip(records).find(|(_, record)| record.campaign_key == key && record.is_of(&request.user))
}

/// The variation of the called campaign that the caller passed, if it still exists.
pub(super) fn passed_variation(call: &Call<'_, '_>) -> Option<VariationIndex> {
    let (_, record) = passed_record(call, call.campaign)?;
    call.campaign().variation_named(&record.variation_name)
}

/// Looks up the called campaign's record: first the caller's, then the storage's (decisions D-1 and D-2).
///
/// The short way, for decisions that nobody remembers, is inlined; the long one is not.
#[inline(always)]
pub(super) fn look_up(
    call: &Call<'_, '_>,
    known: &Known,
    gave_up: &Cell<bool>,
    warnings: &mut Warnings,
    notes: &mut impl Notes,
) -> Result<Sticky, Wanted> {
    if call.request.options.user_storage_data.is_none() && !call.request.policy.has_storage {
        notes.note(|| stored_stage(StoredFinding::NoStorage));
        return Ok(Sticky::Open(Basis::NoStorage));
    }
    look_up_records(call, known, gave_up, warnings, notes)
}

fn look_up_records(
    call: &Call<'_, '_>,
    known: &Known,
    gave_up: &Cell<bool>,
    warnings: &mut Warnings,
    notes: &mut impl Notes,
) -> Result<Sticky, Wanted> {
    let campaign = call.campaign();
    let request = call.request;
    if let Some((place, record)) = passed_record(call, call.campaign) {
        return Ok(match campaign.variation_named(&record.variation_name) {
            Some(variation) => {
                notes.note(|| stored_stage(StoredFinding::Passed(record.variation_name.clone())));
                Sticky::Stored(variation, Basis::FromCaller(place))
            }
            None => {
                warnings.add(Warning::CallerDataUnknownVariation);
                notes.note(|| stored_stage(StoredFinding::PassedUnknownVariation(record.variation_name.clone())));
                Sticky::Open(Basis::StaleFromCaller(place))
            }
        });
    }
    let passed = &request.options.user_storage_data;
    if !passed.records().is_empty() {
        let of_user = passed.records().iter().any(|record| record.is_of(&request.user));
        if !of_user {
            warnings.add(Warning::CallerDataOfAnotherUser);
        } else if !passed.is_complete() {
            warnings.add(Warning::CallerDataOfAnotherCampaign);
        }
    }
    if !request.policy.has_storage {
        notes.note(|| stored_stage(StoredFinding::NoStorage));
        return Ok(Sticky::Open(Basis::NoStorage));
    }
    if passed.is_complete() {
        notes.note(|| stored_stage(StoredFinding::PassedNothing));
        return Ok(Sticky::Open(Basis::AbsentByCaller));
    }
    let Some(answer) = known.about(call.campaign) else {
        return Err(wanted(call, known, gave_up));
    };
    Ok(match answer {
        Answer::Absent => {
            notes.note(|| stored_stage(StoredFinding::Absent));
            Sticky::Open(Basis::Absent)
        }
        Answer::Failed(failure) => {
            warnings.add(Warning::StorageFailed);
            notes.note(|| stored_stage(StoredFinding::Failed(failure.to_string())));
            Sticky::Open(Basis::Unknown)
        }
        Answer::Found(record) if !belongs(record, campaign, &request.user) => {
            warnings.add(Warning::ForeignRecord);
            notes.note(|| stored_stage(StoredFinding::Foreign));
            Sticky::Open(Basis::Absent)
        }
        Answer::Found(record) => match campaign.variation_named(&record.variation_name) {
            Some(variation) => {
                notes.note(|| stored_stage(StoredFinding::Found(record.variation_name.clone())));
                Sticky::Stored(variation, Basis::Stored)
            }
            None => {
                warnings.add(Warning::StaleRecord);
                notes.note(|| stored_stage(StoredFinding::UnknownVariation(record.variation_name.clone())));
                Sticky::Open(Basis::Stale)
            }
        },
    })
}

/// Whether a user has a variation in a member of the group, by the caller's data or by the storage. `Err` when the
/// storage has not been asked yet.
pub(super) fn has_stored(call: &Call<'_, '_>, member: CampaignIndex, known: &Known) -> Result<StoredInMember, ()> {
    let request = call.request;
    let campaign = request.settings.at(member);
    if let Some((_, record)) = passed_record(call, member) {
        return Ok(StoredInMember::from(campaign.variation_named(&record.variation_name).is_some()));
    }
    if !request.policy.has_storage || request.options.user_storage_data.is_complete() {
        return Ok(StoredInMember::No);
    }
    Ok(match known.about(member).ok_or(())? {
        Answer::Absent => StoredInMember::No,
        Answer::Failed(_) => StoredInMember::Unknown,
        Answer::Found(record) => StoredInMember::from(
            belongs(record, campaign, &request.user) && campaign.variation_named(&record.variation_name).is_some(),
        ),
    })
}

/// Whether a user has a stored variation in another campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredInMember {
    Yes,
    No,
    /// The storage could not answer.
    Unknown,
}

impl From<bool> for StoredInMember {
    fn from(stored: bool) -> Self {
        if stored { StoredInMember::Yes } else { StoredInMember::No }
    }
}

/// The campaigns to ask for. The members of the group come along when the decision would get as far as the group, so
/// that a group costs one round trip and a user outside the audience none.
fn wanted(call: &Call<'_, '_>, known: &Known, gave_up: &Cell<bool>) -> Wanted {
    let mut wanted = Wanted::new();
    wanted.push(call.campaign);
    let campaign = call.campaign();
    let reads_only = call.request.policy.activation == Activation::Required && !call.verb.activates();
    if let Some(group) = call.request.settings.group_of(campaign)
        && !reads_only
        && eligible::is_eligible(call, campaign, gave_up)
    {
        wanted.extend(group::unknown_members(call, group, known));
    }
    wanted
}

/// Whether a record that the storage gave is the one that was asked for (spec Q-6).
fn belongs(record: &Record, campaign: &Campaign, user: &str) -> bool {
    record.campaign_key == *campaign.key && record.is_of(user)
}

fn stored_stage(finding: StoredFinding) -> Stage {
    Stage::Stored { finding }
}
