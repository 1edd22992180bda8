//! From the syntax tree of a pattern to its program.
//!
//! A quantifier becomes a loop with a counter and is never unrolled, so a program is about as
//! long as its pattern. Only what can change the outcome is kept: a group nothing refers to
//! leaves no instruction behind.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::class::UnitSet;
use super::program::{Count, Counted, Direction, Instruction, Program, Run, Single, Starts};
use super::tree::{Node, Repeat, UNBOUNDED};

/// Returns the program for a syntax tree.
pub(super) fn compile(tree: &Node) -> Program {
    let mut tracked = BTreeSet::new();
    tree.each_back_reference(&mut |group| {
        tracked.insert(group);
    });
    let tracked: Vec<u32> = tracked.into_iter().collect();
    let mut compiler = Compiler {
        instructions: Vec::new(),
        sets: Vec::new(),
        set_indices: HashMap::new(),
        register_count: index(tracked.len() * 2),
        tracked,
    };
    compiler.emit(tree, Direction::Forward);
    compiler.instructions.push(Instruction::Accept);
    let starts =
        Starts { anchored: tree.is_anchored(), first: tree.first_units(), leading_run: compiler.leading_run(tree) };
    Program {
        instructions: compiler.instructions,
        sets: compiler.sets,
        register_count: compiler.register_count as usize,
        starts,
    }
}

#[derive(Debug)]
struct Compiler {
    instructions: Vec<Instruction>,
    sets: Vec<UnitSet>,
    set_indices: HashMap<UnitSet, u32>,
    /// The groups some back-reference names, sorted. The one at index `i` captures into the
    /// registers `2 * i` (start) and `2 * i + 1` (end).
    tracked: Vec<u32>,
    register_count: u32,
}

impl Compiler {
    fn emit(&mut self, node: &Node, direction: Direction) {
        match node {
            Node::Empty => {}
            Node::Unit(unit) => self.push(Instruction::Consume(Single::Unit(*unit), direction)),
            Node::Set(set) => {
                let single = self.single(set);
                self.push(Instruction::Consume(single, direction));
            }
            Node::Sequence(nodes) if direction == Direction::Forward => {
                nodes.iter().for_each(|node| self.emit(node, direction));
            }
            Node::Sequence(nodes) => {
                nodes.iter().rev().for_each(|node| self.emit(node, direction));
            }
            Node::Alternation(nodes) => self.emit_alternation(nodes, direction),
            Node::Group(number, body) => self.emit_group(*number, body, direction),
            Node::BackReference(number) => {
                if let Some(group) = self.start_register(*number) {
                    self.push(Instruction::BackReference { group, direction });
                }
            }
            Node::Assertion(assertion) => self.push(Instruction::Assert(*assertion)),
            Node::Look { behind, negative, body } => self.emit_look(*behind, *negative, body),
            Node::Repeat(repeat) => self.emit_repeat(repeat, direction),
        }
    }

    fn emit_alternation(&mut self, nodes: &[Node], direction: Direction) {
        let Some((last, earlier)) = nodes.split_last() else {
            return;
        };
        let mut jumps = Vec::new();
        for node in earlier {
            let fork = self.reserve();
            self.emit(node, direction);
            jumps.push(self.reserve());
            self.instructions[fork as usize] = Instruction::Fork { preferred: fork + 1, other: self.next_address() };
        }
        self.emit(last, direction);
        for jump in jumps {
            self.instructions[jump as usize] = Instruction::Jump(self.next_address());
        }
    }

    fn emit_group(&mut self, number: u32, body: &Node, direction: Direction) {
        let Some(start) = self.start_register(number) else {
            return self.emit(body, direction);
        };
        // No reference can see the group half captured: those inside it are compiled away.
        let (before, after) = match direction {
            Direction::Forward => (start, start + 1),
            Direction::Backward => (start + 1, start),
        };
        self.push(Instruction::Save(before));
        self.emit(body, direction);
        self.push(Instruction::Save(after));
    }

    fn emit_look(&mut self, behind: bool, negative: bool, body: &Node) {
        let direction = if behind { Direction::Backward } else { Direction::Forward };
        let note = self.new_register();
        self.new_register();
        let look = self.reserve();
        self.emit(body, direction);
        self.push(Instruction::LookMatched { note, negative });
        let refused = negative.then(|| self.next_address());
        self.instructions[look as usize] = Instruction::Look { note, refused };
    }

    fn emit_repeat(&mut self, repeat: &Repeat, direction: Direction) {
        let (minimum, maximum) = (repeat.minimum, repeat.maximum);
        let body = repeat.body.as_ref();
        if maximum == 0 {
            return;
        }
        if body.is_always_empty() {
            // All iterations end where they start. Optional ones then fail the emptiness check,
            // and mandatory ones can do no more than the last of them.
            if minimum > 0 {
                self.emit(body, direction);
            }
            return;
        }
        if (minimum, maximum) == (1, 1) {
            return self.emit(body, direction);
        }
        if let Some(set) = self.single_units(body) {
            let single = self.single(&set);
            return self.push(Instruction::Run(Run { single, minimum, maximum, greedy: repeat.greedy, direction }));
        }
        match (minimum, maximum) {
            (0, 1 | UNBOUNDED) => {
                let head = self.reserve();
                self.emit_iteration(repeat, None, direction);
                if maximum != 1 {
                    self.push(Instruction::Jump(head));
                }
                self.instructions[head as usize] = self.fork(repeat, head + 1);
            }
            (1, UNBOUNDED) if !body.may_be_empty() => {
                let head = self.next_address();
                self.emit_iteration(repeat, None, direction);
                let fork = self.reserve();
                self.instructions[fork as usize] = self.fork(repeat, head);
            }
            _ => self.emit_counted(repeat, direction),
        }
    }

    fn emit_counted(&mut self, repeat: &Repeat, direction: Direction) {
        let counter = self.new_register();
        let counted = Counted { counter, minimum: repeat.minimum };
        self.push(Instruction::Zero(counter));
        let head = self.reserve();
        self.push(Instruction::Increment(counter));
        self.emit_iteration(repeat, Some(counted), direction);
        self.push(Instruction::Jump(head));
        self.instructions[head as usize] = Instruction::Count(Count {
            counted,
            maximum: repeat.maximum,
            greedy: repeat.greedy,
            exit: self.next_address(),
        });
    }

    /// Emits one iteration: groups inside it are reset (§22.2.2.3.1), and an optional iteration
    /// that consumes nothing fails.
    fn emit_iteration(&mut self, repeat: &Repeat, counted: Option<Counted>, direction: Direction) {
        let start = repeat.body.may_be_empty().then(|| self.new_register());
        if let Some(start) = start {
            self.push(Instruction::Save(start));
        }
        let captures = self.captures(repeat);
        // A loop that runs once finds the groups unset: a loop around it has reset them.
        if repeat.maximum > 1 && !captures.is_empty() {
            self.push(Instruction::Unset { first: captures.start, end: captures.end });
        }
        self.emit(&repeat.body, direction);
        if let Some(start) = start {
            self.push(Instruction::Progress { start, counted });
        }
    }

    /// Returns the fork between one more iteration and the address that is emitted next.
    fn fork(&self, repeat: &Repeat, iteration: u32) -> Instruction {
        let exit = self.next_address();
        if repeat.greedy {
            Instruction::Fork { preferred: iteration, other: exit }
        } else {
            Instruction::Fork { preferred: exit, other: iteration }
        }
    }

    /// Returns the registers of the tracked groups inside the loop.
    fn captures(&self, repeat: &Repeat) -> Range<u32> {
        let end_group = repeat.first_group + repeat.group_count;
        let slot = |bound: u32| index(self.tracked.partition_point(|&group| group < bound));
        slot(repeat.first_group) * 2..slot(end_group) * 2
    }

    fn start_register(&self, group: u32) -> Option<u32> {
        let slot = self.tracked.binary_search(&group).ok()?;
        Some(index(slot) * 2)
    }

    /// Returns the units of a node that always consumes exactly one and captures nothing.
    fn single_units(&self, node: &Node) -> Option<UnitSet> {
        match node {
            Node::Unit(unit) => Some(UnitSet::of(*unit)),
            Node::Set(set) => Some(set.clone()),
            Node::Group(number, body) if self.start_register(*number).is_none() => self.single_units(body),
            Node::Alternation(nodes) => {
                let mut ranges = Vec::new();
                for node in nodes {
                    ranges.extend(self.single_units(node)?.ranges());
                }
                Some(UnitSet::new(ranges))
            }
            _ => None,
        }
    }

    fn leading_run(&self, node: &Node) -> Option<UnitSet> {
        match node {
            Node::Sequence(nodes) => self.leading_run(nodes.first()?),
            Node::Group(number, body) if self.start_register(*number).is_none() => self.leading_run(body),
            Node::Repeat(repeat) if repeat.maximum == UNBOUNDED => self.single_units(&repeat.body),
            _ => None,
        }
    }

    fn single(&mut self, set: &UnitSet) -> Single {
        if let Some(unit) = set.only() {
            return Single::Unit(unit);
        }
        if let Some(&known) = self.set_indices.get(set) {
            return Single::Set(known);
        }
        let new = index(self.sets.len());
        self.sets.push(set.clone());
        self.set_indices.insert(set.clone(), new);
        Single::Set(new)
    }

    fn new_register(&mut self) -> u32 {
        self.register_count += 1;
        self.register_count - 1
    }

    fn next_address(&self) -> u32 {
        index(self.instructions.len())
    }

    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }

    /// Makes room for an instruction whose targets are not known yet.
    fn reserve(&mut self) -> u32 {
        let address = self.next_address();
        self.push(Instruction::Jump(address + 1));
        address
    }
}

/// The limit on the length of a pattern keeps every index far below the bound.
fn index(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn program(source: &str) -> Program {
        compile(&parse(source).expect("the pattern is valid"))
    }

    #[test]
    fn repetitions_are_not_unrolled() {
        for source in ["(a{1000}){1000}", "(?:ab){0,65535}", "a{0,65535}", "((a|bc){9}){9}"] {
            let count = program(source).instructions.len();
            assert!(count < 16, "{source} took {count} instructions");
        }
    }

    #[test]
    fn only_groups_that_are_referred_to_take_registers() {
        assert_eq!(program("(a)(b)(?<n>c)(d)+").register_count, 0);
        assert_eq!(program("(a)(b)\\2").register_count, 2);
        assert_eq!(program("(a\\1)").register_count, 0);
    }

    #[test]
    fn a_loop_over_single_units_is_one_instruction() {
        for source in ["a*", "(a)+", "[a-z]{2,3}?", "(?:a|[bc]|(d))*", "\\d{4}"] {
            assert_eq!(program(source).instructions.len(), 2, "{source}");
        }
    }

    #[test]
    fn equal_sets_are_kept_once() {
        assert_eq!(program("\\d\\d[0-9]..x[x]").sets.len(), 2);
    }

    #[test]
    fn a_leading_run_spares_offsets_only_outside_a_tracked_group() {
        let run = |source: &str| program(source).starts.leading_run.is_some();
        assert!(run(".*a") && run("\\s+$") && run("(a{3,})b") && run("a*?b"));
        assert!(!run("(a*)\\1") && !run("a{0,9}b") && !run("a*|b") && !run("xa*"));
    }
}
