//! Events as JSON lines: in a file, which may be put aside when it is large, or on the standard output.
//!
//! Rotation is our own: the crates for it (file-rotate, and others before it) bring compression and calendars along, for
//! what is a few renamings here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use steadfast_engine::Event;

use super::{EventSink, to_json};

/// Appends events to a file, a JSON object a line, each with its `time` in milliseconds since 1970. They are in the file
/// after [`flush`](Self::flush), when the client opts out, and when this is dropped; a process that is killed loses the last
/// ones. User ids are in it, as they were given: a file that is made here is readable by its owner alone.
#[derive(Debug)]
pub struct NdjsonEvents(Mutex<Lines>);

/// When a file is put aside, and how many of those are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Before a line that would make it larger than this it is put aside, as `NAME.1`; that one is `NAME.2` from then on, and
    /// so on. 64 MiB by default.
    pub bytes: u64,
    /// So many are kept; what was put aside before that is removed. 8 by default.
    pub files: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation { bytes: 64 << 20, files: 8 }
    }
}

#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    rotation: Option<Rotation>,
    /// It could not be put aside, which was said: it grows until it can be.
    is_stuck: bool,
}

impl NdjsonEvents {
    /// Opens the file at its end; makes it where it is not there. It grows without bound.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        NdjsonEvents::with(path.as_ref(), None)
    }

    /// The same, with a bound: the file is put aside when it is large.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn rotated(path: impl AsRef<Path>, rotation: Rotation) -> io::Result<Self> {
        NdjsonEvents::with(path.as_ref(), Some(rotation))
    }

    fn with(path: &Path, rotation: Option<Rotation>) -> io::Result<Self> {
        let (file, bytes) = open(path)?;
        Ok(NdjsonEvents(Mutex::new(Lines { path: path.to_owned(), file, bytes, rotation, is_stuck: false })))
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        self.lines().file.flush()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for NdjsonEvents {
    fn send(&self, event: &Event<'_, '_>) {
        let line = line(event);
        if let Err(error) = self.lines().write(&line) {
            tracing::error!(%error, "an event cannot be written to its file");
        }
    }

    fn hurry(&self) {
        if let Err(error) = self.flush() {
            tracing::error!(%error, "events cannot be written to their file");
        }
    }
}

/// Writes events to the standard output, a JSON object a line, each with its `time` in milliseconds since 1970. A line is
/// out when the call that it is about returns: a pipe that nobody reads stops the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdoutEvents;

impl EventSink for StdoutEvents {
    fn send(&self, event: &Event<'_, '_>) {
        if let Err(error) = io::stdout().lock().write_all(line(event).as_bytes()) {
            tracing::error!(%error, "an event cannot be written to the standard output");
        }
    }
}

fn line(event: &Event<'_, '_>) -> String {
    let mut event = to_json(event);
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    event["time"] = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX).into();
    format!("{event}\n")
}

fn open(path: &Path) -> io::Result<(BufWriter<File>, u64)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // Who users are is in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let bytes = file.metadata()?.len();
    Ok((BufWriter::new(file), bytes))
}

impl Lines {
    fn write(&mut self, line: &str) -> io::Result<()> {
        let length = line.len() as u64;
        if let Some(rotation) = self.rotation
            && self.bytes > 0
            && self.bytes + length > rotation.bytes
        {
            let put_aside = self.put_aside(rotation.files);
            let is_stuck = put_aside.is_err();
            if let Err(error) = put_aside
                && !self.is_stuck
            {
                tracing::warn!(%error, "a file of events cannot be put aside: it grows on");
            }
            self.is_stuck = is_stuck;
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes += length;
        Ok(())
    }

    fn put_aside(&mut self, files: u32) -> io::Result<()> {
        self.file.flush()?;
        if files == 0 {
            self.file.get_ref().set_len(0)?;
        } else if self.path.exists() {
            // If not, it was put aside before, and a new one could not be opened.
            for number in (1..files).rev() {
                let moved = fs::rename(self.aside(number), self.aside(number + 1));
                moved.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
            }
            fs::rename(&self.path, self.aside(1))?;
        }
        (self.file, self.bytes) = open(&self.path)?;
        Ok(())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}
