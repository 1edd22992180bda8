//! The functions that an operand can be: `lower(…)`, `wildcard(…)`, `regex(…)`, `gt(…)`, `gte(…)`, `lt(…)`, `lte(…)`.
//!
//! A function is recognised by how the text starts, letter by letter. There is no syntax error: what is no function is
//! a text to be equal to (spec SEG-22).

use super::SegmentNumbers;
use super::number::parse_whole;

/// Which way a variable is compared with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
}

/// The functions that take a text.
pub(super) const TEXT_FUNCTIONS: [&str; 3] = ["lower", "wildcard", "regex"];

/// The functions that take a number.
pub(super) const COMPARISONS: [(&str, Comparison); 4] = [
    ("gt", Comparison::Greater),
    ("gte", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("lte", Comparison::LessOrEqual),
];

/// The argument of `name(…)` at the start of `text`: up to the last `)` before the first line break. What follows is
/// ignored (spec SEG-23).
pub(super) fn call<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let inside = text.strip_prefix(name)?.strip_prefix('(')?;
    let line = inside.split(['\n', '\r', '\u{2028}', '\u{2029}']).next()?;
    Some(&line[..line.rfind(')')?])
}

/// The comparison at the start of `text` and its bound, in digits with at most one point unless numbers are strict. What
/// follows the first `)` is ignored (spec SEG-30).
pub(super) fn comparison(text: &str, numbers: SegmentNumbers) -> Option<(Comparison, f64)> {
    COMPARISONS.into_iter().find_map(|(name, comparison)| {
        let (bound, _) = text.strip_prefix(name)?.strip_prefix('(')?.split_once(')')?;
        let readable = match numbers {
            SegmentNumbers::Reference => bound.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
            SegmentNumbers::Strict => true,
        };
        Some((comparison, parse_whole(bound).filter(|_| readable)?))
    })
}

impl Comparison {
    /// Whether `value` is on the right side of `bound`; nothing is that meets `NaN`.
    pub(super) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Comparison::Greater => value > bound,
            Comparison::GreaterOrEqual => value >= bound,
            Comparison::Less => value < bound,
            Comparison::LessOrEqual => value <= bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_call(text: &str, expected: Option<&str>) {
        assert_eq!(call(text, "lower"), expected, "{text:?}");
    }

    fn check_bound(text: &str, reference: Option<f64>, strict: Option<f64>) {
        let bound = |numbers| comparison(text, numbers).map(|(_, bound)| bound);
        assert_eq!(bound(SegmentNumbers::Reference), reference, "{text:?}");
        assert_eq!(bound(SegmentNumbers::Strict), strict, "{text:?}, strict");
    }

    #[test]
    fn the_argument_ends_at_the_last_bracket_of_the_first_line() {
        check_call("lower(abc)", Some("abc"));
        check_call("lower()", Some(""));
        check_call("lower(a)b)", Some("a)b"));
        check_call("lower(abc)xyz", Some("abc"));
        check_call("lower(abc", None);
        check_call("lower(a\nb)", None);
        check_call("lower(a)\nb)", Some("a"));
        check_call("lower(a\rb)", None);
        check_call("lower(a\u{2028}b)", None);
        check_call("lower(a\u{85}b)", Some("a\u{85}b"));
    }

    #[test]
    fn names_are_exact() {
        for text in ["LOWER(a)", " lower(a)", "lower (a)", "lowe(a)", "lower", "lower)", "xlower(a)"] {
            check_call(text, None);
        }
    }

    #[test]
    fn bounds_have_digits_and_a_point() {
        check_bound("gt(5)", Some(5.0), Some(5.0));
        check_bound("gte(5.)", Some(5.0), Some(5.0));
        check_bound("lt(.5)", Some(0.5), Some(0.5));
        check_bound("lte(05.50)x)", Some(5.5), Some(5.5));
        for text in ["gt(.)", "gt()", "gt(1.2.3)", "gt(abc)", "gt(5", "GT(5)", "gt (5)", "gt(٥)"] {
            check_bound(text, None, None);
        }
    }

    #[test]
    fn strict_bounds_have_sign_exponent_and_blanks_too() {
        check_bound("gt(-5)", None, Some(-5.0));
        check_bound("gt( +5 )", None, Some(5.0));
        check_bound("gt(1e3)", None, Some(1000.0));
    }

    #[test]
    fn nothing_compares_with_nan() {
        for (_, comparison) in COMPARISONS {
            assert!(!comparison.holds(1.0, f64::NAN) && !comparison.holds(f64::NAN, 1.0), "{comparison:?}");
        }
    }
}
