//! `steadfast demo`: one experiment, a change in the middle, and what becomes of its users with and without a storage.
//!
//! [`scene`] plays it, really and for every user; [`later`] plays it once more on a storage that answers later;
//! [`story`] tells what was counted.

mod folder;
mod later;
mod scene;
mod story;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, value_parser};
use steadfast::storage::EmbeddedStorage;

use self::folder::TemporaryFolder;
use self::later::Fetch;
use self::scene::{Ending, Scene, cannot_play};
use self::story::Story;
use crate::failure::Failure;
use crate::terminal;

/// See in a minute what a storage is good for
///
/// Plays a change of a running experiment (other weights, less traffic) for users who come back: once without a
/// storage, once with one in a file, once more with one that takes its time. All numbers are counted and measured, none
/// is made up. The file is in a temporary folder, which is removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  steadfast demo
  steadfast demo --save-settings demo.json    # the settings it plays, to try the other commands on")]
pub(crate) struct Arguments {
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(10..=1_000_000))]
    users: u32,
    /// Also write the settings it plays into this file
    #[arg(long, value_name = "FILE")]
    save_settings: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(path) = &arguments.save_settings {
        // What is there already may be somebody's own.
        File::create_new(path)
            .and_then(|mut file| file.write_all(scene::SETTINGS.as_bytes()))
            .map_err(|error| Failure::cannot_write(path, &error))?;
    }
    let scene = Scene::new(arguments.users)?;
    let without = scene.play(None)?;
    let with = play_with_file(&scene)?;
    let [asked, fetched] = [Fetch::InEachCall, Fetch::Once].map(|fetch| later::play(&scene, fetch, &with));
    let story = Story { scene: &scene, without: &without, with: &with, asked: &asked?, fetched: &fetched? };
    terminal::print(&story.tell(arguments.save_settings.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

/// Plays the scene on a storage in a file, which is removed afterwards.
fn play_with_file(scene: &Scene) -> Result<Ending, Failure> {
    let folder = TemporaryFolder::new().map_err(|error| {
        Failure::new(format!("no temporary folder can be made in `{}`: {error}", std::env::temp_dir().display()))
    })?;
    let storage = EmbeddedStorage::open(folder.path().join("users.redb")).map_err(|error| cannot_play(&error))?;
    scene.play(Some(Arc::new(storage)))
}
