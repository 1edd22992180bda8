//! Sets of UTF-16 code units: what a class, `.`, `\d`, `\s` or `\w` stands for.

/// A set of UTF-16 code units.
///
/// The ranges are sorted, do not overlap and do not touch, so two equal sets compare equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UnitSet {
    ranges: Vec<(u16, u16)>,
    /// One bit for each unit below 256, so that common text needs no search in the ranges.
    low: [u64; 4],
}

impl UnitSet {
    /// Returns the set of all units in the inclusive ranges, which may come in any order.
    pub(super) fn new(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        let mut low = [0; 4];
        for &(from, to) in &merged {
            for unit in from..=to.min(255) {
                low[usize::from(unit >> 6)] |= 1 << (unit & 63);
            }
        }
        Self { ranges: merged, low }
    }

    /// Returns the set that holds one unit.
    pub(super) fn of(unit: u16) -> Self {
        Self::new(vec![(unit, unit)])
    }

    /// Returns the units `.` stands for when the `s` flag is off: all but LineTerminator
    /// (ECMA-262 §22.2.2.7, §12.3).
    pub(super) fn dot() -> Self {
        Self::new(LINE_TERMINATORS.to_vec()).complement()
    }

    /// Returns the units `\d` stands for (ECMA-262 §22.2.2.9).
    pub(super) fn digits() -> Self {
        Self::new(vec![(0x30, 0x39)])
    }

    /// Returns the units `\s` stands for: WhiteSpace and LineTerminator (ECMA-262 §22.2.2.9,
    /// §12.2, §12.3).
    pub(super) fn spaces() -> Self {
        Self::new([WHITE_SPACE, LINE_TERMINATORS].concat())
    }

    /// Returns the units `\w` stands for (ECMA-262 §22.2.2.9.2, without the flags `u` and `i`).
    pub(super) fn words() -> Self {
        Self::new(vec![(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
    }

    /// Returns the set of all units that this set lacks.
    pub(super) fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = Some(0);
        for &(from, to) in &self.ranges {
            if let Some(gap) = next
                && gap < from
            {
                gaps.push((gap, from - 1));
            }
            next = to.checked_add(1);
        }
        if let Some(gap) = next {
            gaps.push((gap, u16::MAX));
        }
        Self::new(gaps)
    }

    /// Returns the inclusive ranges of the set, sorted.
    pub(super) fn ranges(&self) -> &[(u16, u16)] {
        &self.ranges
    }

    /// Returns the unit of a set that holds exactly one, and nothing for any other set.
    pub(super) fn only(&self) -> Option<u16> {
        match self.ranges.as_slice() {
            &[(from, to)] if from == to => Some(from),
            _ => None,
        }
    }

    /// Says whether the set holds `unit`.
    #[inline]
    pub(super) fn contains(&self, unit: u16) -> bool {
        match self.low.get(usize::from(unit >> 6)) {
            Some(word) => (word >> (unit & 63)) & 1 == 1,
            None => self.contains_high(unit),
        }
    }

    fn contains_high(&self, unit: u16) -> bool {
        let after = self.ranges.partition_point(|&(from, _)| from <= unit);
        after.checked_sub(1).is_some_and(|index| unit <= self.ranges[index].1)
    }
}

/// Says whether `\b` counts `unit` as part of a word (ECMA-262 §22.2.2.4.2).
#[inline]
pub(super) fn is_word(unit: u16) -> bool {
    u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const LINE_TERMINATORS: &[(u16, u16)] = &[(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)];

const WHITE_SPACE: &[(u16, u16)] = &[
    (0x09, 0x09),
    (0x0B, 0x0C),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_sorted_and_joined() {
        let set = UnitSet::new(vec![(10, 20), (1, 3), (4, 6), (15, 30)]);
        assert_eq!(set.ranges(), [(1, 6), (10, 30)]);
        assert_eq!(UnitSet::new(vec![(0, u16::MAX), (5, 6)]).ranges(), [(0, u16::MAX)]);
    }

    #[test]
    fn membership_agrees_with_the_ranges() {
        let sets = [
            UnitSet::dot(),
            UnitSet::spaces(),
            UnitSet::words(),
            UnitSet::digits().complement(),
            UnitSet::new(vec![(200, 300), (0xD800, 0xDBFF), (u16::MAX, u16::MAX)]),
            UnitSet::new(Vec::new()),
        ];
        for set in sets {
            let complement = set.complement();
            for unit in 0..=u16::MAX {
                let listed = set.ranges().iter().any(|r| (r.0..=r.1).contains(&unit));
                assert_eq!(set.contains(unit), listed);
                assert_eq!(complement.contains(unit), !listed);
            }
            assert_eq!(complement.complement(), set);
        }
    }

    #[test]
    fn only_names_the_unit_of_a_singleton() {
        assert_eq!(UnitSet::of(7).only(), Some(7));
        assert_eq!(UnitSet::digits().only(), None);
        assert_eq!(UnitSet::new(Vec::new()).only(), None);
    }

    #[test]
    fn a_word_unit_is_one_that_the_word_class_holds() {
        let words = UnitSet::words();
        for unit in 0..=u16::MAX {
            assert_eq!(is_word(unit), words.contains(unit));
        }
    }
}
