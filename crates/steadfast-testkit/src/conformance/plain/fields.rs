//! What is set is found, exactly.

use serde_json::{Value, json};
use steadfast_engine::Record;

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::run::{Run, record};

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("absent-before-set", "where nothing was set, nothing is found", absent),
    Check::new("keeps-variation", "the name of a variation is found as it was set", variations),
    Check::new("keeps-goals", "the list of goals is found as it was set", goals),
    Check::new("keeps-activated", "a decision that nobody was counted for stays one", activated),
    Check::new("keeps-metadata", "metadata is found as it was set", metadata),
    Check::new("set-replaces", "what is set replaces what was there, in every field", replaces),
];

fn absent(run: &Run<'_>) -> Verdict {
    let user = run.user("new");
    same("a user was looked up of whom nothing was set", &None, &run.get(&user, "campaign")?)?;
    run.set(Record::new(&user, "campaign", "A"))?;
    same("another campaign of a user was looked up", &None, &run.get(&user, "other")?)?;
    same("another user was looked up", &None, &run.get(&run.user("other"), "campaign")?)
}

/// Sets these records, each of a user and in a campaign of its own, and looks for each.
fn found(run: &Run<'_>, field: &str, records: impl IntoIterator<Item = Record>) -> Verdict {
    let own = |(number, record): (usize, Record)| {
        let user_id = run.user(&number.to_string());
        Record { user_id, campaign_key: format!("campaign-{number}"), ..record }
    };
    let records: Vec<Record> = records.into_iter().enumerate().map(own).collect();
    for record in &records {
        run.set(record.clone())?;
    }
    for record in &records {
        let found = run.get(&record.user_id, &record.campaign_key)?;
        same(format!("a record was set and looked up, for its {field}"), &Some(record), &found.as_ref())?;
    }
    Ok(())
}

fn variations(run: &Run<'_>) -> Verdict {
    let names =
        ["A", "Variation-1", "größer", "日本", "🎯", " spaced ", "a\0b", "a\"b\\c", "a_vwo_b", "a:b/c{d}", "a\nb"];
    let long = "v".repeat(4_096);
    let names = names.into_iter().chain([long.as_str()]);
    found(run, "variation", names.map(|name| Record::new("", "", name)))
}

fn goals(run: &Run<'_>) -> Verdict {
    let many: Vec<String> = (0..500).map(|number| format!("goal-{number}")).collect();
    let many = many.join("_vwo_");
    let lists = [
        "",
        "buy",
        "buy_vwo_sign-up",
        "b_vwo_a_vwo_c",
        "buy_vwo_",
        "_vwo_buy",
        "Größe_vwo_🎯",
        "a\0b_vwo_c",
        " a ",
        "a,b;c",
    ];
    let lists = lists.into_iter().chain([many.as_str()]);
    found(run, "goals", lists.map(|goals| record("", "", "A", goals)))
}

fn activated(run: &Run<'_>) -> Verdict {
    found(run, "activation", [false, true].map(|activated| Record { activated, ..Record::new("", "", "A") }))
}

fn metadata(run: &Run<'_>) -> Verdict {
    let large: Vec<Value> = (0..2_000).map(|number| json!({ "number": number, "text": "größer 🎯" })).collect();
    let values = [
        None,
        Some(json!({})),
        Some(json!({ "browser": "chrome", "nested": { "list": [1, "two", null, true, {}], "empty": [] } })),
        Some(json!({ "": "an empty key", "größer": "🎯", "a\0b": "c\0d", "a\"b\\c": "\u{1}\n\u{2028}" })),
        Some(json!({ "large": u64::MAX, "small": i64::MIN, "sum": 0.1 + 0.2, "huge": 1e300, "tiny": 5e-324 })),
        Some(json!({ "userId": "somebody else", "campaignKey": "other", "activated": false, "goalIdentifier": "buy" })),
        Some(json!({ "large": large })),
    ];
    found(run, "metadata", values.map(|meta_data| Record { meta_data, ..Record::new("", "", "A") }))
}

fn replaces(run: &Run<'_>) -> Verdict {
    let user = run.user("user");
    let full =
        Record { meta_data: Some(json!({ "old": 1, "both": 1 })), ..record(&user, "campaign", "A", "buy_vwo_sign-up") };
    let other = Record {
        meta_data: Some(json!({ "both": 2, "new": 2 })),
        activated: false,
        ..record(&user, "campaign", "B", "search")
    };
    let bare = Record::new(&user, "campaign", "C");
    for record in [&full, &other, &bare, &other, &full] {
        run.set(record.clone())?;
        let found = run.get(&user, "campaign")?;
        same("a record was set where another had been", &Some(record), &found.as_ref())?;
    }
    Ok(())
}
