//! `steadfast demo`: one experiment, a change in the middle, and what becomes of its users with and without a storage.
//!
//! [`scene`] plays it, really and for every user; [`story`] tells what was counted.

mod scene;
mod story;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, value_parser};
use steadfast::storage::{MemoryStorage, UserStorage};

use self::scene::{Ending, Scene};
use crate::failure::Failure;
use crate::terminal;

/// See in a minute what a storage is good for
///
/// Plays a change of a running experiment (other weights, less traffic) for users who come back: once without a
/// storage, once with one. All numbers are counted, none is made up.
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
    let with = play_with_storage(&scene, Arc::new(MemoryStorage::new()))?;
    let saved = arguments.save_settings.as_deref();
    terminal::print(&story::tell(&scene, &without, &with, saved))?;
    Ok(ExitCode::SUCCESS)
}

/// Plays the scene on any storage; it must be empty.
fn play_with_storage(scene: &Scene, storage: Arc<dyn UserStorage>) -> Result<Ending, Failure> {
    scene.play(Some(storage))
}
