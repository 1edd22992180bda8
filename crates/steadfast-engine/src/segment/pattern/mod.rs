//! ECMAScript regular expressions with a bound on the work of a search.
//!
//! Documents that are written for other engines carry patterns in ECMAScript syntax, and users
//! decide what these patterns are. A search that tries every way to match can take time
//! exponential in the length of the text, so it must be possible to stop one. No published
//! crate has both the exact semantics and such a bound, hence this module.
//!
//! # Semantics
//!
//! A [`Pattern`] is what `new RegExp(source, "g")` makes of its source in ECMAScript 2024, and a
//! search is what `test` does from index 0: some part of the text has to match.
//!
//! - Text and pattern are sequences of UTF-16 code units, as without the `u` flag; a character
//!   outside the basic plane is two units (ECMA-262 §22.2.2.1).
//! - The flags `i`, `m`, `s`, `u` and `v` are off. Letter case counts, `^` and `$` hold at the
//!   ends of the text only, and `.` stops at line terminators.
//! - The grammar is that of §22.2.1 with the extensions for web browsers of annex B.1.2.
//! - Alternatives, quantifiers, look-around, groups and back-references match in the order of
//!   §22.2.2. A group is reset at each iteration of a loop around it, an optional iteration that
//!   consumes nothing fails (§22.2.2.3.1), and a look-behind is matched from right to left.
//! - Where the standard leaves room, the engine follows V8 as in Node.js 20: counts from
//!   2147483647 on mean "no bound", and a pattern has at most 32767 groups.
//!
//! # Bounds
//!
//! A search spends steps: one for each offset it tries to match at or passes over, each
//! instruction, each unit a loop or a back-reference consumes, and each way back it takes. It
//! gives up when its steps are spent, or when it would have to remember more than 2^20 ways back
//! (16 MiB). A text of 2^31 - 1 units or more is not searched at all.
//!
//! Groups nested deeper than 128 levels and patterns longer than 2^24 units are refused, although
//! ECMAScript allows them. With these bounds no input makes parsing recurse deeply. Quantifiers
//! are compiled to counted loops, so large counts cost nothing by themselves.

mod class;
mod compile;
mod escape;
mod identifier;
mod machine;
mod parse;
mod program;
mod search;
mod source;
mod text;
mod tree;

use std::fmt;
use std::sync::Arc;

use self::program::Program;

/// How many steps [`Pattern::search`] spends at most: some milliseconds of work.
///
/// Passing over an offset is a step, so a text longer than this is not searched to its end.
pub const STEP_LIMIT: u64 = 1_000_000;

/// A compiled pattern. Clones share their program.
#[derive(Clone, Debug)]
pub struct Pattern {
    program: Arc<Program>,
}

impl Pattern {
    /// Returns the pattern for an ECMAScript source (ECMA-262 §22.2.1, annex B.1.2).
    ///
    /// # Errors
    ///
    /// When `new RegExp(source, "g")` would throw a SyntaxError: the source does not match the
    /// grammar or breaks one of the early error rules of §22.2.1.1. Also when the source passes
    /// one of the bounds the [module](self) names.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let tree = parse::parse(source)?;
        let program = Arc::new(compile::compile(&tree));
        Ok(Self { program })
    }

    /// Says whether some part of `text` matches, within [`STEP_LIMIT`] steps.
    pub fn search(&self, text: &str) -> Search {
        self.search_within(text, STEP_LIMIT)
    }

    /// Says whether some part of `text` matches, within the given number of steps.
    ///
    /// More steps never change a [`Search::Match`] or a [`Search::NoMatch`].
    pub fn search_within(&self, text: &str, steps: u64) -> Search {
        match search::search(&self.program, text, steps) {
            Ok(true) => Search::Match,
            Ok(false) => Search::NoMatch,
            Err(machine::Exhausted) => Search::GaveUp,
        }
    }
}

/// The outcome of a search (ECMA-262 §22.2.7.2, RegExpBuiltinExec).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Some part of the text matches.
    Match,
    /// No part of the text matches.
    NoMatch,
    /// The search was stopped before it could tell.
    GaveUp,
}

/// Says why a source is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    problem: &'static str,
    offset: usize,
}

impl PatternError {
    /// Returns the offset in the source, in UTF-16 code units, of what is wrong.
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn new(problem: &'static str, offset: usize) -> Self {
        Self { problem, offset }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at offset {}", self.problem, self.offset)
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pattern with a text it matches and a text it does not match.
    const CASES: &[(&str, &str, &str)] = &[
        ("b.d", "abcd", "ab\u{2028}d"),
        ("^a|b$", "xb", "xay"),
        ("^.$", "é", "😀"),
        ("\\uD83D\\uDE00", "😀", "😁"),
        ("^[^]{2}$", "😀", "a"),
        ("^[😀]{2}$", "😀", "é"),
        ("\\bcat\\b", "a cat!", "écats"),
        ("\\Bb", "ab", "a b"),
        ("^\\s$", "\u{FEFF}", "\u{180E}"),
        ("^\\d$", "7", "\u{661}"),
        ("^\\w$", "_", "ſ"),
        ("^(?:a|ab)(?:c|bcd)$", "abcd", "abd"),
        ("^a{2,3}?$", "aaa", "aaaa"),
        ("^(?:ab){2,3}$", "ababab", "ab"),
        ("^(?:ab?){3}$", "aabab", "aa"),
        ("(a+)b\\1$", "aabaa", "ab"),
        ("\\1(a)", "a", "b"),
        ("^(?:(a)|b)*\\1$", "ab", "ac"),
        ("^(?:(a)|(b))+\\1\\2x$", "abbx", "abax"),
        ("(?=(a+))a*b\\1", "baaabac", "aabb"),
        ("^(?=(a+))\\1b", "aab", "aac"),
        ("^(?!ab)", "ba", "ab"),
        ("^(?:(?=(a))\\1|b)+$", "abab", "abc"),
        ("(?<=^a)b", "ab", "aab"),
        ("(?<!a)b", "cb", "ab"),
        ("(?<=(\\d+)(\\d+))x\\2$", "1234x234", "1234x4"),
        ("(?<=\\1(a))b", "aab", "ab"),
        ("(?<=b[ab]*)c", "bac", "aac"),
        ("^(?:a*)*$", "aa", "ab"),
        ("^(?:a?)*?b", "aab", "aac"),
        ("(?=(a))\\1b", "ab", "ba"),
        ("^(?<year>\\d{4})-\\k<year>$", "2024-2024", "2024-2025"),
        ("^a{,2}$", "a{,2}", "aa"),
        ("^a{3000000000,}$|b", "b", "aaa"),
    ];

    #[test]
    fn patterns_match_as_the_standard_says() {
        for &(source, matching, other) in CASES {
            let pattern = Pattern::parse(source).expect(source);
            assert_eq!(pattern.search(matching), Search::Match, "{source}");
            assert_eq!(pattern.search(other), Search::NoMatch, "{source}");
        }
    }

    #[test]
    fn a_search_ends_within_its_bounds() {
        let text = format!("{}!", "a".repeat(10_000));
        for source in [
            "^(a+)+$",
            "^(a|aa)*$",
            "(a*)*b",
            "(a{1000}){1000}",
            "(?:){2147483647}(?:a|){2147483647}b",
            "(?:(?=(a*))\\1)*b",
            "(?<=^(?:a+)+)b",
            "(a*)\\1\\1b",
        ] {
            let pattern = Pattern::parse(source).expect(source);
            assert_ne!(pattern.search(&text), Search::Match, "{source}");
        }
        let pattern = Pattern::parse("^(a+)+$").expect("the pattern is valid");
        assert_eq!(pattern.search(&text), Search::GaveUp);
    }

    #[test]
    fn the_stack_is_bounded_whatever_the_steps() {
        let text = "ab".repeat(600_000);
        let pattern = Pattern::parse("^(?:ab|c)*$").expect("the pattern is valid");
        assert_eq!(pattern.search_within(&text, u64::MAX), Search::GaveUp);
        let pattern = Pattern::parse("^[ab]*$").expect("the pattern is valid");
        assert_eq!(pattern.search_within(&text, u64::MAX), Search::Match);
        assert_eq!(pattern.search(&text), Search::GaveUp);
    }

    #[test]
    fn steps_are_counted() {
        let pattern = Pattern::parse("x").expect("the pattern is valid");
        assert_eq!(pattern.search_within("aaa", 4), Search::NoMatch);
        assert_eq!(pattern.search_within("aaa", 3), Search::GaveUp);
        assert_eq!(pattern.search_within("", 0), Search::GaveUp);
    }

    #[test]
    fn a_pattern_can_be_shared_between_threads() {
        fn shareable<T: Clone + Send + Sync + fmt::Debug>() {}
        shareable::<Pattern>();
    }
}
