//! Mutually exclusive campaigns: at most one of a group has the user.
//!
//! A member that the user is whitelisted for, or stored in, has them already. Otherwise the members the user is
//! eligible for compete: one alone wins at once; several by the group's algorithm. Rules: spec GRP-10 to GRP-43, with
//! paused members left out (decision D-17) and no error where the random ranges leave a gap (decision D-16).

use std::cell::Cell;

use smallvec::SmallVec;

use super::call::Call;
use super::reason::Reason;
use super::stages::Wanted;
use super::step::Known;
use super::sticky::{StoredInMember, has_stored};
use super::trace::{CompetitorTrace, GroupOutcome, Notes, Stage};
use super::{eligible, forced};
use crate::bucket::{BUCKETS, allocate, bucket};
use crate::settings::{CampaignIndex, Group, GroupAlgorithm};

/// What the group says to the called campaign.
pub(super) struct Competition {
    /// Why the called campaign does not get the user; `None` when it does.
    pub(super) lost: Option<Reason>,
    /// The member that has the user instead.
    pub(super) other: Option<CampaignIndex>,
    /// Whether the storage could not answer for some member, so that the user may be in it after all.
    pub(super) unknown: bool,
}

type Eligible = SmallVec<[CampaignIndex; 8]>;

/// The members other than the called one whose records are not known yet.
pub(super) fn unknown_members(call: &Call<'_, '_>, group: &Group, known: &Known) -> Wanted {
    others(call, group).filter(|member| has_stored(call, *member, known).is_err()).collect()
}

/// Whether the called campaign gets the user, who is eligible for it.
pub(super) fn compete(
    call: &Call<'_, '_>,
    group: &Group,
    known: &Known,
    gave_up: &Cell<bool>,
    notes: &mut impl Notes,
) -> Result<Competition, Wanted> {
    let taken = |reason, other| Competition { lost: Some(reason), other: Some(other), unknown: false };
    if let Some(member) = others(call, group).find(|one| forced::variation(call, *one, gave_up, notes).is_some()) {
        notes.note(|| stage(call, group, &Eligible::new(), None, GroupOutcome::Whitelisted(key(call, member))));
        return Ok(taken(Reason::WhitelistedElsewhere, member));
    }
    let mut unknown = false;
    for member in others(call, group) {
        match has_stored(call, member, known) {
            Err(()) => return Err(unknown_members(call, group, known)),
            Ok(StoredInMember::No) => {}
            Ok(StoredInMember::Unknown) => unknown = true,
            Ok(StoredInMember::Yes) => {
                notes.note(|| stage(call, group, &Eligible::new(), None, GroupOutcome::Stored(key(call, member))));
                return Ok(taken(Reason::StoredElsewhere, member));
            }
        }
    }
    let eligible: Eligible = group
        .members
        .iter()
        .copied()
        .filter(|member| {
            *member == call.campaign || eligible::is_eligible(call, call.request.settings.at(*member), gave_up)
        })
        .collect();
    let (winner, bucket) = winner(call, group, &eligible);
    notes.note(|| {
        let outcome = match winner {
            Some(member) => GroupOutcome::Won(key(call, member)),
            None => GroupOutcome::NoWinner,
        };
        stage(call, group, &eligible, bucket, outcome)
    });
    Ok(match winner {
        Some(member) if member == call.campaign => Competition { lost: None, other: None, unknown },
        Some(member) => Competition { lost: Some(Reason::LostGroup), other: Some(member), unknown },
        None => Competition { lost: Some(Reason::NoGroupWinner), other: None, unknown },
    })
}

/// The winner among the eligible members, and the bucket that chose it where one did.
fn winner(call: &Call<'_, '_>, group: &Group, eligible: &Eligible) -> (Option<CampaignIndex>, Option<i64>) {
    if let [alone] = eligible.as_slice() {
        return (Some(*alone), None);
    }
    let user_bucket = || bucket(group.seed.hash_text(&call.request.user, group.input), BUCKETS, 1.0);
    match &group.algorithm {
        GroupAlgorithm::Random => {
            // floor(100 / n) percent each: for some n the last buckets belong to nobody (spec GRP-31).
            let percent = 100_usize.checked_div(eligible.len()).unwrap_or(0);
            let bucket = user_bucket();
            let place = usize::try_from(bucket - 1).ok().and_then(|bucket| bucket.checked_div(percent * 100));
            (place.and_then(|place| eligible.get(place).copied()), Some(bucket))
        }
        GroupAlgorithm::Advanced { priority, weights } => {
            if let Some(first) = priority.iter().find(|member| eligible.contains(member)) {
                return (Some(*first), None);
            }
            let candidates = || weights.iter().filter(|(member, _)| eligible.contains(member));
            let bucket = user_bucket();
            let place = allocate(candidates().map(|(_, weight)| *weight)).position(|range| range.contains(bucket));
            (place.and_then(|place| candidates().nth(place)).map(|(member, _)| *member), Some(bucket))
        }
    }
}

fn others<'g>(call: &'g Call<'_, '_>, group: &'g Group) -> impl Iterator<Item = CampaignIndex> + 'g {
    group.members.iter().copied().filter(|member| *member != call.campaign)
}

fn key(call: &Call<'_, '_>, member: CampaignIndex) -> String {
    call.request.settings.at(member).key.to_string()
}

fn stage(call: &Call<'_, '_>, group: &Group, eligible: &Eligible, bucket: Option<i64>, outcome: GroupOutcome) -> Stage {
    Stage::Group {
        name: group.name().unwrap_or(group.id.as_str()).to_owned(),
        members: group
            .members
            .iter()
            .map(|member| CompetitorTrace { campaign: key(call, *member), eligible: eligible.contains(member) })
            .collect(),
        seed: format!("{}_{}", group.id.as_str(), &*call.request.user),
        bucket,
        outcome,
    }
}
