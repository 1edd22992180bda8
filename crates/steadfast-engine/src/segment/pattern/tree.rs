//! The syntax tree of a pattern, and the questions its shape alone can answer.

use super::class::UnitSet;

/// The count that stands for "no upper bound", and to which larger counts are clamped.
///
/// V8 uses the same number, which is why `a{3000000000,2999999999}` is valid there and here.
pub(super) const UNBOUNDED: u32 = 0x7FFF_FFFF;

/// A part of a pattern (ECMA-262 §22.2.1).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Matches the empty sequence.
    Empty,
    /// Matches one given unit.
    Unit(u16),
    /// Matches one unit of a set.
    Set(UnitSet),
    /// Matches all nodes, one after the other.
    Sequence(Vec<Node>),
    /// Matches any one of the nodes, earlier ones preferred.
    Alternation(Vec<Node>),
    /// A capturing group with its number, which starts at 1.
    Group(u32, Box<Node>),
    /// Matches what the group with this number captured last.
    BackReference(u32),
    /// Holds at some positions and consumes nothing.
    Assertion(Assertion),
    /// A look-ahead or look-behind.
    Look { behind: bool, negative: bool, body: Box<Node> },
    /// A quantified node.
    Repeat(Repeat),
}

/// A position test that needs no matching of its own (ECMA-262 §22.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    /// `^` without the `m` flag.
    Start,
    /// `$` without the `m` flag.
    End,
    /// `\b`
    WordBoundary,
    /// `\B`
    NotWordBoundary,
}

/// A quantified node (ECMA-262 §22.2.2.3).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repeat {
    pub(super) body: Box<Node>,
    pub(super) minimum: u32,
    /// [`UNBOUNDED`] when there is no upper bound.
    pub(super) maximum: u32,
    pub(super) greedy: bool,
    /// The number of the first group inside the body, should there be one.
    pub(super) first_group: u32,
    /// How many capturing groups the body holds.
    pub(super) group_count: u32,
}

impl Node {
    /// Returns one node for the nodes in order, without a wrapper that is not needed.
    pub(super) fn sequence(mut nodes: Vec<Node>) -> Node {
        match nodes.len() {
            0 => Node::Empty,
            1 => nodes.pop().unwrap_or(Node::Empty),
            _ => Node::Sequence(nodes),
        }
    }

    /// Says whether the node can match the empty sequence. May say yes when it cannot.
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Node::Empty | Node::BackReference(_) | Node::Assertion(_) | Node::Look { .. } => true,
            Node::Unit(_) | Node::Set(_) => false,
            Node::Sequence(nodes) => nodes.iter().all(Node::may_be_empty),
            Node::Alternation(nodes) => nodes.iter().any(Node::may_be_empty),
            Node::Group(_, body) => body.may_be_empty(),
            Node::Repeat(repeat) => repeat.minimum == 0 || repeat.body.may_be_empty(),
        }
    }

    /// Says whether the node can match nothing but the empty sequence. May say no when it is so.
    pub(super) fn is_always_empty(&self) -> bool {
        match self {
            Node::Empty | Node::Assertion(_) | Node::Look { .. } => true,
            Node::Unit(_) | Node::Set(_) | Node::BackReference(_) => false,
            Node::Sequence(nodes) | Node::Alternation(nodes) => nodes.iter().all(Node::is_always_empty),
            Node::Group(_, body) => body.is_always_empty(),
            Node::Repeat(repeat) => repeat.maximum == 0 || repeat.body.is_always_empty(),
        }
    }

    /// Says whether the node can match at offset 0 only.
    pub(super) fn is_anchored(&self) -> bool {
        match self {
            Node::Assertion(Assertion::Start) => true,
            // Matching moves forward, so a `^` further on holds no earlier than the first one.
            Node::Sequence(nodes) => nodes.iter().any(Node::is_anchored),
            Node::Alternation(nodes) => nodes.iter().all(Node::is_anchored),
            Node::Group(_, body) => body.is_anchored(),
            Node::Repeat(repeat) => repeat.minimum > 0 && repeat.body.is_anchored(),
            _ => false,
        }
    }

    /// Returns the units a match of the node can start with, or nothing when any unit, or none
    /// at all, will do.
    pub(super) fn first_units(&self) -> Option<UnitSet> {
        let mut ranges = Vec::new();
        let may_be_empty = self.add_first_units(&mut ranges);
        (!may_be_empty).then(|| UnitSet::new(ranges))
    }

    /// Adds the units a match can start with; returns whether it can also start with none.
    fn add_first_units(&self, ranges: &mut Vec<(u16, u16)>) -> bool {
        match self {
            Node::Empty | Node::Assertion(_) | Node::Look { .. } => true,
            Node::Unit(unit) => {
                ranges.push((*unit, *unit));
                false
            }
            Node::Set(set) => {
                ranges.extend(set.ranges());
                false
            }
            Node::Sequence(nodes) => nodes.iter().all(|node| node.add_first_units(ranges)),
            Node::Alternation(nodes) => nodes.iter().fold(false, |empty, node| node.add_first_units(ranges) | empty),
            Node::Group(_, body) => body.add_first_units(ranges),
            Node::BackReference(_) => {
                ranges.push((0, u16::MAX));
                true
            }
            Node::Repeat(repeat) if repeat.maximum == 0 => true,
            Node::Repeat(repeat) => repeat.body.add_first_units(ranges) | (repeat.minimum == 0),
        }
    }

    /// Calls `note` with the number of each group some back-reference names.
    pub(super) fn each_back_reference(&self, note: &mut impl FnMut(u32)) {
        match self {
            Node::Empty | Node::Unit(_) | Node::Set(_) | Node::Assertion(_) => {}
            Node::Sequence(nodes) | Node::Alternation(nodes) => {
                for node in nodes {
                    node.each_back_reference(note);
                }
            }
            Node::Group(_, body) | Node::Look { body, .. } => body.each_back_reference(note),
            Node::BackReference(group) => note(*group),
            Node::Repeat(repeat) => repeat.body.each_back_reference(note),
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

    #[test]
    fn emptiness_follows_the_shape() {
        for source in ["", "a*", "(?=a)", "a|", "()", "(a)?b*", "\\b"] {
            assert!(tree(source).may_be_empty(), "{source}");
        }
        for source in ["a", "a*b", "[]", "(a|b)+", "."] {
            assert!(!tree(source).may_be_empty(), "{source}");
        }
        assert!(tree("(?:^|(?=a)|())").is_always_empty());
        assert!(!tree("a?").is_always_empty());
    }

    #[test]
    fn anchoring_needs_the_start_in_every_alternative() {
        for source in ["^a", "(^a|^b)c", "a^", "(?:^a){2}"] {
            assert!(tree(source).is_anchored(), "{source}");
        }
        for source in ["a", "^a|b", "(?:^a)?b", "(?<=^a)b", "(?!^)a"] {
            assert!(!tree(source).is_anchored(), "{source}");
        }
    }

    #[test]
    fn first_units_pass_over_what_may_be_empty() {
        let first = |source: &str| tree(source).first_units().map(|set| set.ranges().to_vec());
        assert_eq!(first("a*b"), Some(vec![(97, 98)]));
        assert_eq!(first("(?=x)(a|c)d"), Some(vec![(97, 97), (99, 99)]));
        assert_eq!(first("[]"), Some(vec![]));
        assert_eq!(first("a*"), None);
        assert_eq!(first("a{0}b"), Some(vec![(98, 98)]));
        assert_eq!(first("\\1b(a)"), Some(vec![(0, u16::MAX)]));
    }
}
