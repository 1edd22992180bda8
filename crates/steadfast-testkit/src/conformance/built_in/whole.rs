//! All of a user, and all there is.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use steadfast_engine::Record;
use steadfast_storage::{Condition, Outcome};

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::report::Finding;
use crate::conformance::run::{Run, claim, failed, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("records-of-complete", "`records_of` has all records of a user, by campaign, and no others", records_of),
    Check::new("erase-complete", "`erase` leaves nothing of a user, says how much it was, touches nobody else", erase),
    Check::new("scan-complete", "`scan` comes by every record once, whatever the size of its pages", scan),
    Check::new(
        "scan-while-written",
        "so it does by those that are there all the time while others write",
        scan_written,
    ),
];

/// Ids that a storage could take for those of `user`.
const NEIGHBOURS: [&str; 7] = ["user-", "user-1", "use", "User", "user ", "user\0", "user_vwo_a"];

/// So many records of one user as no page holds.
const MANY: usize = 300;

fn campaigns() -> impl Iterator<Item = String> {
    let odd = ["", "a\0b", "Größe", "🎯", "A", "a ", "a_vwo_b", "a:b/{c}"].map(|odd| format!("odd{odd}"));
    (0..MANY).map(|number| format!("campaign-{number}")).chain(odd)
}

/// Fills the storage with records of `user` and of neighbours; the user's, by campaign.
fn filled(run: &Run<'_>) -> Result<Vec<Record>, Finding> {
    let user = run.user("user");
    let mut records: Vec<Record> =
        campaigns().map(|campaign| record(&user, &campaign, "A", &format!("goal-of-{campaign}"))).collect();
    for (number, one) in records.iter().enumerate() {
        // Some by the one road, some by the other.
        if number % 2 == 0 {
            run.set(one.clone())?;
        } else {
            run.merge(claim(one.clone(), Condition::Absent))?;
        }
    }
    for neighbour in NEIGHBOURS {
        run.set(record(&run.user(neighbour), "campaign-1", "B", "theirs"))?;
    }
    records.sort_by(|one, other| one.campaign_key.cmp(&other.campaign_key));
    Ok(records)
}

fn records_of(run: &Run<'_>) -> Verdict {
    let user = run.user("user");
    same("all records of a user who has none", &Vec::new(), &run.records_of(&user)?)?;
    let records = filled(run)?;
    same("all records of a user", &records, &run.records_of(&user)?)?;
    for neighbour in NEIGHBOURS {
        let theirs = vec![record(&run.user(neighbour), "campaign-1", "B", "theirs")];
        same("all records of a user who has one", &theirs, &run.records_of(&run.user(neighbour))?)?;
    }
    Ok(())
}

fn erase(run: &Run<'_>) -> Verdict {
    let user = run.user("user");
    same("a user without records was erased", &0, &run.erase(&user)?)?;
    let records = filled(run)?;
    same("a user was erased", &(records.len() as u64), &run.erase(&user)?)?;
    for record in &records {
        same("a user was erased, and looked up", &None, &run.get(&user, &record.campaign_key)?)?;
    }
    same("a user was erased, and all their records asked for", &Vec::new(), &run.records_of(&user)?)?;
    let left = scanned(run, 100)?.into_iter().filter(|record| record.user_id == user).count();
    same("a user was erased, and everything was read through", &0, &left)?;
    for neighbour in NEIGHBOURS {
        let theirs = record(&run.user(neighbour), "campaign-1", "B", "theirs");
        let found = run.get(&theirs.user_id, "campaign-1")?;
        same("another user was erased", &Some(theirs), &found)?;
    }
    same("a user was erased for the second time", &0, &run.erase(&user)?)?;
    let back = claim(record(&user, "campaign-1", "C", ""), Condition::Absent);
    same("an erased user came back", &Outcome::Claimed, &run.merge(back)?.outcome)?;
    same("an erased user came back", &1, &run.records_of(&user)?.len())
}

/// All records of this check, as they come. Others' are passed over.
fn scanned(run: &Run<'_>, about: usize) -> Result<Vec<Record>, Finding> {
    scanned_with(run, about, |_| Ok(()))
}

/// The same, with something done after each page.
fn scanned_with(
    run: &Run<'_>,
    about: usize,
    mut after_page: impl FnMut(usize) -> Verdict,
) -> Result<Vec<Record>, Finding> {
    let mut records = Vec::new();
    let mut places = HashSet::new();
    let mut from = None;
    loop {
        let page = run.storage.scan(from.as_ref(), about).map_err(|error| failed("`scan`", &error))?;
        records.extend(page.records.into_iter().filter(|record| run.is_ours(&record.user_id)));
        let Some(next) = page.next else { return Ok(records) };
        if !places.insert(next.as_bytes().to_vec()) {
            let expected = "pages that come to an end";
            return Err(Finding::said(
                "everything was read through",
                expected,
                format!("{next:?} for the second time"),
            ));
        }
        from = Some(next);
        after_page(places.len())?;
    }
}

/// Each of these records once, by place. Of others, which were not there all the time, nothing is owed.
fn each_once(what: &str, expected: &[Record], found: &[Record]) -> Verdict {
    let mut came: HashMap<(&str, &str), usize> = HashMap::new();
    for record in found {
        *came.entry((&record.user_id, &record.campaign_key)).or_default() += 1;
    }
    for record in expected {
        let place = (record.user_id.as_str(), record.campaign_key.as_str());
        let times = came.get(&place).copied().unwrap_or_default();
        same(format!("{what}: {place:?} came so many times"), &1, &times)?;
    }
    Ok(())
}

fn scan(run: &Run<'_>) -> Verdict {
    let mut expected = filled(run)?;
    expected.extend(NEIGHBOURS.map(|neighbour| record(&run.user(neighbour), "campaign-1", "B", "theirs")));
    for number in 0..200 {
        let one = record(&run.user(&format!("other-{number}")), "campaign", "C", &number.to_string());
        run.set(one.clone())?;
        expected.push(one);
    }
    for about in [7, 100, 1_000_000] {
        let mut found = scanned(run, about)?;
        each_once(&format!("everything was read through, about {about} records a page"), &expected, &found)?;
        let by_place = |one: &Record, other: &Record| {
            (&one.user_id, &one.campaign_key).cmp(&(&other.user_id, &other.campaign_key))
        };
        expected.sort_by(by_place);
        found.sort_by(by_place);
        if let Some((expected, found)) = expected.iter().zip(&found).find(|(expected, found)| expected != found) {
            return Err(Finding::new("everything was read through", expected, found));
        }
        same("everything was read through: so many records", &expected.len(), &found.len())?;
    }
    Ok(())
}

fn scan_written(run: &Run<'_>) -> Verdict {
    const STAYING: usize = 200;
    let stays = |number: usize| run.user(&format!("stays-{}", number % STAYING));
    let goes = |number: usize| run.user(&format!("goes-{number}"));
    let staying: Vec<Record> = (0..STAYING).map(|number| record(&stays(number), "campaign", "A", "")).collect();
    for record in &staying {
        run.set(record.clone())?;
    }
    for number in 0..STAYING {
        run.set(record(&goes(number), "campaign", "B", ""))?;
    }
    // Between any two pages something comes, goes and changes, before and after the place that the reader is at.
    let what = "everything was read through while others wrote";
    let found = scanned_with(run, 7, |page| {
        if page > STAYING {
            // Pages may be short, and the end must come.
            return Ok(());
        }
        run.set(record(&run.user(&format!("after-{page}")), "campaign", "B", ""))?;
        run.set(record(&stays(page), &format!("before-{page}"), "B", ""))?;
        run.set(record(&stays(page * 3), "campaign", "A", &"goal_vwo_".repeat(page % 50)))
    })?;
    each_once(what, &staying, &found)?;
    let found = scanned_with(run, 7, |page| run.erase(&goes(page - 1)).map(drop))?;
    each_once(what, &staying, &found)?;
    scan_beside_writers(run, &staying)
}

/// The same with threads, which also write while a page is being read.
fn scan_beside_writers(run: &Run<'_>, staying: &[Record]) -> Verdict {
    const SCANS: usize = 4;
    const MOST_WRITES: usize = 1_500;
    let done = AtomicBool::new(false);
    run.together(4, |number| {
        if number > 0 {
            return (0..MOST_WRITES)
                .take_while(|_| !done.load(Ordering::Acquire))
                .try_for_each(|step| disturb(run, number, step, &staying[step % staying.len()].user_id));
        }
        let seen = (0..SCANS).try_for_each(|number| {
            let found = scanned(run, if number % 2 == 0 { 7 } else { 64 })?;
            each_once("everything was read through while threads wrote", staying, &found)
        });
        // The writers stop with the reader, also where it found something.
        done.store(true, Ordering::Release);
        seen
    })
    .map(drop)
}

/// One writer adds users and erases them again, one changes records that stay, one adds records to users who stay.
fn disturb(run: &Run<'_>, writer: usize, step: usize, stays: &str) -> Verdict {
    match writer {
        1 => {
            let comes = run.user(&format!("comes-{step}"));
            run.set(record(&comes, "campaign", "B", ""))?;
            if step.is_multiple_of(3) { run.erase(&comes).map(drop) } else { Ok(()) }
        }
        2 => run.set(record(stays, "campaign", "A", &"goal_vwo_".repeat(step % 50))),
        _ => {
            let another = record(stays, &format!("campaign-{}", step % 5), "C", "");
            run.merge(claim(another, Condition::Absent)).map(drop)
        }
    }
}
