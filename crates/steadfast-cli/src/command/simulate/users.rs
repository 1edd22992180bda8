//! Users who do not exist: ids that are the same on every machine, for ever.
//!
//! The stream of seed S is SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014)
//! started at S. User n has its outputs 2n and 2n + 1 as the two halves of a version 4 UUID: the kind of id that
//! production has most, and one that the hash of the bucketing has no structure in common with.

use std::fmt::Write;

/// What the state grows by with each output.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Writes the id of a user into `id`, over what it held.
pub(super) fn write_id(seed: u64, user: u64, id: &mut String) {
    let (first, second) = (output(seed, 2 * user), output(seed, 2 * user + 1));
    // Version 4, variant 1 (RFC 9562).
    let high = (first & 0xffff_ffff_ffff_0fff) | 0x4000;
    let low = (second & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    id.clear();
    let _ = write!(
        id,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
}

fn output(seed: u64, place: u64) -> u64 {
    let mut state = seed.wrapping_add(GAMMA.wrapping_mul(place.wrapping_add(1)));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of the reference implementation for the seed 1234567.
        assert_eq!(output(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(output(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    #[test]
    fn ids_are_uuids_that_never_change() {
        let mut id = String::new();
        write_id(1, 0, &mut id);
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        let first = id.clone();
        write_id(1, 1, &mut id);
        assert_ne!(id, first);
        write_id(1, 0, &mut id);
        assert_eq!(id, first);
    }
}
