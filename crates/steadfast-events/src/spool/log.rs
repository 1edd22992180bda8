//! The segments: what is added at the end, read on from the front, and removed.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::{self, Found};
use super::{Spool, SpoolError, WhenFull, record};
use crate::event::{Account, Event};

/// A segment is about as large as this, or an eighth of what the spool may take.
const SEGMENT: u64 = 4 << 20;
/// Numbers of one segment are no further apart than this: what is, is no number that was given.
const WIDTH: u64 = 1 << 24;
const LOCK: &str = "lock";
const ENDING: &str = ".events";

/// What became of an event that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on disk.
    Kept,
    /// There is no room for it.
    Full,
    /// The disk failed.
    Failed,
}

/// What came of adding a group.
#[derive(Debug)]
pub(crate) struct Added {
    /// What became of each of its events.
    pub(crate) fates: Vec<Fate>,
    /// Events that gave way, and were not read yet.
    pub(crate) dropped: Vec<(u64, Event)>,
    /// Why the disk failed, if it did.
    pub(crate) error: Option<io::Error>,
    /// Where the group begins.
    pub(crate) begin: Place,
}

impl Added {
    /// Nothing was tried.
    pub(crate) fn failed(events: usize) -> Added {
        Added {
            fates: vec![Fate::Failed; events],
            dropped: Vec::new(),
            error: None,
            begin: Place { segment: 0, offset: 0, account: None, from: 0 },
        }
    }
}

/// Where reading goes on.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    segment: u64,
    offset: u64,
    account: Option<Arc<Account>>,
    /// Events before this number were read.
    from: u64,
}

/// The directory, by the one who has it.
#[derive(Debug)]
pub(crate) struct Log {
    directory: PathBuf,
    /// Given back when it is dropped.
    _lock: File,
    most: u64,
    segment_bytes: u64,
    when_full: WhenFull,
    segments: VecDeque<Segment>,
    writer: Option<Writer>,
    next_segment: u64,
    next_number: u64,
    /// Where events begin that are on disk alone; none if all were read or given out when they were added.
    unread: Option<Place>,
    damaged: u64,
}

/// A segment, and which of its events are open.
#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    first: u64,
    open: Bits,
}

/// The end of the last segment.
#[derive(Debug)]
struct Writer {
    file: File,
    account: Option<Arc<Account>>,
}

#[derive(Debug, Default)]
struct Bits {
    words: Vec<u64>,
    count: u64,
}

impl Bits {
    fn set(&mut self, place: u64) {
        let (word, bit) = split(place);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            self.count += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }

    fn clear(&mut self, place: u64) {
        let (word, bit) = split(place);
        if let Some(word) = self.words.get_mut(word) {
            self.count -= u64::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    fn has(&self, place: u64) -> bool {
        let (word, bit) = split(place);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn split(place: u64) -> (usize, u64) {
    // Places are below `WIDTH`.
    (usize::try_from(place / 64).unwrap_or(usize::MAX), 1 << (place % 64))
}

impl Segment {
    fn new(number: u64, first: u64) -> Segment {
        Segment { number, bytes: 0, first, open: Bits::default() }
    }

    fn has(&self, number: u64) -> bool {
        number.checked_sub(self.first).is_some_and(|place| self.open.has(place))
    }

    /// Whether the number can be one of this segment's.
    fn takes(&self, number: u64) -> bool {
        number.checked_sub(self.first).is_some_and(|place| place < WIDTH)
    }
}

impl Log {
    /// Takes the directory and looks at what is in it.
    pub(crate) fn open(spool: &Spool) -> Result<Log, SpoolError> {
        let directory = spool.directory.clone();
        let of_directory = || SpoolError::at(&directory);
        make_directory(&directory).map_err(of_directory())?;
        let lock = lock(&directory, spool.patience)?;
        let mut log = Log {
            _lock: lock,
            most: spool.bytes,
            segment_bytes: SEGMENT.min(spool.bytes / 8),
            when_full: spool.when_full,
            segments: VecDeque::new(),
            writer: None,
            next_segment: 1,
            next_number: 0,
            unread: None,
            damaged: 0,
            directory: directory.clone(),
        };
        for (number, path) in segments_in(&directory).map_err(of_directory())? {
            log.scan(number, &path).map_err(SpoolError::at(&path))?;
            log.next_segment = number + 1;
        }
        log.remove_settled().map_err(of_directory())?;
        log.unread = log.segments.front().filter(|_| log.open_events() > 0).map(|front| Place {
            segment: front.number,
            offset: 0,
            account: None,
            from: 0,
        });
        if log.damaged > 0 {
            tracing::warn!(lines = log.damaged, directory = %directory.display(), "damaged lines among the kept events");
        }
        Ok(log)
    }

    fn scan(&mut self, number: u64, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let mut segment = Segment::new(number, self.next_number);
        segment.bytes = file.metadata()?.len();
        self.segments.push_back(segment);
        let mut is_first = true;
        line::read(BufReader::with_capacity(1 << 16, file), 0, None, |account, found| {
            match found {
                Found::Event { number, .. } => {
                    let Some(segment) = self.segments.back_mut() else { return false };
                    if is_first {
                        // Numbers between were of a segment that is gone.
                        segment.first = segment.first.max(number);
                        is_first = false;
                    }
                    if segment.takes(number) && account.is_some() {
                        segment.open.set(number - segment.first);
                        self.next_number = self.next_number.max(number + 1);
                    } else {
                        self.damaged += 1;
                    }
                }
                Found::Settled(ranges) => self.clear(ranges),
                Found::Damaged => self.damaged += 1,
            }
            true
        })
    }

    fn clear(&mut self, ranges: &[RangeInclusive<u64>]) {
        for range in ranges {
            // A damaged sum could let a range through that has no end.
            let last = (*range.end()).min(self.next_number.saturating_sub(1));
            for number in *range.start()..=last {
                let place = self.segments.partition_point(|segment| segment.first <= number);
                let Some(segment) = place.checked_sub(1).and_then(|place| self.segments.get_mut(place)) else {
                    continue;
                };
                if segment.takes(number) {
                    segment.open.clear(number - segment.first);
                }
            }
        }
    }

    /// The number of the next event.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// So many events are not settled.
    pub(crate) fn open_events(&self) -> u64 {
        self.segments.iter().map(|segment| segment.open.count).sum()
    }

    /// So many bytes the segments take.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Whether no event is on disk alone.
    pub(crate) fn is_read(&self) -> bool {
        self.unread.is_none()
    }

    /// From this number on events may be on disk alone.
    pub(crate) fn unread_from(&self) -> Option<u64> {
        self.unread.as_ref().map(|place| place.from)
    }

    /// From this number on events of a group that was added are on disk alone.
    pub(crate) fn leave(&mut self, begin: Place, number: u64) {
        if self.unread.is_none() {
            self.unread = Some(Place { from: number, ..begin });
        }
    }

    /// Adds a group: events, in the order of their numbers, and numbers that are settled, in order.
    pub(crate) fn add(&mut self, events: &[(u64, Event)], settled: &[u64]) -> Added {
        let mut added = Added {
            fates: Vec::with_capacity(events.len()),
            dropped: Vec::new(),
            error: None,
            begin: Place { segment: self.next_segment, offset: 0, account: None, from: 0 },
        };
        if let (Some(segment), Some(writer)) = (self.segments.back(), &self.writer) {
            added.begin.segment = segment.number;
            added.begin.offset = segment.bytes;
            added.begin.account.clone_from(&writer.account);
        }
        if let Err(error) = self.write_group(events, settled, &mut added) {
            self.writer = None;
            added.error = Some(error);
            // What was begun and not written stays no longer than it must; the error is told already.
            let _ = self.remove_settled();
        }
        added.fates.resize(events.len(), Fate::Failed);
        added
    }

    fn write_group(&mut self, events: &[(u64, Event)], settled: &[u64], added: &mut Added) -> io::Result<()> {
        let mut group = Group::default();
        line::write_settled(settled, &mut group.bytes);
        for (number, event) in events {
            let mut text = Vec::new();
            line::write_event(*number, event, &mut text);
            let is_long = self.segments.back().is_none_or(|segment| {
                segment.bytes + group.length() + text.len() as u64 > self.segment_bytes || !segment.takes(*number)
            });
            if is_long {
                self.write(&mut group, added)?;
                self.writer = None;
            }
            if !self.has_room(group.length() + text.len() as u64, added)? {
                group.fates.push(Fate::Full);
                continue;
            }
            if self.writer.is_none() {
                self.write(&mut group, added)?;
                self.begin(*number)?;
            }
            if let Some(writer) = &mut self.writer
                && writer.account.as_ref() != Some(&event.account)
            {
                line::write_account(&event.account, &mut group.bytes);
                writer.account = Some(Arc::clone(&event.account));
            }
            group.bytes.extend_from_slice(&text);
            group.numbers.push(*number);
            group.fates.push(Fate::Kept);
        }
        self.write(&mut group, added)?;
        for number in settled {
            self.clear(&[*number..=*number]);
        }
        self.remove_settled()
    }

    /// Whether so many bytes more may be taken.
    fn has_room(&mut self, more: u64, added: &mut Added) -> io::Result<bool> {
        while self.bytes() + more > self.most {
            if self.when_full == WhenFull::Reject || self.segments.len() < 2 {
                return Ok(false);
            }
            self.drop_oldest(added)?;
        }
        Ok(true)
    }

    fn drop_oldest(&mut self, added: &mut Added) -> io::Result<()> {
        let Some(segment) = self.segments.front() else { return Ok(()) };
        if let Some(unread) = self.unread.clone().filter(|unread| unread.segment <= segment.number) {
            let place = Place { segment: segment.number, offset: 0, account: None, from: unread.from };
            self.read_segment(segment, &place, usize::MAX, &mut added.dropped)?;
        }
        self.remove_front()
    }

    /// A new segment, whose first event has this number.
    fn begin(&mut self, first: u64) -> io::Result<()> {
        let number = self.next_segment;
        let mut file = new_file(&self.directory.join(name_of(number)))?;
        self.next_segment += 1;
        let mut header = Vec::new();
        line::write_header(&mut header);
        let mut segment = Segment::new(number, first.max(self.next_number));
        segment.bytes = header.len() as u64;
        self.segments.push_back(segment);
        file.write_all(&header)?;
        // What is kept in it is kept only as long as it has a name.
        sync_directory(&self.directory)?;
        self.writer = Some(Writer { file, account: None });
        Ok(())
    }

    /// Writes what a group has so far to the last segment.
    fn write(&mut self, group: &mut Group, added: &mut Added) -> io::Result<()> {
        if !group.bytes.is_empty() && self.writer.is_none() {
            // Settled numbers alone.
            self.begin(self.next_number)?;
        }
        if let (Some(segment), Some(writer)) = (self.segments.back_mut(), &mut self.writer) {
            segment.bytes += group.bytes.len() as u64;
            writer.file.write_all(&group.bytes)?;
            if !group.numbers.is_empty() {
                writer.file.sync_data()?;
            }
            for number in &group.numbers {
                segment.open.set(number - segment.first);
                self.next_number = self.next_number.max(number + 1);
            }
        }
        added.fates.append(&mut group.fates);
        group.bytes.clear();
        group.numbers.clear();
        Ok(())
    }

    /// Reads on: so many events at most, that are on disk alone.
    pub(crate) fn read_on(&mut self, most: usize) -> io::Result<Vec<(u64, Event)>> {
        let mut events = Vec::new();
        while let Some(place) = self.unread.clone()
            && events.len() < most
        {
            let at = self.segments.partition_point(|segment| segment.number < place.segment);
            let Some(segment) = self.segments.get(at) else {
                self.unread = None;
                break;
            };
            let place = if segment.number == place.segment {
                place
            } else {
                Place { segment: segment.number, offset: 0, account: None, from: place.from }
            };
            let end = self.read_segment(segment, &place, most - events.len(), &mut events)?;
            self.unread = Some(match end {
                Some(place) => place,
                None => Place { segment: segment.number + 1, offset: 0, account: place.account, from: place.from },
            });
        }
        // All that follows was read: what is added from here on may be given out at once.
        if self.unread.as_ref().is_some_and(|place| self.segments.back().is_none_or(|last| last.number < place.segment))
        {
            self.unread = None;
        }
        Ok(events)
    }

    /// The open events of a segment from a place on; where it goes on, or `None` when that is with the next segment.
    fn read_segment(
        &self,
        segment: &Segment,
        place: &Place,
        most: usize,
        events: &mut Vec<(u64, Event)>,
    ) -> io::Result<Option<Place>> {
        let mut file = File::open(self.directory.join(name_of(segment.number)))?;
        file.seek(SeekFrom::Start(place.offset))?;
        let mut end = None;
        let enough = events.len().saturating_add(most);
        let content = BufReader::with_capacity(1 << 16, file).take(segment.bytes.saturating_sub(place.offset));
        line::read(content, place.offset, place.account.clone(), |account, found| {
            let Found::Event { number, json, after } = found else { return true };
            let Some(account) = account else { return true };
            if number < place.from || !segment.has(number) {
                return true;
            }
            // Its sum holds: one that cannot be read was written by a later version, and stays.
            let Some(event) = record::event_from_json(json, account) else { return true };
            events.push((number, event));
            if events.len() < enough {
                return true;
            }
            end = Some(Place {
                segment: segment.number,
                offset: after,
                account: Some(Arc::clone(account)),
                from: number + 1,
            });
            false
        })?;
        Ok(end)
    }

    /// Removes the segments at the front that have no open event.
    fn remove_settled(&mut self) -> io::Result<()> {
        while let Some(front) = self.segments.front()
            && front.open.count == 0
            && (self.writer.is_none() || self.segments.len() > 1)
        {
            self.remove_front()?;
        }
        Ok(())
    }

    fn remove_front(&mut self) -> io::Result<()> {
        if let Some(front) = self.segments.front() {
            match fs::remove_file(self.directory.join(name_of(front.number))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.segments.pop_front(),
            };
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Group {
    bytes: Vec<u8>,
    numbers: Vec<u64>,
    fates: Vec<Fate>,
}

impl Group {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What a spool has in it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Contents {
    /// Events that are not settled, in their order.
    pub open: Vec<Event>,
    /// So many events of these segments are settled.
    pub settled: u64,
    /// So many segments there are.
    pub segments: u64,
    /// So many bytes they take.
    pub bytes: u64,
    /// So many lines are damaged.
    pub damaged: u64,
}

/// Looks at a spool without taking it: also one that a program writes at this moment.
///
/// # Errors
/// When the directory or a file in it cannot be read.
pub fn contents(directory: &Path) -> Result<Contents, SpoolError> {
    let mut found = Contents::default();
    let mut open = std::collections::BTreeMap::new();
    for (_, path) in segments_in(directory).map_err(SpoolError::at(directory))? {
        let file = match File::open(&path) {
            Ok(file) => file,
            // Its owner has removed it since: all in it is settled.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(SpoolError::at(&path)(error)),
        };
        found.segments += 1;
        found.bytes += file.metadata().map_err(SpoolError::at(&path))?.len();
        let read = line::read(BufReader::with_capacity(1 << 16, file), 0, None, |account, line| {
            match line {
                Found::Event { number, json, .. } => {
                    match account.and_then(|account| record::event_from_json(json, account)) {
                        Some(event) => {
                            open.insert(number, event);
                        }
                        None => found.damaged += 1,
                    }
                }
                Found::Settled(ranges) => {
                    for range in ranges.iter().filter(|range| range.start() <= range.end()) {
                        let numbers: Vec<u64> = open.range(range.clone()).map(|(number, _)| *number).collect();
                        found.settled += numbers.len() as u64;
                        for number in numbers {
                            open.remove(&number);
                        }
                    }
                }
                Found::Damaged => found.damaged += 1,
            }
            true
        });
        read.map_err(SpoolError::at(&path))?;
    }
    found.open = open.into_values().collect();
    Ok(found)
}

/// Reads a spool as it grows, without taking it: each event once, whether it is settled or not.
#[derive(Debug)]
pub struct Tail {
    directory: PathBuf,
    place: Place,
}

impl Tail {
    /// From the oldest event on that is there.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Tail {
        Tail { directory: directory.into(), place: Place { segment: 0, offset: 0, account: None, from: 0 } }
    }

    /// Reads what was added since this was called last.
    ///
    /// # Errors
    /// When the directory or a file in it cannot be read. What was not given out is read again.
    pub fn read(&mut self, mut each: impl FnMut(Event)) -> Result<(), SpoolError> {
        for (number, path) in segments_in(&self.directory).map_err(SpoolError::at(&self.directory))? {
            if number < self.place.segment {
                continue;
            }
            if number > self.place.segment {
                self.place = Place { segment: number, offset: 0, account: None, from: 0 };
            }
            let place = &mut self.place;
            let read = File::open(&path).and_then(|mut file| {
                file.seek(SeekFrom::Start(place.offset))?;
                let content = BufReader::with_capacity(1 << 16, file);
                line::read(content, place.offset, place.account.clone(), |account, found| {
                    if let (Some(account), Found::Event { json, after, .. }) = (account, found) {
                        if let Some(event) = record::event_from_json(json, account) {
                            each(event);
                        }
                        place.offset = after;
                        place.account = Some(Arc::clone(account));
                    }
                    true
                })
            });
            match read {
                // Its owner has removed it since: all in it is settled.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => read.map_err(SpoolError::at(&path))?,
            }
        }
        Ok(())
    }
}

fn name_of(segment: u64) -> String {
    format!("{segment:010}{ENDING}")
}

/// The segments in a directory, in their order. Files that are none of them are left alone.
fn segments_in(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(number) = name.and_then(|name| name.strip_suffix(ENDING)).and_then(|number| number.parse().ok()) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The key of the environment is in the files: they are their owner's alone.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lock(directory: &Path, patience: Duration) -> Result<File, SpoolError> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(SpoolError::at(&path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(20))
            }
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(SpoolError::at(&path)(error)),
        }
    }
}

/// Makes a new name last.
fn sync_directory(directory: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened as a file; the name lasts as the system sees fit.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
