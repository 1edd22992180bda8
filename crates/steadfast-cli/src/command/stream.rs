//! Streams that commands read and write: a file, or standard input and output as `-`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::terminal::is_person;

/// The input, and its size where that is known.
pub(super) fn input(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).map_err(|error| Failure::cannot_read("input", path, &error))?;
    let size = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(file), size))
}

/// The output; a file that is there is emptied.
pub(super) fn output(path: &Path) -> Result<Box<dyn Write>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout().lock())));
    }
    let file = File::create(path).map_err(|error| Failure::cannot_write(path, &error))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Whether this input comes from somebody who types.
pub(super) fn is_typed(input: &Path) -> bool {
    input.as_os_str() == "-" && io::stdin().is_terminal()
}

/// Whether this output is read by somebody as it comes.
pub(super) fn is_watched(output: &Path) -> bool {
    output.as_os_str() == "-" && is_person()
}

/// What came of writing: whoever reads and has had enough is no failure.
pub(super) fn written<T: Default>(written: io::Result<T>) -> Result<T, Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
        written => written.map_err(|error| Failure::stopped(&error)),
    }
}

/// A bar for an input of this many bytes on standard error, where that is a terminal and `shown`.
pub(super) fn progress_in_bytes(size: Option<u64>, shown: bool) -> ProgressBar {
    match size {
        Some(size) => {
            bar(ProgressBar::new(size), "{bar:40} {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)", shown)
        }
        None => bar(ProgressBar::new_spinner(), "{spinner} {bytes} ({bytes_per_sec})", shown),
    }
}

/// The same for records, of which nobody knows how many come.
pub(super) fn progress_in_records(shown: bool) -> ProgressBar {
    bar(ProgressBar::new_spinner(), "{spinner} {human_pos} records ({per_sec})", shown)
}

fn bar(bar: ProgressBar, template: &str, shown: bool) -> ProgressBar {
    if !shown || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
