//! A record as text, in the document's form.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use steadfast::engine::{Record, RecordTextError};

use super::lines::not_json;
use crate::terminal::text::printable;

/// So many keys are named.
const SAID_AT_MOST: usize = 20;

/// How the field for goals is spelled. Both are read everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GoalField {
    /// As the document, and the SDKs for Node, Java and others have it
    #[value(name = "goalIdentifier")]
    Singular,
    /// As the SDK for Python has it
    #[value(name = "goalIdentifiers")]
    Plural,
}

/// Reads a record; what is wrong with it otherwise.
pub(super) fn read(text: &str) -> Result<Record, String> {
    let record = Record::from_text(text).map_err(|error| match error {
        RecordTextError::NotJson(error) => not_json(&error),
        RecordTextError::NoRecord(error) => error.to_string(),
    })?;
    warn_of_others(text);
    // Data that a caller passes may leave it out; a storage has nowhere to put such a record.
    if record.user_id.is_empty() { Err("has no `userId`, expected a text".to_owned()) } else { Ok(record) }
}

/// What a record may have.
const KEYS: [&str; 7] =
    ["userId", "campaignKey", "variationName", "goalIdentifier", "goalIdentifiers", "metaData", "activated"];

/// Says of a key that no record has, once, that it is left out: a goal under a name that is misspelt would be counted again.
fn warn_of_others(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) else { return };
    for key in fields.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < SAID_AT_MOST && said.insert(key.clone()) {
            let nearest =
                KEYS.iter().find(|known| strsim::jaro_winkler(&known.to_lowercase(), &key.to_lowercase()) > 0.9);
            let hint = nearest.map(|nearest| format!(": did you mean `{nearest}`?")).unwrap_or_default();
            anstream::eprintln!("`{}` is no key of a record, and is left out{hint}", printable(key));
        }
    }
}

/// The record as one line of JSON, without the line's end.
pub(super) fn to_text(record: &Record, goals: GoalField) -> String {
    let mut json = record.to_json();
    if goals == GoalField::Plural
        && let Some(fields) = json.as_object_mut()
        && let Some(goals) = fields.remove("goalIdentifier")
    {
        fields.insert("goalIdentifiers".to_owned(), goals);
    }
    json.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_written() {
        for field in [GoalField::Singular, GoalField::Plural] {
            let mut record = Record::new("Ashley", "checkout", "Green");
            record.goals.push("purchase");
            assert_eq!(read(&to_text(&record, field)), Ok(record));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, message: &str| {
            let found = read(text).expect_err(text);
            assert!(found.starts_with(message), "{text}: {found}");
        };
        check("{", "is not JSON: ");
        check("[]", "is not an object");
        check(r#"{"campaignKey":"c","variationName":"A"}"#, "has no `userId`");
        check(r#"{"userId":"u","campaignKey":"c"}"#, "has no `variationName`");
    }
}
