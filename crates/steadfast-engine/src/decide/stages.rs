//! The order of the stages. This function is the decision; everything else is a detail of one of its lines.
//!
//! It is a pure function of the call and of what is known to be stored. When it comes to something that is not known,
//! it stops and says what it wants ([`Wanted`]); once the answer is there it is simply run again from the start. So
//! there is no state between question and answer that could go wrong, and the stages read as they happen.

use std::cell::Cell;

use smallvec::SmallVec;

use super::call::Call;
use super::reason::Reason;
use super::step::Known;
use super::sticky::Sticky;
use super::trace::{Notes, Silent, Stage, Trace};
use super::warning::{Warning, Warnings};
use super::{assign, eligible, forced, group, sticky};
use crate::policy::{Activation, OnStorageError};
use crate::settings::{CampaignIndex, VariationIndex};

/// The campaigns whose records must be known before the decision can go on: the called one first.
pub(crate) type Wanted = SmallVec<[CampaignIndex; 4]>;

/// What the stages came to.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) variation: Option<VariationIndex>,
    pub(crate) reason: Reason,
    /// The member of the group that has the user instead.
    pub(crate) other: Option<CampaignIndex>,
    pub(crate) basis: Basis,
    pub(crate) warnings: Warnings,
}

/// What was known about the stored record when the decision was made: it rules what may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Nothing may be written: nobody was asked, or what a group's other members hold is not known.
    NotConsulted,
    /// There is no storage to write to, and the caller passed nothing that serves this campaign.
    NoStorage,
    /// Nothing is stored.
    Absent,
    /// Nothing was stored when the caller fetched everything.
    AbsentByCaller,
    /// The storage's record was used.
    Stored,
    /// The caller's record at this place was used.
    FromCaller(u32),
    /// The storage's record names a variation that is gone.
    Stale,
    /// The caller's record at this place names a variation that is gone.
    StaleFromCaller(u32),
    /// The storage could not answer: what is written may only fill an empty place.
    Unknown,
}

/// Decides, or says whose records it wants to know first. What was looked at goes into the trace, if there is one.
///
/// This and what it calls for every user are inlined into each verb: a decision that asks nothing is made in registers,
/// which takes a fifth off its time (`cargo xtask bench`).
#[inline(always)]
pub(crate) fn decide(call: &Call<'_, '_>, known: &Known, trace: &mut Option<Box<Trace>>) -> Result<Verdict, Wanted> {
    match trace {
        None => stages(call, known, &mut Silent),
        Some(trace) => stages(call, known, &mut **trace),
    }
}

#[inline(always)]
fn stages(call: &Call<'_, '_>, known: &Known, notes: &mut impl Notes) -> Result<Verdict, Wanted> {
    let campaign = call.campaign();
    let policy = &call.request.policy;
    let gave_up = Cell::new(false);
    let mut warnings = Warnings::default();
    notes.restart();
    let verdict = |variation, reason, other, basis, mut warnings: Warnings| {
        if gave_up.get() {
            warnings.add(Warning::PatternGaveUp);
        }
        Ok(Verdict { variation, reason, other, basis, warnings })
    };
    let nobody = |reason, basis, warnings| verdict(None, reason, None, basis, warnings);

    // 0. Does anybody want decisions at all?
    if call.request.opted_out {
        return nobody(Reason::OptedOut, Basis::NotConsulted, warnings);
    }

    // 1. Is the campaign running?
    notes.note(|| Stage::Campaign { status: campaign.status.to_string(), running: campaign.running });
    if !campaign.running {
        return nobody(Reason::NotRunning, Basis::NotConsulted, warnings);
    }
    if campaign.bandit && !policy.has_storage && sticky::passed_variation(call).is_none() {
        return nobody(Reason::BanditNeedsStorage, Basis::NotConsulted, warnings);
    }

    // 2. Is the user whitelisted? That beats everything (spec SEG-51).
    if campaign.whitelisting
        && let Some(variation) = forced::variation(call, call.campaign, &gave_up, notes)
    {
        return verdict(Some(variation), Reason::Whitelisted, None, Basis::NotConsulted, warnings);
    }

    // 3. What is stored for the user?
    let mut basis = match sticky::look_up(call, known, &gave_up, &mut warnings, notes)? {
        Sticky::Stored(variation, basis) => return verdict(Some(variation), Reason::Stored, None, basis, warnings),
        Sticky::Open(basis) => basis,
    };
    let must_know = policy.on_storage_error == OnStorageError::NoVariation || campaign.bandit;
    if basis == Basis::Unknown && must_know {
        return nobody(Reason::StorageFailed, basis, warnings);
    }

    // 4. Must the user have been activated first? Only the storage can say (spec STO-40).
    if policy.activation == Activation::Required && !call.verb.activates() {
        match basis {
            Basis::Absent | Basis::AbsentByCaller => {
                notes.note(|| Stage::ActivationRequired);
                return nobody(Reason::NotActivated, basis, warnings);
            }
            Basis::Unknown => return nobody(Reason::StorageFailed, basis, warnings),
            _ => {}
        }
    }

    // 5. Is the user in the audience, and in the traffic?
    if !eligible::in_audience(call, campaign, &gave_up, notes) {
        return nobody(Reason::NotInAudience, basis, warnings);
    }
    let admission = eligible::admission(call, campaign, notes);
    if !admission.admitted {
        return nobody(Reason::NotInTraffic, basis, warnings);
    }

    // 6. Does another campaign of the group have the user?
    if let Some(group) = call.request.settings.group_of(campaign) {
        let outcome = group::compete(call, group, known, &gave_up, notes)?;
        if outcome.unknown {
            warnings.add(Warning::StorageFailed);
            // The user may be in another member. What is written here could put them into two for good.
            basis = Basis::NotConsulted;
            if must_know {
                return nobody(Reason::StorageFailed, basis, warnings);
            }
        }
        if let Some(reason) = outcome.lost {
            return verdict(None, reason, outcome.other, basis, warnings);
        }
    }

    // 7. Which variation's range does the user's bucket fall into?
    match assign::variation(call, campaign, admission, notes) {
        Some(variation) => verdict(Some(variation), Reason::Assigned, None, basis, warnings),
        None => nobody(Reason::NoRange, basis, warnings),
    }
}
