//! The subcommands, one file each, and what they read alike.

pub(crate) mod batch;
mod chunk;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod explain;
mod input;
pub(crate) mod settings_file;
pub(crate) mod simulate;
mod split;
pub(crate) mod storage;
mod stream;
pub(crate) mod validate;

use std::fs;
use std::path::Path;

use steadfast::engine::Settings;
use steadfast::engine::settings::{CompileOptions, JsonVariables};

use crate::failure::Failure;

/// Reads and compiles a settings file, with the reference's reading of every field: what the command line says must
/// be what the official SDK would say.
pub(crate) fn settings(path: &Path) -> Result<Settings, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::cannot_read("settings file", path, &error))?;
    let options = CompileOptions { json_variables: JsonVariables::Object, ..CompileOptions::default() };
    Settings::compile(&text, options).map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))
}

/// Refuses an output that is one of the files a command reads: opening it would empty it first.
pub(crate) fn refuse_to_overwrite(output: &Path, read: &[&Path]) -> Result<(), Failure> {
    let Ok(output) = output.canonicalize() else { return Ok(()) };
    match read.iter().find(|path| path.canonicalize().is_ok_and(|path| path == output)) {
        // `/dev/null` and terminals may be both.
        Some(path) if output.is_file() => Err(Failure::new(format!(
            "`{}` is read and would be overwritten: choose another file for the output",
            path.display()
        ))),
        _ => Ok(()),
    }
}
