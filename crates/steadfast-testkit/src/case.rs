//! Golden cases: a settings file, requests, and what the official SDK answered.
//!
//! | file | content |
//! | --- | --- |
//! | `settings.json` | the settings file |
//! | `requests.ndjson` | one request a line, in the line format |
//! | `expected.ndjson` | one answer a line; with a storage one line `{"storage":[…]}` at the end |
//! | `tags.ndjson` | what each line exercises, and the quirks of the official SDK it touches |
//! | `meta.json` | `"storage"`: `"none"` or `"memory"` |
//!
//! Each may be compressed, with `.gz` at the end of its name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::play::Answers;

/// Files longer than this are compressed when a case is written.
const LONGEST_PLAIN: usize = 12 * 1024;

/// A golden case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// The settings file, as it stands.
    pub settings: String,
    /// The requests, one a line.
    pub requests: Vec<String>,
    /// Whether a storage lives across the lines.
    pub has_storage: bool,
    /// What the official SDK answered.
    pub expected: Answers,
    /// The quirks that each line touches; empty where none is tagged.
    pub quirks: Vec<Vec<String>>,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be.
    pub fn read(folder: &Path) -> Result<Case, Failure> {
        let meta = parse(folder, &text(folder, "meta.json")?)?;
        let has_storage = match meta["storage"].as_str() {
            Some("none") => false,
            Some("memory") => true,
            _ => return Err(Failure::at(folder, "`meta.json` names no storage, expected `none` or `memory`")),
        };
        let requests: Vec<String> = lines(&text(folder, "requests.ndjson")?);
        let expected = values(folder, "expected.ndjson")?;
        let expected = Answers::from_lines(expected).map_err(|reason| Failure::at(folder, reason))?;
        let quirks: Vec<Vec<String>> = values(folder, "tags.ndjson")?.iter().map(quirks_of).collect();
        if quirks.len() != requests.len() || expected.answers.len() != requests.len() {
            return Err(Failure::at(folder, "requests, answers and tags are not of one length"));
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Case { name, settings: text(folder, "settings.json")?, requests, has_storage, expected, quirks })
    }

    /// All cases in a folder, by name.
    ///
    /// # Errors
    /// When the folder or a case in it cannot be read.
    pub fn all(folder: &Path) -> Result<Vec<Case>, Failure> {
        let entries = fs::read_dir(folder).map_err(|error| Failure::at(folder, error))?;
        let mut folders: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.join("meta.json").is_file())
            .collect();
        folders.sort();
        folders.iter().map(|folder| Case::read(folder)).collect()
    }

    /// The cases of a bundle: one JSON list of small cases, each about one quirk.
    ///
    /// # Errors
    /// When the file cannot be read or is not such a list.
    pub fn bundle(file: &Path) -> Result<Vec<Case>, Failure> {
        let text = fs::read_to_string(file).map_err(|error| Failure::at(file, error))?;
        let items: Vec<BTreeMap<String, Box<RawValue>>> =
            serde_json::from_str(&text).map_err(|error| Failure::at(file, error))?;
        items.iter().map(|item| bundled(item).map_err(|reason| Failure::at(file, reason))).collect()
    }

    /// Writes the case, so that [`read`](Self::read) finds it again.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::create_dir_all(folder).map_err(|error| Failure::at(folder, error))?;
        let tags: String = (0..self.requests.len())
            .map(|line| json!({ "i": line, "quirks": self.quirks[line], "features": [] }).to_string() + "\n")
            .collect();
        let storage = if self.has_storage { "memory" } else { "none" };
        let meta = json!({ "storage": storage, "requests": self.requests.len() }).to_string() + "\n";
        put(folder, "settings.json", &self.settings)?;
        put(folder, "requests.ndjson", &(self.requests.join("\n") + "\n"))?;
        put(folder, "expected.ndjson", &self.expected.to_lines())?;
        put(folder, "tags.ndjson", &tags)?;
        put(folder, "meta.json", &meta)
    }
}

/// The values of a file with one a line, plain or compressed.
///
/// # Errors
/// When there is no such file, or a line of it is not JSON.
pub fn values(folder: &Path, name: &str) -> Result<Vec<Value>, Failure> {
    lines(&text(folder, name)?).iter().map(|line| parse(folder, line)).collect()
}

/// The lines of a file, plain or compressed.
///
/// # Errors
/// When there is no such file.
pub fn raw_lines(folder: &Path, name: &str) -> Result<Vec<String>, Failure> {
    Ok(lines(&text(folder, name)?))
}

fn text(folder: &Path, name: &str) -> Result<String, Failure> {
    let plain = folder.join(name);
    if plain.is_file() {
        return fs::read_to_string(&plain).map_err(|error| Failure::at(&plain, error));
    }
    let compressed = folder.join(format!("{name}.gz"));
    let bytes = fs::read(&compressed).map_err(|error| Failure::at(&compressed, error))?;
    let mut text = String::new();
    GzDecoder::new(&*bytes).read_to_string(&mut text).map_err(|error| Failure::at(&compressed, error))?;
    Ok(text)
}

fn put(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    if text.len() <= LONGEST_PLAIN {
        let path = folder.join(name);
        return fs::write(&path, text).map_err(|error| Failure::at(&path, error));
    }
    let path = folder.join(format!("{name}.gz"));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.and_then(|bytes| fs::write(&path, bytes)).map_err(|error| Failure::at(&path, error))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

fn parse(folder: &Path, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::at(folder, error))
}

fn quirks_of(tags: &Value) -> Vec<String> {
    let quirks = tags["quirks"].as_array().map(Vec::as_slice).unwrap_or_default();
    quirks.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn bundled(item: &BTreeMap<String, Box<RawValue>>) -> Result<Case, String> {
    let raw = |key: &str| item.get(key).map(|raw| raw.get()).ok_or_else(|| format!("an item has no `{key}`"));
    let value =
        |key: &str| -> Result<Value, String> { serde_json::from_str(raw(key)?).map_err(|error| error.to_string()) };
    let requests: Vec<Box<RawValue>> = serde_json::from_str(raw("requests")?).map_err(|error| error.to_string())?;
    let requests: Vec<String> = requests.iter().map(|request| request.get().to_owned()).collect();
    let expected = value("expected")?.as_array().cloned().unwrap_or_default();
    let tag = value("tag")?.as_str().unwrap_or_default().to_owned();
    Ok(Case {
        name: tag.clone(),
        settings: raw("settings")?.to_owned(),
        quirks: vec![vec![tag]; requests.len()],
        requests,
        has_storage: value("storage")? != "none",
        expected: Answers::from_lines(expected)?,
    })
}
