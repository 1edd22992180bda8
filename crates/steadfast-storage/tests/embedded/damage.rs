//! Files that are not what was written.

use std::fs;
use std::path::Path;

use redb::{Database, TableDefinition};
use steadfast_engine::Record;
use steadfast_storage::{EmbeddedOptions, EmbeddedStorage, StorageErrorKind, UserStorage};

use crate::folder::{Folder, fill, records};

/// What may come of a damaged file: it is refused and left as it is, or what it answers is right or an error.
/// Whether it was refused.
fn is_honest(folder: &Folder, options: EmbeddedOptions, expected: &[Record], what: &str) -> bool {
    let before = fs::read(folder.file()).unwrap();
    match EmbeddedStorage::open_with(folder.file(), options) {
        Err(error) => {
            let kind = error.kind();
            let known = [StorageErrorKind::Corrupt, StorageErrorKind::NewerFormat, StorageErrorKind::Unsupported];
            assert!(known.contains(&kind), "{what}: {kind:?}: {error}");
            assert!(error.to_string().contains("records.redb"), "{what}: {error}");
            assert!(fs::read(folder.file()).unwrap() == before, "{what}: a refused file was written to");
            true
        }
        Ok(storage) => {
            for record in expected {
                match storage.get(&record.user_id, &record.campaign_key) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(record), "{what}"),
                    Err(error) => assert!(!error.to_string().contains(&record.user_id), "{what}: {error}"),
                }
            }
            false
        }
    }
}

#[test]
fn a_text_file_is_refused_and_stays_as_it_is() {
    let folder = Folder::new();
    for text in ["Dear diary,\n", "x", &"a long text\n".repeat(10_000)] {
        fs::write(folder.file(), text).unwrap();
        for refused in [
            EmbeddedStorage::open(folder.file()).map(drop),
            EmbeddedStorage::check(folder.file()).map(drop),
            EmbeddedStorage::compact(folder.file()).map(drop),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), StorageErrorKind::Corrupt);
            assert!(error.to_string().contains("is not a storage file"), "{error}");
        }
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
    }
}

#[test]
fn an_empty_file_is_refused_since_it_may_have_been_cut_short() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    assert_eq!(EmbeddedStorage::open(folder.file()).unwrap_err().kind(), StorageErrorKind::Corrupt);
    assert_eq!(fs::metadata(folder.file()).unwrap().len(), 0);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = Folder::new();
    drop(Database::create(folder.file()).unwrap());
    let before = fs::read(folder.file()).unwrap();
    let error = EmbeddedStorage::open(folder.file()).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    assert!(error.to_string().contains("another program"), "{error}");
    assert!(fs::read(folder.file()).unwrap() == before);
}

#[test]
fn a_file_of_a_newer_format_is_refused_and_stays_as_it_is() {
    const FORMAT: TableDefinition<'static, &str, u64> = TableDefinition::new("format");
    let folder = Folder::new();
    fill(&folder.file(), &records(10));
    let database = Database::open(folder.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(FORMAT).unwrap().insert("version", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = fs::read(folder.file()).unwrap();
    for refused in [
        EmbeddedStorage::open(folder.file()).map(drop),
        EmbeddedStorage::check(folder.file()).map(drop),
        EmbeddedStorage::compact(folder.file()).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::NewerFormat);
        assert!(error.to_string().contains("format 2"), "{error}");
    }
    assert!(fs::read(folder.file()).unwrap() == before);
}

#[test]
fn a_file_cut_short_is_refused_or_answers_honestly() {
    let folder = Folder::new();
    let expected = records(3_000);
    fill(&folder.file(), &expected);
    let whole = fs::read(folder.file()).unwrap();
    let lengths =
        (0..24).map(|part| whole.len() * part / 24).chain([1, 9, 63, 319, 320, 4_095, 4_096, whole.len() - 1]);
    let mut refused = 0;
    for length in lengths {
        for verify_bytes in [u64::MAX, 0] {
            fs::write(folder.file(), &whole[..length]).unwrap();
            let options = EmbeddedOptions { verify_bytes, ..EmbeddedOptions::default() };
            refused += u32::from(is_honest(&folder, options, &expected, &format!("cut to {length} bytes")));
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_answered_honestly_and_checking_changes_nothing() {
    let folder = Folder::new();
    let expected = records(1_500);
    fill(&folder.file(), &expected);
    let whole = fs::read(folder.file()).unwrap();
    let mut refused = 0;
    let positions = flips(&whole);
    for &(byte, bit) in &positions {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << bit;
        fs::write(folder.file(), &flipped).unwrap();
        let checked = EmbeddedStorage::check(folder.file());
        assert!(fs::read(folder.file()).unwrap() == flipped, "checking wrote to the file");
        let what = format!("bit {bit} of byte {byte}");
        let is_refused = is_honest(&folder, EmbeddedOptions::default(), &expected, &what);
        if is_refused {
            assert!(!checked.is_ok_and(|checked| checked.is_clean()), "{what}: refused, and nothing found");
        }
        refused += usize::from(is_refused);
    }
    eprintln!("{refused} of {} flipped files are refused", positions.len());
    assert!(refused > 20, "{refused} of {}", positions.len());
}

#[test]
fn a_flipped_bit_at_the_head_of_any_page_does_not_end_who_checks_it() {
    let folder = Folder::new();
    fill(&folder.file(), &records(1_500));
    let whole = fs::read(folder.file()).unwrap();
    let used = (0..whole.len()).step_by(4_096).filter(|page| whole[*page..*page + 64].iter().any(|byte| *byte != 0));
    let mut found = 0;
    for page in used {
        for byte in (2..64).step_by(6) {
            let mut flipped = whole.clone();
            flipped[page + byte] ^= 1 << (byte % 8);
            fs::write(folder.file(), &flipped).unwrap();
            // redb may panic, and panic again in what it lets go of: that must not reach anybody.
            let checked = EmbeddedStorage::check(folder.file());
            found += u32::from(!checked.is_ok_and(|checked| checked.is_clean()));
            assert!(fs::read(folder.file()).unwrap() == flipped, "checking wrote to the file");
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn a_flipped_bit_in_a_record_of_a_file_too_large_to_verify_is_an_error_of_that_record() {
    let folder = Folder::new();
    let expected = records(1_500);
    fill(&folder.file(), &expected);
    let whole = fs::read(folder.file()).unwrap();
    let options = EmbeddedOptions { verify_bytes: 0, ..EmbeddedOptions::default() };
    let mut tried = 0;
    for number in (0..1_500).step_by(50) {
        let record = &expected[number];
        let text = format!("{}\0{}", record.user_id, record.campaign_key);
        for place in places_of(&whole, text.as_bytes()) {
            let mut flipped = whole.clone();
            flipped[place + text.len() - 1] ^= 1;
            fs::write(folder.file(), &flipped).unwrap();
            let storage = EmbeddedStorage::open_with(folder.file(), options).unwrap();
            for other in expected.iter().filter(|other| other.user_id != record.user_id).step_by(100) {
                assert_eq!(storage.get(&other.user_id, &other.campaign_key).unwrap().as_ref(), Some(other));
            }
            tried += 1;
        }
    }
    assert!(tried >= 30, "{tried}");
}

#[test]
fn a_flipped_bit_in_a_key_that_leads_to_others_makes_nobody_absent() {
    /// The first byte of an inner page.
    const INNER: u8 = 2;
    const PAGE: usize = 4_096;
    let folder = Folder::new();
    let expected = records(3_000);
    fill(&folder.file(), &expected);
    let whole = fs::read(folder.file()).unwrap();
    let options = EmbeddedOptions { verify_bytes: 0, ..EmbeddedOptions::default() };
    let keys = places_of(&whole, b"user-").into_iter().filter(|place| whole[place / PAGE * PAGE] == INNER);
    let mut tried = 0;
    for place in keys.step_by(3) {
        for (digit, bit) in [(4, 1), (7, 0), (8, 1), (10, 0)] {
            let mut flipped = whole.clone();
            flipped[place + digit] ^= 1 << bit;
            fs::write(folder.file(), &flipped).unwrap();
            is_honest(&folder, options, &expected, &format!("bit {bit} of byte {}", place + digit));
            if let Ok(storage) = EmbeddedStorage::open_with(folder.file(), options) {
                for record in expected.iter().step_by(50) {
                    let (user, there) = (&record.user_id, std::slice::from_ref(record));
                    assert!(
                        storage.records_of(user).is_ok_and(|found| found == there) || storage.records_of(user).is_err()
                    );
                    let other = Record::new(user.as_str(), record.campaign_key.as_str(), "Another");
                    let merged = storage.merge(crate::folder::claim(other));
                    assert!(merged.is_err() || merged.is_ok_and(|merged| merged.record == *record));
                }
            }
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

/// Every bit of the header, and bits all over the parts of the file that are used.
fn flips(whole: &[u8]) -> Vec<(usize, usize)> {
    let header = (0..320).map(|byte| (byte, (byte * 5) % 8));
    let used: Vec<usize> = (320..whole.len()).filter(|byte| whole[*byte] != 0).collect();
    let step = (used.len() / 300).max(1);
    let elsewhere = used.into_iter().step_by(step).map(|byte| (byte, (byte * 3) % 8));
    header.chain(elsewhere).collect()
}

fn places_of(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text).map(|(place, _)| place).collect()
}

#[test]
fn what_an_interrupted_creation_left_behind_is_in_nobodys_way() {
    let folder = Folder::new();
    fs::write(folder.path().join("records.redb.new"), "half a file").unwrap();
    fill(&folder.file(), &records(10));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [Path::new("records.redb").as_os_str()]);
}
