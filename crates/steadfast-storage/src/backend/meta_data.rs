//! Metadata as text, the same in every backend that keeps it so.

use steadfast_engine::Record;

use crate::error::{StorageError, StorageErrorKind};

/// Metadata nested deeper than this is not kept: `serde_json` reads no deeper than 127 levels.
pub(crate) const DEEPEST: usize = 100;

/// Sees that the metadata of a record can be read again.
///
/// # Errors
/// When it is nested too deeply.
pub(crate) fn check(record: &Record) -> Result<(), StorageError> {
    if record.meta_data.as_ref().is_some_and(is_too_deep) {
        let message =
            format!("the metadata of a record is nested too deeply to be kept: nest it less than {DEEPEST} levels");
        return Err(StorageError::new(StorageErrorKind::Other, message));
    }
    Ok(())
}

/// The metadata of a record as JSON, if it has any.
///
/// # Errors
/// When it could not be read again.
pub(crate) fn text(record: &Record) -> Result<Option<String>, StorageError> {
    check(record)?;
    Ok(record.meta_data.as_ref().map(ToString::to_string))
}

/// Whether there is a value below so many levels. Not by recursion: what is asked about may be deep.
fn is_too_deep(value: &serde_json::Value) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, level)) = open.pop() {
        if level > DEEPEST {
            return true;
        }
        match value {
            serde_json::Value::Array(items) => open.extend(items.iter().map(|item| (item, level + 1))),
            serde_json::Value::Object(entries) => open.extend(entries.values().map(|value| (value, level + 1))),
            _ => {}
        }
    }
    false
}
