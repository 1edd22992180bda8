//! The matcher: runs a program over a text, step by step, with an explicit stack.

use super::class::{UnitSet, is_word};
use super::machine::{Exhausted, Frame, Machine, UNSET, moved};
use super::program::{Count, Direction, Instruction, Program, Run, Single};
use super::text::Units;
use super::tree::{Assertion, UNBOUNDED};

/// Says whether the program matches anywhere in the text.
///
/// # Errors
///
/// [`Exhausted`] when more than `steps` steps would be needed, more than [`FRAME_LIMIT`] ways
/// back would have to be kept, or the text is too long for 31-bit offsets.
pub(super) fn search(program: &Program, text: &str, steps: u64) -> Result<bool, Exhausted> {
    if text.is_ascii() {
        Machine::new(program, text.as_bytes(), steps).search()
    } else {
        let units: Vec<u16> = text.encode_utf16().collect();
        Machine::new(program, units.as_slice(), steps).search()
    }
}

impl<'program, Text: Units> Machine<'program, Text> {
    fn search(&mut self) -> Result<bool, Exhausted> {
        let length = match u32::try_from(self.text.length()) {
            Ok(length) if length < UNBOUNDED => length,
            _ => return Err(Exhausted),
        };
        let last_start = if self.program.starts.anchored { 0 } else { length };
        for start in 0..=last_start {
            self.spend(1)?;
            if self.may_start(start) && self.attempt(start)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    fn may_start(&self, start: u32) -> bool {
        let starts = &self.program.starts;
        let holds = |set: &UnitSet, unit: Option<u16>| unit.is_some_and(|unit| set.contains(unit));
        if let Some(first) = &starts.first
            && !holds(first, self.text.at(start))
        {
            return false;
        }
        match &starts.leading_run {
            Some(run) => !holds(run, self.unit(start, Direction::Backward)),
            None => true,
        }
    }

    /// Says whether the program matches from `start` on.
    fn attempt(&mut self, start: u32) -> Result<bool, Exhausted> {
        self.position = start;
        let mut address = 0;
        loop {
            self.spend(1)?;
            let instruction = self.program.instructions[address as usize];
            if instruction == Instruction::Accept {
                return Ok(true);
            }
            address = match self.execute(instruction, address)? {
                Some(next) => next,
                None => match self.backtrack()? {
                    Some(next) => next,
                    None => return Ok(false),
                },
            };
        }
    }

    /// Returns the address to go on at, or nothing when the instruction fails.
    #[inline]
    fn execute(&mut self, instruction: Instruction, address: u32) -> Result<Option<u32>, Exhausted> {
        let next = Some(address + 1);
        match instruction {
            Instruction::Accept => {}
            Instruction::Consume(single, direction) => {
                if self.count_units(single, 1, direction) == 0 {
                    return Ok(None);
                }
                self.position = moved(self.position, 1, direction);
            }
            Instruction::Run(run) => {
                let matched = self.run(run, address)?;
                return Ok(next.filter(|_| matched));
            }
            Instruction::Fork { preferred, other } => {
                self.push_branch(other)?;
                return Ok(Some(preferred));
            }
            Instruction::Jump(target) => return Ok(Some(target)),
            Instruction::Assert(assertion) => return Ok(next.filter(|_| self.holds(assertion))),
            Instruction::Save(register) => self.set(register, self.position)?,
            Instruction::Zero(register) => self.set(register, 0)?,
            Instruction::Increment(register) => {
                self.set(register, self.register(register).saturating_add(1))?;
            }
            Instruction::Unset { first, end } => {
                self.spend(u64::from(end - first))?;
                for register in first..end {
                    if self.register(register) != UNSET {
                        self.set(register, UNSET)?;
                    }
                }
            }
            Instruction::Count(count) => return self.count(count, address + 1).map(Some),
            Instruction::Progress { start, counted } => {
                let optional = counted.is_none_or(|c| self.register(c.counter) > c.minimum);
                if optional && self.register(start) == self.position {
                    return Ok(None);
                }
            }
            Instruction::BackReference { group, direction } => {
                let matched = self.repeat_capture(group, direction)?;
                return Ok(next.filter(|_| matched));
            }
            Instruction::Look { note, refused } => {
                self.registers[note as usize] = self.position;
                self.registers[note as usize + 1] = u32::try_from(self.frames.len()).map_err(|_| Exhausted)?;
                if let Some(refused) = refused {
                    self.push_branch(refused)?;
                }
            }
            Instruction::LookMatched { note, negative } => {
                self.leave_look(note, negative)?;
                return Ok(next.filter(|_| !negative));
            }
        }
        Ok(next)
    }

    /// Returns the address to go on at, or nothing when there is no way back left.
    fn backtrack(&mut self) -> Result<Option<u32>, Exhausted> {
        while let Some(frame) = self.frames.pop() {
            self.spend(1)?;
            match frame {
                Frame::Restore { register, value } => self.registers[register as usize] = value,
                Frame::Branch { address, position } => {
                    self.position = position;
                    return Ok(Some(address));
                }
                Frame::Shrink { address, position, spare, direction } => {
                    if self.shrink(address, position, spare, direction)? {
                        return Ok(Some(address + 1));
                    }
                }
                Frame::Grow { address, position, room } => {
                    if self.grow(address, position, room)? {
                        return Ok(Some(address + 1));
                    }
                }
            }
        }
        Ok(None)
    }

    fn run(&mut self, run: Run, address: u32) -> Result<bool, Exhausted> {
        let limit = if run.greedy { run.maximum } else { run.minimum };
        let count = self.count_units(run.single, limit, run.direction);
        self.spend(u64::from(count))?;
        if count < run.minimum {
            return Ok(false);
        }
        self.position = moved(self.position, count, run.direction);
        let position = self.position;
        if !run.greedy {
            let room = run.maximum - run.minimum;
            self.push_grow(address, position, room)?;
        } else if count > run.minimum {
            self.push(Frame::Shrink { address, position, spare: count - run.minimum, direction: run.direction })?;
        }
        Ok(true)
    }

    /// Gives back units until the instruction after the run can go on, should it ask for one
    /// certain unit. Says whether there was such a place.
    fn shrink(
        &mut self,
        address: u32,
        mut position: u32,
        mut spare: u32,
        direction: Direction,
    ) -> Result<bool, Exhausted> {
        let wanted = match self.program.instructions[address as usize + 1] {
            Instruction::Consume(Single::Unit(unit), _) => Some(unit),
            _ => None,
        };
        while spare > 0 {
            self.spend(1)?;
            spare -= 1;
            position = match direction {
                Direction::Forward => position - 1,
                Direction::Backward => position + 1,
            };
            if wanted.is_none() || self.unit(position, direction) == wanted {
                self.position = position;
                if spare > 0 {
                    self.push(Frame::Shrink { address, position, spare, direction })?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn grow(&mut self, address: u32, position: u32, room: u32) -> Result<bool, Exhausted> {
        let Instruction::Run(run) = self.program.instructions[address as usize] else {
            return Ok(false);
        };
        self.position = position;
        if self.count_units(run.single, 1, run.direction) == 0 {
            return Ok(false);
        }
        self.position = moved(position, 1, run.direction);
        self.push_grow(address, self.position, room - 1)?;
        Ok(true)
    }

    /// Returns where a counted loop goes on (§22.2.2.3.1, RepeatMatcher).
    fn count(&mut self, count: Count, iteration: u32) -> Result<u32, Exhausted> {
        let done = self.register(count.counted.counter);
        if done < count.counted.minimum {
            Ok(iteration)
        } else if done >= count.maximum && count.maximum != UNBOUNDED {
            Ok(count.exit)
        } else if count.greedy {
            self.push_branch(count.exit)?;
            Ok(iteration)
        } else {
            self.push_branch(iteration)?;
            Ok(count.exit)
        }
    }

    /// Consumes what a group captured (§22.2.2.7.2, BackreferenceMatcher); a group that has
    /// captured nothing matches empty.
    fn repeat_capture(&mut self, group: u32, direction: Direction) -> Result<bool, Exhausted> {
        let (start, end) = (self.register(group), self.register(group + 1));
        if start == UNSET || end == UNSET {
            return Ok(true);
        }
        let length = end - start;
        let from = match direction {
            Direction::Forward => Some(self.position),
            Direction::Backward => self.position.checked_sub(length),
        };
        let Some(from) = from else {
            return Ok(false);
        };
        for offset in 0..length {
            self.spend(1)?;
            let captured = self.text.at(start + offset);
            if self.text.at(from + offset) != captured {
                return Ok(false);
            }
        }
        self.position = moved(self.position, length, direction);
        Ok(true)
    }

    /// Ends a look-around whose body has matched: there is no way back into it (§22.2.2.4).
    fn leave_look(&mut self, note: u32, negative: bool) -> Result<(), Exhausted> {
        self.position = self.registers[note as usize];
        let height = self.registers[note as usize + 1] as usize;
        self.spend((self.frames.len() - height) as u64)?;
        if negative {
            for frame in self.frames.drain(height..).rev() {
                if let Frame::Restore { register, value } = frame {
                    self.registers[register as usize] = value;
                }
            }
            return Ok(());
        }
        // What the body captured stays, so what undoes it has to stay too.
        let mut kept = height;
        for index in height..self.frames.len() {
            if matches!(self.frames[index], Frame::Restore { .. }) {
                self.frames[kept] = self.frames[index];
                kept += 1;
            }
        }
        self.frames.truncate(kept);
        Ok(())
    }

    fn holds(&self, assertion: Assertion) -> bool {
        match assertion {
            Assertion::Start => self.position == 0,
            Assertion::End => self.text.at(self.position).is_none(),
            Assertion::WordBoundary => self.is_at_boundary(),
            Assertion::NotWordBoundary => !self.is_at_boundary(),
        }
    }

    fn is_at_boundary(&self) -> bool {
        let is_word_at = |direction| self.unit(self.position, direction).is_some_and(is_word);
        is_word_at(Direction::Backward) != is_word_at(Direction::Forward)
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile::compile;
    use super::super::parse::parse;
    use super::*;

    fn program(source: &str) -> Program {
        compile(&parse(source).expect("the pattern is valid"))
    }

    #[test]
    fn both_ways_to_keep_a_text_give_the_same_answer() {
        let sources = ["(a|b)+\\1c", "(?<=ab*)c", "^\\w+?\\b", "[^a]{2}$", "(?!a)\\d*x"];
        for source in sources {
            let program = program(source);
            for text in ["", "abbc", "aac", "x12", "a 12x", "c"] {
                let units: Vec<u16> = text.encode_utf16().collect();
                for steps in 0..100 {
                    let bytes = Machine::new(&program, text.as_bytes(), steps).search();
                    let wide = Machine::new(&program, units.as_slice(), steps).search();
                    assert_eq!(bytes, wide, "{source} on {text:?} with {steps} steps");
                }
            }
        }
    }

    #[test]
    fn a_failed_attempt_leaves_nothing_behind() {
        let program = program("(?:(?=(a+))(?<!(\\1b)x)(?:\\1|ab){1,3}){2}\\2c");
        let text: Vec<u16> = "aabaab".encode_utf16().collect();
        let mut machine = Machine::new(&program, text.as_slice(), 10_000);
        assert_eq!(machine.attempt(0), Ok(false));
        assert!(machine.frames.is_empty());
        let captures = &machine.registers[..4];
        assert_eq!(captures, [UNSET; 4]);
    }

    #[test]
    fn offsets_that_cannot_match_cost_one_step() {
        let text = "b".repeat(99);
        assert_eq!(search(&program("a"), &text, 100), Ok(false));
        assert_eq!(search(&program("^b*a"), "", 10), Ok(false));
        assert_eq!(search(&program("b*a"), &text, 400), Ok(false));
        assert_eq!(search(&program("^a"), &text, 2), Ok(false));
    }
}
