//! What is sent next, as a state machine: it is told what happens and when, and says what to send. It knows no clock, no
//! thread and no network.
//!
//! Events go in [`Parcel`]s: one alone, or a batch. A parcel whose sending failed is sent again as it was, after a pause
//! of its own; while the collector fails altogether one parcel at a time shows whether it still does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::retry::{BackOff, Outcome};
use crate::wire;

/// How events are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Several events in one call (`batchEvents`). None by default: each by itself, at once.
    pub batch: Option<Batching>,
    /// So many calls are under way side by side: 8 by default.
    pub side_by_side: usize,
    /// So many events are kept at most until they are delivered: 100,000 by default. What comes beyond is not kept.
    pub room: usize,
    /// So often something is sent at most: 6 times by default, as the reference. Then it is lost, and told. With a
    /// [spool](crate::Spool) nothing is lost because the collector is down, and [`attempts`](crate::Spool::attempts) of that
    /// counts.
    pub attempts: u32,
    /// The pauses in between.
    pub back_off: BackOff,
}

/// When a batch is sent (spec EVT-54, quirk Q-136).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// As soon as so many entries wait (`eventsPerRequest`): 100 by default, [`Batching::MOST`] at most.
    pub events: NonZeroUsize,
    /// So long after the first one came (`requestTimeInterval`): 10 minutes by default.
    pub interval: Duration,
}

impl Batching {
    /// What the collector takes in one call (spec EVT-57).
    pub const MOST: usize = 5_000;
}

impl Default for Batching {
    fn default() -> Self {
        Batching { events: NonZeroUsize::MIN.saturating_add(99), interval: Duration::from_secs(600) }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Delivery { batch: None, side_by_side: 8, room: 100_000, attempts: 6, back_off: BackOff::default() }
    }
}

/// Events that are sent in one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    number: u64,
    attempts: u32,
    /// Failures that are its own: others arrived since the one before.
    own_failures: u32,
    /// Events that were delivered when it failed last.
    delivered_before: u64,
    events: Vec<(u64, Event)>,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Send this, and say what came of it.
    Send(Parcel),
    /// Nothing, until then or until something happens.
    Wait(Option<Instant>),
}

/// A flush that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(u64);

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events that the collector does not have yet.
    pub pending: u64,
    /// Events that the collector has.
    pub delivered: u64,
    /// Events that were lost: no room, refused, or tried too often.
    pub lost: u64,
    /// Sendings that failed and were or will be tried again.
    pub retried: u64,
}

/// Of a flush: so many of its events were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// So many.
    pub events: u64,
}

/// What waits and what is under way.
#[derive(Debug)]
pub struct Dispatcher {
    rules: Delivery,
    /// Events are kept elsewhere until they are settled: there is no end of attempts but for what is not accepted so often
    /// while others are.
    kept: Option<u32>,
    /// Of events that are kept, those that were settled since this was asked last.
    settled: Vec<u64>,
    waiting: VecDeque<(u64, Event)>,
    /// Entries that what waits makes in a batch.
    entries: usize,
    /// When the first of those that wait came.
    since: Option<Instant>,
    /// What comes before is sent without waiting for more.
    flushed_to: u64,
    /// So many of those wait. They need not be the first: what is kept elsewhere comes later than its number.
    urgent: usize,
    again: BTreeMap<(Instant, u64), Parcel>,
    under_way: usize,
    /// The numbers of all events that are not settled.
    open: BTreeSet<u64>,
    next_number: u64,
    next_parcel: u64,
    flushes: BTreeMap<FlushId, (u64, Lost)>,
    /// Events of which somebody wants to know, and whether they are delivered, once that is known.
    watched: BTreeMap<u64, Option<bool>>,
    failures: u32,
    not_before: Option<Instant>,
    chance: u64,
    counters: Counters,
}

impl Parcel {
    /// The events, in the order they came.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event)
    }

    /// The request that it is.
    #[must_use]
    pub fn request(&self, sender: &wire::Sender, is_batch: bool) -> Option<wire::Request> {
        let (_, first) = self.events.first()?;
        Some(if is_batch { wire::batch(&first.account, self.events(), sender) } else { wire::request(first, sender) })
    }
}

impl Dispatcher {
    /// Nothing waits yet. Pauses are chosen by this chance.
    #[must_use]
    pub fn new(mut rules: Delivery, chance: u64) -> Dispatcher {
        if let Some(batch) = &mut rules.batch {
            batch.events = batch.events.min(NonZeroUsize::new(Batching::MOST).unwrap_or(batch.events));
        }
        Dispatcher {
            rules,
            kept: None,
            settled: Vec::new(),
            waiting: VecDeque::new(),
            entries: 0,
            since: None,
            flushed_to: 0,
            urgent: 0,
            again: BTreeMap::new(),
            under_way: 0,
            open: BTreeSet::new(),
            next_number: 0,
            next_parcel: 0,
            flushes: BTreeMap::new(),
            watched: BTreeMap::new(),
            failures: 0,
            not_before: None,
            chance,
            counters: Counters::default(),
        }
    }

    /// The same for events that are kept elsewhere until they are settled, the next of which has this number. What failed so
    /// often while others arrived is lost.
    #[must_use]
    pub fn of_kept(rules: Delivery, chance: u64, next_number: u64, attempts: u32) -> Dispatcher {
        Dispatcher { kept: Some(attempts), next_number, ..Dispatcher::new(rules, chance) }
    }

    /// The number of an event that is [handed over](Self::hand_over) later, or [lost](Self::lost).
    pub fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// Takes an event in; whether there is something to send now that was not before, or a time to send it at.
    ///
    /// # Errors
    /// The event, when there is no room: it is lost.
    pub fn put(&mut self, event: Event, now: Instant) -> Result<bool, Box<Event>> {
        let number = self.number();
        if !self.has_room() {
            self.lost(number);
            return Err(Box::new(event));
        }
        Ok(self.hand_over(number, event, now))
    }

    /// The number that is given next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Whether one more event may be taken in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open.len() < self.rules.room.max(1)
    }

    /// Takes in the event of a number; as [`put`](Self::put), whether there is room or not.
    pub fn hand_over(&mut self, number: u64, event: Event, now: Instant) -> bool {
        self.open.insert(number);
        self.entries += wire::entries_of(&event);
        self.urgent += usize::from(number < self.flushed_to);
        self.waiting.push_back((number, event));
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        match &self.rules.batch {
            None => true,
            Some(batch) => is_first || self.entries >= batch.events.get() || number < self.flushed_to,
        }
    }

    /// The event of a number is lost before it was handed over.
    pub fn lost(&mut self, number: u64) {
        self.counters.lost += 1;
        self.know(number, false);
        for (_, lost) in self.flushes.values_mut().filter(|(until, _)| number < *until) {
            lost.events += 1;
        }
    }

    /// The numbers of kept events that were settled since this was asked last, in order: they need not be kept any more.
    pub fn take_settled(&mut self) -> Vec<u64> {
        let mut settled = std::mem::take(&mut self.settled);
        settled.sort_unstable();
        settled
    }

    /// The first of them.
    #[must_use]
    pub fn first_settled(&self) -> Option<u64> {
        self.settled.iter().min().copied()
    }

    /// What is to be sent now.
    pub fn next(&mut self, now: Instant) -> Next {
        let width = if self.failures > 0 { 1 } else { self.rules.side_by_side.max(1) };
        if self.under_way >= width {
            return Next::Wait(None);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Next::Wait(Some(until));
        }
        // Parcels that always fail must not keep what was never tried from being tried.
        let parcel = if self.failures > 0 && self.failures.is_multiple_of(2) {
            self.take(now).or_else(|| self.due(now))
        } else {
            self.due(now).or_else(|| self.take(now))
        };
        match parcel {
            Some(parcel) => {
                self.under_way += 1;
                Next::Send(parcel)
            }
            None => {
                let again = self.again.first_key_value().map(|((due, _), _)| *due);
                let batch = self.rules.batch.as_ref().and_then(|batch| self.since?.checked_add(batch.interval));
                Next::Wait([again, batch].into_iter().flatten().min())
            }
        }
    }

    /// A parcel that failed and may be sent again, if there is one.
    fn due(&mut self, now: Instant) -> Option<Parcel> {
        let ((due, _), _) = self.again.first_key_value()?;
        if *due <= now { self.again.pop_first().map(|(_, parcel)| parcel) } else { None }
    }

    /// A parcel of what waits, if it is time for one.
    fn take(&mut self, now: Instant) -> Option<Parcel> {
        let mut events = Vec::new();
        match self.rules.batch {
            None => events.extend(self.waiting.pop_front()),
            Some(Batching { events: most, interval }) => {
                let is_time = self.since.is_some_and(|since| now.saturating_duration_since(since) >= interval);
                if self.waiting.is_empty() || !is_time && self.entries < most.get() && self.urgent == 0 {
                    return None;
                }
                let mut entries = 0;
                while let Some((_, event)) = self.waiting.front() {
                    let of_event = wire::entries_of(event);
                    let fits = events.is_empty() || entries + of_event <= most.get();
                    let goes = |(_, first): &(u64, Event)| wire::go_together(&first.account, &event.account);
                    if !fits || !events.first().is_none_or(goes) {
                        break;
                    }
                    entries += of_event;
                    events.extend(self.waiting.pop_front());
                }
            }
        }
        if events.is_empty() {
            return None;
        }
        self.entries -= events.iter().map(|(_, event)| wire::entries_of(event)).sum::<usize>();
        self.urgent -= events.iter().filter(|(number, _)| *number < self.flushed_to).count();
        self.since = if self.waiting.is_empty() { None } else { Some(now) };
        Some(self.parcel(events))
    }

    fn parcel(&mut self, events: Vec<(u64, Event)>) -> Parcel {
        let number = self.next_parcel;
        self.next_parcel += 1;
        Parcel { number, attempts: 0, own_failures: 0, delivered_before: self.counters.delivered, events }
    }

    /// What came of a parcel. The events that are lost by it.
    pub fn answered(&mut self, mut parcel: Parcel, outcome: Outcome, now: Instant) -> Vec<Event> {
        let outcome = match outcome {
            // What is kept can wait until a wrong URL, a proxy or a permission is mended; these say nothing of the event.
            Outcome::Refused { status: status @ (300..=399 | 401 | 403..=405 | 407) } if self.kept.is_some() => {
                Outcome::Later { status: Some(status), after: None }
            }
            outcome => outcome,
        };
        self.under_way -= 1;
        parcel.attempts += 1;
        match outcome {
            Outcome::Later { after, .. } => {
                self.failures = self.failures.saturating_add(1);
                let all = self.pause(self.failures).max(after.unwrap_or_default());
                self.not_before = now.checked_add(all);
                if self.counters.delivered > parcel.delivered_before {
                    parcel.delivered_before = self.counters.delivered;
                    parcel.own_failures = parcel.own_failures.saturating_add(1);
                }
                match self.kept {
                    None if parcel.attempts >= self.rules.attempts.max(1) => return self.lose(parcel),
                    Some(most) if parcel.own_failures >= most.max(1) => match parcel.events.len() {
                        // One of them may be what is not accepted: its half fails a few times more, and the other does not.
                        2.. => {
                            self.split(parcel, now, most - most.div_ceil(10));
                            return Vec::new();
                        }
                        _ => return self.lose(parcel),
                    },
                    _ => {}
                }
                self.counters.retried += 1;
                let pause = self.pause(parcel.attempts).max(after.unwrap_or_default());
                self.again.insert((now.checked_add(pause).unwrap_or(now), parcel.number), parcel);
                return Vec::new();
            }
            Outcome::Delivered | Outcome::TooLarge | Outcome::Refused { .. } => {
                self.failures = 0;
                self.not_before = None;
            }
        }
        match outcome {
            Outcome::TooLarge if parcel.events.len() > 1 => {
                self.split(parcel, now, 0);
                Vec::new()
            }
            Outcome::Delivered => {
                self.counters.delivered += parcel.events.len() as u64;
                for (number, _) in parcel.events {
                    self.settle(number);
                    self.know(number, true);
                }
                Vec::new()
            }
            _ => self.lose(parcel),
        }
    }

    /// Two halves go on as parcels of their own.
    fn split(&mut self, mut parcel: Parcel, now: Instant, own_failures: u32) {
        let half = parcel.events.split_off(parcel.events.len() / 2);
        for events in [parcel.events, half] {
            let parcel = Parcel { own_failures, ..self.parcel(events) };
            self.again.insert((now, parcel.number), parcel);
        }
    }

    fn settle(&mut self, number: u64) {
        self.open.remove(&number);
        if self.kept.is_some() {
            self.settled.push(number);
        }
    }

    fn lose(&mut self, parcel: Parcel) -> Vec<Event> {
        let lose = |(number, event)| {
            self.settle(number);
            self.lost(number);
            event
        };
        parcel.events.into_iter().map(lose).collect()
    }

    /// Asks that everything that was taken in by now is sent without waiting for more.
    pub fn flush(&mut self) -> FlushId {
        let id = FlushId(self.flushes.last_key_value().map_or(0, |(FlushId(last), _)| last + 1));
        self.flushed_to = self.next_number;
        self.urgent = self.waiting.len();
        self.flushes.insert(id, (self.next_number, Lost { events: 0 }));
        id
    }

    /// What came of a flush, which is then forgotten; `None` as long as something of it is open, here or with who keeps the
    /// events: the first number of those.
    pub fn flushed(&mut self, id: FlushId, open_elsewhere: Option<u64>) -> Option<Result<(), Lost>> {
        let (until, lost) = *self.flushes.get(&id)?;
        let open = self.open.first().copied().into_iter().chain(open_elsewhere).min();
        if open.is_some_and(|open| open < until) {
            return None;
        }
        self.flushes.remove(&id);
        Some(if lost.events == 0 { Ok(()) } else { Err(lost) })
    }

    /// Somebody wants to know what becomes of the event of this number, which is given next: it goes without waiting for more.
    pub fn watch(&mut self, number: u64) {
        self.watched.insert(number, None);
        self.flushed_to = self.flushed_to.max(number + 1);
        self.urgent = self.waiting.len();
    }

    fn know(&mut self, number: u64, is_delivered: bool) {
        if let Some(known) = self.watched.get_mut(&number) {
            *known = Some(is_delivered);
        }
    }

    /// Whether a watched event is delivered, or lost, which is then forgotten; `None` as long as it is neither.
    pub fn watched(&mut self, number: u64) -> Option<bool> {
        let known = *self.watched.get(&number)?;
        if known.is_some() {
            self.watched.remove(&number);
        }
        known
    }

    /// Nobody wants to know of an event any more.
    pub fn unwatch(&mut self, number: u64) {
        self.watched.remove(&number);
    }

    /// Nobody waits for a flush any more.
    pub fn forget(&mut self, id: FlushId) {
        self.flushes.remove(&id);
    }

    /// Whether this number was handed over and is not settled.
    #[must_use]
    pub fn is_open(&self, number: u64) -> bool {
        self.open.contains(&number)
    }

    /// Whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// What has been done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { pending: self.open.len() as u64, ..self.counters }
    }

    fn pause(&mut self, failures: u32) -> Duration {
        // SplitMix64: good enough to spread pauses, and the same for the same start.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 31;
        self.rules.back_off.pause(failures, mixed)
    }
}

#[cfg(test)]
mod tests;
