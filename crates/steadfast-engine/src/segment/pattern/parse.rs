//! From the source of a pattern to its syntax tree (ECMA-262 §22.2.1 with annex B.1.2).

use std::collections::HashMap;

use super::PatternError;
use super::class::UnitSet;
use super::identifier::group_name;
use super::source::Source;
use super::tree::{Assertion, Node, Repeat, UNBOUNDED};

/// How deep groups may be nested. The parser and the compiler recurse once for each level.
const NESTING_LIMIT: usize = 128;

/// How many capturing groups a pattern may have; V8 has the same limit.
const GROUP_LIMIT: u32 = 32_767;

/// How many units a pattern may have, so that program addresses fit 32 bits.
const LENGTH_LIMIT: usize = 1 << 24;

/// Returns the syntax tree of a pattern without flags that change its syntax.
///
/// # Errors
///
/// When the source does not match the grammar of annex B.1.2, breaks an early error rule
/// (§22.2.1.1), or passes the limit on nesting, on groups or on length.
pub(super) fn parse(source: &str) -> Result<Node, PatternError> {
    let source = Source::new(source);
    if source.len() > LENGTH_LIMIT {
        return Err(PatternError::new("longer than 16777216 units", LENGTH_LIMIT));
    }
    let mut parser = Parser::new(source);
    let tree = parser.disjunction()?;
    if parser.source.is_at_end() { Ok(tree) } else { Err(parser.source.error("unmatched ')'")) }
}

/// The state of parsing one pattern.
#[derive(Debug)]
pub(super) struct Parser {
    pub(super) source: Source,
    /// The groups that have a name, by the first group of each name. Known before parsing
    /// starts, because a reference may come before its group.
    pub(super) names: HashMap<String, u32>,
    /// Says whether any group has a name, which gives `\k` its meaning.
    pub(super) has_names: bool,
    /// How many capturing groups the whole pattern has, known before parsing starts.
    pub(super) group_count: u32,
    /// How many capturing groups have been opened so far.
    opened: u32,
    /// The capturing groups that have been opened and not closed.
    enclosing: Vec<u32>,
    nesting: usize,
}

/// A node, and whether a quantifier may follow it.
pub(super) type Term = (Node, bool);

impl Parser {
    fn new(source: Source) -> Self {
        let mut parser = Self {
            source,
            names: HashMap::new(),
            has_names: false,
            group_count: 0,
            opened: 0,
            enclosing: Vec::new(),
            nesting: 0,
        };
        parser.survey_groups();
        parser
    }

    /// Counts the groups and collects their names; an invalid name is left to the real parse.
    fn survey_groups(&mut self) {
        let mut in_class = false;
        while let Some(unit) = self.source.next_unit() {
            match u8::try_from(unit) {
                Ok(b'\\') => drop(self.source.next_unit()),
                Ok(b'[') => in_class = true,
                Ok(b']') => in_class = false,
                Ok(b'(') if !in_class => self.survey_group(),
                _ => {}
            }
        }
        self.source.rewind(0);
    }

    fn survey_group(&mut self) {
        let named = self.source.eat_all(b"?<");
        if named && matches!(self.source.byte(0), Some(b'=' | b'!')) || !named && self.source.byte(0) == Some(b'?') {
            return;
        }
        self.group_count = self.group_count.saturating_add(1);
        if named {
            self.has_names = true;
            let start = self.source.offset();
            match group_name(&mut self.source) {
                Ok(name) => {
                    self.names.entry(name).or_insert(self.group_count);
                }
                Err(_) => self.source.rewind(start),
            }
        }
    }

    fn disjunction(&mut self) -> Result<Node, PatternError> {
        let mut alternatives = vec![self.alternative()?];
        while self.source.eat(b'|') {
            alternatives.push(self.alternative()?);
        }
        Ok(match alternatives.len() {
            1 => Node::sequence(alternatives),
            _ => Node::Alternation(alternatives),
        })
    }

    fn alternative(&mut self) -> Result<Node, PatternError> {
        let mut terms = Vec::new();
        while !self.source.is_at_end() && !matches!(self.source.byte(0), Some(b'|' | b')')) {
            terms.push(self.term()?);
        }
        Ok(Node::sequence(terms))
    }

    fn term(&mut self) -> Result<Node, PatternError> {
        let groups_before = self.opened;
        let (body, quantifiable) = self.atom()?;
        if !quantifiable {
            return Ok(body);
        }
        let Some((minimum, maximum)) = self.quantifier()? else {
            return Ok(body);
        };
        Ok(Node::Repeat(Repeat {
            body: Box::new(body),
            minimum,
            maximum,
            greedy: !self.source.eat(b'?'),
            first_group: groups_before + 1,
            group_count: self.opened - groups_before,
        }))
    }

    fn atom(&mut self) -> Result<Term, PatternError> {
        let start = self.source.offset();
        let Some(unit) = self.source.next_unit() else {
            return Ok((Node::Empty, false));
        };
        let node = match u8::try_from(unit) {
            Ok(b'^') => return Ok((Node::Assertion(Assertion::Start), false)),
            Ok(b'$') => return Ok((Node::Assertion(Assertion::End), false)),
            Ok(b'(') => return self.group(start),
            Ok(b'\\') => return self.atom_escape(start),
            Ok(b'*' | b'+' | b'?') => return Err(PatternError::new(NOTHING_TO_REPEAT, start)),
            Ok(b'{') => {
                // Annex B.1.2: a brace is itself, unless it reads as a quantifier.
                self.source.rewind(start);
                if self.braces().is_some() {
                    return Err(PatternError::new(NOTHING_TO_REPEAT, start));
                }
                self.source.next_unit();
                Node::Unit(unit)
            }
            Ok(b'.') => Node::Set(UnitSet::dot()),
            Ok(b'[') => self.class(start)?,
            _ => Node::Unit(unit),
        };
        Ok((node, true))
    }

    /// Reads a group, whose `(` at offset `start` has been read.
    fn group(&mut self, start: usize) -> Result<Term, PatternError> {
        if self.nesting == NESTING_LIMIT {
            return Err(PatternError::new("nested deeper than 128 groups", start));
        }
        self.nesting += 1;
        let term = if self.source.eat_all(b"?:") {
            (self.group_body(start)?, true)
        } else if self.source.eat_all(b"?=") {
            (self.look(start, false, false)?, true)
        } else if self.source.eat_all(b"?!") {
            (self.look(start, false, true)?, true)
        } else if self.source.eat_all(b"?<=") {
            (self.look(start, true, false)?, false)
        } else if self.source.eat_all(b"?<!") {
            (self.look(start, true, true)?, false)
        } else {
            (self.capturing_group(start)?, true)
        };
        self.nesting -= 1;
        Ok(term)
    }

    fn look(&mut self, start: usize, behind: bool, negative: bool) -> Result<Node, PatternError> {
        Ok(Node::Look { behind, negative, body: Box::new(self.group_body(start)?) })
    }

    fn capturing_group(&mut self, start: usize) -> Result<Node, PatternError> {
        if self.opened == GROUP_LIMIT {
            return Err(PatternError::new("more than 32767 groups", start));
        }
        self.opened += 1;
        let number = self.opened;
        if self.source.eat_all(b"?<") {
            let name_start = self.source.offset();
            let name = group_name(&mut self.source)?;
            if self.names.get(&name) != Some(&number) {
                let problem = "duplicate capture group name";
                return Err(PatternError::new(problem, name_start));
            }
        } else if self.source.byte(0) == Some(b'?') {
            return Err(PatternError::new("invalid group", start));
        }
        self.enclosing.push(number);
        let body = self.group_body(start)?;
        self.enclosing.pop();
        Ok(Node::Group(number, Box::new(body)))
    }

    fn group_body(&mut self, start: usize) -> Result<Node, PatternError> {
        let body = self.disjunction()?;
        if self.source.eat(b')') { Ok(body) } else { Err(PatternError::new("unterminated group", start)) }
    }

    /// Returns the node for a reference to the group with this number.
    ///
    /// Inside its own group a reference always matches empty: the group has not captured yet,
    /// and what it captured in an earlier iteration has been reset (§22.2.2.3.1).
    pub(super) fn back_reference(&self, group: u32) -> Node {
        if self.enclosing.contains(&group) { Node::Empty } else { Node::BackReference(group) }
    }

    fn quantifier(&mut self) -> Result<Option<(u32, u32)>, PatternError> {
        let start = self.source.offset();
        let counts = match self.source.byte(0) {
            Some(b'*') => (0, UNBOUNDED),
            Some(b'+') => (1, UNBOUNDED),
            Some(b'?') => (0, 1),
            Some(b'{') => {
                let counts = self.braces();
                if counts.is_some_and(|(minimum, maximum)| minimum > maximum) {
                    let problem = "numbers out of order in quantifier";
                    return Err(PatternError::new(problem, start));
                }
                return Ok(counts);
            }
            _ => return Ok(None),
        };
        self.source.next_unit();
        Ok(Some(counts))
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`, or nothing at all when something else comes next.
    fn braces(&mut self) -> Option<(u32, u32)> {
        let start = self.source.offset();
        let counts = self.brace_counts();
        if counts.is_none() {
            self.source.rewind(start);
        }
        counts
    }

    fn brace_counts(&mut self) -> Option<(u32, u32)> {
        if !self.source.eat(b'{') {
            return None;
        }
        let minimum = self.count()?;
        let maximum = if !self.source.eat(b',') {
            minimum
        } else if self.source.byte(0) == Some(b'}') {
            UNBOUNDED
        } else {
            self.count()?
        };
        self.source.eat(b'}').then_some((minimum, maximum))
    }

    fn count(&mut self) -> Option<u32> {
        let mut count = u32::from(self.source.digit(10)?);
        while let Some(digit) = self.source.digit(10) {
            count = count.saturating_mul(10).saturating_add(u32::from(digit));
        }
        Some(count.min(UNBOUNDED))
    }
}

const NOTHING_TO_REPEAT: &str = "nothing to repeat";

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(source: &str) -> Node {
        parse(source).expect("the pattern is valid")
    }

    fn problem(source: &str) -> String {
        parse(source).expect_err(source).to_string()
    }

    fn counts(source: &str) -> (u32, u32, bool) {
        match tree(source) {
            Node::Repeat(repeat) => (repeat.minimum, repeat.maximum, repeat.greedy),
            other => panic!("{source} gave {other:?}"),
        }
    }

    #[test]
    fn quantifiers_give_their_counts() {
        assert_eq!(counts("a*"), (0, UNBOUNDED, true));
        assert_eq!(counts("a+?"), (1, UNBOUNDED, false));
        assert_eq!(counts("a??"), (0, 1, false));
        assert_eq!(counts("a{3}"), (3, 3, true));
        assert_eq!(counts("a{3,}?"), (3, UNBOUNDED, false));
        assert_eq!(counts("a{0,65535}"), (0, 65535, true));
        assert_eq!(counts("a{99999999999}"), (UNBOUNDED, UNBOUNDED, true));
        assert_eq!(counts("(?=a)*"), (0, UNBOUNDED, true));
        assert_eq!(counts("a{3000000000,2999999999}"), (UNBOUNDED, UNBOUNDED, true));
    }

    #[test]
    fn a_brace_that_is_no_quantifier_is_itself() {
        for source in ["{", "}", "]", "a{", "a{,5}", "a{1", "a{1,x}", "(?<=a){", "{}"] {
            assert!(parse(source).is_ok(), "{source}");
        }
        assert_eq!(counts("\\u{12}"), (12, 12, true));
    }

    #[test]
    fn errors_say_what_is_wrong_and_where() {
        for (source, expected) in [
            ("*", "nothing to repeat at offset 0"),
            ("a**", "nothing to repeat at offset 2"),
            ("a{1}{2}", "nothing to repeat at offset 4"),
            ("{2,1}", "nothing to repeat at offset 0"),
            ("^*", "nothing to repeat at offset 1"),
            ("\\b+", "nothing to repeat at offset 2"),
            ("(?<=a)*", "nothing to repeat at offset 6"),
            ("(?<!a){2}", "nothing to repeat at offset 6"),
            ("😀a{2,1}", "numbers out of order in quantifier at offset 3"),
            ("(?i)abc", "invalid group at offset 0"),
            ("(?", "invalid group at offset 0"),
            ("a(b", "unterminated group at offset 1"),
            ("a)b", "unmatched ')' at offset 1"),
            ("(?<n>a)|(?<n>b)", "duplicate capture group name at offset 11"),
            ("(?<1>a)", "invalid capture group name at offset 3"),
        ] {
            assert_eq!(problem(source), expected, "{source}");
        }
    }

    #[test]
    fn nesting_and_groups_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "(?:".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(128)).is_ok());
        assert_eq!(problem(&nested(129)), "nested deeper than 128 groups at offset 384");
        assert!(parse(&"(".repeat(1_000_000)).is_err());
        assert!(parse(&"()".repeat(32_767)).is_ok());
        assert!(parse(&"()".repeat(32_768)).is_err());
        assert!(parse(&"a".repeat(LENGTH_LIMIT + 1)).is_err());
    }

    #[test]
    fn a_reference_inside_its_group_is_empty() {
        let group = Node::Group(1, Box::new(Node::Empty));
        assert_eq!(tree("(\\1)"), group);
        assert_eq!(tree("(?<n>\\k<n>)"), group);
        let sequence = vec![Node::BackReference(1), Node::Group(1, Box::new(Node::Empty))];
        assert_eq!(tree("\\1()"), Node::Sequence(sequence));
    }

    #[test]
    fn groups_in_classes_and_escapes_do_not_count() {
        assert_eq!(Parser::new(Source::new("[(](\\((?:(?<=a(?<n>)")).group_count, 2);
        assert_eq!(Parser::new(Source::new("[\\](](?<n>)")).names.get("n"), Some(&1));
    }
}
