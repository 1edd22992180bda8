//! The state of a search, and the steps that change it.

use super::program::{Direction, Program, Single};
use super::text::Units;

/// How many ways back the matcher keeps before it gives up. Each takes 16 bytes.
pub(super) const FRAME_LIMIT: usize = 1 << 20;

/// The search could not be finished within its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

/// What to undo or to try when matching fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// Go on at the address.
    Branch { address: u32, position: u32 },
    /// Give a register its old value back, and fail again.
    Restore { register: u32, value: u32 },
    /// Give back one unit of a greedy run that ended at the position.
    Shrink { address: u32, position: u32, spare: u32, direction: Direction },
    /// Take one more unit into a lazy run that ended at the position.
    Grow { address: u32, position: u32, room: u32 },
}

/// The value of a register that holds nothing. No position is as large.
pub(super) const UNSET: u32 = u32::MAX;

/// The state of one search.
///
/// Every change of a register is recorded as a frame, so that popping all frames of an attempt
/// leaves the registers as they were before it. The notes of look-arounds are the exception:
/// they are written before they are read, and nothing comes back to a look-around once its
/// body has matched.
pub(super) struct Machine<'program, Text> {
    pub(super) program: &'program Program,
    pub(super) text: Text,
    pub(super) position: u32,
    pub(super) registers: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    pub(super) steps: u64,
}

impl<'program, Text: Units> Machine<'program, Text> {
    pub(super) fn new(program: &'program Program, text: Text, steps: u64) -> Self {
        Self { program, text, position: 0, registers: vec![UNSET; program.register_count], frames: Vec::new(), steps }
    }

    /// Returns how many units in a row fit, at most `limit`.
    #[inline]
    pub(super) fn count_units(&self, single: Single, limit: u32, direction: Direction) -> u32 {
        match single {
            Single::Unit(wanted) => self.count_while(limit, direction, |unit| unit == wanted),
            Single::Set(set) => {
                let set = &self.program.sets[set as usize];
                self.count_while(limit, direction, |unit| set.contains(unit))
            }
        }
    }

    #[inline]
    pub(super) fn count_while(&self, limit: u32, direction: Direction, fits: impl Fn(u16) -> bool) -> u32 {
        let mut position = self.position;
        let mut count = 0;
        while count < limit && self.unit(position, direction).is_some_and(&fits) {
            position = moved(position, 1, direction);
            count += 1;
        }
        count
    }

    /// Returns the unit that would be consumed next at a position.
    #[inline]
    pub(super) fn unit(&self, position: u32, direction: Direction) -> Option<u16> {
        match direction {
            Direction::Forward => self.text.at(position),
            Direction::Backward => self.text.at(position.checked_sub(1)?),
        }
    }

    pub(super) fn register(&self, register: u32) -> u32 {
        self.registers[register as usize]
    }

    pub(super) fn set(&mut self, register: u32, value: u32) -> Result<(), Exhausted> {
        let old = std::mem::replace(&mut self.registers[register as usize], value);
        self.push(Frame::Restore { register, value: old })
    }

    pub(super) fn push_branch(&mut self, address: u32) -> Result<(), Exhausted> {
        self.push(Frame::Branch { address, position: self.position })
    }

    pub(super) fn push_grow(&mut self, address: u32, position: u32, room: u32) -> Result<(), Exhausted> {
        if room == 0 {
            return Ok(());
        }
        self.push(Frame::Grow { address, position, room })
    }

    #[inline]
    pub(super) fn push(&mut self, frame: Frame) -> Result<(), Exhausted> {
        if self.frames.len() >= FRAME_LIMIT {
            return Err(Exhausted);
        }
        self.frames.push(frame);
        Ok(())
    }

    #[inline]
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }
}

/// Returns the position `count` units further on in the direction.
#[inline]
pub(super) fn moved(position: u32, count: u32, direction: Direction) -> u32 {
    match direction {
        Direction::Forward => position + count,
        Direction::Backward => position - count,
    }
}
