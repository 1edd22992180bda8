//! The shares that a campaign's ranges promise to the users it lets in.
//!
//! A share is the part of all hashes that are let in and lead into the range (the bucket formula solved for the hash,
//! spec BKT-10). So it is exact where weights are not: ranges that end before bucket 10,000 leave a gap, ranges beyond
//! it cannot be reached (spec SET-32), and where buckets are stretched a few of the admitted users fall past the last
//! range (spec BKT-34).

use steadfast::engine::bucket::{BUCKETS, Bucketer, Mode, Range};
use steadfast::engine::settings::Campaign;

/// What a campaign promises.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expected {
    /// The share of all users that the traffic lets in.
    pub(crate) admitted: f64,
    /// The share of each variation among those.
    pub(crate) variations: Vec<f64>,
    /// The share of those that no range has.
    pub(crate) without_variation: f64,
}

/// The shares of a campaign.
pub(crate) fn shares(campaign: &Campaign) -> Expected {
    of(campaign.bucketer(), campaign.ranges())
}

fn of(bucketer: &Bucketer, ranges: &[Range]) -> Expected {
    // A traffic bucket is a whole number, so the fraction of a percentage lets nobody in (spec BKT-31).
    let admitted = (bucketer.percent_traffic().floor() / 100.0).clamp(0.0, 1.0);
    // Where the variation's hash is the traffic's, only its admitted part occurs.
    let largest = if bucketer.mode() == Mode::Old { admitted } else { 1.0 };
    if admitted == 0.0 || !bucketer.multiplier().is_finite() {
        return Expected { admitted: 0.0, variations: vec![0.0; ranges.len()], without_variation: 0.0 };
    }
    // The part of all hashes, from 0 to 1, whose bucket is below this one.
    let below = |bucket: i64| {
        #[expect(clippy::cast_precision_loss, reason = "a few ten thousand")]
        let part = (bucket as f64 / bucketer.multiplier() - 1.0) / f64::from(BUCKETS);
        part.clamp(0.0, largest)
    };
    let variations: Vec<f64> = ranges
        .iter()
        .map(|range| ((below(range.end.saturating_add(1)) - below(range.start)) / largest).max(0.0))
        .collect();
    let without_variation = 1.0 - variations.iter().sum::<f64>();
    // What rounding leaves of nothing is nothing.
    let without_variation = if without_variation < 1e-9 { 0.0 } else { without_variation };
    Expected { admitted, variations, without_variation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast::engine::bucket::{Generation, HashInput, allocate};

    const NEW: Generation = Generation {
        new_bucketing: true,
        new_bucketing_v2: true,
        old_campaign: false,
        old_campaign_v2: false,
        seeded: false,
    };

    fn check(generation: Generation, percent: f64, weights: &[f64], expected: (f64, &[f64], f64)) {
        let bucketer = Bucketer::new(generation, percent, "1", "1", HashInput::default());
        let ranges: Vec<Range> = allocate(weights.iter().copied()).collect();
        let found = of(&bucketer, &ranges);
        let close = |one: f64, other: f64| (one - other).abs() < 1e-6;
        let alike = found.variations.iter().zip(expected.1).all(|(one, other)| close(*one, *other));
        assert!(
            close(found.admitted, expected.0) && alike && close(found.without_variation, expected.2),
            "{percent} {weights:?}: {found:?}"
        );
    }

    #[test]
    fn weights_that_fill_the_scale_are_the_shares() {
        check(NEW, 100.0, &[50.0, 50.0], (1.0, &[0.5, 0.5], 0.0));
        check(NEW, 30.5, &[20.0, 80.0], (0.3, &[0.2, 0.8], 0.0));
        check(Generation::default(), 100.0, &[50.0, 50.0], (1.0, &[0.5, 0.5], 0.0));
    }

    #[test]
    fn gaps_and_ranges_out_of_reach() {
        check(NEW, 100.0, &[20.0, 30.0], (1.0, &[0.2, 0.3], 0.5));
        check(NEW, 100.0, &[80.0, 80.0], (1.0, &[0.8, 0.2], 0.0));
        check(NEW, 100.0, &[0.0, 100.0], (1.0, &[0.0, 1.0], 0.0));
        check(NEW, 0.0, &[50.0, 50.0], (0.0, &[0.0, 0.0], 0.0));
    }

    #[test]
    fn users_past_the_last_range_of_a_stretched_scale() {
        // spec BKT-34: 0.99 % of the admitted are lost at 1 % traffic, and the first range is short of its first buckets
        check(Generation::default(), 1.0, &[50.0, 50.0], (0.01, &[0.4901, 0.5], 0.0099));
    }

    #[test]
    fn fractions_of_traffic_bend_a_stretched_scale() {
        // 30.5 % lets in 30 %, but stretches as if by 30.5: the last range loses the rest
        check(Generation::default(), 30.5, &[50.0, 50.0], (0.3, &[0.508_101_667, 0.491_898_333], 0.0));
    }
}
