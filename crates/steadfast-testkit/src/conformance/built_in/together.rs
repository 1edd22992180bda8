//! Many threads that claim one place.

use std::collections::BTreeSet;

use steadfast_engine::Record;
use steadfast_storage::{Claim, Condition, Merged, Outcome};

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::report::Finding;
use crate::conformance::run::{Run, all, claim, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("one-winner", "of many that claim a place at once one wins, all agree, no goal is lost", winner),
    Check::new("one-winner-of-batches", "so it is where each claims with several others at once", winner_of_batches),
    Check::new("one-replacement", "of many that replace a variation at once one does, and all agree", replacement),
    Check::new("one-activation", "of many that activate a record at once one does", activation),
    Check::new("each-goal-is-new-once", "a goal that many bring at once is new to one of them", goal),
];

const THREADS: usize = 16;
const ROUNDS: usize = 12;

/// Claims by all threads at once; what became of each, and the record in the end.
fn claimed(
    run: &Run<'_>,
    user: &str,
    claims: impl Fn(usize) -> Claim + Sync,
) -> Result<(Vec<Merged>, Record), Finding> {
    let merged = run.together(THREADS, |number| run.merge(claims(number)))?;
    let stored = run.get(user, "campaign")?;
    let stored = stored.ok_or_else(|| Finding::said("many threads claimed a place", "a record", "none"))?;
    Ok((merged, stored))
}

fn goals(record: &Record) -> BTreeSet<String> {
    record.goals.goals(std::iter::empty()).map(str::to_owned).collect()
}

/// One outcome of this kind, all others kept, and all with the variation that is stored.
fn one(merged: &[Merged], outcome: Outcome, stored: &Record) -> Verdict {
    let outcomes: Vec<Outcome> = merged.iter().map(|merged| merged.outcome).collect();
    let winners = outcomes.iter().filter(|found| **found == outcome).count();
    if winners != 1 || outcomes.iter().filter(|found| **found == Outcome::Kept).count() != merged.len() - 1 {
        let expected = format!("one {outcome:?}, all others Kept");
        return Err(Finding::said(
            format!("{} threads claimed a place", merged.len()),
            expected,
            format!("{outcomes:?}"),
        ));
    }
    let told: BTreeSet<&str> = merged.iter().map(|merged| merged.record.variation_name.as_str()).collect();
    let agreed = BTreeSet::from([stored.variation_name.as_str()]);
    same(format!("{} threads claimed a place, and were told its variation", merged.len()), &agreed, &told)
}

/// What all threads brought is listed.
fn nothing_lost(stored: &Record) -> Verdict {
    let all = (0..THREADS).map(|number| format!("goal-{number}")).collect();
    same("each of the threads brought a goal of its own", &all, &goals(stored))
}

fn winner(run: &Run<'_>) -> Verdict {
    for round in 0..ROUNDS {
        let user = run.user(&round.to_string());
        let (merged, stored) = claimed(run, &user, |number| {
            let wanted = record(&user, "campaign", &format!("V{number}"), &format!("goal-{number}"));
            claim(wanted, Condition::Absent)
        })?;
        one(&merged, Outcome::Claimed, &stored)?;
        nothing_lost(&stored)?;
        let activated = merged.iter().filter(|merged| merged.newly_activated).count();
        same("threads claimed a place for a visitor each, of whom one is counted", &1, &activated)?;
    }
    Ok(())
}

fn winner_of_batches(run: &Run<'_>) -> Verdict {
    for round in 0..ROUNDS {
        let user = run.user(&round.to_string());
        let merged = run.together(THREADS, |number| {
            let wanted = record(&user, "campaign", &format!("V{number}"), &format!("goal-{number}"));
            let other = |name: &str| claim(record(&run.user(name), "campaign", "A", ""), Condition::Absent);
            let (before, after) =
                (other(&format!("{round}-{number}-before")), other(&format!("{round}-{number}-after")));
            let batch = vec![before, claim(wanted, Condition::Absent), after];
            let merged = all("`merge_many`", run.storage.merge_many(batch))?;
            let many = merged.len();
            merged.into_iter().nth(1).ok_or_else(|| Finding::new("`merge_many` was given three claims", &3, &many))
        })?;
        let stored = run.get(&user, "campaign")?;
        let stored = stored.ok_or_else(|| Finding::said("many threads claimed a place", "a record", "none"))?;
        one(&merged, Outcome::Claimed, &stored)?;
        nothing_lost(&stored)?;
    }
    Ok(())
}

fn replacement(run: &Run<'_>) -> Verdict {
    for round in 0..ROUNDS {
        let user = run.user(&round.to_string());
        run.set(record(&user, "campaign", "Old", "of-old"))?;
        let (merged, stored) = claimed(run, &user, |number| {
            let wanted = record(&user, "campaign", &format!("V{number}"), &format!("goal-{number}"));
            claim(wanted, Condition::Replaces("Old".into()))
        })?;
        one(&merged, Outcome::Replaced, &stored)?;
        nothing_lost(&stored)?;
    }
    Ok(())
}

fn activation(run: &Run<'_>) -> Verdict {
    for round in 0..ROUNDS {
        let user = run.user(&round.to_string());
        run.set(Record { activated: false, ..record(&user, "campaign", "A", "") })?;
        let (merged, stored) = claimed(run, &user, |number| {
            // Every other thread claims a variation that cannot win.
            let variation = if number % 2 == 0 { "A" } else { "B" };
            claim(record(&user, "campaign", variation, ""), Condition::Stored)
        })?;
        let activated = merged.iter().filter(|merged| merged.newly_activated).count();
        same("a record that nobody was counted for was activated by many", &1, &activated)?;
        same("a record was activated, and looked up", &true, &stored.activated)?;
    }
    Ok(())
}

fn goal(run: &Run<'_>) -> Verdict {
    for round in 0..ROUNDS {
        let user = run.user(&round.to_string());
        run.set(record(&user, "campaign", "A", "earlier"))?;
        let (merged, stored) = claimed(run, &user, |number| {
            let goal = format!("goal-{}", number % 4);
            let wanted = record(&user, "campaign", "A", &format!("earlier_vwo_{goal}"));
            Claim { goal: Some(goal), was_read: true, ..claim(wanted, Condition::Stored) }
        })?;
        let mut new: Vec<&str> = merged.iter().flat_map(|merged| merged.new_goals.goals(std::iter::empty())).collect();
        new.sort_unstable();
        same("four goals were brought, each by four threads", &vec!["goal-0", "goal-1", "goal-2", "goal-3"], &new)?;
        let listed = ["earlier", "goal-0", "goal-1", "goal-2", "goal-3"].map(str::to_owned).into();
        same("four goals were brought, each by four threads", &listed, &goals(&stored))?;
    }
    Ok(())
}
