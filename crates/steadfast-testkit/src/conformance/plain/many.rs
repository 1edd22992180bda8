//! Several records at once are as many single ones.

use steadfast_engine::{Answer, Record};

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::run::{Run, all, answer, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("look-up-as-get", "`look_up` answers what `get` finds", look_up),
    Check::new("get-many-in-order", "`get_many` answers each campaign, in the order asked, as `get` does", get_many),
    Check::new("set-many-in-order", "`set_many` keeps every record, and of two for one place the later", set_many),
];

fn look_up(run: &Run<'_>) -> Verdict {
    let stored = record(&run.user("user"), "campaign", "A", "buy");
    same("nothing was set", &Answer::Absent, &run.storage.look_up(&stored.user_id, "campaign"))?;
    run.set(stored.clone())?;
    let found = run.storage.look_up(&stored.user_id, "campaign");
    same("a record was set", &answer(Some(&stored)), &found)?;
    same("another campaign was set", &Answer::Absent, &run.storage.look_up(&stored.user_id, "other"))
}

fn get_many(run: &Run<'_>) -> Verdict {
    let (user, other) = (run.user("user"), run.user("user2"));
    for campaign in ["m", "a", "z", "b", "10", "9"] {
        run.set(Record::new(&user, campaign, format!("V-{campaign}")))?;
        run.set(Record::new(&other, format!("{campaign}-other"), "B"))?;
    }
    let many: Vec<String> = (0..300).map(|number| format!("campaign-{number}")).collect();
    for campaign in many.iter().step_by(3) {
        run.set(Record::new(&user, campaign, "A"))?;
    }
    let asked: [&[&str]; 7] = [
        &[],
        &["m"],
        &["none"],
        &["z", "a", "none", "m", "10", "b", "9"],
        &["z", "a", "z", "none", "none", "a", "z"],
        &["m-other", "M", "m", ""],
        &many.iter().rev().map(String::as_str).collect::<Vec<_>>(),
    ];
    for campaigns in asked {
        let mut each = Vec::new();
        for campaign in campaigns {
            each.push(answer(run.get(&user, campaign)?.as_ref()));
        }
        let found = run.storage.get_many(&user, campaigns);
        same(format!("`get_many` was asked for {campaigns:?}"), &each, &found)?;
    }
    let nobody = run.storage.get_many(&run.user("nobody"), &["m", "a"]);
    same("`get_many` was asked for a user without records", &vec![Answer::Absent; 2], &nobody)
}

fn set_many(run: &Run<'_>) -> Verdict {
    let (one, two) = (run.user("one"), run.user("two"));
    same("`set_many` was given no records", &0, &run.storage.set_many(Vec::new()).len())?;
    let records = vec![
        record(&one, "m", "A", "first"),
        record(&two, "m", "A", "first"),
        record(&one, "a", "B", ""),
        record(&one, "m", "B", "second"),
        record(&two, "z", "C", ""),
        record(&one, "m", "C", "third"),
        record(&two, "m", "D", ""),
    ];
    let results = all("`set_many`", run.storage.set_many(records.clone()))?;
    same("`set_many` was given several records: so many results", &records.len(), &results.len())?;
    for last in [2, 4, 5, 6].map(|number| &records[number]) {
        let found = run.get(&last.user_id, &last.campaign_key)?;
        same("`set_many` was given several records, some for one place", &Some(last), &found.as_ref())?;
    }
    Ok(())
}
