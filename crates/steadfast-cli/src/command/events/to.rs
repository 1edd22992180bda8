//! Where a command's events go: into a directory, or to a collector.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use steadfast::event::{Batching, Collector, Delivery, Endpoint, FlushError, Spool};

use crate::failure::Failure;
use crate::terminal::text::counted;

/// A directory that keeps them, or the URL of a collector.
#[derive(Debug, Clone)]
pub(crate) enum EventsTo {
    /// They are kept, and not sent.
    Directory(PathBuf),
    /// They are sent.
    Url(String),
}

impl FromStr for EventsTo {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text.contains("://") { EventsTo::Url(text.to_owned()) } else { EventsTo::Directory(text.into()) })
    }
}

/// What takes a command's events.
pub(crate) struct Sent {
    collector: Collector,
    keeps: bool,
}

impl EventsTo {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<Sent, Failure> {
        match self {
            EventsTo::Directory(path) => open(None, Some((path, true))),
            EventsTo::Url(url) => open(Some(url), None),
        }
    }
}

/// A collector at this URL, over the spool in a directory.
pub(super) fn open(url: Option<&str>, spool: Option<(&Path, bool)>) -> Result<Sent, Failure> {
    let batch = Batching { events: NonZeroUsize::MIN.saturating_add(499), interval: Duration::from_secs(1) };
    let endpoint = url.map_or_else(Endpoint::default, |url| Endpoint { url: url.to_owned(), ..Endpoint::default() });
    let mut collector = Collector::builder().endpoint(endpoint).delivery(Delivery {
        batch: Some(batch),
        room: 1_000_000,
        ..Delivery::default()
    });
    let keeps = spool.is_some();
    if let Some((directory, hold)) = spool {
        collector = collector.spool(Spool { hold, ..Spool::new(directory) });
    }
    let collector = collector.build().map_err(|error| Failure::new(error.to_string()))?;
    Ok(Sent { collector, keeps })
}

impl Sent {
    /// What events are given to.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Waits until what came by now is on disk; where it is sent, that is waited for at the end alone.
    pub(crate) fn kept(&self, deadline: Duration) -> Result<(), FlushError> {
        match self.collector.kept_blocking(deadline) {
            // They are counted, and told at the end.
            Err(FlushError::Lost(_)) => Ok(()),
            kept if self.keeps => kept,
            _ => Ok(()),
        }
    }

    /// Waits until all is there, at most so long; what is wrong, if not all is.
    pub(crate) fn end(&self, deadline: Duration) -> Option<String> {
        let flushed = self.collector.flush_blocking(deadline);
        let counters = self.collector.counters();
        let (lost, pending) = (counters.lost, counters.pending);
        match flushed {
            _ if lost > 0 => {
                Some(format!("{} lost: the disk had no room or failed, or the collector refuses them", were(lost)))
            }
            Ok(()) => None,
            Err(FlushError::TimedOut) => {
                let seconds = deadline.as_secs();
                Some(format!("{} not delivered within {seconds} s: check the collector's URL", were(pending)))
            }
            Err(error) => Some(error.to_string()),
        }
    }
}

fn were(events: u64) -> String {
    format!("{} {}", counted(events, "event"), if events == 1 { "was" } else { "were" })
}
