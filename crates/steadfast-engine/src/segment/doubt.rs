//! Operands that do something else than they seem to say.
//!
//! Nothing here changes an outcome. The reference reads such operands without a word, so a campaign runs for the wrong
//! users; a warning says what will happen and what was probably meant.

use super::SegmentNumbers;
use super::function::{COMPARISONS, TEXT_FUNCTIONS};
use super::number::{NumberText, canonical, parse_float_prefix, parse_whole, trim};
use super::operand::{Argument, Operand};
use crate::settings::problem::Problems;

/// Reports what is doubtful about `operand`, which was read from `text`.
pub(super) fn report(text: &str, operand: &Operand, numbers: SegmentNumbers, problems: &mut Problems<'_>) {
    match operand {
        Operand::Equal(argument) => match intended_function(text) {
            Some(function) => problems.warn(plain_text(text, function, numbers)),
            None => leading_number(argument, numbers, problems),
        },
        Operand::EqualInAnyCase(argument) => leading_number(argument, numbers, problems),
        Operand::Wildcard { text: wanted, number, .. } => reduced(wanted, number.is_some(), problems),
        Operand::Regex { source, pattern, number } => {
            if let Err(error) = pattern {
                problems.warn(format!("`{source}` is not a regular expression and matches nothing: {error}"));
            }
            reduced(source, number.is_some(), problems);
        }
        Operand::Compare { .. } | Operand::EqualNumber(_) | Operand::Null => {}
    }
    if !matches!(operand, Operand::Equal(_)) && !text.ends_with(')') {
        problems.warn("what follows the closing bracket is ignored");
    }
}

/// The function that somebody who wrote `text` had in mind.
fn intended_function(text: &str) -> Option<&'static str> {
    let (name, _) = text.split_once('(')?;
    let name = trim(name);
    let names = TEXT_FUNCTIONS.into_iter().chain(COMPARISONS.into_iter().map(|(name, _)| name));
    names.into_iter().find(|candidate| name.eq_ignore_ascii_case(candidate))
}

/// Why `text` is not the function it looks like.
fn plain_text(text: &str, function: &str, numbers: SegmentNumbers) -> String {
    let start = format!("{text:?} is compared as plain text");
    let inside = text.split_once('(').map_or("", |(_, inside)| inside);
    let Some((argument, _)) = inside.rsplit_once(')') else {
        return format!("{start}, because its bracket is not closed; probably meant `{function}({inside})`");
    };
    if !text.starts_with(&format!("{function}(")) {
        return format!(
            "{start}, because it does not start with `{function}(`; probably meant `{function}({argument})`"
        );
    }
    if TEXT_FUNCTIONS.contains(&function) {
        return format!("{start}, because of the line break in its brackets");
    }
    let bound = match parse_whole(argument) {
        Some(number) if number >= 0.0 => format!("; probably meant `{function}({number})`"),
        Some(_) => "; numbers below zero can be bounds with strict numbers only".to_owned(),
        None => String::new(),
    };
    match numbers {
        SegmentNumbers::Reference => {
            format!("{start}, because a bound has digits and a point, but no sign, exponent or blank{bound}")
        }
        SegmentNumbers::Strict => format!("{start}, because its bound is not a number"),
    }
}

/// An equality with something that starts with a number: the rest of it does not count (spec SEG-27).
fn leading_number(argument: &Argument, numbers: SegmentNumbers, problems: &mut Problems<'_>) {
    let text = &argument.text;
    if numbers == SegmentNumbers::Strict {
        return;
    }
    match (argument.number, parse_whole(text)) {
        (Some(number), whole) if whole != Some(number) => {
            let mut buffer = NumberText::new();
            let number = buffer.write(number);
            problems.warn(format!(
                "{text:?} is compared as the number {number} wherever the variable starts with a number too, so other \
                 texts that start with {number} are equal"
            ));
        }
        (None, Some(_)) if text.as_ref() != "0" => problems.warn(format!(
            "{text:?} is compared as text, because zero is not compared as a number: it does not equal 0"
        )),
        _ => {}
    }
}

/// A pattern that starts with a number: only the number is looked for in values that start with one (spec SEG-27).
fn reduced(text: &str, is_reduced: bool, problems: &mut Problems<'_>) {
    let Some(number) = parse_float_prefix(text).filter(|_| is_reduced) else { return };
    let mut buffer = NumberText::new();
    let number = buffer.write(canonical(number));
    if number != text {
        problems.warn(format!(
            "the pattern {text:?} is reduced to the number {number} wherever the variable starts with a number too"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(operand: &str, numbers: SegmentNumbers) -> String {
        let mut problems = Problems::default();
        report(operand, &Operand::parse(operand, numbers), numbers, &mut problems);
        problems.into_found().into_iter().map(|problem| problem.message).collect::<Vec<_>>().join(" / ")
    }

    /// A warning about `operand` has `expected` in it; the empty text stands for no warning.
    fn check(operand: &str, expected: &str) {
        let found = found(operand, SegmentNumbers::Reference);
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{operand}: {found}");
    }

    fn check_strict(operand: &str, expected: &str) {
        let found = found(operand, SegmentNumbers::Strict);
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{operand}, strict: {found}");
    }

    #[test]
    fn ordinary_operands_are_beyond_doubt() {
        for operand in ["gold", "", "123", "-5", " 12 ", "0", "0.5", "a1", "x(5)", "lower(Ab)", "wildcard(*@x.com)"] {
            check(operand, "");
        }
        for operand in ["regex(^a.*b$)", "regex(5)", "wildcard(12*)", "gt(5)", "lte(0.5)", "lower(7)"] {
            check(operand, "");
        }
    }

    #[test]
    fn look_alikes_of_functions() {
        check("LOWER(abc)", "does not start with `lower(`; probably meant `lower(abc)`");
        check(" lower(a)", "probably meant `lower(a)`");
        check("gt (5)", "probably meant `gt(5)`");
        check("regex(abc", "its bracket is not closed; probably meant `regex(abc)`");
        check("lower(a\nb)", "line break");
    }

    #[test]
    fn bounds_that_are_not_bounds() {
        check("gt(-5)", "below zero");
        check("gt( 5)", "probably meant `gt(5)`");
        check("lt(1e3)", "probably meant `lt(1000)`");
        check("gt(abc)", "no sign, exponent or blank");
        check_strict("gt(-5)", "");
        check_strict("gt(abc)", "its bound is not a number");
    }

    #[test]
    fn texts_that_are_compared_by_their_leading_number() {
        check("1.2.3", "as the number 1.2");
        check("2021-01-05", "as the number 2021");
        check("12abc", "as the number 12");
        check("lower(7up)", "as the number 7");
        check("1e21", "as the number 1 ");
        check("Infinity", "as the number NaN");
        check("0.0", "does not equal 0");
        check_strict("1.2.3", "");
    }

    #[test]
    fn patterns_that_are_reduced_to_their_leading_number() {
        check("regex(1|2)", "reduced to the number 1 ");
        check("wildcard(*.5)", "reduced to the number 0.5");
        check_strict("regex(1|2)", "");
    }

    #[test]
    fn invalid_patterns_and_trailing_text() {
        check("regex([)", "matches nothing");
        check("gt(5)x", "is ignored");
    }
}
