//! What is kept when a storage fails: by a built-in storage under a wrapper that fails, and by a layer over one.

use std::time::Duration;

use steadfast_engine::{Answer, Record};
use steadfast_storage::{Claim, Condition, Merged, Outcome, StorageError, StorageErrorKind, UserStorage};

use super::check::{Check, Verdict, same};
use super::claims::{self, Model};
use super::faulty::{Fault, Operation, Schedule};
use super::report::Finding;
use super::run::{claim, failed, record};
use crate::random::Random;

/// What is tested, over a storage that fails on this schedule. All of them share what is stored.
pub(super) type Under<'s> = &'s dyn Fn(Schedule) -> Box<dyn UserStorage + 's>;

/// One check, and users that nobody else has.
pub(super) struct Faults<'s> {
    under: Under<'s>,
    seed: u64,
    prefix: String,
}

/// A check over faults.
pub(super) type FaultCheck = Check<fn(&Faults<'_>) -> Verdict>;

/// All checks, in their order.
pub(super) const CHECKS: &[FaultCheck] = &[
    Check::new("failed-look-up-is-no-absence", "a look-up that failed is a failure, not an absence", no_absence),
    Check::new("failed-merge-can-be-repeated", "after any fault, repeating a merge comes to the same record", repeated),
    Check::new("half-a-batch-can-be-repeated", "so does repeating what failed of several", half),
    Check::new("acknowledged-stays", "what was acknowledged is there, whatever fails before and after", acknowledged),
    Check::new("wrong-look-up-flips-nobody", "a claim on a stale or foreign look-up changes no variation", wrong),
];

/// More often than any schedule here fails.
const TRIES: usize = 40;

/// Faults of single calls.
const FAULTS: [Fault; 7] = [
    Fault::Before(StorageErrorKind::Unavailable),
    Fault::Before(StorageErrorKind::Corrupt),
    Fault::Before(StorageErrorKind::Full),
    Fault::After(StorageErrorKind::Other),
    Fault::After(StorageErrorKind::Unavailable),
    Fault::TimedOut { after: Duration::from_micros(50), done: false },
    Fault::TimedOut { after: Duration::from_micros(50), done: true },
];

impl<'s> Faults<'s> {
    pub(super) fn new(under: Under<'s>, seed: u64, prefix: String) -> Self {
        Faults { under, seed, prefix }
    }

    fn user(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn under(&self, schedule: Schedule) -> Box<dyn UserStorage + 's> {
        (self.under)(schedule)
    }

    /// Stores it where nothing fails.
    fn given(&self, record: &Record) -> Verdict {
        self.under(Schedule::new()).set(record.clone()).map_err(|error| failed("`set`", &error))
    }
}

/// Calls until it is told that it was done.
fn repeat<R>(what: &str, mut call: impl FnMut() -> Result<R, StorageError>) -> Result<R, Finding> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match call() {
            Ok(done) => return Ok(done),
            Err(error) => last = format!("{:?}: {error}", error.kind()),
        }
    }
    let expected = "success, once nothing fails any more";
    Err(Finding::said(format!("{what} was called {TRIES} times"), expected, last))
}

/// Looks up until there is an answer.
fn looked_up(storage: &dyn UserStorage, user: &str, campaign: &str) -> Result<Option<Record>, Finding> {
    repeat("`get`", || storage.get(user, campaign))
}

/// Merges until it is acknowledged.
fn merged(storage: &dyn UserStorage, claim: &Claim) -> Result<Merged, Finding> {
    repeat("`merge`", || storage.merge(claim.clone()))
}

fn no_absence(faults: &Faults<'_>) -> Verdict {
    for (number, fault) in FAULTS.into_iter().chain([Fault::Half(StorageErrorKind::Unavailable)]).enumerate() {
        let stored = record(&faults.user(&number.to_string()), "campaign", "A", "buy");
        faults.given(&stored)?;
        let user = stored.user_id.as_str();
        // All look-ups fail, so that a layer that tries again has no answer either.
        let storage = faults.under(Schedule::new().on_each(Operation::LOOK_UPS, .., fault));
        let nobody = faults.user("nobody");
        let places = [(user, "campaign", Some(&stored)), (user, "other", None), (nobody.as_str(), "campaign", None)];
        if !matches!(fault, Fault::Half(_)) {
            for (user, campaign, there) in places {
                let what = |call: &str| format!("{call} of what is {there:?}, under {fault:?}");
                match storage.get(user, campaign) {
                    Err(_) => {}
                    Ok(found) => return Err(Finding::said(what("`get`"), "an error", format!("{found:?}"))),
                }
                match storage.look_up(user, campaign) {
                    Answer::Failed(_) => {}
                    answer => return Err(Finding::said(what("`look_up`"), "Failed", format!("{answer:?}"))),
                }
            }
        }
        several_no_absence(&*storage, &stored, fault)?;
    }
    Ok(())
}

fn several_no_absence(storage: &dyn UserStorage, stored: &Record, fault: Fault) -> Verdict {
    let answers = storage.get_many(&stored.user_id, &["campaign", "campaign", "campaign", "other"]);
    // Of a half, the first two may be told, and the third by a layer that asks about each campaign once.
    let told = Answer::from(Some(stored.clone()));
    let is_told = |(number, answer): (usize, &Answer)| matches!(fault, Fault::Half(_)) && number < 3 && *answer == told;
    let holds = |place: (usize, &Answer)| matches!(place.1, Answer::Failed(_)) || is_told(place);
    if answers.len() == 4 && answers.iter().enumerate().all(holds) {
        return Ok(());
    }
    let expected = "four answers, Failed where it was not looked up";
    Err(Finding::said(format!("`get_many` under {fault:?}"), expected, format!("{answers:?}")))
}

/// A schedule on which the first calls of everything that reads or writes have this fault.
fn at_first(fault: Fault, calls: u64) -> Schedule {
    Schedule::new().on_each(Operation::WRITES, 1..=calls, fault).on_each(Operation::LOOK_UPS, 1..=calls, fault)
}

fn repeated(faults: &Faults<'_>) -> Verdict {
    let mut random = Random::new(faults.seed, 3);
    for (number, fault) in FAULTS.into_iter().enumerate() {
        for calls in [1, 3] {
            for round in 0..4 {
                let user = faults.user(&format!("{number}-{calls}-{round}"));
                let mut model = Model::default();
                // Empty at first, then with something there.
                for _ in 0..3 {
                    let stored = model.get(&user, "campaign").cloned();
                    let claim = claims::of_client(&mut random, &user, "campaign", stored.as_ref());
                    let storage = faults.under(at_first(fault, calls));
                    let what = format!("{claim:?} met {stored:?} under {fault:?}, {calls} times");
                    let expected = model.merge(&claim).record;
                    same(format!("{what}, and was repeated"), &expected, &merged(&*storage, &claim)?.record)?;
                    let found = looked_up(&*storage, &user, "campaign")?;
                    same(format!("{what}, was repeated, and looked up"), &Some(expected), &found)?;
                }
            }
        }
    }
    Ok(())
}

fn half(faults: &Faults<'_>) -> Verdict {
    let halves = [Fault::Half(StorageErrorKind::Unavailable), Fault::Half(StorageErrorKind::Corrupt)];
    for (number, fault) in FAULTS.into_iter().chain(halves).enumerate() {
        let place = |batch: usize| (faults.user(&format!("{number}-{}", batch / 2)), format!("campaign-{}", batch % 2));
        let claims: Vec<Claim> = (0..9)
            .map(place)
            .map(|(user, campaign)| {
                let goals = format!("goal-of-{user}");
                claim(record(&user, &campaign, "A", &goals), Condition::Absent)
            })
            .collect();
        // Some places are taken.
        for claim in claims.iter().step_by(4) {
            faults.given(&Record { variation_name: "Rival".into(), ..claim.record.clone() })?;
        }
        let storage = faults.under(at_first(fault, 2));
        let what = format!("several claims were merged under {fault:?}, and those that failed again");
        let mut left = claims.clone();
        for _ in 0..TRIES {
            let results = storage.merge_many(left.clone());
            same(format!("{what}: results of {} claims", left.len()), &left.len(), &results.len())?;
            left =
                left.into_iter().zip(results).filter(|(_, result)| result.is_err()).map(|(claim, _)| claim).collect();
            if left.is_empty() {
                break;
            }
        }
        same(format!("{what}, {TRIES} times"), &0, &left.len())?;
        for (number, claim) in claims.iter().enumerate() {
            let variation = if number % 4 == 0 { "Rival" } else { "A" };
            let expected = Record { variation_name: variation.into(), ..claim.record.clone() };
            let found = looked_up(&*storage, &claim.record.user_id, &claim.record.campaign_key)?;
            same(what.clone(), &Some(expected), &found)?;
        }
    }
    Ok(())
}

/// Any operation may fail at any call, by chance.
fn by_chance(random: &mut Random, calls: u64) -> Schedule {
    let operations = Operation::WRITES.iter().chain(Operation::LOOK_UPS);
    let mut schedule = Schedule::new();
    for operation in operations {
        for call in 1..=calls {
            if random.chance(30) {
                schedule = schedule.on(*operation, call..=call, random.pick(&FAULTS));
            }
        }
    }
    schedule
}

fn acknowledged(faults: &Faults<'_>) -> Verdict {
    let mut random = Random::new(faults.seed, 4);
    for round in 0..4 {
        let schedule = by_chance(&mut random, 200);
        let storage = faults.under(schedule);
        let mut model = Model::default();
        let place =
            |random: &mut Random| (faults.user(&format!("{round}-{}", random.below(3))), random.pick(&["a", "b"]));
        for step in 0..60 {
            let (user, campaign) = place(&mut random);
            let claim = claims::of_client(&mut random, &user, campaign, model.get(&user, campaign));
            merged(&*storage, &claim)?;
            model.merge(&claim);
            // Not the place that was just written: what is there must stay, too.
            let (user, campaign) = place(&mut random);
            let found = looked_up(&*storage, &user, campaign)?;
            let what = format!("step {step}: merges were acknowledged while calls failed, and a place looked up");
            same(what, &model.get(&user, campaign), &found.as_ref())?;
        }
    }
    Ok(())
}

fn wrong(faults: &Faults<'_>) -> Verdict {
    let conditions = [Condition::Absent, Condition::Unknown, Condition::Replaces("Old".into())];
    for (name, fault) in [("stale", Fault::Stale), ("foreign", Fault::Foreign)] {
        for (number, condition) in conditions.iter().enumerate() {
            let storage = faults.under(Schedule::new().on_each(Operation::LOOK_UPS, .., fault));
            let user = faults.user(&format!("{name}-{number}"));
            merged(&*storage, &claim(record(&user, "campaign", "First", "buy"), Condition::Absent))?;
            // Whatever these say, the client goes by it.
            let _ = storage.get(&user, "campaign");
            let _ = storage.get_many(&user, &["campaign"]);
            let late = Claim { was_read: true, ..claim(record(&user, "campaign", "Late", ""), condition.clone()) };
            let told = merged(&*storage, &late)?;
            let what = format!("{late:?}, on a look-up under {fault:?}");
            same(what.clone(), &(Outcome::Kept, "First"), &(told.outcome, &*told.record.variation_name))?;
            let found = looked_up(&*faults.under(Schedule::new()), &user, "campaign")?;
            let found = found.map(|record| record.variation_name);
            same(what + ", and the place was looked up", &Some("First".to_owned()), &found)?;
        }
    }
    Ok(())
}
