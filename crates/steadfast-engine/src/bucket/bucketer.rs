//! From a hash to a bucket, and from the account's generation of bucketing to what is hashed.

use super::murmur::{HashInput, Murmur3};
use super::range::BUCKETS;

/// The bucket of a hash: `floor((max × hash / 2^32 + 1) × multiplier)` in doubles, in this order (spec BKT-10).
#[must_use]
#[inline]
pub fn bucket(hash: u32, max: u32, multiplier: f64) -> i64 {
    if multiplier == 1.0 {
        // The same number without doubles: the product is exact in 64 bits, and its upper half is the quotient by 2^32.
        let quotient = ((u64::from(max) * u64::from(hash)) >> 32) as u32;
        return i64::from(quotient) + 1;
    }
    let ratio = f64::from(hash) / 4_294_967_296.0;
    #[expect(clippy::cast_possible_truncation, reason = "the floor of a number far inside the range of i64")]
    let bucket = ((f64::from(max) * ratio + 1.0) * multiplier).floor() as i64;
    bucket
}

/// The account's and the campaign's flags that choose a [`Mode`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Generation {
    /// `isNB` of the account.
    pub new_bucketing: bool,
    /// `isNBv2` of the account.
    pub new_bucketing_v2: bool,
    /// `isOB` of the campaign: made before `isNB` was switched on.
    pub old_campaign: bool,
    /// `isOBv2` of the campaign: made before `isNBv2` was switched on.
    pub old_campaign_v2: bool,
    /// `isBucketingSeedEnabled` of the campaign.
    pub seeded: bool,
}

/// Which text is hashed for the variation, and how the bucket is stretched (spec BKT-30).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The traffic seed; buckets are stretched so that the admitted users fill the whole scale. A change of traffic
    /// moves users between variations.
    Old,
    /// The user id alone.
    New,
    /// Campaign, account and user id.
    NewV2,
}

impl Generation {
    /// The mode of a campaign with this percentage of traffic (spec BKT-30).
    #[must_use]
    pub fn mode(self, percent_traffic: f64) -> Mode {
        let old = (!self.new_bucketing && !self.new_bucketing_v2) || (self.new_bucketing && self.old_campaign);
        if old && percent_traffic != 0.0 && !percent_traffic.is_nan() {
            return Mode::Old;
        }
        let new = (self.new_bucketing && !self.old_campaign && !self.new_bucketing_v2)
            || (self.new_bucketing_v2 && self.old_campaign_v2);
        if new { Mode::New } else { Mode::NewV2 }
    }
}

/// Everything about bucketing in one campaign that is known before a user comes.
#[derive(Debug, Clone)]
pub struct Bucketer {
    /// The state after the campaign's prefix of the traffic seed (`231_`, or nothing).
    traffic: Murmur3,
    /// The state after the prefix of the variation seed; `None` when it is the traffic seed, which saves a hash.
    variation: Option<Murmur3>,
    traffic_prefix: Box<str>,
    variation_prefix: Box<str>,
    percent_traffic: f64,
    /// The last traffic bucket that is let in: the percentage without its fraction.
    last_admitted: i64,
    multiplier: f64,
    mode: Mode,
    input: HashInput,
}

/// A user who was let in: the hash that admitted them, which is the variation's too in [`Mode::Old`].
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    hash: u32,
    /// The traffic bucket, 1 to 100.
    pub bucket: i64,
    /// Whether the bucket is within the campaign's traffic.
    pub admitted: bool,
}

impl Bucketer {
    /// The bucketing of a campaign.
    #[must_use]
    pub fn new(generation: Generation, percent_traffic: f64, campaign: &str, account: &str, input: HashInput) -> Self {
        let mode = generation.mode(percent_traffic);
        let prefixed = generation.new_bucketing || generation.new_bucketing_v2 || generation.seeded;
        let traffic_prefix = if prefixed { format!("{campaign}_") } else { String::new() };
        let variation_prefix = match mode {
            Mode::Old => traffic_prefix.clone(),
            Mode::New => String::new(),
            Mode::NewV2 => format!("{campaign}_{account}_"),
        };
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and buckets end at 100")]
        let last_admitted = percent_traffic.floor() as i64;
        let multiplier = match mode {
            Mode::Old => 10_000.0 / percent_traffic / 100.0,
            Mode::New | Mode::NewV2 => 1.0,
        };
        Bucketer {
            traffic: Murmur3::new().with_text(&traffic_prefix, input),
            variation: (traffic_prefix != variation_prefix).then(|| Murmur3::new().with_text(&variation_prefix, input)),
            traffic_prefix: traffic_prefix.into(),
            variation_prefix: variation_prefix.into(),
            percent_traffic,
            last_admitted,
            multiplier,
            mode,
            input,
        }
    }

    /// The traffic test (spec BKT-31).
    #[must_use]
    #[inline(always)]
    pub fn admit(&self, user: &str) -> Admission {
        let hash = self.traffic.hash_text(user, self.input);
        let bucket = bucket(hash, 100, 1.0);
        Admission { hash, bucket, admitted: bucket <= self.last_admitted }
    }

    /// The bucket of an admitted user on the scale of the variations' ranges.
    #[must_use]
    #[inline(always)]
    pub fn variation_bucket(&self, user: &str, admission: Admission) -> i64 {
        bucket(self.variation_hash(user, admission), BUCKETS, self.multiplier)
    }

    /// The hash behind [`variation_bucket`](Self::variation_bucket).
    #[must_use]
    #[inline(always)]
    pub fn variation_hash(&self, user: &str, admission: Admission) -> u32 {
        match self.variation {
            None => admission.hash,
            Some(prefix) => prefix.hash_text(user, self.input),
        }
    }

    /// The bucket that chooses among several whitelisted variations (spec BKT-21, BKT-42).
    #[must_use]
    pub fn whitelist_bucket(&self, user: &str) -> i64 {
        bucket(self.traffic.hash_text(user, self.input), BUCKETS, 1.0)
    }

    /// The percentage of users let in.
    #[must_use]
    pub fn percent_traffic(&self) -> f64 {
        self.percent_traffic
    }

    /// How much the buckets are stretched: 1 but in [`Mode::Old`].
    #[must_use]
    pub fn multiplier(&self) -> f64 {
        self.multiplier
    }

    /// The mode that was chosen.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is hashed before the user id for the traffic test.
    #[must_use]
    pub fn traffic_prefix(&self) -> &str {
        &self.traffic_prefix
    }

    /// What is hashed before the user id for the variation.
    #[must_use]
    pub fn variation_prefix(&self) -> &str {
        &self.variation_prefix
    }
}

impl Admission {
    /// The hash of the traffic test.
    #[must_use]
    pub fn hash(self) -> u32 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_double_arithmetic_agree() {
        let mut hash = 1_u32;
        for _ in 0..200_000 {
            hash = hash.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            for max in [100, BUCKETS] {
                let ratio = f64::from(hash) / 4_294_967_296.0;
                #[expect(clippy::cast_possible_truncation, reason = "at most 10000")]
                let double = (f64::from(max) * ratio + 1.0).floor() as i64;
                assert_eq!(bucket(hash, max, 1.0), double, "{hash} of {max}");
            }
        }
        assert_eq!(bucket(0, 100, 1.0), 1);
        assert_eq!(bucket(u32::MAX, BUCKETS, 1.0), 10_000);
    }

    fn check(flags: [bool; 4], expected: Mode) {
        let [new_bucketing, new_bucketing_v2, old_campaign, old_campaign_v2] = flags;
        let generation = Generation { new_bucketing, new_bucketing_v2, old_campaign, old_campaign_v2, seeded: false };
        assert_eq!(generation.mode(100.0), expected, "{generation:?}");
    }

    #[test]
    fn the_expanded_table_of_modes() {
        const N: bool = false;
        const Y: bool = true;
        for old_v2 in [N, Y] {
            check([N, N, N, old_v2], Mode::Old);
            check([N, N, Y, old_v2], Mode::Old);
            check([Y, N, N, old_v2], Mode::New);
            check([Y, N, Y, old_v2], Mode::Old);
            check([Y, Y, Y, old_v2], Mode::Old);
        }
        check([Y, Y, N, Y], Mode::New);
        check([Y, Y, N, N], Mode::NewV2);
        for old in [N, Y] {
            check([N, Y, old, Y], Mode::New);
            check([N, Y, old, N], Mode::NewV2);
        }
    }

    #[test]
    fn users_past_the_last_range_of_a_stretched_scale() {
        // spec BKT-34, vectors V20 and V21: admitted, and yet beyond bucket 10000
        let bucketer = Bucketer::new(Generation::default(), 30.0, "231", "888888", HashInput::default());
        let admission = bucketer.admit("of2901");
        assert!(admission.admitted);
        assert_eq!(bucketer.variation_bucket("of2901", admission), 10_002);
    }
}
