//! Bars made of characters.

use steadfast::engine::bucket::{BUCKETS, Range};

/// A bar that ends on an eighth of a column.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// What ranges are filled with, one after the other: told apart without colours.
const FILLS: [char; 4] = ['█', '▒', '▓', '░'];

/// What a bucket in no range looks like.
pub(crate) const GAP: char = '·';

/// A bar over `fraction` of the columns. Something is never shown as nothing.
pub(crate) fn bar(fraction: f64, columns: usize) -> String {
    let cells = cells(fraction, columns);
    cells.into_iter().collect::<String>().trim_end().to_owned()
}

/// The same bar with a line where it was expected to end.
pub(crate) fn bar_with_mark(fraction: f64, mark: f64, columns: usize) -> String {
    let mut cells = cells(fraction, columns);
    cells.resize(columns + 1, ' ');
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few dozen columns; a fraction outside of 0 to 1 is clamped"
    )]
    let place = (mark.clamp(0.0, 1.0) * columns as f64).round() as usize;
    cells[place] = '┃';
    cells.into_iter().collect::<String>().trim_end().to_owned()
}

fn cells(fraction: f64, columns: usize) -> Vec<char> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few dozen columns; a fraction outside of 0 to 1 is clamped"
    )]
    let mut eighths = (fraction.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    if fraction > 0.0 {
        eighths = eighths.max(1);
    }
    let mut cells = vec!['█'; eighths / 8];
    if !eighths.is_multiple_of(8) {
        cells.push(EIGHTHS[eighths % 8]);
    }
    cells
}

/// What the range at this place is filled with.
pub(crate) fn fill(place: usize) -> char {
    FILLS[place % FILLS.len()]
}

/// The buckets as a strip: in each column the place of the range that has it, and the column of the user's bucket
/// (`None` past the end of the strip).
pub(crate) fn strip(ranges: &[Range], bucket: i64, columns: usize) -> (Vec<Option<usize>>, Option<usize>) {
    let holder = |bucket: i64| ranges.iter().position(|range| range.contains(bucket));
    let (buckets, width) = (i64::from(BUCKETS), i64::try_from(columns).unwrap_or(i64::MAX));
    let mut strip: Vec<Option<usize>> =
        (0..width).map(|column| holder((2 * column + 1) * buckets / (2 * width) + 1)).collect();
    let column = usize::try_from((bucket - 1) * width / buckets).ok().filter(|column| *column < columns);
    if let Some(column) = column {
        // A column stands for many buckets; under the mark it must show the user's.
        strip[column] = holder(bucket);
    }
    (strip, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_end_on_eighths() {
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(0.5, 10), "█████");
        assert_eq!(bar(0.525, 10), "█████▎");
        assert_eq!(bar(0.000_01, 10), "▏");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar_with_mark(0.5, 0.8, 10), "█████   ┃");
        assert_eq!(bar_with_mark(1.0, 0.5, 10), "█████┃████");
    }

    #[test]
    fn a_strip_shows_the_users_own_bucket_under_the_mark() {
        let ranges = [Range { start: 1, end: 5_000 }, Range { start: 5_001, end: 5_001 }];
        assert_eq!(strip(&ranges, 5_001, 4), (vec![Some(0), Some(0), Some(1), None], Some(2)));
        assert_eq!(strip(&ranges, 10_002, 4).1, None);
        assert_eq!(strip(&ranges, 10_000, 4).1, Some(3));
    }
}
