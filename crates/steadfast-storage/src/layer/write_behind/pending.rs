//! What waits to be sent, as a state machine: it is told what happens and when, and says what to send next. It knows no
//! task, clock, lock or file.
//!
//! A *place* is a user in a campaign. The operations of a place are a chain, and only its head is ever sent; while
//! something of a user is under way, nothing else of that user is sent. So nothing overtakes anything in its place, and
//! what failed can be sent again as if it had not been: nothing of its place was done after it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use steadfast_engine::Record;

use super::operation::{Operation, as_one};
use super::options::{Counters, WhenRefused};
use crate::error::StorageError;
use crate::merge::Merged;
use crate::user_storage::Writes;

/// A user in a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) user: String,
    pub(super) campaign: String,
}

/// What the state machine goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) claims: usize,
    pub(super) bytes: usize,
    pub(super) writes: Writes,
    pub(super) side_by_side: usize,
    pub(super) back_off: Duration,
    pub(super) longest_back_off: Duration,
    pub(super) failures: u32,
    pub(super) when_refused: WhenRefused,
    /// The oldest operation gives way where there is no room.
    pub(super) drops_oldest: bool,
}

/// What waits. `W` is whoever waits for an answer.
#[derive(Debug)]
pub(super) struct Pending<W> {
    rules: Rules,
    users: HashMap<String, User<W>>,
    /// Users who have something to send, each once, and whose turn it is.
    queue: VecDeque<String>,
    /// Users whose last send failed, until then.
    delayed: BinaryHeap<Reverse<(Instant, String)>>,
    /// The numbers of all operations, in the order they came, and the place of those that may give way.
    numbers: BTreeMap<u64, Option<Place>>,
    next_number: u64,
    bytes: usize,
    under_way: usize,
    failures: u32,
    not_before: Option<Instant>,
    random: u64,
    counters: Counters,
}

#[derive(Debug)]
struct User<W> {
    chains: BTreeMap<String, Chain<W>>,
    erase: Option<Erase<W>>,
    turn: Turn,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing to send.
    None,
    /// In the queue, or delayed.
    Queued,
    UnderWay,
}

#[derive(Debug)]
struct Erase<W> {
    waiters: Vec<W>,
    until: Instant,
    number: u64,
    is_under_way: bool,
}

#[derive(Debug)]
struct Chain<W> {
    entries: VecDeque<Entry<W>>,
    /// Whether the head is under way.
    is_sent: bool,
    is_parked: bool,
    /// Whether the journal has the chain as well.
    on_disk: bool,
}

#[derive(Debug)]
struct Entry<W> {
    operation: Operation,
    waiter: Option<W>,
    number: u64,
    bytes: usize,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    Send(Batch),
    Erase(String),
    /// Nothing, until then or until something happens.
    Wait(Option<Instant>),
}

/// Heads of chains that are sent together, all of one kind.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) places: Vec<Place>,
    pub(super) operations: Vec<Operation>,
}

/// What follows from the answer to a batch. Its users are not sent anything else before they are
/// [released](Pending::release).
#[derive(Debug)]
pub(super) struct Followed<W> {
    pub(super) answers: Vec<(W, Result<Merged, StorageError>)>,
    /// What the journal is to have of these places; nothing where it is empty.
    pub(super) journal: Vec<(Place, Vec<Operation>)>,
    /// What was refused, and nobody waits for.
    pub(super) refused: Vec<StorageError>,
    pub(super) users: Vec<String>,
}

/// There is no room.
#[derive(Debug)]
pub(super) struct NoRoom<W>(pub(super) Operation, pub(super) Option<W>);

impl<W> Pending<W> {
    pub(super) fn new(rules: Rules, seed: u64) -> Self {
        Pending {
            rules,
            users: HashMap::new(),
            queue: VecDeque::new(),
            delayed: BinaryHeap::new(),
            numbers: BTreeMap::new(),
            next_number: 0,
            bytes: 0,
            under_way: 0,
            failures: 0,
            not_before: None,
            random: seed,
            counters: Counters::default(),
        }
    }

    /// Takes an operation in. Of several for one place that can be one, one is kept.
    ///
    /// # Errors
    /// When there is no room, nor so many times the room.
    pub(super) fn put(
        &mut self,
        times: usize,
        place: &Place,
        operation: Operation,
        waiter: Option<W>,
    ) -> Result<(), Box<NoRoom<W>>> {
        let bytes = operation.bytes();
        if !self.has_room(bytes, times) && !self.makes_one(place, &operation, waiter.is_some()) {
            return Err(Box::new(NoRoom(operation, waiter)));
        }
        self.add(place, operation, waiter, bytes, false);
        Ok(())
    }

    /// The same for a place of which there is something already, and whose order is kept here until that is answered: in as
    /// much room again.
    ///
    /// # Errors
    /// When there is none of that either.
    pub(super) fn put_behind(
        &mut self,
        place: &Place,
        operation: Operation,
        waiter: Option<W>,
    ) -> Result<(), Box<NoRoom<W>>> {
        if !self.has(place) {
            return Err(Box::new(NoRoom(operation, waiter)));
        }
        self.put(2, place, operation, waiter)
    }

    /// Whether an operation has room where nothing else is.
    pub(super) fn fits(&self, operation: &Operation) -> bool {
        operation.bytes() <= self.rules.bytes
    }

    fn has_room(&self, bytes: usize, times: usize) -> bool {
        let (claims, room) = (self.rules.claims.saturating_mul(times), self.rules.bytes.saturating_mul(times));
        self.numbers.len() < claims && self.bytes + bytes <= room
    }

    /// Takes in what was in the journal and is there still, if there is nothing for its place yet.
    pub(super) fn replay(&mut self, place: &Place, operations: Vec<Operation>) {
        for operation in operations {
            let bytes = operation.bytes();
            self.counters.replayed += 1;
            self.add(place, operation, None, bytes, true);
        }
    }

    fn makes_one(&self, place: &Place, operation: &Operation, is_waited_for: bool) -> bool {
        let Some(chain) = self.chain(place) else { return false };
        let last_is_free = chain.entries.len() > usize::from(chain.is_sent);
        let last = chain.entries.back().filter(|entry| last_is_free && !is_waited_for && entry.waiter.is_none());
        last.is_some_and(|last| as_one(&last.operation, operation).is_some())
    }

    fn add(&mut self, place: &Place, operation: Operation, waiter: Option<W>, bytes: usize, on_disk: bool) {
        let number = self.next_number;
        self.next_number += 1;
        self.numbers.insert(number, self.rules.drops_oldest.then(|| place.clone()));
        self.bytes += bytes;
        let user = self.users.entry(place.user.clone()).or_insert_with(User::new);
        let chain = user.chains.entry(place.campaign.clone()).or_insert_with(Chain::new);
        chain.on_disk |= on_disk;
        // A place that is written to is tried again.
        self.counters.parked -= u64::from(std::mem::take(&mut chain.is_parked));
        chain.entries.push_back(Entry { operation, waiter, number, bytes });
        fold(chain, &mut self.numbers, &mut self.bytes);
        self.enqueue(&place.user);
    }

    /// Puts a user into the queue who has something to send.
    fn enqueue(&mut self, name: &str) {
        let Some(user) = self.users.get_mut(name) else { return };
        if user.turn == Turn::None && user.has_something() {
            user.turn = Turn::Queued;
            self.queue.push_back(name.to_owned());
        }
    }

    /// From now on a user has nothing: what waits is answered with `gone`, and the storage is told to erase them, until
    /// then, before anything that comes later. Whoever waited.
    pub(super) fn erase(&mut self, name: &str, waiter: Option<W>, until: Instant) -> Vec<W> {
        let user = self.users.entry(name.to_owned()).or_insert_with(User::new);
        let mut gone = Vec::new();
        for chain in std::mem::take(&mut user.chains).into_values() {
            self.counters.parked -= u64::from(chain.is_parked);
            for entry in chain.entries {
                self.numbers.remove(&entry.number);
                self.bytes -= entry.bytes;
                gone.extend(entry.waiter);
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        // One that is under way may have been before what is to be erased.
        let mut waiters = Vec::new();
        if let Some(earlier) = user.erase.take() {
            self.numbers.remove(&earlier.number);
            waiters = earlier.waiters;
        }
        waiters.extend(waiter);
        self.numbers.insert(number, None);
        user.erase = Some(Erase { waiters, until, number, is_under_way: false });
        self.enqueue(name);
        gone
    }

    /// What to send now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        while self.delayed.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            self.queue.extend(self.delayed.pop().map(|Reverse((_, user))| user));
        }
        let width = match self.rules.writes {
            // While the storage fails, one send at a time shows whether it still does.
            _ if self.failures > 0 => 1,
            Writes::InPlace | Writes::Begun | Writes::OneByOne => self.rules.side_by_side.max(1),
            Writes::Together(_) => 1,
        };
        if self.under_way >= width {
            return Next::Wait(None);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Next::Wait(Some(until));
        }
        let together = match self.rules.writes {
            Writes::InPlace | Writes::Begun | Writes::OneByOne => 1,
            Writes::Together(many) => many.max(1),
        };
        let mut batch = Batch { places: Vec::new(), operations: Vec::new() };
        for _ in 0..self.queue.len() {
            if batch.places.len() >= together {
                break;
            }
            let Some(name) = self.queue.pop_front() else { break };
            let Some(user) = self.users.get_mut(&name) else { continue };
            if let Some(erase) = &mut user.erase {
                if !batch.places.is_empty() {
                    self.queue.push_front(name);
                    break;
                }
                erase.is_under_way = true;
                user.turn = Turn::UnderWay;
                self.under_way += 1;
                return Next::Erase(name);
            }
            let before = batch.places.len();
            user.take_heads(&name, &mut batch);
            if batch.places.len() > before {
                user.turn = Turn::UnderWay;
            } else if user.has_something() {
                // Of the other kind: the next batch begins with them.
                self.queue.push_front(name);
                break;
            } else {
                user.turn = Turn::None;
                self.forget(&name);
            }
        }
        if batch.places.is_empty() {
            return Next::Wait(self.delayed.peek().map(|Reverse((until, _))| *until));
        }
        self.under_way += 1;
        Next::Send(batch)
    }

    /// The storage has answered, or has failed to, to each place of a batch. A record that was set has no answer of its own.
    pub(super) fn answered(
        &mut self,
        places: Vec<Place>,
        results: impl IntoIterator<Item = Result<Option<Merged>, StorageError>>,
        now: Instant,
    ) -> Followed<W> {
        let mut followed =
            Followed { answers: Vec::new(), journal: Vec::new(), refused: Vec::new(), users: Vec::new() };
        self.under_way -= 1;
        let mut failed = Vec::new();
        let mut any_came_through = false;
        for (place, result) in places.into_iter().zip(results) {
            if followed.users.last() != Some(&place.user) {
                followed.users.push(place.user.clone());
            }
            match result {
                Err(error) if error.is_temporary() => failed.push((place, error)),
                result => {
                    any_came_through = true;
                    self.settle(place, result, &mut followed);
                }
            }
        }
        let all_failed = !failed.is_empty() && !any_came_through;
        let was_down = self.is_down();
        self.came_through(!all_failed, now);
        let mut last = None;
        for (place, error) in failed {
            self.counters.retried += 1;
            let Some(user) = self.users.get_mut(&place.user) else { continue };
            user.failures = user.failures.saturating_add(1);
            let gives_up = user.failures >= self.rules.failures.max(1);
            let Some(chain) = user.chains.get_mut(&place.campaign).filter(|chain| chain.is_sent) else { continue };
            chain.is_sent = false;
            if gives_up && let Some(waiter) = chain.entries.front_mut().and_then(|head| head.waiter.take()) {
                followed.answers.push((waiter, Err(error.again())));
            }
            fold(chain, &mut self.numbers, &mut self.bytes);
            last = Some(error);
        }
        if let Some(error) = last.filter(|_| self.is_down() && !was_down) {
            self.tell_all(&error, &mut followed);
        }
        followed
    }

    /// Whether a send came through; where not, there is a pause.
    fn came_through(&mut self, did: bool, now: Instant) {
        if did {
            self.failures = 0;
            self.not_before = None;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.not_before = Some(now + self.pause(self.failures));
        }
    }

    /// The head of a chain is done, or will never be.
    fn settle(&mut self, place: Place, result: Result<Option<Merged>, StorageError>, followed: &mut Followed<W>) {
        let Some(user) = self.users.get_mut(&place.user) else { return };
        user.failures = 0;
        // What was erased meanwhile is another chain's, if there is one.
        let Some(chain) = user.chains.get_mut(&place.campaign).filter(|chain| chain.is_sent) else { return };
        chain.is_sent = false;
        if let Err(error) = &result {
            let waiter = chain.entries.front_mut().and_then(|head| head.waiter.take());
            match waiter {
                Some(waiter) => followed.answers.push((waiter, Err(error.again()))),
                None => followed.refused.push(error.again()),
            }
            if self.rules.when_refused == WhenRefused::Park {
                fold(chain, &mut self.numbers, &mut self.bytes);
                chain.is_parked = true;
                self.counters.parked += 1;
                return;
            }
        }
        let Some(head) = chain.entries.pop_front() else { return };
        self.numbers.remove(&head.number);
        self.bytes -= head.bytes;
        match result {
            Ok(merged) => {
                self.counters.sent += 1;
                if let (Some(waiter), Some(merged)) = (head.waiter, merged) {
                    followed.answers.push((waiter, Ok(merged)));
                }
            }
            Err(_) => self.counters.dropped += 1,
        }
        if chain.on_disk {
            followed.journal.push((place.clone(), chain.operations()));
        }
        if chain.entries.is_empty() {
            user.chains.remove(&place.campaign);
        }
    }

    /// Nobody waits for a storage that is down.
    fn tell_all(&mut self, error: &StorageError, followed: &mut Followed<W>) {
        for user in self.users.values_mut() {
            for chain in user.chains.values_mut() {
                let waiters = chain.entries.iter_mut().filter_map(|entry| entry.waiter.take());
                followed.answers.extend(waiters.map(|waiter| (waiter, Err(error.again()))));
                fold(chain, &mut self.numbers, &mut self.bytes);
            }
        }
    }

    /// From now on users of a batch may be sent more. What failed waits a little.
    pub(super) fn release(&mut self, users: Vec<String>, now: Instant) {
        for name in users {
            let Some(user) = self.users.get_mut(&name) else { continue };
            user.turn = Turn::None;
            let failures = user.failures;
            if failures > 0 && self.failures == 0 && user.has_something() {
                user.turn = Turn::Queued;
                let pause = self.pause(failures);
                self.delayed.push(Reverse((now + pause, name)));
            } else {
                self.enqueue(&name);
                self.forget(&name);
            }
        }
    }

    /// The storage has answered to the erasing of a user. Whoever waited for it, and whether the erasing is over.
    pub(super) fn erased(&mut self, name: &str, result: Result<(), &StorageError>, now: Instant) -> (Vec<W>, bool) {
        self.under_way -= 1;
        let is_temporary = result.is_err_and(StorageError::is_temporary);
        self.came_through(!is_temporary, now);
        let is_down = self.is_down();
        let Some(user) = self.users.get_mut(name) else { return (Vec::new(), true) };
        // A later call erases once more: this one may have come before what it is about.
        let Some(erase) = user.erase.as_mut().filter(|erase| erase.is_under_way) else { return (Vec::new(), false) };
        erase.is_under_way = false;
        if !is_temporary || erase.until <= now {
            self.numbers.remove(&erase.number);
            let waiters = std::mem::take(&mut erase.waiters);
            user.erase = None;
            return (waiters, true);
        }
        self.counters.retried += 1;
        (if is_down { std::mem::take(&mut erase.waiters) } else { Vec::new() }, false)
    }

    /// Parked places are tried again.
    pub(super) fn retry_parked(&mut self) {
        let mut names = Vec::new();
        for (name, user) in &mut self.users {
            for chain in user.chains.values_mut().filter(|chain| chain.is_parked) {
                chain.is_parked = false;
                names.push(name.clone());
            }
        }
        self.counters.parked = 0;
        names.iter().for_each(|name| self.enqueue(name));
    }

    /// Lets the write go that has waited longest and is not under way. `None` where there is none.
    pub(super) fn drop_oldest(&mut self) -> Option<(Place, Option<W>, bool)> {
        // Only what is under way is passed by, which is little.
        let is_free = |place: &Place, number| {
            let chain = self.chain(place)?;
            chain.entries.iter().position(|entry| entry.number == number).filter(|at| *at > 0 || !chain.is_sent)
        };
        let numbered = self.numbers.iter().filter_map(|(number, place)| Some((number, place.as_ref()?)));
        let (place, at) =
            numbered.map(|(number, place)| (place, is_free(place, *number))).find(|(_, at)| at.is_some())?;
        let (place, at) = (place.clone(), at?);
        let user = self.users.get_mut(&place.user)?;
        let chain = user.chains.get_mut(&place.campaign)?;
        let entry = chain.entries.remove(at)?;
        self.numbers.remove(&entry.number);
        self.bytes -= entry.bytes;
        self.counters.dropped += 1;
        let on_disk = chain.on_disk;
        if chain.entries.is_empty() {
            self.counters.parked -= u64::from(chain.is_parked);
            user.chains.remove(&place.campaign);
            self.forget(&place.user);
        }
        Some((place, entry.waiter, on_disk))
    }

    /// What waits for a place, in its order.
    pub(super) fn operations(&self, place: &Place) -> Vec<Operation> {
        self.chain(place).map(Chain::operations).unwrap_or_default()
    }

    /// What waits for a user, by campaign.
    pub(super) fn operations_of(&self, user: &str) -> BTreeMap<String, Vec<Operation>> {
        let chains = self.users.get(user).into_iter().flat_map(|user| &user.chains);
        chains.map(|(campaign, chain)| (campaign.clone(), chain.operations())).collect()
    }

    /// Whether the storage is still to erase a user: what it says of them is no longer true.
    pub(super) fn is_erasing(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.erase.is_some())
    }

    pub(super) fn has_user(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(User::has_anything)
    }

    /// Whether all there is of a user is parked.
    pub(super) fn is_parked(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.has_anything() && !user.has_something())
    }

    /// Whether somebody is to be erased.
    pub(super) fn is_erasing_any(&self) -> bool {
        self.users.values().any(|user| user.erase.is_some())
    }

    pub(super) fn has(&self, place: &Place) -> bool {
        self.chain(place).is_some()
    }

    /// Whether the journal has this place.
    pub(super) fn on_disk(&self, place: &Place) -> bool {
        self.chain(place).is_some_and(|chain| chain.on_disk)
    }

    /// The journal has this place from now on.
    pub(super) fn is_on_disk(&mut self, place: &Place) {
        if let Some(chain) = self.users.get_mut(&place.user).and_then(|user| user.chains.get_mut(&place.campaign)) {
            chain.on_disk = true;
        }
    }

    /// Every place that the journal does not have.
    pub(super) fn not_on_disk(&self) -> Vec<(Place, Vec<Operation>)> {
        let mut places = Vec::new();
        for (user, one) in &self.users {
            for (campaign, chain) in one.chains.iter().filter(|(_, chain)| !chain.on_disk) {
                places.push((Place { user: user.clone(), campaign: campaign.clone() }, chain.operations()));
            }
        }
        places
    }

    /// Whether the storage fails again and again.
    pub(super) fn is_down(&self) -> bool {
        self.failures >= self.rules.failures.max(1)
    }

    /// Whether less than half of the room is taken.
    pub(super) fn is_half_empty(&self) -> bool {
        self.numbers.len() <= self.rules.claims / 2 && self.bytes <= self.rules.bytes / 2
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// The number that the next operation gets.
    pub(super) fn mark(&self) -> u64 {
        self.next_number
    }

    /// Whether all operations before a mark are done; those that are parked are not waited for.
    pub(super) fn is_done_until(&self, mark: u64) -> bool {
        let mut waiting = self.numbers.range(..mark).map(|(number, _)| number);
        if self.counters.parked == 0 {
            return waiting.next().is_none();
        }
        let chains = self.users.values().flat_map(|user| user.chains.values()).filter(|chain| chain.is_parked);
        let parked: HashSet<u64> = chains.flat_map(|chain| &chain.entries).map(|entry| entry.number).collect();
        waiting.all(|number| parked.contains(number))
    }

    pub(super) fn counters(&self) -> Counters {
        let (pending, pending_bytes) = (self.numbers.len() as u64, self.bytes as u64);
        Counters { pending, pending_bytes, failures: self.failures, ..self.counters }
    }

    /// One more write that went to the journal alone.
    pub(super) fn count_journaled(&mut self) {
        self.counters.journaled += 1;
    }

    fn chain(&self, place: &Place) -> Option<&Chain<W>> {
        self.users.get(&place.user)?.chains.get(&place.campaign)
    }

    fn forget(&mut self, name: &str) {
        if self.users.get(name).is_some_and(|user| user.turn == Turn::None && !user.has_anything()) {
            self.users.remove(name);
        }
    }

    /// The pause after so many failures: doubled with each, half of it by chance.
    fn pause(&mut self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.rules.back_off.saturating_mul(doubled).min(self.rules.longest_back_off);
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 31;
        whole / 2 + (whole / 2).mul_f64((mixed >> 40) as f64 / (1_u64 << 24) as f64)
    }
}

impl<W> User<W> {
    fn new() -> Self {
        User { chains: BTreeMap::new(), erase: None, turn: Turn::None, failures: 0 }
    }

    fn has_anything(&self) -> bool {
        self.erase.is_some() || !self.chains.is_empty()
    }

    fn has_something(&self) -> bool {
        self.erase.is_some() || self.chains.values().any(|chain| !chain.is_parked)
    }

    /// Puts the heads of the user's chains into a batch, as far as they are of its kind.
    fn take_heads(&mut self, name: &str, batch: &mut Batch) {
        for (campaign, chain) in self.chains.iter_mut().filter(|(_, chain)| !chain.is_parked) {
            let Some(head) = chain.entries.front() else { continue };
            let same = |one: &Operation| std::mem::discriminant(one) == std::mem::discriminant(&head.operation);
            if batch.operations.first().is_none_or(same) {
                batch.places.push(Place { user: name.to_owned(), campaign: campaign.clone() });
                batch.operations.push(head.operation.clone());
                chain.is_sent = true;
            }
        }
    }
}

impl<W> Chain<W> {
    fn new() -> Self {
        Chain { entries: VecDeque::new(), is_sent: false, is_parked: false, on_disk: false }
    }

    fn operations(&self) -> Vec<Operation> {
        self.entries.iter().map(|entry| entry.operation.clone()).collect()
    }
}

/// Makes one of neighbours that can be one: of those that nobody waits for, and that are not under way.
fn fold<W>(chain: &mut Chain<W>, numbers: &mut BTreeMap<u64, Option<Place>>, bytes: &mut usize) {
    let mut place = chain.entries.len();
    while place > usize::from(chain.is_sent) + 1 {
        place -= 1;
        let (Some(earlier), Some(later)) = (chain.entries.get(place - 1), chain.entries.get(place)) else { return };
        if earlier.waiter.is_some() || later.waiter.is_some() {
            continue;
        }
        let Some(operation) = as_one(&earlier.operation, &later.operation) else { continue };
        let (number, taken) = (later.number, earlier.bytes + later.bytes);
        let new = operation.bytes();
        chain.entries.remove(place);
        if let Some(earlier) = chain.entries.get_mut(place - 1) {
            (earlier.operation, earlier.bytes) = (operation, new);
        }
        numbers.remove(&number);
        *bytes = *bytes + new - taken;
    }
}

/// A record with what waits for its place over it.
pub(super) fn over(operations: &[Operation], stored: Option<Record>) -> Option<Record> {
    operations.iter().fold(stored, |stored, operation| Some(operation.over(stored.as_ref())))
}
