use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use steadfast_engine::Revenue;
use steadfast_engine::bucket::VisitorId;
use steadfast_engine::settings::Id;

use super::*;
use crate::event::{Conversion, Converted, Stamp, What};

/// A directory that is removed with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("steadfast-spool-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        Place(path)
    }

    fn spool(&self) -> Spool {
        Spool { patience: Duration::ZERO, ..Spool::new(&self.0) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn account(key: &str) -> Arc<Account> {
    Arc::new(Account {
        id: Id::new("60781", true),
        sdk_key: Some(key.into()),
        event_architecture: false,
        collection_prefix: None,
    })
}

fn event(chance: u64, account: &Arc<Account>) -> Event {
    Event {
        account: Arc::clone(account),
        visitor: VisitorId::from_text("4C9BA81BAF53591488EB5FD5E66A98B9").expect("an id"),
        stamp: Stamp { milliseconds: 1_700_000_000_000, chance },
        user_agent: None,
        user_ip_address: None,
        what: What::Shown { campaign: Id::new("7", true), variation: Id::new("2", false) },
    }
}

fn chances<'a>(events: impl IntoIterator<Item = &'a (u64, Event)>) -> Vec<u64> {
    events.into_iter().map(|(_, event)| event.stamp.chance).collect()
}

#[test]
fn an_event_of_each_kind_comes_back_as_it_was() {
    let place = Place::new("kinds");
    let one = account("key");
    let other = Arc::new(Account {
        id: Id::new("account\n\"two\"", false),
        sdk_key: None,
        event_architecture: true,
        collection_prefix: Some("eu".into()),
    });
    let converted = |revenue| Converted {
        goal: "bought \u{2028} it\r\n".into(),
        campaigns: vec![Conversion {
            campaign: Id::new("1e300", true),
            variation: Id::new("", false),
            goal: Id::new("3", true),
            counts_revenue: true,
            revenue_property: Some("amount".into()),
        }],
        addressed_many: true,
        revenue,
        properties: json!({"size": 1.1, "big": u64::MAX, "deep": [null, {"a": true}]})
            .as_object()
            .expect("one")
            .clone(),
    };
    let whats = [
        What::Shown { campaign: Id::new("7", true), variation: Id::new("2", false) },
        What::Converted(Box::new(converted(None))),
        What::Converted(Box::new(converted(Some(Revenue::Number(0.1 + 0.2))))),
        What::Converted(Box::new(converted(Some(Revenue::Text("12.50".to_owned()))))),
        What::Properties(vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "\0".to_owned())]),
        What::Properties(Vec::new()),
    ];
    let event = |(number, what): (usize, &What)| {
        let number = number as u64;
        let mut event = event(u64::MAX - number, if number.is_multiple_of(2) { &one } else { &other });
        event.what = what.clone();
        event.user_agent = Some("Mozilla/5.0 \u{1f600}".into()).filter(|_| number > 2);
        event.user_ip_address = Some("::1".into()).filter(|_| number > 3);
        (number, event)
    };
    let events: Vec<(u64, Event)> = whats.iter().enumerate().map(event).collect();
    let mut log = Log::open(&place.spool()).expect("it opens");
    assert_eq!(log.add(&events, &[]).fates, [Fate::Kept; 6]);
    drop(log);
    let mut log = Log::open(&place.spool()).expect("it opens again");
    assert_eq!(log.read_on(100).expect("it reads").events, events);
    assert!(log.is_read());
}

#[test]
fn a_directory_is_one_owners_and_its_files_are_nobody_elses() {
    let place = Place::new("owner");
    let log = Log::open(&place.spool()).expect("it opens");
    let error = Log::open(&place.spool()).expect_err("it is taken");
    assert!(matches!(&error, SpoolError::InUse(path) if *path == place.0));
    assert!(error.to_string().contains("give each a directory of its own"), "{error}");
    drop(log);
    let mut log = Log::open(&place.spool()).expect("it is free");
    log.add(&[(0, event(0, &account("key")))], &[]);
    #[cfg(unix)]
    for entry in fs::read_dir(&place.0).expect("it is there") {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&place.0), mode(&entry.expect("a file").path())), (0o700, 0o600));
    }
}

#[test]
fn whatever_byte_is_damaged_the_lines_around_it_hold() {
    let place = Place::new("damage");
    let account = account("key");
    let mut log = Log::open(&place.spool()).expect("it opens");
    for number in 0..3 {
        log.add(&[(number, event(number, &account))], &[]);
    }
    drop(log);
    let path = place.0.join(name_of(1));
    let whole = fs::read(&path).expect("it is there");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("it is written");
        let mut log = Log::open(&place.spool()).expect("it opens all the same");
        let events = log.read_on(10).expect("it reads").events;
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count();
        let held = match line {
            // Without its account no event can be sent.
            1 => vec![],
            0 => vec![0, 1, 2],
            line if whole[at] == b'\n' && line < 4 => {
                (0..3).filter(|n| *n != line as u64 - 2 && *n != line as u64 - 1).collect()
            }
            line => (0..3).filter(|number| *number != line as u64 - 2).collect(),
        };
        // A header that lost its line feed takes the account with it.
        let held = if line == 0 && whole[at] == b'\n' { vec![] } else { held };
        assert_eq!(chances(&events), held, "byte {at} in line {line}");
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("it is written");
        let mut log = Log::open(&place.spool()).expect("it opens all the same");
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(
            chances(&log.read_on(10).expect("it reads").events),
            (0..lines.saturating_sub(2)).collect::<Vec<_>>()
        );
        assert_eq!(log.damaged, 0, "what was torn is no damage");
        // An empty one is removed; the numbers after it go on in a new one.
        let number = log.next_number();
        assert_eq!(log.add(&[(number, event(9, &account))], &[]).fates, [Fate::Kept]);
        drop(log);
        let mut log = Log::open(&place.spool()).expect("it opens");
        assert_eq!(chances(&log.read_on(10).expect("it reads").events).last(), Some(&9));
        drop(log);
        for (_, path) in segments_in(&place.0).expect("it is there") {
            fs::remove_file(path).expect("it is there");
        }
    }
}

/// Small segments, so that a few events fill it.
fn small(place: &Place, when_full: WhenFull) -> Spool {
    Spool { bytes: 8_000, when_full, ..place.spool() }
}

#[test]
fn what_has_no_room_is_said_and_room_comes_back() {
    let place = Place::new("reject");
    let account = account("key");
    let mut log = Log::open(&small(&place, WhenFull::Reject)).expect("it opens");
    let events: Vec<(u64, Event)> = (0..100).map(|number| (number, event(number, &account))).collect();
    let fates = log.add(&events, &[]).fates;
    let kept = fates.iter().take_while(|fate| **fate == Fate::Kept).count();
    assert!((20..80).contains(&kept), "{kept}");
    assert!(fates[kept..].iter().all(|fate| *fate == Fate::Full));
    let on_disk: u64 =
        segments_in(&place.0).expect("there").iter().map(|(_, path)| fs::metadata(path).expect("it").len()).sum();
    assert!(log.bytes() == on_disk && on_disk <= 8_000, "{on_disk}");
    let half: Vec<u64> = (0..kept as u64 / 2).collect();
    assert!(log.add(&[], &half).error.is_none());
    assert_eq!(log.add(&[(100, event(100, &account))], &[]).fates, [Fate::Kept]);
}

#[test]
fn the_oldest_give_way_and_are_told_unless_they_were_read() {
    let place = Place::new("oldest");
    let account = account("key");
    let mut log = Log::open(&small(&place, WhenFull::DropOldest)).expect("it opens");
    let mut dropped = Vec::new();
    for number in 0..200 {
        let begin = log.add(&[(number, event(number, &account))], &[]);
        assert_eq!(begin.fates, [Fate::Kept]);
        dropped.extend(begin.dropped);
        // The first three were given out when they were added.
        if number >= 3 {
            log.leave(begin.begin, number);
        }
    }
    assert!(log.bytes() <= 8_000);
    let left = chances(&log.read_on(1_000).expect("it reads").events);
    assert_eq!(chances(&dropped), (3..left[0]).collect::<Vec<_>>());
    assert_eq!(left, (left[0]..200).collect::<Vec<_>>());
    let seen = contents(&place.0).expect("it can be looked at while it is used");
    assert_eq!(seen.open.iter().map(|event| event.stamp.chance).collect::<Vec<_>>(), left);
}

/// What is done to a log.
#[derive(Debug, Clone)]
enum Step {
    /// So many events come, of the one account or the other.
    Add(usize, bool),
    /// Every so many-th of those that were given out is settled.
    Settle(usize),
    /// So many are read, if any are on disk alone.
    Read(usize),
    /// The process ends, and another begins; so many bytes of what was not synced are lost, or half written.
    Restart(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..40, any::<bool>()).prop_map(|(count, other)| Step::Add(count, other)),
        3 => (1_usize..4).prop_map(Step::Settle),
        3 => (1_usize..50).prop_map(Step::Read),
        1 => vec(any::<u8>().prop_filter("a torn line has no line feed", |byte| *byte != b'\n'), 0..30).prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn each_event_is_given_out_in_order_until_it_is_settled(steps in vec(step(), 1..60)) {
        let place = Place::new("model");
        // A few hundred events, so that it is full now and then, and is written anew.
        let spool = Spool { bytes: 1 << 14, ..place.spool() };
        let accounts = [account("one"), account("two")];
        let mut log = Log::open(&spool).expect("it opens");
        // By number: the event, and whether it was given out.
        let mut model: BTreeMap<u64, (Event, bool)> = BTreeMap::new();
        let (mut chance, mut next_number) = (0, 0);
        for step in steps {
            match step {
                Step::Add(count, other) => {
                    let first = next_number;
                    next_number += count as u64;
                    let events: Vec<(u64, Event)> = (0..count as u64)
                        .map(|at| {
                            chance += 1;
                            (first + at, event(chance, &accounts[usize::from(other)]))
                        })
                        .collect();
                    let direct = log.is_read();
                    let added = log.add(&events, &[]);
                    prop_assert!(added.error.is_none());
                    // The second half has no room in memory.
                    let half = first + count as u64 / 2;
                    for ((number, event), fate) in events.into_iter().zip(added.fates) {
                        if fate == Fate::Kept {
                            let is_given = direct && number < half;
                            if !is_given {
                                log.leave(added.begin.clone(), number);
                            }
                            model.insert(number, (event, is_given));
                        }
                    }
                }
                Step::Settle(every) => {
                    let given = model.iter().filter(|(_, (_, given))| *given).map(|(number, _)| *number);
                    let settled: Vec<u64> = given.step_by(every).collect();
                    prop_assert!(log.add(&[], &settled).error.is_none());
                    model.retain(|number, _| !settled.contains(number));
                }
                Step::Read(most) => {
                    let read = log.read_on(most).expect("it reads").events;
                    let open: Vec<(u64, Event)> = model
                        .iter()
                        .filter(|(_, (_, given))| !given)
                        .take(most)
                        .map(|(number, (event, _))| (*number, event.clone()))
                        .collect();
                    prop_assert_eq!(&read, &open);
                    for (number, _) in read {
                        model.entry(number).and_modify(|(_, given)| *given = true);
                    }
                }
                Step::Restart(torn) => {
                    drop(log);
                    if let Some((_, last)) = segments_in(&place.0).expect("it is there").last() {
                        let mut file = OpenOptions::new().append(true).open(last).expect("it opens");
                        file.write_all(&torn).expect("it is written");
                    }
                    log = Log::open(&spool).expect("it opens");
                    next_number = log.next_number();
                    for (_, given) in model.values_mut() {
                        *given = false;
                    }
                }
            }
            prop_assert_eq!(log.open_events(), model.len() as u64);
            prop_assert!(log.bytes() <= spool.bytes + 4_096);
        }
        let seen = contents(&place.0).expect("it can be looked at");
        prop_assert_eq!(seen.open, model.into_values().map(|(event, _)| event).collect::<Vec<_>>());
    }
}

#[test]
fn a_group_that_is_too_large_for_the_spool_does_not_displace_itself() {
    let place = Place::new("large");
    let account = account("key");
    let mut log = Log::open(&small(&place, WhenFull::DropOldest)).expect("it opens");
    log.add(&[(0, event(0, &account))], &[]);
    let events: Vec<(u64, Event)> = (1..=200).map(|number| (number, event(number, &account))).collect();
    let added = log.add(&events, &[]);
    log.leave(added.begin, 1);
    let kept: Vec<u64> =
        (1..=200).zip(&added.fates).filter(|(_, fate)| **fate == Fate::Kept).map(|(at, _)| at).collect();
    assert!((20..100).contains(&kept.len()), "{}", kept.len());
    assert_eq!(chances(&log.read_on(1_000).expect("it reads").events), kept);
    assert!(added.fates[kept.len()..].iter().all(|fate| *fate == Fate::Full));
    // What is older has given way where it could; it was read before.
    assert!(added.dropped.is_empty());
}

#[test]
fn an_event_whose_account_is_damaged_is_nobody_elses() {
    let place = Place::new("accounts");
    let (one, two) = (account("one"), account("two"));
    let mut log = Log::open(&place.spool()).expect("it opens");
    log.add(&[(0, event(0, &one)), (1, event(1, &two)), (2, event(2, &one))], &[]);
    drop(log);
    let path = place.0.join(name_of(1));
    let text = fs::read_to_string(&path).expect("it is text");
    fs::write(&path, text.replacen("two", "twu", 1)).expect("it is written");
    let mut log = Log::open(&place.spool()).expect("it opens");
    assert_eq!((chances(&log.read_on(9).expect("it reads").events), log.damaged), (vec![0, 2], 2));
}

#[test]
fn one_open_event_does_not_fill_the_spool_with_settled_ones() {
    for when_full in [WhenFull::Reject, WhenFull::DropOldest] {
        let place = Place::new("pinned");
        let account = account("key");
        let mut log = Log::open(&small(&place, when_full)).expect("it opens");
        log.add(&[(0, event(0, &account))], &[]);
        for number in 1..500 {
            let added = log.add(&[(number, event(number, &account))], &[]);
            assert_eq!(added.fates, [Fate::Kept], "{number}");
            assert!(added.in_memory_alone.is_empty());
            // All but every hundredth are settled at once.
            if !number.is_multiple_of(100) {
                assert!(log.add(&[], &[number]).error.is_none());
            }
        }
        let open = [0, 100, 200, 300, 400];
        assert_eq!(log.open_events(), open.len() as u64);
        let seen = contents(&place.0).expect("it can be looked at");
        assert_eq!(seen.open.iter().map(|event| event.stamp.chance).collect::<Vec<_>>(), open);
        drop(log);
        let mut log = Log::open(&small(&place, when_full)).expect("it opens");
        assert_eq!(chances(&log.read_on(100).expect("it reads").events), open);
    }
}

#[test]
fn what_could_not_be_read_again_is_not_kept() {
    let place = Place::new("deep");
    let account = account("key");
    let nested = |levels: usize| {
        let value = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let mut event = event(levels as u64, &account);
        event.what = What::Converted(Box::new(Converted {
            goal: "buy".into(),
            campaigns: Vec::new(),
            addressed_many: false,
            revenue: None,
            properties: [("deep".to_owned(), value)].into_iter().collect(),
        }));
        event
    };
    let mut log = Log::open(&place.spool()).expect("it opens");
    let fates = log.add(&[(0, nested(99)), (1, nested(120)), (2, event(2, &account))], &[]).fates;
    assert_eq!(fates, [Fate::Kept, Fate::Failed, Fate::Kept]);
    drop(log);
    let read = Log::open(&place.spool()).expect("it opens").read_on(9).expect("it reads");
    assert_eq!((chances(&read.events), read.unreadable), (vec![99, 2], vec![]));
}

#[test]
fn a_segment_that_somebody_has_removed_is_given_up() {
    let place = Place::new("removed");
    let account = account("key");
    let spool = Spool { bytes: 1 << 20, ..place.spool() };
    let mut log = Log::open(&spool).expect("it opens");
    let events: Vec<(u64, Event)> = (0..2_000).map(|number| (number, event(number, &account))).collect();
    let begin = log.add(&events, &[]).begin;
    log.leave(begin, 0);
    fs::remove_file(place.0.join(name_of(2))).expect("it is there");
    let read = log.read_on(5_000).expect("it reads");
    let mut all = chances(&read.events);
    assert!(!read.unreadable.is_empty() && all.len() > 100);
    all.extend(&read.unreadable);
    all.sort_unstable();
    assert_eq!(all, (0..2_000).collect::<Vec<_>>());
    assert!(log.add(&[], &all).error.is_none());
    assert_eq!(log.open_events(), 0);
}

#[test]
fn a_disk_that_fails_again_and_again_leaves_nothing_behind_and_costs_nothing_that_is_kept() {
    let place = Place::new("again");
    let account = account("key");
    let mut log = Log::open(&small(&place, WhenFull::DropOldest)).expect("it opens");
    let events: Vec<(u64, Event)> = (0..20).map(|number| (number, event(number, &account))).collect();
    assert!(log.add(&events, &[]).error.is_none());
    let bytes = log.bytes();
    // What is in the place of the next segment makes beginning it fail.
    for segment in 1..9 {
        fs::create_dir_all(place.0.join(name_of(log.next_segment + segment - 1))).expect("it is made");
    }
    log.writer = None;
    for number in 20..50 {
        assert_eq!(log.add(&[(number, event(number, &account))], &[]).fates, [Fate::Failed]);
        assert_eq!((log.bytes(), log.open_events()), (bytes, 20));
    }
    for segment in 1..9 {
        fs::remove_dir(place.0.join(name_of(log.next_segment + segment - 1))).expect("it is there");
    }
    assert_eq!(log.add(&[(50, event(50, &account))], &[]).fates, [Fate::Kept]);
    assert_eq!(log.open_events(), 21);
}

#[test]
fn a_tail_sees_each_event_once_through_starts_and_shows_no_key() {
    let place = Place::new("tail");
    let account = account("5ecret");
    let mut tail = Tail::new(&place.0);
    let mut seen = Vec::new();
    let mut number = 0;
    for _ in 0..5 {
        let mut log = Log::open(&place.spool()).expect("it opens");
        for _ in 0..3 {
            log.add(&[(number, event(number, &account))], &[]);
            tail.read(|event| seen.push(event.stamp.chance)).expect("it reads");
            log.add(&[], &[number]);
            number += 1;
        }
        drop(log);
        // A start without an event.
        drop(Log::open(&place.spool()).expect("it opens"));
    }
    assert_eq!(seen, (0..number).collect::<Vec<_>>());
    let shown = format!("{tail:?} {:?}", contents(&place.0).expect("it reads"));
    assert!(!shown.contains("5ecret"), "{shown}");
    // Somebody empties the directory.
    fs::remove_dir_all(&place.0).expect("it is there");
    let mut log = Log::open(&place.spool()).expect("it opens");
    log.add(&[(0, event(77, &account))], &[]);
    tail.read(|event| seen.push(event.stamp.chance)).expect("it reads");
    assert_eq!(seen.last(), Some(&77));
}

#[test]
fn what_was_read_before_a_segment_that_cannot_be_read_is_given_out() {
    let place = Place::new("unreadable");
    let account = account("key");
    let spool = Spool { bytes: 1 << 20, ..place.spool() };
    let mut log = Log::open(&spool).expect("it opens");
    let events: Vec<(u64, Event)> = (0..2_000).map(|number| (number, event(number, &account))).collect();
    let begin = log.add(&events, &[]).begin;
    log.leave(begin, 0);
    let second = place.0.join(name_of(2));
    let aside = place.0.join("aside");
    fs::rename(&second, &aside).expect("it is there");
    // What is in its place is there, and cannot be read.
    fs::create_dir(&second).expect("it is made");
    let first = chances(&log.read_on(5_000).expect("the first can be read").events);
    assert_eq!(first, (0..first.len() as u64).collect::<Vec<_>>());
    assert!(log.read_on(5_000).is_err());
    fs::remove_dir(&second).expect("it is there");
    fs::rename(&aside, &second).expect("it is there");
    let rest = chances(&log.read_on(5_000).expect("it can be read again").events);
    assert_eq!(rest, (first.len() as u64..2_000).collect::<Vec<_>>());
    // One that is left for the next start says what was in it.
    drop(log);
    let mut log = Log::open(&spool).expect("it opens");
    fs::rename(&second, &aside).expect("it is there");
    fs::create_dir(&second).expect("it is made");
    assert_eq!(chances(&log.read_on(5_000).expect("the first can be read").events), first);
    assert!(log.read_on(5_000).is_err());
    let left = log.pass_over();
    assert_eq!(left.first(), Some(&(first.len() as u64)));
    let mut all: Vec<u64> = first.iter().copied().chain(left).collect();
    all.extend(chances(&log.read_on(5_000).expect("the rest can be read").events));
    assert_eq!(all, (0..2_000).collect::<Vec<_>>());
    assert!(log.is_read());
    assert_eq!(log.open_events(), 2_000);
}
