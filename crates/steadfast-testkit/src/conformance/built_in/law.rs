//! The laws of merging, one by one.

use serde_json::json;
use steadfast_engine::Record;
use steadfast_storage::merge::merge;
use steadfast_storage::{Claim, Condition};

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::run::{Run, claim, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("first-variation-stays", "a claim of another variation is kept out, and told so", stays),
    Check::new("replaces-only-the-named", "a variation that is gone is replaced, no other one", replaces),
    Check::new("unknown-changes-nothing", "a claim without knowledge fills a place, and changes no variation", unknown),
    Check::new("goals-are-united", "goals of both are listed afterwards, those that were there first", goals),
    Check::new("activates-its-own-variation", "only a claim of the stored variation activates the record", activates),
    Check::new("metadata-of-who-read-it", "metadata is replaced by whoever read the record, else kept", metadata),
];

/// Sets what is there, merges the claim, and holds what comes of it against the pure function.
fn merges(run: &Run<'_>, stored: Option<Record>, claim: &Claim) -> Verdict {
    if let Some(stored) = &stored {
        run.set(stored.clone())?;
    }
    let expected = merge(stored.as_ref(), claim);
    let what = format!("{claim:?} met {stored:?}");
    same(what.clone(), &expected, &run.merge(claim.clone())?)?;
    let found = run.get(&claim.record.user_id, &claim.record.campaign_key)?;
    same(what + ", and the place was looked up", &Some(expected.record), &found)
}

fn replaces_named(gone: &str) -> Condition {
    Condition::Replaces(gone.to_owned())
}

/// Whether the writer read the place changes nothing: the storage knows better.
fn either_way(run: &Run<'_>, number: usize, stored: Option<&str>, claims: &str, condition: &Condition) -> Verdict {
    for was_read in [false, true] {
        let user = run.user(&format!("{number}-{was_read}"));
        let stored = stored.map(|variation| record(&user, "campaign", variation, "buy"));
        let claim = Claim { was_read, ..claim(record(&user, "campaign", claims, "sign-up"), condition.clone()) };
        merges(run, stored, &claim)?;
    }
    Ok(())
}

fn stays(run: &Run<'_>) -> Verdict {
    either_way(run, 0, None, "B", &Condition::Absent)?;
    either_way(run, 1, Some("A"), "B", &Condition::Absent)?;
    either_way(run, 2, Some("A"), "B", &Condition::Stored)?;
    either_way(run, 3, Some("A"), "A", &Condition::Absent)
}

fn replaces(run: &Run<'_>) -> Verdict {
    either_way(run, 0, Some("Old"), "B", &replaces_named("Old"))?;
    either_way(run, 1, Some("A"), "B", &replaces_named("Old"))?;
    either_way(run, 2, Some("B"), "B", &replaces_named("Old"))?;
    either_way(run, 3, None, "B", &replaces_named("Old"))?;
    either_way(run, 4, Some("old"), "B", &replaces_named("Old"))
}

fn unknown(run: &Run<'_>) -> Verdict {
    either_way(run, 0, None, "B", &Condition::Unknown)?;
    either_way(run, 1, Some("A"), "B", &Condition::Unknown)?;
    either_way(run, 2, Some("A"), "A", &Condition::Unknown)
}

fn goals(run: &Run<'_>) -> Verdict {
    let lists = [
        ("buy", "sign-up"),
        ("buy_vwo_sign-up", "sign-up_vwo_search"),
        ("buy_vwo_sign-up", "buy_vwo_sign-up_vwo_search"),
        ("buy_vwo_sign-up", "buy"),
        ("", "buy"),
        ("buy", ""),
    ];
    for (number, (there, brought)) in lists.into_iter().enumerate() {
        for variation in ["A", "B"] {
            let user = run.user(&format!("{number}-{variation}"));
            let stored = record(&user, "campaign", "A", there);
            merges(run, Some(stored), &claim(record(&user, "campaign", variation, brought), Condition::Stored))?;
        }
    }
    // The goal has the separator inside, and its writer had read the very list that is stored.
    let user = run.user("read");
    let stored = record(&user, "campaign", "A", "buy_vwo_now");
    let brought = record(&user, "campaign", "A", "buy_vwo_now_vwo_now");
    merges(run, Some(stored), &Claim { goal: Some("now".into()), ..claim(brought, Condition::Stored) })
}

fn activates(run: &Run<'_>) -> Verdict {
    for (number, (there, variation, activated)) in
        [(false, "A", true), (false, "B", true), (true, "A", true), (true, "A", false), (false, "A", false)]
            .into_iter()
            .enumerate()
    {
        let user = run.user(&number.to_string());
        let stored = Record { activated: there, ..record(&user, "campaign", "A", "") };
        let wanted = Record { activated, ..record(&user, "campaign", variation, "") };
        merges(run, Some(stored), &claim(wanted, Condition::Stored))?;
    }
    Ok(())
}

fn metadata(run: &Run<'_>) -> Verdict {
    let conditions = [Condition::Absent, Condition::Stored, Condition::Unknown, replaces_named("Old")];
    let values = [None, Some(json!({ "new": 1 }))];
    for (number, condition) in conditions.iter().enumerate() {
        for (there, brought) in
            [(None, &values[1]), (Some(json!({ "old": 1 })), &values[1]), (Some(json!({})), &values[0])]
        {
            let user = run.user(&format!("{number}-{}-{}", there.is_some(), brought.is_some()));
            let stored = Record { meta_data: there, ..record(&user, "campaign", "A", "") };
            let wanted = Record { meta_data: brought.clone(), ..record(&user, "campaign", "A", "") };
            merges(run, Some(stored), &claim(wanted, condition.clone()))?;
        }
    }
    Ok(())
}
