use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use steadfast_engine::Settings;

use super::*;
use crate::event::{Account, Stamp, What};

fn account(number: u8) -> Arc<Account> {
    let settings = Settings::parse(&format!(r#"{{"accountId": {number}, "version": 1, "campaigns": []}}"#));
    Arc::new(Account::of(&settings.expect("settings")))
}

fn event(account: &Arc<Account>, chance: u64, properties: usize) -> Event {
    let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": []}"#).expect("settings");
    Event {
        account: Arc::clone(account),
        visitor: settings.visitors().visitor("Ashley"),
        stamp: Stamp { milliseconds: 0, chance },
        user_agent: None,
        user_ip_address: None,
        what: What::Properties((0..properties).map(|name| (name.to_string(), "value".to_owned())).collect()),
    }
}

fn batches(events: usize) -> Delivery {
    let batch = Batching { events: NonZeroUsize::new(events).expect("some"), interval: Duration::from_secs(10) };
    Delivery { batch: Some(batch), attempts: u32::MAX, ..Delivery::default() }
}

fn sent(next: Next) -> Option<Parcel> {
    match next {
        Next::Send(parcel) => Some(parcel),
        Next::Wait(_) => None,
    }
}

#[test]
fn a_batch_is_of_one_account_and_no_larger_than_it_may_be() {
    let now = Instant::now();
    let mut dispatcher = Dispatcher::new(batches(5), 7);
    let (one, other) = (account(1), account(2));
    for (account, properties) in [(&one, 2), (&one, 2), (&one, 2), (&other, 1), (&other, 9)] {
        assert!(dispatcher.put(event(account, 0, properties), now).is_ok());
    }
    let id = dispatcher.flush();
    let mut many = Vec::new();
    while let Some(parcel) = sent(dispatcher.next(now)) {
        many.push(parcel.events().map(wire::entries_of).sum::<usize>());
        dispatcher.answered(parcel, Outcome::Delivered, now);
    }
    // One event is sent whole, however many entries it makes.
    assert_eq!(many, [4, 2, 1, 9]);
    assert_eq!(dispatcher.flushed(id, None), Some(Ok(())));
}

#[test]
fn the_time_of_a_batch_begins_with_its_first_event() {
    let start = Instant::now();
    let mut dispatcher = Dispatcher::new(batches(100), 7);
    let later = |seconds| start + Duration::from_secs(seconds);
    let account = account(1);
    assert!(matches!(dispatcher.next(start), Next::Wait(None)));
    assert!(dispatcher.put(event(&account, 0, 1), later(1)).expect("room"), "there is a time to wake at");
    assert!(!dispatcher.put(event(&account, 1, 1), later(5)).expect("room"), "that is the first one's");
    assert!(matches!(dispatcher.next(later(5)), Next::Wait(Some(until)) if until == later(11)));
    let parcel = sent(dispatcher.next(later(11))).expect("it is time");
    assert_eq!(parcel.events().count(), 2);
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Put(u8, usize),
    Flush,
    Send,
    Answer(usize, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_u8, 1..3_usize).prop_map(|(account, properties)| Step::Put(account, properties)),
        1 => Just(Step::Flush),
        4 => Just(Step::Send),
        4 => (any::<usize>(), 0..8_u8).prop_map(|(which, outcome)| Step::Answer(which, outcome)),
        2 => (0..20_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]

    /// Whatever fails when: every event that was taken in is delivered or told to be lost, once, and a flush tells of what
    /// was lost of its own.
    #[test]
    fn nothing_is_forgotten(batch in proptest::option::of(1..6_usize), steps in vec(step(), 1..120)) {
        let rules = Delivery { room: 30, attempts: 4, ..batch.map(batches).unwrap_or_default() };
        let rules = Delivery { side_by_side: 3, ..rules };
        let mut dispatcher = Dispatcher::new(rules, 7);
        let accounts = [account(1), account(2)];
        let mut now = Instant::now();
        let (mut taken, mut under_way): (u64, Vec<Parcel>) = (0, Vec::new());
        let (mut delivered, mut lost): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut flushes: Vec<(FlushId, u64)> = Vec::new();
        let answer = |dispatcher: &mut Dispatcher, parcel: Parcel, outcome, now, delivered: &mut Vec<u64>, lost: &mut Vec<u64>| {
            let chances: Vec<u64> = parcel.events().map(|event| event.stamp.chance).collect();
            let gone = dispatcher.answered(parcel, outcome, now);
            if outcome == Outcome::Delivered {
                delivered.extend(chances);
            }
            lost.extend(gone.iter().map(|event| event.stamp.chance));
        };
        for step in steps {
            match step {
                Step::Put(account, properties) => {
                    if dispatcher.put(event(&accounts[usize::from(account)], taken, properties), now).is_ok() {
                        taken += 1;
                    }
                }
                Step::Flush => flushes.push((dispatcher.flush(), taken)),
                Step::Send => under_way.extend(sent(dispatcher.next(now))),
                Step::Answer(which, outcome) if !under_way.is_empty() => {
                    let parcel = under_way.swap_remove(which % under_way.len());
                    let outcome = match outcome {
                        0..=2 => Outcome::Delivered,
                        3..=4 => Outcome::Later { status: None, after: None },
                        5 => Outcome::Later { status: None, after: Some(Duration::from_secs(3)) },
                        6 => Outcome::TooLarge,
                        _ => Outcome::Refused { status: 400 },
                    };
                    answer(&mut dispatcher, parcel, outcome, now, &mut delivered, &mut lost);
                }
                Step::Answer(..) => {}
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
            }
            prop_assert!(under_way.len() <= 3);
            let open = dispatcher.counters().pending;
            prop_assert_eq!(taken, open + (delivered.len() + lost.len()) as u64);
        }
        // The collector takes everything from here on.
        flushes.push((dispatcher.flush(), taken));
        for _ in 0..1_000 {
            if let Some(parcel) = under_way.pop() {
                answer(&mut dispatcher, parcel, Outcome::Delivered, now, &mut delivered, &mut lost);
            }
            match dispatcher.next(now) {
                Next::Send(parcel) => under_way.push(parcel),
                Next::Wait(_) if dispatcher.is_idle() => break,
                Next::Wait(until) => {
                    prop_assert!(until.is_some() || !under_way.is_empty(), "it would wait for ever: {:?}", dispatcher);
                    now = until.unwrap_or(now).max(now);
                }
            }
        }
        prop_assert!(dispatcher.is_idle(), "{:?}", dispatcher);
        let mut all: Vec<u64> = delivered.iter().chain(&lost).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..taken).collect::<Vec<_>>(), "each once");
        for (id, until) in flushes {
            // What was lost before the flush was asked for is none of its matter, so it may tell of fewer.
            let of_flush = lost.iter().filter(|chance| **chance < until).count() as u64;
            match dispatcher.flushed(id, None) {
                Some(Ok(())) => {}
                Some(Err(told)) => prop_assert!(told.events <= of_flush),
                None => prop_assert!(false, "it is not answered"),
            }
        }
    }
}

#[test]
fn parcels_that_always_fail_do_not_keep_others_from_being_tried() {
    let account = account(1);
    let mut dispatcher = Dispatcher::of_kept(Delivery::default(), 7, 0, 10);
    let start = Instant::now();
    for poison in 0..3 {
        assert!(dispatcher.put(event(&account, poison, 1), start).is_ok());
    }
    let mut lost = 0;
    // An hour in which one comes each second.
    for second in 0..3_600_u64 {
        let now = start + Duration::from_secs(second);
        assert!(dispatcher.put(event(&account, 100, 1), now).is_ok());
        while let Some(parcel) = sent(dispatcher.next(now)) {
            let is_poison = parcel.events().any(|event| event.stamp.chance < 100);
            let outcome = if is_poison { Outcome::Refused { status: 403 } } else { Outcome::Delivered };
            lost += dispatcher.answered(parcel, outcome, now).len();
        }
    }
    let counters = dispatcher.counters();
    assert_eq!((lost, counters.lost), (3, 3), "{counters:?}");
    assert!(counters.delivered > 3_500, "{counters:?}");
}

#[test]
fn what_is_handed_over_late_is_flushed_all_the_same() {
    let (now, account) = (Instant::now(), account(1));
    let mut dispatcher = Dispatcher::of_kept(batches(100), 7, 0, 10);
    let (first, second) = (dispatcher.number(), dispatcher.number());
    let id = dispatcher.flush();
    let third = dispatcher.number();
    // The later one was in memory, the earlier ones on disk.
    assert!(dispatcher.hand_over(third, event(&account, 3, 1), now));
    assert!(sent(dispatcher.next(now)).is_none(), "it waits for a batch to be full");
    for (number, chance) in [(first, 1), (second, 2)] {
        assert!(dispatcher.hand_over(number, event(&account, chance, 1), now));
    }
    let parcel = sent(dispatcher.next(now)).expect("what was asked for goes at once");
    dispatcher.answered(parcel, Outcome::Delivered, now);
    assert_eq!(dispatcher.flushed(id, None), Some(Ok(())));
}
