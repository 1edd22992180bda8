//! A reading position in the units of a pattern.

use super::PatternError;

/// The units of a pattern and how far they have been read.
#[derive(Debug)]
pub(super) struct Source {
    units: Vec<u16>,
    offset: usize,
}

impl Source {
    /// Returns a source that stands at the first unit of `text`.
    pub(super) fn new(text: &str) -> Self {
        Self { units: text.encode_utf16().collect(), offset: 0 }
    }

    /// Returns how many units the whole pattern has.
    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    /// Returns the offset of the unit to be read next.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Goes back to an offset that [`Source::offset`] gave earlier.
    pub(super) fn rewind(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// Says whether all units have been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.offset >= self.units.len()
    }

    /// Returns the unit `ahead` units further on, should it fit one byte. All syntax does.
    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        let unit = self.units.get(self.offset + ahead)?;
        u8::try_from(*unit).ok()
    }

    /// Reads one unit, or nothing at the end.
    pub(super) fn next_unit(&mut self) -> Option<u16> {
        let unit = *self.units.get(self.offset)?;
        self.offset += 1;
        Some(unit)
    }

    /// Reads one unit when it is `byte`, and says whether it was.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.byte(0) == Some(byte);
        self.offset += usize::from(found);
        found
    }

    /// Reads all of `bytes` when they come next, and says whether they did.
    pub(super) fn eat_all(&mut self, bytes: &[u8]) -> bool {
        let found = (0..).zip(bytes).all(|(i, b)| self.byte(i) == Some(*b));
        if found {
            self.offset += bytes.len();
        }
        found
    }

    /// Reads one digit of base `radix` (at most 16), and returns its value.
    pub(super) fn digit(&mut self, radix: u32) -> Option<u16> {
        let value = char::from(self.byte(0)?).to_digit(radix)?;
        self.offset += 1;
        u16::try_from(value).ok()
    }

    /// Reads exactly `count` hexadecimal digits (at most four), or nothing at all.
    pub(super) fn hexadecimal(&mut self, count: usize) -> Option<u16> {
        let start = self.offset;
        let mut value = 0;
        for _ in 0..count {
            let Some(digit) = self.digit(16) else {
                self.offset = start;
                return None;
            };
            value = value << 4 | digit;
        }
        Some(value)
    }

    /// Returns the error that `problem` was met at the reading position.
    pub(super) fn error(&self, problem: &'static str) -> PatternError {
        PatternError::new(problem, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_all_or_none() {
        let mut source = Source::new("12fG0");
        assert_eq!(source.hexadecimal(4), None);
        assert_eq!(source.offset(), 0);
        assert_eq!(source.hexadecimal(3), Some(0x12F));
        assert_eq!(source.hexadecimal(1), None);
        assert!(source.eat(b'G'));
        assert!(source.eat_all(b"0"));
        assert!(!source.eat_all(b"0"));
        assert!(source.is_at_end());
    }

    #[test]
    fn a_character_outside_the_basic_plane_is_two_units() {
        let mut source = Source::new("😀");
        assert_eq!(source.len(), 2);
        assert_eq!(source.byte(0), None);
        assert_eq!(source.next_unit(), Some(0xD83D));
        assert_eq!(source.next_unit(), Some(0xDE00));
        assert_eq!(source.next_unit(), None);
    }
}
