//! Words and numbers as people read them.

use unicode_width::UnicodeWidthStr;

/// Longer texts of a user or a settings file are cut to this many characters: one line must stay one line.
const LONGEST: usize = 48;

/// A text from outside, fit for a line: cut short where it is very long, and without control characters, which could
/// play tricks on a terminal.
pub(crate) fn shown(text: &str) -> String {
    let count = text.chars().count();
    if count <= LONGEST {
        return printable(text);
    }
    let start: String = text.chars().take(LONGEST - 1).collect();
    format!("{}… ({} characters)", printable(&start), grouped(count as u64))
}

/// A text from outside in its whole length, without control characters: for what the reader came to see.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// A count with commas: `10,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A bucket with commas. Buckets are never negative but in ranges that hold nothing.
pub(crate) fn bucket(bucket: i64) -> String {
    u64::try_from(bucket).map_or_else(|_| bucket.to_string(), grouped)
}

/// A count and its noun: `1 user`, `2,000 users`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// A share as a percentage with two decimals: `50.19 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// How far a share is off another, in points of a percentage: `+0.19`, `-0.19`, and `0.00` without a sign.
pub(crate) fn off_by(share: f64, expected: f64) -> String {
    let points = format!("{:+.2}", (share - expected) * 100.0);
    if points.ends_with("0.00") && points.len() == "+0.00".len() { "0.00".to_owned() } else { points }
}

/// The part of a whole, 0 where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of users are far below 2^53")]
    let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    share
}

/// The text followed by spaces up to `columns`, as wide as a terminal shows it.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// How many columns a terminal shows the text in.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Names as a sentence has them: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(names: &[String], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {conjunction} {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(bucket(-1), "-1");
    }

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!(off_by(0.500_01, 0.5), "0.00");
        assert_eq!(off_by(0.5, 0.500_01), "0.00");
        assert_eq!(off_by(0.5, 0.5), "0.00");
        assert_eq!(off_by(0.5, 0.501), "-0.10");
        assert_eq!(off_by(0.6, 0.5), "+10.00");
        assert_eq!(off_by(0.4, 0.5), "-10.00");
    }

    #[test]
    fn texts_from_outside_stay_in_their_line() {
        assert_eq!(shown("Ashley"), "Ashley");
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(shown(&"x".repeat(4096)), format!("{}… (4,096 characters)", "x".repeat(47)));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("long", 2), "long");
    }
}
