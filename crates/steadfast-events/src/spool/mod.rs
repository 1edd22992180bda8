//! Events on disk until they are delivered.
//!
//! # The form
//!
//! A directory, for its owner alone, with a file `lock` that one process at a time holds, and segments,
//! `0000000001.events` and so on. A segment is lines of text:
//!
//! ```text
//! <CRC-32 of what follows the space, 8 hexadecimal digits> <kind> <content>
//!
//! 3d1f0c52 h steadfast-events 1                 the form; the first line
//! 90ab71de a {"id":["60781"],"sdkKey":"…",…}    the account of the events that follow
//! 5be0913c e 17 c0ffee12 {"at":…,"chance":…,…}  an event: its number, and the CRC-32 of its account's content
//! 07cd22f1 s 3-9,12                             these need not be sent any more: delivered or lost
//! ```
//!
//! - Lines are added in groups, and a group with an event is followed by one `fdatasync`: only then is an event kept, and
//!   only then is it sent.
//! - Numbers grow along the segments. What is settled lies in the same segment or in one before.
//! - A segment is removed, the oldest first, when each of its events is settled. Where there is no room, one of which most are
//!   is written anew without those.
//! - A segment is written by the process that began it, up to the first failure; after that, and after a start, a new one is
//!   begun. So the torn line at a segment's end is of events that nobody was told are kept.
//! - A damaged line is passed over and counted; the lines around it hold. Events whose account's line is damaged are
//!   damaged with it.
//! - That something is settled may be lost with the machine: then it is sent again, with the same `random`.
//!
//! # Why not the embedded store, or a library
//!
//! This is a queue: written at its end, read once from its front, given up in whole files, so that what is bounded is the
//! size of real files. redb, which the file storage stands on, is a tree: each event would be written and removed in pages,
//! and its file is for one process, where an operator wants to look at the spool of a program that runs
//! ([`contents`]). Damage that hits a page of it may hit everything; here it hits a line. The queues on disk among
//! the libraries are not kept any more (yaque), or are logs without numbers that can be settled out of order (okaywal).

mod line;
mod log;
mod record;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use log::{Added, Fate, Log};
pub use log::{Contents, Tail, contents};

/// Where events are kept until they are delivered, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// The directory; it is made if it is not there, and is one process's at a time.
    pub directory: PathBuf,
    /// So many bytes its segments take at most: 1 GiB by default, about four million events.
    pub bytes: u64,
    /// What becomes of an event for which there is no room.
    pub when_full: WhenFull,
    /// So often something may fail while other things arrive, before it is given up as what the collector cannot take: 50 by
    /// default, and a few times more for each part of a batch in which it is. A collector that is down does not count.
    pub attempts: u32,
    /// Nothing is sent: events stay for [who opens it next](crate::Collector). Off by default.
    pub hold: bool,
    /// So long is waited for another process, or another collector of this one, that is about to let go of the directory: 6
    /// seconds by default.
    pub patience: Duration,
}

/// What becomes of an event for which the spool has no room. Either way it is told to
/// [`on_lost`](crate::CollectorBuilder::on_lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It is not kept.
    #[default]
    Reject,
    /// The oldest segment gives way, with what of it was not sent yet. What is written in one go does not displace itself: where
    /// that alone is too much, the rest of it is not kept.
    DropOldest,
}

impl Spool {
    /// In this directory, and the rest by default.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Spool {
        Spool {
            directory: directory.into(),
            bytes: 1 << 30,
            when_full: WhenFull::default(),
            attempts: 50,
            hold: false,
            patience: Duration::from_secs(6),
        }
    }
}

/// Why a spool cannot be opened or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process, or another collector of this one, has it.
    InUse(PathBuf),
    /// The system will not.
    Io {
        /// With this.
        path: PathBuf,
        /// It says so.
        source: io::Error,
    },
}

impl SpoolError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
        let path = path.to_owned();
        |source| SpoolError::Io { path, source }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::InUse(path) => write!(
                formatter,
                "the events in `{}` are another process's, or another collector's of this one: give each a directory of its \
                 own, or end the other",
                path.display()
            ),
            SpoolError::Io { path, source } => {
                write!(formatter, "events cannot be kept in `{}`: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SpoolError::InUse(_) => None,
            SpoolError::Io { source, .. } => Some(source),
        }
    }
}
