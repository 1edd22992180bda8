//! Where a command's events go: into a directory, or to a collector.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use steadfast::event::{Batching, Collector, Delivery, Endpoint, Failing, FlushError, Spool};

use crate::command::stream;
use crate::failure::Failure;
use crate::terminal::text::counted;

/// So many events wait in memory at most.
const ROOM: usize = 1_000_000;

/// A directory that keeps them, or the URL of a collector.
#[derive(Debug, Clone)]
pub(crate) enum EventsTo {
    /// They are kept, and not sent.
    Directory(PathBuf),
    /// They are sent.
    Url(String),
}

impl FromStr for EventsTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Ok(EventsTo::Url(text.to_owned()));
        }
        let rest = text.split(['/', '\\']).next().unwrap_or_default();
        let port = rest.rsplit_once(':').map(|(_, port)| port);
        let is_like_one = text.starts_with("http:") || text.starts_with("https:");
        if is_like_one || port.is_some_and(|port| port.parse::<u16>().is_ok()) {
            return Err("a collector is written `https://HOST`, or `http://HOST:PORT`; a directory `./NAME`".to_owned());
        }
        Ok(EventsTo::Directory(text.into()))
    }
}

/// What takes a command's events.
pub(crate) struct Sent {
    collector: Collector,
    kept_in: Option<PathBuf>,
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
        room: ROOM,
        ..Delivery::default()
    });
    let kept_in = spool.map(|(directory, _)| directory.to_owned());
    if let Some((directory, hold)) = spool {
        collector = collector.spool(Spool { hold, ..Spool::new(directory) });
    }
    let collector = collector.build().map_err(|error| Failure::new(error.to_string()))?;
    Ok(Sent { collector, kept_in })
}

impl Sent {
    /// What events are given to.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Waits until what came by now is on disk; where it is sent, that is waited for at the end alone.
    pub(crate) fn kept(&self, deadline: Duration) -> Result<(), FlushError> {
        // A collector that is slower than the calls is waited for; what it does not take is counted.
        if self.kept_in.is_none() && self.collector.counters().pending > ROOM as u64 / 2 {
            let _ = self.collector.flush_blocking(deadline);
        }
        match self.collector.kept_blocking(deadline) {
            // They are counted, and told at the end.
            Err(FlushError::Lost(_)) => Ok(()),
            kept if self.kept_in.is_some() => kept,
            _ => Ok(()),
        }
    }

    /// Waits until all is there, at most so long, and says where it is; what is wrong, if not all is.
    pub(crate) fn end(&self, deadline: Duration) -> Option<String> {
        let total = self.collector.counters().pending;
        let flushed = match &self.kept_in {
            Some(_) => self.collector.flush_blocking(deadline),
            None => flush(&self.collector, total, deadline),
        };
        let counters = self.collector.counters();
        let failing = self.collector.failing();
        match (flushed, &self.kept_in) {
            (_, Some(_)) if counters.lost > 0 => {
                Some(format!("{} lost: the disk has no room, or failed", were(counters.lost)))
            }
            (_, None) if counters.lost > 0 => {
                let why =
                    failing.map_or_else(|| "the collector refuses them".to_owned(), |failing| failing.to_string());
                Some(format!("{} lost: {why}; a directory in place of the URL keeps them", were(counters.lost)))
            }
            (Ok(()), Some(directory)) => {
                let (events, directory) = (counted(counters.pending, "event"), directory.display());
                anstream::eprintln!("{events} kept in `{directory}`: `steadfast events replay {directory}` sends them");
                None
            }
            (Ok(()), None) => {
                anstream::eprintln!("{} delivered", counted(counters.delivered, "event"));
                None
            }
            (Err(FlushError::TimedOut), _) => Some(format!(
                "{} not delivered within {} s: {}",
                were(counters.pending),
                deadline.as_secs(),
                why(failing)
            )),
            (Err(error), _) => Some(error.to_string()),
        }
    }
}

/// What is wrong with the collector, or could be.
pub(super) fn why(failing: Option<Failing>) -> String {
    failing.map_or_else(|| "check the URL".to_owned(), |failing| format!("{failing}: check the URL"))
}

/// Waits until all is there, with a bar.
pub(super) fn flush(collector: &Collector, total: u64, deadline: Duration) -> Result<(), FlushError> {
    let progress = stream::progress_in_events(total);
    let start = Instant::now();
    let flushed = loop {
        let left = deadline.saturating_sub(start.elapsed());
        let flushed = collector.flush_blocking(left.min(Duration::from_millis(100)));
        let counters = collector.counters();
        progress.set_position(total.saturating_sub(counters.pending));
        progress.set_message(collector.failing().map_or_else(String::new, |failing| failing.to_string()));
        if flushed != Err(FlushError::TimedOut) || left.is_zero() {
            break flushed;
        }
    };
    progress.finish_and_clear();
    flushed
}

fn were(events: u64) -> String {
    format!("{} {}", counted(events, "event"), if events == 1 { "was" } else { "were" })
}
