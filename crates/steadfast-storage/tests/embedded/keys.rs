//! Ids of every shape.

use steadfast_engine::Record;
use steadfast_storage::{EmbeddedStorage, UserStorage};

use crate::folder::{Folder, scanned};

#[test]
fn ids_with_nul_bytes_empty_ids_foreign_ids_and_long_ids_are_kept_apart() {
    let folder = Folder::new();
    let long = "x".repeat(4_096);
    let longer = format!("{long}\0");
    let ids = ["", "\0", "\0\0", "a", "a\0", "a\0b", "ab", "é", "日本語", "😀", "\u{10ffff}", &long, &longer];
    let mut expected = Vec::new();
    for user in ids {
        for campaign in ids {
            let number = expected.len();
            expected.push(Record::new(user, campaign, format!("variation {number}")));
        }
    }
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    for result in storage.set_many(expected.clone()) {
        result.unwrap();
    }
    drop(storage);
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    for record in &expected {
        assert_eq!(storage.get(&record.user_id, &record.campaign_key).unwrap().as_ref(), Some(record));
    }
    expected.sort_by(|one, other| (&one.user_id, &one.campaign_key).cmp(&(&other.user_id, &other.campaign_key)));
    assert!(scanned(&storage, 5) == expected);
    for user in ids {
        let of_user: Vec<&Record> = expected.iter().filter(|record| record.user_id == user).collect();
        assert!(storage.records_of(user).unwrap().iter().eq(of_user.iter().copied()), "{user:?}");
    }
    for user in ids {
        assert_eq!(storage.erase(user).unwrap(), ids.len() as u64, "{user:?}");
        assert_eq!(storage.erase(user).unwrap(), 0);
        expected.retain(|record| record.user_id != user);
        assert!(scanned(&storage, 1_000) == expected);
    }
}
