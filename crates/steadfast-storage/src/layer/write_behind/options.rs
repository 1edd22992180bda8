//! What an operator can set, and what there is to watch.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How writes are kept back, sent and tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBehindOptions {
    /// So many claims are kept in memory at most: 100,000 by default. With a journal, as many again may wait for places that
    /// have some in memory already, and the claims of a place are read back from the journal as a whole.
    pub claims: usize,
    /// They take so many bytes of memory at most, about: 64 MiB by default.
    pub bytes: usize,
    /// What becomes of a write for which there is no room, in memory or in the journal. By default it is rejected.
    pub when_full: WhenFull,
    /// The journal. None by default.
    pub journal: Journal,
    /// So many places, each a user in a campaign, are kept in the journal at most: ten million by default, about 2 GB.
    pub journal_places: u64,
    /// What becomes of a write that the storage refused for good. By default it is dropped.
    pub when_refused: WhenRefused,
    /// So many sends are under way side by side, to a storage that takes one claim at a time: 64 by default.
    pub side_by_side: usize,
    /// How long the storage may take for a send: 30 seconds by default. Then the send is given up and tried again. A
    /// storage that goes on with what was given up may do it late; more than its own deadline, therefore.
    pub send: Duration,
    /// How long those who wait for the storage's answer do so at most: 10 seconds by default.
    pub wait: Duration,
    /// The pause after a first failure: 100 ms by default. It doubles with each further one; half of it is by chance.
    pub back_off: Duration,
    /// The longest pause: 10 seconds by default.
    pub longest_back_off: Duration,
    /// After so many failures one after the other the storage counts as down, and nobody waits for its answer: 2 by
    /// default, at least 1.
    pub failures: u32,
    /// How long the erasing of a user is tried, from the call on: 7 days by default. So long their tombstone stays.
    pub erase: Duration,
}

/// Where claims are kept that the storage does not have yet. A journal is a file for one process at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journal {
    /// In memory alone: what waits when the process ends is lost.
    Off,
    /// In this file what has no room in memory, and the rest at [`shutdown`](super::WriteBehind::shutdown). A process
    /// that is killed loses what it had in memory.
    WhenFull(PathBuf),
    /// In this file everything, before it is acknowledged: what was acknowledged survives the end of the process and of
    /// the machine.
    Always(PathBuf),
}

/// What becomes of a write for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It fails with [`Full`](crate::StorageErrorKind::Full) and is not kept.
    Reject,
    /// It waits for room, so long at most, and is rejected then.
    Wait(Duration),
    /// The write in memory that has waited longest gives way: it is told to the listener, counted as dropped, and lost.
    /// What has no room in the journal is rejected.
    DropOldest,
}

/// What becomes of a write that the storage refused with an error that is not
/// [temporary](crate::StorageError::is_temporary). Either way the listener is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenRefused {
    /// It is lost.
    Drop,
    /// It stays, in memory and in the journal, and is seen by look-ups; it is tried again with the next write for its place,
    /// by [`retry_parked`](super::WriteBehind::retry_parked), and at the next start.
    Park,
}

impl Default for WriteBehindOptions {
    fn default() -> Self {
        WriteBehindOptions {
            claims: 100_000,
            bytes: 64 << 20,
            when_full: WhenFull::Reject,
            journal: Journal::Off,
            journal_places: 10_000_000,
            when_refused: WhenRefused::Drop,
            side_by_side: 64,
            send: Duration::from_secs(30),
            wait: Duration::from_secs(10),
            back_off: Duration::from_millis(100),
            longest_back_off: Duration::from_secs(10),
            failures: 2,
            erase: Duration::from_secs(7 * 24 * 3_600),
        }
    }
}

/// What has been done since the layer was made, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Writes in memory that the storage has not answered to; several for one place may be one.
    pub pending: u64,
    /// The bytes of memory they take, about.
    pub pending_bytes: u64,
    /// Places in the journal.
    pub in_journal: u64,
    /// Writes that the storage has.
    pub sent: u64,
    /// Writes that failed and were tried again.
    pub retried: u64,
    /// Writes that went to the journal because there was no room in memory.
    pub journaled: u64,
    /// Writes that came back from the journal to be sent.
    pub replayed: u64,
    /// Writes that were lost: refused by the storage, or given way.
    pub dropped: u64,
    /// Places that are parked.
    pub parked: u64,
    /// Failures of the storage one after the other; 0 where the last send came through.
    pub failures: u32,
}

/// What the storage has not got when the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent {
    /// So many writes are in memory.
    pub in_memory: u64,
    /// So many places are in the journal; those in memory among them, where everything is journaled.
    pub in_journal: u64,
    /// Whether what is in memory is lost with the process.
    pub is_lost: bool,
}

impl fmt::Display for Unsent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsent { in_memory, in_journal, .. } = self;
        write!(formatter, "the storage has not got all writes in time: {in_memory} are in memory, ")?;
        write!(formatter, "{in_journal} places in the journal")
    }
}

impl std::error::Error for Unsent {}
