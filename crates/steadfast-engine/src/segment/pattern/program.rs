//! The instructions the matcher runs.

use super::class::UnitSet;
use super::tree::Assertion;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    /// Starts at address 0; ends with [`Instruction::Accept`].
    pub(super) instructions: Vec<Instruction>,
    pub(super) sets: Vec<UnitSet>,
    pub(super) register_count: usize,
    pub(super) starts: Starts,
}

/// Which offsets of a text need not be tried, because no match can start there.
#[derive(Debug)]
pub(super) struct Starts {
    /// A match can start at offset 0 only.
    pub(super) anchored: bool,
    /// A match starts with one of these units.
    pub(super) first: Option<UnitSet>,
    /// The pattern starts with an unbounded run of these units. After one of them there is
    /// nothing to try: the attempt before it went on from every position that one after it can.
    pub(super) leading_run: Option<UnitSet>,
}

/// One instruction. Addresses and registers are indices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Instruction {
    /// Ends the search: the pattern matches.
    Accept,
    /// Consumes one unit.
    Consume(Single, Direction),
    /// Consumes units of one kind.
    Run(Run),
    /// Goes on at `preferred`, and at `other` when that fails.
    Fork { preferred: u32, other: u32 },
    /// Goes on at the address.
    Jump(u32),
    /// Fails where the assertion does not hold.
    Assert(Assertion),
    /// Stores the position.
    Save(u32),
    /// Stores zero.
    Zero(u32),
    /// Adds one.
    Increment(u32),
    /// Makes registers from `first` up to `end` unset.
    Unset { first: u32, end: u32 },
    /// Decides whether a counted loop goes on at the next address or at its exit.
    Count(Count),
    /// Fails when nothing was consumed since `start` was stored, unless the iteration is one of
    /// the mandatory ones of a counted loop.
    Progress { start: u32, counted: Option<Counted> },
    /// Consumes what the group with this pair of registers captured.
    BackReference { group: u32, direction: Direction },
    /// Starts a look-around; notes position and height of the stack in a pair of registers.
    /// A negative one goes on at the address when its body fails.
    Look { note: u32, refused: Option<u32> },
    /// The body of a look-around has matched.
    LookMatched { note: u32, negative: bool },
}

/// A unit, or a set of units by its index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Single {
    Unit(u16),
    Set(u32),
}

/// Which way a part of a pattern is matched (ECMA-262 §22.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// A quantified single unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) single: Single,
    pub(super) minimum: u32,
    pub(super) maximum: u32,
    pub(super) greedy: bool,
    pub(super) direction: Direction,
}

/// The head of a counted loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    pub(super) counted: Counted,
    pub(super) maximum: u32,
    pub(super) greedy: bool,
    pub(super) exit: u32,
}

/// A loop counter, and how many iterations are mandatory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) counter: u32,
    pub(super) minimum: u32,
}
