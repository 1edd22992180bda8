//! MurmurHash3 x86 32-bit with seed 1 (spec BKT-1), fed piece by piece.
//!
//! A bucket is the hash of a prefix that is known when the settings are compiled (`231_888888_`) and the user id. So
//! the state after the prefix is kept with the campaign, and a decision hashes nothing but the user id, without
//! putting the two together in memory.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;
const SEED: u32 = 1;

/// How the text of a user id becomes bytes (spec BKT-2, decision D-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashInput {
    /// The low byte of each UTF-16 code unit, as VWO's Node SDK does. Ids that differ only in high bytes collide.
    #[default]
    Utf16LowBytes,
    /// The UTF-8 bytes, as VWO's Python SDK and most others do. The same for ASCII.
    Utf8,
}

/// A hash that has taken in some bytes and can take in more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Murmur3 {
    hash: u32,
    /// Up to three bytes that do not fill a block yet, the first in the lowest place.
    tail: u32,
    /// Bytes taken in. Wraps like the reference's 32-bit length.
    length: u32,
}

impl Murmur3 {
    /// Nothing taken in yet.
    #[must_use]
    pub const fn new() -> Self {
        Murmur3 { hash: SEED, tail: 0, length: 0 }
    }

    /// The hash of `text` after what was taken in before.
    ///
    /// ```
    /// use steadfast_engine::bucket::{HashInput, Murmur3};
    /// // spec BKT, vectors H07 and H28
    /// assert_eq!(Murmur3::new().hash_text("Ashley", HashInput::Utf16LowBytes), 2_141_232_222);
    /// let campaign = Murmur3::new().with_text("231_", HashInput::Utf16LowBytes);
    /// assert_eq!(campaign.hash_text("Ashley", HashInput::Utf16LowBytes), 3_514_263_421);
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn hash_text(self, text: &str, input: HashInput) -> u32 {
        self.with_text(text, input).finish()
    }

    /// The state after `text`.
    #[must_use]
    #[inline(always)]
    pub fn with_text(self, text: &str, input: HashInput) -> Self {
        if input == HashInput::Utf8 || text.is_ascii() {
            self.with_bytes(text.as_bytes())
        } else {
            self.with_units(text)
        }
    }

    #[inline(always)]
    fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.take(bytes);
        self
    }

    #[cold]
    fn with_units(mut self, text: &str) -> Self {
        for unit in text.encode_utf16() {
            self.take(&[unit.to_le_bytes()[0]]);
        }
        self
    }

    #[inline(always)]
    fn take(&mut self, bytes: &[u8]) {
        #[expect(clippy::cast_possible_truncation, reason = "the algorithm's length is 32 bits and wraps")]
        let added = bytes.len() as u32;
        let held = (self.length % 4) * 8;
        self.length = self.length.wrapping_add(added);
        let mut blocks = bytes.chunks_exact(4);
        if held == 0 {
            for block in &mut blocks {
                self.mix(u32::from_le_bytes([block[0], block[1], block[2], block[3]]));
            }
            for (place, byte) in blocks.remainder().iter().enumerate() {
                self.tail |= u32::from(*byte) << (place * 8);
            }
            return;
        }
        // The held bytes stay the low part of every block: each new block gives its low bytes to the current one and
        // keeps the rest for the next.
        for block in &mut blocks {
            let block = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
            self.mix(self.tail | (block << held));
            self.tail = block >> (32 - held);
        }
        let mut held = held;
        for byte in blocks.remainder() {
            self.tail |= u32::from(*byte) << held;
            held += 8;
            if held == 32 {
                self.mix(self.tail);
                self.tail = 0;
                held = 0;
            }
        }
    }

    #[inline]
    fn mix(&mut self, block: u32) {
        self.hash ^= scramble(block);
        self.hash = self.hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    #[inline]
    fn finish(self) -> u32 {
        // With nothing held the tail is zero, and scrambling zero gives zero.
        let mut hash = self.hash ^ scramble(self.tail) ^ self.length;
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

impl Default for Murmur3 {
    fn default() -> Self {
        Murmur3::new()
    }
}

#[inline]
const fn scramble(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: u32) {
        let whole = Murmur3::new().hash_text(text, HashInput::Utf16LowBytes);
        assert_eq!(whole, expected, "{text:?}");
        for (at, _) in text.char_indices() {
            let (prefix, rest) = text.split_at(at);
            let split = Murmur3::new().with_text(prefix, HashInput::Utf16LowBytes);
            assert_eq!(split.hash_text(rest, HashInput::Utf16LowBytes), expected, "{prefix:?} and {rest:?}");
        }
    }

    #[test]
    fn the_vectors_of_the_specification_whole_and_in_two_pieces() {
        check("", 1_364_076_727);
        check("a", 1_485_495_528);
        check("ab", 3_087_506_246);
        check("abc", 2_859_854_335);
        check("abcd", 2_616_542_610);
        check("abcde", 4_289_507_611);
        check("someone@mail.com", 2_731_666_319);
        check("231_888888_Ashley", 784_172_959);
        check("ü", 2_479_399_479);
        check("e\u{301}", 173_249_583);
        check("日本語ユーザー", 3_884_257_409);
        check("😀😀", 463_443_385);
        check("a😀b", 3_178_656_995);
        check("İ", 2_992_457_707);
        check("\u{0}", 0);
    }

    #[test]
    fn utf8_is_another_input() {
        assert_eq!(Murmur3::new().hash_text("ü", HashInput::Utf8), 2_113_435_471);
        assert_eq!(Murmur3::new().hash_text("日本", HashInput::Utf8), 3_976_162_695);
        assert_eq!(Murmur3::new().hash_text("Ashley", HashInput::Utf8), 2_141_232_222);
    }
}
