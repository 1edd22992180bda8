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
/// A segment that is written anew, until it is complete.
const COMPACT: &str = "compact";
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
    /// The same, where they could not be read any more.
    pub(crate) unreadable: Vec<u64>,
    /// Events that gave way, and were read before: they are in memory alone.
    pub(crate) in_memory_alone: Vec<u64>,
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
            unreadable: Vec::new(),
            in_memory_alone: Vec::new(),
            error: None,
            begin: Place { segment: 0, offset: 0, account: None, from: 0 },
        }
    }
}

/// What was read on.
#[derive(Debug, Default)]
pub(crate) struct ReadOn {
    /// Events with their numbers.
    pub(crate) events: Vec<(u64, Event)>,
    /// Events that are kept and cannot be read.
    pub(crate) unreadable: Vec<u64>,
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
    /// Lines of events, whether they are open or not.
    events: u64,
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

    fn places(&self) -> impl Iterator<Item = u64> {
        (0..self.words.len() as u64 * 64).filter(|place| self.has(*place))
    }
}

fn split(place: u64) -> (usize, u64) {
    // Places are below `WIDTH`.
    (usize::try_from(place / 64).unwrap_or(usize::MAX), 1 << (place % 64))
}

impl Segment {
    fn new(number: u64, first: u64) -> Segment {
        Segment { number, bytes: 0, first, events: 0, open: Bits::default() }
    }

    /// The numbers that are open.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        self.open.places().map(|place| self.first + place)
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
                        segment.events += 1;
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
            unreadable: Vec::new(),
            in_memory_alone: Vec::new(),
            error: None,
            begin: Place { segment: self.next_segment, offset: 0, account: None, from: 0 },
        };
        if let (Some(segment), Some(writer)) = (self.segments.back(), &self.writer) {
            added.begin.segment = segment.number;
            added.begin.offset = segment.bytes;
            added.begin.account.clone_from(&writer.account);
        }
        let first_new = self.next_segment;
        if let Err(error) = self.write_group(events, settled, &mut added) {
            self.writer = None;
            added.error = Some(error);
            // What was begun for this and holds nothing is no more use. Where it cannot be removed, the next start does.
            while let Some(last) = self.segments.back()
                && last.open.count == 0
                && last.number >= first_new
            {
                let _ = fs::remove_file(self.directory.join(name_of(last.number)));
                self.segments.pop_back();
            }
        }
        added.fates.resize(events.len(), Fate::Failed);
        added
    }

    fn write_group(&mut self, events: &[(u64, Event)], settled: &[u64], added: &mut Added) -> io::Result<()> {
        let mut group = Group::default();
        line::write_settled(settled, &mut group.bytes);
        let mut account = None::<(&Arc<Account>, u32)>;
        for (number, event) in events {
            if !record::can_be_read(event) {
                group.fates.push(Fate::Failed);
                continue;
            }
            let sum = match account.filter(|(one, _)| Arc::ptr_eq(one, &event.account)) {
                Some((_, sum)) => sum,
                None => account.insert((&event.account, line::sum_of(&event.account))).1,
            };
            let mut text = Vec::new();
            line::write_event(*number, sum, event, &mut text);
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
            if self.compact(&mut added.begin)? {
                continue;
            }
            // What this group has in it was given to nobody yet: it does not displace itself.
            let is_older = self.segments.front().is_some_and(|front| front.number < added.begin.segment);
            if self.when_full == WhenFull::Reject || !is_older {
                return Ok(false);
            }
            self.drop_oldest(added)?;
        }
        Ok(true)
    }

    /// Writes a segment anew without what is settled, if there is one in which that is most; whether there was.
    fn compact(&mut self, begin: &mut Place) -> io::Result<bool> {
        let last = self.segments.len().saturating_sub(1);
        let is_worth_it = |segment: &Segment| segment.open.count < segment.events / 2;
        let Some(at) = self.segments.iter().take(last).position(is_worth_it) else { return Ok(false) };
        let Some(segment) = self.segments.get(at) else { return Ok(false) };
        let path = self.directory.join(name_of(segment.number));
        let mut content = Vec::new();
        line::write_header(&mut content);
        let mut of_account = None::<Arc<Account>>;
        let file = BufReader::with_capacity(1 << 16, File::open(&path)?);
        line::read(file, 0, None, |account, found| {
            match found {
                Found::Event { number, json, .. } if segment.has(number) => {
                    let Some(account) = account else { return true };
                    if of_account.as_ref() != Some(account) {
                        line::write_account(account, &mut content);
                        of_account = Some(Arc::clone(account));
                    }
                    line::write_event_again(number, account, json, &mut content);
                }
                // Those of segments before this one are still to be known.
                Found::Settled(ranges) => {
                    let numbers: Vec<u64> =
                        ranges.iter().cloned().flatten().filter(|number| *number < segment.first).collect();
                    line::write_settled(&numbers, &mut content);
                }
                Found::Event { .. } | Found::Damaged => {}
            }
            true
        })?;
        // Beside it, so that it is the one or the other whatever happens.
        let beside = self.directory.join(COMPACT);
        // What an end in the middle has left is of no use.
        fs::remove_file(&beside).or_else(ignore_missing)?;
        let mut file = new_file(&beside)?;
        file.write_all(&content)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        if let Some(segment) = self.segments.get_mut(at) {
            segment.bytes = content.len() as u64;
            segment.events = segment.open.count;
            for place in self.unread.iter_mut().chain([begin]).filter(|place| place.segment == segment.number) {
                // Numbers tell what was read of it.
                (place.offset, place.account) = (0, None);
            }
        }
        sync_directory(&self.directory)?;
        Ok(true)
    }

    /// Removes the oldest segment, whatever is in it.
    fn drop_oldest(&mut self, added: &mut Added) -> io::Result<()> {
        let Some(segment) = self.segments.front() else { return Ok(()) };
        let from = self.unread.as_ref().filter(|unread| unread.segment <= segment.number).map(|unread| unread.from);
        let mut read = ReadOn::default();
        if let Some(from) = from {
            let place = Place { segment: segment.number, offset: 0, account: None, from };
            // What cannot be read is lost with the rest.
            if self.read_segment(segment, &place, usize::MAX, &mut read).is_err() {
                let read_so_far = read.events.last().map_or(from, |(number, _)| number + 1);
                read.unreadable.extend(segment.numbers().filter(|number| *number >= read_so_far));
            }
        }
        let in_memory: Vec<u64> = segment.numbers().filter(|number| from.is_none_or(|from| *number < from)).collect();
        self.remove_front()?;
        added.dropped.append(&mut read.events);
        added.unreadable.append(&mut read.unreadable);
        added.in_memory_alone.extend(in_memory);
        Ok(())
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
        // From here on it is removed again where this fails.
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
            let mut written = writer.file.write_all(&group.bytes);
            if !group.numbers.is_empty() {
                written = written.and_then(|()| writer.file.sync_data());
            }
            if let Err(error) = written {
                // Of what was not kept nothing should come back. Where that fails, too, it comes twice at worst.
                let _ = writer.file.set_len(segment.bytes);
                segment.bytes = writer.file.metadata().map_or(segment.bytes, |metadata| metadata.len());
                return Err(error);
            }
            segment.bytes += group.bytes.len() as u64;
            segment.events += group.numbers.len() as u64;
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

    /// Reads on: so many events at most, that are on disk alone. A segment that somebody has removed is given up.
    pub(crate) fn read_on(&mut self, most: usize) -> io::Result<ReadOn> {
        let mut read = ReadOn::default();
        while let Some(place) = self.unread.clone()
            && read.events.len() < most
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
            let missing = most - read.events.len();
            let end = match self.read_segment(segment, &place, missing, &mut read) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    read.unreadable.extend(segment.numbers().filter(|number| *number >= place.from));
                    None
                }
                // What was read is given out; the error is met again.
                Err(_) if !read.events.is_empty() || !read.unreadable.is_empty() => return Ok(read),
                end => end?,
            };
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
        Ok(read)
    }

    /// Leaves what cannot be read of the segment that is read for the next start: its numbers.
    pub(crate) fn pass_over(&mut self) -> Vec<u64> {
        let Some(unread) = &mut self.unread else { return Vec::new() };
        let at = self.segments.partition_point(|segment| segment.number < unread.segment);
        let Some(segment) = self.segments.get(at) else { return Vec::new() };
        let numbers = segment.numbers().filter(|number| *number >= unread.from).collect();
        *unread = match &self.writer {
            // What is added to it from here on is not passed over.
            Some(writer) if at + 1 == self.segments.len() => Place {
                segment: segment.number,
                offset: segment.bytes,
                account: writer.account.clone(),
                from: self.next_number,
            },
            _ => Place { segment: segment.number + 1, offset: 0, account: None, from: unread.from },
        };
        numbers
    }

    /// The open events of a segment from a place on; where it goes on, or `None` when that is with the next segment.
    fn read_segment(
        &self,
        segment: &Segment,
        place: &Place,
        most: usize,
        read: &mut ReadOn,
    ) -> io::Result<Option<Place>> {
        let mut file = File::open(self.directory.join(name_of(segment.number)))?;
        file.seek(SeekFrom::Start(place.offset))?;
        let mut end = None;
        let enough = read.events.len().saturating_add(most);
        let content = BufReader::with_capacity(1 << 16, file).take(segment.bytes.saturating_sub(place.offset));
        line::read(content, place.offset, place.account.clone(), |account, found| {
            let Found::Event { number, json, after } = found else { return true };
            let Some(account) = account else { return true };
            if number < place.from || !segment.has(number) {
                return true;
            }
            let Some(event) = record::event_from_json(json, account) else {
                read.unreadable.push(number);
                return true;
            };
            read.events.push((number, event));
            if read.events.len() < enough {
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

    /// Removes the segments at the front that have no open event. The last one stays, and with it the number of the next:
    /// whoever looks at them sees which came later.
    fn remove_settled(&mut self) -> io::Result<()> {
        while let Some(front) = self.segments.front()
            && front.open.count == 0
            && self.segments.len() > 1
        {
            self.remove_front()?;
        }
        Ok(())
    }

    fn remove_front(&mut self) -> io::Result<()> {
        if let Some(front) = self.segments.front() {
            fs::remove_file(self.directory.join(name_of(front.number))).or_else(ignore_missing)?;
            self.segments.pop_front();
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
        let segments = segments_in(&self.directory).map_err(SpoolError::at(&self.directory))?;
        if segments.last().is_some_and(|(last, _)| *last < self.place.segment) {
            // Somebody has emptied the directory, and it was begun anew.
            self.place = Place { segment: 0, offset: 0, account: None, from: 0 };
        }
        for (number, path) in segments {
            if number < self.place.segment {
                continue;
            }
            if number > self.place.segment {
                self.place = Place { segment: number, offset: 0, account: None, from: 0 };
            }
            let place = &mut self.place;
            let read = File::open(&path).and_then(|mut file| {
                if file.metadata()?.len() < place.offset {
                    // It was written anew, without what is settled: what was added since is in the next one.
                    return Ok(());
                }
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

/// What is not there need not be removed.
fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
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
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    // Its name must last as what is in it.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(parent.unwrap_or(Path::new(".")))
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
