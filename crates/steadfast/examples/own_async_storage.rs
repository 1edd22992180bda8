//! A storage of your own that answers later: two methods, `get` and `set`, in whose places the query goes. Here it is a
//! file for each record, so that the example runs without a database.
//!
//! ```sh
//! cargo run -p steadfast --example own_async_storage        # or with a folder, to keep what it writes
//! ```
//!
//! What to look at: `get` and `set` are all there is to write, and the client brings the rest: a look-up is given up after
//! [`Limits::look_up`](steadfast::Limits), a write is handed over and not waited for, and what is on its way is seen by
//! the calls to come. So no caching, no retries and no timeouts are in the storage. In a test of your own goes
//! `conformance::plain_async(storage).await.assert()`, see the README of `steadfast-testkit`.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast::Client;
use steadfast::engine::{Options, Record, Settings, TrackTarget};
use steadfast::storage::{AsyncUserStorage, StorageError, StorageErrorKind};
use tokio::fs;

/// A folder for each user, and in it a file for each campaign. With a database this is the pool of connections.
struct Folder {
    path: PathBuf,
    /// How many files were begun: two writers never write into one.
    begun: AtomicU64,
}

impl AsyncUserStorage for Folder {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        // SELECT record FROM decisions WHERE user_id = $1 AND campaign_key = $2
        let text = match fs::read_to_string(self.place(user, campaign)).await {
            Ok(text) => text,
            // No row: that, and nothing else, is `None`.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let corrupt = || StorageError::new(StorageErrorKind::Corrupt, "a record in the folder cannot be read");
        Record::from_text(&text).map(Some).map_err(|_| corrupt())
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        // INSERT INTO decisions VALUES ($1, $2, $3) ON CONFLICT (user_id, campaign_key) DO UPDATE SET record = $3
        let place = self.place(&record.user_id, &record.campaign_key);
        let new = place.with_extension(format!("{}.new", self.begun.fetch_add(1, Ordering::Relaxed)));
        let write = async {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).await?;
            }
            fs::write(&new, record.to_json().to_string()).await?;
            fs::rename(&new, &place).await
        };
        write.await.map_err(failed)
    }
}

impl Folder {
    fn new(path: &Path) -> Folder {
        Folder { path: path.to_owned(), begun: AtomicU64::new(0) }
    }

    fn place(&self, user: &str, campaign: &str) -> PathBuf {
        self.path.join(file_name(user)).join(file_name(campaign) + ".json")
    }
}

/// Any text as the name of a file: letters and digits stand for themselves. A file system has no room for long names,
/// which is the one thing that the kit finds wrong with this storage (`long-ids-apart`); a database has.
fn file_name(text: &str) -> String {
    let mut name = String::from("_");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name.push(byte.into()),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

/// What the file system says, as a failure of the storage.
fn failed(error: io::Error) -> StorageError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StorageErrorKind::Denied,
        io::ErrorKind::InvalidFilename => StorageErrorKind::Other,
        _ => StorageErrorKind::Unavailable,
    };
    StorageError::new(kind, "the folder of records cannot be read or written").with_source(error)
}

/// What the program came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Played {
    /// The variation and the reason for it, before and after the program was started anew.
    pub(crate) decisions: [(Option<String>, String); 2],
    /// What is stored for the user, read by the storage.
    pub(crate) record: Option<Record>,
}

/// Decides, ends, starts anew, and decides again.
pub(crate) async fn play(folder: &Path) -> Result<Played, Box<dyn std::error::Error>> {
    let mut decisions = [const { (None, String::new()) }; 2];
    for seen in &mut decisions {
        let settings = Arc::new(Settings::parse(include_str!("settings.json"))?);
        let client = Client::builder(settings)
            .storage(Folder::new(folder))
            .on_storage_error(|error| println!("not kept: {error}"))
            .build();
        let decision = client.activate("checkout-button", "Ashley", Options::NONE).await?;
        client.track(TrackTarget::All, "Ashley", "bought", Options::NONE).await?;
        *seen = (decision.variation_name().map(str::to_owned), decision.reason().to_string());
        // What was handed over must be written before the runtime ends.
        client.flush(Duration::from_secs(10)).await?;
    }
    Ok(Played { decisions, record: Folder::new(folder).get("Ashley", "checkout-button").await? })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let played = play(&folder).await?;
    for (variation, reason) in &played.decisions {
        println!("Ashley sees {}: {reason}", variation.as_deref().unwrap_or("no variation"));
    }
    println!("Stored: {}", played.record.map_or("nothing".into(), |record| record.to_json().to_string()));
    Ok(())
}
