//! One condition on one variable: what its text says, and whether a value meets it.

use std::cell::Cell;

use super::SegmentNumbers;
use super::function::{Comparison, call, comparison};
use super::number::{NumberText, same_number};
use super::pattern::{Pattern, PatternError, Search};
use super::value::Value;

/// What a variable is compared with (spec SEG-22). Whatever can be known from the operand alone is computed when it is
/// parsed: its number (spec SEG-25), its lower-case form, its compiled patterns.
#[derive(Debug)]
pub(super) enum Operand {
    /// The whole text (spec SEG-31).
    Equal(Argument),
    /// `lower(V)`: the text in lower case (spec SEG-28).
    EqualInAnyCase(Argument),
    /// Neither a text nor null: equal to nothing, except where both sides are numbers (spec SEG-31). The text is the
    /// operand's own, for messages.
    EqualNumber(Argument),
    /// `null`: equal to null (spec SEG-31).
    Null,
    /// `wildcard(V)` (spec SEG-24).
    Wildcard {
        /// Where in the value the text must be.
        place: Place,
        /// The text between the stars, literally.
        text: Box<str>,
        /// The text that is looked for in values that are numbers, when `text` is taken for a number.
        number: Option<Box<str>>,
    },
    /// `regex(V)` (spec SEG-29).
    Regex {
        /// The expression's text.
        source: Box<str>,
        /// The expression; an invalid one matches nothing.
        pattern: Result<Box<Pattern>, PatternError>,
        /// The expression that values which are numbers are searched with, when `source` is taken for a number.
        number: Option<Box<Pattern>>,
    },
    /// `gt(N)`, `gte(N)`, `lt(N)` or `lte(N)` (spec SEG-30).
    Compare {
        /// Which of the four.
        comparison: Comparison,
        /// N.
        bound: f64,
    },
}

/// A text to be equal to.
#[derive(Debug)]
pub(super) struct Argument {
    /// The text; in lower case where case does not count.
    pub(super) text: Box<str>,
    /// The number that is compared instead, with values that are numbers too.
    pub(super) number: Option<f64>,
}

/// Where a wildcard's text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `*V*`, and `*` alone.
    Anywhere,
    /// `*V`
    End,
    /// `V*`
    Start,
    /// `V`
    Whole,
}

impl Operand {
    /// Reads an operand that is a text. There is no wrong operand: what is not one of the functions is a text to be
    /// equal to.
    pub(super) fn parse(text: &str, numbers: SegmentNumbers) -> Self {
        if let Some(argument) = call(text, "lower") {
            let number = leading_number(argument, numbers);
            Operand::EqualInAnyCase(Argument { text: argument.to_lowercase().into(), number })
        } else if let Some(argument) = call(text, "wildcard") {
            Operand::wildcard(argument, numbers)
        } else if let Some(argument) = call(text, "regex") {
            Operand::regex(argument, numbers)
        } else if let Some((comparison, bound)) = comparison(text, numbers) {
            Operand::Compare { comparison, bound }
        } else {
            Operand::Equal(Argument::new(text, numbers))
        }
    }

    /// Whether `value` meets this condition. `gave_up` is set when a regular expression ran out of steps.
    pub(super) fn matches(&self, value: &Value<'_>, numbers: SegmentNumbers, gave_up: &Cell<bool>) -> bool {
        if matches!(value, Value::Null) && !matches!(self, Operand::Null | Operand::Regex { .. }) {
            return false; // spec SEG-32
        }
        let mut buffer = NumberText::new();
        match self {
            Operand::Null => matches!(value, Value::Null),
            Operand::Equal(argument) => match argument.same_number(value, numbers) {
                Some(same) => same,
                None => *value.text(&mut buffer) == *argument.text,
            },
            Operand::EqualInAnyCase(argument) => match argument.same_number(value, numbers) {
                Some(same) => same,
                None => lowers_to(value.text(&mut buffer), &argument.text),
            },
            Operand::EqualNumber(argument) => argument.same_number(value, numbers).unwrap_or(false),
            Operand::Wildcard { place, text, number } => match with_number(number.as_deref(), value, numbers) {
                Some((text, value)) => place.holds(buffer.write(value), text),
                None => place.holds(value.text(&mut buffer), text),
            },
            Operand::Regex { pattern, number, .. } => match with_number(number.as_deref(), value, numbers) {
                Some((pattern, value)) => search(pattern, buffer.write(value), gave_up),
                None => pattern.as_ref().is_ok_and(|pattern| search(pattern, value.text(&mut buffer), gave_up)),
            },
            Operand::Compare { comparison, bound } => {
                let Some(value) = value.number(numbers) else { return false };
                match (numbers.comparable(value), numbers.comparable(*bound)) {
                    (Some(value), Some(bound)) => comparison.holds(value, bound),
                    _ => comparison.holds(value, *bound),
                }
            }
        }
    }

    /// Stars decide the place: one is taken off at each end, and a single `*` is at both ends.
    fn wildcard(argument: &str, numbers: SegmentNumbers) -> Self {
        let place = match (argument.starts_with('*'), argument.ends_with('*')) {
            (true, true) => Place::Anywhere,
            (true, false) => Place::End,
            (false, true) => Place::Start,
            (false, false) => Place::Whole,
        };
        let text = argument.strip_prefix('*').unwrap_or(argument);
        let text = text.strip_suffix('*').unwrap_or(text);
        let number = pattern_number(text, numbers).map(|number| NumberText::new().write(number).into());
        Operand::Wildcard { place, text: text.into(), number }
    }

    fn regex(source: &str, numbers: SegmentNumbers) -> Self {
        let number = pattern_number(source, numbers)
            .and_then(|number| Pattern::parse(NumberText::new().write(number)).ok())
            .map(Box::new);
        Operand::Regex { source: source.into(), pattern: Pattern::parse(source).map(Box::new), number }
    }
}

impl Argument {
    /// An argument with this text.
    pub(super) fn new(text: impl Into<Box<str>>, numbers: SegmentNumbers) -> Self {
        let text = text.into();
        let number = leading_number(&text, numbers);
        Argument { text, number }
    }

    /// Where both sides are numbers, whether they are the same; `None` when texts decide.
    fn same_number(&self, value: &Value<'_>, numbers: SegmentNumbers) -> Option<bool> {
        with_number(self.number, value, numbers).map(|(own, value)| same_number(own, value))
    }
}

impl Place {
    fn holds(self, value: &str, wanted: &str) -> bool {
        match self {
            Place::Anywhere => value.contains(wanted),
            Place::End => value.ends_with(wanted),
            Place::Start => value.starts_with(wanted),
            Place::Whole => value == wanted,
        }
    }
}

fn leading_number(text: &str, numbers: SegmentNumbers) -> Option<f64> {
    numbers.parse(text).and_then(|number| numbers.comparable(number))
}

/// The number that a pattern is reduced to: only the reference does that to patterns (spec SEG-27).
fn pattern_number(text: &str, numbers: SegmentNumbers) -> Option<f64> {
    match numbers {
        SegmentNumbers::Reference => leading_number(text, numbers),
        SegmentNumbers::Strict => None,
    }
}

/// The operand's form for numbers and the value's number, where there are both. A value is not parsed in vain.
fn with_number<T>(own: Option<T>, value: &Value<'_>, numbers: SegmentNumbers) -> Option<(T, f64)> {
    let own = own?;
    value.number(numbers).and_then(|number| numbers.comparable(number)).map(|number| (own, number))
}

fn search(pattern: &Pattern, text: &str, gave_up: &Cell<bool>) -> bool {
    match pattern.search(text) {
        Search::Match => true,
        Search::NoMatch => false,
        Search::GaveUp => {
            gave_up.set(true);
            false
        }
    }
}

/// Whether `text` in lower case is `lowered`, without writing it down: the sigma alone looks at its neighbours.
fn lowers_to(text: &str, lowered: &str) -> bool {
    if text.is_ascii() {
        text.eq_ignore_ascii_case(lowered)
    } else if text.contains('Σ') {
        text.to_lowercase() == lowered
    } else {
        text.chars().flat_map(char::to_lowercase).eq(lowered.chars())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeValue;

    fn holds(operand: &str, value: AttributeValue, numbers: SegmentNumbers) -> bool {
        Operand::parse(operand, numbers).matches(&Value::from(&value), numbers, &Cell::new(false))
    }

    fn check(operand: &str, value: impl Into<AttributeValue>, expected: bool) {
        let value = value.into();
        assert_eq!(holds(operand, value.clone(), SegmentNumbers::Reference), expected, "{operand} with {value:?}");
    }

    fn check_strict(operand: &str, value: impl Into<AttributeValue>, expected: bool) {
        let value = value.into();
        assert_eq!(holds(operand, value.clone(), SegmentNumbers::Strict), expected, "{operand} with {value:?}, strict");
    }

    #[test]
    fn equality() {
        check("abc", "abc", true); // S042
        check("abc", "ABC", false); // S043
        check("abc", " abc", false); // S044
        check("true", true, true); // S074
        check("True", true, false); // S076
        check("1", true, false); // S079
        check("", AttributeValue::Undefined, true); // S030
        check("null", AttributeValue::Null, false); // S034
        check("NaN", f64::NAN, true); // S073
        check("[object Object]", AttributeValue::Object, true); // S084
    }

    #[test]
    fn leading_numbers_are_compared_as_numbers() {
        check("123", "123.0", true); // S047
        check("123", "123abc", true); // S049
        check("abc123", "abc0123", false); // S051
        check("1000", "1e3", true); // S057
        check("0.5", ".50", true); // S059
        check("12,5", "12,7", true); // S070
        check("2021-01-05", "2021-12-31", true); // S071
        check("1.2.3", "1.2.9", true); // S072
        check("1,2", AttributeValue::List(vec![1.into(), 2.into()]), true); // S085
    }

    #[test]
    fn zero_is_compared_as_text() {
        check("0", 0, true); // S052
        check("0", "0.0", false); // S053
        check("0.0", 0, false); // S054
        check("0x10", 16, false); // S061
    }

    #[test]
    fn huge_numbers_are_compared_by_their_leading_digits() {
        check("Infinity", "-Infinity", true); // S063
        check("1e21", "1e22", true); // S064
        check("1e21", 1, true); // S065
        check("gt(5)", 1e21, false);
        check("gt(0)", 1e21, true);
        check("gt(5)", f64::INFINITY, false); // S170
        check("gt(0)", f64::INFINITY, true);
    }

    #[test]
    fn equality_in_any_case() {
        check("lower(ABC)", "abc", true); // S087
        check("lower(abc)", "ABC", true); // S088
        check("lower(TRUE)", true, true); // S080
        check("lower(Ü)", "ü", true); // S097
        check("lower(İ)", "i\u{307}", true); // S098
        check("lower(ß)", "SS", false); // S099
        check("lower(k)", "\u{212a}", true);
        check("lower(ὈΔΥΣΣΕΎΣ)", "ὀδυσσεύς", true);
        check("lower(ὀδυσσεύς)", "ὈΔΥΣΣΕΎΣ", true);
        check("lower(ὀδυσσεύσ)", "ὈΔΥΣΣΕΎΣ", false);
        check("lower(123)", "123.0", true); // S096
        check("lower(null)", AttributeValue::Null, false); // S038
    }

    #[test]
    fn stars_at_the_ends_make_a_wildcard() {
        check("wildcard(*abc*)", "xxabcyy", true); // S102
        check("wildcard(*abc*)", "ABC", false); // S103
        check("wildcard(*abc)", "abcx", false); // S105
        check("wildcard(abc*)", "abcx", true); // S106
        check("wildcard(abc)", "abcd", false); // S109
        check("wildcard(*)", "anything", true); // S110
        check("wildcard(*)", AttributeValue::Null, false); // S039
        check("wildcard()", "", true); // S112
        check("wildcard(a*b)", "axb", false); // S115
        check("wildcard(***)", "x*y", true); // S116
        check("wildcard(***)", "xy", false); // S117
    }

    #[test]
    fn a_pattern_that_starts_with_a_number_is_reduced_to_it() {
        check("wildcard(*12abc*)", "12zzz", true); // S119
        check("wildcard(12*)", "12.50", true); // S120
        check("wildcard(*.5)", "2.50", false); // S121
        check("regex(123.*)", "1299", false); // S131
        check("regex(12.*)", "1299", true); // S132
        check("regex(1|2)", "2", false); // S133
        check("regex(1|2)", "a2", true); // S134
        check("regex(12[)", 12, true);
        check("regex(12[)", "a12", false);
    }

    #[test]
    fn regular_expressions() {
        check("regex(bc)", "abc", true); // S124
        check("regex((?i)abc)", "ABC", false); // S126
        check("regex([)", "a", false); // S127
        check("regex(^(?!foo).*$)", "bar", true); // S135
        check("regex((a)\\1)", "aa", true); // S136
        check("regex(^.$)", "😀", false); // S137
        check("regex()", "x", true); // S140
        check("regex(^null$)", AttributeValue::Null, true); // S036
    }

    #[test]
    fn comparisons() {
        check("gt(5)", 5, false); // S145
        check("gt(5)", "5.1", true); // S146
        check("gte(5)", 5, true); // S147
        check("lt(5)", "abc", false); // S162
        check("lte(5)", 5.01, false); // S152
        check("gte(0)", "0.0", true); // S155
        check("lt(0)", -1, true); // S156
        check("gt(.5)", 0.6, true); // S159
        check("gt(5.)", 6, true); // S160
        check("gt(5)", "6abc", true); // S164
        check("gt(5)x", 6, true); // S168
        check("gt(5)", AttributeValue::Null, false); // S040
    }

    #[test]
    fn what_is_no_function_is_plain_text() {
        for operand in ["gt(-5)", "gt( 5)", "gt(1e3)", "gt(abc)", "LOWER(abc)", "lower(a\nb)", "regex(2"] {
            check(operand, 2000, false);
            check(operand, operand, true); // S091, S158, S166
        }
    }

    #[test]
    fn strict_numbers_are_whole_texts() {
        check_strict("123", " 123.0 ", true);
        check_strict("123", "123abc", false);
        check_strict("1.2.3", "1.2.9", false);
        check_strict("0", "-0.0", true);
        check_strict("1e21", "1e22", false);
        check_strict("Infinity", "-Infinity", false);
        check_strict("lower(1E3)", 1000, true);
    }

    #[test]
    fn strict_patterns_see_texts() {
        check_strict("regex(1|2)", "2", true);
        check_strict("regex(123.*)", "12345", true);
        check_strict("wildcard(*.5)", "2.50", false);
        check_strict("wildcard(*.50)", "2.50", true);
        check_strict("wildcard(1*)", 12, true);
    }

    #[test]
    fn strict_bounds_have_sign_exponent_and_blanks() {
        check_strict("gt(-5)", 0, true);
        check_strict("gt( 5 )", "6", true);
        check_strict("lt(1e3)", 999.5, true);
        check_strict("gt(5)", "6abc", false);
        check_strict("gt(5)", 1e21, true);
        check_strict("gt(5)", f64::INFINITY, true);
        check_strict("gt(abc)", "gt(abc)", true);
    }
}
