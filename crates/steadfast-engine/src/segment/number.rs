//! Numbers as JavaScript reads and writes them.
//!
//! Segments compare by leading numbers (spec SEG-25) and feature variables are converted with the same two functions,
//! JavaScript's `parseFloat` and `parseInt`. Both take the longest prefix that is a number and ignore what follows.

use super::SegmentNumbers;

/// JavaScript's `parseFloat(text)`: the number at the start of `text` after white space, with sign, fraction and
/// exponent, or `Infinity`. `None` where JavaScript gives `NaN`.
pub(crate) fn parse_float_prefix(text: &str) -> Option<f64> {
    let text = trim_start(text);
    if let Some(length) = decimal_length(text) {
        return text[..length].parse().ok();
    }
    let (negative, magnitude) = split_sign(text);
    magnitude.starts_with("Infinity").then_some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
}

/// JavaScript's `parseInt(text, 10)`: the sign and digits at the start of `text` after white space, as a double.
/// `None` where JavaScript gives `NaN`.
pub(crate) fn parse_int_prefix(text: &str) -> Option<f64> {
    let text = trim_start(text);
    let (negative, magnitude) = split_sign(text);
    let number: f64 = magnitude[..digits_length(magnitude)].parse().ok()?;
    Some(if negative { -number } else { number })
}

/// The number that `text` is from end to end, white space around it aside. `None` for anything else, infinities
/// included: no such number is written in digits.
pub(crate) fn parse_whole(text: &str) -> Option<f64> {
    let text = trim(text);
    if decimal_length(text)? == text.len() { text.parse().ok() } else { None }
}

/// The number as which a number other than zero is compared (spec SEG-26). The reference writes an integral number as
/// text and reads that text as an integer, so numbers written with an exponent shrink to their leading digits
/// (1e21 becomes 1) and infinities become `NaN`.
pub(crate) fn canonical(number: f64) -> f64 {
    /// From here on JavaScript writes numbers with an exponent.
    const EXPONENT_FORM: f64 = 1e21;
    if number.abs() < EXPONENT_FORM {
        return number;
    }
    parse_int_prefix(NumberText::new().write(number)).unwrap_or(f64::NAN)
}

/// Whether two numbers have the same text: equality in which `NaN` equals itself.
pub(crate) fn same_number(left: f64, right: f64) -> bool {
    left == right || (left.is_nan() && right.is_nan())
}

/// `text` without white space at both ends, as JavaScript's `trim` has it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_white_space)
}

/// Room on the stack in which a number becomes its JavaScript text.
pub(crate) struct NumberText(ryu_js::Buffer);

impl NumberText {
    /// Empty room.
    pub(crate) fn new() -> Self {
        NumberText(ryu_js::Buffer::new())
    }

    /// JavaScript's text of `number`: `12`, `0.5`, `1e+21`, `NaN`, `-Infinity`; both zeros are `0`.
    pub(crate) fn write(&mut self, number: f64) -> &str {
        self.0.format(number)
    }
}

impl SegmentNumbers {
    /// The number that `text` is taken for: its leading number, or with [`Strict`](SegmentNumbers::Strict) the number
    /// it is as a whole.
    pub(crate) fn parse(self, text: &str) -> Option<f64> {
        match self {
            SegmentNumbers::Reference => parse_float_prefix(text),
            SegmentNumbers::Strict => parse_whole(text),
        }
    }

    /// The number as which [a parsed number](SegmentNumbers::parse) is compared, provided that the other side has one
    /// too; `None` when it is left as text, as the reference does with zero (spec SEG-25).
    pub(crate) fn comparable(self, number: f64) -> Option<f64> {
        match self {
            SegmentNumbers::Reference => (number != 0.0).then(|| canonical(number)),
            SegmentNumbers::Strict => Some(number),
        }
    }
}

/// JavaScript's white space: Unicode's with U+FEFF and without U+0085.
fn is_white_space(character: char) -> bool {
    character == '\u{feff}' || (character.is_whitespace() && character != '\u{85}')
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_white_space)
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn digits_length(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// How many bytes at the start of `text` are a decimal number with optional sign, fraction and exponent; `None` when
/// there is none.
fn decimal_length(text: &str) -> Option<usize> {
    let (_, magnitude) = split_sign(text);
    let integer = digits_length(magnitude);
    let mut rest = &magnitude[integer..];
    let mut fraction = 0;
    if let Some(after_point) = rest.strip_prefix('.') {
        fraction = digits_length(after_point);
        if integer + fraction > 0 {
            rest = &after_point[fraction..];
        }
    }
    if integer + fraction == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let (_, power) = split_sign(exponent);
        let length = digits_length(power);
        if length > 0 {
            rest = &power[length..];
        }
    }
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(text: &str, expected: Option<f64>) {
        assert_eq!(parse_float_prefix(text), expected, "parseFloat({text:?})");
    }

    fn check_int(text: &str, expected: Option<f64>) {
        assert_eq!(parse_int_prefix(text), expected, "parseInt({text:?}, 10)");
    }

    fn check_whole(text: &str, expected: Option<f64>) {
        assert_eq!(parse_whole(text), expected, "{text:?} as a whole");
    }

    fn check_canonical(number: f64, expected: &str) {
        assert_eq!(NumberText::new().write(canonical(number)), expected, "canonical text of {number}");
    }

    #[test]
    fn the_longest_decimal_prefix_is_the_float() {
        check_float("12", Some(12.0));
        check_float("-12.50abc", Some(-12.5));
        check_float("+.5", Some(0.5));
        check_float("5.", Some(5.0));
        check_float("5.e2", Some(500.0));
        check_float("1e3", Some(1000.0));
        check_float("1E-2x", Some(0.01));
        check_float("1e", Some(1.0));
        check_float("1e+", Some(1.0));
        check_float("1.2.3", Some(1.2));
        check_float("1_000", Some(1.0));
        check_float("0x10", Some(0.0));
        check_float("1e999", Some(f64::INFINITY));
        check_float("Infinityx", Some(f64::INFINITY));
        check_float("-Infinity", Some(f64::NEG_INFINITY));
        for not_a_number in ["", ".", "+", "-.", "e5", ".e5", "abc", "infinity", "inf", "NaN", "--1", "- 1", "١"] {
            check_float(not_a_number, None);
        }
    }

    #[test]
    fn white_space_is_javascripts() {
        check_float("\u{feff}\t\n\u{2028}\u{a0}\u{3000} 7", Some(7.0));
        check_float("\u{85}7", None);
        check_int("\u{feff}\u{b}7", Some(7.0));
        assert_eq!(trim("\u{feff} \u{85}a\u{85} \u{2029}"), "\u{85}a\u{85}");
    }

    #[test]
    fn integers_stop_at_the_first_other_character() {
        check_int("12.9", Some(12.0));
        check_int("-5e3", Some(-5.0));
        check_int("+7px", Some(7.0));
        check_int("0x10", Some(0.0));
        check_int("9007199254740993", Some(9_007_199_254_740_992.0));
        for not_a_number in ["", ".5", "-", "abc", "Infinity"] {
            check_int(not_a_number, None);
        }
    }

    #[test]
    fn a_whole_number_has_blanks_at_most_around_it() {
        check_whole(" -1.5e3 ", Some(-1500.0));
        check_whole("0.0", Some(0.0));
        for text in ["12abc", "1.2.3", "2021-01-05", "1 2", "1e", "Infinity", ""] {
            check_whole(text, None);
        }
    }

    #[test]
    fn huge_numbers_shrink_to_their_leading_digits() {
        check_canonical(12.0, "12");
        check_canonical(-0.5, "-0.5");
        check_canonical(5e-7, "5e-7");
        check_canonical(123_456_789_012_345_680_000.0, "123456789012345680000");
        check_canonical(1e21, "1");
        check_canonical(-2.5e300, "-2");
        check_canonical(f64::INFINITY, "NaN");
        check_canonical(f64::NEG_INFINITY, "NaN");
    }
}
