//! What stands in the table, and what is found of it.

use serde_json::{Value, json};
use steadfast_engine::{Answer, Record};
use steadfast_storage::{AsyncUserStorage, Condition, Cursor, Outcome, StorageErrorKind, Writes};

use super::{check, claim, open, record, server};

/// A text of so many bytes that no compression makes shorter.
fn long(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test]
async fn ids_are_as_long_as_they_are() {
    let server = server();
    let storage = open(&server.database()).await;
    let beginning = long(1, 2_000);
    let users: Vec<String> = [10_000, 100_000].into_iter().map(|bytes| beginning.clone() + &long(2, bytes)).collect();
    let texts: Vec<&str> = users.iter().map(String::as_str).chain([&*beginning, ""]).collect();
    let places: Vec<(&str, &str)> = texts.iter().flat_map(|user| texts.iter().map(|key| (*user, *key))).collect();
    let records: Vec<Record> =
        places.iter().enumerate().map(|(number, place)| record(place.0, place.1, &number.to_string(), "g")).collect();
    for record in &records {
        let merged = storage.merge(claim(record.clone(), Condition::Absent)).await.unwrap();
        assert_eq!(merged.outcome, Outcome::Claimed);
    }
    for record in &records {
        assert_eq!(storage.get(&record.user_id, &record.campaign_key).await.unwrap().as_ref(), Some(record));
    }
    let mut of_one: Vec<Record> = records.iter().filter(|record| record.user_id == users[0]).cloned().collect();
    of_one.sort_by(|one, other| one.campaign_key.cmp(&other.campaign_key));
    assert_eq!(storage.records_of(&users[0]).await.unwrap(), of_one);
    assert_eq!(storage.erase(&users[1]).await.unwrap(), 4);
    assert_eq!(storage.scan(None, 100).await.unwrap().records.len(), 12);
}

#[tokio::test]
async fn records_come_in_the_order_of_bytes() {
    let server = server();
    let storage = open(&server.database()).await;
    let mut texts =
        vec!["", "\0", "\0a", "\u{1}", "\u{2}", "\u{3}", "\u{4}", "A", "B", "a", "a\0", "a b", "Ä", "ä", "日", "🎯"];
    for user in &texts {
        let records = texts.iter().map(|campaign| Record::new(*user, *campaign, "V")).collect();
        assert!(storage.set_many(records).await.iter().all(Result::is_ok));
    }
    texts.sort_unstable();
    let expected: Vec<(&str, &str)> =
        texts.iter().flat_map(|user| texts.iter().map(|campaign| (*user, *campaign))).collect();
    for about in [0, 7, 256, usize::MAX] {
        let (mut from, mut found) = (None, Vec::new());
        loop {
            let page = storage.scan(from.as_ref(), about).await.unwrap();
            found.extend(page.records);
            let Some(next) = page.next else { break };
            from = Some(next);
        }
        let found: Vec<(&str, &str)> = found.iter().map(|one| (&*one.user_id, &*one.campaign_key)).collect();
        assert_eq!(found, expected, "about {about}");
    }
    let error = storage.scan(Some(&Cursor::new(*b"of another")), 7).await.unwrap_err();
    check(&error, StorageErrorKind::Other, &["no cursor of a PostgreSQL storage"]);
}

#[tokio::test]
async fn people_read_what_is_there() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    let meta_data = Some(json!({"b": 1.0, "a": 9_007_199_254_740_993_u64}));
    storage.set(Record { meta_data, ..record("Ashley", "ab", "Grün", "buy_vwo_signup") }).await.unwrap();
    let row = "SELECT variation_name, goals, activated, meta_data FROM steadfast_record WHERE user_id = 'Ashley'";
    let meta_data = storage.get("Ashley", "ab").await.unwrap().unwrap().meta_data.unwrap().to_string();
    assert_eq!(server.ask(&url, row), format!("Grün|buy_vwo_signup|t|{meta_data}"));
}

#[tokio::test]
async fn one_bad_record_spoils_no_other() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    // A rule of the database's owner.
    let _ = server.ask(&url, "ALTER TABLE steadfast_record ADD CHECK (variation_name <> 'bad')");
    let mut deep = json!(1);
    for _ in 0..101 {
        deep = Value::Array(vec![deep]);
    }
    let deep = Record { meta_data: Some(json!({ "deep": deep })), ..Record::new("deep", "ab", "A") };
    let records =
        [Record::new("a", "ab", "A"), deep, Record::new("secret-id", "ab", "bad"), Record::new("z", "ab", "Z")];
    for writes in [false, true] {
        let errors: Vec<Option<String>> = if writes {
            let done = storage.set_many(records.to_vec()).await;
            done.into_iter().map(|done| done.err().map(|error| error.to_string())).collect()
        } else {
            let claims = records.iter().map(|record| claim(record.clone(), Condition::Absent)).collect();
            let done = storage.merge_many(claims).await;
            done.into_iter().map(|done| done.err().map(|error| error.to_string())).collect()
        };
        assert_eq!(errors.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, false]);
        assert!(errors[1].as_ref().unwrap().contains("nested too deeply"), "{errors:?}");
        let of_server = errors[2].as_ref().unwrap();
        assert!(of_server.contains("23514") && !of_server.contains("secret-id"), "{of_server}");
        assert_eq!(storage.erase("a").await.unwrap() + storage.erase("z").await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_row_that_is_no_record_is_corrupt_and_never_absent() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    for spoiled in ["meta_data = 'no json'", "variation_name = chr(2)", "goals = chr(1)", "long_campaign_key = 'other'"]
    {
        let _ = storage.erase("secret-id").await.unwrap();
        storage.set(Record::new("secret-id", "ab", "A")).await.unwrap();
        storage.set(Record::new("secret-id", "cd", "A")).await.unwrap();
        let _ = server.ask(&url, &format!("UPDATE steadfast_record SET {spoiled} WHERE campaign_key = 'ab'"));
        let error = storage.get("secret-id", "ab").await.unwrap_err();
        check(&error, StorageErrorKind::Corrupt, &["steadfast_record", "erase the user"]);
        assert!(!error.to_string().contains("secret-id"));
        let answers = storage.get_many("secret-id", &["cd", "ab", "none"]).await;
        assert!(matches!(&answers[..], [Answer::Found(_), Answer::Failed(_), Answer::Absent]), "{answers:?}");
        assert_eq!(storage.records_of("secret-id").await.unwrap_err().kind(), StorageErrorKind::Corrupt);
        let page = storage.scan(None, 100).await.unwrap();
        let campaigns: Vec<&str> = page.records.iter().map(|record| &*record.campaign_key).collect();
        assert_eq!((campaigns, page.damaged), (vec!["cd"], vec!["secret-id".to_owned()]), "{spoiled}");
        if !spoiled.contains("long") {
            let claims = ["ab", "cd", "ef"].map(|key| claim(record("secret-id", key, "A", "buy"), Condition::Stored));
            let merged = storage.merge_many(claims.to_vec()).await;
            assert_eq!(merged.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, true], "{spoiled}");
        }
    }
}

#[tokio::test]
async fn a_table_that_is_dropped_is_no_absence() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    storage.set(Record::new("Ashley", "ab", "A")).await.unwrap();
    let _ = server.ask(&url, "DROP TABLE steadfast_record");
    let error = storage.get("Ashley", "ab").await.unwrap_err();
    check(&error, StorageErrorKind::Corrupt, &["steadfast_record", "open the storage anew"]);
}

#[tokio::test]
async fn a_claim_that_changes_nothing_writes_nothing() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    assert_eq!(storage.writes(), Writes::Together(200));
    let first = claim(record("Ashley", "ab", "A", "buy"), Condition::Absent);
    storage.merge(first.clone()).await.unwrap();
    let version = "SELECT xmin, ctid FROM steadfast_record";
    let before = server.ask(&url, version);
    let other = claim(record("Ashley", "ab", "B", ""), Condition::Absent);
    for kept in [first, other] {
        assert_eq!(storage.merge(kept).await.unwrap().outcome, Outcome::Kept);
    }
    assert_eq!(server.ask(&url, version), before);
}
