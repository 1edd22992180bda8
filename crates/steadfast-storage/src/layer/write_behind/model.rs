//! The state machine against a model: whatever comes when, the storage ends with everything that was acknowledged, in its
//! order, as if nothing had ever failed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::Config;
use steadfast_engine::{GoalList, Record};

use super::operation::Operation;
use super::options::WhenRefused;
use super::pending::{Batch, Next, Pending, Place, Rules};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition, merge};
use crate::user_storage::Writes;

const USERS: [&str; 3] = ["u", "v", "w"];

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    Put(Operation),
    Erase(usize),
    /// There is no room in memory any more: of a place that it does not have the journal alone has what comes.
    Fill(Place),
    /// There is room again.
    Load,
    /// What is to be sent next is under way.
    Send,
    /// One that is under way is answered; this becomes of each of its places.
    Answer(usize, Vec<Fate>),
    /// The journal knows what was answered, and its users go on.
    Release,
    /// So many milliseconds pass.
    Pass(u64),
    /// The process ends. Of what is under way each place is done or not.
    Crash(Vec<bool>),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    Failed,
    /// It was done, and nobody heard of it.
    Lost,
}

/// The process, and what outlives it.
struct World {
    pending: Pending<()>,
    writes: Writes,
    now: Instant,
    under_way: Vec<UnderWay>,
    answered: Vec<Answered>,
    journal: BTreeMap<Place, Vec<Operation>>,
    tombstones: BTreeSet<String>,
    /// What the journal alone has.
    journal_alone: BTreeSet<Place>,
    stored: BTreeMap<Place, Record>,
    expected: BTreeMap<Place, Record>,
}

/// What was answered, and the journal may not know yet: users, what it is to have of places, and who was erased.
type Answered = (Vec<String>, Vec<(Place, Vec<Operation>)>, Option<String>);

enum UnderWay {
    Batch(Batch),
    Erase(String),
}

fn pending(writes: Writes) -> Pending<()> {
    let rules = Rules {
        claims: usize::MAX,
        bytes: usize::MAX,
        writes,
        side_by_side: 3,
        back_off: Duration::from_millis(10),
        longest_back_off: Duration::from_millis(100),
        failures: 2,
        when_refused: WhenRefused::Drop,
        drops_oldest: false,
    };
    Pending::new(rules, 7)
}

fn done(stored: &mut BTreeMap<Place, Record>, place: &Place, operation: &Operation) {
    let record = operation.over(stored.get(place));
    stored.insert(place.clone(), record);
}

impl World {
    fn new(writes: Writes) -> World {
        World {
            pending: pending(writes),
            writes,
            now: Instant::now(),
            under_way: Vec::new(),
            answered: Vec::new(),
            journal: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            journal_alone: BTreeSet::new(),
            stored: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Put(operation) => {
                let record = operation.record();
                let place = Place { user: record.user_id.clone(), campaign: record.campaign_key.clone() };
                done(&mut self.expected, &place, &operation);
                // Acknowledged when it is on the disk, with all that was to be written there before.
                self.write_answered();
                if self.journal_alone.contains(&place) {
                    self.journal.entry(place).or_default().push(operation);
                } else {
                    self.pending.put(1, &place, operation, None).expect("there is room");
                    self.pending.is_on_disk(&place);
                    self.journal.insert(place.clone(), self.pending.operations(&place));
                }
            }
            Event::Fill(place) => {
                if !self.pending.has(&place) {
                    self.journal_alone.insert(place);
                }
            }
            Event::Load => {
                for place in std::mem::take(&mut self.journal_alone) {
                    let operations = self.journal.get(&place).cloned().unwrap_or_default();
                    self.pending.replay(&place, operations);
                }
            }
            Event::Erase(user) => {
                let user = USERS[user % USERS.len()];
                self.write_answered();
                self.expected.retain(|place, _| place.user != user);
                self.pending.erase(user, None, self.now + Duration::from_secs(3_600));
                self.journal.retain(|place, _| place.user != user);
                self.journal_alone.retain(|place| place.user != user);
                self.tombstones.insert(user.to_owned());
            }
            Event::Send => match self.pending.next(self.now) {
                Next::Send(batch) => self.under_way.push(UnderWay::Batch(batch)),
                Next::Erase(user) => self.under_way.push(UnderWay::Erase(user)),
                Next::Wait(_) => {}
            },
            Event::Answer(which, fates) if !self.under_way.is_empty() => {
                let under_way = self.under_way.remove(which % self.under_way.len());
                self.answer(under_way, &fates);
            }
            Event::Release if !self.answered.is_empty() => {
                self.write_answered();
                let (users, ..) = self.answered.remove(0);
                self.pending.release(users, self.now);
            }
            Event::Answer(..) | Event::Release => {}
            Event::Pass(milliseconds) => self.now += Duration::from_millis(milliseconds),
            Event::Crash(fates) => self.crash(&fates),
        }
        self.check();
    }

    /// What was answered so far is on the disk.
    fn write_answered(&mut self) {
        for (_, journal, erased) in &mut self.answered {
            for (place, operations) in std::mem::take(journal) {
                if operations.is_empty() {
                    self.journal.remove(&place);
                } else {
                    self.journal.insert(place, operations);
                }
            }
            if let Some(user) = erased.take() {
                self.tombstones.remove(&user);
            }
        }
    }

    fn answer(&mut self, under_way: UnderWay, fates: &[Fate]) {
        let fate = |number: usize| fates.get(number).copied().unwrap_or(Fate::Done);
        let failure = || StorageError::new(StorageErrorKind::Unavailable, "down");
        match under_way {
            UnderWay::Batch(batch) => {
                let mut results = Vec::new();
                for (number, (place, operation)) in batch.places.iter().zip(&batch.operations).enumerate() {
                    if !matches!(fate(number), Fate::Failed) {
                        done(&mut self.stored, place, operation);
                    }
                    results.push(if matches!(fate(number), Fate::Done) { Ok(None) } else { Err(failure()) });
                }
                let followed = self.pending.answered(batch.places, results, self.now);
                self.answered.push((followed.users, followed.journal, None));
            }
            UnderWay::Erase(user) => {
                if !matches!(fate(0), Fate::Failed) {
                    self.stored.retain(|place, _| place.user != user);
                }
                let failure = failure();
                let result = if matches!(fate(0), Fate::Done) { Ok(()) } else { Err(&failure) };
                let (_, is_over) = self.pending.erased(&user, result, self.now);
                self.answered.push((vec![user.clone()], Vec::new(), is_over.then_some(user)));
            }
        }
    }

    fn crash(&mut self, fates: &[bool]) {
        let mut fates = fates.iter().copied().chain(std::iter::repeat(false));
        for under_way in std::mem::take(&mut self.under_way) {
            match under_way {
                UnderWay::Batch(batch) => {
                    for (place, operation) in batch.places.iter().zip(&batch.operations) {
                        if fates.next() == Some(true) {
                            done(&mut self.stored, place, operation);
                        }
                    }
                }
                UnderWay::Erase(user) => {
                    if fates.next() == Some(true) {
                        self.stored.retain(|place, _| place.user != user);
                    }
                }
            }
        }
        self.answered.clear();
        self.journal_alone.clear();
        self.pending = pending(self.writes);
        for user in &self.tombstones {
            self.pending.erase(user, None, self.now + Duration::from_secs(3_600));
        }
        for (place, operations) in &self.journal {
            self.pending.replay(place, operations.clone());
        }
    }

    /// No two sends of one user are under way.
    fn check(&self) {
        let mut users = HashSet::new();
        for under_way in &self.under_way {
            let of_one: HashSet<&str> = match under_way {
                UnderWay::Batch(batch) => batch.places.iter().map(|place| &*place.user).collect(),
                UnderWay::Erase(user) => HashSet::from([&**user]),
            };
            of_one.into_iter().for_each(|user| assert!(users.insert(user), "two sends of `{user}`"));
        }
    }

    /// The storage is back, and everything is sent.
    fn settle(&mut self) {
        self.happen(Event::Load);
        for _ in 0..10_000 {
            self.happen(Event::Send);
            self.happen(Event::Answer(0, Vec::new()));
            self.happen(Event::Release);
            self.happen(Event::Pass(100));
            if self.pending.is_done_until(u64::MAX) && self.under_way.is_empty() && self.answered.is_empty() {
                return;
            }
        }
        panic!("it does not come to an end: {:?}", self.pending);
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let variation = || prop::sample::select(vec!["A", "B"]);
    let goals = prop::sample::select(vec!["", "g", "h", "g_vwo_h", "h_vwo_g"]);
    let condition = prop_oneof![
        3 => Just(Condition::Absent),
        3 => Just(Condition::Stored),
        1 => Just(Condition::Unknown),
        2 => variation().prop_map(|gone| Condition::Replaces(gone.to_owned())),
    ];
    let place = (0..USERS.len(), prop::sample::select(vec!["c", "d"]));
    (place, variation(), goals, condition, prop::bool::weighted(0.2)).prop_map(
        |((user, campaign), variation, goals, condition, is_set)| {
            let mut record = Record::new(USERS[user], campaign, variation);
            record.goals = GoalList::from_text(goals);
            if is_set {
                return Operation::Set(record);
            }
            Operation::Merge(Claim { record, goal: None, condition, was_read: false })
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let fate = prop_oneof![3 => Just(Fate::Done), 1 => Just(Fate::Failed), 1 => Just(Fate::Lost)];
    prop_oneof![
        6 => operation().prop_map(Event::Put),
        1 => (0..USERS.len()).prop_map(Event::Erase),
        1 => (0..USERS.len(), prop::sample::select(vec!["c", "d"])).prop_map(|(user, campaign)| {
            Event::Fill(Place { user: USERS[user].into(), campaign: campaign.into() })
        }),
        1 => Just(Event::Load),
        6 => Just(Event::Send),
        6 => (any::<usize>(), vec(fate, 0..6)).prop_map(|(which, fates)| Event::Answer(which, fates)),
        6 => Just(Event::Release),
        3 => (0..60_u64).prop_map(Event::Pass),
        1 => vec(any::<bool>(), 0..6).prop_map(Event::Crash),
    ]
}

fn cases() -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 1_500 };
    Config { cases, failure_persistence: None, max_shrink_time: 20_000, ..Config::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nothing_acknowledged_is_lost_or_out_of_order(together in option::of(1..6_usize), events in vec(event(), 0..120)) {
        let mut world = World::new(together.map_or(Writes::OneByOne, Writes::Together));
        events.into_iter().for_each(|event| world.happen(event));
        world.settle();
        prop_assert_eq!(&world.stored, &world.expected);
        prop_assert!(world.journal.is_empty() && world.tombstones.is_empty());
        prop_assert_eq!(world.pending.counters().pending_bytes, 0);
    }
}

#[test]
fn while_the_storage_fails_one_send_at_a_time_tries_it_ever_more_rarely() {
    let mut pending = pending(Writes::OneByOne);
    let mut now = Instant::now();
    for user in USERS {
        let place = Place { user: user.into(), campaign: "c".into() };
        pending.put(1, &place, Operation::Set(Record::new(user, "c", "A")), None).expect("there is room");
    }
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let Next::Send(batch) = pending.next(now) else { panic!("it is time to try") };
        if !pauses.is_empty() {
            assert!(matches!(pending.next(now), Next::Wait(None)), "one at a time");
        }
        let failure = StorageError::new(StorageErrorKind::Unavailable, "down");
        let followed = pending.answered(batch.places, [Err(failure)], now);
        pending.release(followed.users, now);
        let Next::Wait(Some(until)) = pending.next(now) else { panic!("it pauses") };
        pauses.push(until - now);
        now = until;
    }
    // 10, 20, 40, 80 and then 100 ms, of which half is by chance.
    for (pause, whole) in pauses.iter().zip([10, 20, 40, 80, 100, 100, 100, 100]) {
        let whole = Duration::from_millis(whole);
        assert!(*pause >= whole / 2 && *pause <= whole, "{pauses:?}");
    }
    assert!(pending.is_down());
}

#[test]
fn an_acknowledged_claim_is_merged_over_what_is_stored() {
    let mut world = World::new(Writes::OneByOne);
    let place = Place { user: "u".into(), campaign: "c".into() };
    let rival = Record::new("u", "c", "B");
    world.stored.insert(place.clone(), rival.clone());
    let record = Record { goals: GoalList::from_text("g"), ..Record::new("u", "c", "A") };
    let claim = Claim { record, goal: None, condition: Condition::Absent, was_read: false };
    world.happen(Event::Put(Operation::Merge(claim.clone())));
    world.settle();
    assert_eq!(world.stored.get(&place), Some(&merge(Some(&rival), &claim).record));
}
