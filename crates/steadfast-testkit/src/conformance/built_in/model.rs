//! Long sequences of claims, against the pure function.

use steadfast_storage::Claim;

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::claims::{self, Model};
use crate::conformance::run::{Run, all};
use crate::random::Random;

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("merge-as-model", "claims by chance come to what `merge::merge` says", merge),
    Check::new("merge-many-as-model", "so do several at once, with the results in their order", merge_many),
];

/// So many claims one by one.
const CLAIMS: usize = 600;
/// So many times several at once.
const BATCHES: usize = 60;

/// A place among few, so that claims meet.
fn place(run: &Run<'_>, random: &mut Random) -> (String, &'static str) {
    (run.user(&format!("user-{}", random.below(4))), random.pick(&["campaign", "ab", "Größe"]))
}

fn merge(run: &Run<'_>) -> Verdict {
    let mut random = run.random(1);
    let mut model = Model::default();
    for step in 0..CLAIMS {
        let (user, campaign) = place(run, &mut random);
        let stored = model.get(&user, campaign).cloned();
        let claim = claims::any(&mut random, &user, campaign, stored.as_ref());
        if random.chance(5) {
            // A service of another SDK writes like this.
            model.set(claim.record.clone());
            run.set(claim.record)?;
        } else {
            let what = format!("step {step}: {claim:?} met {stored:?}");
            same(what, &model.merge(&claim), &run.merge(claim.clone())?)?;
        }
        let found = run.get(&user, campaign)?;
        same(format!("step {step}: the place was looked up",), &model.get(&user, campaign), &found.as_ref())?;
    }
    Ok(())
}

fn merge_many(run: &Run<'_>) -> Verdict {
    let mut random = run.random(2);
    let mut model = Model::default();
    same("`merge_many` was given no claims", &0, &run.storage.merge_many(Vec::new()).len())?;
    for step in 0..BATCHES {
        let mut claims: Vec<Claim> = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..random.between(1, 24) {
            let (user, campaign) = place(run, &mut random);
            let claim = claims::any(&mut random, &user, campaign, model.get(&user, campaign));
            expected.push(model.merge(&claim));
            claims.push(claim);
        }
        let merged = all("`merge_many`", run.storage.merge_many(claims.clone()))?;
        same(format!("step {step}: so many claims were merged"), &expected.len(), &merged.len())?;
        for (number, ((claim, expected), merged)) in claims.iter().zip(&expected).zip(&merged).enumerate() {
            same(format!("step {step}: claim {number} of a batch, {claim:?}"), expected, merged)?;
        }
        for claim in &claims {
            let (user, campaign) = (&claim.record.user_id, &claim.record.campaign_key);
            let found = run.get(user, campaign)?;
            same(
                format!("step {step}: a place of a batch was looked up"),
                &model.get(user, campaign),
                &found.as_ref(),
            )?;
        }
    }
    Ok(())
}
