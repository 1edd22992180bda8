//! Streams that commands read and write: a file, or standard input and output as `-`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::failure::Failure;
use crate::terminal::is_person;

/// The input, and its size where that is known.
pub(super) fn input(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if path.as_os_str() == "-" {
        if is_typed(path) {
            anstream::eprintln!("reading what is typed, one line of JSON each; Ctrl-D at the start of a line ends it");
        }
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

/// An output that takes the place of a file once it is complete: until then, and if it never is, the file stays.
pub(super) struct Replacement {
    output: Box<dyn Write>,
    /// Where it is written, and where it belongs; none where it goes to a pipe or a terminal, which nothing can replace.
    paths: Option<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Beside the file that it will replace, over none of those that are read.
    pub(super) fn of(path: &Path, read: &[&Path]) -> Result<Replacement, Failure> {
        let there = fs::metadata(path).ok();
        if path.as_os_str() == "-" || there.as_ref().is_some_and(|there| !there.is_file()) {
            return Ok(Replacement { output: output(path)?, paths: None });
        }
        // What a link leads to is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut beside = path.clone().into_os_string();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        super::refuse_to_overwrite(&beside, read)?;
        let output = output(&beside)?;
        if let Some(there) = there {
            // Whoever might not read the old one may not read the new one.
            fs::set_permissions(&beside, there.permissions())
                .map_err(|error| Failure::cannot_write(&beside, &error))?;
        }
        Ok(Replacement { output, paths: Some((beside, path)) })
    }

    /// Puts it in its place if it `is_complete`, and takes it away otherwise.
    pub(super) fn end(mut self, is_complete: io::Result<()>) -> io::Result<()> {
        let written = is_complete.and_then(|()| self.output.flush());
        let Some((beside, path)) = self.paths else { return written };
        drop(self.output);
        let replaced = written.and_then(|()| File::open(&beside)?.sync_all()).and_then(|()| fs::rename(&beside, path));
        if replaced.is_err() {
            // What it could not be completed for is what is told.
            let _ = fs::remove_file(&beside);
        }
        replaced
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
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

/// The same for records, of which somebody may know how many come.
pub(super) fn progress_in_records(total: Option<u64>, shown: bool) -> ProgressBar {
    match total {
        Some(total) => {
            bar(ProgressBar::new(total), "{bar:40} {human_pos} of {human_len} records ({rate}, {eta} left)", shown)
        }
        None => bar(ProgressBar::new_spinner(), "{spinner} {human_pos} records ({rate})", shown),
    }
}

/// The same for events.
pub(super) fn progress_in_events(total: u64) -> ProgressBar {
    bar(ProgressBar::new(total), "{bar:40} {human_pos} of {human_len} events ({rate}, {eta} left) {msg}", true)
}

fn bar(bar: ProgressBar, template: &str, shown: bool) -> ProgressBar {
    if !shown || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        })),
        Err(_) => bar,
    }
}
