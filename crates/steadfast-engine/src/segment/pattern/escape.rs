//! Escapes and classes (ECMA-262 §22.2.1 AtomEscape, ClassContents; annex B.1.2).

use super::PatternError;
use super::class::UnitSet;
use super::identifier::group_name;
use super::parse::{Parser, Term};
use super::tree::{Assertion, Node};

impl Parser {
    /// Reads an escape outside a class, whose `\` at offset `start` has been read.
    ///
    /// # Errors
    ///
    /// When nothing follows the `\`, or a `\k` in a pattern with named groups does not name one
    /// of them.
    pub(super) fn atom_escape(&mut self, start: usize) -> Result<Term, PatternError> {
        let node = match self.source.byte(0) {
            Some(b'b') => return Ok(self.assertion(Assertion::WordBoundary)),
            Some(b'B') => return Ok(self.assertion(Assertion::NotWordBoundary)),
            Some(b'k') if self.has_names => self.named_reference(start)?,
            Some(b'1'..=b'9') => match self.group_number() {
                Some(group) => self.back_reference(group),
                None => Node::Unit(self.character_escape(start, false)?),
            },
            _ => match self.class_escape() {
                Some(set) => Node::Set(set),
                None => Node::Unit(self.character_escape(start, false)?),
            },
        };
        Ok((node, true))
    }

    /// Reads a class, whose `[` at offset `start` has been read.
    ///
    /// # Errors
    ///
    /// When the class has no `]`, has a range out of order, or has an escape that is cut off or
    /// is `\k` in a pattern with named groups.
    pub(super) fn class(&mut self, start: usize) -> Result<Node, PatternError> {
        let negated = self.source.eat(b'^');
        let mut ranges = Vec::new();
        while !self.source.eat(b']') {
            let from_start = self.source.offset();
            let from = self.class_atom(start)?;
            if self.source.byte(0) != Some(b'-') || self.source.byte(1) == Some(b']') {
                from.add_to(&mut ranges);
                continue;
            }
            self.source.next_unit();
            let to = self.class_atom(start)?;
            match (from, to) {
                (ClassAtom::Unit(from), ClassAtom::Unit(to)) if from <= to => {
                    ranges.push((from, to));
                }
                (ClassAtom::Unit(_), ClassAtom::Unit(_)) => {
                    let problem = "range out of order in character class";
                    return Err(PatternError::new(problem, from_start));
                }
                // Annex B.1.2.1: beside a set such as `\d` the hyphen is a member of its own.
                (from, to) => {
                    from.add_to(&mut ranges);
                    to.add_to(&mut ranges);
                    ranges.push((HYPHEN, HYPHEN));
                }
            }
        }
        let set = UnitSet::new(ranges);
        Ok(Node::Set(if negated { set.complement() } else { set }))
    }

    fn assertion(&mut self, assertion: Assertion) -> Term {
        self.source.next_unit();
        (Node::Assertion(assertion), false)
    }

    fn named_reference(&mut self, start: usize) -> Result<Node, PatternError> {
        if !self.source.eat_all(b"k<") {
            return Err(PatternError::new("invalid named reference", start));
        }
        let name = group_name(&mut self.source)?;
        match self.names.get(&name) {
            Some(&group) => Ok(self.back_reference(group)),
            None => Err(PatternError::new("reference to a group name that is not there", start)),
        }
    }

    /// Reads a decimal number, unless no group has it (annex B.1.2, AtomEscape).
    fn group_number(&mut self) -> Option<u32> {
        let start = self.source.offset();
        let mut number = 0_u32;
        while let Some(digit) = self.source.digit(10) {
            number = number.saturating_mul(10).saturating_add(u32::from(digit));
        }
        if number <= self.group_count {
            Some(number)
        } else {
            self.source.rewind(start);
            None
        }
    }

    /// Reads a letter that stands for a set of units (§22.2.1, CharacterClassEscape).
    fn class_escape(&mut self) -> Option<UnitSet> {
        let set = match self.source.byte(0)? {
            b'd' => UnitSet::digits(),
            b'D' => UnitSet::digits().complement(),
            b's' => UnitSet::spaces(),
            b'S' => UnitSet::spaces().complement(),
            b'w' => UnitSet::words(),
            b'W' => UnitSet::words().complement(),
            _ => return None,
        };
        self.source.next_unit();
        Some(set)
    }

    fn class_atom(&mut self, class_start: usize) -> Result<ClassAtom, PatternError> {
        let start = self.source.offset();
        let Some(unit) = self.source.next_unit() else {
            let problem = "unterminated character class";
            return Err(PatternError::new(problem, class_start));
        };
        if unit != BACKSLASH {
            return Ok(ClassAtom::Unit(unit));
        }
        if let Some(set) = self.class_escape() {
            return Ok(ClassAtom::Set(set));
        }
        if self.source.eat(b'b') {
            return Ok(ClassAtom::Unit(0x08));
        }
        if self.source.byte(0) == Some(b'k') && self.has_names {
            return Err(PatternError::new("invalid escape", start));
        }
        self.character_escape(start, true).map(ClassAtom::Unit)
    }

    /// Reads an escape that stands for one unit (annex B.1.2, CharacterEscape).
    fn character_escape(&mut self, start: usize, in_class: bool) -> Result<u16, PatternError> {
        let after_backslash = self.source.offset();
        let Some(unit) = self.source.next_unit() else {
            return Err(PatternError::new("'\\' at the end of the pattern", start));
        };
        Ok(match u8::try_from(unit) {
            Ok(b't') => 0x09,
            Ok(b'n') => 0x0A,
            Ok(b'v') => 0x0B,
            Ok(b'f') => 0x0C,
            Ok(b'r') => 0x0D,
            Ok(b'c') => self.control_letter(in_class).unwrap_or_else(|| {
                // The backslash stands for itself and the `c` is read again after it.
                self.source.rewind(after_backslash);
                BACKSLASH
            }),
            Ok(b'x') => self.source.hexadecimal(2).unwrap_or(unit),
            Ok(b'u') => self.source.hexadecimal(4).unwrap_or(unit),
            Ok(b'0'..=b'7') => {
                self.source.rewind(after_backslash);
                self.octal()
            }
            _ => unit,
        })
    }

    fn control_letter(&mut self, in_class: bool) -> Option<u16> {
        let byte = self.source.byte(0)?;
        let in_class_only = byte.is_ascii_digit() || byte == b'_';
        if byte.is_ascii_alphabetic() || in_class && in_class_only {
            self.source.next_unit();
            Some(u16::from(byte & 0x1F))
        } else {
            None
        }
    }

    /// Reads up to three octal digits as long as the value stays below 256
    /// (annex B.1.2, LegacyOctalEscapeSequence).
    fn octal(&mut self) -> u16 {
        let mut value = 0;
        for _ in 0..3 {
            if value >= 32 {
                break;
            }
            let Some(digit) = self.source.digit(8) else {
                break;
            };
            value = value << 3 | digit;
        }
        value
    }
}

const BACKSLASH: u16 = 0x5C;
const HYPHEN: u16 = 0x2D;

/// One end of a range in a class, or a member that is no range.
#[derive(Debug)]
enum ClassAtom {
    Unit(u16),
    Set(UnitSet),
}

impl ClassAtom {
    fn add_to(&self, ranges: &mut Vec<(u16, u16)>) {
        match self {
            Self::Unit(unit) => ranges.push((*unit, *unit)),
            Self::Set(set) => ranges.extend(set.ranges()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn tree(source: &str) -> Node {
        parse(source).expect("the pattern is valid")
    }

    fn units(source: &str) -> Vec<u16> {
        let nodes = match tree(source) {
            Node::Sequence(nodes) => nodes,
            node => vec![node],
        };
        let unit = |node| match node {
            Node::Unit(unit) => unit,
            other => panic!("{source} holds {other:?}"),
        };
        nodes.into_iter().map(unit).collect()
    }

    fn members(source: &str) -> Vec<(u16, u16)> {
        match tree(source) {
            Node::Set(set) => set.ranges().to_vec(),
            other => panic!("{source} gave {other:?}"),
        }
    }

    #[test]
    fn escapes_stand_for_their_unit() {
        assert_eq!(units("\\t\\n\\v\\f\\r"), [9, 10, 11, 12, 13]);
        assert_eq!(units("\\x41\\u0041\\101\\cA\\ca"), [65, 65, 65, 1, 1]);
        assert_eq!(units("\\uD83D\\uDE00"), [0xD83D, 0xDE00]);
        assert_eq!(units("\\/\\-\\a\\é\\p"), [47, 45, 97, 0xE9, 112]);
    }

    #[test]
    fn cut_off_escapes_are_read_as_annex_b_says() {
        assert_eq!(units("\\x4"), [120, 52]);
        assert_eq!(units("\\u004"), [117, 48, 48, 52]);
        assert_eq!(units("\\c"), [92, 99]);
        assert_eq!(units("\\c1"), [92, 99, 49]);
        assert_eq!(units("\\k<n>"), [107, 60, 110, 62]);
    }

    #[test]
    fn numbers_are_references_only_when_the_group_is_there() {
        assert_eq!(units("\\0\\00\\0000\\08"), [0, 0, 0, 48, 0, 56]);
        assert_eq!(units("\\1\\8\\9\\377\\400"), [1, 56, 57, 255, 32, 48]);
        let group = Node::Group(1, Box::new(Node::Empty));
        let octal = vec![group.clone(), Node::Unit(8)];
        assert_eq!(tree("()\\10"), Node::Sequence(octal));
        assert_eq!(tree("()\\1"), Node::Sequence(vec![group, Node::BackReference(1)]));
    }

    #[test]
    fn classes_hold_their_members() {
        assert_eq!(members("[]"), []);
        assert_eq!(members("[^]"), [(0, u16::MAX)]);
        assert_eq!(members("[a-c-]"), [(45, 45), (97, 99)]);
        assert_eq!(members("[-a]"), [(45, 45), (97, 97)]);
        assert_eq!(members("[\\d-a]"), [(45, 45), (48, 57), (97, 97)]);
        assert_eq!(members("[+--]"), [(43, 45)]);
        assert_eq!(members("[\\b\\-\\]^]"), [(8, 8), (45, 45), (93, 94)]);
        assert_eq!(members("[\\c_\\c1\\ca]"), [(1, 1), (17, 17), (31, 31)]);
        assert_eq!(members("[\\c]"), [(92, 92), (99, 99)]);
        assert_eq!(members("[\\1\\8\\k]"), [(1, 1), (56, 56), (107, 107)]);
        assert_eq!(members("[😀]"), [(0xD83D, 0xD83D), (0xDE00, 0xDE00)]);
    }

    #[test]
    fn bad_escapes_and_classes_are_refused() {
        for (source, expected) in [
            ("a\\", "'\\' at the end of the pattern at offset 1"),
            ("[a\\", "'\\' at the end of the pattern at offset 2"),
            ("a[b", "unterminated character class at offset 1"),
            ("[a-", "unterminated character class at offset 0"),
            ("[b-a]", "range out of order in character class at offset 1"),
            ("(?<n>)\\k", "invalid named reference at offset 6"),
            ("(?<n>)\\k<m>", "reference to a group name that is not there at offset 6"),
            ("(?<n>)[\\k]", "invalid escape at offset 7"),
        ] {
            let error = parse(source).expect_err(source);
            assert_eq!(error.to_string(), expected, "{source}");
        }
    }
}
