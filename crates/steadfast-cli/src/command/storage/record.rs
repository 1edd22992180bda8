//! A record as text, in the document's form.

use clap::ValueEnum;
use steadfast::engine::{Record, RecordTextError};

use super::lines::not_json;

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
    // Data that a caller passes may leave it out; a storage has nowhere to put such a record.
    if record.user_id.is_empty() { Err("has no `userId`, expected a text".to_owned()) } else { Ok(record) }
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
