//! Hashes, buckets and ranges.

use proptest::collection::vec;
use proptest::prelude::*;
use steadfast_engine::bucket::{
    BUCKETS, Bucketer, Generation, HashInput, Mode, Murmur3, Range, VisitorNamespace, allocate, bucket,
};

use super::cases;

fn hash_input() -> impl Strategy<Value = HashInput> {
    prop_oneof![Just(HashInput::Utf16LowBytes), Just(HashInput::Utf8)]
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_text_hashed_in_pieces_is_the_text_hashed_whole(pieces in vec(".{0,9}", 0..6), input in hash_input()) {
        let whole = Murmur3::new().hash_text(&pieces.concat(), input);
        let state = pieces.iter().fold(Murmur3::new(), |state, piece| state.with_text(piece, input));
        prop_assert_eq!(state.hash_text("", input), whole);
    }

    #[test]
    fn ascii_hashes_alike_in_both_readings(text in "[ -~]{0,40}") {
        let hash = |input| Murmur3::new().hash_text(&text, input);
        prop_assert_eq!(hash(HashInput::Utf16LowBytes), hash(HashInput::Utf8));
    }

    #[test]
    fn every_hash_falls_into_a_bucket(hash in any::<u32>(), max in prop_oneof![Just(100), Just(BUCKETS), 1..=BUCKETS]) {
        let found = bucket(hash, max, 1.0);
        prop_assert!((1..=i64::from(max)).contains(&found), "{found}");
        prop_assert!(bucket(hash.saturating_add(1), max, 1.0) >= found, "buckets grow with the hash");
    }

    #[test]
    fn stretched_buckets_of_admitted_users_stay_near_the_scale(
        user in ".{1,20}", percent in 1..=100_i32, account in "[0-9]{1,7}",
    ) {
        let percent = f64::from(percent);
        let bucketer = Bucketer::new(Generation::default(), percent, "231", &account, HashInput::default());
        prop_assert_eq!(bucketer.mode(), Mode::Old);
        let admission = bucketer.admit(&user);
        prop_assert!((1..=100).contains(&admission.bucket));
        if admission.admitted {
            let found = bucketer.variation_bucket(&user, admission);
            // spec BKT-34: a user at the very edge lands beyond the scale, by at most one stretched bucket
            let beyond = (100.0 / percent).ceil() as i64;
            prop_assert!((1..=10_000 + beyond).contains(&found), "{found}");
        }
    }

    #[test]
    fn any_traffic_gives_some_answer(
        user in ".{0,20}", percent in any::<f64>(), flags in any::<[bool; 5]>(), input in hash_input(),
    ) {
        let [new_bucketing, new_bucketing_v2, old_campaign, old_campaign_v2, seeded] = flags;
        let generation = Generation { new_bucketing, new_bucketing_v2, old_campaign, old_campaign_v2, seeded };
        let bucketer = Bucketer::new(generation, percent, "1", "1", input);
        let admission = bucketer.admit(&user);
        let _ = bucketer.variation_bucket(&user, admission);
        prop_assert!((1..=10_000).contains(&bucketer.whitelist_bucket(&user)));
    }

    #[test]
    fn ranges_follow_each_other_and_cover_what_the_weights_say(
        weights in vec(prop_oneof![Just(0.0), 0.0..=100.0, (0..=10_000).prop_map(|cents| f64::from(cents) / 100.0)], 0..12),
    ) {
        let ranges: Vec<Range> = allocate(weights.iter().copied()).collect();
        prop_assert_eq!(ranges.len(), weights.len());
        let mut last = 0;
        for (range, weight) in ranges.iter().zip(&weights) {
            if *weight == 0.0 {
                prop_assert_eq!(*range, Range::EMPTY);
                continue;
            }
            prop_assert_eq!(range.start, last + 1, "no gap and no overlap");
            prop_assert_eq!(range.end - last, (weight * 100.0).ceil().min(10_000.0) as i64);
            last = range.end;
        }
        for bucket in [1, 2, 5_000, 9_999, 10_000, last, last + 1] {
            let holders = ranges.iter().filter(|range| range.contains(bucket)).count();
            prop_assert_eq!(holders, usize::from((1..=last).contains(&bucket)), "holders of bucket {}", bucket);
        }
    }

    #[test]
    fn no_weight_is_too_odd_to_allocate(weights in vec(any::<f64>(), 0..8)) {
        prop_assert_eq!(allocate(weights.iter().copied()).count(), weights.len());
    }

    #[test]
    fn a_visitor_id_is_32_capital_hexadecimal_digits(account in ".{0,10}", user in ".{0,20}") {
        let visitor = VisitorNamespace::of_account(&account).visitor(&user);
        prop_assert_eq!(visitor.as_str().len(), 32);
        prop_assert!(visitor.as_str().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')));
        prop_assert_eq!(visitor, VisitorNamespace::of_account(&account).visitor(&user));
    }
}

#[test]
fn weights_far_below_zero_do_not_run_over() {
    assert_eq!(allocate([-1e300, -1e300, 50.0]).count(), 3);
}
