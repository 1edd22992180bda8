//! Many writers at once.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use steadfast_engine::Record;

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::report::Finding;
use crate::conformance::run::{Run, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("hundred-writers", "a hundred writers at once lose nothing", hundred),
    Check::new("whole-records", "a record that is being replaced is found as the old or the new one", whole),
];

const WRITERS: usize = 100;

fn hundred(run: &Run<'_>) -> Verdict {
    let shared = run.user("shared");
    let own = |number: usize| run.user(&format!("user-{number}"));
    let record = |user: &str, campaign: String, number: usize| record(user, &campaign, "A", &format!("goal-{number}"));
    run.together(WRITERS, |number| {
        run.set(record(&own(number), "campaign".into(), number))?;
        run.set(record(&shared, format!("campaign-{number}"), number))?;
        run.set(record(&own(number % 10), format!("campaign-{number}"), number))
    })?;
    for number in 0..WRITERS {
        let places = [
            (own(number), "campaign".to_owned()),
            (shared.clone(), format!("campaign-{number}")),
            (own(number % 10), format!("campaign-{number}")),
        ];
        for (user, campaign) in places {
            let found = run.get(&user, &campaign)?;
            let expected = record(&user, campaign, number);
            same(format!("{WRITERS} threads set three records each"), &Some(expected), &found)?;
        }
    }
    Ok(())
}

fn whole(run: &Run<'_>) -> Verdict {
    const ROUNDS: usize = 50;
    const MOST_LOOK_UPS: usize = 5_000;
    let user = run.user("user");
    let old = Record { meta_data: Some(json!({ "of": "old" })), ..record(&user, "campaign", "Old", "old_vwo_old-2") };
    let new = Record {
        meta_data: Some(json!({ "of": "new", "longer": "x".repeat(500) })),
        activated: false,
        ..record(&user, "campaign", "New", "new")
    };
    run.set(old.clone())?;
    let done = AtomicBool::new(false);
    run.together(4, |number| {
        if number > 1 {
            // Bounded, for a writer that never comes back.
            for _ in 0..MOST_LOOK_UPS {
                if done.load(Ordering::Acquire) {
                    break;
                }
                let found = run.get(&user, "campaign")?;
                if found.as_ref() != Some(&old) && found.as_ref() != Some(&new) {
                    return Err(Finding::new("two records replaced each other", &[&old, &new], &found));
                }
            }
            return Ok(());
        }
        let written = (0..ROUNDS).try_for_each(|_| run.set(if number == 0 { old.clone() } else { new.clone() }));
        // The readers stop with the first writer, also where it failed.
        done.store(true, Ordering::Release);
        written
    })
    .map(drop)
}
