//! A blocking program: decisions in a file that survives everything, events in another, and a user who is shown only what
//! is known to be stored.
//!
//! ```sh
//! cargo run -p steadfast --example blocking_program         # or with a folder, to keep what it writes
//! ```
//!
//! What to look at: `activate_confirmed` returns when the decision is on the disk, and says so; `track` hands its write
//! over. A goal that was counted is not counted again when the program is started anew. With a folder, run it twice, then
//! look at `steadfast storage get Ashley --storage embedded:FOLDER/users.redb`.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steadfast::Confirmation;
use steadfast::blocking::Client;
use steadfast::engine::{Options, Settings, TrackTarget};
use steadfast::event::NdjsonEvents;
use steadfast::storage::EmbeddedStorage;

/// What a run of the program came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) variation: Option<String>,
    /// Whether the decision is known to be stored.
    pub(crate) is_stored: bool,
    /// Whether the goal was counted.
    pub(crate) is_tracked: bool,
}

/// The program.
pub(crate) fn run(folder: &Path) -> Result<Run, Box<dyn std::error::Error>> {
    let settings = Arc::new(Settings::parse(include_str!("settings.json"))?);
    // One process may have the file. A program that must start without it, too, takes an `UnopenedStorage` instead.
    let storage = EmbeddedStorage::open(folder.join("users.redb"))?;
    let events = Arc::new(NdjsonEvents::open(folder.join("events.ndjson"))?);
    let client = Client::builder(settings)
        .storage(storage)
        .events(Arc::clone(&events))
        .on_storage_error(|error| println!("not kept: {error}"))
        .build();

    let confirmed = client.activate_confirmed("checkout-button", "Ashley", Options::NONE)?;
    let is_stored = match &confirmed.confirmation {
        Confirmation::Stored | Confirmation::Adopted => true,
        Confirmation::NothingToStore => false,
        // The user sees the variation all the same, and the write is tried once more.
        Confirmation::Unconfirmed(error) => {
            println!("not confirmed: {error}");
            false
        }
    };
    let tracking = client.track(TrackTarget::One("checkout-button"), "Ashley", "bought", Options::NONE)?;
    let is_tracked = tracking.campaigns().iter().all(|campaign| campaign.is_tracked());

    // Dropping the client waits as well, but only this says when it was not enough.
    client.flush(Duration::from_secs(10))?;
    events.flush()?;
    Ok(Run { variation: confirmed.decision.variation_name().map(str::to_owned), is_stored, is_tracked })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    for time in ["First", "Second"] {
        let run = run(&folder)?;
        println!(
            "{time} run: Ashley sees {} (stored: {}); the goal was counted: {}",
            run.variation.as_deref().unwrap_or("no variation"),
            run.is_stored,
            run.is_tracked
        );
    }
    println!("Events:\n{}", std::fs::read_to_string(folder.join("events.ndjson"))?.trim_end());
    Ok(())
}
