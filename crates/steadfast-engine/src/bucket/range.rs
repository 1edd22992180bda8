//! How weights become ranges of buckets, and which range a bucket falls into.

/// Buckets run from 1 to this number, ends included.
pub const BUCKETS: u32 = 10_000;

/// The buckets of one variation, ends included. A range with `start > end` holds nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The first bucket.
    pub start: i64,
    /// The last bucket.
    pub end: i64,
}

impl Range {
    /// The range of a variation without weight.
    pub const EMPTY: Range = Range { start: -1, end: -1 };

    /// Whether the bucket falls into this range (spec BKT-32).
    #[must_use]
    #[inline]
    pub fn contains(self, bucket: i64) -> bool {
        self.start <= bucket && bucket <= self.end
    }
}

/// The ranges of variations with these weights, in their order (spec SET-30 to SET-32).
///
/// A weight is a percentage. It takes `ceil(weight × 100)` buckets, at most all of them, computed in doubles: the
/// overshoot of some weights by one bucket (1.1 takes 111) is part of the rule (spec SET-34). Ranges may end before
/// [`BUCKETS`] (users beyond get nothing) or after it.
pub fn allocate(weights: impl IntoIterator<Item = f64>) -> impl Iterator<Item = Range> {
    weights.into_iter().scan(0_i64, |current, weight| {
        let step = buckets(weight);
        // A weight far below zero takes the scale to where no bucket is; it must not take it around.
        let end = current.saturating_add(step);
        let range = if step == 0 { Range::EMPTY } else { Range { start: current.saturating_add(1), end } };
        *current = end;
        Some(range)
    })
}

/// How many buckets a weight takes: `min(ceil(weight × 100), 10000)`; none for 0 and for what is not a number.
fn buckets(weight: f64) -> i64 {
    if weight == 0.0 || weight.is_nan() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 10000; a cast saturates at the lower end")]
    let step = (weight * 100.0).ceil().min(f64::from(BUCKETS)) as i64;
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[f64], expected: &[(i64, i64)]) {
        let ranges: Vec<(i64, i64)> = allocate(weights.iter().copied()).map(|range| (range.start, range.end)).collect();
        assert_eq!(ranges, expected, "{weights:?}");
    }

    #[test]
    fn the_table_of_the_specification() {
        const NONE: (i64, i64) = (-1, -1);
        check(&[50.0, 50.0], &[(1, 5000), (5001, 10000)]);
        check(&[0.0, 100.0], &[NONE, (1, 10000)]);
        check(&[33.3333, 33.3333, 33.3333], &[(1, 3334), (3335, 6668), (6669, 10002)]);
        check(&[33.33, 33.33, 33.34], &[(1, 3333), (3334, 6666), (6667, 10001)]);
        check(&[0.001, 99.999], &[(1, 1), (2, 10001)]);
        check(&[1.1, 98.9], &[(1, 111), (112, 10001)]);
        check(&[0.29, 99.71], &[(1, 29), (30, 10000)]);
        check(&[150.0, 50.0], &[(1, 10000), (10001, 15000)]);
        check(&[-5.0, 50.0], &[(1, -500), (-499, 4500)]);
        check(&[0.0, 0.0], &[NONE, NONE]);
    }
}
