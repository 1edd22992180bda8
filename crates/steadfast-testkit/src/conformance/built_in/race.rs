//! A rival writes between a client's look-up and its claim.

use steadfast_engine::{Answer, Record};
use steadfast_storage::{Condition, Outcome, UserStorage};

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::lent::Lent;
use crate::conformance::raced::{Raced, Rival};
use crate::conformance::report::Finding;
use crate::conformance::run::{Run, all, answer, claim, failed, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new(
        "late-claim-is-kept-out",
        "a rival that wrote after the look-up has the place; goals of both count",
        late,
    ),
    Check::new(
        "late-replacement-is-kept-out",
        "what was replaced after the look-up is not replaced again",
        replacement,
    ),
    Check::new("late-goal-is-united", "a goal that a rival recorded after the look-up stays", goal),
];

/// How a client looks a place up, and how it writes.
#[derive(Debug, Clone, Copy)]
struct Way {
    several: bool,
}

const WAYS: [Way; 2] = [Way { several: false }, Way { several: true }];

/// Looks up, loses the race to the rival, and claims; holds what comes of it against what a late claim is owed.
fn lost(
    run: &Run<'_>,
    way: Way,
    there: Option<&Record>,
    rival: Rival,
    wanted: (Record, Condition),
    owed: &Record,
) -> Verdict {
    let raced = Raced::new(Lent(run.storage), [rival]);
    let (user, campaign) = (owed.user_id.as_str(), owed.campaign_key.as_str());
    let found = if way.several {
        raced.get_many(user, &[campaign]).into_iter().next().unwrap_or(Answer::Absent)
    } else {
        raced.look_up(user, campaign)
    };
    same("a place was looked up before a race", &answer(there), &found)?;
    let (wanted, condition) = wanted;
    // As a client does it: the storage itself told it what is there.
    let claim = steadfast_storage::Claim { was_read: true, ..claim(wanted, condition) };
    let what = format!("a rival wrote between look-up and claim, {claim:?}");
    let merged = if way.several {
        all("`merge_many`", raced.merge_many(vec![claim]))?.into_iter().next()
    } else {
        Some(raced.merge(claim).map_err(|error| failed("`merge`", &error))?)
    };
    if raced.written() != 1 {
        return Err(Finding::new("a rival wrote between look-up and claim", &1, &raced.written()));
    }
    let told = merged.map(|merged| (merged.outcome, merged.record, merged.newly_activated));
    same(what.clone(), &Some((Outcome::Kept, owed.clone(), false)), &told)?;
    same(what + ", and the place was looked up", &Some(owed), &run.get(user, campaign)?.as_ref())
}

/// The rival sets or merges.
fn rivals(record: &Record, condition: &Condition) -> [Rival; 2] {
    [Rival::Set(record.clone()), Rival::Merge(claim(record.clone(), condition.clone()))]
}

fn each_way(run: &Run<'_>, mut race: impl FnMut(Way, usize, &str) -> Verdict) -> Verdict {
    for (way, rival) in WAYS.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        race(way, rival, &run.user(&format!("{}-{rival}", way.several)))?;
    }
    Ok(())
}

fn late(run: &Run<'_>) -> Verdict {
    each_way(run, |way, number, user| {
        let [set, merge] = rivals(&record(user, "campaign", "Rival", "theirs"), &Condition::Absent);
        let rival = if number == 0 { set } else { merge };
        let owed = record(user, "campaign", "Rival", "theirs_vwo_ours");
        lost(run, way, None, rival, (record(user, "campaign", "Ours", "ours"), Condition::Absent), &owed)
    })
}

fn replacement(run: &Run<'_>) -> Verdict {
    each_way(run, |way, number, user| {
        let there = record(user, "campaign", "Old", "of-old");
        run.set(there.clone())?;
        let gone = Condition::Replaces("Old".into());
        let [set, merge] = rivals(&record(user, "campaign", "Rival", "theirs"), &gone);
        let rival = if number == 0 { set } else { merge };
        let owed = record(user, "campaign", "Rival", "theirs_vwo_ours");
        lost(run, way, Some(&there), rival, (record(user, "campaign", "Ours", "ours"), gone), &owed)
    })
}

fn goal(run: &Run<'_>) -> Verdict {
    each_way(run, |way, number, user| {
        let there = record(user, "campaign", "A", "earlier");
        run.set(there.clone())?;
        let [set, merge] = rivals(&record(user, "campaign", "A", "earlier_vwo_theirs"), &Condition::Stored);
        let rival = if number == 0 { set } else { merge };
        let owed = record(user, "campaign", "A", "earlier_vwo_theirs_vwo_ours");
        let wanted = (record(user, "campaign", "A", "earlier_vwo_ours"), Condition::Stored);
        lost(run, way, Some(&there), rival, wanted, &owed)
    })
}
