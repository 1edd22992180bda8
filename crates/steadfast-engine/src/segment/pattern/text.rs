//! The two ways a text is kept while it is searched.

/// A text as UTF-16 code units.
pub(super) trait Units: Copy {
    /// Returns how many units there are.
    fn length(self) -> usize;

    /// Returns the unit at a position, or nothing at the end and after it.
    fn at(self, position: u32) -> Option<u16>;
}

/// Text in which each byte is one unit, as in ASCII.
impl Units for &[u8] {
    fn length(self) -> usize {
        self.len()
    }

    #[inline]
    fn at(self, position: u32) -> Option<u16> {
        self.get(position as usize).map(|&byte| u16::from(byte))
    }
}

impl Units for &[u16] {
    fn length(self) -> usize {
        self.len()
    }

    #[inline]
    fn at(self, position: u32) -> Option<u16> {
        self.get(position as usize).copied()
    }
}
