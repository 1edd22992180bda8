//! How a record lies in a field of its user's hash, so that the script can merge it without reading JSON.
//!
//! ```text
//! 1+7:Control8:buy_vwo_x{"browser":"chrome"}
//! │││         │         └ the metadata as JSON, or nothing
//! │││         └ the goals, after their length in bytes
//! ││└ the variation, after its length in bytes
//! │└ "+" where the visitor was counted, "-" where not yet
//! └ the version of this form
//! ```
//!
//! User and campaign are the key and the field. A value with another version is of a newer Steadfast: nothing here reads
//! it, and nothing writes over it but a `set`.

use steadfast_engine::{GoalList, Record};

use super::super::meta_data;
use crate::error::StorageError;

/// The version that is written, and the only one that is read.
const VERSION: u8 = b'1';

/// Why a value is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It was written by a newer version.
    Newer,
    /// It is not what was written.
    Corrupt,
}

/// The value of a record.
///
/// # Errors
/// When its metadata could not be read again.
pub(super) fn encode(record: &Record) -> Result<String, StorageError> {
    let (variation, goals) = (&record.variation_name, record.goals.as_str());
    let meta_data = meta_data::text(record)?.unwrap_or_default();
    Ok(format!(
        "{}{}{}:{variation}{}:{goals}{meta_data}",
        char::from(VERSION),
        if record.activated { '+' } else { '-' },
        variation.len(),
        goals.len(),
    ))
}

/// The record of a value.
///
/// # Errors
/// When it is of a newer version, or not what was written.
pub(super) fn decode(user: &str, campaign: &str, value: &[u8]) -> Result<Record, Flaw> {
    let text = std::str::from_utf8(value).map_err(|_| Flaw::Corrupt)?;
    match value.first() {
        Some(&VERSION) => {}
        Some(b'2'..=b'9') => return Err(Flaw::Newer),
        _ => return Err(Flaw::Corrupt),
    }
    let rest = text.get(1..).ok_or(Flaw::Corrupt)?;
    let (activated, rest) = match rest.split_at_checked(1) {
        Some(("+", rest)) => (true, rest),
        Some(("-", rest)) => (false, rest),
        _ => return Err(Flaw::Corrupt),
    };
    let (variation, rest) = counted(rest).ok_or(Flaw::Corrupt)?;
    let (goals, meta_data) = counted(rest).ok_or(Flaw::Corrupt)?;
    let meta_data = match meta_data {
        "" => None,
        text => Some(serde_json::from_str(text).map_err(|_| Flaw::Corrupt)?),
    };
    Ok(Record { goals: GoalList::from_text(goals), activated, meta_data, ..Record::new(user, campaign, variation) })
}

/// A text after its length, and what follows.
fn counted(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    if !length.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    rest.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_value() {
        for (variation, goals, meta) in
            [("Control", "", None), ("Größe:3", "a_vwo_b:2", Some(serde_json::json!({"n": u64::MAX}))), ("", ":", None)]
        {
            for activated in [true, false] {
                let mut record = Record::new("u", "c", variation);
                record.goals = GoalList::from_text(goals);
                record.activated = activated;
                record.meta_data.clone_from(&meta);
                let value = encode(&record).expect("shallow metadata");
                assert_eq!(decode("u", "c", value.as_bytes()), Ok(record));
            }
        }
    }

    #[test]
    fn what_is_no_value_is_told_apart_from_what_is_newer() {
        let corrupt: [&[u8]; 8] = [
            b"",
            b"1",
            b"1+",
            b"1+9:Control0:",
            b"1+7:Control",
            b"1+7:Control0:{",
            b"x+7:Control0:",
            b"1+7:Contr\xff0:",
        ];
        for value in corrupt {
            assert_eq!(decode("u", "c", value), Err(Flaw::Corrupt), "{value:?}");
        }
        assert_eq!(decode("u", "c", b"2 whatever"), Err(Flaw::Newer));
    }
}
