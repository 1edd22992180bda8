//! The file that says where a copy is, for the next one to go on.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use steadfast::storage::Cursor;

use super::batch::Counts;
use crate::failure::Failure;
use crate::storage::StorageUrl;

/// The form of the file.
const VERSION: u64 = 1;

/// Where a copy was left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The place of the first page that may not be at the target.
    pub(super) cursor: Cursor,
    /// What became of the records before it.
    pub(super) counts: Counts,
}

/// The file, and the copy that it is about.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Where it is written before it takes its place.
    beside: PathBuf,
    from: String,
    to: String,
    overwrite: bool,
}

impl StateFile {
    pub(super) fn new(path: &Path, from: &StorageUrl, to: &StorageUrl, overwrite: bool) -> StateFile {
        let mut beside = path.to_owned().into_os_string();
        beside.push(".part");
        StateFile { path: path.to_owned(), beside: beside.into(), from: from.identity(), to: to.identity(), overwrite }
    }

    pub(super) fn beside(&self) -> &Path {
        &self.beside
    }

    /// Where the earlier copy was left; `None` where there was none.
    pub(super) fn read(&self) -> Result<Option<State>, Failure> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| Failure::cannot_read("state file", &self.path, &error))?,
        };
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let refuse = |what: &str| {
            let path = self.path.display();
            Failure::new(format!("`{path}` {what}: name another file for --resume, or remove it to start over"))
        };
        let state = (json["version"] == VERSION).then(|| state(&json)).flatten();
        let state = state.ok_or_else(|| refuse("does not say where a copy was left"))?;
        if (json["from"].as_str(), json["to"].as_str()) != (Some(&*self.from), Some(&*self.to)) {
            return Err(refuse("is about a copy of other storages"));
        }
        if json["overwrite"] != self.overwrite {
            return Err(refuse("is about a copy with another --overwrite"));
        }
        Ok(Some(state))
    }

    /// Puts the state in the place of the earlier one.
    pub(super) fn write(&self, cursor: &Cursor, counts: &Counts) -> Result<(), Failure> {
        let json = json!({
            "version": VERSION,
            "from": self.from,
            "to": self.to,
            "overwrite": self.overwrite,
            "cursor": to_hex(cursor.as_bytes()),
            "read": counts.read,
            "copied": counts.copied,
            "keptOtherVariation": counts.kept,
            "failed": counts.failed,
            "firstFailure": counts.first_failure,
        });
        let replace = || {
            let mut file = File::create(&self.beside)?;
            writeln!(file, "{json:#}")?;
            file.sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        replace().map_err(|error| Failure::cannot_write(&self.path, &error))
    }

    /// Removes it, if it is there.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(format!(
                "all is copied, but the state file `{}` cannot be removed: {error}: remove it yourself",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }
}

fn state(json: &Value) -> Option<State> {
    let count = |key: &str| json[key].as_u64();
    let counts = Counts {
        read: count("read")?,
        copied: count("copied")?,
        kept: count("keptOtherVariation")?,
        failed: count("failed")?,
        first_failure: json["firstFailure"].as_str().map(str::to_owned),
    };
    Some(State { cursor: Cursor::new(from_hex(json["cursor"].as_str()?)?), counts })
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_hexadecimal_digits() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&all)), Some(all));
        for wrong in ["0", "0g", "é1", "+1"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
