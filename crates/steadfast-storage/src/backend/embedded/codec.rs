//! A record as bytes and back. The format stands at the top of `mod.rs`.

use steadfast_engine::{GoalList, Record};

use super::super::meta_data;
use super::key;
use crate::error::StorageError;

/// The version of values that is written, and the newest that can be read.
const VERSION: u8 = 1;
const ACTIVATED: u8 = 1;
const GOALS: u8 = 2;
const META_DATA: u8 = 4;
const CHECKSUM: usize = 4;

/// What is wrong with a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not what was written.
    Corrupt,
    /// Another one in its way is not what was written, so that it is not known what is there.
    Beside,
    /// It was written by a newer version.
    Newer,
}

/// Puts the value of a record into `value`, in the place of what is there.
pub(super) fn encode(key: &[u8], record: &Record, value: &mut Vec<u8>) -> Result<(), StorageError> {
    let goals = record.goals.as_str();
    let mut flags = 0;
    flags |= if record.activated { ACTIVATED } else { 0 };
    flags |= if goals.is_empty() { 0 } else { GOALS };
    flags |= if record.meta_data.is_some() { META_DATA } else { 0 };
    value.clear();
    value.extend_from_slice(&[VERSION, flags]);
    push_text(value, &record.variation_name);
    if !goals.is_empty() {
        push_text(value, goals);
    }
    if let Some(data) = meta_data::text(record)? {
        value.extend_from_slice(data.as_bytes());
    }
    let checksum = checksum(key, value);
    value.extend_from_slice(&checksum);
    Ok(())
}

/// Reads the record with this key and value.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Record, Flaw> {
    if !is_whole(key, value) {
        return Err(Flaw::Corrupt);
    }
    let (value, _) = value.split_last_chunk::<CHECKSUM>().ok_or(Flaw::Corrupt)?;
    let ([version, flags], mut rest) = value.split_first_chunk::<2>().ok_or(Flaw::Corrupt)?;
    if *version > VERSION || flags & !(ACTIVATED | GOALS | META_DATA) != 0 {
        return Err(Flaw::Newer);
    }
    let (user, campaign) = key::split(key).ok_or(Flaw::Corrupt)?;
    let variation = take_text(&mut rest).ok_or(Flaw::Corrupt)?;
    let goals = if flags & GOALS == 0 { "" } else { take_text(&mut rest).ok_or(Flaw::Corrupt)? };
    let meta_data = if flags & META_DATA == 0 {
        None
    } else {
        Some(serde_json::from_slice(std::mem::take(&mut rest)).map_err(|_| Flaw::Corrupt)?)
    };
    if *version == 0 || !rest.is_empty() {
        return Err(Flaw::Corrupt);
    }
    Ok(Record {
        user_id: key::user(user).ok_or(Flaw::Corrupt)?,
        campaign_key: campaign.to_owned(),
        variation_name: variation.to_owned(),
        goals: GoalList::from_text(goals),
        activated: flags & ACTIVATED != 0,
        meta_data,
    })
}

/// Whether key and value are what was written, of whatever version.
pub(super) fn is_whole(key: &[u8], value: &[u8]) -> bool {
    value.split_last_chunk::<CHECKSUM>().is_some_and(|(value, stored)| checksum(key, value) == *stored)
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

fn push_text(value: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        value.push(low_bits(length) | 0x80);
        length >>= 7;
    }
    value.push(low_bits(length));
    value.extend_from_slice(text.as_bytes());
}

fn low_bits(length: usize) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "seven bits are kept")]
    let bits = (length & 0x7f) as u8;
    bits
}

fn take_text<'v>(rest: &mut &'v [u8]) -> Option<&'v str> {
    let mut length = 0_usize;
    let mut shift = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(record: &Record) -> (Vec<u8>, Vec<u8>) {
        let key = key::key(&record.user_id, &record.campaign_key);
        let mut value = vec![7; 3];
        encode(&key, record, &mut value).expect("shallow metadata");
        (key, value)
    }

    fn records() -> [Record; 4] {
        let long = "Größe ".repeat(100);
        let full = Record {
            goals: GoalList::from_text("g1_vwo_g2"),
            activated: false,
            meta_data: Some(json!({"a": [1, 2.5, null], "b": {"c": "\0é"}})),
            ..Record::new("u\0ser", "checkout", "Grün")
        };
        [Record::new("", "", ""), Record::new("user", "checkout", "Control"), full, Record::new(&long, &long, &long)]
    }

    #[test]
    fn a_record_is_read_back() {
        for record in records() {
            let (key, value) = written(&record);
            assert_eq!(decode(&key, &value), Ok(record));
        }
    }

    #[test]
    fn no_flipped_bit_of_key_or_value_is_read_as_a_record() {
        for record in records() {
            let (mut key, mut value) = written(&record);
            for bit in 0..key.len() * 8 {
                key[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&key, &value), Err(Flaw::Corrupt), "bit {bit} of the key");
                key[bit / 8] ^= 1 << (bit % 8);
            }
            for bit in 0..value.len() * 8 {
                value[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&key, &value), Err(Flaw::Corrupt), "bit {bit} of the value");
                value[bit / 8] ^= 1 << (bit % 8);
            }
            for length in 0..value.len() {
                assert_eq!(decode(&key, &value[..length]), Err(Flaw::Corrupt), "the first {length} bytes");
            }
        }
    }

    #[test]
    fn a_value_of_a_newer_version_is_known_as_one() {
        let (key, mut value) = written(&Record::new("user", "checkout", "Control"));
        value.truncate(value.len() - CHECKSUM);
        value[0] = VERSION + 1;
        value.extend_from_slice(&checksum(&key, &value));
        assert_eq!(decode(&key, &value), Err(Flaw::Newer));
    }

    #[test]
    fn metadata_that_could_not_be_read_again_is_not_written() {
        let mut nested = json!(1);
        for _ in 0..meta_data::DEEPEST {
            nested = json!([nested]);
        }
        let mut record = Record { meta_data: Some(nested), ..Record::new("user", "checkout", "Control") };
        let (key, value) = written(&record);
        assert_eq!(decode(&key, &value).as_ref(), Ok(&record));
        record.meta_data = record.meta_data.map(|data| json!([data]));
        assert!(encode(&key, &record, &mut Vec::new()).is_err());
    }
}
