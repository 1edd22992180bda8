//! A storage of your own that answers in place: two methods, `get` and `set`. This one holds its records in memory and
//! writes them all into a JSON file at each `set`: enough for a tool, too slow for a server.
//!
//! ```sh
//! cargo run -p steadfast --example own_storage              # or with a folder, to keep what it writes
//! ```
//!
//! What to look at: a failure is an error of a fitting kind, and never `Ok(None)`, which says that nothing is stored. A
//! record that could not be written is not in memory either. Whether a storage of your own keeps the contract is one line
//! in a test: `conformance::plain(&MyStorage::new()).assert()`, see the README of `steadfast-testkit`.
//!
//! Metadata is read as JavaScript does it, so that whole numbers beyond 2⁵³ are rounded; `own_async_storage` reads them
//! exactly.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use steadfast::blocking::Client;
use steadfast::engine::settings::wire::Json;
use steadfast::engine::{Options, Record, Settings, TrackTarget};
use steadfast::storage::{StorageError, StorageErrorKind, UserStorage};

/// User and campaign: where a record is.
type Place = (String, String);

/// Records in a JSON file.
struct JsonFile {
    path: PathBuf,
    records: Mutex<HashMap<Place, Record>>,
}

impl UserStorage for JsonFile {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.get(&(user.to_owned(), campaign.to_owned())).cloned())
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let place = (record.user_id.clone(), record.campaign_key.clone());
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let before = records.insert(place.clone(), record);
        self.write(&records).map_err(failed).inspect_err(|_| {
            // Nobody is shown what is not kept.
            match before {
                Some(before) => records.insert(place, before),
                None => records.remove(&place),
            };
        })
    }
}

impl JsonFile {
    /// Reads the file; one that is not there holds no records.
    fn open(path: PathBuf) -> Result<JsonFile, StorageError> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "[]".to_owned(),
            Err(error) => return Err(failed(error)),
        };
        let corrupt = |message| StorageError::new(StorageErrorKind::Corrupt, message);
        let Ok(Json::List(found)) = Json::parse(&text) else { return Err(corrupt("the file is no list of records")) };
        let mut records = HashMap::new();
        for record in &found {
            let record =
                Record::from_json(record).map_err(|error| corrupt("a record cannot be read").with_source(error))?;
            records.insert((record.user_id.clone(), record.campaign_key.clone()), record);
        }
        Ok(JsonFile { path, records: Mutex::new(records) })
    }

    /// Writes a new file and puts it into the place of the old one, so that there is always a whole one.
    fn write(&self, records: &HashMap<Place, Record>) -> io::Result<()> {
        let records: Vec<_> = records.values().map(Record::to_json).collect();
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&records)?)?;
        fs::rename(&new, &self.path)
    }
}

/// What the file system says, as a failure of the storage.
fn failed(error: io::Error) -> StorageError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StorageErrorKind::Denied,
        _ => StorageErrorKind::Unavailable,
    };
    StorageError::new(kind, "the file of records cannot be read or written").with_source(error)
}

/// What the program came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Played {
    /// The variation and the reason for it, before and after the program was started anew.
    pub(crate) decisions: [(Option<String>, String); 2],
    /// What is in the file.
    pub(crate) file: String,
}

/// Decides, ends, starts anew, and decides again.
pub(crate) fn play(folder: &Path) -> Result<Played, Box<dyn std::error::Error>> {
    let path = folder.join("records.json");
    let run = || -> Result<_, Box<dyn std::error::Error>> {
        let settings = Arc::new(Settings::parse(include_str!("settings.json"))?);
        let client = Client::builder(settings)
            .storage(JsonFile::open(path.clone())?)
            .on_storage_error(|error| println!("not kept: {error}"))
            .build();
        let decision = client.activate("checkout-button", "Ashley", Options::NONE)?;
        client.track(TrackTarget::All, "Ashley", "bought", Options::NONE)?;
        Ok((decision.variation_name().map(str::to_owned), decision.reason().to_string()))
        // The client ends here, and waits for its writes.
    };
    let decisions = [run()?, run()?];
    Ok(Played { decisions, file: fs::read_to_string(&path)? })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let played = play(&folder)?;
    for (variation, reason) in &played.decisions {
        println!("Ashley sees {}: {reason}", variation.as_deref().unwrap_or("no variation"));
    }
    println!("In the file: {}", played.file);
    Ok(())
}
